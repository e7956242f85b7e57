// A message that has to be sealed again takes the place of its former self in the outbox: on a disk that stops at each operation of
// that, and of noting what came of it, with power lost.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import Testing

@testable import DDSAgent
@testable import DDSTorture

@Suite(.timeLimit(.minutes(5))) struct OutboxCrashTests {
    /// The agent's spool on a simulated machine.
    @LoopActor final class SimSpool: SpoolEngine {
        let machine: SimMachine

        init(seed: UInt64) throws {
            machine = SimMachine(name: "agent", seed: seed, time: ManualTime(), sabotage: nil)
            try boot()
        }

        func boot() throws {
            guard try machine.boot() else { throw SpoolError.stopped("the machine stopped while it started") }
        }

        private func log() throws(SpoolError) -> SpoolLog {
            guard let log = machine.log else { throw .stopped("not running") }
            return log
        }

        @LoopActor func commit(_ transaction: SpoolTransaction) async throws(SpoolError) -> [SpoolUID] {
            try machine.commit(transaction).get()
        }
        @LoopActor func entries(in mailbox: MailboxID) async throws(SpoolError) -> [SpoolEntry] {
            try log().entries(in: mailbox)
        }
        @LoopActor func mailboxes() async throws(SpoolError) -> [MailboxID: (count: Int, bytes: Int)] { [:] }
        @LoopActor func read(_ uid: SpoolUID, offset: Int, count: Int) async throws(SpoolError) -> [UInt8] {
            try log().read(uid, offset: offset, count: count)
        }
        @LoopActor func statistics() async throws(SpoolError) -> SpoolStatistics { try log().statistics() }
        @LoopActor func close() async {}
    }

    /// A node that takes what is sealed for its roster of now, and knows by the submission id what it has taken.
    @LoopActor final class Node {
        private let identity: AgeIdentity
        private let wanted: RosterPointer
        private(set) var offered: [(submission: String, roster: RosterHead)] = []
        private(set) var taken: [String] = []

        init(_ identity: AgeIdentity, wants document: RosterDocument) {
            self.identity = identity
            wanted = RosterPointer(group: "board", head: document.head)
        }

        func take(_ queued: QueuedSubmission) throws -> SubmissionResult {
            var wrapper = SealedWrapperReader()
            var opener = AgeDecryptor(identities: [identity])
            var bundle = SealedBundleReader()
            _ = try bundle.feed(try opener.feed(try wrapper.feed(queued.message) + wrapper.finish()) + opener.finish())
            let submission = try #require(SubmissionNote.id(in: opener.stanzas))
            let roster = try #require(bundle.bundle).roster
            #expect(queued.roster?.head == roster)
            offered.append((submission, roster))
            guard roster == wanted.head else { return .sealAgain("another roster is in use", .roster(wanted)) }
            if !taken.contains(submission) { taken.append(submission) }
            return .accepted(note: nil)
        }
    }

    /// What all runs begin with: a message that was written for a roster which is not the node's any more.
    @LoopActor final class Beginning {
        static let submission = "00112233445566778899aabbccddeeff"
        let fixture: AgentFixture
        let services: Services
        let identity = AgeIdentity.generate(kind: .classical, random: SystemRandom())
        let rosters: [RosterDocument]
        /// The spool's first transaction.
        private(set) var records: [SpoolAppend] = []

        init() async throws {
            fixture = try AgentFixture()
            fixture.account.nodeRecipient = "\(identity.recipient)"
            // A clock far ahead keeps the timer from firing.
            fixture.time.advance(by: .seconds(400_000_000))
            services = try testServices(time: fixture.time)
            rosters = try Self.rosters("\(identity.recipient)")
            let store = try await store(fixture.spool)
            let text = Array("X-DDS-Submission: \(Self.submission)\r\n".utf8) + mail(from: "alice@node.test", subject: "Plan")
            let prepared = try store.intake.prepared(text, id: "own", sendState: .waiting, at: fixture.time.wall)
            store.added(prepared, records: try await fixture.spool.commit(SpoolTransaction(appends: prepared.appends))[...])
            let unsealed = QueuedSubmission(
                messageTag: prepared.tag, sender: fixture.account.address, recipients: [rosters[0].roster.group], message: [])
            records = prepared.appends + [Outbox.record(try #require(await sealed(unsealed, for: rosters[0], from: store)))]
        }

        private static func rosters(_ recipient: String) throws -> [RosterDocument] {
            func document(_ number: UInt64, after previous: RosterDocument?, _ names: [String]) throws -> RosterDocument {
                RosterDocument(
                    Roster(
                        group: try #require(MailAddress("board@node.test")), number: number, previous: previous?.hash,
                        time: WallTime(milliseconds: Int64(number)),
                        settings: .init(mode: "sealed", posting: "members", pq: "prefer", senderAuth: "attested"),
                        members: try names.map {
                            Roster.Member(
                                address: try #require(MailAddress("\($0)@node.test")), display: "", role: .member,
                                devices: [Roster.Device(recipient: recipient, keyNumber: number)])
                        }))
            }
            let first = try document(1, after: nil, ["alice", "bob"])
            return [first, try document(2, after: first, ["alice", "bob", "carol"])]
        }

        func store(_ spool: any SpoolEngine) async throws -> MessageStore {
            try await MessageStore.open(
                spool: spool, keys: fixture.keys, account: fixture.account, random: fixture.random, time: fixture.time,
                gate: LoopGate())
        }

        func sealed(
            _ submission: QueuedSubmission, for document: RosterDocument, from store: MessageStore
        ) async throws -> QueuedSubmission? {
            try await submission.sealed(
                for: document, to: fixture.account.nodeSeal, from: store, account: fixture.account, services: services)
        }
    }

    /// One run.
    @LoopActor private final class Story {
        private let beginning: Beginning
        let spool: SimSpool
        let node: Node
        private var store: MessageStore

        init(_ beginning: Beginning, seed: UInt64) async throws {
            self.beginning = beginning
            spool = try SimSpool(seed: seed)
            node = Node(beginning.identity, wants: beginning.rosters[1])
            _ = try await spool.commit(SpoolTransaction(appends: beginning.records))
            store = try await beginning.store(spool)
        }

        /// The process's life until the message is answered, or the machine stops. Locked, the agent cannot seal.
        func live(locked: Bool = false) async throws {
            let outbox = Outbox(
                spool: spool, services: beginning.services,
                submit: { [node] in
                    do { return try node.take($0) } catch {
                        Issue.record("\(error)")
                        return .refused("\(error)")
                    }
                },
                ready: { [self] in
                    if locked { return $1 == nil ? .asItIs : .notNow("locked") }
                    guard $1 != nil else { return .asItIs }
                    do {
                        let anew = try await beginning.sealed($0, for: beginning.rosters[1], from: store)
                        return anew.map { .anew($0) } ?? .never("gone")
                    } catch { return .notNow("\(error)") }
                },
                onOutcome: {})
            do { try await outbox.start() } catch { return }
            try await until { outbox.waiting.isEmpty || outbox.lastTrouble != nil }
            outbox.stop()
        }

        /// The power is lost and comes back.
        func restart() async throws {
            spool.machine.crash()
            try spool.boot()
            store = try await beginning.store(spool)
        }
    }

    @Test(arguments: [false, true]) @LoopActor func aStopAtEveryOperationOfSealingAgain_losesNothing_andSendsOneMessage(
        lockedAfterwards: Bool
    ) async throws {
        let beginning = try await Beginning()
        let whole = try await Story(beginning, seed: 1)
        let before = whole.spool.machine.operations
        try await whole.live()
        let operations = whole.spool.machine.operations - before
        // Two transactions, each with syncs of its own for what it appends and what it erases.
        #expect(operations >= 8)
        var leftBoth = 0
        for stop in 1...operations {
            for seed in 0..<4 as Range<UInt64> {
                let story = try await Story(beginning, seed: seed)
                story.spool.machine.arm(.stop(at: stop))
                try await story.live()
                #expect(story.spool.machine.isDown, "stopped at \(stop), seed \(seed)")
                try await story.restart()
                let left = try await story.spool.entries(in: AgentMailbox.outbox)
                #expect(!left.isEmpty || !story.node.taken.isEmpty, "stopped at \(stop), seed \(seed): lost")
                if left.count > 1 { leftBoth += 1 }
                let offered = story.node.offered.count
                if lockedAfterwards { try await story.live(locked: true) }
                try await story.live()
                // Taken once, under its own name; and where its last form was kept, no other goes out any more.
                #expect(story.node.taken == [Beginning.submission], "stopped at \(stop), seed \(seed)")
                #expect(
                    story.node.offered.allSatisfy { $0.submission == Beginning.submission }, "stopped at \(stop), seed \(seed)")
                let again = story.node.offered.dropFirst(offered).map(\.roster.number)
                #expect(left.count < 2 || again == [2], "stopped at \(stop), seed \(seed): \(again)")
                #expect(try await story.spool.entries(in: AgentMailbox.outbox).isEmpty, "stopped at \(stop), seed \(seed)")
                let outcomes = try await story.spool.entries(in: AgentMailbox.outcomes)
                #expect(outcomes.map(\.flags) == [OutcomeFlags.accepted], "stopped at \(stop), seed \(seed)")
            }
        }
        // The case that this is about did come.
        #expect(leftBoth > 0)
    }
}
