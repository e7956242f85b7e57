import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool
import DDSTLS
import DDSTestKit
import DDSWire
import Testing

@testable import DDSServer

/// A member's mailbox key changes by signed statements, and the node says what is left under older ones.
@Suite(.timeLimit(.minutes(5))) struct MailboxKeyTests {
    /// A member with an identity, and the statements that they have made.
    @LoopActor private final class Signer {
        let person: Person
        let identity = SigningKey.generate()
        var keys: [AgeIdentity] = []
        var last: [UInt8]?

        init(_ person: Person) { self.person = person }

        var recipient: String { keys.last.map { "\($0.recipient)" } ?? "" }

        /// The next statement, about a new key; `change` spoils it.
        func next(kind: AgeKeyKind = .hybrid, _ change: (inout MailboxStatement) -> Void = { _ in }) -> KeyStating {
            let key = AgeIdentity.generate(kind: kind, random: SystemRandom())
            guard let address = MailAddress(local: person.name, domain: World.domain) else {
                preconditionFailure("a plain name")
            }
            var statement = MailboxStatement(
                holder: .member(address), device: person.device.keyHash, number: UInt64(keys.count + 1),
                notBefore: WallTime(milliseconds: 1), notAfter: WallTime(milliseconds: 2), recipient: "\(key.recipient)",
                previous: last.map { MailboxStatement.hash(of: $0) } ?? MailboxStatement.noPrevious)
            change(&statement)
            let signed = statement.signed(by: identity)
            pending = (key, signed)
            return KeyStating(identity: identity.publicKey, statement: signed)
        }

        private var pending: (AgeIdentity, [UInt8])?

        func accepted() {
            guard let pending else { return }
            keys.append(pending.0)
            last = pending.1
        }
    }

    @LoopActor private func state(_ world: World, _ stating: KeyStating, for name: String = "bob") async throws -> String {
        let account = try #require(world.account(name))
        let (reply, _) = await world.context.state(stating, for: account)
        return "\(reply.code) \(reply.lines.joined(separator: " "))"
    }

    @LoopActor private func opens(_ world: World, _ entry: SpoolEntry, _ key: AgeIdentity) async throws -> Bool {
        let payload = try await world.spool.read(try #require(entry.payload), offset: 0, count: .max)
        var opener = AgeDecryptor(identities: [key])
        return (try? opener.feed(try await world.spool.read(entry.uid, offset: 0, count: .max) + payload) + opener.finish())
            != nil
    }

    @Test @LoopActor func theNextStatement_switchesAndARepeatIsTheSameAnswer() async throws {
        try await withWorld { world in
            let bob = Signer(try await world.addKeyMember("bob"))
            try await world.deliver("Subject: old\r\n\r\nold\r\n", to: "bob")
            // The first introduces the identity of a member from before there were any.
            let first = bob.next()
            #expect(try await state(world, first) == "250 key 1 older 1")
            bob.accepted()
            #expect(try await state(world, first) == "250 key 1 older 1")
            #expect(world.account("bob")?.identity == Hex.encode(bob.identity.publicKey))
            #expect(world.account("bob")?.recipient == bob.recipient)
            try await world.deliver("Subject: new\r\n\r\nnew\r\n", to: "bob")
            let waiting = try await world.waiting("bob")
            #expect(try await opens(world, waiting[0], bob.person.mailbox))
            #expect(try await opens(world, waiting[1], bob.keys[0]))
            let header = try await world.spool.read(waiting[1].uid, offset: 0, count: .max)
            #expect(KeyNote.number(inHeader: header) == 1)
            // Fetched and erased: nothing is left under what was before.
            let client = try await world.pop3(bob.person)
            _ = try await client.ask("DELE 1")
            _ = try await client.ask("QUIT")
            #expect(try await state(world, first) == "250 key 1 older 0")
            let second = bob.next()
            #expect(try await state(world, second) == "250 key 2 older 1")
            bob.accepted()
            // What a later start reads is the same.
            #expect(try await DirectoryStore.open(spool: world.spool).directory.accounts["bob"] == world.account("bob"))
            #expect(world.account("bob")?.keyNumber == 2)
        }
    }

    @Test @LoopActor func whatIsNotTheNextStatement_isRefusedAndChangesNothing() async throws {
        try await withWorld { world in
            let bob = Signer(try await world.addKeyMember("bob"))
            let carol = Signer(try await world.addKeyMember("carol"))
            let first = bob.next()
            #expect(try await state(world, first).hasPrefix("250"))
            bob.accepted()
            let second = bob.next()
            #expect(try await state(world, second).hasPrefix("250"))
            bob.accepted()
            let before = world.account("bob")
            for (stating, words) in [
                (first, StatementRefusal.replayed), (bob.next { $0.number = 2 }, .replayed),
                (bob.next { $0.number = 4 }, .skipped),
                (bob.next { $0.previous[0] ^= 1 }, .brokenChain), (bob.next { $0.device[0] ^= 1 }, .aboutAnother),
                (bob.next { $0.holder = .invite(3, domain: World.domain) }, .aboutAnother), (carol.next(), .foreignIdentity),
                (KeyStating(identity: bob.identity.publicKey, statement: carol.next().statement), .wrongSignature),
                (KeyStating(identity: bob.identity.publicKey, statement: Array(second.statement.dropLast())), .truncated),
            ] as [(KeyStating, StatementRefusal)] {
                #expect(try await state(world, stating) == "550 \(words)")
                #expect(world.account("bob") == before)
            }
            #expect(try await state(world, bob.next { $0.recipient = "age1nothing" }).contains("nothing can be sealed"))
            try await world.addGroup("vault", pq: .require, members: ["bob"])
            #expect(try await state(world, bob.next(kind: .classical)).contains("vault takes post-quantum keys only"))
            #expect(world.account("bob") == before)
        }
    }

    @Test @LoopActor func overSMTP_anAgentStatesItsKey_aloneAndSealed() async throws {
        try await withWorld { world in
            let bob = Signer(try await world.addKeyMember("bob"))
            try await world.addPasswordMember("paula")
            let client = try await world.connect(.submissions, as: bob.person)
            _ = try await client.command("EHLO c.test")
            _ = try await client.command("AUTH EXTERNAL =")
            func send(_ message: [UInt8]) async throws -> String {
                _ = try await client.command("MAIL FROM:<bob@node.test>")
                #expect(try await client.command("RCPT TO:<control@node.test>")[0].hasPrefix("250"))
                _ = try await client.command("DATA")
                return try await client.command(String(decoding: message, as: UTF8.self) + "\r\n.")[0]
            }
            let stating = bob.next()
            #expect(
                try await send(try world.sealed(String(decoding: stating.message, as: UTF8.self))) == "250 2.0.0 key 1 older 0")
            #expect(world.account("bob")?.keyNumber == 1)
            #expect(try await send(stating.message).hasPrefix("550 5.6.0"))
            #expect(try await send(try world.sealed("Subject: x\r\n\r\nx\r\n")).hasPrefix("550 5.6.0"))
            _ = try await client.command("MAIL FROM:<bob@node.test>")
            #expect(try await client.command("RCPT TO:<bob@node.test>")[0].hasPrefix("250"))
            #expect(try await client.command("RCPT TO:<control@node.test>")[0].hasPrefix("550 5.7.1"))
            _ = try await client.command("RSET")
            _ = try await client.command("MAIL FROM:<bob@node.test>")
            #expect(try await client.command("RCPT TO:<control@node.test>")[0].hasPrefix("250"))
            #expect(try await client.command("RCPT TO:<bob@node.test>")[0].hasPrefix("550 5.7.1"))
            let paula = try #require(world.account("paula"))
            let (reply, _) = await world.context.state(stating, for: paula)
            #expect(reply.code == 550)
        }
    }

    @Test @LoopActor func heldMail_countsWhereItIsSealedToTheMember_andIsReleasedToTheNewKey() async throws {
        try await withWorld(config: "[server.spool]\nmailbox_quota = \"1KiB\"\n") { world in
            let bob = Signer(try await world.addKeyMember("bob"))
            try await world.addKeyMember("alice")
            try await world.addGroup("board", members: ["alice", "bob"])
            try await world.deliver("Subject: big\r\n\r\n" + String(repeating: "x", count: 2000) + "\r\n", to: "bob")
            // The quota is used up: the group's copy is held, sealed to the node.
            _ = await world.delivery.deliver(try world.message(id: "1"), author: "alice", destinations: [.group("board")])
            #expect(world.held.map(\.cause) == [.mailboxFull])
            // The administrator takes the waiting copy back: it stays sealed to the key of before.
            let desk = QueueDesk(delivery: world.delivery, store: world.store, spool: world.spool, book: world.book)
            #expect(try await desk.hold(try await world.waiting("bob")[0].tag).held == 1)
            try await until { world.held.count == 1 }
            #expect(try await opens(world, try await world.waiting("bob")[0], bob.person.mailbox))
            let stating = bob.next()
            #expect(try await state(world, stating) == "250 key 1 older 2")
            bob.accepted()
            let client = try await world.pop3(bob.person)
            _ = try await client.ask("DELE 1")
            _ = try await client.ask("QUIT")
            #expect(try await state(world, stating) == "250 key 1 older 1")
            _ = try await desk.release(world.held[0].id)
            #expect(try await state(world, stating) == "250 key 1 older 1")
            let again = try await world.pop3(bob.person)
            _ = try await again.ask("DELE 1")
            _ = try await again.ask("QUIT")
            #expect(try await state(world, stating) == "250 key 1 older 0")
            // What is held sealed to the node is sealed to whatever key there is when it goes.
            try await world.deliver("Subject: big\r\n\r\n" + String(repeating: "x", count: 2000) + "\r\n", to: "bob")
            _ = await world.delivery.deliver(try world.message(id: "2"), author: "alice", destinations: [.group("board")])
            let second = bob.next()
            #expect(try await state(world, second) == "250 key 2 older 1")
            bob.accepted()
            let last = try await world.pop3(bob.person)
            _ = try await last.ask("DELE 1")
            _ = try await last.ask("QUIT")
            try await until { world.held.isEmpty }
            #expect(try await opens(world, try await world.waiting("bob")[0], bob.keys[1]))
            #expect(try await state(world, second) == "250 key 2 older 0")
        }
    }

    @Test @LoopActor func whatIsUnderWayAtTheSwitch_countsUntilItHasEnded() async throws {
        let fence = SealFence()
        fence.keyChanged(of: 5)
        #expect(fence.unfinished(for: 5) == 0)
        var counts: [Int] = []
        await fence.pass {
            fence.keyChanged(of: 5)
            counts.append(fence.unfinished(for: 5))
            await fence.pass { counts.append(fence.unfinished(for: 5)) }
            counts.append(fence.unfinished(for: 6))
        }
        counts.append(fence.unfinished(for: 5))
        #expect(counts == [1, 1, 0, 0])
    }
}
