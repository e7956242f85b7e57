// The commands behind `group`: groups, who is in them and who may post.

import DDSBus
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal

extension ServerAdmin {
    func addGroup(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let name = try request.text("name")
        let mode = try groupMode(request) ?? .relay
        let posting = try postingPolicy(request) ?? .members
        let policy = try postQuantumPolicy(request)
        let senderAuth = try senderAuthentication(request)
        try await store.change { directory throws(Failure) in
            try directory.addingGroup(
                name, title: request.arguments["title"]?.string ?? "", mode: mode, posting: posting, pq: policy,
                senderAuth: senderAuth, members: request.arguments["members"]?.strings ?? [],
                owners: request.arguments["owners"]?.strings ?? [])
        }
        publish(.groupChanged)
        return .object(try describeGroup(name))
    }

    private func groupMode(_ request: ControlRequest) throws(Failure) -> GroupMode? {
        guard let word = request.arguments["mode"]?.string else { return nil }
        guard let mode = GroupMode(rawValue: word) else {
            throw Failure(.badInput, "--mode takes relay, blind or sealed, not \"\(word)\"")
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

    private func postQuantumPolicy(_ request: ControlRequest) throws(Failure) -> PostQuantumPolicy? {
        guard let word = request.arguments["pq"]?.string else { return nil }
        guard let policy = PostQuantumPolicy(rawValue: word) else {
            throw Failure(.badInput, "--pq takes off, prefer or require, not \"\(word)\"")
        }
        return policy
    }

    private func senderAuthentication(_ request: ControlRequest) throws(Failure) -> SenderAuthentication? {
        guard let word = request.arguments["sender_auth"]?.string else { return nil }
        guard let authentication = SenderAuthentication(rawValue: word) else {
            throw Failure(.badInput, "--sender-auth takes attested or signed, not \"\(word)\"")
        }
        return authentication
    }

    func listGroups(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        var rows: [JSONValue] = []
        for name in store.directory.groups.keys.sorted() { rows.append(.object(try describeGroup(name))) }
        return .list(rows)
    }

    func showGroup(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        .object(try describeGroup(try request.text("name")))
    }

    func setGroup(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let name = try request.text("name")
        let posting = try postingPolicy(request)
        let policy = try postQuantumPolicy(request)
        let mode = try groupMode(request)
        let senderAuth = try senderAuthentication(request)
        let title = request.arguments["title"]?.string
        try await store.change { directory throws(Failure) in
            try directory.changingGroup(
                name, title: title, mode: mode, posting: posting, pq: policy, senderAuth: senderAuth)
        }
        publish(.groupChanged)
        return .object(try describeGroup(name))
    }

    func removeGroup(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let name = try request.text("name")
        try await store.change { directory throws(Failure) in try directory.removingGroup(name) }
        publish(.groupChanged)
        return ["removed": .text(name)]
    }

    func addMembers(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let name = try request.text("name")
        let members = request.arguments["members"]?.strings ?? []
        let asOwners = request.arguments["owner"]?.boolean ?? false
        try await store.change { directory throws(Failure) in try directory.addingMembers(members, to: name, asOwners: asOwners)
        }
        publish(.groupChanged)
        return .object(try describeGroup(name))
    }

    func handOver(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let name = try request.text("name")
        let (from, to) = (try request.text("from"), try request.text("to"))
        try await store.change { directory throws(Failure) in try directory.handingOver(name, from: from, to: to) }
        publish(.groupChanged)
        return .object(try describeGroup(name))
    }

    func removeMembers(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let name = try request.text("name")
        let members = request.arguments["members"]?.strings ?? []
        try await store.change { directory throws(Failure) in try directory.removingMembers(members, from: name) }
        publish(.groupChanged)
        let gone = Set(store.directory.devices(of: members.map { $0.lowercased() }).map(\.mailbox))
        await delivery.held.retry { gone.contains($0.member) }
        return .object(try describeGroup(name))
    }

    private func describeGroup(_ name: String) throws(Failure) -> [String: JSONValue] {
        let group = try store.directory.group(name)
        return [
            "name": .text(group.name), "address": .text("\(group.name)@\(facts.domain)"), "title": .text(group.title),
            "mode": .text(group.mode.rawValue), "post": .text(group.posting.rawValue), "pq": .text(group.policy.rawValue),
            "classical": .texts(group.members.filter { store.directory.accounts[$0]?.keyKind == .classical }.sorted()),
            "members": .texts(group.members.sorted()),
            "owners": .texts(group.owners.sorted()), "sender_auth": .text(group.senderAuthentication.rawValue),
            "cannot_sign": .texts(store.directory.membersWithoutIdentity(group)),
            "roster": store.directory.rosterHead(of: group.name).map { .number(Int64(clamping: $0.number)) } ?? .null,
            "confirmed_by": .texts(store.directory.rosters[group.name]?.confirmedBy ?? []),
        ]
    }
}
