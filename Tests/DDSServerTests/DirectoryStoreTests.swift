import DDSCore
import DDSNode
import DDSLoop
import DDSSpool
import DDSTestKit
import Dispatch
import Testing

@testable import DDSServer

@Suite(.timeLimit(.minutes(5))) struct DirectoryStoreTests {
    private let spool = MemorySpool(time: ManualTime())

    @LoopActor private func add(_ name: String, to store: DirectoryStore) async throws {
        try await store.change { d throws(Failure) in try d.addingAccount(name, display: "", groups: []) }
    }

    @Test @LoopActor func whatWasStored_isThereAfterARestart() async throws {
        let store = try await DirectoryStore.open(spool: spool)
        try await add("alice", to: store)
        try await store.change { d throws(Failure) in
            try d.addingGroup("board", title: "T", mode: .relay, posting: .owners, members: ["alice"], owners: [])
        }
        try await store.change { d throws(Failure) in
            try d.creatingInvite(for: "alice", number: 5, secretHash: "h", expires: WallTime(milliseconds: 9))
        }
        let again = try await DirectoryStore.open(spool: spool)
        #expect(again.directory == store.directory)
        #expect(again.directory.invites[5]?.secretHash == "h")
    }

    @Test @LoopActor func whatCouldNotBeStored_isNotBelieved() async throws {
        let store = try await DirectoryStore.open(spool: spool)
        spool.failNext(.full, .stopped("disk"))
        let full = await #expect(throws: Failure.self) { try await add("alice", to: store) }
        #expect(full?.publicText.contains("disk is full") == true)
        await #expect(throws: Failure.self) { try await add("alice", to: store) }
        #expect(store.directory.accounts.isEmpty)
        try await add("alice", to: store)
        #expect(store.directory.accounts.count == 1)
    }

    @Test @LoopActor func aRefusedCommand_storesNothingAndLetsTheNextOneIn() async throws {
        let store = try await DirectoryStore.open(spool: spool)
        await #expect(throws: Failure.self) { try await add("-", to: store) }
        try await add("alice", to: store)
        #expect(spool.commitCount == 1)
    }

    @Test @LoopActor func commandsAtTheSameTime_seeEachOther() async throws {
        let store = try await DirectoryStore.open(spool: spool)
        spool.hold()
        let tries = (0..<10).map { _ in
            Task { @LoopActor in
                do throws(Failure) {
                    try await store.change { d throws(Failure) in try d.addingAccount("alice", display: "", groups: []) }
                    return true
                } catch {
                    return false
                }
            }
        }
        await spool.waitUntilHeld()
        spool.release()
        var successes = 0
        for attempt in tries where await attempt.value { successes += 1 }
        #expect(successes == 1)
        #expect(spool.commitCount == 1)
    }

    @Test @LoopActor func manyChanges_shrinkToACheckpoint() async throws {
        let store = try await DirectoryStore.open(spool: spool)
        for index in 0..<513 { try await add("u\(index)", to: store) }
        #expect(spool.recordCount == 1)
        try await add("last", to: store)
        let again = try await DirectoryStore.open(spool: spool)
        #expect(again.directory == store.directory)
        #expect(again.directory.accounts.count == 514)
    }

    @Test @LoopActor func aCheckpointThatFails_doesNotFailTheChange() async throws {
        let store = try await DirectoryStore.open(spool: spool)
        for index in 0..<512 { try await add("u\(index)", to: store) }
        spool.hold()
        let change = Task { @LoopActor in try await add("late", to: store) }
        await spool.waitUntilHeld()
        spool.release()
        spool.hold()
        await spool.waitUntilHeld()
        spool.failNext(.full)
        spool.release()
        try await change.value
        #expect(store.directory.accounts["late"] != nil)
        #expect(spool.recordCount == 513)
        try await add("next", to: store)
        #expect(spool.recordCount == 1)
        #expect(try await DirectoryStore.open(spool: spool).directory == store.directory)
    }

    @Test @LoopActor func aDamagedRecord_keepsTheNodeFromStarting() async throws {
        let store = try await DirectoryStore.open(spool: spool)
        try await add("alice", to: store)
        spool.damage(SpoolUID(rawValue: 1))
        let failure = await #expect(throws: Failure.self) { try await DirectoryStore.open(spool: spool) }
        #expect(failure?.code == .inputOutput)
    }

    @Test @LoopActor func largeCommandsAreWrittenBesideTheLoop_andSmallOnesAtOnce() async throws {
        let store = try await DirectoryStore.open(spool: spool)
        let names = (0..<65).map { "u\($0)" }
        for name in names { try await add(name, to: store) }
        let gate = PoolGate()
        gate.close()
        try await add("small", to: store)
        let large = Task { @LoopActor in
            try await store.change { d throws(Failure) in
                try d.addingGroup("all-of-us", title: "", mode: .relay, posting: .all, members: names, owners: [])
            }
            gate.isPassed = true
        }
        for _ in 0..<200 { await Task.yield() }
        #expect(!gate.isPassed)
        gate.open()
        try await large.value
        #expect(store.directory.groups["all-of-us"]?.members.count == 65)
    }
}

/// Keeps every thread of libuv's pool (four, unless the environment says otherwise) busy until it opens.
@LoopActor private final class PoolGate {
    private nonisolated let bar = DispatchSemaphore(value: 0)
    var isPassed = false

    func close() {
        for _ in 0..<4 {
            Loop.spawn { [bar] in await Loop.offload { bar.wait() } }
        }
    }

    func open() {
        for _ in 0..<4 { bar.signal() }
    }
}
