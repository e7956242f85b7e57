// The small parsers and encoders beneath the SMTP machines, and the SASL messages.

import DDSCore
import DDSWire
import Testing

@Suite struct SMTPSyntaxTests {
    @Test func plain_isParsedStrictly() {
        let good = Credentials(mechanism: .plain, message: Array("admin\0alice\0s\u{e9}cret".utf8))
        #expect(good == .plain(authzid: "admin", authcid: "alice", password: Redacted(Array("s\u{e9}cret".utf8))))
        #expect("\(String(describing: good))".contains("cret") == false)
        for text in ["", "\0", "\0\0", "\0alice\0", "\0\0secret", "alice\0secret", "\0alice\0sec\0ret", "\0al\nice\0secret"] {
            #expect(Credentials(mechanism: .plain, message: Array(text.utf8)) == nil, "\(text.debugDescription)")
        }
        #expect(Credentials(mechanism: .plain, message: [0, 0x61, 0, 0xff]) == nil)
    }

    @Test(arguments: [-1, 0, 1]) func saslLengths(_ offset: Int) {
        let name = String(repeating: "n", count: Credentials.nameBytesMax + offset)
        let password = String(repeating: "p", count: Credentials.passwordBytesMax + offset)
        let fits = offset <= 0
        #expect((Credentials(mechanism: .plain, message: Array("\0\(name)\0x".utf8)) != nil) == fits)
        #expect((Credentials(mechanism: .plain, message: Array("\(name)\0x\0x".utf8)) != nil) == fits)
        #expect((Credentials(mechanism: .plain, message: Array("\0x\0\(password)".utf8)) != nil) == fits)
        #expect((Credentials(mechanism: .external, message: Array(name.utf8)) != nil) == fits)
    }

    @Test func saslMessages_roundTrip() {
        let all: [Credentials] = [
            .external(authzid: nil), .external(authzid: "alice"),
            .plain(authzid: nil, authcid: "alice", password: Redacted([0x78])),
            .plain(authzid: "bob", authcid: "m\u{fc}ller", password: Redacted([0x20])),
        ]
        for credentials in all {
            #expect(Credentials(mechanism: credentials.mechanism, message: credentials.message.exposed) == credentials)
        }
        #expect(SASLMechanism(name: "plain") == .plain)
        #expect(SASLMechanism(name: "LOGIN") == nil)
    }

    @Test func replies_roundTrip() throws {
        let all = [
            SMTPReply(250, EnhancedCode(2, 1, 5), "one", "two", ""), SMTPReply(220, nil, "node ESMTP"), SMTPReply(334, nil, ""),
            SMTPReply(550, EnhancedCode(5, 7, 10), "x"), SMTPReply(250, nil, "4.2.2 is not this reply's class"),
        ]
        for reply in all {
            var parser = SMTPReplyParser()
            var found: [SMTPReply] = []
            for line in String(decoding: reply.encoded(), as: UTF8.self).split(
                separator: "\r\n", omittingEmptySubsequences: true)
            {
                if let reply = try parser.next(Array(line.utf8)) { found.append(reply) }
            }
            #expect(found == [reply])
        }
        var bare = SMTPReplyParser()
        #expect(try bare.next(Array("250".utf8)) == SMTPReply(250, nil, ""))
    }

    @Test func replyLines_neverCutACharacter() {
        let text = String(repeating: "\u{20ac}", count: 700)
        let bytes = SMTPReply(250, EnhancedCode(2, 0, 0), text).encoded(allowsUTF8: true)
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n")
        #expect(lines.allSatisfy { $0.utf8.count + 2 <= SMTPReply.lineBytesMax })
        #expect(lines.map { $0.dropFirst(10) }.joined() == text)
    }

    @Test func xtext() {
        #expect(XText.decode("a+2Bb+3D+20") == "a+b= ")
        for text in ["a=b", "+2", "+", "+2b", "+00", "+7F", "+E9", "a b", "\u{e9}"] {
            #expect(XText.decode(text) == nil, "\(text)")
        }
        for text in ["", "plain", "a+b=c d~!"] { #expect(XText.decode(XText.encode(text)) == text) }
    }

    @Test func paths() throws {
        let path = try SMTPPath("From:<\"a>b\"@c> SIZE=1 X-Y", prefix: "FROM:")
        #expect(path.mailbox == "\"a>b\"@c")
        #expect(path.parameters.map(\.keyword) == ["SIZE", "X-Y"])
        for text in [
            "", "FROM", "FROM:", "FROM:<", "FROM:<a", "FROM:a>", "FROM:<a>b", "TO:<a>", "FROM:<a> =1", "FROM:<a> A=",
            "FROM:<a> -A",
        ] {
            #expect(throws: SMTPSyntaxError.self, "\(text)") { try SMTPPath(text, prefix: "FROM:") }
        }
    }
}
