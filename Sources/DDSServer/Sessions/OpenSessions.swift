// Which sessions members have open, so that those of a device that was replaced end at once and not with their next command.

import DDSLoop

@LoopActor final class OpenSessions {
    typealias Cut = @LoopActor (String) -> Void

    /// By maildrop.
    private var cuts: [UInt64: [ObjectIdentifier: Cut]] = [:]

    func began(_ session: AnyObject, of mailbox: UInt64, cut: @escaping Cut) {
        cuts[mailbox, default: [:]][ObjectIdentifier(session)] = cut
    }

    func ended(_ session: AnyObject, of mailbox: UInt64) {
        cuts[mailbox]?[ObjectIdentifier(session)] = nil
        if cuts[mailbox]?.isEmpty == true { cuts[mailbox] = nil }
    }

    /// Ends all of a member's sessions; `detail` is for the log.
    func cut(of mailbox: UInt64, _ detail: String) {
        for cut in (cuts[mailbox] ?? [:]).values { cut(detail) }
    }
}
