// Which part of a MIME tree is the text to read and which are attachments, and their decoded bytes. It renders nothing.

import CGMime

/// One pass over a message's parts, in their order, which gives attachments their index.
struct PartWalk {
    enum Mode {
        /// Texts and descriptions.
        case summarise
        /// The bytes of one attachment.
        case content(of: Int)
        /// The bytes of everything that has a Content-ID.
        case related
    }

    /// The texts of a part and what is below it.
    struct Text {
        var plain: [String] = []
        var html: [String] = []
        /// HTML, and plain texts beside it, as one reads them one after the other.
        var formatted: [String] = []
        var hasHTML = false

        /// Texts that follow one another are read one after the other.
        mutating func append(_ next: Text) {
            plain += next.plain
            html += next.html
            formatted += next.formatted
            hasHTML = hasHTML || next.hasHTML
        }

        /// Texts one after the other, each on a line of its own.
        static func joined(_ texts: [String]) -> String {
            var output = ""
            for text in texts {
                if let last = output.utf8.last, last != 0x0a { output += "\n" }
                output += text
            }
            return output
        }
    }

    private static let depthMax = 50
    /// Parts of a message that are looked at; what follows is left out.
    private static let partsMax = 2000
    /// Octets of parts that HTML names.
    private static let relatedMax = 16 << 20

    private let mode: Mode
    private var visited = 0
    private(set) var text = Text()
    private(set) var attachments: [ParsedMessage.Attachment] = []
    private(set) var content: [UInt8]?
    private(set) var related: [String: [UInt8]] = [:]
    private var relatedOctets = 0

    init(mode: Mode) {
        self.mode = mode
    }

    mutating func visit(_ root: UnsafeMutablePointer<GMimeObject>?) {
        text = unsafe collect(root, depth: 0)
    }

    private mutating func collect(_ object: UnsafeMutablePointer<GMimeObject>?, depth: Int) -> Text {
        guard let object = unsafe object, depth < Self.depthMax, visited < Self.partsMax else { return Text() }
        visited += 1
        switch unsafe dds_mime_kind_of(object) {
        case DDS_MIME_MULTIPART: return unsafe collectParts(object, depth: depth)
        case DDS_MIME_MESSAGE:
            unsafe attach(object, nameFallback: "message.eml")
            return Text()
        case DDS_MIME_TEXT: return unsafe collectText(object)
        case DDS_MIME_LEAF:
            unsafe attach(object, nameFallback: "")
            return Text()
        default: return Text()
        }
    }

    private mutating func collectParts(_ object: UnsafeMutablePointer<GMimeObject>, depth: Int) -> Text {
        let multipart = unsafe dds_mime_as_multipart(object)
        let subtype = unsafe Self.type(of: object).split(separator: "/").last ?? ""
        var text = Text()
        let count = unsafe max(0, g_mime_multipart_get_count(multipart))
        for index in 0..<count {
            // The second part of a signed message is the signature (RFC 1847 2.1).
            if subtype == "signed", index > 0 { break }
            let next = unsafe collect(g_mime_multipart_get_part(multipart, index), depth: depth + 1)
            if subtype == "alternative" {
                if next.hasHTML || !text.hasHTML, !next.formatted.isEmpty { text.formatted = next.formatted }
                text.hasHTML = text.hasHTML || next.hasHTML
                if !next.plain.isEmpty { text.plain = next.plain }
                if !next.html.isEmpty { text.html = next.html }
            } else {
                text.append(next)
            }
        }
        // One alternative says what the other says: HTML beside a plain text would say it twice further up.
        if subtype == "alternative", !text.plain.isEmpty { text.html = [] }
        return text
    }

    private mutating func collectText(_ object: UnsafeMutablePointer<GMimeObject>) -> Text {
        let part = unsafe dds_mime_as_part(object)
        let isNamed = unsafe g_mime_part_get_filename(part) != nil
        let disposition = unsafe String(lent: g_mime_object_get_disposition(object))?.lowercased()
        let type = unsafe Self.type(of: object)
        guard disposition != "attachment", !isNamed, type == "text/plain" || type == "text/html" else {
            unsafe attach(object, nameFallback: "")
            return Text()
        }
        guard case .summarise = mode else { return Text() }
        let content = unsafe Self.content(of: part)
        let declared = unsafe String(lent: g_mime_object_get_content_type_parameter(object, "charset"))
        let charset = declared ?? (type == "text/html" ? Self.charset(inside: content) : nil)
        let decoded = LegacyCharset.text(content, charset: charset)
        let lines = String(decoding: LineEnds.lf(Array(decoded.utf8)), as: UTF8.self)
        return type == "text/html"
            ? Text(html: [lines], formatted: [lines], hasHTML: true)
            : Text(plain: [lines], formatted: [Self.preformatted(lines)])
    }

    /// A plain text between HTML.
    private static func preformatted(_ text: String) -> String {
        var octets = Array("<pre>\n".utf8)
        octets.reserveCapacity(text.utf8.count + 16)
        for octet in text.utf8 {
            switch octet {
            case 0x26: octets += "&amp;".utf8
            case 0x3c: octets += "&lt;".utf8
            default: octets.append(octet)
            }
        }
        return String(decoding: octets + Array("</pre>".utf8), as: UTF8.self)
    }

    /// What an HTML document without a declared charset says of itself in its first octets.
    private static func charset(inside content: [UInt8]) -> String? {
        let head = String(decoding: content.prefix(1024), as: UTF8.self).lowercased()
        guard let match = head.firstMatch(of: /charset\s*=\s*["']?([a-z0-9._:-]{2,40})/) else { return nil }
        let name = String(match.output.1)
        // Whoever could say so in ASCII has not written in one of these.
        return ["utf-7", "utf-16", "utf-32", "iso-10646"].contains { name.hasPrefix($0) } ? nil : name
    }

    private mutating func attach(_ object: UnsafeMutablePointer<GMimeObject>, nameFallback: String) {
        let index = attachments.count
        let isLeaf = unsafe dds_mime_kind_of(object) != DDS_MIME_MESSAGE
        let bytes: () -> [UInt8] = {
            unsafe isLeaf ? Self.content(of: dds_mime_as_part(object)) : Self.innerMessage(of: object)
        }
        switch mode {
        case .summarise:
            let content = bytes()
            let name = unsafe isLeaf ? String(lent: g_mime_part_get_filename(dds_mime_as_part(object))) : nil
            attachments.append(
                ParsedMessage.Attachment(
                    index: index, fileName: SafeFileName(name ?? nameFallback), declaredType: unsafe Self.type(of: object),
                    size: content.count, kind: ContentKind(of: content)))
        case .content(let wanted):
            if index == wanted { content = bytes() }
            attachments.append(
                ParsedMessage.Attachment(index: index, fileName: SafeFileName(""), declaredType: "", size: 0))
        case .related:
            guard isLeaf, let id = unsafe String(lent: g_mime_object_get_content_id(object)), related[id] == nil else { return }
            let content = bytes()
            relatedOctets += content.count
            if relatedOctets <= Self.relatedMax { related[id] = content }
        }
    }

    private static func type(of object: UnsafeMutablePointer<GMimeObject>) -> String {
        let type = unsafe g_mime_object_get_content_type(object)
        guard let type = unsafe type else { return "text/plain" }
        return SafeText(unsafe String(freeing: g_mime_content_type_get_mime_type(type)) ?? "text/plain").text.lowercased()
    }

    private static func content(of part: UnsafeMutablePointer<GMimePart>?) -> [UInt8] {
        guard let part = unsafe part, let wrapper = unsafe g_mime_part_get_content(part) else { return [] }
        let stream = unsafe made(g_mime_stream_mem_new())
        unsafe g_mime_data_wrapper_write_to_stream(wrapper, stream.pointer)
        return unsafe DDSMail.contents(of: stream)
    }

    private static func innerMessage(of object: UnsafeMutablePointer<GMimeObject>) -> [UInt8] {
        guard let message = unsafe g_mime_message_part_get_message(dds_mime_as_message_part(object)) else { return [] }
        let stream = unsafe made(g_mime_stream_mem_new())
        unsafe g_mime_object_write_to_stream(dds_mime_message_as_object(message), nil, stream.pointer)
        return unsafe DDSMail.contents(of: stream)
    }
}
