// ddsnode-security(7) and the tests that it names.

import Foundation
import Testing

@Suite struct SecurityPageTests {
    /// Whether there is a Swift test `Suite/name`, or a part `Tests/FILE.py:name` of a program that checks something and is run.
    private static func exists(_ reference: String) -> Bool {
        let isPart = reference.contains(":")
        let parts = reference.split(separator: isPart ? ":" : "/").map(String.init)
        guard parts.count == 2 else { return false }
        return isPart ? hasPart(parts[1], of: parts[0]) : hasTest(parts[1], in: parts[0])
    }

    private static func hasPart(_ name: String, of path: String) -> Bool {
        guard let program = TidyTests.files.first(where: { $0.path == path }),
            let start = program.text.range(of: "\ndef \(name)(")
        else { return false }
        let body = program.text[start.upperBound...]
        let end = body.range(of: "\ndef ")?.lowerBound ?? body.endIndex
        guard ["checks.", "report.check", "expect("].contains(where: { body[..<end].contains($0) }) else { return false }
        // Named once more than where it is defined, there or in the program that runs them all.
        let folder = path.prefix { $0 != "." }.lastIndex(of: "/").map { path[..<$0] } ?? ""
        let others = TidyTests.files.filter { $0.path.hasPrefix(folder) && $0.path.hasSuffix(".py") }
        return others.reduce(0) { $0 + $1.text.ranges(of: name).count } > 1
    }

    private static func hasTest(_ name: String, in suite: String) -> Bool {
        TidyTests.files.contains { file in
            guard file.path.hasPrefix("Tests/"), file.isSwift,
                let start = file.text.range(of: "struct \(suite) {") ?? file.text.range(of: "class \(suite) {")
            else { return false }
            // A declaration of the file ends where a line begins with its brace.
            let body = file.text[start.upperBound...]
            let end = body.range(of: "\n}\n")?.lowerBound ?? body.endIndex
            guard let place = body[..<end].range(of: "func \(name)("),
                let mark = body[..<place.lowerBound].range(of: "@Test", options: .backwards)
            else { return false }
            return !body[mark.upperBound..<place.lowerBound].contains("func ")
        }
    }

    @Test func everyClaim_namesATestThatExists() throws {
        let page = try #require(TidyTests.pages.first { $0.path == "man/ddsnode-security.7" })
        for complaint in SecurityPage(page.text).complaints(exists: Self.exists) { Issue.record("\(complaint)") }
    }

    @Test func namesOfTests_areTold() {
        #expect(Self.exists("SecurityPageTests/namesOfTests_areTold"))
        #expect(Self.exists("PaddingTests/sizes_arePadme"))
        #expect(!Self.exists("SecurityPageTests/namesOfTests_areInvented"))
        #expect(!Self.exists("NoSuchTests/namesOfTests_areTold"))
        // Of another suite in the same file.
        #expect(Self.exists("ExpiryTests/heldMail_expiresToo"))
        #expect(!Self.exists("AuthorReportTests/heldMail_expiresToo"))
        // No test, but what tests use.
        #expect(!Self.exists("SecurityPageTests/exists"))
        #expect(Self.exists("Tests/Interop/heads.py:set_back"))
        #expect(Self.exists("Tests/Interop/hostile.py:smuggling"))
        #expect(!Self.exists("Tests/Interop/heads.py:post"))
        #expect(!Self.exists("Tests/Interop/heads.py:set_forward"))
        #expect(!Self.exists("Tests/Interop/tails.py:set_back"))
    }

    private static let page = """
        .Sh DESCRIPTION
        As in [one].
        .Bl
        .It word
        Needs none.
        .El
        .Sh WHO CAN DO WHAT
        .Ss Somebody
        .Bl
        .It Can
        do this [one].
        .It Cannot
        do that [two].
        .El

        """
        + SecurityPage.sections.dropFirst().map { ".Sh \($0)\n.Bl\n.It\nSo it is [two].\n.El\n" }.joined() + """
            .Sh CLAIMS AND THEIR TESTS
            .Bl
            .It one
            .Pa ATests/a ,
            .Pa ATests/b
            .It two
            Not testable by us, but for [one].
            .El
            """

    @Test(arguments: [
        ("", "", ""),
        ("do that [two]", "do that", "\"Cannot do that.\n\" names no test"),
        (".It\nSo it is [two]", ".It\nSo it is", "names no test"),
        (".It Cannot\ndo that", ".It Perhaps\ndo that", "\"Perhaps\" is no row"),
        (".It Cannot\n", ".It Can\n", "a table without a row"),
        (".Sh ERASURE\n", ".Sh BEGINNING\n", "ERASURE has no list"),
        ("do that [two]", "do that [three]", "[three] is not among the claims"),
        ("As in [one]", "As in [four]", "[four] is not among the claims"),
        (".It two\n", ".It two\n.Pa ATests/a\n.It up\n", "the claim up is made nowhere"),
        (".It one\n", ".It two\n", "the claim two comes twice"),
        (".Pa ATests/b", ".Pa ATests/c", "one: there is no test ATests/c"),
        ("Not testable by us", "Nobody tests that", "two has no test"),
    ])
    func eachRule_findsItsBreach(part: String, instead: String, complaint: String) {
        let text = part.isEmpty ? Self.page : Self.page.replacing(part, with: instead, maxReplacements: 1)
        let found = SecurityPage(text).complaints { $0 != "ATests/c" }
        if complaint.isEmpty {
            #expect(found == [])
        } else if complaint.hasSuffix("twice") {
            #expect(found.contains { $0.contains("not the order") })
        } else {
            #expect(found.contains { $0.contains(complaint) }, "\(found)")
        }
    }
}
