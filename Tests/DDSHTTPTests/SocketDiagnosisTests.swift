// The kernel's word about one connection: from real sockets, and what is made of each answer that it may give.

import Glibc
import Testing

@testable import DDSHTTP

@Suite struct SocketDiagnosisTests {
    static let four: [UInt8] = [127, 0, 0, 1]
    static let six: [UInt8] = [UInt8](repeating: 0, count: 15) + [1]

    /// A listening socket with a client that is connected to it; nothing is accepted.
    private final class Connection {
        let local: HTTPEndpoint
        let peer: HTTPEndpoint
        let client: Int32
        let listener: Int32

        init(to address: [UInt8], from clientAddress: [UInt8]? = nil) throws {
            let (listener, port) = try ListeningSocket.open(HTTPEndpoint(address: address, port: 0))
            local = HTTPEndpoint(address: address, port: port)
            self.listener = listener
            let target = HTTPEndpoint(address: clientAddress ?? address, port: port)
            client = socket(target.address.count == 4 ? AF_INET : AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
            let connected = unsafe target.withSocketAddress { [client] in unsafe connect(client, $0, $1) }
            #expect(connected == 0)
            peer = HTTPEndpoint(address: address, port: try #require(ListeningSocket.name(of: client)).port)
        }

        deinit {
            close(client)
            close(listener)
        }
    }

    @Test func ownersOfRealConnections_areFound_asInTheTables() throws {
        let mapped = HTTPEndpoint(address: Self.four, port: 0).mapped.address
        for (address, from) in [(Self.four, nil), (Self.six, nil), (Self.four, mapped)] {
            let connection = try Connection(to: address, from: from)
            #expect(SocketDiagnosis.owner(peer: connection.peer, local: connection.local) == .owner(geteuid()))
            #expect(PeerUID.ownerInTables(peer: connection.peer, local: connection.local) == geteuid())
        }
    }

    /// The kernel answers with a listening socket where nothing is connected; it is somebody else's word.
    @Test func listeningSocket_isNoPeer() throws {
        let connection = try Connection(to: Self.four)
        let stranger = HTTPEndpoint(address: Self.four, port: 9)
        #expect(SocketDiagnosis.owner(peer: connection.local, local: stranger) == .nobody)
        #expect(SocketDiagnosis.owner(peer: stranger, local: connection.local) == .nobody)
    }

    /// Who connects, sends and closes at once leaves a socket without a process, which is shown as the superuser's.
    @Test func closedSocket_isNobodys() throws {
        let connection = try Connection(to: Self.four)
        shutdown(connection.client, Int32(SHUT_RDWR))
        #expect(dup2(connection.listener, connection.client) == connection.client)
        #expect(SocketDiagnosis.owner(peer: connection.peer, local: connection.local) == .nobody)
    }

    // MARK: Octets

    let peer = HTTPEndpoint(address: Self.four, port: 0xc350)
    let local = HTTPEndpoint(address: Self.four, port: 7381)

    /// What the kernel writes on this machine, about the connection or about another one.
    private func answer(ports: [UInt8] = [0xc3, 0x50, 0x1c, 0xd5], uid: UInt8 = 7, inode: UInt8 = 1) -> [UInt8] {
        func word(_ low: UInt8) -> [UInt8] { 1.littleEndian == 1 ? [low, 0, 0, 0] : [0, 0, 0, low] }
        let header = word(88) + (1.littleEndian == 1 ? [20, 0, 0, 0] : [0, 20, 0, 0]) + word(1) + word(0)
        let ends = ports + Self.four + [UInt8](repeating: 0, count: 12) + Self.four + [UInt8](repeating: 0, count: 12)
        return header + [2, 1, 0, 0] + ends + [UInt8](repeating: 0, count: 12 + 12) + word(uid) + word(inode)
    }

    @Test func answers_areReadByTheirPlaces() {
        func owner(_ octets: [UInt8]) -> SocketDiagnosis.Answer { SocketDiagnosis.owner(in: octets, peer: peer, local: local) }
        #expect(owner(answer()) == .owner(7))
        #expect(owner(answer() + [1, 2, 3]) == .owner(7))
        #expect(owner(answer(inode: 0)) == .nobody)
        #expect(owner(answer(ports: [0xc3, 0x50, 0, 0])) == .nobody)
        for count in 0..<answer().count { #expect(owner(Array(answer()[..<count])) == .unknown) }
    }

    @Test func refusals_areNoAnswers_butForSocketsThatAreNotThere() {
        func refusal(_ code: Int32) -> [UInt8] {
            let type: [UInt8] = 1.littleEndian == 1 ? [2, 0, 0, 0] : [0, 2, 0, 0]
            let octets = unsafe withUnsafeBytes(of: code) { unsafe Array($0) }
            return [36, 0, 0, 0] + type + [UInt8](repeating: 0, count: 8) + octets
        }
        #expect(SocketDiagnosis.owner(in: refusal(-ENOENT), peer: peer, local: local) == .nobody)
        #expect(SocketDiagnosis.owner(in: refusal(-EPERM), peer: peer, local: local) == .unknown)
        #expect(SocketDiagnosis.owner(in: Array(refusal(-ENOENT).dropLast()), peer: peer, local: local) == .unknown)
    }

    @Test func request_namesBothEnds() {
        let request = SocketDiagnosis.request(peer: peer, local: local)
        #expect(request.count == 72 && request[16..<18] == [2, 6] && request[24..<32] == [0xc3, 0x50, 0x1c, 0xd5] + Self.four)
        #expect(request[44..<48] == Self.four[...] && request.suffix(8).allSatisfy { $0 == 255 })
    }
}
