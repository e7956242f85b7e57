import DDSNode
import Foundation
import Testing

/// The samples in etc/ and the manual follow the schema. `DDSNODE_RECORD=1 swift test --filter ConfigPages` writes them anew.
@Suite struct ConfigPagesTests {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    static let isRecording = ProcessInfo.processInfo.environment["DDSNODE_RECORD"] == "1"
    static let begin = ".\\\" keys: made from ConfigSchema"
    static let end = ".\\\" keys: end"

    @Test(arguments: ["server", "agent"])
    func sampleInEtc_isTheSchemas(role: String) throws {
        let file = Self.root.appendingPathComponent("etc/\(role).toml")
        let expected = ConfigSchema.example(for: [role])
        if Self.isRecording { try Data(expected.utf8).write(to: file) }
        #expect(try String(contentsOf: file, encoding: .utf8) == expected)
    }

    @Test(arguments: [["server"], ["agent"], ["server", "agent"]])
    func sample_parsesAsItIsAndWithEveryDefaultWrittenOut(roles: [String]) throws {
        let sample = ConfigSchema.example(for: roles)
        let config = try load(sample)
        #expect(config.roles == roles)
        let lines = sample.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.hasPrefix("#") && !line.hasPrefix("# ") ? line.dropFirst() : line
        }
        #expect(try load(lines.joined(separator: "\n")) == config)
        #expect(sample.split(separator: "\n").allSatisfy { $0.count <= 80 })
    }

    @Test func sampleOfBoth_namesEveryKey() {
        let sample = ConfigSchema.example(for: ["server", "agent"])
        for key in ConfigSchema.keys {
            let name = key.path.split(separator: ".").last ?? ""
            #expect(sample.contains("\n#\(name) = ") || sample.contains("\n\(name) = "), "\(key.path)")
        }
    }

    @Test func manual_saysOfEveryKeyWhatTheSchemaSays() throws {
        let file = Self.root.appendingPathComponent("man/ddsnode.toml.5")
        var page = try String(contentsOf: file, encoding: .utf8)
        let expected = Self.entries()
        if Self.isRecording, let start = page.range(of: Self.begin + "\n"), let stop = page.range(of: Self.end) {
            page.replaceSubrange(start.upperBound..<stop.lowerBound, with: expected)
            try Data(page.utf8).write(to: file)
        }
        let start = try #require(page.range(of: Self.begin + "\n"))
        let stop = try #require(page.range(of: Self.end))
        #expect(String(page[start.upperBound..<stop.lowerBound]) == expected)
    }

    /// Both ways by name alone, so that the test above cannot hide a key by the marks it looks between.
    @Test func manual_listsEachKeyOnceAndNoOther() throws {
        let page = try String(contentsOf: Self.root.appendingPathComponent("man/ddsnode.toml.5"), encoding: .utf8)
        let listed = page.split(separator: "\n").filter { $0.hasPrefix(".It Ic ") }.map { String($0.dropFirst(7)) }
        #expect(listed == ConfigSchema.keys.map(\.path))
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/mandoc")))
    func manual_isCleanUnderLint() throws {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/mandoc")
        process.arguments = ["-T", "lint", "-W", "warning", Self.root.appendingPathComponent("man/ddsnode.toml.5").path]
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(String(decoding: data, as: UTF8.self).isEmpty)
        #expect(process.terminationStatus == 0)
    }

    // MARK: - The manual's list

    private static func entries() -> String {
        var lines: [String] = []
        var table: String?
        for key in ConfigSchema.keys {
            let header = key.path.split(separator: ".").dropLast().joined(separator: ".")
            if header != table {
                if table != nil { lines.append(".El") }
                lines += [header.isEmpty ? ".Ss Before any table" : ".Ss [\(header)]", ".Bl -tag -width Ds"]
                table = header
            }
            lines += entry(key)
        }
        return (lines + [".El"]).joined(separator: "\n") + "\n"
    }

    private static func entry(_ key: ConfigKey) -> [String] {
        var lines = [".It Ic \(key.path)"]
        let kind = key.kind.constraint.isEmpty ? key.kind.name : "\(key.kind.name) (\(key.kind.constraint))"
        lines.append("Type: \(escaped(kind)).")
        switch key.standard {
        case .value(let value): lines += ["Default:", ".Li \(escaped(value.literal)) ."]
        case .derived(let spoken, _): lines.append("Default: \(escaped(spoken)).")
        }
        lines.append(key.needsRestart ? "Restart: needed." : "Restart: not needed.")
        lines.append(".Pp")
        let sentences = key.help.replacingOccurrences(of: ". ", with: ".\n").split(separator: "\n")
        return lines + sentences.map { escaped(String($0)) }
    }

    private static func escaped(_ text: String) -> String {
        text.replacingOccurrences(of: "\\", with: "\\e").replacingOccurrences(of: "\"", with: "\\(dq")
    }
}
