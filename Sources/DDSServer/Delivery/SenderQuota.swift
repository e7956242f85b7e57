// How much one member may send: messages within an hour, bytes within a day. A value: no clock, no waiting, no disk; counting
// begins anew when the node starts.

import DDSCore

/// Counts by sender in windows that slide by a part of their length, so that memory does not grow with what is sent.
struct SenderQuota: Sendable {
    private static let hour = Duration.seconds(3600)
    private static let day = Duration.seconds(86400)
    /// Parts of a window; what was sent counts until its part has left the window whole.
    private static let parts = 60

    var messagesPerHour: Int
    var bytesPerDay: Int
    private var messages: [String: [Slot]] = [:]
    private var bytes: [String: [Slot]] = [:]

    private struct Slot: Sendable {
        var start: Instant
        var amount: Int
    }

    init(messagesPerHour: Int, bytesPerDay: Int) {
        self.messagesPerHour = messagesPerHour
        self.bytesPerDay = bytesPerDay
    }

    /// A limit that is reached, and how long it takes until the next message may go.
    enum Refusal: Hashable, Sendable {
        case messages(wait: Duration)
        case bytes(wait: Duration)
        /// Larger than what may be sent in a whole day.
        case never
    }

    /// Nil when `sender` may send `size` more bytes now.
    func refusal(_ sender: String, size: Int, now: Instant) -> Refusal? {
        if size > bytesPerDay { return .never }
        if let wait = Self.wait(messages[sender] ?? [], room: messagesPerHour - 1, window: Self.hour, now) {
            return .messages(wait: wait)
        }
        if let wait = Self.wait(bytes[sender] ?? [], room: bytesPerDay - size, window: Self.day, now) {
            return .bytes(wait: wait)
        }
        return nil
    }

    /// Counts an accepted message.
    mutating func sent(_ sender: String, size: Int, now: Instant) {
        Self.add(1, to: &messages[sender, default: []], window: Self.hour, now)
        Self.add(size, to: &bytes[sender, default: []], window: Self.day, now)
    }

    /// How long until no more than `room` is left in the window; nil when that is so now.
    private static func wait(_ slots: [Slot], room: Int, window: Duration, _ now: Instant) -> Duration? {
        let current = slots.filter { now - $0.start < window }
        var sum = current.reduce(0) { $0 + $1.amount }
        if sum <= room { return nil }
        for slot in current {
            sum -= slot.amount
            if sum <= room { return slot.start + window - now }
        }
        return window
    }

    private static func add(_ amount: Int, to slots: inout [Slot], window: Duration, _ now: Instant) {
        slots.removeAll { now - $0.start >= window }
        if let last = slots.last, now - last.start < window / parts {
            slots[slots.count - 1].amount += amount
        } else {
            slots.append(Slot(start: now, amount: amount))
        }
    }
}

extension SenderQuota.Refusal {
    /// For the author; `now` is the time of day.
    func words(now: WallTime) -> String {
        switch self {
        case .messages(let wait):
            "you have sent as many messages as this node takes of one member within an hour; \(Self.until(wait, now))"
        case .bytes(let wait): "you have sent as much as this node takes of one member within a day; \(Self.until(wait, now))"
        case .never: "larger than all that this node takes of one member within a day"
        }
    }

    private static func until(_ wait: Duration, _ now: WallTime) -> String {
        // A minute more than it takes, since seconds are not said.
        let time = CivilTime(secondsSinceEpoch: (now + wait).seconds + 60).rfc3339
        return "it works again from \(time.dropFirst(11).prefix(5)) UTC on \(time.prefix(10))"
    }
}
