// When somebody has another key than before: what is said, what waits, what a decision does, and that no stop loses any of it.

import DDSBus
import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import Testing

@testable import DDSAgent

@Suite(.timeLimit(.minutes(5))) struct KeyChangeTests {
    private let old = MinisignKey(.generate())
    private let new = MinisignKey(.generate())

    private func fingerprint(_ key: MinisignKey) -> KeyFingerprint { KeyFingerprint(of: key.publicKey.key) }

    private func rosters() throws -> [RosterDocument] {
        let first = try TrustBookTests.roster(identities: ["bob": old.publicKey.key, "alice": new.publicKey.key])
        return [
            first,
            try TrustBookTests.roster(2, after: first, identities: ["bob": new.publicKey.key, "alice": old.publicKey.key]),
        ]
    }

    @LoopActor private func deliver(_ document: RosterDocument, _ fixture: AgentFixture, _ store: MessageStore) async throws {
        try await fixture.deliver(fixture.control(.roster(document), to: "board@node.test"))
        try await store.importFetched()
    }

    /// A sent message in the store and, in `mailbox`, its submission; returns the tag of both.
    @LoopActor @discardableResult private func write(
        to recipients: [String], in mailbox: MailboxID = AgentMailbox.outbox, _ fixture: AgentFixture, _ store: MessageStore
    ) async throws -> RecordTag {
        let id = "own\(store.order.count)"
        let prepared = try store.intake.prepared(
            mail(from: "alice@node.test", to: recipients[0], subject: id), id: id, sendState: .waiting, at: fixture.time.wall)
        let queued = QueuedSubmission(
            messageTag: prepared.tag, sender: fixture.account.address,
            recipients: try recipients.map { try #require(MailAddress($0)) }, message: Array("sealed \(id)".utf8))
        let record = SpoolAppend.record(mailbox: mailbox, tag: prepared.tag, flags: 0, body: queued.body)
        let records = try await fixture.spool.commit(SpoolTransaction(appends: prepared.appends + [record]))
        store.added(prepared, records: records[..<2])
        return prepared.tag
    }

    @LoopActor private func tags(_ mailbox: MailboxID, _ fixture: AgentFixture) async throws -> [RecordTag] {
        try await fixture.spool.entries(in: mailbox).map(\.tag)
    }

    private let bob = "bob@node.test"

    // MARK: Verdicts

    @Test @LoopActor func aComparison_isOfOneKey() async throws {
        let fixture = try AgentFixture()
        let store = try await fixture.store()
        let documents = try rosters()
        try await deliver(documents[0], fixture, store)
        #expect(store.trust.contact(bob)?.verdict == .known)
        #expect(try await store.decide(.compared(fingerprint(old)), on: bob) == 0)
        #expect(store.trust.contact(bob)?.verdict == .verified)
        #expect(try await fixture.store().trust.contact(bob)?.verdict == .verified)
        try await deliver(documents[1], fixture, store)
        let contact = try #require(store.trust.contact(bob))
        #expect(contact.verdict == .changed && contact.entry.lostComparison && contact.former == [fingerprint(old)])
        #expect(contact.words.contains("a former key was compared, this one is not verified"))
        // The former key is no way to verify this one.
        await #expect(throws: Failure.self) { try await store.decide(.compared(fingerprint(old)), on: bob) }
        #expect(store.trust.contact(bob)?.verdict == .changed)
        _ = try await store.decide(.accepted(fingerprint(new)), on: bob)
        #expect(store.trust.contact(bob)?.verdict == .known && store.trust.contact(bob)?.entry.lostComparison == true)
        _ = try await store.decide(.compared(fingerprint(new)), on: bob)
        #expect(store.trust.contact(bob)?.verdict == .verified)
        _ = try await store.decide(.uncompared, on: bob)
        #expect(store.trust.contact(bob)?.verdict == .known)
        #expect(try await fixture.spool.count(AgentMailbox.knownKeys) == 1)
    }

    @Test @LoopActor func whatDiffers_isRefusedInTheSameWords() async throws {
        let fixture = try AgentFixture()
        let store = try await fixture.store()
        try await deliver(try rosters()[0], fixture, store)
        var words: Set<String> = []
        var almost = fingerprint(old).bytes
        almost[15] ^= 1
        let wrong = [fingerprint(new), try #require(KeyFingerprint(Hex.encode(almost)))]
        for print in wrong {
            for decision in [TrustBook.Decision.compared(print), .accepted(print)] {
                do throws(Failure) {
                    _ = try await store.decide(decision, on: bob)
                    Issue.record("taken")
                } catch {
                    words.insert(error.publicText)
                }
            }
        }
        #expect(words.count == 1 && words.first?.contains("on a way that is not this node") == true)
        #expect(store.trust.contact(bob)?.verdict == .known)
        for somebody in ["carol@node.test", "alice@node.test"] {
            await #expect(throws: Failure.self) { try await store.decide(.uncompared, on: somebody) }
        }
    }

    @Test @LoopActor func messagesOfAComparedKey_areVerified_andOfAnAcceptedOneKnown() async throws {
        let fixture = try AgentFixture()
        let store = try await fixture.store()
        let documents = try rosters()
        func verdict(_ key: MinisignKey, _ number: String) async throws -> SignatureVerdict? {
            try await fixture.deliver(SignatureTests.signed(by: key, submission: number), group: "board")
            try await store.importFetched()
            return store.summaries.last?.signature?.verdict
        }
        try await deliver(documents[0], fixture, store)
        #expect(try await verdict(old, "11") == .known)
        _ = try await store.decide(.compared(fingerprint(old)), on: bob)
        #expect(try await verdict(old, "12") == .verified)
        try await deliver(documents[1], fixture, store)
        #expect(try await verdict(new, "13") == .changed)
        #expect(try await verdict(old, "14") == .changed)
        _ = try await store.decide(.accepted(fingerprint(new)), on: bob)
        #expect(try await verdict(new, "15") == .known)
        _ = try await store.decide(.compared(fingerprint(new)), on: bob)
        #expect(try await verdict(new, "16") == .verified)
    }

    // MARK: Mail that waits

    @Test @LoopActor func mailToThePerson_waits_andNoOther() async throws {
        let fixture = try AgentFixture()
        let store = try await fixture.store()
        let documents = try rosters()
        try await deliver(documents[0], fixture, store)
        let alone = try await write(to: [bob], fixture, store)
        let group = try await write(to: ["board@node.test"], fixture, store)
        let both = try await write(to: ["carol@node.test", bob], fixture, store)
        let other = try await write(to: ["carol@node.test"], fixture, store)
        let own = try await write(to: ["alice@node.test"], fixture, store)
        try await deliver(documents[1], fixture, store)
        #expect(try await Set(tags(AgentMailbox.heldBack, fixture)) == [alone, both])
        #expect(try await Set(tags(AgentMailbox.outbox, fixture)) == [group, other, own])
        #expect(store.trust.contact(bob)?.waiting == 2)
        // The rosters name another key as one's own besides, which is said on its own.
        #expect(store.trust.problems.count == 2 && store.trust.problems.contains { $0.contains("2 messages wait") })
        let people = store.trust.undecided("own0")
        #expect(people?.map { "\($0)" } == [bob] && store.trust.undecided("own1") == nil)
        // Durable, and the decision is what ends it.
        let again = try await fixture.store()
        #expect(again.trust.contact(bob)?.waiting == 2)
        var released: [SpoolUID] = []
        again.trust.held.release = { released.append($0) }
        #expect(try await again.decide(.compared(fingerprint(new)), on: bob) == 2)
        #expect(released.count == 2 && again.trust.problems.allSatisfy { $0.contains("another key as yours") })
        #expect(try await tags(AgentMailbox.heldBack, fixture) == [])
        #expect(try await Set(tags(AgentMailbox.outbox, fixture)) == [alone, group, both, other, own])
        for uid in released {
            let body = try await fixture.spool.read(uid, offset: 0, count: .max)
            #expect(
                QueuedSubmission(body: body).map { String(decoding: $0.message, as: UTF8.self).hasPrefix("sealed own") } == true
            )
        }
    }

    @Test @LoopActor func whatTheNodeMayHave_isNotTakenBack() async throws {
        let fixture = try AgentFixture()
        let store = try await fixture.store()
        let documents = try rosters()
        try await deliver(documents[0], fixture, store)
        let tag = try await write(to: [bob], fixture, store)
        store.trust.held.withdraw = { _ in false }
        try await deliver(documents[1], fixture, store)
        #expect(try await tags(AgentMailbox.outbox, fixture) == [tag])
        #expect(try await tags(AgentMailbox.heldBack, fixture) == [])
    }

    @Test @LoopActor func whatIsGivenUp_staysInTheStore_asNotSent() async throws {
        let fixture = try AgentFixture()
        let store = try await fixture.store()
        let documents = try rosters()
        for document in documents { try await deliver(document, fixture, store) }
        try await write(to: [bob], in: AgentMailbox.heldBack, fixture, store)
        let opened = try await fixture.store()
        #expect(try await opened.decide(.discarded, on: bob) == 1)
        #expect(try await opened.decide(.discarded, on: bob) == 0)
        try await opened.applyOutcomes()
        #expect(opened.summaries.map(\.sendState) == [.refused])
        #expect(opened.summaries[0].note?.contains("another key than before") == true)
        #expect(try await tags(AgentMailbox.heldBack, fixture) == [])
        #expect(opened.trust.contact(bob)?.entry.awaitsDecision == true)
    }

    // MARK: Stops

    /// The change cut off anywhere: the mail waits, once.
    @Test(arguments: 0..<5) @LoopActor func aChangeCutOff_holdsOnce(erasures: Int) async throws {
        let fixture = try AgentFixture()
        let store = try await fixture.store()
        let documents = try rosters()
        try await deliver(documents[0], fixture, store)
        let tag = try await write(to: [bob], fixture, store)
        try await fixture.deliver(fixture.control(.roster(documents[1]), to: "board@node.test"))
        var returned: [SpoolUID] = []
        store.trust.held.release = { returned.append($0) }
        fixture.spool.cutNext(erasures: erasures)
        await #expect(throws: SpoolError.self) { try await store.importFetched() }
        #expect(returned.count == 1)
        // The outbox is taken up before anybody unlocks.
        let outbox = try await Self.outbox(fixture)
        #expect(outbox.waiting.isEmpty)
        outbox.stop()
        let again = try await fixture.store()
        try await again.importFetched()
        #expect(try await tags(AgentMailbox.heldBack, fixture) == [tag])
        #expect(try await tags(AgentMailbox.outbox, fixture) == [])
        #expect(again.trust.contact(bob)?.waiting == 1)
        #expect(try await fixture.spool.count(AgentMailbox.inbox) == 0)
    }

    /// The decision cut off anywhere: once it is durable the mail goes out, once.
    @Test(arguments: 0..<3) @LoopActor func aDecisionCutOff_sendsOnce(erasures: Int) async throws {
        let fixture = try AgentFixture()
        let store = try await fixture.store()
        for document in try rosters() { try await deliver(document, fixture, store) }
        let tag = try await write(to: [bob], in: AgentMailbox.heldBack, fixture, store)
        let opened = try await fixture.store()
        fixture.spool.cutNext(erasures: erasures)
        await #expect(throws: Failure.self) { try await opened.decide(.accepted(fingerprint(new)), on: bob) }
        let outbox = try await Self.outbox(fixture)
        let again = try await fixture.store()
        again.trust.held.release = { outbox.queued($0) }
        try await again.releaseDecided()
        #expect(outbox.waiting.count == 1)
        outbox.stop()
        #expect(try await tags(AgentMailbox.outbox, fixture) == [tag])
        #expect(try await tags(AgentMailbox.heldBack, fixture) == [])
        #expect(again.trust.contact(bob)?.verdict == .known && again.trust.contact(bob)?.waiting == 0)
        #expect(try await fixture.spool.count(AgentMailbox.knownKeys) == 1)
    }

    @Test(arguments: 0..<2) @LoopActor func givingUpCutOff_isDoneOnce(erasures: Int) async throws {
        let fixture = try AgentFixture()
        let store = try await fixture.store()
        for document in try rosters() { try await deliver(document, fixture, store) }
        try await write(to: [bob], in: AgentMailbox.heldBack, fixture, store)
        let opened = try await fixture.store()
        fixture.spool.cutNext(erasures: erasures)
        await #expect(throws: Failure.self) { try await opened.decide(.discarded, on: bob) }
        let again = try await fixture.store()
        try await again.applyOutcomes()
        _ = try await again.decide(.accepted(fingerprint(new)), on: bob)
        #expect(again.summaries.map(\.sendState) == [.refused])
        #expect(try await tags(AgentMailbox.heldBack, fixture) == [])
        #expect(try await tags(AgentMailbox.outbox, fixture) == [])
    }

    /// An outbox whose node is not there.
    @LoopActor private static func outbox(_ fixture: AgentFixture) async throws -> Outbox {
        let outbox = Outbox(
            spool: fixture.spool, services: try testServices(time: fixture.time), submit: { _ in .unreachable("no node") },
            onOutcome: {})
        try await outbox.start()
        return outbox
    }

    // MARK: The whole agent

    @Test @LoopActor func whatIsWrittenAfterAChange_waits_overLockAndDecision() async throws {
        let open = try await OpenAgent()
        for document in try rosters() { try await open.roster(document) }
        let address = try #require(MailAddress(bob))
        func send(_ to: MailAddress) async throws -> String {
            try await open.agent.send(Agent.Letter(recipients: [to], subject: "x", body: "y"))
        }
        // The write page says beforehand what will happen.
        var fields = DraftFields(recipients: "bob", subject: "x", body: "y")
        #expect(await open.page.save(draft: "d1", fields))
        #expect(await open.page.draft("d1")?.waits == [PersonLink(id: MailPage.personID(bob), name: bob, isUrgent: true)])
        #expect(await open.page.send(draft: "d1", fields) == .refused)
        let problem = try #require(await open.page.draft("d1")?.problems.first)
        #expect(problem.isWarning && problem.text.contains("\(bob) has another key than before: this will wait"))
        fields.recipients = "board"
        #expect(await open.page.save(draft: "d2", fields))
        #expect(await open.page.draft("d2")?.waits.isEmpty == true)
        let id = try await send(address)
        _ = try await send(try #require(MailAddress("board@node.test")))
        #expect(try await open.outbox() == 1)
        let store = try open.agent.opened().store
        #expect(open.page.sentState(try #require(store.items[id]).summary) == .held(for: bob))
        let status = await open.agent.status(page: nil)
        #expect(status.fields["waiting_for_decision"]?.integer == 1 && status.problems.contains { $0.contains(bob) })
        open.agent.lock()
        #expect(await open.agent.status(page: nil).fields["waiting_for_decision"]?.integer == 1)
        try await open.agent.unlock(passphrase: OpenAgent.passphrase)
        #expect(try open.agent.contact(bob).waiting == 1)
        // On the page, with what the form shows.
        let person = try #require(await open.page.person(MailPage.personID(bob)))
        #expect(person.awaitsDecision && person.waiting == 1 && person.former.map(\.hex) == [fingerprint(old).hex])
        #expect(person.fingerprint.picture.isEmpty == false)
        var notice = await open.page.decide(person: person.id, .typed, fingerprint: fingerprint(old).words)
        #expect(notice.hasPrefix("Nothing was changed: that is not the fingerprint"))
        notice = await open.page.decide(person: person.id, .typed, fingerprint: "what is this")
        #expect(notice.hasPrefix("That is no fingerprint"))
        #expect(try await open.outbox() == 1)
        notice = await open.page.decide(person: person.id, .accepted, fingerprint: person.fingerprint.hex)
        #expect(notice == "The new key of \(bob) is used, not verified. 1 message goes out now.")
        #expect(try await open.outbox() == 2)
        _ = try await send(address)
        #expect(try await open.outbox() == 3)
        await open.close()
    }
}
