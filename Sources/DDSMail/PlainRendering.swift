// HTML mail as plain text, for reading when there is nothing else: tags go, text stays, nothing is loaded or run. It is no
// sanitizer: its output is text and is escaped like any other text.

enum PlainRendering {
    private static let blocks: Set<String> = [
        "address", "article", "blockquote", "br", "center", "dd", "div", "dl", "dt", "footer", "form", "h1", "h2", "h3", "h4",
        "h5", "h6", "header", "hr", "li", "ol", "p", "pre", "section", "table", "title", "tr", "ul",
    ]
    private static let paragraphs: Set<String> = [
        "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul",
    ]
    /// Their content is not text.
    private static let silent: Set<String> = [
        "script", "style", "head", "template", "noscript", "svg", "math", "object", "title",
    ]
    private static let entities: [String: String] = [
        "amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'", "nbsp": " ", "copy": "©", "reg": "®", "trade": "™",
        "hellip": "…", "ndash": "–", "mdash": "—", "lsquo": "‘", "rsquo": "’", "ldquo": "“", "rdquo": "”", "laquo": "«",
        "raquo": "»", "bull": "•", "middot": "·", "euro": "€", "pound": "£", "sect": "§", "deg": "°", "auml": "ä",
        "ouml": "ö", "uuml": "ü", "Auml": "Ä", "Ouml": "Ö", "Uuml": "Ü", "szlig": "ß", "eacute": "é", "egrave": "è",
        "agrave": "à",
        "ccedil": "ç", "zwnj": "\u{200c}", "shy": "",
    ]

    /// The text of an HTML document, in time linear in its size.
    static func of(html: String) -> String {
        var reader = Reader(octets: Array(html.utf8))
        return reader.read()
    }

    private struct Reader {
        let octets: [UInt8]
        var position = 0
        var output: [UInt8] = []
        var silencedBy: String?
        var pendingSpace = false
        var preDepth = 0

        init(octets: [UInt8]) {
            self.octets = octets
            output.reserveCapacity(octets.count)
        }

        mutating func read() -> String {
            while position < octets.count {
                switch octets[position] {
                case UInt8(ascii: "<") where isMarkup(at: position + 1): markup()
                case UInt8(ascii: "&"): entity()
                default:
                    text(octets[position])
                    position += 1
                }
            }
            while output.last == 0x0a { output.removeLast() }
            return String(decoding: output, as: UTF8.self)
        }

        private func isMarkup(at index: Int) -> Bool {
            guard index < octets.count else { return false }
            let octet = octets[index]
            return (0x61...0x7a).contains(octet | 0x20) || octet == UInt8(ascii: "/") || octet == UInt8(ascii: "!")
                || octet == UInt8(ascii: "?")
        }

        private mutating func text(_ octet: UInt8) {
            guard silencedBy == nil else { return }
            if preDepth == 0, octet <= 0x20 {
                pendingSpace = true
                return
            }
            if pendingSpace, let last = output.last, last != 0x0a { output.append(0x20) }
            pendingSpace = false
            output.append(octet)
        }

        private mutating func breakLine(paragraph: Bool) {
            guard silencedBy == nil, !output.isEmpty else { return }
            pendingSpace = false
            let wanted = paragraph ? 2 : 1
            let present = output.suffix(2).reversed().prefix { $0 == 0x0a }.count
            output += repeatElement(0x0a, count: max(0, wanted - present))
        }

        private mutating func markup() {
            if octets[position...].starts(with: "<!--".utf8) {
                skipComment()
                return
            }
            position += 1
            let isEnd = octets[position] == UInt8(ascii: "/")
            if isEnd { position += 1 }
            let start = position
            while position < octets.count, Self.isNameOctet(octets[position]) { position += 1 }
            let name = String(
                decoding: octets[start..<position].map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
            let isSelfClosing = skipAttributes()
            apply(name, isEnd: isEnd, isSelfClosing: isSelfClosing)
        }

        private mutating func apply(_ name: String, isEnd: Bool, isSelfClosing: Bool) {
            if let silencer = silencedBy {
                // A document without `</head>` still has a body.
                if (isEnd && name == silencer) || (silencer == "head" && name == "body") { silencedBy = nil }
                return
            }
            if PlainRendering.silent.contains(name) {
                if !isEnd, !isSelfClosing { silencedBy = name }
                return
            }
            if name == "pre" { preDepth = isEnd ? max(0, preDepth - 1) : preDepth + 1 }
            if name == "td" || name == "th" { pendingSpace = true }
            if PlainRendering.blocks.contains(name) {
                if name == "br" {
                    output.append(0x0a)
                    pendingSpace = false
                } else {
                    breakLine(paragraph: PlainRendering.paragraphs.contains(name))
                }
                if name == "li", !isEnd { output += "- ".utf8 }
            }
        }

        /// True when the tag ends in `/>`.
        private mutating func skipAttributes() -> Bool {
            var quote: UInt8 = 0
            var previous: UInt8 = 0
            let start = position
            while position < octets.count {
                let octet = octets[position]
                position += 1
                if quote != 0 {
                    if octet == quote { quote = 0 }
                } else if octet == UInt8(ascii: ">") {
                    return previous == UInt8(ascii: "/")
                } else if octet == 0x22 || octet == 0x27, previous == UInt8(ascii: "=") {
                    quote = octet
                }
                if octet > 0x20 { previous = octet }
            }
            // An unclosed quote would swallow the rest: then the tag ends at the first `>`.
            if let end = octets[start...].firstIndex(of: UInt8(ascii: ">")) { position = end + 1 }
            return false
        }

        private mutating func skipComment() {
            var index = position + 4
            while index + 2 < octets.count {
                if octets[index] == 0x2d, octets[index + 1] == 0x2d, octets[index + 2] == UInt8(ascii: ">") {
                    position = index + 3
                    return
                }
                index += 1
            }
            position = octets.count
        }

        private mutating func entity() {
            let end = octets[position...].prefix(12).firstIndex(of: UInt8(ascii: ";"))
            guard let end, let replacement = Self.replacement(octets[(position + 1)..<end]) else {
                text(octets[position])
                position += 1
                return
            }
            for octet in replacement.utf8 { text(octet) }
            position = end + 1
        }

        private static func replacement(_ octets: ArraySlice<UInt8>) -> String? {
            let name = String(decoding: octets, as: UTF8.self)
            guard name.first == "#" else { return PlainRendering.entities[name] }
            let digits = name.dropFirst()
            let isHex = digits.first == "x" || digits.first == "X"
            let value = isHex ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
            return value.flatMap { Unicode.Scalar($0) }.map { String(Character($0)) }
        }

        private static func isNameOctet(_ octet: UInt8) -> Bool {
            (0x61...0x7a).contains(octet | 0x20) || (0x30...0x39).contains(octet) || octet == UInt8(ascii: "-")
                || octet == UInt8(ascii: ":")
        }
    }
}
