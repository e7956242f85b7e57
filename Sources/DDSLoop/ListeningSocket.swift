// Making a socket that listens: addresses, the stale file of a dead server, and permissions before the first connection.

import CUV
import Glibc

/// A socket's file, known by device and inode.
struct SocketFile: Sendable {
    let path: String
    let device: UInt
    let inode: UInt

    /// Removes the file unless another has taken its place.
    func remove() {
        if SocketFile(path: path).map({ $0.device == device && $0.inode == inode }) == true { unsafe unlink(path) }
    }

    /// Nil when there is no socket at `path`.
    init?(path: String) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return nil }
        self.path = path
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
    }
}

enum ListeningSocket {
    private static let flags = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)

    /// Throws the error of the first of `host`'s addresses when none can be bound.
    static func tcp(host: String, port: UInt16, backlog: Int) throws(LoopError) -> (Int32, Endpoint) {
        let operation = "listen at \(Endpoint.tcp(host: host, port: port))"
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = unsafe getaddrinfo(host, String(port), &hints, &list)
        guard status == 0 else {
            let words = unsafe gai_strerror(status).map { unsafe String(cString: $0) } ?? "error \(status)"
            throw LoopError(.nameUnknown, operation: operation, detail: words)
        }
        defer { unsafe freeaddrinfo(list) }
        var failure: LoopError?
        var next = unsafe list
        while let entry = unsafe next {
            do throws(LoopError) {
                let descriptor = try unsafe bind(entry, backlog: backlog, operation: operation)
                return (descriptor, try endpoint(of: descriptor))
            } catch {
                failure = failure ?? error
            }
            unsafe next = entry.pointee.ai_next
        }
        throw failure ?? LoopError(.addressNotAvailable, operation: operation, detail: "no address")
    }

    private static func bind(
        _ entry: UnsafeMutablePointer<addrinfo>, backlog: Int, operation: String
    ) throws(LoopError) -> Int32 {
        let descriptor = unsafe socket(entry.pointee.ai_family, flags, entry.pointee.ai_protocol)
        guard descriptor >= 0 else { throw LoopError(status: -errno, operation: operation) }
        var on: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, size)
        guard unsafe Glibc.bind(descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0,
            Glibc.listen(descriptor, Int32(clamping: backlog)) == 0
        else {
            let error = LoopError(status: -errno, operation: operation)
            Glibc.close(descriptor)
            throw error
        }
        return descriptor
    }

    static func unix(path: String, backlog: Int, mode: UInt32) throws(LoopError) -> (Int32, SocketFile?) {
        let operation = "listen at \(Endpoint.unix(path: path))"
        guard path.utf8.count <= Endpoint.pathBytesMax else {
            throw LoopError(.invalid, operation: operation, detail: "the path is longer than \(Endpoint.pathBytesMax) bytes")
        }
        try removeStale(path, operation)
        let descriptor = socket(AF_UNIX, flags, 0)
        guard descriptor >= 0 else { throw LoopError(status: -errno, operation: operation) }
        // Permissions are set between bind and listen: before listen nobody can connect.
        guard unsafe withAddress(of: path, { unsafe Glibc.bind(descriptor, $0, $1) }) == 0, unsafe chmod(path, mode) == 0,
            Glibc.listen(descriptor, Int32(clamping: backlog)) == 0
        else {
            let error = LoopError(status: -errno, operation: operation)
            Glibc.close(descriptor)
            throw error
        }
        return (descriptor, SocketFile(path: path))
    }

    /// A socket that refuses connections belongs to nobody; one that accepts, or is merely busy, has a live server.
    private static func removeStale(_ path: String, _ operation: String) throws(LoopError) {
        guard let file = SocketFile(path: path) else {
            guard unsafe access(path, F_OK) != 0 else {
                throw LoopError(.addressInUse, operation: operation, detail: "a file that is no socket is in the way")
            }
            return
        }
        let probe = socket(AF_UNIX, flags, 0)
        guard probe >= 0 else { throw LoopError(status: -errno, operation: operation) }
        defer { Glibc.close(probe) }
        let status = unsafe withAddress(of: path) { unsafe connect(probe, $0, $1) }
        guard status != 0, errno == ECONNREFUSED else {
            throw LoopError(.addressInUse, operation: operation, detail: "another server answers there")
        }
        file.remove()
    }

    private static func withAddress(
        of path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        return unsafe withUnsafePointer(to: &address) { address in
            let raw = unsafe UnsafeRawPointer(address).assumingMemoryBound(to: sockaddr.self)
            return unsafe body(raw, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }

    /// Where a listening socket listens; throws when `descriptor` is none.
    static func endpoint(of descriptor: Int32) throws(LoopError) -> Endpoint {
        var isListening: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &size) == 0, isListening == 1 else {
            throw LoopError(.invalid, operation: "take over descriptor \(descriptor)", detail: "not a listening socket")
        }
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        unsafe withUnsafeMutablePointer(to: &storage) { storage in
            let raw = unsafe UnsafeMutableRawPointer(storage).assumingMemoryBound(to: sockaddr.self)
            _ = unsafe getsockname(descriptor, raw, &length)
        }
        if Int32(storage.ss_family) == AF_UNIX {
            let bytes = unsafe withUnsafeBytes(of: &storage) { unsafe Array($0[2..<Int(length)].prefix { $0 != 0 }) }
            return .unix(path: String(decoding: bytes, as: UTF8.self))
        }
        let address = unsafe SocketAddress { address, _ in
            unsafe UnsafeMutableRawPointer(address).copyMemory(from: &storage, byteCount: Int(length))
            return 0
        }
        return .tcp(host: address.host, port: address.port)
    }
}
