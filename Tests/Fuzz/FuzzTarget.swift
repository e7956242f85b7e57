// What libFuzzer calls: one program for all targets, of which `$DDSNODE_FUZZ` names one. `scripts/fuzz.sh` builds and runs it.

import DDSWire
import Glibc

/// The targets by name. Each takes any octets, and traps where something does not hold.
private let targets: [String: @Sendable ([UInt8]) -> Void] = [
    "pop3": { fuzzPOP3($0) }, "smtp": { fuzzSMTP($0, .submission) }, "lmtp": { fuzzSMTP($0, .lmtp) },
    "imap": { fuzzIMAP($0) }, "mime": { fuzzMIME($0) },
]

private let target: @Sendable ([UInt8]) -> Void = {
    let name = unsafe getenv("DDSNODE_FUZZ").map { unsafe String(cString: $0) } ?? ""
    guard let target = targets[name] else {
        print("DDSNODE_FUZZ names one of: \(targets.keys.sorted().joined(separator: " "))")
        exit(64)
    }
    return target
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe target(Array(UnsafeBufferPointer(start: data, count: count)))
    return 0
}
