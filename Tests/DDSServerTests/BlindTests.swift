// Groups whose mail the node does not open: it passes the author's payload on byte for byte, and says so to each reader.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSTLS
import DDSTestKit
import Testing

@testable import DDSServer

@Suite(.timeLimit(.minutes(5))) @LoopActor struct BlindTests {
    private static let text = "X-DDS-Submission: inside\r\nSubject: x\r\n\r\nHello.\r\n"

    /// A wrapper sealed to the node, and the payload in it.
    private func sealed(_ world: World, id: String? = nil, text: String = text) throws -> (wrapper: [UInt8], payload: [UInt8]) {
        var encryptor = try AgeEncryptor(
            recipients: [world.context.keys.sealIdentity.recipient],
            notes: id.flatMap { SubmissionNote.stanza($0) }.map { [$0] } ?? [],
            armor: nil, random: SystemRandom())
        let file = encryptor.update(Array(text.utf8)[...]) + encryptor.finish()
        return (wrapped(file), Array(file.suffix(AgePayload.payloadSize(plain: text.utf8.count))))
    }

    private func wrapped(_ file: [UInt8]) -> [UInt8] {
        var armor = AgeArmorEncoder(lineEnd: .crlf)
        return Array("Content-Type: application/age\r\n\r\n".utf8) + armor.update(file[...]) + armor.finish()
    }

    private func taken(_ world: World, _ wrapper: [UInt8], mode: GroupMode = .blind) throws(IntakeFailure) -> SealedMessage {
        var intake = MessageIntake(mode: mode, identities: world.context.keys.sealIdentities, random: SystemRandom())
        for byte in wrapper { intake.take([byte]) }
        return try intake.finish()
    }

    @Test func readers_getTheAuthorsPayloadByteForByteAndAreTold() async throws {
        try await withWorld { world in
            let alice = try await world.addKeyMember("alice")
            let bob = try await world.addKeyMember("bob")
            let carol = try await world.addKeyMember("carol")
            try await world.addGroup("quiet", mode: .blind, members: ["alice", "bob"])
            try await world.addGroup("open", members: ["alice", "bob"])
            let client = try await world.submission(alice)
            let (wrapper, payload) = try sealed(world)
            // Who gets it besides through a group of mode relay gets the same bytes: there is one payload.
            #expect(
                try await client.submit(from: "alice", to: ["quiet@node.test", "open@node.test", "carol@node.test"], wrapper)
                    .hasPrefix(
                        "250 2.0.0 sealed for 2"))
            for (name, person) in [("bob", bob), ("carol", carol)] {
                let entry = try #require(try await world.waiting(name).first)
                #expect(try await world.spool.read(try #require(entry.payload), offset: 0, count: .max) == payload)
                #expect(try await world.opened(person) == [Self.text])
                #expect(ModeNote.mode(in: try await world.stanzas(entry)) == .blind)
            }
            #expect(try await client.submit(from: "alice", to: ["open@node.test"], try sealed(world).wrapper).hasPrefix("250"))
            let relayed = try #require(try await world.waiting("bob").last)
            #expect(ModeNote.mode(in: try await world.stanzas(relayed)) == .relay)
            #expect(try await world.spool.read(try #require(relayed.payload), offset: 0, count: .max) != payload)
        }
    }

    /// What the node cannot tell from a good payload it did not open.
    @Test func damageInside_isForTheReadersToFind() async throws {
        try await withWorld { world in
            var (wrapper, payload) = try sealed(world)
            payload[20] ^= 1
            let file = try #require(opened(wrapper))
            wrapper = wrapped(file.dropLast(payload.count) + payload)
            #expect(try taken(world, wrapper).payload == payload)
            #expect(throws: IntakeFailure.notOpened) { try taken(world, wrapper, mode: .relay) }
        }
    }

    /// The age file in a wrapper.
    private func opened(_ wrapper: [UInt8]) -> [UInt8]? {
        let begins = wrapper.indices.first { wrapper[$0...].starts(with: "-----BEGIN".utf8) }
        var armor = AgeArmorDecoder()
        return begins.flatMap { try? armor.update(wrapper[$0...]) }
    }

    @Test func payloads_ofImpossibleSize_areRefused() async throws {
        try await withWorld { world in
            let (wrapper, payload) = try sealed(world)
            let file = try #require(opened(wrapper))
            for missing in [payload.count, payload.count - 16, payload.count - 31] {
                #expect(throws: IntakeFailure.notOpened, "\(missing)") {
                    try taken(world, wrapped(Array(file.dropLast(missing))))
                }
            }
            // One octet fewer is a possible size, and what it is worth the readers will see.
            #expect(try taken(world, wrapped(Array(file.dropLast()))).plainBytes == Self.text.utf8.count - 1)
            #expect(throws: IntakeFailure.notOpened) { try taken(world, Array(wrapper.dropLast(40))) }
        }
    }

    @Test func plainMail_isRefusedWithTheRemedy() async throws {
        try await withWorld { world in
            let dave = try await world.addPasswordMember("dave")
            try await world.addKeyMember("bob")
            try await world.addGroup("quiet", mode: .blind, members: ["dave", "bob"])
            let client = try await world.submission(dave, password: "correct horse")
            let plain = Array("Subject: x\r\n\r\nHello.\r\n".utf8)
            let reply = try await client.submit(from: "dave", to: ["quiet@node.test"], plain)
            #expect(reply.hasPrefix("550 5.7.1") && reply.contains("write with ddsnode's agent, or seal with age"))
            #expect(try await client.submit(from: "dave", to: ["bob@node.test"], plain).hasPrefix("250"))
            #expect(try await client.submit(from: "dave", to: ["quiet@node.test"], try sealed(world).wrapper).hasPrefix("250"))
            #expect(try await world.waiting("bob").count == 2)

            let mta = try await world.connect(.lmtp)
            _ = try await mta.command("LHLO mta.test")
            _ = try await mta.command("MAIL FROM:<>")
            try await world.store.change { d throws(Failure) in try d.changingGroup("quiet", title: nil, posting: .all) }
            let refused = try await mta.command("RCPT TO:<quiet@node.test>").joined(separator: " ")
            #expect(refused.hasPrefix("550 5.7.1") && refused.contains("write with ddsnode's agent"))
        }
    }

    @Test func resends_areKnownByTheNoteAlone() async throws {
        try await withWorld { world in
            let alice = try await world.addKeyMember("alice")
            let bob = try await world.addKeyMember("bob")
            try await world.addGroup("quiet", mode: .blind, members: ["alice", "bob"])
            let client = try await world.submission(alice)
            for (id, expected) in [
                ("one", "250 2.0.0 sealed for 1"), ("one", "250 2.0.0 was accepted before"), ("two", "250 2.0.0 sealed for 1"),
            ] {
                #expect(
                    try await client.submit(from: "alice", to: ["quiet@node.test"], try sealed(world, id: id).wrapper)
                        .hasPrefix(
                            expected))
            }
            // Without a note there is nothing to know it by: the field inside was not read.
            for _ in 1...2 {
                #expect(
                    try await client.submit(from: "alice", to: ["quiet@node.test"], try sealed(world).wrapper).hasPrefix(
                        "250 2.0.0 sealed for 1"))
            }
            #expect(try await world.opened(bob).count == 4)
        }
    }

    @Test func modeChangedWhileAMessageCame_isAskedForAgain() async throws {
        try await withWorld { world in
            let alice = try await world.addKeyMember("alice")
            try await world.addKeyMember("bob")
            try await world.addGroup("board", members: ["alice", "bob"])
            let client = try await world.submission(alice)
            for command in ["MAIL FROM:<alice@node.test>", "RCPT TO:<board@node.test>", "DATA"] {
                _ = try await client.command(command)
            }
            try await world.store.change { d throws(Failure) in
                try d.changingGroup("board", title: nil, mode: .blind, posting: nil)
            }
            client.write(try sealed(world).wrapper)
            client.send(".")
            #expect(try await client.reply()[0].hasPrefix("451 4.3.0 the mode of a group was changed"))
            #expect(try await world.waiting("bob").isEmpty)
            #expect(try await client.submit(from: "alice", to: ["board@node.test"], try sealed(world).wrapper).hasPrefix("250"))
        }
    }

    @Test func heldCopies_sayTheSameWhenTheyAreReleased() async throws {
        try await withWorld { world in
            let alice = try await world.addKeyMember("alice")
            try await world.store.change { d throws(Failure) in try d.addingAccount("late", display: "", groups: []) }
            try await world.addGroup("quiet", mode: .blind, members: ["alice", "late"])
            let client = try await world.submission(alice)
            #expect(
                try await client.submit(from: "alice", to: ["quiet@node.test"], try sealed(world).wrapper).contains(
                    "held for 1"))
            let person = try Person("late")
            try await world.join(person, as: "late")
            await world.delivery.held.retry { _ in true }
            let entry = try #require(try await world.waiting("late").first)
            #expect(ModeNote.mode(in: try await world.stanzas(entry)) == .blind)
            #expect(try await world.opened(person) == [Self.text])
        }
    }
}
