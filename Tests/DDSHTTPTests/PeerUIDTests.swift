import DDSHTTP
import Testing

@Suite struct PeerUIDTests {
    static let header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    let peer = HTTPEndpoint(address: [127, 0, 0, 1], port: 0xc350)
    let local = HTTPEndpoint(address: [127, 0, 0, 1], port: 7381)

    func row(_ from: String, _ to: String, uid: Int, inode: Int, state: String = "01") -> String {
        "   1: \(from) \(to) \(state) 00000000:00000000 00:00000000 00000000 \(uid)        0 \(inode) 1 0\n"
    }

    func owner(_ rows: String...) -> UInt32? {
        PeerUID.owner(peer: peer, local: local, table: Array((Self.header + rows.joined()).utf8))
    }

    @Test func ownerOfThePeersSocket_isFound() {
        let server = row("0100007F:1CD5", "0100007F:C350", uid: 0, inode: 9)
        let client = row("0100007F:C350", "0100007F:1CD5", uid: 65534, inode: 10)
        #expect(owner(server, client) == 65534)
        #expect(owner(server) == nil)
    }

    @Test func mappedAddress_isFound() {
        #expect(
            owner(row("0000000000000000FFFF00000100007F:C350", "0000000000000000FFFF00000100007F:1CD5", uid: 1000, inode: 4))
                == 1000)
    }

    /// A client that connects, sends and closes at once leaves a socket without a process, which the kernel shows as uid 0.
    @Test func closedSocketShownAsRoot_isNotTrusted() {
        #expect(owner(row("0100007F:C350", "0100007F:1CD5", uid: 0, inode: 0, state: "05")) == nil)
    }

    @Test func otherAddressOrPort_isAnotherSocket() {
        #expect(owner(row("0100007F:C351", "0100007F:1CD5", uid: 1, inode: 4)) == nil)
        #expect(owner(row("0100007F:C350", "0200007F:1CD5", uid: 1, inode: 4)) == nil)
        #expect(owner("garbage\n", "\n") == nil)
    }

    @Test func version6_isWrittenInWords() {
        let six = HTTPEndpoint(address: [UInt8](repeating: 0, count: 15) + [1], port: 80)
        let form = "00000000000000000000000001000000"
        let table = Self.header + row("\(form):0050", "\(form):0050", uid: 7, inode: 1)
        #expect(PeerUID.owner(peer: six, local: six, table: Array(table.utf8)) == 7)
    }
}
