// The keys that people sign with, as far as this agent knows them: from rosters that the node has signed, and where there are none
// from the first message. A value. A key that came by mail never takes the place of another; what a roster says does, and the
// change stays visible.

import DDSCore
import DDSNode

struct KnownKeys: Hashable, Sendable, Codable {
    struct Entry: Hashable, Sendable, Codable {
        /// 32 bytes in hexadecimal.
        var key: String
        /// When it was learnt, milliseconds since 1970.
        var since: Int64
        /// The node named it in a roster.
        var isFromNode: Bool
        /// What it replaced, oldest first.
        var former: [String] = []
        /// The key that was compared with its owner.
        var compared: String?
    }

    private static let formerMax = 16

    /// By address.
    private(set) var entries: [String: Entry] = [:]

    subscript(_ address: String) -> Entry? { entries[address.lowercased()] }

    /// Whose key that is.
    func owner(of key: String) -> String? { entries.filter { $0.value.key == key }.keys.min() }

    /// Takes over what a roster says.
    mutating func learn(_ roster: Roster, at wall: WallTime) {
        for member in roster.members {
            guard let identity = member.identity else { continue }
            let key = Hex.encode(identity)
            guard var entry = entries["\(member.address)"] else {
                entries["\(member.address)"] = Entry(key: key, since: wall.milliseconds, isFromNode: true)
                continue
            }
            if entry.key != key {
                entry.former = Array((entry.former + [entry.key]).suffix(Self.formerMax))
                entry.key = key
                entry.since = wall.milliseconds
            }
            entry.isFromNode = true
            entries["\(member.address)"] = entry
        }
    }

    /// Takes over the key of somebody's first message.
    mutating func learn(_ key: String, of address: String, at wall: WallTime) {
        guard self[address] == nil else { return }
        entries[address.lowercased()] = Entry(key: key, since: wall.milliseconds, isFromNode: false)
    }
}
