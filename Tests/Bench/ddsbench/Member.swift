// The members that the measurements play: their keys follow from their numbers, so that every run of this tool can be any of
// them. For measuring only: such keys protect nothing.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSTLS

struct Member {
    static let domain = "bench.test"

    let number: Int

    var name: String { "m\(number)" }
    var address: String { "\(name)@\(Self.domain)" }

    /// TLS with this member's device key.
    func context() throws -> TLSContext {
        let seed = Hash.blake2b(Array("ddsbench device \(number)".utf8))
        let start = WallTime(milliseconds: Loop.time.wall.milliseconds - 86_400_000)
        let identity = try TLSIdentity.selfSigned(seed: seed, commonName: "ddsbench", notBefore: start, lifetimeDays: 3650)
        return try TLSContext.client(identity: identity, pinnedKeyHash: nil, minimum: .tls13)
    }

    var recipient: AgeRecipient {
        var seed = Hash.blake2b(Array("ddsbench mailbox \(number)".utf8))
        return AgeIdentity(secret: SecretBytes(consuming: &seed)).recipient
    }
}

/// Submissions ready to be sent.
enum Mail {
    /// A message of `bytes` octets with a submission id of its own.
    static func message(to address: String, bytes: Int, random: SystemRandom) -> [UInt8] {
        var message = Array(
            """
            From: <m0@\(Member.domain)>\r
            To: <\(address)>\r
            Subject: Figures\r
            X-DDS-Submission: \(Hex.encode(random.bytes(16)))\r
            \r

            """.utf8)
        let line = Array("The quick brown fox jumps over the lazy dog, and the dog takes it well.\r\n".utf8)
        while message.count + line.count <= bytes { message += line }
        return message + [UInt8](repeating: 0x2b, count: max(0, bytes - message.count - 2)) + [0x0d, 0x0a]
    }

    /// `message` in armor for the node, as an agent submits it.
    static func sealed(_ message: [UInt8], to address: String, nodeRecipient: AgeRecipient, random: SystemRandom) throws
        -> [UInt8]
    {
        guard let from = MailAddress("m0@\(Member.domain)"), let to = MailAddress(address) else {
            throw BenchError("\(address) is no address")
        }
        var encryptor = try AgeEncryptor(recipients: [nodeRecipient], armor: .crlf, random: random)
        let head = SealedWrapper.head(
            node: Member.domain, from: from, to: to, id: Hex.encode(random.bytes(16)), day: Loop.time.wall.day)
        return head + encryptor.update(message[...]) + encryptor.finish()
    }

    /// The whole transaction in one flight: MAIL, RCPT, BDAT.
    static func transaction(_ message: [UInt8], from: String, to: String) -> [UInt8] {
        Array("MAIL FROM:<\(from)>\r\nRCPT TO:<\(to)>\r\nBDAT \(message.count) LAST\r\n".utf8) + message
    }
}

/// SMTP up to the login.
@LoopActor enum Submission {
    /// Greets and returns the key that the node announces.
    static func hello(_ connection: Connection) async throws -> AgeRecipient {
        _ = try await connection.reply("2")
        try connection.send("EHLO [127.0.0.1]\r\n")
        let lines = try await connection.reply("2").map { String($0.dropFirst(4)) }
        guard let text = SealAnnouncement.recipient(in: lines) else { throw BenchError("the node announces no key") }
        return try AgeRecipient(text)
    }

    /// Proves who it is with the device key.
    static func authenticate(_ connection: Connection, as name: String) async throws {
        let identity = String(decoding: Base64.encode(Array(name.utf8)), as: UTF8.self)
        try connection.send("AUTH EXTERNAL \(identity)\r\n")
        _ = try await connection.reply("2")
    }

    static func authenticate(_ connection: Connection, user: String, password: String) async throws {
        let response = String(decoding: Base64.encode(Array("\0\(user)\0\(password)".utf8)), as: UTF8.self)
        try connection.send("AUTH PLAIN \(response)\r\n")
        _ = try await connection.reply("2")
    }
}
