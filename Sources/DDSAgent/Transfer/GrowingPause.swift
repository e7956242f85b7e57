// How long to wait before trying again.

/// Doubles from `first` to `longest`, until something worked.
struct GrowingPause: Hashable, Sendable {
    let first: Duration
    let longest: Duration
    private var coming: Duration

    init(first: Duration, longest: Duration) {
        self.first = first
        self.longest = longest
        coming = first
    }

    /// The pause for this time.
    mutating func next() -> Duration {
        defer { coming = min(coming * 2, longest) }
        return coming
    }

    mutating func reset() { coming = first }
}
