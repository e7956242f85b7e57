// How a member's mailbox key changes: by the next statement of the identity that the node knows, and by nothing else.

import DDSCore
import DDSNode
import DDSSeal

extension Directory {
    /// What comes of a statement.
    enum Stating: Hashable, Sendable {
        /// To be stored; empty when the very same statement was accepted before.
        case accepted([DirectoryEvent])
        /// In words for the member.
        case refused(String)
    }

    /// Checks a statement that the device with that maildrop has sent. Where no identity is known yet, of a member who was enrolled before
    /// there were any, the first one is believed: it came over a connection that the device's key has proven.
    func stating(_ stating: KeyStating, of mailbox: UInt64, domain: String) -> Stating {
        guard let account = account(mailbox: mailbox), case .deviceKey(let key) = account.login, let device = Hex.decode(key),
            let address = MailAddress(local: account.name, domain: domain)
        else { return .refused("only a member's agent can change the key that mail is sealed to") }
        do throws(StatementRefusal) {
            guard account.identity.map({ $0 == Hex.encode(stating.identity) }) ?? true else { throw .foreignIdentity }
            let statement = try MailboxStatement(stating.statement, by: stating.identity)
            let last = account.statement.flatMap { Base64.decode(Array($0.utf8)) }
            if stating.statement == last { return .accepted([]) }
            try statement.check(holder: .member(address), device: device, recipient: statement.recipient)
            try statement.check(follows: last, number: account.keyNumber ?? 0)
            if AgeKeyKind(accepted: statement.recipient) == .classical, let group = groupRequiringHybrid(of: account.name) {
                return .refused("\(group) takes post-quantum keys only and this agent made a classical one; update ddsnode")
            }
            let text = String(decoding: Base64.encode(stating.statement), as: UTF8.self)
            guard accounts[account.name]?.mailbox == mailbox else {
                return .accepted([
                    .deviceKeyStated(
                        name: account.name, device: account.deviceNumber, number: statement.number,
                        recipient: statement.recipient, statement: text)
                ])
            }
            return .accepted([
                .keyStated(
                    name: account.name, identity: Hex.encode(stating.identity), number: statement.number,
                    recipient: statement.recipient, statement: text)
            ])
        } catch {
            return .refused(error.description)
        }
    }
}
