// A message of which one section is read after the other (RFC 9051 6.4.5). It decides what is looked for when: the parts once
// somebody asks for one of them, and never for the sake of the message's own header.

package struct MIMEMessage: Sendable {
    package let octets: [UInt8]
    private var head: MIMEStructure?
    private var parts: MIMEStructure?
    /// Parts without their transfer encodings, as far as somebody has asked: who reads one in pieces comes again.
    private var decoded: [[Int]: ArraySlice<UInt8>?] = [:]

    init(_ octets: [UInt8]) {
        self.octets = octets
    }

    // MARK: What was read

    /// Whether nothing more has to be looked for.
    func isRead(for items: [IMAPFetchItem]) -> Bool { items.allSatisfy { isRead(for: $0) } }

    private func isRead(for item: IMAPFetchItem) -> Bool {
        switch item {
        case .uid, .flags, .internalDate, .size, .modSeq: true
        case .envelope: head != nil
        case .body, .bodyStructure: parts != nil
        case .section(let section) where section.section.part.isEmpty: section.section.what == .all || head != nil
        case .section(let section): section.form == .asIs ? parts != nil : decoded[section.section.part] != nil
        }
    }

    mutating func read(for items: [IMAPFetchItem]) {
        for item in items where !isRead(for: item) {
            switch item {
            case .uid, .flags, .internalDate, .size, .modSeq: break
            case .envelope: readHead()
            case .body, .bodyStructure: readParts()
            case .section(let section) where section.section.part.isEmpty: readHead()
            case .section(let section) where section.form == .asIs: readParts()
            // What cannot be decoded is told when it is asked for.
            case .section(let section): _ = try? decoded(section.section.part)
            }
        }
    }

    @discardableResult
    private mutating func readHead() -> MIMEStructure {
        let read = head ?? MIMEStructure(headOf: octets)
        head = read
        return read
    }

    @discardableResult
    private mutating func readParts() -> MIMEStructure {
        let read = parts ?? MIMEStructure(octets)
        parts = read
        return read
    }

    // MARK: What it has

    mutating func envelope() -> [UInt8] { readHead().envelope() }

    mutating func bodyStructure(isExtended: Bool) -> [UInt8] { readParts().bodyStructure(isExtended: isExtended) }

    /// Nil where there is no such part or it has no such thing.
    mutating func octets(of section: MIMESection) -> ArraySlice<UInt8>? {
        guard section.part.isEmpty else { return readParts().octets(of: section) }
        return section.what == .all ? octets[...] : readHead().octets(of: section)
    }

    /// The body of a part without its transfer encoding (RFC 9051 6.4.5, BINARY); nil where there is no such part.
    mutating func decoded(_ part: [Int]) throws(MIMETransferEncoding.Unknown) -> ArraySlice<UInt8>? {
        if part.isEmpty { return octets[...] }
        if let known = decoded[part] { return known }
        let found = try readParts().decoded(part)
        decoded.updateValue(found, forKey: part)
        return found
    }
}
