// What the node tells of this person's own messages, written into their summaries.

import DDSCore
import DDSNode
import DDSSpool

extension StoredSummary {
    /// Takes over what a report says; an older report than the last one changes nothing.
    mutating func apply(_ message: DeliveryReport.Message) {
        guard isOwn, message.revision > revision ?? 0 else { return }
        revision = message.revision
        copies = message.copies.map(StoredCopy.init)
    }

    /// How the copies of a message this person wrote are, in words: "Bob has it · Carol: waiting · Dora: held, mailbox full". Of
    /// many readers those are named who do not have it.
    var copyWords: String {
        let copies = copies ?? []
        let having = copies.filter { $0.state == .fetched }
        let others = copies.filter { $0.state != .fetched }
        var words: [String] = []
        if having.count <= Self.namesMax {
            words += having.map { "\($0.name) has it" }
        } else {
            words.append("\(having.count) have it")
        }
        words += others.prefix(Self.namesMax).map { "\($0.name): \($0.words)" }
        if others.count > Self.namesMax { words.append("and \(others.count - Self.namesMax) others do not have it") }
        return words.joined(separator: " · ")
    }

    private static let namesMax = 12
}

extension StoredCopy {
    /// Behind the reader's name.
    var words: String {
        switch state {
        case .waiting: "waiting"
        case .fetched: "has it"
        case .held: cause.map { "held, \($0.words)" } ?? "held"
        case .expired: "expired unread"
        case .removed: "removed"
        case .lost: "gone with a lost key"
        case .unsealed: "gets nothing of it, had no key when you sealed it"
        }
    }

    var json: JSONValue {
        [
            "address": .text(address), "name": .text(name), "group": group.map { .text($0) } ?? .null,
            "state": .text(state.rawValue),
            "cause": cause.map { .text($0.words) } ?? .null,
        ]
    }
}
