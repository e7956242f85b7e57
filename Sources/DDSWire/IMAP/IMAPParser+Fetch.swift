// The grammar of FETCH (RFC 9051 6.4.5, RFC 3516 4, RFC 7162 3.1.4). How items are answered is not decided here.

enum IMAPFetchItem: Hashable, Sendable {
    case flags, uid, internalDate, size, modSeq
    case envelope, body, bodyStructure
    case section(IMAPFetchSection)

    /// Whether the message itself is needed.
    var needsMessage: Bool {
        switch self {
        case .flags, .uid, .internalDate, .size, .modSeq: false
        case .envelope, .body, .bodyStructure, .section: true
        }
    }

    var section: IMAPFetchSection? {
        if case .section(let section) = self { section } else { nil }
    }
}

struct IMAPFetchSection: Hashable, Sendable {
    struct Partial: Hashable, Sendable {
        var offset: Int
        var count: Int
    }

    enum Form: Hashable, Sendable {
        case asIs
        /// BINARY: without its transfer encoding.
        case decoded
        /// BINARY.SIZE: how many octets that would be.
        case decodedSize
    }

    var section: MIMESection
    var form = Form.asIs
    /// How the reply calls it, such as `BODY[1.MIME]` or `RFC822.TEXT`, without the origin octet.
    var label: String
    /// Reading it sets `\Seen`.
    var marksSeen: Bool
    var partial: Partial?
}

/// FETCH behind its set of messages.
struct IMAPFetchRequest: Sendable {
    var items: [IMAPFetchItem]
    var changedSince: UInt64?
}

extension IMAPParser {
    /// Different ones of one command.
    static let fetchItemsMax = 50
    static let sectionDepthMax = 50
    static let sectionFieldsMax = 200

    mutating func fetchRequest() throws(IMAPFault) -> IMAPFetchRequest {
        var items: [IMAPFetchItem] = []
        if skip("(") {
            repeat {
                let word = name()
                guard Self.macros[word] == nil else { throw .bad("A macro stands alone") }
                Self.add(try fetchItem(word), to: &items)
                guard items.count <= Self.fetchItemsMax else { throw .bad("More than \(Self.fetchItemsMax) items") }
            } while skip(" ")
            try expect(")")
        } else {
            let word = name()
            if let macro = Self.macros[word] { items = macro } else { items = [try fetchItem(word)] }
        }
        var request = IMAPFetchRequest(items: items)
        if skip(" ") {
            try expect("(")
            guard try keyword() == "CHANGEDSINCE" else { throw .bad("Unknown FETCH modifier") }
            try space()
            request.changedSince = try number64()
            try expect(")")
        }
        try end()
        // RFC 7162 3.1.4.1: who asks what has changed is told since when.
        if request.changedSince != nil, !request.items.contains(.modSeq) { request.items.append(.modSeq) }
        return request
    }

    /// What is asked for twice is told once.
    private static func add(_ item: IMAPFetchItem, to items: inout [IMAPFetchItem]) {
        guard case .section(var section) = item else {
            if !items.contains(item) { items.append(item) }
            return
        }
        let same = items.firstIndex { $0.section?.label == section.label && $0.section?.partial == section.partial }
        guard let same else { return items.append(item) }
        // BODY[] and BODY.PEEK[] have one name.
        if items[same].section?.marksSeen == true { section.marksSeen = true }
        items[same] = .section(section)
    }

    private static let macros: [String: [IMAPFetchItem]] = [
        "ALL": [.flags, .internalDate, .size, .envelope],
        "FAST": [.flags, .internalDate, .size],
        "FULL": [.flags, .internalDate, .size, .envelope, .body],
    ]

    private mutating func fetchItem(_ word: String) throws(IMAPFault) -> IMAPFetchItem {
        switch word {
        case "FLAGS": return .flags
        case "UID": return .uid
        case "INTERNALDATE": return .internalDate
        case "RFC822.SIZE": return .size
        case "MODSEQ": return .modSeq
        case "ENVELOPE": return .envelope
        case "BODYSTRUCTURE": return .bodyStructure
        // RFC 3501 6.4.5: older names for sections.
        case "RFC822": return whole(.all, "RFC822", marksSeen: true)
        case "RFC822.HEADER": return whole(.header, "RFC822.HEADER", marksSeen: false)
        case "RFC822.TEXT": return whole(.text, "RFC822.TEXT", marksSeen: true)
        case "BODY", "BODY.PEEK":
            guard skip("[") else {
                guard word == "BODY" else { throw .bad("BODY.PEEK needs a section") }
                return .body
            }
            return .section(try section(marksSeen: word == "BODY"))
        case "BINARY", "BINARY.PEEK": return .section(try binary(marksSeen: word == "BINARY"))
        case "BINARY.SIZE": return .section(try binarySize())
        default: throw .bad("Unknown FETCH item")
        }
    }

    private func whole(_ what: MIMESection.What, _ label: String, marksSeen: Bool) -> IMAPFetchItem {
        .section(IMAPFetchSection(section: MIMESection(part: [], what: what), label: label, marksSeen: marksSeen))
    }

    /// `1.2.HEADER.FIELDS (DATE FROM)]<0.100>` behind the opening bracket.
    private mutating func section(marksSeen: Bool) throws(IMAPFault) -> IMAPFetchSection {
        let (part, words) = try sectionNumber()
        let prefix = part.map(String.init) + words
        var label = "BODY[" + prefix.joined(separator: ".")
        var section = MIMESection(part: part, what: .all)
        switch words.joined(separator: ".") {
        case "" where words.isEmpty: break
        case "HEADER": section.what = .header
        case "TEXT": section.what = .text
        case "MIME" where !part.isEmpty: section.what = .mime
        case "HEADER.FIELDS", "HEADER.FIELDS.NOT":
            try space()
            let fields = try fieldNames()
            section.what = words.count == 2 ? .fields(fields) : .fieldsNot(fields)
            label += " (" + fields.joined(separator: " ") + ")"
        default: throw .bad("Malformed section")
        }
        try expect("]")
        return IMAPFetchSection(section: section, label: label + "]", marksSeen: marksSeen, partial: try partial())
    }

    /// A part's number and the words behind it; both empty for the message itself.
    private mutating func sectionNumber() throws(IMAPFault) -> (part: [Int], words: [String]) {
        if peek == UInt8(ascii: "]") { return ([], []) }
        var part: [Int] = []
        var words = name().split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        while let word = words.first, let digit = word.utf8.first, (0x30...0x39).contains(digit) {
            guard part.count < Self.sectionDepthMax, word.utf8.count <= 9, let number = Int(word), number > 0 else {
                throw .bad("Malformed part number")
            }
            part.append(number)
            words.removeFirst()
        }
        guard !part.isEmpty || !words.isEmpty else { throw .bad("Malformed section") }
        return (part, words)
    }

    private mutating func binary(marksSeen: Bool) throws(IMAPFault) -> IMAPFetchSection {
        var section = try decodedPart("BINARY")
        section.marksSeen = marksSeen
        section.partial = try partial()
        return section
    }

    private mutating func binarySize() throws(IMAPFault) -> IMAPFetchSection {
        var section = try decodedPart("BINARY.SIZE")
        section.form = .decodedSize
        return section
    }

    /// `[1.2]`: nothing but a number (RFC 9051 9, section-binary).
    private mutating func decodedPart(_ name: String) throws(IMAPFault) -> IMAPFetchSection {
        guard skip("[") else { throw .bad("\(name) needs a section") }
        let (part, words) = try sectionNumber()
        guard words.isEmpty else { throw .bad("Only whole parts are decoded") }
        try expect("]")
        return IMAPFetchSection(
            section: MIMESection(part: part, what: .all), form: .decoded,
            label: "\(name)[\(part.map(String.init).joined(separator: "."))]", marksSeen: false)
    }

    private mutating func fieldNames() throws(IMAPFault) -> [String] {
        try expect("(")
        var fields: [String] = []
        repeat {
            let field = try astring()
            guard !field.isEmpty, field.allSatisfy({ Self.isAtom($0) && $0 != UInt8(ascii: ":") }) else {
                throw .bad("Not the name of a header field")
            }
            guard fields.count < Self.sectionFieldsMax else { throw .bad("More than \(Self.sectionFieldsMax) fields") }
            fields.append(String(decoding: field, as: UTF8.self))
        } while skip(" ")
        try expect(")")
        return fields
    }

    private mutating func partial() throws(IMAPFault) -> IMAPFetchSection.Partial? {
        guard skip("<") else { return nil }
        let offset = Int(try number())
        try expect(".")
        let count = Int(try positive())
        try expect(">")
        return IMAPFetchSection.Partial(offset: offset, count: count)
    }
}
