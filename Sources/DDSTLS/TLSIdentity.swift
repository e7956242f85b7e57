// A certificate with its private key: read from PEM or made in process. Where keys are stored is others' business.

internal import COpenSSL
package import DDSCore

/// What one side of a TLS connection proves to be. Copies share the key, which is wiped when the last copy goes.
package struct TLSIdentity: Sendable {
    let key: OpenSSLObject
    let certificate: OpenSSLObject
    /// Intermediate certificates, sent behind ours; empty when self-signed.
    let chain: [OpenSSLObject]

    /// SHA-256 of the DER SubjectPublicKeyInfo: what pins and rosters hold.
    package let keyHash: [UInt8]

    init(key: OpenSSLObject, certificate: OpenSSLObject, chain: [OpenSSLObject] = []) {
        self.key = key
        self.certificate = certificate
        self.chain = chain
        keyHash = unsafe OpenSSLBytes.keyHash(of: certificate.pointer)
    }

    /// Reads a certificate, followed by its intermediates if it has any, and the unencrypted private key that belongs to it.
    /// Throws `.badMaterial` when either cannot be read, the key wants a passphrase, or they do not match.
    package init(certificatePEM: [UInt8], keyPEM: [UInt8]) throws(TLSError) {
        ERR_clear_error()
        let text = try OpenSSLObject.memory(certificatePEM)
        let certificate = try unsafe OpenSSLObject.certificate(
            PEM_read_bio_X509(text.pointer, nil, nil, nil), "reading the certificate")
        var chain: [OpenSSLObject] = []
        while let next = unsafe PEM_read_bio_X509(text.pointer, nil, nil, nil) {
            chain.append(try unsafe OpenSSLObject.certificate(next, "reading the chain"))
        }
        ERR_clear_error()
        // OpenSSL cleanses this copy of the key's text when it frees it.
        let keyText = try OpenSSLObject.memory(keyPEM)
        let key = try unsafe OpenSSLObject.key(
            PEM_read_bio_PrivateKey(keyText.pointer, nil, refusePassphrase, nil), "reading the private key")
        guard unsafe X509_check_private_key(certificate.pointer, key.pointer) == 1 else {
            throw TLSError.fromQueue(.badMaterial, during: "comparing the certificate with the private key")
        }
        self.init(key: key, certificate: certificate, chain: chain)
    }

    /// The certificate alone, DER.
    package var certificateDER: [UInt8] {
        unsafe OpenSSLBytes.der { unsafe i2d_X509(certificate.pointer, $0) }
    }

    /// The certificate and its intermediates, PEM.
    package var certificatePEM: [UInt8] { OpenSSLBytes.pem(of: [certificate] + chain) }

    /// The private key, unencrypted PKCS #8 in PEM.
    var privateKeyPEM: [UInt8] {
        guard let text = try? OpenSSLObject.memory(),
            unsafe PEM_write_bio_PrivateKey(text.pointer, key.pointer, nil, nil, 0, nil, nil) == 1
        else { return [] }
        return unsafe OpenSSLBytes.drain(text.pointer)
    }

    /// The last second at which the certificate is valid.
    package var notAfter: WallTime {
        var days: Int32 = 0
        var seconds: Int32 = 0
        let epoch = unsafe ASN1_TIME_set(nil, 0)
        defer { unsafe ASN1_TIME_free(epoch) }
        // A date that cannot be read counts as long past, so that whoever watches for expiry complains.
        guard unsafe ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(certificate.pointer)) == 1 else {
            return WallTime(milliseconds: 0)
        }
        return WallTime(milliseconds: (Int64(days) * 86400 + Int64(seconds)) * 1000)
    }

    /// The hash that a certificate with this Ed25519 public key (32 bytes) has as `keyHash` (SPKI form of RFC 8410 section 4).
    package static func keyHash(ed25519PublicKey: [UInt8]) -> [UInt8] {
        precondition(ed25519PublicKey.count == 32, "an Ed25519 public key has 32 bytes")
        return OpenSSLBytes.sha256([0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00] + ed25519PublicKey)
    }
}

/// Without a callback OpenSSL would ask for the passphrase of an encrypted key on the terminal of a daemon.
private func refusePassphrase(
    _: UnsafeMutablePointer<CChar>?, _: Int32, _: Int32, _: UnsafeMutableRawPointer?
) -> Int32 { -1 }
