// What an administrator may ask of a node: the commands behind `user`, `group` and `invite`. The same code answers at the
// control socket of a running node and in the command line's own process when the node is stopped.

import DDSBus
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal

/// What an invite says about the node.
struct NodeFacts: Sendable {
    /// The mail domain.
    var domain: String
    /// The host name or address that agents connect to.
    var host: String
    var pop3sPort: UInt16
    var submissionsPort: UInt16
    /// SHA-256 of the node's TLS key (DER SubjectPublicKeyInfo).
    var keyHash: [UInt8]
}

@LoopActor final class ServerAdmin {
    private let store: DirectoryStore
    private let facts: NodeFacts
    private let time: any TimeSource
    private let random: any RandomSource
    private let publish: @LoopActor (NodeEvent) -> Void

    init(
        store: DirectoryStore, facts: NodeFacts, time: any TimeSource, random: any RandomSource,
        publish: @escaping @LoopActor (NodeEvent) -> Void
    ) {
        self.store = store
        self.facts = facts
        self.time = time
        self.random = random
        self.publish = publish
    }

    /// Makes the commands known.
    func register(in commands: ControlCommands) {
        for (name, action) in users + groups + invites {
            commands.register(name) { [self] request, _ throws(Failure) in try await action(self)(request) }
        }
    }

    private typealias Action = (ServerAdmin) -> @LoopActor (ControlRequest) async throws(Failure) -> JSONValue

    private var users: [(String, Action)] {
        [
            ("user.add", { $0.addUser }), ("user.list", { $0.listUsers }), ("user.show", { $0.showUser }),
            ("user.set", { $0.setUser }), ("user.suspend", { $0.suspendUser }), ("user.resume", { $0.resumeUser }),
            ("user.remove", { $0.removeUser }),
        ]
    }

    private var groups: [(String, Action)] {
        [
            ("group.add", { $0.addGroup }), ("group.list", { $0.listGroups }), ("group.show", { $0.showGroup }),
            ("group.set", { $0.setGroup }), ("group.remove", { $0.removeGroup }), ("group.member.add", { $0.addMembers }),
            ("group.member.remove", { $0.removeMembers }), ("group.member.list", { $0.showGroup }),
        ]
    }

    private var invites: [(String, Action)] {
        [
            ("invite.new", { $0.newInvite }), ("invite.list", { $0.listInvites }), ("invite.show", { $0.showInvite }),
            ("invite.revoke", { $0.revokeInvite }),
        ]
    }
}

// MARK: Members

extension ServerAdmin {
    private func addUser(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let name = try request.text("name")
        let display = request.arguments["display"]?.string ?? ""
        let groups = request.arguments["groups"]?.strings ?? []
        let access = try await ordinaryAccess(request)
        try await store.change { directory throws(Failure) in
            var events = try directory.addingAccount(name, display: display, groups: groups)
            if let access {
                events.append(.accessGranted(name: name.lowercased(), login: access.login, recipient: access.recipient))
            }
            return events
        }
        publish(.memberAdded)
        var result = try describe(name)
        if access == nil, request.arguments["invite"]?.boolean ?? true {
            result.merge(try await makeInvite(for: name, expires: .seconds(7 * 86400))) { $1 }
        }
        return .object(result)
    }

    /// The recipient and password of a member with an ordinary mail program, or nil when neither was given.
    private func ordinaryAccess(_ request: ControlRequest) async throws(Failure) -> (login: LoginMethod, recipient: String)? {
        let recipient = request.arguments["recipient"]?.string
        let password = request.arguments["password"]?.string
        guard recipient != nil || password != nil else { return nil }
        guard let recipient, let password else {
            throw Failure(.usage, "an ordinary mail program needs both --recipient age1... and --password-file FILE")
        }
        guard password.utf8.count >= 8 else {
            throw Failure(.badInput, "the password has fewer than 8 characters; choose a longer one")
        }
        do {
            _ = try AgeRecipient(recipient)
        } catch {
            throw Failure(.badInput, "\"\(recipient)\" is no age recipient; make one with: age-keygen -o key.txt")
        }
        let secret = Redacted(Array(password.utf8))
        do {
            let verifier = try await Loop.offload { try PasswordVerifier.make(password: secret.exposed) }
            return (.password(verifier: verifier), recipient)
        } catch {
            throw Failure(.system, "the password could not be processed: not enough memory")
        }
    }

    private func listUsers(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        var rows: [JSONValue] = []
        for name in store.directory.accounts.keys.sorted() { rows.append(.object(try describe(name))) }
        return .list(rows)
    }

    private func showUser(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        .object(try describe(try request.text("name")))
    }

    private func setUser(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let account = try store.directory.member(try request.text("name"))
        guard let access = try await ordinaryAccess(request) else {
            throw Failure(.usage, "give --recipient and --password-file; a member with an agent gets a new invite: ddsnode invite new \(account.name)")
        }
        try await store.change { directory throws(Failure) in
            [.accessGranted(name: try directory.member(account.name).name, login: access.login, recipient: access.recipient)]
        }
        return .object(try describe(account.name))
    }

    private func suspendUser(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let name = try request.text("name")
        try await store.change { directory throws(Failure) in try directory.settingSuspended(name, true) }
        return .object(try describe(name))
    }

    private func resumeUser(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let name = try request.text("name")
        try await store.change { directory throws(Failure) in try directory.settingSuspended(name, false) }
        return .object(try describe(name))
    }

    private func removeUser(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let account = try store.directory.member(try request.text("name"))
        try await store.change { directory throws(Failure) in try directory.removingAccount(account.name) }
        try await store.eraseMaildrop(of: account)
        return ["removed": .text(account.name)]
    }

    private func describe(_ name: String) throws(Failure) -> [String: JSONValue] {
        let account = try store.directory.member(name)
        return [
            "name": .text(account.name), "address": .text("\(account.name)@\(facts.domain)"), "display": .text(account.display),
            "state": .text(account.state), "groups": .texts(store.directory.groupNames(of: account.name)),
            "recipient": account.recipient.map { .text($0) } ?? .null,
            "login": account.login.map { _ in .text(account.usesKey ? "key" : "password") } ?? .null,
        ]
    }
}

// MARK: Groups

extension ServerAdmin {
    private func addGroup(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let name = try request.text("name")
        let mode = try groupMode(request)
        let posting = try postingPolicy(request) ?? .members
        try await store.change { directory throws(Failure) in
            try directory.addingGroup(
                name, title: request.arguments["title"]?.string ?? "", mode: mode, posting: posting,
                members: request.arguments["members"]?.strings ?? [], owners: request.arguments["owners"]?.strings ?? [])
        }
        publish(.groupChanged)
        return .object(try describeGroup(name))
    }

    private func groupMode(_ request: ControlRequest) throws(Failure) -> GroupMode {
        guard let word = request.arguments["mode"]?.string else { return .relay }
        guard let mode = GroupMode(rawValue: word) else {
            throw Failure(.badInput, "this release serves groups in mode relay only, not \"\(word)\"; leave --mode away")
        }
        return mode
    }

    private func postingPolicy(_ request: ControlRequest) throws(Failure) -> PostingPolicy? {
        guard let word = request.arguments["post"]?.string else { return nil }
        guard let policy = PostingPolicy(rawValue: word) else {
            throw Failure(.badInput, "--post takes all, members or owners, not \"\(word)\"")
        }
        return policy
    }

    private func listGroups(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        var rows: [JSONValue] = []
        for name in store.directory.groups.keys.sorted() { rows.append(.object(try describeGroup(name))) }
        return .list(rows)
    }

    private func showGroup(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        .object(try describeGroup(try request.text("name")))
    }

    private func setGroup(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let name = try request.text("name")
        let posting = try postingPolicy(request)
        let title = request.arguments["title"]?.string
        try await store.change { directory throws(Failure) in try directory.changingGroup(name, title: title, posting: posting) }
        publish(.groupChanged)
        return .object(try describeGroup(name))
    }

    private func removeGroup(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let name = try request.text("name")
        try await store.change { directory throws(Failure) in try directory.removingGroup(name) }
        publish(.groupChanged)
        return ["removed": .text(name)]
    }

    private func addMembers(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let name = try request.text("name")
        let members = request.arguments["members"]?.strings ?? []
        let asOwners = request.arguments["owner"]?.boolean ?? false
        try await store.change { directory throws(Failure) in try directory.addingMembers(members, to: name, asOwners: asOwners) }
        publish(.groupChanged)
        return .object(try describeGroup(name))
    }

    private func removeMembers(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let name = try request.text("name")
        let members = request.arguments["members"]?.strings ?? []
        try await store.change { directory throws(Failure) in try directory.removingMembers(members, from: name) }
        publish(.groupChanged)
        return .object(try describeGroup(name))
    }

    private func describeGroup(_ name: String) throws(Failure) -> [String: JSONValue] {
        let group = try store.directory.group(name)
        return [
            "name": .text(group.name), "address": .text("\(group.name)@\(facts.domain)"), "title": .text(group.title),
            "mode": .text(group.mode.rawValue), "post": .text(group.posting.rawValue), "members": .texts(group.members.sorted()),
            "owners": .texts(group.owners.sorted()),
        ]
    }
}

// MARK: Invites

extension ServerAdmin {
    private func newInvite(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let seconds = request.arguments["expires_seconds"]?.integer ?? 7 * 86400
        guard (60...90 * 86400).contains(seconds) else {
            throw Failure(.badInput, "an invite lives from one minute to 90 days; try --expires 7d")
        }
        return .object(try await makeInvite(for: try request.text("name"), expires: .seconds(seconds)))
    }

    private func makeInvite(for name: String, expires: Duration) async throws(Failure) -> [String: JSONValue] {
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
        let link = InviteLink(
            host: facts.host, pop3sPort: facts.pop3sPort, submissionsPort: facts.submissionsPort, nodeKeyHash: facts.keyHash,
            number: number, secret: Redacted(secret)
        ).link
        guard link.utf8.count <= InviteLink.lengthMax else {
            throw Failure(.configuration, "the invite would be longer than \(InviteLink.lengthMax) characters; set a shorter node.host")
        }
        return [
            "invite": .text(link), "invite_id": .number(Int64(number)),
            "invite_expires": .text(CivilTime(secondsSinceEpoch: until.seconds).rfc3339),
        ]
    }

    private func listInvites(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        .list(store.directory.invites.values.sorted { $0.number < $1.number }.map { describeInvite($0) })
    }

    private func showInvite(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let number = try inviteNumber(request)
        guard let invite = store.directory.invites[number] else {
            throw Failure(.unknownName, "no invite \(number); see: ddsnode invite list")
        }
        return describeInvite(invite)
    }

    private func revokeInvite(_ request: ControlRequest) async throws(Failure) -> JSONValue {
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
