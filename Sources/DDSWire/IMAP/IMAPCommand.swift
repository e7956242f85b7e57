// The commands of IMAP as a table: which exist, in which states they may come, which take literals. What a command does is
// the session's business.

/// A command's name and its row of rules (RFC 9051 6, RFC 3501 6, and the extensions of `IMAPServerSession`).
enum IMAPVerb: String, CaseIterable, Sendable {
    case capability = "CAPABILITY"
    case noop = "NOOP"
    case logout = "LOGOUT"
    case id = "ID"
    case startTLS = "STARTTLS"
    case authenticate = "AUTHENTICATE"
    case login = "LOGIN"
    case enable = "ENABLE"
    case select = "SELECT"
    case examine = "EXAMINE"
    case create = "CREATE"
    case delete = "DELETE"
    case rename = "RENAME"
    case subscribe = "SUBSCRIBE"
    case unsubscribe = "UNSUBSCRIBE"
    case list = "LIST"
    case lsub = "LSUB"
    case namespace = "NAMESPACE"
    case status = "STATUS"
    case append = "APPEND"
    case idle = "IDLE"
    case getQuota = "GETQUOTA"
    case getQuotaRoot = "GETQUOTAROOT"
    case setQuota = "SETQUOTA"
    case check = "CHECK"
    case close = "CLOSE"
    case unselect = "UNSELECT"
    case expunge = "EXPUNGE"
    case search = "SEARCH"
    case sort = "SORT"
    case thread = "THREAD"
    case fetch = "FETCH"
    case store = "STORE"
    case copy = "COPY"
    case move = "MOVE"

    /// The states of a session as far as they decide about commands.
    enum Phase: CaseIterable, Sendable {
        /// Not authenticated, in clear where TLS is required.
        case clear
        case notAuthenticated
        case authenticated
        case selected
    }

    var phases: Set<Phase> {
        switch self {
        case .capability, .noop, .logout, .id: Set(Phase.allCases)
        case .startTLS: [.clear]
        case .authenticate, .login: [.notAuthenticated]
        // RFC 5161 3.1: before a mailbox is selected.
        case .enable: [.authenticated]
        case .select, .examine, .create, .delete, .rename, .subscribe, .unsubscribe, .list, .lsub, .namespace, .status, .append,
            .idle, .getQuota, .getQuotaRoot, .setQuota:
            [.authenticated, .selected]
        case .check, .close, .unselect, .expunge, .search, .sort, .thread, .fetch, .store, .copy, .move: [.selected]
        }
    }

    /// Whether there is an argument that may be a literal.
    var takesLiterals: Bool {
        switch self {
        case .id, .login, .select, .examine, .create, .delete, .rename, .subscribe, .unsubscribe, .list, .lsub, .status,
            .append,
            .getQuota, .getQuotaRoot, .search, .sort, .thread, .fetch, .copy, .move:
            true
        case .capability, .noop, .logout, .startTLS, .authenticate, .enable, .namespace, .idle, .setQuota, .check, .close,
            .unselect, .expunge, .store:
            false
        }
    }

    /// Whether `UID` may come before it.
    var takesUIDs: Bool {
        switch self {
        case .expunge, .search, .sort, .thread, .fetch, .store, .copy, .move: true
        default: false
        }
    }

    /// Whether its replies speak of sequence numbers that the client has in mind, so that none may change meanwhile
    /// (RFC 9051 7.5.1, RFC 5256 1).
    var keepsNumbers: Bool {
        switch self {
        case .search, .sort, .thread, .fetch, .store: true
        default: false
        }
    }
}

/// A command's tag and name; the parser stands behind them.
struct IMAPCommand: Sendable {
    static let tagOctetsMax = 100

    var tag: String
    var verb: IMAPVerb
    var isUID: Bool

    /// The tag at the beginning of `line`, or nil when there is none that could be repeated.
    static func tag(of line: [UInt8]) -> String? {
        let tag = line.prefix { $0 != 0x20 }
        guard (1...tagOctetsMax).contains(tag.count), tag.allSatisfy({ IMAPParser.isAString($0) && $0 != UInt8(ascii: "+") })
        else { return nil }
        return String(decoding: tag, as: UTF8.self)
    }

    /// Reads the verb behind the tag.
    static func verb(_ parser: inout IMAPParser) throws(IMAPFault) -> (verb: IMAPVerb, isUID: Bool) {
        try parser.space()
        let name = try parser.keyword()
        guard name == "UID" else {
            guard let verb = IMAPVerb(rawValue: name) else { throw .bad("Unknown command") }
            return (verb, false)
        }
        try parser.space()
        guard let verb = IMAPVerb(rawValue: try parser.keyword()), verb.takesUIDs else {
            throw .bad("Unknown command behind UID")
        }
        return (verb, true)
    }
}
