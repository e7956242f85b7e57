import DDSCore
import DDSTestKit
import Testing

@testable import DDSSeal

@Suite struct RecoveryCodeTests {
    private static let content = SeededRandom(seed: 5).bytes(123)
    private static let code: [UInt8] = RecoveryCode.encode(Seal.secret(content)).withExposed { Array($0) }
    private static let markCount = "DDS-RECOVERY-1".utf8.count

    private func error(_ text: [UInt8]) -> RecoveryCodeError? {
        do throws(RecoveryCodeError) {
            _ = try RecoveryCode.decode(Seal.secret(text))
            return nil
        } catch {
            return error
        }
    }

    private func opened(_ text: String) -> Bool {
        (try? RecoveryCode.decode(Seal.secret(Array(text.utf8))))?.isEqual(to: Self.content) ?? false
    }

    @Test func code_comesBack() {
        let text = String(decoding: Self.code, as: UTF8.self)
        #expect(text.hasPrefix("DDS-RECOVERY-1") && text == text.uppercased())
        for count in [0, 1, 2, 5, 255, 256, 1000] {
            let content = SeededRandom(seed: UInt64(count)).bytes(count)
            let code = RecoveryCode.encode(Seal.secret(content))
            #expect((try? RecoveryCode.decode(code))?.isEqual(to: content) == true, "\(count)")
        }
    }

    @Test func whatPeopleMakeOfIt_isReadAllTheSame() {
        let text = String(decoding: Self.code, as: UTF8.self)
        let groups =
            [String(text.prefix(Self.markCount))]
            + stride(from: Self.markCount, to: text.count, by: 4).map {
                String(Array(text)[$0..<min($0 + 4, text.count)])
            }
        let lines = stride(from: 0, to: groups.count, by: 8).map {
            groups[$0..<min($0 + 8, groups.count)].joined(separator: " ")
        }
        for form in [
            text, text.lowercased(), " \n\t" + text + "\r\n", lines.joined(separator: "\n"), lines.joined(separator: "\r\n"),
            "<p>It begins here: \(lines.joined(separator: "\n"))</pre>and goes on",
            lines.joined(separator: "\n") + "\n\nwords behind it",
            "\(text)\n\n\(text.lowercased())\n",
        ] { #expect(opened(form), "\(form)") }
    }

    @Test func everyTruncation_isToldAsSuch() {
        for length in 0..<Self.code.count {
            switch error(Array(Self.code.prefix(length))) {
            case .absent: #expect(length < Self.markCount)
            case .checksum: #expect((Self.markCount..<Self.markCount + 5).contains(length), "\(length)")
            case .incomplete(let characters, let all):
                #expect(characters == length - Self.markCount && all == Self.code.count - Self.markCount)
            case let other: Issue.record("\(length): \(String(describing: other))")
            }
        }
    }

    @Test func everyWrongLetter_isRefused() {
        let alphabet = Array("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".utf8)
        for index in Self.markCount..<Self.code.count {
            for letter in alphabet where letter != Self.code[index] {
                var code = Self.code
                code[index] = letter
                switch error(code) {
                case .checksum, .newer: continue
                // In the first characters stands how long it is.
                case .incomplete, .tooLong: #expect(index < Self.markCount + 5)
                case let other: Issue.record("\(index): \(String(describing: other))")
                }
            }
        }
    }

    @Test func twoExchangedLetters_areRefused() {
        for index in Self.markCount..<Self.code.count - 1 where Self.code[index] != Self.code[index + 1] {
            var code = Self.code
            code.swapAt(index, index + 1)
            #expect(error(code) != nil, "\(index)")
        }
    }

    @Test func lettersOfNoCode_areTold() {
        var code = Self.code
        code[Self.markCount + 6] = UInt8(ascii: "B")
        #expect(error(code) == .badCharacter(7))
        #expect("\(RecoveryCodeError.badCharacter(7))".contains("character 7"))
    }

    @Test func whatIsTooLong_isTold() {
        let all = Self.code.count - Self.markCount
        #expect(error(Self.code + Array("QQ".utf8)) == .tooLong(characters: all + 2, of: all))
    }

    @Test func newerVersion_isNotReadAsThisOne() {
        let newer = RecoveryCode.encode(Seal.secret(Self.content), version: 2).withExposed { Array($0) }
        #expect(error(newer) == .newer(version: 2))
        #expect(error(Array(newer.dropLast())) == .checksum)
    }

    @Test func twoCodes_areRefused() {
        let other = RecoveryCode.encode(.random(40)).withExposed { Array($0) }
        #expect(error(Self.code + [0x0a, 0x0a] + other) == .several)
    }

    @Test func textWithoutACode_isToldAsSuch() {
        #expect(error([]) == .absent && error(Array("DDS-RECOVERY-".utf8)) == .absent && error(Array("hello".utf8)) == .absent)
    }

    @Test func everyError_hasAnotherSentence() {
        let errors: [RecoveryCodeError] = [
            .absent, .badCharacter(1), .incomplete(characters: 1, of: 2), .tooLong(characters: 3, of: 2), .checksum,
            .newer(version: 2), .several,
        ]
        #expect(Set(errors.map(\.description)).count == errors.count)
    }
}
