// Cuts a stream of octets into IMAP commands: lines that end in CRLF, and the literals in them (RFC 9051 4.3, RFC 7888). It
// decides where a command ends; whether a literal is welcome is asked, and what a command means is not decided here.

/// A command as it came: lines without their CRLFs, with a literal between each two of them. A line before a literal ends in
/// the literal's announcement, such as `{12}`.
struct IMAPCommandText: Sendable {
    var lines: [[UInt8]] = []
    var literals: [[UInt8]] = []
}

/// A framer. It looks at every octet once, and stores no command that is refused anyway.
struct IMAPCommandReader: Sendable {
    /// `{12}`, `{12+}` (RFC 7888) or `~{12}` (RFC 3516).
    struct Announcement: Hashable, Sendable {
        var octets: Int
        var isSynchronizing: Bool

        /// The longest number; longer ones are no announcements, and what they were meant to be is a syntax error.
        private static let digitsMax = 18

        /// The announcement at the end of a line.
        init?(endOf line: ArraySlice<UInt8>) {
            guard line.last == UInt8(ascii: "}") else { return nil }
            var rest = line.dropLast()
            isSynchronizing = rest.last != UInt8(ascii: "+")
            if !isSynchronizing { rest = rest.dropLast() }
            let digits = rest.suffix(Self.digitsMax).reversed().prefix { (0x30...0x39).contains($0) }.count
            guard digits > 0, rest.dropLast(digits).last == UInt8(ascii: "{") else { return nil }
            octets = rest.suffix(digits).reduce(0) { $0 * 10 + Int($1 - 0x30) }
        }
    }

    enum Fault: Hashable, Sendable {
        /// More octets of lines than the limit.
        case overlong
        /// A CR without LF, or an LF without CR.
        case bareLineEnd
        /// A literal that the owner has refused with this reply.
        case refused(String)
    }

    enum Item: Sendable {
        /// The owner says `accept` or `refuse` before it asks for more.
        case literal(Announcement)
        case command(IMAPCommandText)
        /// Reported once, when the command is read to its end; its octets are gone. `head` is how it began.
        case fault(Fault, head: [UInt8])
    }

    private enum Mode: Sendable {
        case line
        case announced(Announcement)
        case literal(remaining: Int)
    }

    /// The lines of one command in octets, including their CRLFs.
    var limit: Int
    /// What has come of the command being read; of a command that is refused, nothing.
    private(set) var command = IMAPCommandText()
    /// All literals accepted for that command.
    private(set) var literalOctets = 0

    private var buffer = OctetBuffer()
    private var mode = Mode.line
    private var lineOctets = 0
    private var fault: Fault?
    private var faultHead: [UInt8] = []

    /// An idle connection keeps no memory for what it may say one day.
    private static let keptOctetsMax = 4096
    /// What is kept of a line that is thrown away, so that an announcement at its end is seen.
    private static let tailOctets = 32
    /// What is kept of a faulty command's beginning, for its tag.
    private static let headOctets = 128

    init(limit: Int) {
        self.limit = limit
    }

    /// Octets stored and not yet looked at.
    var count: Int { buffer.count }
    var isEmpty: Bool { buffer.isEmpty }

    mutating func append(_ bytes: ArraySlice<UInt8>) { buffer.append(bytes, keptOctetsMax: Self.keptOctetsMax) }

    /// What comes next, or nil when more octets are needed. Without `takesLiterals` the next is one line, whatever it ends in.
    mutating func next(takesLiterals: Bool = true) -> Item? {
        while true {
            switch mode {
            case .announced: return nil
            case .literal(let remaining):
                let run = min(remaining, count)
                if fault == nil { command.literals[command.literals.count - 1] += buffer.pending.prefix(run) }
                buffer.use(to: buffer.head + run)
                guard run == remaining else {
                    mode = .literal(remaining: remaining - run)
                    return nil
                }
                mode = .line
            case .line:
                guard let end = lineEnd() else { return nil }
                if let item = finishLine(end, takesLiterals: takesLiterals) { return item }
            }
        }
    }

    /// Reads the announced literal.
    mutating func accept() {
        guard case .announced(let literal) = mode else { preconditionFailure("a literal is announced first") }
        literalOctets += literal.octets
        command.literals.append([])
        mode = .literal(remaining: literal.octets)
    }

    /// Gives the command up. Returns whether it ends here; else it is reported as a fault with this reply when it has ended.
    mutating func refuse(_ reply: String) -> Bool {
        guard case .announced(let literal) = mode else { preconditionFailure("a literal is announced first") }
        if literal.isSynchronizing {
            reset()
            return true
        }
        give(up: .refused(reply))
        mode = .literal(remaining: literal.octets)
        return false
    }

    /// Forgets everything stored: what came in clear before TLS never counts (RFC 9051 6.2.1).
    mutating func discardAll() {
        buffer.removeAll()
        reset()
    }

    // MARK: Lines

    /// The index of the CR of the CRLF that ends the line, or nil when more octets are needed.
    private mutating func lineEnd() -> Int? {
        while let place = ByteSearch.firstLineEnd(in: buffer.pending, from: buffer.scan) {
            buffer.scan = place
            noteLength()
            if buffer.octets[place] == 0x0d {
                guard place + 1 < buffer.end else { return nil }
                if buffer.octets[place + 1] == 0x0a { return place }
            }
            if fault == nil { give(up: .bareLineEnd) }
            buffer.scan += 1
        }
        buffer.scan = buffer.end
        noteLength()
        return nil
    }

    /// Gives a command up that cannot fit any more, and lets go of what is not needed of a faulty one.
    private mutating func noteLength() {
        if fault == nil, lineOctets + buffer.scan - buffer.head + 2 > limit { give(up: .overlong) }
        if fault != nil { buffer.use(to: max(buffer.head, buffer.scan - Self.tailOctets)) }
    }

    /// Takes the line that ends at `end`; nil when the command goes on.
    private mutating func finishLine(_ end: Int, takesLiterals: Bool) -> Item? {
        let line = buffer.octets[buffer.head..<end]
        let literal = takesLiterals ? Announcement(endOf: line) : nil
        if fault == nil {
            command.lines.append(Array(line))
            lineOctets += line.count + 2
        }
        buffer.use(to: end + 2)
        if let fault {
            if let literal, !literal.isSynchronizing {
                mode = .literal(remaining: literal.octets)
                return nil
            }
            let start = faultHead
            reset()
            return .fault(fault, head: start)
        }
        if let literal {
            mode = .announced(literal)
            return .literal(literal)
        }
        let whole = command
        reset()
        return .command(whole)
    }

    private mutating func give(up fault: Fault) {
        self.fault = fault
        let start = command.lines.first?[...] ?? buffer.octets[buffer.head..<buffer.scan]
        faultHead = Array(start.prefix(min(Self.headOctets, limit - 1)))
        command = IMAPCommandText()
    }

    private mutating func reset() {
        command = IMAPCommandText()
        literalOctets = 0
        lineOctets = 0
        fault = nil
        faultHead = []
        mode = .line
    }
}
