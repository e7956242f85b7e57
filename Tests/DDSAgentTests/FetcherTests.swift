import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import DDSWire
import Testing

@testable import DDSAgent

@Suite struct FetcherTests {
    @LoopActor private func fetcher(_ fixture: AgentFixture) async throws -> Fetcher {
        let link = try NodeLink(
            host: "127.0.0.1", nodeKeyHash: [UInt8](repeating: 7, count: 16), deviceSeed: .random(32), time: fixture.time)
        let services = try testServices(time: fixture.time)
        let watch = NodeWatch(spool: fixture.spool, services: services, member: fixture.account.address, identity: nil, pin: { _ in })
        let fetcher = Fetcher(
            spool: fixture.spool, services: services, account: fixture.account, link: link, watch: watch, onMail: {})
        try await fetcher.loadSeen()
        return fetcher
    }

    private func items(_ names: String...) -> [POP3Item] { names.map { POP3Item(uidl: $0, octets: 100) } }

    @Test @LoopActor func storedMessage_isKnownAlsoAfterARestart() async throws {
        let fixture = try AgentFixture()
        let first = try await fetcher(fixture)
        #expect(await first.plan(items("a", "b")) == .plan(fetch: [0, 1], alreadyStored: []))
        #expect(await first.store("a", [1]) == .stored)
        #expect(await first.plan(items("a", "b")) == .plan(fetch: [1], alreadyStored: [0]))
        let second = try await fetcher(fixture)
        #expect(await second.plan(items("a", "b")) == .plan(fetch: [1], alreadyStored: [0]))
        #expect(try await fixture.spool.count(AgentMailbox.inbox) == 1)
    }

    @Test @LoopActor func whatTheNodeNoLongerLists_isForgotten() async throws {
        let fixture = try AgentFixture()
        let fetcher = try await fetcher(fixture)
        _ = await fetcher.store("a", [1])
        _ = await fetcher.plan(items("b"))
        #expect(try await fixture.spool.count(AgentMailbox.seen) == 0)
        #expect(try await fixture.spool.count(AgentMailbox.inbox) == 1)
        #expect(await fetcher.plan(items("a")) == .plan(fetch: [0], alreadyStored: []))
    }

    @Test @LoopActor func messageThatCannotBeStored_staysAtTheNode() async throws {
        let fixture = try AgentFixture()
        let fetcher = try await fetcher(fixture)
        fixture.spool.memory.failNext(.full)
        #expect(await fetcher.store("a", [1]) == .notStored)
        #expect(await fetcher.plan(items("a")) == .plan(fetch: [0], alreadyStored: []))
    }

    @Test @LoopActor func messageTooLarge_isLeftOutSoThatTheSessionCanWait() async throws {
        let fetcher = try await fetcher(try AgentFixture())
        let large = POP3Item(uidl: "large", octets: 1 << 40)
        #expect(await fetcher.plan([large] + items("a")) == .plan(fetch: [1], alreadyStored: []))
    }

    // MARK: When again

    private func outcome(
        _ end: POP3FetchOutcome.End, canWait: Bool = true, stored: [String] = [], failed: [String] = [],
        erasure: POP3FetchOutcome.Erasure = .none
    ) -> POP3FetchOutcome {
        var outcome = POP3FetchOutcome(end: end)
        outcome.canWait = canWait
        outcome.stored = stored
        outcome.failed = failed
        outcome.erasure = erasure
        return outcome
    }

    @Test func sessionThatBroughtMail_isFollowedByTheNextAtOnce() {
        var pace = FetchPace(every: .seconds(60))
        #expect(pace.next(after: outcome(.completed, stored: ["a"]), couldWait: true) == .now)
        #expect(pace.next(after: outcome(.completed, erasure: .confirmed(["a"])), couldWait: true) == .now)
        #expect(pace.next(after: outcome(.completed), couldWait: false) == .now)
        #expect(pace.next(after: outcome(.completed, canWait: false), couldWait: true) == .after(.seconds(60)))
    }

    /// Otherwise a full disk, or a node that refuses to delete, would be asked without end.
    @Test func sessionThatMovedNothing_isFollowedByAPause() {
        var pace = FetchPace(every: .seconds(60))
        let full = outcome(.completed, failed: ["a"])
        #expect(pace.next(after: full, couldWait: true) == .after(.seconds(1)))
        #expect(pace.next(after: full, couldWait: false) == .after(.seconds(2)))
        #expect(pace.next(after: outcome(.completed), couldWait: true) == .after(.seconds(4)))
        pace.asked()
        #expect(pace.next(after: full, couldWait: true) == .after(.seconds(1)))
    }

    @Test(arguments: [
        POP3FetchOutcome.End.connectionLost, .timedOut, .loginRefused("no"), .inUse("busy"), .unavailable("later"),
        .unsupported("?"), .protocolViolation("?"),
    ])
    func trouble_growsThePause(end: POP3FetchOutcome.End) {
        var pace = FetchPace(every: .seconds(60))
        let pauses = (0..<8).map { _ in pace.next(after: outcome(end), couldWait: true) }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 60, 60].map { .after(.seconds($0)) })
        #expect(pace.next(after: outcome(.completed, stored: ["a"]), couldWait: true) == .now)
        #expect(pace.next(after: outcome(end), couldWait: true) == .after(.seconds(1)))
    }
}
