import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import DDSWire
import Testing

@testable import DDSAgent

/// The agent's half of "a message is never lost and shown once": nothing is deleted at the node that is not stored, and an
/// agent or a connection that dies anywhere between fetching and the reply to QUIT neither loses nor doubles.
@Suite struct FetchDeathTests {
    /// A maildrop with the rules of the real one: DELE counts at QUIT.
    final class Maildrop {
        var messages: [(uidl: String, bytes: [UInt8])]
        var erased: [String] = []
        /// What XDDS-HEAD is answered with.
        var head: String?

        init(_ messages: [(uidl: String, bytes: [UInt8])]) { self.messages = messages }

        func answer(_ snapshot: inout [(uidl: String, bytes: [UInt8])], _ question: POP3ServerQuestion) -> POP3ServerAnswer {
            switch question {
            case .authenticate, .wait:
                snapshot = messages
                return .maildrop(messages.map { POP3Item(uidl: $0.uidl, octets: $0.bytes.count) })
            case .body(let index, let offset): return .bytes(Array(snapshot[index].bytes[offset...]), isLast: true)
            case .erase(let indices):
                let gone = indices.map { snapshot[$0].uidl }
                messages.removeAll { gone.contains($0.uidl) }
                erased += gone
                return .erased
            case .head: return head.map { .head($0) } ?? .unavailable("not here")
            case .pause: return .proceed
            }
        }
    }

    typealias Pair = ConnectionPair<POP3FetchSession, POP3ServerSession>

    /// An agent that has just started, on what its disk holds.
    @LoopActor private func startedFetcher(_ fixture: AgentFixture, identity: [UInt8]? = nil) async throws -> Fetcher {
        let link = try NodeLink(
            host: "127.0.0.1", nodeKeyHash: [UInt8](repeating: 7, count: 16), deviceSeed: .random(32), time: fixture.time)
        let services = try testServices(time: fixture.time)
        let watch = NodeWatch(
            spool: fixture.spool, services: services, member: fixture.account.address, identity: identity, pin: { _ in })
        try await watch.load()
        let fetcher = Fetcher(
            spool: fixture.spool, services: services, account: fixture.account, link: link, watch: watch, onMail: {})
        try await fetcher.loadSeen()
        return fetcher
    }

    @LoopActor private func pair(
        _ maildrop: Maildrop, watch: NodeWatch? = nil, cutToServer: Int? = nil, cutToClient: Int? = nil
    ) -> Pair {
        let peer = TLSPeer(version: "TLSv1.3", keyHash: [UInt8](repeating: 7, count: 32))
        var snapshot: [(uidl: String, bytes: [UInt8])] = []
        return ConnectionPair(
            client: SessionHarness(
                POP3FetchSession(configuration: POP3FetchConfiguration(login: .external(user: "alice"))),
                perform: { effect in
                    if case .head(let words) = effect { LoopActor.assumeIsolated { watch?.heard(head: words) } }
                }),
            server: SessionHarness(
                POP3ServerSession(configuration: POP3ServerConfiguration(hostName: "node.test", tls: .implicit)),
                answer: { maildrop.answer(&snapshot, $0) }),
            clientPeer: peer, serverPeer: peer, isImplicit: true, pieceOctets: 64, cutToServer: cutToServer,
            cutToClient: cutToClient)
    }

    private func answer(_ question: POP3FetchQuestion, _ fetcher: Fetcher) async -> POP3FetchAnswer {
        switch question {
        case .listing(let items): await fetcher.plan(items)
        case .store(_, let uidl, let bytes): await fetcher.store(uidl, bytes)
        }
    }

    /// Lets the session go on until it has ended, or until `stop` says that the agent dies.
    @LoopActor private func run(_ pair: inout Pair, _ fetcher: Fetcher, dies stop: (Pair) -> Bool = { _ in false }) async {
        pair.run()
        while !stop(pair), pair.client.closeReason == nil, let asked = pair.client.outstanding.first {
            let answer = await answer(asked.question, fetcher)
            if stop(pair) { return }
            pair.withClient { $0.answerOldest(answer) }
        }
    }

    private func said(_ pair: Pair) -> String { pair.client.transcript.joined() }

    @LoopActor private func messages(_ fixture: AgentFixture, _ count: Int = 2) throws -> [(uidl: String, bytes: [UInt8])] {
        try (1...count).map { number in
            let text = mail(subject: "Number \(number)", id: "n\(number)")
            return ("U\(number)", try wrapped(text, group: nil, to: fixture.keys.mailbox.recipient, random: fixture.random))
        }
    }

    /// After whatever happened: an agent starts, fetches to the end, and shows each message once.
    @LoopActor private func checkAfterwards(_ fixture: AgentFixture, _ maildrop: Maildrop, _ place: String, count: Int = 2)
        async throws
    {
        // Nothing is gone at the node that is not here.
        let inbox = try await fixture.spool.count(AgentMailbox.inbox)
        let shownBefore = try await fixture.spool.count(AgentMailbox.messages)
        #expect(inbox + shownBefore + maildrop.messages.count >= count, "lost: \(place)")
        var next = pair(maildrop)
        await run(&next, try await startedFetcher(fixture))
        let store = try await fixture.store()
        try await store.importFetched()
        #expect(store.summaries.map(\.subject).sorted() == (1...count).map { "Number \($0)" }, "\(place)")
        #expect(store.unopened == 0, "\(place)")
        #expect(maildrop.messages.isEmpty, "left behind: \(place)")
        #expect(maildrop.erased.sorted() == (1...count).map { "U\($0)" }, "\(place)")
    }

    /// A node whose files were put back, or made anew, gives names to new messages that this agent has noted as stored.
    @Test(arguments: [(UInt8(5), UInt64(3)), (6, 100)]) @LoopActor func nodeThatUsesNamesAgain_losesNothing(
        store: UInt8, counter: UInt64
    ) async throws {
        let fixture = try AgentFixture()
        let key = SigningKey.generate()
        func head(_ store: UInt8, _ counter: UInt64) -> String {
            NodeHead(uuid: [UInt8](repeating: store, count: 16), counter: counter)
                .words(for: fixture.account.address, signedBy: key)
        }
        let two = try messages(fixture)
        let maildrop = Maildrop([two[0]])
        maildrop.head = head(5, 10)
        for number in 1...2 {
            // A new agent each time: what it noted is on its disk.
            let fetcher = try await startedFetcher(fixture, identity: key.publicKey)
            var session = pair(maildrop, watch: fetcher.watch)
            await run(&session, fetcher)
            await fetcher.watch.written()
            if number == 1 {
                #expect(maildrop.erased == ["U1"])
                maildrop.messages = [("U1", two[1].bytes)]
                maildrop.head = head(store, counter)
            } else {
                #expect(fetcher.watch.problems.count == 1)
                #expect(!fetcher.watch.namesAreStale)
            }
        }
        let shown = try await fixture.store()
        try await shown.importFetched()
        #expect(shown.summaries.map(\.subject).sorted() == ["Number 1", "Number 2"])
    }

    @Test @LoopActor func commitThatIsNotDurableYet_holdsDELEBack() async throws {
        let fixture = try AgentFixture()
        let maildrop = Maildrop(try messages(fixture))
        let fetcher = try await startedFetcher(fixture)
        var pair = pair(maildrop)
        pair.run()
        let plan = await answer(try #require(pair.client.outstanding.first).question, fetcher)
        pair.withClient { $0.answerOldest(plan) }
        #expect(pair.client.outstanding.count == 2)
        fixture.spool.memory.hold()
        let first = try #require(pair.client.outstanding.first).question
        async let stored = answer(first, fetcher)
        await fixture.spool.memory.waitUntilHeld()
        pair.run()
        #expect(!said(pair).contains("DELE") && !said(pair).contains("QUIT"))
        fixture.spool.memory.release()
        let result = await stored
        #expect(result == .stored)
        pair.withClient { $0.answerOldest(result) }
        await run(&pair, fetcher)
        #expect(said(pair).contains("DELE 1") && said(pair).contains("DELE 2"))
        try await checkAfterwards(fixture, maildrop, "after a slow disk")
    }

    /// The power goes while the commit is under way: the message is still at the node.
    @Test @LoopActor func deathDuringTheCommit_losesNothing() async throws {
        let fixture = try AgentFixture()
        let maildrop = Maildrop(try messages(fixture))
        var pair = pair(maildrop)
        fixture.spool.memory.failNext(.stopped("power"), .stopped("power"))
        await run(&pair, try await startedFetcher(fixture))
        #expect(!said(pair).contains("DELE"))
        #expect(maildrop.erased.isEmpty)
        #expect(try await fixture.spool.count(AgentMailbox.inbox) == 0)
        try await checkAfterwards(fixture, maildrop, "death during the commit")
    }

    @Test @LoopActor func fullDiskForOne_deletesTheOtherOnly() async throws {
        let fixture = try AgentFixture()
        let maildrop = Maildrop(try messages(fixture))
        var pair = pair(maildrop)
        fixture.spool.memory.failNext(.full)
        await run(&pair, try await startedFetcher(fixture))
        #expect(maildrop.erased == ["U2"])
        #expect(maildrop.messages.map(\.uidl) == ["U1"])
        try await checkAfterwards(fixture, maildrop, "a full disk")
    }

    @Test @LoopActor func deathBetweenStoringAndDELE_showsEachOnce() async throws {
        for stored in 1...2 {
            let fixture = try AgentFixture()
            let maildrop = Maildrop(try messages(fixture))
            var pair = pair(maildrop)
            pair.run()
            let fetcher = try await startedFetcher(fixture)
            var answers = 0
            while answers <= stored, let asked = pair.client.outstanding.first {
                let answer = await answer(asked.question, fetcher)
                answers += 1
                // The last one is durable, and the session never hears of it.
                if answers <= stored { pair.withClient { $0.answerOldest(answer) } }
            }
            #expect(try await fixture.spool.count(AgentMailbox.inbox) == stored)
            #expect(maildrop.erased.isEmpty)
            try await checkAfterwards(fixture, maildrop, "death with \(stored) stored")
        }
    }

    /// Also between DELE and QUIT, and after QUIT before its reply: every octet that the node hears.
    @Test @LoopActor func lineCutBeforeEveryOctetToTheNode_showsEachOnce() async throws {
        var cut = 0
        while true {
            let fixture = try AgentFixture()
            let maildrop = Maildrop(try messages(fixture))
            var pair = pair(maildrop, cutToServer: cut)
            await run(&pair, try await startedFetcher(fixture))
            guard pair.isCut else { break }
            try await checkAfterwards(fixture, maildrop, "cut before octet \(cut) to the node")
            cut += 1
        }
        #expect(cut > 60)
    }

    /// Every reply of the node may be the last one heard, the one to QUIT too; inside the messages every 97th octet.
    @Test @LoopActor func lineCutOnTheWayFromTheNode_showsEachOnce() async throws {
        var cut = 0
        var cuts = 0
        while true {
            let fixture = try AgentFixture()
            let maildrop = Maildrop(try messages(fixture))
            var pair = pair(maildrop, cutToClient: cut)
            await run(&pair, try await startedFetcher(fixture))
            guard pair.isCut else { break }
            try await checkAfterwards(fixture, maildrop, "cut before octet \(cut) from the node")
            cut += maildrop.erased.isEmpty && !said(pair).contains("DELE") ? 97 : 3
            cuts += 1
        }
        #expect(cuts > 30)
    }

    @Test @LoopActor func importInterruptedBetweenItsHalves_showsItOnce() async throws {
        let fixture = try AgentFixture()
        let maildrop = Maildrop(try messages(fixture, 1))
        var pair = pair(maildrop)
        await run(&pair, try await startedFetcher(fixture))
        let store = try await fixture.store()
        fixture.spool.cutNext()
        await #expect(throws: SpoolError.self) { try await store.importFetched() }
        try await checkAfterwards(fixture, maildrop, "an import cut in two", count: 1)
    }
}
