// A certificate while it is made: names, times, extensions, and at last the signature. Who signs and what for is decided by the
// callers.

internal import COpenSSL
import DDSCore

@safe struct CertificateDraft {
    let certificate: OpenSSLObject

    /// An X.509 version 3 certificate for the public half of `key`, valid for `lifetimeDays`. `subject` is its common name, which
    /// has at most 64 characters (RFC 5280 appendix A); what is longer has its whole name in an extension.
    init(key: OpenSSLObject, subject: String, notBefore: WallTime, lifetimeDays: Int) throws(TLSError) {
        precondition(lifetimeDays > 0, "a certificate lives for at least a day")
        certificate = try unsafe OpenSSLObject.certificate(X509_new(), "making a certificate")
        let start = time_t(notBefore.seconds)
        guard unsafe X509_set_version(certificate.pointer, Int(X509_VERSION_3)) == 1,
            setSerial(Self.serialNumber(key, start)),
            setSubject(subject),
            unsafe ASN1_TIME_set(X509_getm_notBefore(certificate.pointer), start) != nil,
            unsafe ASN1_TIME_set(X509_getm_notAfter(certificate.pointer), start + lifetimeDays * 86400) != nil,
            unsafe X509_set_pubkey(certificate.pointer, key.pointer) == 1
        else { throw TLSError.fromQueue(.badMaterial, during: "making a certificate") }
    }

    /// Adds an extension in the words of OpenSSL's configuration syntax. `issuer` is whose key identifier it may name.
    func add(_ extensionID: Int32, _ value: String, issuer: OpenSSLObject? = nil) throws(TLSError) {
        var context = unsafe X509V3_CTX()
        unsafe X509V3_set_ctx(&context, (issuer ?? certificate).pointer, certificate.pointer, nil, nil, 0)
        guard let made = unsafe X509V3_EXT_conf_nid(nil, &context, extensionID, value) else {
            throw TLSError.fromQueue(.badMaterial, during: "making an extension of a certificate")
        }
        defer { unsafe X509_EXTENSION_free(made) }
        guard unsafe X509_add_ext(certificate.pointer, made, -1) == 1 else {
            throw TLSError.fromQueue(.badMaterial, during: "making an extension of a certificate")
        }
    }

    /// Signs it with the key of `issuer`; nil for itself. Ed25519 keys hash by themselves, others sign a SHA-256.
    func sign(key: OpenSSLObject, issuer: OpenSSLObject? = nil) throws(TLSError) {
        let signer = issuer ?? certificate
        guard unsafe X509_set_issuer_name(certificate.pointer, X509_get_subject_name(signer.pointer)) == 1,
            unsafe X509_sign(
                certificate.pointer, key.pointer, EVP_PKEY_get_id(key.pointer) == NID_ED25519 ? nil : EVP_sha256()) > 0
        else { throw TLSError.fromQueue(.badMaterial, during: "signing a certificate") }
    }

    /// `text` as OpenSSL's configuration syntax wants an alternative name; anything that could mean more than one name there is
    /// refused.
    static func alternativeName(_ text: String) throws(TLSError) -> String {
        let isPlain = text.utf8.allSatisfy { octet in
            switch octet {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x3a, 0x5f: true
            default: false
            }
        }
        guard isPlain, (1...253).contains(text.utf8.count) else {
            throw TLSError(.badMaterial, detail: "a certificate cannot carry the name \"\(text)\"")
        }
        return isAddressLiteral(text) ? "IP:\(text)" : "DNS:\(text)"
    }

    /// True for IPv4 and IPv6 addresses in text form, which are no DNS names.
    static func isAddressLiteral(_ text: String) -> Bool {
        guard let octets = unsafe a2i_IPADDRESS(text) else {
            ERR_clear_error()
            return false
        }
        unsafe ASN1_OCTET_STRING_free(octets)
        return true
    }

    /// 127 bits that differ between keys and between certificates of one key.
    private static func serialNumber(_ key: OpenSSLObject, _ start: time_t) -> [UInt8] {
        let spki = unsafe OpenSSLBytes.der { unsafe i2d_PUBKEY(key.pointer, $0) }
        let moment = (0..<8).map { UInt8(truncatingIfNeeded: start >> (56 - 8 * $0)) }
        var serial = Array(OpenSSLBytes.sha256(spki + moment).prefix(16))
        serial[0] = serial[0] & 0x7f | 0x40
        return serial
    }

    private func setSerial(_ serial: [UInt8]) -> Bool {
        let number = unsafe BN_bin2bn(serial, Int32(serial.count), nil)
        defer { unsafe BN_free(number) }
        return unsafe BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate.pointer)) != nil
    }

    private func setSubject(_ text: String) -> Bool {
        let bytes = Array(text.utf8.prefix(64))
        let name = unsafe X509_get_subject_name(certificate.pointer)
        return unsafe X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING, bytes, Int32(bytes.count), -1, 0) == 1
    }
}
