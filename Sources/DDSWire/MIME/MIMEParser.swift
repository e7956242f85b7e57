// Finds the parts of a message in one pass over its lines (RFC 2046 5.1). It decides where parts begin and end when boundaries
// are nested, wrong or missing; the types it needs for that it has from MIMEParameters.
//
// Theory. The line end before a delimiter belongs to the delimiter (RFC 2046 5.1.1), so what a delimiter ends is clipped to the
// place before that line end, header sections included: `stop.end` holds for every part that ends there. The delimiter of an
// open multipart ends all parts within it, which is how missing end delimiters are survived. A line is looked at once for each
// open boundary at most, so time is bounded by octets times depth.

struct MIMEParser {
    /// An offset at the start of a line or at the end of a part, and the line ends before it.
    private struct Place {
        var offset = 0
        var lines = 0

        func clipped(to end: Place) -> Place { offset < end.offset ? self : end }
    }

    /// What ends a part.
    private struct Stop {
        /// Of the multipart whose delimiter it is, as an index of `boundaries`; nil at the end of the message.
        var level: Int?
        var isLast: Bool
        var end: Place
    }

    private static let contentType = Array("content-type".utf8)

    private let message: [UInt8]
    private let depthMax: Int
    private var partsLeft: Int
    /// The start of the next line.
    private var place = Place()
    /// Those of the open multiparts, outermost first.
    private var boundaries: [[UInt8]] = []
    /// Set by what has read to the end of a part; taken by the multipart that it belongs to.
    private var stop: Stop?

    init(_ message: [UInt8], depthMax: Int, partsMax: Int) {
        self.message = message
        self.depthMax = depthMax
        partsLeft = partsMax
    }

    mutating func parse() -> MIMEPart { part(depth: 0, isInDigest: false) }

    /// The message as one part, whatever is in it. Its lines are not counted.
    mutating func parseHead() -> MIMEPart {
        skipHeader()
        return MIMEPart(
            header: 0..<place.offset, body: place.offset..<message.count, lines: 0, label: .asWritten, content: .leaf)
    }

    private mutating func part(depth: Int, isInDigest: Bool) -> MIMEPart {
        partsLeft -= 1
        let start = place
        skipHeader()
        let bodyStart = place
        let headerEnd = stop.map { place.clipped(to: $0.end) } ?? place
        var (label, type) = type(of: start.clipped(to: headerEnd).offset..<headerEnd.offset, isInDigest: isInDigest)
        var content = MIMEPart.Content.leaf
        let isContainer = label == .message || type.isMultipart || type.isMessage
        if isContainer, depth == depthMax || partsLeft == 0 {
            label = .opaque
        } else if type.isMultipart {
            let parts = parts(boundary: type.boundary, depth: depth, isDigest: type.isDigest)
            if parts.isEmpty { label = .plain } else { content = .multipart(parts) }
        } else if isContainer {
            content = .message([part(depth: depth + 1, isInDigest: false)])
        }
        let end = readToStop()
        let (header, body) = (start.clipped(to: end), bodyStart.clipped(to: end))
        return MIMEPart(
            header: header.offset..<body.offset, body: body.offset..<end.offset, lines: end.lines - body.lines, label: label,
            content: content)
    }

    /// What the header section says a part is.
    private func type(of header: Range<Int>, isInDigest: Bool) -> (MIMEPart.Label, MIMEParameters) {
        var reader = MIMEFieldReader(message, header)
        while let field = reader.next() {
            guard field.isNamed(Self.contentType) else { continue }
            return MIMEParameters(contentType: field.unfolded).map { (.asWritten, $0) } ?? (.plain, .plain)
        }
        return (isInDigest ? .message : .plain, .plain)
    }

    /// The parts of a multipart whose body begins here; goes on to where it ends.
    private mutating func parts(boundary: [UInt8], depth: Int, isDigest: Bool) -> [MIMEPart] {
        guard !boundary.isEmpty else { return [] }
        let level = boundaries.count
        boundaries.append(boundary)
        var parts: [MIMEPart] = []
        _ = readToStop()
        while let found = stop, found.level == level {
            stop = nil
            if found.isLast { break }
            parts.append(part(depth: depth + 1, isInDigest: isDigest))
        }
        boundaries.removeLast()
        return parts
    }

    // MARK: Lines

    /// Goes on behind the empty line, or to a delimiter.
    private mutating func skipHeader() {
        while stop == nil, place.offset < message.count, !takeDelimiter() {
            let start = place.offset
            skipLine()
            let isCRLF = place.offset == start + 2 && message[start] == 0x0d && message[start + 1] == 0x0a
            if isCRLF || message[start] == 0x0a { return }
        }
    }

    /// Goes on to the next delimiter or to the end, unless that is where we are; returns where the part before it ends.
    private mutating func readToStop() -> Place {
        while stop == nil, place.offset < message.count {
            if !takeDelimiter() { skipToDashes() }
        }
        if let stop { return stop.end }
        stop = Stop(level: nil, isLast: true, end: place)
        return place
    }

    private mutating func skipLine() {
        let next = ByteSearch.first(0x0a, in: message, from: place.offset)
        place = Place(offset: next.map { $0 + 1 } ?? message.count, lines: place.lines + (next == nil ? 0 : 1))
    }

    /// Goes on by at least a line, to the start of one that may be a delimiter.
    private mutating func skipToDashes() {
        let message = message
        let octets = message.span
        var (offset, lines) = (place.offset, place.lines)
        while offset < octets.count {
            let octet = octets[offset]
            offset += 1
            guard octet == 0x0a else { continue }
            lines += 1
            if offset < octets.count, octets[offset] == 0x2d { break }
        }
        place = Place(offset: offset, lines: lines)
    }

    /// Whether the next line is a delimiter; it is then taken and noted in `stop`. Inner boundaries come before outer ones.
    private mutating func takeDelimiter() -> Bool {
        let start = place.offset
        guard !boundaries.isEmpty, start + 2 < message.count, message[start] == 0x2d, message[start + 1] == 0x2d else {
            return false
        }
        var lineEnd = ByteSearch.first(0x0a, in: message, from: start) ?? message.count
        while lineEnd > start, message[lineEnd - 1].isMIMEBlank || message[lineEnd - 1] == 0x0d { lineEnd -= 1 }
        let length = max(lineEnd - start - 2, 0)
        for level in boundaries.indices.reversed() {
            let boundary = boundaries[level]
            let isLast = length == boundary.count + 2 && message[lineEnd - 1] == 0x2d && message[lineEnd - 2] == 0x2d
            guard isLast || length == boundary.count, isAt(start + 2, boundary) else { continue }
            // With all parts used up, the last one goes on to where its multipart ends.
            guard isLast || partsLeft > 0 else { continue }
            stop = Stop(level: level, isLast: isLast, end: placeBeforeLineEnd)
            skipLine()
            return true
        }
        return false
    }

    /// Whether `text` stands there; the message is long enough.
    private func isAt(_ start: Int, _ text: [UInt8]) -> Bool {
        let (octets, text) = (message.span, text.span)
        for index in text.indices where octets[start + index] != text[index] { return false }
        return true
    }

    /// The end of the line before `place`, without its line end.
    private var placeBeforeLineEnd: Place {
        var end = place
        if end.offset > 0, message[end.offset - 1] == 0x0a {
            end.offset -= 1
            end.lines -= 1
            if end.offset > 0, message[end.offset - 1] == 0x0d { end.offset -= 1 }
        }
        return end
    }
}
