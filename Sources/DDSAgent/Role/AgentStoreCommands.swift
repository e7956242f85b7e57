// The commands about the local store as a whole: check, what an export reads, what an import adds, mail that did not open.
// They move bytes; files are the command line's affair.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool

@LoopActor enum AgentStoreCommands {
    static let all: [(String, AgentMailCommands.Action)] = [
        ("agent.store.check", check), ("agent.store.compact", compact), ("agent.store.list", list), ("agent.store.read", read),
        ("agent.store.import", take),
        ("agent.store.unopened", unopened), ("agent.store.unopened.read", readUnopened), ("agent.store.retry", retry),
    ]

    /// Looks through the store; with a passphrase, or unlocked, into the records too. A store that does not open any more is
    /// checked like any other.
    private static func check(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        var keys = agent.unlocked?.keys
        if request.arguments["passphrase"] != nil {
            keys = try await Vault(path: agent.folder.vault).open(passphrase: try AgentMailCommands.passphrase(request))
        }
        let check = StoreCheck(spool: agent.spool, gate: agent.storeGate, keys: keys, random: agent.services.random)
        let report: StoreReport
        do throws(SpoolError) {
            report = try await check.run()
        } catch {
            throw Failure(.inputOutput, "the local store cannot be read: \(error); restore the state folder from a backup")
        }
        let kept = await agent.unopenedCount()
        return [
            "records": .number(report.records), "bytes": .number(report.bytes), "opened": .number(report.opened),
            "content_checked": .bool(report.hasKeys), "damage": .texts(report.damage), "unopened": .number(kept),
        ]
    }

    /// Needs no keys: records move as they are.
    private static func compact(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        do throws(SpoolError) {
            let (before, after) = try await agent.spool.compact()
            return [
                "disk_bytes_before": .number(before.diskBytes), "disk_bytes": .number(after.diskBytes),
                "moved": .number(after.moved - before.moved),
            ]
        } catch {
            throw Failure(
                .inputOutput, "the local store cannot be made smaller: \(error); nothing is lost, see: ddsnode store check")
        }
    }

    /// The messages in order of arrival, with what a mail file keeps of them.
    private static func list(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        let store = try agent.opened().store
        let group = request.arguments["group"]?.string.map { $0.hasPrefix("#") ? String($0.dropFirst()) : $0 }
        return await store.withSummaries { summaries in
            .list(
                summaries.filter { group == nil || $0.group == group }.map { summary in
                    [
                        "id": .text(summary.id), "from": .text(summary.fromAddress), "received": .number(summary.received),
                        "own": .bool(summary.isOwn), "unread": .bool(summary.isUnread), "size": .number(summary.size),
                    ]
                })
        }
    }

    private static func read(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        let id = try request.text("id")
        let store = try agent.opened().store
        agent.noteActivity()
        do throws(SpoolError) {
            guard let message = try await store.message(id) else {
                throw SpoolError.noSuchRecord(SpoolUID(rawValue: 0))
            }
            return ["raw": .text(String(decoding: Base64.encode(message), as: UTF8.self))]
        } catch {
            if case .noSuchRecord = error { throw Failure(.unknownName, "message \(id) is not there any more") }
            throw Failure(.inputOutput, "message \(id) cannot be read: \(error)")
        }
    }

    private static func take(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        let store = try agent.opened().store
        guard let message = Base64.decode(Array(try request.text("raw").utf8)) else {
            throw Failure(.protocolError, "the message is not in base64")
        }
        let isOwn = request.arguments["own"]?.boolean ?? false
        let received = request.arguments["received"]?.integer.map { WallTime(milliseconds: $0) } ?? agent.services.time.wall
        do throws(SpoolError) {
            let id = try await store.add(
                message, sendState: isOwn ? .sent : nil, isUnread: request.arguments["unread"]?.boolean ?? false,
                received: received,
                occurrence: Int(clamping: request.arguments["occurrence"]?.integer ?? 1))
            agent.noteActivity()
            if id != nil { agent.noteChange(of: store) }
            return ["added": .bool(id != nil), "id": id.map { .text($0) } ?? .null]
        } catch {
            if error == .full {
                throw Failure(.inputOutput, "the disk is full; free some space and import again, nothing is doubled")
            }
            throw Failure(.inputOutput, "the message could not be stored: \(error)")
        }
    }

    // MARK: Mail that did not open

    private static func unopened(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        var found: [JSONValue] = []
        let failedHere = agent.unlocked?.store.unopenable ?? []
        do throws(SpoolError) {
            for mailbox in [AgentMailbox.inbox, AgentMailbox.quarantine] {
                for entry in try await agent.spool.entries(in: mailbox) where entry.flags > 0 || failedHere.contains(entry.uid)
                {
                    found.append([
                        "record": .number(Int64(clamping: entry.uid.rawValue)), "tries": .number(Int(entry.flags)),
                        "size": .number(entry.size),
                        "quarantined": .bool(mailbox == AgentMailbox.quarantine),
                    ])
                }
            }
        } catch {
            throw Failure(.inputOutput, "the local store cannot be read: \(error)")
        }
        return .list(found)
    }

    /// As the node handed it out: sealed.
    private static func readUnopened(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        guard let number = request.arguments["record"]?.integer, number > 0 else {
            throw Failure(.usage, "\(request.command) needs record")
        }
        let uid = SpoolUID(rawValue: UInt64(number))
        do throws(SpoolError) {
            let known = try await agent.spool.entries(in: AgentMailbox.inbox) + agent.spool.entries(in: AgentMailbox.quarantine)
            guard known.contains(where: { $0.uid == uid }) else { throw SpoolError.noSuchRecord(uid) }
            let bytes = try await agent.spool.read(uid, offset: 0, count: .max)
            return ["raw": .text(String(decoding: Base64.encode(bytes), as: UTF8.self))]
        } catch {
            throw Failure(.inputOutput, "record \(number) cannot be read: \(error)")
        }
    }

    private static func retry(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        let store = try agent.opened().store
        do throws(SpoolError) {
            let count = try await store.retryUnopened()
            if count > 0 { agent.noteChange(of: store) }
            return ["opened": .number(count), "unopened": .number(store.unopened)]
        } catch {
            throw Failure(.inputOutput, "the local store cannot be written: \(error)")
        }
    }
}
