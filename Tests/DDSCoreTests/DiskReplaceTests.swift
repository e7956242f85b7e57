import DDSCore
import DDSTestKit
import Testing

@Suite struct DiskReplaceTests {
    /// Whatever happens while a small file is replaced, it holds the old or the new content afterwards.
    @Test func replacedFile_isOldOrNewAfterAStopAtEveryOperation() throws {
        let old = Array("old".utf8)
        let new = Array("new and longer".utf8)
        var stops = 0
        for operation in 1... {
            let disk = SimDisk(seed: UInt64(operation))
            try disk.replace("state", with: old)
            let faulty = disk.copy(seed: UInt64(operation))
            faulty.faults = SimFaults(stopAt: operation)
            do {
                try faulty.replace("state", with: new)
                break
            } catch {
                stops += 1
                let restarted = faulty.crashed()
                let content = try restarted.contents(of: "state")
                #expect(content == old || content == new, "stopped at operation \(operation)")
            }
        }
        #expect(stops >= 5)
    }
}
