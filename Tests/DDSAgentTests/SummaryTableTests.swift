import DDSCore
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import Testing

@testable import DDSAgent

@Suite struct SummaryTableTests {
    /// Every field has something in it that its neighbours have not.
    private static let full: StoredSummary = {
        var summary = StoredSummary(
            id: "0123456789abc", subject: "Re: Höhe \u{1F3D4}", fromName: "Bob \"B.\" Miller", fromAddress: "bob@node.test",
            recipients: ["alice@node.test", "board@node.test"], group: "board", date: -5, received: 1_795_000_000_123,
            isUnread: true, sendState: .sent, note: "a note", messageID: "m1@node.test", inReplyTo: ["m0@node.test", ""],
            references: ["r0@node.test", "r1@node.test"], snippet: "Hello", hasAttachments: true, size: 70_000)
        summary.submission = "s1"
        summary.copies = [
            StoredCopy(DeliveryReport.Copy(address: "c@node.test", name: "C", group: "board", state: .held, cause: .noKey))
        ]
        summary.revision = 3
        summary.isFromNode = false
        summary.seal = .hybrid
        summary.mode = .blind
        summary.roster = StoredRoster(number: 300, hash: "00ff")
        summary.signature = StoredSignature(
            verdict: .changed, reason: "why", key: "abcd", submission: "s2", digest: "NOHEX", since: -7, repeats: 2,
            attested: "dora@node.test", isWanted: true)
        summary.sequence = 1 << 40
        summary.warning = "doubtful"
        summary.origin = .max
        summary.isStarred = true
        summary.isArchived = true
        summary.isMuted = true
        summary.isTrashed = true
        summary.isAnswered = true
        summary.isDeleted = true
        summary.keywords = ["$Forwarded", "Läter"]
        summary.folderNumber = .max
        summary.givenSize = 69_999
        return summary
    }()

    private static let plain = StoredSummary(
        id: "b", subject: "", fromName: "", fromAddress: "", recipients: [], group: nil, date: 0, received: 0, isUnread: false,
        sendState: nil, note: nil, messageID: "", inReplyTo: [], references: [], snippet: "", hasAttachments: false, size: 0)

    @Test func summary_survivesItsOctets() throws {
        for summary in [Self.full, Self.plain] {
            let bytes = SummaryCodec.encode(summary)
            #expect(SummaryCodec.decode(bytes, 0..<bytes.count, marks: RowMarks(summary)) == summary)
            #expect(SummaryCodec.isWhole(bytes, 0..<bytes.count))
            for count in 0..<bytes.count {
                #expect(!SummaryCodec.isWhole(bytes, 0..<count))
                #expect(SummaryCodec.decode(bytes, 0..<count, marks: []) == nil)
            }
        }
        // A field that is added has to be written too, with a new version of packs.
        #expect(Mirror(reflecting: Self.full).children.count == 37)
        let missing = Mirror(reflecting: Self.full).children.filter { "\($0.value)" == "nil" }
        #expect(missing.isEmpty, "the sample says nothing of \(missing.compactMap(\.label))")
    }

    @Test func head_saysTheSame() throws {
        let bytes = SummaryCodec.encode(Self.full)
        let head = try #require(SummaryCodec.head(bytes, 0..<bytes.count))
        func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
        #expect(head.names.map(text) == ["m1@node.test", "r0@node.test", "r1@node.test", "m0@node.test"])
        #expect(text(head.id) == Self.full.id && head.group.map(text) == "board" && text(head.author) == "bob@node.test")
        #expect(head.date == -5 && head.received == 1_795_000_000_123 && head.size == 70_000 && !head.isOrphan)
        #expect(SummaryCodec.received(bytes, 0..<bytes.count) == head.received)
        #expect(head.signer != nil && head.subjectKey != 0)
        let plain = SummaryCodec.encode(Self.plain)
        #expect(SummaryCodec.head(plain, 0..<plain.count)?.subjectKey == 0)
    }

    /// Any octets: nothing traps, and what is not a summary is none.
    @Test func mutatedOctets_trapNothing() throws {
        let pack = SummaryPack.bytes(SummaryTable([Self.full, Self.plain]).chunks[0])
        try MutationRun.each("SummaryTableTests") { random, replay in
            let changed = Mutation.mutated([SummaryCodec.encode(Self.full), SummaryCodec.encode(Self.plain)], random)
            let range = 0..<changed.count
            if SummaryCodec.decode(changed, range, marks: []) != nil {
                #expect(SummaryCodec.isWhole(changed, range), Comment(rawValue: replay))
            }
            _ = SummaryCodec.head(changed, range)
            guard let read = SummaryPack(Mutation.mutated([pack], random)) else { return }
            // What a pack lets in can be looked at.
            let table = SummaryTable([read.chunk])
            _ = table.all.map { (table.head($0), table.id($0)) }
        }
    }

    /// The table against a list of summaries, whatever happens to both.
    @Test func table_isWhatWasPutIntoIt() throws {
        let random = SeededRandom(seed: 4711)
        var table = SummaryTable()
        var model: [StoredSummary] = []
        var record: UInt64 = 0
        for step in 0..<6000 {
            record += 2
            if !model.isEmpty, random.below(3) == 0 {
                let index = random.below(model.count)
                if random.below(4) == 0 {
                    table.remove(model.remove(at: index).id)
                } else {
                    model[index].isUnread.toggle()
                    if random.below(2) == 0 { model[index].note = "note \(step)" }
                    table.put(model[index], messageRecord: SpoolUID(rawValue: 0), summaryRecord: SpoolUID(rawValue: record))
                }
            } else {
                var summary = [Self.full, Self.plain][random.below(2)]
                summary.id = "id\(step)"
                summary.size = step % 50
                summary.signature?.submission = "s\(step)"
                model.append(summary)
                table.put(summary, messageRecord: SpoolUID(rawValue: record), summaryRecord: SpoolUID(rawValue: record + 1))
            }
        }
        let rows = table.all.map { table.summary($0) }
        #expect(rows == model && table.count == model.count)
        #expect(table.chunks.count > 2)
        #expect(table.unreadCount == model.count { $0.isUnread && $0.isTrashed != true })
        #expect(table.own == model.filter(\.isOwn))
        for copy in [table, SummaryTable(table.chunks)] {
            for (size, own) in (0...50).flatMap({ size in [(size, true), (size, false)] }) {
                let wanted = model.filter { $0.size == size && $0.isOwn == own }.map(\.id)
                #expect(copy.ids(ofSize: size, own: own).sorted() == wanted.sorted())
            }
        }
        for summary in model { #expect(table[summary.id]?.summary == summary) }
        for summary in model {
            guard let submission = summary.signature?.submission else { continue }
            #expect(table.message(signedBy: "abcd", as: submission)?.id == summary.id)
        }
        #expect(table["id never"] == nil)
    }

    @Test func signedMessage_isKnownByKeyAndNumberUntilItIsGone() {
        var summary = Self.full
        summary.signature?.digest = "d1"
        var table = SummaryTable([Self.plain, summary])
        #expect(table.message(signedBy: "abcd", as: "s2") == Trust.Seen(id: summary.id, digest: "d1", isOwn: true))
        #expect(table.message(signedBy: "abce", as: "s2") == nil && table.message(signedBy: "abcd", as: "s1") == nil)
        table.remove(summary.id)
        #expect(table.message(signedBy: "abcd", as: "s2") == nil)
    }

    @Test func arrivedAfter_isWhatCameSinceAndIsStillThere() {
        var table = SummaryTable((0..<1100).map { number in
            var summary = Self.plain
            summary.id = "id\(number)"
            return summary
        })
        #expect(table.newestRecord == 2 * 1099 + 1)
        table.remove("id1098")
        #expect(table.arrived(after: 2 * 1000 + 1).map { table.id($0) } == (1001..<1100).filter { $0 != 1098 }.map { "id\($0)" })
        #expect((0..<1100).allSatisfy { number in
            let place = table.place(of: SpoolUID(rawValue: UInt64(2 * number + 1)))
            return place.map { table.id($0) } == (number == 1098 ? nil : "id\(number)")
        })
        #expect([0, 2, 2048, 2202].allSatisfy { table.place(of: SpoolUID(rawValue: $0)) == nil })
        #expect(table.arrived(after: 0).count == 1099 && table.arrived(after: table.newestRecord).isEmpty)
    }

    @Test func removedText_isNotInMemory() {
        // Among so many others that nothing is put together anew for one.
        var table = SummaryTable([Self.full] + (0..<9).map { number in
            var other = Self.full
            (other.id, other.fromName) = ("id\(number)", "Somebody with another name")
            return other
        })
        table.remove(Self.full.id)
        let bytes = table.chunks.flatMap(\.bytes)
        #expect(!String(decoding: bytes, as: UTF8.self).contains("Miller"))
    }

    // MARK: Threads

    /// The slow way: whoever shares a name belongs together, until nothing changes any more.
    private static func threads(_ summaries: [StoredSummary]) -> Set<Set<String>> {
        var labels = Array(summaries.indices)
        func join(_ left: Int, _ right: Int) {
            let (from, to) = (labels[left], labels[right])
            labels = labels.map { $0 == from ? to : $0 }
        }
        let names = summaries.map { Set([$0.messageID] + $0.references + $0.inReplyTo).subtracting([""]) }
        for left in summaries.indices {
            for right in 0..<left where summaries[left].group == summaries[right].group && !names[left].isDisjoint(with: names[right]) {
                join(left, right)
            }
        }
        let byDate = summaries.indices.sorted { (summaries[$0].date, $0) < (summaries[$1].date, $1) }
        for (rank, place) in byDate.enumerated() {
            let (summary, key) = (summaries[place], ThreadKey(summaries[place].subject))
            guard key.isReply, summary.references.isEmpty, summary.inReplyTo.isEmpty, !key.subject.isEmpty else { continue }
            let earlier = byDate[..<rank].last {
                summaries[$0].group == summary.group && ThreadKey(summaries[$0].subject).subject == key.subject
            }
            if let earlier { join(place, earlier) }
        }
        return Set(Dictionary(grouping: summaries.indices) { labels[$0] }.values.map { Set($0.map { summaries[$0].id }) })
    }

    @Test func threads_areThoseOfTheSlowWay() {
        let random = SeededRandom(seed: 4711)
        for _ in 0..<30 {
            var summaries: [StoredSummary] = []
            for number in 0..<1 + random.below(60) {
                var summary = Self.plain
                summary.id = "i\(number)"
                summary.messageID = number % 11 == 3 ? "" : "m\(number)"
                summary.group = [nil, "board", "family"][random.below(3)]
                summary.date = Int64(random.below(10))
                summary.subject = ["Lunch", "Re: Lunch", "AW: [x] lunch", "Other", ""][random.below(5)]
                if random.below(2) == 0 { summary.references = ["m\(random.below(71))"] }
                if random.below(6) == 0 { summary.inReplyTo = ["m\(number / 2)"] }
                summaries.append(summary)
            }
            let wanted = Self.threads(summaries)
            let index = ThreadIndex(summaries)
            #expect(Set(index.threads.map { Set($0.messages.ids) }) == wanted)
            let last = index.threads.map { $0.messages.ids.last.flatMap { Int($0.dropFirst()) } ?? -1 }
            #expect(last == last.sorted(by: >), "the thread with the newest message comes first")
        }
    }

    @Test func marks_reachThreadsThatWereKnown() {
        var table = SummaryTable([Self.plain])
        let before = ThreadIndex(table)
        var marked = Self.plain
        marked.isUnread = true
        marked.isStarred = true
        table.put(marked, messageRecord: SpoolUID(rawValue: 1), summaryRecord: SpoolUID(rawValue: 9))
        let after = ThreadIndex(table, before: before)
        #expect(before.unread.all == 0 && after.unread.all == 1 && after.threads.map(\.isStarred) == [true])
        table.remove(Self.plain.id)
        #expect(ThreadIndex(table, before: after).threads.isEmpty && ThreadIndex(table, before: after).thread("b") == nil)
    }
}
