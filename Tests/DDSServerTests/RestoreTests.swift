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

/// A member who has lost everything but the recovery kit: at one point the new keys count and the old ones do not, and what waits
/// under the old ones is gone and told.
@Suite(.timeLimit(.minutes(5))) struct RestoreTests {
    /// Bob, whose identity is in the kit, with the devices that he has had.
    @LoopActor private final class Bob {
        let world: World
        let identity = SigningKey.generate()
        var person: Person
        var number: UInt64 = 0
        var last: [UInt8]?

        init(_ world: World, groups: [String] = []) async throws {
            self.world = world
            person = try await world.addKeyMember("bob", groups: groups)
            let first = statement(person, number: 1)
            let account = try #require(world.account("bob"))
            let (reply, _) = await world.context.state(
                KeyStating(identity: identity.publicKey, statement: first), for: account)
            guard reply.code == 250 else { throw Unexpected("\(reply)") }
            accepted(first, person)
        }

        private var address: MailAddress {
            guard let address = MailAddress(local: "bob", domain: World.domain) else { preconditionFailure("a plain name") }
            return address
        }

        func accepted(_ statement: [UInt8], _ person: Person) {
            last = statement
            number += 1
            self.person = person
        }

        /// The next statement, about `person`'s keys.
        func statement(
            _ person: Person, number: UInt64? = nil, _ change: (inout MailboxStatement) -> Void = { _ in }
        ) -> [UInt8] {
            var statement = MailboxStatement(
                holder: .member(address), device: person.device.keyHash, number: number ?? self.number + 1,
                notBefore: WallTime(milliseconds: 1), notAfter: WallTime(milliseconds: 2),
                recipient: "\(person.mailbox.recipient)",
                previous: last.map { MailboxStatement.hash(of: $0) } ?? MailboxStatement.noPrevious)
            change(&statement)
            return statement.signed(by: identity)
        }

        /// The request for `person`'s device; `change` spoils what is signed.
        func request(
            _ person: Person, _ statement: [UInt8]? = nil, by identity: SigningKey? = nil,
            _ change: (inout RestoreClaim) -> Void = { _ in }
        ) -> RestoreRequest {
            var claim = RestoreClaim(
                address: address, device: person.device.keyHash, node: world.context.keys.nodeIdentity.publicKey,
                time: world.time.wall, statement: statement)
            change(&claim)
            return RestoreRequest(claim, signedBy: identity ?? self.identity)
        }

        func say(_ request: RestoreRequest, from person: Person) async -> String {
            let reply = await world.context.restore(request, deviceKey: Hex.encode(person.device.keyHash), from: "192.0.2.1")
            return "\(reply.code) \(reply.lines.joined(separator: "|"))"
        }

        /// Restores to a new device; returns what the node said.
        func restore(_ person: Person) async -> String {
            let statement = statement(person)
            let reply = await say(request(person, statement), from: person)
            if reply.hasPrefix("250") { accepted(statement, person) }
            return reply
        }
    }

    private func fresh() throws -> Person { try Person("bob", kind: .hybrid) }

    @Test @LoopActor func theNewDevice_isTheMember_andTheOldOneNoMore() async throws {
        try await withWorld { world in
            try await world.addKeyMember("alice")
            try await world.addGroup("board", members: ["alice"])
            let bob = try await Bob(world, groups: ["board"])
            let old = bob.person
            world.delivery.rosters.turnOn()
            _ = await world.delivery.rosters.makeAll()
            let before = try #require(world.account("bob"))
            try await world.store.change { _ throws(Failure) in [.passwordLogin(name: "bob", verifier: "v")] }
            // Open sessions of the old device: at the maildrop, and on the way to send.
            let reading = try await world.pop3(old)
            let writing = try await world.submission(old)
            let new = try fresh()
            let hash = MailboxStatement.hash(of: try #require(bob.last))
            #expect(await bob.say(bob.request(new), from: new) == "250 statement 1 \(Hex.encode(hash))")
            #expect(world.account("bob")?.login == before.login)
            let reply = await bob.restore(new)
            #expect(reply.hasPrefix("250 welcome bob@node.test|display bob|identity "))
            #expect(reply.hasSuffix("|lost 0|groups board"))
            await reading.end()
            await writing.end()
            let account = try #require(world.account("bob"))
            #expect(account.recipient == "\(new.mailbox.recipient)" && account.keyNumber == 2)
            #expect(account.identity == before.identity && account.mailbox == before.mailbox && account.besides == nil)
            await #expect(throws: Unexpected.self) { try await world.pop3(old) }
            await #expect(throws: Unexpected.self) { try await world.submission(old) }
            let client = try await world.pop3(new)
            #expect(try await client.ask("STAT") == "+OK 0 0")
            _ = try await client.ask("QUIT")
            // The group hears of the new key without waiting for the hour of routine changes.
            #expect(world.store.directory.groupsWithDueRoster == ["board"])
            #expect(await world.delivery.rosters.makeAll())
            #expect(try await world.rosters("alice").last?.roster.members.last?.devices.first?.recipient == account.recipient)
            try await world.deliver(to: "bob")
            #expect(try await world.opened(new).count == 2)
            // The reply may have got lost: the same again is the same answer, and a later start knows it all.
            #expect(await bob.say(bob.request(new, bob.last), from: new) == reply)
            #expect(try await world.waiting("bob").count == 2)
            let again = try await DirectoryStore.open(spool: world.spool).directory
            #expect(again.accounts["bob"] == world.account("bob"))
            #expect(again.account(deviceKey: Hex.encode(new.device.keyHash))?.name == "bob")
            #expect(again.account(deviceKey: Hex.encode(old.device.keyHash)) == nil)
        }
    }

    /// What an Ed25519 signature or a chain of numbers is for: everything that is not this member's, this node's, this device's and
    /// now, is refused, and nothing changes.
    @Test @LoopActor func whatIsNotTheKits_isOneAnswerAndChangesNothing() async throws {
        try await withWorld { world in
            let bob = try await Bob(world)
            try await world.addKeyMember("carol")
            try await world.addPasswordMember("paula")
            let new = try fresh()
            let unknown = "550 \(Directory.unknownToRestore)"
            let statement = bob.statement(new)
            let before = world.store.directory
            @LoopActor func named(_ name: String, _ statement: [UInt8]?) -> RestoreRequest {
                bob.request(new, statement) { $0.address = MailAddress(local: name, domain: World.domain) ?? $0.address }
            }
            for statement in [nil, statement] {
                for (request, what) in [
                    (bob.request(new, statement, by: SigningKey.generate()), "another identity"),
                    (named("nobody", statement), "nobody"), (named("carol", statement), "no identity yet"),
                    (named("paula", statement), "a password"),
                    (bob.request(new, statement) { $0.address = MailAddress("bob@other.test") ?? $0.address }, "another node"),
                    (bob.request(new, statement) { $0.node[0] ^= 1 }, "another node's identity"),
                    (bob.request(new, statement) { $0.device[0] ^= 1 }, "another device"),
                    (bob.request(new, statement, by: world.context.keys.nodeIdentity), "the node itself"),
                ] {
                    #expect(await bob.say(request, from: new) == unknown, "\(what)")
                }
            }
            // A question that is taken for the other message, and another statement than the one that was signed.
            var other = bob.request(new)
            other.statement = statement
            #expect(await bob.say(other, from: new) == unknown)
            // Recorded, and said by another device.
            #expect(await bob.say(bob.request(new, statement), from: try fresh()) == unknown)
            #expect(world.store.directory == before)
        }
    }

    @Test @LoopActor func aMemberWhoIsRemovedAndAddedAnew_hasMadeTheKitWorthless() async throws {
        try await withWorld { world in
            let lost = try await Bob(world)
            let unknown = "550 \(Directory.unknownToRestore)"
            try await world.store.change { d throws(Failure) in try d.removingAccount("bob") }
            #expect(await lost.restore(try fresh()) == unknown)
            // The same name, and another identity.
            let anew = try await Bob(world)
            #expect(await lost.restore(try fresh()) == unknown)
            #expect(await anew.restore(try fresh()).hasPrefix("250"))
        }
    }

    @Test @LoopActor func withTheKit_eachTroubleHasItsSentence() async throws {
        try await withWorld { world in
            let bob = try await Bob(world)
            let carol = try await world.addKeyMember("carol")
            let new = try fresh()
            let before = world.store.directory
            for seconds in [3661, -3661] as [Int64] {
                let late = bob.request(new) { $0.time = WallTime(milliseconds: $0.time.milliseconds + seconds * 1000) }
                #expect(await bob.say(late, from: new).contains("clock of this machine is 61 minutes"))
            }
            let early = bob.request(new) { $0.time = WallTime(milliseconds: $0.time.milliseconds - 3_600_000) }
            #expect(await bob.say(early, from: new).hasPrefix("250 statement"))
            for (statement, words) in [
                (bob.statement(new, number: 3), "451 another key of this account was accepted meanwhile"),
                (bob.statement(new, number: 1), "451 another key of this account was accepted meanwhile"),
                (bob.statement(new) { $0.previous[0] ^= 1 }, "451 another key of this account was accepted meanwhile"),
                (bob.statement(new) { $0.device[0] ^= 1 }, "550 \(StatementRefusal.aboutAnother)"),
                (bob.statement(new) { $0.recipient = "age1nothing" }, "550 nothing can be sealed"),
                (Array(bob.statement(new).dropLast()), "550 \(StatementRefusal.truncated)"),
            ] {
                #expect(await bob.say(bob.request(new, statement), from: new).hasPrefix(words), "\(words)")
            }
            #expect(
                await bob.say(bob.request(carol, bob.statement(carol)), from: carol).contains("already belongs to a member"))
            #expect(world.store.directory == before)
            try await world.store.change { d throws(Failure) in try d.settingSuspended("bob", true) }
            #expect(await bob.say(bob.request(new), from: new).contains("bob is suspended"))
            #expect(await bob.say(bob.request(new, bob.statement(new)), from: new).contains("bob is suspended"))
            // Who does not have the kit does not learn that.
            #expect(
                await bob.say(bob.request(new, by: SigningKey.generate()), from: new) == "550 \(Directory.unknownToRestore)")
            try await world.store.change { d throws(Failure) in try d.settingSuspended("bob", false) }
            try await world.addGroup("vault", pq: .require)
            let restored = await bob.restore(new)
            #expect(restored.hasPrefix("250"))
            try await world.store.change { d throws(Failure) in try d.addingMembers(["bob"], to: "vault", asOwners: false) }
            let classical = try Person("bob")
            #expect(
                await bob.say(bob.request(classical, bob.statement(classical)), from: classical).contains(
                    "vault takes post-quantum keys only"))
        }
    }

    /// A recorded restoration is worth nothing once anything came after it, even in the hands of who has that device.
    @Test @LoopActor func aRecordedRestoration_isNoneLater() async throws {
        try await withWorld { world in
            let bob = try await Bob(world)
            let second = try fresh()
            let recorded = bob.request(second, bob.statement(second))
            #expect(await bob.restore(second).hasPrefix("250"))
            let third = try fresh()
            #expect(await bob.restore(third).hasPrefix("250"))
            let before = world.store.directory
            #expect(await bob.say(recorded, from: second).hasPrefix("451"))
            #expect(world.store.directory == before)
            // The old device's next statement is nobody's either.
            let stating = KeyStating(identity: bob.identity.publicKey, statement: bob.statement(second))
            let account = try #require(world.account("bob"))
            #expect(await world.context.state(stating, for: account).reply.code == 550)
        }
    }

    @Test @LoopActor func whatWaited_isGone_andTold_toBothSides() async throws {
        try await withWorld(config: "[server.spool]\nmailbox_quota = \"3KiB\"\n") { world in
            let alice = try await world.addKeyMember("alice")
            try await world.addGroup("board", members: ["alice"])
            let bob = try await Bob(world, groups: ["board"])
            let big = "Subject: big\r\n\r\n" + String(repeating: "x", count: 2000) + "\r\n"
            func send(_ id: String, _ destination: Directory.Destination) async throws {
                let outcome = await world.delivery.deliver(
                    try world.message(big, id: id), author: "alice", destinations: [destination])
                guard case .delivered = outcome else { throw Unexpected("\(outcome)") }
            }
            try await send("01", .member("bob"))
            // Held by the administrator, sealed to the lost key; then the quota is full, and what is held is sealed to the node.
            #expect(try await world.desk.hold(try await world.waiting("bob")[0].tag).held == 1)
            try await send("02", .member("bob"))
            try await send("03", .group("board"))
            try await send("04", .group("board"))
            #expect(world.held.map(\.cause) == [.admin, .mailboxFull])
            await world.pass(.seconds(30))
            let new = try fresh()
            let day = world.time.wall.day
            #expect(await bob.restore(new).contains("|lost 3|"))
            #expect(world.account("bob")?.lostBefore == nil && world.account("bob")?.lost == 3)
            #expect(
                try await world.notices(new) == [
                    ExpiryNotice(group: nil, count: 2, days: day...day, cause: .lostKey),
                    ExpiryNotice(group: "board", count: 1, days: day...day, cause: .lostKey),
                ])
            // What was sealed to the node reaches the new key.
            try await until { world.held.isEmpty }
            try await until { try await world.waiting("bob").count { !$0.isControl } == 1 }
            #expect(try await world.opened(new).contains { $0.hasPrefix("X-DDS-Submission: 04") })
            await world.pass(.seconds(30))
            let states = Dictionary(
                try await world.reports(alice: alice).flatMap(\.messages).map { ($0.submission, $0.copies.map(\.state)) },
                uniquingKeysWith: { $1 })
            #expect(states == ["01": [.lost], "02": [.lost], "03": [.lost], "04": [.waiting]])
            // Told once; the same request again says the same number.
            #expect(await bob.say(bob.request(new, bob.last), from: new).contains("|lost 3|"))
            #expect(try await world.notices(new).count == 2)
        }
    }

    /// What the first restoration had to tell and nobody has fetched is told by the second, with its number; what was fetched is not.
    @Test @LoopActor func twiceWithoutAFetch_loosesNoNumberAndNoNotice() async throws {
        try await withWorld { world in
            try await world.addKeyMember("alice")
            try await world.addGroup("board", members: ["alice"])
            let bob = try await Bob(world, groups: ["board"])
            let day = world.time.wall.day
            func send(_ destination: Directory.Destination) async throws {
                let outcome = await world.delivery.deliver(
                    try world.message("Subject: x\r\n\r\n"), author: "alice", destinations: [destination])
                guard case .delivered = outcome else { throw Unexpected("\(outcome)") }
            }
            for _ in 1...2 { try await send(.member("bob")) }
            try await send(.group("board"))
            // Mail that expired before is told of as what it was, and is not of those that are lost with a key.
            let expired = ExpiryNotice(group: "board", count: 7, days: 3...5)
            let mail = await world.delivery.mailer.mail(
                .expiry(expired), to: try #require(world.account("bob")), group: "board")
            _ = try await world.spool.commit(SpoolTransaction(appends: try #require(mail).appends(at: 0)))
            let second = try fresh()
            #expect(await bob.restore(second).contains("|lost 3|"))
            let told = [
                ExpiryNotice(group: nil, count: 2, days: day...day, cause: .lostKey),
                ExpiryNotice(group: "board", count: 1, days: day...day, cause: .lostKey), expired,
            ]
            #expect(try await world.notices(second) == told)
            await world.pass(.seconds(86400))
            try await send(.member("bob"))
            let third = try fresh()
            #expect(await bob.restore(third).contains("|lost 4|"))
            #expect(
                try await world.notices(third) == [
                    ExpiryNotice(group: nil, count: 3, days: day...(day + 1), cause: .lostKey), told[1], expired,
                ])
            #expect(try await world.waiting("bob").count == 3)
            let fetched = try await world.waiting("bob").map(\.uid)
            _ = try await world.spool.commit(SpoolTransaction(erasures: fetched))
            let fourth = try fresh()
            #expect(await bob.restore(fourth).contains("|lost 0|"))
            #expect(try await world.waiting("bob").isEmpty)
        }
    }

    /// A copy that was being sealed to the old key when it was replaced is gone like the others, and not fetched unread.
    @Test @LoopActor func whatWasUnderWay_isWaitedFor() async throws {
        try await withWorld { world in
            let bob = try await Bob(world)
            let new = try fresh()
            let old = try #require(world.account("bob"))
            let gate = LoopGate()
            await gate.enter()
            var replies: [String] = []
            Loop.spawn(name: "delivery") {
                await world.store.fence.pass {
                    await gate.enter()
                    if let mail = await world.delivery.mailer.mail(
                        .expiry(ExpiryNotice(group: nil, count: 1, days: 1...1)), to: old)
                    {
                        // As any other's mail, so that it counts.
                        let appends: [SpoolAppend] = [
                            .payload(tag: mail.id, body: mail.payload),
                            .delivery(mailbox: mail.mailbox, tag: mail.id, flags: 0, header: mail.header, payload: 0),
                        ]
                        _ = try? await world.spool.commit(SpoolTransaction(appends: appends))
                    }
                }
            }
            try await until { gate.waitingCount == 1 }
            Loop.spawn(name: "restore") { replies.append(await bob.restore(new)) }
            try await until { world.account("bob")?.keyNumber == 2 }
            #expect(replies.isEmpty)
            gate.leave()
            try await until { !replies.isEmpty }
            #expect(replies[0].hasSuffix("lost 1"))
            #expect(try await world.waiting("bob").allSatisfy(\.isControl))
        }
    }

    /// A machine that stopped between the new keys and the erasure, and a disk that is full just then.
    @Test @LoopActor func aStopInTheMiddle_loosesNoNumberAndNoNotice() async throws {
        try await withWorld { world in
            let bob = try await Bob(world)
            for _ in 1...2 { try await world.deliver(to: "bob") }
            let new = try fresh()
            let statement = bob.statement(new)
            // The keys are stored, the number is, and the erasure finds no room.
            world.spool.failNext(nil, nil, .full)
            #expect(await bob.say(bob.request(new, statement), from: new).hasPrefix("451 your new keys are in use"))
            #expect(try await world.waiting("bob").count == 2)
            #expect(world.account("bob")?.lostBefore == 2 && world.account("bob")?.lost == 2)
            let house = Housekeeping(
                store: world.store, spool: world.spool, book: world.book, delivery: world.delivery, services: world.services,
                keepUndelivered: .seconds(30 * 86400))
            await house.sweep()
            #expect(try await world.notices(new).map(\.count) == [2])
            #expect(world.account("bob")?.lostBefore == nil)
            #expect(await bob.say(bob.request(new, statement), from: new).contains("|lost 2"))
            // Another session has the maildrop: not now.
            bob.accepted(statement, new)
            let third = try fresh()
            #expect(world.book.lease(MailboxID(rawValue: try #require(world.account("bob")).mailbox)))
            #expect(await bob.restore(third).contains("busy"))
            world.book.release(MailboxID(rawValue: try #require(world.account("bob")).mailbox))
            #expect(world.account("bob")?.lostBefore == 3)
        }
    }

    /// Another enrolment counts its keys from 1, below those that a restoration gave up.
    @Test @LoopActor func anEnrolmentAfterARestoration_losesNothing() async throws {
        try await withWorld { world in
            let bob = try await Bob(world)
            let new = try fresh()
            // The restoration is stored and stops there.
            let statement = String(decoding: Base64.encode(bob.statement(new)), as: UTF8.self)
            let third = try fresh()
            try await world.store.change { _ throws(Failure) in
                [
                    .accessRestored(
                        name: "bob", deviceKey: Hex.encode(new.device.keyHash), number: 2,
                        recipient: "\(new.mailbox.recipient)", statement: statement),
                    .accessGranted(
                        name: "bob", login: .deviceKey(Hex.encode(third.device.keyHash)),
                        recipient: "\(third.mailbox.recipient)"),
                    .keyStated(name: "bob", identity: "ab", number: 1, recipient: "\(third.mailbox.recipient)", statement: ""),
                ]
            }
            try await world.deliver(to: "bob")
            let house = Housekeeping(
                store: world.store, spool: world.spool, book: world.book, delivery: world.delivery, services: world.services,
                keepUndelivered: .seconds(30 * 86400))
            await house.sweep()
            #expect(try await world.opened(third).count == 1)
            #expect(try await world.notices(third).isEmpty)
        }
    }

    @Test @LoopActor func overSMTP_sealedAndUnderTheNameOfEnrolments_andGuessesAreCounted() async throws {
        try await withWorld { world in
            let bob = try await Bob(world)
            let new = try fresh()
            func client(_ person: Person) async throws -> (LineClient, String) {
                let client = try await world.connect(.submissions, as: person)
                _ = try await client.command("EHLO c.test")
                let name = String(decoding: Base64.encode(Array("enrol".utf8)), as: UTF8.self)
                return (client, try await client.command("AUTH EXTERNAL \(name)")[0])
            }
            func say(_ client: LineClient, _ request: RestoreRequest) async throws -> String {
                try await client.submit(
                    from: "enrol", to: ["enrol@node.test"],
                    try world.sealed(String(decoding: request.message, as: UTF8.self)))
            }
            let (newcomer, _) = try await client(new)
            #expect(try await say(newcomer, bob.request(new)).hasPrefix("250 2.0.0 statement 1 "))
            let statement = bob.statement(new)
            #expect(
                try await newcomer.submit(
                    from: "enrol", to: ["enrol@node.test"], bob.request(new, statement).message
                ).hasPrefix("550 5.6.0"))
            let reply = try await say(newcomer, bob.request(new, statement))
            #expect(reply.contains("welcome bob@node.test") && reply.contains("lost 0"))
            // The connection is over with the device's new place; guesses at kits come from another.
            let thief = try fresh()
            for _ in 1...10 {
                let (guessing, _) = try await client(thief)
                let guess = bob.request(thief, by: SigningKey.generate())
                #expect(try await say(guessing, guess) == "550 5.7.1 \(Directory.unknownToRestore)")
            }
            #expect(try await client(thief).1.hasPrefix("535"))
        }
    }
}
