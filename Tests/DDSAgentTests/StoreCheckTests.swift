import DDSCore
import DDSLoop
import DDSSeal
import DDSSpool
import DDSTestKit
import Testing

@testable import DDSAgent

@Suite struct StoreCheckTests {
    @LoopActor private func check(_ fixture: AgentFixture, withKeys: Bool = true) async throws -> StoreReport {
        try await StoreCheck(
            spool: fixture.spool, gate: fixture.gate, keys: withKeys ? fixture.keys : nil, random: fixture.random
        ).run()
    }

    /// Two messages, a draft, a queued submission.
    @LoopActor private func filled() async throws -> AgentFixture {
        let fixture = try AgentFixture()
        try await fixture.deliver(mail(subject: "One"))
        try await fixture.deliver(mail(subject: "Two"))
        let store = try await fixture.store()
        try await store.importFetched()
        _ = try await fixture.book().save("draft00000001") { $0.subject = "S" }
        let queued = QueuedSubmission(
            messageTag: .named("x"), sender: fixture.account.address, recipients: [fixture.account.address], message: [1, 2, 3])
        _ = try await fixture.spool.commit(SpoolTransaction(appends: [Outbox.record(queued)]))
        return fixture
    }

    @Test @LoopActor func soundStore_hasNoDamage() async throws {
        let fixture = try await filled()
        let report = try await check(fixture)
        #expect(report.damage.isEmpty)
        #expect(report.records == 6)
        #expect(report.opened == 5)
        #expect(report.hasKeys)
        let outer = try await check(fixture, withKeys: false)
        #expect(outer.damage.isEmpty && outer.records == 6 && outer.opened == 0 && !outer.hasKeys)
    }

    @Test(arguments: [AgentMailbox.messages, AgentMailbox.summaries, AgentMailbox.drafts, AgentMailbox.outbox])
    @LoopActor func recordThatCannotBeRead_isNamed(mailbox: MailboxID) async throws {
        let fixture = try await filled()
        let entry = try #require(try await fixture.spool.entries(in: mailbox).first)
        fixture.spool.memory.damage(entry.uid)
        for withKeys in [true, false] {
            let report = try await check(fixture, withKeys: withKeys)
            #expect(report.damage.count == 1)
            #expect(report.damage.first?.hasPrefix("record \(entry.uid.rawValue) of \(AgentMailbox.words(mailbox)): ") == true)
            #expect(report.records == 5)
        }
    }

    @Test(arguments: [
        AgentMailbox.messages, AgentMailbox.summaries, AgentMailbox.drafts, AgentMailbox.sheltered, AgentMailbox.outbox,
    ])
    @LoopActor func recordThatDoesNotOpen_isNamed(mailbox: MailboxID) async throws {
        let fixture = try await filled()
        let tag = try await fixture.spool.entries(in: AgentMailbox.messages).first?.tag ?? .none
        _ = try await fixture.spool.commit(
            SpoolTransaction(appends: [.record(mailbox: mailbox, tag: tag, flags: 0, body: [UInt8](repeating: 7, count: 64))]))
        #expect(try await check(fixture).damage.filter { $0.hasSuffix("does not open") }.count == 1)
        let sealed = mailbox != AgentMailbox.outbox
        #expect(try await check(fixture, withKeys: false).damage.isEmpty == sealed)
    }

    @Test @LoopActor func halfAMessage_isNamed() async throws {
        let fixture = try await filled()
        let summary = try #require(try await fixture.spool.entries(in: AgentMailbox.summaries).first)
        _ = try await fixture.spool.commit(SpoolTransaction(erasures: [summary.uid]))
        #expect(try await check(fixture, withKeys: false).damage.first?.contains("listed nowhere") == true)
        let other = try await filled()
        let message = try #require(try await other.spool.entries(in: AgentMailbox.messages).first)
        _ = try await other.spool.commit(SpoolTransaction(erasures: [message.uid]))
        #expect(try await check(other, withKeys: false).damage.first?.contains("lost its message") == true)
    }

    @Test @LoopActor func changesMeanwhile_areNoDamage() async throws {
        let fixture = try await filled()
        await fixture.gate.enter()
        // Whoever holds the gate may be half way through a change.
        let summary = try #require(try await fixture.spool.entries(in: AgentMailbox.summaries).first)
        _ = try await fixture.spool.commit(SpoolTransaction(erasures: [summary.uid]))
        async let report = check(fixture)
        await turns()
        let message = try #require(try await fixture.spool.entries(in: AgentMailbox.messages).first)
        _ = try await fixture.spool.commit(SpoolTransaction(erasures: [message.uid]))
        fixture.gate.leave()
        #expect(try await report.damage.isEmpty)
    }

    // MARK: Import

    @Test @LoopActor func importedTwice_isThereOnce_andTwinsStayTwo() async throws {
        let fixture = try AgentFixture()
        let store = try await fixture.store()
        let message = mail(subject: "Old", id: "one")
        func add(_ occurrence: Int, own: Bool = false) async throws -> Bool {
            try await store.add(
                message, sendState: own ? .sent : nil, isUnread: true, received: WallTime(milliseconds: 5000),
                occurrence: occurrence) != nil
        }
        #expect(try await add(1))
        #expect(try await !add(1))
        #expect(try await add(2))
        #expect(try await !add(1))
        #expect(try await !add(2))
        #expect(try await add(1, own: true))
        #expect(try await !add(1, own: true))
        #expect(store.summaries.map(\.isOwn) == [false, false, true])
        #expect(store.summaries.map(\.isUnread) == [true, true, true])
        #expect(store.summaries.map(\.received) == [5000, 5000, 5000])
        #expect(try await fixture.store().summaries == store.summaries)
    }

    @Test @LoopActor func importOfWhatWasFetched_doublesNothing() async throws {
        let fixture = try AgentFixture()
        let message = mail(subject: "Fetched", id: "two")
        try await fixture.deliver(message)
        let store = try await fixture.store()
        try await store.importFetched()
        #expect(
            try await store.add(message, sendState: nil, isUnread: false, received: fixture.time.wall, occurrence: 1) == nil)
        var similar = message
        similar[similar.count - 3] ^= 1
        #expect(
            try await store.add(similar, sendState: nil, isUnread: false, received: fixture.time.wall, occurrence: 1) != nil)
        #expect(store.order.count == 2)
    }
}
