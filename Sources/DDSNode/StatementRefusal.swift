// Why a statement about a mailbox key is not believed: one case for each way in which it can be wrong, with the sentence that
// goes into the reply and into the log.

/// What is wrong with a `MailboxStatement`.
package enum StatementRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// Ends before it is whole.
    case truncated
    /// More bytes than any statement has.
    case oversized
    /// Bytes behind the signature.
    case surplus
    case notAStatement
    /// Of a version that this program does not know.
    case newerVersion
    /// The fields are not in their order.
    case reordered
    /// A field whose value is none.
    case malformedField
    /// Not signed by that identity, or changed since.
    case wrongSignature
    /// About another member, invite or device, or another key than the one that came with it.
    case aboutAnother
    /// A number that was accepted before.
    case replayed
    /// A number beyond the next.
    case skipped
    /// The next number, made after another statement than the last accepted one.
    case brokenChain
    /// By another identity than the member's.
    case foreignIdentity

    package var description: String {
        switch self {
        case .truncated: "the statement about the mailbox key is cut off; send it again"
        case .oversized:
            "the statement about the mailbox key is too large to be one; send one of at most \(MailboxStatement.bytesMax) bytes"
        case .surplus: "there is something behind the statement about the mailbox key; send the statement alone"
        case .notAStatement: "this is no statement about a mailbox key; send one that ddsnode's agent made"
        case .newerVersion: "the statement about the mailbox key is of a newer version; update ddsnode at the node"
        case .reordered:
            "the fields of the statement about the mailbox key are not in their order; send one that ddsnode's agent made"
        case .malformedField:
            "a field of the statement about the mailbox key cannot be read; send one that ddsnode's agent made"
        case .wrongSignature: "the statement about the mailbox key is not signed by its member's identity; send it unchanged"
        case .aboutAnother: "the statement is about another member, device or key than the one it came with; send your own"
        case .replayed: "a statement with this number was accepted before, and another one; make one with the next number"
        case .skipped: "a statement before this one is missing; send them in the order of their numbers"
        case .brokenChain: "the statement does not follow the last one that was accepted; join again with a new invite"
        case .foreignIdentity: "the statement is by another identity than this member's; join again with a new invite"
        }
    }
}
