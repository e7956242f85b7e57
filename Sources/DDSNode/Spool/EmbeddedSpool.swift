// A spool of this machine behind `SpoolEngine`: the log lives on a thread of its own; what callers hand in while it syncs is
// committed together next.

package import DDSCore
import DDSLoop
package import DDSSeal
package import DDSSpool
import Synchronization

package final class EmbeddedSpool: SpoolEngine {
    /// Maintenance runs when nothing else is to do, and looks again after this long.
    private static var maintenancePause: Duration { .seconds(5) }

    private enum Job: Sendable {
        case commit(SpoolTransaction, CheckedContinuation<Result<[SpoolUID], SpoolError>, Never>)
        case call(@Sendable (SpoolLog) -> Void)
        /// Reports a stop that maintenance met, and closes.
        case close
    }

    private let thread: WriterThread<SpoolLog, Job>
    /// What opening found, in words for the log.
    package let recovery: RecoveryReport

    private init(thread: WriterThread<SpoolLog, Job>, recovery: RecoveryReport) {
        self.thread = thread
        self.recovery = recovery
    }

    /// Makes an empty spool in a new folder.
    package static func create(
        folder: String, root: SecretBytes, bodyBytes: Int, random: any RandomSource, time: any TimeSource
    ) async throws(Failure) {
        let cipher = SodiumSpoolCipher(root: root, random: random)
        do {
            try await Loop.offload {
                let disk = try PosixDisk(path: folder, createFolder: true)
                try SpoolLog.create(on: disk, cipher: cipher, parameters: SpoolParameters(segmentBytes: bodyBytes), time: time)
            }
        } catch {
            throw Failure(.cannotCreate, "cannot make the spool in \(folder): \(error)")
        }
    }

    /// Opens a spool. `onStopped` is called once, on the loop, when a write or sync has failed: from then on every call throws
    /// `.stopped`, and only opening again, which reads the disk, helps.
    package static func open(
        folder: String, root: SecretBytes, random: any RandomSource, time: any TimeSource,
        onStopped: @escaping @LoopActor @Sendable (String) -> Void
    ) async throws(Failure) -> EmbeddedSpool {
        let cipher = SodiumSpoolCipher(root: root, random: random)
        let watch = StopWatch(onStopped)
        do {
            let thread = try await WriterThread<SpoolLog, Job>.start(
                name: "spool",
                makeState: { try SpoolLog(opening: PosixDisk(path: folder, createFolder: false), cipher: cipher, time: time) },
                perform: { log, jobs in perform(jobs, on: log, watch) },
                idle: { log in maintain(log, watch) })
            let recovery = await withCheckedContinuation { continuation in
                thread.submit(.call { continuation.resume(returning: $0.recovery) })
            }
            return EmbeddedSpool(thread: thread, recovery: recovery)
        } catch let error as SpoolOpenError {
            throw failure(error, folder)
        } catch {
            throw Failure(.inputOutput, "cannot open the spool in \(folder): \(error)")
        }
    }

    private static func failure(_ error: SpoolOpenError, _ folder: String) -> Failure {
        switch error {
        case .disk(let disk) where disk.kind == .locked:
            Failure(.tryAgain, "the spool in \(folder) is in use by another process; stop it, or use its control socket")
        case .disk(let disk) where disk.kind == .notFound:
            Failure(.fileMissing, "there is no spool in \(folder); it was moved or init was never run. Nothing was changed")
        case .newerVersion, .missing, .wrongRoot, .foreign, .invalid, .exists:
            Failure(.inputOutput, "the spool in \(folder) cannot be opened: \(error). Nothing was changed")
        case .disk: Failure(.inputOutput, "cannot open the spool in \(folder): \(error)")
        }
    }

    // MARK: On the spool's thread

    /// Commits come first and share their syncs; whoever reads has been told of his own commits before he asked.
    private static func perform(_ jobs: [Job], on log: SpoolLog, _ watch: StopWatch) {
        var transactions: [SpoolTransaction] = []
        var waiting: [CheckedContinuation<Result<[SpoolUID], SpoolError>, Never>] = []
        for job in jobs {
            if case .commit(let transaction, let continuation) = job {
                transactions.append(transaction)
                waiting.append(continuation)
            }
        }
        if !transactions.isEmpty {
            let results = log.commit(transactions)
            for (continuation, result) in zip(waiting, results) { continuation.resume(returning: result) }
            if case .failure(.stopped(let reason)) = results.first(where: \.isStop) { watch.stopped(reason) }
            // Under load the queue is never empty, and a segment that has to be made at once would hold everybody up.
            do throws(SpoolError) {
                try log.prepareAhead()
            } catch {
                if case .stopped(let reason) = error { watch.stopped(reason) }
            }
        }
        for job in jobs {
            switch job {
            case .commit: break
            case .call(let body): body(log)
            case .close: log.close()
            }
        }
    }

    private static func maintain(_ log: SpoolLog, _ watch: StopWatch) -> Duration? {
        guard !log.isStopped else { return nil }
        do throws(SpoolError) {
            return try log.maintain() ? .zero : maintenancePause
        } catch {
            if case .stopped(let reason) = error { watch.stopped(reason) }
            return nil
        }
    }

    // MARK: SpoolEngine

    package func commit(_ transaction: SpoolTransaction) async throws(SpoolError) -> [SpoolUID] {
        try await withCheckedContinuation { continuation in
            if !thread.submit(.commit(transaction, continuation)) {
                continuation.resume(returning: .failure(.stopped("the spool was closed")))
            }
        }.get()
    }

    package func entries(in mailbox: MailboxID) async throws(SpoolError) -> [SpoolEntry] {
        try await call { log throws(SpoolError) in try log.entries(in: mailbox) }
    }

    package func mailboxes() async throws(SpoolError) -> [MailboxID: (count: Int, bytes: Int)] {
        try await call { log throws(SpoolError) in try log.mailboxes() }
    }

    package func read(_ uid: SpoolUID, offset: Int, count: Int) async throws(SpoolError) -> [UInt8] {
        try await call { log throws(SpoolError) in try log.read(uid, offset: offset, count: count) }
    }

    package func read(_ ranges: [SpoolRange]) async throws(SpoolError) -> [[UInt8]] {
        try await call { log throws(SpoolError) in
            var bodies: [[UInt8]] = []
            for range in ranges { bodies.append(try log.read(range.uid, offset: range.offset, count: range.count)) }
            return bodies
        }
    }

    package func statistics() async throws(SpoolError) -> SpoolStatistics {
        try await call { log throws(SpoolError) in try log.statistics() }
    }

    package func head() async throws(SpoolError) -> SpoolHead {
        try await call { log throws(SpoolError) in try log.head() }
    }

    package func close() async {
        thread.submit(.close)
        await thread.stop()
    }

    private func call<Value: Sendable>(
        _ body: @escaping @Sendable (SpoolLog) throws(SpoolError) -> Value
    ) async throws(SpoolError) -> Value {
        try await withCheckedContinuation { (continuation: CheckedContinuation<Result<Value, SpoolError>, Never>) in
            let job = Job.call { log in
                do throws(SpoolError) {
                    continuation.resume(returning: .success(try body(log)))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
            if !thread.submit(job) { continuation.resume(returning: .failure(.stopped("the spool was closed"))) }
        }.get()
    }
}

extension Result where Failure == SpoolError {
    fileprivate var isStop: Bool {
        if case .failure(.stopped) = self { true } else { false }
    }
}

/// Tells the loop once that the spool has stopped.
private final class StopWatch: Sendable {
    private let onStopped: @LoopActor @Sendable (String) -> Void
    private let hasTold = Atomic(false)

    init(_ onStopped: @escaping @LoopActor @Sendable (String) -> Void) {
        self.onStopped = onStopped
    }

    func stopped(_ reason: String) {
        guard !hasTold.exchange(true, ordering: .relaxed) else { return }
        let onStopped = onStopped
        Loop.spawn(name: "spool stopped") { onStopped(reason) }
    }
}
