// Which host names are ours, and which origins belong to them. Names from elsewhere are what DNS rebinding uses.

/// The names under which the page may be asked for.
package struct WebSite: Sendable, Equatable {
    package enum HostKind: Equatable, Sendable {
        /// The name of our own that no other local server shares cookies with.
        case canonical
        /// `127.0.0.1`, `localhost` or `[::1]` with our port.
        case loopback
        /// A name from `[web] hosts`.
        case configured
        case foreign
    }

    package static let defaultName = "ddsnode.localhost"

    package let port: UInt16
    /// The canonical name, in small letters.
    package let name: String
    /// Names with port as a browser sends them, in small letters.
    package let configuredHosts: [String]

    package init(port: UInt16, name: String = WebSite.defaultName, configuredHosts: [String] = []) {
        self.port = port
        self.name = name.lowercasedASCII
        self.configuredHosts = configuredHosts.map(\.lowercasedASCII)
    }

    /// `ddsnode.localhost:PORT`.
    package var canonicalHost: String { "\(name):\(port)" }
    /// The address people are told.
    package var address: String { "http://\(canonicalHost)" }

    /// What a `Host` value means here. Exact, port included; only ASCII case is ignored (RFC 9110 section 4.2.3).
    package func kind(ofHost host: String) -> HostKind {
        switch host.lowercasedASCII {
        case canonicalHost: .canonical
        case "127.0.0.1:\(port)", "localhost:\(port)", "[::1]:\(port)": .loopback
        case let name where configuredHosts.contains(name): .configured
        default: .foreign
        }
    }

    /// True when `origin` is the one that pages of `host` have. A configured name may be behind a proxy that does TLS.
    package func isOwn(origin: String, ofHost host: String) -> Bool {
        let host = host.lowercasedASCII
        if origin == "http://\(host)" { return true }
        return kind(ofHost: host) == .configured && origin == "https://\(host)"
    }
}
