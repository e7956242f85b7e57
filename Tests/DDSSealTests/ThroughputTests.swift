// Figures, not judgements: `DDSNODE_MEASURE=1 swift test -c release -Xswiftc -enable-testing --filter ThroughputTests`.

import DDSCore
import DDSTestKit
import Foundation
import Testing

@testable import DDSSeal

@Suite(
    .serialized, .enabled(if: ProcessInfo.processInfo.environment["DDSNODE_MEASURE"] != nil, "set DDSNODE_MEASURE to measure"))
struct ThroughputTests {
    private static let pieceBytes = 65536
    private static let pieces = 1024

    private func report(_ what: String, _ work: () throws -> Void) rethrows {
        let duration = try ContinuousClock().measure(work)
        let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
        print("\(what): \(Int(Double(Self.pieces * Self.pieceBytes) / seconds / 1e6)) MB/s")
    }

    @Test(arguments: [nil, AgeArmor.LineEnd.lf, .crlf])
    func bigFile_thereAndBack(_ armor: AgeArmor.LineEnd?) throws {
        let identity = AgeIdentity.generate(random: SystemRandom())
        let piece = SystemRandom().bytes(Self.pieceBytes)
        var file: [[UInt8]] = []
        let name = armor.map { "armor with \($0)" } ?? "binary"
        try report("encrypt to \(name)") {
            var encryptor = try AgeEncryptor(recipients: [identity.recipient], armor: armor, random: SystemRandom())
            for _ in 0..<Self.pieces { file.append(encryptor.update(piece[...])) }
            file.append(encryptor.finish())
        }
        var bytes = 0
        try report("decrypt from \(name)") {
            var decryptor = AgeDecryptor(identities: [identity])
            for piece in file { bytes += try decryptor.feed(piece).count }
            bytes += try decryptor.finish().count
        }
        #expect(bytes == Self.pieces * Self.pieceBytes)
    }

    @Test func armorAlone_thereAndBack() throws {
        let piece = SystemRandom().bytes(Self.pieceBytes)
        var text: [[UInt8]] = []
        report("armor alone") {
            var encoder = AgeArmorEncoder(lineEnd: .crlf)
            for _ in 0..<Self.pieces { text.append(encoder.update(piece[...])) }
            text.append(encoder.finish())
        }
        var bytes = 0
        try report("dearmor alone") {
            var decoder = AgeArmorDecoder()
            for piece in text { bytes += try decoder.update(piece[...]).count }
            try decoder.finish()
        }
        #expect(bytes == Self.pieces * Self.pieceBytes)
    }

    @Test func headers_ofManyMembers() throws {
        let members = (0..<1000).map { _ in AgeIdentity.generate(random: SystemRandom()).recipient }
        let duration = try ContinuousClock().measure {
            _ = try FanOut.headers(fileKey: .generate(random: SystemRandom()), recipients: members, random: SystemRandom())
        }
        print("own headers: \(duration / members.count) each")
    }
}
