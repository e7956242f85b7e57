// Own headers as the node makes them, from the text of a member's key to the bytes, and the bare primitives of as many: turn
// about on the same core, so that what else the machine does hits both.

import CSodium
import Crypto
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import FoundationEssentials

@LoopActor enum Headers {
    /// Headers per second of each kind and of the primitives below it, on one thread, or on `threads` at once.
    static func measure(threads: Int, seconds: Double) async throws -> [(String, JSONValue)] {
        Sodium.start()
        var fields: [(String, JSONValue)] = []
        for kind in AgeKeyKind.allCases {
            let recipient = AgeIdentity.generate(kind: kind, random: SystemRandom()).recipient
            let runs = (0..<threads).map { _ in
                Task(executorPreference: Loop.main) { await Loop.offload { inTurn(recipient, Int64(seconds * 1e9)) } }
            }
            var own = 0.0
            var raw = 0.0
            for run in runs {
                let rates = await run.value
                own += rates.own
                raw += rates.raw
            }
            fields.append(("\(kind)_per_second", .number(Int(own))))
            fields.append(("\(kind)_raw_per_second", .number(Int(raw))))
        }
        return fields
    }

    private nonisolated static let turnNanoseconds: Int64 = 50_000_000

    /// Rates over turns that take `nanoseconds` together.
    private nonisolated static func inTurn(_ recipient: AgeRecipient, _ nanoseconds: Int64) -> (own: Double, raw: Double) {
        var own = (count: 0, time: Int64(0))
        var raw = own
        while own.time + raw.time < nanoseconds {
            let raws = timed {
                recipient.kind == .classical ? rawHeaders(turnNanoseconds) : rawHybrid(recipient, turnNanoseconds)
            }
            raw = (raw.count + raws.count, raw.time + raws.time)
            let owns = timed { ownHeaders(recipient, turnNanoseconds) }
            own = (own.count + owns.count, own.time + owns.time)
        }
        return (Double(own.count) / Double(own.time) * 1e9, Double(raw.count) / Double(raw.time) * 1e9)
    }

    private nonisolated static func timed(_ work: () -> Int) -> (count: Int, time: Int64) {
        let start = Loop.time.now
        let count = work()
        return (count, (Loop.time.now - start).nanoseconds)
    }

    private nonisolated static func ownHeaders(_ recipient: AgeRecipient, _ nanoseconds: Int64) -> Int {
        let random = SystemRandom()
        let text = "\(recipient)"
        let start = Loop.time.now
        var count = 0
        while (Loop.time.now - start).nanoseconds < nanoseconds {
            let keys = (0..<16).map { _ in try? AgeRecipient(accepted: text) }
            count += FanOut.attempts(fileKey: .generate(random: random), recipients: keys, random: random).count {
                (try? $0.get()) != nil
            }
        }
        return count
    }

    /// HPKE with X-Wing for the file key, and the HMAC of a header of that size.
    private nonisolated static func rawHybrid(_ recipient: AgeRecipient, _ nanoseconds: Int64) -> Int {
        let suite = HPKE.Ciphersuite(kem: .XWingMLKEM768X25519, kdf: .HKDF_SHA256, aead: .chaChaPoly)
        let info = Data("age-encryption.org/mlkem768x25519".utf8)
        let fileKey = [UInt8](repeating: 1, count: 16)
        let header = [UInt8](repeating: 6, count: AgeHeader.ownHeaderBytes(.hybrid) - 45)
        var code = [UInt8](repeating: 0, count: 32)
        guard let key = try? XWingMLKEM768X25519.PublicKey(rawRepresentation: recipient.bytes) else { return 0 }
        let start = Loop.time.now
        var count = 0
        while (Loop.time.now - start).nanoseconds < nanoseconds {
            guard var sender = try? HPKE.Sender(recipientKey: key, ciphersuite: suite, info: info),
                (try? sender.seal(fileKey)) != nil
            else { return 0 }
            rawHMAC(code, header, &code)
            count += 1
        }
        return count
    }
}

/// Two X25519, HKDF-SHA-256, the file key's AEAD and the header's HMAC, as often as fits into `nanoseconds`.
private nonisolated func rawHeaders(_ nanoseconds: Int64) -> Int {
    var secret = [UInt8](repeating: 9, count: 32)
    var share = [UInt8](repeating: 0, count: 32)
    var shared = [UInt8](repeating: 0, count: 32)
    var key = [UInt8](repeating: 0, count: 32)
    var body = [UInt8](repeating: 0, count: 32)
    let member = [UInt8](repeating: 3, count: 32)
    let nonce = [UInt8](repeating: 0, count: 12)
    let salt = [UInt8](repeating: 4, count: 64)
    let info = [UInt8](repeating: 5, count: 29)
    let header = [UInt8](repeating: 6, count: 123)
    let start = Loop.time.now
    var count = 0
    while (Loop.time.now - start).nanoseconds < nanoseconds {
        secret[5] &+= 1
        unsafe crypto_scalarmult_base(&share, secret)
        _ = unsafe crypto_scalarmult(&shared, secret, member)
        rawHMAC(salt, shared, &key)
        rawHMAC(key, info, &key)
        unsafe crypto_aead_chacha20poly1305_ietf_encrypt(
            &body, nil, [UInt8](repeating: 1, count: 16), 16, nil, 0, nil, nonce, key)
        rawHMAC(key, header, &shared)
        count += 1
    }
    return count
}

private nonisolated func rawHMAC(_ key: [UInt8], _ message: [UInt8], _ code: inout [UInt8]) {
    var state = crypto_auth_hmacsha256_state()
    unsafe crypto_auth_hmacsha256_init(&state, key, key.count)
    unsafe crypto_auth_hmacsha256_update(&state, message, UInt64(message.count))
    unsafe crypto_auth_hmacsha256_final(&state, &code)
}
