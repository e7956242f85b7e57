// Each check of `doctor` can fire, and says what mends it; and each is silent where all is well.

import DDSCore
import DDSSeal
import Testing

@testable import DDSLoop
@testable import DDSNode

@Suite struct DoctorTests {
    private func status(mode: UInt32, owner: UInt32 = 0) -> FileStatus {
        FileStatus(kind: .file, size: 32, mode: mode, owner: owner, group: 0, modified: WallTime(milliseconds: 0))
    }

    @Test func everyCheck_firesWithARemedy_andIsSilentWhereAllIsWell() {
        let table = "Filename\t\tType\nSWAP"
        let well: [Finding] =
            Doctor.daemon(["problems": []]) + [Doctor.memory(.init(held: 10)), Doctor.core(traceable: false, dumpsCore: false)]
            + Doctor.swap("Filename\n", isEncrypted: { _ in false }) + Doctor.swap(table, isEncrypted: { $0 == "SWAP" })
            + Doctor.files([("a", status(mode: 0o600))])
            + [
                Doctor.disk(free: Doctor.diskBytesMin, folder: "s"),
                Doctor.clock(now: WallTime(milliseconds: 5000), installed: WallTime(milliseconds: 5000)),
            ]
        #expect(well.allSatisfy { $0.level == .ok && $0.remedy.isEmpty })
        let ill: [Finding] =
            Doctor.daemon(nil) + Doctor.daemon(["problems": ["one", "two"]]) + [
                Doctor.memory(.init(held: 10, unlocked: 1)), Doctor.core(traceable: true, dumpsCore: false),
                Doctor.core(traceable: false, dumpsCore: true),
            ] + Doctor.swap(table, isEncrypted: { _ in false })
            + Doctor.files([("a", status(mode: 0o640)), ("b", status(mode: 0o600, owner: 4_000_000))])
            + [
                Doctor.disk(free: Doctor.diskBytesMin - 1, folder: "s"), Doctor.disk(free: nil, folder: "s"),
                Doctor.clock(now: WallTime(milliseconds: 4999), installed: WallTime(milliseconds: 5000)),
            ]
        #expect(ill.count == 12 && ill.allSatisfy { $0.level != .ok && !$0.remedy.isEmpty })
        // The command finds out about the configuration by itself.
        #expect(
            Set(well.map(\.check)).union(["config"]) == Set(Doctor.checks)
                && Set(ill.map(\.check)).union(["config"]) == Set(Doctor.checks))
    }
}
