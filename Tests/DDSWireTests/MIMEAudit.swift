// Messages for the tests of MIMEStructure, and a reader of what it writes: IMAP's lists, strings, literals and numbers,
// strictly.

@testable import DDSWire

/// What is sent for `text`: CRLF for each of its line ends.
func mimeOctets(_ text: String) -> [UInt8] { Array(text.replacing("\n", with: "\r\n").utf8) }

func mime(_ text: String) -> MIMEStructure { MIMEStructure(mimeOctets(text)) }

extension MIMEStructure {
    var envelopeText: String { String(decoding: envelope(), as: UTF8.self) }
    var bodyText: String { String(decoding: bodyStructure(isExtended: false), as: UTF8.self) }
    var extendedText: String { String(decoding: bodyStructure(isExtended: true), as: UTF8.self) }

    /// A section as text; nil where IMAP answers NIL.
    func text(_ part: [Int] = [], _ what: MIMESection.What = .all) -> String? {
        octets(of: MIMESection(part: part, what: what)).map { String(decoding: $0, as: UTF8.self) }
    }
}

/// A value of IMAP's grammar (RFC 9051 9).
enum IMAPValue: Hashable {
    case null
    case number(Int)
    case string([UInt8])
    case list([IMAPValue])

    /// Nil unless `octets` are exactly one value.
    init?(_ octets: [UInt8]) {
        var rest = octets[...]
        guard let value = Self.read(&rest), rest.isEmpty else { return nil }
        self = value
    }

    var items: [IMAPValue]? { if case .list(let items) = self { items } else { nil } }
    var octets: [UInt8]? { if case .string(let octets) = self { octets } else { nil } }
    var number: Int? { if case .number(let number) = self { number } else { nil } }
    var isNullOrString: Bool { self == .null || octets != nil }

    private static func read(_ rest: inout ArraySlice<UInt8>) -> IMAPValue? {
        guard let first = rest.first else { return nil }
        switch first {
        case UInt8(ascii: "("): return readList(&rest)
        case UInt8(ascii: "\""): return readQuoted(&rest)
        case UInt8(ascii: "{"): return readLiteral(&rest)
        case UInt8(ascii: "N"):
            guard rest.starts(with: "NIL".utf8) else { return nil }
            rest = rest.dropFirst(3)
            return .null
        default:
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            rest = rest.dropFirst(digits.count)
            return Int(String(decoding: digits, as: UTF8.self)).map { .number($0) }
        }
    }

    /// One space between items, none between lists side by side (RFC 9051 9, `body-type-mpart` and `env-from`).
    private static func readList(_ rest: inout ArraySlice<UInt8>) -> IMAPValue? {
        rest = rest.dropFirst()
        var items: [IMAPValue] = []
        while rest.first != UInt8(ascii: ")") {
            if rest.first == 0x20 {
                guard !items.isEmpty else { return nil }
                rest = rest.dropFirst()
            } else if let last = items.last {
                guard last.items != nil, rest.first == UInt8(ascii: "(") else { return nil }
            }
            guard let item = read(&rest) else { return nil }
            items.append(item)
        }
        rest = rest.dropFirst()
        // There is no empty list; NIL stands for it.
        return items.isEmpty ? nil : .list(items)
    }

    private static func readQuoted(_ rest: inout ArraySlice<UInt8>) -> IMAPValue? {
        rest = rest.dropFirst()
        var text: [UInt8] = []
        while let octet = rest.popFirst(), octet != UInt8(ascii: "\"") {
            var octet = octet
            if octet == UInt8(ascii: "\\") {
                guard let escaped = rest.popFirst(), escaped == 0x22 || escaped == 0x5c else { return nil }
                octet = escaped
            }
            guard (0x20...0x7e).contains(octet) else { return nil }
            text.append(octet)
            if rest.isEmpty { return nil }
        }
        return .string(text)
    }

    private static func readLiteral(_ rest: inout ArraySlice<UInt8>) -> IMAPValue? {
        let digits = rest.dropFirst().prefix { (0x30...0x39).contains($0) }
        rest = rest.dropFirst(1 + digits.count)
        guard rest.starts(with: "}\r\n".utf8), let count = Int(String(decoding: digits, as: UTF8.self)) else { return nil }
        rest = rest.dropFirst(3)
        let text = rest.prefix(count)
        guard text.count == count, !text.contains(0) else { return nil }
        rest = rest.dropFirst(count)
        return .string(Array(text))
    }
}

/// Holds a structure against everything that must be true of it whatever the message is. Returns what is not.
func mimeComplaints(_ structure: MIMEStructure, partsMax: Int = 1000) -> [String] {
    var audit = MIMEAudit(structure: structure)
    audit.run(partsMax: partsMax)
    return audit.complaints
}

private struct MIMEAudit {
    let structure: MIMEStructure
    var complaints: [String] = []
    private var parts = 0

    init(structure: MIMEStructure) {
        self.structure = structure
    }

    private mutating func check(_ isTrue: Bool, _ sentence: @autoclosure () -> String) {
        if !isTrue { complaints.append(sentence()) }
    }

    mutating func run(partsMax: Int) {
        let (message, root) = (structure.message, structure.root)
        check(root.header.lowerBound == 0 && root.body.upperBound == message.count, "the root is not the whole message")
        check(structure.octets(of: MIMESection(what: .all)) == message[...], "BODY[] is not the message")
        let header = structure.octets(of: MIMESection(what: .header)) ?? []
        let text = structure.octets(of: MIMESection(what: .text)) ?? []
        check(header + text == message[...], "HEADER and TEXT are not the message")
        var whole = MIMEMessage(message)
        check(whole.octets(of: MIMESection(what: .header)) == header, "its header is another one without its parts")
        check(whole.octets(of: MIMESection(what: .text)) == text, "its text is another one without its parts")
        check(whole.envelope() == structure.envelope(), "its ENVELOPE is another one without its parts")
        walk(root, within: 0..<message.count)
        let (parts, envelopeText) = (parts, structure.envelopeText)
        check(parts <= partsMax, "\(parts) parts")
        for isExtended in [false, true] {
            guard let value = IMAPValue(structure.bodyStructure(isExtended: isExtended)) else {
                complaints.append("BODY is not IMAP: \(structure.bodyStructure(isExtended: isExtended))")
                continue
            }
            body(value, root, ofMessage: true, number: [], isExtended: isExtended)
        }
        guard let envelope = IMAPValue(structure.envelope()) else { return complaints.append("ENVELOPE is not IMAP") }
        check(isEnvelope(envelope), "not an ENVELOPE: \(envelopeText)")
    }

    /// Ranges lie within each other, in order, and what is between parts are delimiters.
    private mutating func walk(_ part: MIMEPart, within range: Range<Int>) {
        let message = structure.message
        parts += 1
        check(
            part.header.lowerBound >= range.lowerBound && part.body.upperBound <= range.upperBound,
            "a part lies outside its parent")
        check(part.header.upperBound == part.body.lowerBound, "there is a gap between header and body")
        check(part.lines == message[part.body].count { $0 == 0x0a }, "\(part.lines) lines are not true")
        fields(of: part)
        switch part.content {
        case .leaf: break
        case .message(let inner):
            check(inner.count == 1, "a message part holds one message")
            for inner in inner {
                walk(inner, within: part.body)
                check(inner.header.lowerBound..<inner.body.upperBound == part.body, "a message is not all of its part")
            }
        case .multipart(let children):
            check(!children.isEmpty, "a multipart has parts")
            var end = part.body.lowerBound
            for child in children {
                let gap = message[end..<max(end, child.header.lowerBound)]
                check(child.header.lowerBound >= end, "parts overlap")
                check(gap.contains { $0 == 0x2d }, "no delimiter before a part")
                walk(child, within: end..<part.body.upperBound)
                end = child.body.upperBound
            }
        }
    }

    private mutating func fields(of part: MIMEPart) {
        var reader = MIMEFieldReader(structure.message, part.header)
        var end = part.header.lowerBound
        while let field = reader.next() {
            check(field.whole.lowerBound == end && field.whole.count > 0, "fields do not touch")
            end = field.whole.upperBound
        }
        check(
            reader.rest == end..<part.header.upperBound && reader.rest.count <= 2, "more than an empty line is left of a header"
        )
    }

    /// What BODYSTRUCTURE says is what the sections are.
    private mutating func body(_ value: IMAPValue, _ part: MIMEPart, ofMessage: Bool, number: [Int], isExtended: Bool) {
        guard let items = value.items else { return complaints.append("a body is a list") }
        if case .multipart(let children) = part.content {
            let bodies = items.prefix { $0.items != nil }
            check(bodies.count == children.count, "\(bodies.count) bodies for \(children.count) parts")
            check(items.count == children.count + (isExtended ? 5 : 1), "a multipart of \(items.count) items")
            for (index, child) in zip(bodies.indices, children) {
                body(bodies[index], child, ofMessage: false, number: number + [index + 1], isExtended: isExtended)
            }
            return
        }
        // A message that is no multipart has itself as its part 1.
        let own = ofMessage ? number + [1] : number
        let octets = structure.octets(of: MIMESection(part: own, what: .all))
        guard items.count >= 7 else { return complaints.append("a body of \(items.count) items") }
        let isText = items[0].octets?.isToken("text") == true
        var rest = items[7...]
        check(items[6].number == octets?.count, "BODY[\(own)] has not the size said")
        if let embedded = part.embedded {
            guard rest.count >= 3 else { return complaints.append("a message without envelope and body") }
            check(isEnvelope(rest.removeFirst()), "no envelope of a message in a message")
            body(rest.removeFirst(), embedded, ofMessage: true, number: own, isExtended: isExtended)
            let header = structure.octets(of: MIMESection(part: own, what: .header)) ?? []
            check(
                octets == header + (structure.octets(of: MIMESection(part: own, what: .text)) ?? []), "HEADER, TEXT of \(own)")
        }
        if isText || part.embedded != nil {
            check(rest.popFirst()?.number == octets?.count { $0 == 0x0a }, "BODY[\(own)] has not the lines said")
        }
        check(rest.count == (isExtended ? 4 : 0), "\(rest.count) extension items")
    }

    private func isEnvelope(_ value: IMAPValue) -> Bool {
        guard let items = value.items, items.count == 10 else { return false }
        guard [0, 1, 8, 9].allSatisfy({ items[$0].isNullOrString }) else { return false }
        return items[2..<8].allSatisfy { list in
            guard list != .null else { return true }
            var isInGroup = false
            for address in list.items ?? [] {
                guard let parts = address.items, parts.count == 4, parts.allSatisfy(\.isNullOrString) else { return false }
                guard parts[3] == .null else { continue }
                // RFC 9051 7.5.2: without a host a group begins or ends, and they are not nested.
                guard isInGroup == (parts[2] == .null) else { return false }
                isInGroup.toggle()
            }
            return list.items != nil && !isInGroup
        }
    }
}
