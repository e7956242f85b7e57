// The reader of wrappers on mutations of them: an error or a result, never a trap, the same however it is cut, and nothing that
// did not come in. `make fuzz` runs many; DDSNODE_SEED replays one.

import DDSCore
import DDSTestKit
import DDSTorture
import Testing

@testable import DDSMail

@Suite struct WrapperFuzzTests {
    private static let samples: [[UInt8]] = [
        "From: <a@b>\r\nContent-Type: application/age\r\nMIME-Version: 1.0\r\n\r\n-----BEGIN AGE ENCRYPTED FILE-----\r\nYWdl\r\n",
        "Content-Type: application/age; x=\"y\r\n z\"\r\nContent-Transfer-Encoding: 7bit\r\n\r\nbody\r\n",
        "Subject: plain\nX-DDS-Pad: aaaaaaaaaaaaaaaaa\n bbbbbbbbbb\nTo: x\n\nbody\n", "no header at all", "\r\n\r\n",
    ].map { Array($0.utf8) }

    private func read(_ pieces: [[UInt8]]) -> (kind: SealedWrapperReader.Kind, bytes: [UInt8])? {
        var reader = SealedWrapperReader(headerLimit: 2000)
        var bytes: [UInt8] = []
        do throws(SealedWrapperReader.ReaderError) {
            for piece in pieces { bytes += try reader.feed(piece) }
            bytes += try reader.finish()
        } catch {
            return nil
        }
        return (reader.kind, bytes)
    }

    @Test func mutatedWrappers_areToldApart_theSameHoweverTheyAreCut() throws {
        try MutationRun.each("WrapperFuzzTests/mutatedWrappers_areToldApart_theSameHoweverTheyAreCut") { random, replay in
            let replay = Comment(rawValue: replay)
            let message = Mutation.mutated(Self.samples, random)
            let whole = read([message])
            let cut = read(Mutation.pieces(message, random))
            #expect(whole?.kind == cut?.kind && whole?.bytes == cut?.bytes, replay)
            switch whole?.kind {
            case .plain?: #expect(whole?.bytes == message, replay)
            case .sealed?: #expect(message.suffix(whole?.bytes.count ?? 0) == (whole?.bytes ?? [])[...], replay)
            case .undecided?: Issue.record("undecided at the end; \(replay)")
            case nil: break
            }
        }
    }
}
