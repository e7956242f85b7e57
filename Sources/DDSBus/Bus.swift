// Who hears of which event, and when: publishing only stores, delivery is what the shell takes at its next turn. So no
// subscriber runs inside a publisher, and the order is the same in the program, in tests and in a replay.

package import DDSCore

/// Names one subscription; never given twice by one bus.
package struct SubscriberID: Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package static func < (left: SubscriberID, right: SubscriberID) -> Bool { left.rawValue < right.rawValue }
}

/// An event as the trace keeps it.
package struct TracedEvent: Hashable, Sendable {
    /// Counts all events of this bus from 0; a gap before the first one kept says how many the trace has forgotten.
    package var sequence: UInt64
    /// The delivery turn in which it was published.
    package var turn: UInt64
    package var at: Instant
    package var event: NodeEvent

    package init(sequence: UInt64, turn: UInt64, at: Instant, event: NodeEvent) {
        self.sequence = sequence
        self.turn = turn
        self.at = at
        self.event = event
    }
}

/// The bus as a value: subscriptions, what waits for them, and the trace.
package struct Bus: Sendable {
    private struct Subscription {
        var topics: Topics
        var mailbox: Mailbox<NodeEvent>
    }

    private var subscriptions: [SubscriberID: Subscription] = [:]
    private var waiting: Set<SubscriberID> = []
    private var nextSubscriber: UInt64 = 1
    private var sequence: UInt64 = 0
    private var turn: UInt64 = 0
    private var ring: Mailbox<TracedEvent>

    /// The trace keeps the last `traceCapacity` events, at least 1.
    package init(traceCapacity: Int) {
        ring = Mailbox(capacity: traceCapacity, policy: .dropOldest)
    }

    /// Events of `topics` published from now on wait in a mailbox of `capacity` for the next turn.
    package mutating func subscribe(_ topics: Topics, capacity: Int, policy: OverflowPolicy) -> SubscriberID {
        let id = SubscriberID(rawValue: nextSubscriber)
        nextSubscriber += 1
        subscriptions[id] = Subscription(topics: topics, mailbox: Mailbox(capacity: capacity, policy: policy))
        return id
    }

    /// Forgets the subscriber and what waits for it. Unknown ids are ignored, so unsubscribing twice is no error.
    package mutating func unsubscribe(_ id: SubscriberID) {
        subscriptions[id] = nil
        waiting.remove(id)
    }

    /// Stores the event for its subscribers and in the trace; delivers nothing. Returns those whose mailbox refused it.
    @discardableResult
    package mutating func publish(_ event: NodeEvent, now: Instant) -> [SubscriberID] {
        ring.put(TracedEvent(sequence: sequence, turn: turn, at: now, event: event))
        sequence += 1
        var refused: [SubscriberID] = []
        let topic = event.topic
        for id in subscriptions.keys where subscriptions[id]?.topics.contains(topic) == true {
            if subscriptions[id]?.mailbox.put(event) == .rejected {
                refused.append(id)
            } else {
                waiting.insert(id)
            }
        }
        return refused.sorted()
    }

    /// True when a turn would deliver something; the shell then arranges for one.
    package var hasDeliveries: Bool { !waiting.isEmpty }

    /// Ends the turn: what waits, per subscriber in order of subscription. What is published while these are handed over
    /// belongs to the next turn.
    package mutating func takeDeliveries() -> [(SubscriberID, [NodeEvent])] {
        turn += 1
        let ready = waiting.sorted()
        waiting.removeAll(keepingCapacity: true)
        return ready.compactMap { id in
            guard let events = subscriptions[id]?.mailbox.takeAll(), !events.isEmpty else { return nil }
            return (id, events)
        }
    }

    /// How many events this subscriber has lost to its overflow policy, refused ones among them.
    package func lostCount(of id: SubscriberID) -> Int {
        subscriptions[id].map { $0.mailbox.droppedCount + $0.mailbox.rejectedCount } ?? 0
    }

    /// The last events, oldest first.
    package var trace: [TracedEvent] { ring.elements }

    /// Publishes a recorded trace again with its times and its turns, and hands each turn's deliveries to `deliver`: given the
    /// same subscriptions, subscribers see the batches they saw then.
    package mutating func replay(_ trace: [TracedEvent], deliver: ([(SubscriberID, [NodeEvent])]) -> Void) {
        guard var current = trace.first?.turn else { return }
        for traced in trace {
            if traced.turn != current {
                deliver(takeDeliveries())
                current = traced.turn
            }
            publish(traced.event, now: traced.at)
        }
        deliver(takeDeliveries())
    }
}
