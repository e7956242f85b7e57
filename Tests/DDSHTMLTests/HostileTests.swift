// Hostile HTML: of none of it anything is left that acts, loads or covers, and what is left is read the same again. The payloads are
// those that `Tests/Web/htmlmail.py` mails to a real browser.

import DDSHTML
import Foundation
import Testing

struct Payload: Decodable, Sendable, CustomTestStringConvertible {
    var name: String
    var html: String
    var testDescription: String { name }

    static let all: [Payload] = {
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let read = try? JSONDecoder().decode([Payload].self, from: Data(contentsOf: tests.appending(path: "Web/hostile.json")))
        return read ?? []
    }()
}

@Suite struct HostileTests {
    @Test func thereAreEnoughPayloads() { #expect(Payload.all.count >= 90) }

    @Test(arguments: Payload.all)
    func payload_isHarmless(payload: Payload) throws {
        let clean = try SanitizedHTML(Array(payload.html.utf8))
        expectHarmless(clean, "\(payload.name)")
    }

    /// A payload may hide in what stands around it.
    @Test(arguments: [
        "<table><tr><td>", "<b><p>", "<select>", "<svg><desc>", "<math><mtext>", "<!--", "<a href=\"", "<pre>\n", "<ul><li>",
    ])
    func payloads_areHarmlessInside(opening: String) throws {
        for payload in Payload.all {
            guard let clean = try? SanitizedHTML(Array((opening + payload.html).utf8)) else { continue }
            expectHarmless(clean, "\(opening) \(payload.name)")
        }
    }

    /// Two at once, the first of which leaves something open.
    @Test func payloadsAfterOneAnother_areHarmless() throws {
        for (index, first) in Payload.all.enumerated() {
            for step in [1, 7, 23] {
                let second = Payload.all[(index + step) % Payload.all.count]
                guard let clean = try? SanitizedHTML(Array((first.html + second.html).utf8)) else { continue }
                expectHarmless(clean, "\(first.name) + \(second.name)")
            }
        }
    }
}

/// What holds for every formatted view.
func expectHarmless(_ clean: SanitizedHTML, _ comment: @autoclosure () -> String) {
    let comment = Comment(rawValue: comment() + "\n" + String(decoding: clean.canonical, as: UTF8.self).prefix(2000))
    #expect((try? SanitizedHTML(clean.canonical))?.canonical == clean.canonical, comment)
    let image = InlineImage([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
    let page = String(decoding: clean.rendered(path: { _ in "/o/0123" }, image: { _ in image }), as: UTF8.self)
    let problem = MarkupAudit.problem(in: page)
    #expect(problem == nil, comment)
}
