// The formatted view of a mail: its HTML without anything that acts, loads or covers. The form is one that a browser reads as we
// wrote it: it is read and cleaned until that changes nothing (which is what mutation attacks on sanitizers need it to do).

/// HTML of a mail that may stand in a frame of the page.
package struct SanitizedHTML: Hashable, Sendable {
    /// How often a document is read anew before it is given up; honest ones need two or three times.
    private static let passesMax = 8

    /// With links and pictures as they are in the mail. Cleaning this gives the same octets.
    package let canonical: [UInt8]
    /// What was left out.
    package let remote: RemoteContent
    let slots: [MarkupCleaner.Slot]

    /// Cleans a document in UTF-8. For a worker: see `MarkupTree`.
    package init(_ document: [UInt8]) throws(HTMLRefusal) {
        var pass = try Self.pass(document)
        remote = pass.remote
        for _ in 1..<Self.passesMax {
            let next = try Self.pass(pass.output)
            if next.output == pass.output {
                canonical = next.output
                slots = next.slots
                return
            }
            pass = next
        }
        throw .unsteady
    }

    /// What a document would load, for one reading's cost.
    package static func survey(_ document: [UInt8]) throws(HTMLRefusal) -> RemoteContent { try pass(document).remote }

    private static let prologue = Array("<!doctype html>".utf8)

    private static func pass(_ document: [UInt8]) throws(HTMLRefusal) -> MarkupCleaner {
        let isMarked = document.starts(with: [0xef, 0xbb, 0xbf])
        var cleaner = MarkupCleaner()
        // Without a type of document browsers would read tables in paragraphs otherwise than the page's frame does.
        try MarkupTree(prologue + document.dropFirst(isMarked ? 3 : 0)).walk(&cleaner)
        guard !cleaner.isTooLarge else { throw .tooLarge }
        return cleaner
    }

    /// Every place that it links to, once, in order.
    package var links: [LinkTarget] {
        var known: Set<LinkTarget> = []
        return slots.compactMap { slot in
            guard case .link(let target) = slot.content, known.insert(target).inserted else { return nil }
            return target
        }
    }

    /// For a page: `path` names the page's own address for a link, `image` finds the picture of a Content-ID. Pictures of more than
    /// `octetsMax` together are left out, as those are that are missing; their words stand in their place.
    package func rendered(
        path: (LinkTarget) -> String, image: (String) -> InlineImage?, octetsMax: Int = 16 << 20
    ) -> [UInt8] {
        var output: [UInt8] = []
        var position = 0
        var spent = 0
        for slot in slots {
            output += canonical[position..<slot.range.lowerBound]
            position = slot.range.upperBound
            switch slot.content {
            case .link(let target):
                let path = MarkupCleaner.escaped(path(target))
                output += " href=\"\(path)\" target=\"_blank\" rel=\"noopener noreferrer\"".utf8
            case .image(let source, let instead):
                let found: InlineImage? =
                    switch source {
                    case .part(let id): image(id)
                    case .included(let image): image
                    }
                if let found, spent + found.octets.count <= octetsMax {
                    spent += found.octets.count
                    output += Self.replaced(canonical[slot.range], source.address, by: found.address)
                } else if !instead.isEmpty {
                    output += MarkupCleaner.escaped("[\(instead.prefix(200))]").utf8
                }
            }
        }
        return output + canonical[position...]
    }

    private static func replaced(_ element: ArraySlice<UInt8>, _ old: String, by new: String) -> [UInt8] {
        let start = Array("<img src=\"".utf8)
        return start + Array(new.utf8) + element.dropFirst(start.count + MarkupCleaner.escaped(old).utf8.count)
    }
}
