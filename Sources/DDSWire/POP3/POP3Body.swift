// Messages on the wire: dot-stuffing on the way out and its exact inverse on the way in (RFC 1939 3). Only CRLF ends a line and
// only CRLF.CRLF ends a message; a bare CR or LF is an octet like any other.

/// Stuffs a message that arrives in pieces, and cuts it for TOP.
struct POP3BodyEncoder: Sendable {
    private enum Position: Sendable {
        case lineStart
        case inLine
        case afterCR
    }

    private var position = Position.lineStart
    /// For TOP: lines of the body still to be sent; nil for the whole message.
    private var bodyLinesLeft: Int?
    private var isInHeader = true
    /// The CR just seen was the first octet of its line, so the line is empty but for its CRLF.
    private var isLineEmpty = false
    /// True when TOP has what it wants and no more pieces are needed.
    private(set) var isSatisfied = false

    init(bodyLines: Int? = nil) {
        bodyLinesLeft = bodyLines
    }

    /// Appends the next piece to `output` as it goes on the wire.
    mutating func encode(_ piece: [UInt8], into output: inout [UInt8]) {
        guard !isSatisfied else { return }
        output.reserveCapacity(output.count + piece.count + piece.count / 32 + 8)
        guard bodyLinesLeft != nil else { return encodeWhole(piece, into: &output) }
        var runStart = 0
        var index = 0
        while index < piece.count {
            let octet = piece[index]
            if position == .lineStart, octet == 0x2e {
                output.append(contentsOf: piece[runStart..<index])
                output.append(0x2e)
                runStart = index
            }
            let isLineEnd = position == .afterCR && octet == 0x0a
            if isLineEnd {
                position = .lineStart
            } else if octet == 0x0d {
                isLineEmpty = position == .lineStart
                position = .afterCR
            } else {
                position = .inLine
            }
            index += 1
            if isLineEnd, lineEnded() {
                isSatisfied = true
                break
            }
        }
        output.append(contentsOf: piece[runStart..<index])
    }

    /// `encode` where no lines are counted: only dots matter, and armor has none.
    private mutating func encodeWhole(_ piece: [UInt8], into output: inout [UInt8]) {
        var runStart = 0
        var index = 0
        while let dot = ByteSearch.first(0x2e, in: piece, from: index) {
            let isLineStart =
                switch dot {
                case 0: position == .lineStart
                case 1: position == .afterCR && piece[0] == 0x0a
                default: piece[dot - 1] == 0x0a && piece[dot - 2] == 0x0d
                }
            if isLineStart {
                output.append(contentsOf: piece[runStart..<dot])
                output.append(0x2e)
                runStart = dot
            }
            index = dot + 1
        }
        output.append(contentsOf: piece[runStart...])
        guard let last = piece.last else { return }
        let wasAfterCR = piece.count > 1 ? piece[piece.count - 2] == 0x0d : position == .afterCR
        position = last == 0x0d ? .afterCR : last == 0x0a && wasAfterCR ? .lineStart : .inLine
    }

    /// Appends what ends the message: a CRLF if its last line has none, and the lone dot.
    mutating func finish(into output: inout [UInt8]) {
        if position != .lineStart { output += [0x0d, 0x0a] }
        output += [0x2e, 0x0d, 0x0a]
        isSatisfied = true
    }

    /// Counts a finished line; true when TOP needs no more.
    private mutating func lineEnded() -> Bool {
        guard let left = bodyLinesLeft else { return false }
        if isInHeader {
            guard isLineEmpty else { return false }
            isInHeader = false
            return left == 0
        }
        bodyLinesLeft = left - 1
        return left == 1
    }
}

/// Takes the dots out again and finds the end.
struct POP3BodyDecoder: Sendable {
    private enum Position: Sendable {
        case lineStart
        case inLine
        case afterCR
        /// Behind a dot that began a line and is not part of the message whatever follows.
        case afterDot
        /// Behind `.` CR at the start of a line: the end, if LF follows.
        case afterDotCR
    }

    private var position = Position.lineStart
    /// True when the lone dot has come.
    private(set) var isComplete = false

    /// Appends to `output` what `input` adds to the message and returns how many octets of it belong to the message; all of
    /// them unless `isComplete`. With `keeping` false nothing is stored (a message over the limit).
    mutating func decode(_ input: ArraySlice<UInt8>, keeping: Bool, into output: inout [UInt8]) -> Int {
        var index = input.startIndex
        while index < input.endIndex, !isComplete {
            switch position {
            case .inLine:
                let end = input[index...].firstIndex(of: 0x0d) ?? input.endIndex
                if keeping { output.append(contentsOf: input[index..<end]) }
                guard end < input.endIndex else { return input.count }
                if keeping { output.append(0x0d) }
                position = .afterCR
                index = end + 1
                continue
            case .lineStart where input[index] == 0x2e:
                position = .afterDot
            case .afterDot where input[index] == 0x0d:
                position = .afterDotCR
            case .afterDotCR where input[index] == 0x0a:
                isComplete = true
            case .afterDotCR:
                // The dot is stuffing and the CR a bare one, held back until now.
                if keeping { output.append(0x0d) }
                position = .afterCR
                continue
            case .lineStart, .afterDot, .afterCR:
                let octet = input[index]
                if keeping { output.append(octet) }
                position =
                    switch octet {
                    case 0x0d: .afterCR
                    case 0x0a where position == .afterCR: .lineStart
                    default: .inLine
                    }
            }
            index += 1
        }
        return index - input.startIndex
    }
}
