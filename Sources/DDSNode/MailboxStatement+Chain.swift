// Which statement may come next: the number after the last one that was accepted, made after exactly that one. One that was
// accepted already is the same answer again, because its first may have been lost.

extension MailboxStatement {
    /// Refuses a statement about another key, holder or device than the one it came for.
    package func check(holder: Holder, device: [UInt8], recipient: String) throws(StatementRefusal) {
        guard self.holder == holder, self.device == device, self.recipient == recipient else { throw .aboutAnother }
    }

    /// Refuses what does not begin a chain.
    package func checkFirst() throws(StatementRefusal) {
        guard number == 1 else { throw .skipped }
        guard previous == Self.noPrevious else { throw .brokenChain }
    }
}

/// What a newcomer says of themselves at the enrolment beside the keys: who they are, and that the mailbox key is theirs.
package struct MemberCredential: Hashable, Sendable {
    /// The Ed25519 key of the member's identity, 32 bytes.
    package var identity: [UInt8]
    /// Statement 1, signed.
    package var statement: [UInt8]

    package init(identity: [UInt8], statement: [UInt8]) {
        self.identity = identity
        self.statement = statement
    }

    /// The statement, if it is one of `identity` that begins a chain and is about this invite, device and key.
    package func checked(
        invite: UInt32, domain: String, device: [UInt8], recipient: String
    ) throws(StatementRefusal) -> MailboxStatement {
        let statement = try MailboxStatement(statement, by: identity)
        try statement.check(holder: .invite(invite, domain: domain), device: device, recipient: recipient)
        try statement.checkFirst()
        return statement
    }
}
