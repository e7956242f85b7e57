// Which mailbox keys an agent has, when it makes another one and when it destroys an old one. A value: files, the node and
// the inbox are others' affair. A key that some message may still need is never let go, whatever order things happen in.

import DDSCore
import DDSNode
import DDSSeal

struct MailboxRing: Sendable {
    struct Key: Sendable {
        let number: UInt64
        let since: WallTime
        let identity: AgeIdentity
        /// What was or will be said to the node about it, signed.
        let statement: [UInt8]
        /// The node has said that it seals to this key, or a later one.
        var isConfirmed: Bool
    }

    /// After this long in use another key is made.
    static let lifetime = Duration.seconds(86_400)

    /// Statements that are kept for a node that was set back to a backup: a month of daily ones.
    static let earlierMax = 32

    /// In the order of their numbers, never empty.
    private(set) var keys: [Key]
    /// The signed statements before the newest key's, the oldest first. Public; their keys may be gone.
    private(set) var earlier: [[UInt8]] = []

    /// The newest key, which may not be known to the node yet.
    var newest: Key { keys[keys.count - 1] }
    /// Everything that mail may be sealed to, the likeliest first.
    var identities: [AgeIdentity] { keys.reversed().map(\.identity) }
    /// There is something to tell the node or to ask it.
    var isUnsettled: Bool { keys.count > 1 || !newest.isConfirmed }

    /// Nil for keys that are none, or not in their order.
    init?(_ keys: [Key], earlier: [[UInt8]] = []) {
        guard earlier.count <= Self.earlierMax, !keys.isEmpty, zip(keys, keys.dropFirst()).allSatisfy({ $0.number < $1.number })
        else { return nil }
        self.keys = keys
        self.earlier = earlier
    }

    /// Of an agent that was enrolled before there were mailbox keys of their own: the vault's key, about which the node was
    /// told nothing.
    static func ofVault(_ vault: VaultKeys) -> MailboxRing {
        MailboxRing(
            only: Key(number: 0, since: WallTime(milliseconds: 0), identity: vault.mailbox, statement: [], isConfirmed: true))
    }

    /// The keys of somebody who has one.
    init(only key: Key) { keys = [key] }

    /// True when the newest key has been in use for long enough, and the node knows it.
    func isDue(now: WallTime) -> Bool { newest.isConfirmed && now >= newest.since + Self.lifetime }

    /// Adds the next key. The ring must be durable before the node hears of it.
    mutating func add(_ key: Key) {
        precondition(key.number == newest.number + 1 && newest.isConfirmed, "a key follows one that the node knows")
        if !newest.statement.isEmpty { earlier = (earlier + [newest.statement]).suffix(Self.earlierMax) }
        keys.append(key)
    }

    /// Statement `newest.number` was answered with `standing`. False when the node does not seal to the newest key.
    mutating func take(_ standing: KeyStanding) -> Bool {
        guard standing.number == newest.number else { return false }
        for index in keys.indices { keys[index].isConfirmed = true }
        return true
    }

    /// Destroys the keys that nothing is sealed to any more: the node, which seals to the newest, has said *after* that change
    /// that it has no copy under an older one, and what was fetched and lies here unopened is under none of them.
    /// `inbox` holds the numbers of everything fetched, as of after the node's answer. Returns how many went.
    mutating func drop(after standing: KeyStanding, inbox: Set<UInt64>) -> Int {
        guard standing.number == newest.number, newest.isConfirmed, standing.older == 0 else { return 0 }
        let before = keys.count
        let last = newest.number
        keys.removeAll { $0.number < last && !inbox.contains($0.number) }
        return before - keys.count
    }
}
