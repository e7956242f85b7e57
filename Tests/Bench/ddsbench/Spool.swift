// What a spool by itself does on this disk, without sessions and sealing: accepting, erasing, opening, changing its root; each
// beside what the disk gives for the same bytes and syncs.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import Glibc

@LoopActor enum SpoolBench {
    private static let recordBytes = 4096
    private static let mailboxes: UInt64 = 1000

    private static func keys(_ folder: String) -> SpoolKeySource {
        var wrap = [UInt8](repeating: 7, count: 32)
        return .rotating(folder: folder, wrap: SecretBytes(consuming: &wrap))
    }

    private static func create(_ folder: String) async throws {
        try HostFiles.makeFolders(folder)
        try await EmbeddedSpool.create(
            folder: folder + "/spool", keys: keys(folder), bodyBytes: 64 << 20, random: SystemRandom(), time: Loop.time)
    }

    private static func open(_ folder: String) async throws -> EmbeddedSpool {
        try await EmbeddedSpool.open(
            folder: folder + "/spool", keys: keys(folder), random: SystemRandom(), time: Loop.time, onStopped: { _ in })
    }

    private static func milliseconds(_ duration: Duration) -> Double { Double(duration.nanoseconds) / 1e6 }

    private static func median(_ times: [Double]) -> Double { times.isEmpty ? 0 : times.sorted()[times.count / 2] }

    // MARK: Accepting and erasing

    /// `committers` at once append records of 4 KiB, then erase them one by one.
    static func accept(folder: String, committers: Int, seconds: Double) async throws -> [(String, JSONValue)] {
        defer { try? HostFiles.removeTree(folder) }
        try await create(folder)
        let spool = try await open(folder)
        // The first segment is made before the clock runs.
        _ = try await spool.commit(append(0))
        let before = try await spool.statistics()
        let start = Loop.time.now
        let end = start + .nanoseconds(Int64(seconds * 1e9))
        let appending = (0..<committers).map { number in
            Task(executorPreference: Loop.main) { try await keepAppending(to: spool, UInt64(number), until: end) }
        }
        var uids: [[SpoolUID]] = []
        for task in appending { uids.append(try await task.value) }
        let acceptTime = Loop.time.now - start
        let middle = try await spool.statistics()
        let records = uids.reduce(0) { $0 + $1.count }
        let syncs = max(1, middle.syncs - before.syncs)

        let erasing = uids.map { own in
            Task(executorPreference: Loop.main) { try await erase(own.prefix(200), of: spool) }
        }
        var times: [Double] = []
        for task in erasing { times += try await task.value }
        await spool.close()
        let passes = max(1, middle.commits - before.commits)
        let group = max(1, records / passes)
        let bare = try Machine.synced(folder: folder, group: group, seconds: seconds)
        let same = try Machine.storeBytes(
            folder: folder, group: group, passes: max(1, passes / max(1, syncs - passes)), seconds: seconds)
        let one = try Machine.synced(folder: folder, group: 1, seconds: 1)
        return [
            ("records_per_second", .number(Int(Double(records) / milliseconds(acceptTime) * 1000))), ("syncs", .number(syncs)),
            ("records_per_sync", .number(group)), ("disk_records_per_second", .number(bare.perSecond)),
            ("same_bytes_per_second", .number(same)),
            ("erase_p50_us", .number(Int(median(times) * 1000))), ("sync_p50_us", .number(one.p50)),
        ]
    }

    private static func keepAppending(
        to spool: EmbeddedSpool, _ mailbox: UInt64, until end: Instant
    ) async throws -> [SpoolUID] {
        var uids: [SpoolUID] = []
        while Loop.time.now < end { uids += try await spool.commit(append(mailbox)) }
        return uids
    }

    /// How long each took, in milliseconds.
    private static func erase(_ uids: ArraySlice<SpoolUID>, of spool: EmbeddedSpool) async throws -> [Double] {
        var times: [Double] = []
        for uid in uids {
            let start = Loop.time.now
            _ = try await spool.commit(SpoolTransaction(erasures: [uid]))
            times.append(milliseconds(Loop.time.now - start))
        }
        return times
    }

    private static let body = [UInt8](repeating: 0x5a, count: recordBytes)

    private static func append(_ mailbox: UInt64) -> SpoolTransaction {
        SpoolTransaction(appends: [.record(mailbox: MailboxID(rawValue: mailbox), tag: .none, flags: 0, body: body)])
    }

    // MARK: Many records

    /// A spool of `count` deliveries, `share` to a payload, closed in order.
    static func fill(folder: String, count: Int, share: Int) async throws -> [(String, JSONValue)] {
        try await create(folder)
        let spool = try await open(folder)
        var left = count
        var mailbox: UInt64 = 0
        while left > 0 {
            var sets: [SpoolTransaction] = []
            while sets.count < 500, left > 0 {
                let size = min(left, share)
                var appends: [SpoolAppend] = [.payload(tag: .none, body: [UInt8](repeating: 1, count: 400))]
                for _ in 0..<size {
                    mailbox = (mailbox + 1) % mailboxes
                    appends.append(
                        .delivery(
                            mailbox: MailboxID(rawValue: mailbox), tag: .none, flags: 0,
                            header: [UInt8](repeating: 2, count: 97),
                            payload: 0))
                }
                sets.append(SpoolTransaction(appends: appends))
                left -= size
            }
            let tasks = sets.map { set in Task(executorPreference: Loop.main) { _ = try await spool.commit(set) } }
            for task in tasks { try await task.value }
        }
        let statistics = try await spool.statistics()
        await spool.close()
        return [("records", .number(statistics.records)), ("segments", .number(statistics.segments))]
    }

    /// Opens what `fill` made: in how long, and with how much memory. Beside it reading the slot tables and opening as many
    /// slots.
    static func open(folder: String, count: Int) async throws -> [(String, JSONValue)] {
        let before = residentBytes()
        let start = Loop.time.now
        let spool = try await open(folder)
        let time = Loop.time.now - start
        let after = residentBytes()
        let slots = try await spool.statistics().records
        await spool.close()
        let rawStart = Loop.time.now
        _ = try Opening.spool(folder: folder + "/spool", records: 0)
        let tables = Loop.time.now - rawStart
        Opening.seal(slots: slots)
        return [
            ("open_ms", .number(Int(milliseconds(time)))), ("slots", .number(slots)),
            ("read_tables_ms", .number(Int(milliseconds(tables)))),
            ("raw_ms", .number(Int(milliseconds(Loop.time.now - rawStart)))),
            ("bytes_per_message", .number(max(0, after - before) / max(1, count))),
        ]
    }

    /// Changes the root of what `fill` made, and removes it. Beside it reading the tables, opening and sealing as many slots,
    /// and as many syncs.
    static func rotate(folder: String) async throws -> [(String, JSONValue)] {
        defer { try? HostFiles.removeTree(folder) }
        let spool = try await open(folder)
        let before = try await spool.statistics()
        let start = Loop.time.now
        try await spool.rotateRoot()
        var now = try await spool.statistics()
        while now.rootMade == before.rootMade {
            try await Loop.sleep(for: .milliseconds(1))
            now = try await spool.statistics()
        }
        let time = Loop.time.now - start
        await spool.close()
        let syncs = now.syncs - before.syncs
        let rawStart = Loop.time.now
        _ = try Opening.spool(folder: folder + "/spool", records: 0)
        Opening.seal(slots: 2 * now.records)
        let raw = milliseconds(Loop.time.now - rawStart)
        let sync = try Machine.synced(folder: folder, group: 64, seconds: 1)
        return [
            ("rotate_ms", .number(Int(milliseconds(time)))), ("records", .number(now.records)), ("syncs", .number(syncs)),
            ("raw_ms", .number(Int(raw) + syncs * sync.p50 / 1000)),
        ]
    }

    private static func residentBytes() -> Int {
        guard let text = try? HostFiles.read("/proc/self/statm") else { return 0 }
        let fields = String(decoding: text, as: UTF8.self).split(separator: " ")
        return (fields.count > 1 ? Int(fields[1]) ?? 0 : 0) * 4096
    }
}
