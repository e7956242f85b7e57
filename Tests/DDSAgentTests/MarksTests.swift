// What is done with threads on the page, as the store keeps it; and messages that are taken back before they go out.

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

@Suite(.timeLimit(.minutes(5))) struct MarksTests {
    @LoopActor private func subjects(_ open: OpenAgent, _ folder: FolderReference) async -> [String] {
        await open.page.list(folder, cursor: nil)?.rows.map(\.subject) ?? ["no such folder"]
    }

    @LoopActor private func id(_ open: OpenAgent, _ subject: String) async throws -> String {
        try #require(await open.page.list(.all, cursor: nil)?.rows.first { $0.subject == subject }?.id)
    }

    @Test @LoopActor func archive_putsAway_andUndoBringsBack() async throws {
        let open = try await OpenAgent()
        for subject in ["One", "Two"] { try await open.deliver(mail(subject: subject)) }
        let one = try await id(open, "One")
        let done = await open.page.act(.archive, on: [one])
        #expect(done.words == "Thread archived; a new message brings it back.")
        #expect(await subjects(open, .inbox) == ["Two"])
        #expect(await subjects(open, .archive) == ["One"])
        #expect(await open.page.frame().inboxUnread == 1)
        // It is on the disk: what is opened anew knows it.
        open.agent.lock()
        try await open.agent.unlock(passphrase: OpenAgent.passphrase)
        #expect(await subjects(open, .archive) == ["One"])
        #expect(await open.page.undo(try #require(done.undo)).words == "This cannot be taken back any more.")
        let again = await open.page.act(.unarchive, on: [one])
        #expect(await subjects(open, .archive).isEmpty)
        #expect(await open.page.undo(try #require(again.undo)).words == "Taken back.")
        #expect(await open.page.undo(try #require(again.undo)).words == "This cannot be taken back any more.")
        #expect(await subjects(open, .archive) == ["One"])
        await open.close()
    }

    @Test @LoopActor func undo_restoresJustWhatWasChanged() async throws {
        let open = try await OpenAgent()
        try await open.deliver(mail(subject: "Read before"))
        try await open.deliver(mail(subject: "New"))
        _ = await open.page.act(.read, on: [try await id(open, "Read before")])
        let all = await open.page.readAll(in: .inbox)
        #expect(await open.page.frame().inboxUnread == 0)
        _ = await open.page.undo(try #require(all.undo))
        let rows = try #require(await open.page.list(.inbox, cursor: nil)?.rows)
        #expect(Set(rows.filter(\.isUnread).map(\.subject)) == ["New"])
        #expect(await open.page.readAll(in: .sent).undo == nil)
        #expect(await open.page.act(.star, on: ["unknown"]).words == "Select a thread first.")
        await open.close()
    }

    @Test @LoopActor func starsAndMutes_areKeptAndFound() async throws {
        let open = try await OpenAgent()
        try await open.deliver(mail(to: "board@node.test", subject: "Camp", id: "camp"), group: "board")
        try await open.deliver(mail(to: "board@node.test", subject: "Re: Camp", id: "camp2", inReplyTo: "camp"), group: "board")
        let thread = try await id(open, "Camp")
        _ = await open.page.act(.star, on: [thread])
        #expect(await subjects(open, .starred) == ["Camp"])
        #expect(try open.agent.opened().store.summaries.map { $0.isStarred == true } == [false, true])
        _ = await open.page.act(.mute, on: [thread])
        #expect(await subjects(open, .inbox).isEmpty)
        #expect(await open.page.frame().groups.map(\.unread) == [0])
        try await open.deliver(mail(to: "board@node.test", subject: "Re: Camp", id: "camp3", inReplyTo: "camp"), group: "board")
        #expect(await subjects(open, .inbox).isEmpty)
        #expect(await open.page.frame().allUnread == 0)
        let text = mail(
            to: "board@node.test, alice@node.test", subject: "Re: Camp", id: "camp4", inReplyTo: "camp")
        try await open.deliver(text, group: "board")
        #expect(await subjects(open, .inbox) == ["Camp"])
        #expect(await open.page.frame().allUnread == 4)
        _ = await open.page.act(.unstar, on: [thread])
        #expect(await subjects(open, .starred).isEmpty)
        await open.close()
    }

    @Test @LoopActor func unreadFromHere_leavesWhatWasBefore() async throws {
        let open = try await OpenAgent()
        for (number, before) in [("1", nil), ("2", "1"), ("3", "1")] as [(String, String?)] {
            try await open.deliver(mail(subject: "Camp", id: number, inReplyTo: before))
        }
        let order = try open.agent.opened().store.order
        _ = await open.page.thread(order[0], .here)
        _ = await open.page.unread(from: order[1])
        #expect(try open.agent.opened().store.summaries.map(\.isUnread) == [false, true, true])
        await open.close()
    }

    @Test @LoopActor func longThread_startsWhereItIsNew_andPrintsWhole() async throws {
        let open = try await OpenAgent()
        try await open.deliver(mail(subject: "Long", id: "0"))
        for number in 1..<130 { try await open.deliver(mail(subject: "Re: Long", id: "\(number)", inReplyTo: "0")) }
        let thread = try await id(open, "Long")
        let first = try #require(await open.page.thread(thread, .here))
        #expect(first.messages.count == 100 && first.earlier == nil && first.later == ThreadPart(cursor: "100", count: 30))
        // What is on the other page is not read yet.
        #expect(await open.page.frame().inboxUnread == 30)
        let printed = try #require(await open.page.thread(thread, .whole))
        #expect(printed.messages.count == 130)
        #expect(await open.page.frame().inboxUnread == 30)
        let second = try #require(await open.page.thread(thread, .here))
        #expect(second.messages.count == 100 && second.earlier == ThreadPart(cursor: "0", count: 30) && second.later == nil)
        #expect(await open.page.frame().inboxUnread == 0)
        let third = try #require(await open.page.thread(thread, .from("0")))
        #expect(third.messages.first?.id == thread && third.messages.count == 100)
        #expect(await open.page.thread(thread, .from("999999"))?.messages.count == 1)
        await open.close()
    }
}

/// What a person may have overlooked; each is said once, and "Send anyway" passes over it.
@Suite(.timeLimit(.minutes(5))) struct SendGuardTests {
    @LoopActor private func warnings(_ open: OpenAgent, _ fields: DraftFields, _ id: String = "d1") async -> [String] {
        guard case .refused = await open.page.send(draft: id, fields) else { return [] }
        return await open.page.draft(id)?.problems.map(\.text) ?? ["no draft"]
    }

    @Test @LoopActor func manyReaders_areCounted() async throws {
        let open = try await OpenAgent()
        func members(_ count: Int) -> [String] { ["alice"] + (1..<count).map { "m\($0)" } }
        try await open.roster(try TrustBookTests.roster(1, members(25)))
        var fields = DraftFields(recipients: "board", subject: "All", body: "Text")
        #expect(await warnings(open, fields) == [])
        try await open.roster(try TrustBookTests.roster(2, after: try TrustBookTests.roster(1, members(25)), members(26)))
        #expect(await warnings(open, fields, "d2") == ["This goes to 26 people."])
        fields.sendsAnyway = true
        #expect(await warnings(open, fields, "d2") == [])
        #expect(try await open.outbox() == 2)
        await open.close()
    }

    /// The first private message to somebody whose key was not compared is one to think about; the second is not, and groups are not.
    @Test @LoopActor func firstPrivateMessage_asksForAComparison() async throws {
        let open = try await OpenAgent()
        let key = MinisignKey(.generate()).publicKey.key
        try await open.roster(try TrustBookTests.roster(identities: ["bob": key]))
        var fields = DraftFields(recipients: "board", subject: "All", body: "Text")
        #expect(await warnings(open, fields) == [])
        fields.recipients = "bob"
        let words = "You have not compared keys with bob@node.test, and this is your first message to them."
        #expect(await warnings(open, fields, "d2") == [words])
        fields.sendsAnyway = true
        #expect(await warnings(open, fields, "d2") == [])
        fields.sendsAnyway = false
        #expect(await warnings(open, fields, "d3") == [])
        await open.close()
    }

    @Test func snippets_areWhatAMessageSaysItself() {
        func snippet(_ text: String) -> String { StoredSummary.snippet(of: text, charactersMax: 20) }
        #expect(snippet("Bob wrote:\n> Where?\n\nIn the shed.\n-- \nAlice") == "In the shed.")
        #expect(snippet("See below:\n\ntext") == "See below: text")
        #expect(snippet("> only a quote") == "> only a quote")
        #expect(snippet("A line that is much longer") == "A line that is much ")
        #expect(snippet("") == "")
    }
}

@Suite(.timeLimit(.minutes(5))) struct UnsendTests {
    private static let fields = DraftFields(
        recipients: "bob", subject: "Plan", body: "The text.",
        uploads: [HTTPUpload(field: "file", fileName: "plan.txt", contentType: "text/plain", bytes: [1, 2, 3])])

    @LoopActor private func sent(_ open: OpenAgent) async throws -> String {
        let outcome = await open.page.send(draft: "d1", Self.fields)
        guard case .queued(_, let undo?) = outcome else {
            Issue.record("\(outcome)")
            return ""
        }
        #expect(undo.seconds == 10)
        return undo.handle
    }

    /// F2: the message is a draft again, with its text and files, and nothing of it is left in store and outbox.
    @Test @LoopActor func takenBack_itIsTheDraftThatItWas() async throws {
        let open = try await OpenAgent(undoSend: "10s", time: ManualTime())
        let handle = try await sent(open)
        #expect(try await open.outbox() == 1)
        #expect(await open.page.list(.sent, cursor: nil)?.rows.count == 1)
        let outcome = await open.page.undo(handle)
        #expect(outcome == UndoOutcome("Taken back; nothing was sent.", draft: "d1"))
        #expect(try await open.outbox() == 0)
        #expect(await open.page.list(.sent, cursor: nil)?.rows.isEmpty == true)
        let draft = try #require(await open.page.draft("d1"))
        #expect(draft.fields.body == "The text." && draft.attachments.map(\.name) == ["plan.txt"])
        #expect(await open.page.undo(handle).draft == nil)
        // It can be sent after all, as itself.
        var fields = draft.fields
        fields.subject = "Other plan"
        guard case .queued = await open.page.send(draft: "d1", fields) else {
            Issue.record("not sent again")
            return
        }
        #expect(await open.page.list(.sent, cursor: nil)?.rows.map(\.subject) == ["Other plan"])
        await open.close()
    }

    @Test @LoopActor func afterTheLock_itCannotBeTakenBack_andIsInTheOutbox() async throws {
        let open = try await OpenAgent(undoSend: "10s", time: ManualTime())
        let handle = try await sent(open)
        open.agent.lock()
        try await open.agent.unlock(passphrase: OpenAgent.passphrase)
        #expect(await open.page.undo(handle).draft == nil)
        #expect(try await open.outbox() == 1)
        #expect(await open.page.list(.drafts, cursor: nil)?.rows.isEmpty == true)
        await open.close()
    }

    /// What the node has, or has refused, cannot be taken back; nothing of the draft is kept for it.
    @Test(arguments: [OutcomeFlags.accepted, OutcomeFlags.refused]) @LoopActor
    func whatHasGoneOut_isKeptNoLongerAsADraft(_ outcome: UInt16) async throws {
        let open = try await OpenAgent(undoSend: "10s", time: ManualTime())
        _ = try await sent(open)
        let item = try #require(try open.agent.opened().store.items[Agent.messageID(ofDraft: "d1")])
        await open.agent.outcomeCame()
        #expect(open.agent.unsent.count == 1, "as long as it waits")
        _ = try await open.agent.spool.commit(
            SpoolTransaction(appends: [.record(mailbox: AgentMailbox.outcomes, tag: item.tag, flags: outcome, body: [])]))
        await open.agent.outcomeCame()
        #expect(open.agent.unsent.isEmpty)
        await open.close()
    }

    /// A crash between the steps leaves a message that goes out, or a draft; never both, never none.
    @Test @LoopActor func crashAtEachStep_leavesTheMessageOrTheDraft() async throws {
        // As the records are after the draft was written, after the submission went, after the message went.
        for step in 0..<3 {
            let open = try await OpenAgent(undoSend: "10s", time: ManualTime())
            _ = try await sent(open)
            let agent = open.agent
            let id = Agent.messageID(ofDraft: "d1")
            let unsent = try #require(agent.unsent[id])
            let item = try #require(try agent.opened().store.items[id])
            let keys = try agent.opened().keys
            let seal = StoreSeal(key: keys.storeKey, random: agent.services.random)
            let body = try seal.seal(unsent.draft, mailbox: AgentMailbox.drafts, tag: .named("d1"))
            let erased = Array([unsent.record, item.messageRecord].prefix(step))
            _ = try await agent.spool.commit(
                SpoolTransaction(
                    appends: [.record(mailbox: AgentMailbox.drafts, tag: .named("d1"), flags: 0, body: body)], erasures: erased))
            agent.lock()
            try await agent.unlock(passphrase: OpenAgent.passphrase)
            let hasMessage = try agent.opened().store.items[id] != nil
            let hasDraft = try agent.opened().drafts.drafts["d1"] != nil
            #expect([hasMessage, hasDraft] == (step == 0 ? [true, false] : [false, true]), "step \(step)")
            #expect(try await open.outbox() == (step == 0 ? 1 : 0))
            #expect(try await agent.spool.entries(in: AgentMailbox.messages).count == (step == 0 ? 1 : 0))
            await open.close()
        }
    }

    @Test @LoopActor func forwarding_takesTextAndFiles() async throws {
        let open = try await OpenAgent()
        let text =
            "From: Bob <bob@node.test>\r\nTo: alice@node.test\r\nSubject: Plan\r\nMessage-ID: <p@node.test>\r\nMIME-Version: 1.0\r\n"
            + "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
            + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nLook.\r\n--b\r\nContent-Type: text/csv\r\n"
            + "Content-Disposition: attachment; filename=plan.csv\r\n\r\n1;2\r\n--b--\r\n"
        try await open.deliver(Array(text.utf8))
        let message = try #require(try open.agent.opened().store.order.first)
        let id = try #require(await open.page.newDraft(forwarding: message))
        let draft = try #require(await open.page.draft(id))
        #expect(draft.fields.subject == "Fwd: Plan" && draft.fields.recipients.isEmpty)
        #expect(draft.fields.body.contains("From: Bob <bob@node.test>") && draft.fields.body.contains("Look."))
        #expect(draft.attachments.map(\.name) == ["plan.csv"] && draft.attachments.map(\.size) == [3])
        #expect(await open.page.newDraft(forwarding: "unknown") == nil)
        await open.close()
    }
}
