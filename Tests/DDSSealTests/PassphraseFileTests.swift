import DDSCore
import DDSTestKit
import Testing

@testable import DDSSeal

/// What is told apart when a passphrase file does not open.
@Suite struct PassphraseFileTests {
    private static let random = SeededRandom(seed: 11)
    private static let content: [UInt8] = Array("# ddsnode vault 1\n# store 0707\n".utf8)
    private static let file = make()

    private static func make() -> [UInt8] {
        do {
            return try PassphraseFile.seal(
                Seal.secret(content), passphrase: Seal.secret("right"), workFactor: 1, random: random)
        } catch {
            preconditionFailure("a small work factor needs no memory: \(error)")
        }
    }

    private func error(_ file: [UInt8], _ passphrase: String = "right") -> VaultError? {
        do throws(VaultError) {
            _ = try PassphraseFile.open(file, passphrase: Seal.secret(passphrase))
            return nil
        } catch {
            return error
        }
    }

    @Test func everyTruncation_isDamage() {
        for length in 0..<Self.file.count {
            let found = error(Array(Self.file.prefix(length)))
            guard case .damaged = found else {
                Issue.record("\(length): \(String(describing: found))")
                continue
            }
        }
    }

    /// With a wrong passphrase a cut is seen as far as the check reaches; behind it the passphrase is what is wrong first.
    @Test func truncationUnderAWrongPassphrase_isNeverTakenForTheRightOne() throws {
        var reader = AgeHeaderReader()
        let header = try reader.feed(Self.file[...])
        for length in 0..<Self.file.count {
            switch error(Array(Self.file.prefix(length)), "wrong") {
            case .damaged: #expect(length < header, "\(length)")
            case .wrongOrDamaged: #expect((header..<header + 16).contains(length), "\(length)")
            case .wrongPassphrase: #expect(length >= header + 16, "\(length)")
            case let other: Issue.record("\(length): \(String(describing: other))")
            }
        }
    }

    @Test func everyFlippedBit_isDamageAndNeverAWrongPassphrase() {
        for index in Self.file.indices {
            for bit in 0..<8 {
                var file = Self.file
                file[index] ^= 1 << UInt8(bit)
                switch error(file) {
                case .damaged, .wrongOrDamaged, .tooCostly: continue
                case let other: Issue.record("byte \(index), bit \(bit): \(String(describing: other))")
                }
            }
        }
    }

    @Test func wrongPassphraseOfAWholeFile_isNothingElse() {
        for passphrase in ["wrong", "", "right ", "Right"] { #expect(error(Self.file, passphrase) == .wrongPassphrase) }
        #expect(error(Self.file) == nil)
    }

    /// The check depends on the whole header and so is another in each file.
    @Test func check_isOfThisHeaderOnly() throws {
        let other = Self.make()
        var reader = AgeHeaderReader()
        let header = try reader.feed(Self.file[...])
        #expect(Self.file[header..<header + 16] != other[header..<header + 16])
        let mixed = Array(Self.file[..<header] + other[header...])
        #expect(error(mixed, "wrong") == .wrongOrDamaged)
        #expect(error(mixed) == .damaged(AgeError.payloadFailure.text))
    }

    /// 2^23 KiB are 8 GiB: that this ends at once shows that nothing is tried.
    @Test(arguments: [23, 30, 63, 64, 99]) func workFactorAboveTheLimit_isRefusedWithoutTheWork(_ factor: Int) {
        let text = String(decoding: Self.file, as: Unicode.ASCII.self)
        let line = text.split(separator: "\n")[1]
        let asked = Array((line.dropLast() + "\(factor)").utf8)
        let rest = Self.file.dropFirst(Self.file.firstRange(of: Array(line.utf8))?.upperBound ?? 0)
        let file = AgeHeader.versionLine + asked + rest
        #expect(error(file) == .tooCostly(workFactor: factor))
        #expect(error(file, "wrong") == .tooCostly(workFactor: factor))
    }

    @Test func workFactorAtTheLimit_isTried() throws {
        let file = try PassphraseFile.seal(Seal.secret([1]), passphrase: Seal.secret("a"), workFactor: 5, random: Self.random)
        #expect(try PassphraseFile.open(file, passphrase: Seal.secret("a"), maxWorkFactor: 5).count == 1)
        #expect(throws: VaultError.tooCostly(workFactor: 5)) {
            try PassphraseFile.open(file, passphrase: Seal.secret("a"), maxWorkFactor: 4)
        }
    }

    @Test func everyError_hasAnotherSentence() {
        let errors: [VaultError] = [
            .wrongPassphrase, .wrongOrDamaged, .damaged("cut"), .tooCostly(workFactor: 23), .memoryShort(workFactor: 22),
        ]
        #expect(Set(errors.map(\.description)).count == errors.count)
        #expect("\(VaultError.memoryShort(workFactor: 22))".contains("4096 MiB"))
    }
}

@Suite struct WorkFactorTests {
    /// A machine on which the factor 14 takes so long, and on which each further one takes twice as long.
    private func chosen(at14 milliseconds: Double, memory: Int = 1 << 40, until last: Int = 99) -> (factor: Int, tried: [Int]) {
        var tried: [Int] = []
        let factor = WorkFactor.measured(memoryBytes: memory) { factor in
            tried.append(factor)
            return factor > last ? nil : .microseconds(Int64(milliseconds * 1000) << Int64(factor - 14))
        }
        return (factor, tried)
    }

    @Test func nearestToASecond_isChosen() {
        // 40 ms at 14 are 640 ms at 18 and 1.28 s at 19.
        #expect(chosen(at14: 40).factor == 19)
        #expect(chosen(at14: 50).factor == 18)
        #expect(chosen(at14: 44).factor == 19)
        #expect(chosen(at14: 45).factor == 18)
    }

    @Test func limits_areKept() {
        #expect(chosen(at14: 5000).factor == 17)
        #expect(chosen(at14: 0.5).factor == 22)
        #expect(chosen(at14: 4, memory: 16 << 30).factor == 22)
        #expect(chosen(at14: 4, memory: (16 << 30) - 1).factor == 21)
        #expect(chosen(at14: 4, memory: 1 << 30).factor == 18)
        #expect(chosen(at14: 4, memory: 1).factor == 17)
    }

    @Test func whatCannotBeMeasured_costsTheLeast() {
        #expect(chosen(at14: 0).factor == 17)
        #expect(chosen(at14: 4, until: 13).factor == 17)
    }

    @Test func measuring_endsWithTheFirstLongTry() {
        #expect(chosen(at14: 40).tried == [14, 15, 16])
        #expect(chosen(at14: 200).tried == [14])
        #expect(chosen(at14: 1).tried == [14, 15, 16, 17])
    }

    @Test func spending_isWhatSealingDoes() { #expect(PassphraseFile.spend(workFactor: 4)) }
}
