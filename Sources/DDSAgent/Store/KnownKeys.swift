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
        /// The key that was compared with its owner; it says nothing of any other.
        var compared: String?
        /// The key that this person chose to go on with after a change.
        var accepted: String?

        var isCompared: Bool { compared == key }

        /// The person had another key before, and nobody has said yet that this one is to be trusted.
        var awaitsDecision: Bool { !former.isEmpty && accepted != key && !isCompared }

        /// A former key of theirs was compared, and this one was not.
        var lostComparison: Bool { compared.map { $0 != key } ?? false }
    }

    private static let formerMax = 16

    /// By address.
    private(set) var entries: [String: Entry] = [:]

    subscript(_ address: String) -> Entry? { entries[address.lowercased()] }

    /// Whose key that is.
    func owner(of key: String) -> String? { entries.filter { $0.value.key == key }.keys.min() }

    /// Of these people, those whose change of key nobody has decided on, in order.
    func undecided(among addresses: [MailAddress]) -> [MailAddress] {
        addresses.filter { self["\($0)"]?.awaitsDecision == true }.sorted { "\($0)" < "\($1)" }
    }

    /// The key was compared with its owner, which decides on it too. False when it is not their key any more.
    mutating func compared(_ key: String, of address: String) -> Bool {
        change(address, having: key) {
            $0.compared = key
            $0.accepted = key
        }
    }

    /// Takes the comparison back; what was decided with it stays.
    mutating func uncompared(_ address: String) { _ = change(address) { $0.compared = nil } }

    /// Goes on with the key without a comparison. False when it is not their key any more.
    mutating func accepted(_ key: String, of address: String) -> Bool { change(address, having: key) { $0.accepted = key } }

    private mutating func change(_ address: String, having key: String? = nil, _ change: (inout Entry) -> Void) -> Bool {
        guard var entry = self[address], key == nil || entry.key == key else { return false }
        change(&entry)
        entries[address.lowercased()] = entry
        return true
    }

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
