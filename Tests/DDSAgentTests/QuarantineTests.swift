import DDSCore
import DDSLoop
import DDSSeal
import DDSSpool
import DDSTestKit
import Testing

@testable import DDSAgent

/// Mail that does not open: kept, counted, tried again, set aside after the third try, and never in the way.
@Suite struct QuarantineTests {
    @LoopActor private func poison(_ fixture: AgentFixture) async throws -> [UInt8] {
        let bytes = Array("From: nobody\r\n\r\nno seal\r\n".utf8)
        try await deliverWrapped(bytes, in: fixture.spool)
        return bytes
    }

    @LoopActor private func unlocked(_ fixture: AgentFixture) async throws -> MessageStore {
        let store = try await fixture.store()
        try await store.importFetched()
        return store
    }

    @Test @LoopActor func thirdUnlock_setsItAside_andNothingIsEverDeleted() async throws {
        let fixture = try AgentFixture()
        let bytes = try await poison(fixture)
        for (unlocks, place) in [
            (1, AgentMailbox.inbox), (2, AgentMailbox.inbox), (3, AgentMailbox.quarantine), (4, AgentMailbox.quarantine),
        ] {
            let store = try await unlocked(fixture)
            #expect(store.unopened == 1)
            let entry = try #require(try await fixture.spool.entries(in: place).first, "after unlock \(unlocks)")
            #expect(entry.flags == UInt16(min(unlocks, 3)))
            #expect(try await fixture.spool.read(entry.uid, offset: 0, count: .max) == bytes)
            #expect(try await fixture.spool.count(AgentMailbox.inbox) + fixture.spool.count(AgentMailbox.quarantine) == 1)
        }
    }

    @Test @LoopActor func oneUnlock_isOneTry() async throws {
        let fixture = try AgentFixture()
        _ = try await poison(fixture)
        let store = try await unlocked(fixture)
        for _ in 0..<5 { try await store.importFetched() }
        #expect(try await fixture.spool.entries(in: AgentMailbox.inbox).map(\.flags) == [1])
        #expect(store.unopened == 1)
    }

    @Test @LoopActor func goodMailBehindIt_comesIn() async throws {
        let fixture = try AgentFixture()
        for _ in 0..<3 { _ = try await poison(fixture) }
        try await fixture.deliver(mail(subject: "Good"))
        for _ in 0..<3 {
            let store = try await unlocked(fixture)
            #expect(store.summaries.map(\.subject) == ["Good"])
            #expect(store.unopened == 3)
        }
    }

    @Test @LoopActor func retry_opensWhatCanBeOpenedNow() async throws {
        let fixture = try AgentFixture()
        let stranger = AgeIdentity.generate(random: fixture.random)
        try await fixture.deliver(mail(subject: "To another key"), to: stranger.recipient)
        for _ in 0..<3 { _ = try await unlocked(fixture) }
        #expect(try await fixture.spool.count(AgentMailbox.quarantine) == 1)
        let store = try await unlocked(fixture)
        #expect(try await store.retryUnopened() == 0)
        #expect(store.unopened == 1)
        // What could not be opened before is put back as mail to this key, as a restored key would make it.
        let entry = try #require(try await fixture.spool.entries(in: AgentMailbox.quarantine).first)
        let readable = try wrapped(
            mail(subject: "Readable"), group: nil, to: fixture.keys.mailbox.recipient, random: fixture.random)
        _ = try await fixture.spool.commit(
            SpoolTransaction(
                appends: [.record(mailbox: AgentMailbox.quarantine, tag: entry.tag, flags: 3, body: readable)],
                erasures: [entry.uid]))
        let second = try await unlocked(fixture)
        #expect(second.order.isEmpty)
        #expect(try await second.retryUnopened() == 1)
        #expect(second.summaries.map(\.subject) == ["Readable"])
        #expect(second.unopened == 0)
        #expect(try await fixture.spool.count(AgentMailbox.quarantine) == 0)
    }

    @Test(arguments: [1, 2, 3]) @LoopActor func crashWhileCounting_doublesNothing(at unlock: Int) async throws {
        let fixture = try AgentFixture()
        let bytes = try await poison(fixture)
        for number in 1...4 {
            let store = try await fixture.store()
            if number == unlock {
                fixture.spool.cutNext()
                await #expect(throws: SpoolError.self) { try await store.importFetched() }
            } else {
                try await store.importFetched()
                #expect(store.unopened == 1)
            }
        }
        let left = try await fixture.spool.entries(in: AgentMailbox.inbox) + fixture.spool.entries(in: AgentMailbox.quarantine)
        #expect(left.count == 1)
        #expect(left.first?.mailbox == AgentMailbox.quarantine)
        #expect(try await fixture.spool.read(try #require(left.first).uid, offset: 0, count: .max) == bytes)
    }

    /// A node that uses a name again, for another message, loses neither.
    @Test @LoopActor func sameNameWithOtherContent_isAnotherMessage() async throws {
        let fixture = try AgentFixture()
        for (flags, text) in [(2, "one poison"), (0, "two poison")] {
            _ = try await fixture.spool.commit(
                SpoolTransaction(appends: [
                    .record(mailbox: AgentMailbox.inbox, tag: .named("same"), flags: UInt16(flags), body: Array(text.utf8))
                ]))
        }
        let store = try await unlocked(fixture)
        #expect(store.unopened == 2)
        #expect(try await fixture.spool.count(AgentMailbox.inbox) + fixture.spool.count(AgentMailbox.quarantine) == 2)
    }

    @Test @LoopActor func fullDisk_leavesItWhereItIs_andTheRestGoesOn() async throws {
        let fixture = try AgentFixture()
        _ = try await poison(fixture)
        try await fixture.deliver(mail(subject: "Good"))
        let store = try await fixture.store()
        fixture.spool.memory.failNext(.full)
        #expect(try await store.importFetched() == 1)
        #expect(store.unopened == 1)
        #expect(try await fixture.spool.entries(in: AgentMailbox.inbox).map(\.flags) == [0])
    }

    @Test func words_countThem() {
        #expect(Agent.unopenedWords(0) == nil)
        #expect(Agent.unopenedWords(1) == "1 message could not be opened and is kept")
        #expect(Agent.unopenedWords(2) == "2 messages could not be opened and are kept")
    }
}
