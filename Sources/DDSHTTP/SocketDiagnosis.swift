// Asks the kernel about one TCP socket by its two ends (sock_diag(7)). The tables in /proc/net say the same, but reading one
// walks every bucket of the kernel's hash table, which takes 8 ms on a machine with 24 GiB, however few sockets there are.

import DDSCore
import Glibc

/// The request and the answer of `NETLINK_SOCK_DIAG` for one socket (linux/inet_diag.h), and the exchange of the two.
enum SocketDiagnosis {
    /// What the kernel says about a socket.
    enum Answer: Hashable {
        case owner(UInt32)
        /// There is no such socket, or no process has it open any more.
        case nobody
        /// The kernel cannot be asked this way: it was built without it, or the service's restrictions forbid the family.
        case unknown
    }

    /// A message's header, and where it has the message's type.
    private static let headerOctets = 16
    private static let typeOffset = 4
    /// Where an `inet_diag_msg` has the socket's ends, its owner and its inode.
    private static let endsOffset = 4
    private static let endsOctets = 36
    private static let ownerOffset = 64
    private static let inodeOffset = 68
    private static let answerOctets = 72

    /// `NETLINK_SOCK_DIAG`, and its messages (linux/netlink.h, linux/sock_diag.h).
    private static let diagnosis: Int32 = 4
    private static let requestType: UInt16 = 20
    private static let errorType: UInt16 = 2
    private static let requestFlag: UInt16 = 1

    /// Who has the socket open that is bound to `peer` and connected to `local`.
    static func owner(peer: HTTPEndpoint, local: HTTPEndpoint) -> Answer {
        let netlink = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), diagnosis)
        guard netlink >= 0 else { return .unknown }
        defer { close(netlink) }
        let request = request(peer: peer, local: local)
        // Without an address it goes to the kernel, which answers before the call returns. Nobody else's messages come here, as
        // sending to processes is the superuser's with this protocol.
        guard unsafe request.withUnsafeBytes({ unsafe send(netlink, $0.baseAddress, $0.count, 0) }) == request.count else {
            return .unknown
        }
        var answer = [UInt8](repeating: 0, count: 8192)
        let count = unsafe answer.withUnsafeMutableBytes {
            unsafe recv(netlink, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
        }
        guard count > 0 else { return .unknown }
        return owner(in: Array(answer[..<count]), peer: peer, local: local)
    }

    /// The octets that ask for exactly this socket, whatever state it is in.
    static func request(peer: HTTPEndpoint, local: HTTPEndpoint) -> [UInt8] {
        let family = UInt8(peer.address.count == 4 ? AF_INET : AF_INET6)
        // Any state; then an `inet_diag_sockid` without interface and with the cookie that stands for any.
        let body =
            [family, UInt8(IPPROTO_TCP), 0, 0] + native(UInt32.max) + ends(peer, local) + native(UInt32(0)) + native(UInt64.max)
        return native(UInt32(headerOctets + body.count)) + native(requestType) + native(requestFlag) + native(UInt32(1))
            + native(UInt32(0)) + body
    }

    /// Reads what the kernel answered. It looks for listening sockets too where nothing is connected, and keeps those of
    /// processes that have gone for a while, so an answer counts only when it is about this very connection and somebody has it
    /// open.
    static func owner(in answer: [UInt8], peer: HTTPEndpoint, local: HTTPEndpoint) -> Answer {
        guard answer.count >= headerOctets else { return .unknown }
        let type = read(answer, at: typeOffset, as: UInt16.self)
        let body = Array(answer[headerOctets...])
        if type == errorType {
            return body.count >= 4 && read(body, at: 0, as: Int32.self) == -ENOENT ? .nobody : .unknown
        }
        guard type == requestType, body.count >= answerOctets else { return .unknown }
        let told = Array(body[endsOffset..<endsOffset + endsOctets])
        guard forms(peer, local).contains(told), read(body, at: inodeOffset, as: UInt32.self) != 0 else { return .nobody }
        return .owner(read(body, at: ownerOffset, as: UInt32.self))
    }

    /// The two ends as an `inet_diag_sockid` begins: ports, then addresses in sixteen octets each, all in network order.
    private static func ends(_ peer: HTTPEndpoint, _ local: HTTPEndpoint) -> [UInt8] {
        [peer, local].flatMap { [UInt8($0.port >> 8), UInt8($0.port & 255)] }
            + [peer, local].flatMap { $0.address + [UInt8](repeating: 0, count: 16 - $0.address.count) }
    }

    /// The ways in which the kernel names the two ends: an IPv6 socket may be connected to an IPv4 address.
    private static func forms(_ peer: HTTPEndpoint, _ local: HTTPEndpoint) -> [[UInt8]] {
        guard peer.address.count == 4, local.address.count == 4 else { return [ends(peer, local)] }
        return [ends(peer, local), ends(peer.mapped, local.mapped)]
    }

    private static func native(_ number: some FixedWidthInteger) -> [UInt8] {
        unsafe withUnsafeBytes(of: number) { unsafe Array($0) }
    }

    /// The number at `offset`, all of which is in `bytes`.
    private static func read<Number: FixedWidthInteger>(_ bytes: [UInt8], at offset: Int, as type: Number.Type) -> Number {
        precondition(offset + Number.bitWidth / 8 <= bytes.count)
        return unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: offset, as: type) }
    }
}
