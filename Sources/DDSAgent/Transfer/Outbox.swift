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

    var body: [UInt8] {
        let head: JSONValue = [
            "tag": .text(Hex.encode(messageTag.bytes)), "from": .text("\(sender)"), "to": .texts(recipients.map { "\($0)" }),
        ]
        return head.line + [0x0a] + message
    }

    init(messageTag: RecordTag, sender: MailAddress, recipients: [MailAddress], message: [UInt8]) {
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
        self.init(messageTag: RecordTag(tag), sender: sender, recipients: recipients, message: Array(body[(end + 1)...]))
    }
}

/// What came of one attempt to submit.
enum SubmissionResult: Hashable, Sendable {
    /// The node has it; `note` names recipients it refused.
    case accepted(note: String?)
    /// The node refused it for good, in its words.
    case refused(String)
    /// Not now, or nobody knows: try again.
    case later(String)
}

@LoopActor final class Outbox {
    private static var firstPause: Duration { .seconds(2) }
    private static var longestPause: Duration { .seconds(300) }

    private let spool: any SpoolEngine
    private let services: Services
    private let submit: @LoopActor (QueuedSubmission) async -> SubmissionResult
    private let onOutcome: @LoopActor () async -> Void
    private(set) var waiting: [SpoolUID] = []
    private(set) var lastTrouble: String?
    private var isSending = false
    private var isStopped = false
    private var pause = Outbox.firstPause
    private var timer: LoopTimer?

    init(
        spool: any SpoolEngine, services: Services, submit: @escaping @LoopActor (QueuedSubmission) async -> SubmissionResult,
        onOutcome: @escaping @LoopActor () async -> Void
    ) {
        self.spool = spool
        self.services = services
        self.submit = submit
        self.onOutcome = onOutcome
    }

    /// Takes up what waited when the agent stopped.
    func start() async throws(SpoolError) {
        timer = LoopTimer { [unowned self] in sendNow() }
        waiting = try await spool.entries(in: AgentMailbox.outbox).map(\.uid)
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

    func queued(_ uid: SpoolUID) {
        waiting.append(uid)
        services.bus.publish(.outboxQueued)
        sendNow()
    }

    /// Tries everything now, whatever pause was running.
    func sendNow() {
        timer?.cancel()
        guard !isSending, !isStopped, !waiting.isEmpty else { return }
        isSending = true
        Loop.spawn(name: "outbox") { [self] in
            await sendAll()
            isSending = false
        }
    }

    private func sendAll() async {
        while let uid = waiting.first, !isStopped {
            do throws(SpoolError) {
                let body = try await spool.read(uid, offset: 0, count: .max)
                guard let submission = QueuedSubmission(body: body) else {
                    throw .damaged(uid, "a record of the outbox is not one")
                }
                switch await submit(submission) {
                case .accepted(let note): try await settle(uid, submission, wasAccepted: true, note: note ?? "")
                case .refused(let words): try await settle(uid, submission, wasAccepted: false, note: words)
                case .later(let words): return retryLater(words)
                }
            } catch {
                services.log.error("outbox", metadata: ["error": "\(error)"])
                return retryLater("the local store has a problem; see the log")
            }
        }
        lastTrouble = nil
    }

    /// The outcome replaces the submission in one transaction: a crash on either side of it tries again or does not.
    private func settle(_ uid: SpoolUID, _ submission: QueuedSubmission, wasAccepted: Bool, note: String) async throws(SpoolError) {
        let outcome = SpoolAppend.record(
            mailbox: AgentMailbox.outcomes, tag: submission.messageTag, flags: wasAccepted ? 1 : 2, body: Array(note.utf8))
        _ = try await spool.commit(SpoolTransaction(appends: [outcome], erasures: [uid]))
        waiting.removeAll { $0 == uid }
        pause = Self.firstPause
        services.bus.publish(.outboxSent)
        await onOutcome()
    }

    private func retryLater(_ words: String) {
        lastTrouble = words
        services.bus.publish(.outboxDelayed(reason: words))
        services.log.info("submission delayed", metadata: ["reason": "\(words)", "retry_s": "\(pause.components.seconds)"])
        guard !isStopped else { return }
        timer?.schedule(at: services.time.now + pause)
        pause = min(pause * 2, Self.longestPause)
    }
}
