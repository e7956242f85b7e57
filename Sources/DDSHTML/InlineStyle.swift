// Which declarations of a style attribute stay: names of a list, values of letters, numbers and colours. There is no way from here to
// the network, over other elements, or out of the attribute.

/// The style attribute of a mail.
struct InlineStyle {
    /// Declarations that stay, as `name:value;name:value`; empty when none does.
    private(set) var kept = ""
    /// What was left out and would have been loaded from elsewhere.
    private(set) var addresses: [String] = []

    static let octetsMax = 4096

    private static let names: Set<String> = [
        "background", "background-color", "border", "border-bottom", "border-bottom-color", "border-bottom-style",
        "border-bottom-width", "border-collapse", "border-color", "border-left", "border-left-color", "border-left-style",
        "border-left-width", "border-radius", "border-right", "border-right-color", "border-right-style", "border-right-width",
        "border-spacing", "border-style", "border-top", "border-top-color", "border-top-style", "border-top-width",
        "border-width", "box-sizing", "caption-side", "clear", "color", "direction", "display", "float", "font", "font-family",
        "font-size", "font-style", "font-variant", "font-weight", "height", "letter-spacing", "line-height",
        "list-style-type", "margin", "margin-bottom", "margin-left", "margin-right", "margin-top", "max-height", "max-width",
        "min-height", "min-width", "overflow-wrap", "padding", "padding-bottom", "padding-left", "padding-right", "padding-top",
        "table-layout", "text-align", "text-decoration", "text-indent", "text-transform", "vertical-align", "white-space",
        "width", "word-break", "word-spacing", "word-wrap",
    ]
    private static let functions: Set<String> = ["rgb", "rgba", "hsl", "hsla"]

    init(_ text: String) {
        guard text.utf8.count <= Self.octetsMax else { return }
        var found: [String] = []
        for declaration in Self.declarations(Array(text.utf8)) {
            guard let colon = declaration.firstIndex(of: 0x3a) else { continue }
            let name = Self.trimmed(declaration[..<colon]).lowercased()
            let value = Self.trimmed(declaration[(colon + 1)...])
            addresses += Self.addresses(in: value)
            guard Self.names.contains(name), let value = Self.safe(value) else { continue }
            found.append("\(name):\(value)")
        }
        kept = found.joined(separator: ";")
    }

    /// Between semicolons, wherever they stand: one in a text or in brackets breaks that declaration, which is then not safe.
    private static func declarations(_ octets: [UInt8]) -> [ArraySlice<UInt8>] {
        octets.split(separator: 0x3b)
    }

    private static func trimmed(_ octets: ArraySlice<UInt8>) -> String {
        String(decoding: octets, as: UTF8.self).split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    /// The value in a form that is the same when it is read again; nil when it might do more than say how something looks.
    private static func safe(_ value: String) -> String? {
        var text = value
        if let mark = text.lastIndex(of: "!") {
            guard text[mark...].dropFirst().trimmingBlanks.lowercased() == "important" else { return nil }
            text = String(text[..<mark].trimmingBlanks)
        }
        text = text.replacing("\"", with: "'")
        guard !text.isEmpty, text.utf8.count <= 200, text.utf8.allSatisfy(isPlain), text.utf8.count(where: { $0 == 0x27 }) % 2 == 0
        else { return nil }
        // Something before its place, or drawn over what stands there.
        guard !isNegative(text) else { return nil }
        return hasOnlyColours(text) ? text : nil
    }

    private static func isPlain(_ octet: UInt8) -> Bool {
        switch octet {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: " .,%#-+()'/".utf8.contains(octet)
        }
    }

    private static func isNegative(_ text: String) -> Bool {
        var previous: UInt8 = 0x20
        for (octet, next) in zip(text.utf8, text.utf8.dropFirst()) {
            if octet == 0x2d, previous == 0x20 || previous == 0x28 || previous == 0x2c,
                (0x30...0x39).contains(next) || next == 0x2e
            {
                return true
            }
            previous = octet
        }
        return false
    }

    /// Every bracket is one of a colour, and none is inside another.
    private static func hasOnlyColours(_ text: String) -> Bool {
        var word = ""
        var isInside = false
        for character in text.unicodeScalars {
            switch character {
            case "(":
                guard !isInside, functions.contains(word.lowercased()) else { return false }
                isInside = true
            case ")":
                guard isInside else { return false }
                isInside = false
            default: break
            }
            word = isLetter(character) ? word + String(character) : ""
        }
        return !isInside
    }

    private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII && scalar.properties.isAlphabetic || scalar == "-" || ("0"..."9").contains(scalar)
    }

    /// What stands in `url(...)` or in texts of `image-set` and the like, as far as it has a host.
    private static func addresses(in value: String) -> [String] {
        let lower = value.lowercased()
        guard lower.contains("url") || lower.contains("image") || lower.contains("\\") || lower.contains("//") else { return [] }
        return value.ranges(of: /(?:https?:)?\/\/[^\s'")]+/.ignoresCase()).map { String(value[$0]) }
    }
}

extension StringProtocol {
    fileprivate var trimmingBlanks: SubSequence {
        var part = self[...]
        while part.first == " " { part = part.dropFirst() }
        while part.last == " " { part = part.dropLast() }
        return part
    }
}
