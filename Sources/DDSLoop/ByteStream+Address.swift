// Who is at the ends of a stream, as text and numbers, and the taking over of connected descriptors.

import CUV
import Glibc

extension ByteStream {
    /// Takes over a connected socket; the descriptor is closed with the stream, or now when this throws.
    static func adopt(connected descriptor: Int32, isUnix: Bool) throws(LoopError) -> ByteStream {
        let stream: ByteStream
        do {
            stream = try ByteStream(isUnix: isUnix)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        let status =
            if isUnix {
                unsafe uv_pipe_open(stream.cell.assumingMemoryBound(to: uv_pipe_t.self), descriptor)
            } else {
                unsafe uv_tcp_open(stream.cell.assumingMemoryBound(to: uv_tcp_t.self), descriptor)
            }
        guard status == 0 else {
            Glibc.close(descriptor)
            stream.close()
            throw LoopError(status: status, operation: "take over a connection")
        }
        stream.becameConnected()
        return stream
    }

    /// Learns the addresses and sets what every connection has set.
    func becameConnected() {
        if isUnix {
            readCredentials()
            return
        }
        let tcp = unsafe cell.assumingMemoryBound(to: uv_tcp_t.self)
        unsafe uv_tcp_nodelay(tcp, 1)
        unsafe uv_tcp_keepalive(tcp, 1, 120)
        let remote = unsafe SocketAddress { unsafe uv_tcp_getpeername(tcp, $0, $1) }
        let local = unsafe SocketAddress { unsafe uv_tcp_getsockname(tcp, $0, $1) }
        peerHost = remote.host
        peerPort = remote.port
        peer = Endpoint.tcp(host: remote.host, port: remote.port).description
        localPort = local.port
    }

    /// The socket, for options of it; -1 when it is closed. It stays the stream's.
    package var descriptor: Int32 {
        var descriptor: Int32 = -1
        if isOpen { unsafe uv_fileno(cell.assumingMemoryBound(to: uv_handle_t.self), &descriptor) }
        return descriptor
    }

    private func readCredentials() {
        peerHost = "unix"
        peer = "unix"
        var credentials = dds_peer_credentials()
        guard unsafe dds_get_peer_credentials(descriptor, &credentials) == 0 else { return }
        peerCredentials = (credentials.pid, credentials.uid, credentials.gid)
        peer = "unix:uid=\(credentials.uid),pid=\(credentials.pid)"
    }
}

/// A socket address as text and number; empty for families other than IPv4 and IPv6.
struct SocketAddress {
    var host = ""
    var port: UInt16 = 0

    /// From a call in the manner of getpeername(2); empty when it fails.
    init(_ read: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<Int32>) -> Int32) {
        var storage = sockaddr_storage()
        var length = Int32(MemoryLayout<sockaddr_storage>.size)
        unsafe withUnsafeMutablePointer(to: &storage) { storage in
            let address = unsafe UnsafeMutableRawPointer(storage).assumingMemoryBound(to: sockaddr.self)
            if unsafe read(address, &length) == 0 { unsafe fill(from: address) }
        }
    }

    private mutating func fill(from address: UnsafePointer<sockaddr>) {
        let raw = unsafe UnsafeRawPointer(address)
        var name = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN) + 1)
        switch Int32(unsafe address.pointee.sa_family) {
        case AF_INET:
            port = unsafe UInt16(bigEndian: raw.load(as: sockaddr_in.self).sin_port)
            unsafe uv_ip4_name(raw.assumingMemoryBound(to: sockaddr_in.self), &name, name.count)
        case AF_INET6:
            port = unsafe UInt16(bigEndian: raw.load(as: sockaddr_in6.self).sin6_port)
            unsafe uv_ip6_name(raw.assumingMemoryBound(to: sockaddr_in6.self), &name, name.count)
        default: return
        }
        host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // A dual-stack listener shows IPv4 peers as IPv6; limits must count both the same.
        if host.hasPrefix("::ffff:"), host.contains(".") { host = String(host.dropFirst(7)) }
    }
}
