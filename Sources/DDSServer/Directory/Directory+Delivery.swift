// Who gets a message: resolves the recipients of an envelope to accounts, as of now, and says in words why one is refused.

import DDSCore
import DDSNode

extension Directory {
    /// What a recipient address stands for.
    enum Destination: Hashable, Sendable {
        case member(String)
        case group(String)
    }

    /// Why an address cannot be written to; each text names the remedy and goes into an SMTP reply.
    enum Refusal: Error, Hashable, Sendable {
        case unknown(String)
        case notAllowed(String)
        /// Not now: the text says until when.
        case later(String)

        var words: String {
            switch self {
            case .unknown(let text), .notAllowed(let text), .later(let text): text
            }
        }
    }

    /// Checks that `author` (nil for mail that an ordinary MTA hands in) may write to `address`.
    func destination(of address: MailAddress, domain: String, author: String?) throws(Refusal) -> Destination {
        guard address.domain == domain else {
            throw .notAllowed("this node serves only addresses at \(domain)")
        }
        if let account = accounts[address.local] {
            if account.isSuspended { throw .notAllowed("\(address.local) is suspended; ask the node's administrator") }
            guard account.recipient != nil else {
                throw .later("\(address.local) has not joined yet; try again when the invite was used")
            }
            return .member(account.name)
        }
        guard let group = groups[address.local] else {
            throw .unknown("no member or group \(address.local) here; check the spelling")
        }
        let mayPost =
            switch group.posting {
            case .all: true
            case .members: author.map(group.members.contains) ?? false
            case .owners: author.map(group.owners.contains) ?? false
            }
        guard mayPost else {
            let who = group.posting == .owners ? "owners" : "members"
            throw .notAllowed("only \(who) may write to \(group.name); ask the administrator to add you")
        }
        if group.mode == .sealed, let author, !group.members.contains(author) {
            throw .notAllowed(
                "only members may write to \(group.name), whose mail is sealed by its authors: they have its roster; ask the administrator to add you"
            )
        }
        try checkSigner(author, to: group)
        return .group(group.name)
    }

    /// The accounts that get a copy now: members of the groups and the persons named, each once, in order of name. A key
    /// user's own agent keeps what it sent, so no copy goes back to the device that sent it, whose maildrop is `mailbox`; the
    /// author's other devices get one. Each account is as one of its devices has it. Among them are members without a key: their
    /// copies are held.
    func readers(of destinations: [Destination], author: String?, from mailbox: UInt64? = nil) -> [Account] {
        var names: Set<String> = []
        for destination in destinations {
            switch destination {
            case .member(let name): names.insert(name)
            case .group(let name): names.formUnion(groups[name]?.members ?? [])
            }
        }
        guard let author = author.flatMap({ accounts[$0] }), author.usesKey, !destinations.contains(.member(author.name)) else {
            return devices(of: names)
        }
        names.insert(author.name)
        let sender = mailbox ?? author.mailbox
        return devices(of: names).filter { $0.mailbox != sender }
    }

    /// The author as the device has it that sends, whose maildrop is `mailbox`; nil for mail that an ordinary MTA hands in.
    func sender(_ author: String?, from mailbox: UInt64?) -> Account? {
        mailbox.flatMap { account(mailbox: $0) } ?? author.flatMap { accounts[$0] }
    }

    /// The accounts of these names as each of their devices has them, in order of name; suspended ones are left out.
    func devices(of names: some Sequence<String>) -> [Account] {
        names.sorted().compactMap { accounts[$0] }.filter { !$0.isSuspended }.flatMap(\.perDevice)
    }

    /// How a message to these is taken: unopened as soon as one of them is a group whose mail the node does not open.
    func mode(of destinations: [Destination]) -> GroupMode {
        let modes = destinations.map { destination -> GroupMode in
            if case .group(let name) = destination { groups[name]?.mode ?? .relay } else { .relay }
        }
        return modes.contains(.sealed) ? .sealed : modes.contains(.blind) ? .blind : .relay
    }

    /// Why a message may not go to these together: what its author has sealed to each reader is for one group, and what is not
    /// opened for one of them cannot be checked for another.
    func refusal(ofMany destinations: [Destination]) -> Refusal? {
        if let refusal = refusal(ofUnopened: destinations) { return refusal }
        guard Set(destinations).count > 1, mode(of: destinations) == .sealed else { return nil }
        for case .group(let name) in destinations where groups[name]?.mode == .sealed {
            return .notAllowed(
                "a message to \(name) has no other recipient, because its author seals it to each reader; send it alone")
        }
        return nil
    }

    /// The group through which a reader gets a message: the first of the destinations that they are in; nil when one of them
    /// is the person.
    func group(reaching name: String, among destinations: [Destination]) -> String? {
        guard !destinations.contains(.member(name)) else { return nil }
        for case .group(let group) in destinations where groups[group]?.members.contains(name) == true { return group }
        return nil
    }
}
