// A message of which one section is read after the other (RFC 9051 6.4.5). It decides what is looked for when: the parts once
// somebody asks for one of them, and never for the sake of the message's own header.

struct MIMEMessage: Sendable {
    let octets: [UInt8]
    private lazy var head = MIMEStructure(headOf: octets)
    private lazy var parts = MIMEStructure(octets)
    /// The part that was decoded last: who reads it in pieces comes again.
    private var lastDecoded: (part: [Int], octets: ArraySlice<UInt8>)?

    init(_ octets: [UInt8]) {
        self.octets = octets
    }

    mutating func envelope() -> [UInt8] { head.envelope() }

    mutating func bodyStructure(isExtended: Bool) -> [UInt8] { parts.bodyStructure(isExtended: isExtended) }

    /// Nil where there is no such part or it has no such thing.
    mutating func octets(of section: MIMESection) -> ArraySlice<UInt8>? {
        section.part.isEmpty ? head.octets(of: section) : parts.octets(of: section)
    }

    /// The body of a part without its transfer encoding (RFC 9051 6.4.5, BINARY); nil where there is no such part.
    mutating func decoded(_ part: [Int]) throws(MIMETransferEncoding.Unknown) -> ArraySlice<UInt8>? {
        if part.isEmpty { return octets[...] }
        if let lastDecoded, lastDecoded.part == part { return lastDecoded.octets }
        guard let found = try parts.decoded(part) else { return nil }
        lastDecoded = (part, found)
        return found
    }
}
