// Names that mislead, and what of a message's formatted version the agent finds.

import DDSCore
import DDSHTML
import DDSLoop
import DDSMail
import DDSNode
import DDSTestKit
import Testing

@testable import DDSAgent

@Suite struct NameBookTests {
    private let book = NameBook(
        version: 1,
        names: [
            ("bob@node.test", "Bob Miller"), ("alice@node.test", "Alice"), ("bob@node.test", "bob"), ("al@node.test", "Alice"),
        ])

    /// I4.
    @Test(
        arguments: [
            ("eve@node.test", "B\u{43e}b Miller", "Bob Miller"), ("eve@node.test", "BOB MILLER", "Bob Miller"),
            ("BOB@node.test", "Bob Miller", nil),
            ("eve@node.test", "Eve", nil), ("eve@node.test", "", nil), ("alice@node.test", "Alice", "Alice"),
            ("eve@node.test", "B0b Mi11er", "Bob Miller"),
        ] as [(String, String, String?)])
    func names_areComparedWithThoseOfOthers(address: String, name: String, other: String?) {
        #expect(book.other(than: address, like: name) == other)
    }

    @Test(arguments: [
        ("bob@node.test", "eve@node.test", true), ("Bob <bob@node.test>", "eve@node.test", true),
        ("bob@node.test", "BOB@node.test", false),
        ("\"bob@node.test\"", "bob@node.test", false), ("Bob", "eve@node.test", false),
        ("bob\u{ff20}node.test", "eve@node.test", true),
    ])
    func addressesAsNames_areNoticed(name: String, address: String, isForeign: Bool) {
        #expect(NameBook.isForeignAddress(name, of: address) == isForeign)
    }
}

@Suite(.timeLimit(.minutes(5))) struct FormattedMailTests {
    private func letter(_ from: String, subject: String = "x", type: String = "text/plain", _ body: String = "x") -> [UInt8] {
        Array(
            ("From: \(from)\r\nTo: alice@node.test\r\nSubject: \(subject)\r\nMessage-ID: <\(body.hashValue)\(from.hashValue)@t>\r\nMIME-Version: 1.0\r\n"
                + "Content-Type: \(type)\r\n\r\n\(body)").utf8)
    }

    @LoopActor private func only(_ open: OpenAgent) async throws -> MessageModel {
        let row = try #require(await open.page.list(.inbox, cursor: nil)?.rows.first)
        return try #require(await open.page.thread(row.id, .here)?.messages.first)
    }

    @Test @LoopActor func namesOfOthers_areMarked() async throws {
        let open = try await OpenAgent()
        try await open.roster(TrustBookTests.roster(1, ["alice", "bob", "carol"]))
        try await open.deliver(letter("=?utf-8?q?B=D0=BEb?= <eve@node.test>"))
        #expect(try await only(open).marks.contains(.looksLike("Bob")))
        try await open.deliver(letter("Bob <bob@node.test>", "two"))
        #expect(!(try await only(open).marks.contains { if case .looksLike = $0 { true } else { false } }))
        try await open.deliver(letter("\"bob@node.test\" <eve@node.test>", "three"))
        #expect(try await only(open).marks.contains(.nameIsAddress))
        await open.close()
    }

    /// I1: what was taken out is told, also of subjects, which are kept without it.
    @Test @LoopActor func hiddenCharacters_areTold() async throws {
        let open = try await OpenAgent()
        try await open.deliver(letter("Bob <bob@node.test>", subject: "=?utf-8?q?a=E2=80=AEb?="))
        let marked = try await only(open)
        #expect(marked.marks.contains(.hiddenCharacters))
        try await open.deliver(letter("Bob <bob@node.test>", subject: "plain", "two"))
        #expect(!(try await only(open).marks.contains(.hiddenCharacters)))
        await open.close()
    }

    @Test @LoopActor func formattedVersions_comeWithTheirPictures() async throws {
        let open = try await OpenAgent()
        let parts =
            "--b\r\nContent-Type: text/html\r\n\r\n<p onclick=x>Hello<img src=cid:p@q><img src=https://mail.example/x>\r\n"
            + "--b\r\nContent-Type: image/png\r\nContent-ID: <p@q>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--b--\r\n"
        try await open.deliver(letter("bob@node.test", type: "multipart/related; boundary=b", parts))
        let message = try await only(open)
        #expect(message.formatted?.isAvailable == true && message.formatted?.remote.images == 1)
        #expect(message.body == "Hello")
        #expect(message.attachments.map(\.kind) == [.png])
        let formatted = try #require(await open.page.formatted(message.id))
        #expect(formatted.images.keys.sorted() == ["p@q"])
        let page = String(decoding: formatted.html.rendered(path: { _ in "" }, image: { formatted.images[$0] }), as: UTF8.self)
        #expect(page == "<p>Hello<img src=\"data:image/png;base64,iVBORw0KGgo=\"></p>")
        #expect(await open.page.source(message.id)?.text.contains("Content-ID: <p@q>") == true)
        #expect(await open.page.formatted("nonsense") == nil)
        try await open.deliver(letter("bob@node.test", type: "text/html", String(repeating: "<div>", count: 3000)))
        #expect(try await only(open).formatted == FormattedOffer(isAvailable: false))
        await open.close()
    }
}
