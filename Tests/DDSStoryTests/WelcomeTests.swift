// Joining in the page, with node and agent as they run: each step, what does not fit, stops after each step, two browsers.

import DDSCore
import DDSHTTP
import DDSLoop
import DDSNode
import DDSSeal
import DDSTestKit
import Foundation
import Testing

@testable import DDSAgent
@testable import DDSServer

/// A browser of one tab at an agent's page: keeps its cookie, follows redirects of the page.
@LoopActor final class Visitor {
    private let role: AgentRole
    private var cookie: String?
    private var formToken = ""
    private(set) var text = ""
    private(set) var path = ""
    /// Every address that was asked for, and every title that was seen.
    private(set) var addresses: [String] = []
    private(set) var titles: Set<String> = []

    init(_ agent: TestRole<AgentRole>) { role = agent.role }

    func get(_ target: String) async throws { try await send("GET", target, HTTPBody()) }

    func post(_ action: String, _ fields: [String: String] = [:], to target: String = "/welcome") async throws {
        let all = [HTTPField("token", formToken), HTTPField("action", action)] + fields.map { HTTPField($0.key, $0.value) }
        try await send("POST", target, HTTPBody(fields: all))
    }

    /// The page until it shows something else than that work goes on.
    func settled() async throws {
        try await until {
            try await get("/welcome")
            return !text.contains("This page goes on by itself")
        }
    }

    private func send(_ method: String, _ target: String, _ body: HTTPBody) async throws {
        let app = try #require(role.page)
        let host = String(app.gate.site.address.dropFirst("http://".count))
        var fields = [HTTPField("Host", host), HTTPField("Sec-Fetch-Site", "same-origin")]
        if method == "POST" {
            fields += [
                HTTPField("Origin", "http://\(host)"), HTTPField("Content-Type", "application/x-www-form-urlencoded"),
            ]
        }
        if let cookie { fields.append(HTTPField("Cookie", cookie)) }
        addresses.append(target)
        let response = await app.respond(
            to: HTTPRequest(method: method, target: target, headers: HTTPHeaders(fields), body: body))
        if let set = response.headers.only("Set-Cookie") { cookie = String(set.prefix { $0 != ";" }) }
        if method == "POST", ![303, 429].contains(response.status) { Issue.record("a form got \(response.status)") }
        if let place = response.headers.only("Location") { return try await send("GET", place, HTTPBody()) }
        text = String(decoding: response.bytes, as: UTF8.self)
        path = target
        if let found = text.firstRange(of: "name=\"token\" value=\"") {
            formToken = String(text[found.upperBound...].prefix { $0 != "\"" })
        }
        if let found = text.firstRange(of: "<title>") { titles.insert(String(text[found.upperBound...].prefix { $0 != "<" })) }
    }

    var heading: String {
        guard let found = text.firstRange(of: "<h1>") else { return "" }
        return String(text[found.upperBound...].prefix { $0 != "<" })
    }
}

@Suite(.serialized, .timeLimit(.minutes(5))) struct WelcomeTests {
    static let passphrase = "velvet anchors hum at half past four"

    /// As far as the passphrase, by an invite with words around it.
    @LoopActor private func begin(_ browser: Visitor, _ invite: String, name: String = "Alice in the page") async throws {
        try await browser.get("/")
        #expect(browser.path == "/welcome" && browser.heading == "Welcome")
        try await browser.post("invite", ["invite": "Dear Alice,\n\nhere it is:\n\(invite)\nYours, Bob"])
        #expect(browser.heading == "You are invited", "\(browser.text)")
        try await browser.post("goon")
        #expect(browser.heading == "You")
        try await browser.post("name", ["name": name])
        #expect(browser.heading == "Invent a passphrase")
    }

    @LoopActor private func join(_ browser: Visitor, _ invite: String) async throws {
        try await begin(browser, invite)
        try await browser.post("passphrase", ["passphrase": Self.passphrase, "again": Self.passphrase])
        try await browser.settled()
        #expect(browser.heading == "Recovery kit", "\(browser.text)")
    }

    /// A3, A5, A7: from a pasted invite to an inbox, with what the node says shown before anything is created.
    @Test @LoopActor func anInvite_leadsToAnInbox() async throws {
        let village = try await Village(members: ["alice"], group: ["alice"])
        let invite = try await village.invite("alice")
        let agent = try await village.startAgent("alice")
        let folder = AgentFolder(stateDir: village.folder + "/alice/state")
        let browser = Visitor(agent)
        try await browser.get("/")
        try await browser.post("invite", ["invite": invite])
        let link = try InviteLink(invite)
        for word in ["node.test", "127.0.0.1", WordPhrase.text(link.nodeKeyHash), "alice@node.test", "#board", "Valid until"] {
            #expect(browser.text.contains(word), "\(word)")
        }
        #expect(!HostFiles.exists(folder.path) && !browser.text.contains(link.link))
        try await browser.post("stop")
        try await join(browser, invite)
        #expect(folder.loadedAccount?.display == "Alice in the page" && folder.loadedAccount?.isUnfinished == true)
        let running = try #require(agent.role.agent)
        #expect(running.isLocked)
        // The kit is the account's, and one has to say something about it.
        let code = try #require(browser.text.firstRange(of: "DDS-RECOVERY-1"))
        let shown = String(browser.text[code.lowerBound...].prefix { $0 != "<" })
        try await browser.post("kitdone")
        #expect(browser.heading == "Recovery kit" && browser.text.contains("Print the kit or save it"))
        try await browser.post("save")
        #expect(browser.path == "/welcome/kit" && browser.text.contains("Recovery kit of alice@node.test"))
        try await browser.get("/welcome")
        try await browser.post("kitdone")
        #expect(browser.heading == "Is all well?")
        try await browser.get("/welcome/kit")
        #expect(browser.path == "/welcome")
        try await browser.post("check", ["passphrase": "not " + Self.passphrase])
        #expect(browser.heading == "Is all well?" && browser.text.contains("That passphrase did not open the key."))
        try await browser.post("check", ["passphrase": Self.passphrase])
        try await browser.settled()
        #expect(browser.heading == "All is well" && browser.text.components(separatedBy: "✓").count == 4, "\(browser.text)")
        #expect(folder.loadedAccount?.isUnfinished == false)
        try await browser.post("finish")
        #expect(browser.path == "/" && browser.text.contains("Welcome, Alice in the page. You are alice@node.test, in #board."))
        // The test message is gone, and nothing else has come.
        #expect(try running.opened().store.order.isEmpty)
        var bytes = Array(shown.utf8)
        let kit = try RecoveryKit(in: SecretBytes(consuming: &bytes))
        try kit.rehearse(against: running.account, keys: try #require(running.unlocked?.keys))
        try await browser.get("/welcome")
        #expect(browser.path == "/")
        // The saved kit is no page of ours any more.
        #expect(browser.titles.subtracting(["Recovery kit of alice@node.test"]) == ["Welcome · DDS", "Inbox · DDS"])
        #expect(Set(browser.addresses) == ["/", "/welcome", "/welcome/kit"])
        await village.stopAgent("alice")
        let again = try await village.startAgent("alice")
        _ = try await again.call("agent.unlock", ["passphrase": .text(Self.passphrase)])
        await village.close()
    }

    /// A4: each has a text of its own, and nothing is created.
    @Test @LoopActor func badInvites_areToldApartAndCreateNothing() async throws {
        let village = try await Village(members: ["alice", "bob"], group: [])
        let used = try await village.invite("alice")
        _ = try await village.startAgent("alice").call(
            "agent.join", ["invite": .text(used), "passphrase": .text(Self.passphrase)])
        let good = try await village.invite("bob")
        var wrong = try InviteLink(good)
        wrong.secret = Redacted([1, 2, 3, 4, 5])
        var elsewhere = try InviteLink(good)
        elsewhere.nodeKeyHash[0] ^= 1
        var away = try InviteLink(good)
        away.submissionsPort = 1
        let bob = try await village.startAgent("bob")
        let browser = Visitor(bob)
        try await browser.get("/welcome")
        func refused(_ text: String, _ words: String) async throws {
            try await browser.post("invite", ["invite": text])
            #expect(browser.heading == "Welcome" && browser.text.contains(words), "\(browser.text)")
            #expect(!browser.text.contains("dds://127"))
        }
        try await refused(used, "This invite was used already")
        try await refused(wrong.link, "The secret of this invite is wrong")
        try await refused(elsewhere.link, "has not the key that the invite names")
        try await refused(away.link, "does not answer")
        try await refused(String(good.dropLast()), "no whole invite")
        try await refused("", "no whole invite")
        _ = try await village.server.call("invite.revoke", ["id": .number(Int64(try InviteLink(good).number))])
        try await refused(good, "This invite was revoked")
        let late = try await village.invite("bob")
        village.time.putForward(by: .seconds(8 * 86400))
        try await refused(late, "This invite has expired")
        #expect(!HostFiles.exists(village.folder + "/bob/state/agent"))
        #expect(bob.role.agent == nil)
        // Asking used nothing up.
        let fresh = try await village.invite("bob")
        for _ in 0..<7 {
            try await browser.post("invite", ["invite": fresh])
            #expect(browser.heading == "You are invited")
        }
        await village.close()
    }

    /// Passphrases are judged here, told in words, and never come back in a field.
    @Test @LoopActor func passphrases_areJudged() async throws {
        let village = try await Village(members: ["alice"], group: [])
        let agent = try await village.startAgent("alice")
        let browser = Visitor(agent)
        try await begin(browser, try await village.invite("alice"), name: "Zinnia Quartz")
        func typed(_ first: String, _ second: String, _ words: String) async throws {
            try await browser.post("passphrase", ["passphrase": first, "again": second])
            #expect(browser.text.contains(words), "\(browser.text)")
            #expect(first.isEmpty || !browser.text.contains(first))
        }
        try await typed("", "", "Type a passphrase")
        try await typed("one thing or other", "another thing or one", "The two are different")
        try await typed("letmein1", "letmein1", "within a million guesses")
        // What is known of the person is guessed first.
        try await typed("zinnia quartz", "zinnia quartz", "within a million guesses")
        try await typed("brelkonator", "brelkonator", "A weak passphrase")
        #expect(browser.text.contains("guesses"))
        try await browser.post("another")
        #expect(browser.heading == "Invent a passphrase")
        try await browser.post("suggest")
        let found = try #require(browser.text.firstRange(of: "<p class=\"words\">"))
        let words = String(browser.text[found.upperBound...].prefix { $0 != "<" })
        #expect(words.split(separator: "-").count == 6)
        try await browser.get("/welcome")
        #expect(browser.text.contains(words))
        try await browser.post("suggest")
        #expect(!browser.text.contains(words))
        #expect(!HostFiles.exists(village.folder + "/alice/state/agent"))
        try await typed("brelkonator", "brelkonator", "A weak passphrase")
        try await browser.post("useweak")
        try await browser.settled()
        #expect(browser.heading == "Recovery kit")
        try await browser.post("kitdone", ["accept": "1"])
        try await browser.post("check", ["passphrase": "brelkonator"])
        try await browser.settled()
        #expect(browser.heading == "All is well")
        await village.close()
    }

    /// Forms of another step, and forms that come twice, change nothing.
    @Test @LoopActor func formsThatDoNotFit_changeNothing() async throws {
        let village = try await Village(members: ["alice"], group: [])
        let agent = try await village.startAgent("alice")
        let browser = Visitor(agent)
        try await browser.get("/welcome")
        let forms: [(String, [String: String])] = [
            ("goon", [:]), ("name", ["name": "X"]), ("passphrase", ["passphrase": Self.passphrase, "again": Self.passphrase]),
            ("useweak", [:]), ("kitdone", ["accept": "1"]), ("check", ["passphrase": Self.passphrase]), ("finish", [:]),
        ]
        for (action, fields) in forms {
            try await browser.post(action, fields)
            #expect(browser.heading == "Welcome", "\(action)")
        }
        try await browser.post("invite", ["invite": try await village.invite("alice")])
        for (action, fields) in forms.dropFirst() {
            try await browser.post(action, fields)
            #expect(browser.heading == "You are invited", "\(action)")
        }
        try await browser.post("goon")
        try await browser.post("goon")
        #expect(browser.heading == "You")
        try await browser.post("name", ["name": " \u{202e} "])
        #expect(browser.heading == "You" && browser.text.contains("one character at least"))
        try await browser.post("name", ["name": "Alice"])
        try await browser.post("name", ["name": "Mallory"])
        let typed = ["passphrase": Self.passphrase, "again": Self.passphrase]
        try await browser.post("passphrase", typed)
        try await browser.post("passphrase", typed)
        try await browser.settled()
        #expect(browser.heading == "Recovery kit" && agent.role.agent?.account.display == "Alice")
        try await browser.post("passphrase", typed)
        try await browser.post("invite", ["invite": "x"])
        try await browser.post("stop")
        #expect(browser.heading == "Recovery kit")
        try await browser.post("kitdone", ["accept": "1"])
        try await browser.post("check", ["passphrase": Self.passphrase])
        try await browser.post("check", ["passphrase": Self.passphrase])
        try await browser.settled()
        #expect(browser.heading == "All is well")
        try await browser.post("finish")
        try await browser.post("finish")
        #expect(browser.path == "/")
        await village.close()
    }

    /// Two browsers at once: what one types the other does not see, and one account comes of it.
    @Test @LoopActor func twoBrowsers_makeOneAccount() async throws {
        let village = try await Village(members: ["alice"], group: [])
        let invite = try await village.invite("alice")
        let agent = try await village.startAgent("alice")
        let (first, second) = (Visitor(agent), Visitor(agent))
        try await begin(first, invite, name: "First")
        try await second.get("/")
        #expect(second.heading == "Welcome")
        try await begin(second, invite, name: "Second")
        let typed = ["passphrase": Self.passphrase, "again": Self.passphrase]
        try await first.post("passphrase", typed)
        try await second.post("passphrase", typed)
        #expect(second.heading == "One moment")
        try await first.settled()
        #expect(first.heading == "Recovery kit")
        // The second one is a visitor of somebody's agent now, and sees no kit.
        try await second.get("/welcome")
        #expect(second.path == "/unlock")
        for path in ["/welcome/kit", "/welcome/print"] {
            try await second.get(path)
            #expect(second.path == "/unlock" && !second.text.contains("DDS-RECOVERY"))
        }
        try await second.post("kitdone", ["accept": "1"])
        #expect(first.heading == "Recovery kit")
        // With the passphrase it may go on as well.
        try await second.post("", ["passphrase": Self.passphrase], to: "/unlock")
        #expect(second.path == "/welcome" && second.heading == "Recovery kit")
        try await first.post("kitdone", ["accept": "1"])
        try await first.post("check", ["passphrase": Self.passphrase])
        try await first.settled()
        #expect(first.heading == "All is well" && agent.role.agent?.account.display == "First")
        try await first.post("finish")
        #expect(first.path == "/")
        await village.close()
    }

    /// A6: the program is stopped after each step; the same invite and passphrase lead to the end, and nothing is there that stands
    /// in the way.
    @Test(arguments: ["invite", "name", "words", "vault", "registered", "kit", "check"])
    @LoopActor func aStopAfterAnyStep_leadsOn(step: String) async throws {
        let village = try await Village(members: ["alice"], group: [])
        let invite = try await village.invite("alice")
        let folder = AgentFolder(stateDir: village.folder + "/alice/state")
        var browser = Visitor(try await village.startAgent("alice"))
        try await browser.get("/")
        if step != "invite" { try await begin(browser, invite) } else { try await browser.post("invite", ["invite": invite]) }
        if step == "words" { try await browser.post("suggest") }
        let isLater = ["vault", "registered", "kit", "check"].contains(step)
        if isLater {
            try await browser.post("passphrase", ["passphrase": Self.passphrase, "again": Self.passphrase])
            try await browser.settled()
        }
        if step == "check" { try await browser.post("kitdone", ["accept": "1"]) }
        await village.stopAgent("alice")
        switch step {
        // The node had taken the enrolment: the reply, the spool or the account file were not written.
        case "vault", "registered":
            try FileManager.default.removeItem(atPath: folder.account)
            if step == "vault" { try FileManager.default.removeItem(atPath: folder.spool) }
        case "kit", "check": break
        default: #expect(!HostFiles.exists(folder.path))
        }
        browser = Visitor(try await village.startAgent("alice"))
        try await browser.get("/")
        if ["kit", "check"].contains(step) {
            #expect(browser.path == "/unlock")
            try await browser.post("", ["passphrase": Self.passphrase], to: "/unlock")
            #expect(browser.heading == "Recovery kit")
        } else {
            try await browser.post("invite", ["invite": invite])
            try await browser.post("goon")
            try await browser.post("name", ["name": "Alice"])
            if isLater {
                #expect(browser.heading == "Your passphrase")
                try await browser.post("passphrase", ["passphrase": "something else"])
                try await browser.settled()
                #expect(browser.heading == "Your passphrase" && browser.text.contains("did not open the key"))
            }
            try await browser.post("passphrase", ["passphrase": Self.passphrase, "again": Self.passphrase])
            try await browser.settled()
            #expect(browser.heading == "Recovery kit", "\(browser.text)")
        }
        try await browser.post("kitdone", ["accept": "1"])
        try await browser.post("check", ["passphrase": Self.passphrase])
        try await browser.settled()
        #expect(browser.heading == "All is well", "\(browser.text)")
        try await browser.post("finish")
        #expect(browser.path == "/" && folder.loadedAccount?.isUnfinished == false)
        await village.close()
    }

    /// The kit brings a person back, pasted with words around it; what was lost is told.
    @Test @LoopActor func aKit_bringsAPersonBack() async throws {
        let village = try await Village(members: ["alice", "bob"], group: [])
        let alice = try await village.join("alice")
        let bob = try await village.join("bob")
        let agent = try #require(bob.role.agent)
        let seed = try #require(agent.unlocked?.keys.identitySeed)
        let secret = RecoveryKit(account: agent.account, identitySeed: seed).code
        let code = secret.withExposed { String(decoding: $0, as: UTF8.self) }
        await village.stopAgent("bob")
        try FileManager.default.removeItem(atPath: village.folder + "/bob")
        _ = try await alice.call("agent.send", ["recipients": ["bob"], "subject": "Lost", "body": "x\n"])
        try await until { try await village.server.call("queue.list").array?.isEmpty == false }
        let browser = Visitor(try await village.startAgent("bob"))
        try await browser.get("/")
        try await browser.post("wantskit")
        #expect(browser.heading == "Come back")
        try await browser.post("kit", ["kit": "nothing of the kind"])
        #expect(browser.heading == "Come back" && browser.text.contains("There is no recovery code in it"))
        try await browser.post("kit", ["kit": String(code.dropLast(2))])
        #expect(browser.text.contains("is incomplete") && !browser.text.contains(code.prefix(30)))
        try await browser.post("kit", ["kit": "Recovery kit of Bob\n\n\(code.lowercased())\n"])
        #expect(browser.heading == "Your kit" && browser.text.contains("bob@node.test") && !browser.text.contains(code))
        #expect(!HostFiles.exists(village.folder + "/bob/state/agent"))
        try await browser.post("goon")
        #expect(browser.heading == "Invent a passphrase")
        let fresh = "seven herons fold the northern map"
        try await browser.post("passphrase", ["passphrase": fresh, "again": fresh])
        try await browser.settled()
        #expect(browser.heading == "Is all well?" && browser.text.contains("1 message that waited for you"), "\(browser.text)")
        try await browser.post("check", ["passphrase": "seven herons fold the northern map"])
        try await browser.settled()
        #expect(browser.heading == "All is well")
        try await browser.post("finish")
        #expect(browser.path == "/" && browser.text.contains("You are bob@node.test"))
        await village.close()
    }

    /// The link that another device has made goes into the same field.
    @Test @LoopActor func aDeviceLink_addsThisDevice() async throws {
        let village = try await Village(members: ["alice"], group: [])
        let first = try await village.join("alice")
        let link = try #require(try await first.call("agent.device.link")["link"]?.string)
        let second = try await makeAgent(village.folder + "/second", time: village.time)
        let browser = Visitor(second)
        try await browser.get("/")
        try await browser.post("invite", ["invite": link])
        #expect(browser.heading == "Add this device" && browser.text.contains("alice@node.test"))
        try await browser.post("goon")
        #expect(browser.heading == "This device")
        try await browser.post("name", ["name": "kitchen"])
        try await browser.post("passphrase", ["passphrase": Self.passphrase, "again": Self.passphrase])
        #expect(browser.heading == "Making your keys …")
        try await until { try await first.call("agent.device.look")["state"]?.string != "open" }
        try await browser.settled()
        #expect(browser.heading == "Is all well?", "\(browser.text)")
        try await browser.post("check", ["passphrase": Self.passphrase])
        try await browser.settled()
        #expect(browser.heading == "All is well" && browser.text.components(separatedBy: "✓").count == 3)
        let devices = try await first.call("agent.device.list").array ?? []
        let titles = devices.compactMap { $0["title"]?.string }
        #expect(titles.contains("kitchen"))
        await second.stop()
        await village.close()
    }

    /// The command line joins while a page is open: the page knows.
    @Test @LoopActor func theCommandLine_mayJoinMeanwhile() async throws {
        let village = try await Village(members: ["alice"], group: [])
        let invite = try await village.invite("alice")
        let agent = try await village.startAgent("alice")
        let browser = Visitor(agent)
        try await begin(browser, invite)
        _ = try await agent.call("agent.join", ["invite": .text(invite), "passphrase": .text(Self.passphrase)])
        try await browser.post("passphrase", ["passphrase": Self.passphrase, "again": Self.passphrase])
        #expect(browser.path == "/unlock")
        #expect(agent.role.agent?.account.isUnfinished == false)
        await village.close()
    }
}

extension AgentFolder {
    var loadedAccount: AgentAccount? { (try? loadAccount()) ?? nil }
}
