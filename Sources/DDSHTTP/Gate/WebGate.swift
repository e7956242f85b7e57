// The order in which a request to the page is judged: host, method, fetch metadata, origin, session, form token, lock,
// speculative loads. It decides and counts; it renders nothing and knows no route beyond the classes of paths below.

package import DDSCore

/// The local page's gate. All state that its decisions need is in it, time is handed in.
package struct WebGate {
    /// What is to be done with a request.
    package enum Verdict: Equatable, Sendable {
        /// Serve it. `visit` is nil for paths that need no session and requests that have none.
        case serve(Visit?)
        case refuse(WebRefusal)
        /// 302 to the same path under the canonical name.
        case moved(to: String)
        /// 200 with one link to the path: the request came from another site, so the Strict cookie is not there.
        case offerLink(path: String)
        /// 303 to `/unlock`; `visit` is a visitor's session where there is one already.
        case unlockFirst(Visit?, WebRefusal)
    }

    /// The session behind a request that is served.
    package struct Visit: Equatable, Sendable {
        package var id: WebSessionID
        package var level: WebSessions.Level
        /// The cookie's value, for the form token; never logged.
        package var token: Redacted<String>

        package init(id: WebSessionID, level: WebSessions.Level, token: Redacted<String>) {
            self.id = id
            self.level = level
            self.token = token
        }
    }

    /// Set anew when the port is known; sessions stay.
    package var site: WebSite
    /// `__Host-dds-` and eight hexadecimal digits of the agent's id, so that two agents do not sign each other out.
    package let cookieName: String
    package var sessions: WebSessions
    package private(set) var refusals = WebRefusalCounters()

    /// `agentID` must have at least four octets.
    package init(site: WebSite, agentID: [UInt8], sessions: WebSessions) {
        precondition(agentID.count >= 4, "an agent has an id")
        self.site = site
        self.sessions = sessions
        cookieName = "__Host-dds-" + Hex.encode(agentID.prefix(4))
    }

    /// Judges what can be judged before the body is there: host, method, fetch metadata, origin and content type. Nil when
    /// nothing speaks against reading on. Refusals are counted.
    package mutating func screen(_ request: HTTPRequest) -> Verdict? {
        let verdict = screened(request)
        if case .refuse(let refusal)? = verdict { refusals.count(refusal) }
        return verdict
    }

    /// Judges a whole request. Refusals are counted.
    package mutating func judge(_ request: HTTPRequest, isLocked: Bool, now: Instant) -> Verdict {
        let verdict = screened(request) ?? admitted(request, isLocked: isLocked, now: now)
        switch verdict {
        case .refuse(let refusal), .unlockFirst(_, let refusal): refusals.count(refusal)
        case .serve(let visit?): sessions.noteUse(of: visit.id, now: now)
        case .serve, .moved, .offerLink: break
        }
        return verdict
    }

    /// Counts a refusal that was decided elsewhere: at accept, by the limits, or by a route.
    package mutating func count(_ refusal: WebRefusal) {
        refusals.count(refusal)
    }

    /// The `Set-Cookie` value for a token. No `Max-Age`: the browser forgets it with its session.
    package func cookie(_ token: String) -> String {
        "\(cookieName)=\(token); Secure; HttpOnly; SameSite=Strict; Path=/"
    }

    /// True when the request came to a name that may be given a cookie; the loopback names share theirs with every port.
    package func maySetCookie(_ request: HTTPRequest) -> Bool {
        guard let host = request.headers.only("Host") else { return false }
        let kind = site.kind(ofHost: host)
        return kind == .canonical || kind == .configured
    }
}

// The checks, in their order.
extension WebGate {
    private func screened(_ request: HTTPRequest) -> Verdict? {
        hostVerdict(request) ?? methodVerdict(request) ?? nameVerdict(request) ?? siteVerdict(request) ?? originVerdict(request)
    }

    private func hostVerdict(_ request: HTTPRequest) -> Verdict? {
        let hosts = request.headers.values("Host")
        if hosts.isEmpty { return .refuse(.hostMissing) }
        if hosts.count > 1 { return .refuse(.hostRepeated) }
        // An absolute target would stand above the host field (RFC 9112 section 3.2.2); browsers send none here.
        guard request.target.hasPrefix("/"), !request.target.hasPrefix("//"),
            request.target.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { return .refuse(.targetMalformed) }
        return site.kind(ofHost: hosts[0]) == .foreign ? .refuse(.hostForeign) : nil
    }

    private func methodVerdict(_ request: HTTPRequest) -> Verdict? {
        ["GET", "HEAD", "POST"].contains(request.method) ? nil : .refuse(.methodNotAllowed)
    }

    /// Navigations under a name that shares cookies with other ports go to the one that does not.
    private func nameVerdict(_ request: HTTPRequest) -> Verdict? {
        guard let host = request.headers.only("Host"), site.kind(ofHost: host) == .loopback, request.method != "POST",
            request.path != "/healthz", request.headers.only("Sec-Fetch-Mode") ?? "navigate" == "navigate"
        else { return nil }
        return .moved(to: site.address + request.target)
    }

    private func siteVerdict(_ request: HTTPRequest) -> Verdict? {
        let values = request.headers.values("Sec-Fetch-Site")
        if values.isEmpty { return nil }
        // The way out of a mail's frame, whose origin is nobody's. The name is the permission.
        if WebPath.isWayOut(request.path), request.method == "GET", request.headers.only("Sec-Fetch-Mode") == "navigate",
            request.headers.only("Sec-Fetch-Dest") == "document"
        {
            return nil
        }
        guard values.count == 1 else { return .refuse(.siteUnknown) }
        switch values[0] {
        case "same-origin": return nil
        case "none": return request.method == "POST" ? .refuse(.siteUnknown) : nil
        case "same-site", "cross-site":
            guard request.method == "GET", request.headers.only("Sec-Fetch-Mode") == "navigate",
                request.headers.only("Sec-Fetch-Dest") == "document", WebPath.isLinkable(request.path)
            else { return .refuse(.siteForeign) }
            return .offerLink(path: request.target)
        default: return .refuse(.siteUnknown)
        }
    }

    private func originVerdict(_ request: HTTPRequest) -> Verdict? {
        guard request.method == "POST", let host = request.headers.only("Host") else { return nil }
        let origins = request.headers.values("Origin")
        if origins.isEmpty { return .refuse(.originMissing) }
        if origins == ["null"] { return .refuse(.originNull) }
        guard origins.count == 1, site.isOwn(origin: origins[0], ofHost: host) else { return .refuse(.originForeign) }
        let type = (request.headers.only("Content-Type") ?? "").prefix { $0 != ";" }.trimmedOfBlanks.description.lowercasedASCII
        switch type {
        case "application/x-www-form-urlencoded", "multipart/form-data": return nil
        case "text/plain" where WebPath.takesPlainText(request.path): return nil
        default: return .refuse(.contentTypeWrong)
        }
    }

    private func admitted(_ request: HTTPRequest, isLocked: Bool, now: Instant) -> Verdict {
        let visit = visit(of: request, now: now)
        if !WebPath.isPublic(request.path) {
            guard let visit, visit.level == .signedIn else { return .unlockFirst(visit, .sessionMissing) }
        }
        if request.method == "POST" {
            // Without a session there is nothing a forged form could use; the visitor only gets one to try again with.
            guard let visit else { return .unlockFirst(nil, .sessionMissing) }
            // The script's endpoint has no form; it carries the token in a field that no form can set.
            let formToken = request.body.value("token") ?? request.headers.only("X-DDS-Token") ?? ""
            guard sessions.isRight(formToken: formToken, session: visit.token.exposed) else { return .refuse(.formTokenWrong) }
        }
        if isLocked, !WebPath.isPublic(request.path) { return .unlockFirst(visit, .locked) }
        if Self.isSpeculative(request) { return .refuse(.speculativeLoad) }
        return .serve(visit)
    }

    private func visit(of request: HTTPRequest, now: Instant) -> Visit? {
        for cookie in request.headers.cookies where cookie.name == cookieName {
            if let (id, level) = sessions.find(cookie.value, now: now) {
                return Visit(id: id, level: level, token: Redacted(cookie.value))
            }
        }
        return nil
    }

    private static func isSpeculative(_ request: HTTPRequest) -> Bool {
        let purposes =
            request.headers.values("Sec-Purpose") + request.headers.values("Purpose") + request.headers.values("X-Moz")
        return purposes.contains { $0.lowercasedASCII.hasPrefix("prefetch") || $0.lowercasedASCII.hasPrefix("prerender") }
    }
}

/// Classes of paths that the gate treats differently.
package enum WebPath {
    /// Served without a session: they show nothing private.
    package static func isPublic(_ path: String) -> Bool {
        ["/unlock", "/welcome", "/healthz", "/mail/config-v1.1.xml", "/mail/gateway-ca.pem"].contains(path)
            || ["/static/", "/open/", "/welcome/"].contains { path.hasPrefix($0) } || isWayOut(path)
    }

    /// The page in front of a link of a mail: under a name that nobody can guess, until the lock.
    package static func isWayOut(_ path: String) -> Bool { path.hasPrefix("/o/") }

    /// May be reached by a link on another site, in two steps.
    package static func isLinkable(_ path: String) -> Bool {
        path == "/" || ["/t/", "/g/", "/open/"].contains { path.hasPrefix($0) }
    }

    /// Called by the page's script, which has no form.
    package static func takesPlainText(_ path: String) -> Bool {
        path == "/active"
    }
}
