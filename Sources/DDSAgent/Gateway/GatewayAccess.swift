// Who logs in to the gateway, and to what: the user name of a mail program, and whether its password is one that was made for
// it.

import DDSCore
import DDSLoop
import DDSWire

/// What a mail program sees of the person's mail.
enum GatewayMailbox: Hashable, Sendable {
    /// Everything that came in.
    case inbox
    /// What came in through this group.
    case group(String)

    /// Whether a message belongs to it. What this person wrote is in no mailbox of POP3.
    func holds(_ place: SummaryTable.Place, of table: SummaryTable) -> Bool {
        guard table.marks(place).isDisjoint(with: [.own, .trashed]) else { return false }
        switch self {
        case .inbox: return true
        case .group(let name): return table.group(place) == name
        }
    }
}

enum GatewayLogin: Sendable {
    case member(GatewayMailbox, password: String)
    case refused
    case locked
}

/// A user name of the gateway, taken apart: `bob`, `bob+board`, each with the node behind it or not.
struct GatewayUser: Hashable, Sendable {
    var person: String
    var group: String?

    /// Nil for a name of another domain.
    init?(_ name: String, domain: String) {
        let parts = name.lowercased().split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 1 || parts[1] == domain else { return nil }
        let names = parts[0].split(separator: "+", maxSplits: 1, omittingEmptySubsequences: false)
        person = String(names[0])
        group = names.count == 2 ? String(names[1]) : nil
    }
}

extension GatewayDesk {
    static let lockedWords = "The agent is locked; unlock it in its page or run: ddsnode unlock"

    /// Decides a login. A locked agent opens nothing, so its passwords are not even looked at.
    func login(_ credentials: Credentials) -> GatewayLogin {
        guard let store = agent.unlocked?.store else { return .locked }
        guard case .plain(let authzid, let name, let text) = credentials, authzid == nil || authzid == name,
            let user = GatewayUser(name, domain: agent.account.address.domain), user.person == agent.account.address.local,
            user.group.map({ agent.isGroup($0, store) }) ?? true, let password = book.use(text.exposed)
        else { return .refused }
        return .member(user.group.map { .group($0) } ?? .inbox, password: password)
    }
}
