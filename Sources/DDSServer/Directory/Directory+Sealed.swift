// Whether a message that its author has sealed to each reader is sealed to those who get the group's mail now, with the keys they have
// now, and says of itself what the node would say.

import DDSCore
import DDSNode
import DDSSeal

extension Directory {
    enum BundleFit: Hashable, Sendable {
        case fits
        /// It was sealed for an older roster of this group, or to a key that is none any more.
        case stale(String)
        /// No roster makes that right; the text is for the author.
        case wrong(String)
    }

    /// The rosters of the groups are settled.
    func fit(of bundle: SealedBundle, to destinations: [Destination], author: String?, from mailbox: UInt64? = nil) -> BundleFit
    {
        guard destinations.count == 1, case .group(let name) = destinations[0], let group = groups[name], let author else {
            return .wrong("a message that is sealed to each reader is for one group; send it alone")
        }
        guard bundle.group == name else {
            return .wrong("the message was sealed for the readers of \(bundle.group), not of \(name)")
        }
        guard let head = rosterHead(of: name), bundle.roster == head else { return .stale(name) }
        let readers = readers(of: destinations, author: author, from: mailbox).filter { $0.recipient != nil }
            .sorted { $0.place < $1.place }
        guard readers.map(\.place) == bundle.readers.map(\.name) else {
            return .wrong("the message is sealed to others than roster \(head.number) names; update ddsnode's agent")
        }
        for (account, reader) in zip(readers, bundle.readers) where account.keyNumber != reader.keyNumber {
            guard rosters[name]?.isStale == true else {
                return .wrong(
                    "the message is sealed to another key of \(account.name) than roster \(head.number) names; update ddsnode's agent"
                )
            }
            return .stale(name)
        }
        let keys = ReaderNotes.kind(of: readers.compactMap(\.keyKind), policy: group.policy.rawValue)
        let isAttested = group.senderAuthentication == .attested
        for (account, reader) in zip(readers, bundle.readers) {
            let notes = ReaderNotes.sealed(
                group: name, roster: head, keys: keys, author: isAttested ? author : nil, keyNumber: account.keyNumber)
            guard Self.isHeader(reader.header, of: account.keyKind, with: notes) else {
                return .wrong("the header for \(account.name) is none, or says what is not so; update ddsnode's agent")
            }
        }
        return .fits
    }

    /// That it holds these notes, one key stanza, and nothing else. Whether the reader's key opens it only the reader can see.
    private static func isHeader(_ bytes: [UInt8], of kind: AgeKeyKind?, with notes: [AgeStanza]) -> Bool {
        var reader = AgeHeaderReader()
        guard let taken = try? reader.feed(bytes[...]), reader.isComplete, taken == bytes.count else { return false }
        return reader.stanzas.count == notes.count + 1 && Array(reader.stanzas.dropLast()) == notes
            && reader.stanzas.last?.keyKind == kind
    }
}
