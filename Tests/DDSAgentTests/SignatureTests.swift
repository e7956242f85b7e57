// What an agent says of signatures: by whom, for here, once.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import Testing

@testable import DDSAgent

@Suite(.timeLimit(.minutes(5))) struct SignatureTests {
    static let server = [UInt8](repeating: 7, count: 8)

    /// A message as bob's agent makes it, or somebody who changes one thing.
    static func signed(
        by key: MinisignKey, from: String = "bob@node.test", to: String = "board@node.test", groups: [String] = ["board"],
        submission: String = "00112233445566778899aabbccddeeff", server: [UInt8] = server, subject: String = "Plan",
        audience: [UInt8]? = nil
    ) -> [UInt8] {
        let message =
            Array("X-DDS-Submission: \(submission)\r\n".utf8) + mail(from: from, to: to, subject: subject, id: submission)
        return Padding.pad(
            SignedMessage.made(
                of: message,
                SignatureContext(
                    server: server, groups: groups, submission: submission, sequence: 1, time: WallTime(milliseconds: 1),
                    audience: audience),
                by: key))
    }

    private let bob = MinisignKey(.generate())

    @LoopActor private func withStore(
        knowing: Bool = true, _ body: @LoopActor (AgentFixture, MessageStore) async throws -> Void
    ) async throws {
        let fixture = try AgentFixture()
        let store = try await fixture.store()
        if knowing {
            let roster = try TrustBookTests.roster(identities: ["bob": bob.publicKey.key])
            try await fixture.deliver(fixture.control(.roster(roster), to: "board@node.test"))
            try await store.importFetched()
        }
        try await body(fixture, store)
    }

    @LoopActor private func verdict(
        _ message: [UInt8], group: String? = "board", notes: [AgeStanza] = [], _ fixture: AgentFixture, _ store: MessageStore
    ) async throws -> StoredSignature? {
        let before = store.order.count
        try await fixture.deliver(message, group: group, notes: notes)
        try await store.importFetched()
        guard store.order.count == before + 1 else { return nil }
        return store.summaries.last?.signature
    }

    @Test @LoopActor func aKeyOfTheRoster_isKnown_andTheMessageIsReadable() async throws {
        try await withStore { fixture, store in
            let found = try #require(try await verdict(Self.signed(by: bob), fixture, store))
            #expect(found.verdict == .known && found.reason == nil && found.key == Hex.encode(bob.publicKey.key))
            let summary = try #require(store.summaries.last)
            #expect(summary.subject == "Plan" && summary.snippet.contains("Hello.") && !summary.hasAttachments)
            #expect(summary.fromAddress == "bob@node.test")
            #expect(try await fixture.store().summaries.last?.signature == found)
        }
    }

    @Test @LoopActor func withoutARoster_theFirstIsFirstSeen_andTheNextIsKnown() async throws {
        try await withStore(knowing: false) { fixture, store in
            #expect(try await verdict(Self.signed(by: bob), fixture, store)?.verdict == .firstSeen)
            #expect(try await verdict(Self.signed(by: bob, submission: "02"), fixture, store)?.verdict == .known)
            // Also after a lock.
            let again = try await fixture.store()
            #expect(try await verdict(Self.signed(by: bob, submission: "03"), fixture, again)?.verdict == .known)
            // Another key by mail never takes its place.
            let other = MinisignKey(.generate())
            for number in 4..<6 {
                let found = try await verdict(Self.signed(by: other, submission: "0\(number)"), fixture, again)
                #expect(found?.verdict == .changed && found?.isException == true)
            }
            #expect(again.trust.trust.keys["bob@node.test"]?.key == Hex.encode(bob.publicKey.key))
        }
    }

    @Test @LoopActor func aKeyThatTheNodeReplaces_isChanged_onBothSides() async throws {
        try await withStore { fixture, store in
            let new = MinisignKey(.generate())
            let first = try TrustBookTests.roster(identities: ["bob": bob.publicKey.key])
            let second = try TrustBookTests.roster(2, after: first, identities: ["bob": new.publicKey.key])
            try await fixture.deliver(fixture.control(.roster(second), to: "board@node.test"))
            try await store.importFetched()
            #expect(try await verdict(Self.signed(by: new), fixture, store)?.verdict == .changed)
            let old = try await verdict(Self.signed(by: bob, submission: "02"), fixture, store)
            #expect(old?.verdict == .changed && old?.reason?.contains("any more") == true)
            #expect(
                store.trust.events(in: "board", since: WallTime(milliseconds: 0)).map(\.text) == [
                    "Bob <bob@node.test> has a new key"
                ])
        }
    }

    @Test @LoopActor func whatIsNotSigned_saysSo_andWhoWasLoggedIn() async throws {
        try await withStore { fixture, store in
            #expect(try await verdict(mail(subject: "x"), fixture, store) == StoredSignature(verdict: .unsigned))
            let attested = AuthorNote(group: "board", author: "bob").stanza
            var found = try #require(try await verdict(mail(subject: "x"), notes: [attested], fixture, store))
            #expect(found.words == "not signed; the node says that bob@node.test sent it" && found.reason == nil)
            found = try #require(
                try await verdict(mail(from: "carol@node.test", subject: "x"), notes: [attested], fixture, store))
            #expect(found.verdict == .unsigned && found.reason == "it names carol@node.test as its author")
        }
    }

    /// A person's other device has sent it, and their identity proves that.
    @Test @LoopActor func whatIWroteOnAnotherDevice_isMine_once_andNobodyElseCanSaySo() async throws {
        try await withStore { fixture, store in
            let me = MinisignKey(fixture.keys.identity)
            @LoopActor func come(_ key: MinisignKey, to: String, groups: [String] = [], group: String? = nil, id: String)
                async throws -> StoredSummary
            {
                let before = store.order.count
                let message = Self.signed(
                    by: key, from: "alice@node.test", to: to, groups: groups, submission: id,
                    audience: SignatureContext.audience(of: MailAddress(to).map { [$0] } ?? []))
                try await fixture.deliver(message, group: group)
                try await store.importFetched()
                #expect(store.order.count == before + 1, "\(id)")
                return try #require(store.summaries.last)
            }
            var found = try await come(me, to: "bob@node.test", id: "0a")
            #expect(
                found.isOwn && found.sendState == .sent && !found.isUnread && found.group == nil && found.submission == "0a")
            #expect(found.signature?.verdict == .known)
            found = try await come(me, to: "board@node.test", groups: ["board"], group: "board", id: "0b")
            #expect(found.isOwn && found.group == "board")
            // A note to oneself is mail, and so is what only looks like one's own.
            found = try await come(me, to: "alice@node.test", id: "0c")
            #expect(!found.isOwn && found.isUnread)
            found = try await come(bob, to: "bob@node.test", id: "0d")
            #expect(!found.isOwn && found.signature?.verdict == .bad)
            // Brought once more it is no second message.
            let count = store.order.count
            try await fixture.deliver(
                Self.signed(
                    by: me, from: "alice@node.test", to: "bob@node.test", groups: [], submission: "0a",
                    audience: SignatureContext.audience(of: MailAddress("bob@node.test").map { [$0] } ?? [])))
            try await store.importFetched()
            #expect(store.order.count == count)
        }
    }

    /// By the roster that the message was sealed for, not by what the group has become since.
    @Test @LoopActor func whereAGroupTakesSignedMailOnly_whatIsNotSignedIsAnException() async throws {
        try await withStore { fixture, store in
            let first = try TrustBookTests.roster(identities: ["bob": bob.publicKey.key])
            let second = try TrustBookTests.roster(
                2, after: first, identities: ["bob": bob.publicKey.key], senderAuth: "signed")
            func note(_ document: RosterDocument) -> AgeStanza { RosterNote(group: "board", head: document.head).stanza }
            try await fixture.deliver(fixture.control(.roster(second), to: "board@node.test"))
            try await store.importFetched()
            var found = try #require(try await verdict(mail(subject: "x"), notes: [note(second)], fixture, store))
            #expect(found.isException && found.isMissing && found.verdict == .unsigned)
            #expect(found.words == "not signed, and its group takes signed mail only")
            #expect(try await fixture.store().summaries.last?.signature == found)
            // A node that names no roster, or one that it did not tell of, is taken at its last word.
            #expect(try await verdict(mail(subject: "x"), fixture, store)?.isException == true)
            let other = try TrustBookTests.roster(2, after: first, ["alice"])
            #expect(try await verdict(mail(subject: "x"), notes: [note(other)], fixture, store)?.isException == true)
            // From before, and what is signed.
            found = try #require(try await verdict(mail(subject: "x"), notes: [note(first)], fixture, store))
            #expect(!found.isException && found.words == "not signed")
            found = try #require(try await verdict(Self.signed(by: bob), notes: [note(second)], fixture, store))
            #expect(!found.isException && found.words == "signed with the known key")
            // Private mail, and other groups.
            #expect(try await verdict(mail(subject: "x"), group: nil, fixture, store)?.isException == false)
            #expect(try await verdict(mail(subject: "x"), group: "family", fixture, store)?.isException == false)
            // The group takes it back.
            let third = try TrustBookTests.roster(3, after: second, identities: ["bob": bob.publicKey.key])
            try await fixture.deliver(fixture.control(.roster(third), to: "board@node.test"))
            try await store.importFetched()
            #expect(try await verdict(mail(subject: "x"), notes: [note(third)], fixture, store)?.isException == false)
            #expect(try await verdict(mail(subject: "late"), notes: [note(second)], fixture, store)?.isException == true)
        }
    }

    @Test @LoopActor func everythingElse_isBad_andSaysWhy() async throws {
        try await withStore { fixture, store in
            let whole = Self.signed(by: bob)
            let text = String(decoding: whole, as: UTF8.self)
            let mallory = MinisignKey(.generate())
            let cases: [(String, [UInt8], String?, String)] = [
                ("text", Array(text.replacing("Hello.", with: "Hallo.").utf8), "board", "does not fit"),
                (
                    "signature", Array(text.replacing("trusted comment: dds", with: "trusted comment: DDS").utf8), "board",
                    "does not fit"
                ),
                ("form", Array(text.replacing("untrusted comment:", with: "comment:").utf8), "board", "damaged"),
                ("group", whole, "family", "written for #board and came through #family"),
                ("direct", whole, nil, "does not name you"),
                ("node", Self.signed(by: bob, server: [UInt8](repeating: 8, count: 8)), "board", "another node"),
                ("private", Self.signed(by: bob, to: "carol@node.test", groups: []), "board", "written for no group"),
                ("author", Self.signed(by: bob, from: "alice@node.test"), "board", "by the key of bob@node.test"),
            ]
            for (name, message, group, reason) in cases {
                let found = try await verdict(message, group: group, fixture, store)
                #expect(
                    found?.verdict == .bad && found?.reason?.contains(reason) == true, "\(name): \(String(describing: found))")
            }
            #expect(try await verdict(Self.signed(by: mallory), fixture, store)?.verdict == .changed)
            // By somebody who does not know yet that it is a group.
            #expect(try await verdict(Self.signed(by: bob, groups: [], submission: "07"), fixture, store)?.verdict == .known)
            // A message for me alone, named.
            #expect(
                try await verdict(Self.signed(by: bob, to: "alice@node.test", groups: []), group: nil, fixture, store)?.verdict
                    == .known)
        }
    }

    /// Who alone got a message that does not name them was signed for, too; who had it passed on to them was not.
    @Test @LoopActor func aBlindCopy_isJudgedByItsAudience() async throws {
        try await withStore { fixture, store in
            func audience(_ names: String...) -> [UInt8] {
                SignatureContext.audience(of: names.compactMap { MailAddress("\($0)@node.test") })
            }
            let cases: [(String, [UInt8]?, SignatureVerdict)] = [
                ("carol@node.test", audience("carol", "alice"), .known),
                ("carol@node.test, Dora <dora@node.test>", audience("alice", "carol", "dora"), .known),
                ("undisclosed-recipients:;", audience("alice"), .known),
                ("carol@node.test", audience("carol"), .bad),
                ("carol@node.test", audience("carol", "alice", "dora"), .bad),
                ("carol@node.test", audience("alice"), .bad),
                ("carol@node.test", nil, .bad),
            ]
            for (index, (to, audience, expected)) in cases.enumerated() {
                let message = Self.signed(by: bob, to: to, groups: [], submission: "2\(index)", audience: audience)
                let found = try await verdict(message, group: nil, fixture, store)
                #expect(found?.verdict == expected, "\(index) \(String(describing: found))")
            }
        }
    }

    @Test @LoopActor func theSameAgain_isShownOnce_andSaid() async throws {
        try await withStore { fixture, store in
            let message = Self.signed(by: bob)
            #expect(try await verdict(message, fixture, store)?.verdict == .known)
            for count in 1...2 {
                #expect(try await verdict(message, fixture, store) == nil)
                #expect(store.summaries.last?.signature?.repeats == count)
            }
            #expect(store.order.count == 1)
            #expect(try await fixture.spool.count(AgentMailbox.inbox) == 0)
            // Another one of that number is no resend.
            let other = try await verdict(Self.signed(by: bob, subject: "Other"), fixture, store)
            #expect(other?.verdict == .bad && other?.reason?.contains("same number") == true)
            let again = try await fixture.store()
            #expect(try await verdict(message, fixture, again) == nil)
            #expect(again.order.count == 2)
        }
    }

    @Test @LoopActor func aMessageCutOff_teachesOnce() async throws {
        for erasures in 0..<2 {
            try await withStore(knowing: false) { fixture, store in
                try await fixture.deliver(Self.signed(by: bob), group: "board")
                fixture.spool.cutNext(erasures: erasures)
                await #expect(throws: SpoolError.self) { try await store.importFetched() }
                let again = try await fixture.store()
                try await again.importFetched()
                #expect(again.summaries.map { $0.signature?.verdict } == [.firstSeen])
                #expect(again.summaries.last?.signature?.repeats == nil)
                #expect(again.trust.trust.keys["bob@node.test"]?.key == Hex.encode(bob.publicKey.key))
                #expect(try await fixture.spool.count(AgentMailbox.inbox) == 0)
            }
        }
    }

    /// What one writes to oneself comes back and is known; what one wrote to a group and somebody brings again is not doubled.
    @Test @LoopActor func onesOwnMessages_areKnown() async throws {
        try await withStore { fixture, store in
            let me = MinisignKey(SigningKey(seed: fixture.keys.identitySeed))
            for (number, to, groups) in [("01", "alice@node.test", []), ("02", "board@node.test", ["board"])] {
                let message = Self.signed(by: me, from: "alice@node.test", to: to, groups: groups, submission: number)
                let prepared = try store.intake.prepared(
                    message, id: "own\(number)", sendState: .sent, group: groups.first, at: fixture.time.wall)
                #expect(prepared.summary.sequence == 1)
                let records = try await fixture.spool.commit(SpoolTransaction(appends: prepared.appends))
                store.added(prepared, records: records[...])
                let found = try await verdict(message, group: groups.first, fixture, store)
                #expect(found?.verdict == (groups.isEmpty ? .known : nil))
            }
            #expect(store.items["own02"]?.summary.signature?.repeats == 1)
            #expect(try await fixture.store().nextSequence(nil) == 2)
        }
    }
}
