// Groups whose mail the author's agent seals to each reader: the node has no key to it, takes it only when it is sealed to those who
// are in the group now, and tells the author's agent otherwise what it needs.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSTLS
import DDSTestKit
import Testing

@testable import DDSServer

@Suite(.timeLimit(.minutes(5))) @LoopActor struct SealedTests {
    private static let text = "X-DDS-Submission: inside\r\nSubject: x\r\n\r\nHello.\r\n"

    /// What an agent makes, with places to go wrong.
    private struct Letter {
        var group = "quiet"
        /// Nil for the directory's.
        var roster: RosterHead?
        var readers: [String]
        var numbers: [String: UInt64] = [:]
        var author: String? = "alice"
        var keys: AgeKeyKind? = .classical
        var mode = GroupMode.sealed
        var id: String? = "one"
        var payload: [UInt8]?
        var notes: [AgeStanza]?
    }

    private func bundle(_ letter: Letter, _ world: World, fileKey: AgeFileKey) throws -> SealedBundle {
        let head =
            letter.roster ?? world.store.directory.rosterHead(of: letter.group)
            ?? RosterHead(number: 1, hash: [UInt8](repeating: 0, count: 32))
        let readers = try letter.readers.map { name in
            let reader = try person(name, world)
            let number = letter.numbers[name] ?? world.account(name)?.keyNumber
            let notes =
                letter.notes
                ?? ReaderNotes.sealed(
                    group: letter.group, roster: head, keys: letter.keys, author: letter.author, keyNumber: number)
            let header = try FanOut.headers(
                fileKey: fileKey, recipients: [reader.mailbox.recipient], notes: [notes], random: SystemRandom())[0]
            return SealedBundle.Reader(name: name, keyNumber: number, header: header)
        }
        return SealedBundle(group: letter.group, roster: head, readers: readers)
    }

    private func wrapper(_ letter: Letter, _ world: World) throws -> [UInt8] {
        let fileKey = AgeFileKey.generate(random: SystemRandom())
        var writer = AgePayloadWriter(fileKey: fileKey, random: SystemRandom())
        let payload = letter.payload ?? writer.update(Array(Self.text.utf8)[...]) + writer.finish()
        let inner = try bundle(letter, world, fileKey: fileKey).head + payload
        var encryptor = try AgeEncryptor(
            recipients: [world.context.keys.sealIdentity.recipient],
            notes: [letter.id.flatMap { SubmissionNote.stanza($0) }, ModeNote.stanza(letter.mode)].compactMap { $0 },
            armor: .crlf, random: SystemRandom())
        return Array("Content-Type: application/age\r\n\r\n".utf8) + encryptor.update(inner[...]) + encryptor.finish()
    }

    /// alice, bob and carol in a group of mode sealed that has its first roster.
    private func withGroup(
        posting: PostingPolicy = .members, _ body: @LoopActor (World, LineClient) async throws -> Void
    ) async throws {
        try await withWorld { world in
            let alice = try await world.addKeyMember("alice")
            try await world.addKeyMember("bob")
            try await world.addKeyMember("carol")
            try await world.addGroup("quiet", mode: .sealed, posting: posting, members: ["alice", "bob", "carol"])
            world.delivery.rosters.turnOn()
            try await world.delivery.rosters.settle(["quiet"])
            try await body(world, try await world.submission(alice))
        }
    }

    private func submit(_ letter: Letter, _ world: World, _ client: LineClient) async throws -> String {
        try await client.submit(from: "alice", to: ["quiet@node.test"], try wrapper(letter, world))
    }

    private func person(_ name: String, _ world: World) throws -> Person {
        let person = world.people[name]
        return try #require(person)
    }

    /// Of messages of members, without what the node tells.
    private func mail(_ name: String, _ world: World) async throws -> [SpoolEntry] {
        try await world.waiting(name).filter { !$0.isControl }
    }

    @Test func readers_getTheHeadersThatTheAuthorMade() async throws {
        try await withGroup { world, client in
            let reply = try await submit(Letter(readers: ["bob", "carol"]), world, client)
            #expect(reply.hasPrefix("250 2.0.0 sealed for 2 and stored"))
            for name in ["bob", "carol"] {
                let reader = try person(name, world)
                let entry = try #require(try await mail(name, world).first)
                let stanzas = try await world.stanzas(entry)
                #expect(ModeNote.mode(in: stanzas) == .sealed && GroupNote.group(in: stanzas) == "quiet")
                let payload = try await world.spool.read(try #require(entry.payload), offset: 0, count: .max)
                let header = try await world.spool.read(entry.uid, offset: 0, count: .max)
                #expect(try reader.open(header + payload) == Self.text)
                // The node's own key opens none of it.
                var opener = AgeDecryptor(identities: world.context.keys.sealIdentities)
                #expect(throws: AgeError.noMatch) { try opener.feed(header + payload) }
            }
            #expect(try await mail("alice", world).isEmpty)
        }
    }

    @Test func anOlderRoster_isRefusedWithTheCurrentOne_andThatWaits() async throws {
        try await withGroup { world, client in
            let first = try #require(world.store.directory.rosterHead(of: "quiet"))
            try await world.addKeyMember("dora")
            try await world.store.change { d throws(Failure) in try d.addingMembers(["dora"], to: "quiet", asOwners: false) }
            let reply = try await submit(Letter(roster: first, readers: ["bob", "carol"]), world, client)
            let now = try #require(world.store.directory.rosterHead(of: "quiet"))
            #expect(reply.hasPrefix("451 4.2.4 roster=quiet:2:") && now.number == 2)
            #expect(RosterPointer(in: reply) == RosterPointer(group: "quiet", head: now))
            #expect(try await world.waiting("alice").count == 2)
            #expect(try await mail("bob", world).isEmpty)
            // The same submission, sealed for the roster that was named.
            #expect(
                try await submit(Letter(readers: ["bob", "carol", "dora"]), world, client).hasPrefix("250 2.0.0 sealed for 3"))
            #expect(
                try await submit(Letter(roster: first, readers: ["bob", "carol"]), world, client).contains("accepted before"))
            for name in ["bob", "carol", "dora"] { #expect(try await mail(name, world).count == 1) }
        }
    }

    @Test func anOlderKey_isRefused_andTheRosterOfTheNewOneMadeAtOnce() async throws {
        try await withGroup { world, client in
            @LoopActor func rotate(_ number: UInt64) async throws {
                let recipient = try person("bob", world).mailbox.recipient
                try await world.store.change { _ throws(Failure) in
                    [.keyStated(name: "bob", identity: "ab", number: number, recipient: "\(recipient)", statement: "")]
                }
            }
            try await rotate(1)
            try await world.delivery.rosters.settle(["quiet"])
            let second = try #require(world.store.directory.rosterHead(of: "quiet"))
            try await rotate(2)
            // The roster that names the new key would be made in an hour.
            #expect(world.store.directory.rosterHead(of: "quiet") == second && second.number == 2)
            let reply = try await submit(Letter(readers: ["bob", "carol"], numbers: ["bob": 1]), world, client)
            #expect(reply.hasPrefix("451 4.2.4 roster=quiet:3:"))
            #expect(world.store.directory.rosterHead(of: "quiet")?.number == 3)
            #expect(try await submit(Letter(readers: ["bob", "carol"]), world, client).hasPrefix("250"))
            let entry = try #require(try await mail("bob", world).first)
            #expect(KeyNote.number(in: try await world.stanzas(entry)) == 2)
        }
    }

    /// An agent that was set back, or restored, has lost rosters that it has fetched.
    @Test func whoHasNotTheRosterAnyMore_getsItAnew_butNotTwice() async throws {
        try await withGroup { world, client in
            let lost = RosterHead(number: 1, hash: [UInt8](repeating: 9, count: 32))
            let waits = try await submit(Letter(roster: lost, readers: ["bob", "carol"]), world, client)
            #expect(waits.hasPrefix("451 4.2.4 roster=quiet:1:"))
            let roster = try #require(try await world.waiting("alice").first)
            _ = try await world.spool.commit(SpoolTransaction(erasures: [roster.uid]))
            for _ in 1...2 {
                let anew = try await submit(Letter(roster: lost, readers: ["bob", "carol"]), world, client)
                #expect(anew.hasPrefix("451 4.2.4 roster=quiet:2:"))
            }
            #expect(try await world.waiting("alice").count == 1)
        }
    }

    /// Who fetched it after they had sealed has it; who has not, comes with the same again.
    @Test func aRosterThatWasFetchedMeanwhile_isNotMadeAnew() async throws {
        try await withGroup { world, client in
            let older = RosterHead(number: 1, hash: [UInt8](repeating: 9, count: 32))
            @LoopActor func fetch() async throws {
                let waiting = try await world.waiting("alice").map(\.uid)
                _ = try await world.spool.commit(SpoolTransaction(erasures: waiting))
            }
            @LoopActor func reply(_ id: String) async throws -> String {
                try await submit(Letter(roster: older, readers: ["bob", "carol"], id: id), world, client)
            }
            try await fetch()
            for id in ["one", "two"] { #expect(try await reply(id).hasPrefix("451 4.2.4 roster=quiet:1:")) }
            #expect(world.delivery.rosters.madeCount == 1)
            #expect(try await world.waiting("alice").isEmpty)
            #expect(try await reply("one").hasPrefix("451 4.2.4 roster=quiet:2:"))
            #expect(try await world.waiting("alice").count == 1)
            // The other one is told of that, and so is a third time.
            for id in ["two", "one"] { #expect(try await reply(id).hasPrefix("451 4.2.4 roster=quiet:2:")) }
            try await fetch()
            #expect(try await reply("one").hasPrefix("451 4.2.4 roster=quiet:3:"))
            #expect(world.delivery.rosters.madeCount == 3)
        }
    }

    @Test func whoeverIsNotMeant_isRefused() async throws {
        try await withGroup { world, client in
            try await world.addKeyMember("dora")
            let head = try #require(world.store.directory.rosterHead(of: "quiet"))
            let wrongNotes = ReaderNotes.sealed(group: "quiet", roster: head, keys: .classical, author: "carol", keyNumber: nil)
            let cases: [(String, Letter, String)] = [
                ("one missing", Letter(readers: ["bob"]), "to others than roster 1 names"),
                ("one more", Letter(readers: ["bob", "carol", "dora"]), "to others than roster 1 names"),
                ("the author too", Letter(readers: ["alice", "bob", "carol"]), "to others than roster 1 names"),
                ("a number that is none", Letter(readers: ["bob", "carol"], numbers: ["bob": 4]), "another key of bob"),
                ("another group", Letter(group: "other", readers: ["bob", "carol"]), "for the readers of other"),
                ("another author", Letter(readers: ["bob", "carol"], author: "carol"), "says what is not so"),
                ("another kind of keys", Letter(readers: ["bob", "carol"], keys: .hybrid), "says what is not so"),
                ("notes of another", Letter(readers: ["bob", "carol"], notes: wrongNotes), "says what is not so"),
                ("no notes", Letter(readers: ["bob", "carol"], notes: []), "says what is not so"),
            ]
            for (name, letter, words) in cases {
                let reply = try await submit(letter, world, client)
                #expect(reply.hasPrefix("550 5.7.1") && reply.contains(words), "\(name): \(reply)")
            }
            for name in ["bob", "carol", "dora"] { #expect(try await mail(name, world).isEmpty) }
        }
    }

    @Test func payloads_ofImpossibleSize_areRefused() async throws {
        try await withGroup { world, client in
            for (octets, expected) in [(0, "550 5.7.5"), (31, "550 5.7.5"), (32, "250"), (33, "250")] {
                let letter = Letter(readers: ["bob", "carol"], id: nil, payload: [UInt8](repeating: 1, count: octets))
                let reply = try await submit(letter, world, client)
                #expect(reply.hasPrefix(expected), "\(octets): \(reply)")
            }
        }
    }

    @Test func whatIsNotSealedToReaders_isRefusedWithTheRemedyAndTheRoster() async throws {
        try await withGroup(posting: .all) { world, client in
            let plain = Array("Subject: x\r\n\r\nHello.\r\n".utf8)
            let reply = try await client.submit(
                from: "alice", to: ["quiet@node.test"], try world.sealed("Subject: x\r\n\r\nHello.\r\n"))
            #expect(reply.hasPrefix("550 5.7.1") && reply.contains("write with ddsnode's agent"))
            #expect(RosterPointer(in: reply)?.head == world.store.directory.rosterHead(of: "quiet"))
            // A bundle that does not say so in its header is not opened either.
            #expect(try await submit(Letter(readers: ["bob", "carol"], mode: .relay), world, client).hasPrefix("550 5.7.1"))
            let dave = try await world.addPasswordMember("dave", groups: ["quiet"])
            let other = try await world.submission(dave, password: "correct horse")
            for message in [plain, try world.sealed("Subject: x\r\n\r\nHello.\r\n")] {
                let reply = try await other.submit(from: "dave", to: ["quiet@node.test"], message)
                #expect(reply.hasPrefix("550 5.7.1") && reply.contains("write with ddsnode's agent"))
            }
            let mta = try await world.connect(.lmtp)
            _ = try await mta.command("LHLO mta.test")
            _ = try await mta.command("MAIL FROM:<>")
            let refused = try await mta.command("RCPT TO:<quiet@node.test>").joined(separator: " ")
            #expect(refused.hasPrefix("550 5.7.1") && refused.contains("write with ddsnode's agent"))
            #expect(try await mail("bob", world).isEmpty)
        }
    }

    @Test func othersThanMembers_andOtherRecipientsBeside_areRefused() async throws {
        try await withGroup(posting: .all) { world, client in
            try await world.addGroup("open", members: ["alice", "bob"])
            for (first, second) in [("quiet", "bob"), ("bob", "quiet"), ("open", "quiet")] {
                _ = try await client.command("MAIL FROM:<alice@node.test>")
                #expect(try await client.command("RCPT TO:<\(first)@node.test>")[0].hasPrefix("250"))
                let reply = try await client.command("RCPT TO:<\(second)@node.test>").joined(separator: " ")
                #expect(reply.hasPrefix("550 5.7.1") && reply.contains("send it alone"))
                _ = try await client.command("RSET")
            }
            let dora = try await world.addKeyMember("dora")
            let other = try await world.submission(dora)
            _ = try await other.command("MAIL FROM:<dora@node.test>")
            let reply = try await other.command("RCPT TO:<quiet@node.test>").joined(separator: " ")
            #expect(reply.hasPrefix("550 5.7.1") && reply.contains("only members may write"))
        }
    }

    @Test func whoHasNoKey_getsNothing_andTheAuthorIsTold() async throws {
        try await withGroup { world, client in
            try await world.store.change { d throws(Failure) in try d.addingAccount("late", display: "", groups: ["quiet"]) }
            try await world.delivery.rosters.settle(["quiet"])
            let reply = try await submit(Letter(readers: ["bob", "carol"]), world, client)
            #expect(reply.hasPrefix("250 2.0.0 sealed for 2 and stored; nothing for 1 without a key"))
            #expect(world.delivery.held.items.isEmpty)
            let page = try #require(try await world.delivery.ledger.pages(Array(world.delivery.ledger.lines.keys)).first)
            let copy = try #require(page.record.copies.first { $0.member == "late" })
            #expect(page.record.state(of: copy, CopyPlaces()) == .unsealed && page.record.group(of: copy) == "quiet")
            #expect(MessageRecord(page.record.encoded) == page.record)
            await world.delivery.reports.survey()
            await world.delivery.reports.report()
            #expect(world.delivery.reports.sentCount == 0)
            world.time.advance(by: .seconds(86_400))
            await world.delivery.reports.report()
            #expect(world.delivery.reports.sentCount == 1)
            // A key that comes later changes nothing.
            let person = try Person("late")
            try await world.join(person, as: "late")
            await world.delivery.held.retry { _ in true }
            #expect(try await mail("late", world).isEmpty)
        }
    }

    @Test func aGroupWithNobodyToSealTo_isStillTold() async throws {
        try await withWorld { world in
            let alice = try await world.addKeyMember("alice")
            try await world.store.change { d throws(Failure) in try d.addingAccount("late", display: "", groups: []) }
            try await world.addGroup("quiet", mode: .sealed, members: ["alice", "late"])
            world.delivery.rosters.turnOn()
            try await world.delivery.rosters.settle(["quiet"])
            let client = try await world.submission(alice)
            let reply = try await submit(Letter(readers: [], keys: .hybrid), world, client)
            #expect(reply.hasPrefix("250 2.0.0 sealed for 0 and stored; nothing for 1 without a key"))
            world.time.advance(by: .seconds(86_400))
            await world.delivery.reports.report()
            #expect(world.delivery.reports.sentCount == 1)
        }
    }

    @Test func aFullMaildrop_holdsTheHeaderOfTheAuthor() async throws {
        try await withGroup { world, client in
            #expect(try await submit(Letter(readers: ["bob", "carol"], id: "before"), world, client).hasPrefix("250"))
            world.context.maildropQuota = 1
            #expect(try await submit(Letter(readers: ["bob", "carol"]), world, client).contains("held for 2"))
            let item = try #require(world.delivery.held.items.values.first)
            let copy = try #require(try await world.delivery.held.copy(item.uid))
            #expect(copy.sealing == .member && copy.cause == .mailboxFull && copy.group == "quiet")
            #expect(try await world.spool.entries(in: HeldCopy.mailbox).count == 2)
            world.context.maildropQuota = 1 << 30
            await world.delivery.held.retry { _ in true }
            #expect(try await mail("bob", world).count == 2)
            let entry = try #require(try await mail("bob", world).last)
            #expect(ModeNote.mode(in: try await world.stanzas(entry)) == .sealed)
            let bob = try person("bob", world)
            let file =
                try await world.spool.read(entry.uid, offset: 0, count: .max)
                + world.spool.read(try #require(entry.payload), offset: 0, count: .max)
            #expect(try bob.open(file) == Self.text)
        }
    }

    @Test func whatWasSealedToReaders_isNoMailForOtherModes() async throws {
        try await withGroup { world, client in
            for mode in [GroupMode.relay, .blind] {
                try await world.store.change { d throws(Failure) in
                    try d.changingGroup("quiet", title: nil, mode: mode, posting: nil)
                }
                let reply = try await submit(Letter(readers: ["bob", "carol"], id: nil), world, client)
                #expect(reply.hasPrefix("451 4.2.4") && reply.contains("seal it to this node"))
                #expect(RosterPointer(in: reply)?.head == world.store.directory.rosterHead(of: "quiet"))
            }
            #expect(try await mail("bob", world).isEmpty)
        }
    }

    @Test func modeChangedWhileAMessageCame_isAskedForAgain() async throws {
        try await withGroup { world, client in
            for command in ["MAIL FROM:<alice@node.test>", "RCPT TO:<quiet@node.test>", "DATA"] {
                _ = try await client.command(command)
            }
            let message = try wrapper(Letter(readers: ["bob", "carol"]), world)
            try await world.store.change { d throws(Failure) in
                try d.changingGroup("quiet", title: nil, mode: .relay, posting: nil)
            }
            client.write(message)
            client.send(".")
            #expect(try await client.reply()[0].hasPrefix("451 4.3.0 the mode of a group was changed"))
            #expect(try await mail("bob", world).isEmpty)
        }
    }
}
