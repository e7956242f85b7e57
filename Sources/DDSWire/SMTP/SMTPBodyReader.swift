// The text of a message as DATA or BDAT carries it, as a byte machine: where it ends, which dots go, which line ends are
// wrong. It never buffers, and it fails safe: after a fault it goes on to the true end, so that no part of a message is ever
// read as commands. Only CRLF . CRLF ends DATA; any looser reading lets a sender smuggle a second message past whoever reads
// it strictly (CVE-2023-51764 and its kin).

/// Reads one message.
package struct SMTPBodyReader: Sendable {
    /// What makes a message unacceptable.
    package enum Fault: Hashable, Sendable {
        /// A CR without LF, or, where not repaired, an LF without CR.
        case bareLineEnd
        case tooLarge
    }

    private enum State: Hashable, Sendable {
        case lineStart
        case text
        /// After a CR that may begin a CRLF; it is not yet passed on.
        case cr
        /// After a dot at the start of a line; it is not passed on.
        case dot
        case dotCR
    }

    private var state = State.lineStart
    private let isDotStuffed: Bool
    private let repairsBareLF: Bool
    private let bytesMax: Int

    /// The first fault met.
    package private(set) var fault: Fault?
    /// Octets of the message so far, without dot-stuffing (RFC 1870 3).
    package private(set) var byteCount = 0
    /// The terminating dot has been read.
    package private(set) var isAtEnd = false

    /// `isDotStuffed` for DATA, not for BDAT. `repairsBareLF` turns a lone LF into CRLF, for LMTP: mail that a local MTA has
    /// accepted long ago. `bytesMax` is the largest message.
    package init(isDotStuffed: Bool, repairsBareLF: Bool, bytesMax: Int) {
        self.isDotStuffed = isDotStuffed
        self.repairsBareLF = repairsBareLF
        self.bytesMax = bytesMax
    }

    /// Consumes `bytes` up to the end of the message, appending the message's own octets to `output` as long as there is no
    /// fault. Returns how many were consumed.
    package mutating func read(_ bytes: ArraySlice<UInt8>, into output: inout [UInt8]) -> Int {
        var index = bytes.startIndex
        while index < bytes.endIndex, !isAtEnd {
            if state == .text {
                let end = endOfPlainRun(bytes, from: index)
                emit(bytes[index..<end], into: &output)
                index = end
                guard index < bytes.endIndex else { break }
            }
            step(bytes[index], into: &output)
            index += 1
        }
        return index - bytes.startIndex
    }

    /// How far the text from `start` goes on as it is, over any number of lines: up to a CR that is not followed by LF within
    /// `bytes`, up to a CRLF behind which a dot may be stuffing, or up to a lone LF.
    private func endOfPlainRun(_ bytes: ArraySlice<UInt8>, from start: Int) -> Int {
        var index = start
        while let end = ByteSearch.firstLineEnd(in: bytes, from: index) {
            let next = end + 2
            guard bytes[end] == 0x0d, next < bytes.endIndex, bytes[end + 1] == 0x0a, !isDotStuffed || bytes[next] != 0x2e
            else { return end }
            index = next
        }
        return bytes.endIndex
    }

    /// The last chunk of BDAT has been read: a CR still held back ends nothing.
    package mutating func finish() {
        if state == .cr { fail(.bareLineEnd) }
    }

    private mutating func step(_ byte: UInt8, into output: inout [UInt8]) {
        switch state {
        case .lineStart:
            if byte == 0x2e, isDotStuffed { state = .dot } else { stepText(byte, into: &output) }
        case .text:
            stepText(byte, into: &output)
        case .cr:
            if byte == 0x0a {
                emit([0x0d, 0x0a], into: &output)
                state = .lineStart
            } else {
                fail(.bareLineEnd)
                stepText(byte, into: &output)
            }
        case .dot:
            if byte == 0x0d { state = .dotCR } else { stepText(byte, into: &output) }
        case .dotCR:
            if byte == 0x0a {
                isAtEnd = true
            } else {
                fail(.bareLineEnd)
                stepText(byte, into: &output)
            }
        }
    }

    private mutating func stepText(_ byte: UInt8, into output: inout [UInt8]) {
        switch byte {
        case 0x0d:
            state = .cr
        case 0x0a:
            // The line that follows began with no CRLF: a dot there is text, never an end.
            if repairsBareLF { emit([0x0d, 0x0a], into: &output) } else { fail(.bareLineEnd) }
            state = .text
        default:
            emit(CollectionOfOne(byte), into: &output)
            state = .text
        }
    }

    private mutating func emit(_ bytes: some Collection<UInt8>, into output: inout [UInt8]) {
        guard fault == nil else { return }
        guard bytes.count <= bytesMax - byteCount else { return fail(.tooLarge) }
        byteCount += bytes.count
        output.append(contentsOf: bytes)
    }

    private mutating func fail(_ found: Fault) {
        if fault == nil { fault = found }
    }
}

/// The sending side of the same.
package enum SMTPDotStuffing {
    /// `message` for DATA: a dot before every dot that begins a line, a CRLF where the last line has none, and the closing
    /// dot (RFC 5321 4.5.2). Only CRLF is taken for a line end.
    package static func encode(_ message: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(message.count + message.count / 64 + 5)
        var isLineStart = true
        var index = message.startIndex
        while index < message.endIndex {
            if isLineStart, message[index] == 0x2e { output.append(0x2e) }
            let end = message[index...].firstIndex(of: 0x0a) ?? message.endIndex - 1
            output.append(contentsOf: message[index...end])
            isLineStart = end > message.startIndex && message[end] == 0x0a && message[end - 1] == 0x0d
            index = end + 1
        }
        if !isLineStart { output += [0x0d, 0x0a] }
        return output + [0x2e, 0x0d, 0x0a]
    }
}
