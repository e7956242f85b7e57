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
    /// Of U+00A0 and what follows.
    private static let latin = """
        nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para middot
        cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml
        Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig
        agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute
        ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml
        """
    private static let others: [String: String] = [
        "amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'", "trade": "™", "hellip": "…", "ndash": "–", "mdash": "—",
        "lsquo": "‘", "rsquo": "’", "sbquo": "‚", "ldquo": "“", "rdquo": "”", "bdquo": "„", "lsaquo": "‹", "rsaquo": "›",
        "bull": "•", "euro": "€", "dagger": "†", "permil": "‰", "larr": "←", "uarr": "↑", "rarr": "→", "darr": "↓",
        "check": "✓",
        "hearts": "♥", "minus": "−", "ne": "≠", "le": "≤", "ge": "≥", "OElig": "Œ", "oelig": "œ", "Scaron": "Š", "scaron": "š",
        "Yuml": "Ÿ", "ensp": " ", "emsp": " ", "thinsp": " ", "zwnj": "\u{200c}", "zwj": "\u{200d}", "nbsp": " ", "shy": "",
    ]
    private static let entities: [String: String] = {
        let names = latin.split { $0 == " " || $0 == "\n" }.enumerated().compactMap { place, name in
            Unicode.Scalar(0xa0 + UInt32(place)).map { (String(name), String(Character($0))) }
        }
        return others.merging(names) { first, _ in first }
    }()

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
        /// Where the link that is open leads, and where its text begins in the output.
        var link: (address: [UInt8], start: Int)?

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
            let attributes = position
            let isSelfClosing = skipAttributes()
            apply(name, isEnd: isEnd, isSelfClosing: isSelfClosing)
            guard silencedBy == nil else { return }
            let tag = octets[attributes..<position]
            if name == "a" { anchor(tag, isEnd: isEnd) }
            if name == "img", !isEnd, let alternative = Self.value("alt", of: tag), !alternative.isEmpty {
                for octet in Array("[".utf8) + alternative + Array("]".utf8) { text(octet) }
            }
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

        /// A text that says another thing than where it leads is followed by that.
        private mutating func anchor(_ tag: ArraySlice<UInt8>, isEnd: Bool) {
            if let open = link {
                link = nil
                let words = output[min(open.start, output.count)...]
                let host =
                    open.address.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: true).dropFirst().first ?? []
                if !words.isEmpty, !words.contains(sequence: host) {
                    if words.last ?? 0x20 > 0x20 { output.append(0x20) }
                    output += Array("<".utf8) + open.address + Array(">".utf8)
                }
            }
            guard !isEnd, let address = Self.value("href", of: tag), address.count <= 2000,
                address.starts(with: "http".utf8), !address.contains(where: { $0 <= 0x20 || $0 == 0x3c || $0 == 0x3e })
            else { return }
            link = (address, output.count)
        }

        /// The value of an attribute in what stands behind a tag's name, decoded.
        private static func value(_ name: String, of tag: ArraySlice<UInt8>) -> [UInt8]? {
            var rest = tag
            func isBlank(_ octet: UInt8) -> Bool { octet <= 0x20 || octet == UInt8(ascii: "/") || octet == UInt8(ascii: ">") }
            while !rest.isEmpty {
                rest = rest.drop(while: isBlank)
                let found = rest.prefix { !isBlank($0) && $0 != UInt8(ascii: "=") }
                rest = rest[found.endIndex...].drop { $0 <= 0x20 }
                guard rest.first == UInt8(ascii: "=") else {
                    if found.isEmpty { rest = rest.dropFirst() }
                    continue
                }
                rest = rest.dropFirst().drop { $0 <= 0x20 }
                var value = rest.prefix { $0 > 0x20 && $0 != UInt8(ascii: ">") }
                if let quote = rest.first, quote == 0x22 || quote == 0x27 {
                    value = rest.dropFirst().prefix { $0 != quote }
                    rest = rest[value.endIndex...].dropFirst()
                } else {
                    rest = rest[value.endIndex...]
                }
                if found.map({ $0 | 0x20 }).elementsEqual(name.utf8) { return decoded(value) }
            }
            return nil
        }

        private static func decoded(_ value: ArraySlice<UInt8>) -> [UInt8] {
            guard value.contains(UInt8(ascii: "&")) else { return Array(value) }
            var output: [UInt8] = []
            var rest = value
            while let octet = rest.first {
                if octet == UInt8(ascii: "&"), let end = rest.prefix(12).firstIndex(of: UInt8(ascii: ";")),
                    let text = replacement(rest[(rest.startIndex + 1)..<end])
                {
                    output += text.utf8
                    rest = rest[(end + 1)...]
                } else {
                    output.append(octet)
                    rest = rest.dropFirst()
                }
            }
            return output
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

extension ArraySlice<UInt8> {
    fileprivate func contains(sequence other: ArraySlice<UInt8>) -> Bool {
        guard let first = other.first else { return false }
        return indices.contains { self[$0] == first && self[$0...].starts(with: other) }
    }
}
