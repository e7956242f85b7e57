// A thread for each segment's zeros, so that commits share the disk with them and do not wait behind their syncs.

import DDSCore
import DDSLock
import DDSLoop
import DDSSpool

final class ZeroingThread: SpoolAside {
    private let state: Lock<Result<Void, DiskError>?> = Lock(nil)

    private init() {}

    /// Begins with `zeroing` in `folder`.
    static func start(_ zeroing: SpoolZeroing, in folder: String) -> ZeroingThread {
        let thread = ZeroingThread()
        Thread.start(name: "spool-zero") {
            let result = Result { () throws(DiskError) in
                try zeroing.run(on: PosixDisk(path: folder, createFolder: false))
            }
            thread.state.withLock { $0 = result }
            thread.state.signal()
        }
        return thread
    }

    var outcome: Result<Void, DiskError>? { state.withLock { $0 } }

    func wait() -> Result<Void, DiskError> {
        state.withLock(
            waitingAtMost: nil, while: { $0 == nil },
            then: { outcome in
                guard let outcome else { preconditionFailure("the wait ends with an outcome") }
                return outcome
            })
    }
}
