// Cuts a stream of octets into lines that end in CRLF, and hands out raw runs where a protocol leaves lines behind (SMTP DATA
// and BDAT, IMAP literals). It decides where a line ends and nothing about what a line means.

/// A line framer. It looks at every octet once, however it arrives, so a peer that sends
/// one octet at a time costs no more than one that sends everything at once.
package struct LineReader: Sendable {
    package enum Line: Hashable, Sendable {
        /// A whole line without its CRLF.
        case complete([UInt8])
        /// A line with more octets than the limit. Reported once, when its CRLF has come; its octets are gone.
        case overlong
        /// A CR without LF, or an LF without CR. Reported once, as soon as it is seen; everything up to the next CRLF is
        /// then skipped in silence, so that no part of such a line is ever taken for a command.
        case bareLineEnd
    }

    private enum Mode: Sendable {
        case reading
        case skippingOverlong
        case skippingBare
    }

    /// The longest line in octets, including its CRLF. A new limit holds for the line being read as well.
    package var limit: Int

    private var buffer = OctetBuffer()
    private var mode = Mode.reading

    /// `limit` counts the CRLF (RFC 2449 4, RFC 5321 4.5.3.1.4) and is at least 2.
    package init(limit: Int) {
        precondition(limit >= 2, "a line has room for its CRLF")
        self.limit = limit
    }

    /// Octets stored and not yet consumed.
    package var count: Int { buffer.count }
    package var isEmpty: Bool { buffer.isEmpty }

    /// The stored octets, for an owner that reads something else than lines; `consume` says how many it has used.
    package var pending: ArraySlice<UInt8> { buffer.pending }

    /// Stores octets behind those already stored.
    package mutating func append(_ bytes: some Collection<UInt8>) { buffer.append(bytes, keptOctetsMax: 1 << 16) }

    /// The next line, or nil when more octets are needed.
    package mutating func next() -> Line? {
        while buffer.scan < buffer.end {
            let octet = buffer.octets[buffer.scan]
            switch octet {
            case 0x0d:
                guard buffer.scan + 1 < buffer.end else { return nil }
                if buffer.octets[buffer.scan + 1] == 0x0a {
                    if let line = finishLine() { return line }
                } else if let line = foundBare() {
                    return line
                }
            case 0x0a:
                if let line = foundBare() { return line }
            default:
                buffer.scan += 1
                noteLength()
            }
        }
        return nil
    }

    /// Marks the first `count` stored octets as used. Reading of lines begins anew behind them.
    package mutating func consume(_ count: Int) {
        precondition(count >= 0 && count <= self.count, "only stored octets can be consumed")
        buffer.use(to: buffer.head + count)
        buffer.scan = buffer.head
        mode = .reading
    }

    /// Up to `count` stored octets, which are consumed.
    package mutating func take(upTo count: Int = .max) -> ArraySlice<UInt8> {
        let run = pending.prefix(count)
        consume(run.count)
        return run
    }

    /// Forgets everything stored, and that a line was being skipped: what came in clear before TLS never counts
    /// (RFC 2595 4, RFC 3207 4.2). Returns how many octets were dropped.
    @discardableResult
    package mutating func discardAll() -> Int {
        let dropped = count
        buffer.removeAll()
        mode = .reading
        return dropped
    }

    /// Ends the line whose CRLF begins at `scan`; nil when the line was already reported.
    private mutating func finishLine() -> Line? {
        let ended = mode
        let content = buffer.head..<buffer.scan
        buffer.use(to: buffer.scan + 2)
        mode = .reading
        switch ended {
        case .reading: return content.count + 2 > limit ? .overlong : .complete(Array(buffer.octets[content]))
        case .skippingOverlong: return .overlong
        case .skippingBare: return nil
        }
    }

    /// A line end that is none, at `scan`; nil when the line is being skipped anyway.
    private mutating func foundBare() -> Line? {
        buffer.scan += 1
        noteLength()
        guard mode == .reading else { return nil }
        mode = .skippingBare
        buffer.use(to: buffer.scan)
        return .bareLineEnd
    }

    /// Turns to skipping once the line cannot fit any more, and lets go of what is skipped.
    private mutating func noteLength() {
        if mode == .reading, buffer.scan - buffer.head + 2 > limit { mode = .skippingOverlong }
        if mode != .reading { buffer.use(to: buffer.scan) }
    }
}
