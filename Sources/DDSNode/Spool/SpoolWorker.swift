// What lives on a spool's thread: the log, and the roots that it hangs on. Decides when a change of the root goes on and when
// the former root is destroyed; how commits are grouped is decided in EmbeddedSpool.

import DDSCore
import DDSLoop
package import DDSSeal
import DDSSpool

/// Where the root of a spool comes from.
package enum SpoolKeySource: Sendable {
    /// The caller keeps it, and it never changes.
    case fixed(SecretBytes)
    /// It changes, and is kept in the file `spool.roots` of `folder`, sealed under `wrap` (32 bytes).
    case rotating(folder: String, wrap: SecretBytes)
}

final class SpoolWorker {
    /// Maintenance runs when nothing else is to do, and looks again after this long.
    private static var maintenancePause: Duration { .seconds(5) }
    /// The same while a segment waits for its zeros, which take some tenths of a second.
    private static var zerosPause: Duration { .milliseconds(20) }

    let log: SpoolLog
    private let cipher: SodiumSpoolCipher
    private let roots: SpoolRoots?
    private let time: any TimeSource

    /// Opens the spool in `folder`. Changes nothing unless it succeeds.
    init(
        folder: String, keys: SpoolKeySource, random: any RandomSource, time: any TimeSource, policy: SpoolPolicy,
        acceptLoss: Bool
    ) throws {
        self.time = time
        let disk = try PosixDisk(path: folder, createFolder: false)
        switch keys {
        case .fixed(let root):
            roots = nil
            cipher = SodiumSpoolCipher(root: root, random: random)
        case .rotating(let rootsFolder, let wrap):
            let roots = try SpoolRoots(openingOn: PosixDisk(path: rootsFolder, createFolder: false), wrap: wrap, random: random)
            self.roots = roots
            cipher = SodiumSpoolCipher(root: roots.current.key, epoch: roots.current.epoch, random: random)
            if let next = roots.next { cipher.learn(next.key, epoch: next.epoch) }
        }
        log = try SpoolLog(opening: disk, cipher: cipher, time: time, policy: policy, acceptLoss: acceptLoss)
        log.zeroAside = { ZeroingThread.start($0, in: folder) }
        // The lock is held: whatever stopped in the middle is gone on with.
        try roots?.tidy()
        if let next = roots?.next, log.rootEpoch < next.epoch { try log.rotate() }
    }

    /// Begins a change of the root; `maintain` goes on with it. One that is under way is left to it.
    func beginRotation() throws(Failure) {
        guard let roots else {
            throw Failure(.configuration, "the root key of this spool is kept outside of it and does not change")
        }
        guard roots.next == nil else { return }
        let rotation = log.rotation
        guard rotation.remaining == 0 else {
            throw Failure(
                .inputOutput, "the root key cannot be changed: \(rotation.blockedBy ?? "the last change is not finished")")
        }
        do {
            let next = try roots.begin(time: time)
            cipher.learn(next.key, epoch: next.epoch)
            try log.rotate()
        } catch SpoolError.full {
            throw Failure(.cannotCreate, "the root key cannot be changed: the disk is full; it is tried again")
        } catch {
            throw Failure(.inputOutput, "the root key cannot be changed: \(error)")
        }
    }

    /// One step; how long to wait for the next, nil when the log has stopped.
    func maintain(_ watch: StopWatch) -> Duration? {
        guard !log.isStopped else { return nil }
        do throws(SpoolError) {
            let isMore = try log.maintain()
            if finishRotation(watch) || isMore { return .zero }
            return log.isAwaitingZeros ? Self.zerosPause : Self.maintenancePause
        } catch {
            if case .stopped(let reason) = error { watch.stopped(reason) }
            return nil
        }
    }

    /// Under load.
    func keepUp(_ watch: StopWatch) {
        do throws(SpoolError) {
            try log.keepUp()
            _ = finishRotation(watch)
        } catch {
            if case .stopped(let reason) = error { watch.stopped(reason) }
        }
    }

    /// Destroys the former root once nothing hangs on it. True when something was done.
    private func finishRotation(_ watch: StopWatch) -> Bool {
        guard let roots, let next = roots.next, !log.isStopped else { return false }
        do {
            // The change was refused for want of space when it was begun.
            if log.rootEpoch < next.epoch {
                try log.rotate()
                return true
            }
            guard log.rotation.remaining == 0 else { return false }
            try roots.finish()
            cipher.forget(before: roots.current.epoch)
            return true
        } catch let error as DiskError where error.kind == .full {
            return false
        } catch SpoolError.full {
            return false
        } catch {
            // What is on the disk is not known: the next process reads it.
            log.close()
            watch.stopped("\(SpoolRoots.fileName): \(error)")
            return false
        }
    }

    func statistics() throws(SpoolError) -> SpoolStatistics {
        var statistics = try log.statistics()
        statistics.rootMade = roots?.current.made
        return statistics
    }
}
