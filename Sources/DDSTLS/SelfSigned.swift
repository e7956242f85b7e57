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
        precondition(lifetimeDays > 0, "a certificate lives for at least a day")
        let name = try alternativeName(commonName)
        ERR_clear_error()
        let key = try unsafe OpenSSLObject.key(
            seed.withUnsafeBufferPointer {
                unsafe EVP_PKEY_new_raw_private_key(NID_ED25519, nil, $0.baseAddress, $0.count)
            }, "making the key")
        let certificate = try unsafe OpenSSLObject.certificate(X509_new(), "making a certificate")
        let start = time_t(notBefore.seconds)
        let serial = serialNumber(key, start)
        guard unsafe X509_set_version(certificate.pointer, Int(X509_VERSION_3)) == 1,
            unsafe setSerial(serial, certificate.pointer),
            unsafe setName(commonName, certificate.pointer),
            unsafe ASN1_TIME_set(X509_getm_notBefore(certificate.pointer), start) != nil,
            unsafe ASN1_TIME_set(X509_getm_notAfter(certificate.pointer), start + lifetimeDays * 86400) != nil,
            unsafe X509_set_pubkey(certificate.pointer, key.pointer) == 1,
            unsafe add(NID_basic_constraints, "critical,CA:FALSE", certificate.pointer),
            unsafe add(NID_key_usage, "critical,digitalSignature", certificate.pointer),
            unsafe add(NID_ext_key_usage, "serverAuth,clientAuth", certificate.pointer),
            unsafe add(NID_subject_alt_name, name, certificate.pointer),
            unsafe X509_sign(certificate.pointer, key.pointer, nil) > 0
        else { throw TLSError.fromQueue(.badMaterial, during: "making a certificate") }
        return TLSIdentity(key: key, certificate: certificate)
    }

    /// `text` as OpenSSL's configuration syntax wants it; anything that could mean more than one name there is refused.
    private static func alternativeName(_ text: String) throws(TLSError) -> String {
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

    private static func setSerial(_ serial: [UInt8], _ certificate: OpaquePointer) -> Bool {
        let number = unsafe BN_bin2bn(serial, Int32(serial.count), nil)
        defer { unsafe BN_free(number) }
        return unsafe BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nil
    }

    /// Subject and issuer. A common name has at most 64 characters (RFC 5280 appendix A); the alternative name has it whole.
    private static func setName(_ text: String, _ certificate: OpaquePointer) -> Bool {
        let bytes = Array(text.utf8.prefix(64))
        let name = unsafe X509_get_subject_name(certificate)
        return unsafe X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING, bytes, Int32(bytes.count), -1, 0) == 1
            && X509_set_issuer_name(certificate, name) == 1
    }

    private static func add(_ extensionID: Int32, _ value: String, _ certificate: OpaquePointer) -> Bool {
        guard let made = unsafe X509V3_EXT_conf_nid(nil, nil, extensionID, value) else { return false }
        defer { unsafe X509_EXTENSION_free(made) }
        return unsafe X509_add_ext(certificate, made, -1) == 1
    }
}
