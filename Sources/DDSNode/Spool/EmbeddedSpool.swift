// A spool of this machine behind `SpoolEngine`: the log lives on a thread of its own; what callers hand in while it syncs is
// committed together next.

package import DDSCore
import DDSLoop
package import DDSSeal
package import DDSSpool
import Synchronization

package final class EmbeddedSpool: SpoolEngine {
    private enum Job: Sendable {
        /// Prepared already, or by the spool's thread when its turn comes.
        case commit(@Sendable () -> PreparedTransaction, CheckedContinuation<Result<[SpoolUID], SpoolError>, Never>)
        case call(@Sendable (SpoolWorker) -> Void)
        /// Reports a stop that maintenance met, and closes.
        case close
    }

    private let thread: WriterThread<SpoolWorker, Job>
    private let preparer: SpoolPreparer
    /// What opening found, in words for the log.
    package let recovery: RecoveryReport
    /// The file system that the spool is on, and what it makes of erasing.
    package let ground: FileSystem

    private init(
        thread: WriterThread<SpoolWorker, Job>, preparer: SpoolPreparer, recovery: RecoveryReport, ground: FileSystem
    ) {
        self.thread = thread
        self.preparer = preparer
        self.recovery = recovery
        self.ground = ground
    }

    /// Makes an empty spool in a new folder.
    package static func create(
        folder: String, root: SecretBytes, bodyBytes: Int, random: any RandomSource, time: any TimeSource
    ) async throws(Failure) {
        try await create(folder: folder, keys: .fixed(root), bodyBytes: bodyBytes, random: random, time: time)
    }

    /// The same; where the root changes, the file of the roots is made as well.
    package static func create(
        folder: String, keys: SpoolKeySource, bodyBytes: Int, random: any RandomSource, time: any TimeSource
    ) async throws(Failure) {
        do {
            try await Loop.offload {
                let disk = try PosixDisk(path: folder, createFolder: true)
                let cipher: SodiumSpoolCipher
                switch keys {
                case .fixed(let root): cipher = SodiumSpoolCipher(root: root, random: random)
                case .rotating(let rootsFolder, let wrap):
                    let place = try PosixDisk(path: rootsFolder, createFolder: false)
                    let roots = try SpoolRoots(creatingOn: place, wrap: wrap, random: random, time: time)
                    cipher = SodiumSpoolCipher(root: roots.current.key, random: random)
                }
                try SpoolLog.create(on: disk, cipher: cipher, parameters: SpoolParameters(segmentBytes: bodyBytes), time: time)
            }
        } catch {
            throw Failure(.cannotCreate, "cannot make the spool in \(folder): \(error)")
        }
    }

    /// Opens a spool whose root the caller keeps.
    package static func open(
        folder: String, root: SecretBytes, random: any RandomSource, time: any TimeSource,
        onStopped: @escaping @LoopActor @Sendable (String) -> Void
    ) async throws(Failure) -> EmbeddedSpool {
        try await open(folder: folder, keys: .fixed(root), random: random, time: time, onStopped: onStopped)
    }

    /// Opens a spool. `onStopped` is called once, on the loop, when a write or sync has failed: from then on every call throws
    /// `.stopped`, and only opening again, which reads the disk, helps. A spool that has lost something is opened with
    /// `acceptLoss` only; `recovery.lost` then says what. Where this throws, nothing was changed.
    package static func open(
        folder: String, keys: SpoolKeySource, policy: SpoolPolicy = SpoolPolicy(), acceptLoss: Bool = false,
        random: any RandomSource, time: any TimeSource, onStopped: @escaping @LoopActor @Sendable (String) -> Void
    ) async throws(Failure) -> EmbeddedSpool {
        let watch = StopWatch(onStopped)
        do {
            let ground = try SpoolRefusal.checkGround(folder)
            let thread = try await WriterThread<SpoolWorker, Job>.start(
                name: "spool",
                makeState: {
                    try SpoolWorker(
                        folder: folder, keys: keys, random: random, time: time, policy: policy, acceptLoss: acceptLoss)
                },
                perform: { worker, jobs in perform(jobs, on: worker, watch) },
                idle: { worker in worker.maintain(watch) })
            let (recovery, preparer) = await withCheckedContinuation { continuation in
                thread.submit(.call { continuation.resume(returning: ($0.log.recovery, $0.log.preparer)) })
            }
            return EmbeddedSpool(thread: thread, preparer: preparer, recovery: recovery, ground: ground)
        } catch {
            throw SpoolRefusal.failure(error, folder: folder, keys: keys)
        }
    }

    // MARK: On the spool's thread

    /// Commits come first and share their syncs; whoever reads has been told of his own commits before he asked.
    private static func perform(_ jobs: [Job], on worker: SpoolWorker, _ watch: StopWatch) {
        var transactions: [PreparedTransaction] = []
        var waiting: [CheckedContinuation<Result<[SpoolUID], SpoolError>, Never>] = []
        for job in jobs {
            if case .commit(let transaction, let continuation) = job {
                transactions.append(transaction())
                waiting.append(continuation)
            }
        }
        if !transactions.isEmpty {
            let results = worker.log.commit(transactions)
            for (continuation, result) in zip(waiting, results) { continuation.resume(returning: result) }
            if case .failure(.stopped(let reason)) = results.first(where: \.isStop) { watch.stopped(reason) }
            // Under load the queue is never empty, and a segment that has to be made at once would hold everybody up.
            worker.keepUp(watch)
        }
        for job in jobs {
            switch job {
            case .commit: break
            case .call(let body): body(worker)
            case .close: worker.log.close()
            }
        }
    }

    // MARK: SpoolEngine

    package func commit(_ transaction: SpoolTransaction) async throws(SpoolError) -> [SpoolUID] {
        let prepared = prepared(transaction)
        return try await withCheckedContinuation { continuation in
            if !thread.submit(.commit(prepared, continuation)) {
                continuation.resume(returning: .failure(.stopped("the spool was closed")))
            }
        }.get()
    }

    /// What a turn of the loop may seal: 0.1 ms.
    private static let sealedAtOnce = 64 << 10

    /// Bodies are sealed by whoever commits, so that the spool's thread has only the disk to wait for. Long ones it seals itself: a
    /// worker might be busy with passwords.
    private func prepared(_ transaction: SpoolTransaction) -> @Sendable () -> PreparedTransaction {
        let preparer = preparer
        guard transaction.bodyBytes <= Self.sealedAtOnce else { return { preparer.prepare(transaction) } }
        let prepared = preparer.prepare(transaction)
        return { prepared }
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
        try await call(onWorker: { worker throws(SpoolError) in
            var statistics = try worker.statistics()
            statistics.fileSystem = self.ground
            return statistics
        })
    }

    package func head() async throws(SpoolError) -> SpoolHead {
        try await call { log throws(SpoolError) in try log.head() }
    }

    /// Begins a change of the root key (E3) and returns once the next root is in use for everything new; the rest is done
    /// between commits. `statistics().rotation` tells how far it is; at 0 remaining files the former root is destroyed.
    package func rotateRoot() async throws(Failure) {
        let result = await withCheckedContinuation { (continuation: CheckedContinuation<Result<Void, Failure>?, Never>) in
            let job = Job.call { worker in
                do throws(Failure) {
                    continuation.resume(returning: .success(try worker.beginRotation()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
            if !thread.submit(job) { continuation.resume(returning: nil) }
        }
        guard let result else { throw Failure(.unavailable, "the spool was closed") }
        try result.get()
    }

    /// Reads everything there is between commits and says what does not authenticate.
    package func verify() async throws(SpoolError) -> SpoolVerification {
        var verification = SpoolVerification()
        while !verification.isDone {
            let before = verification
            verification = try await call { log throws(SpoolError) in
                var step = before
                try log.verify(&step)
                return step
            }
        }
        return verification
    }

    /// Gives back to the disk what it can, between commits. The statistics from before and after.
    package func compact() async throws(SpoolError) -> (before: SpoolStatistics, after: SpoolStatistics) {
        let before = try await statistics()
        while try await call({ log throws(SpoolError) in try log.compact() }) {}
        return (before, try await statistics())
    }

    package func close() async {
        thread.submit(.close)
        await thread.stop()
    }

    private func call<Value: Sendable>(
        _ body: @escaping @Sendable (SpoolLog) throws(SpoolError) -> Value
    ) async throws(SpoolError) -> Value {
        try await call(onWorker: { worker throws(SpoolError) in try body(worker.log) })
    }

    private func call<Value: Sendable>(
        onWorker body: @escaping @Sendable (SpoolWorker) throws(SpoolError) -> Value
    ) async throws(SpoolError) -> Value {
        try await withCheckedContinuation { (continuation: CheckedContinuation<Result<Value, SpoolError>, Never>) in
            let job = Job.call { worker in
                do throws(SpoolError) {
                    continuation.resume(returning: .success(try body(worker)))
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
final class StopWatch: Sendable {
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
