// A whole message as a tree of parts, and the octets of its sections (RFC 2045, RFC 2046, RFC 9051 6.4.5). It decides which
// part a number names and what belongs to it; how parts are found is MIMEParser's, how they are described that of
// MIMEDescription.

/// A part: a header section and a body, as places in the octets of the message. The root is the message itself.
struct MIMEPart: Sendable {
    enum Content: Sendable {
        /// Nothing in it has a number of its own.
        case leaf
        /// At least one part.
        case multipart([MIMEPart])
        /// Exactly one part, the message in it.
        case message([MIMEPart])
    }

    /// Where the type of a part comes from.
    enum Label: Hashable, Sendable {
        /// Its Content-Type field.
        case asWritten
        /// RFC 2045 5.2: nothing is said, or nothing that can be understood; also a multipart in which no part was found, so
        /// that a person can still read what is there.
        case plain
        /// RFC 2046 5.1.5: what a digest holds where nothing else is said.
        case message
        /// More nesting or more parts than we look into: octets that can be saved.
        case opaque
    }

    /// With the empty line that ends it, where there is one.
    var header: Range<Int>
    var body: Range<Int>
    /// Line ends in `body`.
    var lines: Int
    var label: Label
    var content: Content

    /// The parts that numbers below this one's name. One that is no multipart has itself as its part 1 (RFC 9051 6.4.5.1).
    fileprivate func numbered(_ number: Int) -> MIMEPart? {
        guard case .multipart(let parts) = content else { return number == 1 ? self : nil }
        return parts.indices.contains(number - 1) ? parts[number - 1] : nil
    }

    /// The message that a part of type message/rfc822 holds.
    var embedded: MIMEPart? {
        guard case .message(let parts) = content else { return nil }
        return parts.first
    }
}

/// Where the parts of a message lie in its octets (RFC 9051 7.5.2, RFC 2045, RFC 2046). Any octets are a message: what is
/// broken is text. Time is linear in their number, and so is what `bodyStructure` and `envelope` give, see `MIMEDescription`.
struct MIMEStructure: Sendable {
    let message: [UInt8]
    let root: MIMEPart

    /// Lines end with LF, with or without CR before it. Multiparts and messages more than `depthMax` levels deep are not looked
    /// into; once there are `partsMax` parts, the last one holds the rest.
    init(_ message: [UInt8], depthMax: Int = 20, partsMax: Int = 1000) {
        precondition(depthMax >= 0 && partsMax >= 1, "a message is at least one part")
        self.message = message
        var parser = MIMEParser(message, depthMax: depthMax, partsMax: partsMax)
        root = parser.parse()
    }

    /// What the message's own header says and where its text begins, without a look at its parts.
    init(headOf message: [UInt8]) {
        self.message = message
        var parser = MIMEParser(message, depthMax: 0, partsMax: 1)
        root = parser.parseHead()
    }

    /// `BODY` (`isExtended` false) or `BODYSTRUCTURE` as IMAP writes it, octets ready to be sent (RFC 9051 7.5.2, 9).
    func bodyStructure(isExtended: Bool) -> [UInt8] {
        var description = MIMEDescription(message)
        description.write(body: root, isExtended: isExtended)
        return description.octets
    }

    /// `ENVELOPE` as IMAP writes it (RFC 9051 7.5.2).
    func envelope() -> [UInt8] {
        var description = MIMEDescription(message)
        description.write(envelopeOf: root)
        return description.octets
    }

    /// The octets of a section; nil where there is no such part or it has no such thing (IMAP then answers NIL). They are not
    /// copied but for `.fields` and `.fieldsNot`.
    func octets(of section: MIMESection) -> ArraySlice<UInt8>? {
        if section.part.isEmpty {
            return section.what == .all ? message[...] : octets(section.what, ofMessage: root)
        }
        guard let part = part(section.part) else { return nil }
        switch section.what {
        case .all: return message[part.body]
        case .mime: return message[part.header]
        case .header, .text, .fields, .fieldsNot: return part.embedded.flatMap { octets(section.what, ofMessage: $0) }
        }
    }

    /// The body of a part without its transfer encoding; nil where there is no such part. What holds parts has no encoding,
    /// whatever it says (RFC 2045 6.4).
    func decoded(_ number: [Int]) throws(MIMETransferEncoding.Unknown) -> ArraySlice<UInt8>? {
        guard let part = part(number) else { return nil }
        guard case .leaf = part.content else { return message[part.body] }
        var reader = MIMEFieldReader(message, part.header)
        var field: MIMEField?
        while field == nil, let next = reader.next() {
            if next.isNamed(Self.transferEncoding) { field = next }
        }
        return try MIMETransferEncoding(field: field?.unfolded).decoded(message[part.body])
    }

    private static let transferEncoding = Array("content-transfer-encoding".utf8)

    /// The part that a number such as 4.2.1 names.
    func part(_ number: [Int]) -> MIMEPart? {
        var container: MIMEPart? = root
        var found: MIMEPart?
        for step in number {
            guard let part = container?.numbered(step) else { return nil }
            found = part
            container =
                switch part.content {
                case .leaf: nil
                case .multipart: part
                case .message: part.embedded
                }
        }
        return found
    }

    private func octets(_ what: MIMESection.What, ofMessage part: MIMEPart) -> ArraySlice<UInt8>? {
        switch what {
        case .header: message[part.header]
        case .text: message[part.body]
        case .fields(let names): fields(of: part, named: names, areWanted: true)[...]
        case .fieldsNot(let names): fields(of: part, named: names, areWanted: false)[...]
        case .all, .mime: nil
        }
    }

    /// Fields as they are, in order, and the empty line behind them, which is left out only where the message has none
    /// (RFC 9051 6.4.5.1).
    private func fields(of part: MIMEPart, named names: [String], areWanted: Bool) -> [UInt8] {
        let names = names.map { $0.utf8.map(\.lowercasedASCII) }
        var octets: [UInt8] = []
        var reader = MIMEFieldReader(message, part.header)
        while let field = reader.next() {
            if names.contains(where: { field.isNamed($0) }) == areWanted { octets += message[field.whole] }
        }
        return octets + message[reader.rest]
    }
}

/// What is between the brackets of `BODY[...]` (RFC 9051 6.4.5.1): a part's number such as 1.2, and what of it.
struct MIMESection: Hashable, Sendable {
    enum What: Hashable, Sendable {
        /// The whole message or, of a numbered part, its body.
        case all
        case header
        case text
        case mime
        /// Names in any case.
        case fields([String])
        case fieldsNot([String])
    }

    /// Empty for the message itself.
    var part: [Int]
    var what: What

    init(part: [Int] = [], what: What) {
        self.part = part
        self.what = what
    }
}
