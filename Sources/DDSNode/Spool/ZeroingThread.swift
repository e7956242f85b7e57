// A thread for each segment's zeros, so that commits share the disk with them and do not wait behind their syncs.

import DDSCore
import DDSLoop
import DDSSpool

struct ZeroingThread: SpoolAside {
    private let result: ThreadResult<Result<Void, DiskError>>

    /// Begins with `zeroing` in `folder`.
    static func start(_ zeroing: SpoolZeroing, in folder: String) -> ZeroingThread {
        ZeroingThread(
            result: .start(name: "spool-zero") {
                Result { () throws(DiskError) in try zeroing.run(on: PosixDisk(path: folder, createFolder: false)) }
            })
    }

    var outcome: Result<Void, DiskError>? { result.value }

    func wait() -> Result<Void, DiskError> { result.wait() }
}
