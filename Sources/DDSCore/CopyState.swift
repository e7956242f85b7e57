// What can become of one member's copy of a message, in the words that node, author's agent and administrator share.

/// The state of one copy. Waiting and held may still become anything; the others are final.
package enum CopyState: String, Hashable, Sendable, CaseIterable, Codable {
    /// In the member's maildrop.
    case waiting
    /// The member's program has it and told the node to delete it.
    case fetched
    /// With the node, which cannot hand it on yet.
    case held
    /// Erased unread after `server.spool.keep_undelivered`.
    case expired
    /// Erased by the administrator, or with the member's account.
    case removed
    /// Erased unread because the key that it was sealed to is lost.
    case lost
    /// There is none: the author sealed the message when the member had no key, and nobody else can.
    case unsealed

    package var isFinal: Bool { self != .waiting && self != .held }
}

/// Why a copy is held.
package enum HoldCause: String, Hashable, Sendable, CaseIterable, Codable {
    /// The member has no key yet, or one that nothing can be sealed to.
    case noKey = "no-key"
    /// What waits for the member has reached `server.spool.mailbox_quota`.
    case mailboxFull = "mailbox-full"
    /// `queue hold`.
    case admin

    /// For people; stands behind "held, ".
    package var words: String {
        switch self {
        case .noKey: "no key to seal to yet"
        case .mailboxFull: "mailbox full"
        case .admin: "held back by the administrator"
        }
    }
}
