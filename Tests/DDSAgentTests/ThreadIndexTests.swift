import DDSCore
import DDSSpool
import Testing

@testable import DDSAgent

extension SummaryTable {
    /// `summaries` in order of arrival, with records that nothing looks at.
    init(_ summaries: [StoredSummary]) {
        self.init()
        for (number, summary) in summaries.enumerated() {
            put(
                summary, messageRecord: SpoolUID(rawValue: UInt64(2 * number + 1)),
                summaryRecord: SpoolUID(rawValue: UInt64(2 * number + 2)))
        }
    }
}

extension ThreadIndex {
    convenience init(_ summaries: [StoredSummary], rules: ThreadRules = ThreadRules()) {
        self.init(SummaryTable(summaries), rules: rules)
    }
}

@Suite struct ThreadIndexTests {
    private func summary(
        _ id: String, subject: String = "Budget", group: String? = nil, inReplyTo: [String] = [], received: Int64 = 0,
        to: [String] = [], isOwn: Bool = false
    ) -> StoredSummary {
        StoredSummary(
            id: id, subject: subject, fromName: "", fromAddress: "bob@node.test", recipients: to, group: group, date: 0,
            received: received, isUnread: !isOwn, sendState: isOwn ? .sent : nil, note: nil, messageID: "\(id)@node.test", inReplyTo: inReplyTo,
            references: inReplyTo, snippet: "", hasAttachments: false, size: 1)
    }

    @Test func replies_joinTheirThreadInOrderOfArrival() {
        // The clock went back between the two: arrival counts.
        let index = ThreadIndex([
            summary("a", received: 500), summary("z", subject: "Camp"),
            summary("b", subject: "Re: Budget", inReplyTo: ["a@node.test"], received: 100),
        ])
        #expect(index.threads.map { $0.messages.map(\.id) } == [["a", "b"], ["z"]])
        #expect(index.threads.map(\.id) == ["a", "z"])
        #expect(index.thread("b")?.id == "a")
        #expect(index.thread("nothing") == nil)
    }

    @Test func thread_keepsItsIdWhenItGrows() {
        let first = [summary("a")]
        let second = first + [summary("b", subject: "Re: Budget", inReplyTo: ["a@node.test"])]
        #expect(ThreadIndex(first).threads.map(\.id) == ThreadIndex(second).threads.map(\.id))
    }

    @Test func groups_areNeverMixed() {
        let index = ThreadIndex([
            summary("a", group: "board"), summary("b", subject: "Re: Budget", group: "family", inReplyTo: ["a@node.test"]),
            summary("c", subject: "Re: Budget", inReplyTo: ["a@node.test"]),
        ])
        #expect(index.threads.count == 3)
        #expect(Set(index.threads.map(\.group)) == ["board", "family", nil])
    }

    private func marked(_ summary: StoredSummary, _ change: (inout MessageMarks) -> Void) -> StoredSummary {
        var summary = summary
        change(&summary.marks)
        return summary
    }

    /// A mute silences what comes after it, until a message names this person; one's own does not.
    @Test func mutedThread_isSilentUntilAMessageNamesMe() {
        let rules = ThreadRules(me: "alice@node.test")
        let muted = [marked(summary("a", group: "board")) { $0.isMuted = true }]
        func reply(_ id: String, to: String, isOwn: Bool = false) -> StoredSummary {
            summary(id, subject: "Re: Budget", group: "board", inReplyTo: ["a@node.test"], to: [to], isOwn: isOwn)
        }
        let silent = ThreadIndex(
            muted + [reply("b", to: "board@node.test"), reply("c", to: "alice@node.test", isOwn: true)], rules: rules)
        #expect(silent.threads.map(\.isMuted) == [true] && silent.unread == UnreadCounts(groups: ["board": 0]))
        #expect(silent.threads.map(\.isInInbox) == [false])
        let named = ThreadIndex(muted + [reply("b", to: "Alice@Node.test")], rules: rules)
        #expect(named.threads.map(\.isMuted) == [false] && named.unread.inbox == 2 && named.threads.map(\.isInInbox) == [true])
    }

    /// An answer of one's own leaves a thread in the archive; what comes in brings it back.
    @Test func archivedThread_returnsWithANewMessage() {
        let archived = marked(summary("a")) { $0.isArchived = true }
        let own = summary("b", subject: "Re: Budget", inReplyTo: ["a@node.test"], isOwn: true)
        let new = summary("c", subject: "Re: Budget", inReplyTo: ["a@node.test"])
        func state(_ summaries: [StoredSummary]) -> [Bool] {
            ThreadIndex(summaries).threads.flatMap { [$0.isArchived, $0.isInInbox] }
        }
        #expect(state([archived]) == [true, false] && state([archived, own]) == [true, false])
        #expect(state([archived, own, new]) == [false, true])
        #expect(state([own]) == [false, false])
    }

    @Test func mutedGroup_isNotInTheInboxAndCountedNowhere() {
        let rules = ThreadRules(me: "", mutedGroups: ["board"])
        let index = ThreadIndex([summary("a", group: "board"), summary("b", group: "family")], rules: rules)
        #expect(index.unread == UnreadCounts(all: 1, inbox: 1, groups: ["board": 0, "family": 1]))
        #expect(index.threads.filter(\.isInInbox).map(\.id) == ["b"])
    }

    @Test func derivedIDs_areStableAndTellPartsApart() {
        #expect(OpaqueID.derived([1, 2], [3]) == OpaqueID.derived([1, 2], [3]))
        #expect(OpaqueID.derived([1, 2], [3]) != OpaqueID.derived([1], [2, 3]))
        #expect(OpaqueID.derived([1]).count == 13)
    }
}
