import DDSCore
import DDSLoop
import DDSSeal
import DDSSpool
import DDSTestKit
import DDSWire
import Testing

@testable import DDSAgent

@Suite(.timeLimit(.minutes(5))) struct OutboxTests {
    /// A node that answers as told and counts what it was given.
    @LoopActor final class Node {
        var answers: [SubmissionResult] = []
        var byRecipient: [String: SubmissionResult] = [:]
        private(set) var given: [String] = []
        var outcomes = 0

        func take(_ submission: QueuedSubmission) -> SubmissionResult {
            let name = submission.recipients[0].local
            given.append(name)
            if let answer = byRecipient[name] { return answer }
            return answers.isEmpty ? .accepted(note: nil) : answers.removeFirst()
        }
    }

    @LoopActor private func outbox(_ fixture: AgentFixture, _ node: Node) throws -> Outbox {
        Outbox(
            spool: fixture.spool, services: try testServices(time: fixture.time), submit: { node.take($0) },
            onOutcome: { node.outcomes += 1 })
    }

    @discardableResult
    @LoopActor private func queue(
        _ name: String, _ fixture: AgentFixture, in outbox: Outbox?, after pause: Duration = .zero
    ) async throws -> SpoolUID {
        let address = try #require(MailAddress("\(name)@node.test"))
        let submission = QueuedSubmission(
            messageTag: .named(name), sender: fixture.account.address, recipients: [address], message: Array("sealed".utf8))
        let records = try await fixture.spool.commit(SpoolTransaction(appends: [Outbox.record(submission)]))
        outbox?.queued(records[0], after: pause)
        return records[0]
    }

    @Test func submissionRecord_comesBack() throws {
        let address = try #require(MailAddress("bob@node.test"))
        let one = QueuedSubmission(messageTag: .named("x"), sender: address, recipients: [address, address], message: [0, 10, 255, 10])
        let two = try #require(QueuedSubmission(body: one.body))
        #expect(two.messageTag == one.messageTag && two.sender == one.sender)
        #expect(two.recipients == one.recipients && two.message == one.message)
        #expect(QueuedSubmission(body: Array("no record".utf8)) == nil)
        #expect(QueuedSubmission(body: Array(one.body.prefix(20))) == nil)
    }

    /// One that may still be taken back waits, keeps no other waiting, and goes by itself.
    @Test @LoopActor func heldSubmission_goesWhenItsTimeIsOver() async throws {
        let fixture = try AgentFixture()
        let node = Node()
        let outbox = try outbox(fixture, node)
        try await outbox.start()
        let held = try await queue("bob", fixture, in: outbox, after: .seconds(10))
        try await queue("carol", fixture, in: outbox)
        try await until { node.outcomes == 1 }
        #expect(node.given == ["carol"] && outbox.waiting == [held])
        // Whoever asks for sending now does not ask for that.
        outbox.sendNow()
        fixture.time.advance(by: .milliseconds(9_999))
        outbox.sendNow()
        await turns()
        #expect(node.given == ["carol"])
        fixture.time.advance(by: .milliseconds(1))
        outbox.sendNow()
        try await until { node.outcomes == 2 }
        #expect(node.given == ["carol", "bob"] && !outbox.withdraw(held) || outbox.waiting.isEmpty)
    }

    @Test @LoopActor func heldSubmission_canBeTakenBack_andIsSentAfterARestart() async throws {
        let fixture = try AgentFixture()
        let node = Node()
        let outbox = try outbox(fixture, node)
        try await outbox.start()
        let held = try await queue("bob", fixture, in: outbox, after: .seconds(10))
        #expect(outbox.withdraw(held) && outbox.waiting.isEmpty)
        fixture.time.advance(by: .seconds(60))
        outbox.sendNow()
        await turns()
        #expect(node.given.isEmpty)
        outbox.stop()
        // Its record is there until its owner erases it: what a crash leaves goes out.
        let next = try self.outbox(fixture, node)
        try await next.start()
        try await until { node.outcomes == 1 }
        #expect(node.given == ["bob"])
    }

    @Test @LoopActor func accepted_isReplacedByItsOutcome() async throws {
        let fixture = try AgentFixture()
        let node = Node()
        let outbox = try outbox(fixture, node)
        try await outbox.start()
        try await queue("bob", fixture, in: outbox)
        try await until { node.outcomes == 1 }
        #expect(node.given == ["bob"])
        #expect(outbox.waiting.isEmpty)
        #expect(try await fixture.spool.count(AgentMailbox.outbox) == 0)
        let outcome = try #require(try await fixture.spool.entries(in: AgentMailbox.outcomes).first)
        #expect(outcome.flags == OutcomeFlags.accepted && outcome.tag == .named("bob"))
        outbox.stop()
    }

    @Test @LoopActor func refused_isNotedInTheNodesWords() async throws {
        let fixture = try AgentFixture()
        let node = Node()
        node.answers = [.refused("no such group")]
        let outbox = try outbox(fixture, node)
        try await outbox.start()
        try await queue("nobody", fixture, in: outbox)
        try await until { node.outcomes == 1 }
        let outcome = try #require(try await fixture.spool.entries(in: AgentMailbox.outcomes).first)
        #expect(outcome.flags == OutcomeFlags.refused)
        #expect(try await fixture.spool.read(outcome.uid, offset: 0, count: .max) == Array("no such group".utf8))
        outbox.stop()
    }

    @Test @LoopActor func unreachableNode_isTriedAgainOnceAskedAndAfterARestart() async throws {
        let fixture = try AgentFixture()
        let node = Node()
        node.answers = [.unreachable("down")]
        // A clock far ahead keeps the timer from firing.
        fixture.time.advance(by: .seconds(400_000_000))
        let first = try outbox(fixture, node)
        try await first.start()
        try await queue("bob", fixture, in: first)
        try await until { first.lastTrouble == "down" }
        #expect(node.given == ["bob"])
        first.stop()
        let second = try outbox(fixture, node)
        try await second.start()
        try await until { node.outcomes == 1 }
        #expect(node.given == ["bob", "bob"])
        #expect(second.lastTrouble == nil)
        second.stop()
    }

    @Test @LoopActor func timer_triesAgainByItself() async throws {
        let fixture = try AgentFixture()
        let node = Node()
        node.answers = [.unreachable("down"), .unreachable("still down")]
        // This clock is behind the loop's: every pause is over as soon as it begins.
        let outbox = try outbox(fixture, node)
        try await outbox.start()
        try await queue("bob", fixture, in: outbox)
        try await until { node.outcomes != 0 }
        #expect(node.given == ["bob", "bob", "bob"])
        outbox.stop()
    }

    @Test @LoopActor func oneThatIsRefusedForNow_holdsUpNoOther() async throws {
        let fixture = try AgentFixture()
        fixture.time.advance(by: .seconds(400_000_000))
        let node = Node()
        node.byRecipient = ["full": .later("the maildrop of full is full")]
        let outbox = try outbox(fixture, node)
        try await outbox.start()
        try await queue("full", fixture, in: outbox)
        try await queue("bob", fixture, in: outbox)
        try await until { node.outcomes == 1 }
        try await until { outbox.lastTrouble != nil }
        #expect(outbox.waiting.count == 1)
        outbox.stop()
    }

    @Test @LoopActor func damagedRecord_isKeptAndHoldsUpNoOther() async throws {
        let fixture = try AgentFixture()
        fixture.time.advance(by: .seconds(400_000_000))
        _ = try await fixture.spool.commit(
            SpoolTransaction(appends: [.record(mailbox: AgentMailbox.outbox, tag: .none, flags: 0, body: [1, 2, 3])]))
        let node = Node()
        let outbox = try outbox(fixture, node)
        try await queue("bob", fixture, in: nil)
        try await outbox.start()
        try await until { node.outcomes == 1 }
        try await until { outbox.lastTrouble != nil }
        #expect(try await fixture.spool.count(AgentMailbox.outbox) == 1)
        outbox.stop()
    }

    @Test @LoopActor func answerThatCouldNotBeNoted_isNotedLaterAndNothingIsSentTwice() async throws {
        let fixture = try AgentFixture()
        fixture.time.advance(by: .seconds(400_000_000))
        let node = Node()
        let outbox = try outbox(fixture, node)
        try await outbox.start()
        try await queue("bob", fixture, in: nil)
        fixture.spool.memory.failNext(.full)
        outbox.queued(try #require(try await fixture.spool.entries(in: AgentMailbox.outbox).first?.uid))
        try await until { outbox.lastTrouble != nil }
        outbox.sendNow()
        try await until { node.outcomes == 1 }
        #expect(node.given == ["bob"])
        outbox.stop()
    }

    @Test @LoopActor func crashWhileNotingTheOutcome_sendsNothingAgain() async throws {
        let fixture = try AgentFixture()
        fixture.time.advance(by: .seconds(400_000_000))
        let node = Node()
        let first = try outbox(fixture, node)
        try await first.start()
        try await queue("bob", fixture, in: nil)
        fixture.spool.cutNext()
        first.queued(try #require(try await fixture.spool.entries(in: AgentMailbox.outbox).first?.uid))
        try await until { first.lastTrouble != nil }
        first.stop()
        #expect(try await fixture.spool.count(AgentMailbox.outbox) == 1)
        let second = try outbox(fixture, node)
        try await second.start()
        #expect(second.waiting.isEmpty)
        #expect(try await fixture.spool.count(AgentMailbox.outbox) == 0)
        #expect(node.given == ["bob"])
        second.stop()
    }

    @Test func outcomesOfSessions_meanWhatTheyShould() throws {
        let bob = try #require(MailAddress("bob@node.test"))
        let eve = try #require(MailAddress("eve@node.test"))
        let ok = SMTPReply(code: 250, enhanced: nil, lines: ["fine"])
        let no = SMTPReply(code: 550, enhanced: nil, lines: ["nobody"])
        let wait = SMTPReply(code: 452, enhanced: nil, lines: ["full"])
        func result(_ outcome: SMTPOutcome) -> SubmissionResult { SubmissionResult(outcome, recipients: [bob, eve]) }
        #expect(result(.delivered([ok, ok])) == .accepted(note: nil))
        #expect(result(.delivered([ok, no])) == .accepted(note: "not to eve@node.test: nobody"))
        #expect(result(.delivered([ok, wait])) == .later("not yet to eve@node.test: full"))
        #expect(result(.refused(.recipients, no, permanent: true)) == .refused("nobody"))
        #expect(result(.refused(.recipients, wait, permanent: false)) == .later("full"))
        #expect(result(.refused(.authentication, no, permanent: false)) == .unreachable("nobody"))
        #expect(result(.lost(.greeting)) == .unreachable("the connection to the node was lost (greeting)"))
        #expect(result(.lost(.message)) == .later("the connection to the node was lost (message)"))
    }

    @Test func pauses_doubleToTheLongest() {
        var pause = GrowingPause(first: .seconds(2), longest: .seconds(300))
        #expect((0..<9).map { _ in pause.next() } == [2, 4, 8, 16, 32, 64, 128, 256, 300].map { .seconds($0) })
        #expect(pause.next() == .seconds(300))
        pause.reset()
        #expect(pause.next() == .seconds(2))
    }

    // MARK: Sealing again

    /// An outbox whose submissions are sealed to key `known.value` whenever they are made ready for a refusal.
    @LoopActor private func sealingOutbox(_ fixture: AgentFixture, _ node: SealNode) throws -> Outbox {
        Outbox(
            spool: fixture.spool, services: try testServices(time: fixture.time),
            submit: { node.take($0) },
            ready: { submission, demand in
                guard case .key? = demand else { return .asItIs }
                guard let known = node.known else { return .notNow(demand?.lockedWords ?? "") }
                var anew = submission
                anew.sealKey = known
                return known == submission.sealKey ? .asItIs : .anew(anew)
            }, onOutcome: { node.outcomes += 1 })
    }

    /// A node that takes what is sealed to one key.
    @LoopActor final class SealNode {
        var key: UInt64 = 5
        /// What the agent can seal to; nil while it is locked.
        var known: UInt64? = 5
        private(set) var given: [UInt64?] = []
        var outcomes = 0
        /// It says so of a damaged message too.
        var opensNothing = false

        func take(_ submission: QueuedSubmission) -> SubmissionResult {
            given.append(submission.sealKey)
            return submission.sealKey == key && !opensNothing ? .accepted(note: nil) : .sealAgain("seal-key=\(key)", .key(key))
        }
    }

    @LoopActor private func queue(sealedTo key: UInt64?, _ fixture: AgentFixture, in outbox: Outbox) async throws {
        let submission = QueuedSubmission(
            messageTag: .named("m"), sender: fixture.account.address, recipients: [fixture.account.address],
            message: Array("sealed".utf8), sealKey: key)
        #expect(QueuedSubmission(body: submission.body)?.sealKey == key)
        outbox.queued(try await fixture.spool.commit(SpoolTransaction(appends: [Outbox.record(submission)]))[0])
    }

    @Test @LoopActor func sealedToAKeyThatIsGone_isSealedAgainAtOnce() async throws {
        for before in [3, nil] as [UInt64?] {
            let fixture = try AgentFixture()
            let node = SealNode()
            let outbox = try sealingOutbox(fixture, node)
            try await outbox.start()
            try await queue(sealedTo: before, fixture, in: outbox)
            try await until { node.outcomes == 1 }
            #expect(node.given == [before, 5] && outbox.waiting.isEmpty)
            let outcome = try #require(try await fixture.spool.entries(in: AgentMailbox.outcomes).first)
            #expect(outcome.flags == OutcomeFlags.accepted)
            outbox.stop()
        }
    }

    @Test @LoopActor func lockedAgent_keepsIt_saysSo_andDoesNotBotherTheNode() async throws {
        let fixture = try AgentFixture()
        fixture.time.advance(by: .seconds(400_000_000))
        let node = SealNode()
        node.known = nil
        let outbox = try sealingOutbox(fixture, node)
        try await outbox.start()
        try await queue(sealedTo: 3, fixture, in: outbox)
        try await until { outbox.lastTrouble?.contains("key 5 once the agent is unlocked; run: ddsnode unlock") == true }
        outbox.sendNow()
        await turns()
        #expect(node.given == [3] && outbox.waiting.count == 1 && node.outcomes == 0)
        node.known = 5
        outbox.sendNow()
        try await until { node.outcomes == 1 }
        #expect(node.given == [3, 5] && outbox.lastTrouble == nil)
        outbox.stop()
    }

    /// The node's statement was not believed, or has not come: it waits, and is never sealed to anything else.
    @Test @LoopActor func withoutTheKeyThatIsWanted_itWaits() async throws {
        let fixture = try AgentFixture()
        fixture.time.advance(by: .seconds(400_000_000))
        let node = SealNode()
        node.known = 3
        let outbox = try sealingOutbox(fixture, node)
        try await outbox.start()
        try await queue(sealedTo: 3, fixture, in: outbox)
        try await until { outbox.lastTrouble?.contains("made no statement about it to be believed") == true }
        #expect(node.given == [3] && outbox.waiting.count == 1)
        outbox.stop()
    }

    @Test @LoopActor func sealedToTheVeryKey_andNotOpened_isRefused() async throws {
        let fixture = try AgentFixture()
        let node = SealNode()
        node.opensNothing = true
        let outbox = try sealingOutbox(fixture, node)
        try await outbox.start()
        try await queue(sealedTo: 3, fixture, in: outbox)
        try await until { node.outcomes == 1 }
        #expect(node.given == [3, 5])
        let outcome = try #require(try await fixture.spool.entries(in: AgentMailbox.outcomes).first)
        #expect(outcome.flags == OutcomeFlags.refused)
        outbox.stop()
    }
}
