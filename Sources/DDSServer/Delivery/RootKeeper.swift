// When the spool's root key changes: once it is older than server.spool.rotate_root and something was erased under it. What a
// change does is the spool's affair.

import DDSCore
import DDSLoop
import DDSNode
import DDSSpool
import Logging

@LoopActor final class RootKeeper {
    /// How often it looks whether the time has come.
    private static var pause: Duration { .seconds(60) }

    /// `server.spool.rotate_root`.
    var every: Duration
    /// Why the last change could not begin, in words.
    private(set) var trouble: String?

    private let spool: EmbeddedSpool
    private let services: Services
    private var rounds: Recurring?

    init(spool: EmbeddedSpool, services: Services, every: Duration) {
        self.spool = spool
        self.services = services
        self.every = every
    }

    /// Looks now and then every minute, until `stop`.
    func start() {
        rounds = Recurring("root key", every: Self.pause, time: services.time) { [weak self] in await self?.look() }
        rounds?.start()
    }

    func stop() {
        rounds?.stop()
        rounds = nil
    }

    /// Begins a change if one is due. True when it did.
    @discardableResult
    func look() async -> Bool {
        guard let statistics = try? await spool.statistics(), Self.isDue(statistics, now: services.time.wall, every: every)
        else {
            return false
        }
        do throws(Failure) {
            try await spool.rotateRoot()
            trouble = nil
            services.log.info("the spool's root key is being changed", metadata: ["segments": "\(statistics.segments)"])
            return true
        } catch {
            trouble = error.publicText
            services.log.error("the spool's root key was not changed", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// Where nothing was erased under a root, no old copy of a slot is worth anything more than the slot itself.
    nonisolated static func isDue(_ statistics: SpoolStatistics, now: WallTime, every: Duration) -> Bool {
        guard let made = statistics.rootMade, statistics.rotation.remaining == 0, let erased = statistics.lastErased,
            erased >= made
        else { return false }
        return now.milliseconds - made.milliseconds >= every.components.seconds * 1000
    }
}
