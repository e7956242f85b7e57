// The rules of a set of connections: versions, groups, ciphers, who must show which key. Certificates are never judged by who
// signed them: a server learns the client's key and looks it up after the handshake, a client pins the server's key.

internal import COpenSSL

/// The oldest or newest protocol version that is spoken.
package enum TLSVersion: Sendable {
    /// For ordinary mail programs.
    case tls12
    case tls13

    fileprivate var number: Int32 {
        switch self {
        case .tls12: TLS1_2_VERSION
        case .tls13: TLS1_3_VERSION
        }
    }
}

/// Shared by all connections of a listener, or of a client to one server. Nothing is resumed: a resumed session would show no
/// certificate and outlive a revocation, so there are no tickets and no session cache.
package final class TLSContext: Sendable {
    enum Side: Sendable { case server, client }

    let side: Side
    let context: OpenSSLObject
    /// Kept alive here because OpenSSL holds its address.
    private let pin: Pin

    /// The key that a client insists on; without one, any will do.
    private final class Pin: Sendable {
        let keyHash: [UInt8]?

        init(_ keyHash: [UInt8]?) {
            self.keyHash = keyHash
        }
    }

    /// A listener's rules. With `requestClientCertificate` clients are asked for a certificate and may refuse; which key they
    /// have proved to hold is in the `TLSPeer`, and whether it is welcome is for the caller to say.
    package static func server(
        identity: TLSIdentity, minimum: TLSVersion, requestClientCertificate: Bool
    ) throws(TLSError) -> TLSContext {
        let made = try TLSContext(.server, identity: identity, pin: nil, minimum: minimum, maximum: .tls13)
        made.verifyPeer(requestClientCertificate)
        return made
    }

    /// A client's rules. The handshake fails, before the client has shown its own certificate, unless the server's `keyHash`
    /// begins with `pinnedKeyHash`: 32 bytes, or a prefix of at least 16 as invites carry it. Nil trusts anybody and is for tests.
    package static func client(
        identity: TLSIdentity?, pinnedKeyHash: [UInt8]?, minimum: TLSVersion, maximum: TLSVersion = .tls13
    ) throws(TLSError) -> TLSContext {
        if let pinnedKeyHash {
            precondition((16...32).contains(pinnedKeyHash.count), "a pin has 16 to 32 bytes")
        }
        let made = try TLSContext(.client, identity: identity, pin: pinnedKeyHash, minimum: minimum, maximum: maximum)
        made.verifyPeer(true)
        return made
    }

    private init(
        _ side: Side, identity: TLSIdentity?, pin: [UInt8]?, minimum: TLSVersion, maximum: TLSVersion
    ) throws(TLSError) {
        ERR_clear_error()
        self.side = side
        self.pin = Pin(pin)
        let method = unsafe side == .server ? TLS_server_method() : TLS_client_method()
        context = try unsafe OpenSSLObject(SSL_CTX_new(method), "making a TLS context") { unsafe SSL_CTX_free($0) }
        try setRules(minimum: minimum, maximum: maximum)
        if let identity { try use(identity) }
    }

    private func setRules(minimum: TLSVersion, maximum: TLSVersion) throws(TLSError) {
        let context = unsafe self.context.pointer
        _ = unsafe SSL_CTX_set_options(
            context,
            DDS_SSL_OP_NO_TICKET | DDS_SSL_OP_NO_RENEGOTIATION | DDS_SSL_OP_NO_COMPRESSION
                | DDS_SSL_OP_CIPHER_SERVER_PREFERENCE)
        // Idle connections give their record buffers back: 20 KiB instead of 29 each.
        _ = unsafe dds_ssl_ctx_set_mode(
            context, Int(SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER))
        _ = unsafe dds_ssl_ctx_set_session_cache_mode(context, Int(SSL_SESS_CACHE_OFF))
        // A peer's chain is held in memory before anything is known about it.
        _ = unsafe dds_ssl_ctx_set_max_cert_list(context, 32 * 1024)
        unsafe SSL_CTX_set_security_level(context, 2)
        // Every client has X25519 in TLS 1.3; older mail programs may have P-256 only.
        let groups = minimum == .tls13 ? "X25519" : "X25519:P-256"
        guard unsafe SSL_CTX_set_num_tickets(context, 0) == 1,
            unsafe dds_ssl_ctx_set_min_proto_version(context, minimum.number) == 1,
            unsafe dds_ssl_ctx_set_max_proto_version(context, maximum.number) == 1,
            unsafe dds_ssl_ctx_set1_groups_list(context, groups) == 1,
            unsafe SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1
        else { throw TLSError.fromQueue(.systemFailure, during: "setting the rules of TLS") }
    }

    private func use(_ identity: TLSIdentity) throws(TLSError) {
        let context = unsafe self.context.pointer
        guard unsafe SSL_CTX_use_certificate(context, identity.certificate.pointer) == 1,
            unsafe SSL_CTX_use_PrivateKey(context, identity.key.pointer) == 1
        else { throw TLSError.fromQueue(.badMaterial, during: "using the certificate") }
        for link in identity.chain where unsafe dds_ssl_ctx_add1_chain_cert(context, link.pointer) != 1 {
            throw TLSError.fromQueue(.badMaterial, during: "using the chain")
        }
    }

    /// Replaces OpenSSL's whole chain verification: only the key counts. That the peer holds the key is proved by the
    /// handshake's signature, which OpenSSL checks in any case.
    private func verifyPeer(_ isAsked: Bool) {
        let context = unsafe self.context.pointer
        unsafe SSL_CTX_set_verify(context, isAsked ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nil)
        // Unretained: `self` keeps the pin, and every connection keeps its context, for longer than OpenSSL can call.
        unsafe SSL_CTX_set_cert_verify_callback(
            context,
            { store, argument in
                guard let store = unsafe store, let argument = unsafe argument,
                    let certificate = unsafe X509_STORE_CTX_get0_cert(store)
                else { return 0 }
                let pin = unsafe Unmanaged<Pin>.fromOpaque(argument).takeUnretainedValue()
                if let expected = pin.keyHash, unsafe !OpenSSLBytes.keyHash(of: certificate).starts(with: expected) {
                    unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION)
                    return 0
                }
                unsafe X509_STORE_CTX_set_error(store, X509_V_OK)
                return 1
            }, Unmanaged.passUnretained(pin).toOpaque())
    }
}
