// The settings' pages and routes, without an agent behind them.

import DDSAgent
import DDSCore
import DDSHTTP
import DDSLoop
import DDSTestKit
import Foundation
import Testing

@Suite(.timeLimit(.minutes(5))) struct SettingsPageTests {
    @LoopActor private func browser() async -> Browser {
        let browser = Browser()
        await browser.signIn()
        return browser
    }

    @LoopActor private func tags(_ browser: Browser, _ path: String) async -> [PageTag] { scan(await browser.get(path).text) }

    @Test func addresses_areThoseOfTabs() {
        for tab in SettingsTab.allCases {
            #expect(Route(path: Route.path(tab)) == .settings(tab) && Route.isPage(Route.path(tab)))
        }
        for path in ["/settings/you", "/settings/", "/settings/other", "/settings/keys/x", "/settings/kit", "/settings/kit/a-b"] {
            #expect(Route(path: path) == nil, "\(path)")
        }
        #expect(Route(path: "/settings/kit/a1") == .settingsKit("a1"))
        #expect(Route(path: "/settings/kit/a1/file") == .settingsKitFile("a1"))
        // A lock forgets a kit: nobody is sent back to it.
        #expect(!Route.isPage("/settings/kit/a1") && !Route.isPage("/settings/kit/a1/file"))
    }

    @Test @LoopActor func everyTab_isThere_leadsToTheOthers_andIsMarked() async {
        let browser = await browser()
        for tab in SettingsTab.allCases {
            let page = await browser.get(Route.path(tab))
            #expect(page.status == 200 && page.text.contains("<title>Settings · DDS</title>"))
            let links = scan(page.text).filter { $0.name == "a" && SettingsTab.allCases.map(Route.path).contains($0.attributes["href"] ?? "") }
            let current = links.filter { $0.attributes["aria-current"] != nil }.compactMap { $0.attributes["href"] }
            // The sidebar's own link is marked in every tab.
            #expect(current.sorted() == ["/settings", Route.path(tab)].sorted(), "\(tab)")
        }
        #expect(await tags(browser, "/").contains { $0.name == "a" && $0.attributes["href"] == "/settings" })
    }

    @Test @LoopActor func lockedOrUnknown_nothingIsShown() async {
        let browser = Browser()
        for path in ["/settings", "/settings/keys", "/settings/kit/a1"] {
            #expect(await browser.get(path).location == "/unlock")
        }
        await browser.signIn()
        let late = browser.request(post: "/settings/appearance", [HTTPField("action", "save"), HTTPField("theme", "dark")])
        await browser.backend.lock()
        #expect(await browser.send(late).location == "/unlock")
        #expect(browser.backend.fakeSettings.saved.isEmpty)
    }

    /// What somebody chose is theirs to see.
    @Test @LoopActor func theLook_isThatOfWhoIsSignedInOnly() async {
        let browser = await browser()
        browser.backend.fakeSettings.chosen.look.theme = .dark
        browser.backend.fakeSettings.chosen.look.density = .compact
        browser.backend.fakeSettings.chosen.look.hasKeys = false
        browser.backend.fakeSettings.chosen.look.showsUnreadInTitle = true
        for path in ["/", "/t/tbudget", "/w", "/settings/node", "/t/nothing"] {
            let page = await browser.get(path).text
            let root = scan(page).first { $0.name == "html" }?.attributes
            #expect(root?["data-theme"] == "dark" && root?["data-density"] == "compact" && root?["data-keys"] == "off", "\(path)")
            #expect(page.contains("<title>(3) "))
            let box = scan(page).first { $0.attributes["id"] == "keys-on" }
            #expect(box != nil && box?.attributes["checked"] == nil)
        }
        browser.cookie = nil
        let unlock = scan(await browser.get("/unlock").text).first { $0.name == "html" }?.attributes
        #expect(unlock?.keys.sorted() == ["dir", "lang"])
        browser.backend.fakeSettings.chosen = PageSettings()
        let other = await self.browser()
        let page = await other.get("/").text
        #expect(scan(page).first { $0.name == "html" }?.attributes.keys.sorted() == ["dir", "lang"])
        #expect(scan(page).first { $0.attributes["id"] == "keys-on" }?.attributes["checked"] != nil)
        #expect(page.contains("<title>Inbox"))
    }

    @Test @LoopActor func forms_sayWhatWasChosen_andAreToldAfterwards() async {
        let browser = await browser()
        var look = PageLook()
        look.density = .compact
        look.showsUnreadInTitle = true
        look.hasKeys = false
        let cases: [(String, [HTTPField], SettingsChange)] = [
            (
                "/settings",
                [
                    HTTPField("name", "Al"), HTTPField("signature", "one\r\n two \r\n\r\n  \r\n"), HTTPField("spellcheck", "1"),
                    HTTPField("undo", " 5 "),
                ], .you(name: "Al", signature: "one\n two ", checksSpelling: true, undoSeconds: 5)
            ),
            (
                "/settings", [HTTPField("name", "Al"), HTTPField("undo", "")],
                .you(name: "Al", signature: "", checksSpelling: false, undoSeconds: nil)
            ),
            ("/settings", [HTTPField("undo", "x")], .you(name: "", signature: "", checksSpelling: false, undoSeconds: .max)),
            (
                "/settings/appearance",
                [HTTPField("theme", "pink"), HTTPField("density", "compact"), HTTPField("titles", "1")], .look(look)
            ),
            ("/settings/groups", [HTTPField("muted", "g1"), HTTPField("muted", "../x")], .muted(["g1"])),
            ("/settings/groups", [], .muted([])),
        ]
        for (path, fields, change) in cases {
            let answer = await browser.post(path, fields + [HTTPField("action", "save")])
            #expect(answer.status == 303 && answer.location == path)
            #expect(browser.backend.fakeSettings.saved.last == change)
            #expect(await browser.get(path).text.contains("Saved &lt;it&gt;."))
        }
        // A tab without choices takes none, and no tab takes an unknown action.
        for path in ["/settings/node", "/settings/keys", "/settings/about"] {
            #expect(await browser.post(path, [HTTPField("action", "save")]).location == path)
        }
        _ = await browser.post("/settings/devices", [HTTPField("action", "remove"), HTTPField("number", "x")])
        _ = await browser.post("/settings/devices", [HTTPField("action", "remove"), HTTPField("number", "2")])
        #expect(browser.backend.fakeSettings.saved.count == cases.count && browser.backend.fakeSettings.removed == [2])
    }

    // MARK: Passphrases

    private func change(_ old: String, _ new: String, _ again: String? = nil) -> [HTTPField] {
        [
            HTTPField("action", "passphrase"), HTTPField("old", old), HTTPField("new", new), HTTPField("again", again ?? new),
        ]
    }

    @Test @LoopActor func anotherPassphrase_takesTheOldOne_andIsNeverRepeated() async {
        let browser = await browser()
        let settings = browser.backend.fakeSettings
        for (fields, words) in [
            (change(FakeBackend.passphrase, "secret-new", "other"), "not typed twice"),
            (change(FakeBackend.passphrase, "weak"), "Too weak."), (change("wrong", "secret-new"), "did not open the key"),
        ] {
            let answer = await browser.post("/settings/keys", fields)
            #expect(answer.status == 303 && answer.location == "/settings/keys")
            let page = await browser.get("/settings/keys").text
            #expect(page.contains(words) && !page.contains("secret-new") && !page.contains("wrong"))
        }
        #expect(settings.passphrases.isEmpty && settings.attempts == 1)
        #expect(await browser.post("/settings/keys", change(FakeBackend.passphrase, "secret-new")).status == 303)
        #expect(settings.passphrases == ["secret-new"])
        #expect(await browser.get("/settings/keys").text.contains("The passphrase was changed."))
    }

    /// D2: guesses are as slow here as at the unlock page, together with it, and no other form makes them quicker.
    @Test @LoopActor func guesses_shareTheUnlockPagesPause() async {
        let browser = await browser()
        let settings = browser.backend.fakeSettings
        func kit(_ passphrase: String) async -> HTTPResponse {
            await browser.post("/settings/keys", [HTTPField("action", "kit"), HTTPField("passphrase", passphrase)])
        }
        for attempt in 0..<5 {
            let answer = attempt % 2 == 0 ? await kit("wrong") : await browser.post("/settings/keys", change("wrong", "secret-new"))
            #expect(answer.status == 303)
            // What is refused without a key is no success either.
            _ = await browser.post("/settings/keys", change("wrong", "weak"))
        }
        for answer in [await kit(FakeBackend.passphrase), await browser.post("/settings/keys", change("wrong", "secret-new"))] {
            #expect(answer.status == 429 && answer.headers.only("Retry-After") == "1" && !answer.text.contains("secret-new"))
        }
        #expect(settings.attempts == 5)
        let other = Browser(sharing: browser)
        _ = await other.get("/unlock")
        #expect(await other.post("/unlock", [HTTPField("passphrase", FakeBackend.passphrase)]).status == 429)
        browser.time.advance(by: .seconds(1))
        #expect(await kit(FakeBackend.passphrase).location?.hasPrefix("/settings/kit/") == true)
    }

    @Test @LoopActor func aKit_isShownAndSavedUnderItsName() async throws {
        let browser = await browser()
        let made = await browser.post(
            "/settings/keys", [HTTPField("action", "kit"), HTTPField("passphrase", FakeBackend.passphrase)])
        let path = try #require(made.location)
        let page = await browser.get(path)
        #expect(page.status == 200 && page.text.contains("DDS-RECOVERY-1QQ PPPP"))
        #expect(page.headers.only("Cache-Control") == "no-store")
        let file = try #require(scan(page.text).first { $0.attributes["href"]?.hasSuffix("/file") == true }?.attributes["href"])
        let saved = await browser.get(file)
        #expect(saved.text == "KIT" && saved.headers.only("Content-Disposition")?.hasPrefix("attachment") == true)
        for gone in ["/settings/kit/a1", "/settings/kit/a1/file"] {
            #expect(await browser.get(gone).location == "/settings/keys")
            #expect(await browser.get("/settings/keys").text.contains("Make another."))
        }
    }

    // MARK: Browsers

    @Test @LoopActor func anotherBrowser_isListed_andCanBeSignedOut() async throws {
        let browser = await browser()
        browser.time.advance(by: .seconds(60))
        let other = Browser(sharing: browser)
        await other.signIn()
        guard case .events(let stream) = await other.get("/events").body, case .events(let own) = await browser.get("/events").body
        else {
            Issue.record("no streams")
            return
        }
        func names(_ browser: Browser) async -> [String] {
            await tags(browser, "/settings/devices").filter { $0.attributes["name"] == "browser" }.compactMap { $0.attributes["value"] }
        }
        let page = await browser.get("/settings/devices").text
        #expect(page.components(separatedBy: "Signed in ").count == 3 && page.contains("this one"))
        let name = try #require(await names(browser).first)
        #expect(await names(browser).count == 1)
        // Nobody is signed in with the name, and nobody signs themselves out by it.
        let mine = try #require(await names(other).first)
        #expect(mine != name)
        _ = await browser.post("/settings/devices", [HTTPField("action", "end"), HTTPField("browser", mine)])
        #expect(await browser.get("/settings/devices").text.contains("not signed in any more"))
        #expect(await browser.post("/settings/devices", [HTTPField("action", "end"), HTTPField("browser", name)]).status == 303)
        #expect(await browser.get("/settings/devices").text.contains("is signed out"))
        #expect(!stream.isOpen && own.isOpen)
        #expect(await other.get("/").location == "/unlock")
        #expect(await names(browser).isEmpty)
    }

    // MARK: Mail programs

    @Test @LoopActor func theGatewaysForms_sayWhatTheyMean() async throws {
        let browser = await browser()
        let settings = browser.backend.fakeSettings
        let name = "my <mutt>"
        for (fields, change) in [
            ([HTTPField("action", "on"), HTTPField("protocol", "pop3")], GatewayChange.on("pop3")),
            ([HTTPField("action", "off"), HTTPField("protocol", "smtp")], .off("smtp")),
            ([HTTPField("action", "tls")], .tls(true)), ([HTTPField("action", "clear")], .tls(false)),
            ([HTTPField("action", "add"), HTTPField("name", name)], .add(password: name)),
            ([HTTPField("action", "revoke"), HTTPField("name", Hex.encode(Array(name.utf8)))], .revoke(password: name)),
        ] {
            let answer = await browser.post("/settings/gateway", fields)
            #expect(answer.status == 303 && answer.location == "/settings/gateway")
            #expect(settings.gatewayChanges.last == change)
            #expect(await browser.get("/settings/gateway").text.contains("Changed."))
        }
        for fields in [[HTTPField("action", "save")], [HTTPField("action", "revoke"), HTTPField("name", "x")], []] {
            #expect(await browser.post("/settings/gateway", fields).location == "/settings/gateway")
        }
        #expect(settings.gatewayChanges.count == 6)
        // What the page shows of a password is what its form sends back.
        let sent = await tags(browser, "/settings/gateway").filter { $0.attributes["name"] == "name" && $0.attributes["type"] == "hidden" }
        #expect(sent.first?.attributes["value"] == Hex.encode(Array("x".utf8)))
        #expect(await browser.get("/settings/gateway").text.contains("keeps what it fetches in clear on the disk"))
    }

    /// Mail programs are signed in nowhere, and what they get names nobody.
    @Test @LoopActor func theSetUpFile_isForEverybodyOfThisComputer() async {
        let browser = Browser()
        #expect(await browser.get("/mail/config-v1.1.xml").status == 404)
        browser.backend.fakeSettings.autoconfig = "<x/>"
        let answer = await browser.get("/mail/config-v1.1.xml")
        #expect(answer.status == 200 && answer.text == "<x/>")
        #expect(answer.headers.only("Content-Type") == "application/xml; charset=utf-8")
        #expect(answer.headers.only("Cache-Control") == "no-store" && answer.headers.contains("Content-Security-Policy"))
        #expect(Route(path: "/mail/config-v1.1.xml") == .autoconfig && !Route.isPage("/mail/config-v1.1.xml"))
        #expect(await browser.get("/mail/gateway-ca.pem").status == 404)
        browser.backend.fakeSettings.gatewayAuthority = Array("PEM".utf8)
        let authority = await browser.get("/mail/gateway-ca.pem")
        #expect(authority.text == "PEM" && authority.headers.only("Content-Type") == "application/x-x509-ca-cert")
        for path in ["/mail", "/mail/", "/mail/other.xml", "/mail/config-v1.1.xml/x"] { #expect(Route(path: path) == nil) }
    }

    // MARK: Writing

    @Test @LoopActor func aNewMessage_beginsWithTheSignature_andSpellsAsChosen() async {
        let browser = await browser()
        func write() async -> (body: String, spelling: Set<String>) {
            let page = await browser.get("/w").text
            let body = page.components(separatedBy: "<textarea")[1].components(separatedBy: ">\n")[1].components(separatedBy: "</textarea>")[0]
            let fields = scan(page).filter { ["f-body", "f-subject"].contains($0.attributes["id"] ?? "") }
            return (body, Set(fields.compactMap { $0.attributes["spellcheck"] }))
        }
        #expect(await write() == ("", ["false"]))
        browser.backend.fakeSettings.chosen.signature = "Alice <a>"
        browser.backend.fakeSettings.chosen.checksSpelling = true
        #expect(await write() == ("\n\n-- \nAlice &lt;a&gt;\n", ["true"]))
    }
}
