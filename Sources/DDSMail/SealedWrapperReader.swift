// Whether a received message is a sealed one, told by its Content-Type field alone and never by what its body looks like
// (PITFALLS 20), and the bytes that are then to be opened. It does not look into the armor.

/// Takes a message in chunks and gives back either the armor of a sealed message or a plain message unchanged.
package struct SealedWrapperReader: Sendable {
    package enum Kind: Hashable, Sendable {
        /// The header section has not ended yet.
        case undecided
        /// `application/age`: the output is the body, the armor of an age file.
        case sealed
        /// Anything else: the output is the message itself.
        case plain
    }

    package enum ReaderError: Error, Hashable, Sendable {
        /// The message says it is sealed, and in an encoding that the wrapper never has.
        case unsupportedEncoding(String)
    }

    package private(set) var kind = Kind.undecided
    /// The header section of the wrapper or plain message; nil while undecided, and for a plain message whose header section
    /// is larger than the limit.
    package private(set) var header: HeaderSection?

    private let headerLimit: Int
    private var scanner: HeaderScanner
    private var held: [UInt8] = []

    /// A message whose header section is larger than `headerLimit` octets is plain.
    package init(headerLimit: Int = HeaderScanner.defaultLimit) {
        self.headerLimit = headerLimit
        scanner = HeaderScanner(limit: headerLimit)
    }

    /// Takes the next octets; returns those that are decided about, in order. Nothing may be fed after a throw.
    package mutating func feed(_ chunk: [UInt8]) throws(ReaderError) -> [UInt8] {
        guard kind == .undecided else { return chunk }
        held += chunk
        let section: HeaderSection?
        do {
            section = try scanner.feed(chunk)
        } catch {
            return release(as: .plain, from: 0)
        }
        if let section { return section.byteCount > headerLimit ? release(as: .plain, from: 0) : try decide(section) }
        // A pad field does not count for the scanner, but here its octets are held.
        return held.count > headerLimit ? release(as: .plain, from: 0) : []
    }

    /// The message has ended. Returns what was still held.
    package mutating func finish() throws(ReaderError) -> [UInt8] {
        guard kind == .undecided else { return [] }
        return try decide(scanner.finish())
    }

    private mutating func decide(_ section: HeaderSection) throws(ReaderError) -> [UInt8] {
        header = section
        let types = section.all("Content-Type")
        guard types.count == 1, Self.token(types[0]) == "application/age" else { return release(as: .plain, from: 0) }
        if let encoding = section.first("Content-Transfer-Encoding").map(Self.token) {
            guard ["7bit", "8bit", "binary"].contains(encoding) else { throw .unsupportedEncoding(encoding) }
        }
        return release(as: .sealed, from: section.byteCount)
    }

    private mutating func release(as kind: Kind, from start: Int) -> [UInt8] {
        self.kind = kind
        defer { held = [] }
        return Array(held[start...])
    }

    /// The value up to its parameters, lower-cased.
    private static func token(_ field: HeaderField) -> String {
        let value = field.unfolded.prefix { $0 != 0x3b && $0 != 0x20 && $0 != 0x09 }
        return String(decoding: value.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }
}
