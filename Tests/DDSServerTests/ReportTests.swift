// What authors are told, when, and that it is kept until they are.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import Testing

@testable import DDSServer

@Suite struct ReportPaceTests {
    private let start = Instant(nanoseconds: 1_000_000_000_000)
    private let pace = ReportPace(every: .seconds(30))

    @Test func aChange_waitsForMore_unlessNothingIsOnItsWay() {
        #expect(pace.due(changed: start, isDone: false, last: nil) == start + .seconds(30))
        #expect(pace.due(changed: start, isDone: true, last: nil) == start)
    }

    @Test func reports_areNeverCloserThanThePace() {
        let now = start + .seconds(1000)
        #expect(pace.due(changed: now, isDone: true, last: start + .seconds(990)) == now + .seconds(20))
        #expect(pace.due(changed: now, isDone: false, last: start + .seconds(990)) == now + .seconds(30))
        #expect(pace.due(changed: now, isDone: true, last: start + .seconds(970)) == now)
        #expect(pace.due(changed: now, isDone: true, last: start) == now)
    }
}

@Suite(.timeLimit(.minutes(5))) struct AuthorReportTests {
    /// Alice writes to bob and carol; both have agents.
    @LoopActor private func withBoard(_ body: @LoopActor (World, Person) async throws -> Void) async throws {
        try await withWorld { world in
            let alice = try await world.addKeyMember("alice")
            for name in ["bob", "carol"] { try await world.addKeyMember(name) }
            try await world.addGroup("board", members: ["alice", "bob", "carol"])
            try await body(world, alice)
        }
    }

    @Test @LoopActor func acceptance_isOneTransaction_withTheRecordInIt() async throws {
        try await withBoard { world, _ in
            let before = world.spool.commitCount
            _ = await world.delivery.deliver(try world.message(id: "00aa"), author: "alice", destinations: [.group("board")])
            #expect(world.spool.commitCount == before + 1)
            let entry = try #require(try await world.spool.entries(in: MessageRecord.mailbox).first)
            let record = try #require(MessageRecord(try await world.spool.read(entry.uid, offset: 0, count: .max)))
            #expect(record.author == "alice" && record.submission == "00aa" && record.destinations == ["#board"])
            #expect(record.copies.map(\.member) == ["bob", "carol"])
            // One id for the message everywhere.
            for name in ["bob", "carol"] { #expect(try await world.waiting(name).map(\.tag) == [entry.tag]) }
            // All are waiting: the 250 said so, and there is nothing to tell.
            await world.pass(.seconds(3600))
            #expect(try await world.reports(alice: world.people["alice"]).isEmpty)
        }
    }

    @Test @LoopActor func aFetch_appendsNothing_andWorksOnAFullDisk() async throws {
        try await withBoard { world, _ in
            _ = await world.delivery.deliver(try world.message(id: "00aa"), author: "alice", destinations: [.group("board")])
            let records = world.spool.recordCount
            try await world.fetchAll("bob")
            #expect(world.spool.recordCount == records - 1)
        }
    }

    @Test @LoopActor func theAuthor_isToldInBatches_andAtOnceWhenAllIsDone() async throws {
        try await withBoard { world, alice in
            _ = await world.delivery.deliver(try world.message(id: "00aa"), author: "alice", destinations: [.group("board")])
            try await world.fetchAll("bob")
            await world.pass(.seconds(29))
            #expect(try await world.reports(alice: alice).isEmpty)
            await world.pass(.seconds(1))
            #expect(try await world.reports(alice: alice).map(World.states) == [["bob fetched", "carol waiting"]])
            // Done, and 30 seconds after the last one.
            await world.pass(.seconds(60))
            try await world.fetchAll("carol")
            await world.pass(.zero)
            let reports = try await world.reports(alice: alice)
            #expect(reports.map(World.states) == [["bob fetched", "carol waiting"], ["bob fetched", "carol fetched"]])
            #expect(reports.flatMap(\.messages).map(\.revision) == [1, 2])
            #expect(reports.flatMap(\.messages).map(\.submission) == ["00aa", "00aa"])
            // Then the node forgets it.
            #expect(try await world.spool.entries(in: MessageRecord.mailbox).isEmpty)
            #expect(world.delivery.ledger.lines.isEmpty)
            await world.pass(.seconds(3600))
            #expect(world.delivery.reports.sentCount == 2)
        }
    }

    /// The fetch comes after the report has looked where the copies are, and before it is stored.
    @Test @LoopActor func whatChangesDuringAReport_isToldInTheNext() async throws {
        try await withBoard { world, alice in
            _ = await world.delivery.deliver(try world.message(id: "00aa"), author: "alice", destinations: [.group("board")])
            try await world.fetchAll("bob")
            world.time.advance(by: .seconds(30))
            world.spool.hold()
            let report = Loop.spawn { await world.delivery.reports.report() }
            await world.spool.waitUntilHeld()
            let fetched = try await world.waiting("carol")
            await world.delivery.reports.fetched(fetched.map(\.tag))
            world.spool.release()
            await report.value
            _ = try await world.spool.commit(SpoolTransaction(erasures: fetched.map(\.uid)))
            await world.pass(.seconds(60))
            let reports = try await world.reports(alice: alice)
            #expect(reports.map(World.states) == [["bob fetched", "carol waiting"], ["bob fetched", "carol fetched"]])
        }
    }

    @Test @LoopActor func changesOfSeveralMessages_areOneReport() async throws {
        try await withBoard { world, alice in
            for id in ["01", "02", "03"] {
                _ = await world.delivery.deliver(try world.message(id: id), author: "alice", destinations: [.group("board")])
            }
            try await world.fetchAll("bob")
            await world.pass(.seconds(30))
            let reports = try await world.reports(alice: alice)
            #expect(reports.count == 1)
            #expect(reports[0].messages.map(\.submission) == ["01", "02", "03"])
        }
    }

    @Test @LoopActor func heldCopies_areToldWithTheirCause() async throws {
        try await HoldingTests.withTrouble { world, _ in
            let alice = world.people["alice"]
            _ = await world.delivery.deliver(try world.message(id: "01"), author: "alice", destinations: [.group("board")])
            await world.pass(.seconds(30))
            let report = try #require(try await world.reports(alice: alice).first)
            #expect(World.states(report) == ["bob waiting", "carol held no-key", "dora held no-key"])
            #expect(report.messages[0].copies.map(\.group) == ["board", "board", "board"])
        }
    }

    /// Whatever the moment at which the node stops, the author is told everything once the node runs again.
    @Test(arguments: [false, true]) @LoopActor func aStop_losesNoState(afterReport: Bool) async throws {
        try await withBoard { world, alice in
            _ = await world.delivery.deliver(try world.message(id: "01"), author: "alice", destinations: [.group("board")])
            try await world.fetchAll("bob")
            if afterReport { await world.pass(.seconds(30)) }
            let again = try await world.reopenedDelivery()
            await again.reports.survey()
            world.time.advance(by: .seconds(30))
            await again.reports.report()
            #expect(try await world.reports(alice: alice).map(World.states) == [["bob fetched", "carol waiting"]])
        }
    }

    @Test @LoopActor func aFullDisk_postponesTheReport() async throws {
        try await withBoard { world, alice in
            _ = await world.delivery.deliver(try world.message(id: "01"), author: "alice", destinations: [.group("board")])
            try await world.fetchAll("bob")
            world.spool.failNext(.full)
            await world.pass(.seconds(30))
            #expect(try await world.reports(alice: alice).isEmpty)
            await world.pass(.seconds(300))
            #expect(try await world.reports(alice: alice).map(World.states) == [["bob fetched", "carol waiting"]])
        }
    }

    @Test @LoopActor func aCutReport_isNotToldTwiceAfterTheStart() async throws {
        try await withBoard { world, alice in
            _ = await world.delivery.deliver(try world.message(id: "01"), author: "alice", destinations: [.group("board")])
            try await world.fetchAll("bob")
            let old = try #require(try await world.spool.entries(in: MessageRecord.mailbox).first)
            let body = try await world.spool.read(old.uid, offset: 0, count: .max)
            await world.pass(.seconds(30))
            // As after a crash between the appends and the erasures: old record and new one are both there.
            let new = try #require(try await world.spool.entries(in: MessageRecord.mailbox).first)
            let newBody = try await world.spool.read(new.uid, offset: 0, count: .max)
            _ = try await world.spool.commit(
                SpoolTransaction(
                    appends: [body, newBody].map { .record(mailbox: MessageRecord.mailbox, tag: old.tag, flags: 0, body: $0) },
                    erasures: [new.uid]))
            let again = try await world.reopenedDelivery()
            #expect(try await world.spool.entries(in: MessageRecord.mailbox).count == 1)
            await again.reports.survey()
            world.time.advance(by: .seconds(60))
            await again.reports.report()
            #expect(try await world.reports(alice: alice).count == 1)
        }
    }

    @Test @LoopActor func whoUsesAPassword_isToldOfTroubleOnly() async throws {
        try await HoldingTests.withTrouble { world, _ in
            let paul = try await world.addPasswordMember("paul", groups: ["board"])
            _ = await world.delivery.deliver(try world.message(), author: "paul", destinations: [.group("board")])
            await world.pass(.seconds(30))
            var reports = try await world.reports(alice: paul)
            #expect(reports.map { World.states($0).count { $0.contains("held") } } == [2])
            try await world.fetchAll("bob")
            await world.pass(.seconds(300))
            reports = try await world.reports(alice: paul)
            #expect(reports.count == 1)
        }
    }

    @Test @LoopActor func anAuthorWhoIsGone_needsNoTelling() async throws {
        try await withBoard { world, _ in
            _ = await world.delivery.deliver(try world.message(id: "01"), author: "alice", destinations: [.group("board")])
            let account = try #require(world.account("alice"))
            try await world.store.change { d throws(Failure) in try d.removingAccount("alice") }
            await world.delivery.memberRemoved(account, erased: [])
            for name in ["bob", "carol"] { try await world.fetchAll(name) }
            await world.pass(.seconds(30))
            #expect(try await world.spool.entries(in: MessageRecord.mailbox).isEmpty)
            #expect(world.delivery.reports.sentCount == 0)
        }
    }

    @Test @LoopActor func aReaderWhoIsGone_countsAsRemoved() async throws {
        try await withBoard { world, alice in
            _ = await world.delivery.deliver(try world.message(id: "01"), author: "alice", destinations: [.group("board")])
            let bob = try #require(world.account("bob"))
            try await world.store.change { d throws(Failure) in try d.removingAccount("bob") }
            await world.delivery.memberRemoved(bob, erased: try await world.store.eraseMaildrop(of: bob))
            // Another of the same name is another person.
            try await world.addKeyMember("bob", groups: ["board"])
            await world.pass(.seconds(30))
            #expect(try await world.reports(alice: alice).map(World.states) == [["bob removed", "carol waiting"]])
        }
    }

    @Test @LoopActor func aRecordThatCannotBeRead_keepsNoOther() async throws {
        try await withBoard { world, alice in
            for id in ["01", "02"] {
                _ = await world.delivery.deliver(try world.message(id: id), author: "alice", destinations: [.group("board")])
            }
            world.spool.damage(try #require(try await world.spool.entries(in: MessageRecord.mailbox).first).uid)
            try await world.fetchAll("bob")
            await world.pass(.seconds(30))
            #expect(try await world.reports(alice: alice).flatMap(\.messages).map(\.submission) == ["02"])
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct ExpiryTests {
    private static let day = Duration.seconds(86400)

    @LoopActor private func house(_ world: World, keep days: Int = 2) -> Housekeeping {
        Housekeeping(
            store: world.store, spool: world.spool, book: world.book, delivery: world.delivery, services: world.services,
            keepUndelivered: Self.day * days)
    }

    @Test @LoopActor func oneNoticeForEachGroup_inWords_andTheAuthorSeesIt() async throws {
        try await withWorld { world in
            let alice = try await world.addKeyMember("alice")
            let bob = try await world.addKeyMember("bob")
            try await world.addGroup("board", members: ["alice", "bob"])
            let first = world.time.wall.day
            _ = await world.delivery.deliver(try world.message(id: "01"), author: "alice", destinations: [.group("board")])
            _ = await world.delivery.deliver(try world.message(id: "02"), author: "alice", destinations: [.member("bob")])
            world.time.advance(by: Self.day)
            _ = await world.delivery.deliver(try world.message(id: "03"), author: "alice", destinations: [.group("board")])
            world.time.advance(by: Self.day * 3)
            let house = house(world)
            await house.sweep()
            #expect(try await world.waiting("bob").allSatisfy(\.isControl))
            let notices = try await world.notices(bob)
            #expect(
                notices == [
                    ExpiryNotice(group: nil, count: 1, days: first...first),
                    ExpiryNotice(group: "board", count: 2, days: first...(first + 1)),
                ])
            #expect(house.expiredCount == 3)
            await world.pass(.seconds(30))
            let states = Dictionary(
                try await world.reports(alice: alice).flatMap(\.messages).map { ($0.submission, $0.copies.map(\.state)) },
                uniquingKeysWith: { $1 })
            #expect(states == ["01": [.expired], "02": [.expired], "03": [.expired]])
            #expect(try await world.spool.entries(in: MessageRecord.mailbox).isEmpty)
            // Once: another sweep finds nothing, and the notices themselves go without one.
            await house.sweep()
            #expect(try await world.notices(bob).count == 2)
            world.time.advance(by: Self.day * 5)
            await house.sweep()
            #expect(try await world.waiting("bob").isEmpty)
        }
    }

    @Test @LoopActor func noticeAndErasure_areOneTransaction_andAFullDiskKeepsTheMail() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            try await world.deliver(to: "bob")
            world.time.advance(by: Self.day * 4)
            let house = house(world)
            world.spool.failNext(.full)
            await house.sweep()
            #expect(try await world.waiting("bob").map(\.isControl) == [false])
            #expect(house.expiredCount == 0)
            let commits = world.spool.commitCount
            await house.sweep()
            #expect(world.spool.commitCount == commits + 1)
            #expect(try await world.notices(bob).count == 1)
        }
    }

    @Test @LoopActor func aStopBetweenNoticeAndErasure_givesNoSecondNotice() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            try await world.deliver(to: "bob")
            let mail = try await world.waiting("bob")[0]
            let header = try await world.spool.read(mail.uid, offset: 0, count: .max)
            world.time.advance(by: Self.day * 4)
            await house(world).sweep()
            // The erased delivery is back, as after a crash before its erasure.
            _ = try await world.spool.commit(
                SpoolTransaction(appends: [
                    .payload(tag: mail.tag, body: [1]),
                    .delivery(mailbox: mail.mailbox, tag: mail.tag, flags: 0, header: header, payload: 0),
                ]))
            world.time.advance(by: Self.day * 4)
            await house(world, keep: 3).sweep()
            // The first notice has expired meanwhile, and there is no second one.
            #expect(try await world.waiting("bob").isEmpty)
            _ = bob
        }
    }

    @Test @LoopActor func heldMail_expiresToo() async throws {
        try await HoldingTests.withTrouble { world, _ in
            _ = await world.delivery.deliver(try world.message(id: "01"), author: "alice", destinations: [.group("board")])
            world.time.advance(by: Self.day * 4)
            await house(world).sweep()
            #expect(world.held.isEmpty)
            #expect(try await world.spool.entries(in: HeldCopy.mailbox).isEmpty)
            await world.pass(.seconds(30))
            let report = try #require(try await world.reports(alice: world.people["alice"]).last)
            #expect(World.states(report) == ["bob expired", "carol expired", "dora expired"])
        }
    }
}

extension World {
    /// Fetches and deletes everything that waits for a member, as a session does.
    func fetchAll(_ name: String) async throws {
        let client = try await pop3(try #require(people[name]))
        let count = try await waiting(name).count
        for number in 1...max(1, count) { _ = try await client.ask("DELE \(number)") }
        let reply = try await client.ask("QUIT")
        guard reply.hasPrefix("+OK") else { throw Unexpected(reply) }
    }

    /// Time passes, and reports that are due go out.
    func pass(_ duration: Duration) async {
        time.advance(by: duration)
        await delivery.reports.report()
    }

    private func controlMail(_ person: Person) async throws -> [ControlMail.Content] {
        guard let address = MailAddress(local: person.name, domain: Self.domain) else { return [] }
        var contents: [ControlMail.Content] = []
        for entry in try await waiting(person.name) where entry.isControl {
            let file =
                try await spool.read(entry.uid, offset: 0, count: .max)
                + spool.read(try #require(entry.payload), offset: 0, count: .max)
            let reading = ControlMail.read(
                Array(try person.open(file).utf8), node: Self.domain, to: address, key: context.keys.nodeIdentity.publicKey)
            guard case .genuine(let mail) = reading else { throw Unexpected("\(reading)") }
            contents.append(mail.content)
        }
        return contents
    }

    /// The delivery reports that wait for an author.
    func reports(alice author: Person?) async throws -> [DeliveryReport] {
        try await controlMail(try #require(author)).compactMap {
            if case .deliveryState(let report) = $0 { report } else { nil }
        }
    }

    func notices(_ person: Person) async throws -> [ExpiryNotice] {
        try await controlMail(person).compactMap { if case .expiry(let notice) = $0 { notice } else { nil } }
    }

    nonisolated static func states(_ report: DeliveryReport) -> [String] {
        report.messages.flatMap(\.copies).map { copy in
            let name = copy.address.prefix { $0 != "@" }
            return "\(name) \(copy.state.rawValue)" + (copy.cause.map { " \($0.rawValue)" } ?? "")
        }
    }
}
