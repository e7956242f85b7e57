// What the page does with a file of a message: show, show as text, or only hand it out. What the file is says our own look at it; what
// the sender says it is only takes away.

package import DDSMail

/// How a file may be looked at.
package enum FileView: Hashable, Sendable {
    /// By the browser itself, as this type: pictures. A PDF shows nothing in a sandbox (tried with Chromium 156), and out of one the
    /// browser's reader of PDF would run what is in it in the name of this page.
    case inline(String)
    /// On a page of ours, escaped.
    case text
    /// Not here.
    case none

    /// `declared` is the type in lower case, `ending` that of the name with its dot.
    package init(kind: ContentKind, declared: String, ending: String) {
        let isVague = ContentKind.isVague(declared)
        if kind.contradicts(declared) || Self.isActive(declared) || Self.activeEndings.contains(ending.lowercased()) {
            self = .none
        } else if kind.isImage {
            self = .inline(kind.mediaTypes[0])
        } else if kind == .text, isVague || Self.isText(declared) {
            self = .text
        } else if kind == .markup, declared == "text/plain" {
            // A text about markup is a text.
            self = .text
        } else {
            self = .none
        }
    }

    private static func isText(_ declared: String) -> Bool {
        declared.hasPrefix("text/") || ["application/json", "application/x-yaml", "message/rfc822"].contains(declared)
    }

    /// What a browser would run, whatever it looks like.
    private static func isActive(_ declared: String) -> Bool {
        ["html", "xml", "svg", "script", "xsl", "mhtml"].contains { declared.contains($0) }
    }

    private static let activeEndings: Set<String> = [
        ".html", ".htm", ".xhtml", ".xht", ".shtml", ".mht", ".mhtml", ".svg", ".svgz", ".xml", ".xsl", ".xslt", ".js", ".mjs",
        ".hta",
    ]
}

extension ContentKind {
    /// For a badge.
    var words: String {
        switch self {
        case .png: "PNG picture"
        case .jpeg: "JPEG picture"
        case .gif: "GIF picture"
        case .webp: "WebP picture"
        case .pdf: "PDF"
        case .text: "text"
        case .markup: "web page or XML"
        case .archive: "archive"
        case .program: "program"
        case .unknown: ""
        }
    }
}
