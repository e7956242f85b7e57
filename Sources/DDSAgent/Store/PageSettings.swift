// What a person has chosen for their page, and its form in the store. A value; SettingsBook keeps it.

import DDSNode

package enum PageTheme: String, Hashable, Sendable, CaseIterable {
    /// As the browser says that the person likes it.
    case auto
    case light
    case dark
}

package enum PageDensity: String, Hashable, Sendable, CaseIterable {
    case normal
    case compact
}

/// How the page looks and listens.
package struct PageLook: Hashable, Sendable {
    package var theme = PageTheme.auto
    package var density = PageDensity.normal
    /// `(3) ` in front of titles. Off by default: browsers write titles to the disk.
    package var showsUnreadInTitle = false
    /// Single letters do something.
    package var hasKeys = true

    package init() {}
}

/// The choices, as an object of JSON. What is not understood of it, because a later version wrote it, is kept as it is.
package struct PageSettings: Hashable, Sendable {
    package static let signatureMax = 2000
    package static let undoSecondsRange = 0...60
    private static let version: Int64 = 1

    private var fields: [String: JSONValue] = ["version": .number(version)]

    /// The defaults.
    package init() {}

    /// Nil for what is no such object, or one of another version.
    init?(json: JSONValue?) {
        guard case .object(let fields)? = json, fields["version"]?.integer == Self.version else { return nil }
        self.fields = fields
    }

    var json: JSONValue { .object(fields) }

    package var look: PageLook {
        get {
            var look = PageLook()
            look.theme = fields["theme"]?.string.flatMap(PageTheme.init) ?? look.theme
            look.density = fields["density"]?.string.flatMap(PageDensity.init) ?? look.density
            look.showsUnreadInTitle = fields["unread_in_title"]?.boolean ?? look.showsUnreadInTitle
            look.hasKeys = fields["keys"]?.boolean ?? look.hasKeys
            return look
        }
        set {
            fields["theme"] = .text(newValue.theme.rawValue)
            fields["density"] = .text(newValue.density.rawValue)
            fields["unread_in_title"] = .bool(newValue.showsUnreadInTitle)
            fields["keys"] = .bool(newValue.hasKeys)
        }
    }

    /// How long a sent message can be taken back; nil for what the configuration says.
    package var undoSeconds: Int? {
        get { fields["undo_seconds"]?.integer.flatMap { Self.undoSecondsRange.contains(Int($0)) ? Int($0) : nil } }
        set { fields["undo_seconds"] = newValue.map { .number($0) } }
    }

    /// Lines with LF between, without the `-- ` in front.
    package var signature: String {
        get { fields["signature"]?.string ?? "" }
        set { fields["signature"] = .text(newValue) }
    }

    /// What new messages and answers end with (RFC 3676 section 4.3).
    package var signatureBlock: String { signature.isEmpty ? "" : "\n-- \n\(signature)\n" }

    /// The browser may check spelling. Off by default: some send what is typed to a service for it.
    package var checksSpelling: Bool {
        get { fields["spellcheck"]?.boolean ?? false }
        set { fields["spellcheck"] = .bool(newValue) }
    }

    /// Says that numbers of messages are those of this store (RFC 9051 section 2.3.1.1); nil before a mail program asked.
    var uidValidity: UInt32? {
        get { fields["uid_validity"]?.integer.flatMap { UInt32(exactly: $0) }.flatMap { $0 == 0 ? nil : $0 } }
        set { fields["uid_validity"] = newValue.map { .number(Int64($0)) } }
    }

    /// By name: those that a person's mail programs do not show.
    var unsubscribedMailboxes: Set<String> {
        get { Set(fields["unsubscribed_mailboxes"]?.strings ?? []) }
        set { fields["unsubscribed_mailboxes"] = .texts(newValue.sorted()) }
    }

    /// By name.
    package var mutedGroups: Set<String> {
        get { Set(fields["muted_groups"]?.strings ?? []) }
        set { fields["muted_groups"] = .texts(newValue.sorted()) }
    }
}
