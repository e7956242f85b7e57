// In which folder a message is, and which number it has there: told by its summary alone, whatever happens to the store.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import FoundationEssentials
import Testing

@testable import DDSAgent
@testable import DDSTorture

@Suite(.timeLimit(.minutes(5))) struct FolderTests {
    private static func summary(
        _ id: String, group: String? = nil, sendState: SendState? = nil
    ) -> StoredSummary {
        StoredSummary(
            id: id, subject: "", fromName: "", fromAddress: "", recipients: [], group: group, date: 0, received: 0,
            isUnread: false, sendState: sendState, note: nil, messageID: "", inReplyTo: [], references: [], snippet: "",
            hasAttachments: false, size: 0)
    }

    @Test func folder_isSaidByTheSummary() {
        var cases: [(StoredSummary, MailFolder)] = [
            (Self.summary("a"), .inbox), (Self.summary("a", group: "board"), .group("board")),
            (Self.summary("a", group: "board", sendState: .sent), .sent),
            (Self.summary("a", sendState: .waiting), .outbox), (Self.summary("a", sendState: .refused), .outbox),
        ]
        for (summary, _) in cases {
            var trashed = summary
            (trashed.isTrashed, trashed.isArchived) = (true, true)
            cases.append((trashed, .trash))
            var archived = summary
            archived.isArchived = true
            cases.append((archived, summary.isOwn ? summary.folder : .archive))
        }
        for (summary, folder) in cases {
            #expect(summary.folder == folder)
            let table = SummaryTable([summary])
            #expect(FolderIndex(table).rows(of: folder).count == 1, "\(folder)")
        }
    }

    // MARK: Numbers

    @Test @LoopActor func number_staysInAFolder_andIsNewInAnother() async throws {
        let fixture = try AgentFixture()
        for subject in ["One", "Two"] { try await fixture.deliver(mail(subject: subject)) }
        let store = try await fixture.store()
        try await store.importFetched()
        let id = store.order[0]
        func item() throws -> MessageStore.Item { try #require(store.items[id]) }
        let first = try item()
        #expect(first.folderNumber == first.messageRecord.rawValue && first.summary.folderNumber == nil)
        try await store.update([id]) { $0.isStarred = true }
        #expect(try item().folderNumber == first.folderNumber)
        #expect(try item().summaryRecord > first.summaryRecord, "a change is seen by its record")
        try await store.update([id]) { $0.isArchived = true }
        let archived = try item()
        #expect(archived.folderNumber == archived.summaryRecord.rawValue && archived.folderNumber > first.folderNumber)
        for step in 0..<3 {
            try await store.update([id]) { $0.note = "\(step)" }
            #expect(try item().folderNumber == archived.folderNumber)
        }
        // A number that somebody else writes is not taken.
        try await store.update([id]) { $0.folderNumber = 7 }
        #expect(try item().folderNumber == archived.folderNumber)
        try await store.trash([id])
        let trashed = try item()
        #expect(trashed.folderNumber > archived.folderNumber && trashed.summary.folder == .trash)
        try await store.restore([id])
        #expect(try item().folderNumber > trashed.folderNumber && item().summary.folder == .archive)
        let again = try await fixture.store()
        #expect(again.items[id]?.folderNumber == (try item().folderNumber))
        #expect(again.items.place(id).map { again.items.folderNumber($0) } == (try item().folderNumber))
        #expect(store.items[store.order[1]]?.summary.folderNumber == nil)
    }

    /// Else the next EXPUNGE in the new folder would take what was marked in another.
    @Test @LoopActor func markForRemoval_staysInItsFolder() async throws {
        let fixture = try AgentFixture()
        let store = try await fixture.store()
        let prepared = try store.intake.prepared(mail(subject: "S"), id: "own", sendState: .waiting, at: fixture.time.wall)
        store.added(prepared, records: try await fixture.spool.commit(SpoolTransaction(appends: prepared.appends))[...])
        try await store.update(["own"]) { $0.isDeleted = true }
        try await store.update(["own"]) { $0.isStarred = true }
        #expect(store.items["own"]?.summary.isDeleted == true)
        try await store.update(["own"]) { $0.sendState = .sent }
        #expect(store.items["own"]?.summary.isDeleted == nil && store.items["own"]?.summary.isStarred == true)
    }

    @Test @LoopActor func packs_keepNumbers() async throws {
        let fixture = try AgentFixture()
        let store = try await fixture.store()
        for number in 0..<60 {
            let prepared = try store.intake.prepared(
                mail(subject: "\(number)", id: "m\(number)"), id: "id\(number)", sendState: nil, at: fixture.time.wall)
            store.added(prepared, records: try await fixture.spool.commit(SpoolTransaction(appends: prepared.appends))[...])
        }
        try await store.update(Array(store.order[..<40])) { $0.isArchived = true }
        try await store.update(Array(store.order[..<20])) { $0.isStarred = true }
        let wanted = store.order.map { store.items[$0]?.folderNumber }
        try await store.tidyPacks()
        #expect(try await fixture.spool.count(AgentMailbox.packs) == 1)
        let again = try await fixture.store()
        #expect(again.order.map { again.items[$0]?.folderNumber } == wanted)
        #expect(again.summaries == store.summaries)
    }

    /// What a power cut leaves of moves: each message is in one folder under one number, and no number is ever another's.
    @Test @LoopActor func aStopAtEveryOperationOfMoves_reusesNoNumber() async throws {
        let fixture = try AgentFixture()
        func open(_ spool: any SpoolEngine) async throws -> MessageStore {
            try await MessageStore.open(
                spool: spool, keys: fixture.keys, account: fixture.account, random: fixture.random, time: fixture.time,
                gate: LoopGate())
        }
        let intake = try await fixture.store().intake
        let prepared = try (0..<3).map {
            try intake.prepared(mail(subject: "\($0)", id: "m\($0)"), id: "id\($0)", sendState: nil, at: fixture.time.wall)
        }
        func moves(_ store: MessageStore) async throws(SpoolError) {
            try await store.trash(["id0", "id1"])
            try await store.update(["id0"]) { $0.isStarred = true }
            try await store.restore(["id0"])
            try await store.update(["id2"]) { $0.isArchived = true }
        }
        func begun(seed: UInt64) async throws -> OutboxCrashTests.SimSpool {
            let spool = try OutboxCrashTests.SimSpool(seed: seed)
            _ = try await spool.commit(SpoolTransaction(appends: prepared.flatMap(\.appends)))
            return spool
        }
        let whole = try await begun(seed: 1)
        let wholeStore = try await open(whole)
        let before = whole.machine.operations
        try await moves(wholeStore)
        let operations = whole.machine.operations - before
        #expect(operations >= 8)
        var isCutInTwo = false
        for stop in 1...operations {
            for seed in 0..<3 as Range<UInt64> {
                let place: Comment = "stopped at \(stop), seed \(seed)"
                let spool = try await begun(seed: seed)
                var seen: [String: String] = [:]
                var highest: [MailFolder: UInt64] = [:]
                func look(_ store: MessageStore) {
                    for item in store.order.compactMap({ store.items[$0] }) {
                        let name = "\(item.summary.folder) \(item.folderNumber)"
                        #expect(seen[name] == nil || seen[name] == item.summary.id, place)
                        if seen[name] == nil { #expect(item.folderNumber > highest[item.summary.folder] ?? 0, place) }
                        seen[name] = item.summary.id
                    }
                    for item in store.order.compactMap({ store.items[$0] }) {
                        highest[item.summary.folder] = max(highest[item.summary.folder] ?? 0, item.folderNumber)
                    }
                }
                let store = try await open(spool)
                look(store)
                spool.machine.arm(.stop(at: stop))
                try? await moves(store)
                look(store)
                spool.machine.crash()
                try spool.boot()
                if try await spool.entries(in: AgentMailbox.summaries).count > 3 { isCutInTwo = true }
                let again = try await open(spool)
                #expect(again.items.count == 3, place)
                look(again)
                try await moves(again)
                look(again)
                #expect(again.items["id1"]?.summary.folder == .trash && again.items["id2"]?.summary.folder == .archive, place)
            }
        }
        #expect(isCutInTwo, "two summaries of one message did come")
    }

    // MARK: What was written before

    @Test func oldSummaries_areReadAndWrittenAsTheyWere() throws {
        let old = """
            {"id":"b","subject":"S","fromName":"","fromAddress":"","recipients":[],"date":1,"received":2,"isUnread":true,\
            "messageID":"","inReplyTo":[],"references":[],"snippet":"","hasAttachments":false,"size":3,"isArchived":true}
            """
        let summary = try JSONDecoder().decode(StoredSummary.self, from: Data(old.utf8))
        #expect(summary.folder == .archive && summary.folderNumber == nil && summary.givenSize == nil)
        #expect(summary.isTrashed == nil && summary.keywords == nil)
        let written = String(decoding: try JSONEncoder().encode(summary), as: UTF8.self)
        for name in ["isTrashed", "isAnswered", "isDeleted", "keywords", "folderNumber", "givenSize"] {
            #expect(!written.contains(name))
        }
        let draft = try JSONDecoder().decode(
            Draft.self,
            from: Data(#"{"id":"d","recipients":"","subject":"","body":"","attachments":[],"saved":5}"#.utf8))
        #expect(draft.raw == nil && draft.number == nil && draft.flags == nil)
    }

    @Test @LoopActor func packOfAnEarlierVersion_isMadeAnew() async throws {
        let fixture = try AgentFixture()
        try await fixture.deliver(mail(subject: "One"))
        let store = try await fixture.store()
        try await store.importFetched()
        var bytes = SummaryPack.bytes(store.items.chunks[0])
        #expect(SummaryPack(bytes) != nil)
        bytes[0] = 1
        #expect(SummaryPack(bytes) == nil)
        let seal = StoreSeal(key: fixture.keys.storeKey, random: fixture.random)
        let body = seal.seal(bytes, mailbox: AgentMailbox.packs, tag: PackBook.tag)
        _ = try await fixture.spool.commit(
            SpoolTransaction(appends: [.record(mailbox: AgentMailbox.packs, tag: PackBook.tag, flags: 0, body: body)]))
        #expect(try await fixture.store().summaries == store.summaries)
        #expect(try await fixture.spool.count(AgentMailbox.packs) == 0)
    }

    // MARK: The index

    /// Against the summaries, whatever happens to the table, with and without what was known before.
    @Test func index_isWhatTheSummariesSay() {
        let random = SeededRandom(seed: 4711)
        var table = SummaryTable()
        var record: UInt64 = 0
        var ids: [String] = []
        var before: FolderIndex?
        for step in 0..<4000 {
            record += 2
            if !ids.isEmpty, random.below(2) == 0, var item = table[ids[random.below(ids.count)]] {
                if random.below(9) == 0 {
                    table.remove(item.summary.id)
                    ids.removeAll { $0 == item.summary.id }
                    continue
                }
                let old = item.summary
                switch random.below(4) {
                case 0: item.summary.isTrashed = old.isTrashed == true ? nil : true
                case 1: item.summary.isArchived = old.isArchived == true ? nil : true
                case 2 where old.isOwn: item.summary.sendState = .sent
                default: item.summary.isUnread.toggle()
                }
                item.summary.renumber(since: old, in: item.summaryRecord)
                table.put(item.summary, messageRecord: item.messageRecord, summaryRecord: SpoolUID(rawValue: record))
            } else {
                let id = "id\(step)"
                let group = [nil, "board", "g\(random.below(5))"][random.below(3)]
                let summary = Self.summary(id, group: group, sendState: random.below(4) == 0 ? .waiting : nil)
                table.put(summary, messageRecord: SpoolUID(rawValue: record), summaryRecord: SpoolUID(rawValue: record + 1))
                ids.append(id)
            }
            guard step % 97 == 0 else { continue }
            let index = FolderIndex(table, before: before)
            before = index
            var wanted: [MailFolder: [UInt64: String]] = [:]
            for id in ids { if let item = table[id] { wanted[item.summary.folder, default: [:]][item.folderNumber] = id } }
            for (folder, messages) in wanted {
                let rows = index.rows(of: folder)
                #expect(rows.numbers.map { UInt64($0) } == messages.keys.sorted())
                #expect(rows.places.map { table.id($0) } == messages.sorted { $0.key < $1.key }.map(\.value))
                #expect(rows.changes == rows.places.map { table.summaryRecord($0).rawValue })
                #expect(rows.numbers.allSatisfy { rows.row($0) != nil } && rows.row(0) == nil)
            }
            #expect(index.rows(of: .group("never")).count == 0)
        }
        #expect(table.chunks.count > 1 && table.trashedCount > 0)
        #expect(table.trashedCount == ids.count { table[$0]?.summary.isTrashed == true })
    }

    @Test func numbersOfMoreThan32Bits_areCountedAndNotCut() {
        var table = SummaryTable()
        table.put(Self.summary("a"), messageRecord: SpoolUID(rawValue: 0xffff_ffff), summaryRecord: SpoolUID(rawValue: 1 << 33))
        table.put(Self.summary("b"), messageRecord: SpoolUID(rawValue: 1 << 32), summaryRecord: SpoolUID(rawValue: 1 << 34))
        let rows = FolderIndex(table).rows(of: .inbox)
        #expect(rows.numbers == [0xffff_ffff] && rows.unnumbered == 1)
    }
}

@Suite(.timeLimit(.minutes(5))) struct DraftMarkTests {
    @Test @LoopActor func rawDraft_isKeptUntilItIsEdited() async throws {
        let fixture = try AgentFixture()
        let book = try await fixture.book()
        let raw = Data(mail(subject: "As it came"))
        _ = try await book.save("d1") {
            $0.subject = "As it came"
            $0.raw = raw
        }
        #expect(book.drafts["d1"]?.raw == raw)
        // Saved once more as it is.
        _ = try await book.save("d1") { $0.subject = "As it came" }
        #expect(try await fixture.book().drafts["d1"]?.raw == raw)
        _ = try await book.save("d1") { $0.body = "edited" }
        #expect(book.drafts["d1"]?.raw == nil)
        #expect(try await fixture.book().drafts["d1"]?.raw == nil)
    }

    @Test @LoopActor func marks_keepTheNumber_andASaveGivesANewOne() async throws {
        let fixture = try AgentFixture()
        let book = try await fixture.book()
        _ = try await book.save("d1") { $0.body = "one" }
        let number = try #require(book.number(of: "d1"))
        let saved = book.drafts["d1"]?.saved
        fixture.time.advance(by: .seconds(5))
        try await book.mark("d1", flags: 8, keywords: ["$x"])
        try await book.mark("d1", flags: 8, keywords: [])
        #expect(book.number(of: "d1") == number && book.drafts["d1"]?.saved == saved)
        #expect(book.numbered.map(\.number) == [number] && book.numbered[0].record.rawValue > number)
        let again = try await fixture.book()
        #expect(again.number(of: "d1") == number && again.drafts["d1"]?.flags == 8 && again.drafts["d1"]?.keywords == nil)
        _ = try await again.save("d1") { $0.body = "two" }
        #expect(try #require(again.number(of: "d1")) > number)
        #expect(try await fixture.spool.count(AgentMailbox.drafts) == 1)
    }
}
