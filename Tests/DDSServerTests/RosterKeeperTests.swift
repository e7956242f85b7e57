// When a group gets its next roster, who is told, which roster a message names, and that it says who gets the message.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSTLS
import DDSTestKit
import Foundation
import Testing

@testable import DDSServer

@Suite(.timeLimit(.minutes(5))) struct RosterKeeperTests {
    /// Alice, bob and carol are in #board; rosters are made.
    @LoopActor private func withBoard(_ body: @LoopActor (World) async throws -> Void) async throws {
        try await withWorld { world in
            world.delivery.rosters.turnOn()
            for name in ["alice", "bob", "carol"] { try await world.addKeyMember(name) }
            try await world.addGroup("board", members: ["alice", "bob"], owners: ["carol"])
            try await body(world)
        }
    }

    @Test @LoopActor func changesOfAWhile_areOneRoster_inOneTransaction() async throws {
        try await withBoard { world in
            let before = world.spool.commitCount
            #expect(await world.delivery.rosters.makeAll())
            #expect(world.spool.commitCount == before + 1)
            for name in ["alice", "bob", "carol"] {
                let roster = try #require(try await world.rosters(name).first?.roster)
                #expect(roster.number == 1 && roster.previous == nil && "\(roster.group)" == "board@node.test")
                #expect(roster.members.map(\.display) == ["alice", "bob", "carol"])
                #expect(roster.members.map(\.role) == [.member, .member, .owner])
                #expect(
                    roster.members.map { $0.devices.first?.recipient }
                        == ["alice", "bob", "carol"].map { world.account($0)?.recipient })
                #expect(
                    roster.settings
                        == Roster.Settings(mode: "relay", posting: "members", pq: "prefer", senderAuth: "attested"))
            }
            // One payload for all of them, and nothing more as long as nothing changes.
            #expect(world.spool.payloadCount == 1)
            #expect(await world.delivery.rosters.makeAll() && world.spool.commitCount == before + 1)
        }
    }

    @Test @LoopActor func everyRoster_followsTheOneBefore_andNewMembersBeginThere() async throws {
        try await withBoard { world in
            var chain = RosterChain(group: try #require(MailAddress("board@node.test")))
            _ = await world.delivery.rosters.makeAll()
            let dora = try await world.addKeyMember("dora", groups: ["board"])
            _ = await world.delivery.rosters.makeAll()
            try await world.store.change { d throws(Failure) in try d.changingGroup("board", title: nil, posting: .all) }
            try await world.store.change { d throws(Failure) in try d.removingMembers(["bob"], from: "board") }
            _ = await world.delivery.rosters.makeAll()
            for document in try await world.rosters("alice") { try chain.take(document) }
            #expect(chain.last == world.store.directory.rosterHead(of: "board") && chain.last?.number == 3)
            #expect(try await world.rosters(dora.name).map(\.roster.number) == [2, 3])
            // Who is not in it is not told of it.
            #expect(try await world.rosters("bob").map(\.roster.number) == [1, 2])
            #expect(try await world.rosters("alice").last?.roster.settings.posting == "all")
        }
    }

    @Test @LoopActor func aGroupHandedOver_isOneRoster_ofOneChange() async throws {
        try await withBoard { world in
            _ = await world.delivery.rosters.makeAll()
            let before = world.spool.commitCount
            try await world.store.change { d throws(Failure) in try d.handingOver("board", from: "carol", to: "bob") }
            #expect(world.spool.commitCount == before + 1)
            _ = await world.delivery.rosters.makeAll()
            let rosters = try await world.rosters("carol").map(\.roster)
            #expect(rosters.map(\.number) == [1, 2])
            let roster = try #require(rosters.last)
            #expect(roster.members.map(\.display) == ["alice", "bob", "carol"])
            #expect(roster.members.map(\.role) == [.member, .owner, .member])
            #expect(
                RosterChanges(from: rosters[0], to: roster).sentences.sorted() == [
                    "bob <bob@node.test> is an owner now", "carol <carol@node.test> is no owner any more",
                ])
        }
    }

    @Test(arguments: ["key", "suspended", "resumed", "owner", "pq", "sender auth", "gone"])
    @LoopActor func everyChangeThatMatters_makesOne(what: String) async throws {
        try await withBoard { world in
            if what == "resumed" {
                try await world.store.change { d throws(Failure) in try d.settingSuspended("bob", true) }
            }
            _ = await world.delivery.rosters.makeAll()
            let bob = try Person("bob")
            try await world.store.change { d throws(Failure) in
                switch what {
                case "key":
                    [
                        .accessGranted(
                            name: "bob", login: .deviceKey(Hex.encode(bob.device.keyHash)),
                            recipient: "\(bob.mailbox.recipient)")
                    ]
                case "suspended": try d.settingSuspended("bob", true)
                case "resumed": try d.settingSuspended("bob", false)
                case "owner": try d.addingMembers(["bob"], to: "board", asOwners: true)
                case "pq": try d.changingGroup("board", title: nil, posting: nil, pq: .off)
                case "sender auth": try d.changingGroup("board", title: nil, posting: nil, senderAuth: .signed)
                default: try d.removingAccount("bob")
                }
            }
            #expect(world.store.directory.isRosterDue("board"))
            _ = await world.delivery.rosters.makeAll()
            let rosters = try await world.rosters("alice").map(\.roster)
            #expect(rosters.count == 2)
            let member = rosters[1].members.first { $0.display == "bob" }
            #expect((member == nil) == (what == "suspended" || what == "gone"))
            #expect(member?.devices.first?.recipient == (member == nil ? nil : world.account("bob")?.recipient))
        }
    }

    @Test @LoopActor func whatConcernsNoGroup_makesNone() async throws {
        try await withBoard { world in
            _ = await world.delivery.rosters.makeAll()
            try await world.addKeyMember("dora")
            try await world.store.change { d throws(Failure) in try d.changingGroup("board", title: "The board", posting: nil) }
            try await world.store.change { d throws(Failure) in try d.settingSuspended("dora", true) }
            #expect(world.store.directory.groupsWithDueRoster.isEmpty)
        }
    }

    @Test @LoopActor func whatCouldNotBeStored_isMadeLater_alsoAfterARestart() async throws {
        try await withBoard { world in
            world.spool.failNext(.full)
            #expect(await world.delivery.rosters.makeAll() == false)
            #expect(try await world.rosters("alice").isEmpty)
            let store = try await DirectoryStore.open(spool: world.spool)
            #expect(store.directory.groupsWithDueRoster == ["board"])
            #expect(await world.delivery.rosters.makeAll())
            #expect(try await world.rosters("alice").map(\.roster.number) == [1])
            let again = try await DirectoryStore.open(spool: world.spool)
            #expect(again.directory == world.store.directory && again.directory.groupsWithDueRoster.isEmpty)
        }
    }

    @Test @LoopActor func aGroupOfTheSameName_goesOnCounting() async throws {
        try await withBoard { world in
            _ = await world.delivery.rosters.makeAll()
            try await world.store.change { d throws(Failure) in try d.removingGroup("board") }
            #expect(world.store.directory.groupsWithDueRoster.isEmpty && world.store.directory.rosterHead(of: "board") == nil)
            try await world.addGroup("board", members: ["alice"])
            _ = await world.delivery.rosters.makeAll()
            var chain = RosterChain(group: try #require(MailAddress("board@node.test")))
            for document in try await world.rosters("alice") { try chain.take(document) }
            #expect(chain.last?.number == 2)
        }
    }

    /// Agents change their mailbox keys every day; that is one roster an hour at most, and no message waits for it.
    @Test @LoopActor func mailboxKeysOfOneOwner_areGatheredForAnHour() async throws {
        try await withBoard { world in
            @LoopActor func state(_ number: UInt64, identity: String, recipient: String) async throws {
                try await world.store.change { _ throws(Failure) in
                    [.keyStated(name: "bob", identity: identity, number: number, recipient: recipient, statement: "")]
                }
                world.delivery.rosters.noteChange()
            }
            let identity = String(repeating: "b0", count: 32)
            let second = "\(try Person("bob").mailbox.recipient)"
            try await state(1, identity: identity, recipient: try #require(world.account("bob")?.recipient))
            #expect(world.store.directory.groupsWithDueRoster == ["board"])
            _ = await world.delivery.rosters.makeAll()
            try await state(2, identity: identity, recipient: second)
            #expect(
                world.store.directory.groupsWithDueRoster.isEmpty && world.store.directory.groupsWithStaleRoster == ["board"])
            world.time.advance(by: .seconds(3599))
            _ = await world.delivery.rosters.makeAll()
            #expect(try await world.rosters("alice").count == 1)
            world.time.advance(by: .seconds(1))
            _ = await world.delivery.rosters.makeAll()
            let bobs = try await world.rosters("alice").compactMap { $0.roster.members.first { $0.display == "bob" } }
            #expect(
                bobs.map { $0.devices.first?.keyNumber } == [1, 2]
                    && bobs.map { $0.identity.map { Hex.encode($0) } } == [identity, identity])
            #expect(bobs.last?.devices.first?.recipient == second && world.store.directory.groupsWithStaleRoster.isEmpty)
            try await state(1, identity: String(repeating: "b1", count: 32), recipient: second)
            #expect(world.store.directory.groupsWithDueRoster == ["board"])
        }
    }

    /// A directory that was stored before there were rosters.
    @Test func anOldDirectory_opens_andAllItsRostersAreDue() throws {
        var directory = Directory()
        directory.apply(.groupAdded(name: "board", title: "Board", mode: .relay, posting: .all))
        directory.apply(.rosterMade(group: "board", number: 1, hash: String(repeating: "0", count: 64)))
        let stored = try JSONEncoder().encode(directory)
        var json = try #require(JSONSerialization.jsonObject(with: stored) as? [String: Any])
        #expect(try JSONDecoder().decode(Directory.self, from: stored) == directory)
        json["rosters"] = nil
        let old = try JSONDecoder().decode(Directory.self, from: JSONSerialization.data(withJSONObject: json))
        #expect(old.groupsWithDueRoster == ["board"] && directory.groupsWithDueRoster.isEmpty)
    }

    // MARK: Messages

    @Test @LoopActor func aMessage_namesTheRosterThatSaysWhoGetsIt() async throws {
        try await withBoard { world in
            for change in 0..<3 {
                if change == 1 { try await world.addKeyMember("dora", groups: ["board"]) }
                if change == 2 {
                    try await world.store.change { d throws(Failure) in try d.removingMembers(["bob"], from: "board") }
                }
                _ = await world.delivery.deliver(try world.message(), author: "alice", destinations: [.group("board")])
                let rosters = try await world.rosters("carol")
                #expect(rosters.count == change + 1)
                let note = RosterNote(group: "board", head: try #require(rosters.last).head)
                let readers = try #require(rosters.last).roster.members.map(\.display).filter { $0 != "alice" }
                for name in ["bob", "carol", "dora"] {
                    let notes = try await world.messageNotes(name)
                    #expect(notes.count { $0.rosters == [note] } == (readers.contains(name) ? 1 : 0), "\(change) \(name)")
                    #expect(notes.allSatisfy { $0.authors == [AuthorNote(group: "board", author: "alice")] })
                }
            }
        }
    }

    /// The change is decided while the roster before it is being stored.
    @Test @LoopActor func aChangeWhileAMessageIsSealed_isInTheRosterOrAfterTheMessage() async throws {
        try await withBoard { world in
            let message = try world.message()
            world.spool.hold()
            let delivering = Task { @LoopActor in
                await world.delivery.deliver(message, author: "alice", destinations: [.group("board")])
            }
            await world.spool.waitUntilHeld()
            let removing = Task { @LoopActor in
                try await world.store.change { d throws(Failure) in try d.removingMembers(["bob"], from: "board") }
            }
            for _ in 0..<5 { await Task.yield() }
            world.spool.release()
            _ = await delivering.value
            try await removing.value
            let notes = try await world.messageNotes("carol")
            let head = try #require(notes.first?.rosters.first?.head)
            let named = try #require(try await world.rosters("carol").first { $0.head == head })
            let count = try await world.messageNotes("bob").count
            #expect(count == (named.roster.members.contains { $0.display == "bob" } ? 1 : 0))
        }
    }

    @Test @LoopActor func whoIsRemovedBetweenAcceptanceAndFanOut_getsNothing() async throws {
        try await withBoard { world in
            let message = try world.message()
            try await world.store.change { d throws(Failure) in try d.removingMembers(["bob"], from: "board") }
            _ = await world.delivery.deliver(message, author: "alice", destinations: [.group("board")])
            try await world.addKeyMember("dora", groups: ["board"])
            _ = await world.delivery.rosters.makeAll()
            #expect(try await world.messageNotes("bob").isEmpty)
            #expect(try await world.messageNotes("carol").count == 1)
            #expect(try await world.messageNotes("dora").isEmpty)
        }
    }

    /// A held copy goes out later than the others, and to nobody who has left meanwhile.
    @Test(arguments: [false, true]) @LoopActor func aHeldCopy_isForMembersOnly(isRemoved: Bool) async throws {
        try await withBoard { world in
            try await world.store.change { d throws(Failure) in try d.addingAccount("dora", display: "", groups: ["board"]) }
            _ = await world.delivery.deliver(try world.message(id: "01"), author: "alice", destinations: [.group("board")])
            let head = try #require(world.store.directory.rosterHead(of: "board"))
            #expect(world.held.map(\.cause) == [.noKey])
            if isRemoved {
                try await world.store.change { d throws(Failure) in try d.removingMembers(["dora"], from: "board") }
            }
            let dora = try Person("dora")
            try await world.store.change { d throws(Failure) in
                _ = d
                return [
                    .accessGranted(
                        name: "dora", login: .deviceKey(Hex.encode(dora.device.keyHash)), recipient: "\(dora.mailbox.recipient)"
                    )
                ]
            }
            await world.delivery.held.retry { _ in true }
            #expect(world.held.isEmpty)
            let notes = try await world.messageNotes("dora", as: dora)
            // The roster of the time at which it was accepted, not of now.
            #expect(notes.map(\.rosters) == (isRemoved ? [] : [[RosterNote(group: "board", head: head)]]))
            #expect(notes.map(\.authors) == (isRemoved ? [] : [[AuthorNote(group: "board", author: "alice")]]))
            try await world.fetchAll("bob")
            await world.pass(.seconds(30))
            let reports = try await world.reports(alice: world.people["alice"])
            let report = try #require(reports.last)
            #expect(World.states(report).contains(isRemoved ? "dora removed" : "dora waiting"))
        }
    }

    // MARK: Owners

    /// Carol owns #board; her identity is known to the node.
    @LoopActor private func withOwner(_ body: @LoopActor (World, SigningKey) async throws -> Void) async throws {
        try await withBoard { world in
            let carol = SigningKey.generate()
            let recipient = world.account("carol")?.recipient ?? ""
            try await world.store.change { _ throws(Failure) in
                [
                    .keyStated(
                        name: "carol", identity: Hex.encode(carol.publicKey), number: 1, recipient: recipient, statement: "")
                ]
            }
            _ = await world.delivery.rosters.makeAll()
            try await body(world, carol)
        }
    }

    @LoopActor private func confirmation(
        _ world: World, by key: SigningKey, owner: String = "carol", group: String = "board", domain: String = World.domain,
        _ change: (inout RosterHead) -> Void = { _ in }
    ) throws -> RosterConfirmation {
        var head = try #require(world.store.directory.rosterHead(of: "board"))
        change(&head)
        return RosterConfirmation(
            group: try #require(MailAddress(local: group, domain: domain)), head: head,
            owner: try #require(MailAddress(local: owner, domain: World.domain)), time: WallTime(milliseconds: 7), signedBy: key
        )
    }

    @Test @LoopActor func anOwnersWord_isPassedOnOnce_withTheDirectorysRecord() async throws {
        try await withOwner { world, carol in
            let word = try confirmation(world, by: carol)
            let before = world.spool.commitCount
            #expect(try await world.delivery.rosters.confirm(word, by: "carol") == nil)
            #expect(world.spool.commitCount == before + 1, "the word and everybody's mail are one transaction")
            #expect(world.store.directory.rosters["board"]?.confirmedBy == ["carol"])
            for name in ["alice", "bob", "carol"] { #expect(try await world.confirmations(name) == [word], "\(name)") }
            // The answer may get lost: the second time is the same.
            #expect(try await world.delivery.rosters.confirm(word, by: "carol") == nil)
            #expect(world.spool.commitCount == before + 1)
            // What changes then is not confirmed.
            _ = try await world.addKeyMember("dora", groups: ["board"])
            _ = await world.delivery.rosters.makeAll()
            #expect(world.store.directory.rosters["board"]?.confirmedBy == nil)
        }
    }

    @Test @LoopActor func whatIsNotAnOwnersWordAboutTheLastRoster_isRefusedAndToldNobody() async throws {
        try await withOwner { world, carol in
            func refusal(_ word: RosterConfirmation, by member: String = "carol") async throws -> String {
                try await world.delivery.rosters.confirm(word, by: member) ?? "none"
            }
            let before = world.spool.commitCount
            #expect(try await refusal(confirmation(world, by: carol), by: "alice").contains("only an owner"))
            #expect(try await refusal(confirmation(world, by: carol, owner: "alice")).contains("only an owner"))
            #expect(try await refusal(confirmation(world, by: .generate())).contains("signature"))
            #expect(try await refusal(confirmation(world, by: carol) { $0.number += 1 }).contains("changed since"))
            #expect(
                try await refusal(confirmation(world, by: carol) { $0.hash = [UInt8](repeating: 0, count: 32) }).contains(
                    "changed since"))
            #expect(try await refusal(confirmation(world, by: carol, group: "nobody")).contains("no such group"))
            #expect(try await refusal(confirmation(world, by: carol, domain: "elsewhere.test")).contains("no such group"))
            #expect(world.spool.commitCount == before)
            // A change that no roster tells of yet.
            let word = try confirmation(world, by: carol)
            try await world.store.change { d throws(Failure) in try d.removingMembers(["bob"], from: "board") }
            #expect(try await refusal(word).contains("changed since"))
            #expect(try await world.confirmations("alice").isEmpty)
        }
    }

    @Test @LoopActor func aFullDisk_leavesNothingOfAnOwnersWord() async throws {
        try await withOwner { world, carol in
            let word = try confirmation(world, by: carol)
            world.spool.failNext(.full)
            await #expect(throws: Failure.self) { try await world.delivery.rosters.confirm(word, by: "carol") }
            #expect(world.store.directory.rosters["board"]?.confirmedBy == nil)
            #expect(try await world.confirmations("alice").isEmpty)
        }
    }

    @Test @LoopActor func mailToPersons_namesNoRoster() async throws {
        try await withBoard { world in
            _ = await world.delivery.deliver(try world.message(), author: "alice", destinations: [.member("bob")])
            let notes = try await world.messageNotes("bob")
            #expect(notes.map(\.rosters) == [[]] && notes.map(\.authors) == [[]])
        }
    }
}

extension World {
    /// The words of owners that wait for a member with an agent.
    func confirmations(_ name: String) async throws -> [RosterConfirmation] {
        try await controlMails(name).compactMap { if case .rosterConfirmed(let word) = $0.content { word } else { nil } }
    }

    /// The rosters that wait for a member with an agent, oldest first.
    func rosters(_ name: String) async throws -> [RosterDocument] {
        try await controlMails(name).compactMap { if case .roster(let document) = $0.content { document } else { nil } }
    }

    private func controlMails(_ name: String) async throws -> [ControlMail] {
        guard let person = people[name], let address = MailAddress(local: name, domain: Self.domain) else { return [] }
        var found: [ControlMail] = []
        for entry in try await waiting(name) where entry.isControl {
            guard let payload = entry.payload else { continue }
            let file = try await spool.read(entry.uid, offset: 0, count: .max) + spool.read(payload, offset: 0, count: .max)
            let reading = ControlMail.read(
                Array(try person.open(file).utf8), node: Self.domain, to: address, key: context.keys.nodeIdentity.publicKey)
            if case .genuine(let mail) = reading { found.append(mail) }
        }
        return found
    }

    /// What the own headers of a member's messages say, oldest first.
    func messageNotes(_ name: String, as given: Person? = nil) async throws -> [(rosters: [RosterNote], authors: [AuthorNote])]
    {
        guard let person = given ?? people[name] else { return [] }
        var found: [(rosters: [RosterNote], authors: [AuthorNote])] = []
        for entry in try await waiting(name) where !entry.isControl {
            guard let payload = entry.payload else { continue }
            let file = try await spool.read(entry.uid, offset: 0, count: .max) + spool.read(payload, offset: 0, count: .max)
            var opener = AgeDecryptor(identities: [person.mailbox])
            _ = try opener.feed(file) + opener.finish()
            found.append((RosterNote.notes(in: opener.stanzas), AuthorNote.notes(in: opener.stanzas)))
        }
        return found
    }
}
