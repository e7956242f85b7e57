// File system calls, once: interrupted ones are repeated, failed ones become a `DiskError` with the system's words.

import DDSCore
import Glibc

enum SystemCall {
    /// Calls `body` until it is not interrupted; throws when it returns -1.
    @discardableResult
    static func check<Value: FixedWidthInteger & SignedInteger>(
        _ operation: @autoclosure () -> String, _ body: () -> Value
    ) throws(DiskError) -> Value {
        while true {
            let value = body()
            if value != -1 { return value }
            let code = errno
            if code != EINTR { throw DiskError(errno: code, operation: operation()) }
        }
    }

    /// All of `count` bytes from `offset`, fewer only where the file ends.
    static func read(
        _ descriptor: Int32, at offset: Int, count: Int, operation: @autoclosure () -> String
    ) throws(DiskError) -> [UInt8] {
        var failure: DiskError?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(DiskError) {
                while filled < count {
                    let start = unsafe buffer.baseAddress.map { unsafe UnsafeMutableRawPointer($0 + filled) }
                    let got = try check(operation()) { unsafe pread(descriptor, start, count - filled, offset + filled) }
                    if got == 0 { return }
                    filled += got
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// All of `bytes`, or an error.
    static func write(
        _ descriptor: Int32, at offset: Int, _ bytes: [UInt8], operation: @autoclosure () -> String
    ) throws(DiskError) {
        var done = 0
        while done < bytes.count {
            let count = try check(operation()) {
                unsafe bytes.withUnsafeBytes { bytes in
                    let start = unsafe bytes.baseAddress.map { unsafe $0 + done }
                    return unsafe pwrite(descriptor, start, bytes.count - done, offset + done)
                }
            }
            guard count > 0 else {
                throw DiskError(.inputOutput, operation: operation(), detail: "nothing was written")
            }
            done += count
        }
    }
}

extension DiskError {
    /// From an errno.
    init(errno code: Int32, operation: String) {
        let kind: Kind =
            switch code {
            case ENOENT: .notFound
            case EEXIST: .exists
            case ENOSPC, EDQUOT, EFBIG: .full
            case EACCES, EPERM: .permission
            case EROFS: .readOnly
            default: .inputOutput
            }
        self.init(kind, operation: operation, detail: LoopError.text(of: -code))
    }
}
