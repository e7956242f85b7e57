// How long the loop kept others waiting: a fixed-size histogram with logarithmic buckets. It counts; it judges nothing.

import DDSCore

/// Durations in buckets of relative width 1/4, from nanoseconds to centuries, in a few hundred counters.
package struct LagHistogram: Hashable, Sendable {
    /// How many durations were recorded.
    package private(set) var count: UInt64 = 0
    /// The longest duration recorded.
    package private(set) var max: Duration = .zero
    private var buckets = [UInt64](repeating: 0, count: 256)

    package init() {}

    /// Adds one duration; negative ones count as zero.
    package mutating func record(_ duration: Duration) {
        let nanoseconds = UInt64(clamping: duration.nanoseconds)
        buckets[Self.bucket(of: nanoseconds)] += 1
        count += 1
        if duration > max { max = duration }
    }

    /// A duration that at least the part `fraction` (0 to 1) of those recorded did not exceed, at most a quarter too long;
    /// zero when nothing was recorded.
    package func quantile(_ fraction: Double) -> Duration {
        precondition((0...1).contains(fraction), "a quantile lies between 0 and 1")
        guard count > 0 else { return .zero }
        let wanted = Swift.max(1, UInt64((Double(count) * fraction).rounded(.up)))
        var seen: UInt64 = 0
        for (index, number) in buckets.enumerated() {
            seen += number
            if seen >= wanted { return min(max, .nanoseconds(Int64(clamping: Self.upperBound(of: index)))) }
        }
        return max
    }

    /// Four buckets for each power of two; the values 0...3 have one each.
    private static func bucket(of nanoseconds: UInt64) -> Int {
        guard nanoseconds >= 4 else { return Int(nanoseconds) }
        let exponent = 63 - nanoseconds.leadingZeroBitCount
        return (exponent - 1) * 4 + Int(nanoseconds >> (exponent - 2) & 3)
    }

    private static func upperBound(of bucket: Int) -> UInt64 {
        guard bucket >= 4 else { return UInt64(bucket) }
        let shift = UInt64(bucket / 4 - 1)
        let quarter = UInt64(bucket % 4) + 4
        return ((quarter + 1) << shift) &- 1
    }
}
