// The commands of an agent: join, unlock, lock, fetch, send, list, show, open. Answered at the control socket, or in the
// command line's own process when no agent runs.

import DDSCore
import DDSHTTP
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool
import DDSWire
import Logging

@LoopActor final class AgentCommands {
    private let role: AgentRole

    init(role: AgentRole) {
        self.role = role
    }

    func register(in commands: ControlCommands) {
        commands.register("agent.join") { [self] request, output throws(Failure) in try await join(request, output) }
        commands.register("agent.restore") { [self] request, output throws(Failure) in try await restore(request, output) }
        commands.register("agent.unlock") { [self] request, _ throws(Failure) in try await unlock(request) }
        commands.register("agent.lock") { [self] _, _ throws(Failure) in
            try agent().lock()
            return ["locked": true, "renewing": .bool(role.services.handover.isUnderWay)]
        }
        commands.register("agent.fetch") { [self] request, _ throws(Failure) in try await fetch(request) }
        for (name, action) in AgentMailCommands.everything {
            commands.register(name) { [self] request, _ throws(Failure) in try await action(agent(), request) }
        }
    }

    private func agent() throws(Failure) -> Agent {
        guard let agent = role.agent else {
            throw Failure(.fileMissing, "nobody has joined a node from here yet; run: ddsnode join INVITE")
        }
        return agent
    }

    private func join(_ request: ControlRequest, _ output: any ControlOutput) async throws(Failure) -> JSONValue {
        let invitation = try Invitation(try request.text("invite"), title: request.arguments["title"]?.string)
        let agent = try await role.join(invitation, passphrase: try AgentMailCommands.passphrase(request)) {
            output.event(["step": .text($0)])
        }
        return AgentMailCommands.welcome(agent, page: role.page?.makeOpenAddress())
    }

    private func restore(_ request: ControlRequest, _ output: any ControlOutput) async throws(Failure) -> JSONValue {
        let kit = try RecoveryKit(in: try AgentMailCommands.passphrase(request, "kit"))
        let (agent, lost) = try await role.restore(kit, passphrase: try AgentMailCommands.passphrase(request)) {
            output.event(["step": .text($0)])
        }
        return AgentMailCommands.restored(AgentMailCommands.welcome(agent, page: role.page?.makeOpenAddress()), lost: lost)
    }

    private func unlock(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let agent = try agent()
        try await agent.unlock(passphrase: try AgentMailCommands.passphrase(request))
        return ["unlocked": true, "unread": .number(agent.unlocked?.store.unreadCount ?? 0)]
    }

    private func fetch(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let agent = try agent()
        if request.arguments["accept_head"]?.boolean ?? false { await agent.watch?.accept() }
        guard let outcome = await agent.fetcher?.fetchNow() else { throw Failure(.unavailable, "the agent is stopping") }
        guard case .completed = outcome.end else {
            throw Failure(
                .unavailable, agent.fetcher?.lastTrouble ?? "the node did not finish the session; see: ddsnode status")
        }
        return ["fetched": .number(outcome.stored.count), "locked": .bool(agent.isLocked)]
    }
}

/// The commands that need an open agent and nothing of the role.
@LoopActor enum AgentMailCommands {
    typealias Action = @LoopActor (Agent, ControlRequest) async throws(Failure) -> JSONValue

    /// All of them.
    static let everything =
        all + AgentSearchCommands.all + AgentStoreCommands.all + AgentKeyCommands.all + AgentRosterCommands.all + AgentDeviceCommands.all

    private static let all: [(String, Action)] = [("agent.send", send), ("agent.list", list), ("agent.show", show)]

    static func passphrase(_ request: ControlRequest, _ name: String = "passphrase") throws(Failure) -> SecretBytes {
        var bytes = Array(try request.text(name).utf8)
        guard !bytes.isEmpty else { throw Failure(.usage, "the passphrase is empty") }
        return SecretBytes(consuming: &bytes)
    }

    static func welcome(_ agent: Agent, page: String?) -> JSONValue {
        [
            "address": .text("\(agent.account.address)"), "display": .text(agent.account.display),
            "groups": .texts(agent.account.groups), "url": page.map { .text($0) } ?? .null,
        ]
    }

    /// A welcome with the number of messages that were gone with the lost keys.
    static func restored(_ welcome: JSONValue, lost: Int) -> JSONValue {
        guard case .object(var fields) = welcome else { return welcome }
        fields["lost"] = .number(lost)
        return .object(fields)
    }

    private static func send(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        if let raw = request.arguments["raw"]?.string {
            guard let bytes = Base64.decode(Array(raw.utf8)) else {
                throw Failure(.protocolError, "the message is not in base64")
            }
            let (id, recipients) = try await agent.send(raw: bytes)
            return try sent(id, recipients, agent)
        }
        let recipients = try agent.recipients(request.arguments["recipients"]?.strings ?? [])
        var letter = Agent.Letter(
            recipients: recipients, subject: request.arguments["subject"]?.string ?? "",
            body: request.arguments["body"]?.string ?? "")
        for file in request.arguments["attachments"]?.array ?? [] {
            guard let name = file["name"]?.string,
                let content = file["content"]?.string.flatMap({ Base64.decode(Array($0.utf8)) })
            else {
                throw Failure(.protocolError, "an attachment needs name and content in base64")
            }
            letter.attachments.append(
                MessageBuilder.Attachment(fileName: name, type: "application/octet-stream", content: content))
        }
        let id = try await agent.send(letter)
        return try sent(id, recipients, agent)
    }

    private static func sent(_ id: String, _ recipients: [MailAddress], _ agent: Agent) throws(Failure) -> JSONValue {
        let people = waiting(try agent.opened().store)[id]
        return [
            "id": .text(id), "recipients": .texts(recipients.map { "\($0)" }), "waits_for": people.map { .texts($0) } ?? .null,
        ]
    }

    private static func list(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        let store = try agent.opened().store
        let group = request.arguments["group"]?.string.map { $0.hasPrefix("#") ? String($0.dropFirst()) : $0 }
        return await store.withSummaries { [waiting = waiting(store)] in
            let kept = $0.filter { $0.isTrashed != true && (group == nil || $0.group == group) }
            return .list(kept.map { describe($0, waiting[$0.id]) })
        }
    }

    /// Whom messages wait for, by their ids.
    private static func waiting(_ store: MessageStore) -> [String: [String]] {
        guard !store.trust.held.entries.isEmpty else { return [:] }
        return store.items.own.reduce(into: [:]) { waiting, summary in
            if let people = store.trust.undecided(summary.id) { waiting[summary.id] = people.map { "\($0)" } }
        }
    }

    nonisolated static func describe(_ summary: StoredSummary, _ waiting: [String]?) -> JSONValue {
        [
            "waits_for": waiting.map { .texts($0) } ?? .null,
            "id": .text(summary.id), "subject": .text(summary.subject), "from": .text(summary.fromAddress),
            "from_name": .text(summary.fromName), "to": .texts(summary.recipients),
            "group": summary.group.map { .text($0) } ?? .null,
            "date": .text(CivilTime(secondsSinceEpoch: summary.date).rfc3339), "unread": .bool(summary.isUnread),
            "state": .text(summary.sendState?.rawValue ?? "received"), "note": summary.note.map { .text($0) } ?? .null,
            "trashed": .bool(summary.isTrashed == true),
            "recipients": summary.isOwn ? .list((summary.copies ?? []).map(\.json)) : .null,
            "warning": summary.warning.map { .text($0) } ?? .null, "from_node": .bool(summary.isFromNode ?? false),
            "signature": summary.signature?.json ?? .null,
            "seal": summary.seal.map { .text($0.rawValue) } ?? .null,
            "mode": summary.mode.map { .text($0.rawValue) } ?? .null,
            "node_saw": summary.mode.map { .text($0.words) } ?? .null,
            "message_id": .text(summary.messageID), "size": .number(summary.size), "attachments": .bool(summary.hasAttachments),
        ]
    }

    /// What minisign verifies: the signed part octet for octet, the signature, and the key that it is by, as far as that is known.
    private static func exported(_ id: String, _ message: [UInt8], _ store: MessageStore) throws(Failure) -> JSONValue {
        guard let signed = SignedMessage(message), let signature = signed.signature else {
            throw Failure(.badInput, "message \(id) is not signed")
        }
        let key =
            store.items[id]?.summary.signature?.key.flatMap { Hex.decode($0) }.map { MinisignPublicKey(key: $0) }
            ?? signed.claimedKey
        return [
            "id": .text(id), "content": .text(String(decoding: Base64.encode(signed.content), as: UTF8.self)),
            "signature": .text(signature.text), "key": key.map { .text("\($0)") } ?? .null,
        ]
    }

    private static func show(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        let store = try agent.opened().store
        let id = try request.text("id")
        let message: [UInt8]
        do throws(SpoolError) {
            guard let found = try await store.message(id) else {
                throw SpoolError.noSuchRecord(SpoolUID(rawValue: 0))
            }
            message = found
        } catch {
            if case .noSuchRecord = error { throw Failure(.unknownName, "no message \(id); see: ddsnode list") }
            throw Failure(.inputOutput, "the message cannot be read: \(error)")
        }
        if request.arguments["raw"]?.boolean ?? false {
            return ["id": .text(id), "raw": .text(String(decoding: Base64.encode(message), as: UTF8.self))]
        }
        if request.arguments["export"]?.boolean ?? false { return try exported(id, message, store) }
        do throws(SpoolError) {
            try await store.update([id]) { $0.isUnread = false }
        } catch {
            // A full disk is no reason not to show what is there.
            agent.services.log.error("read mark not kept", metadata: ["error": "\(error)"])
        }
        agent.noteChange(of: store)
        guard let summary = store.items[id]?.summary, case .object(var fields) = describe(summary, waiting(store)[id]) else {
            throw Failure(.unknownName, "no message \(id); see: ddsnode list")
        }
        guard let parsed = try? await Heavy.perform(octets: message.count, { ParsedMessage(SignedMessage.inner(of: message)) })
        else {
            throw Failure(.bug, "the message cannot be taken apart")
        }
        fields["readers"] = store.trust.readers(of: summary)?.json ?? .null
        fields["confirmed"] = store.trust.confirmation(of: summary).map { .text($0) } ?? .null
        fields["text"] = .text(TextSafety.body(parsed.bestPlainText))
        fields["files"] = .list(parsed.attachments.map { ["name": .text($0.fileName.text), "size": .number($0.size)] })
        return .object(fields)
    }
}
