// The commands behind `user`: members, what they log in with, and their end.

import DDSBus
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal

extension ServerAdmin {
    func addUser(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let name = try request.text("name")
        let display = request.arguments["display"]?.string ?? ""
        let groups = request.arguments["groups"]?.strings ?? []
        let access = try await ordinaryAccess(request)
        try checkInviteLength()
        try await store.change { directory throws(Failure) in
            var events = try directory.addingAccount(name, display: display, groups: groups)
            if let access {
                try directory.checkKey(access.recipient, of: name.lowercased(), joining: groups)
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
        guard RecipientCheck.isUsable(recipient, random: random) else {
            throw Failure(.badInput, "\"\(recipient)\" is no age recipient; make one with: age-keygen -o key.txt")
        }
        return (.password(verifier: try await verifier(of: password)), recipient)
    }

    private func verifier(of password: String) async throws(Failure) -> String {
        guard password.utf8.count >= 8 else {
            throw Failure(.badInput, "the password has fewer than 8 characters; choose a longer one")
        }
        let secret = Redacted(Array(password.utf8))
        do {
            return try await Loop.offload { try PasswordVerifier.make(password: secret.exposed) }
        } catch {
            throw Failure(.system, "the password could not be processed: not enough memory")
        }
    }

    func listUsers(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        var rows: [JSONValue] = []
        for name in store.directory.accounts.keys.sorted() { rows.append(.object(try describe(name))) }
        return .list(rows)
    }

    func showUser(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        .object(try describe(try request.text("name")))
    }

    func setUser(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let account = try store.directory.member(try request.text("name"))
        let wants = try Self.passwordLogin(request)
        if let wants, !wants || request.arguments["recipient"] == nil {
            return try await setPasswordLogin(account, wants, request)
        }
        guard wants == true || !account.usesKey || request.arguments["password"] == nil else {
            throw Failure(
                .badInput,
                "\(account.name) has an agent, whose key nobody can guess; whoever learns a password can fetch, and so delete, the mail. "
                    + "To let a password in all the same: ddsnode user set \(account.name) --password-login on")
        }
        guard let access = try await ordinaryAccess(request) else {
            throw Failure(
                .usage,
                "give --recipient and --password-file; a member with an agent gets a new invite: ddsnode invite new \(account.name)"
            )
        }
        try await store.change { directory throws(Failure) in
            let name = try directory.member(account.name).name
            try directory.checkKey(access.recipient, of: name)
            return [.accessGranted(name: name, login: access.login, recipient: access.recipient)]
        }
        await delivery.held.retry { $0.member == account.mailbox }
        return .object(try describe(account.name))
    }

    /// True for on, false for off, nil where nothing is said of it.
    private static func passwordLogin(_ request: ControlRequest) throws(Failure) -> Bool? {
        switch request.arguments["password_login"]?.string {
        case nil: return nil
        case "on": return true
        case "off": return false
        default: throw Failure(.usage, "--password-login is on or off")
        }
    }

    /// A password beside the device key of a member who has an agent.
    private func setPasswordLogin(_ account: Account, _ isOn: Bool, _ request: ControlRequest) async throws(Failure)
        -> JSONValue
    {
        guard account.usesKey else {
            throw Failure(
                .badInput,
                "\(account.name) has no agent, so a password is the only way in; give a new one with --recipient and --password-file, "
                    + "or use: ddsnode user suspend \(account.name)")
        }
        var verifier: String?
        if isOn {
            guard let password = request.arguments["password"]?.string else {
                throw Failure(.usage, "--password-login on needs the password, in --password-file FILE")
            }
            verifier = try await self.verifier(of: password)
        }
        try await store.change { [verifier] directory throws(Failure) in
            // The agent may have become an ordinary mail program meanwhile.
            guard try directory.member(account.name).usesKey else {
                throw Failure(.tryAgain, "\(account.name) was changed meanwhile; try again")
            }
            return [.passwordLogin(name: account.name, verifier: verifier)]
        }
        return .object(try describe(account.name))
    }

    func suspendUser(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let name = try request.text("name")
        try await store.change { directory throws(Failure) in try directory.settingSuspended(name, true) }
        return .object(try describe(name))
    }

    func resumeUser(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let name = try request.text("name")
        try await store.change { directory throws(Failure) in try directory.settingSuspended(name, false) }
        return .object(try describe(name))
    }

    func removeUser(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let account = try store.directory.member(try request.text("name"))
        try await store.change { directory throws(Failure) in try directory.removingAccount(account.name) }
        for device in account.perDevice {
            await delivery.memberRemoved(device, erased: try await store.eraseMaildrop(of: device))
            onRemoved(device)
        }
        return ["removed": .text(account.name)]
    }

    private static func device(_ device: Account) -> JSONValue {
        [
            "number": .number(device.deviceNumber), "title": device.deviceTitle.map { .text($0) } ?? .null,
            "since": device.deviceSince.map { .text(DeliveryReport.date($0)) } ?? .null,
            "key_number": device.keyNumber.map { .number(Int64(clamping: $0)) } ?? .null,
        ]
    }

    func revokeDevice(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let name = try store.directory.member(try request.text("name")).name
        guard let number = request.arguments["number"]?.integer.flatMap({ Int(exactly: $0) }) else {
            throw Failure(.usage, "name the device by its number; see: ddsnode user show \(name)")
        }
        let keeper = DeviceKeeper(store: store, delivery: delivery, onEnded: onRemoved)
        try await keeper.revoke(number, of: name)
        return .object(try describe(name))
    }

    private func describe(_ name: String) throws(Failure) -> [String: JSONValue] {
        let account = try store.directory.member(name)
        return [
            "name": .text(account.name), "address": .text("\(account.name)@\(facts.domain)"), "display": .text(account.display),
            "state": .text(account.state), "groups": .texts(store.directory.groupNames(of: account.name)),
            "recipient": account.recipient.map { .text($0) } ?? .null,
            "login": account.login.map { _ in .text(account.usesKey ? "key" : "password") } ?? .null,
            "password_login": .bool(account.verifier != nil),
            "devices": .list(account.perDevice.filter(\.usesKey).map(Self.device)),
        ]
    }
}
