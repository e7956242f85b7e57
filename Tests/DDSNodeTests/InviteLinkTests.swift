import DDSCore
import DDSTestKit
import Testing

@testable import DDSNode

@Suite struct InviteLinkTests {
    private func link(
        host: String = "node.example.org", pop3s: UInt16 = 995, submissions: UInt16 = 465, number: UInt32 = 0xfffff
    ) -> InviteLink {
        InviteLink(
            host: host, pop3sPort: pop3s, submissionsPort: submissions, nodeKeyHash: Array(0..<32), number: number,
            secret: Redacted([0xff, 0, 0x80, 1, 0x7f]))
    }

    @Test func everyInvite_readsBackAsItself() throws {
        let random = SeededRandom(seed: 1)
        for _ in 0..<500 {
            let invite = InviteLink(
                host: "n\(random.below(1000)).test", pop3sPort: UInt16(1 + random.below(65_535)),
                submissionsPort: UInt16(1 + random.below(65_535)),
                nodeKeyHash: random.bytes(32), number: UInt32(random.below(1 << 20)), secret: Redacted(random.bytes(5)))
            #expect(try InviteLink(invite.link) == invite)
            #expect(try InviteLink("Hello, <\(invite.link)> is yours.") == invite)
            #expect(try InviteLink("\n  \(invite.link)\r\n") == invite)
        }
    }

    @Test func theUsualPorts_areLeftAway_andTheLengthIsBounded() {
        #expect(!link().link.contains("?"))
        #expect(link(pop3s: 1).link.contains("?p=1.465#"))
        let longest = link(host: String(repeating: "h", count: 44))
        #expect(longest.link.utf8.count == InviteLink.lengthMax)
    }

    @Test func lowerCaseAndMisreadLetters_areForgiven() throws {
        let invite = link()
        let text = invite.link
        let place: String.Index = try #require(text.firstIndex(of: "#"))
        let (front, code) = (String(text[..<place]), String(text[place...]))
        #expect(try InviteLink(front + code.lowercased()) == invite)
        #expect(try InviteLink(front + code.replacing("0", with: "o").replacing("1", with: "l")) == invite)
    }

    @Test func theSecret_isNotPrinted() {
        let invite = link()
        let secret = invite.link.split(separator: "#")[1]
        #expect(!"\(invite)".contains(secret) && !String(reflecting: invite).contains(secret))
        #expect("\(invite)" == "invite 1048575 for node.example.org")
    }

    @Test func everyCutAndEveryDamage_isRefusedInWords() throws {
        let text = link(pop3s: 1995).link
        for length in 0..<text.count {
            let failure = #expect(throws: Failure.self) { try InviteLink(String(text.prefix(length))) }
            #expect(failure?.code == .badInput)
        }
        #expect(throws: Failure.self) { try InviteLink(text + "0") }
        for place in text.indices where !"0123456789".contains(text[place]) {
            var damaged = text
            damaged.replaceSubrange(place...place, with: "!")
            #expect(throws: Failure.self, "\(damaged)") { try InviteLink(damaged) }
        }
    }

    @Test(arguments: [
        "", "dds://", "dds:///#", "dds://h/#", "https://node/", "dds://h?p=1.2/x#y", "dds://h/\u{0}#\u{0}", "#", "dds://ä/é#ü",
    ])
    func garbage_isRefused(text: String) {
        #expect(throws: Failure.self) { try InviteLink(text) }
    }

    @Test(arguments: ["0.465", "995.0", "995", "995.465.1", "65536.1", "-1.2", "a.b", ""])
    func badPorts_areRefused(ports: String) throws {
        let parts = link().link.split(separator: "#")
        #expect(throws: Failure.self) { try InviteLink("\(parts[0])?p=\(ports)#\(parts[1])") }
    }

    @Test(arguments: ["a b", "a@b", "a\u{1b}[31m", "a<b"])
    func hostsThatAreNone_areRefused(host: String) throws {
        let text = link().link.replacing("node.example.org", with: host)
        #expect(throws: Failure.self) { try InviteLink(text) }
    }

    @Test func randomBytes_neverTrap() {
        let random = SeededRandom(seed: 2)
        let alphabet = Array("dds://?p=.#0AZ-é \n")
        for _ in 0..<5000 {
            let text = "dds://" + String((0..<random.below(60)).map { _ in alphabet[random.below(alphabet.count)] })
            _ = try? InviteLink(text)
        }
    }
}

@Suite struct EnrolmentTests {
    @Test func aRequest_readsBackAsItself() throws {
        let request = EnrolmentRequest(inviteNumber: 77, secret: Redacted([1, 2, 3, 4, 5]), recipient: "age1x")
        let read = try #require(EnrolmentRequest(message: request.message))
        #expect(read.inviteNumber == 77 && read.secret == request.secret && read.recipient == "age1x")
        for length in 0..<(request.message.count - 2) {
            #expect(EnrolmentRequest(message: Array(request.message.prefix(length))) == nil)
        }
    }

    @Test func aRequest_carriesWhoTheNewcomerIs() throws {
        let credential = MemberCredential(identity: Array(repeating: 5, count: 32), statement: [1, 2, 3])
        let request = EnrolmentRequest(
            inviteNumber: 77, secret: Redacted([1, 2, 3, 4, 5]), recipient: "age1x", credential: credential)
        #expect(EnrolmentRequest(message: request.message)?.credential == credential)
    }

    @Test(arguments: [
        #""identity":"BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=""#, #""statement":"AQID""#,
        #""identity":"BQUF","statement":"AQID""#, #""identity":1,"statement":"AQID""#,
        #""identity":"BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=","statement":"?""#,
    ])
    func halfACredential_isNoRequest(fields: String) {
        let body = #"{"invite":1,"secret":"0102030405","recipient":"a",\#(fields)}"#
        #expect(EnrolmentRequest(message: Array("Content-Type: \(EnrolmentRequest.contentType)\r\n\r\n\(body)".utf8)) == nil)
    }

    @Test(arguments: [
        #"{"invite":1048576,"secret":"0102030405","recipient":"a"}"#, #"{"invite":-1,"secret":"0102030405","recipient":"a"}"#,
        #"{"invite":1,"secret":"01020304","recipient":"a"}"#, #"{"invite":1,"secret":"zz02030405","recipient":"a"}"#,
        #"{"invite":1,"secret":"0102030405"}"#, #"{"invite":"1","secret":"0102030405","recipient":"a"}"#, "[]", "null", "",
        String(repeating: "[", count: 10_000),
    ])
    func badBodies_areNoRequest(body: String) {
        #expect(EnrolmentRequest(message: Array("Content-Type: \(EnrolmentRequest.contentType)\r\n\r\n\(body)".utf8)) == nil)
    }

    @Test(arguments: [0, 1, 10, 11, 200]) func aWelcome_readsBackWhateverTheNumberOfGroups(count: Int) throws {
        let address = try #require(MailAddress("dave@node.test"))
        let groups = (0..<count).map { "\($0)" + String(repeating: "g", count: 29) }
        let welcome = EnrolmentWelcome(address: address, display: "Dave D", groups: groups)
        #expect(welcome.lines.allSatisfy { $0.utf8.count <= 490 })
        #expect(EnrolmentWelcome(lines: welcome.lines) == welcome)
    }

    @Test func aWelcome_carriesTheIdentityOfTheNode() throws {
        let address = try #require(MailAddress("dave@node.test"))
        let key = (0..<32).map { UInt8($0) }
        let welcome = EnrolmentWelcome(address: address, display: "Dave D", groups: ["board"], identity: key)
        #expect(EnrolmentWelcome(lines: welcome.lines) == welcome)
        #expect(EnrolmentWelcome(lines: ["welcome dave@node.test", "identity AAAA"])?.identity == nil)
    }

    @Test func identity_isReadFromCapabilities() {
        let key = (0..<32).map { UInt8($0) }
        let line = IdentityAnnouncement.capability(key)
        #expect(IdentityAnnouncement.key(in: ["UIDL", line]) == key)
        #expect(IdentityAnnouncement.key(in: [line.replacing("XDDS-IDENTITY", with: "xdds-identity")]) == key)
        for bad in [
            "XDDS-IDENTITY", "XDDS-IDENTITY AAAA", "XDDS-IDENTITY *", line + " more", line.replacing("IDENTITY", with: "SEAL"),
        ] {
            #expect(IdentityAnnouncement.key(in: [bad]) == nil, "\(bad)")
        }
    }
}
