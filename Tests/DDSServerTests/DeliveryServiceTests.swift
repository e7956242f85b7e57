import DDSBus
import DDSCore
import DDSLoop
import DDSSpool
import DDSTestKit
import DDSWire
import Testing

@testable import DDSServer

@Suite(.timeLimit(.minutes(5))) struct DeliveryServiceTests {
    @Test @LoopActor func everyReader_opensTheSameMessage() async throws {
        try await withWorld { world in
            let alice = try await world.addKeyMember("alice")
            let bob = try await world.addKeyMember("bob")
            try await world.addGroup("board", members: ["alice", "bob"])
            let outcome = await world.delivery.deliver(
                try world.message(), author: nil, destinations: [.group("board"), .member("bob")])
            #expect(outcome == .delivered(readers: 2))
            for person in [alice, bob] { #expect(try await world.opened(person) == ["Subject: x\r\n\r\nHello.\r\n"]) }
            #expect(world.spool.payloadCount == 1)
            #expect(world.spool.commitCount == 4)
            await #expect(throws: (any Error).self) { try await world.opened(Person("bob")) }
        }
    }

    @Test @LoopActor func manyReaders_areAllServedInOrder() async throws {
        try await withWorld { world in
            var people: [Person] = []
            for index in 0..<40 { people.append(try await world.addKeyMember("m\(index)")) }
            try await world.addGroup("all-of-us", members: people.map(\.name))
            let outcome = await world.delivery.deliver(try world.message(), author: "m0", destinations: [.group("all-of-us")])
            #expect(outcome == .delivered(readers: 39))
            for person in people.dropFirst() { #expect(try await world.opened(person).count == 1) }
            #expect(try await world.waiting("m0").isEmpty)
        }
    }

    @Test @LoopActor func aMemberAddedLater_hasNothing() async throws {
        try await withWorld { world in
            try await world.addKeyMember("alice")
            try await world.addGroup("board", members: ["alice"])
            _ = await world.delivery.deliver(try world.message(), author: nil, destinations: [.group("board")])
            try await world.addKeyMember("dave", groups: ["board"])
            #expect(try await world.waiting("dave").isEmpty)
        }
    }

    @Test @LoopActor func whoIsTakenOutOfAGroup_keepsWhatLayThere_andGetsNothingMore() async throws {
        try await withWorld { world in
            let (alice, bob) = (try await world.addKeyMember("alice"), try await world.addKeyMember("bob"))
            try await world.addGroup("board", members: ["alice", "bob"])
            _ = await world.delivery.deliver(try world.message(id: "01"), author: nil, destinations: [.group("board")])
            try await world.store.change { d throws(Failure) in try d.removingMembers(["bob"], from: "board") }
            _ = await world.delivery.deliver(try world.message(id: "02"), author: nil, destinations: [.group("board")])
            #expect(try await world.opened(alice).count == 2)
            #expect(try await world.opened(bob).count == 1)
        }
    }

    @Test @LoopActor func aMemberRemovedWhileTheirCopyIsStored_leavesNothingBehind() async throws {
        try await withWorld { world in
            try await world.addKeyMember("alice")
            let bob = try #require(
                try await {
                    try await world.addKeyMember("bob")
                    return world.account("bob")
                }())
            try await world.addGroup("board", members: ["alice", "bob"])
            let message = try world.message()
            world.spool.hold()
            let delivering = Task { @LoopActor in
                await world.delivery.deliver(message, author: nil, destinations: [.group("board")])
            }
            await world.spool.waitUntilHeld()
            let removing = Task { @LoopActor in
                try await world.store.change { d throws(Failure) in try d.removingAccount("bob") }
                try await world.store.eraseMaildrop(of: bob)
                world.book.forget(MailboxID(rawValue: bob.mailbox))
            }
            for _ in 0..<5 { await Task.yield() }
            // Both commits go; in whichever order they resume, nothing stays for bob after a sweep.
            world.spool.release()
            _ = await delivering.value
            try await removing.value
            let house = Housekeeping(
                store: world.store, spool: world.spool, book: world.book, delivery: world.delivery, services: world.services,
                keepUndelivered: .seconds(86400))
            await house.sweep()
            #expect(try await world.spool.entries(in: MailboxID(rawValue: bob.mailbox)).isEmpty)
            #expect(try await world.waiting("alice").count == 1)
            #expect(world.book.usage[MailboxID(rawValue: bob.mailbox)] == nil)
        }
    }

    // MARK: Resends

    @Test @LoopActor func aResend_isAcknowledgedAndNotDeliveredTwice() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            try await world.addKeyMember("alice")
            #expect(
                await world.delivery.deliver(try world.message(id: "one"), author: "alice", destinations: [.member("bob")])
                    == .delivered(readers: 1))
            #expect(
                await world.delivery.deliver(try world.message(id: "one"), author: "alice", destinations: [.member("bob")])
                    == .alreadyAccepted)
            #expect(try await world.opened(bob).count == 1)
            // The id is the author's: another member's is another.
            #expect(
                await world.delivery.deliver(try world.message(id: "one"), author: "bob", destinations: [.member("bob")])
                    == .delivered(readers: 1))
            // Without an id every submission is a new one, whatever it says.
            for _ in 0..<2 {
                _ = await world.delivery.deliver(try world.message(), author: "alice", destinations: [.member("bob")])
            }
            #expect(try await world.opened(bob).count == 4)
        }
    }

    @Test @LoopActor func aResendToMoreRecipients_reachesTheNewOnesOnly() async throws {
        try await withWorld { world in
            for name in ["alice", "bob", "carol"] { try await world.addKeyMember(name) }
            _ = await world.delivery.deliver(try world.message(id: "one"), author: "alice", destinations: [.member("bob")])
            let outcome = await world.delivery.deliver(
                try world.message(id: "one"), author: "alice", destinations: [.member("bob"), .member("carol")])
            #expect(outcome == .delivered(readers: 1))
            #expect(try await world.waiting("bob").count == 1)
            #expect(try await world.waiting("carol").count == 1)
        }
    }

    /// Whoever has the message through a group gets no second copy when a resend names them too, nor the other way round.
    @Test(arguments: [false, true])
    @LoopActor func aResendThatReachesAReaderAnotherWay_givesNoSecondCopy(groupFirst: Bool) async throws {
        try await withWorld { world in
            for name in ["alice", "bob", "carol", "dora"] { try await world.addKeyMember(name) }
            try await world.addGroup("board", members: ["alice", "bob", "carol"])
            let group: [Directory.Destination] = [.group("board")]
            let direct: [Directory.Destination] = [.member("bob"), .member("dora")]
            let first = groupFirst ? group : direct
            #expect(
                await world.delivery.deliver(try world.message(id: "one"), author: "alice", destinations: first)
                    == .delivered(readers: 2))
            // Also after a restart.
            let service = try await DeliveryService.open(
                store: world.store, spool: world.spool, book: world.book, services: world.services, keys: world.context.keys)
            #expect(
                await service.deliver(try world.message(id: "one"), author: "alice", destinations: direct + group)
                    == .delivered(readers: 1))
            #expect(
                await service.deliver(try world.message(id: "one"), author: "alice", destinations: group + direct)
                    == .alreadyAccepted)
            for name in ["bob", "carol", "dora"] { #expect(try await world.waiting(name).count == 1, "\(name)") }
        }
    }

    @Test @LoopActor func aResendThatReachesNobodyNew_isRememberedAllTheSame() async throws {
        try await withWorld { world in
            for name in ["alice", "bob", "carol"] { try await world.addKeyMember(name) }
            try await world.addGroup("board", members: ["alice", "bob"])
            _ = await world.delivery.deliver(try world.message(id: "one"), author: "alice", destinations: [.group("board")])
            let outcome = await world.delivery.deliver(
                try world.message(id: "one"), author: "alice", destinations: [.member("bob")])
            #expect(outcome == .delivered(readers: 0))
            #expect(
                await world.delivery.deliver(try world.message(id: "one"), author: "alice", destinations: [.member("bob")])
                    == .alreadyAccepted)
            // A group that was served stays served, whoever has joined it since.
            try await world.store.change { d throws(Failure) in try d.addingMembers(["carol"], to: "board", asOwners: false) }
            #expect(
                await world.delivery.deliver(try world.message(id: "one"), author: "alice", destinations: [.group("board")])
                    == .alreadyAccepted)
            #expect(try await world.waiting("bob").count == 1)
            #expect(try await world.waiting("carol").isEmpty)
        }
    }

    @Test @LoopActor func aReceiptThatCannotBeRead_losesNothing() async throws {
        try await withWorld { world in
            for name in ["alice", "bob"] { try await world.addKeyMember(name) }
            _ = await world.delivery.deliver(try world.message(id: "one"), author: "alice", destinations: [.member("bob")])
            world.spool.damage(try #require(try await world.spool.entries(in: SubmissionLedger.mailbox).first).uid)
            #expect(
                await world.delivery.deliver(try world.message(id: "one"), author: "alice", destinations: [.member("bob")])
                    == .delivered(readers: 1))
        }
    }

    @Test @LoopActor func aResendWhileTheFirstIsBeingStored_isToldToWait() async throws {
        try await withWorld { world in
            for name in ["alice", "bob"] { try await world.addKeyMember(name) }
            let message = try world.message(id: "one")
            world.spool.hold()
            let first = Task { @LoopActor in
                await world.delivery.deliver(message, author: "alice", destinations: [.member("bob")])
            }
            await world.spool.waitUntilHeld()
            guard case .tryAgain = await world.delivery.deliver(message, author: "alice", destinations: [.member("bob")]) else {
                Issue.record("the second was not held off")
                return world.spool.release()
            }
            world.spool.release()
            #expect(await first.value == .delivered(readers: 1))
            #expect(await world.delivery.deliver(message, author: "alice", destinations: [.member("bob")]) == .alreadyAccepted)
        }
    }

    @Test @LoopActor func receipts_surviveARestartAndExpire() async throws {
        try await withWorld { world in
            for name in ["alice", "bob"] { try await world.addKeyMember(name) }
            _ = await world.delivery.deliver(try world.message(id: "one"), author: "alice", destinations: [.member("bob")])
            func reopened() async throws -> DeliveryService {
                try await DeliveryService.open(
                    store: world.store, spool: world.spool, book: world.book, services: world.services, keys: world.context.keys
                )
            }
            #expect(
                await (try await reopened()).deliver(
                    try world.message(id: "one"), author: "alice", destinations: [.member("bob")]) == .alreadyAccepted)
            world.time.advance(by: .seconds(30 * 86400))
            try await world.delivery.forgetOldReceipts()
            #expect(try await world.spool.entries(in: SubmissionLedger.mailbox).count == 1)
            world.time.advance(by: .seconds(86400))
            try await world.delivery.forgetOldReceipts()
            #expect(try await world.spool.entries(in: SubmissionLedger.mailbox).isEmpty)
            #expect(
                await world.delivery.deliver(try world.message(id: "one"), author: "alice", destinations: [.member("bob")])
                    == .delivered(readers: 1))
        }
    }

    @Test @LoopActor func whatWasNotStored_isNotAcknowledgedAndMayComeAgain() async throws {
        try await withWorld { world in
            for name in ["alice", "bob"] { try await world.addKeyMember(name) }
            for (error, expected) in [(SpoolError.full, 452), (.tooLarge, 552), (.stopped("x"), 451)] {
                world.spool.failNext(error)
                let outcome = await world.delivery.deliver(
                    try world.message(id: "one"), author: "alice", destinations: [.member("bob")])
                #expect(outcome.reply.code == expected)
            }
            #expect(try await world.waiting("bob").isEmpty)
            #expect(world.book.usage.isEmpty)
            #expect(world.delivery.acceptedCount == 0)
            #expect(
                await world.delivery.deliver(try world.message(id: "one"), author: "alice", destinations: [.member("bob")])
                    == .delivered(readers: 1))
        }
    }

    @Test @LoopActor func aGroupOfItsAuthorAlone_isAcceptedAndStoresNoMail() async throws {
        try await withWorld { world in
            try await world.addKeyMember("alice")
            try await world.addGroup("me", members: ["alice"])
            #expect(
                await world.delivery.deliver(try world.message(), author: "alice", destinations: [.group("me")])
                    == .delivered(readers: 0))
            #expect(world.spool.payloadCount == 0)
        }
    }

    @Test @LoopActor func theBusHearsCountsOnly() async throws {
        try await withWorld { world in
            try await world.addKeyMember("bob")
            _ = await world.delivery.deliver(try world.message(), author: nil, destinations: [.member("bob")])
            let lines = world.events.map { $0.jsonLine() }.joined(separator: "\n")
            #expect(lines.contains("messageAccepted"))
            #expect(!lines.contains("bob") && !lines.contains("Hello"))
        }
    }
}
