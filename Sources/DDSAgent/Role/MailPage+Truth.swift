// What holds of a message: what a later theft of keys would open, what quantum computers would, and where copies of it still are.
// Only what is known; what is not known is said to be so.

import DDSCore
import DDSNode
import DDSSeal

extension MailPage {
    func truths(of summary: StoredSummary) -> [MessageTruth] {
        let rotates = agent.unlocked?.keeper != nil
        var found: [MessageTruth] = []
        if !summary.isOwn {
            found.append(
                MessageTruth(
                    "Keys stolen later",
                    rotates
                        ? "open nothing that was recorded on its way to you: it was sealed to a mailbox key of yours that is destroyed when its time is over"
                        : "open what was recorded on its way to you: there are no mailbox keys here that could be destroyed"))
        }
        found.append(MessageTruth("Quantum computers", Self.quantum(summary)))
        found.append(MessageTruth("Copies at the node", Self.copies(summary)))
        return found
    }

    private static func quantum(_ summary: StoredSummary) -> String {
        switch summary.seal {
        case .hybrid: "do not open it: every reader's key, and the way to the node, is X25519 and ML-KEM-768 together"
        case .classical: "may open it one day: a reader, or the way to the node, has an X25519 key alone"
        case nil where summary.isOwn: "nothing is known here about the readers' keys; the node seals to those they have"
        case nil: "nothing is known here about the keys it was sealed to"
        }
    }

    private static func copies(_ summary: StoredSummary) -> String {
        guard summary.isOwn else {
            guard summary.origin != nil else { return "none was made for this one: it came from a file" }
            return "yours was destroyed when this agent had fetched it, before "
                + CivilTime(secondsSinceEpoch: summary.received / 1000).rfc3339
        }
        switch (summary.sendState, summary.copies) {
        case (.waiting, _), (.refused, _): return "none"
        case (_, let copies?) where !copies.isEmpty:
            let left = copies.count { $0.state == .waiting || $0.state == .held }
            return left == 0
                ? "none any more, \(copies.count) made"
                : "\(left) of \(copies.count); each is destroyed when its reader has fetched it"
        case (_, _): return "one for each reader until they have fetched it; the node has not told how many are left"
        }
    }
}
