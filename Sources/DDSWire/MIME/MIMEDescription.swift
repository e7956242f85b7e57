// ENVELOPE, BODY and BODYSTRUCTURE in IMAP's own words (RFC 9051 7.5.2 and 9). It decides how what a message says about itself
// is written down, and what stands where it says nothing.
//
// A string is quoted when it is printable ASCII and a literal otherwise, because only clients that have enabled UTF-8 may be
// sent other octets in quotes (RFC 9051 4.3). NUL is left out: no string may hold it.

struct MIMEDescription {
    /// Addresses in one answer; a few octets of a header section cost many here. Those over it are left out.
    static let addressesMax = 10_000
    /// Fields of one name in one header section; the others are left out.
    private static let repeatedMax = 100

    private var writer = IMAPWriter()
    private let message: [UInt8]
    private var addressesLeft = Self.addressesMax

    init(_ message: [UInt8]) {
        self.message = message
    }

    var octets: [UInt8] { writer.bytes }

    // MARK: ENVELOPE

    mutating func write(envelopeOf part: MIMEPart) {
        let names = [
            "date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id",
        ]
        let fields = fields(of: part, names)
        let from = addresses(fields["from"])
        writer.octet("(")
        writer.nstring(fields["date"]?.first)
        writer.octet(" ")
        writer.nstring(fields["subject"]?.first)
        for name in names[2..<8] {
            writer.octet(" ")
            var list = name == "from" ? from : addresses(fields[name])
            // RFC 9051 7.5.2: what is not said is the sender's.
            if list.isEmpty, name == "sender" || name == "reply-to" { list = from }
            write(addresses: list)
        }
        writer.octet(" ")
        writer.nstring(fields["in-reply-to"]?.first)
        writer.octet(" ")
        writer.nstring(fields["message-id"]?.first)
        writer.octet(")")
    }

    private mutating func addresses(_ fields: [[UInt8]]?) -> [MIMEAddress] {
        var list: [MIMEAddress] = []
        // A field that should be there once is often there twice; then all count.
        for field in fields ?? [] where addressesLeft > 0 {
            let new = MIMEAddressList.parse(field, countMax: addressesLeft)
            addressesLeft -= new.count
            list += new
        }
        return list
    }

    private mutating func write(addresses list: [MIMEAddress]) {
        guard !list.isEmpty else { return writer.text("NIL") }
        writer.octet("(")
        for address in list {
            switch address {
            case .mailbox(let name, let route, let local, let host):
                writer.octet("(")
                writer.nstring(name)
                writer.octet(" ")
                writer.nstring(route)
                writer.octet(" ")
                writer.string(local)
                writer.octet(" ")
                writer.string(host)
                writer.octet(")")
            case .groupStart(let name):
                writer.text("(NIL NIL ")
                writer.string(name)
                writer.text(" NIL)")
            case .groupEnd: writer.text("(NIL NIL NIL NIL)")
            }
        }
        writer.octet(")")
    }

    // MARK: BODYSTRUCTURE

    mutating func write(body part: MIMEPart, isExtended: Bool) {
        let fields = fields(of: part, isExtended ? Self.basicFields + Self.extensionFields : Self.basicFields)
        let type = type(of: part, fields)
        writer.octet("(")
        if case .multipart(let parts) = part.content {
            for part in parts { write(body: part, isExtended: isExtended) }
            writer.octet(" ")
            writer.string(type.subtype)
            if isExtended {
                writer.octet(" ")
                write(parameters: type.parameters)
            }
        } else {
            writeBasics(part, type, fields)
            if let embedded = part.embedded {
                writer.octet(" ")
                write(envelopeOf: embedded)
                writer.octet(" ")
                write(body: embedded, isExtended: isExtended)
            }
            if type.isText || part.embedded != nil { writer.text(" \(part.lines)") }
            if isExtended {
                writer.octet(" ")
                writer.nstring(Self.unlessEmpty(fields["content-md5"]))
            }
        }
        if isExtended { writeExtension(fields) }
        writer.octet(")")
    }

    private static let basicFields = ["content-type", "content-id", "content-description", "content-transfer-encoding"]
    private static let extensionFields = ["content-md5", "content-disposition", "content-language", "content-location"]

    private func type(of part: MIMEPart, _ fields: [String: [[UInt8]]]) -> MIMEParameters {
        switch part.label {
        case .asWritten: fields["content-type"]?.first.flatMap { MIMEParameters(contentType: $0) } ?? .plain
        case .plain: .plain
        case .message: .message
        case .opaque: .opaque
        }
    }

    /// `body-fields` and what is before them.
    private mutating func writeBasics(_ part: MIMEPart, _ type: MIMEParameters, _ fields: [String: [[UInt8]]]) {
        writer.string(type.type)
        writer.octet(" ")
        writer.string(type.subtype)
        writer.octet(" ")
        write(parameters: type.parameters)
        writer.octet(" ")
        writer.nstring(Self.unlessEmpty(fields["content-id"]))
        writer.octet(" ")
        writer.nstring(Self.unlessEmpty(fields["content-description"]))
        writer.octet(" ")
        // RFC 2045 6.1: 7BIT is the default.
        let encoding = fields["content-transfer-encoding"]?.first.flatMap { MIMEParameters.tokens($0).first }
        writer.string(encoding ?? Array("7BIT".utf8))
        writer.text(" \(part.body.count)")
    }

    /// Disposition, languages and location.
    private mutating func writeExtension(_ fields: [String: [[UInt8]]]) {
        writer.octet(" ")
        if let disposition = fields["content-disposition"]?.first.flatMap({ MIMEParameters(disposition: $0) }) {
            writer.octet("(")
            writer.string(disposition.type)
            writer.octet(" ")
            write(parameters: disposition.parameters)
            writer.octet(")")
        } else {
            writer.text("NIL")
        }
        writer.octet(" ")
        let languages = fields["content-language"]?.first.map { MIMEParameters.tokens($0) } ?? []
        write(list: languages)
        writer.octet(" ")
        writer.nstring(Self.unlessEmpty(fields["content-location"]))
    }

    private mutating func write(parameters: [(name: [UInt8], value: [UInt8])]) {
        write(list: parameters.flatMap { [$0.name, $0.value] })
    }

    private static func unlessEmpty(_ values: [[UInt8]]?) -> [UInt8]? { values?.first { !$0.isEmpty } }

    // MARK: Words

    /// The unfolded values of these fields, by their names in lower case.
    private func fields(of part: MIMEPart, _ names: [String]) -> [String: [[UInt8]]] {
        let keys = names.map { Array($0.utf8) }
        var found = names.map { _ in [[UInt8]]() }
        var reader = MIMEFieldReader(message, part.header)
        while let field = reader.next() {
            guard let index = keys.firstIndex(where: { field.isNamed($0) }) else { continue }
            if found[index].count < Self.repeatedMax { found[index].append(field.unfolded) }
        }
        return Dictionary(zip(names, found), uniquingKeysWith: +)
    }

    private mutating func write(list: [[UInt8]]) {
        guard !list.isEmpty else { return writer.text("NIL") }
        for (index, string) in list.enumerated() {
            writer.octet(index == 0 ? "(" : " ")
            writer.string(string)
        }
        writer.octet(")")
    }
}
