// The commands behind `invite`. The secret of an invite leaves this file once, in the link, and is kept only as a hash.

import DDSBus
import DDSCore
import DDSLoop
import DDSNode

extension ServerAdmin {
    func newInvite(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let seconds = request.arguments["expires_seconds"]?.integer ?? 7 * 86400
        guard (60...90 * 86400).contains(seconds) else {
            throw Failure(.badInput, "an invite lives from one minute to 90 days; try --expires 7d")
        }
        return .object(try await makeInvite(for: try request.text("name"), expires: .seconds(seconds)))
    }

    func makeInvite(for name: String, expires: Duration) async throws(Failure) -> [String: JSONValue] {
        try checkInviteLength()
        let secret = random.bytes(5)
        let until = time.wall + expires
        let number = try await store.change { [self] directory throws(Failure) in
            var number: UInt32
            repeat { number = UInt32(truncatingIfNeeded: random.number()) & 0xfffff } while directory.invites[number] != nil
            let events = try directory.creatingInvite(
                for: name, number: number, secretHash: EnrolmentRequest.secretHash(secret), expires: until)
            return (events, number)
        }
        publish(.inviteCreated)
        let link = inviteLink(number: number, secret: secret).link
        return [
            "invite": .text(link), "invite_id": .number(Int64(number)),
            "invite_expires": .text(CivilTime(secondsSinceEpoch: until.seconds).rfc3339),
        ]
    }

    private func inviteLink(number: UInt32, secret: [UInt8]) -> InviteLink {
        InviteLink(
            host: facts.host, pop3sPort: facts.pop3sPort, submissionsPort: facts.submissionsPort, nodeKeyHash: facts.keyHash,
            number: number, secret: Redacted(secret))
    }

    /// All invites of a node are of one length; one that people could not copy is refused before anything is stored.
    func checkInviteLength() throws(Failure) {
        guard inviteLink(number: 0, secret: [0, 0, 0, 0, 0]).link.utf8.count <= InviteLink.lengthMax else {
            throw Failure(.configuration, "invites would be longer than \(InviteLink.lengthMax) characters; set a shorter node.host")
        }
    }

    func listInvites(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        .list(store.directory.invites.values.sorted { $0.number < $1.number }.map { describeInvite($0) })
    }

    func showInvite(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let number = try inviteNumber(request)
        guard let invite = store.directory.invites[number] else {
            throw Failure(.unknownName, "no invite \(number); see: ddsnode invite list")
        }
        return describeInvite(invite)
    }

    func revokeInvite(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let number = try inviteNumber(request)
        try await store.change { directory throws(Failure) in try directory.revokingInvite(number) }
        return ["revoked": .number(Int64(number))]
    }

    private func inviteNumber(_ request: ControlRequest) throws(Failure) -> UInt32 {
        guard let number = request.arguments["id"]?.integer.flatMap(UInt32.init(exactly:)) else {
            throw Failure(.usage, "give the invite's number; see: ddsnode invite list")
        }
        return number
    }

    private func describeInvite(_ invite: Invite) -> JSONValue {
        let isExpired = time.wall.milliseconds >= invite.expires
        let state =
            invite.isUsed ? "used" : invite.isRevoked ? "revoked" : invite.triesLeft <= 0 ? "burnt" : isExpired ? "expired" : "open"
        return [
            "id": .number(Int64(invite.number)), "user": .text(invite.user), "state": .text(state),
            "expires": .text(CivilTime(secondsSinceEpoch: invite.expires / 1000).rfc3339),
        ]
    }
}
