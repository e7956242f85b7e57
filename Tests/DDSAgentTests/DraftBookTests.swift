import DDSCore
import DDSLoop
import DDSSeal
import DDSSpool
import DDSTestKit
import Testing

@testable import DDSAgent

@Suite struct DraftBookTests {
    @Test @LoopActor func savesThatOverlap_leaveOneRecordWithBothChanges() async throws {
        let fixture = try AgentFixture()
        let book = try await fixture.book()
        fixture.spool.memory.hold()
        async let first = book.save("d1") { $0.attachments.append(.init(id: "a", name: "plan.pdf", type: "application/pdf", content: [1, 2])) }
        await fixture.spool.memory.waitUntilHeld()
        async let second = book.save("d1") { $0.body = "Text" }
        await turns()
        fixture.spool.memory.release()
        #expect(try await first)
        #expect(try await second)
        #expect(try await fixture.spool.count(AgentMailbox.drafts) == 1)
        let draft = try #require(try await fixture.book().drafts["d1"])
        #expect(draft.body == "Text")
        #expect(draft.attachments.map(\.name) == ["plan.pdf"])
    }

    @Test @LoopActor func twoRecordsOfOneDraft_newestWinsAndTheOlderGoes() async throws {
        let fixture = try AgentFixture()
        let book = try await fixture.book()
        _ = try await book.save("d1") { $0.body = "old" }
        fixture.spool.cutNext()
        await #expect(throws: SpoolError.self) { try await book.save("d1") { $0.body = "new" } }
        // What the disk did not take is not lost from the screen.
        #expect(book.drafts["d1"]?.body == "new")
        #expect(try await fixture.spool.count(AgentMailbox.drafts) == 2)
        let reopened = try await fixture.book()
        #expect(reopened.drafts["d1"]?.body == "new")
        #expect(try await fixture.spool.count(AgentMailbox.drafts) == 1)
    }

    @Test @LoopActor func sentDraft_takesNoMoreChanges() async throws {
        let fixture = try AgentFixture()
        let book = try await fixture.book()
        _ = try await book.save("d1") { $0.body = "text" }
        book.sent("d1", as: "message")
        #expect(try await book.save("d1") { $0.body = "autosave that came late" } == false)
        #expect(book.open.isEmpty)
    }

    @Test @LoopActor func draftWhoseMessageIsInTheStore_isGoneAtTheNextUnlock() async throws {
        let fixture = try AgentFixture()
        _ = try await fixture.book().save("d1") { $0.body = "sent before the crash" }
        let book = try await fixture.book(isSent: { $0 == "d1" })
        #expect(book.drafts.isEmpty)
        #expect(try await fixture.spool.count(AgentMailbox.drafts) == 0)
    }

    @Test @LoopActor func formThatCameWhileLocked_isOfferedWithWhatTheDraftHad() async throws {
        let fixture = try AgentFixture()
        _ = try await fixture.book().save("d1") {
            $0.repliesTo = "m1"
            $0.attachments = [.init(id: "a", name: "plan.pdf", type: "application/pdf", content: [1])]
        }
        try await DraftBook.shelter(
            Draft(id: "d1", recipients: "bob", subject: "Late", body: "MARKER"), recipient: fixture.keys.mailbox.recipient,
            spool: fixture.spool, random: fixture.random)
        let entry = try #require(try await fixture.spool.entries(in: AgentMailbox.sheltered).first)
        let bytes = try await fixture.spool.read(entry.uid, offset: 0, count: .max)
        #expect(!String(decoding: bytes, as: UTF8.self).contains("MARKER"))
        let book = try await fixture.book()
        let draft = try #require(book.drafts["d1"])
        #expect(draft.body == "MARKER")
        #expect(draft.repliesTo == "m1")
        #expect(draft.attachments.count == 1)
        #expect(try await fixture.spool.count(AgentMailbox.sheltered) == 0)
    }

    @Test @LoopActor func damagedDraft_isCountedAndHidesNoOther() async throws {
        let fixture = try AgentFixture()
        let book = try await fixture.book()
        _ = try await book.save("d1") { $0.body = "spoiled" }
        _ = try await book.save("d2") { $0.body = "good" }
        fixture.spool.memory.damage(try #require(book.record(of: "d1")))
        let reopened = try await fixture.book()
        #expect(reopened.drafts.keys.sorted() == ["d2"])
        #expect(reopened.unreadable == 1)
    }
}
