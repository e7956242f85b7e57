// What a file is by its first octets, and what a page may do with it. The declared type is a claim that is compared with it; nothing
// is decoded here.

/// Kinds of content that matter to how it may be shown.
package enum ContentKind: String, Hashable, Sendable, CaseIterable {
    case png, jpeg, gif, webp, pdf
    /// Text without markup that a browser would act on.
    case text
    /// HTML, SVG, any XML: what runs where it is opened.
    case markup
    case archive, program
    case unknown

    /// Octets that suffice to tell.
    package static let prefixLength = 1024

    /// The kind of a content that begins with `octets`.
    package init(of octets: some Collection<UInt8>) {
        let head = Array(octets.prefix(Self.prefixLength))
        func has(_ magic: [UInt8], at offset: Int = 0) -> Bool { head.dropFirst(offset).starts(with: magic) }
        self =
            if has([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]) {
                .png
            } else if has([0xff, 0xd8, 0xff]) {
                .jpeg
            } else if has(Array("GIF87a".utf8)) || has(Array("GIF89a".utf8)) {
                .gif
            } else if has(Array("RIFF".utf8)), has(Array("WEBPVP8".utf8), at: 8) {
                .webp
            } else if has(Array("%PDF-".utf8)) {
                .pdf
            } else if has([0x50, 0x4b, 0x03, 0x04]) || has([0x1f, 0x8b]) || has([0x37, 0x7a, 0xbc, 0xaf]) || has(Array("Rar!".utf8)) {
                .archive
            } else if has([0x7f, 0x45, 0x4c, 0x46]) || has(Array("MZ".utf8)) && !Self.isText(head) {
                .program
            } else if Self.isMarkup(head) {
                .markup
            } else if Self.isText(head) {
                .text
            } else {
                .unknown
            }
    }

    /// The types that say this kind; the first is the one to send.
    package var mediaTypes: [String] {
        switch self {
        case .png: ["image/png", "image/x-png", "image/apng"]
        case .jpeg: ["image/jpeg", "image/jpg", "image/pjpeg"]
        case .gif: ["image/gif"]
        case .webp: ["image/webp"]
        case .pdf: ["application/pdf", "application/x-pdf"]
        case .text: ["text/plain"]
        case .markup, .archive, .program, .unknown: ["application/octet-stream"]
        }
    }

    package var isImage: Bool { [.png, .jpeg, .gif, .webp].contains(self) }

    /// True for types that say nothing, which many programs send for everything.
    package static func isVague(_ declared: String) -> Bool {
        ["application/octet-stream", "application/x-octet-stream", "binary/octet-stream", "application/unknown", ""]
            .contains(declared)
    }

    /// Whether `declared`, in lower case, is another thing than this kind.
    package func contradicts(_ declared: String) -> Bool {
        guard !Self.isVague(declared) else { return false }
        if let claimed = Self.shown.first(where: { $0.mediaTypes.contains(declared) }) {
            return claimed != self && !(claimed == .text && self == .markup)
        }
        return isImage || self == .pdf
    }

    /// Kinds with types of their own.
    private static let shown: [ContentKind] = [.png, .jpeg, .gif, .webp, .pdf, .text]

    /// Signs that browsers take for markup whatever stands around them (WHATWG MIME Sniffing 7.1, with more of them).
    private static let signs: [[UInt8]] = [
        "<!doctype", "<html", "<head", "<script", "<iframe", "<body", "<svg", "<?xml", "<math", "<style", "<meta", "<object",
        "<embed", "<link", "<base", "<form", "<img", "<table", "<a ", "<div", "<!--", "<xsl:", "<title",
    ].map { Array($0.utf8) }

    private static func isMarkup(_ head: [UInt8]) -> Bool {
        // UTF-16 hides every sign from a search for octets: text of that kind is looked at without its zeros.
        let lower = head.filter { $0 != 0 }.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }
        return lower.indices.contains { index in
            lower[index] == 0x3c && signs.contains { lower[index...].starts(with: $0) }
        }
    }

    private static func isText(_ head: [UInt8]) -> Bool {
        !head.contains { $0 < 0x20 && $0 != 0x09 && $0 != 0x0a && $0 != 0x0d && $0 != 0x0c && $0 != 0x1b } && !head.isEmpty
    }
}
