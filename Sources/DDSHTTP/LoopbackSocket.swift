// Listening sockets for the page. Only here are addresses bound; loopback is the caller's choice of host.

import DDSCore
import Glibc

/// A bound, listening, non-blocking TCP socket that somebody else will close.
enum ListeningSocket {
    enum Problem: Error {
        /// Somebody has the port: worth trying the next.
        case portTaken
        /// This machine has no such address, as where IPv6 is switched off.
        case addressUnavailable
        case other(Int32)
    }

    /// The address of `127.0.0.1` or `::1` style text, or nil.
    static func address(_ host: String) -> [UInt8]? {
        var four = in_addr()
        if unsafe inet_pton(AF_INET, host, &four) == 1 {
            return unsafe withUnsafeBytes(of: four) { unsafe Array($0) }
        }
        var six = in6_addr()
        if unsafe inet_pton(AF_INET6, host, &six) == 1 {
            return unsafe withUnsafeBytes(of: six) { unsafe Array($0) }
        }
        return nil
    }

    /// Binds and listens; port 0 lets the kernel choose. Returns the descriptor and the port it got.
    static func open(_ endpoint: HTTPEndpoint) throws(Problem) -> (descriptor: Int32, port: UInt16) {
        let family = endpoint.address.count == 4 ? AF_INET : AF_INET6
        let descriptor = socket(
            family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), Int32(IPPROTO_TCP))
        guard descriptor >= 0 else { throw problem(errno) }
        do throws(Problem) {
            try bind(descriptor, endpoint)
            guard listen(descriptor, 64) == 0 else { throw problem(errno) }
            return (descriptor, try port(of: descriptor))
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// Where a socket that listens already does so; nil when it is none of TCP.
    static func endpoint(of descriptor: Int32) -> HTTPEndpoint? {
        var isListening: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &size) == 0, isListening == 1 else {
            return nil
        }
        return name(of: descriptor)
    }

    static func close(_ descriptor: Int32) {
        Glibc.close(descriptor)
    }

    private static func bind(_ descriptor: Int32, _ endpoint: HTTPEndpoint) throws(Problem) {
        var on: Int32 = 1
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        // Without this a socket on ::1 could also be asked over IPv4-mapped addresses.
        if endpoint.address.count == 16 {
            unsafe setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &on, socklen_t(MemoryLayout<Int32>.size))
        }
        let status = unsafe endpoint.withSocketAddress { unsafe Glibc.bind(descriptor, $0, $1) }
        guard status == 0 else { throw problem(errno) }
    }

    private static func port(of descriptor: Int32) throws(Problem) -> UInt16 {
        guard let endpoint = name(of: descriptor) else { throw problem(errno) }
        return endpoint.port
    }

    static func name(of descriptor: Int32) -> HTTPEndpoint? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = unsafe withUnsafeMutableBytes(of: &storage) { bytes -> Int32 in
            guard let base = bytes.baseAddress else { return -1 }
            return unsafe getsockname(descriptor, base.assumingMemoryBound(to: sockaddr.self), &length)
        }
        guard status == 0 else { return nil }
        return unsafe withUnsafeBytes(of: storage) { unsafe HTTPEndpoint(sockaddr: $0) }
    }

    private static func problem(_ code: Int32) -> Problem {
        switch code {
        case EADDRINUSE, EACCES: .portTaken
        case EADDRNOTAVAIL, EAFNOSUPPORT: .addressUnavailable
        default: .other(code)
        }
    }
}

extension HTTPEndpoint {
    /// From an address in text form; nil for names.
    package init?(host: String, port: UInt16) {
        guard let address = ListeningSocket.address(host) else { return nil }
        self.init(address: address, port: port)
    }

    /// The endpoint as the system's calls take it.
    func withSocketAddress<Value>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Value) -> Value {
        func pass<Address>(_ address: Address) -> Value {
            unsafe withUnsafePointer(to: address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe body($0, socklen_t(MemoryLayout<Address>.size))
                }
            }
        }
        if address.count == 4 {
            var four = sockaddr_in()
            four.sin_family = sa_family_t(AF_INET)
            four.sin_port = port.bigEndian
            unsafe withUnsafeMutableBytes(of: &four.sin_addr) { unsafe $0.copyBytes(from: address) }
            return pass(four)
        }
        var six = sockaddr_in6()
        six.sin6_family = sa_family_t(AF_INET6)
        six.sin6_port = port.bigEndian
        unsafe withUnsafeMutableBytes(of: &six.sin6_addr) { unsafe $0.copyBytes(from: address) }
        return pass(six)
    }

    /// From the bytes of a `sockaddr_in` or `sockaddr_in6`; nil for other families.
    init?(sockaddr bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= MemoryLayout<sockaddr_in>.size else { return nil }
        switch Int32(unsafe bytes.loadUnaligned(as: sa_family_t.self)) {
        case AF_INET:
            let address = unsafe bytes.loadUnaligned(as: sockaddr_in.self)
            self.init(
                address: unsafe withUnsafeBytes(of: address.sin_addr) { unsafe Array($0) },
                port: UInt16(bigEndian: address.sin_port))
        case AF_INET6:
            guard bytes.count >= MemoryLayout<sockaddr_in6>.size else { return nil }
            let address = unsafe bytes.loadUnaligned(as: sockaddr_in6.self)
            self.init(
                address: unsafe withUnsafeBytes(of: address.sin6_addr) { unsafe Array($0) },
                port: UInt16(bigEndian: address.sin6_port))
        default: return nil
        }
    }
}
