// How a member comes back who has lost everything but the recovery kit: by a claim that the identity has signed for this node
// and the new device, and by the next statement of the chain. Who is no member here, has no identity, or another one than the
// kit, is told one and the same: the answers must not say who has an account.

import DDSCore
import DDSNode
import DDSSeal

extension Directory {
    /// What comes of a request to restore an account.
    enum Restoring: Hashable, Sendable {
        /// The answer to the question for the last statement.
        case head(StatementHead)
        /// To be stored; empty when the very same was accepted before.
        case accepted([DirectoryEvent], name: String)
        /// In words for whoever holds the kit.
        case refused(String)
        /// Another statement was accepted since they asked.
        case outrun(String)
    }

    static let unknownToRestore =
        "this kit fits to no account of this node: it is of another node, or the account has another identity or was removed, or it "
        + "logs in with a password, for which there are no kits; ask the node's administrator for an invite"

    /// `node` is the node's own identity; `deviceKey` the hash of the TLS connection's key in hexadecimal.
    func restoring(_ request: RestoreRequest, deviceKey: String, domain: String, node: [UInt8], now: WallTime) -> Restoring {
        let account = request.address.domain == domain ? accounts[request.address.local] : nil
        let identity = account?.identity.flatMap { Hex.decode($0) }
        guard let device = Hex.decode(deviceKey), device.count == 32 else { return .refused(Self.unknownToRestore) }
        // A signature is looked at in any case: how long the answer takes says no more than the answer.
        let isSigned = request.claim(device: device, node: node).isSigned(request.signature, by: identity ?? node)
        guard let account, let identity, isSigned, let number = account.keyNumber,
            let last = account.statement.flatMap({ Base64.decode(Array($0.utf8)) })
        else { return .refused(Self.unknownToRestore) }
        if account.isSuspended { return .refused("\(account.name) is suspended; ask the node's administrator") }
        if let words = Self.clockTrouble(request.time, now: now) { return .refused(words) }
        guard let signed = request.statement else {
            return .head(StatementHead(number: number, hash: MailboxStatement.hash(of: last)))
        }
        if signed == last, account.login == .deviceKey(deviceKey) { return .accepted([], name: account.name) }
        if let other = self.account(deviceKey: deviceKey), other.name != account.name {
            return .refused("this device already belongs to a member; use a fresh state folder")
        }
        return restoring(account, by: identity, signed, device: device, address: request.address, last: last, number: number)
    }

    private func restoring(
        _ account: Account, by identity: [UInt8], _ signed: [UInt8], device: [UInt8], address: MailAddress, last: [UInt8],
        number: UInt64
    ) -> Restoring {
        let statement: MailboxStatement
        do throws(StatementRefusal) {
            statement = try MailboxStatement(signed, by: identity)
            try statement.check(holder: .member(address), device: device, recipient: statement.recipient)
        } catch {
            return .refused(error.description)
        }
        do throws(StatementRefusal) {
            try statement.check(follows: last, number: number)
        } catch {
            return .outrun("another key of this account was accepted meanwhile; run the same again")
        }
        if AgeKeyKind(accepted: statement.recipient) == .classical, let group = groupRequiringHybrid(of: account.name) {
            return .refused("\(group) takes post-quantum keys only and this agent made a classical one; update ddsnode")
        }
        return .accepted(
            [
                .accessRestored(
                    name: account.name, deviceKey: Hex.encode(device), number: statement.number, recipient: statement.recipient,
                    statement: String(decoding: Base64.encode(signed), as: UTF8.self))
            ], name: account.name)
    }

    private static func clockTrouble(_ time: WallTime, now: WallTime) -> String? {
        let minutes = abs(time.milliseconds - now.milliseconds) / 60_000
        guard Duration.seconds(minutes * 60) > RestoreClaim.clockMax else { return nil }
        let side = time.milliseconds < now.milliseconds ? "behind" : "before"
        return "the clock of this machine is \(minutes) minutes \(side) the node's; set it right and run the same again"
    }
}
