// Self-signed Ed25519 certificates (RFC 8410), made in process. Nobody checks who signed them: peers pin the key. The names in
// them serve ordinary mail programs, which compare them with the host they were told.

internal import COpenSSL
package import DDSCore

extension TLSIdentity {
    /// A certificate for `commonName`, a host name or an address literal, valid from `notBefore` for `lifetimeDays`.
    /// The same arguments give the same certificate, byte for byte. `seed` is the 32-byte Ed25519 private key.
    /// Throws `.badMaterial` for a name that a certificate cannot carry.
    package static func selfSigned(
        seed: [UInt8], commonName: String, notBefore: WallTime, lifetimeDays: Int
    ) throws(TLSError) -> TLSIdentity {
        precondition(seed.count == 32, "an Ed25519 private key has 32 bytes")
        let name = try CertificateDraft.alternativeName(commonName)
        ERR_clear_error()
        let key = try unsafe OpenSSLObject.key(
            seed.withUnsafeBufferPointer {
                unsafe EVP_PKEY_new_raw_private_key(NID_ED25519, nil, $0.baseAddress, $0.count)
            }, "making the key")
        let draft = try CertificateDraft(key: key, subject: commonName, notBefore: notBefore, lifetimeDays: lifetimeDays)
        try draft.add(NID_basic_constraints, "critical,CA:FALSE")
        try draft.add(NID_key_usage, "critical,digitalSignature")
        try draft.add(NID_ext_key_usage, "serverAuth,clientAuth")
        try draft.add(NID_subject_alt_name, name)
        try draft.sign(key: key)
        return TLSIdentity(key: key, certificate: draft.certificate)
    }
}
