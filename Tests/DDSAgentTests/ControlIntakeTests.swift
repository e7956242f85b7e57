// What the agent makes of the node's mail: reports go into the summaries of own messages, notices are shown, and what is not
// proven to be the node's is an ordinary message with a warning.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import Testing

@testable import DDSAgent

@Suite(.timeLimit(.minutes(5))) struct ControlIntakeTests {
    private static let submission = "00112233445566778899aabbccddeeff"

    /// A store with one message of Alice's to #board, sent.
    @LoopActor private func withSent(_ body: @LoopActor (AgentFixture, MessageStore) async throws -> Void) async throws {
        let fixture = try AgentFixture()
        let store = try await fixture.store()
        let message =
            Array("X-DDS-Submission: \(Self.submission)\r\n".utf8)
            + mail(from: "alice@node.test", to: "board@node.test", subject: "Mine")
        let prepared = try store.intake.prepared(
            message, id: "own0000000000", sendState: .sent, group: "board", at: fixture.time.wall)
        let records = try await fixture.spool.commit(SpoolTransaction(appends: prepared.appends))
        store.added(prepared, records: records[...])
        try await body(fixture, store)
    }

    private static func report(_ states: [(String, CopyState, HoldCause?)], revision: Int = 1, submission: String = submission)
        -> ControlMail.Content
    {
        .deliveryState(
            DeliveryReport(messages: [
                .init(
                    submission: submission, revision: revision, day: 20_000, destinations: ["#board"],
                    copies: states.map {
                        .init(address: "\($0.lowercased())@node.test", name: $0, group: "board", state: $1, cause: $2)
                    })
            ]))
    }

    @Test @LoopActor func aReport_isAppliedAndNotShown() async throws {
        try await withSent { fixture, store in
            try await fixture.deliver(
                fixture.control(Self.report([("Bob", .fetched, nil), ("Carol", .waiting, nil), ("Dora", .held, .mailboxFull)])))
            #expect(try await store.importFetched() == 1)
            #expect(store.order == ["own0000000000"])
            let summary = try #require(store.items["own0000000000"]?.summary)
            #expect(summary.copies?.map(\.state) == [.fetched, .waiting, .held])
            #expect(summary.copyWords == "Bob has it · Carol: waiting · Dora: held, mailbox full")
            #expect(!summary.isUnread)
            #expect(try await fixture.spool.count(AgentMailbox.inbox) == 0)
            // Durable: a store that is opened again knows it.
            #expect(try await fixture.store().items["own0000000000"]?.summary == summary)
        }
    }

    @Test @LoopActor func anOlderReport_changesNothing() async throws {
        try await withSent { fixture, store in
            try await fixture.deliver(fixture.control(Self.report([("Bob", .fetched, nil)], revision: 2)))
            try await fixture.deliver(fixture.control(Self.report([("Bob", .waiting, nil)], revision: 1)))
            try await store.importFetched()
            #expect(store.items["own0000000000"]?.summary.copies?.map(\.state) == [.fetched])
            #expect(try await fixture.spool.count(AgentMailbox.inbox) == 0)
        }
    }

    @Test @LoopActor func aReportCutOff_isAppliedOnceMore() async throws {
        try await withSent { fixture, store in
            try await fixture.deliver(fixture.control(Self.report([("Bob", .fetched, nil)])))
            fixture.spool.cutNext()
            await #expect(throws: SpoolError.self) { try await store.importFetched() }
            let again = try await fixture.store()
            try await again.importFetched()
            #expect(again.summaries.map { $0.copies?.map(\.state) } == [[.fetched]])
            #expect(try await fixture.spool.count(AgentMailbox.inbox) == 0)
            #expect(try await fixture.spool.count(AgentMailbox.summaries) == 1)
        }
    }

    @Test @LoopActor func aReportOfUnknownMessages_orOfOthers_isNothing() async throws {
        try await withSent { fixture, store in
            for submission in ["", "ffff"] {
                try await fixture.deliver(fixture.control(Self.report([("Bob", .fetched, nil)], submission: submission)))
            }
            try await store.importFetched()
            #expect(store.summaries.map(\.copies) == [nil])
        }
    }

    @Test @LoopActor func whatIsNotTheNodes_isShownWithAWarning_andNeverApplied() async throws {
        try await withSent { fixture, store in
            let genuine = Self.report([("Bob", .fetched, nil)])
            let other = MinisignKey(.generate())
            try await fixture.deliver(fixture.control(genuine, signedBy: other))
            try await fixture.deliver(fixture.control(genuine, to: "bob@node.test"))
            try await fixture.deliver(mail(from: "dds@node.test", subject: "Please log in"))
            try await fixture.deliver(mail(subject: "Ordinary"))
            #expect(try await store.importFetched() == 4)
            #expect(store.items["own0000000000"]?.summary.copies == nil)
            let received = store.summaries.filter { !$0.isOwn }
            #expect(received.map { $0.warning != nil } == [true, true, true, false])
            #expect(received.allSatisfy { $0.isUnread && $0.isFromNode != true })
        }
    }

    @Test @LoopActor func withoutAPinnedIdentity_nothingIsApplied() async throws {
        try await withSent { fixture, _ in
            fixture.account.nodeIdentity = nil
            let store = try await fixture.store()
            try await fixture.deliver(fixture.control(Self.report([("Bob", .fetched, nil)])))
            try await store.importFetched()
            #expect(store.summaries.map(\.copies) == [nil, nil])
            #expect(store.summaries.last?.warning != nil)
        }
    }

    @Test @LoopActor func anExpiryNotice_isAMessageOfTheNodeInItsGroup_once() async throws {
        try await withSent { fixture, store in
            let notice = fixture.control(.expiry(ExpiryNotice(group: "board", count: 3, days: 20_575...20_582)))
            for _ in 0..<2 { try await fixture.deliver(notice, group: "board") }
            try await store.importFetched()
            let summary = try #require(store.summaries.last)
            #expect(store.order.count == 2)
            #expect(summary.subject == "3 messages to #board expired unread, 2-9 May")
            #expect(summary.group == "board" && summary.isFromNode == true && summary.warning == nil && summary.isUnread)
            #expect(summary.fromAddress == "dds@node.test" && !summary.hasAttachments)
            #expect(
                try await ParsedMessage(#require(store.message(summary.id))).bestPlainText.contains("expired unread, 2-9 May."))
        }
    }

    /// A copy that was held by hand and released has another name at the node and is the same file.
    @Test @LoopActor func theSameCopyUnderAnotherName_isShownOnce() async throws {
        try await withSent { fixture, store in
            let bytes = try wrapped(
                mail(subject: "Once"), group: "board", to: fixture.keys.mailbox.recipient, random: fixture.random)
            let text = String(decoding: bytes, as: UTF8.self)
            try await deliverWrapped(bytes, in: fixture.spool)
            try await store.importFetched()
            try await deliverWrapped(Array(text.replacing("<U1@", with: "<U2@").utf8), in: fixture.spool)
            #expect(try await store.importFetched() == 0)
            #expect(store.summaries.count { $0.subject == "Once" } == 1)
        }
    }

    @Test func manyReaders_areNamedWhereItMatters() {
        func copy(_ name: String, _ state: CopyState) -> StoredCopy {
            StoredCopy(.init(address: "\(name)@node.test", name: name, group: nil, state: state, cause: nil))
        }
        var summary = StoredSummary(
            id: "x", subject: "", fromName: "", fromAddress: "", recipients: [], group: nil, date: 0, received: 0,
            isUnread: false,
            sendState: .sent, note: nil, messageID: "", inReplyTo: [], references: [], snippet: "", hasAttachments: false,
            size: 0)
        #expect(summary.copyWords == "")
        summary.copies = (0..<20).map { copy("a\($0)", .fetched) } + [copy("dora", .expired)]
        #expect(summary.copyWords == "20 have it · dora: expired unread")
        summary.copies = (0..<14).map { copy("b\($0)", .waiting) }
        #expect(summary.copyWords.hasSuffix("b11: waiting · and 2 others do not have it"))
    }
}
