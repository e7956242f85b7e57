// What an agent and a node say to each other when a member's mailbox key changes: one sealed message to control@NODE with the
// statement inside, and an SMTP reply that says how far the node is with it.

import DDSCore
import FoundationEssentials

/// The body of such a message, `application/vnd.ddsnode.mailbox-key+json`.
package struct KeyStating: Hashable, Sendable {
    package static let contentType = "application/vnd.ddsnode.mailbox-key+json"
    /// Local part of the address that takes what agents say to the node itself.
    package static let localPart = "control"

    /// The Ed25519 key of the member's identity: introduces it where the node does not know it yet.
    package var identity: [UInt8]
    package var statement: [UInt8]

    package init(identity: [UInt8], statement: [UInt8]) {
        self.identity = identity
        self.statement = statement
    }

    /// The whole inner message.
    package var message: [UInt8] {
        let body: JSONValue = ["identity": .text(Self.base64(identity)), "statement": .text(Self.base64(statement))]
        return Array("MIME-Version: 1.0\r\nContent-Type: \(Self.contentType)\r\n\r\n".utf8) + body.line + [0x0d, 0x0a]
    }

    /// Nil when `message` is none.
    package init?(message: [UInt8]) {
        let text = String(decoding: message, as: UTF8.self)
        guard let end = text.firstRange(of: "\r\n\r\n"), text[..<end.lowerBound].lowercased().contains(Self.contentType),
            let body = JSONValue(parsing: Array(text[end.upperBound...].utf8)),
            let identity = body["identity"]?.string.flatMap({ Base64.decode(Array($0.utf8)) }), identity.count == 32,
            let statement = body["statement"]?.string.flatMap({ Base64.decode(Array($0.utf8)) })
        else { return nil }
        self.init(identity: identity, statement: statement)
    }

    private static func base64(_ bytes: [UInt8]) -> String { String(decoding: Base64.encode(bytes), as: UTF8.self) }
}

/// What the node knows of a member's mailbox keys; the first line of its replies to a `KeyStating`.
package struct KeyStanding: Hashable, Sendable {
    /// The number of the last statement that was accepted; 0 before the first.
    package var number: UInt64
    /// Copies at the node, waiting, held or being made, that are sealed to a key of a lower number. None of them means that
    /// none will ever come.
    package var older: Int

    package init(number: UInt64, older: Int) {
        self.number = number
        self.older = older
    }

    package var line: String { "key \(number) older \(older)" }

    package init?(line: String) {
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 4, words[0] == "key", words[2] == "older", let number = UInt64(words[1]),
            let older = Int(words[3]),
            older >= 0
        else { return nil }
        self.init(number: number, older: older)
        guard self.line == line else { return nil }
    }
}
