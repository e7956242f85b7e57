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

/// A member's further devices: how one is let in, that each gets everything, and that one that is revoked gets nothing any more.
@Suite(.timeLimit(.minutes(5))) @LoopActor struct DeviceTests {
    private func words(_ reply: SMTPReply) -> String { "\(reply.code) \(reply.lines.joined(separator: "|"))" }

    // MARK: Linking

    @Test func aLink_goesThroughFourSteps_andTheNodeSaysHowFarItIs() async throws {
        try await withWorld { world in
            let alice = try await DeviceOwner("alice", world)
            let phone = try Person("alice", kind: .hybrid)
            #expect(words(await alice.claim(phone)) == "550 \(LinkDesk.unknown)")
            #expect(words(await alice.confirm(phone)) == "550 \(LinkDesk.unknown)")
            #expect(words(try await alice.ask(.offer(link: alice.link.id))) == "250 offered")
            #expect(LinkState(lines: try await alice.ask(.look(link: alice.link.id)).lines) == .open)
            // Nobody has claimed it yet.
            #expect(words(try await alice.grant(phone)) == "550 \(LinkDesk.unknown)")
            #expect(words(await alice.confirm(phone)) == "550 \(LinkDesk.unknown)")
            #expect(LinkAnswer(lines: await alice.claim(phone).lines) == .waiting)
            guard
                case .claimed(let device, let recipient, _, "phone")? = LinkState(
                    lines: try await alice.ask(.look(link: alice.link.id)).lines)
            else {
                Issue.record("no claim")
                return
            }
            #expect(device == phone.device.keyHash && recipient == "\(phone.mailbox.recipient)")
            // A claim alone lets nobody in, and no other device takes its place.
            #expect(words(await alice.confirm(phone)) == "550 \(LinkDesk.unknown)")
            let other = try Person("alice")
            #expect(words(await alice.claim(other)).hasPrefix("550 another device has used this link"))
            #expect(words(try await alice.grant(other)) == "550 \(LinkDesk.unknown)")
            #expect(words(try await alice.grant(phone)) == "250 granted")
            #expect(LinkState(lines: try await alice.ask(.look(link: alice.link.id)).lines) == .granted)
            #expect(words(await alice.confirm(other)) == "550 \(LinkDesk.unknown)")
            #expect(LinkAnswer(lines: await alice.claim(phone).lines) == .parcel(DeviceOwner.parcel))
            let reply = await alice.confirm(phone)
            #expect(EnrolmentWelcome(lines: reply.lines)?.device == 2)
            #expect(LinkState(lines: try await alice.ask(.look(link: alice.link.id)).lines) == .linked(2))
            // The reply may have got lost: the same again is the same answer, also when the link is gone.
            world.context.links = LinkDesk()
            #expect(await alice.confirm(phone) == reply)
            #expect(world.account("alice")?.perDevice.count == 2)
            let client = try await world.pop3(phone)
            #expect(try await client.ask("STAT") == "+OK 0 0")
            // A later start knows it all.
            let again = try await DirectoryStore.open(spool: world.spool).directory
            #expect(again == world.store.directory)
            #expect(again.account(deviceKey: Hex.encode(phone.device.keyHash))?.deviceNumber == 2)
        }
    }

    @Test func aLink_isGoodForItsTimeAndNoLonger() async throws {
        for (late, isGood) in [(-1, true), (0, false), (1, false)] {
            try await withWorld { world in
                let alice = try await DeviceOwner("alice", world)
                _ = try await alice.ask(.offer(link: alice.link.id))
                world.time.advance(by: DeviceLink.lifetime + .milliseconds(late))
                #expect((await alice.claim(try Person("alice"))).code == (isGood ? 250 : 550), "\(late)")
            }
        }
    }

    @Test func aSecondOffer_endsTheFirst_andAnotherDevicesLinkIsNotMine() async throws {
        try await withWorld { world in
            let alice = try await DeviceOwner("alice", world)
            let bob = try await DeviceOwner("bob", world)
            _ = try await alice.ask(.offer(link: alice.link.id))
            #expect(words(try await bob.ask(.look(link: alice.link.id))) == "550 \(LinkDesk.unknown)")
            _ = try await alice.ask(.offer(link: String(repeating: "0", count: 32)))
            #expect(words(await alice.claim(try Person("alice"))) == "550 \(LinkDesk.unknown)")
        }
    }

    /// The key of a device lies open on its disk: without the identity it asks for nothing.
    @Test func onlyTheIdentity_asks_fromThisDevice_toThisNode_now() async throws {
        try await withWorld { world in
            let alice = try await DeviceOwner("alice", world)
            try await alice.add()
            let account = try alice.account(1)
            func answer(_ request: DeviceRequest) async -> Int { await world.context.answer(request, by: account).reply.code }
            #expect(await answer(try alice.request(.revoke(2), by: .generate())) == 550)
            #expect(await answer(try alice.request(.revoke(2), from: 2)) == 550)
            let elsewhere = DeviceRequest(
                .revoke(2), of: alice.address, device: try #require(alice.people[1]).device.keyHash,
                node: [UInt8](repeating: 0, count: 32), time: world.time.wall, signedBy: alice.identity)
            #expect(await answer(elsewhere) == 550)
            var other = try alice.request(.list)
            other.action = .revoke(2)
            #expect(await answer(other) == 550)
            for minutes in [-61, 61] {
                let wall = world.time.wall + .seconds(minutes * 60)
                let reply = await world.context.answer(try alice.request(.revoke(2), time: wall), by: account).reply
                #expect(words(reply).contains("61 minutes apart"))
            }
            #expect(world.account("alice")?.perDevice.count == 2)
            #expect(await answer(try alice.request(.revoke(2), time: world.time.wall + .seconds(3600))) == 250)
        }
    }

    /// A thief's link, which was answered already, ends with the device that made it.
    @Test func aLink_endsWithAnyDeviceThatEnds() async throws {
        for end in ["revoked", "restored"] {
            try await withWorld { world in
                let alice = try await DeviceOwner("alice", world)
                try await alice.add()
                let thief = try Person("alice")
                _ = try await alice.ask(.offer(link: alice.link.id))
                _ = await alice.claim(thief)
                _ = try await alice.grant(thief)
                if end == "revoked" {
                    #expect(words(try await alice.ask(.revoke(1), from: 2)) == "250 revoked 1")
                } else {
                    #expect(await alice.restore(try Person("alice")).code == 250)
                }
                #expect(words(await alice.confirm(thief)) == "550 \(LinkDesk.unknown)", "\(end)")
            }
        }
    }

    @Test func aStatementThatIsNotTheMembers_letsNobodyIn() async throws {
        try await withWorld { world in
            let alice = try await DeviceOwner("alice", world)
            try await world.addGroup("board", pq: .require)
            let phone = try Person("alice")
            for action in [DeviceRequest.Action.offer(link: alice.link.id)] { _ = try await alice.ask(action) }
            _ = await alice.claim(phone)
            _ = try await alice.grant(phone)
            let foreign = alice.statement(phone, number: 1, after: nil, by: .generate())
            #expect(words(await alice.confirm(phone, foreign)) == "550 \(StatementRefusal.wrongSignature.description)")
            let second = alice.statement(phone, number: 2, after: nil)
            #expect(words(await alice.confirm(phone, second)) == "550 \(StatementRefusal.skipped.description)")
            let other = alice.statement(try Person("alice"), number: 1, after: nil)
            #expect(words(await alice.confirm(phone, other)) == "550 \(StatementRefusal.aboutAnother.description)")
            try await world.store.change { _ throws(Failure) in [.accountSuspended(name: "alice")] }
            #expect(words(await alice.confirm(phone)).contains("alice is suspended"))
            #expect(world.account("alice")?.others == nil)
        }
    }

    @Test func aClassicalKey_isKeptOutOfWhatRequiresHybridOnes() async throws {
        try await withWorld { world in
            try await world.addGroup("board", pq: .require)
            let alice = try await DeviceOwner("alice", world)
            let hybrid = AgeIdentity.generate(kind: .hybrid, random: SystemRandom())
            let stating = KeyStating(
                identity: alice.identity.publicKey,
                statement: alice.statement(
                    try #require(alice.people[1]), number: 2, after: alice.statements[1], recipient: hybrid.recipient))
            #expect(await world.context.state(stating, for: try alice.account(1)).reply.code == 250)
            try await world.store.change { _ throws(Failure) in [.memberAdded(group: "board", member: "alice", isOwner: false)]
            }
            await #expect(throws: Unexpected.self) { try await alice.add(kind: .classical) }
            #expect(world.account("alice")?.others == nil)
            #expect(try await alice.add(kind: .hybrid) == 2)
        }
    }

    @Test func eightDevices_areTheMost() async throws {
        try await withWorld { world in
            let alice = try await DeviceOwner("alice", world)
            for number in 2...Account.devicesMax { #expect(try await alice.add() == number) }
            #expect(words(try await alice.ask(.offer(link: alice.link.id))).contains("8 devices are the most"))
            #expect(words(try await alice.ask(.revoke(8))) == "250 revoked 8")
            // A number is never used twice.
            #expect(try await alice.add() == Account.devicesMax + 1)
        }
    }

    // MARK: Mail

    @Test func eachDevice_getsEachMessage_underItsOwnKey() async throws {
        try await withWorld { world in
            let alice = try await DeviceOwner("alice", world)
            let bob = try await DeviceOwner("bob", world)
            try await world.addGroup("board", members: ["alice", "bob"])
            try await alice.add()
            let older = try await bob.opened(1).count
            let outcome = await world.delivery.deliver(
                try world.message("Subject: a\r\n\r\n1\r\n", id: "1"), author: "bob", destinations: [.member("alice")])
            #expect(outcome == .delivered(readers: 2))
            _ = await world.delivery.deliver(
                try world.message("Subject: b\r\n\r\n2\r\n", id: "2"), author: "bob", destinations: [.group("board")])
            for number in [1, 2] {
                #expect(try await alice.opened(number).map { $0.suffix(2) } == ["1\r\n", "2\r\n"])
            }
            #expect(try await bob.opened(1).count == older)
            // Each has its own chain of keys, and its own number in the header.
            let next = AgeIdentity.generate(kind: .classical, random: SystemRandom())
            let stating = KeyStating(
                identity: alice.identity.publicKey,
                statement: alice.statement(
                    try #require(alice.people[2]), number: 2, after: alice.statements[2], recipient: next.recipient))
            let first = try alice.account(1)
            #expect(words(await world.context.state(stating, for: try alice.account(2)).reply) == "250 key 2 older 2")
            #expect(try alice.account(1).recipient == first.recipient && alice.account(1).keyNumber == 1)
            #expect(try alice.account(2).recipient == "\(next.recipient)" && alice.account(2).keyNumber == 2)
            #expect(await world.context.state(stating, for: first).reply.code == 550)
            _ = await world.delivery.deliver(try world.message(id: "3"), author: "bob", destinations: [.member("alice")])
            let numbers = try await [1, 2].asyncMap { number in
                KeyNote.number(in: try await world.stanzas(try #require(try await alice.waiting(number).last)))
            }
            #expect(numbers == [1, 2])
        }
    }

    @Test func whatOneDeviceSends_theOthersGet_andNotItself() async throws {
        try await withWorld { world in
            let alice = try await DeviceOwner("alice", world)
            _ = try await DeviceOwner("bob", world)
            try await world.addGroup("board", members: ["alice", "bob"])
            try await world.addGroup("open", posting: .all, members: ["bob"])
            try await alice.add()
            func send(_ destinations: [Directory.Destination], from number: Int, id: String) async throws -> [Int] {
                let before = try await [alice.opened(1).count, alice.opened(2).count]
                _ = await world.delivery.deliver(
                    try world.message(id: id), author: "alice", from: try alice.account(number).mailbox,
                    destinations: destinations)
                let after = try await [alice.opened(1).count, alice.opened(2).count]
                return zip(before, after).map { $1 - $0 }
            }
            #expect(try await send([.member("bob")], from: 1, id: "1") == [0, 1])
            #expect(try await send([.member("bob")], from: 2, id: "2") == [1, 0])
            #expect(try await send([.group("board")], from: 2, id: "3") == [1, 0])
            // Also what goes to a group that they are not in.
            #expect(try await send([.group("open")], from: 1, id: "4") == [0, 1])
            // A note to oneself is mail.
            #expect(try await send([.member("alice")], from: 2, id: "5") == [1, 1])
            // A resend brings nothing twice.
            #expect(try await send([.member("bob")], from: 1, id: "1") == [0, 0])
        }
    }

    @Test func anAuthorOfOneDevice_getsNoCopy() async throws {
        try await withWorld { world in
            let alice = try await DeviceOwner("alice", world)
            _ = try await DeviceOwner("bob", world)
            _ = await world.delivery.deliver(try world.message(), author: "alice", destinations: [.member("bob")])
            #expect(try await alice.waiting(1).isEmpty)
        }
    }

    @Test func theQueue_isOfPersons() async throws {
        try await withWorld { world in
            let alice = try await DeviceOwner("alice", world)
            _ = try await DeviceOwner("bob", world)
            try await alice.add()
            _ = await world.delivery.deliver(try world.message(id: "1"), author: "bob", destinations: [.member("alice")])
            let first = try await alice.waiting(1).filter { !$0.isControl }
            _ = try await world.spool.commit(SpoolTransaction(erasures: first.map(\.uid)))
            let queue = QueueDesk(delivery: world.delivery, store: world.store, spool: world.spool, book: world.book)
            #expect(try await queue.entries(member: world.account("alice")).count == 1)
            #expect(try await queue.entries(member: world.account("bob")).isEmpty)
        }
    }

    /// `fetched` means that the node has no copy left, of a person as of a device.
    @Test func anAuthor_isToldOfPersons_notOfDevices() async throws {
        let copies = [
            MessageRecord.Copy(member: "alice", mailbox: 1, group: nil),
            MessageRecord.Copy(member: "bob", mailbox: 2, group: nil),
            MessageRecord.Copy(member: "bob", mailbox: 3, group: nil),
            MessageRecord.Copy(member: "carol", mailbox: 4, group: nil),
        ]
        let record = MessageRecord(
            author: "alice", authorMailbox: 9, submission: "", day: 0, destinations: ["bob", "carol"], copies: copies)
        func told(_ states: [CopyState], usesKey: Bool = true) -> [String] {
            PersonalStates.lines(of: record, states, authorUsesKey: usesKey).map { "\($0.copy.member) \($0.state)" }
        }
        #expect(told([.waiting, .fetched, .waiting, .fetched]) == ["bob waiting", "carol fetched"])
        #expect(told([.fetched, .fetched, .held, .fetched]) == ["bob held", "carol fetched"])
        #expect(told([.fetched, .fetched, .fetched, .lost]) == ["bob fetched", "carol lost"])
        // Who read it on one device has it, whatever became of the other copy.
        #expect(told([.fetched, .removed, .fetched, .fetched]) == ["bob fetched", "carol fetched"])
        #expect(told([.fetched, .expired, .removed, .fetched]) == ["bob expired", "carol fetched"])
        #expect(
            told([.waiting, .fetched, .fetched, .fetched], usesKey: false) == ["alice waiting", "bob fetched", "carol fetched"])
    }

    @Test func aFullDevice_keepsNothingFromTheOthers() async throws {
        try await withWorld { world in
            let alice = try await DeviceOwner("alice", world)
            _ = try await DeviceOwner("bob", world)
            try await alice.add()
            _ = await world.delivery.deliver(try world.message(id: "1"), author: "bob", destinations: [.member("alice")])
            world.context.maildropQuota = 1
            let second = try await alice.waiting(2)
            _ = try await world.spool.commit(SpoolTransaction(erasures: second.map(\.uid)))
            world.delivery.erased(second, from: MailboxID(rawValue: try alice.account(2).mailbox))
            #expect(world.context.fullMaildropReply(alice.address) == nil)
            let outcome = await world.delivery.deliver(
                try world.message(id: "2"), author: "bob", destinations: [.member("alice")])
            #expect(outcome == .delivered(readers: 2, held: 1))
            #expect(try await [alice.opened(1).count, alice.opened(2).count] == [1, 1])
            // Now both are full, and who writes is told.
            #expect(world.context.fullMaildropReply(alice.address)?.code == 452)
        }
    }

    // MARK: Rosters

    @Test func aRoster_namesEachDevicesKey_andIsSentToEach() async throws {
        try await withWorld { world in
            let alice = try await DeviceOwner("alice", world)
            _ = try await DeviceOwner("bob", world)
            try await world.addGroup("board", members: ["alice", "bob"])
            world.delivery.rosters.turnOn()
            _ = await world.delivery.rosters.makeAll()
            try await alice.add()
            #expect(world.store.directory.groupsWithDueRoster == ["board"])
            _ = await world.delivery.rosters.makeAll()
            let roster = try #require(try await world.rosters("bob").last?.roster)
            #expect(roster.member(alice.address)?.devices.map(\.number) == [1, 2])
            let recipients = try [alice.account(1).recipient, alice.account(2).recipient]
            #expect(roster.member(alice.address)?.devices.map(\.recipient) == recipients)
            #expect(try await alice.waiting(2).count == 1)
            _ = try await alice.ask(.revoke(2))
            #expect(world.store.directory.groupsWithDueRoster == ["board"])
        }
    }

    // MARK: The end of a device

    @Test func aRevokedDevice_isCutOff_andWhatWaitedForItIsGone() async throws {
        try await withWorld { world in
            let alice = try await DeviceOwner("alice", world)
            _ = try await DeviceOwner("bob", world)
            try await alice.add()
            _ = await world.delivery.deliver(try world.message(id: "1"), author: "bob", destinations: [.member("alice")])
            let device = try alice.account(2)
            let phone = try #require(alice.people[2])
            let reading = try await world.pop3(phone)
            let writing = try await world.submission(phone)
            #expect(words(try await alice.ask(.revoke(2))) == "250 revoked 2")
            await reading.end()
            await writing.end()
            #expect(try await world.spool.entries(in: MailboxID(rawValue: device.mailbox)).isEmpty)
            #expect(world.store.directory.account(mailbox: device.mailbox) == nil && world.account("alice")?.others == nil)
            await #expect(throws: Unexpected.self) { try await world.pop3(phone) }
            // The first goes on, and its mail is there.
            #expect(try await alice.opened(1).count == 1)
            let again = try await DirectoryStore.open(spool: world.spool).directory
            #expect(again == world.store.directory)
        }
    }

    /// Nobody is added to a person in silence.
    @Test func theOtherDevices_areTold_inTheTransactionThatSaysSo() async throws {
        try await withWorld { world in
            let alice = try await DeviceOwner("alice", world)
            try await alice.add()
            let before = world.spool.commitCount
            try await alice.add()
            #expect(world.spool.commitCount == before + 1)
            _ = try await alice.ask(.revoke(3), from: 2)
            let linked = DeviceNotice(.linked, number: 2, title: "phone")
            let (third, gone) = (
                DeviceNotice(.linked, number: 3, title: "phone"), DeviceNotice(.revoked, number: 3, title: "phone")
            )
            #expect(try await alice.notices(1) == [linked, third, gone])
            #expect(try await alice.notices(2) == [third, gone])
            #expect(world.book.usage[MailboxID(rawValue: try alice.account(2).mailbox)]?.count == 2)
        }
    }

    @Test func theFirstDevice_isRevokedLikeAnother_byAnother() async throws {
        try await withWorld { world in
            let alice = try await DeviceOwner("alice", world)
            _ = try await DeviceOwner("bob", world)
            try await alice.add()
            try await alice.add()
            let old = try alice.account(1)
            #expect(words(try await alice.ask(.revoke(1))).contains("is the one that asks"))
            #expect(words(try await alice.ask(.revoke(1), from: 3)) == "250 revoked 1")
            #expect(world.account("alice")?.perDevice.map(\.deviceNumber) == [2, 3])
            #expect(world.store.directory.account(mailbox: old.mailbox) == nil)
            await #expect(throws: Unexpected.self) { try await world.pop3(try #require(alice.people[1])) }
            let outcome = await world.delivery.deliver(
                try world.message(id: "1"), author: "bob", destinations: [.member("alice")])
            #expect(outcome == .delivered(readers: 2))
            #expect(try await [alice.opened(2).count, alice.opened(3).count] == [1, 1])
            // The last one stays.
            _ = try await alice.ask(.revoke(2), from: 3)
            #expect(throws: Failure.self) { try world.store.directory.revoking(3, of: "alice") }
            let again = try await DirectoryStore.open(spool: world.spool).directory
            #expect(again == world.store.directory)
            #expect(try await alice.add(from: 3) == 4)
        }
    }

    @Test func accessGivenAnew_endsAllDevices() async throws {
        try await withWorld { world in
            let alice = try await DeviceOwner("alice", world)
            try await alice.add()
            let device = try alice.account(2)
            let person = try Person("alice")
            try await world.join(person, as: "alice")
            #expect(world.account("alice")?.others == nil)
            #expect(world.store.directory.account(mailbox: device.mailbox) == nil)
            #expect(world.store.directory.account(deviceKey: Hex.encode(try #require(alice.people[2]).device.keyHash)) == nil)
            #expect(world.store.directory.account(deviceKey: Hex.encode(person.device.keyHash))?.name == "alice")
        }
    }

    /// An agent that took itself for another device would seal to itself, and be refused, in mode sealed.
    @Test func whoComesBack_isToldWhichDeviceItIs() async throws {
        try await withWorld { world in
            let alice = try await DeviceOwner("alice", world)
            try await alice.add()
            #expect(EnrolmentWelcome(lines: world.context.welcome("alice").lines)?.device == nil)
            _ = try await alice.ask(.revoke(1), from: 2)
            let reply = await alice.restore(try Person("alice"))
            #expect(EnrolmentWelcome(lines: reply.lines)?.device == 2)
            let account = try #require(world.account("alice"))
            #expect(account.deviceNumber == 2 && account.deviceTitle == nil && account.deviceSince == nil)
        }
    }

    @Test func aRestoration_endsAllDevices_andTheirMail() async throws {
        try await withWorld { world in
            let alice = try await DeviceOwner("alice", world)
            _ = try await DeviceOwner("bob", world)
            try await alice.add()
            _ = await world.delivery.deliver(try world.message(id: "1"), author: "bob", destinations: [.member("alice")])
            let device = try alice.account(2)
            let person = try Person("alice")
            let reply = await alice.restore(person)
            #expect(words(reply).contains("|lost 1"))
            #expect(world.account("alice")?.others == nil && world.account("alice")?.mailbox != device.mailbox)
            #expect(try await world.spool.entries(in: MailboxID(rawValue: device.mailbox)).isEmpty)
            await #expect(throws: Unexpected.self) { try await world.pop3(try #require(alice.people[2])) }
        }
    }
}

extension Array {
    @LoopActor fileprivate func asyncMap<Value>(_ body: @LoopActor (Element) async throws -> Value) async throws -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await body(element)) }
        return values
    }
}
