// The signed statement about a node's seal key: read from the lines of EHLO, and nothing in it or beside it can be changed.

import DDSCore
import DDSSeal
import DDSTestKit
import Testing

@testable import DDSNode

@Suite struct SealStatementTests {
    private let node = SigningKey.generate()
    private let classical = AgeIdentity.generate(random: SeededRandom(seed: 1)).recipient
    private let hybrid = AgeIdentity.generate(kind: .hybrid, random: SeededRandom(seed: 2)).recipient

    private func statement(_ recipients: [AgeRecipient], number: UInt64 = 3) -> SealStatement {
        SealStatement(
            number: number, notBefore: WallTime(milliseconds: 1_795_392_000_999),
            notAfter: WallTime(milliseconds: 1_796_000_000_000),
            recipients: recipients.map { "\($0)" })
    }

    private func lines(
        _ recipients: [AgeRecipient], number: UInt64 = 3, by key: SigningKey? = nil, of domain: String = "node.test"
    ) -> [String] {
        ["node.test greets", "SIZE 5"] + SealAnnouncement.capabilities(recipients)
            + [statement(recipients, number: number).capability(of: domain, signedBy: key ?? node), "AUTH EXTERNAL"]
    }

    private func read(_ lines: [String], of domain: String = "node.test") throws(SealStatement.Mistrust) -> SealStatement? {
        try SealStatement(in: lines, of: domain, signedBy: node.publicKey)
    }

    @Test func whatWasSigned_isReadToTheSecond() throws {
        for recipients in [[classical], [classical, hybrid], [hybrid]] {
            let lines = lines(recipients)
            #expect(try read(lines) == statement(recipients))
            #expect(try read(lines.map { $0.replacing("XDDS", with: "xdds") }) == statement(recipients))
            #expect(lines.allSatisfy { $0.utf8.count + 6 <= 512 })
        }
        #expect(statement([classical]).notBefore.milliseconds == 1_795_392_000_000)
        #expect(try read(lines([classical], number: .max))?.number == .max)
        #expect(try read(SealAnnouncement.capabilities([classical, hybrid])) == nil)
        #expect(try read([]) == nil)
    }

    @Test func anotherSignerNodeRecipientOrNumber_isNotBelieved() throws {
        let good = lines([classical, hybrid])
        let other = AgeIdentity.generate(random: SeededRandom(seed: 9)).recipient
        let line = try #require(good.firstIndex { $0.hasPrefix("XDDS-SEAL-KEY ") })
        var forgeries = [
            lines([classical, hybrid], by: .generate()), lines([classical, hybrid], of: "other.test"),
            good.map { $0.replacing("XDDS-SEAL-KEY 3 ", with: "XDDS-SEAL-KEY 4 ") },
            good.map { $0.replacing(" 1795392000 ", with: " 1795392001 ") },
            good.map { $0.replacing(" 1796000000 ", with: " 1796000001 ") },
            good.map { $0.replacing("\(classical)", with: "\(other)") },
            // Half of a hybrid key is none, and then the statement is about something else.
            good.filter { !$0.hasPrefix("XDDS-SEAL-PQ 2/5") }, good.filter { !$0.hasPrefix("XDDS-SEAL ") },
        ]
        var piece = good
        let index = try #require(piece.firstIndex { $0.hasPrefix("XDDS-SEAL-PQ 5/5") })
        piece[index].removeLast()
        forgeries.append(piece)
        for forgery in forgeries {
            #expect(forgery != good)
            #expect(throws: SealStatement.Mistrust.wrongSignature) { try read(forgery) }
        }
        #expect(throws: SealStatement.Mistrust.wrongSignature) {
            try SealStatement(in: good, of: "node.test", signedBy: SigningKey.generate().publicKey)
        }
        let malformed = [
            "XDDS-SEAL-KEY", "XDDS-SEAL-KEY ", "XDDS-SEAL-KEY 3", "\(good[line]) more",
            good[line].replacing("KEY 3 ", with: "KEY 0 "),
            good[line].replacing("KEY 3 ", with: "KEY -3 "), good[line].replacing("KEY 3 ", with: "KEY  "),
            good[line].replacing(" 1796000000 ", with: " 1795392000 "),
            good[line].replacing(" 1796000000 ", with: " 9223372036854775807 "),
            good[line].replacing(" 1795392000 ", with: " -5 "), String(good[line].dropLast(2)),
        ]
        for text in malformed {
            var lines = good
            lines[line] = text
            #expect(throws: SealStatement.Mistrust.malformed, "\(text)") { try read(lines) }
        }
        #expect(throws: SealStatement.Mistrust.malformed) { try read(good + [good[line]]) }
        #expect(throws: SealStatement.Mistrust.malformed) { try read([good[line]]) }
    }

    @Test func replyNamesTheNumber_andNothingElseDoes() {
        #expect(SealStatement.number(in: "4.7.0 \(SealStatement.word(12)) is the key") == 12)
        #expect(SealStatement.number(in: "it does not open; seal-key=7 is the one of now") == 7)
        for text in ["", "seal-key=", "seal-key=0", "seal-key=x", "seal-key 5", "a seal-key-5", "xseal-key=5", "seal-key=-1"] {
            #expect(SealStatement.number(in: text) == nil, "\(text)")
        }
    }
}
