// The repository lints itself: every file against Tidy, the manual against mandoc, the README against what it promises.

import Foundation
import Testing

@Suite struct TidyTests {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Text files of the tree, in order of path.
    static let files: [TidyFile] = {
        let tops = ["Sources", "Tests", "man", "etc", "scripts", ".ci"]
        let singles = ["Package.swift", "Makefile", "README.md", "HACKING.md"]
        let found = tops.flatMap { top in
            FileManager.default.enumerator(atPath: root.appendingPathComponent(top).path)?
                .compactMap { ($0 as? String).map { "\(top)/\($0)" } } ?? []
        }
        return (found + singles).filter { !$0.contains("__pycache__") }.sorted().compactMap { path in
            (try? String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)).map { TidyFile(path: path, text: $0) }
        }
    }()

    static var pages: [TidyFile] { files.filter { $0.path.hasPrefix("man/") } }

    @Test func everyFile_followsTheRules() {
        #expect(Self.files.count > 100, "the tree was not found at \(Self.root.path)")
        for complaint in Self.files.flatMap(Tidy.complaints) { Issue.record("\(complaint)") }
    }

    @Test func vouchersForTheCompiler_growNowhere() {
        for (target, files) in Dictionary(grouping: Self.files.filter { $0.isSwift }, by: \.target) {
            guard let target else { continue }
            let count = files.reduce(0) { $0 + Tidy.countVouchers($1) }
            #expect(count <= Tidy.vouchersMax[target] ?? 0, "\(target) vouches \(count) times for what the compiler cannot check")
        }
    }

    // MARK: Documents

    private static let mandoc = ["/usr/bin/mandoc", "/usr/local/bin/mandoc"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    @Test(.enabled(if: mandoc != nil, "mandoc is not installed, so no manual page was checked; run: make test-deps"))
    func everyManualPage_isClean() throws {
        let mandoc = try #require(Self.mandoc)
        #expect(!Self.pages.isEmpty)
        for page in Self.pages {
            let process = Process()
            let output = Pipe()
            process.executableURL = URL(fileURLWithPath: mandoc)
            process.arguments = ["-T", "lint", "-W", "warning", Self.root.appendingPathComponent(page.path).path]
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            try process.run()
            let words = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == 0, "\(words)")
        }
    }

    @Test func readme_startsWithTheTwoCommands() throws {
        let readme = try #require(Self.files.first { $0.path == "README.md" })
        let blocks = readme.text.split(separator: "```", omittingEmptySubsequences: false)
        let commands = try #require(blocks.count > 1 ? blocks[1] : nil).split(separator: "\n").map {
            $0.prefix { $0 != "#" }.trimmingCharacters(in: .whitespaces)
        }
        #expect(commands == ["make demo", "make test"])
        #expect(blocks[0].split(separator: "\n").count <= 3)
    }

    @Test(arguments: ["README.md", "HACKING.md"])
    func links_leadToFilesOfTheTree(document: String) throws {
        let file = try #require(Self.files.first { $0.path == document })
        for match in file.text.matches(of: /\]\(([^)#:]+)\)/) {
            let target = Self.root.appendingPathComponent(String(match.1)).path
            #expect(FileManager.default.fileExists(atPath: target), "\(document) links to \(match.1)")
        }
    }

    @Test func makefileTargets_thatDocumentsName_exist() throws {
        let makefile = try #require(Self.files.first { $0.path == "Makefile" })
        let targets = Set(makefile.text.matches(of: /\.PHONY: ([a-z-]+)/).map { $0.1 })
        for document in Self.files where document.path.hasSuffix(".md") {
            for match in document.text.matches(of: /(?:`|\n)(?:sudo )?make ([a-z-]+)/) {
                #expect(targets.contains(match.1), "\(document.path) names `make \(match.1)`")
            }
        }
    }

    // MARK: The rules themselves

    @Test(arguments: [
        ("Sources/DDSNode/A.swift", "let a = 1\n", "does not begin with a comment"),
        ("Sources/DDSNode/A.swift", Self.purpose + "let a = try" + "! b()\n", "without a reason"),
        ("Sources/DDSNode/A.swift", Self.purpose + "let a = b as" + "! C\n", "without a reason"),
        ("Sources/DDSNode/A.swift", Self.purpose + "let a = b!.c\n", "force unwrap"),
        ("Sources/DDSNode/A.swift", Self.purpose + "let a = b()!\n", "force unwrap"),
        ("Sources/DDSNode/A.swift", Self.purpose + "\n\n\nfinal class A: @unchecked Send" + "able {}\n", "without the mechanism"),
        ("Sources/DDSWire/A.swift", Self.purpose + "import Foundation\n", "imports Foundation"),
        ("Sources/DDSWire/A.swift", Self.purpose + "package import Glibc\n", "imports Glibc"),
        ("Sources/DDSTorture/A.swift", Self.purpose + "import Synchronization\n", "imports Synchronization"),
        ("Sources/DDSCore/A.swift", Self.purpose + "let a = unsafe b\n", "unsafe code"),
        ("Tests/A.swift", "let a = Mut" + "ex(0)\n", "not DDSLock's"),
        ("Tests/A.swift", "let a: Mut" + "ex<Int>\n", "not DDSLock's"),
        ("Tests/A.swift", "let a = 1 // TO" + "DO: more\n", "the mark"),
        ("man/a.1", "FIX" + "ME\n", "the mark"),
        ("Sources/DDSNode/A.swift", Self.purpose + "// Only a st" + "ub.\n", "speaks of"),
        ("Tests/A.swift", String(repeating: "\n", count: 501), "501 lines"),
    ])
    func eachRule_findsItsBreach(path: String, text: String, complaint: String) {
        let found = Tidy.complaints(TidyFile(path: path, text: text))
        #expect(found.count == 1 && found[0].contains(complaint), "\(found)")
    }

    @Test(arguments: [
        "let a = b! // The table has every name.\n",
        "// The table has every name.\nlet a = b!\n",
        "let a = \"Done! b! try" + "! it\"\n",
        "let a = \"\"\"\n    x! as" + "! y\n    \"\"\"\n",
        "let a = !b && c != d\n",
        "// unsafe, and import Foundation, are only words here\n",
    ])
    func whatIsAllowed_isNotComplainedAbout(code: String) {
        #expect(Tidy.complaints(TidyFile(path: "Sources/DDSCore/A.swift", text: Self.purpose + code)) == [])
    }

    @Test func aFileOfTheGreatestLength_passes() {
        #expect(Tidy.complaints(TidyFile(path: "Tests/A.swift", text: String(repeating: "\n", count: 500))) == [])
    }

    private static let purpose = "// What this file decides and what it does not.\n\n"
}
