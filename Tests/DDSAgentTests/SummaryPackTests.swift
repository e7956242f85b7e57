import DDSCore
import DDSLoop
import DDSSpool
import DDSTestKit
import Testing

@testable import DDSAgent

/// Packs save work and change nothing: whatever happens to them, the store shows what the summaries' own records say.
@Suite struct SummaryPackTests {
    /// A store with so many messages, and their packs.
    @LoopActor private func packed(_ count: Int, in fixture: AgentFixture) async throws -> MessageStore {
        let store = try await fixture.store()
        for number in 0..<count {
            let prepared = try store.intake.prepared(
                mail(subject: "Number \(number)", id: "m\(number)", body: "Marker\(number).\r\n"), id: "id\(number)", sendState: nil,
                at: WallTime(milliseconds: Int64(number)))
            store.added(prepared, records: try await fixture.spool.commit(SpoolTransaction(appends: prepared.appends))[...])
        }
        try await store.tidyPacks()
        return store
    }

    @LoopActor private func packs(_ fixture: AgentFixture) async throws -> Int { try await fixture.spool.count(AgentMailbox.packs) }

    @LoopActor private func subjects(_ fixture: AgentFixture) async throws -> [String] {
        try await fixture.store().summaries.map(\.subject)
    }

    @Test @LoopActor func packedStore_opensAsItWas() async throws {
        let fixture = try AgentFixture()
        let store = try await packed(1200, in: fixture)
        #expect(try await packs(fixture) == 2)
        let again = try await fixture.store()
        #expect(again.summaries == store.summaries && again.unreadCount == 1200)
        #expect(again.packs.worn.isEmpty, "nothing is written twice")
        #expect(again.items.chunks.map(\.count) == [1024, 176])
    }

    /// A pack is used: without the summaries' records it shows nothing, and with them it is what is shown.
    @Test @LoopActor func packedRow_isNotReadFromItsRecord() async throws {
        let fixture = try AgentFixture()
        _ = try await packed(40, in: fixture)
        let listing = try await StoreListing.read(fixture.spool)
        let selection = PackSelection(
            listing.packs.map {
                let seal = StoreSeal(key: fixture.keys.storeKey, random: fixture.random)
                return ($0.record, seal.open($0.sealed, mailbox: AgentMailbox.packs, tag: PackBook.tag).flatMap { SummaryPack($0) })
            }, messages: listing.messages, summaries: listing.summaries)
        #expect(selection.summaries.isEmpty && selection.leftovers.isEmpty && selection.parts.map(\.rows.count) == [40])
    }

    @Test @LoopActor func changedRows_comeFromTheirRecords() async throws {
        let fixture = try AgentFixture()
        let store = try await packed(100, in: fixture)
        try await store.update(Array(store.order[10..<20])) { $0.isUnread = false }
        try await store.update([store.order[50]]) { $0.note = "noted" }
        _ = try await store.add(
            mail(subject: "Late", id: "late"), sendState: nil, isUnread: true, received: WallTime(milliseconds: 1), occurrence: 1)
        let again = try await fixture.store()
        #expect(again.summaries == store.summaries && again.unreadCount == 91)
        #expect(try await packs(fixture) == 1)
    }

    @Test @LoopActor func wornPack_isWrittenAnew() async throws {
        let fixture = try AgentFixture()
        let store = try await packed(100, in: fixture)
        try await store.update(Array(store.order[..<PackBook.staleMax])) { $0.isUnread = false }
        #expect(store.packs.worn == [0])
        try await store.tidyPacks()
        #expect(try await packs(fixture) == 1 && store.packs.worn.isEmpty)
        let again = try await fixture.store()
        #expect(again.summaries == store.summaries && again.packs.worn.isEmpty)
    }

    @Test @LoopActor func removal_erasesThePackBeforeItIsReported() async throws {
        let fixture = try AgentFixture()
        let store = try await packed(50, in: fixture)
        try await store.remove([store.order[3]])
        #expect(try await packs(fixture) == 0 && store.packs.worn == [0])
        try await store.tidyPacks()
        #expect(try await packs(fixture) == 1)
    }

    /// What is removed is in no pack from then on, also when a stop comes in between.
    @Test @LoopActor func removal_leavesNothingInPacks() async throws {
        for commits in 0...2 {
            for erasures in 0...4 {
                let fixture = try AgentFixture()
                let store = try await packed(50, in: fixture)
                let gone = Array(store.order[3..<5])
                fixture.spool.cutNext(after: commits, erasures: erasures)
                try? await store.remove(gone)
                let place: Comment = "commit \(commits), erasure \(erasures)"
                // A second unlock, since the first may be the one that cleans up.
                _ = try? await fixture.store()
                let again = try await fixture.store()
                let left = Set(again.order)
                #expect(left.isSuperset(of: store.order.filter { !gone.contains($0) }), place)
                // The cut may still be to come.
                try? await again.tidyPacks()
                try await again.tidyPacks()
                let seal = StoreSeal(key: fixture.keys.storeKey, random: fixture.random)
                for (_, sealed) in try await StoreListing.read(fixture.spool).packs {
                    let bytes = try #require(seal.open(sealed, mailbox: AgentMailbox.packs, tag: PackBook.tag))
                    let text = String(decoding: bytes, as: UTF8.self)
                    for (number, id) in zip([3, 4], gone) where !left.contains(id) {
                        #expect(!text.contains("Marker\(number)."), place)
                    }
                }
            }
        }
    }

    @Test @LoopActor func crashWhileAPackIsWritten_losesAndDoublesNothing() async throws {
        for erasures in 0...1 {
            let fixture = try AgentFixture()
            let store = try await packed(60, in: fixture)
            try await store.update(Array(store.order[..<40])) { $0.isUnread = false }
            fixture.spool.cutNext(erasures: erasures)
            await #expect(throws: SpoolError.self) { try await store.tidyPacks() }
            let again = try await fixture.store()
            #expect(again.summaries == store.summaries)
            #expect(try await packs(fixture) == 1, "of two of the same rows the newer stays")
        }
    }

    @Test @LoopActor func crashBetweenTwoSummariesOfAPackedMessage_keepsTheNewer() async throws {
        let fixture = try AgentFixture()
        let store = try await packed(40, in: fixture)
        let id = store.order[7]
        fixture.spool.cutNext()
        await #expect(throws: SpoolError.self) { try await store.update([id]) { $0.isUnread = false } }
        #expect(try await fixture.spool.count(AgentMailbox.summaries) == 41)
        let again = try await fixture.store()
        #expect(again.summaries.count == 40 && again.items[id]?.summary.isUnread == false)
        #expect(try await fixture.spool.count(AgentMailbox.summaries) == 40)
    }

    @Test @LoopActor func damagedOrForeignPack_isMadeAnew() async throws {
        let fixture = try AgentFixture()
        let store = try await packed(40, in: fixture)
        let old = try #require(try await fixture.spool.entries(in: AgentMailbox.packs).first)
        let seal = StoreSeal(key: fixture.keys.storeKey, random: fixture.random)
        var later = SummaryPack.bytes(store.items.chunks[0])
        later[0] += 1
        for body in [[], [UInt8](repeating: 7, count: 300), seal.seal(later, mailbox: AgentMailbox.packs, tag: PackBook.tag)] {
            let records = try await fixture.spool.commit(
                SpoolTransaction(
                    appends: [.record(mailbox: AgentMailbox.packs, tag: PackBook.tag, flags: 0, body: body)],
                    erasures: try await fixture.spool.entries(in: AgentMailbox.packs).map(\.uid)))
            let again = try await fixture.store()
            #expect(again.summaries == store.summaries)
            try await again.tidyPacks()
            let now = try await fixture.spool.entries(in: AgentMailbox.packs).map(\.uid)
            #expect(now.count == 1 && now != records && now != [old.uid])
        }
    }

    /// Rows whose packs are gone come back in their places.
    @Test @LoopActor func missingPackInTheMiddle_keepsTheOrder() async throws {
        let fixture = try AgentFixture()
        let store = try await packed(2100, in: fixture)
        let middle = try await fixture.spool.entries(in: AgentMailbox.packs)[1]
        _ = try await fixture.spool.commit(SpoolTransaction(erasures: [middle.uid]))
        let again = try await fixture.store()
        #expect(again.summaries == store.summaries)
        try await again.tidyPacks()
        #expect(try await packs(fixture) == 3)
        #expect(try await subjects(fixture) == store.summaries.map(\.subject))
    }
}
