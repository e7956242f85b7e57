import DDSBus
import DDSCore
import DDSHTTP
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import Testing

@testable import DDSAgent

/// An agent on a real spool in a folder of its own, unlocked; it has no node.
@LoopActor final class OpenAgent {
    let folder: String
    let agent: Agent
    let page: MailPage
    let recipient: AgeRecipient
    let node = MinisignKey(.generate())

    init(undoSend: String = "0s", time: any TimeSource = Loop.time) async throws {
        folder = try HostFiles.makeTemporaryFolder()
        let services = try testServices(folder: folder, time: time, undoSend: undoSend)
        let files = AgentFolder(stateDir: folder + "/state")
        try HostFiles.makeFolders(files.path)
        let keys = VaultKeys.generate(random: services.random)
        recipient = keys.mailbox.recipient
        for path in [files.deviceKey, files.spoolKey] { try HostFiles.write(path, services.random.bytes(32)) }
        try await Vault(path: files.vault).create(keys, passphrase: Self.passphrase, workFactor: 4, random: services.random)
        try await EmbeddedSpool.create(
            folder: files.spool, root: try files.loadSecret(files.spoolKey), bodyBytes: 1 << 20, random: services.random,
            time: services.time)
        var account = try testAccount(ownRecipient: "\(recipient)", nodeRecipient: "\(recipient)")
        account.nodeIdentity = node.publicKey.key
        try files.save(account)
        agent = try await Agent.open(services: services, onSpoolStopped: { _ in })
        page = MailPage(agent: agent)
        try await agent.unlock(passphrase: Self.passphrase)
    }

    static var passphrase: SecretBytes {
        var bytes = Array("correct horse".utf8)
        return SecretBytes(consuming: &bytes)
    }

    func deliver(
        _ message: [UInt8], group: String? = nil, seal: AgeKeyKind? = nil, mode: GroupMode = .relay, notes: [AgeStanza] = []
    ) async throws {
        let wrapper = try wrapped(
            message, group: group, seal: seal, mode: mode, to: recipient, random: SystemRandom(), notes: notes)
        try await deliverWrapped(wrapper, in: agent.spool)
        try await agent.opened().store.importFetched()
        page.desk.storeChanged()
    }

    /// A roster that the node signed; time goes on, since places among messages are times.
    func roster(_ document: RosterDocument) async throws {
        let mail = ControlMail(
            id: Hex.encode(document.hash.prefix(16)), node: "node.test", to: document.roster.group,
            date: WallTime(milliseconds: 0),
            content: .roster(document))
        await nextMillisecond()
        try await deliver(Padding.pad(mail.message(signedBy: node)))
        await nextMillisecond()
    }

    private func nextMillisecond() async {
        let now = agent.services.time.wall
        while agent.services.time.wall == now { await Task.yield() }
    }

    func outbox() async throws -> Int { try await agent.spool.entries(in: AgentMailbox.outbox).count }

    func close() async {
        page.close()
        await agent.stop()
        try? HostFiles.removeTree(folder)
    }
}

@Suite(.timeLimit(.minutes(5))) struct MailPageTests {
    /// Only what is out of order has a mark, and it is kept with the message.
    @Test @LoopActor func classicallySealedMail_isMarked() async throws {
        let open = try await OpenAgent()
        for (subject, seal) in [("classical", AgeKeyKind.classical), ("hybrid", .hybrid), ("unsaid", nil)] {
            try await open.deliver(mail(subject: subject), group: "board", seal: seal)
        }
        let list = try #require(await open.page.list(.inbox, cursor: nil))
        #expect(list.rows.count == 3)
        for row in list.rows {
            let thread = try #require(await open.page.thread(row.id, .here))
            #expect(
                thread.messages.map { $0.marks.filter { $0 != .notSigned } } == [
                    row.subject == "classical" ? [.notPostQuantum] : []
                ], "\(row.subject)")
        }
        let store = try open.agent.opened().store
        let seals = Dictionary(uniqueKeysWithValues: store.summaries.map { ($0.subject, $0.seal) })
        #expect(seals == ["classical": .classical, "hybrid": .hybrid, "unsaid": nil])
        await open.close()
    }

    /// A message that should have been signed stands out, on its page and in the list.
    @Test @LoopActor func whatIsNotSignedInAGroupThatWantsIt_isMarked() async throws {
        let open = try await OpenAgent()
        let signed = try TrustBookTests.roster(senderAuth: "signed")
        try await open.roster(signed)
        let note = RosterNote(group: "board", head: signed.head).stanza
        try await open.deliver(mail(to: "board@node.test", subject: "group", id: "one"), group: "board", notes: [note])
        try await open.deliver(mail(subject: "person", id: "two"))
        let list = try #require(await open.page.list(.inbox, cursor: nil))
        #expect(
            Dictionary(uniqueKeysWithValues: list.rows.map { ($0.subject, $0.isDoubtful) }) == ["group": true, "person": false])
        let row = try #require(list.rows.first { $0.subject == "group" })
        let message = try #require(await open.page.thread(row.id, .here)?.messages.first)
        #expect(message.marks == [.signature("not signed, and its group takes signed mail only")])
        await open.close()
    }

    /// E8: the readers are those of the roster, and what happens to the group stands between its messages.
    @Test @LoopActor func rosters_sayWhoReads_andWhatHappened() async throws {
        let open = try await OpenAgent()
        let first = try TrustBookTests.roster()
        let second = try TrustBookTests.roster(2, after: first, ["alice", "bob", "carol"])
        let forked = try TrustBookTests.roster(3, after: first, ["alice"])
        func note(_ document: RosterDocument) -> AgeStanza { RosterNote(group: "board", head: document.head).stanza }
        try await open.roster(first)
        try await open.deliver(mail(to: "board@node.test", subject: "Camp", id: "one"), group: "board", notes: [note(first)])
        try await open.roster(second)
        try await open.deliver(
            mail(to: "board@node.test", subject: "Re: Camp", id: "two", inReplyTo: "one"), group: "board", notes: [note(forked)]
        )
        try await open.roster(forked)
        let row = try #require(await open.page.list(.inbox, cursor: nil)?.rows.first)
        let thread = try #require(await open.page.thread(row.id, .here))
        #expect(thread.readers == ["Alice <alice@node.test>", "Bob <bob@node.test>", "Carol <carol@node.test>"])
        #expect(thread.events.map(\.place) == [1, 2] && thread.events.map(\.isAlarming) == [false, true])
        #expect(thread.events.first?.text == "Carol <carol@node.test> was added")
        #expect(thread.messages[0].readers == "2 members could read this, roster 1; you are one of them")
        #expect(thread.messages[1].readers == "roster 3 is not known here, and so not who could read this")
        #expect(await open.page.frame().trouble?.contains("#board: roster 3 does not fit") == true)
        await open.close()
    }

    /// An owner is asked for the roster that is shown, until they have confirmed it; without a node nothing is confirmed.
    @Test @LoopActor func ownersAreAskedToConfirm_andOthersAreNot() async throws {
        let open = try await OpenAgent()
        let me = SigningKey(seed: try open.agent.opened().keys.identitySeed)
        let identities = ["alice": me.publicKey]
        let first = try TrustBookTests.roster(identities: identities, owners: ["bob"])
        let second = try TrustBookTests.roster(2, after: first, identities: identities, owners: ["alice"])
        try await open.roster(first)
        try await open.deliver(mail(to: "board@node.test", subject: "Camp", id: "one"), group: "board")
        let row = try #require(await open.page.list(.inbox, cursor: nil)?.rows.first)
        #expect(await open.page.thread(row.id, .here)?.unconfirmed == nil)
        try await open.roster(second)
        let asked = try #require(await open.page.thread(row.id, .here)?.unconfirmed)
        #expect(asked.hash == Hex.encode(second.hash) && asked.number == 2)
        #expect(asked.changes.contains("Alice <alice@node.test> is an owner now"))
        #expect(
            await open.page.confirm(roster: Hex.encode(first.hash)).hasPrefix("Nothing was confirmed: the members have changed")
        )
        let unreachable = await open.page.confirm(roster: asked.hash)
        #expect(
            unreachable.hasPrefix("Nothing was confirmed: ") && !unreachable.contains("changed meanwhile"), "\(unreachable)")
        let word = RosterConfirmation(
            group: second.roster.group, head: second.head, owner: try #require(MailAddress("alice@node.test")),
            time: WallTime(milliseconds: 1), signedBy: me)
        let confirmed = ControlMail(
            id: "01", node: "node.test", to: second.roster.group, date: WallTime(milliseconds: 0),
            content: .rosterConfirmed(word))
        try await open.deliver(Padding.pad(confirmed.message(signedBy: open.node)))
        #expect(await open.page.thread(row.id, .here)?.unconfirmed == nil)
        await open.close()
    }

    @Test @LoopActor func folders_countWhatIsUnread() async throws {
        let open = try await OpenAgent()
        try await open.deliver(mail(subject: "To me"))
        try await open.deliver(mail(to: "board@node.test", subject: "To all"), group: "board")
        let frame = await open.page.frame()
        #expect(frame.inboxUnread == 2 && frame.allUnread == 2 && frame.privateUnread == 1)
        #expect(frame.groups.map(\.name) == ["board"])
        #expect(frame.groups.map(\.unread) == [1])
        let list = try #require(await open.page.list(.privateMail, cursor: nil))
        #expect(list.rows.map(\.subject) == ["To me"])
        let id = try #require(list.rows.first?.id)
        let thread = try #require(await open.page.thread(id, .here))
        #expect(thread.messages.map(\.body) == ["Hello.\n"])
        #expect(await open.page.frame().privateUnread == 0)
        _ = await open.page.readAll(in: .inbox)
        #expect(await open.page.frame().allUnread == 0)
        #expect(await open.page.list(.group("unknown"), cursor: nil) == nil)
        await open.close()
    }

    @Test @LoopActor func replies_goToWhoCouldReadOrToTheAuthor() async throws {
        let open = try await OpenAgent()
        try await open.deliver(mail(to: "board@node.test", subject: "Camp", id: "camp"), group: "board")
        try await open.deliver(mail(to: "alice@node.test, carol@node.test", subject: "Lunch"))
        let ids = try open.agent.opened().store.order
        let toGroup = try #require(await open.page.newDraft(replyTo: ReplyTarget(message: ids[0], audience: .all)))
        let toAuthor = try #require(await open.page.newDraft(replyTo: ReplyTarget(message: ids[0], audience: .author)))
        let toAll = try #require(await open.page.newDraft(replyTo: ReplyTarget(message: ids[1], audience: .all)))
        #expect(await open.page.draft(toGroup)?.fields.recipients == "board@node.test")
        #expect(await open.page.draft(toGroup)?.fields.subject == "Re: Camp")
        #expect(await open.page.draft(toGroup)?.fields.body.contains("> Hello.") == true)
        #expect(await open.page.draft(toAuthor)?.fields.recipients == "bob@node.test")
        #expect(await open.page.draft(toAll)?.fields.recipients == "bob@node.test, carol@node.test")
        #expect(await open.page.newDraft(replyTo: ReplyTarget(message: "unknown", audience: .all)) == nil)
        let fields = try #require(await open.page.draft(toGroup)).fields
        let sent = await open.page.send(draft: toGroup, fields)
        let thread = try #require(await open.page.thread(ids[0], .here))
        #expect(sent == .queued(thread: thread.id))
        #expect(thread.messages.map(\.isOwn) == [false, true])
        await open.close()
    }

    /// F8.
    @Test @LoopActor func sendingTwice_sendsOnce() async throws {
        let open = try await OpenAgent()
        let fields = DraftFields(recipients: "board", subject: "Once", body: "Text.")
        async let first = open.page.send(draft: "d1", fields)
        async let second = open.page.send(draft: "d1", fields)
        let outcomes = await [first, second]
        #expect(outcomes[0] == outcomes[1])
        if case .refused = outcomes[0] { Issue.record("refused") }
        #expect(try await open.outbox() == 1)
        #expect(try open.agent.opened().store.order.count == 1)
        #expect(await open.page.send(draft: "d1", fields) == outcomes[0])
        // A form that is sent again after a lock is the same message still.
        open.agent.lock()
        try await open.agent.unlock(passphrase: OpenAgent.passphrase)
        #expect(await open.page.send(draft: "d1", fields) == outcomes[0])
        #expect(try await open.outbox() == 1)
        #expect(await open.page.save(draft: "d1", fields) == false)
        #expect(try open.agent.opened().drafts.open.isEmpty)
        await open.close()
    }

    @Test @LoopActor func doubtfulDraft_isSentOnlyAnyway() async throws {
        let open = try await OpenAgent()
        var fields = DraftFields(recipients: "bob@node.test", subject: "Plan", body: "See the attached plan.")
        #expect(await open.page.send(draft: "d1", fields) == .refused)
        #expect(await open.page.draft("d1")?.problems.map(\.field) == [.attachments])
        #expect(try await open.outbox() == 0)
        fields.sendsAnyway = true
        #expect(await open.page.send(draft: "d1", fields) != .refused)
        #expect(try await open.outbox() == 1)
        fields.recipients = "eve@elsewhere.test"
        #expect(await open.page.send(draft: "d2", fields) == .refused)
        #expect(await open.page.draft("d2")?.problems.first?.field == .recipients)
        #expect(await open.page.draft("d2")?.fields.body == fields.body)
        fields.recipients = " , "
        #expect(await open.page.send(draft: "d3", fields) == .refused)
        await open.close()
    }

    @Test @LoopActor func filesBeyondTheLimit_areLeftOutAndSaid() async throws {
        let open = try await OpenAgent()
        let limit = open.agent.services.config.server.limits.messageSize
        var fields = DraftFields(recipients: "bob", subject: "", body: "Text.")
        fields.uploads = [HTTPUpload(field: "file", fileName: "small", contentType: "", bytes: [1, 2, 3])]
        #expect(await open.page.save(draft: "d1", fields))
        fields.uploads = [
            HTTPUpload(field: "file", fileName: "large", contentType: "", bytes: [UInt8](repeating: 0, count: limit))
        ]
        #expect(await open.page.save(draft: "d1", fields))
        #expect(await open.page.draft("d1")?.attachments.map(\.name) == ["small"])
        #expect(await open.page.draft("d1")?.problems.map(\.field) == [.attachments])
        #expect(await open.page.draft("d1")?.fields.body == "Text.")
        await open.close()
    }

    @Test @LoopActor func attachments_areFoundUnderEveryID() async throws {
        let open = try await OpenAgent()
        let body =
            "--b\r\nContent-Type: text/plain\r\n\r\nSee.\r\n--b\r\nContent-Type: application/pdf\r\n"
            + "Content-Disposition: attachment; filename=plan.pdf\r\n\r\nPDF\r\n--b--\r\n"
        for number in 0..<12 {
            let head =
                "From: bob@node.test\r\nTo: alice@node.test\r\nSubject: \(number)\r\nMIME-Version: 1.0\r\n"
                + "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
            try await open.deliver(Array((head + body).utf8))
        }
        // Ids are random; with twelve of them one has the letter that separates the number.
        for id in try open.agent.opened().store.order {
            let file = try #require(await open.page.thread(id, .here)?.messages.first?.attachments.first)
            #expect(await open.page.attachment(file.id)?.name == "plan.pdf")
        }
        #expect(await open.page.attachment("nonsense") == nil)
        await open.close()
    }

    /// D7: a browser that knows no passphrase gets in nowhere, though the agent is open.
    @Test @LoopActor func openAgent_stillWantsTheRightPassphrase() async throws {
        let open = try await OpenAgent()
        #expect(await open.page.unlock(passphrase: Redacted(Array("wrong".utf8))) == .refused)
        #expect(await open.page.unlock(passphrase: Redacted([])) == .refused)
        #expect(!open.agent.isLocked)
        #expect(await open.page.unlock(passphrase: Redacted(Array("correct horse".utf8))) == .opened)
        await open.close()
    }

    @Test @LoopActor func mail_saysWhatTheNodeCouldSee() async throws {
        let open = try await OpenAgent()
        for mode in GroupMode.allCases { try await open.deliver(mail(subject: mode.rawValue), group: "board", mode: mode) }
        let list = try #require(await open.page.list(.inbox, cursor: nil))
        #expect(list.rows.count == GroupMode.allCases.count)
        for row in list.rows {
            let mode = try #require(GroupMode(rawValue: row.subject))
            #expect(try #require(await open.page.thread(row.id, .here)).messages.map(\.nodeWords) == [mode.words])
        }
        await open.close()
    }

    @LoopActor private final class Key {
        var isThere = true
    }

    @Test @LoopActor func threads_areNotGivenOutBetweenALockAndItsNews() async throws {
        let open = try await OpenAgent()
        try await open.deliver(mail(subject: "Secret"))
        let store = try open.agent.opened().store
        let key = Key()
        let desk = ThreadDesk(rules: { ThreadRules() }) { key.isThere ? store : nil }
        #expect(await desk.current().threads.count == 1)
        key.isThere = false
        #expect(await desk.current().threads.isEmpty)
        await open.close()
    }

    @Test @LoopActor func lock_dropsEverything() async throws {
        let open = try await OpenAgent()
        try await open.deliver(mail(subject: "Secret"))
        _ = await open.page.send(draft: "d1", DraftFields(recipients: "eve@elsewhere.test", body: "x"))
        let store = try open.agent.opened().store
        let drafts = try open.agent.opened().drafts
        #expect(await open.page.desk.current().threads.count == 1)
        open.agent.lock()
        #expect(await open.page.desk.current().threads.isEmpty)
        #expect(store.summaries.isEmpty && drafts.drafts.isEmpty)
        #expect(await open.page.list(.inbox, cursor: nil) == nil)
        try await until { open.page.problems(of: "d1").isEmpty }
        #expect(await open.page.draft("d1") == nil)
        await open.close()
    }

    @Test @LoopActor func lockDuringUnlock_wins() async throws {
        let open = try await OpenAgent()
        open.agent.lock()
        await open.agent.storeGate.enter()
        async let unlocking: Void = open.agent.unlock(passphrase: OpenAgent.passphrase)
        try await until { open.agent.storeGate.waitingCount != 0 }
        open.agent.lock()
        open.agent.storeGate.leave()
        do {
            try await unlocking
            Issue.record("opened")
        } catch {
            #expect((error as? Failure)?.code == .interrupted)
        }
        #expect(open.agent.isLocked)
        await open.close()
    }

    @Test @LoopActor func twoUnlocksAtOnce_openOneStore() async throws {
        let open = try await OpenAgent()
        open.agent.lock()
        try await open.agent.shelter(Draft(id: "late", body: "x"))
        async let first: Void = open.agent.unlock(passphrase: OpenAgent.passphrase)
        async let second: Void = open.agent.unlock(passphrase: OpenAgent.passphrase)
        _ = try await (first, second)
        #expect(try open.agent.opened().drafts.open.count == 1)
        #expect(try await open.agent.spool.entries(in: AgentMailbox.drafts).count == 1)
        await open.close()
    }

    @Test @LoopActor func draftThatComesWhileLocking_isSheltered() async throws {
        let open = try await OpenAgent()
        open.agent.lock()
        await open.page.shelter(draft: "d1", DraftFields(recipients: "bob", subject: "Late", body: "Text"))
        #expect(await open.page.save(draft: "d2", DraftFields(body: "came a moment later")) == false)
        try await open.agent.unlock(passphrase: OpenAgent.passphrase)
        #expect(Set(try open.agent.opened().drafts.open.map(\.body)) == ["Text", "came a moment later"])
        await open.close()
    }
}
