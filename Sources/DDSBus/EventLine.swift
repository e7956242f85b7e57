// An event as one line of JSON (RFC 8259) and back. It knows flat objects of strings and whole numbers, which is all an event
// needs, and no more of JSON than that.

extension NodeEvent {
    /// The event as one JSON object without a line end: `{"v":1,"event":NAME,FIELD:VALUE,...}`. Control characters, C1 and
    /// line separators are escaped, so the line is safe on a terminal and always is one line. `time`, where given, is placed
    /// behind `v` as it is.
    package func jsonLine(time: String? = nil) -> String {
        var line = "{\"v\":\(Self.version)"
        if let time { line += ",\"time\":" + Self.quoted(time) }
        let (name, fields) = parts
        line += ",\"event\":" + Self.quoted(name)
        for (key, value) in fields {
            line += "," + Self.quoted(key) + ":"
            switch value {
            case .text(let text): line += Self.quoted(text)
            case .number(let number): line += String(number)
            }
        }
        return line + "}"
    }

    /// The event of a line that `jsonLine` wrote; members it does not know are ignored. Nil for anything else, among it lines
    /// of a newer version.
    package init?(jsonLine: String) {
        var reader = FlatObjectReader(jsonLine)
        guard let members = reader.read() else { return nil }
        guard case .number(let version)? = members["v"], version == Self.version else { return nil }
        guard case .text(let name)? = members["event"] else { return nil }
        self.init(name: name, fields: members)
    }

    private static func quoted(_ text: String) -> String {
        var output = "\""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22: output += "\\\""
            case 0x5c: output += "\\\\"
            case 0x0a: output += "\\n"
            case 0..<0x20, 0x7f..<0xa0, 0x2028, 0x2029:
                let digits = String(scalar.value, radix: 16)
                output += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            default: output.unicodeScalars.append(scalar)
            }
        }
        return output + "\""
    }
}

/// Reads one JSON object whose values are strings or whole numbers.
private struct FlatObjectReader {
    private let scalars: [Unicode.Scalar]
    private var position = 0

    init(_ text: String) {
        scalars = Array(text.unicodeScalars)
    }

    /// Nil when the text is anything but one flat object, or names a member twice.
    mutating func read() -> [String: FieldValue]? {
        guard take("{") else { return nil }
        var members: [String: FieldValue] = [:]
        if !take("}") {
            repeat {
                guard let key = string(), take(":"), let value = value() else { return nil }
                guard members.updateValue(value, forKey: key) == nil else { return nil }
            } while take(",")
            guard take("}") else { return nil }
        }
        skipSpace()
        return position == scalars.count ? members : nil
    }

    private mutating func value() -> FieldValue? {
        skipSpace()
        guard position < scalars.count else { return nil }
        if scalars[position] == "\"" { return string().map { .text($0) } }
        let start = position
        while position < scalars.count, scalars[position] == "-" || ("0"..."9").contains(scalars[position]) { position += 1 }
        var digits = String.UnicodeScalarView()
        digits.append(contentsOf: scalars[start..<position])
        return Int(String(digits)).map { .number($0) }
    }

    private mutating func string() -> String? {
        guard take("\"") else { return nil }
        var text = String.UnicodeScalarView()
        while position < scalars.count {
            let scalar = scalars[position]
            position += 1
            switch scalar {
            case "\"": return String(text)
            case "\\":
                guard let escaped = escape() else { return nil }
                text.append(escaped)
            default:
                guard scalar.value >= 0x20 else { return nil }
                text.append(scalar)
            }
        }
        return nil
    }

    private mutating func escape() -> Unicode.Scalar? {
        guard position < scalars.count else { return nil }
        let letter = scalars[position]
        position += 1
        switch letter {
        case "\"", "\\", "/": return letter
        case "b": return "\u{8}"
        case "f": return "\u{c}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "u":
            guard let unit = fourDigits() else { return nil }
            guard (0xd800..<0xdc00).contains(unit) else { return Unicode.Scalar(unit) }
            guard position + 1 < scalars.count, scalars[position] == "\\", scalars[position + 1] == "u" else { return nil }
            position += 2
            guard let low = fourDigits(), (0xdc00..<0xe000).contains(low) else { return nil }
            return Unicode.Scalar(0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00))
        default: return nil
        }
    }

    private mutating func fourDigits() -> UInt32? {
        guard position + 4 <= scalars.count else { return nil }
        var value: UInt32 = 0
        for scalar in scalars[position..<position + 4] {
            guard scalar.isASCII, let digit = Character(scalar).hexDigitValue else { return nil }
            value = value << 4 | UInt32(digit)
        }
        position += 4
        return value
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        skipSpace()
        guard position < scalars.count, scalars[position] == scalar else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while position < scalars.count, [" ", "\t", "\r", "\n"].contains(scalars[position]) { position += 1 }
    }
}
