// Decides what a command of the administrator makes of the directory: the events to store, or a refusal that names the
// remedy. Nothing is changed here.

import DDSCore
import DDSNode

extension Directory {
    /// Letters, digits, `-`, `_`, `.`; at most 32, beginning and ending with a letter or digit. One name space for members and groups.
    func checkedName(_ name: String) throws(Failure) -> String {
        let lower = name.lowercased()
        let isPlain = lower.utf8.allSatisfy { octet in
            (0x61...0x7a).contains(octet) || (0x30...0x39).contains(octet) || "-_.".utf8.contains(octet)
        }
        let ends = [lower.utf8.first, lower.utf8.last].allSatisfy { $0.map { !"-_.".utf8.contains($0) } ?? false }
        guard isPlain, ends, lower.utf8.count <= 32, !lower.contains("..") else {
            throw Failure(.badInput, "\"\(name)\" is no name: use up to 32 letters a-z, digits, and - _ . between them")
        }
        guard !Self.reservedNames.contains(lower) else {
            throw Failure(.badInput, "\"\(lower)\" is reserved for the node itself; choose another name")
        }
        return lower
    }

    /// Text that people are shown: one line of up to 100 octets. It travels in SMTP replies and on terminals.
    private func checkedText(_ text: String, _ what: String) throws(Failure) -> String {
        let isLine = text.unicodeScalars.allSatisfy { scalar in
            scalar.value >= 0x20 && !(0x7f...0x9f).contains(scalar.value) && !(0x2028...0x202e).contains(scalar.value)
        }
        guard isLine, text.utf8.count <= 100 else {
            throw Failure(.badInput, "the \(what) is one line of up to 100 octets without control characters; choose a shorter one")
        }
        return text
    }

    private func freeName(_ name: String) throws(Failure) -> String {
        let name = try checkedName(name)
        if accounts[name] != nil { throw Failure(.cannotCreate, "there is a member \(name) already; see: ddsnode user show \(name)") }
        if groups[name] != nil { throw Failure(.cannotCreate, "there is a group \(name) already; see: ddsnode group show \(name)") }
        return name
    }

    /// The account, or a refusal with exit code 67.
    func member(_ name: String) throws(Failure) -> Account {
        guard let account = accounts[name.lowercased()] else {
            throw Failure(.unknownName, "no member \"\(name)\"\(suggestion(for: name, among: accounts.keys)); see: ddsnode user list")
        }
        return account
    }

    func group(_ name: String) throws(Failure) -> Group {
        guard let group = groups[name.lowercased()] else {
            throw Failure(.unknownName, "no group \"\(name)\"\(suggestion(for: name, among: groups.keys)); see: ddsnode group list")
        }
        return group
    }

    private func suggestion(for name: String, among names: some Collection<String>) -> String {
        guard let near = Suggestion.nearest(to: name.lowercased(), among: names.sorted()) else { return "" }
        return ", did you mean \"\(near)\"?"
    }

    /// A new member without access yet.
    func addingAccount(_ name: String, display: String, groups wanted: [String]) throws(Failure) -> [DirectoryEvent] {
        let name = try freeName(name)
        let display = try checkedText(display, "display name")
        var events: [DirectoryEvent] = [.accountAdded(name: name, display: display.isEmpty ? name : display, mailbox: nextMailbox)]
        var seen: Set<String> = []
        for group in wanted {
            let group = try self.group(group).name
            if seen.insert(group).inserted { events.append(.memberAdded(group: group, member: name, isOwner: false)) }
        }
        return events
    }

    func settingSuspended(_ name: String, _ isSuspended: Bool) throws(Failure) -> [DirectoryEvent] {
        let account = try member(name)
        if account.isSuspended == isSuspended { return [] }
        return [isSuspended ? .accountSuspended(name: account.name) : .accountResumed(name: account.name)]
    }

    func removingAccount(_ name: String) throws(Failure) -> [DirectoryEvent] {
        [.accountRemoved(name: try member(name).name)]
    }

    func addingGroup(
        _ name: String, title: String, mode: GroupMode, posting: PostingPolicy, pq: PostQuantumPolicy? = nil,
        senderAuth: SenderAuthentication? = nil, members: [String], owners: [String]
    ) throws(Failure) -> [DirectoryEvent] {
        let name = try freeName(name)
        let title = try checkedText(title, "title")
        var events: [DirectoryEvent] = [
            .groupAdded(
                name: name, title: title.isEmpty ? name : title, mode: mode, posting: posting, pq: pq, senderAuth: senderAuth)
        ]
        var seen: Set<String> = []
        for (member, isOwner) in owners.map({ ($0, true) }) + members.map({ ($0, false) }) {
            let account = try self.member(member)
            if seen.insert(account.name).inserted {
                events.append(.memberAdded(group: name, member: account.name, isOwner: isOwner))
            }
        }
        try checkKeys(of: seen, in: name, policy: pq ?? .prefer)
        return events
    }

    func changingGroup(
        _ name: String, title: String?, mode: GroupMode? = nil, posting: PostingPolicy?, pq: PostQuantumPolicy? = nil,
        senderAuth: SenderAuthentication? = nil
    ) throws(Failure) -> [DirectoryEvent] {
        let group = try self.group(name)
        let title = try title.map { text throws(Failure) in try checkedText(text, "title") }
        try checkKeys(of: group.members, in: group.name, policy: pq ?? group.policy)
        return [
            .groupChanged(
                name: group.name, title: title ?? group.title, mode: mode ?? group.mode, posting: posting ?? group.posting,
                pq: pq ?? group.pq, senderAuth: senderAuth ?? group.senderAuth)
        ]
    }

    func removingGroup(_ name: String) throws(Failure) -> [DirectoryEvent] {
        [.groupRemoved(name: try group(name).name)]
    }

    func addingMembers(_ names: [String], to group: String, asOwners: Bool) throws(Failure) -> [DirectoryEvent] {
        let group = try self.group(group)
        var events: [DirectoryEvent] = []
        for name in names {
            let account = try member(name)
            try checkKeys(of: [account.name], in: group.name, policy: group.policy)
            if !group.members.contains(account.name) || (asOwners && !group.owners.contains(account.name)) {
                events.append(.memberAdded(group: group.name, member: account.name, isOwner: asOwners))
            }
        }
        return events
    }

    /// One owner less and another instead, so that the group is without neither at any moment. Nothing to do when it is so already.
    func handingOver(_ group: String, from: String, to: String) throws(Failure) -> [DirectoryEvent] {
        let group = try self.group(group)
        let (old, new) = (try member(from), try member(to))
        guard old.name != new.name else { throw Failure(.usage, "\(old.name) cannot hand #\(group.name) over to themselves") }
        let list = "see: ddsnode group member list \(group.name)"
        guard group.members.contains(new.name) else {
            throw Failure(
                .badInput, "\(new.name) is not in #\(group.name); first run: ddsnode group member add \(group.name) \(new.name)")
        }
        guard !new.isSuspended else {
            throw Failure(.badInput, "\(new.name) is suspended; first run: ddsnode user resume \(new.name)")
        }
        guard group.owners.contains(old.name) else {
            guard group.members.contains(old.name), group.owners.contains(new.name) else {
                throw Failure(.badInput, "\(old.name) is no owner of #\(group.name); \(list)")
            }
            return []
        }
        return [
            .memberAdded(group: group.name, member: new.name, isOwner: true),
            .memberRemoved(group: group.name, member: old.name),
            .memberAdded(group: group.name, member: old.name, isOwner: false),
        ]
    }

    func removingMembers(_ names: [String], from group: String) throws(Failure) -> [DirectoryEvent] {
        let group = try self.group(group)
        var events: [DirectoryEvent] = []
        for name in names {
            guard group.members.contains(name.lowercased()) else {
                throw Failure(.unknownName, "\(name) is not in #\(group.name); see: ddsnode group member list \(group.name)")
            }
            events.append(.memberRemoved(group: group.name, member: name.lowercased()))
        }
        return events
    }
}
