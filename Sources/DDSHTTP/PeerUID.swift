// Whose process is at the other end of a loopback connection: asked of the kernel, or read from its table of TCP sockets where
// it cannot be asked. Whether that user may come in is decided by the callers of `isTrusted`.

import DDSCore
import Glibc

/// Looks up owners of loopback connections, by sock_diag(7) or in `/proc/net/tcp` and `/proc/net/tcp6` (proc_net_tcp, Linux).
package enum PeerUID {
    /// The user id that owns the socket at `peer` connected to `local`, or nil when no such socket with an owner exists now.
    package static func owner(peer: HTTPEndpoint, local: HTTPEndpoint) -> UInt32? {
        switch SocketDiagnosis.owner(peer: peer, local: local) {
        case .owner(let uid): uid
        case .nobody: nil
        case .unknown: ownerInTables(peer: peer, local: local)
        }
    }

    static func ownerInTables(peer: HTTPEndpoint, local: HTTPEndpoint) -> UInt32? {
        // A client may use an IPv6 socket for an IPv4 address; it is then only in the second table.
        for path in peer.address.count == 4 ? ["/proc/net/tcp", "/proc/net/tcp6"] : ["/proc/net/tcp6"] {
            guard let table = contents(of: path) else { continue }
            if let uid = owner(peer: peer, local: local, table: table) { return uid }
        }
        return nil
    }

    /// True when the connection is this process's own user's, or the superuser's, who can read everything anyway.
    package static func isTrusted(peer: HTTPEndpoint, local: HTTPEndpoint) -> Bool {
        guard let uid = owner(peer: peer, local: local) else { return false }
        return uid == geteuid() || uid == 0
    }

    /// The same in the text of one table. A socket whose process has closed it has inode 0 and is shown with uid 0, so such
    /// rows say nothing about who connected and are passed over.
    package static func owner(peer: HTTPEndpoint, local: HTTPEndpoint, table: [UInt8]) -> UInt32? {
        let wantedPeer = Set(tableForms(of: peer))
        let wantedLocal = Set(tableForms(of: local))
        for line in table.split(separator: 0x0a).dropFirst() {
            let columns = line.split(separator: 0x20, maxSplits: 10, omittingEmptySubsequences: true)
            guard columns.count >= 10,
                wantedPeer.contains(String(decoding: columns[1], as: UTF8.self)),
                wantedLocal.contains(String(decoding: columns[2], as: UTF8.self)),
                let uid = UInt32(String(decoding: columns[7], as: UTF8.self)),
                columns[9] != [0x30][...]
            else { continue }
            return uid
        }
        return nil
    }

    /// The ways the kernel writes an endpoint: 32-bit words of the address in the machine's order, then the port.
    static func tableForms(of endpoint: HTTPEndpoint) -> [String] {
        let port = Array(Hex.encode([UInt8(endpoint.port >> 8), UInt8(endpoint.port & 255)]).utf8)
        func form(_ address: [UInt8]) -> String {
            var ordered: [UInt8] = []
            for start in stride(from: 0, to: address.count, by: 4) {
                let word = address[start..<start + 4]
                ordered += 1.littleEndian == 1 ? Array(word.reversed()) : Array(word)
            }
            return String(decoding: (Array(Hex.encode(ordered).utf8) + [0x3a] + port).map(uppercased), as: UTF8.self)
        }
        return endpoint.address.count == 4 ? [form(endpoint.address), form(endpoint.mapped.address)] : [form(endpoint.address)]
    }

    private static func uppercased(_ byte: UInt8) -> UInt8 {
        (0x61...0x66).contains(byte) ? byte - 0x20 : byte
    }

    private static func contents(of path: String) -> [UInt8]? {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
    }
}

extension HTTPEndpoint {
    /// An IPv4 address as IPv6 sockets have it (RFC 4291 2.5.5.2).
    var mapped: HTTPEndpoint { HTTPEndpoint(address: [UInt8](repeating: 0, count: 10) + [0xff, 0xff] + address, port: port) }
}
