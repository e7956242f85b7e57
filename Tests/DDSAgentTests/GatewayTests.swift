// The gateway without its sockets: who may log in, what is remembered, what files and cards say, how recipients are divided.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSTestKit
import DDSWire
import Foundation
import Testing

@testable import DDSAgent

@Suite(.timeLimit(.minutes(5))) struct GatewayTests {
    @LoopActor private func book(_ folder: String, time: any TimeSource = ManualTime()) throws -> GatewayBook {
        try GatewayBook(path: folder + "/gateway.json", random: SystemRandom(), time: time)
    }

    private func plain(_ user: String, _ password: String) -> Credentials {
        .plain(authzid: nil, authcid: user, password: Redacted(Array(password.utf8)))
    }

    // MARK: Passwords

    @Test @LoopActor func aPassword_isWords_andKeptAsVerifierOnly() async throws {
        let folder = try HostFiles.makeTemporaryFolder()
        defer { try? HostFiles.removeTree(folder) }
        let book = try book(folder)
        let first = try await book.addPassword(" mutt ").exposed
        let second = try await book.addPassword("Thunderbird").exposed
        #expect(first.split(separator: "-").map(\.count) == [5, 5, 5, 5, 5] && first != second)
        #expect(book.use(Array(first.utf8)) == "mutt" && book.use(Array(second.utf8)) == "Thunderbird")
        for wrong in ["", "x", first + "-", String(first.dropLast()), first.uppercased()] {
            #expect(book.use(Array(wrong.utf8)) == nil)
        }
        let file = folder + "/gateway.json"
        let text = String(decoding: try HostFiles.read(file), as: UTF8.self)
        #expect(!text.contains(first) && !text.contains(second) && text.contains("mutt"))
        #expect(try #require(HostFiles.status(file)).mode == 0o600)
        // Another start knows them, and one that was revoked no more.
        try await book.revoke("mutt")
        let later = try self.book(folder)
        #expect(later.passwords.map(\.name) == ["Thunderbird"])
        #expect(later.use(Array(first.utf8)) == nil && later.use(Array(second.utf8)) == "Thunderbird")
    }

    @Test @LoopActor func names_areShort_onOneLine_andOnce() async throws {
        let folder = try HostFiles.makeTemporaryFolder()
        defer { try? HostFiles.removeTree(folder) }
        let book = try book(folder)
        _ = try await book.addPassword("mutt")
        for name in ["", "  ", "a\nb", "a\u{7}", String(repeating: "x", count: 61), "mutt", " mutt"] {
            await #expect(throws: Failure.self, "\(name)") { try await book.addPassword(name) }
        }
        _ = try await book.addPassword(String(repeating: "x", count: 60))
        await #expect(throws: Failure.self) { try await book.revoke("other") }
        #expect(book.passwords.count == 2)
    }

    @Test @LoopActor func lastUses_areWrittenOnceAMinute_andAtTheEnd() async throws {
        let folder = try HostFiles.makeTemporaryFolder()
        defer { try? HostFiles.removeTree(folder) }
        let time = ManualTime()
        let book = try book(folder, time: time)
        let text = Array(try await book.addPassword("mutt").exposed.utf8)
        func written() async throws -> Bool {
            await book.settled()
            return try self.book(folder).passwords[0].lastUsed != nil
        }
        time.advance(by: .seconds(59))
        #expect(book.use(text) == "mutt")
        #expect(try await !written())
        time.advance(by: .seconds(1))
        #expect(book.use(text) == "mutt")
        #expect(try await written())
        time.advance(by: .seconds(5))
        #expect(book.use(text) == "mutt")
        await book.close()
        #expect(try self.book(folder).passwords[0].lastUsed?.seconds == time.wall.seconds)
    }

    @Test @LoopActor func aDamagedFile_isSaid_andLeft() throws {
        let folder = try HostFiles.makeTemporaryFolder()
        defer { try? HostFiles.removeTree(folder) }
        for text in ["", "{}", "{\"version\": 2}", "{\"version\": 1, \"key\": \"00\"}"] {
            try HostFiles.write(folder + "/gateway.json", Array(text.utf8))
            #expect(throws: Failure.self) { try book(folder) }
            #expect(try HostFiles.read(folder + "/gateway.json") == Array(text.utf8))
        }
    }

    // MARK: Logins

    @Test func userNames_areTakenApart() {
        for (name, person, group) in [
            ("bob", "bob", nil), ("BOB@Node.Test", "bob", nil), ("bob+board", "bob", "board"),
            ("bob+board@node.test", "bob", "board"), ("bob+a+b", "bob", "a+b"), ("bob+", "bob", ""), ("", "", nil),
        ] as [(String, String, String?)] {
            let user = GatewayUser(name, domain: "node.test")
            #expect(user?.person == person && user?.group == group, "\(name)")
        }
        for name in ["bob@other.test", "bob@", "bob@node.test@node.test"] {
            #expect(GatewayUser(name, domain: "node.test") == nil)
        }
    }

    @Test @LoopActor func whoMayLogIn() async throws {
        let open = try await OpenAgent()
        let desk = try GatewayDesk(agent: open.agent)
        let password = try await desk.book.addPassword("mutt").exposed
        func login(_ user: String, _ password: String) -> String {
            switch desk.login(plain(user, password)) {
            case .member(.inbox, let name): "inbox \(name)"
            case .member(.group(let group), let name): "\(group) \(name)"
            case .refused: "refused"
            case .locked: "locked"
            }
        }
        #expect(login("alice", password) == "inbox mutt" && login("Alice@node.test", password) == "inbox mutt")
        #expect(login("alice+board", password) == "board mutt")
        for user in ["bob", "alice@other", "alice+nothing", "alice+", ""] {
            #expect(login(user, password) == "refused", "\(user)")
        }
        #expect(login("alice", "wrong") == "refused")
        guard case .refused = desk.login(.plain(authzid: "bob", authcid: "alice", password: Redacted(Array(password.utf8)))),
            case .refused = desk.login(.external(authzid: nil))
        else {
            Issue.record("somebody else got in")
            return
        }
        try await desk.revoke("mutt")
        #expect(login("alice", password) == "refused")
        open.agent.lock()
        #expect(login("alice", password) == "locked" && login("bob", "wrong") == "locked")
        desk.stop()
    }

    // MARK: Listening

    @Test @LoopActor func aPlace_isFound_kept_andGivenUp() async throws {
        let open = try await OpenAgent()
        let desk = try GatewayDesk(agent: open.agent)
        desk.start(inherited: [:])
        #expect(GatewayProtocol.allCases.allSatisfy { desk.endpoint(of: $0) == nil } && desk.autoconfig == nil)
        try await desk.turnOn([.pop3])
        let place = try #require(desk.endpoint(of: .pop3))
        #expect(place.isLoopback && desk.endpoint(of: .smtp) == nil && desk.book.places[.pop3] == place.description)
        #expect(open.agent.gateway === desk)
        // Another agent, at the same time, has the next.
        let other = try await OpenAgent()
        let second = try GatewayDesk(agent: other.agent)
        try await second.turnOn([.pop3])
        #expect(second.endpoint(of: .pop3) != place)
        second.stop()
        desk.stop()
        let again = try GatewayDesk(agent: open.agent)
        again.start(inherited: [:])
        #expect(again.endpoint(of: .pop3) == place && again.problems.isEmpty)
        // A mail program knows this place and no other.
        let late = try GatewayDesk(agent: open.agent)
        late.start(inherited: [:])
        #expect(late.endpoint(of: .pop3) == nil && late.problems.count == 1)
        late.stop()
        // The sockets outlive the program.
        again.rest()
        let left = again.surrender()
        again.stop()
        #expect(left.map(\.name) == ["gateway-pop3"])
        let next = try GatewayDesk(agent: open.agent)
        next.start(inherited: [.pop3: left.map(\.descriptor)])
        #expect(next.endpoint(of: .pop3) == place && next.problems.isEmpty)
        try await next.turnOff([.pop3])
        #expect(next.endpoint(of: .pop3) == nil && next.book.places.isEmpty)
        next.stop()
    }

    @Test func autoconfig_isXML_withoutAnybodysName() throws {
        let text = Autoconfig.document(
            domain: "a&b.test",
            servers: [
                Autoconfig.server(.pop3, host: "127.0.0.1", port: 1110, isTLS: false),
                Autoconfig.server(.smtp, host: "::1", port: 1025, isTLS: true),
            ])
        #expect(text.contains("<domain>a&amp;b.test</domain>") && text.contains("<username>%EMAILADDRESS%</username>"))
        #expect(text.contains("<incomingServer type=\"pop3\">") && text.contains("<outgoingServer type=\"smtp\">"))
        #expect(text.contains("<port>1110</port>") && text.contains("<hostname>::1</hostname>"))
        #expect(text.contains("<socketType>plain</socketType>") && text.contains("<socketType>SSL</socketType>"))
    }

    // MARK: Recipients

    @Test func hiddenGroups_goAlone_andNobodyHiddenIsNamed() throws {
        func list(_ text: String) throws -> [MailAddress] {
            try text.split(separator: " ").map { try #require(MailAddress("\($0)@n")) }
        }
        let groups: (MailAddress) -> Bool = { $0.local.hasPrefix("g") }
        // Envelope, header, then each message: to whom, and whom it names.
        let cases: [(String, String, [(String, String)])] = [
            ("a", "a", [("a", "a")]), ("a b", "a b", [("a b", "a b")]), ("g1", "g1", [("g1", "g1")]),
            ("g1 a", "g1 a", [("g1 a", "g1 a")]), ("a b", "a", [("a b", "a")]), ("g1 b", "g1", [("g1 b", "g1")]),
            ("a g1", "a", [("a", "a"), ("g1", "g1")]), ("g1 g2", "g1", [("g1", "g1"), ("g2", "g2")]),
            ("a", "", [("a", "")]), ("g1", "", [("g1", "g1")]), ("a g1 g2", "", [("a", ""), ("g1", "g1"), ("g2", "g2")]),
            ("a", "a b g1", [("a", "a")]),
        ]
        for (envelope, header, wanted) in cases {
            let found = Agent.divisions(of: try list(envelope), visible: Set(try list(header)), isGroup: groups)
            let expected = try wanted.map { Agent.Division(recipients: try list($0.0), named: try list($0.1)) }
            #expect(found == expected, "\(envelope) / \(header)")
        }
    }
}
