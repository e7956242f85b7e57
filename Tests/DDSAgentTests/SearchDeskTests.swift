import DDSCore
import DDSLock
import DDSLoop
import DDSSeal
import DDSSearch
import DDSSpool
import DDSTestKit
import Testing

@testable import DDSAgent

/// A store of alice's and a desk that keeps its index in a folder.
@LoopActor final class DeskFixture {
    let agent: AgentFixture
    let folder: String
    var desk: SearchDesk

    init() throws {
        agent = try AgentFixture()
        folder = try HostFiles.makeTemporaryFolder()
        desk = try Self.desk(folder)
    }

    private static func desk(_ folder: String) throws -> SearchDesk {
        SearchDesk(services: try testServices(folder: folder, time: ManualTime()), partMessages: 4) { () throws(DiskError) in
            try PosixDisk(path: folder + "/search", createFolder: true)
        }
    }

    /// As after a start of the program.
    func restart() throws { desk = try Self.desk(folder) }

    func store(_ subjects: [String] = []) async throws -> MessageStore {
        let store = try await agent.store()
        for subject in subjects { try await agent.deliver(mail(subject: subject, body: "Body of \(subject).\r\n")) }
        try await store.importFetched()
        return store
    }

    func open(_ store: MessageStore) async {
        desk.open(store, storeKey: agent.keys.storeKey)
        await desk.settled()
    }

    func lock() async {
        desk.close()
        await desk.closed()
    }

    func subjects(_ query: String, limit: Int = 100) async throws -> [String] {
        let store = try #require(desk.session?.store)
        return try #require(try await desk.find(SearchQuery(query), limit: limit)).ids.compactMap {
            store.items[$0]?.summary.subject
        }
    }

    /// What can be found in the files.
    func kept(_ query: String) throws -> Int {
        let index = SearchIndex()
        let snapshot = SearchSnapshot(
            disk: try PosixDisk(path: folder + "/search", createFolder: true), storeKey: agent.keys.storeKey,
            random: SystemRandom())
        #expect(try snapshot.load(into: index).isEmpty)
        return try index.find(SearchQuery(query)).count
    }

    var files: [String] { (try? HostFiles.list(folder + "/search")) ?? [] }

    func end() async {
        await lock()
        try? HostFiles.removeTree(folder)
    }
}

@Suite(.timeLimit(.minutes(5))) struct SearchDeskTests {
    @Test @LoopActor func whatWasKept_isPutBackAndTheRestAdded() async throws {
        let fixture = try DeskFixture()
        let store = try await fixture.store((1...10).map { "Mail w\($0)" })
        await fixture.open(store)
        #expect(fixture.desk.keptAtUnlock == 0)
        #expect(try await fixture.subjects("mail", limit: 3) == ["Mail w10", "Mail w9", "Mail w8"])
        await fixture.lock()
        #expect(fixture.files == ["part-0", "part-1", "part-2"])
        for name in fixture.files { #expect(HostFiles.status("\(fixture.folder)/search/\(name)")?.mode == 0o600) }
        let again = try await fixture.store(["Mail w11"])
        try fixture.restart()
        await fixture.open(again)
        #expect(fixture.desk.keptAtUnlock == 10)
        #expect(try await fixture.subjects("w11") == ["Mail w11"])
        #expect(try await fixture.subjects("mail").count == 11)
        // Comes while it is open.
        try await fixture.agent.deliver(mail(subject: "Mail w12"))
        try await again.importFetched()
        await fixture.desk.settled()
        #expect(try await fixture.subjects("w12") == ["Mail w12"])
        await fixture.end()
    }

    /// What lies in the folder in clear, after everything was written.
    @Test @LoopActor func files_holdNoWord() async throws {
        let fixture = try DeskFixture()
        let store = try await fixture.store(["quetzalfeather"])
        await fixture.open(store)
        await fixture.lock()
        #expect(try fixture.kept("quetzalfeather") == 1)
        let bytes = try HostFiles.read(fixture.folder + "/search/part-0")
        for needle in ["etzalfeather", "words", "SQLite"] {
            #expect(bytes.firstRange(of: Array(needle.utf8)) == nil, "\(needle)")
        }
        await fixture.end()
    }

    /// Removed mail is out of the files without a lock or a minute's wait, and what was there before is overwritten.
    @Test @LoopActor func removedMail_isOutOfTheFiles() async throws {
        let fixture = try DeskFixture()
        let store = try await fixture.store(["first quetzal", "second", "third", "fourth", "fifth"])
        await fixture.open(store)
        await fixture.desk.save()
        #expect(try fixture.kept("quetzal") == 1 && fixture.kept("body") == 5)
        try await store.remove([store.order[0], store.order[4]])
        await fixture.desk.settled()
        #expect(fixture.files == ["part-0"])
        #expect(try fixture.kept("quetzal") == 0 && fixture.kept("fifth") == 0 && fixture.kept("body") == 3)
        #expect(try await fixture.subjects("body") == ["fourth", "third", "second"])
        await fixture.end()
    }

    /// Removed while nobody had the index open: it is out of the files with the next unlock.
    @Test @LoopActor func mailRemovedElsewhere_goesAtTheUnlock() async throws {
        let fixture = try DeskFixture()
        let store = try await fixture.store(["first quetzal", "second"])
        await fixture.open(store)
        await fixture.lock()
        try await store.remove([store.order[0]])
        #expect(try fixture.kept("quetzal") == 1)
        await fixture.open(store)
        #expect(try fixture.kept("quetzal") == 0 && fixture.kept("second") == 1)
        await fixture.end()
    }

    @Test(arguments: ["flipped", "cut", "swapped", "foreign", "left over"])
    @LoopActor func whatDoesNotOpen_isMadeAnew(how: String) async throws {
        let fixture = try DeskFixture()
        let store = try await fixture.store((1...6).map { "Mail w\($0)" })
        await fixture.open(store)
        await fixture.lock()
        let path = fixture.folder + "/search/part-0"
        var bytes = try HostFiles.read(path)
        switch how {
        case "flipped": bytes[bytes.count / 2] ^= 1
        case "cut": bytes.removeLast(100)
        case "swapped": bytes = try HostFiles.read(fixture.folder + "/search/part-1")
        case "foreign":
            let index = SearchIndex()
            try index.add([SearchDocument(number: 1, subject: "quetzal", from: [], to: [], body: "")])
            let disk = try PosixDisk(path: fixture.folder + "/other", createFolder: true)
            let other = SearchSnapshot(disk: disk, storeKey: .random(32), random: SystemRandom())
            try other.save(part: 0, of: index)
            bytes = try HostFiles.read(fixture.folder + "/other/part-0")
        default: try HostFiles.write(fixture.folder + "/search/part-1.tmp", [1, 2, 3])
        }
        try HostFiles.write(path, bytes)
        try fixture.restart()
        await fixture.open(store)
        #expect(fixture.desk.keptAtUnlock == (how == "left over" ? 6 : 2))
        #expect(try await fixture.subjects("mail") == (1...6).reversed().map { "Mail w\($0)" })
        #expect(try await fixture.subjects("quetzal") == [])
        await fixture.lock()
        #expect(try fixture.kept("mail") == 6)
        #expect(fixture.files.allSatisfy { !$0.hasSuffix("tmp") })
        await fixture.end()
    }

    /// A lock in the middle of it: what was done is kept, what waits goes on, and the rest is done after the next unlock.
    @Test(arguments: 0..<3) @LoopActor func lockWhileIndexing_losesNothing(batches: Int) async throws {
        let fixture = try DeskFixture()
        let store = try await fixture.store((1...150).map { "Mail w\($0)" })
        var left = batches
        fixture.desk.onBatch = {
            if left == 0 { fixture.desk.close() }
            left -= 1
        }
        fixture.desk.open(store, storeKey: fixture.agent.keys.storeKey)
        await fixture.desk.settled()
        await fixture.desk.closed()
        #expect(fixture.desk.session == nil)
        #expect(try await fixture.desk.find(SearchQuery("mail"), limit: 1) == nil)
        try fixture.restart()
        await fixture.open(store)
        #expect(fixture.desk.keptAtUnlock == batches * 64)
        #expect(try await fixture.subjects("mail", limit: 1000).count == 150)
        await fixture.end()
    }

    /// Mail that comes and goes while the rest is being indexed: each message is there once, or gone.
    @Test @LoopActor func changesWhileIndexing_areHeard() async throws {
        let fixture = try DeskFixture()
        let store = try await fixture.store((1...100).map { "Mail w\($0)" })
        var batch = 0
        fixture.desk.onBatch = {
            batch += 1
            if batch == 1 {
                let found = try? await fixture.desk.find(SearchQuery("mail"), limit: 10)
                #expect(found?.isIndexing == true && found?.messages == 100 && found?.indexed == 0)
                try? await store.remove([store.order[0], store.order[99]])
            }
            if batch == 2 {
                _ = try? await fixture.agent.deliver(mail(subject: "Mail w101"))
                _ = try? await store.importFetched()
                try? await store.remove([store.order[0]])
            }
        }
        await fixture.open(store)
        let session = try #require(fixture.desk.session)
        #expect(try session.index.numbers() == SearchableMessages(store).numbers)
        #expect(try await fixture.subjects("mail", limit: 1000).count == 98)
        #expect(try await fixture.subjects("w101") == ["Mail w101"])
        #expect(session.indexed == 98)
        await fixture.end()
    }

    @Test @LoopActor func factsAndPhrases_areLookedAtAfterTheWords() async throws {
        let fixture = try DeskFixture()
        let store = try await fixture.agent.store()
        for (subject, group, body) in [
            ("One", "board", "the old red barn"), ("Two", "board", "red and old"), ("Three", nil, "the old red roof"),
            ("Four", nil, "barn"),
        ] {
            try await fixture.agent.deliver(
                mail(to: group == nil ? "alice@node.test" : "board@node.test", subject: subject, body: body + "\r\n"),
                group: group)
        }
        try await store.importFetched()
        let ids = store.order
        try await store.update([ids[1]]) { $0.isUnread = false }
        try await store.update([ids[2]]) { $0.isStarred = true }
        await fixture.open(store)
        for (query, subjects) in [
            ("\"old red\"", ["Three", "One"]), ("\"old red\" in:board", ["One"]), ("old red -\"old red\"", ["Two"]),
            ("in:board", ["Two", "One"]),
            ("is:unread", ["Four", "Three", "One"]), ("-is:unread", ["Two"]), ("is:starred", ["Three"]),
            ("in:private barn", ["Four"]),
            ("old after:2026-11-23 before:2026-11-24", ["Three", "Two", "One"]), ("old before:2026-11-23", []),
            ("-old", ["Four"]),
            ("from:bob -barn", ["Three", "Two"]), ("to:board", ["Two", "One"]), ("in:sent", []), ("has:attachment", []),
            ("in:inbox barn", ["Four", "One"]),
        ] {
            #expect(try await fixture.subjects(query) == subjects, "\(query)")
        }
        let first = try #require(try await fixture.desk.find(SearchQuery("old"), limit: 1))
        #expect(first.ids.count == 1 && first.total == 3 && first.isExact && !first.isIndexing)
        let marked = try #require(try await fixture.desk.find(SearchQuery("old is:unread"), limit: 1))
        #expect(marked.ids.count == 1 && marked.total == 2 && marked.isExact)
        await fixture.end()
    }

    /// A phrase is looked for in the newest texts; how many more there are is not claimed.
    @Test @LoopActor func phrasesBeyondTheLimit_areNotCounted() async throws {
        let fixture = try DeskFixture()
        let store = try await fixture.store((1...80).map { "Mail w\($0)" })
        await fixture.open(store)
        let few = try #require(try await fixture.desk.find(SearchQuery("\"body of mail\""), limit: 10))
        #expect(few.ids.count == 10 && !few.isExact && few.total >= 10)
        let all = try #require(try await fixture.desk.find(SearchQuery("\"body of mail\""), limit: 1000))
        #expect(all.ids.count == 80 && all.isExact && all.total == 80)
        await fixture.end()
    }

    @Test @LoopActor func folderThatCannotBeUsed_costsTheFilesOnly() async throws {
        let fixture = try DeskFixture()
        try HostFiles.write(fixture.folder + "/search", [1])
        let store = try await fixture.store(["quetzal"])
        await fixture.open(store)
        #expect(try await fixture.subjects("quetzal") == ["quetzal"])
        await fixture.end()
    }

    @Test @LoopActor func resultBook_keepsTheLastTwenty() {
        var book = SearchResultBook()
        let entry = SearchResultBook.Entry(text: "x", query: SearchQuery("x"), found: SearchFound())
        let handles = (0..<21).map { _ in book.add(entry, random: SystemRandom()) }
        #expect(Set(handles).count == 21 && handles.allSatisfy { $0.count == 24 })
        #expect(book[handles[0]] == nil && book[handles[1]] != nil && book[handles[20]] != nil && book["none"] == nil)
    }
}

/// A crash at each step of writing: there is the part of before or of after, and never one that keeps the other from loading.
@Suite(.timeLimit(.minutes(5))) struct SearchSnapshotCrashTests {
    private let key = SecretBytes.random(32)

    private final class Shared: Sendable {
        // Safe: whoever looks at the disk does so when the snapshot is done with it.
        nonisolated(unsafe) let disk: SimDisk

        init(_ disk: SimDisk) { unsafe self.disk = disk }
    }

    private func snapshot(_ disk: SimDisk) -> SearchSnapshot {
        let shared = Shared(disk)
        return unsafe SearchSnapshot(disk: shared.disk, storeKey: key, random: SystemRandom())
    }

    @Test func crashAtEachStep_leavesOneOfTwo() throws {
        let disk = SimDisk()
        let index = SearchIndex(partMessages: 8)
        try index.add((1...5).map { SearchDocument(number: $0, subject: "word w\($0)", from: [], to: [], body: "") })
        try snapshot(disk).save(part: 0, of: index)
        try index.remove([2])
        var outcomes: Set<[UInt64]> = []
        var isWhole = false
        for step in 1..<60 where !isWhole {
            let copy = disk.copy(seed: UInt64(step) + 1)
            copy.faults = SimFaults(stopAt: step)
            do throws(Failure) {
                try snapshot(copy).save(part: 0, of: index)
                isWhole = true
            } catch {
                #expect(error.code == .inputOutput)
            }
            let after = copy.crashed()
            let loaded = SearchIndex(partMessages: 8)
            #expect(try snapshot(after).load(into: loaded).isEmpty, "step \(step)")
            outcomes.insert(try loaded.numbers())
            if isWhole { #expect(try loaded.numbers() == [1, 3, 4, 5]) }
            #expect(try after.list() == ["part-0"])
        }
        #expect(isWhole && outcomes == [[1, 2, 3, 4, 5], [1, 3, 4, 5]])
    }
}
