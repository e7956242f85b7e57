// What an agent makes of rosters: who could read a message, what happened to a group, and what is said when they do not fit.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import Foundation
import Testing

@testable import DDSAgent

@Suite(.timeLimit(.minutes(5))) struct TrustBookTests {
    static func roster(
        _ number: UInt64 = 1, after previous: RosterDocument? = nil, _ names: [String] = ["alice", "bob"],
        identities: [String: [UInt8]] = [:], owners: Set<String> = [], senderAuth: String = "attested"
    ) throws -> RosterDocument {
        RosterDocument(
            Roster(
                group: try #require(MailAddress("board@node.test")), number: number,
                previous: previous?.hash ?? (number == 1 ? nil : [UInt8](repeating: 0, count: 32)),
                time: WallTime(milliseconds: 1_000_000 * Int64(number)),
                settings: .init(mode: "relay", posting: "members", pq: "prefer", senderAuth: senderAuth),
                members: try names.map { name in
                    Roster.Member(
                        address: try #require(MailAddress("\(name)@node.test")), display: name.capitalized,
                        role: owners.contains(name) ? .owner : .member,
                        identity: identities[name], devices: [Roster.Device(recipient: "age1x")])
                }))
    }

    @LoopActor private func withStore(_ body: @LoopActor (AgentFixture, MessageStore) async throws -> Void) async throws {
        let fixture = try AgentFixture()
        try await body(fixture, try await fixture.store())
    }

    private func note(_ document: RosterDocument) -> AgeStanza { RosterNote(group: "board", head: document.head).stanza }

    @Test @LoopActor func aRoster_isKeptAndNotShown_andSaysWhoCouldRead() async throws {
        try await withStore { fixture, store in
            let first = try Self.roster()
            let second = try Self.roster(2, after: first, ["alice", "bob", "carol"])
            for document in [first, second, second] {
                try await fixture.deliver(fixture.control(.roster(document), to: "board@node.test"))
            }
            let without = try Self.roster(3, after: second, ["bob"])
            let other = try Self.roster(2, after: first, ["alice", "mallory"])
            for (subject, head) in [("one", first), ("two", second), ("other", other), ("unknown", without)] {
                try await fixture.deliver(mail(subject: subject), group: "board", notes: [note(head)])
            }
            try await fixture.deliver(mail(subject: "unnamed"), group: "board")
            try await fixture.deliver(mail(subject: "private"), notes: [])
            try await store.importFetched()
            let readers = Dictionary(uniqueKeysWithValues: store.summaries.map { ($0.subject, store.trust.readers(of: $0)) })
            #expect(readers["one"] == .known(1, count: 2, includesMe: true))
            #expect(readers["two"] == .known(2, count: 3, includesMe: true))
            #expect(readers["other"] == .contradicted(2))
            #expect(readers["unknown"] == .unknown(3))
            #expect(readers["unnamed"] == .unnamed)
            #expect(readers["private"] == .some(nil))
            #expect(store.order.count == 6 && store.trust.groupNames == ["board"])
            #expect(store.trust.roster(of: "board") == second.roster)
            #expect(try await fixture.spool.count(AgentMailbox.inbox) == 0)
            // Durable, and one record.
            let again = try await fixture.store()
            #expect(again.trust.groups == store.trust.groups && again.trust.groups.count == 1)
            #expect(try await fixture.spool.count(AgentMailbox.rosters) == 1)
        }
    }

    /// The sign of a node that lies, or that this person joined anew elsewhere.
    @Test @LoopActor func aRosterThatNamesAnotherKeyAsMine_isSaid_untilOneNamesMine() async throws {
        try await withStore { fixture, store in
            let mine = SigningKey(seed: fixture.keys.identitySeed).publicKey
            let other = [UInt8](repeating: 9, count: 32)
            var documents = [try Self.roster(identities: ["alice": mine])]
            for (number, key) in [(2, other), (3, mine)] as [(UInt64, [UInt8])] {
                documents.append(try Self.roster(number, after: documents.last, identities: ["alice": key]))
            }
            @LoopActor func alarms(_ store: MessageStore) -> [String] {
                store.trust.events(in: "board", since: WallTime(milliseconds: 0)).filter(\.isAlarming).map(\.text)
            }
            for (document, isWrong) in zip(documents, [false, true, false]) {
                try await fixture.deliver(fixture.control(.roster(document), to: "board@node.test"))
                try await store.importFetched()
                let again = try await fixture.store()
                #expect(again.trust.problems.isEmpty != isWrong, "\(document.roster.number)")
                #expect(alarms(again).count == (document.roster.number == 1 ? 0 : 1))
                guard isWrong else { continue }
                #expect(store.trust.problems.first?.hasPrefix("#board: roster 2 names another key as yours") == true)
                #expect(alarms(store).first?.contains("on a way that is not this node, with: ddsnode key show") == true)
            }
            // One that names none says nothing of it.
            let none = try Self.roster(4, after: documents.last)
            try await fixture.deliver(fixture.control(.roster(none), to: "board@node.test"))
            try await store.importFetched()
            #expect(store.trust.problems.isEmpty && alarms(store).count == 1)
        }
    }

    @Test @LoopActor func aRosterWithoutMe_isAlarming() async throws {
        try await withStore { fixture, store in
            let document = try Self.roster(4, ["bob"])
            try await fixture.deliver(fixture.control(.roster(document), to: "board@node.test"))
            try await fixture.deliver(mail(subject: "x"), group: "board", notes: [note(document)])
            try await store.importFetched()
            let summary = try #require(store.summaries.first)
            let readers = try #require(store.trust.readers(of: summary))
            #expect(readers == .known(4, count: 1, includesMe: false) && readers.isAlarming && store.trust.groupNames.isEmpty)
            #expect(readers.words == "1 member could read this, roster 4; you are not one of them")
        }
    }

    @Test @LoopActor func whatChanges_isToldInOrder_withWhatIsMissing() async throws {
        try await withStore { fixture, store in
            let first = try Self.roster()
            let second = try Self.roster(2, after: first, ["alice", "bob", "carol"])
            let fifth = try Self.roster(5, ["alice", "carol"])
            for document in [first, second, first, fifth] {
                fixture.time.advance(by: .seconds(1))
                try await fixture.deliver(fixture.control(.roster(document), to: "board@node.test"))
                try await store.importFetched()
            }
            let events = store.trust.events(in: "board", since: WallTime(milliseconds: 0))
            #expect(
                events.map(\.text) == [
                    "Carol <carol@node.test> was added", "2 rosters before this did not come here",
                    "Bob <bob@node.test> was removed",
                ])
            #expect(events.map(\.time.milliseconds) == [2_000_000, 5_000_000, 5_000_000])
            #expect(store.trust.events(in: "board", since: WallTime(milliseconds: events[1].received)).count == 2)
            #expect(store.trust.problems.isEmpty)
        }
    }

    @Test @LoopActor func aFork_isSaidAndNotTaken() async throws {
        try await withStore { fixture, store in
            let first = try Self.roster()
            let forked = try Self.roster(2, after: try Self.roster(1, ["alice", "eve"]), ["alice", "bob", "eve"])
            for document in [first, forked, forked] {
                try await fixture.deliver(fixture.control(.roster(document), to: "board@node.test"))
            }
            try await store.importFetched()
            #expect(store.trust.roster(of: "board") == first.roster)
            let events = store.trust.events(in: "board", since: WallTime(milliseconds: 0))
            #expect(events.map(\.isAlarming) == [true] && events[0].text.contains("different members different things"))
            #expect(store.trust.problems.count == 1)
            #expect(try await fixture.store().trust.problems == store.trust.problems)
        }
    }

    // MARK: Owners

    private func word(_ document: RosterDocument, by key: SigningKey, owner: String = "bob") throws -> RosterConfirmation {
        RosterConfirmation(
            group: document.roster.group, head: document.head, owner: try #require(MailAddress("\(owner)@node.test")),
            time: WallTime(milliseconds: 5_000), signedBy: key)
    }

    @Test @LoopActor func anOwnersWord_isSaidWithTheMessages_andKept() async throws {
        try await withStore { fixture, store in
            let bob = SigningKey.generate()
            let first = try Self.roster(identities: ["bob": bob.publicKey], owners: ["bob"])
            let second = try Self.roster(
                2, after: first, ["alice", "bob", "carol"], identities: ["bob": bob.publicKey], owners: ["bob"])
            for content in [
                ControlMail.Content.roster(first), .rosterConfirmed(try word(first, by: bob)), .roster(second),
                .rosterConfirmed(try word(first, by: bob)),
            ] {
                try await fixture.deliver(fixture.control(content, to: "board@node.test"))
            }
            for (subject, head) in [("one", first), ("two", second)] {
                try await fixture.deliver(mail(subject: subject), group: "board", notes: [note(head)])
            }
            try await store.importFetched()
            #expect(store.summaries.map(\.subject) == ["one", "two"], "the word itself is no message")
            @LoopActor func said(_ store: MessageStore) -> [String?] {
                store.summaries.map { store.trust.confirmation(of: $0) }
            }
            #expect(said(store) == ["bob@node.test, an owner, confirmed who is in it", "no owner has confirmed who is in it"])
            #expect(store.trust.groups["board"]?.unconfirmedChanges == ["Carol <carol@node.test> was added"])
            let events = store.trust.events(in: "board", since: WallTime(milliseconds: 0))
            #expect(events.count { $0.text == "bob@node.test, an owner, confirmed who is in the group, roster 1" } == 1)
            #expect(events.allSatisfy { !$0.isAlarming })
            let again = try await fixture.store()
            #expect(said(again) == said(store))
        }
    }

    @Test @LoopActor func aWordThatDoesNotHold_isSaid_andConfirmsNothing() async throws {
        try await withStore { fixture, store in
            let bob = SigningKey.generate()
            let first = try Self.roster(identities: ["bob": bob.publicKey], owners: ["bob"])
            let other = try Self.roster(1, ["alice", "bob", "eve"], identities: ["bob": bob.publicKey], owners: ["bob"])
            for content in [
                ControlMail.Content.roster(first), .rosterConfirmed(try word(first, by: .generate())),
                .rosterConfirmed(try word(other, by: bob)), .rosterConfirmed(try word(first, by: bob, owner: "alice")),
            ] {
                try await fixture.deliver(fixture.control(content, to: "board@node.test"))
            }
            try await fixture.deliver(mail(subject: "one"), group: "board", notes: [note(first)])
            try await store.importFetched()
            #expect(store.summaries.map { store.trust.confirmation(of: $0) } == ["no owner has confirmed who is in it"])
            let events = store.trust.events(in: "board", since: WallTime(milliseconds: 0))
            #expect(events.count { $0.isAlarming && $0.text.contains("does not hold") } == 3)
        }
    }

    @Test @LoopActor func whoVouchesForThemselves_isNotTakenForAnOwnerOfBefore() async throws {
        try await withStore { fixture, store in
            let bob = SigningKey.generate()
            let eve = SigningKey.generate()
            let first = try Self.roster(identities: ["bob": bob.publicKey], owners: ["bob"])
            let second = try Self.roster(
                2, after: first, ["alice", "bob", "eve"], identities: ["bob": bob.publicKey, "eve": eve.publicKey],
                owners: ["bob", "eve"])
            for content in [
                ControlMail.Content.roster(first), .roster(second), .rosterConfirmed(try word(second, by: eve, owner: "eve")),
            ] {
                try await fixture.deliver(fixture.control(content, to: "board@node.test"))
            }
            try await store.importFetched()
            let events = store.trust.events(in: "board", since: WallTime(milliseconds: 0))
            #expect(events.contains { $0.isAlarming && $0.text.hasPrefix("eve@node.test, an owner only since this roster,") })
        }
    }

    @Test @LoopActor func aRosterOfSomebodyElse_isAMessageWithAWarning() async throws {
        try await withStore { fixture, store in
            try await fixture.deliver(
                fixture.control(.roster(try Self.roster()), to: "board@node.test", signedBy: MinisignKey(.generate())))
            try await store.importFetched()
            #expect(store.trust.groups.isEmpty && store.summaries.map { $0.warning != nil } == [true])
        }
    }

    /// At every place where the machine may stop.
    @Test(arguments: 0..<3) @LoopActor func aRosterCutOff_isTakenOnce(erasures: Int) async throws {
        try await withStore { fixture, store in
            let first = try Self.roster()
            try await fixture.deliver(fixture.control(.roster(first), to: "board@node.test"))
            try await store.importFetched()
            try await fixture.deliver(
                fixture.control(.roster(try Self.roster(2, after: first, ["alice"])), to: "board@node.test"))
            fixture.spool.cutNext(erasures: erasures)
            await #expect(throws: SpoolError.self) { try await store.importFetched() }
            let again = try await fixture.store()
            try await again.importFetched()
            #expect(again.trust.groups["board"]?.steps.map(\.number) == [1, 2])
            #expect(try await fixture.spool.count(AgentMailbox.inbox) == 0)
            #expect(try await fixture.spool.count(AgentMailbox.rosters) == 1)
        }
    }
}
