import DDSCore
import DDSHTTP
import DDSTestKit
import Testing

/// A hash for tests: spreads well, resists nobody.
func testHash(_ bytes: [UInt8]) -> [UInt8] {
    (0..<4).flatMap { lane -> [UInt8] in
        let word = bytes.reduce(0xcbf2_9ce4_8422_2325 &+ UInt64(lane) &* 0x9e37_79b9) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) }
    }
}

/// A gate at port 7381 with one signed-in session.
final class GateFixture {
    static let host = "ddsnode.localhost:7381"
    static let origin = "http://ddsnode.localhost:7381"
    var gate: WebGate
    var token: String
    var visitor: String
    let now = Instant(nanoseconds: 5_000_000_000)

    init(hosts: [String] = []) {
        gate = WebGate(
            site: WebSite(port: 7381, configuredHosts: hosts), agentID: [0xab, 0xcd, 0x01, 0x23, 0x45],
            sessions: WebSessions(random: SeededRandom(seed: 7), hash: testHash))
        token = gate.sessions.begin(.signedIn, now: now)
        visitor = gate.sessions.begin(.visitor, now: now)
    }

    func request(_ method: String, _ target: String, _ fields: [HTTPField], body: [HTTPField] = []) -> HTTPRequest {
        HTTPRequest(method: method, target: target, headers: HTTPHeaders(fields), body: HTTPBody(fields: body))
    }

    func get(_ target: String = "/", host: String = host, site: String? = "same-origin", _ more: [HTTPField] = [])
        -> HTTPRequest
    {
        var fields = [HTTPField("Host", host), HTTPField("Cookie", "other=1; \(gate.cookieName)=\(token)")]
        if let site { fields.append(HTTPField("Sec-Fetch-Site", site)) }
        return request("GET", target, fields + more)
    }

    func post(
        _ target: String = "/do", origin: String? = origin, site: String? = "same-origin",
        type: String = "application/x-www-form-urlencoded", formToken: String? = nil, session: String? = nil
    ) -> HTTPRequest {
        let session = session ?? token
        var fields = [HTTPField("Host", Self.host), HTTPField("Cookie", "\(gate.cookieName)=\(session)")]
        if let origin { fields.append(HTTPField("Origin", origin)) }
        if let site { fields.append(HTTPField("Sec-Fetch-Site", site)) }
        fields.append(HTTPField("Content-Type", type))
        return request("POST", target, fields, body: [HTTPField("token", formToken ?? gate.sessions.formToken(session))])
    }

    func judge(_ request: HTTPRequest, isLocked: Bool = false, after: Duration = .zero) -> WebGate.Verdict {
        gate.judge(request, isLocked: isLocked, now: now + after)
    }

    /// Refused for exactly this reason, and this counter alone rose, by one.
    func isRefused(_ request: HTTPRequest, _ refusal: WebRefusal, isLocked: Bool = false) -> Bool {
        let before = gate.refusals
        let verdict = judge(request, isLocked: isLocked)
        let rose = WebRefusal.allCases.filter { gate.refusals[$0] != before[$0] }
        return verdict == .refuse(refusal) && rose == [refusal] && gate.refusals[refusal] == before[refusal] + 1
    }

    func isServed(_ request: HTTPRequest, isLocked: Bool = false) -> Bool {
        if case .serve = judge(request, isLocked: isLocked) { return true }
        return false
    }
}

@Suite struct GateTests {
    @Test func ownRequests_areServed() {
        let fixture = GateFixture()
        #expect(fixture.isServed(fixture.get()))
        #expect(fixture.isServed(fixture.get(site: "none")))
        #expect(fixture.isServed(fixture.get(site: nil)))
        #expect(fixture.isServed(fixture.get(host: "DDSNODE.localhost:7381")))
        #expect(fixture.isServed(fixture.post()))
        #expect(fixture.isServed(fixture.post(site: nil)))
        #expect(fixture.isServed(fixture.post("/w/abc", type: "Multipart/Form-Data; boundary=x")))
        #expect(fixture.gate.refusals == WebRefusalCounters())
    }

    /// B1, B3.
    @Test(arguments: [
        "evil.test:7381", "ddsnode.localhost:7382", "ddsnode.localhost", "ddsnode.localhost.:7381", "127.0.0.1",
        "127.0.0.2:7381",
        "[::1]:80", "localhost:7381.evil.test", "", "a.ddsnode.localhost:7381", " ddsnode.localhost:7381",
        "ddsnode.localhost:07381",
    ])
    func foreignHost_isRefused(host: String) {
        let fixture = GateFixture()
        #expect(fixture.isRefused(fixture.get(host: host), .hostForeign))
        #expect(WebRefusal.hostForeign.status == 403)
    }

    /// B2.
    @Test func missingAndRepeatedHost_areRefused() {
        let fixture = GateFixture()
        #expect(fixture.isRefused(fixture.request("GET", "/", []), .hostMissing))
        let host = HTTPField("Host", GateFixture.host)
        #expect(fixture.isRefused(fixture.request("GET", "/", [host, HTTPField("host", GateFixture.host)]), .hostRepeated))
        #expect(WebRefusal.hostMissing.status == 400 && WebRefusal.hostRepeated.status == 400)
    }

    @Test(arguments: ["http://evil.test/", "*", "//evil.test/", "/a b", "/\u{7f}", ""])
    func strangeTarget_isRefused(target: String) {
        let fixture = GateFixture()
        #expect(fixture.isRefused(fixture.get(target), .targetMalformed))
    }

    /// B4: what a browser sends for a rebound name: the attacker's host, and no fetch metadata at all.
    @Test func reboundName_isRefusedWithoutFetchMetadata() {
        let fixture = GateFixture()
        #expect(fixture.isRefused(fixture.get(host: "rebind.test:7381", site: nil), .hostForeign))
    }

    @Test func loopbackNames_moveNavigationsToTheCanonicalName() {
        let fixture = GateFixture()
        for host in ["127.0.0.1:7381", "localhost:7381", "[::1]:7381"] {
            let moved = WebGate.Verdict.moved(to: "http://ddsnode.localhost:7381/t/abc")
            #expect(fixture.judge(fixture.get("/t/abc", host: host)) == moved)
            let picture = fixture.get("/static/x", host: host, [HTTPField("Sec-Fetch-Mode", "no-cors")])
            #expect(fixture.isServed(picture))
            #expect(!fixture.gate.maySetCookie(picture))
        }
        #expect(fixture.gate.maySetCookie(fixture.get()))
    }

    @Test func configuredHost_isServedWithEitherScheme() {
        let fixture = GateFixture(hosts: ["Mail.Example.org"])
        #expect(fixture.isServed(fixture.get(host: "mail.example.org")))
        for origin in ["https://mail.example.org", "http://mail.example.org"] {
            var post = fixture.post(origin: origin)
            post.headers.set("Host", "mail.example.org")
            #expect(fixture.isServed(post))
        }
    }

    /// B8.
    @Test(arguments: ["OPTIONS", "PUT", "DELETE", "TRACE", "CONNECT", "PATCH", "get", "PROPFIND"])
    func otherMethods_areRefused(method: String) {
        let fixture = GateFixture()
        var request = fixture.get()
        request.method = method
        #expect(fixture.isRefused(request, .methodNotAllowed))
        #expect(WebRefusal.methodNotAllowed.status == 405)
    }

    /// B5, B6: another port is `same-site`, another name `cross-site`; neither posts, neither embeds.
    @Test(arguments: ["same-site", "cross-site"])
    func requestsOfOtherSites_areRefused(site: String) {
        let fixture = GateFixture()
        #expect(fixture.isRefused(fixture.post(site: site), .siteForeign))
        #expect(fixture.isRefused(fixture.get(site: site), .siteForeign))
        let frame = [HTTPField("Sec-Fetch-Mode", "navigate"), HTTPField("Sec-Fetch-Dest", "iframe")]
        #expect(fixture.isRefused(fixture.get(site: site, frame), .siteForeign))
        let document = [HTTPField("Sec-Fetch-Mode", "navigate"), HTTPField("Sec-Fetch-Dest", "document")]
        for path in ["/w", "/p", "/a/abc", "/events", "/unlock"] {
            #expect(fixture.isRefused(fixture.get(path, site: site, document), .siteForeign))
        }
        for path in ["/", "/t/abc", "/g/abc", "/open/abc"] {
            #expect(fixture.judge(fixture.get(path, site: site, document)) == .offerLink(path: path))
        }
        var post = fixture.post("/", site: site)
        post.headers.fields += document
        #expect(fixture.isRefused(post, .siteForeign))
    }

    @Test func unknownFetchMetadata_isRefused() {
        let fixture = GateFixture()
        #expect(fixture.isRefused(fixture.get(site: "elsewhere"), .siteUnknown))
        #expect(fixture.isRefused(fixture.get("/", [HTTPField("Sec-Fetch-Site", "none")]), .siteUnknown))
        #expect(fixture.isRefused(fixture.post(site: "none"), .siteUnknown))
    }

    /// B7, with everything else of the request right.
    @Test func postWithoutOwnOrigin_isRefused() {
        let fixture = GateFixture()
        for site in ["same-origin", nil] {
            #expect(fixture.isRefused(fixture.post(origin: nil, site: site), .originMissing))
            #expect(fixture.isRefused(fixture.post(origin: "null", site: site), .originNull))
            for origin in [
                "http://ddsnode.localhost:7382", "https://ddsnode.localhost:7381", "http://127.0.0.1:7381", "http://evil.test",
                "http://ddsnode.localhost:7381/", "",
            ] {
                #expect(fixture.isRefused(fixture.post(origin: origin, site: site), .originForeign))
            }
        }
        var twice = fixture.post()
        twice.headers.add("Origin", "http://evil.test")
        #expect(fixture.isRefused(twice, .originForeign))
    }

    @Test(arguments: ["application/json", "text/plain", "", "text/xml"])
    func otherContentTypes_areRefused(type: String) {
        let fixture = GateFixture()
        #expect(fixture.isRefused(fixture.post(type: type), .contentTypeWrong))
    }

    @Test func scriptEndpoint_takesPlainTextWithTheTokenInAField() {
        let fixture = GateFixture()
        var request = fixture.post("/active", type: "text/plain")
        request.body = HTTPBody()
        #expect(fixture.isRefused(request, .formTokenWrong))
        request.headers.add("X-DDS-Token", fixture.gate.sessions.formToken(fixture.token))
        #expect(fixture.isServed(request))
    }

    @Test func withoutSession_onlyPublicPathsAreServed() {
        let fixture = GateFixture()
        for path in ["/", "/t/abc", "/events", "/a/abc", "/nothing", "/s", "/s/abc", "/static"] {
            var request = fixture.get(path)
            request.headers.set("Cookie", "\(fixture.gate.cookieName)=0000")
            #expect(fixture.judge(request) == .unlockFirst(nil, .sessionMissing))
        }
        #expect(fixture.gate.refusals[.sessionMissing] == 8)
        for path in ["/unlock", "/healthz", "/static/0123/style.css", "/open/abc"] {
            var request = fixture.get(path)
            request.headers.set("Cookie", "")
            #expect(fixture.judge(request) == .serve(nil))
        }
    }

    @Test func visitor_isNotSignedIn() {
        let fixture = GateFixture()
        var request = fixture.get()
        request.headers.set("Cookie", "\(fixture.gate.cookieName)=\(fixture.visitor)")
        guard case .unlockFirst(let visit?, .sessionMissing) = fixture.judge(request) else {
            Issue.record("a visitor was served")
            return
        }
        #expect(visit.level == .visitor)
        #expect(fixture.isServed(fixture.post("/unlock", session: fixture.visitor)))
    }

    @Test func wrongFormToken_isRefused() {
        let fixture = GateFixture()
        #expect(fixture.isRefused(fixture.post(formToken: ""), .formTokenWrong))
        #expect(fixture.isRefused(fixture.post(formToken: fixture.gate.sessions.formToken(fixture.visitor)), .formTokenWrong))
        #expect(fixture.isRefused(fixture.post("/unlock", formToken: "x", session: fixture.visitor), .formTokenWrong))
        // The session's own token is no form token: knowing one does not give the other.
        #expect(fixture.isRefused(fixture.post(formToken: fixture.token), .formTokenWrong))
    }

    @Test func lockedAgent_sendsToUnlock() {
        let fixture = GateFixture()
        guard case .unlockFirst(_, .locked) = fixture.judge(fixture.get(), isLocked: true) else {
            Issue.record("served while locked")
            return
        }
        #expect(fixture.gate.refusals[.locked] == 1)
        #expect(fixture.isServed(fixture.get("/unlock"), isLocked: true))
    }

    @Test(arguments: [
        HTTPField("Sec-Purpose", "prefetch;prerender"), HTTPField("Purpose", "prefetch"), HTTPField("X-Moz", "prefetch"),
    ])
    func speculativeLoads_areRefused(field: HTTPField) {
        let fixture = GateFixture()
        #expect(fixture.isRefused(fixture.get("/t/abc", [field]), .speculativeLoad))
        #expect(fixture.isRefused(fixture.get("/open/abc", [field]), .speculativeLoad))
    }

    /// The order of the checks: a request wrong in every way is refused for the first.
    @Test func checks_comeInTheirOrder() {
        let fixture = GateFixture()
        var request = fixture.post(origin: nil, site: "cross-site", type: "x", formToken: "")
        request.method = "PUT"
        request.headers.set("Host", "evil.test")
        #expect(fixture.isRefused(request, .hostForeign))
        request.headers.set("Host", GateFixture.host)
        #expect(fixture.isRefused(request, .methodNotAllowed))
        request.method = "POST"
        #expect(fixture.isRefused(request, .siteForeign))
        request.headers.set("Sec-Fetch-Site", "same-origin")
        #expect(fixture.isRefused(request, .originMissing))
        request.headers.set("Origin", GateFixture.origin)
        #expect(fixture.isRefused(request, .contentTypeWrong))
        request.headers.set("Content-Type", "multipart/form-data")
        #expect(fixture.isRefused(request, .formTokenWrong))
    }

    @Test func screening_leavesSessionAndFormForLater() {
        let fixture = GateFixture()
        #expect(fixture.gate.screen(fixture.post(formToken: "")) == nil)
        #expect(fixture.gate.screen(fixture.post(origin: nil)) == .refuse(.originMissing))
        #expect(fixture.gate.refusals[.originMissing] == 1)
    }

    /// B11.
    @Test func cookie_hasItsExactForm() {
        let fixture = GateFixture()
        #expect(fixture.gate.cookieName == "__Host-dds-abcd0123")
        #expect(fixture.gate.cookie("77") == "__Host-dds-abcd0123=77; Secure; HttpOnly; SameSite=Strict; Path=/")
        let other = WebGate(
            site: WebSite(port: 7381), agentID: [1, 2, 3, 4],
            sessions: WebSessions(random: SeededRandom(seed: 1), hash: testHash))
        #expect(other.cookieName != fixture.gate.cookieName)
    }

    @Test func publicTexts_nameARemedyAndNoInput() {
        for refusal in WebRefusal.allCases {
            let text = refusal.publicText(address: GateFixture.origin)
            #expect(text.count > 30 && text.contains(" "), "\(refusal)")
        }
        #expect(Set(WebRefusal.allCases.map { $0.publicText(address: "x") }).count >= WebRefusal.allCases.count - 2)
    }
}
