import DDSAgent
import DDSCore
import DDSHTTP
import DDSLoop
import DDSTestKit
import Testing

/// A browser of one tab: keeps cookies, follows nothing.
@LoopActor
final class Browser {
    let time: ManualTime
    let backend: FakeBackend
    let welcome = FakeWelcome()
    let app: WebApp
    var cookie: String?
    private(set) var formToken = ""

    /// Without mail, nobody has joined yet.
    convenience init(hasMail: Bool = true) {
        let time = ManualTime()
        self.init(
            WebApp.Configuration(agentID: [1, 2, 3, 4], random: SeededRandom(seed: 5), hash: testHash, time: time), time,
            hasMail: hasMail)
    }

    init(_ configuration: WebApp.Configuration, _ time: ManualTime, hasMail: Bool = true) {
        self.time = time
        backend = FakeBackend.sample(now: time.wall)
        app = WebApp(configuration, welcome: welcome)
        if hasMail { app.use(backend: backend) }
        app.use(port: 7381)
    }

    /// Another browser at the same page.
    init(sharing other: Browser) {
        (time, backend, app) = (other.time, other.backend, other.app)
    }

    private func headers(_ more: [HTTPField]) -> HTTPHeaders {
        var fields = [HTTPField("Host", "ddsnode.localhost:7381"), HTTPField("Sec-Fetch-Site", "same-origin")] + more
        if let cookie { fields.append(HTTPField("Cookie", cookie)) }
        return HTTPHeaders(fields)
    }

    func send(_ request: HTTPRequest) async -> HTTPResponse {
        let response = await app.respond(to: request)
        if let set = response.headers.only("Set-Cookie") { cookie = String(set.prefix { $0 != ";" }) }
        let token = scan(String(decoding: response.bytes, as: UTF8.self)).first { $0.attributes["name"] == "token" }
        if let value = token?.attributes["value"] { formToken = value }
        return response
    }

    /// As it comes to the page, body or not.
    func request(_ method: String, _ target: String, host: String = "ddsnode.localhost:7381") -> HTTPRequest {
        let form = [HTTPField("Origin", "http://\(host)"), HTTPField("Content-Type", "multipart/form-data; boundary=x")]
        return HTTPRequest(
            method: method, target: target,
            headers: HTTPHeaders(
                [HTTPField("Host", host), HTTPField("Sec-Fetch-Site", "same-origin")] + (method == "POST" ? form : [])))
    }

    func get(_ target: String, _ more: [HTTPField] = []) async -> HTTPResponse {
        await send(HTTPRequest(method: "GET", target: target, headers: headers(more)))
    }

    func request(post target: String, _ fields: [HTTPField], uploads: [HTTPUpload] = []) -> HTTPRequest {
        HTTPRequest(
            method: "POST", target: target,
            headers: headers([
                HTTPField("Origin", "http://ddsnode.localhost:7381"),
                HTTPField("Content-Type", "multipart/form-data; boundary=x"),
            ]),
            body: HTTPBody(fields: [HTTPField("token", formToken)] + fields, uploads: uploads))
    }

    func post(_ target: String, _ fields: [HTTPField] = [], uploads: [HTTPUpload] = []) async -> HTTPResponse {
        await send(request(post: target, fields, uploads: uploads))
    }

    /// As far as the inbox, by passphrase.
    func signIn() async {
        _ = await get("/unlock")
        _ = await post("/unlock", [HTTPField("passphrase", FakeBackend.passphrase)])
        _ = await get("/")
    }
}

extension HTTPResponse {
    var text: String { String(decoding: bytes, as: UTF8.self) }
    var location: String? { headers.only("Location") }
}

@Suite(.timeLimit(.minutes(5))) struct WebAppTests {
    @Test @LoopActor func unlocking_leadsToWhereTheReaderWanted() async {
        let browser = Browser()
        let first = await browser.get("/t/tbudget")
        #expect(first.status == 303 && first.location == "/unlock")
        #expect(await browser.get("/unlock").text.contains("Alice Example"))
        let visitor = browser.cookie
        let opened = await browser.post("/unlock", [HTTPField("passphrase", FakeBackend.passphrase)])
        #expect(opened.status == 303 && opened.location == "/t/tbudget")
        // The visitor's cookie is not the one that is signed in.
        #expect(browser.cookie != visitor)
        #expect(browser.app.gate.sessions.count == 1)
        #expect(await browser.get("/t/tbudget").text.contains("Budget 2027"))
        browser.cookie = visitor
        #expect(await browser.get("/").status == 303)
    }

    /// A browser that the next program does not know would be asked for its passphrase twice.
    @Test @LoopActor func whoComesWhileTheProgramIsExecutedAnew_isSentToTheNextOne() async throws {
        let browser = Browser()
        #expect(browser.app.screen(browser.request("GET", "/unlock")) == nil)
        browser.app.rest()
        for (method, target) in [("GET", "/unlock"), ("POST", "/send"), ("GET", "/s?q=a%20b")] {
            let answer = try #require(browser.app.screen(browser.request(method, target)))
            #expect(answer.status == 307 && answer.location == target, "\(target) \(answer.status) \(answer.location ?? "")")
            #expect(answer.headers.only("Connection") == "close")
            #expect(answer.headers.only("Set-Cookie") == nil)
        }
        // Nobody is sent anywhere else, and nobody who has no business here is sent at all.
        #expect(browser.app.screen(browser.request("GET", #"/\evil.test/\"#))?.location == "/%5Cevil.test/%5C")
        #expect(browser.app.screen(browser.request("GET", "//evil.test/"))?.status == 400)
        #expect(browser.app.screen(browser.request("GET", "/unlock", host: "evil.test:7381"))?.location == nil)
    }

    /// D1, D2 as far as the page decides.
    @Test @LoopActor func wrongPassphrase_isToldAfterARedirectAndSlowedDown() async {
        let browser = Browser()
        _ = await browser.get("/unlock")
        for _ in 0..<5 {
            let refused = await browser.post("/unlock", [HTTPField("passphrase", "wrong")])
            #expect(refused.status == 303 && refused.location == "/unlock")
            #expect(await browser.get("/unlock").text.contains("That passphrase did not open the key."))
        }
        let slowed = await browser.post("/unlock", [HTTPField("passphrase", FakeBackend.passphrase)])
        #expect(slowed.status == 429 && slowed.headers.only("Retry-After") == "1")
        #expect(browser.app.gate.refusals[.unlockTooSoon] == 1)
        #expect(browser.backend.isLocked)
        browser.time.advance(by: .seconds(1))
        #expect(await browser.post("/unlock", [HTTPField("passphrase", FakeBackend.passphrase)]).location == "/")
        #expect(await browser.get("/").text.contains("5 failed attempts since"))
    }

    @Test @LoopActor func secondAttemptAtATime_isRefused() async throws {
        let browser = Browser()
        _ = await browser.get("/unlock")
        browser.backend.holdsUnlock = true
        let first = Loop.spawn { _ = await browser.post("/unlock", [HTTPField("passphrase", FakeBackend.passphrase)]) }
        try await until { browser.backend.isUnlockRunning }
        #expect(await browser.post("/unlock", [HTTPField("passphrase", "x")]).status == 429)
        browser.backend.finishUnlock()
        await first.value
        #expect(!browser.backend.isLocked)
    }

    /// D7.
    @Test @LoopActor func otherBrowser_mustGiveThePassphraseToo() async {
        let browser = Browser()
        await browser.signIn()
        browser.cookie = nil
        #expect(await browser.get("/").location == "/unlock")
    }

    /// B12.
    @Test @LoopActor func openAddress_signsInOnceWhileUnlocked() async {
        let browser = Browser()
        browser.backend.isLocked = false
        let path = String(browser.app.makeOpenAddress().dropFirst("http://ddsnode.localhost:7381".count))
        let foreign = await browser.app.respond(
            to: HTTPRequest(
                method: "GET", target: path,
                headers: HTTPHeaders([
                    HTTPField("Host", "ddsnode.localhost:7381"), HTTPField("Sec-Fetch-Site", "cross-site"),
                    HTTPField("Sec-Fetch-Mode", "navigate"), HTTPField("Sec-Fetch-Dest", "document"),
                ])))
        #expect(foreign.status == 200 && !foreign.headers.contains("Set-Cookie") && foreign.text.contains("Continue"))
        #expect(await browser.get(path).location == "/")
        #expect(await browser.get("/").status == 200)
        let again = await browser.get(path)
        #expect(again.status == 403 && again.text.contains("ddsnode open"))
        #expect(browser.app.gate.refusals[.openTokenUnknown] == 1)
    }

    /// What it leads to is kept in memory: while locked until the key is open.
    @Test @LoopActor func openAddress_leadsToTheWantedPage() async {
        let browser = Browser()
        let prefix = "http://ddsnode.localhost:7381".count
        browser.backend.isLocked = false
        let open = String(browser.app.makeOpenAddress(for: OpenTarget(path: "/w")).dropFirst(prefix))
        #expect(!open.contains("/w"))
        #expect(await browser.get(open).location == "/w")
        browser.cookie = nil
        browser.backend.isLocked = true
        let locked = String(browser.app.makeOpenAddress(for: OpenTarget(path: "/w")).dropFirst(prefix))
        #expect(await browser.get(locked).location == "/unlock")
        #expect(browser.app.gate.sessions.signedInCount == 1, "a locked agent signs nobody in")
        _ = await browser.get("/unlock")
        #expect(await browser.post("/unlock", [HTTPField("passphrase", "correct horse")]).location == "/w")
    }

    @Test @LoopActor func lock_endsSessionsAndStreams() async {
        let browser = Browser()
        await browser.signIn()
        let old = browser.cookie
        guard case .events(let stream) = await browser.get("/events").body else {
            Issue.record("no stream")
            return
        }
        #expect(await browser.post("/lock").location == "/unlock")
        #expect(!stream.isOpen)
        #expect(await browser.get("/").location == "/unlock")
        // A stream asked for after the lock ends at once and is not redirected to a page.
        #expect(await browser.get("/events").status == 403)
        // Unlocking again elsewhere signs no old cookie in.
        browser.cookie = old
        browser.backend.isLocked = false
        #expect(await browser.get("/").location == "/unlock")
    }

    /// D6.
    @Test @LoopActor func draftPostedAfterTheLock_isSheltered() async {
        let browser = Browser()
        await browser.signIn()
        let late = browser.request(post: "/w/abc", [HTTPField("body", "long text"), HTTPField("action", "send")])
        await browser.backend.lock()
        #expect(await browser.send(late).location == "/unlock")
        #expect(browser.backend.sheltered["abc"]?.body == "long text")
        #expect(browser.backend.sent.isEmpty)
    }

    @Test @LoopActor func onlyThreeStreams_stayOpen() async {
        let browser = Browser()
        await browser.signIn()
        var streams: [EventChannel] = []
        for _ in 0..<4 {
            if case .events(let stream) = await browser.get("/events").body { streams.append(stream) }
        }
        #expect(streams.map(\.isOpen) == [false, true, true, true])
    }

    @Test @LoopActor func writing_sendsOnceAndRedirects() async {
        let browser = Browser()
        await browser.signIn()
        let page = await browser.get("/w")
        let action = scan(page.text).first { $0.attributes["id"] == "compose" }?.attributes["action"] ?? ""
        #expect(action.hasPrefix("/w/") && browser.backend.drafts.isEmpty)
        let file = HTTPUpload(field: "file", fileName: "a.txt", contentType: "", bytes: [1])
        let none = HTTPUpload(field: "file", fileName: "", contentType: "", bytes: [])
        let sent = await browser.post(
            action,
            [HTTPField("to", "#board"), HTTPField("subject", "s"), HTTPField("body", "a\r\nb"), HTTPField("action", "send")],
            uploads: [file, none])
        #expect(sent.status == 303 && sent.location == "/x")
        #expect(browser.backend.sent == [DraftFields(recipients: "#board", subject: "s", body: "a\nb", uploads: [file])])
    }

    @Test @LoopActor func refusedDraft_comesBackWithItsTextAndProblems() async {
        let browser = Browser()
        await browser.signIn()
        let refused = await browser.post("/w/abc", [HTTPField("body", "my long text"), HTTPField("action", "send")])
        #expect(refused.status == 303 && refused.location == "/w/abc")
        let page = await browser.get("/w/abc").text
        #expect(page.contains("my long text") && page.contains("href=\"#f-recipients\"") && page.contains("Say who it is for."))
    }

    @Test @LoopActor func autosave_isAnsweredWithoutAPage() async {
        let browser = Browser()
        await browser.signIn()
        let saved = await browser.post(
            "/w/abc", [HTTPField("body", "x"), HTTPField("action", "save"), HTTPField("quiet", "1")])
        #expect(saved.status == 204 && saved.bytes.isEmpty)
    }

    @Test @LoopActor func replies_goToADraftOfTheAgents() async {
        let browser = Browser()
        await browser.signIn()
        let reply = await browser.post("/do", [HTTPField("id", "m3"), HTTPField("action", "author")])
        #expect(reply.status == 303 && reply.location == "/w/reply1")
        #expect(browser.backend.calls.contains("reply m3 author"))
    }

    @Test @LoopActor func actions_goBackOnlyToPages() async {
        let browser = Browser()
        await browser.signIn()
        let mark = [HTTPField("id", "t1"), HTTPField("id", "<x>"), HTTPField("id", "t2"), HTTPField("action", "unread")]
        #expect(await browser.post("/do", mark + [HTTPField("back", "/g/gboard?c=c2")]).location == "/g/gboard?c=c2")
        #expect(browser.backend.calls.contains("unread t1,t2"))
        for back in ["//evil.test", "http://evil.test", "/lock", "/\r\nX: y", ""] {
            #expect(await browser.post("/do", mark + [HTTPField("back", back)]).location == "/")
        }
    }

    /// What is archived is left, to the list or to the thread beside it; what is said of it can be taken back.
    @Test @LoopActor func actionsOnAThread_leadOn_andOfferToBeUndone() async {
        let browser = Browser()
        await browser.signIn()
        let form = [
            HTTPField("id", "tbudget"), HTTPField("back", "/t/tbudget"), HTTPField("list", "/g/gboard"),
            HTTPField("older", "tchen"),
        ]
        func act(_ action: String) async -> String? {
            await browser.post("/do", form + [HTTPField("action", action)]).location
        }
        #expect(await act("star") == "/t/tbudget")
        #expect(await act("archive") == "/g/gboard")
        #expect(await act("archiveolder") == "/t/tchen")
        #expect(await act("archivenewer") == "/g/gboard")
        let page = await browser.get("/").text
        #expect(page.contains("name=\"undo\" value=\"undo1\""))
        #expect(!(await browser.get("/").text.contains("undo1")))
        let undo = [HTTPField("action", "undo"), HTTPField("back", "/r")]
        #expect(await browser.post("/do", undo + [HTTPField("undo", "undo1")]).location == "/r")
        #expect(await browser.post("/do", undo + [HTTPField("undo", "sent1")]).location == "/w/reply1")
        #expect(await browser.post("/do", undo + [HTTPField("undo", "<script>")]).location == "/r")
        #expect(browser.backend.calls.suffix(2) == ["active", "undo "])
        #expect(await browser.get("/t/tbudget/print").text.contains("Bob Miller, treasurer"))
        #expect(browser.backend.calls.contains("thread whole"))
    }

    @Test @LoopActor func anOwnersWord_isTaken_onlyWithItsToken() async {
        let browser = Browser()
        browser.backend.threads["tbudget"]?.unconfirmed = UnconfirmedRosterModel(
            hash: "abcd", number: 3, changes: ["Eve <eve@node.test> was added"])
        await browser.signIn()
        let page = await browser.get("/t/tbudget").text
        #expect(
            page.contains(#"name="roster" value="abcd""#)
                && page.contains("<bdi dir=\"auto\">Eve &lt;eve@node.test&gt; was added</bdi>"))
        let fields = [HTTPField("roster", "abcd"), HTTPField("back", "/t/tbudget"), HTTPField("action", "confirm")]
        var forged = browser.request(post: "/do", fields)
        forged.body = HTTPBody(fields: [HTTPField("token", "f00d")] + fields)
        #expect(await browser.send(forged).status == 403)
        #expect(!browser.backend.calls.contains { $0.hasPrefix("confirm") })
        let answer = await browser.post("/do", fields)
        #expect(answer.status == 303 && answer.location == "/t/tbudget")
        #expect(browser.backend.calls.contains("confirm abcd"))
        #expect(await browser.get("/t/tbudget").text.contains("Confirmed &lt;abcd&gt;."))
        browser.backend.threads["tbudget"]?.unconfirmed = nil
        #expect(await browser.get("/t/tbudget").text.contains("name=\"roster\"") == false)
    }

    @Test @LoopActor func aPersonsPage_takesWhatIsSaid_onlyWithItsToken() async {
        let browser = Browser()
        browser.backend.persons["k1"] = PageTests.person("bob@node.test", awaitsDecision: true)
        await browser.signIn()
        #expect(await browser.get("/k/none").status == 404)
        #expect(await browser.get("/k/k1").text.contains("bob@node.test"))
        let fields = [
            HTTPField("id", "k1"), HTTPField("fingerprint", "3333"), HTTPField("typed", "babab"), HTTPField("back", "/k/k1"),
        ]
        for choice in ["compared", "typed", "accepted", "uncompared", "discarded", "hacked"] {
            let answer = await browser.post("/do", fields + [HTTPField("action", choice)])
            #expect(answer.status == 303 && answer.location == "/k/k1")
        }
        let decided = browser.backend.calls.filter { $0.hasPrefix("decide") }
        #expect(
            decided == [
                "decide k1 compared 3333", "decide k1 typed babab", "decide k1 accepted 3333", "decide k1 uncompared 3333",
                "decide k1 discarded 3333",
            ])
        #expect(await browser.get("/k/k1").text.contains("Done with &lt;k1&gt;."))
        var forged = browser.request(post: "/do", fields + [HTTPField("action", "accepted")])
        forged.body = HTTPBody(fields: [HTTPField("token", "f00d")] + fields + [HTTPField("action", "accepted")])
        #expect(await browser.send(forged).status == 403)
        #expect(browser.backend.calls.filter { $0.hasPrefix("decide") }.count == 5)
    }

    @Test @LoopActor func cursors_areHandedOnOnlyWhenOpaque() async {
        let browser = Browser()
        await browser.signIn()
        _ = await browser.get("/?c=c2")
        _ = await browser.get("/?c=%3Cscript%3E")
        #expect(browser.backend.calls.filter { $0.hasPrefix("list") } == ["list -", "list c2", "list -"])
    }

    @Test @LoopActor func attachment_isOnlyEverDownloaded() async {
        let browser = Browser()
        await browser.signIn()
        let file = await browser.get("/a/a1")
        #expect(file.bytes == [1, 2, 3])
        #expect(file.headers.only("Content-Type") == "application/octet-stream")
        #expect(file.headers.only("Content-Disposition") == "attachment; filename*=UTF-8''budget%20sdo.exe")
        #expect(file.headers.only("Content-Security-Policy")?.hasPrefix("sandbox") == true)
        #expect(file.headers.only("Cache-Control") == "no-store")
    }

    /// B14, C5: every route, with and without a session, GET and POST, has all fields; no POST is answered by a page of mail.
    @Test @LoopActor func everyAnswer_hasAllSecurityFields() async {
        for isSignedIn in [false, true] {
            let browser = Browser()
            if isSignedIn { await browser.signIn() } else { _ = await browser.get("/unlock") }
            let paths = [
                "/", "/l", "/p", "/x", "/d", "/g/gboard", "/g/none", "/t/tbudget", "/t/none", "/w", "/w/none", "/a/a1",
                "/a/none", "/v/a1", "/m/tbudget", "/m/none/source", "/o/none",
                "/do", "/k/none", "/active", "/unlock", "/open/none", "/healthz", "/nothing", "/static/00/none", "/s", "/s/none", "/favicon.ico",
            ]
            for path in paths {
                for response in [await browser.get(path), await browser.post(path)] {
                    for field in SecurityHeaders.page where field.name != "Content-Security-Policy" {
                        #expect(response.headers.only(field.name) == field.value, "\(path) \(field.name)")
                    }
                    let policy = response.headers.only("Content-Security-Policy") ?? ""
                    // A file stands in a sandbox, where its own styles do nothing.
                    #expect(!policy.isEmpty && (!policy.contains("unsafe") || policy.hasPrefix("sandbox; ")), "\(path)")
                    #expect(!response.headers.fields.contains { $0.name.lowercased().hasPrefix("access-control") })
                }
                let posted = await browser.post(path)
                #expect([204, 303, 403, 404, 405].contains(posted.status), "\(path) \(posted.status)")
            }
        }
    }

    @Test @LoopActor func refusedRequests_haveAllSecurityFieldsAndNoCookie() async {
        let browser = Browser()
        func ask(_ method: String, _ fields: [HTTPField]) async -> HTTPResponse {
            await browser.app.respond(to: HTTPRequest(method: method, target: "/", headers: HTTPHeaders(fields)))
        }
        let own = HTTPField("Host", "ddsnode.localhost:7381")
        let answers = [
            (await ask("GET", [HTTPField("Host", "evil.test:7381")]), 403), (await ask("GET", []), 400),
            (await ask("GET", [own, own]), 400), (await ask("OPTIONS", [own]), 405), (await ask("POST", [own]), 403),
            (await ask("GET", [HTTPField("Host", "127.0.0.1:7381")]), 302), (browser.app.overLimit(.bodyTooLarge), 413),
        ]
        for (answer, status) in answers {
            #expect(answer.status == status)
            #expect(!answer.headers.contains("Set-Cookie"))
            for field in SecurityHeaders.page { #expect(answer.headers.only(field.name) == field.value) }
        }
        #expect(answers[0].0.text.contains("http://ddsnode.localhost:7381") && answers[0].0.text.contains("[web] hosts"))
        #expect(answers[3].0.headers.only("Allow") == "GET, HEAD, POST")
    }

    @Test @LoopActor func staticFiles_areImmutableAndNeedNoSession() async throws {
        let browser = Browser()
        let page = await browser.get("/unlock").text
        for attribute in ["href", "src"] {
            for tag in scan(page) {
                guard let path = tag.attributes[attribute], path.hasPrefix("/static/") else { continue }
                let file = await browser.get(path)
                #expect(file.status == 200 && !file.bytes.isEmpty)
                #expect(file.headers.only("Cache-Control")?.contains("immutable") == true)
                #expect(file.headers.only("X-Content-Type-Options") == "nosniff")
            }
        }
    }

    /// The words of a search are in no address, and what was found under a name of an earlier session is not there.
    @Test @LoopActor func searching_leadsToAHandle() async {
        let browser = Browser()
        for path in ["/s", "/s/found1"] {
            let stranger = await browser.get(path)
            #expect(stranger.status == 303 && stranger.location == "/unlock")
        }
        await browser.signIn()
        let found = await browser.post("/s", [HTTPField("q", "secret words"), HTTPField("add", "is:unread")])
        #expect(found.status == 303 && found.location == "/s/found1")
        #expect(browser.backend.calls.last == "search secret words is:unread")
        let page = await browser.get("/s/found1?c=c50")
        #expect(page.status == 200 && page.text.contains("value=\"secret words is:unread\""))
        #expect(browser.backend.calls.suffix(2) == ["active", "results found1 c50"])
        for target in ["/s/none", "/s/found1x?c=1"] {
            let gone = await browser.get(target)
            #expect(gone.status == 404 && gone.text.contains("Search again.") && gone.text.contains("name=\"q\""))
        }
        for words in ["", "  "] {
            let nothing = await browser.post("/s", [HTTPField("q", words)])
            #expect(nothing.status == 303 && nothing.location == "/s")
        }
        #expect(await browser.get("/s").text.contains("How to search"))
        #expect(await browser.post("/s/found1").status == 405)
        #expect(Route.isPage("/s") && Route.isPage("/s/found1?c=50"))
    }

    /// B9: reading pages asks the agent for nothing but pages.
    @Test @LoopActor func getting_changesNothing() async {
        let browser = Browser()
        await browser.signIn()
        for path in ["/", "/l", "/p", "/w", "/do", "/lock", "/active", "/w/abc"] { _ = await browser.get(path) }
        #expect(!browser.backend.isLocked && browser.backend.drafts.isEmpty && browser.backend.sent.isEmpty)
        #expect(!browser.backend.calls.contains { $0.hasPrefix("unread") || $0.hasPrefix("save") || $0.hasPrefix("allread") })
    }

    /// D3: streams do not keep the lock away.
    @Test @LoopActor func streamsAndProbes_areNoActivity() async {
        let browser = Browser()
        await browser.signIn()
        let before = browser.backend.calls.count
        _ = await browser.get("/events")
        _ = await browser.get("/healthz")
        #expect(browser.backend.calls.count == before)
        _ = await browser.get("/w")
        #expect(browser.backend.calls.last == "active")
    }
}
