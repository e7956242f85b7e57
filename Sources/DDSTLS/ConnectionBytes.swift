// OpenSSL's way to a connection's bytes: it reads from what the connection was fed and writes to what the connection hands out.
// OpenSSL's own memory BIOs would copy everything once more, and keep as much memory as the largest piece ever took.

internal import COpenSSL

/// The bytes of one connection on the network's side.
@safe final class ConnectionBytes {
    /// From the network, not yet read by OpenSSL.
    var incoming: ArraySlice<UInt8> = []
    /// For the network.
    var outgoing: [UInt8] = []

    /// Has `ssl` read and write here. It must not outlive this object.
    func attach(to ssl: OpaquePointer) throws(TLSError) {
        guard let method = unsafe Self.method?.pointer, let bio = unsafe BIO_new(method) else {
            throw .fromQueue(.systemFailure, during: "memory")
        }
        unsafe BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        unsafe SSL_set_bio(ssl, bio, bio)
    }

    private func take(_ count: Int, into memory: UnsafeMutableRawPointer) -> Int {
        let piece = incoming.prefix(count)
        unsafe piece.withUnsafeBytes { unsafe UnsafeMutableRawBufferPointer(start: memory, count: count).copyMemory(from: $0) }
        incoming = piece.count == incoming.count ? [] : incoming.dropFirst(piece.count)
        return piece.count
    }

    private static func of(_ bio: OpaquePointer) -> ConnectionBytes? {
        guard let data = unsafe BIO_get_data(bio) else { return nil }
        return unsafe Unmanaged<ConnectionBytes>.fromOpaque(data).takeUnretainedValue()
    }

    /// Nil when memory is short.
    private static let method: OpenSSLObject? = {
        let type = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK
        guard
            let made = try? unsafe OpenSSLObject(
                BIO_meth_new(type, "connection"), "memory", release: { unsafe BIO_meth_free($0) })
        else { return nil }
        unsafe BIO_meth_set_read(made.pointer) { bio, memory, count in
            guard let bio = unsafe bio, let memory = unsafe memory, count > 0, let bytes = unsafe ConnectionBytes.of(bio) else {
                return 0
            }
            unsafe dds_bio_clear_retry_flags(bio)
            if bytes.incoming.isEmpty {
                unsafe dds_bio_set_retry_read(bio)
                return -1
            }
            return Int32(unsafe bytes.take(Int(count), into: UnsafeMutableRawPointer(memory)))
        }
        unsafe BIO_meth_set_write(made.pointer) { bio, memory, count in
            guard let bio = unsafe bio, let memory = unsafe memory, count > 0, let bytes = unsafe ConnectionBytes.of(bio) else {
                return 0
            }
            unsafe dds_bio_clear_retry_flags(bio)
            unsafe bytes.outgoing.append(contentsOf: UnsafeRawBufferPointer(start: memory, count: Int(count)))
            return count
        }
        unsafe BIO_meth_set_ctrl(made.pointer) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
        return made
    }()
}
