// How results look: tables and sentences for people, one JSON object for scripts. Errors go to standard error.

import DDSCore
import DDSDesktop
import DDSMail
import DDSNode
import Glibc

struct Output: Sendable {
    let isJSON: Bool
    private let isQuiet: Bool
    private let hasColor: Bool
    /// Columns of the terminal, nil when standard output is none.
    private let width: Int?

    init(options: GlobalOptions) {
        isJSON = options.json
        isQuiet = options.quiet
        let isTerminal = isatty(1) == 1
        hasColor =
            switch options.color {
            case .always: true
            case .never: false
            case .auto:
                isTerminal && (Environment.value("NO_COLOR") ?? "").isEmpty && Environment.value("TERM") != "dumb"
            }
        width = isTerminal ? Self.columns : nil
    }

    // MARK: Results

    /// The result for scripts, or `text` for people.
    func result(_ value: JSONValue, _ text: () -> String) {
        if isJSON {
            Self.write(value.pretty + "\n", to: 1)
        } else {
            let text = text()
            if !text.isEmpty { Self.write(text.hasSuffix("\n") ? text : text + "\n", to: 1) }
        }
    }

    /// A line of a stream of results.
    func line(_ value: JSONValue, _ text: () -> String) {
        Self.write((isJSON ? String(decoding: value.line, as: UTF8.self) : text()) + "\n", to: 1)
    }

    /// Advice about what to do next: for people only.
    func next(_ text: String) {
        if !isJSON, !isQuiet { Self.write("Next: \(text)\n", to: 1) }
    }

    /// What is going on: for people only.
    func progress(_ text: String) {
        if !isJSON, !isQuiet { Self.write("\(text)\n", to: 1) }
    }

    /// Bytes as they are.
    func raw(_ bytes: [UInt8]) { Self.write(bytes, to: 1) }

    func complain(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        Self.write(lines.map { "ddsnode: \($0)\n" }.joined(), to: 2)
    }

    // MARK: Style

    func bold(_ text: String) -> String { hasColor ? "\u{1b}[1m\(text)\u{1b}[0m" : text }

    func warning(_ text: String) -> String { hasColor ? "\u{1b}[33m\(text)\u{1b}[0m" : text }

    /// Aligned columns without borders; on a terminal the last one ends with it. `emphasis` names rows in bold.
    func table(_ rows: [[String]], emphasis: (Int) -> Bool = { _ in false }) -> String {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.count)
            }
        }
        var text = ""
        for (index, row) in rows.enumerated() {
            var line = ""
            for (column, cell) in row.enumerated() {
                line += cell
                if column < row.count - 1 { line += String(repeating: " ", count: widths[column] - cell.count + 2) }
            }
            while line.hasSuffix(" ") { line.removeLast() }
            if let width, line.count > width { line = line.prefix(max(1, width - 1)) + "…" }
            text += (emphasis(index) ? bold(line) : line) + "\n"
        }
        return text
    }

    private static var columns: Int {
        var size = winsize()
        if unsafe ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
        return Environment.value("COLUMNS").flatMap { Int($0) } ?? 80
    }

    // MARK: Writing

    static func write(_ text: String, to descriptor: Int32) { write(Array(text.utf8), to: descriptor) }

    /// A reader that went away, as `head` does, is no trouble of ours: the rest is dropped.
    static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes[done...].withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                done += count
            } else if errno == EAGAIN {
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&ready, 1, -1)
            } else if errno != EINTR {
                return
            }
        }
    }
}

/// Words of strangers on a terminal.
enum SafeWord {
    /// One line without anything that moves a cursor or hides.
    static func text(_ raw: String) -> String { SafeText(raw).text }

    static func text(_ value: JSONValue?) -> String {
        switch value {
        case .text(let raw): text(raw)
        case .number(let number): "\(number)"
        case .bool(let flag): flag ? "yes" : "no"
        case .list(let items): items.map { text($0) }.joined(separator: " ")
        case .null, .object, nil: ""
        }
    }
}
