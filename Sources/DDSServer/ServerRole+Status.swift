// What a running node says of itself: fields for scripts, and problems in words.

import DDSCore
import DDSLoop
package import DDSNode
import DDSSeal
import DDSSpool
import DDSTLS

extension ServerRole {
    package func status() async -> RoleStatus {
        if isSealed {
            return RoleStatus(
                fields: ["sealed": true, "node": .text(services.config.node.name)],
                problems: ["the node is sealed and serves nobody; open it with: ddsnode unlock"])
        }
        guard let state, let context else { return RoleStatus(fields: .null, problems: ["the server role is not running"]) }
        let directory = state.store.directory
        let statistics = try? await state.spool.statistics()
        let waiting = context.book.usage.filter { $0.key.rawValue >= Directory.firstMailbox }
        var problems: [String] = (statistics?.damage ?? []).map { "damage in the spool: \($0); see ddsnode-spool(5)" }
        problems += state.spool.recovery.lost.map { "lost from the spool: \($0); what was accepted there is gone" }
        problems += [rootKeeper?.trouble, sealKeeper?.trouble].compactMap { $0 }
        if statistics == nil { problems.append("the spool has stopped; the node restarts to read its disk again") }
        let oldest = await oldestWaiting(waiting.keys, state, context)
        let held = heldByMember(context)
        problems += held.map { held in
            "\(held.count) message\(held.count == 1 ? "" : "s") held for \(held.member) since \(held.since): \(held.cause). See: ddsnode queue list --to \(held.member)"
        }
        let addresses = listeners.mapValues { listeners in JSONValue.texts(listeners.map { "\($0.endpoint)" }) }
        return RoleStatus(
            fields: [
                "sealed": false, "node": .text(context.domain), "listen": .object(addresses), "sessions": .number(sessions.count),
                "users": .number(directory.accounts.count), "groups": .number(directory.groups.count),
                "invites_open": .number(directory.openInvites(now: services.time.wall).count),
                "waiting_messages": .number(waiting.values.reduce(0) { $0 + $1.count }),
                "waiting_members": .number(
                    Set(waiting.keys.map { directory.account(mailbox: $0.rawValue)?.name ?? "\($0)" }).count),
                "oldest_waiting_days": oldest.map { .number($0.days) } ?? .null, "oldest_waiting_member": oldest.map { .text($0.member) } ?? .null,
                "held_messages": .number(context.delivery.held.items.count),
                "held": .list(
                    held.map { ["member": .text($0.member), "count": .number($0.count), "cause": .text($0.cause), "since": .text($0.since)] }),
                "accepted": .number(context.delivery.acceptedCount),
                "expired": .number(housekeeping?.expiredCount ?? 0),
                "seal_recipient": .text("\(context.keys.seal.newest.classical.recipient)"),
                "seal_recipient_pq": context.keys.seal.newest.hybrid.map { .text("\($0.recipient)") } ?? .null,
                "seal_key": SealKeeper.describe(context.keys.seal, kept: sealKeeper?.kept ?? [], now: services.time.wall),
                "tls_key_sha256": .text(Hex.encode(state.identity.keyHash)),
                "certificate_expires": .text(CivilTime(secondsSinceEpoch: state.identity.notAfter.seconds).rfc3339),
                "spool": statistics.map { .object(SpoolAdmin.describe($0, lost: state.spool.recovery.lost)) } ?? .null,
            ], problems: problems)
    }

    /// Who has mail waiting longest, and for how many days.
    private func oldestWaiting(
        _ mailboxes: some Sequence<MailboxID>, _ state: ServerState, _ context: ServerContext
    ) async -> (days: Int, member: String)? {
        var oldest: (day: Int, mailbox: MailboxID)?
        for mailbox in mailboxes {
            if context.book.oldestDay[mailbox] == nil, let first = try? await state.spool.entries(in: mailbox).first {
                context.book.noteOldest(first.day, in: mailbox)
            }
            guard let day = context.book.oldestDay[mailbox], day < oldest?.day ?? .max else { continue }
            oldest = (day, mailbox)
        }
        guard let oldest, let account = state.store.directory.account(mailbox: oldest.mailbox.rawValue) else {
            return nil
        }
        return (services.time.wall.day - oldest.day, account.name)
    }

    /// What is held for whom, by name.
    private func heldByMember(_ context: ServerContext) -> [(member: String, count: Int, cause: String, since: String)] {
        Dictionary(grouping: context.delivery.held.items.values) { item in
            context.store.directory.account(mailbox: item.member)?.name
        }.compactMap { name, items in
            guard let name, let first = items.min(by: { $0.uid < $1.uid }) else { return nil }
            let day = CivilTime(secondsSinceEpoch: Int64(first.day) * 86400)
            return (name, items.count, context.delivery.held.words(first.cause, member: name), "\(day.day) \(day.monthName)")
        }.sorted { $0.member < $1.member }
    }
}
