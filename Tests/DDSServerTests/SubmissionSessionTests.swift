import DDSBus
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSTLS
import DDSTestKit
import DDSWire
import Testing

@testable import DDSServer

@Suite(.timeLimit(.minutes(5))) struct SubmissionSessionTests {
    private static let text = "Subject: x\r\n\r\nHello.\r\n"

    @Test @LoopActor func aSealedMessage_reachesEveryReader() async throws {
        try await withWorld { world in
            let alice = try await world.addKeyMember("alice")
            let bob = try await world.addKeyMember("bob")
            try await world.addGroup("board", members: ["alice", "bob"])
            let client = try await world.submission(alice)
            let reply = try await client.submit(
                from: "alice", to: ["board@node.test", "bob@node.test"], try world.sealed("X-DDS-Submission: 1\r\n" + Self.text)
            )
            #expect(reply.hasPrefix("250 2.0.0 sealed for 1"))
            #expect(try await world.opened(bob) == ["X-DDS-Submission: 1\r\n" + Self.text])
            #expect(try await world.waiting("alice").isEmpty)
            // The session takes the next one, and a resend is recognised.
            let again = try await client.submit(
                from: "alice", to: ["board@node.test", "bob@node.test"], try world.sealed("X-DDS-Submission: 1\r\n" + Self.text)
            )
            #expect(again.contains("was accepted before"))
        }
    }

    @Test @LoopActor func noReplyComes_beforeTheMessageIsDurable() async throws {
        try await withWorld { world in
            let alice = try await world.addKeyMember("alice")
            try await world.addKeyMember("bob")
            let client = try await world.submission(alice)
            let message = try world.sealed(Self.text)
            var reply: String?
            world.spool.hold()
            let submitting = Task { @LoopActor in reply = try await client.submit(from: "alice", to: ["bob@node.test"], message)
            }
            await world.spool.waitUntilHeld()
            for _ in 0..<50 { await Task.yield() }
            #expect(reply == nil)
            world.spool.release()
            try await submitting.value
            #expect(reply?.hasPrefix("250") == true)
        }
    }

    @Test @LoopActor func everyRefusalAtRCPT_hasItsCodeAndWords() async throws {
        try await withWorld(config: "[server.spool]\nmailbox_quota = \"1KiB\"\n") { world in
            let alice = try await world.addKeyMember("alice")
            for name in ["bob", "full", "away"] { try await world.addKeyMember(name) }
            try await world.addGroup("board", members: ["bob"])
            try await world.addGroup("news", posting: .owners, members: ["alice"], owners: ["bob"])
            try await world.store.change { d throws(Failure) in
                try d.addingAccount("dave", display: "", groups: []) + d.settingSuspended("away", true)
            }
            try await world.deliver(String(repeating: "x\r\n", count: 500), to: "full")
            let client = try await world.submission(alice)
            for (to, expected) in [
                ("nobody@node.test", "550 5.1.1"), ("board@node.test", "550 5.7.1 only members"),
                ("news@node.test", "550 5.7.1 only owners"),
                ("away@node.test", "550 5.7.1"), ("dave@node.test", "450 4.2.1"), ("full@node.test", "452 4.2.2"),
                ("bob@elsewhere.test", "550 5.7.1"), ("enrol@node.test", "550 5.1.1"), ("bob@node.test", "250 2.0.0"),
            ] {
                #expect(
                    try await client.submit(from: "alice", to: [to], try world.sealed(Self.text)).hasPrefix(expected), "\(to)")
            }
        }
    }

    @Test @LoopActor func theSender_isTheMemberAndNobodyElse() async throws {
        try await withWorld { world in
            let alice = try await world.addKeyMember("alice")
            try await world.addKeyMember("bob")
            let client = try await world.submission(alice)
            #expect(
                try await client.command("MAIL FROM:<bob@node.test>")[0].hasPrefix(
                    "550 5.7.1 you are logged in as alice@node.test"))
            #expect(try await client.command("MAIL FROM:<alice@elsewhere.test>")[0].hasPrefix("550 5.7.1"))
            #expect(try await client.command("MAIL FROM:<>")[0].hasPrefix("550 5.7.1"))
            #expect(try await client.command("MAIL FROM:<Alice@Node.Test>")[0].hasPrefix("250"))
        }
    }

    @Test @LoopActor func aKeyUsersPlainMail_andBrokenSeals_areRefused() async throws {
        try await withWorld { world in
            let alice = try await world.addKeyMember("alice")
            try await world.addKeyMember("bob")
            let client = try await world.submission(alice)
            let plain = try await client.submit(from: "alice", to: ["bob@node.test"], Array(Self.text.utf8))
            #expect(plain.hasPrefix("550 5.7.1 seal it to this node's key first"))
            let foreign = try World.sealed(Self.text, to: AgeIdentity.generate(random: SystemRandom()).recipient)
            #expect(try await client.submit(from: "alice", to: ["bob@node.test"], foreign).hasPrefix("550 5.7.5"))
            let cut = Array(try world.sealed(Self.text).dropLast(40)) + [0x0d, 0x0a]
            #expect(try await client.submit(from: "alice", to: ["bob@node.test"], cut).hasPrefix("550 5.7.5"))
            #expect(try await world.waiting("bob").isEmpty)
        }
    }

    @Test @LoopActor func aPasswordUsersPlainMail_isSealedOnArrival() async throws {
        try await withWorld { world in
            try await world.addPasswordMember("carol")
            let bob = try await world.addKeyMember("bob")
            let client = try await world.connect(.submission)
            _ = try await client.command("EHLO c.test")
            #expect(try await client.command("AUTH PLAIN AGNhcm9sAGNvcnJlY3QgaG9yc2U=")[0].hasPrefix("530"))
            _ = try await client.command("STARTTLS")
            try await client.startTLS(nil)
            #expect(try await client.command("EHLO c.test").contains { $0.contains("AUTH") })
            #expect(try await client.command("AUTH PLAIN AGNhcm9sAGNvcnJlY3QgaG9yc2U=")[0].hasPrefix("235"))
            #expect(try await client.submit(from: "carol", to: ["bob@node.test"], Array(Self.text.utf8)).hasPrefix("250"))
            #expect(try await world.opened(bob) == [Self.text])
        }
    }

    @Test @LoopActor func aFullDisk_andAStoppedSpool_areTemporary() async throws {
        try await withWorld { world in
            let alice = try await world.addKeyMember("alice")
            try await world.addKeyMember("bob")
            let client = try await world.submission(alice)
            world.spool.failNext(.full, .stopped("x"))
            #expect(
                try await client.submit(from: "alice", to: ["bob@node.test"], try world.sealed(Self.text)).hasPrefix(
                    "452 4.3.1"))
            #expect(
                try await client.submit(from: "alice", to: ["bob@node.test"], try world.sealed(Self.text)).hasPrefix(
                    "451 4.3.0"))
            #expect(try await client.submit(from: "alice", to: ["bob@node.test"], try world.sealed(Self.text)).hasPrefix("250"))
        }
    }

    // MARK: Changes between RCPT and the end of the message

    /// The transaction up to the last line of the message, then `change`, then the end.
    @LoopActor private func submit(
        _ world: World, _ client: LineClient, to recipients: [String], change: @LoopActor () async throws -> Void
    ) async throws -> String {
        for command in ["MAIL FROM:<alice@node.test>"] + recipients.map({ "RCPT TO:<\($0)@node.test>" }) + ["DATA"] {
            _ = try await client.command(command)
        }
        client.write(try world.sealed(Self.text))
        try await change()
        client.send(".")
        return try await client.reply().joined(separator: " ")
    }

    @Test @LoopActor func aReaderRemovedFromTheGroupMeanwhile_getsNothing() async throws {
        try await withWorld { world in
            let alice = try await world.addKeyMember("alice")
            for name in ["bob", "carol"] { try await world.addKeyMember(name) }
            try await world.addGroup("board", members: ["alice", "bob", "carol"])
            let reply = try await submit(world, world.submission(alice), to: ["board"]) {
                try await world.store.change { d throws(Failure) in try d.removingMembers(["bob"], from: "board") }
            }
            #expect(reply.hasPrefix("250 2.0.0 sealed for 1"))
            #expect(try await world.waiting("bob").isEmpty)
            #expect(try await world.waiting("carol").count == 1)
        }
    }

    @Test @LoopActor func aRecipientRemovedMeanwhile_isNotPassedOverInSilence() async throws {
        try await withWorld { world in
            let alice = try await world.addKeyMember("alice")
            for name in ["bob", "carol"] { try await world.addKeyMember(name) }
            let reply = try await submit(world, world.submission(alice), to: ["bob", "carol"]) {
                try await world.store.change { d throws(Failure) in try d.removingAccount("bob") }
            }
            #expect(reply.hasPrefix("550 5.1.1"))
            #expect(try await world.waiting("carol").isEmpty)
        }
    }

    @Test @LoopActor func anAuthorWhoMayNoLongerPost_isRefused() async throws {
        try await withWorld { world in
            let alice = try await world.addKeyMember("alice")
            try await world.addKeyMember("bob")
            try await world.addGroup("board", members: ["alice", "bob"])
            let client = try await world.submission(alice)
            let removed = try await submit(world, client, to: ["board"]) {
                try await world.store.change { d throws(Failure) in try d.removingMembers(["alice"], from: "board") }
            }
            #expect(removed.hasPrefix("550 5.7.1"))
            let suspended = try await submit(world, client, to: ["bob"]) {
                try await world.store.change { d throws(Failure) in try d.settingSuspended("alice", true) }
            }
            #expect(suspended.hasPrefix("550 5.7.1 your account was changed"))
            #expect(try await client.command("MAIL FROM:<alice@node.test>")[0].hasPrefix("550 5.7.1"))
            #expect(try await world.waiting("bob").isEmpty)
        }
    }

    // MARK: Enrolment

    @LoopActor private func enrol(
        _ client: LineClient, _ world: World, number: UInt32, secret: [UInt8], recipient: String,
        credential: MemberCredential? = nil
    ) async throws -> String {
        let request = EnrolmentRequest(
            inviteNumber: number, secret: Redacted(secret), recipient: recipient, credential: credential)
        return try await client.submit(
            from: "enrol", to: ["enrol@node.test"], try world.sealed(String(decoding: request.message, as: UTF8.self)))
    }

    @LoopActor private func newcomer(_ world: World, _ person: Person) async throws -> LineClient {
        let client = try await world.connect(.submissions, as: person)
        _ = try await client.command("EHLO c.test")
        let name = String(decoding: Base64.encode(Array("enrol".utf8)), as: UTF8.self)
        #expect(try await client.command("AUTH EXTERNAL \(name)")[0].hasPrefix("235"))
        return client
    }

    @LoopActor private func invite(_ world: World, _ name: String, number: UInt32, secret: [UInt8]) async throws {
        try await world.store.change { d throws(Failure) in
            try d.creatingInvite(
                for: name, number: number, secretHash: EnrolmentRequest.secretHash(secret),
                expires: world.time.wall + .seconds(600))
        }
    }

    @Test @LoopActor func aNewcomer_enrolsAndIsAMember() async throws {
        try await withWorld { world in
            let dave = try Person("dave")
            try await world.store.change { d throws(Failure) in try d.addingAccount("dave", display: "Dave", groups: []) }
            try await world.addGroup("board", members: ["dave"])
            try await invite(world, "dave", number: 7, secret: [1, 2, 3, 4, 5])
            let client = try await newcomer(world, dave)
            // Nothing else is open to a device without an account.
            #expect(try await client.command("MAIL FROM:<dave@node.test>")[0].hasPrefix("550 5.7.1"))
            _ = try await client.command("MAIL FROM:<enrol@node.test>")
            #expect(try await client.command("RCPT TO:<board@node.test>")[0].hasPrefix("550 5.7.1 enrol first"))
            _ = try await client.command("RSET")
            let reply = try await enrol(
                client, world, number: 7, secret: [1, 2, 3, 4, 5], recipient: "\(dave.mailbox.recipient)")
            #expect(
                reply.contains("welcome dave@node.test") && reply.contains("display Dave") && reply.contains("groups board"))
            #expect(try await world.pop3(dave).ask("NOOP") == "+OK")
            // The reply got lost: the same device asks again, on a new connection, and is told the same.
            let again = try await enrol(
                newcomer(world, dave), world, number: 7, secret: [1, 2, 3, 4, 5], recipient: "\(dave.mailbox.recipient)")
            #expect(again == reply)
            #expect(world.events.count { $0.name == "enrolled" } == 1)
        }
    }

    @Test @LoopActor func aNewcomersIdentity_isCheckedAndKept() async throws {
        try await withWorld { world in
            let dave = try Person("dave")
            let key = "\(dave.mailbox.recipient)"
            let identity = SigningKey.generate()
            try await world.store.change { d throws(Failure) in try d.addingAccount("dave", display: "Dave", groups: []) }
            try await invite(world, "dave", number: 7, secret: [1, 2, 3, 4, 5])
            func credential(invite: UInt32 = 7, device: [UInt8]? = nil, by signer: SigningKey? = nil) -> MemberCredential {
                let statement = MailboxStatement.first(
                    invite: invite, domain: World.domain, device: device ?? dave.device.keyHash, recipient: key,
                    now: world.time.wall)
                return MemberCredential(identity: identity.publicKey, statement: statement.signed(by: signer ?? identity))
            }
            for (wrong, words) in [
                (credential(invite: 8), .aboutAnother), (credential(device: Array(repeating: 0, count: 32)), .aboutAnother),
                (credential(by: .generate()), .wrongSignature),
                (MemberCredential(identity: identity.publicKey, statement: [1]), .notAStatement),
            ] as [(MemberCredential, StatementRefusal)] {
                let reply = try await enrol(
                    newcomer(world, dave), world, number: 7, secret: [1, 2, 3, 4, 5], recipient: key, credential: wrong)
                #expect(reply == "550 5.6.0 \(words)")
            }
            #expect(world.account("dave")?.recipient == nil)
            let good = credential()
            let reply = try await enrol(
                newcomer(world, dave), world, number: 7, secret: [1, 2, 3, 4, 5], recipient: key, credential: good)
            #expect(reply.contains("welcome dave@node.test"))
            #expect(world.account("dave")?.identity == Hex.encode(identity.publicKey))
            // What is stored is what a later start reads.
            let account = try await DirectoryStore.open(spool: world.spool).directory.accounts["dave"]
            #expect(account == world.account("dave") && account?.keyNumber == 1)
            let kept = try #require(account?.statement.flatMap { Base64.decode(Array($0.utf8)) })
            #expect(kept == good.statement)
        }
    }

    @Test @LoopActor func everyRefusedEnrolment_saysWhy() async throws {
        try await withWorld { world in
            let dave = try Person("dave")
            for name in ["dave", "erin", "fred", "gina"] {
                try await world.store.change { d throws(Failure) in try d.addingAccount(name, display: "", groups: []) }
            }
            let good: [UInt8] = [1, 2, 3, 4, 5]
            try await invite(world, "dave", number: 1, secret: good)
            try await invite(world, "erin", number: 2, secret: good)
            try await invite(world, "fred", number: 3, secret: good)
            try await world.store.change { d throws(Failure) in try d.revokingInvite(2) + d.settingSuspended("fred", true) }
            let key = "\(dave.mailbox.recipient)"
            let smallOrder = "\(AgeRecipient(bytes: Array(repeating: 0, count: 32)))"
            let client = try await newcomer(world, dave)
            for (number, secret, recipient, words) in [
                (9, good, key, "not known here"), (2, good, key, "revoked"), (3, good, key, "suspended"),
                (1, [9, 9, 9, 9, 9], key, "secret of this invite is wrong"), (1, good, "age1nonsense", "mailbox key"),
                (1, good, smallOrder, "mailbox key"),
            ] as [(UInt32, [UInt8], String, String)] {
                let reply = try await enrol(client, world, number: number, secret: secret, recipient: recipient)
                #expect(reply.hasPrefix("550 5.") && reply.contains(words), "\(words): \(reply)")
            }
            let plain = try await client.submit(from: "enrol", to: ["enrol@node.test"], Array(Self.text.utf8))
            #expect(plain.hasPrefix("550 5.6.0 this is no enrolment sealed to this node"))
            let other = try await client.submit(from: "enrol", to: ["enrol@node.test"], try world.sealed(Self.text))
            #expect(other.hasPrefix("550 5.6.0"))
            world.time.advance(by: .seconds(600))
            #expect(try await enrol(client, world, number: 1, secret: good, recipient: key).contains("expired"))
            #expect(world.account("dave")?.recipient == nil)
        }
    }

    @Test @LoopActor func guessingInvites_costsLogins() async throws {
        try await withWorld { world in
            let dave = try Person("dave")
            let client = try await newcomer(world, dave)
            for number in 0..<10 {
                _ = try await enrol(
                    client, world, number: UInt32(number), secret: [0, 0, 0, 0, 0], recipient: "\(dave.mailbox.recipient)")
            }
            let next = try await world.connect(.submissions, as: dave)
            _ = try await next.command("EHLO c.test")
            #expect(try await next.command("AUTH EXTERNAL ZW5yb2w=")[0].hasPrefix("535"))
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct LMTPSessionTests {
    @LoopActor private func hand(
        _ world: World, from sender: String = "<>", to recipients: [String], _ message: String,
        change: @LoopActor () async throws -> Void = {}
    ) async throws -> [String] {
        let client = try await world.connect(.lmtp)
        _ = try await client.command("LHLO mta.test")
        _ = try await client.command("MAIL FROM:\(sender)")
        var replies: [String] = []
        var accepted = 0
        for name in recipients {
            let reply = try await client.command("RCPT TO:<\(name)@node.test>")[0]
            if reply.hasPrefix("250") { accepted += 1 } else { replies.append(reply) }
        }
        guard accepted > 0 else { return replies }
        _ = try await client.command("DATA")
        try await change()
        client.write(Array(message.utf8))
        client.send(".")
        for _ in 0..<accepted { replies.append(try await client.reply().joined(separator: " ")) }
        return replies
    }

    @Test @LoopActor func eachRecipient_hasItsReply_andATraceIsPutInFront() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            try await world.addKeyMember("carol")
            try await world.addGroup("open", posting: .all, members: ["bob", "carol"])
            try await world.addGroup("closed", members: ["bob"])
            let replies = try await hand(world, to: ["closed", "nobody", "bob", "open"], "Subject: x\r\n\r\nHello.\r\n")
            #expect(replies[0].hasPrefix("550 5.7.1"))
            #expect(replies[1].hasPrefix("550 5.1.1"))
            #expect(replies[2].hasPrefix("250 2.0.0 sealed for 2") && replies[3].hasPrefix("250"))
            let texts = try await world.opened(bob)
            #expect(texts.count == 1)
            let text = try #require(texts.first)
            #expect(text.hasPrefix("Return-Path: <>\r\nReceived: from mta.test by node.test with LMTP; "))
            #expect(text.hasSuffix("\r\nSubject: x\r\n\r\nHello.\r\n"))
        }
    }

    @Test @LoopActor func aRecipientRemovedMeanwhile_isRefusedAlone() async throws {
        try await withWorld { world in
            for name in ["bob", "carol"] { try await world.addKeyMember(name) }
            let replies = try await hand(world, to: ["bob", "carol"], "Subject: x\r\n\r\nHello.\r\n") {
                try await world.store.change { d throws(Failure) in try d.removingAccount("bob") }
            }
            #expect(replies[0].hasPrefix("550 5.1.1") && replies[1].hasPrefix("250"))
            #expect(try await world.waiting("carol").count == 1)
        }
    }

    @Test @LoopActor func groups_areWrittenToFromOutsideByTheirSettings() async throws {
        try await withWorld { world in
            try await world.addKeyMember("bob")
            try await world.addGroup("open", posting: .all, members: ["bob"])
            try await world.addGroup("members", members: ["bob"])
            try await world.addGroup("owners", posting: .owners, members: ["bob"])
            try await world.addGroup("blind", mode: .blind, posting: .all, members: ["bob"])
            try await world.addGroup("hybrid", posting: .all, pq: .require)
            let replies = try await hand(
                world, to: ["members", "owners", "blind", "hybrid", "bob", "open"], "Subject: x\r\n\r\nHello.\r\n")
            #expect(replies.prefix(4).allSatisfy { $0.hasPrefix("550 5.7.1") })
            #expect(replies.suffix(2).allSatisfy { $0.hasPrefix("250 2.0.0") } && replies.count == 6)
        }
    }

    @Test(arguments: [("", "LMTP"), (" SMTPUTF8", "UTF8LMTP")])
    @LoopActor func theTrace_hasTheSenderAsWritten_andTheMessageItsOwnBelow(parameter: String, name: String) async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            let text = "Return-Path: <forged@b>\r\nReceived: from a by b\r\nSubject: x\r\n\r\nHello.\r\n"
            let replies = try await hand(world, from: "<\"J. Doe\"@World.Test>" + parameter, to: ["bob"], text)
            #expect(replies[0].hasPrefix("250"))
            let opened = try #require(try await world.opened(bob).first)
            let path = "Return-Path: <\"J. Doe\"@World.Test>\r\n"
            #expect(opened.hasPrefix(path + "Received: from mta.test by node.test with \(name); "))
            #expect(opened.hasSuffix("+0000\r\n" + text))
        }
    }

    @Test @LoopActor func aFullMaildrop_isTemporaryForItAlone() async throws {
        try await withWorld(config: "[server.spool]\nmailbox_quota = \"1KiB\"\n") { world in
            for name in ["bob", "carol"] { try await world.addKeyMember(name) }
            #expect(try await hand(world, to: ["bob"], String(repeating: "x", count: 1100) + "\r\n")[0].hasPrefix("250"))
            let replies = try await hand(world, to: ["bob", "carol"], "Subject: x\r\n\r\n")
            #expect(replies[0].hasPrefix("452 4.2.2") && replies[1].hasPrefix("250"))
        }
    }

    @Test @LoopActor func aFullDisk_isTemporaryForAll() async throws {
        try await withWorld { world in
            for name in ["bob", "carol"] { try await world.addKeyMember(name) }
            world.spool.failNext(.full)
            #expect(try await hand(world, to: ["bob", "carol"], "Subject: x\r\n\r\n").allSatisfy { $0.hasPrefix("452") })
        }
    }

    /// Our own field is the one that makes 30.
    @Test(arguments: [(28, "250"), (29, "250"), (30, "554 5.4.6")])
    @LoopActor func mailThatLoops_isRefused(hops: Int, expected: String) async throws {
        try await withWorld { world in
            try await world.addKeyMember("bob")
            let trace = String(repeating: "Received: from a by b\r\n", count: hops)
            #expect(try await hand(world, to: ["bob"], trace + "Subject: x\r\n\r\nx\r\n")[0].hasPrefix(expected))
            // A header longer than what is kept of one, and a sealed message, whose hosts have signed the outside.
            let long = String(repeating: "X-Long: \(String(repeating: "x", count: 70))\r\n", count: 4000)
            #expect(try await hand(world, to: ["bob"], long + trace + "Subject: x\r\n\r\nx\r\n")[0].hasPrefix(expected))
            let sealed = String(decoding: try world.sealed("Subject: x\r\n\r\nx\r\n"), as: UTF8.self)
            #expect(try await hand(world, to: ["bob"], trace + sealed)[0].hasPrefix(expected))
        }
    }
}
