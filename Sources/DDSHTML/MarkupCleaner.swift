// One pass over a document: what the rules keep is written anew, by us, in the simplest form that HTML has. Links and pictures are
// written as they are in the mail, and noted, so that a page can put its own in their place.

import DDSMail

/// Writes the clean form of the document that it is led through.
struct MarkupCleaner: MarkupVisitor {
    /// A place of the output that is made anew for a page.
    struct Slot: Hashable, Sendable {
        enum Content: Hashable, Sendable {
            case link(LinkTarget)
            /// What is read instead where there is no picture.
            case image(ImageSource, instead: String)
        }

        /// The attribute with the blank before it; of a picture the whole element.
        var range: Range<Int>
        var content: Content
    }

    /// Elements inside one another; browsers stop at twice as many.
    static let depthMax = 200
    static let octetsMax = 4 << 20

    private(set) var output: [UInt8] = []
    private(set) var slots: [Slot] = []
    private(set) var remote = RemoteContent()
    /// More came out than may; the rest was left out.
    private(set) var isTooLarge = false
    /// The end tag of each element that is open, empty where none is written.
    private var ends: [String] = []
    private var depth = 0

    mutating func open(_ element: MarkupElement) -> Bool {
        let style = element["style"].map { InlineStyle($0) }
        note(element, style)
        guard element.isHTML, !MarkupRules.dropped.contains(element.name), output.count < Self.octetsMax else {
            isTooLarge = isTooLarge || output.count >= Self.octetsMax
            return false
        }
        // A body inside of ours would vanish with its colours.
        let name = element.name == "body" ? "div" : element.name
        if name == "img" {
            image(element, style)
            return false
        }
        if MarkupRules.void.contains(name) {
            write("<\(name)\(attributes(of: element, name, style))>")
            return false
        }
        ends.append("")
        guard MarkupRules.kept.contains(name), depth < Self.depthMax else { return true }
        let attributes = attributes(of: element, name, style)
        if element.name == "body", attributes.isEmpty { return true }
        if name == "a" {
            guard let target = element["href"].flatMap({ LinkTarget($0) }) else { return true }
            write("<a")
            let start = output.count
            write(" href=\"\(Self.escaped(target.text))\"")
            slots.append(Slot(range: start..<output.count, content: .link(target)))
            write("\(attributes)>")
        } else {
            // The line end behind the tag is not the text's; without it the text would lose one of its own.
            write("<\(name)\(attributes)>" + (name == "pre" ? "\n" : ""))
        }
        ends[ends.count - 1] = "</\(name)>"
        depth += 1
        return true
    }

    mutating func close() {
        guard let end = ends.popLast(), !end.isEmpty else { return }
        write(end)
        depth -= 1
    }

    mutating func text(_ text: String) {
        guard output.count < Self.octetsMax else {
            isTooLarge = true
            return
        }
        write(Self.escaped(TextSafety.body(text)))
    }

    private mutating func image(_ element: MarkupElement, _ style: InlineStyle?) {
        let instead = element["alt"].map { SafeText($0).text.split(separator: " ").joined(separator: " ") } ?? ""
        guard let source = element["src"].flatMap({ ImageSource($0) }) else {
            if !instead.isEmpty { write(Self.escaped("[\(instead.prefix(200))]")) }
            return
        }
        let start = output.count
        write("<img src=\"\(Self.escaped(source.address))\"\(attributes(of: element, "img", style))>")
        slots.append(Slot(range: start..<output.count, content: .image(source, instead: instead)))
    }

    private func attributes(of element: MarkupElement, _ name: String, _ style: InlineStyle?) -> String {
        var text = ""
        for (attribute, value) in element.attributes {
            guard let rule = MarkupRules.rule(for: attribute, of: name), let admitted = rule.admitted(value) else { continue }
            text += " \(attribute)=\"\(Self.escaped(admitted))\""
        }
        if let kept = style?.kept, !kept.isEmpty { text += " style=\"\(Self.escaped(kept))\"" }
        return text
    }

    private mutating func note(_ element: MarkupElement, _ style: InlineStyle?) {
        let images = [element["background"], element["poster"], element.name == "link" ? nil : element["src"]].compactMap(\.self)
        let sets = (element["srcset"] ?? "").split(separator: ",").map { String($0.split(whereSeparator: \.isWhitespace).first ?? "") }
        let isImage = ["img", "input", "image"].contains(element.name) || element["src"] == nil
        remote.note(images + sets + (style?.addresses ?? []), isImage: isImage)
        guard element.name != "a", element.name != "area", element.name != "base" else { return }
        remote.note([element["href"], element["data"], element["xlink:href"]].compactMap(\.self), isImage: element.name == "image")
    }

    private mutating func write(_ text: String) { output += text.utf8 }

    /// `text` between tags and inside of double quotes.
    static func escaped(_ text: some StringProtocol) -> String {
        var output: [UInt8] = []
        output.reserveCapacity(text.utf8.count)
        for octet in text.utf8 {
            switch octet {
            case 0x26: output += "&amp;".utf8
            case 0x3c: output += "&lt;".utf8
            case 0x3e: output += "&gt;".utf8
            case 0x22: output += "&quot;".utf8
            default: output.append(octet)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
