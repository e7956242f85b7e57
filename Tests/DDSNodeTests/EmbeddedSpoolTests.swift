// The spool of this machine in real files: reading in pieces and several at once, and the sentences of a spool that cannot be
// opened. What a spool promises is tested with the simulated disk, in DDSSpoolTests.

import DDSCore
import DDSLoop
import DDSSeal
import DDSSpool
import DDSTestKit
import Foundation
import Testing

@testable import DDSNode

@Suite(.timeLimit(.minutes(5))) struct EmbeddedSpoolTests {
    private static let box = MailboxID(rawValue: 7)

    /// A folder with an empty spool, and the spool's root key.
    @LoopActor private final class Place {
        let folder: String
        let root = SecretBytes.random(32)
        var path: String { "\(folder)/spool" }

        init() async throws {
            folder = try HostFiles.makeTemporaryFolder(prefix: "ddsspool")
            try await EmbeddedSpool.create(
                folder: "\(folder)/spool", root: root, bodyBytes: 1 << 20, random: SystemRandom(), time: Loop.time)
        }

        func open(root other: SecretBytes? = nil) async throws(Failure) -> EmbeddedSpool {
            try await EmbeddedSpool.open(
                folder: path, root: other ?? root, random: SystemRandom(), time: Loop.time, onStopped: { _ in })
        }

        /// Every file with its bytes.
        func contents() throws -> [String: [UInt8]] {
            var all: [String: [UInt8]] = [:]
            for name in try HostFiles.list(path) { all[name] = try HostFiles.read("\(path)/\(name)") }
            return all
        }
    }

    @LoopActor private func withPlace(_ body: @LoopActor (Place) async throws -> Void) async throws {
        let place = try await Place()
        defer { try? HostFiles.removeTree(place.folder) }
        try await body(place)
    }

    // MARK: Reading

    @Test @LoopActor func rangesOfSeveralRecords_comeInTheOrderAskedFor() async throws {
        try await withPlace { place in
            let spool = try await place.open()
            let random = SeededRandom(seed: 11)
            // One in a segment, an empty one, and one that gets a file of its own.
            let bodies = [random.bytes(3000), [], random.bytes(1_500_000)]
            let uids = try await spool.commit(
                SpoolTransaction(appends: bodies.map { .record(mailbox: Self.box, tag: .none, flags: 0, body: $0) }))
            let asked: [(record: Int, offset: Int, count: Int)] = [
                (2, 0, 10), (0, 0, 3000), (0, 2999, 1), (0, 2999, 2), (0, 3000, 1), (1, 0, 1), (2, 1_499_999, 100), (2, 65_530, 70_000),
                (0, 5, 0), (0, 0, .max), (2, 0, 1_500_000),
            ]
            let read = try await spool.read(asked.map { SpoolRange(uids[$0.record], offset: $0.offset, count: $0.count) })
            #expect(read.count == asked.count)
            for (bytes, range) in zip(read, asked) {
                #expect(bytes == Array(bodies[range.record].dropFirst(range.offset).prefix(range.count)), "\(range)")
                #expect(try await spool.read(uids[range.record], offset: range.offset, count: range.count) == bytes)
            }
            #expect(try await spool.read([]) == [])
            await spool.close()
        }
    }

    @Test @LoopActor func oneRangeThatCannotBeRead_failsThemAllByItsName() async throws {
        try await withPlace { place in
            let spool = try await place.open()
            let uids = try await spool.commit(
                SpoolTransaction(appends: (1...3).map { .record(mailbox: Self.box, tag: .none, flags: 0, body: [$0]) }))
            _ = try await spool.commit(SpoolTransaction(erasures: [uids[1]]))
            await #expect(throws: SpoolError.noSuchRecord(uids[1])) {
                try await spool.read(uids.map { SpoolRange($0, offset: 0, count: 1) })
            }
            #expect(try await spool.read([uids[2], uids[0]].map { SpoolRange($0, offset: 0, count: 1) }) == [[3], [1]])
            await spool.close()
            await #expect(throws: SpoolError.self) { try await spool.read([SpoolRange(uids[0], offset: 0, count: 1)]) }
        }
    }

    // MARK: Opening

    /// Opens a spool that must be refused, and says so in one sentence without a byte changed.
    @LoopActor private func refusal(_ place: Place, root: SecretBytes? = nil) async throws -> Failure {
        let before = HostFiles.exists(place.path) ? try place.contents() : [:]
        let failure = await #expect(throws: Failure.self) { _ = try await place.open(root: root) }
        #expect(before == (HostFiles.exists(place.path) ? try place.contents() : [:]))
        return try #require(failure)
    }

    @Test @LoopActor func aNewerFormat_isRefusedWithItsNumber() async throws {
        try await withPlace { place in
            // Four copies of the super block, the version in the last octet of the magic's second word.
            let path = "\(place.path)/super"
            var bytes = try HostFiles.read(path)
            for copy in 0..<4 { bytes[copy * 4096 + 11] += 1 }
            try HostFiles.write(path, bytes)
            let failure = try await refusal(place)
            #expect(failure.code == .badInput)
            #expect(failure.publicText.contains("version 2") && failure.publicText.contains("Nothing was changed"), "\(failure.publicText)")
        }
    }

    @Test @LoopActor func aForeignOrEmptyFolder_andAnotherKey_areRefused() async throws {
        try await withPlace { place in
            let key = try await refusal(place, root: .random(32))
            #expect(key.code == .badInput && key.publicText.contains("Nothing was changed"), "\(key.publicText)")
            let other = try await Place()
            defer { try? HostFiles.removeTree(other.folder) }
            let theirs = try await other.open()
            _ = try await theirs.commit(
                SpoolTransaction(appends: [.record(mailbox: Self.box, tag: .none, flags: 0, body: [1])]))
            await theirs.close()
            try HostFiles.write("\(place.path)/seg-0000000000000002", try HostFiles.read("\(other.path)/\(segment(of: other))"))
            let foreign = try await refusal(place)
            #expect(foreign.code == .badInput && foreign.publicText.contains("seg-0000000000000002"), "\(foreign.publicText)")
            try HostFiles.removeTree(place.path)
            let gone = try await refusal(place)
            #expect(gone.code == .fileMissing && gone.publicText.contains("there is no spool in \(place.path)"), "\(gone.publicText)")
            try HostFiles.makeFolders(place.path)
            #expect(try await refusal(place).code == .fileMissing)
        }
    }

    @LoopActor private func segment(of place: Place) throws -> String {
        try #require(try HostFiles.list(place.path).first { $0.hasPrefix("seg-") })
    }

    @Test @LoopActor func aSpoolInUse_isRefusedUntilItIsClosed() async throws {
        try await withPlace { place in
            let first = try await place.open()
            let failure = await #expect(throws: Failure.self) { _ = try await place.open() }
            #expect(failure?.code == .tryAgain && failure?.publicText.contains("in use by another process") == true)
            await first.close()
            await (try place.open()).close()
        }
    }
}
