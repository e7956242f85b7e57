// Escaping for the page's templates. swift-mustache's own looks at whole Swift characters: a `<` that follows a prepending
// scalar such as U+0600, or a quote that a combining mark follows, is one character with it and would pass. Ours looks at
// scalars.

import Mustache

/// The content type that every template of the page is rendered with.
struct PageContentType: MustacheContentType {
    static let name = "DDSPAGE"

    func escapeText(_ text: String) -> String { HTMLEscaping.escape(text) }
}

package enum HTMLEscaping {
    /// `text` for use between tags and inside double-quoted attribute values.
    package static func escape(_ text: String) -> String {
        var output: [UInt8] = []
        output.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case 0x26: output += Array("&amp;".utf8)
            case 0x3c: output += Array("&lt;".utf8)
            case 0x3e: output += Array("&gt;".utf8)
            case 0x22: output += Array("&quot;".utf8)
            case 0x27: output += Array("&#39;".utf8)
            case 0x00: break
            default: output.append(byte)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}

/// The page's templates, parsed once.
package struct Templates: Sendable {
    /// Parsed when it is first asked for, which takes some milliseconds.
    static let shared = Templates()

    private let library: MustacheLibrary

    /// Parses all templates; a mistake in one is our bug and stops the program at its start, with the template's name.
    private init() {
        MustacheContentTypes.register(PageContentType(), named: PageContentType.name)
        var library = MustacheLibrary()
        for (name, text) in Self.texts {
            do {
                // In front of every template, partials too: a partial starts with the library's own escaping again.
                try library.register("{{% CONTENT_TYPE:\(PageContentType.name)}}" + text, named: name)
            } catch {
                preconditionFailure("template \(name): \(error)")
            }
        }
        self.library = library
    }

    /// The page `name` filled with `values`. Unknown names are our bug.
    func render(_ name: String, _ values: [String: Any]) -> String {
        guard let text = library.render(values, withTemplate: name) else { preconditionFailure("no template \(name)") }
        return text
    }

    private static let texts: [String: String] = frameTexts.merging(sessionTexts) { first, _ in first }
        .merging(listTexts) { first, _ in first }
        .merging(threadTexts) { first, _ in first }
        .merging(writeTexts) { first, _ in first }
        .merging(personTexts) { first, _ in first }
        .merging(contentTexts) { first, _ in first }
        .merging(searchTexts) { first, _ in first }
        .merging(welcomeTexts) { first, _ in first }
        .merging(settingsTexts) { first, _ in first }
}
