// Which mailboxes LIST and LSUB tell, and with which attributes (RFC 9051 6.3.9, RFC 3501 6.3.9, RFC 5258, RFC 6154).

struct IMAPListing: Sendable {
    struct Entry: Sendable {
        var name: String
        var attributes: [String]
        var isSelectable: Bool
        var hasSubscribedChild = false
    }

    /// In order of name, INBOX first, with the parents that nobody has told.
    private var mailboxes: [IMAPMailbox]
    private var parents: Set<String> = []
    private var parentsOfSubscribed: Set<String> = []

    init(_ told: [IMAPMailbox]) {
        mailboxes = told
        let names = Set(told.map(\.name))
        for mailbox in told {
            for parent in Self.parents(of: mailbox.name) {
                if parents.insert(parent).inserted, !names.contains(parent) {
                    mailboxes.append(IMAPMailbox(name: parent, isSelectable: false, isSubscribed: false))
                }
                if mailbox.isSubscribed { parentsOfSubscribed.insert(parent) }
            }
        }
        mailboxes.sort { ($0.name != "INBOX" ? 1 : 0, $0.name) < ($1.name != "INBOX" ? 1 : 0, $1.name) }
    }

    private static func parents(of name: String) -> [String] {
        var parents: [String] = []
        for index in name.indices.dropFirst() where name[index] == "/" { parents.append(String(name[..<index])) }
        return parents
    }

    func entries(_ request: IMAPListRequest, isUTF8: Bool) -> [Entry] {
        let patterns = request.patterns.compactMap { pattern -> IMAPListPattern? in
            let octets = request.reference + pattern
            guard let text = isUTF8 ? String(validating: octets, as: UTF8.self) : IMAPMailboxName.decode(octets) else {
                return nil
            }
            return IMAPListPattern(IMAPMailboxName.canonical(text))
        }
        return mailboxes.compactMap { mailbox in
            guard patterns.contains(where: { $0.matches(mailbox.name) }) else { return nil }
            return request.isLSub ? subscribed(mailbox, request) : entry(mailbox, request)
        }
    }

    private func entry(_ mailbox: IMAPMailbox, _ request: IMAPListRequest) -> Entry? {
        var hasSubscribedChild = false
        if request.select.contains(.subscribed), !mailbox.isSubscribed {
            guard request.select.contains(.recursiveMatch), parentsOfSubscribed.contains(mailbox.name) else { return nil }
            hasSubscribedChild = true
        } else if request.select.contains([.subscribed, .recursiveMatch]) {
            hasSubscribedChild = parentsOfSubscribed.contains(mailbox.name)
        }
        if request.select.contains(.specialUse), mailbox.use == nil { return nil }
        var attributes: [String] = []
        if !mailbox.isSelectable { attributes.append("\\Noselect") }
        attributes.append(parents.contains(mailbox.name) ? "\\HasChildren" : "\\HasNoChildren")
        if mailbox.isSubscribed, !request.select.union(request.returns).isDisjoint(with: .subscribed) {
            attributes.append("\\Subscribed")
        }
        if let use = mailbox.use { attributes.append(use.rawValue) }
        return Entry(
            name: mailbox.name, attributes: attributes, isSelectable: mailbox.isSelectable,
            hasSubscribedChild: hasSubscribedChild)
    }

    /// RFC 3501 6.3.9: `%` shows what is not subscribed too when something below it is.
    private func subscribed(_ mailbox: IMAPMailbox, _ request: IMAPListRequest) -> Entry? {
        if mailbox.isSubscribed {
            return Entry(
                name: mailbox.name, attributes: mailbox.isSelectable ? [] : ["\\Noselect"], isSelectable: mailbox.isSelectable)
        }
        guard request.patterns[0].last == UInt8(ascii: "%"), parentsOfSubscribed.contains(mailbox.name) else { return nil }
        return Entry(name: mailbox.name, attributes: ["\\Noselect"], isSelectable: false)
    }
}
