// What a person has chosen for their page, kept: sealed, one record, whatever stops the disk, and with what a later version wrote.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import Testing

@testable import DDSAgent
@testable import DDSTorture

@Suite(.timeLimit(.minutes(5))) struct SettingsBookTests {
    @LoopActor private func book(_ fixture: AgentFixture, on spool: (any SpoolEngine)? = nil) async throws -> SettingsBook {
        try await SettingsBook.open(spool: spool ?? fixture.spool, keys: fixture.keys, random: fixture.random, gate: LoopGate())
    }

    @LoopActor private func put(_ text: String, _ fixture: AgentFixture) async throws -> SpoolUID {
        let seal = StoreSeal(key: fixture.keys.storeKey, random: fixture.random)
        let bytes = [UInt8](text.utf8)
        let body = seal.seal(bytes, mailbox: AgentMailbox.settings, tag: .named("settings"))
        let record = SpoolAppend.record(mailbox: AgentMailbox.settings, tag: .named("settings"), flags: 0, body: body)
        return try await fixture.spool.commit(SpoolTransaction(appends: [record]))[0]
    }

    @Test func everyChoice_hasAFormThatComesBack() throws {
        #expect(PageSettings(json: PageSettings().json) == PageSettings())
        var settings = PageSettings()
        settings.look.theme = .dark
        settings.look.density = .compact
        settings.look.showsUnreadInTitle = true
        settings.look.hasKeys = false
        settings.undoSeconds = 0
        settings.signature = "Alice\n\"A\" \u{202e}"
        settings.checksSpelling = true
        settings.mutedGroups = ["b", "a"]
        let back = try #require(PageSettings(json: JSONValue(parsing: settings.json.line)))
        #expect(back == settings)
        #expect(back.look.theme == .dark && back.look.density == .compact)
        #expect(back.look.showsUnreadInTitle && !back.look.hasKeys && back.checksSpelling)
        #expect(back.undoSeconds == 0 && back.mutedGroups == ["a", "b"])
        #expect(back.signatureBlock == "\n-- \nAlice\n\"A\" \u{202e}\n")
        #expect(PageSettings().signatureBlock.isEmpty)
    }

    @Test(arguments: ["[]", "{}", "{\"version\":2,\"theme\":\"dark\"}", "{\"version\":\"1\"}", "x", ""])
    func whatIsNoneOfThisVersion_isNotTaken(_ text: String) {
        #expect(PageSettings(json: JSONValue(parsing: Array(text.utf8))) == nil)
    }

    @Test func whatALaterVersionWrote_isKeptUnchanged() throws {
        let text = #"{"version":1,"theme":"sepia","undo_seconds":900,"sound":{"bell":[1,true]},"signature":7}"#
        var settings = try #require(PageSettings(json: JSONValue(parsing: Array(text.utf8))))
        #expect(settings.look == PageLook() && settings.undoSeconds == nil && settings.signature.isEmpty)
        settings.mutedGroups = ["board"]
        let kept = settings.json
        #expect(kept["sound"] == ["bell": [1, true]] && kept["theme"] == "sepia" && kept["undo_seconds"] == 900)
    }

    @Test @LoopActor func aChange_isSealedAndThereAfterwards_inOneRecord() async throws {
        let fixture = try AgentFixture()
        let first = try await book(fixture)
        #expect(first.settings == PageSettings() && first.trouble == nil)
        try await first.change { $0.signature = "MARKER" }
        try await first.change { $0.look.theme = .dark }
        // Not only when it is opened anew.
        #expect(try await fixture.spool.count(AgentMailbox.settings) == 1)
        let again = try await book(fixture)
        #expect(again.settings == first.settings && again.settings.signature == "MARKER" && again.settings.look.theme == .dark)
        let entry = try #require(try await fixture.spool.entries(in: AgentMailbox.settings).first)
        #expect(try await fixture.spool.count(AgentMailbox.settings) == 1)
        let bytes = try await fixture.spool.read(entry.uid, offset: 0, count: .max)
        #expect(!String(decoding: bytes, as: UTF8.self).contains("MARKER"))
        // What changes nothing writes nothing.
        try await again.change { $0.look.theme = .dark }
        #expect(try await fixture.spool.entries(in: AgentMailbox.settings).map(\.uid) == [entry.uid])
    }

    @Test @LoopActor func keysOfALaterVersion_surviveAChange() async throws {
        let fixture = try AgentFixture()
        _ = try await put(#"{"version":1,"sound":"bell"}"#, fixture)
        try await book(fixture).change { $0.look.density = .compact }
        #expect(try await book(fixture).settings.json["sound"] == "bell")
    }

    @Test @LoopActor func ofTwoRecords_theNewerCounts_andTheOlderGoes() async throws {
        let fixture = try AgentFixture()
        let first = try await book(fixture)
        try await first.change { $0.undoSeconds = 1 }
        fixture.spool.cutNext()
        await #expect(throws: SpoolError.self) { try await first.change { $0.undoSeconds = 2 } }
        // What the disk has not said to have is not shown as chosen.
        #expect(first.settings.undoSeconds == 1)
        #expect(try await fixture.spool.count(AgentMailbox.settings) == 2)
        #expect(try await book(fixture).settings.undoSeconds == 2)
        #expect(try await fixture.spool.count(AgentMailbox.settings) == 1)
    }

    @LoopActor private func check(_ fixture: AgentFixture) async throws -> StoreReport {
        try await StoreCheck(spool: fixture.spool, gate: fixture.gate, keys: fixture.keys, random: fixture.random).run()
    }

    @Test(arguments: [true, false]) @LoopActor
    func aDamagedRecord_givesTheDefaults_isSaidAndKept(isUnreadable: Bool) async throws {
        let fixture = try AgentFixture()
        let spoiled = try await put(isUnreadable ? "{\"version\":1,\"theme\":\"dark\"}" : "no settings", fixture)
        if isUnreadable { fixture.spool.memory.damage(spoiled) }
        let damaged = try await book(fixture)
        #expect(damaged.settings == PageSettings())
        #expect(damaged.trouble?.contains("cannot be read and are kept") == true)
        #expect(try await check(fixture).damage.count == 1)
        // Choosing anew, even the same, ends the trouble and not the record.
        try await damaged.change { _ in }
        #expect(damaged.trouble == nil)
        let again = try await book(fixture)
        #expect(again.trouble == nil)
        #expect(try await fixture.spool.entries(in: AgentMailbox.settings).contains { $0.uid == spoiled })
        #expect(try await check(fixture).damage.count == 1)
    }

    @Test @LoopActor func soundSettings_areNoDamage() async throws {
        let fixture = try AgentFixture()
        try await book(fixture).change { $0.look.theme = .light }
        let report = try await check(fixture)
        #expect(report.damage.isEmpty && report.records == 1 && report.opened == 1)
    }

    @Test @LoopActor func afterTheLock_nothingIsKnownOrChanged() async throws {
        let fixture = try AgentFixture()
        let open = try await book(fixture)
        try await open.change { $0.signature = "mine" }
        open.close()
        #expect(open.settings == PageSettings())
        await #expect(throws: SpoolError.self) { try await open.change { $0.signature = "other" } }
        #expect(try await book(fixture).settings.signature == "mine")
    }

    /// The power goes at each operation of a change.
    @Test @LoopActor func aStopAtEveryOperation_leavesTheOldOrTheNew() async throws {
        let fixture = try AgentFixture()
        func begun(_ seed: UInt64) async throws -> (OutboxCrashTests.SimSpool, SettingsBook) {
            let spool = try OutboxCrashTests.SimSpool(seed: seed)
            let book = try await book(fixture, on: spool)
            try await book.change { $0.undoSeconds = 1 }
            return (spool, book)
        }
        let (whole, kept) = try await begun(1)
        let before = whole.machine.operations
        try await kept.change { $0.undoSeconds = 2 }
        let operations = whole.machine.operations - before
        #expect(operations >= 4)
        var seen: Set<Int?> = []
        var leftBoth = 0
        for stop in 1...operations {
            for seed in 0..<4 as Range<UInt64> {
                let (spool, book) = try await begun(seed)
                spool.machine.arm(.stop(at: stop))
                let isKept = (try? await book.change { $0.undoSeconds = 2 }) != nil
                spool.machine.crash()
                try spool.boot()
                leftBoth += try await spool.entries(in: AgentMailbox.settings).count - 1
                let again = try await self.book(fixture, on: spool)
                #expect(again.trouble == nil && [1, 2].contains(again.settings.undoSeconds), "stopped at \(stop), seed \(seed)")
                #expect(!isKept || again.settings.undoSeconds == 2, "stopped at \(stop), seed \(seed)")
                #expect(try await spool.entries(in: AgentMailbox.settings).count == 1, "stopped at \(stop), seed \(seed)")
                seen.insert(again.settings.undoSeconds)
            }
        }
        #expect(seen == [1, 2] && leftBoth > 0)
    }
}
