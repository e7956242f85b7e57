// Links that stand in a plain text. All of them lead over the page's own page about links, also those whose host is as written: one
// rule, no word of mail in the browser's history before the person has seen the host, and nothing told to the site about where they
// came from.

package import DDSHTML

/// A piece of a text, with where it leads.
package struct TextRun: Hashable, Sendable {
    package var text: String
    package var target: LinkTarget?

    package init(text: String, target: LinkTarget? = nil) {
        self.text = text
        self.target = target
    }
}

package enum TextLinks {
    /// Links of one text that can be followed.
    static let linksMax = 500

    /// `text` cut where links begin and end; joined it is the same text.
    package static func runs(of text: String) -> [TextRun] {
        let octets = Array(text.utf8)
        guard octets.contains(0x3a) else { return [TextRun(text: text)] }
        var runs: [TextRun] = []
        var begin = 0
        var place = 0
        var count = 0
        while count < linksMax, let colon = octets[place...].firstIndex(of: 0x3a) {
            place = colon + 1
            guard let (range, target) = link(around: colon, octets, from: begin) else { continue }
            if range.lowerBound > begin { runs.append(TextRun(text: string(octets[begin..<range.lowerBound]))) }
            runs.append(TextRun(text: string(octets[range]), target: target))
            (begin, place, count) = (range.upperBound, range.upperBound, count + 1)
        }
        if begin < octets.count { runs.append(TextRun(text: string(octets[begin...]))) }
        return runs
    }

    /// Where the links of `text` lead.
    package static func targets(in text: String) -> [LinkTarget] { runs(of: text).compactMap(\.target) }

    private static func link(around colon: Int, _ octets: [UInt8], from begin: Int) -> (Range<Int>, LinkTarget)? {
        guard octets[(colon + 1)...].starts(with: [0x2f, 0x2f]) else { return nil }
        let start = ["https", "http"].lazy.map { colon - $0.utf8.count }.first { start in
            start >= begin && octets[start..<colon].map { $0 | 0x20 }.elementsEqual((colon - start == 5 ? "https" : "http").utf8)
        }
        guard let start, start == 0 || !isWord(octets[start - 1]) else { return nil }
        var end = colon + 3
        // Wide spaces and other letters of no ASCII belong to the text around unless they are letters of a name.
        while end < octets.count, octets[end] > 0x20, octets[end] != 0x7f, !"<>\"".utf8.contains(octets[end]) { end += 1 }
        end = trimmed(octets, start, end)
        guard let target = LinkTarget(string(octets[start..<end])) else { return nil }
        return (start..<end, target)
    }

    /// Without the punctuation of the sentence around it.
    private static func trimmed(_ octets: [UInt8], _ start: Int, _ end: Int) -> Int {
        var end = end
        while end > start {
            let last = octets[end - 1]
            if ".,;:!?'*_~`".utf8.contains(last) {
                end -= 1
            } else if let open = [0x29: 0x28, 0x5d: 0x5b, 0x7d: 0x7b][Int(last)],
                octets[start..<end].count(where: { $0 == last }) > octets[start..<end].count(where: { $0 == open })
            {
                end -= 1
            } else {
                break
            }
        }
        return end
    }

    private static func isWord(_ octet: UInt8) -> Bool {
        (0x61...0x7a).contains(octet | 0x20) || (0x30...0x39).contains(octet) || octet >= 0x80
    }

    private static func string(_ octets: ArraySlice<UInt8>) -> String { String(decoding: octets, as: UTF8.self) }
}
