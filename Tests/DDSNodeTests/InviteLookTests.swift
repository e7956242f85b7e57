import DDSCore
import DDSNode
import Testing

@Suite struct InviteLookTests {
    @Test func aQuestion_comesBackAsItWas() throws {
        let look = InviteLook(inviteNumber: 12, secret: Redacted([1, 2, 3, 4, 5]))
        let read = try #require(InviteLook(message: look.message))
        #expect(read.inviteNumber == 12 && read.secret.exposed == [1, 2, 3, 4, 5])
        // Neither is taken for the other: a node that knows no question must not enrol.
        #expect(EnrolmentRequest(message: look.message) == nil)
        let enrolment = EnrolmentRequest(inviteNumber: 12, secret: look.secret, recipient: "age1")
        #expect(InviteLook(message: enrolment.message) == nil)
    }

    @Test(arguments: [
        #"{"invite":1048576,"secret":"0102030405"}"#, #"{"invite":-1,"secret":"0102030405"}"#,
        #"{"invite":1,"secret":"01020304"}"#, #"{"secret":"0102030405"}"#, "{", "",
    ])
    func whatIsNone_isNone(body: String) {
        let text = "MIME-Version: 1.0\r\nContent-Type: \(InviteLook.contentType)\r\n\r\n\(body)\r\n"
        #expect(InviteLook(message: Array(text.utf8)) == nil)
    }

    @Test func anOffer_comesBackAsItWas() throws {
        let address = try #require(MailAddress("bob@node.test"))
        for groups in [[], ["board"], (0..<25).map { "g\($0)" }] {
            let offer = InviteOffer(
                address: address, display: "Bob Miller", groups: groups, until: WallTime(milliseconds: 1_795_450_000_000))
            #expect(InviteOffer(lines: offer.lines) == offer)
            #expect(EnrolmentWelcome(lines: offer.lines) == nil)
        }
        #expect(InviteOffer(lines: ["welcome bob@node.test", "until 5"]) == nil)
        #expect(InviteOffer(lines: ["invited bob@node.test", "until x"]) == nil)
        #expect(InviteOffer(lines: ["invited bob@node.test", "until -5"]) == nil)
        #expect(InviteOffer(lines: ["invited bob@node.test", "until 99999999999999"]) == nil)
        #expect(InviteOffer(lines: []) == nil)
    }
}
