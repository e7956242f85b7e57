// The questions of an IMAP session, answered from an open agent's store.

import DDSBus
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import DDSWire
import Testing

@testable import DDSAgent

/// An agent with a mail program at it.
@LoopActor private final class MailProgram {
    let open: OpenAgent
    let desk: GatewayDesk
    let handler: IMAPHandler
    var view: IMAPView?

    init(_ open: OpenAgent) async throws {
        self.open = open
        desk = try GatewayDesk(agent: open.agent)
        handler = IMAPHandler(desk: desk, session: "imap-1")
        let password = Redacted(Array(try await desk.book.addPassword("imap \(desk.book.passwords.count)").exposed.utf8))
        _ = await handler.answer(.authenticate(.plain(authzid: nil, authcid: "alice", password: password), nil))
    }

    var store: MessageStore { get throws { try open.agent.opened().store } }

    func ask(_ question: IMAPServerQuestion) async -> String {
        switch await handler.answer(question) {
        case .view(let view):
            self.view = view
            return "view"
        case .stored(let view, let modified):
            self.view = view
            return "stored, modified \(modified)"
        case .declined(let refusal): return refusal.code ?? "declined"
        case .unavailable: return "unavailable"
        case .appended(_, let uid): return "appended \(uid)"
        case .copied(_, let pairs): return "copied \(pairs.map { "\($0.0)>\($0.1)" }.joined(separator: " "))"
        case .found(let uids): return "found \(uids)"
        case .unchanged: return "unchanged"
        case .done: return "done"
        case .changed: return "changed"
        case .proceed: return "proceed"
        case .threads(let threads): return threads.map(Self.words).joined()
        case .authenticated, .refused, .mailboxes, .status, .bodies: return "other"
        }
    }

    private static func words(_ thread: IMAPThread) -> String {
        "(" + ([thread.uid.map { "\($0)" } ?? ""] + thread.children.map(words)).joined() + ")"
    }

    /// Opens the mailbox and returns its numbers.
    @discardableResult
    func look(_ name: String) async throws -> [UInt32] {
        #expect(await ask(.open(mailbox: name)) == "view")
        return try #require(view).rows.map(\.uid)
    }

    func status(_ name: String) async -> IMAPStatus? {
        guard case .status(let status) = await handler.answer(.status(mailbox: name)) else { return nil }
        return status
    }

    func bodies(_ uids: [UInt32]) async -> [[UInt8]?] {
        guard case .bodies(let bodies) = await handler.answer(.bodies(uids, .octets)) else { return [] }
        return bodies.map { $0?.octets }
    }

    func close() async {
        handler.perform(.closeMailbox)
        desk.stop()
        await open.close()
    }
}

@Suite(.timeLimit(.minutes(5))) struct IMAPHandlerTests {
    /// Two private messages and two of a group.
    @LoopActor private func program() async throws -> MailProgram {
        let open = try await OpenAgent()
        try await open.deliver(mail(subject: "One", id: "1", body: "An old barn.\r\n"))
        try await open.deliver(mail(subject: "Re: One", id: "2", inReplyTo: "1"))
        try await open.deliver(mail(to: "board@node.test", subject: "Camp", id: "3"), group: "board")
        try await open.deliver(mail(from: "dora@node.test", to: "board@node.test", subject: "Tents", id: "4"), group: "board")
        return try await MailProgram(open)
    }

    @Test @LoopActor func mailboxes_areTheGroupsAndThoseThatAreAlwaysThere() async throws {
        let program = try await program()
        guard case .mailboxes(let all) = await program.handler.answer(.mailboxes) else {
            Issue.record("no mailboxes")
            return
        }
        #expect(
            all.map(\.name) == ["INBOX", "Drafts", "Sent", "Outbox", "Archive", "Trash", "Groups/board"])
        #expect(all.filter { !$0.isSelectable }.isEmpty)
        #expect(all.compactMap(\.use) == [.drafts, .sent, .archive, .trash])
        #expect(await program.ask(.open(mailbox: "Groups")) == "NONEXISTENT")
        #expect(await program.ask(.open(mailbox: "INBOX")) == "view")
        #expect(await program.ask(.manage(.unsubscribe("Groups/board"))) == "done")
        guard case .mailboxes(let left) = await program.handler.answer(.mailboxes) else { return }
        #expect(left.first { $0.name == "Groups/board" }?.isSubscribed == false && left.first?.isSubscribed == true)
        #expect(await program.ask(.manage(.subscribe("Groups/board"))) == "done")
        #expect(await program.ask(.manage(.subscribe("Nowhere"))) == "NONEXISTENT")
        for management in [IMAPManagement.create("New"), .delete("Trash"), .rename("Sent", to: "Gone")] {
            #expect(await program.ask(.manage(management)) == "CANNOT")
        }
        #expect(await program.ask(.manage(.create("Archive"))) == "ALREADYEXISTS")
        await program.close()
    }

    @Test @LoopActor func views_haveWhatMessagesAre_andBodiesTheirOctets() async throws {
        let program = try await program()
        let uids = try await program.look("INBOX")
        let view = try #require(program.view)
        #expect(uids.count == 2 && view.uidNext > uids[1] && view.highestModSeq >= view.rows[1].modSeq)
        let wanted = mail(subject: "One", id: "1", body: "An old barn.\r\n")
        #expect(await program.bodies([uids[0], 1_000_000]) == [wanted, nil])
        #expect(view.rows[0].size == wanted.count && view.rows[0].flags == IMAPFlags())
        #expect(await program.ask(.refresh(since: view.version)) == "unchanged")
        let status = try #require(await program.status("Groups/board"))
        #expect(status.messages == 2 && status.unseen == 2 && status.deleted == 0 && status.uidValidity == view.uidValidity)
        // The number stays over a lock, and so do the others.
        program.open.agent.lock()
        #expect(await program.ask(.refresh(since: 0)) == "unavailable")
        #expect(await program.ask(.mailboxes) == "unavailable")
        try await program.open.agent.unlock(passphrase: OpenAgent.passphrase)
        #expect(await program.ask(.refresh(since: 0)) == "unavailable", "that is another session's store")
        let later = try await MailProgram(program.open)
        #expect(try await later.look("INBOX") == uids && later.view?.uidValidity == view.uidValidity)
        later.desk.stop()
        await program.close()
    }

    /// Sizes that were not counted when the message came are counted before they are told.
    @Test @LoopActor func unknownSizes_areLearntAndKept() async throws {
        let program = try await program()
        let store = try program.store
        try await store.update(store.order) { $0.givenSize = nil }
        let uids = try await program.look("INBOX")
        #expect(program.view?.rows.map(\.size) == (await program.bodies(uids)).map { $0?.count })
        #expect(store.summaries.map { $0.givenSize != nil } == [true, true, false, false])
        await program.close()
    }

    @Test @LoopActor func flags_areSharedWithThePage() async throws {
        let program = try await program()
        let uids = try await program.look("INBOX")
        let before = try #require(program.view)
        let flags = IMAPFlags([.seen, .flagged, .answered], keywords: ["$Work"])
        #expect(await program.ask(.store([uids[0]], .add(flags), unchangedSince: nil)) == "view")
        let row = try #require(program.view?.rows[0])
        #expect(row.flags == flags && row.modSeq > before.highestModSeq && row.uid == uids[0])
        #expect(program.view?.rows[1] == before.rows[1])
        program.open.page.desk.storeChanged()
        #expect(await program.open.page.frame().inboxUnread == 3)
        #expect(await program.open.page.list(.starred, cursor: nil)?.rows.count == 1)
        // Changed by the page, seen by the mail program.
        let version = try #require(program.view).version
        _ = await program.open.page.act(.unstar, on: [try program.store.order[0]])
        #expect(await program.ask(.refresh(since: version)) == "view")
        let less = IMAPFlagChange.remove(IMAPFlags(.flagged, keywords: ["$WORK"]))
        #expect(await program.ask(.store([uids[0]], less, unchangedSince: nil)) == "view")
        #expect(program.view?.rows[0].flags == IMAPFlags([.seen, .answered]))
        // Of those that somebody changed meanwhile nothing is changed.
        let known = before.highestModSeq
        let answer = await program.ask(.store(uids, .set(IMAPFlags(.deleted)), unchangedSince: known))
        #expect(answer == "stored, modified [\(uids[0])]")
        #expect(program.view?.rows.map(\.flags.system) == [[.seen, .answered], [.deleted]])
        let many = IMAPFlags([], keywords: (0..<65).map { "k\($0)" })
        #expect(await program.ask(.store(uids, .add(many), unchangedSince: nil)) == "LIMIT")
        await program.close()
    }

    @Test @LoopActor func moves_goToTheOwnFolderArchiveAndTrash() async throws {
        let program = try await program()
        let uids = try await program.look("INBOX")
        let next = try #require(program.view).uidNext
        let archived = await program.ask(.move([uids[0]], to: "Archive"))
        let archive = try await program.look("Archive")
        #expect(archive.count == 1 && archived == "copied \(uids[0])>\(archive[0])" && archive[0] > uids[1])
        #expect(try await program.look("INBOX") == [uids[1]])
        #expect(program.view?.uidNext == next)
        for name in ["Sent", "Outbox", "Drafts", "Groups/board", "INBOX"] {
            #expect(await program.ask(.move([uids[1]], to: name)) == "CANNOT", "\(name)")
        }
        #expect(await program.ask(.move([uids[1]], to: "Elsewhere")) == "NONEXISTENT")
        try await program.look("Archive")
        _ = await program.ask(.move(archive, to: "Trash"))
        let trash = try await program.look("Trash")
        #expect(await program.ask(.move(trash, to: "Groups/board")) == "CANNOT")
        _ = await program.ask(.move(trash, to: "INBOX"))
        let back = try await program.look("INBOX")
        #expect(back.count == 2 && back[0] == uids[1] && back[1] > trash[0])
        // One that cannot go keeps the others where they are.
        let group = try await program.look("Groups/board")
        #expect(await program.ask(.move(group, to: "INBOX")) == "CANNOT")
        #expect(try await program.look("Groups/board") == group)
        await program.close()
    }

    @Test @LoopActor func copies_areMessagesOfTheirOwn() async throws {
        let program = try await program()
        let uids = try await program.look("Groups/board")
        #expect(await program.ask(.copy(uids, to: "INBOX")) == "CANNOT")
        #expect(try program.store.items.count == 4)
        let answer = await program.ask(.copy(uids, to: "Trash"))
        let trash = try await program.look("Trash")
        #expect(answer == "copied \(uids[0])>\(trash[0]) \(uids[1])>\(trash[1])" && trash.count == 2)
        let copies = await program.bodies(trash)
        try await program.look("Groups/board")
        #expect(await program.bodies(uids) == copies && program.view?.rows.count == 2)
        // What becomes of one does not touch the other.
        try await program.store.remove(program.store.summaries.filter { $0.folder == .trash }.map(\.id))
        #expect(await program.bodies(uids) == copies)
        let reopened = try await MessageStore.open(
            spool: program.open.agent.spool, keys: try program.open.agent.opened().keys, account: program.open.agent.account,
            random: SystemRandom(), time: Loop.time, gate: LoopGate())
        #expect(reopened.items.count == 4)
        await program.close()
    }

    @Test @LoopActor func expunge_goesToTheTrash_andFromThereForEver() async throws {
        let program = try await program()
        let uids = try await program.look("Groups/board")
        _ = await program.ask(.store([uids[0]], .add(IMAPFlags(.deleted)), unchangedSince: nil))
        #expect(await program.ask(.expunge(uids)) == "view" && program.view?.rows.map(\.uid) == [uids[1]])
        let trash = try await program.look("Trash")
        #expect(trash.count == 1 && program.view?.rows[0].flags.system.contains(.deleted) == false)
        #expect(await program.ask(.expunge(trash)) == "view" && program.view?.rows.count == 1)
        _ = await program.ask(.store(trash, .add(IMAPFlags(.deleted)), unchangedSince: nil))
        let next = try #require(program.view).uidNext
        #expect(await program.ask(.expunge(trash)) == "view" && program.view?.rows.isEmpty == true)
        #expect(program.view?.uidNext == next)
        #expect(try program.store.items.count == 3)
        await program.close()
    }

    /// What the highest numbers of a mailbox were is known to nobody after a start, when their messages are gone.
    @Test @LoopActor func afterAStart_numbersGoOnBehindThoseThatAreGone() async throws {
        let program = try await program()
        let uids = try await program.look("INBOX")
        _ = await program.ask(.move([uids[1]], to: "Trash"))
        try await program.look("INBOX")
        let before = try #require(program.view)
        let trash = try await program.look("Trash")
        let trashBefore = try #require(program.view)
        _ = await program.ask(.store(trash, .add(IMAPFlags(.deleted)), unchangedSince: nil))
        _ = await program.ask(.expunge(trash))
        program.handler.perform(.closeMailbox)
        program.desk.stop()
        let next = try await MailProgram(program.open)
        #expect(try await next.look("INBOX") == [uids[0]])
        #expect(try #require(next.view).uidNext >= before.uidNext && next.view?.highestModSeq ?? 0 >= before.highestModSeq)
        #expect(try await next.look("Trash").isEmpty)
        #expect(
            try #require(next.view).uidNext >= trashBefore.uidNext
                && next.view?.highestModSeq ?? 0 >= trashBefore.highestModSeq)
        try await next.look("INBOX")
        let promised = try #require(next.view)
        _ = await next.ask(.move([uids[0]], to: "Trash"))
        let moved = try await next.look("Trash")
        #expect(moved[0] >= promised.uidNext && next.view?.rows[0].modSeq ?? 0 > promised.highestModSeq)
        await next.close()
    }

    @Test @LoopActor func drafts_comeOutAsTheyWereAppended() async throws {
        let program = try await program()
        let raw = mail(to: "bob@node.test", subject: "Plan", body: "The text.\r\n")
        #expect(await program.ask(.mayAppend(mailbox: "Drafts", octets: raw.count)) == "proceed")
        #expect(await program.ask(.mayAppend(mailbox: "Drafts", octets: .max)) == "TOOBIG")
        for name in ["INBOX", "Archive", "Trash", "Outbox", "Groups/board"] {
            #expect(await program.ask(.mayAppend(mailbox: name, octets: 1)) == "CANNOT", "\(name)")
        }
        #expect(await program.ask(.mayAppend(mailbox: "Nowhere", octets: 1)) == "NONEXISTENT")
        let answer = await program.ask(.append(mailbox: "Drafts", IMAPFlags([.draft, .flagged]), internalDate: nil, raw))
        let uids = try await program.look("Drafts")
        #expect(answer == "appended \(uids[0])" && uids.count == 1)
        #expect(program.view?.rows[0].flags.system == [.seen, .draft, .flagged])
        #expect(await program.bodies(uids) == [raw] && program.view?.rows[0].size == raw.count)
        let draft = try #require(try program.open.agent.opened().drafts.open.first)
        #expect(draft.subject == "Plan" && draft.recipients == "bob@node.test" && draft.body == "The text.\n")
        // Edited on the page it is another one, and made of what was typed there; the same each time.
        _ = await program.open.page.save(draft: draft.id, DraftFields(recipients: "bob", subject: "Plan B", body: "Other"))
        let edited = try await program.look("Drafts")
        #expect(edited.count == 1 && edited[0] > uids[0])
        let bodies = await program.bodies(edited)
        let text = String(decoding: try #require(bodies[0]), as: UTF8.self)
        #expect(text.contains("Subject: Plan B\r\n") && text.contains("bob@node.test") && text.hasSuffix("\r\n"))
        #expect(program.view?.rows[0].size == bodies[0]?.count)
        #expect(await program.bodies(edited) == bodies)
        #expect(await program.ask(.search(.text("plan b"))) == "found \(edited)")
        _ = await program.ask(.store(edited, .add(IMAPFlags(.deleted)), unchangedSince: nil))
        #expect(program.view?.rows.map(\.uid) == edited)
        #expect(await program.ask(.move(edited, to: "Trash")) == "CANNOT")
        #expect(await program.ask(.expunge(edited)) == "view" && program.view?.rows.isEmpty == true)
        #expect(try program.open.agent.opened().drafts.open.isEmpty)
        await program.close()
    }

    @Test @LoopActor func sentCopies_areNotDoubled() async throws {
        let program = try await program()
        let raw = mail(from: "alice@node.test", to: "bob@node.test", subject: "Mine", id: "mine")
        let answer = await program.ask(.append(mailbox: "Sent", IMAPFlags([.seen, .answered]), internalDate: 5, raw))
        let uids = try await program.look("Sent")
        #expect(answer == "appended \(uids[0])" && program.view?.rows[0].internalDate == 5)
        #expect(program.view?.rows[0].flags.system == [.seen, .answered])
        #expect(await program.bodies(uids) == [raw])
        let other = raw + Array("More.\r\n".utf8)
        #expect(await program.ask(.append(mailbox: "Sent", IMAPFlags(), internalDate: nil, other)) == answer)
        #expect(try await program.look("Sent") == uids)
        // What still waits has no number in Sent yet.
        _ = try await program.open.agent.send(raw: mail(from: "alice@node.test", to: "bob@node.test", subject: "W", id: "w"))
        let waiting = mail(from: "alice@node.test", to: "bob@node.test", subject: "W", id: "w")
        #expect(await program.ask(.append(mailbox: "Sent", IMAPFlags(), internalDate: nil, waiting)) == "appended 0")
        #expect(try await program.look("Sent") == uids)
        await program.close()
    }

    @Test @LoopActor func whoWaitsAtDrafts_hearsOfThePage() async throws {
        let program = try await MailProgram(try await OpenAgent())
        for step in ["saved", "discarded"] {
            try await program.look("Drafts")
            let waiting = Loop.spawn { #expect(await program.ask(.wait(since: nil)) == "changed", "\(step)") }
            try await until { program.handler.isWaiting }
            if step == "saved" {
                #expect(await program.open.page.save(draft: "d1", DraftFields(recipients: "bob", subject: "Plan", body: "Text")))
            } else {
                await program.open.page.discard(draft: "d1")
            }
            await waiting.value
            #expect(try await program.look("Drafts").count == (step == "saved" ? 1 : 0))
        }
        await program.close()
    }

    @Test @LoopActor func outbox_givesBackWhatCanBeTakenBack() async throws {
        let program = try await MailProgram(try await OpenAgent(undoSend: "10s", time: ManualTime()))
        _ = await program.open.page.send(draft: "d1", DraftFields(recipients: "bob", subject: "Plan", body: "Text"))
        var uids = try await program.look("Outbox")
        #expect(uids.count == 1 && program.view?.rows[0].flags.system == [.seen])
        #expect(await program.ask(.move(uids, to: "Trash")) == "CANNOT")
        _ = await program.ask(.store(uids, .add(IMAPFlags(.deleted)), unchangedSince: nil))
        #expect(await program.ask(.expunge(uids)) == "view" && program.view?.rows.isEmpty == true)
        #expect(try await program.look("Drafts").count == 1)
        // Without a pause it is on its way at once.
        _ = try await program.open.agent.send(raw: mail(from: "alice@node.test", to: "bob@node.test", subject: "W"))
        uids = try await program.look("Outbox")
        _ = await program.ask(.store(uids, .add(IMAPFlags(.deleted)), unchangedSince: nil))
        #expect(await program.ask(.expunge(uids)) == "CANNOT")
        #expect(try await program.look("Outbox") == uids)
        // What was refused is only put away.
        try await program.store.update(program.store.order) { $0.sendState = .refused }
        #expect(await program.ask(.expunge(uids)) == "view" && program.view?.rows.isEmpty == true)
        #expect(try await program.look("Trash").count == 1)
        await program.close()
    }

    /// RFC 9051 section 6.4.4: SENTON and its like disregard the zone.
    @Test @LoopActor func dayOfSending_isTheAuthors() async throws {
        let open = try await OpenAgent()
        for (id, date) in [("w", "23 Nov 2026 23:30 -0500"), ("u", "23 Nov 2026 12:00 +0000"), ("e", "25 Nov 2026 00:30 +1400")] {
            try await open.deliver(mail(subject: id, id: id, date: date))
        }
        let program = try await MailProgram(open)
        let uids = try await program.look("INBOX")
        let day = 20780
        let cases: [(IMAPSearchKey, [Int])] = [
            (.on(day, sent: true), [0, 1]), (.on(day + 1, sent: true), []), (.on(day + 2, sent: true), [2]),
            (.before(day + 1, sent: true), [0, 1]), (.before(day, sent: true), []), (.since(day + 1, sent: true), [2]),
            (.since(day, sent: true), [0, 1, 2]), (.not(.on(day, sent: true)), [2]),
            (.and([.since(day + 2, sent: true), .before(day + 3, sent: true)]), [2]),
        ]
        for (key, wanted) in cases {
            #expect(await program.ask(.search(key)) == "found \(wanted.map { uids[$0] })", "\(key)")
        }
        await program.close()
    }

    @Test @LoopActor func search_findsByFactsHeadersAndWords() async throws {
        let program = try await program()
        let uids = try await program.look("INBOX")
        _ = await program.ask(.store([uids[1]], .add(IMAPFlags(.flagged, keywords: ["$Work"])), unchangedSince: nil))
        let sizes = try #require(program.view).rows.map(\.size)
        let modSeq = try #require(program.view).rows[1].modSeq
        let day = 20780
        let cases: [(IMAPSearchKey, [Int])] = [
            (.all, [0, 1]), (.uids(IMAPSet([uids[1]...UInt32.max])), [1]), (.flag(.flagged, true), [1]),
            (.flag(.seen, true), []), (.keyword("$work", true), [1]), (.keyword("$work", false), [0]),
            (.larger(sizes[0] - 1), sizes[1] >= sizes[0] ? [0, 1] : [0]), (.smaller(1), []), (.modSeq(modSeq), [1]),
            (.on(day, sent: true), [0, 1]), (.before(day, sent: true), []), (.since(day + 1, sent: true), []),
            (.since(0, sent: false), [0, 1]), (.older(1 << 40), []), (.younger(3600), [0, 1]),
            (.header("subject", "re: ONE"), [1]), (.header("subject", "one"), [0, 1]), (.header("from", "BOB@"), [0, 1]),
            (.header("from", "dora"), []), (.header("to", "alice"), [0, 1]), (.header("cc", ""), []),
            (.header("to", ""), [0, 1]),
            (.header("message-id", "<1@node.test>"), [0]), (.header("references", "1@node"), [1]),
            (.body("old BARN"), [0]), (.body("One"), []), (.text("one"), [0, 1]), (.text("barn"), [0]), (.text("bar"), [0]),
            (.not(.body("barn")), [1]),
            (.or(.body("barn"), .flag(.flagged, true)), [0, 1]), (.and([.body("barn"), .flag(.flagged, true)]), []),
        ]
        for (key, wanted) in cases {
            #expect(await program.ask(.search(key)) == "found \(wanted.map { uids[$0] })", "\(key)")
        }
        // In the trash too, and nowhere else.
        _ = await program.ask(.move([uids[0]], to: "Trash"))
        #expect(await program.ask(.search(.text("barn"))) == "found []")
        let trash = try await program.look("Trash")
        #expect(await program.ask(.search(.text("barn"))) == "found \(trash)")
        await program.close()
    }

    @Test @LoopActor func sortAndThread_putInOrder() async throws {
        let program = try await program()
        let group = try await program.look("Groups/board")
        func sorted(_ fields: [(IMAPSortKey.Field, Bool)]) async -> String {
            await program.ask(.sort(fields.map { IMAPSortKey(field: $0.0, isReverse: $0.1) }, .all))
        }
        #expect(await sorted([(.from, true)]) == "found [\(group[1]), \(group[0])]")
        #expect(await sorted([(.subject, false)]) == "found \(group)")
        // Neither has a Cc: the next key counts.
        #expect(await sorted([(.cc, false), (.subject, true)]) == "found [\(group[1]), \(group[0])]")
        #expect(await program.ask(.thread(.all)) == "(\(group[0]))(\(group[1]))")
        let uids = try await program.look("INBOX")
        #expect(await program.ask(.thread(.all)) == "(\(uids[0])(\(uids[1])))")
        #expect(await program.ask(.thread(.flag(.flagged, true))) == "")
        await program.close()
    }

    @Test func threadTrees_haveNoCirclesAndNoDepthWithoutEnd() {
        func node(_ uid: UInt32, _ references: [String]) -> IMAPThreads.Node {
            IMAPThreads.Node(uid: uid, date: Int64(uid), messageID: "m\(uid)", references: references)
        }
        func words(_ thread: IMAPThread) -> String {
            "(" + ([thread.uid.map { "\($0)" } ?? ""] + thread.children.map(words)).joined(separator: " ") + ")"
        }
        let answered = [node(1, []), node(2, ["m1"]), node(3, ["m1", "m2"]), node(4, ["m1", "gone"])]
        #expect(words(IMAPThreads.tree(answered)) == "(1 (2 (3)) (4))")
        // Two that answer one which is not here.
        #expect(words(IMAPThreads.tree([node(1, ["gone"]), node(2, ["gone"])])) == "( (1) (2))")
        #expect(words(IMAPThreads.tree([node(1, ["m2"]), node(2, ["m1"])])) == "(2 (1))")
        #expect(words(IMAPThreads.tree([node(1, ["m1"])])) == "(1)")
        func depth(_ thread: IMAPThread) -> Int { 1 + (thread.children.map(depth).max() ?? 0) }
        func count(_ thread: IMAPThread) -> Int { 1 + thread.children.reduce(0) { $0 + count($1) } }
        let long = IMAPThreads.tree((1...900).map { node(UInt32($0), $0 == 1 ? [] : ["m\($0 - 1)"]) })
        #expect(count(long) == 900 && depth(long) == 201)
    }

    @Test @LoopActor func wait_endsWithAChangeAndWhenItIsStopped() async throws {
        let program = try await program()
        try await program.look("INBOX")
        func waiting() -> Task<String, Never> {
            let version = program.view?.version
            return Task { @LoopActor in await program.ask(.wait(since: version)) }
        }
        let first = waiting()
        await turns()
        _ = await program.open.page.act(.star, on: [try program.store.order[0]])
        #expect(await first.value == "changed")
        // What has come since the session was told last.
        #expect(await waiting().value == "changed")
        try await program.look("INBOX")
        let second = waiting()
        await turns()
        program.handler.perform(.stopWaiting)
        #expect(await second.value == "changed")
        // Stopped before it was asked.
        program.handler.perform(.stopWaiting)
        #expect(await program.ask(.wait(since: program.view?.version)) == "changed")
        let third = waiting()
        await turns()
        program.open.agent.lock()
        #expect(await third.value == "changed")
        await program.close()
    }
}
