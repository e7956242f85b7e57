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
        NodeRequest.message(
            type: Self.contentType,
            ["identity": .text(NodeRequest.base64(identity)), "statement": .text(NodeRequest.base64(statement))])
    }

    /// Nil when `message` is none.
    package init?(message: [UInt8]) {
        guard let body = NodeRequest.body(of: message, type: Self.contentType),
            let identity = NodeRequest.octets(body["identity"]), identity.count == 32,
            let statement = NodeRequest.octets(body["statement"])
        else { return nil }
        self.init(identity: identity, statement: statement)
    }
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
