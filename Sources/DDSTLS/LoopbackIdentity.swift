// A certificate for servers on loopback, signed by an authority that has signed nothing else and never will: its key is thrown
// away at once. Whoever trusts that authority trusts this one certificate, and nobody can make another, not even from a copy of
// everything on the disk. Keys are of P-256, which every mail program knows; NSS has no Ed25519 in certificates.

internal import COpenSSL
package import DDSCore

/// A server's identity for this machine alone, with the authority that mail programs are told to trust.
package struct LoopbackIdentity: Sendable {
    package let leaf: TLSIdentity
    /// The authority's certificate without its key.
    private let authority: OpenSSLObject

    /// The names and addresses that the certificate is for.
    package static let hosts = ["localhost", "127.0.0.1", "::1"]
    private static let permitted =
        "critical,permitted;DNS:localhost,permitted;IP:127.0.0.1/255.255.255.255,"
        + "permitted;IP:::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

    /// Makes both, with fresh keys from OpenSSL's own source of randomness. `authorityName` is what lists of authorities show, cut
    /// after 64 octets.
    package static func make(
        authorityName: String, notBefore: WallTime, lifetimeDays: Int
    ) throws(TLSError) -> LoopbackIdentity {
        ERR_clear_error()
        let authorityKey = try unsafe OpenSSLObject.key(dds_evp_p256_gen(), "making a key")
        let authority = try CertificateDraft(
            key: authorityKey, subject: authorityName, notBefore: notBefore, lifetimeDays: lifetimeDays)
        try authority.add(NID_basic_constraints, "critical,CA:TRUE,pathlen:0")
        try authority.add(NID_key_usage, "critical,keyCertSign")
        try authority.add(NID_name_constraints, permitted)
        try authority.add(NID_subject_key_identifier, "hash")
        try authority.sign(key: authorityKey)

        let key = try unsafe OpenSSLObject.key(dds_evp_p256_gen(), "making a key")
        let leaf = try CertificateDraft(key: key, subject: "localhost", notBefore: notBefore, lifetimeDays: lifetimeDays)
        try leaf.add(NID_basic_constraints, "critical,CA:FALSE")
        try leaf.add(NID_key_usage, "critical,digitalSignature")
        try leaf.add(NID_ext_key_usage, "serverAuth")
        var names: [String] = []
        for host in hosts { names.append(try CertificateDraft.alternativeName(host)) }
        try leaf.add(NID_subject_alt_name, names.joined(separator: ","))
        try leaf.add(NID_subject_key_identifier, "hash")
        // Strict verifiers (OpenSSL's X509_V_FLAG_X509_STRICT, Python's default) want it.
        try leaf.add(NID_authority_key_identifier, "keyid:always", issuer: authority.certificate)
        try leaf.sign(key: authorityKey, issuer: authority.certificate)
        return LoopbackIdentity(
            leaf: TLSIdentity(key: key, certificate: leaf.certificate), authority: authority.certificate)
    }

    private init(leaf: TLSIdentity, authority: OpenSSLObject) {
        self.leaf = leaf
        self.authority = authority
    }

    /// Reads what `pem` has written: the leaf, the authority, and the leaf's private key. Throws `.badMaterial` when one is missing
    /// or they do not belong together.
    package init(pem: [UInt8]) throws(TLSError) {
        let read = try TLSIdentity(certificatePEM: pem, keyPEM: pem)
        guard let authority = read.chain.first, read.chain.count == 1,
            let key = unsafe X509_get0_pubkey(authority.pointer),
            unsafe X509_verify(read.certificate.pointer, key) == 1
        else { throw TLSError.fromQueue(.badMaterial, during: "comparing the certificate with its authority") }
        // A server does not send its root (RFC 8446 section 4.4.2).
        self.init(leaf: TLSIdentity(key: read.key, certificate: read.certificate), authority: authority)
    }

    /// All of it for a file that only its owner reads: it has the private key in clear.
    package var pem: [UInt8] { leaf.certificatePEM + authorityPEM + leaf.privateKeyPEM }

    /// The authority's certificate, for mail programs.
    package var authorityPEM: [UInt8] { OpenSSLBytes.pem(of: [authority]) }

    /// SHA-256 of the authority's certificate (DER), which programs show as its fingerprint.
    package var authorityFingerprint: [UInt8] {
        unsafe OpenSSLBytes.sha256(OpenSSLBytes.der { unsafe i2d_X509(authority.pointer, $0) })
    }
}
