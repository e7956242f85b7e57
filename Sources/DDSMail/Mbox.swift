// Mailbox files in mboxrd form: writing one message, and taking a file apart piece by piece. Line ends of messages stay as
// they are; nothing is added to a message and nothing is lost, whatever its last line looks like. It reads and writes no file.

package import DDSCore

/// One message in an mbox file (RFC 4155; quoting as mboxrd has it: every `>*From ` at the start of a line gets one `>` more).
package enum Mbox {
    private static let mark = Array("From ".utf8)

    /// The bytes of one message as they stand in the file: its separator, itself with quotes, and one line feed. `sender` is the
    /// address for the separator.
    package static func entry(_ message: [UInt8], sender: String, received: WallTime) -> [UInt8] {
        let name = sender.utf8.filter { (0x21...0x7e).contains($0) }
        var bytes = mark
        bytes.reserveCapacity(message.count + 128)
        bytes += name.isEmpty ? Array("MAILER-DAEMON".utf8) : name
        bytes += Array(" \(CivilTime(secondsSinceEpoch: received.seconds).asctime)\n".utf8)
        var start = 0
        while start < message.count {
            let end = message[start...].firstIndex(of: 0x0a).map { $0 + 1 } ?? message.count
            if isQuotable(message[start..<end]) { bytes.append(0x3e) }
            bytes += message[start..<end]
            start = end
        }
        bytes.append(0x0a)
        return bytes
    }

    static func isQuotable(_ line: ArraySlice<UInt8>) -> Bool { line.drop { $0 == 0x3e }.starts(with: mark) }
}

/// A message that was found in an mbox file.
package struct MboxMessage: Hashable, Sendable {
    /// Byte for byte, without quotes and without the line end that stands before the next separator.
    package var bytes: [UInt8]
    /// The date of its separator, nil when it has none that can be read.
    package var received: WallTime?
    /// The number of the separator's line in the file, from 1.
    package var line: Int
    /// The message was longer than the limit, and `bytes` are empty.
    package var isTooLarge = false
}

/// Takes an mbox file apart.
package struct MboxReader: Sendable {
    /// Why a file is no mbox file.
    package struct NotMbox: Error, Hashable, Sendable {
        package init() {}
    }

    /// Of a longer line, as binary files have, the beginning decides, and the rest is content.
    private static let lineMax = (1 << 20) + 1

    private let limit: Int
    private var line: [UInt8] = []
    private var lineCount = 0
    private var current: MboxMessage?
    /// The separator ended with CRLF, so a CRLF stands before the next one.
    private var endsWithCRLF = false

    /// Longer messages are reported and not kept.
    package init(limit: Int) {
        self.limit = limit
    }

    /// Takes the next bytes of the file; returns the messages that ended in them. Throws when the file does not begin as an
    /// mbox file does.
    package mutating func feed(_ bytes: ArraySlice<UInt8>) throws(NotMbox) -> [MboxMessage] {
        var found: [MboxMessage] = []
        var rest = bytes
        while !rest.isEmpty {
            let piece = rest.prefix(Self.lineMax - line.count)
            let end = piece.firstIndex(of: 0x0a).map { $0 + 1 } ?? piece.endIndex
            line += rest[..<end]
            rest = rest[end...]
            if line.last == 0x0a || line.count == Self.lineMax { try endLine(into: &found) }
        }
        return found
    }

    /// The end of the file: the last message, nil for an empty file.
    package mutating func finish() throws(NotMbox) -> MboxMessage? {
        var found: [MboxMessage] = []
        if !line.isEmpty { try endLine(into: &found) }
        guard let last = current else { return nil }
        current = nil
        return ended(last)
    }

    private mutating func endLine(into found: inout [MboxMessage]) throws(NotMbox) {
        defer { line.removeAll(keepingCapacity: true) }
        lineCount += 1
        if let date = Self.separatorDate(line, isFirst: current == nil) {
            if let done = current { found.append(ended(done)) }
            endsWithCRLF = line.suffix(2) == [0x0d, 0x0a]
            current = MboxMessage(bytes: [], received: date.received, line: lineCount)
            return
        }
        guard current != nil else { throw NotMbox() }
        let isQuoted = line.first == 0x3e && Mbox.isQuotable(line[...])
        append(isQuoted ? line[1...] : line[...])
    }

    private mutating func append(_ content: ArraySlice<UInt8>) {
        guard var message = current, !message.isTooLarge else { return }
        // One copy of a long message is enough.
        current = nil
        message.bytes += content
        // The line end before the next separator may still be in it.
        if message.bytes.count > limit + 2 {
            message.bytes = []
            message.isTooLarge = true
        }
        current = message
    }

    private func ended(_ message: MboxMessage) -> MboxMessage {
        var message = message
        if message.bytes.last == 0x0a {
            message.bytes.removeLast()
            if endsWithCRLF, message.bytes.last == 0x0d { message.bytes.removeLast() }
        }
        if message.bytes.count > limit {
            message.bytes = []
            message.isTooLarge = true
        }
        return message
    }

    /// Nil for a line that separates nothing. The first line of a file needs only its `From `.
    private static func separatorDate(_ line: [UInt8], isFirst: Bool) -> (received: WallTime?, Void)? {
        guard line.starts(with: "From ".utf8) else { return nil }
        let words = line.prefix(512).split(whereSeparator: { $0 <= 0x20 }).map { Substring(decoding: $0, as: UTF8.self) }
        let received = words.count >= 7 ? CivilTime.seconds(asctime: words[2...].prefix(5)) : nil
        guard received != nil || isFirst else { return nil }
        return (received.map { WallTime(milliseconds: $0 * 1000) }, ())
    }
}

extension CivilTime {
    /// The UTC seconds of `Thu Nov 27 15:16:01 2026` in words; nil when they are no such date.
    static func seconds(asctime words: ArraySlice<Substring>) -> Int64? {
        let words = Array(words)
        guard words.count == 5, let month = monthNumber(words[1]), let day = Int64(words[2]), (1...31).contains(day),
            let year = Int64(words[4]), (1970...9999).contains(year)
        else { return nil }
        let clock = words[3].split(separator: ":").map { Int64($0) ?? -1 }
        guard clock.count == 3, (0..<24).contains(clock[0]), (0..<60).contains(clock[1]), (0...60).contains(clock[2]) else {
            return nil
        }
        // Days of the civil date with the year starting in March.
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return (era * 146_097 + dayOfEra - 719_468) * 86400 + clock[0] * 3600 + clock[1] * 60 + clock[2]
    }

    private static func monthNumber(_ word: Substring) -> Int64? {
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"].firstIndex { $0 == word }.map {
            Int64($0) + 1
        }
    }
}
