// Writes the words of IMAP replies (RFC 9051 9): strings, numbers, sets, flags. What is replied is not decided here.

struct IMAPWriter: Sendable {
    private(set) var bytes: [UInt8] = []

    var isEmpty: Bool { bytes.isEmpty }
    var count: Int { bytes.count }

    /// What was written since the last call.
    mutating func take() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }

    mutating func text(_ text: String) { bytes.append(contentsOf: text.utf8) }
    mutating func octets(_ octets: some Collection<UInt8>) { bytes.append(contentsOf: octets) }
    mutating func octet(_ octet: Unicode.Scalar) { bytes.append(UInt8(ascii: octet)) }

    mutating func line(_ text: String) {
        self.text(text)
        endLine()
    }

    mutating func endLine() {
        bytes.append(0x0d)
        bytes.append(0x0a)
    }

    /// In decimal, digit by digit: there are several numbers in each of a hundred thousand replies.
    mutating func number(_ value: some BinaryInteger) {
        var rest = UInt64(clamping: value)
        let start = bytes.count
        repeat {
            bytes.append(0x30 + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }

    /// A quoted string where that can hold the octets, else a literal. `isUTF8` allows octets beyond ASCII in a quoted string
    /// (RFC 9051 4.3).
    mutating func string(_ octets: [UInt8], isUTF8: Bool = false) {
        let isQuotable =
            octets.count <= 1000
            && octets.allSatisfy { $0 >= 0x20 && ($0 < 0x7f || (isUTF8 && $0 >= 0x80)) }
        guard isQuotable else { return literal(octets) }
        bytes.append(0x22)
        for octet in octets {
            if octet == 0x22 || octet == 0x5c { bytes.append(0x5c) }
            bytes.append(octet)
        }
        bytes.append(0x22)
    }

    /// A string, or `NIL` for nil.
    mutating func nstring(_ octets: [UInt8]?) {
        if let octets { string(octets) } else { text("NIL") }
    }

    /// A literal of eight bits (RFC 3516), for octets with NUL among them; else one that every client understands.
    mutating func binary(_ octets: some Collection<UInt8>) {
        if octets.contains(0) { octet("~") }
        literal(octets)
    }

    mutating func literal(_ octets: some Collection<UInt8>) {
        octet("{")
        number(octets.count)
        octet("}")
        endLine()
        bytes.append(contentsOf: octets)
    }

    /// `(\Seen $Junk)`.
    mutating func flags(_ flags: IMAPFlags) {
        octet("(")
        var isFirst = true
        func separate(_ writer: inout IMAPWriter) {
            if !isFirst { writer.octet(" ") }
            isFirst = false
        }
        for (flag, name) in IMAPFlags.System.names where flags.system.contains(flag) {
            separate(&self)
            octet("\\")
            text(name)
        }
        for keyword in flags.keywords {
            separate(&self)
            text(keyword)
        }
        octet(")")
    }

    /// `1:3,5` in the order given; runs that ascend by one are ranges.
    mutating func set(_ numbers: some Sequence<UInt32>) {
        var run: (first: UInt32, last: UInt32)?
        var isFirst = true
        func flush(_ writer: inout IMAPWriter) {
            guard let run else { return }
            if !isFirst { writer.octet(",") }
            isFirst = false
            writer.number(run.first)
            if run.last != run.first {
                writer.octet(":")
                writer.number(run.last)
            }
        }
        for number in numbers {
            if let current = run, current.last < number, number - current.last == 1 {
                run = (current.first, number)
            } else {
                flush(&self)
                run = (number, number)
            }
        }
        flush(&self)
    }
}
