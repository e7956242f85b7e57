// Which seal keys a node has, when it makes another one and when it destroys an old one. A value: the file, the announcement and
// what lies in the spool are others' affair.

import DDSCore
import DDSNode
import DDSSeal

struct SealRing: Sendable {
    struct Key: Sendable {
        let number: UInt64
        /// Nil of a key that no node has announced yet.
        var made: WallTime?
        /// Opens what is sealed to the node with a program that knows classical keys only.
        let classical: AgeIdentity
        /// Opens what members' agents seal to the node; nil of a key from before there were hybrid ones.
        let hybrid: AgeIdentity?

        var identities: [AgeIdentity] { [classical] + (hybrid.map { [$0] } ?? []) }
        /// The best key to seal to.
        var best: AgeRecipient { (hybrid ?? classical).recipient }

        static func generate(number: UInt64, made: WallTime?, random: any RandomSource) -> Key {
            Key(
                number: number, made: made, classical: .generate(random: random),
                hybrid: .generate(kind: .hybrid, random: random))
        }
    }

    /// After this long in use another key is made.
    static let lifetime = Duration.seconds(7 * 86_400)
    /// A key opens what is sealed to it for so long after the next one was made.
    static let grace = Duration.seconds(48 * 3600)

    /// In the order of their numbers, never empty.
    private(set) var keys: [Key]
    /// What is held is sealed to this key, which is never announced: nothing that came over a wire is under it. Nil of a node
    /// from before there was one, until it has begun.
    private(set) var hold: AgeIdentity?

    /// Nil for keys that are none, or not in their order.
    init?(_ keys: [Key], hold: AgeIdentity?) {
        guard let first = keys.first, first.number > 0, zip(keys, keys.dropFirst()).allSatisfy({ $0.number < $1.number })
        else { return nil }
        self.keys = keys
        self.hold = hold
    }

    private init(only key: Key, hold: AgeIdentity?) {
        keys = [key]
        self.hold = hold
    }

    /// Of a new node. The first key's week begins when the node does.
    static func first(random: any RandomSource) -> SealRing {
        SealRing(
            only: .generate(number: 1, made: nil, random: random), hold: .generate(kind: .hybrid, random: random))
    }

    /// Of a node from before there was a ring: its key becomes number 1, whose week begins when the node is next started.
    static func ofBefore(classical: AgeIdentity, hybrid: AgeIdentity?) -> SealRing {
        SealRing(only: Key(number: 1, made: nil, classical: classical, hybrid: hybrid), hold: nil)
    }

    /// Of a node that is made of a backup in which the key `last` was in use at `time`: a new key. Numbers grow slower than
    /// seconds pass, so that this one is higher than all that the lost node can have announced since.
    static func restored(
        after last: UInt64, at time: WallTime, keeping key: Key?, now: WallTime, random: any RandomSource
    ) -> SealRing {
        let passed = UInt64(max(0, now.seconds - time.seconds))
        var ring = SealRing(
            only: .generate(number: last + 1 + passed, made: now, random: random),
            hold: .generate(kind: .hybrid, random: random))
        if let key { ring.keys.insert(key, at: 0) }
        return ring
    }

    /// The one that is announced.
    var newest: Key { keys[keys.count - 1] }
    /// Everything that submissions may be sealed to, the likeliest first.
    var identities: [AgeIdentity] { keys.reversed().flatMap(\.identities) }

    /// What the node says about its newest key.
    var statement: SealStatement {
        let made = newest.made ?? WallTime(milliseconds: 0)
        return SealStatement(
            number: newest.number, notBefore: made, notAfter: made + Self.lifetime + Self.grace,
            recipients: newest.identities.map { "\($0.recipient)" })
    }

    /// Completes the ring of a node that begins to announce its newest key. True when that changed something.
    mutating func begin(now: WallTime, random: any RandomSource) -> Bool {
        guard newest.made == nil || hold == nil else { return false }
        if newest.made == nil { keys[keys.count - 1].made = now }
        if hold == nil { hold = .generate(kind: .hybrid, random: random) }
        return true
    }

    /// True when the newest key has been in use for long enough; also where the clock was set back as far.
    func isDue(now: WallTime) -> Bool {
        newest.made.map { abs(now.milliseconds - $0.milliseconds) >= Self.lifetime.nanoseconds / 1_000_000 } ?? false
    }

    /// Adds the next key. The ring must be durable before anybody hears of it.
    mutating func rotate(now: WallTime, random: any RandomSource) {
        keys.append(.generate(number: newest.number + 1, made: now, random: random))
    }

    /// Until when a key is good for opening; nil of the newest.
    func end(of key: Key) -> WallTime? {
        guard let next = keys.first(where: { $0.number > key.number }) else { return nil }
        return next.made.map { $0 + Self.grace }
    }

    /// The keys whose time is over, which go if nothing that the node has to open is under them.
    func expired(now: WallTime) -> [Key] { keys.filter { key in end(of: key).map { now >= $0 } ?? false } }

    /// Destroys keys; never the newest.
    mutating func destroy(_ numbers: Set<UInt64>) {
        precondition(!numbers.contains(newest.number), "what is announced can be opened")
        keys.removeAll { numbers.contains($0.number) }
    }
}
