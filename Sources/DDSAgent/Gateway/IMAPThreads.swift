// THREAD=REFERENCES (RFC 5256): which messages belong together, ThreadMembers says, as for the page; here is which answers
// which.

import DDSWire

struct IMAPThreads {
    /// Deeper answers stand beside each other: nobody shows so many steps, and a tree has to be let go of again.
    private static let depthMax = 200
    /// So many steps are looked up for a circle.
    private static let stepsMax = 1000

    /// One message that was found.
    struct Node {
        var uid: UInt32
        /// The author's date.
        var date: Int64
        var messageID: String
        /// What it answers, the nearest last.
        var references: [String]
    }

    /// The threads of these messages, each sorted by date, and they by the date of their first.
    static func threads(_ rows: [IMAPSearch.Row], _ table: SummaryTable, _ members: ThreadMembers) -> [IMAPThread] {
        var together: [Int: [Node]] = [:]
        for row in rows {
            guard let place = row.place, let thread = members.thread(of: place) else { continue }
            let summary = table.summary(place)
            let answered = summary.references.isEmpty ? Array(summary.inReplyTo.prefix(1)) : summary.references
            together[thread, default: []].append(
                Node(uid: row.facts.uid, date: summary.date, messageID: summary.messageID, references: answered))
        }
        let trees = together.values.map { nodes in
            let sorted = nodes.sorted { ($0.date, $0.uid) < ($1.date, $1.uid) }
            return (date: sorted[0].date, uid: sorted[0].uid, tree: tree(sorted))
        }
        return trees.sorted { ($0.date, $0.uid) < ($1.date, $1.uid) }.map(\.tree)
    }

    /// Of one thread, sorted by date. Several that answer nothing here hang on a message that is not here.
    static func tree(_ nodes: [Node]) -> IMAPThread {
        let parents = parents(nodes)
        var children: [[Int]] = nodes.map { _ in [] }
        for (child, parent) in parents.enumerated() { if let parent { children[parent].append(child) } }
        // From the roots down, so that whatever hangs on something comes behind it.
        let roots = nodes.indices.filter { parents[$0] == nil }
        var order = roots.map { (node: $0, depth: 0, holder: Int?.none) }
        var next = 0
        while next < order.count {
            let (node, depth, holder) = order[next]
            for child in children[node] {
                order.append(
                    depth < depthMax
                        ? (node: child, depth: depth + 1, holder: node) : (node: child, depth: depth, holder: holder))
            }
            next += 1
        }
        var built = nodes.map { IMAPThread(uid: $0.uid) }
        for (node, _, holder) in order.reversed() {
            // They came the other way round.
            built[node].children.reverse()
            if let holder { built[holder].children.append(built[node]) }
        }
        if roots.count == 1 { return built[roots[0]] }
        return IMAPThread(uid: nil, children: roots.map { built[$0] })
    }

    private static func parents(_ nodes: [Node]) -> [Int?] {
        var byID: [String: Int] = [:]
        for (place, node) in nodes.enumerated() where !node.messageID.isEmpty && byID[node.messageID] == nil {
            byID[node.messageID] = place
        }
        var parents = [Int?](repeating: nil, count: nodes.count)
        for (place, node) in nodes.enumerated() {
            guard let parent = node.references.reversed().lazy.compactMap({ byID[$0] }).first, parent != place else { continue }
            var above: Int? = parent
            var steps = 0
            while let step = above, step != place, steps < stepsMax {
                above = parents[step]
                steps += 1
            }
            if above == nil { parents[place] = parent }
        }
        return parents
    }
}
