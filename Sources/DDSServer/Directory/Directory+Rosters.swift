// Which roster each group has, whether it still says what is, and what the next one says. The numbers outlive a group: another of
// the same name goes on where it ended, or its members would take its rosters for replays.

import DDSCore
import DDSNode

/// How far the rosters of a group have come.
struct RosterState: Hashable, Sendable, Codable {
    /// Of the last one that was made; 0 before the first.
    var number: UInt64 = 0
    /// Its BLAKE2b-256 in hexadecimal; empty before the first.
    var hash = ""
    /// Something has changed since.
    var isDue = true
    /// Since then nothing has changed but numbered mailbox keys, which their owners' identities vouch for.
    var isStale = false
    /// The owners who have confirmed that roster.
    var confirmedBy: [String]?
}

extension Directory {
    /// The groups whose rosters an event makes out of date; asked before it is applied.
    func groupsConcerned(by event: DirectoryEvent) -> [String] {
        switch event {
        case .groupAdded(let name, _, _, _, _, _): [name]
        case .groupChanged(let name, _, let mode, let posting, let pq, let senderAuth):
            groups[name].map {
                $0.mode != mode || $0.posting != posting || $0.policy != (pq ?? .prefer)
                    || $0.senderAuthentication != (senderAuth ?? .attested)
            } == true ? [name] : []
        case .memberAdded(let group, _, _), .memberRemoved(let group, _): [group]
        case .accessGranted(let name, _, let recipient):
            accounts[name].map { $0.recipient == recipient && $0.identity == nil } == true ? [] : groupNames(of: name)
        case .keyStated(let name, let identity, _, _, _): accounts[name]?.identity == identity ? [] : groupNames(of: name)
        case .accountSuspended(let name), .accountResumed(let name), .accountRemoved(let name),
            .accessRestored(let name, _, _, _, _), .deviceLinked(let name, _), .deviceRevoked(let name, _):
            groupNames(of: name)
        case .accountAdded, .passwordLogin, .groupRemoved, .inviteCreated, .inviteTried, .inviteUsed, .inviteRevoked,
            .rosterMade, .rosterConfirmed, .checkpoint, .lostMailFound, .lostMailErased, .deviceKeyStated:
            []
        }
    }

    /// The groups whose rosters name a mailbox key that an event replaces by the next one of the same owner.
    func groupsOutdated(by event: DirectoryEvent) -> [String] {
        switch event {
        case .keyStated(let name, _, _, _, _), .deviceKeyStated(let name, _, _, _, _): groupNames(of: name)
        default: []
        }
    }

    /// True when the last roster of an existing group, if there is one, does not say any more what is.
    func isRosterDue(_ group: String) -> Bool { groups[group] != nil && (rosters[group]?.isDue ?? true) }

    /// The groups that need another roster, in order of their names.
    var groupsWithDueRoster: [String] { groups.keys.filter(isRosterDue).sorted() }

    /// The groups whose last rosters name a mailbox key that is none any more.
    var groupsWithStaleRoster: [String] { groups.keys.filter { rosters[$0]?.isStale == true && !isRosterDue($0) }.sorted() }

    /// The last roster of an existing group.
    func rosterHead(of group: String) -> RosterHead? {
        guard groups[group] != nil, let state = rosters[group], let hash = Hex.decode(state.hash), hash.count == 32 else {
            return nil
        }
        return RosterHead(number: state.number, hash: hash)
    }

    /// Why a member's confirmation is not taken, in words that name the remedy; nil when it is.
    func refusal(of confirmation: RosterConfirmation, by member: String, domain: String) -> String? {
        let name = confirmation.group.local
        guard confirmation.group.domain == domain, let group = groups[name] else { return "there is no such group here" }
        guard group.owners.contains(member), confirmation.owner == MailAddress(local: member, domain: domain) else {
            return "only an owner of \(name) confirms who is in it"
        }
        guard !isRosterDue(name), rosterHead(of: name) == confirmation.head else {
            return "the members have changed since; fetch, look at them again, and confirm the roster of now"
        }
        guard let identity = accounts[member]?.identity.flatMap({ Hex.decode($0) }), confirmation.isValid(by: identity) else {
            return "the signature is not by the identity that this node knows of you"
        }
        return nil
    }

    /// The next roster of a group: those who get its mail as of now. Suspended members get none.
    func nextRoster(of group: Group, domain: String, time: WallTime) -> RosterDocument? {
        guard let address = MailAddress(local: group.name, domain: domain) else { return nil }
        let members = group.members.compactMap { accounts[$0] }.filter { !$0.isSuspended }.compactMap { account in
            MailAddress(local: account.name, domain: domain).map { address in
                Roster.Member(
                    address: address, display: account.display, role: group.owners.contains(account.name) ? .owner : .member,
                    identity: account.identity.flatMap { Hex.decode($0) }, devices: Self.rosterDevices(of: account))
            }
        }
        let state = rosters[group.name] ?? RosterState()
        return RosterDocument(
            Roster(
                group: address, number: state.number + 1, previous: state.number == 0 ? nil : Hex.decode(state.hash),
                time: time,
                settings: Roster.Settings(
                    mode: group.mode.rawValue, posting: group.posting.rawValue, pq: group.policy.rawValue,
                    senderAuth: group.senderAuthentication.rawValue), members: members))
    }

    private static func rosterDevices(of account: Account) -> [Roster.Device] {
        account.perDevice.compactMap { device in
            device.recipient.map { Roster.Device(number: device.deviceNumber, recipient: $0, keyNumber: device.keyNumber) }
        }
    }

    /// Whom a roster is sent to: members with an agent and a key. An ordinary mail program can make nothing of it.
    func rosterReaders(of group: Group) -> [Account] {
        devices(of: group.members).filter { $0.usesKey && $0.recipient != nil }
    }
}
