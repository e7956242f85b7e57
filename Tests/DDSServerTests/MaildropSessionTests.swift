import DDSBus
import DDSCore
import DDSLoop
import DDSSeal
import DDSSpool
import DDSTestKit
import DDSWire
import Testing

@testable import DDSServer

@Suite(.timeLimit(.minutes(5))) struct MaildropSessionTests {
    private static let armor = "-----BEGIN AGE ENCRYPTED FILE-----"

    private func base64(_ text: String) -> String { String(decoding: Base64.encode(Array(text.utf8)), as: UTF8.self) }

    private func octets(_ reply: String) throws -> Int {
        try #require(reply.split(separator: " ").compactMap { Int($0) }.last)
    }

    @Test @LoopActor func aMember_listsFetchesAndErases() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            try await world.deliver("Subject: one\r\n\r\nFirst.\r\n", to: "bob")
            try await world.deliver("Subject: two\r\n\r\n.Second.\r\n", to: "bob")
            let client = try await world.pop3(bob)
            #expect(try await client.ask("STAT").hasPrefix("+OK 2 "))
            for (number, text) in [(1, "Subject: one\r\n\r\nFirst.\r\n"), (2, "Subject: two\r\n\r\n.Second.\r\n")] {
                let listed = try octets(try await client.ask("LIST \(number)"))
                _ = try await client.ask("RETR \(number)")
                let lines = try await client.untilDot()
                #expect(lines.reduce(0) { $0 + $1.utf8.count + 2 } == listed)
                let start = try #require(lines.firstIndex(of: Self.armor))
                #expect(lines.contains("To: <bob@node.test>") && lines.contains("Subject: Sealed message"))
                #expect(try bob.open(Array(lines[start...].map { $0 + "\r\n" }.joined().utf8)) == text)
            }
            let ids = try await { _ = try await client.ask("UIDL"); return try await client.untilDot() }()
            #expect(Set(ids).count == 2)
            _ = try await client.ask("DELE 1")
            #expect(try await client.ask("QUIT") == "+OK Bye")
            await client.end()
            #expect(try await world.waiting("bob").count == 1)
            let again = try await world.pop3(bob)
            _ = try await again.ask("UIDL")
            #expect(try await again.untilDot().map { $0.dropFirst(2) } == [ids[1].dropFirst(2)])
        }
    }

    @Test @LoopActor func aLargeMessage_comesWholeInPieces() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            let text = "Subject: big\r\n\r\n" + String(repeating: "0123456789abcdef\r\n", count: 150_000)
            try await world.deliver(text, to: "bob")
            let client = try await world.pop3(bob)
            let listed = try octets(try await client.ask("LIST 1"))
            // A TOP that stops early does not spoil the RETR behind it.
            client.send("TOP 1 3", "RETR 1", "NOOP")
            _ = try await client.line()
            _ = try await client.untilDot()
            _ = try await client.line()
            let lines = try await client.untilDot()
            #expect(lines.reduce(0) { $0 + $1.utf8.count + 2 } == listed)
            let start = try #require(lines.firstIndex(of: Self.armor))
            let opened = try bob.open(Array(lines[start...].map { $0 + "\r\n" }.joined().utf8))
            #expect(opened == text)
            #expect(try await client.line() == "+OK")
        }
    }

    @Test @LoopActor func aDroppedConnection_erasesNothingAndUnlocks() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            let box = MailboxID(rawValue: try #require(world.account("bob")).mailbox)
            try await world.deliver(String(repeating: "x\r\n", count: 500_000), to: "bob")
            let client = try await world.pop3(bob)
            _ = try await client.ask("DELE 1")
            _ = try await client.ask("RSET")
            client.stopReading()
            client.send("RETR 1", "DELE 1")
            for _ in 0..<50 { await Task.yield() }
            client.close()
            try await until { !world.book.isLeased(box) }
            #expect(!world.book.isLeased(box))
            #expect(try await world.waiting("bob").count == 1)
            #expect(try await world.pop3(bob).ask("STAT").hasPrefix("+OK 1 "))
        }
    }

    @Test @LoopActor func aSecondLogin_isToldThatTheMaildropIsInUse() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            let first = try await world.pop3(bob)
            let second = try await world.connect(.pop3s, as: bob)
            #expect(try await second.ask("AUTH EXTERNAL =").hasPrefix("-ERR [IN-USE]"))
            _ = try await first.ask("QUIT")
            await first.end()
            #expect(try await second.ask("AUTH EXTERNAL =").hasPrefix("+OK"))
        }
    }

    // MARK: Erasure

    @Test @LoopActor func quit_isConfirmedOnlyOnceTheErasureIsDurable() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            let box = MailboxID(rawValue: try #require(world.account("bob")).mailbox)
            try await world.deliver(to: "bob")
            let client = try await world.pop3(bob)
            _ = try await client.ask("DELE 1")
            var reply: String?
            world.spool.hold()
            client.send("QUIT")
            let reading = Task { @LoopActor in reply = try await client.line() }
            await world.spool.waitUntilHeld()
            for _ in 0..<50 { await Task.yield() }
            #expect(reply == nil)
            #expect(world.book.isLeased(box))
            world.spool.release()
            try await reading.value
            #expect(reply == "+OK Bye")
            #expect(try await world.waiting("bob").isEmpty)
            #expect(!world.book.isLeased(box))
            #expect(world.book.usage[box] == nil)
        }
    }

    @Test @LoopActor func anErasureThatFails_isNotConfirmed() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            try await world.deliver(to: "bob")
            let client = try await world.pop3(bob)
            _ = try await client.ask("DELE 1")
            world.spool.failNext(.stopped("disk"))
            #expect(try await client.ask("QUIT").hasPrefix("-ERR [SYS/TEMP]"))
            await client.end()
            #expect(try await world.waiting("bob").count == 1)
            #expect(try await world.pop3(bob).ask("STAT").hasPrefix("+OK 1 "))
        }
    }

    @Test @LoopActor func aClientThatLeavesDuringItsErasure_keepsTheMaildropLockedUntilItIsDone() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            let box = MailboxID(rawValue: try #require(world.account("bob")).mailbox)
            try await world.deliver(to: "bob")
            let client = try await world.pop3(bob)
            _ = try await client.ask("DELE 1")
            world.spool.hold()
            client.send("QUIT")
            await world.spool.waitUntilHeld()
            client.reset()
            try await until { world.events.contains { $0.name == "sessionClosed" } }
            let second = try await world.connect(.pop3s, as: bob)
            #expect(try await second.ask("AUTH EXTERNAL =").hasPrefix("-ERR [IN-USE]"))
            world.spool.release()
            try await until { !world.book.isLeased(box) }
            #expect(try await second.ask("AUTH EXTERNAL =") == "+OK 0 messages")
        }
    }

    // MARK: Waiting

    @Test @LoopActor func aWaitingClient_isToldOfNewMailAtOnce_andDoesNotKeepOthersOut() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            let box = MailboxID(rawValue: try #require(world.account("bob")).mailbox)
            let client = try await world.pop3(bob)
            client.send("XDDS-WAIT 600")
            try await until { !world.book.isLeased(box) }
            let other = try await world.pop3(bob)
            _ = try await other.ask("QUIT")
            await other.end()
            try await until { !world.book.isLeased(box) }
            try await world.deliver(to: "bob")
            #expect(try await client.line() == "+OK 1 messages")
            #expect(world.book.isLeased(box))
        }
    }

    @Test @LoopActor func mailBetweenTheListAndTheWait_endsTheWait() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            let client = try await world.pop3(bob)
            try await world.deliver(to: "bob")
            #expect(try await client.ask("XDDS-WAIT 600") == "+OK 1 messages")
        }
    }

    @Test @LoopActor func anyCommand_endsTheWait() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            let client = try await world.pop3(bob)
            client.send("XDDS-WAIT 600", "NOOP")
            #expect(try await client.line() == "+OK 0 messages")
            #expect(try await client.line() == "+OK")
        }
    }

    @Test @LoopActor func aWaitWhoseMaildropIsTaken_saysSo() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            let box = MailboxID(rawValue: try #require(world.account("bob")).mailbox)
            let client = try await world.pop3(bob)
            client.send("XDDS-WAIT 600")
            try await until { !world.book.isLeased(box) }
            let other = try await world.pop3(bob)
            try await world.deliver(to: "bob")
            #expect(try await client.line().hasPrefix("-ERR [IN-USE]"))
            _ = try await other.ask("NOOP")
        }
    }

    @Test @LoopActor func aClientThatLeavesWhileWaiting_leavesNoLock() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            let box = MailboxID(rawValue: try #require(world.account("bob")).mailbox)
            let client = try await world.pop3(bob)
            client.send("XDDS-WAIT 600")
            try await until { !world.book.isLeased(box) }
            client.close()
            try await until { world.events.contains { $0.name == "sessionClosed" } }
            try await world.deliver(to: "bob")
            #expect(try await world.pop3(bob).ask("STAT").hasPrefix("+OK 1 "))
        }
    }

    // MARK: Who may

    @Test @LoopActor func passwords_workInsideTLSOnly() async throws {
        try await withWorld { world in
            let carol = try await world.addPasswordMember("carol")
            try await world.deliver(to: "carol")
            let clear = try await world.connect(.pop3)
            #expect(try await clear.ask("USER carol") == "-ERR Use STLS first")
            #expect(try await clear.ask("STLS").hasPrefix("+OK"))
            try await clear.startTLS(nil)
            _ = try await clear.ask("USER Carol@node.test")
            #expect(try await clear.ask("PASS correct horse") == "+OK 1 messages")
            _ = try await clear.ask("RETR 1")
            let lines = try await clear.untilDot()
            let start = try #require(lines.firstIndex(of: Self.armor))
            #expect(try carol.open(Array(lines[start...].map { $0 + "\r\n" }.joined().utf8)).contains("Hello."))
        }
    }

    @Test @LoopActor func wrongPasswordsAndUnknownNames_sayTheSame() async throws {
        try await withWorld { world in
            try await world.addPasswordMember("carol")
            try await world.addKeyMember("bob")
            let client = try await world.connect(.pop3s)
            var replies: Set<String> = []
            for name in ["carol", "nobody", "bob"] {
                _ = try await client.ask("USER \(name)")
                replies.insert(try await client.ask("PASS wrong password"))
            }
            #expect(replies == ["-ERR [AUTH] Login failed"])
            await client.end()
        }
    }

    @Test @LoopActor func anUnknownDevice_isRefused_andCannotNameAMember() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            try await world.addKeyMember("alice")
            let stranger = try Person("stranger")
            let name = base64("bob")
            #expect(try await world.connect(.pop3s, as: stranger).ask("AUTH EXTERNAL \(name)").hasPrefix("-ERR [AUTH]"))
            let alice = base64("alice")
            #expect(try await world.connect(.pop3s, as: bob).ask("AUTH EXTERNAL \(alice)").hasPrefix("-ERR [AUTH]"))
            #expect(try await world.connect(.pop3s, as: bob).ask("AUTH EXTERNAL \(name)").hasPrefix("+OK"))
            // Enrolment has no maildrop.
            let enrol = base64("enrol")
            #expect(try await world.connect(.pop3s, as: bob).ask("AUTH EXTERNAL \(enrol)").hasPrefix("-ERR [AUTH]"))
        }
    }

    @Test @LoopActor func aMemberWhoIsSuspended_getsNothingMoreInAnOpenSession() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            try await world.deliver(to: "bob")
            let client = try await world.pop3(bob)
            try await world.store.change { d throws(Failure) in try d.settingSuspended("bob", true) }
            #expect(try await client.ask("RETR 1").hasPrefix("-ERR [SYS/TEMP]"))
            _ = try await client.ask("DELE 1")
            #expect(try await client.ask("QUIT").hasPrefix("-ERR"))
            #expect(try await world.waiting("bob").count == 1)
            #expect(try await world.connect(.pop3s, as: bob).ask("AUTH EXTERNAL =").hasPrefix("-ERR [AUTH]"))
        }
    }

    @Test @LoopActor func aMessageThatCannotBeRead_isSaidSoAndTheOthersAreThere() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            try await world.deliver(to: "bob")
            try await world.deliver(to: "bob")
            world.spool.damage(try #require(try await world.waiting("bob").first?.payload))
            let client = try await world.pop3(bob)
            #expect(try await client.ask("RETR 1").hasPrefix("-ERR [SYS/TEMP]"))
            #expect(try await client.ask("RETR 2").hasPrefix("+OK"))
            #expect(world.events.contains { $0.name == "spoolProblem" })
        }
    }
}
