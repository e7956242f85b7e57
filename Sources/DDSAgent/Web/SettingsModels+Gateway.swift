// The plain values of the settings' tab about mail programs.

package import DDSCore

package struct GatewayModel: Hashable, Sendable {
    /// One protocol.
    package struct Row: Hashable, Sendable {
        /// What a form calls it.
        package var name: String
        package var title: String
        /// Where it listens; nil while it is off.
        package var host: String?
        package var port: UInt16?
        /// The configuration has it on, and this page cannot change that.
        package var isConfigured: Bool

        package init(name: String, title: String, host: String? = nil, port: UInt16? = nil, isConfigured: Bool = false) {
            self.name = name
            self.title = title
            self.host = host
            self.port = port
            self.isConfigured = isConfigured
        }
    }

    package struct Password: Hashable, Sendable {
        package var name: String
        package var made: WallTime
        package var lastUsed: WallTime?

        package init(name: String, made: WallTime, lastUsed: WallTime? = nil) {
            self.name = name
            self.made = made
            self.lastUsed = lastUsed
        }
    }

    package var rows: [Row]
    /// As which mail programs log in.
    package var user: String
    package var passwords: [Password]
    /// One that was just made: its name and itself, for this one time.
    package var fresh: Password?
    package var freshText: Redacted<String>?
    /// Sentences.
    package var problems: [String]
    /// Mail programs have to speak TLS; and the configuration says so, which this page cannot change.
    package var isTLS = false
    package var isTLSConfigured = false
    /// Of the authority that they have to trust for it.
    package var fingerprint: String?

    package init(
        rows: [Row], user: String, passwords: [Password] = [], fresh: Password? = nil, freshText: Redacted<String>? = nil,
        problems: [String] = []
    ) {
        self.rows = rows
        self.user = user
        self.passwords = passwords
        self.fresh = fresh
        self.freshText = freshText
        self.problems = problems
    }
}

/// What a form of that tab says; names are as they came.
package enum GatewayChange: Hashable, Sendable {
    case on(String)
    case off(String)
    case tls(Bool)
    case add(password: String)
    case revoke(password: String)
}
