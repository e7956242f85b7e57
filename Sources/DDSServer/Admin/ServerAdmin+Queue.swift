// The commands behind `queue`, in the words of the control channel.

import DDSCore
import DDSLoop
import DDSNode
import DDSSpool

extension ServerAdmin {
    func listQueue(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let member = try request.arguments["to"]?.string.map { name throws(Failure) in
            try store.directory.member(String(name.prefix { $0 != "@" }))
        }
        return .list(
            try await storage { () throws(SpoolError) in try await queue.entries(member: member) }.map { .object(describe($0)) }
        )
    }

    func showQueued(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let id = try queue.id(try request.text("id"))
        let all = try await storage { () throws(SpoolError) in try await queue.entries(ids: [id]) }
        guard let entry = all.first else {
            throw Failure(
                .unknownName, "nothing of message \(Hex.encode(id.bytes)) waits or is held any more; see: ddsnode queue list")
        }
        var fields = describe(entry)
        fields["copies"] = .list(
            zip(entry.record.copies, entry.states).map { copy, state in
                [
                    "member": .text(copy.member), "group": entry.record.group(of: copy).map { .text($0) } ?? .null,
                    "state": .text(state.rawValue),
                    "cause": state == .held
                        ? .text(delivery.held.words(entry.causes[copy.mailbox] ?? .admin, member: copy.member)) : .null,
                ]
            })
        return .object(fields)
    }

    func retryQueue(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let isAll = request.arguments["all"]?.boolean ?? false
        let id = isAll ? nil : try queue.id(try request.text("id"))
        let outcomes = try await storage { () throws(SpoolError) in try await queue.retry(id) }
        return describe(outcomes)
    }

    func releaseQueued(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let id = try queue.id(try request.text("id"))
        let outcomes = try await storage { () throws(SpoolError) in try await queue.release(id) }
        guard !outcomes.isEmpty else {
            throw Failure(.badInput, "nothing of this message is held; see: ddsnode queue show \(Hex.encode(id.bytes))")
        }
        return describe(outcomes)
    }

    func holdQueued(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let id = try queue.id(try request.text("id"))
        let (count, busy) = try await storage { () throws(SpoolError) in try await queue.hold(id) }
        if count == 0, !busy.isEmpty {
            throw Failure(.tryAgain, "\(busy.joined(separator: ", ")) has the maildrop open just now; try again")
        }
        return ["id": .text(Hex.encode(id.bytes)), "held": .number(count), "busy": .texts(busy)]
    }

    func removeQueued(_ request: ControlRequest) async throws(Failure) -> JSONValue {
        let id = try queue.id(try request.text("id"))
        let (count, busy) = try await storage { () throws(SpoolError) in try await queue.remove(id) }
        if count == 0, !busy.isEmpty {
            throw Failure(.tryAgain, "\(busy.joined(separator: ", ")) has the maildrop open just now; try again")
        }
        return ["id": .text(Hex.encode(id.bytes)), "removed": .number(count), "busy": .texts(busy)]
    }

    private func describe(_ outcomes: [(item: HeldQueue.Item, outcome: HeldQueue.Release)]) -> JSONValue {
        [
            "released": .number(outcomes.count { $0.outcome == .released }),
            "held": .list(
                outcomes.compactMap { item, outcome in
                    let name = store.directory.account(mailbox: item.member)?.name ?? "?"
                    let words: String
                    switch outcome {
                    case .released, .erased: return nil
                    case .stays(let cause): words = delivery.held.words(cause, member: name)
                    case .damaged: words = "the copy cannot be read; see the log"
                    }
                    return ["id": .text(Hex.encode(item.id.bytes)), "member": .text(name), "cause": .text(words)]
                }),
        ]
    }

    private func describe(_ entry: QueueDesk.Entry) -> [String: JSONValue] {
        let heldCopies = zip(entry.record.copies, entry.states).filter { $0.1 == .held }.map(\.0)
        return [
            "id": .text(Hex.encode(entry.id.bytes)), "author": entry.record.author.isEmpty ? .null : .text(entry.record.author),
            "date": .text(String(CivilTime(secondsSinceEpoch: Int64(entry.record.day) * 86400).rfc3339.prefix(10))),
            "to": .texts(entry.record.destinations), "waiting": .number(entry.states.count { $0 == .waiting }),
            "fetched": .number(entry.states.count { $0 == .fetched }),
            "held": .list(
                heldCopies.map {
                    [
                        "member": .text($0.member),
                        "cause": .text(delivery.held.words(entry.causes[$0.mailbox] ?? .admin, member: $0.member)),
                    ]
                }),
        ]
    }

    private func storage<Value>(_ body: @LoopActor () async throws(SpoolError) -> Value) async throws(Failure) -> Value {
        do throws(SpoolError) {
            return try await body()
        } catch {
            if error == .full {
                throw Failure(.inputOutput, "the disk is full; free some space and try again. Nothing was changed")
            }
            throw Failure(.inputOutput, "the spool has a problem; see the log", reason: "\(error)")
        }
    }
}
