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
