// The message an agent writes: RFC 5322 and MIME with CRLF line ends, seven bits and short lines, whatever the texts hold. It
// neither signs, pads nor seals, and takes ids and time as they are given.

import CGMime
package import DDSCore

/// The parts of a new message. Control characters in texts become spaces or go, so no text can start another header field.
package struct MessageBuilder: Sendable {
    /// A display name, which may be empty, and an address.
    package struct Mailbox: Hashable, Sendable {
        package var name: String
        package var address: MailAddress

        package init(name: String = "", address: MailAddress) {
            self.name = name
            self.address = address
        }
    }

    package struct Attachment: Hashable, Sendable {
        package var fileName: String
        /// `type/subtype`; anything else, and composite types, are sent as `application/octet-stream`.
        package var type: String
        package var content: [UInt8]

        package init(fileName: String, type: String, content: [UInt8]) {
            self.fileName = fileName
            self.type = type
            self.content = content
        }
    }

    package var from: Mailbox
    package var to: [Mailbox]
    package var cc: [Mailbox] = []
    package var subject: String
    package var date: WallTime
    /// `local@domain` without angle brackets, as in all ids here.
    package var messageID: String
    /// 16 random bytes, which name the submission and its MIME boundary.
    package var submission: [UInt8]
    package var inReplyTo: String?
    package var references: [String] = []
    /// The group that receivers file it under.
    package var list: MailAddress?
    /// Any line ends; the message ends with one.
    package var body: String
    package var attachments: [Attachment] = []

    package init(
        from: Mailbox, to: [Mailbox], subject: String, date: WallTime, messageID: String, submission: [UInt8], body: String
    ) {
        precondition(submission.count == 16, "a submission id has 16 bytes")
        self.from = from
        self.to = to
        self.subject = subject
        self.date = date
        self.messageID = messageID
        self.submission = submission
        self.body = body
    }

    /// The bytes of the message.
    package func build() -> [UInt8] {
        GMimeLibrary.prepare()
        let message = unsafe made(g_mime_message_new(1))
        unsafe add(from, as: GMIME_ADDRESS_TYPE_FROM, to: message)
        for mailbox in to { unsafe add(mailbox, as: GMIME_ADDRESS_TYPE_TO, to: message) }
        for mailbox in cc { unsafe add(mailbox, as: GMIME_ADDRESS_TYPE_CC, to: message) }
        unsafe g_mime_message_set_subject(message.pointer, SafeText(subject).text, "utf-8")
        if let moment = unsafe g_date_time_new_from_unix_utc(gint64(date.seconds)) {
            unsafe g_mime_message_set_date(message.pointer, moment)
            unsafe g_date_time_unref(moment)
        }
        unsafe g_mime_message_set_message_id(message.pointer, Self.id(messageID))
        if let inReplyTo { unsafe set("In-Reply-To", "<\(Self.id(inReplyTo))>", in: message) }
        if !references.isEmpty {
            unsafe set("References", references.map { "<\(Self.id($0))>" }.joined(separator: " "), in: message)
        }
        if let list { for field in Self.listFields(of: list) { unsafe set(field.name, field.value, in: message) } }
        unsafe set("X-DDS-Submission", Hex.encode(submission), in: message)
        unsafe setContent(of: message)
        return unsafe Self.octets(of: message)
    }

    /// By what mail programs file the mail of a group, and answer to it (RFC 2919, RFC 2369 section 3.4).
    static func listFields(of list: MailAddress) -> [(name: String, value: String)] {
        [("List-Id", "<\(list.local).\(list.domain)>"), ("List-Post", "<mailto:\(list)>")]
    }

    private func add(_ mailbox: Mailbox, as kind: GMimeAddressType, to message: borrowing GMimeReference<GMimeMessage>) {
        let name = SafeText(mailbox.name).text
        unsafe g_mime_message_add_mailbox(message.pointer, kind, name.isEmpty ? nil : name, mailbox.address.description)
    }

    private func set(_ name: String, _ value: String, in message: borrowing GMimeReference<GMimeMessage>) {
        unsafe g_mime_object_set_header(dds_mime_message_as_object(message.pointer), name, value, "utf-8")
    }

    private func setContent(of message: borrowing GMimeReference<GMimeMessage>) {
        let text = unsafe textPart()
        guard !attachments.isEmpty else {
            unsafe g_mime_message_set_mime_part(message.pointer, dds_mime_part_as_object(text.pointer))
            return
        }
        let mixed = unsafe made(g_mime_multipart_new_with_subtype("mixed"))
        unsafe g_mime_multipart_set_boundary(mixed.pointer, "=_dds_" + Hex.encode(submission))
        unsafe g_mime_multipart_add(mixed.pointer, dds_mime_part_as_object(text.pointer))
        for attachment in attachments {
            let part = unsafe self.part(of: attachment)
            unsafe g_mime_multipart_add(mixed.pointer, dds_mime_part_as_object(part.pointer))
        }
        unsafe g_mime_message_set_mime_part(message.pointer, dds_mime_multipart_as_object(mixed.pointer))
    }

    private func textPart() -> GMimeReference<GMimePart> {
        let body = CanonicalText(body)
        let part = unsafe made(g_mime_part_new_with_type("text", "plain"))
        let object = unsafe dds_mime_part_as_object(part.pointer)
        unsafe g_mime_object_set_content_type_parameter(object, "charset", body.isASCII ? "us-ascii" : "utf-8")
        switch body.transfer {
        case .asIs: unsafe fill(part, with: body.lines, GMIME_CONTENT_ENCODING_7BIT)
        case .quotedPrintable: unsafe fill(part, with: body.lines, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE)
        // Base64 encodes the canonical form, whose line ends are CRLF (RFC 2045 6.8).
        case .base64: unsafe fill(part, with: LineEnds.crlf(body.lines), GMIME_CONTENT_ENCODING_BASE64)
        }
        return unsafe part
    }

    private func part(of attachment: Attachment) -> GMimeReference<GMimePart> {
        let (type, subtype) = Self.mediaType(attachment.type)
        let part = unsafe made(g_mime_part_new_with_type(type, subtype))
        unsafe g_mime_object_set_disposition(dds_mime_part_as_object(part.pointer), "attachment")
        let component = SafeText(attachment.fileName).text.split(whereSeparator: { $0 == "/" || $0 == "\\" }).last
        unsafe g_mime_part_set_filename(part.pointer, component.map { String($0) } ?? "attachment")
        unsafe fill(part, with: attachment.content, GMIME_CONTENT_ENCODING_BASE64)
        return unsafe part
    }

    private func fill(_ part: borrowing GMimeReference<GMimePart>, with bytes: [UInt8], _ encoding: GMimeContentEncoding) {
        let stream = unsafe makeStream(bytes)
        let wrapper = unsafe made(g_mime_data_wrapper_new_with_stream(stream.pointer, GMIME_CONTENT_ENCODING_DEFAULT))
        unsafe g_mime_part_set_content(part.pointer, wrapper.pointer)
        unsafe g_mime_part_set_content_encoding(part.pointer, encoding)
    }

    private static func octets(of message: borrowing GMimeReference<GMimeMessage>) -> [UInt8] {
        let stream = unsafe made(g_mime_stream_mem_new())
        let options = unsafe g_mime_format_options_new()
        unsafe g_mime_format_options_set_newline_format(options, GMIME_NEWLINE_FORMAT_DOS)
        unsafe g_mime_object_write_to_stream(dds_mime_message_as_object(message.pointer), options, stream.pointer)
        unsafe g_mime_format_options_free(options)
        let bytes = unsafe contents(of: stream)
        return bytes.suffix(2) == [0x0d, 0x0a] ? bytes : bytes + [0x0d, 0x0a]
    }

    /// An id without what could end it early.
    static func id(_ id: String) -> String {
        String(decoding: id.utf8.filter { (0x21...0x7e).contains($0) && $0 != 0x3c && $0 != 0x3e }, as: UTF8.self)
    }

    private static func mediaType(_ text: String) -> (String, String) {
        let parts = text.lowercased().split(separator: "/", omittingEmptySubsequences: false).map { String($0) }
        let isToken: (String) -> Bool = { token in
            !token.isEmpty && token.utf8.allSatisfy { (0x21...0x7e).contains($0) && !"()<>@,;:\\\"/[]?=".utf8.contains($0) }
        }
        guard parts.count == 2, parts.allSatisfy(isToken), parts[0] != "message", parts[0] != "multipart" else {
            return ("application", "octet-stream")
        }
        return (parts[0], parts[1])
    }
}

/// A text as it goes into a message, and how it has to be encoded for seven bits and lines below the limit of RFC 5322 2.1.1.
struct CanonicalText {
    enum Transfer { case asIs, quotedPrintable, base64 }

    static let lineMaxOctets = 998

    /// With LF line ends, the last line ended too.
    let lines: [UInt8]
    let isASCII: Bool
    let transfer: Transfer

    init(_ text: String) {
        var lines = LineEnds.lf(Array(text.utf8))
        if lines.last != 0x0a { lines.append(0x0a) }
        self.lines = lines
        let eightBit = lines.count { $0 >= 0x80 }
        isASCII = eightBit == 0
        let controls = lines.count { $0 < 0x20 && $0 != 0x0a && $0 != 0x09 }
        if eightBit * 4 > lines.count {
            transfer = .base64
        } else if isASCII, controls == 0, Self.isSafeUnencoded(lines) {
            transfer = .asIs
        } else {
            transfer = .quotedPrintable
        }
    }

    /// No long lines, nothing that a mailbox file would mangle, no spaces that get lost at a line's end.
    private static func isSafeUnencoded(_ lines: [UInt8]) -> Bool {
        lines.split(separator: 0x0a, omittingEmptySubsequences: false).allSatisfy { line in
            line.count <= lineMaxOctets && line.last != 0x20 && line.last != 0x09 && !line.starts(with: "From ".utf8)
        }
    }
}

/// Line ends of texts: CRLF, LF and lone CR all count as one.
package enum LineEnds {
    static func lf(_ bytes: [UInt8]) -> [UInt8] { replace(bytes, with: [0x0a]) }
    package static func crlf(_ bytes: [UInt8]) -> [UInt8] { replace(bytes, with: [0x0d, 0x0a]) }

    private static func replace(_ bytes: [UInt8], with end: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count + bytes.count / 32)
        var previous: UInt8 = 0
        for octet in bytes {
            switch octet {
            case 0x0d: output += end
            case 0x0a: if previous != 0x0d { output += end }
            default: output.append(octet)
            }
            previous = octet
        }
        return output
    }
}
