#pragma once

/* OpenSSL as DDSTLS uses it: the headers, and a function or constant for each macro that Swift cannot import. Decides nothing. */

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static const uint64_t DDS_SSL_OP_NO_TICKET = SSL_OP_NO_TICKET;
static const uint64_t DDS_SSL_OP_NO_RENEGOTIATION = SSL_OP_NO_RENEGOTIATION;
static const uint64_t DDS_SSL_OP_NO_COMPRESSION = SSL_OP_NO_COMPRESSION;
static const uint64_t DDS_SSL_OP_CIPHER_SERVER_PREFERENCE = SSL_OP_CIPHER_SERVER_PREFERENCE;

static inline int dds_ssl_ctx_set_min_proto_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_min_proto_version(context, version);
}

static inline int dds_ssl_ctx_set_max_proto_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_max_proto_version(context, version);
}

static inline long dds_ssl_ctx_set_mode(SSL_CTX *context, long mode) {
    return SSL_CTX_set_mode(context, mode);
}

static inline long dds_ssl_ctx_set_session_cache_mode(SSL_CTX *context, long mode) {
    return SSL_CTX_set_session_cache_mode(context, mode);
}

static inline long dds_ssl_ctx_set_max_cert_list(SSL_CTX *context, long bytes) {
    return SSL_CTX_set_max_cert_list(context, bytes);
}

static inline int dds_ssl_ctx_set1_groups_list(SSL_CTX *context, const char *groups) {
    return SSL_CTX_set1_groups_list(context, (char *)groups);
}

static inline int dds_ssl_ctx_add1_chain_cert(SSL_CTX *context, X509 *certificate) {
    return SSL_CTX_add1_chain_cert(context, certificate);
}

static inline int dds_ssl_set_tlsext_host_name(SSL *ssl, const char *name) {
    return SSL_set_tlsext_host_name(ssl, name);
}

static inline void dds_bio_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void dds_bio_clear_retry_flags(BIO *bio) { BIO_clear_retry_flags(bio); }

static inline int dds_err_get_lib(unsigned long code) { return ERR_GET_LIB(code); }
static inline int dds_err_get_reason(unsigned long code) { return ERR_GET_REASON(code); }

static inline EVP_PKEY *dds_evp_p256_gen(void) { return EVP_EC_gen("P-256"); }

static inline void dds_openssl_free(void *memory) { OPENSSL_free(memory); }
