// What passing a message on to a group costs on one core, in each mode: from the octets of the submission to the payload and a
// header for each reader. Beside it the same for one reader, the bare cipher over as many octets there and back, and the armor.

import CSodium
import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSServer

@LoopActor enum Modes {
    /// As the network hands it over.
    private nonisolated static let pieceBytes = 64 << 10
    private nonisolated static let chunkBytes = 64 << 10

    /// Medians in microseconds.
    static func measure(bytes: Int, readers: Int, rounds: Int) async throws -> [(String, JSONValue)] {
        Sodium.start()
        let random = SystemRandom()
        let node = AgeIdentity.generate(kind: .hybrid, random: random)
        let message = Mail.message(to: "crew@\(Member.domain)", bytes: bytes, random: random)
        let submission = try Mail.sealed(message, to: "crew@\(Member.domain)", nodeRecipient: node.recipient, random: random)
        var figures: [(String, JSONValue)] = []
        for kind in AgeKeyKind.allCases {
            let keys = (0..<readers).map { _ in AgeIdentity.generate(kind: kind, random: random).recipient }
            for mode in [GroupMode.relay, .blind] {
                let time = try await Loop.offload {
                    try median(rounds) {
                        FanOut.attempts(fileKey: try passed(submission, mode, node), recipients: keys, random: random).count
                    }
                }
                figures.append(("\(mode)_\(kind)_us", .number(time)))
            }
            let headers = await Loop.offload {
                median(rounds) {
                    FanOut.attempts(fileKey: .generate(random: random), recipients: keys, random: random).count
                }
            }
            figures.append(("headers_\(kind)_us", .number(headers)))
        }
        figures.append(("once_us", .number(await Loop.offload { median(rounds) { bareOnce(bytes) } })))
        figures.append(("armor_us", .number(try await Loop.offload { try median(rounds) { try armor(submission) } })))
        let one = [AgeIdentity.generate(kind: .hybrid, random: random).recipient]
        let alone = try await Loop.offload {
            try median(rounds) {
                FanOut.attempts(fileKey: try passed(submission, .relay, node), recipients: one, random: random).count
            }
        }
        figures.append(("alone_us", .number(alone)))
        return figures
    }

    private nonisolated static func passed(
        _ submission: [UInt8], _ mode: GroupMode, _ node: AgeIdentity
    ) throws -> AgeFileKey {
        var intake = MessageIntake(mode: mode, identities: [node], random: SystemRandom())
        for start in stride(from: 0, to: submission.count, by: pieceBytes) {
            intake.take(Array(submission[start..<min(start + pieceBytes, submission.count)]))
        }
        guard case .key(let fileKey) = try intake.finish().opening else { throw BenchError("the node opens both modes") }
        return fileKey
    }

    /// ChaCha20-Poly1305 over `bytes` octets in chunks of an age payload, there and back.
    private nonisolated static func bareOnce(_ bytes: Int) -> Int {
        let key = [UInt8](repeating: 7, count: 32)
        var nonce = [UInt8](repeating: 0, count: 12)
        var sealed = [UInt8](repeating: 0, count: chunkBytes + 16)
        var plain = [UInt8](repeating: 0x2b, count: chunkBytes)
        var count = 0
        for start in stride(from: 0, to: bytes, by: chunkBytes) {
            let size = UInt64(min(chunkBytes, bytes - start))
            nonce[0] &+= 1
            unsafe crypto_aead_chacha20poly1305_ietf_encrypt(&sealed, nil, plain, size, nil, 0, nil, nonce, key)
            let status = unsafe crypto_aead_chacha20poly1305_ietf_decrypt(
                &plain, nil, nil, sealed, size + 16, nil, 0, nonce, key)
            precondition(status == 0, "what was sealed opens")
            count += Int(size)
        }
        return count
    }

    /// The armor alone, as it comes out of the wrapper.
    private nonisolated static func armor(_ submission: [UInt8]) throws -> Int {
        var wrapper = SealedWrapperReader()
        var decoder = AgeArmorDecoder()
        var count = 0
        for start in stride(from: 0, to: submission.count, by: pieceBytes) {
            let piece = Array(submission[start..<min(start + pieceBytes, submission.count)])
            count += try decoder.update(wrapper.feed(piece)[...]).count
        }
        return count
    }

    /// Microseconds.
    private nonisolated static func median(_ rounds: Int, _ work: () throws -> Int) rethrows -> Int {
        var times: [Int64] = []
        for _ in 0..<max(1, rounds) {
            let start = Loop.time.now
            let done = try work()
            precondition(done > 0, "something was done")
            times.append((Loop.time.now - start).nanoseconds)
        }
        return Int(times.sorted()[times.count / 2] / 1000)
    }
}
