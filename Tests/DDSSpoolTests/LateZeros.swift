// Stands in for the thread that writes a segment's zeros: it writes them when it was asked often enough, or is waited for.

import DDSCore
import DDSSpool
import DDSTestKit

/// `@unchecked Sendable` is safe because a test's log, disk and this are on one thread.
final class LateZeros: SpoolAside, @unchecked Sendable {
    private let zeroing: SpoolZeroing
    private let disk: SimDisk
    private var patience: Int
    private var result: Result<Void, DiskError>?
    private(set) var wasWaitedFor = false

    /// It is over at the question after `patience` others.
    init(_ zeroing: SpoolZeroing, on disk: SimDisk, patience: Int) {
        self.zeroing = zeroing
        self.disk = disk
        self.patience = patience
    }

    var outcome: Result<Void, DiskError>? {
        if patience <= 0 { finish() }
        patience -= 1
        return result
    }

    func wait() -> Result<Void, DiskError> {
        wasWaitedFor = true
        finish()
        return result ?? .success(())
    }

    func finish() {
        guard result == nil else { return }
        result = Result { () throws(DiskError) in try zeroing.run(on: disk) }
    }
}
