// Whose name somebody else's can be taken for. Names come from the rosters of this person's groups; addresses stand for themselves.

import DDSNode
import DDSUnicode

/// The people whose keys are known, by what their names look like.
struct NameBook: Sendable {
    /// Of the trust book that it was made from.
    let version: Int
    private var people: [String: [(address: String, name: String)]] = [:]

    /// `names` has an address and a name, perhaps several for one address.
    init(version: Int, names: [(address: String, name: String)]) {
        self.version = version
        for person in names {
            for form in LookAlike(person.name).forms {
                people[form, default: []].append((person.address.lowercased(), person.name))
            }
        }
    }

    /// Somebody else with a name that `name` of `address` can be taken for; nil when there is nobody.
    func other(than address: String, like name: String) -> String? {
        let address = address.lowercased()
        for form in LookAlike(name).forms {
            if let found = people[form]?.first(where: { $0.address != address }) { return found.name }
        }
        return nil
    }

    /// Whether `name` is an address, and not `address`.
    static func isForeignAddress(_ name: String, of address: String) -> Bool {
        name.contains { $0 == "@" || $0 == "\u{ff20}" || $0 == "\u{fe6b}" }
            && !LookAlike(name.filter { !"<>\"' ".contains($0) }).isLike(LookAlike(address))
    }
}

extension MailPage {
    /// What is wrong with the name that a message bears.
    func marks(ofName summary: StoredSummary, _ store: MessageStore) -> [MessageMark] {
        guard !summary.isOwn, summary.isFromNode != true, !summary.fromName.isEmpty else { return [] }
        if NameBook.isForeignAddress(summary.fromName, of: summary.fromAddress) { return [.nameIsAddress] }
        // Whose key was compared may be called as somebody else is.
        guard summary.signature?.verdict != .verified,
            let other = book(store).other(than: summary.fromAddress, like: summary.fromName)
        else { return [] }
        return [.looksLike(other)]
    }

    private func book(_ store: MessageStore) -> NameBook {
        if let nameBook, nameBook.version == store.trust.changeCount { return nameBook }
        let members = store.trust.groups.values.flatMap { $0.last?.roster.members ?? [] }
        var names = members.map { (address: "\($0.address)", name: $0.display) }
        names += store.trust.contacts.map { (address: $0.address, name: String($0.address.prefix { $0 != "@" })) }
        let book = NameBook(version: store.trust.changeCount, names: names)
        nameBook = book
        return book
    }
}
