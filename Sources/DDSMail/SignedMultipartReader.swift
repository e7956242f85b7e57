// `multipart/signed` (RFC 1847) that comes in pieces: what is signed is handed on as it comes, so that it can be hashed without being
// held. Where its parts begin and end is decided here; which signatures count and what the content means is decided by callers.

/// Takes apart a message whose body is `multipart/signed` of exactly two parts with nothing before or behind them, the second of
/// which is text. Lines end with CRLF.
package struct SignedMultipartReader: Sendable {
    private enum State: Sendable {
        case header
        /// In front of the first part, in it, and behind it.
        case start, content, signature
        /// The message is none of this form.
        case other
    }

    /// The fields of the message itself; nil until they have come.
    package private(set) var header: HeaderSection?
    /// The `protocol` parameter, lower-cased.
    package private(set) var protocolType = ""

    private let signatureLimit: Int
    private var scanner = HeaderScanner()
    private var state = State.header
    private var headerCount = 0
    private var boundary = ""
    /// What may be the beginning of a delimiter; behind the content, everything.
    private var held: [UInt8] = []

    /// A second part of more than `signatureLimit` octets is none.
    package init(signatureLimit: Int = .max) {
        self.signatureLimit = signatureLimit
    }

    /// Takes the next octets. Returns those of the first part, with its own header, that they complete: exactly as they were signed,
    /// if `finish` says that this is such a message at all.
    package mutating func feed(_ chunk: [UInt8]) -> [UInt8] {
        switch state {
        case .other: return []
        case .start, .content, .signature: return feed(body: chunk[...])
        case .header:
            do {
                guard let section = try scanner.feed(chunk) else {
                    headerCount += chunk.count
                    return []
                }
                guard begin(section) else {
                    state = .other
                    return []
                }
                return feed(body: chunk[(section.byteCount - headerCount)...])
            } catch {
                state = .other
                return []
            }
        }
    }

    /// The message has ended. Returns the body of the second part; nil when the message is none of this form.
    package mutating func finish() -> [UInt8]? {
        let end = Array("\r\n--\(boundary)--\r\n".utf8)
        guard state == .signature, held.count >= end.count, held.suffix(end.count) == end[...] else { return nil }
        let second = Array(held.dropLast(end.count))
        guard Self.find(Array("\r\n--\(boundary)".utf8), in: second) == nil, let part = try? HeaderSection(of: second),
            part.first("Content-Type").map({ SignedMultipart.parameters($0.text).type }) == protocolType
        else { return nil }
        return Array(second.dropFirst(part.byteCount))
    }

    private mutating func begin(_ section: HeaderSection) -> Bool {
        guard section.malformedLine == nil, section.all("Content-Type").count == 1,
            let words = section.first("Content-Type").map({ SignedMultipart.parameters($0.text) }),
            words.type == "multipart/signed", let boundary = words.values["boundary"], !boundary.isEmpty,
            let kind = words.values["protocol"]
        else { return false }
        header = section
        protocolType = kind
        self.boundary = boundary
        state = .start
        return true
    }

    private mutating func feed(body chunk: ArraySlice<UInt8>) -> [UInt8] {
        held += chunk
        if state == .start {
            let delimiter = Array("--\(boundary)\r\n".utf8)
            guard held.count > delimiter.count else { return [] }
            state = held.starts(with: delimiter) ? .content : .other
            held.removeFirst(delimiter.count)
        }
        var content: [UInt8] = []
        if state == .content {
            let middle = Array("\r\n--\(boundary)\r\n".utf8)
            if let cut = Self.find(middle, in: held) {
                content = Array(held[..<cut])
                held.removeFirst(cut + middle.count)
                state = .signature
            } else {
                let count = max(0, held.count - (middle.count - 1))
                content = Array(held[..<count])
                held = Array(held[count...])
            }
        }
        if state == .signature, held.count - boundary.utf8.count > signatureLimit { state = .other }
        if state == .other { held = [] }
        return content
    }

    /// Where `needle`, which begins with CR, begins for the first time.
    private static func find(_ needle: [UInt8], in bytes: [UInt8]) -> Int? {
        let (octets, wanted) = (bytes.span, needle.span)
        var index = 0
        while index <= octets.count - wanted.count {
            if octets[index] == 0x0d {
                var length = 1
                while length < wanted.count, octets[index + length] == wanted[length] { length += 1 }
                if length == wanted.count { return index }
            }
            index += 1
        }
        return nil
    }
}
