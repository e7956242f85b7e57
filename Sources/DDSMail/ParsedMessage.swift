// A received message as the agent and its page use it: texts decoded and made safe for a line, one plain text to read, and
// what is attached. Parsing never fails: from garbage come empty fields. It judges no signature and no address.

import CGMime

/// A name and an address as a message gives them; neither is proof of anything.
package struct Person: Hashable, Sendable {
    /// The display name; empty when there is none.
    package var name: SafeText
    /// `local@domain` as written, made safe to show; not necessarily a `MailAddress`.
    package var address: String

    package init(name: SafeText = .empty, address: String) {
        self.name = name
        self.address = address
    }
}

/// The content of one message, decoded. Safe to make on any thread; about 2 ms for each MiB.
package struct ParsedMessage: Hashable, Sendable {
    /// When the sender says it was written.
    package struct Date: Hashable, Sendable {
        /// Since the epoch.
        package var seconds: Int64
        /// East of Greenwich.
        package var zoneMinutes: Int

        package init(seconds: Int64, zoneMinutes: Int) {
            self.seconds = seconds
            self.zoneMinutes = zoneMinutes
        }
    }

    /// Something to save, not to show.
    package struct Attachment: Hashable, Sendable {
        /// For `attachmentContent`.
        package var index: Int
        package var fileName: SafeFileName
        /// `type/subtype` as declared, lower-cased; what is inside may differ.
        package var declaredType: String
        /// Octets after decoding.
        package var size: Int
        /// What is inside, by our own look at it.
        package var kind = ContentKind.unknown
    }

    package internal(set) var subject = SafeText.empty
    /// The first address of `From`; nil when there is none.
    package internal(set) var from: Person?
    package internal(set) var to: [Person] = []
    package internal(set) var cc: [Person] = []
    package internal(set) var date: Date?
    /// Without angle brackets; nil when the message has none.
    package internal(set) var messageID: String?
    package internal(set) var inReplyTo: [String] = []
    package internal(set) var references: [String] = []
    /// What stands between the angle brackets of `List-Id`, or all of it where there are none.
    package internal(set) var listID: SafeText?
    /// The text to read, with LF line ends; empty when there is none. Not yet through `TextSafety.body`.
    package internal(set) var bestPlainText = ""
    /// True when `bestPlainText` was made from HTML because there was nothing else.
    package internal(set) var wasHTML = false
    package internal(set) var hasHTML = false
    /// The HTML of the message, of several alternatives the last, with plain parts between as `pre`; hostile. Empty without HTML.
    package internal(set) var formattedText = ""
    package internal(set) var attachments: [Attachment] = []

    /// True when the message is so contrived that it was not taken apart: `bestPlainText` is its body as it came, and of its
    /// header only the subject is given, undecoded.
    package internal(set) var isRaw = false

    /// Parses the bytes of a message with any line ends.
    package init(_ bytes: [UInt8]) {
        guard let message = unsafe Self.construct(bytes) else {
            readRaw(bytes)
            return
        }
        unsafe readHeader(message)
        var walk = PartWalk(mode: .summarise)
        unsafe walk.visit(g_mime_message_get_mime_part(message.pointer))
        wasHTML = walk.text.plain.isEmpty && !walk.text.html.isEmpty
        bestPlainText = PartWalk.Text.joined(
            wasHTML ? walk.text.html.map { PlainRendering.of(html: $0) } : walk.text.plain)
        hasHTML = walk.text.hasHTML
        if hasHTML { formattedText = walk.text.formatted.joined(separator: "\n") }
        attachments = walk.attachments
    }

    /// The decoded content of the attachment with that index in the message whose bytes these are; nil when there is none.
    package static func attachmentContent(_ index: Int, of bytes: [UInt8]) -> [UInt8]? {
        guard let message = unsafe construct(bytes) else { return nil }
        var walk = PartWalk(mode: .content(of: index))
        unsafe walk.visit(g_mime_message_get_mime_part(message.pointer))
        return walk.content
    }

    /// The decoded parts of a message that its HTML can name, by their Content-ID without angle brackets (RFC 2392). The first of an
    /// id counts, and only the first 16 MiB.
    package static func relatedParts(of bytes: [UInt8]) -> [String: [UInt8]] {
        guard let message = unsafe construct(bytes) else { return [:] }
        var walk = PartWalk(mode: .related)
        unsafe walk.visit(g_mime_message_get_mime_part(message.pointer))
        return walk.related
    }

    private static func construct(_ bytes: [UInt8]) -> GMimeReference<GMimeMessage>? {
        guard ParserGuard.admits(message: bytes) else { return nil }
        GMimeLibrary.prepare()
        let stream = unsafe makeStream(bytes)
        let parser = unsafe made(g_mime_parser_new_with_stream(stream.pointer))
        return unsafe GMimeReference(owning: g_mime_parser_construct_message(parser.pointer, nil))
    }

    private mutating func readRaw(_ bytes: [UInt8]) {
        isRaw = true
        let header = try? HeaderSection(of: bytes)
        subject = SafeText(header?.first("Subject")?.text ?? "")
        let text = LegacyCharset.text(Array(bytes[(header?.byteCount ?? 0)...]), charset: nil)
        bestPlainText = String(decoding: LineEnds.lf(Array(text.utf8)), as: UTF8.self)
    }

    private mutating func readHeader(_ message: borrowing GMimeReference<GMimeMessage>) {
        subject = SafeText(unsafe String(lent: g_mime_message_get_subject(message.pointer)) ?? "")
        from = unsafe AddressList.people(g_mime_message_get_from(message.pointer)).first
        to = unsafe AddressList.people(g_mime_message_get_to(message.pointer))
        cc = unsafe AddressList.people(g_mime_message_get_cc(message.pointer))
        if let written = unsafe g_mime_message_get_date(message.pointer) {
            date = unsafe Date(
                seconds: Int64(g_date_time_to_unix(written)), zoneMinutes: Int(g_date_time_get_utc_offset(written) / 60_000_000)
            )
        }
        messageID = unsafe String(lent: g_mime_message_get_message_id(message.pointer)).map { Self.safeID($0) }
        inReplyTo = unsafe Self.ids(header("In-Reply-To", of: message))
        references = unsafe Self.ids(header("References", of: message))
        listID = unsafe header("List-Id", of: message).map { text in
            guard let open = text.lastIndex(of: "<"), let close = text[open...].firstIndex(of: ">") else {
                return SafeText(text)
            }
            return SafeText(String(text[text.index(after: open)..<close]))
        }
    }

    private func header(_ name: String, of message: borrowing GMimeReference<GMimeMessage>) -> String? {
        unsafe String(lent: g_mime_object_get_header(dds_mime_message_as_object(message.pointer), name))
    }

    private static func ids(_ text: String?) -> [String] {
        guard let text, let list = unsafe g_mime_references_parse(nil, text) else { return [] }
        defer { unsafe g_mime_references_free(list) }
        return unsafe (0..<g_mime_references_length(list)).compactMap { index in
            unsafe String(lent: g_mime_references_get_message_id(list, index)).map { safeID($0) }
        }
    }

    private static func safeID(_ id: String) -> String { SafeText(id).text }
}
