import Testing

@testable import DDSMail

@Suite struct SignedMultipartTests {
    private let content = Array("Content-Type: text/plain\r\n\r\nHello.\r\n--not this\r\n".utf8)

    private func message(_ head: String = "From: a@b\r\n") -> [UInt8] {
        Array(head.utf8)
            + SignedMultipart.entity(
                content: content, signature: "line 1\nline 2\n", protocolType: "application/x-sig", boundary: "=_b")
    }

    @Test func content_comesBackToTheOctet() throws {
        let signed = try #require(SignedMultipart(message()))
        #expect(signed.content == content)
        #expect(signed.signature == Array("line 1\r\nline 2\r\n".utf8))
        #expect(signed.protocolType == "application/x-sig")
        #expect(signed.header.first("From")?.text == "a@b")
        // Without its own last line end, too: that one belongs to the boundary.
        let bare = Array("X: y\r\n\r\nz".utf8)
        let made = SignedMultipart.entity(content: bare, signature: "s\n", protocolType: "a/b", boundary: "c")
        #expect(SignedMultipart(made)?.content == bare)
    }

    /// What comes in pieces is taken apart as what comes whole, whatever it is.
    @Test func pieces_areTheSameAsTheWhole() {
        let text = String(decoding: message(), as: UTF8.self)
        let samples = [
            text, text.replacing("Hello.", with: "\r\n--=_\r\n--=_b\r\r\n--=_b-\r\n"),
            text.replacing("--=_b\r\n", with: "--=_B\r\n"),
            text + "more", String(text.dropLast(1)), text.replacing("multipart/signed", with: "multipart/mixed"),
        ]
        for sample in samples.map({ Array($0.utf8) }) {
            let whole = SignedMultipart(sample)
            func taken(_ pieces: [ArraySlice<UInt8>]) -> (content: [UInt8], signature: [UInt8]?) {
                var reader = SignedMultipartReader()
                let content = pieces.flatMap { reader.feed(Array($0)) }
                return (content, reader.finish())
            }
            let splits = (0...sample.count).map { [sample[..<$0], sample[$0...]] } + [sample.indices.map { sample[$0...$0] }]
            let others = splits.count { pieces in
                let found = taken(pieces)
                return found.signature != whole?.signature || (whole != nil && found.content != whole?.content)
            }
            #expect(others == 0, "\(String(decoding: sample, as: UTF8.self))")
        }
        #expect(SignedMultipart(Array(samples[1].utf8))?.content.count == content.count + 18)
    }

    @Test func aSecondPartBeyondTheLimit_isNone() {
        func signature(_ limit: Int, octets: Int) -> [UInt8]? {
            var reader = SignedMultipartReader(signatureLimit: limit)
            let entity = SignedMultipart.entity(
                content: content, signature: String(repeating: "s", count: octets), protocolType: "a/b", boundary: "c")
            _ = reader.feed(entity)
            return reader.finish()
        }
        let part = "Content-Type: a/b\r\n\r\n".utf8.count + "\r\n----\r\n".utf8.count
        #expect(signature(part + 100, octets: 100)?.count == 100)
        #expect(signature(part + 100, octets: 101) == nil)
    }

    @Test func otherForms_areRefused() {
        let text = String(decoding: message(), as: UTF8.self)
        for wrong in [
            "", "From: a@b\r\n\r\nHello\r\n", text.replacing("multipart/signed", with: "multipart/mixed"),
            text.replacing("protocol=", with: "prot="), text.replacing(" boundary=\"=_b\"", with: " x=y"),
            text.replacing("boundary=\"=_b\"", with: "boundary=\"\""), text + "more\r\n",
            text.replacing("\r\n\r\n--=_b\r\n", with: "\r\n\r\nprose\r\n--=_b\r\n"),
            text.replacing("--=_b--\r\n", with: "--=_b\r\nContent-Type: x/y\r\n\r\nthird\r\n--=_b--\r\n"),
            text.replacing("Content-Type: application/x-sig\r\n\r\n", with: "Content-Type: application/other\r\n\r\n"),
            "Content-Type: text/plain\r\n" + text,
        ] {
            #expect(SignedMultipart(Array(wrong.utf8)) == nil, "\(wrong)")
        }
        let bytes = message()
        for count in 0..<bytes.count { #expect(SignedMultipart(Array(bytes[..<count])) == nil, "\(count) octets") }
    }
}
