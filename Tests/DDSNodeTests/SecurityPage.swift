// What ddsnode-security(7) promises about itself: each claim names a test, and the test is there. The rules, as a function of the
// page's text; which tests exist, SecurityPageTests knows.

import Foundation

struct SecurityPage {
    /// An item of a list, with the tags that stand in it.
    struct Item {
        var section: String
        var subsection: String
        var title: String
        var text = ""

        /// As in `[tls_pin]`.
        var tags: [String] { text.matches(of: /\[([a-z0-9_]+)\]/).map { String($0.1) } }
        /// What is named with `.Pa`.
        var references: [String] { text.matches(of: /(?m)^\.Pa (\S+)/).map { String($0.1) } }
    }

    static let tables = "WHO CAN DO WHAT"
    static let claims = "CLAIMS AND THEIR TESTS"
    /// Sections whose lists make claims.
    static let sections = [
        tables, "WHERE THINGS LIE IN CLEAR", "ERASURE", "THE CONTRACT", "WHAT THE NODE REMEMBERS", "LIMITS OF THIS RELEASE",
    ]
    static let untestable = "Not testable by us"

    private(set) var items: [Item] = []
    /// Tags of all that is in no list of claims, and of the text in it.
    private(set) var used: Set<String> = []

    init(_ page: String) {
        var (section, subsection) = ("", "")
        var current: Item?
        for line in page.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if line.hasPrefix(".Sh ") { (section, subsection) = (String(line.dropFirst(4)), "") }
            if line.hasPrefix(".Ss ") { subsection = String(line.dropFirst(4)) }
            if line.hasPrefix(".It") || line.hasPrefix(".El") || line.hasPrefix(".Sh") {
                if let current { items.append(current) }
                current = nil
            }
            if line.hasPrefix(".It") {
                current = Item(section: section, subsection: subsection, title: String(line.dropFirst(4)))
            } else {
                current?.text += line + "\n"
            }
            used.formUnion(Item(section: "", subsection: "", title: "", text: line).tags)
        }
    }

    /// Everything wrong with the page, in sentences; `exists` tells a test by its name.
    func complaints(exists: (String) -> Bool) -> [String] {
        withoutTag() + incompleteTables() + wrongNames() + withoutTest(exists)
    }

    private func withoutTag() -> [String] {
        Self.sections.filter { section in !items.contains { $0.section == section } }.map { "\($0) has no list" }
            + items.filter { Self.sections.contains($0.section) && $0.tags.isEmpty }.map {
                "\($0.section) \($0.subsection): \"\($0.title) \($0.text.prefix(60))\" names no test"
            }
    }

    private func incompleteTables() -> [String] {
        let rows = items.filter { $0.section == Self.tables }
        return rows.filter { $0.title != "Can" && $0.title != "Cannot" }.map { "\($0.subsection): \"\($0.title)\" is no row" }
            + Dictionary(grouping: rows, by: \.subsection).filter { Set($0.value.map(\.title)).count < 2 }.keys.sorted().map {
                "\($0): a table without a row that begins with Can or with Cannot"
            }
    }

    private var definitions: [Item] { items.filter { $0.section == Self.claims } }

    private func wrongNames() -> [String] {
        let defined = definitions.map(\.title)
        return used.subtracting(defined).sorted().map { "[\($0)] is not among the claims" }
            + Set(defined).subtracting(used).sorted().map { "the claim \($0) is made nowhere" }
            + zip(defined, defined.dropFirst()).filter { $0 >= $1 }.map { "\($1) comes behind \($0), which is not the order" }
    }

    private func withoutTest(_ exists: (String) -> Bool) -> [String] {
        definitions.flatMap { claim in
            if claim.references.isEmpty, !claim.text.contains(Self.untestable) { return ["\(claim.title) has no test"] }
            return claim.references.filter { !exists($0) }.map { "\(claim.title): there is no test \($0)" }
        }
    }
}
