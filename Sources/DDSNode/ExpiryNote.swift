// What a notice of erased mail says, once more where the node itself can read it: a stanza of the member's own age header, as GroupNote
// is. So the node can tell it again when nobody can open the notice any more.

package import DDSSeal

/// `-> ddsnode-expiry CAUSE COUNT FIRST LAST` with an empty body; the days are counted from 1970. The group is in its `GroupNote`.
package enum ExpiryNote {
    private static let kind = "ddsnode-expiry"

    package static func stanza(_ notice: ExpiryNotice) -> AgeStanza {
        HeaderNote.stanza(
            kind, notice.cause.rawValue, "\(notice.count)", "\(notice.days.lowerBound)", "\(notice.days.upperBound)")
    }

    /// What a whole age header, or a file that begins with one, tells of; nil where it is none or says nothing of the kind.
    package static func notice(inHeader bytes: [UInt8]) -> ExpiryNotice? {
        var reader = AgeHeaderReader()
        guard (try? reader.feed(bytes[...])) != nil, reader.isComplete,
            let words = HeaderNote.all(kind, count: 4, in: reader.stanzas).first,
            let cause = ExpiryNotice.Cause(rawValue: words[0]), let count = Int(words[1]), count > 0,
            let first = Int(words[2]), let last = Int(words[3]), first <= last
        else { return nil }
        return ExpiryNotice(group: GroupNote.group(in: reader.stanzas), count: count, days: first...last, cause: cause)
    }
}

extension ExpiryNotice {
    /// The same told by as few notices as there are groups and causes, in order.
    package static func joined(_ notices: [ExpiryNotice]) -> [ExpiryNotice] {
        var joined: [ExpiryNotice] = []
        for notice in notices {
            guard let index = joined.firstIndex(where: { $0.group == notice.group && $0.cause == notice.cause }) else {
                joined.append(notice)
                continue
            }
            let days = (joined[index].days, notice.days)
            joined[index].count += notice.count
            joined[index].days = min(days.0.lowerBound, days.1.lowerBound)...max(days.0.upperBound, days.1.upperBound)
        }
        return joined.sorted { ($0.group ?? "", $0.cause.rawValue) < ($1.group ?? "", $1.cause.rawValue) }
    }
}
