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
        var reader = SignedMultipartReader()
        content = reader.feed(message)
        guard let signature = reader.finish(), let header = reader.header else { return nil }
        self.header = header
        self.signature = signature
        protocolType = reader.protocolType
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
    static func parameters(_ text: String) -> (type: String, values: [String: String]) {
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
}
