import DDSCore
import Testing

@testable import DDSAgent

@Suite struct ThreadIndexTests {
    private func summary(
        _ id: String, subject: String = "Budget", group: String? = nil, inReplyTo: [String] = [], received: Int64 = 0
    ) -> StoredSummary {
        StoredSummary(
            id: id, subject: subject, fromName: "", fromAddress: "bob@node.test", recipients: [], group: group, date: 0,
            received: received, isUnread: true, sendState: nil, note: nil, messageID: "\(id)@node.test", inReplyTo: inReplyTo,
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

    @Test func derivedIDs_areStableAndTellPartsApart() {
        #expect(OpaqueID.derived([1, 2], [3]) == OpaqueID.derived([1, 2], [3]))
        #expect(OpaqueID.derived([1, 2], [3]) != OpaqueID.derived([1], [2, 3]))
        #expect(OpaqueID.derived([1]).count == 13)
    }
}
