// The form of what agents say to the node itself: a message with one JSON object, sealed to the node.

import DDSCore

enum NodeRequest {
    static func message(type: String, _ body: JSONValue) -> [UInt8] {
        Array("MIME-Version: 1.0\r\nContent-Type: \(type)\r\n\r\n".utf8) + body.line + [0x0d, 0x0a]
    }

    /// Nil when `message` is of another type, or no object.
    static func body(of message: [UInt8], type: String) -> JSONValue? {
        let text = String(decoding: message, as: UTF8.self)
        guard let end = text.firstRange(of: "\r\n\r\n"), text[..<end.lowerBound].lowercased().contains(type) else { return nil }
        return JSONValue(parsing: Array(text[end.upperBound...].utf8))
    }

    /// What `base64` wrote into a field; nil where it is missing or something else.
    static func octets(_ field: JSONValue?) -> [UInt8]? { field?.string.flatMap { Base64.decode(Array($0.utf8)) } }

    static func base64(_ bytes: [UInt8]) -> String { String(decoding: Base64.encode(bytes), as: UTF8.self) }
}
