// The page before somebody has joined, as far as the web side decides: what is let through, what a form may do, what is said.

import DDSAgent
import DDSCore
import DDSHTTP
import DDSLoop
import DDSTestKit
import Testing

/// Leads nowhere by itself: shows what it is told to show, and notes what it was asked for.
@LoopActor final class FakeWelcome: WelcomeBackend {
    static let passphrase = "correct horse"

    var screen: WelcomeScreen? = .invite
    private(set) var offers: [WebSessionID: String] = [:]
    func offer(_ invite: String, to browser: WebSessionID) { offers[browser] = invite }
    func offered(to browser: WebSessionID) -> String { offers[browser] ?? "" }
    var problem: String?
    var isUnfinished = false
    var greeting: String?
    private(set) var actions: [String] = []
    private(set) var isForgotten = false

    func screen(for browser: WebSessionID, isSignedIn: Bool) -> (screen: WelcomeScreen, problem: String?)? {
        screen.map { ($0, problem) }
    }
    func act(_ action: WelcomeAction, of browser: WebSessionID) async {
        switch action {
        case .invite(let text): actions.append("invite \(text)")
        case .kit(let bytes): actions.append("kit \(String(decoding: bytes.exposed, as: UTF8.self))")
        case .name(let name): actions.append("name \(name)")
        case .passphrase(let first, let second):
            let words = [first, second].map { String(decoding: $0.exposed, as: UTF8.self) }
            actions.append("passphrase \(words.joined(separator: " "))")
        case .kitDone(let accepts): actions.append("kitdone \(accepts)")
        case .wantsKit: actions.append("wantskit")
        case .goOn: actions.append("goon")
        case .stop: actions.append("stop")
        case .suggest: actions.append("suggest")
        case .useWeak: actions.append("useweak")
        case .another: actions.append("another")
        case .kitTaken: actions.append("kittaken")
        }
    }
    func awaitsCheck(of browser: WebSessionID) -> Bool { screen == .check }
    func check(_ passphrase: Redacted<[UInt8]>, of browser: WebSessionID) async -> UnlockOutcome? {
        actions.append("check")
        return passphrase.exposed == Array(Self.passphrase.utf8) ? .opened : .refused
    }
    func finish(_ browser: WebSessionID) -> String? { greeting }
    func kitFile(for browser: WebSessionID) -> [UInt8]? { Array("kit".utf8) }
    func forgetAll() { isForgotten = true }
}

extension WelcomeScreen {
    /// One of each, with `text` wherever a text of somebody else is shown.
    static func samples(_ text: String) -> [WelcomeScreen] {
        let kit = RecoveryKitModel(
            title: text, sections: [RecoveryKitModel.Section(head: "What", paragraphs: ["One.", "Two."])],
            groups: ["DDS-RECOVERY-1QQ", "PPPP"], picture: "M4,4h1v1h-1z", pictureSize: 29)
        let ticks = [WelcomeTick(text: text, isDone: true), WelcomeTick(text: text, isDone: false)]
        func card(_ kind: WelcomeCard.Kind) -> WelcomeCard {
            WelcomeCard(
                kind: kind, node: text, host: text, keyWords: "babab-babab", address: text, display: text,
                groups: [text, text], until: PageTests.now)
        }
        return [
            .invite, .kitEntry, .card(card(.invite)), .card(card(.device)), .card(card(.kit)),
            .name(text, address: text, isDevice: false), .name(text, address: text, isDevice: true),
            .passphrase(words: nil, isEarlier: false), .passphrase(words: "babab-bibib", isEarlier: false),
            .passphrase(words: nil, isEarlier: true), .weak(magnitude: 8), .working("Making your keys", ticks), .kit(kit),
            .check, .done(ticks, address: text), .busy,
        ]
    }
}

@Suite(.timeLimit(.minutes(5))) struct WelcomePageTests {
    /// A2.
    @Test @LoopActor func everyAddress_leadsToTheWelcome() async {
        let browser = Browser(hasMail: false)
        for path in ["/", "/l", "/t/tbudget", "/w", "/unlock", "/events2", "/settings", "/o/abcdef"] {
            let response = await browser.get(path)
            #expect(response.status == 303 && response.location == "/welcome", "\(path)")
        }
        #expect(await browser.get("/events").status == 403)
        #expect(await browser.get("/healthz").text == "ok\n")
        let page = await browser.get("/welcome")
        #expect(page.status == 200 && page.text.contains("Paste it here") && page.headers.contains("Set-Cookie"))
        #expect(page.headers.only("Cache-Control") == "no-store")
        #expect(await browser.post("/unlock", [HTTPField("passphrase", "x")]).location == "/welcome")
        #expect(await browser.post("/lock").location == "/welcome")
        #expect(await browser.post("/w/abc", [HTTPField("body", "long")]).location == "/welcome")
    }

    @Test @LoopActor func anOpenAddress_leadsThereToo() async {
        let browser = Browser(hasMail: false)
        let path = String(browser.app.makeOpenAddress().dropFirst("http://ddsnode.localhost:7381".count))
        #expect(await browser.get(path).location == "/welcome")
        #expect(await browser.get(path).status == 403)
        #expect(browser.app.gate.sessions.signedInCount == 0)
    }

    /// A link that was clicked stands in the field, for who was opened with it and nobody else, and in no address.
    @Test @LoopActor func anOpenAddressWithALink_fillsTheField() async {
        let browser = Browser(hasMail: false)
        let link = "dds://node.test/7Q2KM4VX9TREA1ZPC3HD8NWY5B#H6CW0JNB4RTX<\"&"
        let address = browser.app.makeOpenAddress(for: OpenTarget(invite: Redacted(link)))
        #expect(!address.contains("dds:"))
        #expect(await browser.get(String(address.dropFirst("http://ddsnode.localhost:7381".count))).location == "/welcome")
        let page = await browser.get("/welcome").text
        #expect(page.contains(">dds://node.test/7Q2KM4VX9TREA1ZPC3HD8NWY5B#H6CW0JNB4RTX&lt;&quot;&amp;</textarea>"))
        browser.cookie = nil
        #expect(await !browser.get("/welcome").text.contains("H6CW0JNB4RTX"))
    }

    @Test @LoopActor func everyForm_endsIn303AndRepeatsNothing() async {
        let browser = Browser(hasMail: false)
        _ = await browser.get("/welcome")
        let secret = "swordfish"
        let forms: [(String, [HTTPField])] = [
            ("invite", [HTTPField("invite", secret)]), ("kit", [HTTPField("kit", secret)]),
            ("name", [HTTPField("name", secret)]),
            ("passphrase", [HTTPField("passphrase", secret), HTTPField("again", secret)]), ("goon", []), ("stop", []),
            ("suggest", []), ("useweak", []), ("another", []), ("kitdone", []), ("wantskit", []), ("check", []), ("finish", []),
            (secret, []),
        ]
        for (action, fields) in forms {
            let response = await browser.post("/welcome", [HTTPField("action", action)] + fields)
            #expect(response.status == 303 && response.location == "/welcome" && response.bytes.isEmpty, "\(action)")
            #expect(await !browser.get("/welcome").text.contains(secret))
        }
        #expect(
            browser.welcome.actions == [
                "invite swordfish", "kit swordfish", "name swordfish", "passphrase swordfish swordfish", "goon", "stop",
                "suggest", "useweak", "another", "kitdone false", "wantskit",
            ])
        for (action, place) in [("print", "/welcome/print"), ("save", "/welcome/kit")] {
            #expect(await browser.post("/welcome", [HTTPField("action", action)]).location == place)
        }
        #expect(browser.welcome.actions.suffix(2) == ["kittaken", "kittaken"])
    }

    @Test @LoopActor func aFormOfAnotherBrowser_doesNothing() async {
        let browser = Browser(hasMail: false)
        _ = await browser.get("/welcome")
        let other = browser.request(post: "/welcome", [HTTPField("action", "goon")])
        browser.cookie = nil
        #expect(await browser.send(browser.request(post: "/welcome", [HTTPField("action", "goon")])).location == "/welcome")
        _ = await browser.get("/welcome")
        var forged = other
        forged.headers.set("Cookie", browser.cookie ?? "")
        #expect(await browser.send(forged).status == 403)
        #expect(browser.welcome.actions.isEmpty)
    }

    @Test @LoopActor func anUploadedKit_isTakenBeforeTheField() async {
        let browser = Browser(hasMail: false)
        _ = await browser.get("/welcome")
        let file = HTTPUpload(field: "file", fileName: "kit.html", contentType: "", bytes: Array("file".utf8))
        let none = HTTPUpload(field: "file", fileName: "", contentType: "", bytes: [])
        _ = await browser.post("/welcome", [HTTPField("action", "kit"), HTTPField("kit", "typed")], uploads: [file])
        _ = await browser.post("/welcome", [HTTPField("action", "kit"), HTTPField("kit", "typed")], uploads: [none])
        #expect(browser.welcome.actions == ["kit file", "kit typed"])
    }

    /// The kit is served only to who is at that step, as a file and as a page without anything else.
    @Test @LoopActor func theKit_isOnlyForTheBrowserThatIsShownIt() async {
        let browser = Browser(hasMail: false)
        _ = await browser.get("/welcome")
        for path in ["/welcome/print", "/welcome/kit"] { #expect(await browser.get(path).location == "/welcome") }
        browser.welcome.screen = WelcomeScreen.samples("x")[12]
        let print = await browser.get("/welcome/print")
        #expect(print.status == 200 && print.text.contains("DDS-RECOVERY-1QQ PPPP"))
        #expect(print.text.contains("data-page=\"print\""))
        let file = await browser.get("/welcome/kit")
        #expect(file.bytes == Array("kit".utf8) && file.headers.only("Content-Disposition")?.hasPrefix("attachment;") == true)
        #expect(file.headers.only("Cache-Control") == "no-store")
        browser.cookie = nil
        for path in ["/welcome/print", "/welcome/kit"] { #expect(await browser.get(path).location == "/welcome") }
        #expect(await browser.post("/welcome/kit").status != 200)
    }

    /// D2 for the passphrase that is typed once more: the limiter is the unlock page's.
    @Test @LoopActor func wrongChecks_areSlowedDown() async {
        let browser = Browser(hasMail: false)
        _ = await browser.get("/welcome")
        browser.welcome.screen = .check
        for _ in 0..<5 {
            #expect(
                await browser.post("/welcome", [HTTPField("action", "check"), HTTPField("passphrase", "no")]).location
                    == "/welcome")
        }
        let slowed = await browser.post(
            "/welcome", [HTTPField("action", "check"), HTTPField("passphrase", FakeWelcome.passphrase)])
        #expect(slowed.status == 429 && slowed.headers.only("Retry-After") == "1")
        #expect(browser.welcome.actions.count == 5)
        // Where it is not awaited a passphrase is not even tried.
        browser.time.advance(by: .seconds(60))
        browser.welcome.screen = .invite
        _ = await browser.post("/welcome", [HTTPField("action", "check"), HTTPField("passphrase", FakeWelcome.passphrase)])
        #expect(browser.welcome.actions.count == 5)
    }

    @Test @LoopActor func theEnd_signsInWithANewToken() async {
        let browser = Browser(hasMail: false)
        _ = await browser.get("/welcome")
        let visitor = browser.cookie
        browser.app.use(backend: browser.backend)
        browser.backend.isLocked = false
        #expect(await browser.post("/welcome", [HTTPField("action", "finish")]).location == "/welcome")
        #expect(await browser.get("/").location == "/unlock")
        browser.welcome.greeting = "Welcome, <Alice>."
        #expect(await browser.post("/welcome", [HTTPField("action", "finish")]).location == "/")
        #expect(browser.cookie != visitor)
        #expect(await browser.get("/").text.contains("Welcome, &lt;Alice&gt;."))
        browser.cookie = visitor
        #expect(await browser.get("/").location == "/unlock")
    }

    @Test @LoopActor func afterwards_theWelcomeLeadsToTheMail() async {
        let browser = Browser()
        browser.welcome.screen = nil
        #expect(await browser.get("/welcome").location == "/")
        await browser.signIn()
        #expect(await browser.get("/welcome").location == "/")
        #expect(await browser.get("/").status == 200)
    }

    /// A6 as far as the page decides: who unlocks an account whose enrolment was broken off goes on with it.
    @Test @LoopActor func unlockingAnUnfinishedAccount_leadsToItsNextStep() async {
        let browser = Browser()
        browser.welcome.isUnfinished = true
        _ = await browser.get("/t/tbudget")
        _ = await browser.get("/unlock")
        let opened = await browser.post("/unlock", [HTTPField("passphrase", FakeBackend.passphrase)])
        #expect(opened.location == "/welcome")
    }

    @Test @LoopActor func aLock_forgetsWhatWasSaid() async {
        let browser = Browser()
        await browser.signIn()
        #expect(!browser.welcome.isForgotten)
        await browser.backend.lock()
        #expect(browser.welcome.isForgotten)
    }
}
