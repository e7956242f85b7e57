// The rules of the house that a program can check, as functions of a file's text. Which files there are, TidyTests knows.

import Foundation

/// One file of the repository.
struct TidyFile: Sendable {
    /// Relative to the root, with `/`.
    let path: String
    let text: String
    let lines: [Substring]
    /// Of a Swift file each line without comments and without what stands in string literals, else the lines.
    let code: [String]

    init(path: String, text: String) {
        self.path = path
        self.text = text
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        code = path.hasSuffix(".swift") ? Tidy.code(of: lines) : lines.map(String.init)
    }

    var isSwift: Bool { path.hasSuffix(".swift") }
    /// The target of a file in Sources.
    var target: String? {
        let parts = path.split(separator: "/")
        return parts.first == "Sources" && parts.count > 2 ? String(parts[1]) : nil
    }
}

enum Tidy {
    static let linesMax = 500
    static let pureTargets: Set = ["DDSCore", "DDSSpool", "DDSBus", "DDSWire", "DDSTorture"]
    /// Without I/O: a lock for values that several threads may hold.
    private static let pureModules: Set = ["DDSLock"]
    /// How often each target may vouch for what the compiler cannot check. Lower a number when one goes; raise none.
    static let vouchersMax = ["DDSLock": 1, "DDSLoop": 1, "DDSTLS": 1, "DDSSeal": 2, "DDSHTTP": 0]

    /// Everything wrong with `file`, each as `path:line: sentence`.
    static func complaints(_ file: TidyFile) -> [String] {
        var found = tooLong(file) + unfinished(file)
        guard file.isSwift else { return found }
        found += unexplained(file) + unseenLocks(file)
        if let target = file.target {
            found += withoutPurpose(file) + unprovenUnwraps(file)
            if pureTargets.contains(target) { found += impure(file) }
        }
        return found
    }

    // MARK: Any file

    static func tooLong(_ file: TidyFile) -> [String] {
        let count = file.lines.count - (file.text.hasSuffix("\n") ? 1 : 0)
        guard count > linesMax, file.isSwift else { return [] }
        return ["\(file.path): \(count) lines, more than \(linesMax); one concept a file"]
    }

    // In two parts, so that this file may be checked too.
    private static let marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]
    private static let fillers = ["st" + "ub", "place" + "holder"]

    /// Work left undone has no place in the tree; it belongs into an issue.
    static func unfinished(_ file: TidyFile) -> [String] {
        check(file) { line, code in
            // Most lines are done with at a glance.
            guard (marks + fillers).contains(where: { line.contains($0) }) else { return nil }
            let words = line.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
            if let mark = marks.first(where: { words.contains(Substring($0)) }) { return "the mark \(mark)" }
            guard file.isSwift, let comment = comment(line, code) else { return nil }
            let said = comment.lowercased().split { !$0.isLetter }
            return fillers.first { said.contains(Substring($0)) }.map { "a comment speaks of a \($0)" }
        }
    }

    // MARK: Swift

    static func withoutPurpose(_ file: TidyFile) -> [String] {
        guard let first = file.lines.first, first.hasPrefix("// "), first.count > 20 else {
            return ["\(file.path):1: the file does not begin with a comment that says what it decides"]
        }
        return []
    }

    /// What traps, and what vouches for thread safety, has the reason beside it.
    static func unexplained(_ file: TidyFile) -> [String] {
        let needy = ["try" + "!", "as" + "!", "fatal" + "Error("]
        return check(file, explained: 1) { _, code in needy.first { code.contains($0) }.map { "\($0) without a reason beside it" } }
            + (file.target == nil ? [] : vouchersWithoutReason(file))
    }

    /// What waits where ThreadSanitizer cannot see it, so that it reports races where there are none.
    static func unseenLocks(_ file: TidyFile) -> [String] {
        check(file) { _, code in
            ["Mut" + "ex(", "Mut" + "ex<"].contains { code.contains($0) } ? "a lock that is not DDSLock's" : nil
        }
    }

    private static func vouchersWithoutReason(_ file: TidyFile) -> [String] {
        check(file, explained: 3) { _, code in
            voucher(in: code).map { "\($0) without the mechanism that makes it true" }
        }
    }

    private static func voucher(in code: String) -> String? {
        ["@unchecked Send" + "able", "nonisolated(un" + "safe)"].first { code.contains($0) }
    }

    static func countVouchers(_ file: TidyFile) -> Int {
        file.code.count { voucher(in: $0) != nil }
    }

    /// A force unwrap needs its proof in a comment.
    static func unprovenUnwraps(_ file: TidyFile) -> [String] {
        check(file, explained: 1) { _, code in
            guard code.utf8.contains(UInt8(ascii: "!")) else { return nil }
            let other = code.replacing("try" + "!", with: "").replacing("as" + "!", with: "")
            let isUnwrap = other.firstRange(of: /[A-Za-z0-9_\)\]]!($|[^=A-Za-z0-9_])/) != nil
            return isUnwrap ? "a force unwrap without a proof beside it" : nil
        }
    }

    /// Pure targets know no files, clocks, sockets or pointers.
    static func impure(_ file: TidyFile) -> [String] {
        check(file) { _, code in
            guard code.contains("unsafe") || code.contains("import") else { return nil }
            let words = code.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
            if words.contains("unsafe") { return "unsafe code in a pure target" }
            guard let position = words.firstIndex(of: "import"), position < 2, position + 1 < words.count else { return nil }
            let module = String(words[position + 1])
            return pureTargets.contains(module) || pureModules.contains(module) ? nil : "a pure target imports \(module)"
        }
    }

    // MARK: Lines

    /// Calls `rule` with each line and with what of it is code. With `explained`, a line passes that has a comment on it or
    /// within that many lines before it, or, for more than one, behind it.
    private static func check(_ file: TidyFile, explained: Int? = nil, _ rule: (Substring, String) -> String?) -> [String] {
        let (lines, code) = (file.lines, file.code)
        return lines.indices.compactMap { index in
            guard let complaint = rule(lines[index], code[index]) else { return nil }
            if let explained {
                let from = max(0, index - explained)
                let to = min(lines.count - 1, explained > 1 ? index + explained : index)
                if (from...to).contains(where: { comment(lines[$0], code[$0]) != nil }) { return nil }
            }
            return "\(file.path):\(index + 1): \(complaint)"
        }
    }

    /// Each line without comments and without what stands in string literals.
    static func code(of lines: [Substring]) -> [String] {
        var isInText = false
        return lines.map { line in
            let fences = line.utf8.contains(quote) ? line.ranges(of: "\"\"\"").count : 0
            defer { if !fences.isMultiple(of: 2) { isInText.toggle() } }
            return isInText ? "" : code(of: line)
        }
    }

    private static let quote = UInt8(ascii: "\"")

    private static func code(of line: Substring) -> String {
        var code: [UInt8] = []
        var isInString = false
        var isEscaped = false
        for octet in line.utf8 {
            if isInString {
                isInString = octet != quote || isEscaped
                isEscaped = octet == UInt8(ascii: "\\") && !isEscaped
                continue
            }
            isInString = octet == quote
            if octet == UInt8(ascii: "/"), code.last == octet { return String(decoding: code.dropLast(), as: UTF8.self) }
            code.append(octet)
        }
        return String(decoding: code, as: UTF8.self)
    }

    /// What of `line` is a comment: `code` ends where it begins.
    private static func comment(_ line: Substring, _ code: String) -> Substring? {
        guard line.utf8.count > code.utf8.count, let start = line.firstRange(of: "//") else { return nil }
        let isAddress = start.lowerBound > line.startIndex && line[line.index(before: start.lowerBound)] == ":"
        return isAddress ? nil : line[start.upperBound...]
    }
}
