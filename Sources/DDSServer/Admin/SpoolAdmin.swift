// The commands behind `spool`: what the store holds and how far its erasures have come, whether all of it is authentic, and a
// change of its root key now.

import DDSCore
import DDSLoop
import DDSNode
import DDSSpool

@LoopActor final class SpoolAdmin {
    private static var shredPause: Duration { .milliseconds(50) }

    private let spool: EmbeddedSpool

    init(spool: EmbeddedSpool) {
        self.spool = spool
    }

    /// Makes the commands known.
    func register(in commands: ControlCommands) {
        commands.register("spool.stat") { [self] _, _ throws(Failure) in try await stat() }
        commands.register("spool.verify") { [self] _, _ throws(Failure) in try await verify() }
        commands.register("spool.shred") { [self] _, _ throws(Failure) in try await shred() }
    }

    private func statistics() async throws(Failure) -> SpoolStatistics {
        do throws(SpoolError) {
            return try await spool.statistics()
        } catch {
            throw Failure(.inputOutput, "the spool cannot be read: \(error)")
        }
    }

    private func stat() async throws(Failure) -> JSONValue {
        .object(Self.describe(try await statistics(), lost: spool.recovery.lost))
    }

    private func verify() async throws(Failure) -> JSONValue {
        do throws(SpoolError) {
            let found = try await spool.verify()
            return [
                "segments": .number(found.segments), "records": .number(found.records), "bytes": .number(found.bytes),
                "damage": .texts(found.damage),
            ]
        } catch {
            throw Failure(.inputOutput, "the spool cannot be read: \(error)")
        }
    }

    /// Changes the root key and returns when nothing hangs on the former one any more.
    private func shred() async throws(Failure) -> JSONValue {
        // A change that is under way does not cover what was erased since it began.
        let running = try await statistics()
        if running.rotation.remaining > 0 { try await rotation(after: running.rootMade) }
        let former = try await statistics().rootMade
        try await spool.rotateRoot()
        try await rotation(after: former)
        return try await stat()
    }

    /// Returns when the root that was made at `former` is destroyed.
    private func rotation(after former: WallTime?) async throws(Failure) {
        while true {
            let statistics = try await statistics()
            if statistics.rotation.remaining == 0, statistics.rootMade != former { return }
            if let blocked = statistics.rotation.blockedBy {
                throw Failure(.inputOutput, "the root key cannot be changed: \(blocked)")
            }
            do {
                try await Loop.sleep(for: Self.shredPause)
            } catch {
                throw Failure(.interrupted, "interrupted; the change of the root key goes on")
            }
        }
    }

    /// For `spool stat` and `status`.
    nonisolated static func describe(_ statistics: SpoolStatistics, lost: [String]) -> [String: JSONValue] {
        var fields: [String: JSONValue] = [
            "records": .number(statistics.records), "live_bytes": .number(statistics.liveBytes),
            "segments": .number(statistics.segments), "free_segments": .number(statistics.freeSegments),
            "disk_bytes": .number(statistics.diskBytes), "free_disk_bytes": .number(statistics.freeDiskBytes),
            "commits": .number(statistics.commits), "syncs": .number(statistics.syncs), "erased": .number(statistics.erased),
            "moved": .number(statistics.moved), "erase_level": .text(statistics.eraseLevel),
            "awaiting_overwrite": .number(statistics.awaitingOverwrite),
            "root_epoch": .number(Int64(statistics.rotation.epoch)),
            "awaiting_rotation": .number(statistics.rotation.remaining), "damage": .texts(statistics.damage),
            "lost": .texts(lost),
        ]
        if let made = statistics.rootMade { fields["root_made"] = .text(CivilTime(secondsSinceEpoch: made.seconds).rfc3339) }
        if let ground = statistics.fileSystem {
            fields["file_system"] = .text(ground.type)
            fields["file_system_words"] = .text(ground.words)
        }
        return fields
    }
}
