// One member's trouble is that member's alone: copies that cannot be handed on are held, sealed to the node, and released when the
// cause is gone.

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

@Suite(.timeLimit(.minutes(5))) struct HoldingTests {
    static let marker = "kingfisher-4711"

    /// A group of four: bob has a key, carol's key is a point of small order, dora has not joined, and alice writes.
    @LoopActor static func withTrouble(_ body: @LoopActor (World, Person) async throws -> Void) async throws {
        try await withWorld { world in
            try await world.addKeyMember("alice")
            let bob = try await world.addKeyMember("bob")
            try await world.addKeyMember("carol")
            try await world.breakKey("carol")
            try await world.store.change { d throws(Failure) in try d.addingAccount("dora", display: "", groups: []) }
            try await world.addGroup("board", members: ["alice", "bob", "carol", "dora"])
            try await body(world, bob)
        }
    }

    @Test @LoopActor func aKeyThatNothingCanBeSealedTo_touchesNobodyElse() async throws {
        try await Self.withTrouble { world, bob in
            let text = "Subject: x\r\n\r\n\(Self.marker)\r\n"
            let outcome = await world.delivery.deliver(
                try world.message(text, id: "1"), author: "alice", destinations: [.group("board")])
            #expect(outcome == .delivered(readers: 3, held: 2))
            #expect(try await world.opened(bob) == ["X-DDS-Submission: 1\r\n" + text])
            for name in ["carol", "dora"] { #expect(try await world.waiting(name).isEmpty) }
            #expect(world.held.map(\.cause) == [.noKey, .noKey])
            // Every byte that was stored: the text in no spelling, nothing empty where a message should be, and of the two held
            // copies a header that the node's own key opens and no member's.
            let everything = try await world.everyByte()
            for form in [Array(Self.marker.utf8), Base64.encode(Array(Self.marker.utf8)), Array(Self.marker.utf8.reversed())] {
                #expect(!everything.contains { $0.contains(form) })
            }
            let entries = try await world.spool.entries(in: HeldCopy.mailbox)
            #expect(entries.count == 2)
            for entry in entries {
                let copy = try #require(HeldCopy(try await world.spool.read(entry.uid, offset: 0, count: .max)))
                let payload = try await world.spool.read(try #require(entry.payload), offset: 0, count: .max)
                #expect(payload.count > AgePayload.payloadSize(plain: text.utf8.count) - 1)
                var byNode = AgeDecryptor(identities: world.context.keys.holdIdentities.prefix(1).map { $0 })
                #expect(
                    try byNode.feed(copy.header + payload) + byNode.finish() == Array(("X-DDS-Submission: 1\r\n" + text).utf8))
                var byBob = AgeDecryptor(identities: [bob.mailbox])
                #expect(throws: AgeError.noMatch) { try byBob.feed(copy.header + payload) }
            }
        }
    }

    @Test @LoopActor func aKeyThatIsNoText_isLikeNoKey() async throws {
        try await Self.withTrouble { world, bob in
            for text in ["", "age1", "plain"] {
                try await world.store.change { _ throws(Failure) in
                    [.accessGranted(name: "carol", login: .deviceKey("00"), recipient: text)]
                }
                let outcome = await world.delivery.deliver(
                    try world.message(), author: "alice", destinations: [.group("board")])
                #expect(outcome == .delivered(readers: 3, held: 2))
            }
            #expect(try await world.opened(bob).count == 3)
            #expect(try await world.waiting("carol").isEmpty)
        }
    }

    @Test @LoopActor func aKeyThatComes_releasesWhatWasHeld_onceAndThroughItsGroup() async throws {
        try await Self.withTrouble { world, _ in
            _ = await world.delivery.deliver(try world.message(id: "1"), author: "alice", destinations: [.group("board")])
            let dora = try Person("dora")
            try await world.store.change { _ throws(Failure) in
                [.accessGranted(name: "dora", login: .deviceKey("aa"), recipient: "\(dora.mailbox.recipient)")]
            }
            let box = try #require(world.account("dora")).mailbox
            await world.delivery.held.retry { $0.member == box }
            #expect(try await world.opened(dora).map { $0.hasSuffix("Hello.\r\n") } == [true])
            #expect(world.held.map(\.member) == [world.account("carol")?.mailbox])
            let entry = try await world.waiting("dora")[0]
            var reader = AgeHeaderReader()
            _ = try reader.feed(try await world.spool.read(entry.uid, offset: 0, count: .max)[...])
            #expect(GroupNote.group(in: reader.stanzas) == "board")
            #expect(world.book.usage[MailboxID(rawValue: box)]?.bytes == entry.size + entry.payloadSize)
            // Once: neither another try nor a restart brings it again.
            await world.delivery.held.retry { _ in true }
            let again = try await world.reopenedDelivery()
            await again.held.retry { _ in true }
            #expect(try await world.waiting("dora").count == 1)
            #expect(again.held.items.count == 1)
        }
    }

    @Test @LoopActor func enrolling_releasesWhatWasHeld() async throws {
        try await Self.withTrouble { world, _ in
            _ = await world.delivery.deliver(try world.message(), author: "alice", destinations: [.group("board")])
            let dora = try Person("dora")
            let secret = SystemRandom().bytes(5)
            try await world.store.change { [now = world.time.wall] d throws(Failure) in
                try d.creatingInvite(
                    for: "dora", number: 7, secretHash: EnrolmentRequest.secretHash(secret), expires: now + .seconds(600))
            }
            let request = EnrolmentRequest(inviteNumber: 7, secret: Redacted(secret), recipient: "\(dora.mailbox.recipient)")
            let reply = await world.context.enrol(request, deviceKey: Hex.encode(dora.device.keyHash), from: "")
            #expect(reply.code == 250)
            try await until { world.held.count == 1 }
            #expect(try await world.opened(dora).count == 1)
        }
    }

    // MARK: Full mailboxes

    @Test @LoopActor func aFullMailbox_holdsTheGroupsCopyAndRefusesDirectMail() async throws {
        try await withWorld(config: "[server.spool]\nmailbox_quota = \"1KiB\"\n") { world in
            let alice = try await world.addKeyMember("alice")
            let bob = try await world.addKeyMember("bob")
            let carol = try await world.addKeyMember("carol")
            try await world.addGroup("board", members: ["alice", "bob", "carol"])
            try await world.deliver(String(repeating: "x", count: 2000), to: "carol")
            let address = try #require(MailAddress("carol@node.test"))
            #expect(world.context.fullMaildropReply(address)?.code == 452)
            let outcome = await world.delivery.deliver(
                try world.message(id: "1"), author: "alice", destinations: [.group("board")])
            #expect(outcome == .delivered(readers: 2, held: 1))
            #expect(world.held.map(\.cause) == [.mailboxFull])
            #expect(try await world.opened(bob).count == 1)
            #expect(try await world.waiting("carol").count == 1)
            await world.delivery.held.retry { _ in true }
            #expect(world.held.map(\.cause) == [.mailboxFull])
            // Room comes with a fetch, and with it the copy.
            let client = try await world.pop3(carol)
            _ = try await client.ask("DELE 1")
            #expect(try await client.ask("QUIT").hasPrefix("+OK"))
            try await until { world.held.isEmpty }
            #expect(try await world.opened(carol).map { $0.hasSuffix("Hello.\r\n") } == [true])
            _ = alice
        }
    }

    @Test @LoopActor func controlMail_isOutsideTheQuota() async throws {
        try await withWorld(config: "[server.spool]\nmailbox_quota = \"1KiB\"\n") { world in
            try await world.addKeyMember("bob")
            let box = MailboxID(rawValue: try #require(world.account("bob")).mailbox)
            world.book.stored(box, bytes: 5000, isControl: true)
            #expect(!world.book.isFull(box))
            world.book.stored(box, bytes: 1023)
            #expect(!world.book.isFull(box))
            world.book.stored(box, bytes: 1)
            #expect(world.book.isFull(box))
            world.book.erased(box, count: 1, bytes: 5000, controlBytes: 5000)
            #expect(world.book.isFull(box))
            world.book.erased(box, count: 1, bytes: 1)
            #expect(!world.book.isFull(box))
        }
    }

    @Test @LoopActor func aFullDisk_keepsWhatIsHeld() async throws {
        try await Self.withTrouble { world, _ in
            _ = await world.delivery.deliver(try world.message(), author: "alice", destinations: [.group("board")])
            let dora = try Person("dora")
            try await world.store.change { _ throws(Failure) in
                [.accessGranted(name: "dora", login: .deviceKey("aa"), recipient: "\(dora.mailbox.recipient)")]
            }
            world.spool.failNext(.full)
            await world.delivery.held.retry { _ in true }
            #expect(world.held.count == 2)
            await world.delivery.held.retry { _ in true }
            #expect(try await world.opened(dora).count == 1)
        }
    }

    // MARK: Moves that a stop has cut off

    /// The copy is in the maildrop, and the held one not erased yet.
    @Test @LoopActor func aReleaseThatIsCut_givesTheMemberOneCopy() async throws {
        try await Self.withTrouble { world, bob in
            _ = await world.delivery.deliver(try world.message(), author: "alice", destinations: [.group("board")])
            let id = try #require(world.delivery.ledger.lines.keys.first)
            #expect(try await world.desk.hold(id).held == 3)
            let box = MailboxID(rawValue: try #require(world.account("bob")).mailbox)
            let item = try #require(world.held.first { $0.member == box.rawValue })
            let copy = try #require(HeldCopy(try await world.spool.read(item.uid, offset: 0, count: .max)))
            var cut = HeldCopy.releasing(
                item.uid, id: id, to: box, header: copy.header,
                payload: try await world.spool.read(item.payload, offset: 0, count: .max))
            cut.erasures = []
            _ = try await world.spool.commit(cut)
            let again = try await world.reopenedDelivery()
            #expect(!again.held.items.values.contains { $0.member == box.rawValue })
            #expect(try await world.spool.entries(in: HeldCopy.mailbox).count == 2)
            await again.held.retry { _ in true }
            #expect(try await world.opened(bob).count == 1)
        }
    }

    /// The copy is held, and the one in the maildrop not erased yet: what was begun is finished.
    @Test @LoopActor func aHoldThatIsCut_leavesOneCopyAndCountsIt() async throws {
        try await Self.withTrouble { world, _ in
            _ = await world.delivery.deliver(try world.message(), author: "alice", destinations: [.group("board")])
            let box = MailboxID(rawValue: try #require(world.account("bob")).mailbox)
            let entry = try await world.waiting("bob")[0]
            let copy = HeldCopy(
                member: box.rawValue, cause: .admin, sealing: .member, group: "board",
                header: try await world.spool.read(entry.uid, offset: 0, count: .max))
            let payload = try await world.spool.read(try #require(entry.payload), offset: 0, count: .max)
            _ = try await world.spool.commit(HeldCopy.holding([copy], id: entry.tag, payload: payload, insteadOf: []))
            let again = try await world.reopenedDelivery()
            #expect(try await world.waiting("bob").isEmpty && world.book.usage[box] == nil)
            #expect(again.held.items.values.count { $0.member == box.rawValue } == 1)
            #expect(again.held.items.count == 3)
        }
    }

    // MARK: By hand

    @Test @LoopActor func holdAndRelease_moveCopiesThatTheNodeCannotOpen_andBack() async throws {
        try await Self.withTrouble { world, bob in
            _ = await world.delivery.deliver(try world.message(), author: "alice", destinations: [.group("board")])
            let before = try await world.opened(bob)
            let bytes = try await world.files("bob")
            let desk = world.desk
            let id = try #require(world.delivery.ledger.lines.keys.first)
            #expect(try await desk.hold(id).held == 3)
            #expect(try await world.waiting("bob").isEmpty)
            #expect(world.held.map(\.cause) == [.admin, .admin, .admin])
            #expect(world.book.usage[MailboxID(rawValue: try #require(world.account("bob")).mailbox)] == nil)
            // Neither trying again nor a restart passes over the administrator.
            await world.delivery.held.retry { _ in true }
            _ = try await desk.retry(id)
            await (try await world.reopenedDelivery()).held.retry { _ in true }
            #expect(try await world.waiting("bob").isEmpty)
            let outcomes = try await desk.release(id)
            #expect(outcomes.count { $0.outcome == .released } == 1)
            #expect(outcomes.count { $0.outcome == .stays(.noKey) } == 2)
            #expect(try await world.opened(bob) == before)
            // The very same file: an agent that had it already knows it again.
            #expect(try await world.files("bob") == bytes)
        }
    }

    @Test @LoopActor func aMaildropThatIsOpen_isLeftAlone() async throws {
        try await Self.withTrouble { world, _ in
            _ = await world.delivery.deliver(try world.message(), author: "alice", destinations: [.group("board")])
            let id = try #require(world.delivery.ledger.lines.keys.first)
            let box = MailboxID(rawValue: try #require(world.account("bob")).mailbox)
            #expect(world.book.lease(box))
            let outcome = try await world.desk.remove(id)
            #expect(outcome.busy == ["bob"] && outcome.removed == 2)
            #expect(try await world.waiting("bob").count == 1)
            world.book.release(box)
            #expect(try await world.desk.remove(id).removed == 1)
            #expect(try await world.waiting("bob").isEmpty)
            #expect(!world.book.isLeased(box))
            #expect(world.spool.payloadCount == 0)
        }
    }

    @Test @LoopActor func aMemberWhoLeaves_takesTheirHeldCopiesAlong() async throws {
        try await Self.withTrouble { world, _ in
            _ = await world.delivery.deliver(try world.message(), author: "alice", destinations: [.group("board")])
            let carol = try #require(world.account("carol"))
            try await world.store.change { d throws(Failure) in try d.removingAccount("carol") }
            await world.delivery.memberRemoved(carol, erased: try await world.store.eraseMaildrop(of: carol))
            #expect(world.held.map(\.member) == [world.account("dora")?.mailbox])
            #expect(try await world.spool.entries(in: HeldCopy.mailbox).count == 1)
        }
    }

    @Test @LoopActor func aDamagedHeldCopy_staysAndKeepsNoOther() async throws {
        try await Self.withTrouble { world, _ in
            for _ in 0..<2 {
                _ = await world.delivery.deliver(try world.message(), author: "alice", destinations: [.group("board")])
            }
            let dora = try Person("dora")
            try await world.store.change { _ throws(Failure) in
                [.accessGranted(name: "dora", login: .deviceKey("aa"), recipient: "\(dora.mailbox.recipient)")]
            }
            let box = try #require(world.account("dora")).mailbox
            world.spool.damage(try #require(world.held.filter { $0.member == box }.map(\.uid).min()))
            await world.delivery.held.retry { _ in true }
            #expect(try await world.opened(dora).count == 1)
            #expect(world.held.filter { $0.member == box }.count == 1)
        }
    }
}

extension World {
    var held: [HeldQueue.Item] { delivery.held.items.values.sorted { $0.uid < $1.uid } }
    var desk: QueueDesk { QueueDesk(delivery: delivery, store: store, spool: spool, book: book) }

    /// Puts a key into the directory that has the form of one and that nothing can be sealed to.
    func breakKey(_ name: String) async throws {
        let recipient = "\(AgeRecipient(bytes: [UInt8](repeating: 0, count: 32)))"
        try await store.change { _ throws(Failure) in
            [.accessGranted(name: name, login: .deviceKey("00"), recipient: recipient)]
        }
    }

    /// What a start after a stop makes of the spool.
    func reopenedDelivery(_ keys: ServerKeys? = nil) async throws -> DeliveryService {
        try await DeliveryService.open(store: store, spool: spool, book: book, services: services, keys: keys ?? context.keys)
    }

    /// All bodies in the spool.
    func everyByte() async throws -> [[UInt8]] {
        var bodies: [[UInt8]] = []
        for mailbox in try await spool.mailboxes().keys {
            for entry in try await spool.entries(in: mailbox) {
                bodies.append(try await spool.read(entry.uid, offset: 0, count: .max))
                if let payload = entry.payload { bodies.append(try await spool.read(payload, offset: 0, count: .max)) }
            }
        }
        return bodies
    }

    /// The age files that wait for a member.
    func files(_ name: String) async throws -> [[UInt8]] {
        var files: [[UInt8]] = []
        for entry in try await waiting(name) {
            guard let payload = entry.payload else { continue }
            files.append(try await spool.read(entry.uid, offset: 0, count: .max) + spool.read(payload, offset: 0, count: .max))
        }
        return files
    }
}
