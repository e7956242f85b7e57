// The node's side of simulated connections: what SubmissionHandler and MaildropHandler answer to their machines, without a
// loop. An answer that comes later, or that a machine without power never gives, is nil.

import DDSCore
import DDSSpool
import DDSWire

/// The owner of one submission session at the node.
final class SimSubmission {
    private let node: SimNode
    private let life: Int
    private var author: Int?
    private var envelope: Envelope?
    private var text: [UInt8] = []
    /// Called with an answer that did not come at once.
    var answerLater: (SMTPServerAnswer) -> Void = { _ in }

    init(node: SimNode) {
        self.node = node
        life = node.life
    }

    func answer(_ question: SMTPServerQuestion) -> SMTPServerAnswer? {
        guard life == node.life, !node.machine.disk.isStopped else { return nil }
        switch question {
        case .authenticate(_, let peer):
            guard let member = peer?.keyHash?.first else { return .refused }
            author = Int(member)
            return .authenticated(name: SimNode.name(of: Int(member)))
        case .sender, .recipient: return .accepted
        case .endOfMessage: return endOfMessage()
        }
    }

    private func endOfMessage() -> SMTPServerAnswer? {
        guard let author, let envelope else { return .message(SMTPReply(451, EnhancedCode(4, 3, 0), "lost inside")) }
        var now: SMTPReply?
        var isLater = false
        let destinations = envelope.recipients.compactMap { SimNode.destination(of: $0.address) }
        node.accept(text, author: author, destinations: destinations) { [self] reply in
            if isLater { answerLater(.message(reply)) } else { now = reply }
        }
        isLater = true
        // A machine that has stopped says nothing any more.
        return node.machine.disk.isStopped ? nil : now.map { .message($0) }
    }

    func perform(_ effect: SMTPServerEffect) {
        switch effect {
        case .beginMessage(let envelope):
            self.envelope = envelope
            text = []
        case .body(let bytes): text += bytes
        case .abandonMessage: envelope = nil
        }
    }
}

/// The owner of one POP3 session at the node.
final class SimMaildrop {
    private let node: SimNode
    private let life: Int
    private var member: Int?
    private var maildrop = Maildrop()
    private var hasLease = false
    var answerLater: (POP3ServerAnswer) -> Void = { _ in }

    init(node: SimNode) {
        self.node = node
        life = node.life
    }

    func answer(_ question: POP3ServerQuestion) -> POP3ServerAnswer? {
        guard life == node.life, !node.machine.disk.isStopped else { return nil }
        switch question {
        case .authenticate(_, let peer): return authenticate(peer)
        case .body(let index, let offset): return body(index, offset)
        case .erase(let indices): return erase(indices)
        case .head: return .unavailable("heads are not what is simulated")
        case .wait, .pause: return .proceed
        }
    }

    func perform(_ effect: POP3ServerEffect) {
        if effect == .releaseMaildrop { release() }
    }

    private func release() {
        guard hasLease, let member else { return }
        hasLease = false
        node.release(member, life: life)
    }

    private func authenticate(_ peer: TLSPeer?) -> POP3ServerAnswer {
        guard let key = peer?.keyHash?.first else { return .refused }
        guard !node.machine.isDown else { return .unavailable("the storage has stopped") }
        guard node.lease(Int(key)) else { return .inUse }
        member = Int(key)
        hasLease = true
        maildrop = Maildrop(node.machine.entries(in: SimNode.mailbox(of: Int(key))))
        return .maildrop(
            maildrop.entries.map { POP3Item(uidl: Maildrop.uidl($0.uid), octets: $0.size + $0.payloadSize) })
    }

    private func body(_ index: Int, _ offset: Int) -> POP3ServerAnswer {
        guard maildrop.entries.indices.contains(index), let copy = node.copy(maildrop.entries[index]) else { return .gone }
        return .bytes(Array(copy[min(offset, copy.count)...]), isLast: true)
    }

    /// The lease ends with the answer, even when nobody waits for it any more.
    private func erase(_ indices: [Int]) -> POP3ServerAnswer? {
        var now: POP3ServerAnswer?
        var isLater = false
        node.erase(maildrop.erasing(indices)) { [self] result in
            let answer: POP3ServerAnswer = if case .success = result { .erased } else { .eraseFailed }
            release()
            if isLater { answerLater(answer) } else { now = answer }
        }
        isLater = true
        return node.machine.disk.isStopped ? nil : now
    }
}
