import DDSCore
import DDSLoop
import DDSSeal
import DDSSpool
import DDSTestKit
import Testing

@testable import DDSAgent

@Suite struct MessageStoreTests {
    @Test @LoopActor func import_movesEachMessageOnce() async throws {
        let fixture = try AgentFixture()
        try await fixture.deliver(mail(subject: "One"))
        try await fixture.deliver(mail(to: "board@node.test", subject: "Two"), group: "board")
        let store = try await fixture.store()
        #expect(try await store.importFetched() == 2)
        #expect(store.summaries.map(\.subject) == ["One", "Two"])
        #expect(store.summaries.map(\.group) == [nil, "board"])
        #expect(store.unreadCount == 2)
        #expect(try await fixture.spool.count(AgentMailbox.inbox) == 0)
        #expect(try await store.importFetched() == 0)
        let reopened = try await fixture.store()
        #expect(reopened.summaries == store.summaries)
        let id = try #require(reopened.order.first)
        #expect(try await reopened.message(id).map { String(decoding: $0, as: UTF8.self).contains("Subject: One") } == true)
    }

    @Test @LoopActor func groupNote_winsOverRecipients() async throws {
        let fixture = try AgentFixture()
        try await fixture.deliver(mail(to: "everyone@elsewhere.test", subject: "Plain"), group: "board")
        let store = try await fixture.store()
        try await store.importFetched()
        #expect(store.summaries.first?.group == "board")
    }

    @Test @LoopActor func crashBetweenStoringAndErasing_doublesNothing() async throws {
        let fixture = try AgentFixture()
        try await fixture.deliver(mail(subject: "Once"))
        let store = try await fixture.store()
        fixture.spool.cutNext()
        await #expect(throws: SpoolError.self) { try await store.importFetched() }
        #expect(store.order.isEmpty)
        #expect(try await fixture.spool.count(AgentMailbox.inbox) == 1)
        let second = try await fixture.store()
        #expect(try await second.importFetched() == 0)
        #expect(second.order.count == 1)
        #expect(try await fixture.spool.count(AgentMailbox.messages) == 1)
        #expect(try await fixture.spool.count(AgentMailbox.inbox) == 0)
    }

    @Test @LoopActor func removedBeforeACutImportIsTriedAgain_staysAway() async throws {
        let fixture = try AgentFixture()
        try await fixture.deliver(mail(subject: "Once"))
        try await fixture.deliver(mail(subject: "Later"))
        fixture.spool.cutNext()
        await #expect(throws: SpoolError.self) { try await fixture.store().importFetched() }
        let store = try await fixture.store()
        try await store.remove(store.order)
        #expect(try await store.importFetched() == 1)
        #expect(store.summaries.map(\.subject) == ["Later"])
        #expect(try await fixture.store().summaries == store.summaries)
        #expect(try await fixture.spool.count(AgentMailbox.inbox) == 0)
    }

    @Test @LoopActor func quarantinedMailWhoseRescueWasCut_isGoneWithItsMessage() async throws {
        let fixture = try AgentFixture()
        try await fixture.deliver(mail(subject: "Rescued"))
        let entry = try #require(try await fixture.spool.entries(in: AgentMailbox.inbox).first)
        let body = try await fixture.spool.read(entry.uid, offset: 0, count: .max)
        _ = try await fixture.spool.commit(
            SpoolTransaction(
                appends: [.record(mailbox: AgentMailbox.quarantine, tag: entry.tag, flags: 3, body: body)], erasures: [entry.uid]))
        fixture.spool.cutNext()
        await #expect(throws: SpoolError.self) { try await fixture.store().retryUnopened() }
        let store = try await fixture.store()
        #expect(store.unopened == 0)
        try await store.remove(store.order)
        #expect(try await store.retryUnopened() == 0)
        #expect(store.order.isEmpty)
    }

    /// Whatever of a removal has reached the disk: each message is there whole, or gone without a trace.
    @Test(arguments: 0..<2, 0..<3)
    @LoopActor func removalThatIsCut_leavesNoHalfMessage(commits: Int, erasures: Int) async throws {
        let fixture = try AgentFixture()
        for subject in ["One", "Two", "Three"] { try await fixture.deliver(mail(subject: subject)) }
        let store = try await fixture.store()
        try await store.importFetched()
        fixture.spool.cutNext(after: commits, erasures: erasures)
        await #expect(throws: SpoolError.self) { try await store.remove(Array(store.order[..<2])) }
        let reopened = try await fixture.store()
        let gone = commits == 0 ? erasures : 2
        #expect(reopened.summaries.map(\.subject) == Array(["One", "Two", "Three"][gone...]))
        for id in reopened.order { #expect(try await reopened.message(id) != nil) }
        let report = try await StoreCheck(spool: fixture.spool, gate: fixture.gate, keys: fixture.keys, random: fixture.random).run()
        #expect(report.damage.isEmpty && report.records == 2 * (3 - gone))
        #expect(try await reopened.importFetched() == 0)
    }

    @Test @LoopActor func failedCommit_showsNothingAndLosesNothing() async throws {
        let fixture = try AgentFixture()
        try await fixture.deliver(mail(subject: "Later"))
        let store = try await fixture.store()
        fixture.spool.memory.failNext(.full)
        await #expect(throws: SpoolError.full) { try await store.importFetched() }
        #expect(store.summaries.isEmpty)
        #expect(try await store.importFetched() == 1)
    }

    @Test @LoopActor func mailThatDoesNotOpen_isKeptAndTheRestGoesOn() async throws {
        let fixture = try AgentFixture()
        try await fixture.deliver(mail(subject: "Not mine"), to: AgeIdentity.generate(random: fixture.random).recipient)
        try await deliverWrapped(Array("From: nobody\r\n\r\nno seal\r\n".utf8), in: fixture.spool)
        let spoiled = try await fixture.deliver(mail(subject: "Spoiled"))
        fixture.spool.memory.damage(spoiled)
        try await fixture.deliver(mail(subject: "Good"))
        let store = try await fixture.store()
        #expect(try await store.importFetched() == 1)
        #expect(store.summaries.map(\.subject) == ["Good"])
        #expect(store.unopened == 3)
        #expect(try await store.importFetched() == 0)
        #expect(store.unopened == 3)
        #expect(try await fixture.spool.count(AgentMailbox.inbox) == 3)
    }

    @Test @LoopActor func importAskedForDuringAnother_returnsWhenAllIsThere() async throws {
        let fixture = try AgentFixture()
        try await fixture.deliver(mail(subject: "Busy"))
        let store = try await fixture.store()
        fixture.spool.memory.hold()
        async let first = store.importFetched()
        await fixture.spool.memory.waitUntilHeld()
        async let second = Self.orderAfterImport(store)
        await turns()
        fixture.spool.memory.release()
        #expect(try await second == 1)
        #expect(try await first == 1)
    }

    @LoopActor private static func orderAfterImport(_ store: MessageStore) async throws -> Int {
        try await store.importFetched()
        return store.order.count
    }

    @Test @LoopActor func storeOpenedAfterALock_seesWhatWasBeingWritten() async throws {
        let fixture = try AgentFixture()
        try await fixture.deliver(mail(subject: "Busy"))
        let first = try await fixture.store()
        fixture.spool.memory.hold()
        async let imported = first.importFetched()
        await fixture.spool.memory.waitUntilHeld()
        first.close()
        async let second = fixture.store()
        await turns()
        fixture.spool.memory.release()
        _ = try await imported
        let store = try await second
        #expect(store.order.count == 1)
        #expect(try await store.importFetched() == 0)
        #expect(try await fixture.spool.count(AgentMailbox.messages) == 1)
        #expect(first.summaries.isEmpty)
    }

    @Test @LoopActor func updatesThatOverlap_keepBothChanges() async throws {
        let fixture = try AgentFixture()
        try await fixture.deliver(mail(subject: "Both"))
        let store = try await fixture.store()
        try await store.importFetched()
        let id = try #require(store.order.first)
        fixture.spool.memory.hold()
        async let read: Void = store.update([id]) { $0.isUnread = false }
        await fixture.spool.memory.waitUntilHeld()
        async let noted: Void = store.update([id]) { $0.note = "a note" }
        await turns()
        fixture.spool.memory.release()
        _ = try await (read, noted)
        #expect(store.items[id]?.summary.isUnread == false)
        #expect(store.items[id]?.summary.note == "a note")
        #expect(try await fixture.spool.count(AgentMailbox.summaries) == 1)
        #expect(try await fixture.store().summaries == store.summaries)
    }

    @Test @LoopActor func failedUpdate_changesNothing() async throws {
        let fixture = try AgentFixture()
        try await fixture.deliver(mail(subject: "Unread"))
        let store = try await fixture.store()
        try await store.importFetched()
        fixture.spool.memory.failNext(.full)
        await #expect(throws: SpoolError.full) { try await store.update(store.order) { $0.isUnread = false } }
        #expect(store.unreadCount == 1)
    }

    @Test @LoopActor func unreadCount_followsReadingUnreadingAndRemoving() async throws {
        let fixture = try AgentFixture()
        for number in 1...3 { try await fixture.deliver(mail(subject: "Unread \(number)")) }
        let store = try await fixture.store()
        try await store.importFetched()
        let ids = store.order
        try await store.update([ids[0]]) { $0.isUnread = false }
        #expect(store.unreadCount == 2)
        try await store.update([ids[0]]) { $0.note = "other" }
        #expect(store.unreadCount == 2)
        try await store.remove([ids[0], ids[1]])
        #expect(store.unreadCount == 1)
        #expect(try await fixture.store().unreadCount == 1)
        store.close()
        #expect(store.unreadCount == 0)
    }

    @Test @LoopActor func summaryWrittenTwice_newestCountsAndTheOlderGoes() async throws {
        let fixture = try AgentFixture()
        try await fixture.deliver(mail(subject: "Twice"))
        let store = try await fixture.store()
        try await store.importFetched()
        fixture.spool.cutNext()
        await #expect(throws: SpoolError.self) { try await store.update(store.order) { $0.isUnread = false } }
        #expect(try await fixture.spool.count(AgentMailbox.summaries) == 2)
        let reopened = try await fixture.store()
        #expect(reopened.unreadCount == 0)
        #expect(try await fixture.spool.count(AgentMailbox.summaries) == 1)
    }

    @Test @LoopActor func damagedSummary_refusesToOpen() async throws {
        let fixture = try AgentFixture()
        try await fixture.deliver(mail(subject: "Spoiled"))
        let store = try await fixture.store()
        try await store.importFetched()
        let entry = try #require(try await fixture.spool.entries(in: AgentMailbox.summaries).first)
        fixture.spool.memory.damage(entry.uid)
        await #expect(throws: Failure.self) { try await fixture.store() }
    }

    @Test @LoopActor func outcomes_areAppliedOnceAndForgotten() async throws {
        let fixture = try AgentFixture()
        let store = try await fixture.store()
        let own = try store.intake.prepared(mail(subject: "Mine"), id: "own0000000001", sendState: .waiting, at: fixture.time.wall)
        store.added(own, records: try await fixture.spool.commit(SpoolTransaction(appends: own.appends))[...])
        _ = try await fixture.spool.commit(
            SpoolTransaction(appends: [
                .record(mailbox: AgentMailbox.outcomes, tag: own.tag, flags: OutcomeFlags.refused, body: Array("no such group".utf8)),
                .record(mailbox: AgentMailbox.outcomes, tag: .named("gone"), flags: OutcomeFlags.accepted, body: []),
            ]))
        async let again: Void = store.applyOutcomes()
        try await store.applyOutcomes()
        try await again
        #expect(store.items[own.summary.id]?.summary.sendState == .refused)
        #expect(store.items[own.summary.id]?.summary.note == "no such group")
        #expect(try await fixture.spool.count(AgentMailbox.outcomes) == 0)
    }

    @Test @LoopActor func storeBox_isBoundToItsPlace() throws {
        let seal = StoreSeal(key: .random(32), random: SystemRandom())
        let content: [UInt8] = [1, 2, 3]
        let sealed = seal.seal(content, mailbox: AgentMailbox.messages, tag: .named("a"))
        #expect(seal.open(sealed, mailbox: AgentMailbox.messages, tag: .named("a")) == content)
        #expect(seal.open(sealed, mailbox: AgentMailbox.summaries, tag: .named("a")) == nil)
        #expect(seal.open(sealed, mailbox: AgentMailbox.messages, tag: .named("b")) == nil)
        for index in sealed.indices {
            var broken = sealed
            broken[index] ^= 1
            #expect(seal.open(broken, mailbox: AgentMailbox.messages, tag: .named("a")) == nil)
        }
    }

    @Test @LoopActor func largeMessage_comesBackWhole() async throws {
        let fixture = try AgentFixture()
        let body = String(repeating: "A line of some length, again and again.\r\n", count: 20_000)
        let message = mail(subject: "Large", body: body)
        #expect(message.count > Heavy.octetsMax)
        try await fixture.deliver(message)
        let store = try await fixture.store()
        #expect(try await store.importFetched() == 1)
        let id = try #require(store.order.first)
        #expect(try await store.message(id) == message)
    }
}
