// The form of signed messages: read back octet for octet, and bound to where they belong.

import DDSCore
import DDSMail
import DDSSeal
import Testing

@testable import DDSNode

@Suite struct SignedMessageTests {
    private let key = MinisignKey(.generate())
    private let message = Array(
        "From: Bob <bob@node.test>\r\nTo: board@node.test\r\nSubject: x\r\nX-DDS-Submission: 00ff\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nHello.\r\n--=_dds\r\n"
            .utf8)
    private let context = SignatureContext(
        server: [1, 2, 3, 4, 5, 6, 7, 8], groups: ["family", "board"], submission: "00ff", sequence: 12,
        time: WallTime(milliseconds: 1_764_000_000_123), audience: [UInt8](repeating: 0xab, count: 32))

    @Test func theComment_isThis_andReadBack() {
        let words =
            "ddsnode/v1 server=0102030405060708 group=board,family msg=00ff seq=12 ts=1764000000123 to="
            + String(repeating: "ab", count: 32)
        #expect(context.comment == words && SignatureContext(words) == context)
        var other = context
        other.groups = []
        other.audience = nil
        #expect(
            other.comment.contains(" group=- ") && other.comment.hasSuffix(" to=-") && SignatureContext(other.comment) == other)
        #expect(words.utf8.count <= MinisignSignature.commentBytesMax)
    }

    @Test(arguments: [
        ("ddsnode/v1", "ddsnode/v2"), ("server=0102", "server=02"), (" msg=00ff", " msg="), ("seq=12", "seq=+12"),
        ("seq=12", "seq=-1"),
        ("board,family", "family,board"), ("ts=17", "ts=x17"), ("to=ab", "to="), ("seq=12 ts", "ts"), (" seq", "  seq"),
        ("seq=12", "seq=012"),
    ])
    func anyOtherComment_isNone(old: String, new: String) {
        #expect(SignatureContext(context.comment.replacing(old, with: new)) == nil)
    }

    @Test(arguments: [false, true]) func aSignedMessage_isTakenApartAsItWasMade(isPadded: Bool) throws {
        let made = SignedMessage.made(of: message, context, by: key)
        let signed = try #require(SignedMessage(isPadded ? Padding.pad(made) : made))
        #expect(signed.message == message && signed.claimedKey == key.publicKey)
        let signature = try #require(signed.signature)
        #expect(signature.isValid(for: signed.content, by: key.publicKey) && signature.trustedComment == context.comment)
        #expect(SignedMessage.inner(of: made) == message && SignedMessage.inner(of: message) == message)
        // What programs see that look no further, and what they are to keep from reading twice.
        let outer = try HeaderSection(of: made)
        let inner = try HeaderSection(of: message)
        for name in ["From", "To", "Subject", "X-DDS-Submission"] {
            #expect(outer.first(name)?.text == inner.first(name)?.text)
        }
        #expect(outer.all("Content-Type").count == 1 && outer.all("MIME-Version").count == 1)
    }

    @Test func anyChange_breaksTheSignature() throws {
        let made = SignedMessage.made(of: message, context, by: key)
        let start = try #require(String(decoding: made, as: UTF8.self).firstRange(of: "Content-Type: message/rfc822"))
            .lowerBound
        let offset = String(decoding: made, as: UTF8.self)[..<start].utf8.count
        for place in offset..<(offset + 30 + message.count) {
            var changed = made
            changed[place] ^= 1
            guard let signed = SignedMessage(changed), let signature = signed.signature else { continue }
            #expect(!signature.isValid(for: signed.content, by: key.publicKey), "octet \(place)")
        }
    }

    /// Of what is within no more is held than a header may have.
    @Test(arguments: [false, true]) func aHeaderWithinThatDoesNotEnd_saysNothing(isPad: Bool) throws {
        let field = isPad ? "X-DDS-Pad: " : "X: "
        for (count, isRead) in [(200_000, true), (600_000, false)] {
            let inner = Array(
                ("From: bob@node.test\r\n" + field + String(repeating: "x", count: count) + "\r\n\r\nHello.\r\n").utf8)
            let content = Array("Content-Type: message/rfc822\r\n\r\n".utf8) + inner
            let entity = SignedMultipart.entity(
                content: content, signature: key.sign(content, trustedComment: "x").text,
                protocolType: "application/vnd.minisign",
                boundary: "b")
            var reader = SignedMessageReader()
            for start in stride(from: 0, to: entity.count, by: 65536) {
                reader.feed(Array(entity[start..<min(start + 65536, entity.count)]))
            }
            let found = reader.finish()
            let outline = try #require(found)
            #expect(outline.isValid(by: key.publicKey.key) && outline.author == (isRead ? "bob@node.test" : ""))
        }
    }

    @Test func otherMessages_areNotSigned() {
        let text = String(decoding: SignedMessage.made(of: message, context, by: key), as: UTF8.self)
        for changed in [
            text.replacing("application/vnd.minisign", with: "application/pgp-signature"),
            text.replacing("message/rfc822", with: "text/plain"),
            String(text.dropLast(4)), String(decoding: message, as: UTF8.self), "",
        ] {
            #expect(SignedMessage(Array(changed.utf8)) == nil)
        }
    }
}
