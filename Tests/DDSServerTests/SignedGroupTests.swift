// Groups that take signed mail only: the node checks what it opens as the readers' agents do, before anything is accepted, and says
// what would help.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool
import DDSTLS
import DDSTestKit
import DDSWire
import Foundation
import Testing

@testable import DDSServer

@Suite(.timeLimit(.minutes(5))) @LoopActor struct SignedGroupTests {
    private nonisolated static let server: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
    private nonisolated static let alice = MinisignKey(.generate())
    private nonisolated static let bob = MinisignKey(.generate())

    /// What alice's agent makes, with places to go wrong.
    private struct Letter {
        var key = SignedGroupTests.alice
        var from = "Alice <alice@node.test>"
        var to = "board@node.test"
        var groups = ["board"]
        /// In what is signed, in the context, and outside.
        var submission = Hex.encode(SystemRandom().bytes(16))
        var signedFor: String?
        var outside: String?
        var server = SignedGroupTests.server
        var body = "Hello.\r\n"
        var audience: [UInt8]?

        var message: [UInt8] {
            let inner = Array(
                ("From: \(from)\r\nTo: \(to)\r\nSubject: x\r\nX-DDS-Submission: \(submission)\r\nMIME-Version: 1.0\r\n"
                    + "Content-Type: text/plain\r\n\r\n" + body).utf8)
            let context = SignatureContext(
                server: server, groups: groups, submission: signedFor ?? submission, sequence: 1,
                time: WallTime(milliseconds: 1), audience: audience)
            let made = SignedMessage.made(of: inner, context, by: key)
            guard let outside else { return Padding.pad(made) }
            var text = String(decoding: made, as: UTF8.self)
            if let place = text.firstRange(of: "X-DDS-Submission: \(submission)") {
                text.replaceSubrange(place, with: "X-DDS-Submission: \(outside)")
            }
            return Padding.pad(Array(text.utf8))
        }
    }

    /// alice and bob in a group that takes signed mail only, and carol who has no key that she signs with.
    private func withBoard(
        mode: GroupMode = .relay, _ body: @LoopActor (World, LineClient) async throws -> Void
    ) async throws {
        try await withWorld { world in
            world.delivery.tlsKeyHash = Self.server + [9, 9, 9]
            let alice = try await world.addKeyMember("alice")
            for name in ["bob", "carol"] { try await world.addKeyMember(name) }
            for (name, key) in [("alice", Self.alice), ("bob", Self.bob)] { try await state(world, name, key) }
            try await world.addGroup("board", mode: mode, senderAuth: .signed, members: ["alice", "bob", "carol"])
            try await body(world, try await world.submission(alice))
        }
    }

    private func state(_ world: World, _ name: String, _ key: MinisignKey) async throws {
        let recipient = try #require(world.account(name)?.recipient)
        try await world.store.change { _ throws(Failure) in
            [
                .keyStated(
                    name: name, identity: Hex.encode(key.publicKey.key), number: 1, recipient: recipient, statement: "")
            ]
        }
    }

    private func seal(_ message: [UInt8], _ world: World) throws -> [UInt8] {
        try world.sealed(String(decoding: message, as: UTF8.self))
    }

    private func submit(
        _ letter: Letter, to names: [String] = ["board"], _ world: World, _ client: LineClient
    ) async throws -> String {
        try await client.submit(from: "alice", to: names.map { "\($0)@node.test" }, try seal(letter.message, world))
    }

    @Test func whatItsAuthorSigned_isTaken_andNobodyIsAttested() async throws {
        try await withBoard { world, client in
            let letter = Letter()
            #expect(try await submit(letter, world, client).hasPrefix("250 2.0.0 sealed for 2"))
            let bob = try #require(world.people["bob"])
            #expect(try await world.opened(bob) == [String(decoding: letter.message, as: UTF8.self)])
            let entry = try #require(try await world.waiting("bob").first)
            #expect(AuthorNote.notes(in: try await world.stanzas(entry)).isEmpty)
            // The same once more is known; who is in a group that attests is attested there.
            #expect(try await submit(letter, world, client).contains("accepted before"))
            try await world.addGroup("open", members: ["alice", "bob"])
            #expect(
                try await submit(Letter(to: "open@node.test", submission: "02"), to: ["open"], world, client).hasPrefix("250"))
            let other = try #require(try await world.waiting("bob").last)
            #expect(AuthorNote.notes(in: try await world.stanzas(other)) == [AuthorNote(group: "open", author: "alice")])
        }
    }

    /// As the agents judge it: what they take is taken, whatever roster its author knew, and whatever else it goes to.
    @Test func whatAgentsTake_isTaken() async throws {
        try await withBoard { world, client in
            try await world.addGroup("camp", senderAuth: .signed, members: ["alice", "bob"])
            let cases: [(Letter, [String])] = [
                (Letter(submission: "01", audience: [UInt8](repeating: 7, count: 32)), ["board"]),
                // Who does not know yet that it is a group names it in the header.
                (Letter(groups: [], submission: "02"), ["board"]),
                (Letter(to: "bob@node.test, The Board <Board@Node.test>", groups: [], submission: "03"), ["board", "bob"]),
                // A blind copy for a group that the author knows.
                (Letter(to: "undisclosed-recipients:;", submission: "04"), ["board"]),
                (Letter(to: "camp@node.test", groups: ["board"], submission: "05"), ["board", "camp", "bob"]),
                (Letter(from: "alice@NODE.test, bob@node.test", submission: "06"), ["board"]),
                (Letter(submission: "07", body: ""), ["board"]),
            ]
            for (index, (letter, names)) in cases.enumerated() {
                #expect(try await submit(letter, to: names, world, client).hasPrefix("250"), "\(index)")
            }
        }
    }

    @Test func everythingElse_isRefused_withTheRemedy_andStoresNothing() async throws {
        try await withBoard { world, client in
            try await world.addGroup("camp", senderAuth: .signed, members: ["alice", "bob"])
            func changed(_ old: String, _ new: String) -> [UInt8] {
                Array(String(decoding: Letter().message, as: UTF8.self).replacing(old, with: new).utf8)
            }
            let cases: [(String, [UInt8], [String], String)] = [
                (
                    "unsigned", Array("From: alice@node.test\r\nX-DDS-Submission: 1\r\n\r\nHello.\r\n".utf8), ["board"],
                    "550 5.7.1 board takes signed mail only; write with ddsnode's agent"
                ),
                ("no mail", [], ["board"], "550 5.7.1 board takes signed mail only"),
                (
                    "another protocol", changed("application/vnd.minisign", "application/pgp-signature"), ["board"],
                    "550 5.7.1 board"
                ),
                ("cut", Array(Letter().message.dropLast(4)), ["board"], "550 5.7.1 board"),
                (
                    "text", changed("Hello.", "Hallo."), ["board"],
                    "550 5.7.7 board takes signed mail only, and this signature is bad: it does not fit"
                ),
                ("comment", changed("trusted comment: dds", "trusted comment: DDS"), ["board"], "it does not fit"),
                ("form", changed("untrusted comment:", "comment:"), ["board"], "it is damaged; write it anew"),
                ("key", Letter(key: Self.bob).message, ["board"], "it does not fit"),
                ("author", Letter(from: "bob@node.test").message, ["board"], "names another as its author"),
                ("nobody", Letter(from: "").message, ["board"], "names nobody as its author"),
                ("node", Letter(server: [8, 7, 6, 5, 4, 3, 2, 1]).message, ["board"], "another node"),
                ("submission", Letter(signedFor: "ff").message, ["board"], "another submission"),
                ("outside", Letter(outside: "ff").message, ["board"], "another submission"),
                (
                    "group", Letter(to: "camp@node.test", groups: ["camp"]).message, ["board"],
                    "written for #camp and came through #board"
                ),
                ("one of two", Letter().message, ["board", "camp"], "written for #board and came through #camp"),
                (
                    "private", Letter(to: "bob@node.test", groups: []).message, ["bob", "board"],
                    "written for no group and came through #board"
                ),
            ]
            for (name, message, places, expected) in cases {
                let reply = try await client.submit(
                    from: "alice", to: places.map { "\($0)@node.test" }, try seal(message, world))
                #expect(reply.contains(expected) && reply.hasPrefix("550 5.7."), "\(name): \(reply)")
            }
            #expect(try await world.waiting("bob").isEmpty && world.delivery.acceptedCount == 0)
            // Elsewhere nobody asks.
            #expect(
                try await client.submit(from: "alice", to: ["bob@node.test"], try seal(cases[0].1, world)).hasPrefix("250"))
        }
    }

    /// Who cannot sign need not send the message first.
    @Test(arguments: [GroupMode.relay, .blind, .sealed]) func whoCannotSign_isToldAtRCPT(mode: GroupMode) async throws {
        try await withBoard(mode: mode) { world, _ in
            try await world.addPasswordMember("dora")
            try await world.store.change { d throws(Failure) in
                try d.addingMembers(["dora"], to: "board", asOwners: false)
                    + d.changingGroup("board", title: nil, posting: mode == .relay ? .all : nil)
            }
            let carol = try await world.submission(try #require(world.people["carol"]))
            _ = try await carol.command("MAIL FROM:<carol@node.test>")
            let unknown = try await carol.command("RCPT TO:<board@node.test>")[0]
            #expect(unknown.hasPrefix("550 5.7.1 board takes signed mail only, and this node knows no key"), "\(unknown)")
            let dora = try await world.submission(try #require(world.people["dora"]), password: "correct horse")
            _ = try await dora.command("MAIL FROM:<dora@node.test>")
            let ordinary = try await dora.command("RCPT TO:<board@node.test>")[0]
            #expect(ordinary.hasPrefix("550 5.7.1 board takes signed mail only, which an ordinary mail program"), "\(ordinary)")
            guard mode == .relay else { return }
            let mta = try await world.connect(.lmtp)
            for command in ["LHLO mta.test", "MAIL FROM:<x@elsewhere.test>"] { _ = try await mta.command(command) }
            let handed = try await mta.command("RCPT TO:<board@node.test>")[0]
            #expect(handed.hasPrefix("550 5.7.1 board takes signed mail only, and what a mail server hands in"), "\(handed)")
            #expect(try await mta.command("RCPT TO:<bob@node.test>")[0].hasPrefix("250"))
        }
    }

    /// What the node does not open it cannot check, and takes as it is; but not for the members of a group that it opens mail of.
    @Test func whatIsNotOpened_isLeftToTheReaders() async throws {
        try await withBoard(mode: .blind) { world, client in
            #expect(try await client.submit(from: "alice", to: ["board@node.test"], try seal([], world)).hasPrefix("250"))
            let entry = try #require(try await world.waiting("bob").first)
            let stanzas = try await world.stanzas(entry)
            #expect(AuthorNote.notes(in: stanzas).isEmpty && GroupNote.group(in: stanzas) == "board")
            try await world.addGroup("open", senderAuth: .signed, members: ["alice", "bob"])
            let both = try await submit(Letter(groups: ["board", "open"]), to: ["board", "open"], world, client)
            #expect(both.hasPrefix("550 5.7.1 open takes signed mail only, which this node cannot check"), "\(both)")
            #expect(both.contains("write to open separately"))
        }
    }

    @Test func aGroupThatBecomesOneMeanwhile_hasTheMessageSentAgain() async throws {
        try await withBoard { world, client in
            try await world.addGroup("open", members: ["alice", "bob"])
            for command in ["MAIL FROM:<alice@node.test>", "RCPT TO:<open@node.test>", "DATA"] {
                _ = try await client.command(command)
            }
            client.write(try seal(Array("Subject: x\r\n\r\nHello.\r\n".utf8), world))
            try await world.store.change { d throws(Failure) in
                try d.changingGroup("open", title: nil, posting: nil, senderAuth: .signed)
            }
            client.send(".")
            let reply = try await client.reply().joined()
            #expect(reply.hasPrefix("451 4.3.0 a group was changed meanwhile"), "\(reply)")
            #expect(try await world.waiting("bob").isEmpty)
        }
    }

    /// Before the group's first roster is made, what is taken is checked all the same: the state of the moment counts.
    @Test func membersOfNow_andKeysOfNow_count() async throws {
        try await withBoard { world, client in
            world.delivery.rosters.turnOn()
            let other = MinisignKey(.generate())
            try await state(world, "alice", other)
            #expect(try await submit(Letter(), world, client).contains("it does not fit"))
            #expect(try await submit(Letter(key: other), world, client).hasPrefix("250"))
        }
    }

    // MARK: Pieces

    private func taken(_ message: [UInt8], _ pieces: (ArraySlice<UInt8>) -> [ArraySlice<UInt8>]) throws -> SealedMessage {
        var intake = MessageIntake(identities: [], random: SystemRandom(), seeksSignature: true)
        for piece in pieces(message[...]) { intake.take(Array(piece)) }
        return try intake.finish()
    }

    @Test func aSignature_isTheSameAtEverySplit() throws {
        let message = Letter().message
        let whole = try taken(message) { [$0] }
        guard case .found(let outline) = whole.signature else {
            Issue.record("\(whole.signature)")
            return
        }
        #expect(outline.isValid(by: Self.alice.publicKey.key) && !outline.isValid(by: Self.bob.publicKey.key))
        #expect(outline.author == "alice@node.test" && outline.recipients == ["board@node.test"])
        #expect(outline.submission == whole.submissionID)
        for place in 0...message.count {
            #expect(try taken(message) { [$0[..<place], $0[place...]] }.signature == whole.signature, "\(place)")
        }
        #expect(try taken(message) { slice in slice.indices.map { slice[$0...$0] } }.signature == whole.signature)
    }

    /// Ten MiB come in chunks and are checked as they come.
    @Test func aLargeMessage_isCheckedInPieces() async throws {
        let line = String(repeating: "x", count: 76) + "\r\n"
        let message = Letter(body: String(repeating: line, count: 134_000)).message
        var changed = message
        changed[message.count / 2] = 0x79
        try await withBoard { world, client in
            let (whole, other) = (try seal(message, world), try seal(changed, world))
            #expect(try await client.submit(from: "alice", to: ["board@node.test"], other).hasPrefix("550 5.7.7"))
            #expect(try await client.submit(from: "alice", to: ["board@node.test"], whole).hasPrefix("250"))
            #expect(try await world.waiting("bob").count == 1)
        }
    }

    // MARK: The setting

    @Test func theSetting_isInTheRoster_andEventsOfBeforeMeanAttested() async throws {
        try await withBoard { world, _ in
            _ = await world.delivery.rosters.makeAll()
            @LoopActor func setting() throws -> String? {
                let group = try #require(world.store.directory.groups["board"])
                return world.store.directory.nextRoster(of: group, domain: World.domain, time: world.time.wall)?.roster.settings
                    .senderAuth
            }
            #expect(try setting() == "signed")
            // Another change leaves it alone.
            try await world.store.change { d throws(Failure) in try d.changingGroup("board", title: "B", posting: .all) }
            #expect(try setting() == "signed")
            try await world.store.change { d throws(Failure) in
                try d.changingGroup("board", title: nil, posting: nil, senderAuth: .attested)
            }
            #expect(try setting() == "attested")
        }
        for (name, json) in [
            ("groupAdded", #"{"groupAdded":{"name":"a","title":"A","mode":"relay","posting":"all","pq":"off"}}"#),
            ("groupChanged", #"{"groupChanged":{"name":"a","title":"A","mode":"relay","posting":"all"}}"#),
        ] {
            var directory = Directory()
            directory.apply(.groupAdded(name: "a", title: "", mode: .relay, posting: .members))
            directory.apply(try JSONDecoder().decode(DirectoryEvent.self, from: Data(json.utf8)))
            #expect(directory.groups["a"]?.senderAuthentication == .attested && directory.groups["a"]?.title == "A", "\(name)")
        }
    }
}
