import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSTestKit
import Testing

@testable import DDSAgent

@Suite struct RecoveryKitTests {
    private static let keys = VaultKeys.generate(random: SystemRandom())

    private func account() throws -> AgentAccount {
        var account = try testAccount(ownRecipient: "age1own", nodeRecipient: "age1node")
        account.nodeIdentity = Array(repeating: 7, count: 32)
        return account
    }

    private func secret(_ bytes: [UInt8]) -> SecretBytes {
        var bytes = bytes
        return SecretBytes(consuming: &bytes)
    }

    private func failure(_ body: () throws(Failure) -> Void) -> Failure? {
        do throws(Failure) {
            try body()
            return nil
        } catch {
            return error
        }
    }

    @Test func kit_comesBackFromPageAndText() throws {
        for identity in [nil, [UInt8](repeating: 7, count: 32)] {
            var account = try account()
            account.nodeIdentity = identity
            let kit = RecoveryKit(account: account, identitySeed: Self.keys.identitySeed)
            let page = RecoveryPage(kit: kit, date: WallTime(milliseconds: 1_700_000_000_000))
            for form in [page.html, page.text, kit.code.withExposed { Array($0) }] {
                let read = try RecoveryKit(in: secret(form))
                #expect(
                    read.identitySeed == Self.keys.identitySeed && read.address == account.address && read.host == account.host)
                #expect(read.pop3sPort == account.pop3sPort && read.submissionsPort == account.submissionsPort)
                #expect(read.nodeKeyHash == account.nodeKeyHash && read.nodeIdentity == account.nodeIdentity)
                try read.rehearse(against: account, keys: Self.keys)
            }
        }
    }

    /// What is on the paper names the danger and what does not come back, and nothing of it comes from elsewhere.
    @Test func page_isSelfContainedAndSaysWhatItIs() throws {
        let page = RecoveryPage(
            kit: RecoveryKit(account: try account(), identitySeed: Self.keys.identitySeed), date: WallTime(milliseconds: 0))
        let html = String(decoding: page.html, as: UTF8.self)
        let text = String(decoding: page.text, as: UTF8.self)
        #expect(html.contains("<svg") && html.contains("default-src 'none'"))
        for forbidden in ["<script", "href=", "src=", "url(", "@import"] { #expect(!html.contains(forbidden), "\(forbidden)") }
        for words in [
            "does not bring back mail", "sealed to a key that only the", "can become you at the node", "ddsnode key rehearse",
        ] {
            #expect(
                html.contains(words) && text.split(whereSeparator: \.isWhitespace).joined(separator: " ").contains(words),
                "\(words)")
        }
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 })
        // Neither the mailbox key nor the key of the store is in it.
        for key in [Self.keys.storeKey, Self.keys.mailbox.secretText()] {
            let (hex, raw) = key.withExposed { (Hex.encode($0), String(decoding: $0, as: UTF8.self)) }
            #expect(!html.contains(hex) && !html.contains(raw))
        }
    }

    @Test func everyCut_ofTheTextIsRefused() throws {
        let page = RecoveryPage(
            kit: RecoveryKit(account: try account(), identitySeed: Self.keys.identitySeed), date: WallTime(milliseconds: 0))
        let marker = Array("\n\n-- end of the code".utf8)
        let end = try #require(page.text.firstRange(of: marker)).lowerBound
        for length in 0..<end {
            let found = failure { () throws(Failure) in _ = try RecoveryKit(in: secret(Array(page.text.prefix(length)))) }
            #expect(found?.code == .badInput, "\(length)")
        }
        _ = try RecoveryKit(in: secret(Array(page.text.prefix(end))))
    }

    @Test func wholeCodeWithAnotherContent_isRefused() throws {
        let good = try #require(
            try? RecoveryCode.decode(RecoveryKit(account: try account(), identitySeed: Self.keys.identitySeed).code))
        let bytes = good.withExposed { Array($0) }
        for content in [[], Array(bytes.dropLast()), bytes + [0], Array(bytes.prefix(32)), Array(repeating: 255, count: 100)] {
            let found = failure { () throws(Failure) in _ = try RecoveryKit(in: RecoveryCode.encode(secret(content))) }
            #expect(found?.publicText.contains("holds no account") == true, "\(content.count)")
        }
    }

    /// Each way in which a kit does not fit what is here has a sentence of its own.
    @Test func kitOfSomethingElse_isToldApart() throws {
        let here = try account()
        var stranger = here
        stranger.address = try #require(MailAddress("mallory@node.test"))
        var moved = here
        moved.host = "elsewhere.test"
        var repinned = here
        repinned.nodeKeyHash[0] ^= 1
        var otherNode = here
        otherNode.nodeIdentity = Array(repeating: 8, count: 32)
        var port = here
        port.pop3sPort ^= 1
        func rehearsal(_ account: AgentAccount, _ seed: SecretBytes) -> Failure? {
            failure { () throws(Failure) in
                try RecoveryKit(account: account, identitySeed: seed).rehearse(against: here, keys: Self.keys)
            }
        }
        let seed = Self.keys.identitySeed
        #expect(rehearsal(here, seed) == nil)
        #expect(rehearsal(stranger, seed)?.publicText.contains("kit of mallory@node.test") == true)
        #expect(rehearsal(here, .random(32))?.publicText.contains("had before") == true)
        for changed in [moved, repinned, otherNode, port] {
            #expect(rehearsal(changed, seed)?.publicText.contains("has changed") == true)
        }
        var unpinned = here
        unpinned.nodeIdentity = nil
        #expect(rehearsal(unpinned, seed) == nil, "a node that told its identity later is the same")
    }

    @Test(arguments: [("a.html", true), ("A.HTM", true), ("b.txt", false)]) func form_isByTheName(
        _ name: String, _ isPage: Bool
    ) {
        #expect((RecoveryDesk.Form(fileName: name) == .html) == isPage && RecoveryDesk.Form(fileName: name) != nil)
    }

    @Test(arguments: ["kit.pdf", "kit", "html", "a.html.gz", ""]) func otherNames_areNoForm(_ name: String) {
        #expect(RecoveryDesk.Form(fileName: name) == nil)
    }
}
