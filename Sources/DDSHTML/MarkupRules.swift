// What of a mail's elements and attributes may stay. What is not named here does not.

import DDSMail

/// The form that the value of an attribute must have.
enum AttributeRule {
    /// Digits, at most this number.
    case number(Int)
    /// Digits, perhaps with a percent sign or `px`.
    case length
    case colour
    case word(Set<String>)
    case language
    /// Any text, made safe for one line.
    case text
    /// Names of fonts.
    case fonts

    /// The value as it may stand, the same when it is asked again; nil when it may not.
    func admitted(_ raw: String) -> String? {
        let value = raw.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        switch self {
        case .number(let most):
            return UInt16(value).flatMap { Int($0) <= most ? "\($0)" : nil }
        case .length:
            let unit = value.hasSuffix("%") ? "%" : ""
            let digits = value.hasSuffix("px") ? value.dropLast(2) : value.dropLast(unit.count)
            return UInt16(digits).flatMap { $0 <= 10_000 ? "\($0)\(unit)" : nil }
        case .colour:
            let digits = value.dropFirst(value.hasPrefix("#") ? 1 : 0)
            guard !digits.isEmpty, digits.utf8.count <= 24, digits.utf8.allSatisfy(Self.isWordOctet) else { return nil }
            return value.lowercased()
        case .word(let words): return words.contains(value.lowercased()) ? value.lowercased() : nil
        case .language:
            let isTag = !value.isEmpty && value.utf8.count <= 35 && value.utf8.allSatisfy { Self.isWordOctet($0) || $0 == 0x2d }
            return isTag ? value : nil
        case .text: return String(SafeText(value).text.prefix(500))
        case .fonts:
            let isList = value.utf8.count <= 200 && value.utf8.allSatisfy { Self.isWordOctet($0) || " ,-".utf8.contains($0) }
            return isList && !value.isEmpty ? value : nil
        }
    }

    private static func isWordOctet(_ octet: UInt8) -> Bool {
        (0x61...0x7a).contains(octet | 0x20) || (0x30...0x39).contains(octet)
    }
}

enum MarkupRules {
    /// Elements that stay.
    static let kept: Set<String> = [
        "a", "abbr", "b", "big", "blockquote", "br", "caption", "center", "cite", "code", "col", "colgroup", "dd", "del", "div",
        "dl", "dt", "em", "font", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "ol", "p", "pre",
        "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead",
        "tr", "tt", "u", "ul", "var", "wbr",
    ]

    /// Elements that have no content and no end tag.
    static let void: Set<String> = ["br", "col", "hr", "img", "wbr"]

    /// Elements that go with all that is in them: it is no text for people, or it is read by rules of its own. Of all others that
    /// are not kept the content stays.
    static let dropped: Set<String> = [
        "applet", "audio", "canvas", "embed", "frame", "frameset", "iframe", "link", "math", "meta", "noembed", "noframes",
        "object", "script", "select", "style", "svg", "template", "title", "video",
    ]

    static func rule(for attribute: String, of element: String) -> AttributeRule? {
        everywhere[attribute] ?? byElement[element]?[attribute]
    }

    private static let sides = AttributeRule.word(["left", "right", "center", "justify", "char"])
    private static let heights = AttributeRule.word(["top", "middle", "bottom", "baseline"])

    private static let everywhere: [String: AttributeRule] = [
        "dir": .word(["ltr", "rtl", "auto"]), "lang": .language, "title": .text,
    ]

    private static let cell: [String: AttributeRule] = [
        "align": sides, "bgcolor": .colour, "colspan": .number(1000), "height": .length, "nowrap": .word([""]),
        "rowspan": .number(1000), "valign": heights, "width": .length,
    ]
    private static let row: [String: AttributeRule] = ["align": sides, "bgcolor": .colour, "height": .length, "valign": heights]
    private static let block: [String: AttributeRule] = ["align": sides]

    private static let byElement: [String: [String: AttributeRule]] = [
        "div": ["align": sides, "bgcolor": .colour], "p": block, "h1": block, "h2": block, "h3": block, "h4": block, "h5": block,
        "h6": block, "caption": ["align": .word(["top", "bottom", "left", "right"])],
        "font": ["color": .colour, "face": .fonts, "size": .language],
        "hr": ["align": sides, "color": .colour, "size": .number(100), "width": .length],
        "img": [
            "align": .word(["left", "right", "top", "middle", "bottom"]), "alt": .text, "border": .number(100), "height": .length,
            "hspace": .number(100), "vspace": .number(100), "width": .length,
        ],
        "li": ["value": .number(65535)], "ol": ["start": .number(65535), "type": .word(["1", "a", "i"])],
        "ul": ["type": .word(["disc", "circle", "square"])],
        "table": [
            "align": sides, "bgcolor": .colour, "border": .number(100), "cellpadding": .number(100), "cellspacing": .number(100),
            "height": .length, "width": .length,
        ],
        "td": cell, "th": cell, "tr": row, "tbody": row, "thead": row, "tfoot": row,
        "col": ["align": sides, "span": .number(1000), "width": .length],
        "colgroup": ["align": sides, "span": .number(1000), "width": .length],
    ]
}
