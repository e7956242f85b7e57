// The node's own mail: made, read back, and doubted wherever anything about it is not as it was signed.

import DDSCore
import DDSMail
import DDSSeal
import Testing

@testable import DDSNode

@Suite struct ControlMailTests {
    private let key = MinisignKey(.generate())
    private let report = DeliveryReport(messages: [
        .init(
            submission: "00ff", revision: 2, day: 20_000, destinations: ["dora", "#board"],
            copies: [
                .init(
                    address: "bob@node.test", name: "Bob \u{fc} \"--=_dds_\"\r\n", group: "board", state: .fetched, cause: nil),
                .init(address: "dora@node.test", name: "Dora", group: nil, state: .held, cause: .mailboxFull),
            ])
    ])
    private let notice = ExpiryNotice(group: "board", count: 3, days: 20_575...20_582)

    private func address(_ text: String = "alice@node.test") throws -> MailAddress { try #require(MailAddress(text)) }

    private func mail(_ content: ControlMail.Content) throws -> ControlMail {
        ControlMail(
            id: "00112233445566778899aabbccddeeff", node: "node.test", to: try address(), date: WallTime(milliseconds: 0),
            content: content)
    }

    private func read(_ bytes: [UInt8], to: String = "alice@node.test", node: String = "node.test", key: [UInt8]? = nil) throws
        -> ControlMail.Reading
    {
        ControlMail.read(bytes, node: node, to: try address(to), key: key ?? self.key.publicKey.key)
    }

    @Test func both_areReadBackAlike_paddedOrNot() throws {
        for content in [
            ControlMail.Content.deliveryState(report), .expiry(notice),
            .expiry(ExpiryNotice(group: nil, count: 1, days: 0...0)),
            .expiry(ExpiryNotice(group: "board", count: 2, days: 3...4, cause: .lostKey)),
        ] {
            let mail = try mail(content)
            let bytes = mail.message(signedBy: key)
            #expect(try read(bytes) == .genuine(mail))
            #expect(try read(Padding.pad(bytes)) == .genuine(mail))
            #expect(bytes.split(separator: 0x0a).allSatisfy { $0.last == 0x0d && $0.count <= 998 })
        }
    }

    /// Every octet of what was signed, and of what the signature says about it.
    @Test func anyChange_isDoubtedOrNoLongerTheNodes() throws {
        let bytes = try mail(.expiry(notice)).message(signedBy: key)
        let start = try #require(String(decoding: bytes, as: UTF8.self).firstRange(of: "multipart/mixed")).lowerBound
        let offset = String(decoding: bytes, as: UTF8.self)[..<start].utf8.count
        let free = Array("untrusted comment: signature from a ddsnode".utf8)
        let freeStart = try #require((0..<bytes.count - free.count).first { bytes[$0..<$0 + free.count].elementsEqual(free) })
        for place in offset..<bytes.count where !(freeStart..<freeStart + free.count).contains(place) {
            var changed = bytes
            changed[place] ^= 1
            if case .genuine = try read(changed) { Issue.record("octet \(place) does not count") }
        }
    }

    @Test func aMailForSomebodyElse_isDoubted() throws {
        let bytes = try mail(.deliveryState(report)).message(signedBy: key)
        for reading in [
            try read(bytes, to: "bob@node.test"), try read(bytes, node: "other.test"),
            try read(bytes, key: MinisignKey(.generate()).publicKey.key),
            ControlMail.read(bytes, node: "node.test", to: try address(), key: nil),
            try read(Array(String(decoding: bytes, as: UTF8.self).replacing("<00112233", with: "<10112233").utf8)),
        ] {
            guard case .doubtful = reading else {
                Issue.record("\(reading)")
                continue
            }
        }
    }

    @Test func theNodesAddressWithoutItsSignature_isDoubted_andOtherMailIsOrdinary() throws {
        func reading(_ text: String) throws -> ControlMail.Reading { try read(Array(text.replacing("\n", with: "\r\n").utf8)) }
        for text in [
            "From: dds@node.test\nSubject: x\n\nhi\n", "From: The node <DDS@NODE.TEST>\n\nhi\n",
            "From: a@b\nFrom: dds@node.test\n\n",
        ] {
            guard case .doubtful = try reading(text) else {
                Issue.record("\(text)")
                continue
            }
        }
        for text in [
            "", "From: bob@node.test\n\nhi\n", "From: dds@other.test\n\nhi\n", "To: dds@node.test\n\nFrom: dds@node.test\n",
        ] {
            #expect(try reading(text) == .ordinary, "\(text)")
        }
    }

    @Test func aKindOfALaterVersion_isDoubtedAndNotDropped() throws {
        let bytes = try mail(.expiry(notice)).message(signedBy: key)
        let signed = try #require(SignedMultipart(bytes))
        let content = Array(
            String(decoding: signed.content, as: UTF8.self).replacing("ddsnode.expiry", with: "ddsnode.gossip").utf8)
        let comment = try #require(MinisignSignature(String(decoding: signed.signature, as: UTF8.self))).trustedComment
        let later =
            Array("Message-ID: <00112233445566778899aabbccddeeff@node.test>\r\n".utf8)
            + SignedMultipart.entity(
                content: content, signature: key.sign(content, trustedComment: comment).text,
                protocolType: ControlMail.signatureType,
                boundary: "=_b")
        guard case .doubtful(let words) = try read(later) else {
            Issue.record("taken")
            return
        }
        #expect(words.contains("kind"))
    }

    @Test(arguments: [
        (nil as String?, 1, 20_575...20_575, "1 message to you expired unread, 2 May"),
        ("board", 3, 20_575...20_582, "3 messages to #board expired unread, 2-9 May"),
        ("board", 2, 20_572...20_575, "2 messages to #board expired unread, 29 Apr-2 May"),
        ("board", 2, 20_453...20_455, "2 messages to #board expired unread, 31 Dec 2025-2 Jan 2026"),
    ])
    func notices_sayPeriodsInWords(group: String?, count: Int, days: ClosedRange<Int>, words: String) {
        #expect(ExpiryNotice(group: group, count: count, days: days).words == words)
    }

    @Test func aNotice_namesTheLostKey_andOneWithoutACauseExpired() throws {
        let lost = ExpiryNotice(group: "board", count: 3, days: 20_575...20_582, cause: .lostKey)
        #expect(lost.words == "3 messages to #board are gone with a lost key, 2-9 May")
        let one = ExpiryNotice(group: nil, count: 1, days: 9...9, cause: .lostKey)
        #expect(one.words == "1 message to you is gone with a lost key, 10 Jan")
        #expect(lost.text.contains("recovery kit") && !lost.text.contains("limited time"))
        guard case .object(var fields) = lost.json else {
            Issue.record("no object")
            return
        }
        fields["cause"] = nil
        #expect(ExpiryNotice(json: .object(fields)) == ExpiryNotice(group: "board", count: 3, days: 20_575...20_582))
        fields["cause"] = "gossip"
        #expect(ExpiryNotice(json: .object(fields)) == nil)
    }

    @Test func days_areReadBackFromTheirDates() {
        for day in [0, 59, 789, 20_575, 36_524, 47_540] { #expect(DeliveryReport.day(DeliveryReport.date(day)) == day) }
        for text in ["", "2026-02-30", "2026-13-01", "20260501", "1969-12-31"] {
            #expect(DeliveryReport.day(text) == nil, "\(text)")
        }
    }

    @Test func theText_isForPeople() {
        #expect(report.text.contains("bob@node.test: fetched") && report.text.contains("dora@node.test: held, mailbox full"))
    }
}
