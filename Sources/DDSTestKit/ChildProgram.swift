// Running other programs from tests, with files in place of pipes, so that nobody waits for anybody.

import DDSLoop
import Foundation

package enum ChildProgram {
    package struct Outcome: Sendable {
        package let status: Int32
        package let output: [UInt8]
        package let errors: String
    }

    /// True when `path` can be run.
    package static func exists(_ path: String) -> Bool { FileManager.default.isExecutableFile(atPath: path) }

    /// Runs `path` to its end. A program that cannot be started has status 127.
    package static func run(_ path: String, _ arguments: [String], input: [UInt8] = []) -> Outcome {
        let folder = ScratchFolder()
        defer { folder.remove() }
        folder.write("in", input)
        folder.write("out", [])
        folder.write("err", [])
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardInput = FileHandle(forReadingAtPath: folder.path("in"))
        process.standardOutput = FileHandle(forWritingAtPath: folder.path("out"))
        process.standardError = FileHandle(forWritingAtPath: folder.path("err"))
        do {
            try process.run()
        } catch {
            return Outcome(status: 127, output: [], errors: "\(error)")
        }
        process.waitUntilExit()
        let errors = String(decoding: folder.read("err"), as: UTF8.self)
        return Outcome(status: process.terminationStatus, output: folder.read("out"), errors: errors)
    }
}

/// A folder of a test's own under the temporary one.
package struct ScratchFolder: Sendable {
    private let root: URL

    package init() {
        root = FileManager.default.temporaryDirectory.appendingPathComponent("ddsnode-test-\(UUID().uuidString)")
        try? FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
    }

    package func path(_ name: String) -> String { root.appendingPathComponent(name).path }

    /// The content of a file; empty when there is none.
    package func read(_ name: String) -> [UInt8] {
        (try? HostFiles.read(path(name), limit: 1 << 30)) ?? []
    }

    package func write(_ name: String, _ bytes: [UInt8]) {
        try? Data(bytes).write(to: root.appendingPathComponent(name))
    }

    package func remove() {
        try? FileManager.default.removeItem(at: root)
    }
}
