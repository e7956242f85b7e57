// What is different between two rosters of a group, for people: who came, who went, whose key changed, which setting. Routine
// changes of mailbox keys, which their owners' identities vouch for, are none.

package struct RosterChanges: Hashable, Sendable, Codable {
    package struct Person: Hashable, Sendable, Codable {
        package var address: String
        package var display: String

        package init(_ member: Roster.Member) {
            address = "\(member.address)"
            display = member.display
        }
    }

    package var added: [Person] = []
    package var removed: [Person] = []
    /// Somebody who was there already made their first key.
    package var joined: [Person] = []
    /// Another identity, or another mailbox key that no identity vouches for.
    package var newKey: [Person] = []
    package var madeOwner: [Person] = []
    package var madeMember: [Person] = []
    /// They read on another device from here on; nil in what an earlier version stored.
    package var moreDevices: [Person]?
    /// A device of theirs gets nothing any more.
    package var fewerDevices: [Person]?
    /// Like `post: members, before: all`.
    package var settings: [String] = []

    package init() {}

    package init(from old: Roster, to new: Roster) {
        let before = Dictionary(old.members.map { ($0.address, $0) }, uniquingKeysWith: { first, _ in first })
        let after = Set(new.members.map(\.address))
        removed = old.members.filter { !after.contains($0.address) }.map(Person.init)
        for member in new.members {
            guard let earlier = before[member.address] else {
                added.append(Person(member))
                continue
            }
            if !earlier.hasJoined, member.hasJoined {
                joined.append(Person(member))
            } else if Self.hasNewKey(member, earlier) {
                newKey.append(Person(member))
            }
            let (now, then) = (Set(member.devices.map(\.number)), Set(earlier.devices.map(\.number)))
            if earlier.hasJoined, !now.isSubset(of: then) { moreDevices = (moreDevices ?? []) + [Person(member)] }
            if member.hasJoined, !then.isSubset(of: now) { fewerDevices = (fewerDevices ?? []) + [Person(member)] }
            if earlier.role != member.role {
                if member.role == .owner { madeOwner.append(Person(member)) } else { madeMember.append(Person(member)) }
            }
        }
        for (now, then) in zip(new.settings.named, old.settings.named) where now.value != then.value {
            settings.append("\(now.name): \(now.value), before: \(then.value)")
        }
    }

    private static func hasNewKey(_ now: Roster.Member, _ then: Roster.Member) -> Bool {
        if now.identity != then.identity { return true }
        return now.identity == nil && now.devices.first?.recipient != then.devices.first?.recipient
    }

    package var isEmpty: Bool { self == RosterChanges() }

    /// One sentence for each kind of change, without full stops.
    package var sentences: [String] {
        var found: [String] = []
        func say(_ people: [Person], _ one: String, _ many: String) {
            guard !people.isEmpty else { return }
            let shown = people.prefix(Self.namesMax).map { "\($0.display) <\($0.address)>" }
            let rest = people.count - shown.count
            found.append(
                (shown + (rest > 0 ? ["\(rest) others"] : [])).joined(separator: ", ") + " " + (people.count == 1 ? one : many))
        }
        say(added, "was added", "were added")
        say(removed, "was removed", "were removed")
        say(joined, "has joined", "have joined")
        say(newKey, "has a new key", "have new keys")
        say(moreDevices ?? [], "reads on another device too", "read on another device too")
        say(fewerDevices ?? [], "has given up a device", "have given up devices")
        say(madeOwner, "is an owner now", "are owners now")
        say(madeMember, "is no owner any more", "are no owners any more")
        return found + settings
    }

    private static let namesMax = 20
}
