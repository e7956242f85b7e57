// What is thrown away is in the trash and in no other list, comes back by restoring and by undoing, and is erased only when
// somebody says so twice.

import DDSCore
import DDSHTTP
import DDSLoop
import DDSNode
import DDSSpool
import DDSTestKit
import Testing

@testable import DDSAgent

@Suite(.timeLimit(.minutes(5))) struct TrashTests {
    @LoopActor private func subjects(_ open: OpenAgent, _ folder: FolderReference) async -> [String] {
        await open.page.list(folder, cursor: nil)?.rows.map(\.subject) ?? ["no such folder"]
    }

    @LoopActor private func found(_ open: OpenAgent, _ text: String) async throws -> [String] {
        open.agent.openSearch()
        await open.agent.search.settled()
        let handle = try #require(await open.page.search(text))
        return try #require(await open.page.results(handle, cursor: nil)).rows.map(\.row.subject)
    }

    @Test @LoopActor func trashed_isInNoListButTheTrash() async throws {
        let open = try await OpenAgent()
        for subject in ["One", "Two"] { try await open.deliver(mail(subject: subject, body: "quetzal\r\n")) }
        let store = try open.agent.opened().store
        _ = await open.page.act(.star, on: store.order)
        let done = await open.page.act(.trash, on: [store.order[0]])
        #expect(done.words == "Thread moved to the trash.")
        for folder in [FolderReference.inbox, .all, .starred, .privateMail] {
            #expect(await subjects(open, folder) == ["Two"], "\(folder)")
        }
        #expect(await subjects(open, .archive).isEmpty)
        #expect(await subjects(open, .trash) == ["One"])
        #expect(await open.page.frame().allUnread == 1 && store.unreadCount == 1)
        #expect(try await found(open, "quetzal") == ["Two"])
        #expect(try await found(open, "in:trash quetzal") == ["One"])
        #expect(try await found(open, "is:unread") == ["Two"])
        // It can be read there, and what is beside it is in the trash too.
        let thread = try #require(await open.page.thread(store.order[0], .here))
        #expect(thread.isTrashed && thread.newer == nil && thread.older == nil)
        // It is on the disk.
        open.agent.lock()
        try await open.agent.unlock(passphrase: OpenAgent.passphrase)
        open.page.desk.storeChanged()
        #expect(await subjects(open, .trash) == ["One"])
        _ = await open.page.act(.restore, on: [try open.agent.opened().store.order[0]])
        #expect(await subjects(open, .inbox) == ["Two", "One"])
        #expect(await subjects(open, .trash).isEmpty)
        await open.close()
    }

    @Test @LoopActor func partOfAThread_leavesTheRest_andUndoBringsItBack() async throws {
        let open = try await OpenAgent()
        for (number, before) in [("1", nil), ("2", "1"), ("3", "1")] as [(String, String?)] {
            try await open.deliver(mail(subject: "Camp \(number)", id: number, inReplyTo: before))
        }
        let store = try open.agent.opened().store
        let order = store.order
        try await store.trash([order[0]])
        open.page.desk.storeChanged()
        let rest = try #require(await open.page.list(.inbox, cursor: nil)?.rows)
        #expect(rest.map(\.id) == [order[1]] && rest[0].messageCount == 2)
        #expect(await open.page.thread(order[1], .whole)?.messages.map(\.id) == [order[1], order[2]])
        #expect(await open.page.thread(order[0], .whole)?.messages.map(\.id) == [order[0]])
        let done = await open.page.act(.trash, on: [order[1]])
        #expect(await subjects(open, .inbox).isEmpty)
        #expect(await open.page.list(.trash, cursor: nil)?.rows.map(\.messageCount) == [3])
        #expect(await open.page.undo(try #require(done.undo)).words == "Taken back.")
        #expect(await open.page.list(.inbox, cursor: nil)?.rows.map(\.messageCount) == [2])
        // What comes later is new in the inbox, and does not bring back what was thrown away.
        _ = await open.page.act(.trash, on: [order[1]])
        try await open.deliver(mail(subject: "Camp 4", id: "4", inReplyTo: "1"))
        #expect(await subjects(open, .inbox) == ["Camp 4"])
        await open.close()
    }

    @Test @LoopActor func whatWaitsToBeSent_isNotThrownAway() async throws {
        let open = try await OpenAgent(undoSend: "10s", time: ManualTime())
        _ = await open.page.send(draft: "d1", DraftFields(recipients: "bob", subject: "Plan", body: "Text"))
        let store = try open.agent.opened().store
        _ = await open.page.act(.trash, on: store.order)
        #expect(await subjects(open, .sent) == ["Plan"] && store.summaries.map(\.folder) == [.outbox])
        await open.close()
    }

    @Test @LoopActor func emptyTrash_erasesJustThat() async throws {
        let open = try await OpenAgent()
        for subject in ["One", "Two", "Three"] { try await open.deliver(mail(subject: subject)) }
        let store = try open.agent.opened().store
        #expect(await open.page.emptyTrash() == "The trash is empty.")
        _ = await open.page.act(.trash, on: Array(store.order[..<2]))
        #expect(await open.page.emptyTrash() == "2 messages erased for ever.")
        #expect(store.summaries.map(\.subject) == ["Three"])
        #expect(try await open.agent.spool.entries(in: AgentMailbox.messages).count == 1)
        await open.close()
    }

    @Test @LoopActor func page_asksBeforeItEmpties() async throws {
        let browser = Browser()
        await browser.signIn()
        browser.backend.lists[.trash] = ThreadListModel(
            rows: try #require(browser.backend.lists[.inbox]).rows, total: 2)
        let list = await browser.get("/b").text
        #expect(list.contains("href=\"/b/empty\"") && list.contains("value=\"restore\"") && !list.contains("value=\"archive\""))
        #expect(await browser.get("/").text.contains("data-key=\"#\""))
        let asked = await browser.get("/b/empty").text
        #expect(asked.contains("2 threads") && asked.contains("Erase for ever") && !browser.backend.calls.contains("empty"))
        let done = await browser.post("/b/empty", [HTTPField("action", "empty")])
        #expect(done.status == 303 && browser.backend.calls.contains("empty"))
        browser.backend.lists[.trash] = ThreadListModel(rows: [], total: 0)
        #expect(await browser.get("/b/empty").status == 303)
        _ = await browser.post(
            "/do", [HTTPField("action", "trash"), HTTPField("id", "tbudget"), HTTPField("list", "/")])
        #expect(browser.backend.calls.contains("trash tbudget"))
    }
}
