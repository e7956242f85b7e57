// Waiting for what other tasks, threads and the kernel do. How long that takes is no test's business, so there is no number
// here: what never comes true ends with the suite's time limit, which is there to name a test that hangs.

import DDSLoop

/// The time limit came while a test waited; says where.
package struct NeverCameTrue: Error, CustomStringConvertible {
    package let description: String
}

/// Lets the others of the loop go on until `condition` holds.
@LoopActor
package func until(
    _ condition: @LoopActor () async throws -> Bool, file: StaticString = #fileID, line: UInt = #line
) async throws {
    while try await !condition() {
        do {
            try await Loop.sleep(for: .milliseconds(1))
        } catch {
            throw NeverCameTrue(description: "what \(file):\(line) waits for did not come true")
        }
    }
}
