// What mail programs fetch and send: the handlers of the gateway's sessions with an agent and no network.

import DDSCore
import DDSLoop
import DDSMail
import DDSSeal
import DDSSpool
import DDSTestKit
import DDSWire
import Testing

@testable import DDSAgent
@testable import DDSNode

/// An open agent with a gateway and a password.
@LoopActor private final class Served {
    let open: OpenAgent
    let desk: GatewayDesk
    let password: String

    init() async throws {
        open = try await OpenAgent()
        desk = try GatewayDesk(agent: open.agent)
        password = try await desk.book.addPassword("tests").exposed
    }

    var store: MessageStore { get throws { try open.agent.opened().store } }

    func maildrop() -> GatewayMaildrop { GatewayMaildrop(desk: desk, session: "pop3-1") }
    func submission() -> GatewaySubmission { GatewaySubmission(desk: desk, session: "smtp-1") }

    func login(_ user: String = "alice") -> POP3ServerQuestion {
        .authenticate(.plain(authzid: nil, authcid: user, password: Redacted(Array(password.utf8))), nil)
    }

    /// What a message looks like from outside, whole.
    func body(_ handler: GatewayMaildrop, _ index: Int) async -> [UInt8]? {
        var message: [UInt8] = []
        while true {
            guard case .bytes(let piece, let isLast) = await handler.answer(.body(index: index, offset: message.count)) else {
                return nil
            }
            message += piece
            if isLast { return message }
        }
    }
}

private func items(_ answer: POP3ServerAnswer) -> [POP3Item]? {
    if case .maildrop(let items) = answer { items } else { nil }
}

private let ended = SessionSummary(id: "pop3-1", reason: .quit, detail: "", bytesIn: 0, bytesOut: 0)

@Suite(.timeLimit(.minutes(5))) struct GatewayMailTests {
    // MARK: POP3

    @Test @LoopActor func aMaildrop_isWhatCameIn_inOrder_asItsAuthorsWroteIt() async throws {
        let served = try await Served()
        let plain = mail(subject: "one", body: "Hello.\r\n.\r\n" + String(repeating: "long ", count: 60_000) + "\r\n")
        let inner = mail(subject: "two")
        let context = SignatureContext(
            server: [UInt8](repeating: 7, count: 8), groups: [], submission: "s", sequence: 1, time: WallTime(milliseconds: 1),
            audience: nil)
        let signed = Padding.pad(SignedMessage.made(of: inner, context, by: MinisignKey(.generate())))
        let grouped = mail(to: "board@node.test", subject: "three")
        try await served.open.deliver(plain)
        try await served.open.deliver(signed)
        try await served.open.deliver(grouped, group: "board")
        // From a file, with whatever line ends.
        let imported = Array("From: x@y\nSubject: four\n\nlf\n".utf8)
        _ = try await served.store.add(
            imported, sendState: nil, isUnread: true, received: WallTime(milliseconds: 9_000_000_000_000), occurrence: 1)
        _ = try await served.open.agent.send(
            Agent.Letter(recipients: [#require(MailAddress("bob@node.test"))], subject: "own", body: "x"))
        let handler = served.maildrop()
        let found = try #require(items(await handler.answer(served.login())))
        let wanted = [plain, inner, grouped, LineEnds.crlf(imported)]
        let order = try served.store.summaries.filter { !$0.isOwn }.map(\.id)
        #expect(found.map(\.uidl) == order)
        #expect(found.map(\.octets) == wanted.map(\.count))
        for (index, message) in wanted.enumerated() { #expect(await served.body(handler, index) == message) }
        #expect(found.allSatisfy { POP3Item.isValid(uidl: $0.uidl.utf8) })
        handler.sessionEnded(ended)
        // The second login knows the sizes, and gives the same.
        let again = served.maildrop()
        #expect(items(await again.answer(served.login())) == found)
        let board = served.maildrop()
        #expect(items(await board.answer(served.login("alice+board")))?.map(\.octets) == [grouped.count])
        for handler in [again, board] { handler.sessionEnded(ended) }
        served.desk.stop()
    }

    @Test @LoopActor func oneSession_hasAMailbox() async throws {
        let served = try await Served()
        let (one, two) = (served.maildrop(), served.maildrop())
        #expect(items(await one.answer(served.login())) == [])
        #expect(await two.answer(served.login()) == .inUse)
        #expect(items(await two.answer(served.login("alice+board"))) == [])
        one.perform(.releaseMaildrop)
        let three = served.maildrop()
        #expect(items(await three.answer(served.login())) == [])
        for handler in [one, two, three] { handler.sessionEnded(ended) }
        #expect(served.desk.lease(.inbox) && served.desk.lease(.group("board")))
        served.desk.stop()
    }

    @Test @LoopActor func whatWasFetched_isRead_andWhatWasDeletedIsInTheTrash() async throws {
        let served = try await Served()
        for subject in ["a", "b", "c"] { try await served.open.deliver(mail(subject: subject)) }
        let handler = served.maildrop()
        let found = try #require(items(await handler.answer(served.login())))
        handler.perform(.retrieved(index: 0))
        handler.perform(.retrieved(index: 2))
        try await until { try served.store.unreadCount == 1 }
        #expect(try served.store.marks(found[1].uidl)?.isUnread == true)
        #expect(await handler.answer(.erase([0, 1])) == .erased)
        #expect(try served.store.summaries.map { $0.isTrashed == true } == [true, true, false])
        handler.sessionEnded(ended)
        let next = served.maildrop()
        #expect(items(await next.answer(served.login()))?.map(\.uidl) == [found[2].uidl])
        next.sessionEnded(ended)
        served.desk.stop()
    }

    @Test @LoopActor func aLock_endsEverything() async throws {
        let served = try await Served()
        try await served.open.deliver(mail(subject: "a"))
        let handler = served.maildrop()
        #expect(items(await handler.answer(served.login()))?.count == 1)
        served.open.agent.lock()
        #expect(await handler.answer(.body(index: 0, offset: 0)) == .gone)
        handler.perform(.retrieved(index: 0))
        #expect(await handler.answer(.erase([0])) == .eraseFailed)
        #expect(await served.maildrop().answer(served.login()) == .unavailable(GatewayDesk.lockedWords))
        handler.sessionEnded(ended)
        #expect(served.desk.lease(.inbox))
        try await served.open.agent.unlock(passphrase: OpenAgent.passphrase)
        #expect(try served.store.items.count == 1 && served.store.unreadCount == 1)
        served.desk.stop()
    }

    // MARK: SMTP

    private func address(_ text: String) throws -> MailAddress { try #require(MailAddress(text)) }

    @LoopActor private func submit(_ served: Served, _ message: String, to recipients: [String]) async throws -> SMTPReply {
        let handler = served.submission()
        let envelope = Envelope(
            reversePath: .address(try address("alice@node.test")), recipients: try recipients.map { Recipient(try address($0)) }
        )
        handler.perform(.beginMessage(envelope))
        handler.perform(.body(Array(message.utf8)))
        guard case .message(let reply) = await handler.answer(.endOfMessage) else { throw Failure(.bug, "no reply") }
        handler.sessionEnded(ended)
        return reply
    }

    @Test @LoopActor func whatIsSubmitted_isSignedPaddedAndInTheOutbox_andInSent() async throws {
        let served = try await Served()
        let text = "From: alice@node.test\r\nTo: Board <board@node.test>\r\nBcc: hidden@node.test\r\nSubject: s\r\n\r\nx\r\n"
        let reply = try await submit(served, text, to: ["board@node.test"])
        #expect(reply.code == 250, "\(reply)")
        let own = try served.store.summaries.filter(\.isOwn)
        #expect(own.count == 1 && own[0].group == "board" && own[0].sendState == .waiting && own[0].submission?.count == 32)
        let stored = try #require(try await served.store.message(own[0].id))
        #expect(Padding.paddedSize(stored.count) == stored.count)
        let inner = SignedMessage.inner(of: stored)
        let lines = String(decoding: inner, as: UTF8.self)
        #expect(inner.count < stored.count && lines.contains("List-Id: <board.node.test>\r\n") && !lines.contains("hidden"))
        #expect(String(decoding: stored, as: UTF8.self).contains("ddsnode/v1 server=0707070707070707 group=board "))
        #expect(try await served.open.agent.spool.entries(in: AgentMailbox.outbox).count == 1)
        served.desk.stop()
    }

    @Test @LoopActor func hiddenRecipients_areInNoMessageOfOthers() async throws {
        let served = try await Served()
        let text = "To: bob@node.test\r\nBcc: carol@node.test, board@node.test\r\nSubject: s\r\n\r\nx\r\n"
        let reply = try await submit(
            served, text, to: ["bob@node.test", "carol@node.test", "board@node.test", "bob@node.test"])
        #expect(reply.code == 250, "\(reply)")
        let own = try served.store.summaries.filter(\.isOwn)
        #expect(
            own.map(\.group) == [nil, "board"] && Set(own.map(\.submission)).count == 2 && Set(own.map(\.messageID)).count == 1)
        var queued: [[String]] = []
        for entry in try await served.open.agent.spool.entries(in: AgentMailbox.outbox) {
            let body = try await served.open.agent.spool.read(entry.uid, offset: 0, count: .max)
            queued.append(try #require(QueuedSubmission(body: body)).recipients.map { "\($0)" })
        }
        #expect(queued == [["bob@node.test", "carol@node.test"], ["board@node.test"]])
        for summary in own {
            let stored = String(decoding: try #require(try await served.store.message(summary.id)), as: UTF8.self)
            #expect(!stored.contains("carol"))
            #expect(stored.contains("board") == (summary.group == "board"))
        }
        // Whoever guesses the hidden one finds no proof: the audience is that of the header alone.
        let audience = Hex.encode(SignatureContext.audience(of: [try address("bob@node.test")]))
        #expect(
            String(decoding: try #require(try await served.store.message(own[0].id)), as: UTF8.self).contains("to=\(audience)"))
        served.desk.stop()
    }

    @Test @LoopActor func whoMaySendWhat_isSaidWithTheRemedy() async throws {
        let served = try await Served()
        let handler = served.submission()
        func words(_ answer: SMTPServerAnswer) -> String {
            switch answer {
            case .declined(let reply): reply.description
            case .accepted: "accepted"
            case _: "\(answer)"
            }
        }
        func sender(_ text: String) async throws -> String {
            words(await handler.answer(.sender(.address(try address(text)), MailParameters(), authenticated: "alice")))
        }
        func recipient(_ text: String) async throws -> String {
            let envelope = Envelope(reversePath: .address(try address("alice@node.test")))
            return words(await handler.answer(.recipient(Recipient(try address(text)), envelope)))
        }
        #expect(try await sender("alice@node.test") == "accepted")
        #expect(try await sender("bob@node.test").hasPrefix("550 5.7.1 this is the mail of alice@node.test"))
        for name in ["bob", "board", "nobody-knows"] { #expect(try await recipient("\(name)@node.test") == "accepted") }
        #expect(try await recipient("bob@example.org").hasPrefix("550 5.7.1 bob@example.org is not at node.test"))
        for (message, code) in [
            ("From: bob@node.test\r\n\r\nx\r\n", "550 5.7.1"), ("no field\r\n\r\nx\r\n", "550 5.6.0"),
            ("To: a@x\r\nTo: b@x\r\n\r\nx\r\n", "550 5.6.0"),
        ] {
            #expect(try await submit(served, message, to: ["bob@node.test"]).description.hasPrefix(code), "\(message)")
        }
        let large = "Subject: s\r\n\r\n" + String(repeating: String(repeating: "x", count: 98) + "\r\n", count: 270_000)
        #expect(try await submit(served, large, to: ["bob@node.test"]).description.hasPrefix("552 5.3.4"))
        #expect(try served.store.items.count == 0)
        served.open.agent.lock()
        #expect(try await recipient("bob@node.test") == "454 4.7.0 \(GatewayDesk.lockedWords)")
        #expect(
            try await submit(served, "Subject: s\r\n\r\nx\r\n", to: ["bob@node.test"]).description.hasPrefix(
                "451 4.7.0 the agent is locked"))
        let credentials = Credentials.plain(authzid: nil, authcid: "alice", password: Redacted(Array(served.password.utf8)))
        #expect(words(await handler.answer(.authenticate(credentials, nil))) == "454 4.7.0 \(GatewayDesk.lockedWords)")
        served.desk.stop()
    }

    @Test func announcedSize_canBeSealed() {
        for limit in [1 << 20, 8 << 20, 25 << 20, 1 << 30] {
            let size = GatewaySubmission.messageBytesMax(nodeLimit: limit)
            let padded = Padding.paddedSize(size + 4096)
            // Armor: 66 octets for 48; chunks of 64 KiB have 16 octets more.
            #expect((padded + padded / 65536 * 16 + 4096) / 48 * 66 < limit, "\(limit)")
        }
        #expect(GatewaySubmission.messageBytesMax(nodeLimit: 1000) == 1024)
    }

    @Test func failures_haveCodes() {
        for (failure, code) in [
            (Failure(.badInput, "x"), "550 5.7.1 x"), (Failure(.usage, "x"), "550 5.7.1 x"),
            (Failure(.badInput, "x", reason: Agent.tooLargeReason), "552 5.3.4 x"),
            (Failure(.badInput, "x", reason: Agent.malformedReason), "550 5.6.0 x"), (Failure(.permission, "x"), "451 4.7.0 x"),
            (Failure(.inputOutput, "x"), "452 4.3.1 x"), (Failure(.bug, "x"), "451 4.3.0 x"),
            (Failure(.protocolError, "x"), "451 4.3.0 x"),
        ] {
            #expect(GatewaySubmission.reply(to: failure).description == code)
        }
    }
}
