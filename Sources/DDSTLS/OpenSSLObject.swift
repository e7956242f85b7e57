// Ownership of OpenSSL's reference-counted objects, and the few ways in which bytes go in and out of them.

internal import COpenSSL

/// The one owner of an OpenSSL object; frees it when the last reference goes. OpenSSL cleanses private keys as it frees them.
@safe final class OpenSSLObject: @unchecked Sendable {
    // @unchecked: DDSTLS alters these objects only while it builds them, before a second reference exists; afterwards only
    // OpenSSL's reference counts change, and those are atomic.
    let pointer: OpaquePointer
    private let release: @Sendable (OpaquePointer) -> Void

    /// Takes over `pointer`; throws what the error queue says when it is nil.
    init(_ pointer: OpaquePointer?, _ operation: String, release: @escaping @Sendable (OpaquePointer) -> Void) throws(TLSError)
    {
        guard let pointer = unsafe pointer else { throw TLSError.fromQueue(.badMaterial, during: operation) }
        unsafe self.pointer = unsafe pointer
        unsafe self.release = release
    }

    deinit { unsafe release(pointer) }

    static func key(_ pointer: OpaquePointer?, _ operation: String) throws(TLSError) -> OpenSSLObject {
        try unsafe OpenSSLObject(pointer, operation) { unsafe EVP_PKEY_free($0) }
    }

    static func certificate(_ pointer: OpaquePointer?, _ operation: String) throws(TLSError) -> OpenSSLObject {
        try unsafe OpenSSLObject(pointer, operation) { unsafe X509_free($0) }
    }

    /// A memory BIO holding `bytes`.
    static func memory(_ bytes: [UInt8] = []) throws(TLSError) -> OpenSSLObject {
        let memory = try unsafe OpenSSLObject(BIO_new(BIO_s_mem()), "memory") { _ = unsafe BIO_free($0) }
        let written = unsafe bytes.withUnsafeBytes { unsafe BIO_write(memory.pointer, $0.baseAddress, Int32($0.count)) }
        guard bytes.isEmpty || written == bytes.count else { throw TLSError.fromQueue(.systemFailure, during: "memory") }
        return memory
    }
}

enum OpenSSLBytes {
    /// Everything that waits in a memory BIO.
    static func drain(_ bio: OpaquePointer) -> [UInt8] {
        let count = unsafe Int(BIO_ctrl_pending(bio))
        guard count > 0 else { return [] }
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
            written = unsafe max(0, Int(BIO_read(bio, buffer.baseAddress, Int32(count))))
        }
    }

    /// Runs one of the i2d functions, which say the length when given no place to write, and returns its DER.
    static func der(_ encode: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> Int32) -> [UInt8] {
        let length = Int(encode(nil))
        guard length > 0 else { return [] }
        return unsafe [UInt8](unsafeUninitializedCapacity: length) { buffer, written in
            var cursor = buffer.baseAddress
            written = unsafe max(0, Int(encode(&cursor)))
        }
    }

    /// Certificates one after the other; empty when memory is short.
    static func pem(of certificates: [OpenSSLObject]) -> [UInt8] {
        guard let text = try? OpenSSLObject.memory() else { return [] }
        for link in certificates where unsafe PEM_write_bio_X509(text.pointer, link.pointer) != 1 { return [] }
        return unsafe drain(text.pointer)
    }

    static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: Int(SHA256_DIGEST_LENGTH)) { digest, written in
            unsafe bytes.withUnsafeBufferPointer { input in
                _ = unsafe SHA256(input.baseAddress, input.count, digest.baseAddress)
            }
            written = Int(SHA256_DIGEST_LENGTH)
        }
    }

    /// SHA-256 of the certificate's SubjectPublicKeyInfo, exactly as the certificate encodes it.
    static func keyHash(of certificate: OpaquePointer) -> [UInt8] {
        unsafe sha256(der { unsafe i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), $0) })
    }
}
