// `multipart/signed` (RFC 1847) with a detached signature that is text: what exactly is signed, and where the signature stands.
// Octets in, octets out; which signatures count and what the content means is decided by callers.

/// A message whose body is `multipart/signed`, taken apart.
package struct SignedMultipart: Hashable, Sendable {
    /// The fields of the message itself.
    package let header: HeaderSection
    /// The `protocol` parameter, lower-cased.
    package let protocolType: String
    /// The first part with its own header, exactly as it was signed.
    package let content: [UInt8]
    /// The body of the second part.
    package let signature: [UInt8]

    /// Nil when the message is no `multipart/signed` of exactly two parts with nothing before or behind them. Lines end with CRLF.
    package init?(_ message: [UInt8]) {
        guard let header = try? HeaderSection(of: message), header.malformedLine == nil, header.byteCount <= message.count,
            let field = header.first("Content-Type"), header.all("Content-Type").count == 1
        else { return nil }
        let words = Self.parameters(field.text)
        guard words.type == "multipart/signed", let boundary = words.values["boundary"], !boundary.isEmpty,
            let kind = words.values["protocol"]
        else { return nil }
        let body = Array(message[header.byteCount...])
        let delimiter = Array("--\(boundary)\r\n".utf8)
        let middle = Array("\r\n--\(boundary)\r\n".utf8)
        let end = Array("\r\n--\(boundary)--\r\n".utf8)
        guard body.starts(with: delimiter), body.count > delimiter.count, body.suffix(end.count) == end[...],
            let cut = Self.find(middle, in: body, from: delimiter.count), cut + middle.count <= body.count - end.count
        else { return nil }
        let second = body[(cut + middle.count)..<(body.count - end.count)]
        guard Self.find(Array("\r\n--\(boundary)".utf8), in: Array(second), from: 0) == nil,
            let part = try? HeaderSection(of: Array(second)),
            part.first("Content-Type").map({ Self.parameters($0.text).type }) == kind
        else { return nil }
        self.header = header
        protocolType = kind
        content = Array(body[delimiter.count..<cut])
        signature = Array(second.dropFirst(part.byteCount))
    }

    /// The fields `Content-Type` and body of a message that carries `content`, a whole part with CRLF line ends, and `signature`,
    /// text with LF ends. `boundary` occurs in neither.
    package static func entity(content: [UInt8], signature: String, protocolType: String, boundary: String) -> [UInt8] {
        let text = LineEnds.crlf(Array(signature.utf8))
        return Array(
            ("Content-Type: multipart/signed; protocol=\"\(protocolType)\"; micalg=blake2b512;\r\n boundary=\"\(boundary)\"\r\n\r\n"
                + "--\(boundary)\r\n").utf8) + content
            + Array("\r\n--\(boundary)\r\nContent-Type: \(protocolType)\r\n\r\n".utf8) + text
            + Array("\r\n--\(boundary)--\r\n".utf8)
    }

    /// The type and the parameters of a field that this file wrote; quoted pairs and comments are not undone, and so match nothing.
    private static func parameters(_ text: String) -> (type: String, values: [String: String]) {
        var pieces = text.split(separator: ";", omittingEmptySubsequences: false).map { piece in
            String(piece.drop { $0 == " " || $0 == "\t" })
        }
        let type = pieces.removeFirst().lowercased()
        var values: [String: String] = [:]
        for piece in pieces {
            let sides = piece.split(separator: "=", maxSplits: 1)
            guard sides.count == 2 else { continue }
            var value = String(sides[1])
            if value.hasPrefix("\""), value.hasSuffix("\""), value.count >= 2 { value = String(value.dropFirst().dropLast()) }
            let name = sides[0].lowercased()
            values[name] = name == "boundary" ? value : value.lowercased()
        }
        return (type, values)
    }

    private static func find(_ needle: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        guard bytes.count >= needle.count, start <= bytes.count - needle.count else { return nil }
        return (start...bytes.count - needle.count).first {
            bytes[$0] == needle[0] && bytes[$0..<$0 + needle.count].elementsEqual(needle)
        }
    }
}
