// When the node's seal keys change, in fact: it asks the ring, writes the file before anybody hears of a key, and destroys one
// only when nothing in the spool opens with it alone.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import Logging

@LoopActor final class SealKeeper {
    /// How often it looks whether the time has come.
    private static var pause: Duration { .seconds(60) }
    /// What keeps an old key is not looked for again sooner.
    private static var keptPause: Duration { .seconds(3600) }

    /// Why the last change did not come about, in words.
    private(set) var trouble: String?
    /// Numbers of keys whose time is over and that something held opens with.
    private(set) var kept: Set<UInt64> = []

    private let keys: ServerKeys
    private let folder: ServerFolder
    private let delivery: DeliveryService
    private let fence: SealFence
    private let services: Services
    private let gate = LoopGate()
    private var rounds: Recurring?
    private var keptSince: Instant?

    init(keys: ServerKeys, folder: ServerFolder, delivery: DeliveryService, fence: SealFence, services: Services) {
        self.keys = keys
        self.folder = folder
        self.delivery = delivery
        self.fence = fence
        self.services = services
    }

    /// Looks now and then every minute, until `stop`.
    func start() {
        rounds = Recurring("seal key", every: Self.pause, time: services.time) { [weak self] in await self?.look() }
        rounds?.start()
    }

    /// Returns when nothing is written any more.
    func stop() async {
        rounds?.stop()
        rounds = nil
        await gate.pass {}
    }

    /// Does what is due.
    func look() async {
        await gate.pass { [self] in
            do throws(Failure) {
                try await tidyOnce()
                try await begin()
                if keys.seal.isDue(now: services.time.wall) { try await makeKey() }
                try await destroyExpired()
                trouble = nil
            } catch {
                trouble = error.publicText
                services.log.error("seal key", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Makes the next key now, whatever the age of the present one.
    func rotate() async throws(Failure) {
        try await gate.pass { [self] () throws(Failure) in
            try await tidyOnce()
            try await begin()
            try await makeKey()
        }
    }

    private func begin() async throws(Failure) {
        var next = keys.seal
        if next.begin(now: services.time.wall, random: services.random) { try await adopt(next) }
    }

    private func makeKey() async throws(Failure) {
        var next = keys.seal
        next.rotate(now: services.time.wall, random: services.random)
        try await adopt(next)
        services.log.notice("seal key made", metadata: ["number": "\(next.newest.number)"])
    }

    private func destroyExpired() async throws(Failure) {
        let expired = keys.seal.expired(now: services.time.wall)
        if expired.isEmpty { kept = [] }
        guard !expired.isEmpty else { return }
        if let keptSince, Set(expired.map(\.number)) == kept, services.time.now - keptSince < Self.keptPause { return }
        // What began before there was a key for what is held may still be on its way into the spool.
        await fence.drained()
        // In the gate nothing that is held moves.
        try await delivery.ledger.gate.pass { [self] () throws(Failure) in
            do throws(SpoolError) {
                kept = try await delivery.held.needed(of: expired)
            } catch {
                throw Failure(.inputOutput, "the spool cannot be read, so no seal key is destroyed: \(error)")
            }
            keptSince = services.time.now
            let numbers = Set(expired.map(\.number)).subtracting(kept)
            guard !numbers.isEmpty else { return }
            var next = keys.seal
            next.destroy(numbers)
            try await adopt(next)
            services.log.notice("seal keys destroyed", metadata: ["numbers": "\(numbers.sorted())"])
        }
    }

    /// For `status` and `keyring rotate`: the key of now, and until when those of before open what is sealed to them.
    nonisolated static func describe(_ ring: SealRing, kept: Set<UInt64>, now: WallTime) -> JSONValue {
        func text(_ time: WallTime) -> JSONValue { .text(CivilTime(secondsSinceEpoch: time.seconds).rfc3339) }
        let made = ring.newest.made ?? now
        return [
            "number": .number(Int64(clamping: ring.newest.number)), "made": text(made),
            "age_days": .number((now.seconds - made.seconds) / 86_400),
            "earlier": .list(
                ring.keys.dropLast().map { key in
                    [
                        "number": .number(Int64(clamping: key.number)), "until": ring.end(of: key).map(text) ?? .null,
                        "kept_for_held_mail": .bool(kept.contains(key.number)),
                    ]
                }),
        ]
    }

    // MARK: The file

    private var isTidy = false

    /// A stop in the middle of a change has left what the change was to destroy.
    private func tidyOnce() async throws(Failure) {
        guard !isTidy else { return }
        try await onDisk { disk throws(DiskError) in try ServerKeys.tidy(on: disk) }
        isTidy = true
    }

    private func adopt(_ ring: SealRing) async throws(Failure) {
        try await onDisk { [keys, services] disk throws(DiskError) in
            try keys.adopt(ring, on: disk, random: services.random)
        }
    }

    private func onDisk(_ work: @escaping @Sendable (any Disk) throws(DiskError) -> Void) async throws(Failure) {
        let path = folder.path
        do throws(DiskError) {
            try await Loop.offload { () throws(DiskError) in try work(try PosixDisk(path: path, createFolder: false)) }
        } catch {
            throw Failure(
                .inputOutput, "the node's seal keys in \(folder.keys) cannot be changed (\(error)); those of before stay in use"
            )
        }
    }
}
