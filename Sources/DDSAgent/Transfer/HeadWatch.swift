// What an agent knows of its node's store from the heads it was told: the highest of each store, and whether one went back.
// Compares and remembers; it neither asks nor writes.

import DDSCore
import DDSNode

/// The heads of a node as one agent saw them. A value that is written down after each change.
struct HeadWatch: Hashable, Sendable {
    /// Stores that are remembered; a node has one, and another one after each restore.
    static let storesMax = 16

    /// What became of a store that should only ever move on.
    enum Incident: Hashable, Sendable {
        /// The same store, at an earlier state than it was.
        case setBack(from: UInt64, to: UInt64)
        /// Another store than before.
        case replaced
    }

    struct Store: Hashable, Sendable {
        var uuid: [UInt8]
        var highest: UInt64
        /// As it was told last.
        var latest: UInt64
    }

    /// The one of the last statement comes last.
    private(set) var stores: [Store] = []
    /// What happened first and nobody has taken note of, and when.
    private(set) var incident: (what: Incident, at: WallTime)? {
        get { noted.map { ($0.what, $0.at) } }
        set { noted = newValue.map { Noted(what: $0.what, at: $0.at) } }
    }

    private struct Noted: Hashable, Sendable {
        var what: Incident
        var at: WallTime
    }

    private var noted: Noted?

    init() {}

    /// Compares with what was seen before. What went back is remembered until `accept`, and the highest counter stays the one
    /// that was seen, so that going back twice is noticed twice. Returns what is wrong with this head, nil when it moved on.
    @discardableResult
    mutating func take(_ head: NodeHead, at wall: WallTime) -> Incident? {
        var found: Incident?
        var store = Store(uuid: head.uuid, highest: head.counter, latest: head.counter)
        let last = stores.last
        if let known = stores.firstIndex(where: { $0.uuid == head.uuid }) {
            let earlier = stores.remove(at: known)
            if head.counter < earlier.highest { found = .setBack(from: earlier.highest, to: head.counter) }
            store.highest = max(earlier.highest, head.counter)
        }
        if let last, last.uuid != head.uuid, found == nil { found = .replaced }
        stores.append(store)
        stores.removeFirst(max(0, stores.count - Self.storesMax))
        if let found, noted == nil { incident = (found, wall) }
        return found
    }

    /// The person knows: what the node has now counts from here on.
    mutating func accept() {
        noted = nil
        stores = stores.suffix(1).map { Store(uuid: $0.uuid, highest: $0.latest, latest: $0.latest) }
    }
}

// MARK: On the disk

extension HeadWatch {
    var json: JSONValue {
        var fields: [String: JSONValue] = [
            "stores": .list(
                stores.map {
                    ["uuid": .text(Hex.encode($0.uuid)), "highest": .text("\($0.highest)"), "latest": .text("\($0.latest)")]
                })
        ]
        if let incident {
            fields["at"] = .number(incident.at.milliseconds)
            switch incident.what {
            case .replaced: fields["incident"] = "replaced"
            case .setBack(let from, let to):
                fields["incident"] = "set-back"
                fields["from"] = .text("\(from)")
                fields["to"] = .text("\(to)")
            }
        }
        return .object(fields)
    }

    /// Nil when it is not what `json` writes.
    init?(json: JSONValue) {
        guard let listed = json["stores"]?.array else { return nil }
        for value in listed {
            guard let uuid = value["uuid"]?.string.flatMap({ Hex.decode($0) }), uuid.count == 16,
                let highest = value["highest"]?.string.flatMap({ UInt64($0) }),
                let latest = value["latest"]?.string.flatMap({ UInt64($0) })
            else { return nil }
            stores.append(Store(uuid: uuid, highest: highest, latest: latest))
        }
        guard let kind = json["incident"]?.string else { return }
        let at = WallTime(milliseconds: json["at"]?.integer ?? 0)
        switch kind {
        case "replaced": incident = (.replaced, at)
        case "set-back":
            guard let from = json["from"]?.string.flatMap({ UInt64($0) }), let to = json["to"]?.string.flatMap({ UInt64($0) })
            else {
                return nil
            }
            incident = (.setBack(from: from, to: to), at)
        default: return nil
        }
    }
}
