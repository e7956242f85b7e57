// How many failures a minute, from one address or against one name, and what they cost. A value: no clock, no waiting.

import DDSCore

/// Counts failures by key within a sliding minute. Bounded: when there are too many keys, those that failed longest ago go.
struct FailureLimiter: Sendable {
    static let keysMax = 10_000
    private static let window = Duration.seconds(60)
    /// Failures that cost nothing beyond the connection's own delay.
    private static let freeFailures = 2
    private static let firstDelay = Duration.milliseconds(500)
    private static let longestDelay = Duration.seconds(15)

    var perMinute: Int
    private var failures: [String: [Instant]] = [:]

    init(perMinute: Int) {
        self.perMinute = perMinute
    }

    /// How many keys are remembered.
    var count: Int { failures.count }

    /// False when any of `keys` has used up its failures of this minute. The empty key is nobody's.
    func allows(_ keys: [String], now: Instant) -> Bool {
        keys.allSatisfy { recent($0, now) < perMinute }
    }

    /// How much later than otherwise a failure is answered now: doubling with each one of the last minute.
    func delay(_ keys: [String], now: Instant) -> Duration {
        let worst = keys.map { recent($0, now) }.max() ?? 0
        guard worst > Self.freeFailures else { return .zero }
        return min(Self.firstDelay * (1 << min(worst - Self.freeFailures - 1, 10)), Self.longestDelay)
    }

    mutating func failed(_ keys: [String], now: Instant) {
        for key in keys where !key.isEmpty {
            failures[key] = (failures[key] ?? []).filter { now - $0 < Self.window }.suffix(perMinute - 1) + [now]
        }
        guard failures.count > Self.keysMax else { return }
        failures = failures.filter { $0.value.contains { now - $0 < Self.window } }
        guard failures.count > Self.keysMax else { return }
        // Half at once, so that the sorting is paid for by the many failures that led here.
        let kept = failures.sorted { ($0.value.last ?? now) > ($1.value.last ?? now) }.prefix(Self.keysMax / 2)
        failures = Dictionary(kept.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
    }

    /// Whom an address is counted as: of IPv6 the network of 64 bits, all of which one person has; else the address.
    static func place(_ host: String) -> String {
        guard host.contains(":") else { return host }
        let halves = host.prefix { $0 != "%" }.split(separator: "::", maxSplits: 1, omittingEmptySubsequences: false)
        let parts = halves.map { $0.split(separator: ":") }
        // An IPv4 address in IPv6's clothes.
        if let last = parts.last?.last, last.contains(".") { return String(last) }
        let known = parts.reduce(0) { $0 + $1.count }
        guard parts.count == 2, known < 8 else { return (parts.first ?? []).prefix(4).joined(separator: ":") }
        let groups = parts[0] + Array(repeating: "0", count: 8 - known) + parts[1]
        return groups.prefix(4).joined(separator: ":")
    }

    private func recent(_ key: String, _ now: Instant) -> Int {
        (failures[key] ?? []).count { now - $0 < Self.window }
    }
}
