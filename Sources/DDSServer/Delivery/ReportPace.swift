// When an author is told of changes: soon, and not all the time. A value: no clock, no waiting.

import DDSCore

struct ReportPace: Hashable, Sendable {
    /// `server.spool.states_every`.
    var every: Duration

    /// When a message whose copies changed first at `changed` is due, given when its author was told last: at once when nothing
    /// is on its way any more (`isDone`), else after `every`; and never sooner than `every` after the last report.
    func due(changed: Instant, isDone: Bool, last: Instant?) -> Instant {
        let wanted = isDone ? changed : changed + every
        guard let last else { return wanted }
        return max(wanted, last + every)
    }
}
