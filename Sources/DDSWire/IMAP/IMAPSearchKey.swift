// What SEARCH, SORT and THREAD ask for, in uids. How it is found is not decided here.

/// SEARCH (RFC 9051 6.4.4) without what only the session knows: sequence numbers are uids here.
package indirect enum IMAPSearchKey: Hashable, Sendable {
    case all
    case uids(IMAPSet)
    case flag(IMAPFlags.System, Bool)
    case keyword(String, Bool)
    /// Of the date that the message came (INTERNALDATE) or, `sent`, of the Date field; days since 1970.
    case before(Int, sent: Bool)
    case on(Int, sent: Bool)
    case since(Int, sent: Bool)
    /// RFC 5032: seconds ago.
    case younger(Int)
    case older(Int)
    case larger(Int)
    case smaller(Int)
    /// BCC, CC, FROM, SUBJECT, TO and others: a field's name in lower case; an empty text asks whether it is there.
    case header(String, String)
    case body(String)
    case text(String)
    case modSeq(UInt64)
    case not(IMAPSearchKey)
    case or(IMAPSearchKey, IMAPSearchKey)
    case and([IMAPSearchKey])
}

/// A set of uids as ranges, ascending and disjoint; `*` was resolved by the session.
package struct IMAPSet: Hashable, Sendable {
    package var ranges: [ClosedRange<UInt32>]
    package init(_ ranges: [ClosedRange<UInt32>]) { self.ranges = ranges }
}

package struct IMAPSortKey: Hashable, Sendable {
    package enum Field: String, Hashable, Sendable {
        case arrival = "ARRIVAL"
        case cc = "CC"
        case date = "DATE"
        case from = "FROM"
        case size = "SIZE"
        case subject = "SUBJECT"
        case to = "TO"
    }
    package var field: Field
    package var isReverse: Bool

    package init(field: Field, isReverse: Bool = false) {
        self.field = field
        self.isReverse = isReverse
    }
}

/// THREAD (RFC 5256): a message and what answers it. A parent that is not here has no uid.
package struct IMAPThread: Hashable, Sendable {
    package var uid: UInt32?
    package var children: [IMAPThread]
    package init(uid: UInt32?, children: [IMAPThread] = []) {
        self.uid = uid
        self.children = children
    }
}
