// Invites: one use, expiring, revocable, burnt after five wrong secrets. The number is looked up, the secret compared as a
// hash; the text form is in InviteLink.

import DDSCore
import DDSNode
import DDSSeal

extension Directory {
    /// Wrong secrets an invite survives; 40 bits suffice because of this bound.
    static let triesPerInvite = 5

    /// Creates an invite for a member. `secretHash` is the hash of the secret the caller has drawn; earlier open invites of the
    /// member are revoked, so that one link at a time is valid.
    func creatingInvite(for name: String, number: UInt32, secretHash: String, expires: WallTime) throws(Failure)
        -> [DirectoryEvent]
    {
        let account = try member(name)
        precondition(invites[number] == nil, "the caller draws a free number")
        let older = invites.values.filter { $0.user == account.name && !$0.isUsed && !$0.isRevoked }.map(\.number).sorted()
        return older.map { .inviteRevoked(number: $0) } + [
            .inviteCreated(
                Invite(
                    number: number, user: account.name, secretHash: secretHash, expires: expires.milliseconds,
                    triesLeft: Self.triesPerInvite))
        ]
    }

    func revokingInvite(_ number: UInt32) throws(Failure) -> [DirectoryEvent] {
        guard let invite = invites[number] else {
            throw Failure(.unknownName, "no invite \(number); see: ddsnode invite list")
        }
        if invite.isUsed {
            throw Failure(
                .badInput, "invite \(number) was used already; to lock \(invite.user) out: ddsnode user suspend \(invite.user)")
        }
        return invite.isRevoked ? [] : [.inviteRevoked(number: number)]
    }

    /// What comes of an enrolment with this invite.
    enum Enrolment: Hashable, Sendable {
        case accepted([DirectoryEvent], name: String)
        /// The text is for the person who holds the invite; the events (a counted try) are to be stored all the same.
        case refused([DirectoryEvent], String)
    }

    /// What somebody who holds an invite is told before joining.
    enum InviteLooked: Hashable, Sendable {
        case offered(Account, until: WallTime)
        /// As `Enrolment` has it.
        case refused([DirectoryEvent], String)
    }

    /// What the invite is for, in the hands of this device. One that the device has used is good for saying so again.
    func looking(inviteNumber: UInt32, secretHash: String, deviceKey: String, now: WallTime) -> InviteLooked {
        switch standing(inviteNumber, secretHash: secretHash, deviceKey: deviceKey, now: now) {
        case .refused(let events, let words): .refused(events, words)
        case .open(let account, let invite), .usedHere(let account, let invite):
            .offered(account, until: WallTime(milliseconds: invite.expires))
        }
    }

    /// What an invite is worth to a device.
    private enum Standing {
        case open(Account, Invite)
        /// This very device has used it.
        case usedHere(Account, Invite)
        case refused([DirectoryEvent], String)
    }

    private static let usedWords = "this invite was used already; ask for a new invite"

    private func standing(_ number: UInt32, secretHash: String, deviceKey: String, now: WallTime) -> Standing {
        let ask = "ask for a new invite"
        guard let invite = invites[number], let account = accounts[invite.user] else {
            return .refused([], "this invite is not known here; \(ask)")
        }
        if account.isSuspended { return .refused([], "\(account.name) is suspended; ask the node's administrator") }
        if invite.isRevoked { return .refused([], "this invite was revoked; \(ask)") }
        if invite.isUsed {
            let isOwn = account.login == .deviceKey(deviceKey) && secretHash == invite.secretHash
            return isOwn ? .usedHere(account, invite) : .refused([], Self.usedWords)
        }
        if invite.triesLeft <= 0 { return .refused([], "this invite was tried too often with a wrong secret; \(ask)") }
        if now.milliseconds >= invite.expires { return .refused([], "this invite has expired; \(ask)") }
        guard secretHash == invite.secretHash else {
            return .refused([.inviteTried(number: number)], "the secret of this invite is wrong; copy the whole line again")
        }
        if self.account(deviceKey: deviceKey) != nil {
            return .refused([], "this device already belongs to a member; use a fresh state folder")
        }
        return .open(account, invite)
    }

    /// `credential` was checked to be about this invite, device and recipient.
    func enrolling(
        inviteNumber: UInt32, secretHash: String, deviceKey: String, recipient: String, credential: MemberCredential? = nil,
        now: WallTime
    ) -> Enrolment {
        let account: Account
        switch standing(inviteNumber, secretHash: secretHash, deviceKey: deviceKey, now: now) {
        case .refused(let events, let words): return .refused(events, words)
        case .open(let invited, _): account = invited
        case .usedHere(let member, _):
            // A reply that was lost on the way: the same device asks again and is told the same.
            guard member.recipient == recipient else { return .refused([], Self.usedWords) }
            return repeated(member, recipient, credential)
        }
        if AgeKeyKind(accepted: recipient) == .classical, let group = groupRequiringHybrid(of: account.name) {
            return .refused(
                [], "\(group) takes post-quantum keys only and this agent made a classical one; update ddsnode and join again")
        }
        return .accepted(
            [.accessGranted(name: account.name, login: .deviceKey(deviceKey), recipient: recipient)]
                + stating(credential, recipient, of: account.name) + [.inviteUsed(number: inviteNumber)],
            name: account.name)
    }

    /// The same device's second enrolment. It may tell what the first did not, and nothing else than what the first did.
    private func repeated(_ account: Account, _ recipient: String, _ credential: MemberCredential?) -> Enrolment {
        let events = stating(credential, recipient, of: account.name)
        if account.identity == nil || events.isEmpty { return .accepted(events, name: account.name) }
        guard case .keyStated(_, let identity, _, _, let statement)? = events.first, identity == account.identity,
            statement == account.statement
        else { return .refused([], StatementRefusal.replayed.description) }
        return .accepted([], name: account.name)
    }

    private func stating(_ credential: MemberCredential?, _ recipient: String, of name: String) -> [DirectoryEvent] {
        guard let credential else { return [] }
        return [
            .keyStated(
                name: name, identity: Hex.encode(credential.identity), number: 1, recipient: recipient,
                statement: String(decoding: Base64.encode(credential.statement), as: UTF8.self))
        ]
    }

    /// Open invites, for status and list.
    func openInvites(now: WallTime) -> [Invite] {
        invites.values.filter { !$0.isUsed && !$0.isRevoked && $0.triesLeft > 0 && $0.expires > now.milliseconds }
            .sorted { $0.number < $1.number }
    }
}
