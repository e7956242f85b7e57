import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import Testing

@testable import DDSAgent

@Suite struct HeadWatchTests {
    private static let wall = WallTime(milliseconds: 1_795_000_000_000)

    private func head(_ counter: UInt64, store: UInt8 = 1) -> NodeHead {
        NodeHead(uuid: [UInt8](repeating: store, count: 16), counter: counter)
    }

    @Test func storeThatMovesOn_isNoIncident() {
        var watch = HeadWatch()
        for counter: UInt64 in [0, 0, 1, 5, 5, .max] { #expect(watch.take(head(counter), at: Self.wall) == nil) }
        #expect(watch.incident == nil)
    }

    @Test func storeThatWentBack_isRememberedUntilAccepted() {
        var watch = HeadWatch()
        watch.take(head(10), at: Self.wall)
        #expect(watch.take(head(9), at: Self.wall) == .setBack(from: 10, to: 9))
        // As long as it is behind, each session hears of it.
        #expect(watch.take(head(9), at: Self.wall) == .setBack(from: 10, to: 9))
        // It may grow past what was seen: what happened stays.
        #expect(watch.take(head(12), at: Self.wall) == nil)
        #expect(watch.incident?.what == .setBack(from: 10, to: 9))
        watch.accept()
        #expect(watch.incident == nil)
        #expect(watch.take(head(11), at: Self.wall) == .setBack(from: 12, to: 11))
    }

    @Test func accepting_countsFromWhatTheNodeHasNow() {
        var watch = HeadWatch()
        watch.take(head(10), at: Self.wall)
        watch.take(head(3), at: Self.wall)
        watch.accept()
        #expect(watch.take(head(3), at: Self.wall) == nil)
        #expect(watch.take(head(2), at: Self.wall) == .setBack(from: 3, to: 2))
    }

    @Test func otherStore_isAReplacement_andTheFormerOneIsNotForgotten() {
        var watch = HeadWatch()
        watch.take(head(10), at: Self.wall)
        #expect(watch.take(head(100, store: 2), at: Self.wall) == .replaced)
        #expect(watch.take(head(100, store: 2), at: Self.wall) == nil)
        #expect(watch.take(head(9), at: Self.wall) == .setBack(from: 10, to: 9))
        #expect(watch.incident?.what == .replaced)
    }

    @Test func storesAreBounded_andTheCurrentOneStays() {
        var watch = HeadWatch()
        for store in 1...100 { watch.take(head(UInt64(store), store: UInt8(store)), at: Self.wall) }
        #expect(watch.stores.count == HeadWatch.storesMax)
        #expect(watch.stores.last?.uuid == [UInt8](repeating: 100, count: 16))
    }

    @Test func json_readsBack() throws {
        var watch = HeadWatch()
        #expect(HeadWatch(json: watch.json) == watch)
        watch.take(head(.max), at: Self.wall)
        watch.take(head(1), at: Self.wall)
        #expect(HeadWatch(json: watch.json) == watch)
        watch = HeadWatch()
        watch.take(head(1), at: Self.wall)
        watch.take(head(1, store: 2), at: Self.wall)
        let line = watch.json.line
        #expect(JSONValue(parsing: line).flatMap { HeadWatch(json: $0) } == watch)
        for bad in [
            "{}", "[]", #"{"stores":[{"uuid":"00","highest":"1","latest":"1"}]}"#, #"{"stores":[],"incident":"burnt"}"#,
        ] {
            #expect(JSONValue(parsing: Array(bad.utf8)).flatMap { HeadWatch(json: $0) } == nil, "\(bad)")
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct NodeWatchTests {
    private static let uuid = [UInt8](repeating: 5, count: 16)
    private let key = SigningKey.generate()

    @LoopActor private func watch(
        _ fixture: AgentFixture, identity: [UInt8]?, pin: @escaping @LoopActor ([UInt8]) throws(Failure) -> Void = { _ in }
    ) async throws -> NodeWatch {
        let watch = NodeWatch(
            spool: fixture.spool, services: try testServices(time: fixture.time), member: fixture.account.address,
            identity: identity,
            pin: pin)
        try await watch.load()
        return watch
    }

    @LoopActor private func words(_ counter: UInt64, _ fixture: AgentFixture) -> String {
        NodeHead(uuid: Self.uuid, counter: counter).words(for: fixture.account.address, signedBy: key)
    }

    private var announced: [String] { ["XDDS-HEAD", IdentityAnnouncement.capability(key.publicKey)] }

    @Test @LoopActor func headThatWentBack_isToldAlsoAfterARestart() async throws {
        let fixture = try AgentFixture()
        let first = try await watch(fixture, identity: key.publicKey)
        first.heard(capabilities: announced)
        first.heard(head: words(20, fixture))
        #expect(first.problems.isEmpty)
        await first.written()
        let second = try await watch(fixture, identity: key.publicKey)
        second.heard(head: words(19, fixture))
        #expect(second.problems.count == 1)
        #expect(second.problems.first?.contains("set back (from 20 to 19)") == true)
        await second.written()
        let third = try await watch(fixture, identity: key.publicKey)
        third.heard(head: words(30, fixture))
        #expect(third.problems.first?.contains("set back") == true)
        await third.accept()
        #expect(third.problems.isEmpty)
        #expect(try await watch(fixture, identity: key.publicKey).problems.isEmpty)
        #expect(try await fixture.spool.count(AgentMailbox.heads) == 1)
    }

    /// Whoever stops an agent waits here, in whatever turn the last writing ends.
    @Test @LoopActor func whoWaitsForAWriting_isTold_alsoWhenItEndsJustThen() async throws {
        let fixture = try AgentFixture()
        let watch = try await watch(fixture, identity: key.publicKey)
        for number in 0..<24 as Range<UInt64> {
            fixture.spool.memory.hold()
            watch.heard(head: words(number + 1, fixture))
            await fixture.spool.memory.waitUntilHeld()
            // Each begins some turns later than the one before, and the writing ends among them.
            let waiters = (0..<12).map { turns in
                Task { @LoopActor in
                    for _ in 0..<turns { await Task.yield() }
                    await watch.written()
                }
            }
            for _ in 0..<number % 12 { await Task.yield() }
            fixture.spool.memory.release()
            for waiter in waiters { await waiter.value }
            #expect(try await fixture.spool.count(AgentMailbox.heads) == 1)
        }
    }

    @Test @LoopActor func firstContact_pinsTheKey_andNoOtherAfterIt() async throws {
        let fixture = try AgentFixture()
        var pinned: [[UInt8]] = []
        let watch = try await watch(fixture, identity: nil, pin: { pinned.append($0) })
        watch.heard(capabilities: announced)
        #expect(pinned == [key.publicKey])
        watch.heard(head: words(1, fixture))
        #expect(watch.problems.isEmpty)
        let other = SigningKey.generate()
        watch.heard(capabilities: ["XDDS-HEAD", IdentityAnnouncement.capability(other.publicKey)])
        #expect(pinned.count == 1)
        #expect(watch.problems.count == 1)
        watch.heard(head: NodeHead(uuid: Self.uuid, counter: 9).words(for: fixture.account.address, signedBy: other))
        #expect(watch.problems.contains { $0.contains("not signed with its key") })
        #expect(watch.watch.stores.last?.latest == 1)
    }

    @Test @LoopActor func plainServer_isFine_butNotOneThatSaidItBefore() async throws {
        let fixture = try AgentFixture()
        let watch = try await watch(fixture, identity: nil)
        watch.heard(capabilities: ["UIDL"])
        #expect(watch.problems.isEmpty)
        watch.heard(capabilities: announced)
        watch.heard(head: words(1, fixture))
        watch.heard(capabilities: ["UIDL"])
        #expect(watch.problems.first?.contains("no longer says") == true)
        watch.heard(capabilities: announced)
        watch.heard(head: nil)
        #expect(watch.problems.first?.contains("did not say") == true)
        watch.heard(head: words(2, fixture))
        #expect(watch.problems.isEmpty)
    }

    @Test @LoopActor func headsInQuickSuccession_leaveTheNewestOnTheDisk() async throws {
        let fixture = try AgentFixture()
        let watch = try await watch(fixture, identity: key.publicKey)
        for counter: UInt64 in 1...20 { watch.heard(head: words(counter, fixture)) }
        await watch.written()
        #expect(try await self.watch(fixture, identity: key.publicKey).watch.stores.last?.highest == 20)
        #expect(try await fixture.spool.count(AgentMailbox.heads) == 1)
    }

    @Test @LoopActor func crashWhileWriting_leavesTheNewer() async throws {
        let fixture = try AgentFixture()
        let first = try await watch(fixture, identity: key.publicKey)
        first.heard(head: words(1, fixture))
        await first.written()
        fixture.spool.cutNext()
        first.heard(head: words(2, fixture))
        await first.written()
        #expect(try await fixture.spool.count(AgentMailbox.heads) == 2)
        let second = try await watch(fixture, identity: key.publicKey)
        #expect(second.watch.stores.last?.highest == 2)
        second.heard(head: words(3, fixture))
        await second.written()
        #expect(try await fixture.spool.count(AgentMailbox.heads) == 1)
    }

    @Test @LoopActor func damagedMemory_isSaidAndStopsNothing() async throws {
        let fixture = try AgentFixture()
        let first = try await watch(fixture, identity: key.publicKey)
        first.heard(head: words(1, fixture))
        await first.written()
        let entry = try #require(try await fixture.spool.entries(in: AgentMailbox.heads).first)
        fixture.spool.memory.damage(entry.uid)
        let second = try await watch(fixture, identity: key.publicKey)
        #expect(second.problems.first?.contains("damaged") == true)
        second.heard(head: words(1, fixture))
        await second.written()
        #expect(try await watch(fixture, identity: key.publicKey).problems.isEmpty)
    }
}
