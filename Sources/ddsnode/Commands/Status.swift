// `status`: one screen about the daemon, exit status 0 when all is well, 1 with problems, 3 when nothing runs.

import ArgumentParser
import DDSCore
import DDSLoop
import DDSNode

struct StatusCommand: NodeCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show what runs, and what is wrong.",
        discussion: "The exit status is 0 when all is well, 1 when there are problems, and 3 when nothing runs.")

    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func perform(_ context: Context) async throws(Failure) -> Int32 { try await Self.show(context) }

    @LoopActor static func show(_ context: Context) async throws(Failure) -> Int32 {
        let config = try context.config(for: nil)
        guard let result = try await Dispatch.daemon(config, ControlRequest("status")) else {
            if context.output.isJSON { context.output.result(["running": false]) { "" } }
            throw Failure(.notRunning, "nothing is running at \(config.node.runtimeDirectory); start it with: ddsnode run")
        }
        let problems = result["problems"]?.strings ?? []
        context.output.result(merged(result)) { screen(result, problems, context.output) }
        return problems.isEmpty ? 0 : 1
    }

    private static func merged(_ result: JSONValue) -> JSONValue {
        guard case .object(var fields) = result else { return result }
        fields["running"] = true
        return .object(fields)
    }

    // MARK: For people

    private static func screen(_ result: JSONValue, _ problems: [String], _ output: Output) -> String {
        var rows: [[String]] = []
        for role in result["roles"]?.strings ?? [] {
            let fields = result[role] ?? .null
            switch role {
            case "server": rows += server(fields, uptime(result))
            case "agent": rows += agent(fields, uptime(result))
            default: rows.append([role, "up \(uptime(result))"])
            }
        }
        var text = output.table(rows)
        if !problems.isEmpty { text += "\(problems.count) problem\(problems.count == 1 ? "" : "s"):\n" }
        for problem in problems { text += output.warning("  \(SafeWord.text(problem))") + "\n" }
        return text
    }

    private static func server(_ fields: JSONValue, _ uptime: String) -> [[String]] {
        func number(_ name: String) -> String { SafeWord.text(fields[name]) }
        if fields["sealed"]?.boolean == true { return [["server", "\(SafeWord.text(fields["node"]))   sealed   up \(uptime)"]] }
        var rows = [
            ["server", "\(SafeWord.text(fields["node"]))   up \(uptime)   \(number("sessions")) connections"],
            ["users", "\(number("users"))   groups \(number("groups"))   invites open \(number("invites_open"))"],
            ["spool", spool(fields)],
        ]
        if let spool = fields["spool"], let used = spool["disk_bytes"]?.integer, let free = spool["free_disk_bytes"]?.integer {
            rows.append(["disk", "\(size(used)) used, \(size(free)) free"])
            rows.append(["erased", "to level \(SafeWord.text(spool["erase_level"]))   \(SafeWord.text(spool["file_system_words"]))"])
        }
        if let key = fields["seal_key"] {
            let days = key["age_days"]?.integer ?? 0
            let earlier = key["earlier"]?.array?.count ?? 0
            rows.append([
                "seal key",
                "number \(SafeWord.text(key["number"])), \(days == 0 ? "made today" : "\(days) d old")"
                    + (earlier == 0 ? "" : "   \(earlier) of before open\(earlier == 1 ? "s" : "") what is on its way"),
            ])
        }
        if case .object(let listeners)? = fields["listen"] {
            for (name, addresses) in listeners.sorted(by: { $0.key < $1.key }) {
                rows.append([name, SafeWord.text(addresses)])
            }
        }
        return rows
    }

    /// `214 waiting for 9 members, oldest 3 d (emil); held 2 (dora: mailbox full)`.
    private static func spool(_ fields: JSONValue) -> String {
        let members = fields["waiting_members"]?.integer ?? 0
        var text = "\(SafeWord.text(fields["waiting_messages"])) waiting for \(members) member\(members == 1 ? "" : "s")"
        if let days = fields["oldest_waiting_days"]?.integer, let member = fields["oldest_waiting_member"]?.string {
            text += ", oldest \(days == 0 ? "today" : "\(days) d") (\(SafeWord.text(member)))"
        }
        let held = (fields["held"]?.array ?? []).map { "\(SafeWord.text($0["member"])): \(SafeWord.text($0["cause"]))" }
        if !held.isEmpty { text += "; held \(SafeWord.text(fields["held_messages"])) (\(held.joined(separator: "; ")))" }
        return text
    }

    private static func agent(_ fields: JSONValue, _ uptime: String) -> [[String]] {
        guard fields["joined"]?.boolean == true else { return [["agent", "not joined   up \(uptime)"]] }
        let isLocked = fields["locked"]?.boolean ?? true
        var state = "\(isLocked ? "locked" : "unlocked")   \(SafeWord.text(fields["address"]))"
        if let unread = fields["unread"]?.integer { state += "   \(unread) unread" }
        let lastFetch = SafeWord.text(fields["last_fetch"])
        return [
            ["agent", state + "   up \(uptime)"],
            ["fetch", "\(lastFetch.isEmpty ? "not yet" : lastFetch), \(SafeWord.text(fields["fetched"])) new since the start"],
            ["outbox", "\(SafeWord.text(fields["outbox"]))   store \(size(fields["store_bytes"]?.integer ?? 0))"],
            ["web", "\(SafeWord.text(fields["page"]))   tray \(fields["tray"]?.boolean == true ? "yes" : "no")"],
        ]
    }

    private static func uptime(_ result: JSONValue) -> String {
        let seconds = result["uptime_seconds"]?.integer ?? 0
        if seconds < 120 { return "\(seconds) s" }
        if seconds < 7200 { return "\(seconds / 60) min" }
        return seconds < 172_800
            ? "\(seconds / 3600) h \(seconds / 60 % 60) min" : "\(seconds / 86400) d \(seconds / 3600 % 24) h"
    }

    static func size(_ bytes: Int64) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var value = bytes
        var unit = 0
        while value >= 10240, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return "\(value) \(units[unit])"
    }
}
