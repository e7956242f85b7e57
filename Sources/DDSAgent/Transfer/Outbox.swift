// Mail on its way to the node: sealed when it was written, kept until the node has answered, tried again with growing
// pauses, across restarts, never delivered twice (the submission id inside the seal tells the node).

import DDSBus
import DDSCore
import DDSLoop
import DDSNode
import DDSSpool
import Logging

/// A queued submission as its spool record holds it: one JSON line with the envelope, then the wrapper message.
struct QueuedSubmission: Sendable {
    /// The message's id in the local store; outcomes are filed under it.
    var messageTag: RecordTag
    var sender: MailAddress
    var recipients: [MailAddress]
    /// The sealed wrapper as it goes over the wire.
    var message: [UInt8]
    /// The roster to whose readers it is sealed; nil for what is sealed to the node.
    var roster: RosterPointer?
    /// The number of the node's seal key that it is sealed to; nil where none was known.
    var sealKey: UInt64?

    var body: [UInt8] {
        var head: [String: JSONValue] = [
            "tag": .text(Hex.encode(messageTag.bytes)), "from": .text("\(sender)"), "to": .texts(recipients.map { "\($0)" }),
        ]
        if let roster { head["roster"] = .text(roster.word) }
        if let sealKey { head["seal_key"] = .number(Int64(clamping: sealKey)) }
        return JSONValue.object(head).line + [0x0a] + message
    }

    init(
        messageTag: RecordTag, sender: MailAddress, recipients: [MailAddress], message: [UInt8], roster: RosterPointer? = nil,
        sealKey: UInt64? = nil
    ) {
        self.roster = roster
        self.sealKey = sealKey
        self.messageTag = messageTag
        self.sender = sender
        self.recipients = recipients
        self.message = message
    }

    init?(body: [UInt8]) {
        guard let end = body.firstIndex(of: 0x0a), let head = JSONValue(parsing: body[..<end]),
            let tag = head["tag"]?.string.flatMap({ Hex.decode($0) }), tag.count == 16,
            let sender = head["from"]?.string.flatMap({ MailAddress($0) }),
            let recipients = head["to"]?.strings?.compactMap({ MailAddress($0) }), !recipients.isEmpty
        else { return nil }
        self.init(
            messageTag: RecordTag(tag), sender: sender, recipients: recipients, message: Array(body[(end + 1)...]),
            roster: head["roster"]?.string.flatMap { RosterPointer(in: $0) },
            sealKey: head["seal_key"]?.integer.flatMap { UInt64(exactly: $0) })
    }
}

/// What came of one attempt to submit.
enum SubmissionResult: Hashable, Sendable {
    /// The node has it; `note` names recipients it refused.
    case accepted(note: String?)
    /// The node refused it for good, in its words.
    case refused(String)
    /// This message not now, or nobody knows: try again.
    case later(String)
    /// Not in this form: it has to be sealed again. The words are the node's.
    case sealAgain(String, SealDemand)
    /// No message can be submitted now.
    case unreachable(String)
}

@LoopActor final class Outbox {
    private let spool: any SpoolEngine
    private let services: Services
    /// Whether a submission can go as it lies there.
    enum Readiness: Sendable {
        case asItIs
        /// This takes its place.
        case anew(QueuedSubmission)
        /// It waits, for what the words say.
        case notNow(String)
        /// It cannot go any more.
        case never(String)
    }

    private let submit: @LoopActor (QueuedSubmission) async -> SubmissionResult
    private let ready: @LoopActor (QueuedSubmission, SealDemand?) async -> Readiness
    private let onOutcome: @LoopActor () async -> Void
    private(set) var waiting: [SpoolUID] = []
    private(set) var lastTrouble: String?
    /// What the node has answered about submissions whose records are still to be replaced: they must not go out again.
    private var answered: [SpoolUID: (tag: RecordTag, wasAccepted: Bool, note: String)] = [:]
    /// The one that is being submitted.
    private var onItsWay: SpoolUID?
    /// Submissions that can still be taken back, and until when. Not kept on disk: a restart sends them.
    private var held: [SpoolUID: Instant] = [:]
    /// How the node wants submissions to be sealed that it has refused.
    private var wanted: [SpoolUID: SealDemand] = [:]
    private var isSending = false
    private var isStopped = false
    private var pauses = GrowingPause(first: .seconds(2), longest: .seconds(300))
    private var timer: LoopTimer?

    init(
        spool: any SpoolEngine, services: Services, submit: @escaping @LoopActor (QueuedSubmission) async -> SubmissionResult,
        ready: @escaping @LoopActor (QueuedSubmission, SealDemand?) async -> Readiness = { _, _ in .asItIs },
        onOutcome: @escaping @LoopActor () async -> Void
    ) {
        self.spool = spool
        self.services = services
        self.submit = submit
        self.ready = ready
        self.onOutcome = onOutcome
    }

    /// Takes up what waited when the agent stopped.
    func start() async throws(SpoolError) {
        let entries = try await spool.entries(in: AgentMailbox.outbox)
        // What a crash has left here and among those that wait for a decision waits.
        let held = try await spool.entries(in: AgentMailbox.heldBack)
        let outcomes = try await spool.entries(in: AgentMailbox.outcomes)
        let done = OutboxLedger.answered(entries, outcomes: outcomes + held) + OutboxLedger.replaced(entries)
        if !done.isEmpty { _ = try await spool.commit(SpoolTransaction(erasures: done)) }
        waiting = entries.map(\.uid).filter { !done.contains($0) }
        timer = LoopTimer { [weak self] in self?.sendNow() }
        sendNow()
    }

    func stop() {
        isStopped = true
        timer?.close()
        timer = nil
    }

    /// The record to append in the same transaction as the sent copy; call `queued` when it is durable.
    nonisolated static func record(_ submission: QueuedSubmission) -> SpoolAppend {
        .record(mailbox: AgentMailbox.outbox, tag: submission.messageTag, flags: 0, body: submission.body)
    }

    /// It goes out at once, or after `pause`.
    func queued(_ uid: SpoolUID, after pause: Duration = .zero) {
        waiting.append(uid)
        if pause > .zero { held[uid] = services.time.now + pause }
        services.bus.publish(.outboxQueued)
        sendNow()
    }

    /// Takes a submission back before it goes to the node; false when it may be there already.
    func withdraw(_ uid: SpoolUID) -> Bool {
        guard uid != onItsWay, answered[uid] == nil else { return false }
        waiting.removeAll { $0 == uid }
        held[uid] = nil
        return true
    }

    /// Tries everything now that is not to wait, whatever pause was running.
    func sendNow() {
        timer?.cancel()
        guard !isSending, !isStopped, !waiting.isEmpty else { return }
        dropPastHolds()
        guard waiting.contains(where: { held[$0] == nil }) else { return scheduleHeld() }
        isSending = true
        Loop.spawn(name: "outbox") { [self] in
            await sendAll()
            isSending = false
        }
    }

    /// Each once, the oldest first. One that the node does not want now keeps no other from being sent.
    private func sendAll() async {
        var tried: Set<SpoolUID> = []
        var trouble: String?
        while let uid = waiting.first(where: { !tried.contains($0) && held[$0] == nil }), !isStopped {
            tried.insert(uid)
            do throws(SpoolError) {
                switch try await attempt(uid, &tried) {
                case .accepted, .refused: break
                case .later(let words), .sealAgain(let words, _): trouble = words
                case .unreachable(let words): return retryLater(words)
                }
            } catch {
                services.log.error("outbox", metadata: ["error": "\(error)"])
                trouble = "the local store has a problem; see the log"
                if case .stopped = error { return retryLater("the local store has stopped") }
            }
        }
        if let trouble { return retryLater(trouble) }
        lastTrouble = nil
        scheduleHeld()
    }

    private func dropPastHolds() {
        let now = services.time.now
        held = held.filter { $0.value > now }
    }

    /// Sends when the first of those can no longer be taken back.
    private func scheduleHeld() {
        guard let next = held.values.min(), !isStopped else { return }
        timer?.schedule(at: next)
    }

    private func attempt(_ listed: SpoolUID, _ tried: inout Set<SpoolUID>) async throws(SpoolError) -> SubmissionResult {
        var uid = listed
        if answered[uid] == nil {
            onItsWay = uid
            defer { onItsWay = nil }
            let body = try await spool.read(uid, offset: 0, count: .max)
            guard var submission = QueuedSubmission(body: body) else {
                throw .damaged(uid, "a record of the outbox is not one")
            }
            var result = try await submit(&submission, &uid, &tried)
            // What was refused for how it is sealed goes again at once if it can be sealed anew, and only then: to the node's key
            // first, because a node that cannot open it sees no roster.
            for _ in 0..<2 {
                guard case .sealAgain = result else { break }
                result = try await submit(&submission, &uid, &tried, insteadOf: submission)
            }
            switch result {
            case .accepted(let note): answered[uid] = (submission.messageTag, true, note ?? "")
            case .refused(let words): answered[uid] = (submission.messageTag, false, words)
            case .later, .sealAgain, .unreachable: return result
            }
        }
        guard let answer = answered[uid] else { preconditionFailure("answered above") }
        try await settle(uid, answer)
        return answer.wasAccepted ? .accepted(note: answer.note) : .refused(answer.note)
    }

    /// One submission, made ready first. With `insteadOf`, which the node has refused for how it is sealed, only when it is sealed
    /// otherwise now.
    private func submit(
        _ submission: inout QueuedSubmission, _ uid: inout SpoolUID, _ tried: inout Set<SpoolUID>,
        insteadOf refused: QueuedSubmission? = nil
    ) async throws(SpoolError) -> SubmissionResult {
        let demand = wanted[uid]
        switch await ready(submission, demand) {
        case .asItIs: break
        case .anew(let anew):
            uid = try await replace(uid, by: anew)
            tried.insert(uid)
            submission = anew
        case .notNow(let words): return .later(words)
        case .never(let words): return .refused(words)
        }
        if let refused, let demand, submission.roster == refused.roster, submission.sealKey == refused.sealKey {
            return .later(demand.missingWords)
        }
        let result = await submit(submission)
        guard case .sealAgain(let words, let demand) = result else { return result }
        // Sealed to the very key that the node wants, it does not open: nothing that is done here would help.
        if case .key(submission.sealKey) = demand { return .refused(words) }
        wanted[uid] = demand
        return result
    }

    /// Another form of a submission takes its place in one transaction.
    private func replace(_ uid: SpoolUID, by submission: QueuedSubmission) async throws(SpoolError) -> SpoolUID {
        let stored = try await spool.commit(SpoolTransaction(appends: [Self.record(submission)], erasures: [uid]))[0]
        if let index = waiting.firstIndex(of: uid) { waiting[index] = stored }
        if onItsWay == uid { onItsWay = stored }
        wanted[uid] = nil
        return stored
    }

    /// The outcome replaces the submission in one transaction.
    private func settle(_ uid: SpoolUID, _ answer: (tag: RecordTag, wasAccepted: Bool, note: String)) async throws(SpoolError) {
        let outcome = SpoolAppend.record(
            mailbox: AgentMailbox.outcomes, tag: answer.tag,
            flags: answer.wasAccepted ? OutcomeFlags.accepted : OutcomeFlags.refused, body: Array(answer.note.utf8))
        _ = try await spool.commit(OutboxLedger.settling(uid, outcome: outcome))
        answered[uid] = nil
        wanted[uid] = nil
        waiting.removeAll { $0 == uid }
        pauses.reset()
        services.bus.publish(.outboxSent)
        await onOutcome()
    }

    private func retryLater(_ words: String) {
        lastTrouble = words
        let pause = pauses.next()
        services.bus.publish(.outboxDelayed(reason: words))
        services.log.info("submission delayed", metadata: ["reason": "\(words)", "retry_s": "\(pause.components.seconds)"])
        guard !isStopped else { return }
        timer?.schedule(at: min(services.time.now + pause, held.values.min() ?? services.time.now + pause))
    }
}
