import DDSCore
import Testing

@Suite struct MailAddressTests {
    @Test(arguments: [
        ("bob@node.test", "bob", "node.test"), ("BoB@Node.Test.", "bob", "node.test"), ("a.b-c_d+e@x", "a.b-c_d+e", "x"),
        ("jörg@bücher.example", "jörg", "bücher.example"), ("o'neil=x@a.b", "o'neil=x", "a.b"),
    ])
    func address_isTakenInSmallLetters(text: String, local: String, domain: String) throws {
        let address = try #require(MailAddress(text))
        #expect(address.local == local)
        #expect(address.domain == domain)
        #expect(MailAddress(address.description) == address)
    }

    @Test(arguments: [
        "", "bob", "@", "bob@", "@node.test", "a@b@c", ".bob@node.test", "bob.@node.test", "b..b@node.test", "bob@.node", "bob@node..test",
        "b ob@node.test", "\"bob\"@node.test", "bob@[127.0.0.1]", "bob@node.test\r\n", "bo\u{0}b@node.test", "bob@node,test", "<bob@node.test>",
    ])
    func otherTexts_areNone(text: String) {
        #expect(MailAddress(text) == nil)
    }

    @Test(arguments: [(63, true), (64, true), (65, false)])
    func localPart_has64OctetsAtMost(count: Int, isAddress: Bool) {
        #expect((MailAddress(String(repeating: "a", count: count) + "@x") != nil) == isAddress)
    }

    @Test(arguments: [(254, true), (255, true), (256, false)])
    func domain_has255OctetsAtMost(count: Int, isAddress: Bool) {
        #expect((MailAddress("a@" + String(repeating: "b", count: count)) != nil) == isAddress)
    }

    @Test func ascii_isTold() throws {
        #expect(try #require(MailAddress("bob@node.test")).isASCII)
        #expect(try #require(MailAddress("jörg@node.test")).isASCII == false)
    }
}

@Suite struct RedactedTests {
    @Test func secret_isNeverPrinted() {
        let secret = Redacted("swordfish")
        var dumped = ""
        dump(secret, to: &dumped)
        for text in ["\(secret)", String(describing: secret), String(reflecting: secret), String(reflecting: [secret]), dumped] {
            #expect(!text.contains("swordfish"))
            #expect(text.contains("redacted"))
        }
        #expect(secret.exposed == "swordfish")
    }
}
