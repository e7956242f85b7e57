// How a village ends: without further faults everything arrives, authors know what became of it, and nothing is left behind.

import DDSCore
import DDSSpool

extension Village {
    /// Without further faults everything arrives, once, and nothing is left behind.
    func finish() throws(BrokenPromise) {
        for which in machines { machine(which).arm(nil) }
        endLingering()
        try recover()
        for member in agents.indices { try perform(.giveKey(member: member)) }
        for round in 0..<3 where round == 0 || !isEverybodyDone {
            for agent in agents where !agent.waiting.isEmpty {
                try perform(.submit(member: agent.member, .never, isLingering: false))
            }
            try fetchEverything()
        }
        // Twice, since what is fetched makes something to report, and a report is fetched too.
        for _ in 0..<2 {
            try perform(.report)
            try fetchEverything()
        }
        try perform(.maintain(.node))
        try promises.checkBodies(on: node.machine)
        try perform(.reopen(.node))
        for agent in agents { try promises.read(agent.machine, member: agent.member) }
        try checkDelivery()
        try promises.checkArrival()
        try checkAuthorsKnow()
        try checkNothingIsLeft()
        try promises.checkAllKeys(on: node.machine)
        if let left = agents.first(where: { !$0.waiting.isEmpty }) {
            throw BrokenPromise(.other, "the outbox of member \(left.member) does not get empty")
        }
    }

    private func fetchEverything() throws(BrokenPromise) {
        for member in agents.indices {
            if !node.machine.entries(in: HeldCopy.mailbox).isEmpty { try perform(.release(member: member)) }
            let waits = !node.machine.entries(in: SimNode.mailbox(of: member)).isEmpty
            if waits { try perform(.fetch(member: member, .never, isLingering: false, hasRival: false)) }
            if !agents[member].machine.entries(in: SimAgent.inbox).isEmpty { try perform(.show(member: member)) }
        }
    }

    private var isEverybodyDone: Bool {
        node.machine.entries(in: HeldCopy.mailbox).isEmpty
            && agents.allSatisfy { $0.waiting.isEmpty && node.machine.entries(in: SimNode.mailbox(of: $0.member)).isEmpty }
    }

    /// Of every copy its author was told what became of it. Letters that went out in several parts are told of part by part.
    private func checkAuthorsKnow() throws(BrokenPromise) {
        for letter in promises.letters where promises.accepted.contains(letter.number) && !letter.isResent {
            guard !promises.unreported.contains(letter.number) else { continue }
            let known = agents[letter.author].states(of: letter.number).filter(\.state.isFinal).map(\.reader)
            if let reader = letter.readers.first(where: { !known.contains($0) }) {
                throw BrokenPromise(
                    .other, "the author of letter \(letter.number) does not know what became of the copy for member \(reader)")
            }
        }
    }

    /// When everybody has everything, the node remembers nothing but receipts, and those not for ever.
    private func checkNothingIsLeft() throws(BrokenPromise) {
        guard promises.excused.isEmpty else { return }
        time.advance(by: .seconds((SubmissionLedger.lifetimeDays + 2) * 86400))
        node.sweep(members: agents.count)
        guard let mailboxes = try? node.machine.log?.mailboxes() else { throw BrokenPromise(.other, "the node has stopped") }
        if let left = mailboxes.first(where: { $0.value.count > 0 }) {
            throw BrokenPromise(.left, "\(left.value.count) records of mailbox \(left.key.rawValue) stay at the node for ever")
        }
    }
}
