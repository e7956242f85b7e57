// The page's addresses. Ids are opaque and short; no address holds a word of mail.

/// Everything the page serves, apart from static files.
package enum Route: Hashable, Sendable {
    case list(FolderReference)
    case emptyTrash
    case thread(String)
    case print(String)
    case write
    case draft(String)
    case attachment(String)
    case view(String)
    case formatted(String)
    case formattedDocument(String)
    case source(String)
    case link(String)
    case person(String)
    case search
    case results(String)
    case act
    case active
    case events
    case unlock
    case lock
    case open(String)
    case health
    case welcome
    case welcomePrint
    case welcomeKit
    case settings(SettingsTab)
    case settingsKit(String)
    case settingsKitFile(String)
    /// How mail programs set themselves up.
    case autoconfig
    case gatewayAuthority

    /// The route of a path as sent; nil when there is none.
    package init?(path: String) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
        switch (parts.first, parts.count) {
        case ("", 1): self = .list(.inbox)
        case ("l", 1): self = .list(.all)
        case ("p", 1): self = .list(.privateMail)
        case ("f", 1): self = .list(.starred)
        case ("r", 1): self = .list(.archive)
        case ("x", 1): self = .list(.sent)
        case ("d", 1): self = .list(.drafts)
        case ("b", 1): self = .list(.trash)
        case ("b", 2) where parts[1] == "empty": self = .emptyTrash
        case ("w", 1): self = .write
        case ("s", 1): self = .search
        case ("s", 2) where Self.isID(parts[1]): self = .results(parts[1])
        case ("do", 1): self = .act
        case ("active", 1): self = .active
        case ("events", 1): self = .events
        case ("unlock", 1): self = .unlock
        case ("lock", 1): self = .lock
        case ("healthz", 1): self = .health
        case ("welcome", 1): self = .welcome
        case ("welcome", 2) where parts[1] == "print": self = .welcomePrint
        case ("welcome", 2) where parts[1] == "kit": self = .welcomeKit
        case ("g", 2) where Self.isID(parts[1]): self = .list(.group(parts[1]))
        case ("t", 2) where Self.isID(parts[1]): self = .thread(parts[1])
        case ("t", 3) where Self.isID(parts[1]) && parts[2] == "print": self = .print(parts[1])
        case ("w", 2) where Self.isID(parts[1]): self = .draft(parts[1])
        case ("a", 2) where Self.isID(parts[1]): self = .attachment(parts[1])
        case ("v", 2) where Self.isID(parts[1]): self = .view(parts[1])
        case ("m", 2) where Self.isID(parts[1]): self = .formatted(parts[1])
        case ("m", 3) where Self.isID(parts[1]) && parts[2] == "html": self = .formattedDocument(parts[1])
        case ("m", 3) where Self.isID(parts[1]) && parts[2] == "source": self = .source(parts[1])
        case ("o", 2) where Self.isID(parts[1]): self = .link(parts[1])
        case ("k", 2) where Self.isID(parts[1]): self = .person(parts[1])
        case ("open", 2) where Self.isID(parts[1]): self = .open(parts[1])
        case ("mail", 2) where parts[1] == "config-v1.1.xml": self = .autoconfig
        case ("mail", 2) where parts[1] == "gateway-ca.pem": self = .gatewayAuthority
        case ("settings", _): self.init(settings: Array(parts.dropFirst()))
        default: return nil
        }
    }

    private init?(settings parts: [String]) {
        switch (parts.first, parts.count) {
        case (nil, 0): self = .settings(.you)
        case ("kit", 2) where Self.isID(parts[1]): self = .settingsKit(parts[1])
        case ("kit", 3) where Self.isID(parts[1]) && parts[2] == "file": self = .settingsKitFile(parts[1])
        case (let name?, 1):
            guard let tab = SettingsTab(rawValue: name), tab != .you else { return nil }
            self = .settings(tab)
        default: return nil
        }
    }

    package static func path(_ tab: SettingsTab) -> String { tab == .you ? "/settings" : "/settings/\(tab.rawValue)" }

    /// The address of a folder.
    package static func path(_ folder: FolderReference) -> String {
        switch folder {
        case .inbox: "/"
        case .all: "/l"
        case .privateMail: "/p"
        case .starred: "/f"
        case .archive: "/r"
        case .sent: "/x"
        case .drafts: "/d"
        case .trash: "/b"
        case .group(let id): "/g/\(id)"
        }
    }

    /// Served before there is any mail.
    var isBeforeMail: Bool {
        switch self {
        case .health, .open, .welcome, .welcomePrint, .welcomeKit: true
        default: false
        }
    }

    /// True for paths that a form or a remembered wish may send the browser to: pages, never actions.
    package static func isPage(_ target: String) -> Bool {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2, !(parts[1].hasPrefix("c=") && isID(String(parts[1].dropFirst(2)))) { return false }
        switch Route(path: String(parts[0])) {
        case .list, .emptyTrash, .thread, .print, .write, .draft, .person, .formatted, .source, .search, .results, .settings:
            return true
        case .attachment, .view, .formattedDocument, .link, .act, .active, .events, .unlock, .lock, .open, .health, .welcome,
            .welcomePrint, .welcomeKit, .settingsKit, .settingsKitFile, .autoconfig, .gatewayAuthority, nil:
            return false
        }
    }

    /// Letters and digits, at most 64: nothing that could be a word of another language or mean something in HTML.
    package static func isID(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 64
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) }
    }
}
