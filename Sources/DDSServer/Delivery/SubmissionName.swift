// What receipts call a submission and those whom it has reached. Decides only how the hashes are made; what is kept is the ledger's
// affair.

import DDSSeal
import DDSSpool

/// One author's submission, and what receipts call it and whom it reached: hashes of the id, which the node does not keep.
struct SubmissionName: Sendable {
    var author: String
    var id: String

    var tag: RecordTag { tag("submission", []) }

    func tag(of destination: Directory.Destination) -> RecordTag {
        switch destination {
        case .member(let name), .group(let name): tag("destination", Array(name.utf8))
        }
    }

    /// Of the reader with this maildrop.
    func tag(of mailbox: UInt64) -> RecordTag { tag("reader", Array(String(mailbox).utf8)) }

    private func tag(_ kind: String, _ place: [UInt8]) -> RecordTag {
        RecordTag(
            Hash.blake2b(Array("\(author)\0\(id)\0".utf8) + place, key: Array("ddsnode/v1/receipt/\(kind)".utf8), count: 16))
    }
}
