import DDSCore
import DDSTestKit
import DDSTorture
import DDSWire
import Testing

/// The dialog files about the agent's gateway against the machines.
@Suite struct GatewayDialogTests {
    @Test func imapDialogs_runAsWritten() throws {
        let dialogs = try Dialog.all(prefix: "imap", values: IMAPGatewayModel.values)
        #expect(dialogs.count >= 13)
        for dialog in dialogs {
            #expect(dialog.listener == "gateway-imap")
            let model = try IMAPGatewayModel.make()
            let before = model.folders
            let complaint = dialog.run(model.harness(), peer: IMAPModel.peerWithoutKey, isImplicit: false)
            #expect(complaint == nil)
            // One after the other they run against the same agent.
            for (name, folder) in model.folders {
                #expect(
                    folder.messages.map(\.row.flags) == before[name]?.messages.map(\.row.flags), "\(dialog.name) in \(name)")
                #expect(folder.isSubscribed == before[name]?.isSubscribed, "\(dialog.name) in \(name)")
            }
        }
    }

    // MARK: Submission

    private static let values = [
        "user": "alice", "password": "secret", "plain": "AGFsaWNlAHNlY3JldA==", "address": "alice@node.test",
        "domain": "node.test", "sender": "carol@node.test", "user64": "YWxpY2U=", "password64": "c2VjcmV0",
        "octetsmax": "20000000",
    ]

    /// As GatewaySubmission answers.
    private static func answer(_ question: SMTPServerQuestion) -> SMTPServerAnswer? {
        switch question {
        case .authenticate(.plain(nil, "alice", let password), _):
            password.exposed == Array("secret".utf8) ? .authenticated(name: "alice") : .refused
        case .authenticate: .refused
        case .sender(let path, _, _):
            path.address == MailAddress("alice@node.test")
                ? .accepted : .declined(SMTPReply(550, EnhancedCode(5, 7, 1), "this is the mail of alice@node.test"))
        case .recipient(let recipient, _):
            recipient.address.domain == "node.test"
                ? .accepted : .declined(SMTPReply(550, EnhancedCode(5, 7, 1), "is not at node.test"))
        case .endOfMessage: .message(SMTPReply(250, EnhancedCode(2, 0, 0), "signed, sealed and in the outbox"))
        }
    }

    @Test func submissionDialogs_runAsWritten() throws {
        let dialogs = try Dialog.all(prefix: "smtp-gateway", values: Self.values)
        #expect(dialogs.count >= 3)
        for dialog in dialogs {
            #expect(dialog.listener == "gateway-smtp")
            var configuration = SMTPServerConfiguration(hostName: "node.test", flavour: .submission, tls: .loopback)
            configuration.offersLogin = true
            configuration.limits.messageBytesMax = 20_000_000
            configuration.limits.recipientsMax = 100
            let harness = SessionHarness(SMTPServerSession(configuration: configuration), answer: { Self.answer($0) })
            #expect(dialog.run(harness, peer: smtpPeer, isImplicit: false) == nil)
        }
    }
}
