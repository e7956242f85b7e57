// What a group promises about post-quantum sealing, and what has to be refused so that it holds. A message has one file key:
// who breaks one reader's classical key reads it, whatever keys the others have.

import DDSCore
import DDSNode
import DDSSeal

/// The policy of a group.
enum PostQuantumPolicy: String, Hashable, Sendable, Codable, CaseIterable {
    /// Sealed to whatever keys the members have, and nothing said about it.
    case off
    /// The same, and every message tells its readers which kind of keys it was sealed to.
    case prefer
    /// Hybrid keys on the whole way, or the message is refused.
    case require
}

extension Account {
    /// The kind of the member's mailbox key; nil without one.
    var keyKind: AgeKeyKind? { recipient.map { AgeKeyKind(accepted: $0) } }
}

extension Directory {
    /// Refuses a member whose key would break the promise of a group that requires hybrid keys.
    func checkKeys(of members: some Sequence<String>, in group: String, policy: PostQuantumPolicy) throws(Failure) {
        guard policy == .require else { return }
        for member in members.sorted() where accounts[member]?.keyKind == .classical {
            throw Failure(
                .badInput,
                "\(member)'s key is classical (age1...) and \(group) takes post-quantum keys only (age1pq1...); have \(member) join again "
                    + "with an agent (ddsnode invite new \(member)), or leave \(member) out")
        }
    }

    /// Refuses `recipient` as the key of a member who is in a group that requires hybrid keys, or will be.
    func checkKey(_ recipient: String, of member: String, joining: [String] = []) throws(Failure) {
        guard let group = groupRequiringHybrid(of: member, joining: joining), AgeKeyKind(accepted: recipient) == .classical
        else { return }
        throw Failure(
            .badInput,
            "\(member) is in \(group), which takes post-quantum keys only (age1pq1...), and this key is classical; give another key, "
                + "or run: ddsnode group member remove \(group) \(member)")
    }

    /// The first group that is why `member` needs a hybrid key.
    func groupRequiringHybrid(of member: String, joining: [String] = []) -> String? {
        (groupNames(of: member) + joining.map { $0.lowercased() }.sorted()).first { groups[$0]?.policy == .require }
    }

    /// True for a group that takes nothing but what came to the node sealed to a hybrid key.
    func requiresHybrid(_ destination: Destination) -> Bool { requiringGroup([destination]) != nil }

    /// The group among `destinations` that requires hybrid keys.
    private func requiringGroup(_ destinations: [Destination]) -> String? {
        for case .group(let name) in destinations where groups[name]?.policy == .require { return name }
        return nil
    }

    /// What every reader is to be told of the keys of a message; nil when all it goes to are groups that promise nothing.
    /// `wasHybrid` is whether it came to the node sealed to a hybrid key alone.
    func seal(of readers: [Account], destinations: [Destination], wasHybrid: Bool) -> AgeKeyKind? {
        let isUnsaid = destinations.allSatisfy { destination in
            if case .group(let name) = destination { groups[name]?.policy == .off } else { false }
        }
        guard !isUnsaid else { return nil }
        // The copy of a member without a key is held until they have one, which may be of either kind.
        let isHybrid = readers.allSatisfy { reader in
            reader.keyKind.map { $0 == .hybrid } ?? (groupRequiringHybrid(of: reader.name) != nil)
        }
        return wasHybrid && isHybrid ? .hybrid : .classical
    }

    /// Why a message may not go to these destinations together, if it may not.
    func refusal(of readers: [Account], destinations: [Destination], wasHybrid: Bool) -> Refusal? {
        guard let group = requiringGroup(destinations) else { return nil }
        guard wasHybrid else {
            return .notAllowed(
                "\(group) takes only mail that an agent sealed to this node's post-quantum key; write with ddsnode's agent")
        }
        if let reader = readers.first(where: { $0.keyKind == .classical }) {
            return .notAllowed(
                "\(reader.name)'s key is classical and \(group) takes post-quantum keys only; write to \(reader.name) separately"
            )
        }
        if let reader = readers.first(where: { $0.keyKind == nil && groupRequiringHybrid(of: $0.name) == nil }) {
            return .notAllowed(
                "\(reader.name) has no key yet and \(group) takes post-quantum keys only; write to \(reader.name) separately")
        }
        return nil
    }
}
