// What a formatted view may consist of, checked by a reader that has nothing in common with the sanitizer: octet by octet, knowing
// nothing of HTML but that `<` begins a tag.

enum MarkupAudit {
    private static let elements: Set<String> = [
        "a", "abbr", "b", "big", "blockquote", "br", "caption", "center", "cite", "code", "col", "colgroup", "dd", "del", "div", "dl",
        "dt", "em", "font", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "ol", "p", "pre", "q", "s",
        "samp", "small", "span", "strike", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u",
        "ul", "var", "wbr",
    ]
    private static let attributes: Set<String> = [
        "align", "alt", "bgcolor", "border", "cellpadding", "cellspacing", "color", "colspan", "dir", "face", "height", "href", "hspace",
        "lang", "nowrap", "rel", "rowspan", "size", "span", "src", "start", "style", "target", "title", "type", "valign", "value",
        "vspace", "width",
    ]
    private static let empty: Set<String> = ["br", "col", "hr", "img", "wbr"]
    private static let badInStyle = ["url", "expression", "\\", "@", "position", "/*", "image", "var(", "z-index", "{", "<", "behavior"]

    /// Why `page` is none; nil when it is.
    static func problem(in page: String) -> String? {
        var rest = page.unicodeScalars[...]
        var open: [String] = []
        while let start = rest.firstIndex(of: "<") {
            rest = rest[rest.index(after: start)...]
            let isEnd = rest.first == "/"
            if isEnd { rest = rest.dropFirst() }
            let name = String(String.UnicodeScalarView(rest.prefix { ("a"..."z").contains($0) || ("0"..."9").contains($0) }))
            guard elements.contains(name) else { return "element \(name.prefix(20)) \(String(String.UnicodeScalarView(rest.prefix(40))))" }
            rest = rest.dropFirst(name.unicodeScalars.count)
            if isEnd {
                guard rest.first == ">", open.popLast() == name else { return "end of \(name)" }
                rest = rest.dropFirst()
                continue
            }
            if !empty.contains(name) { open.append(name) }
            while rest.first == " " {
                rest = rest.dropFirst()
                let attribute = String(String.UnicodeScalarView(rest.prefix { ("a"..."z").contains($0) }))
                rest = rest.dropFirst(attribute.unicodeScalars.count)
                guard rest.starts(with: "=\"".unicodeScalars) else { return "attribute \(attribute) without its value" }
                rest = rest.dropFirst(2)
                guard let end = rest.firstIndex(of: "\"") else { return "value without an end" }
                let value = String(String.UnicodeScalarView(rest[..<end]))
                rest = rest[end...].dropFirst()
                if let problem = problem(in: attribute, value, of: name) { return problem }
            }
            guard rest.first == ">" else { return "tag \(name) does not end" }
            rest = rest.dropFirst()
        }
        return open.isEmpty ? nil : "\(open) is open at the end"
    }

    private static func problem(in attribute: String, _ value: String, of name: String) -> String? {
        guard attributes.contains(attribute) else { return "attribute \(attribute)" }
        if value.contains("<") || value.contains(">") { return "bracket in \(attribute)" }
        switch attribute {
        case "href": return name == "a" && value == "/o/0123" ? nil : "href \(value)"
        case "src":
            let isImage = ["png", "jpeg", "gif", "webp"].contains { value.hasPrefix("data:image/\($0);base64,") }
            return name == "img" && isImage ? nil : "src \(value.prefix(60))"
        case "target": return value == "_blank" ? nil : "target \(value)"
        case "rel": return value == "noopener noreferrer" ? nil : "rel \(value)"
        case "style":
            let lower = value.lowercased()
            return badInStyle.first { lower.contains($0) }.map { "\($0) in style \(value)" }
        default: return nil
        }
    }
}
