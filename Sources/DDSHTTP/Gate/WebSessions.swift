// Who is signed in at the page. Tokens exist in cookies only; here are their hashes, in memory, until lock or twelve hours.

package import DDSCore

/// A one-way function of at least 256 bits; DDSSeal's in the program.
package typealias WebHash = @Sendable ([UInt8]) -> [UInt8]

/// Names a session without being able to act as it.
package struct WebSessionID: Hashable, Sendable {
    fileprivate let hash: [UInt8]
}

/// What the next page of a session says on top.
package struct WebNotice: Hashable, Sendable {
    package var text: String
    /// Takes back what the text tells of; an opaque handle.
    package var undo: String?

    package init(_ text: String, undo: String? = nil) {
        self.text = text
        self.undo = undo
    }
}

/// The sessions of the page. A visitor has a session that proves nothing and only ties a form to a browser; unlocking
/// replaces it by a signed-in one with a new token.
package struct WebSessions {
    package enum Level: Hashable, Sendable {
        case visitor
        case signedIn
    }

    private struct Session {
        var level: Level
        var begun: Instant
        var lastUsed: Instant
        var wanted: String?
        var notice: WebNotice?
    }

    package static let lifetime = Duration.seconds(12 * 3600)
    package static let openTokenLifetime = Duration.seconds(60)
    /// Beyond these the oldest goes.
    package static let sessionsMax = 64
    package static let openTokensMax = 16

    private let random: any RandomSource
    private let hash: WebHash
    private var sessions: [WebSessionID: Session] = [:]
    private var openTokens: [WebSessionID: (made: Instant, target: OpenTarget)] = [:]

    package init(random: any RandomSource, hash: @escaping WebHash) {
        self.random = random
        self.hash = hash
    }

    /// Starts a session and returns its token: 256 random bits in hexadecimal.
    package mutating func begin(_ level: Level, now: Instant) -> String {
        dropExpired(now: now)
        if sessions.count >= Self.sessionsMax {
            // Visitors go first: strangers' page loads must not sign anybody out.
            let oldest = sessions.min { left, right in
                (left.value.level == .signedIn ? 1 : 0, left.value.begun) < (
                    right.value.level == .signedIn ? 1 : 0, right.value.begun
                )
            }
            if let oldest { sessions[oldest.key] = nil }
        }
        let token = Hex.encode(random.bytes(32))
        sessions[id(token)] = Session(level: level, begun: now, lastUsed: now)
        return token
    }

    /// The session of a cookie's value with its level; nil when unknown or too old.
    package func find(_ token: String, now: Instant) -> (id: WebSessionID, level: Level)? {
        let id = id(token)
        guard let session = sessions[id], now - session.begun < Self.lifetime else { return nil }
        return (id, session.level)
    }

    package mutating func end(_ id: WebSessionID) {
        sessions[id] = nil
    }

    /// A page was served to the session.
    package mutating func noteUse(of id: WebSessionID, now: Instant) {
        sessions[id]?.lastUsed = now
    }

    /// A session that is signed in, as it may be shown.
    package struct Live: Hashable, Sendable {
        package var id: WebSessionID
        /// For forms: letters and digits, with which nobody is signed in.
        package var name: String
        package var begun: Instant
        package var lastUsed: Instant
    }

    /// Everybody who is signed in, who was served last first.
    package func live(now: Instant) -> [Live] {
        sessions.filter { $0.value.level == .signedIn && now - $0.value.begun < Self.lifetime }
            .map { Live(id: $0, name: name($0), begun: $1.begun, lastUsed: $1.lastUsed) }
            .sorted { ($0.lastUsed, $0.begun, $0.name) > ($1.lastUsed, $1.begun, $1.name) }
    }

    private func name(_ id: WebSessionID) -> String {
        Hex.encode(hash(Array("ddsnode session name ".utf8) + id.hash).prefix(8))
    }

    /// The lock: nobody is signed in any more, and links handed out before it are dead.
    package mutating func lock() {
        sessions = sessions.filter { $0.value.level == .visitor }
        openTokens = [:]
    }

    /// The token that every form of a session carries. Derived from the session's token, so it is kept nowhere.
    package func formToken(_ token: String) -> String {
        Hex.encode(hash(Array("ddsnode form \(token)".utf8)).prefix(32))
    }

    /// True when `formToken` is the one of the session with that token; takes the same time wherever they differ.
    package func isRight(formToken: String, session token: String) -> Bool {
        ConstantTime.equal(Array(formToken.utf8), Array(self.formToken(token).utf8))
    }

    /// Remembers where a visitor wanted to go; given back once.
    package mutating func remember(wanted path: String, for id: WebSessionID) {
        sessions[id]?.wanted = path
    }

    package mutating func takeWanted(_ id: WebSessionID) -> String? {
        defer { sessions[id]?.wanted = nil }
        return sessions[id]?.wanted
    }

    /// A line for the next page of the session; given back once.
    package mutating func leave(_ notice: WebNotice, for id: WebSessionID) {
        sessions[id]?.notice = notice
    }

    package mutating func takeNotice(_ id: WebSessionID) -> WebNotice? {
        defer { sessions[id]?.notice = nil }
        return sessions[id]?.notice
    }

    /// A token for `/open/<token>`: signs in once within a minute. Given out over the control socket and to the desktop only.
    package mutating func makeOpenToken(for target: OpenTarget = OpenTarget(), now: Instant) -> String {
        openTokens = openTokens.filter { now - $0.value.made < Self.openTokenLifetime }
        if openTokens.count >= Self.openTokensMax, let oldest = openTokens.min(by: { $0.value.made < $1.value.made }) {
            openTokens[oldest.key] = nil
        }
        let token = Hex.encode(random.bytes(32))
        openTokens[id(token)] = (now, target)
        return token
    }

    /// Uses a token up; what it was made for, nil when it is not good.
    package mutating func redeem(openToken token: String, now: Instant) -> OpenTarget? {
        guard let found = openTokens.removeValue(forKey: id(token)), now - found.made < Self.openTokenLifetime else { return nil }
        return found.target
    }

    package var count: Int { sessions.count }
    package var signedInCount: Int { sessions.count { $0.value.level == .signedIn } }

    private func id(_ token: String) -> WebSessionID {
        WebSessionID(hash: hash(Array("ddsnode session \(token)".utf8)))
    }

    private mutating func dropExpired(now: Instant) {
        sessions = sessions.filter { now - $0.value.begun < Self.lifetime }
    }
}

/// What a one-time address leads to. Kept in memory beside its token, so that the address says nothing of it.
package struct OpenTarget: Hashable, Sendable {
    /// A page's path.
    package var path: String
    /// For the first field of joining: an invite or the link of another device.
    package var invite: Redacted<String>?

    package init(path: String = "/", invite: Redacted<String>? = nil) {
        self.path = path
        self.invite = invite
    }
}

/// Comparison that does not tell where two secrets differ.
package enum ConstantTime {
    package static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
