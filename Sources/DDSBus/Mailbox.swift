// A bounded queue with a stated answer to "what when it is full". It does not know who reads it or when.

/// What a full mailbox does with one more element.
package enum OverflowPolicy: Hashable, Sendable {
    /// The oldest element makes room and is counted: for readers who want the present state.
    case dropOldest
    /// The new element is counted and forgotten: for readers who want the beginning.
    case dropNewest
    /// The new element is refused and the sender is told: for what must not get lost silently.
    case reject
}

/// A first-in-first-out queue of at most `capacity` elements.
package struct Mailbox<Element: Sendable>: Sendable {
    /// What became of an element.
    package enum Outcome: Hashable, Sendable {
        case stored
        /// Stored, and the oldest element was dropped for it.
        case storedDroppingOldest
        case droppedNewest
        case rejected
    }

    package let capacity: Int
    package let policy: OverflowPolicy
    /// Elements lost since the beginning by `dropOldest` or `dropNewest`.
    package private(set) var droppedCount = 0
    /// Elements refused since the beginning.
    package private(set) var rejectedCount = 0

    // A ring: `slots` grows to `capacity` and then wraps, so that dropping the oldest costs no move.
    private var slots: [Element] = []
    private var first = 0
    private var held = 0

    /// `capacity` is at least 1.
    package init(capacity: Int, policy: OverflowPolicy) {
        precondition(capacity > 0, "a mailbox holds at least one element")
        self.capacity = capacity
        self.policy = policy
    }

    package var count: Int { held }
    package var isEmpty: Bool { held == 0 }

    @discardableResult
    package mutating func put(_ element: Element) -> Outcome {
        guard held == capacity else {
            append(element)
            return .stored
        }
        switch policy {
        case .dropOldest:
            slots[first] = element
            first = (first + 1) % capacity
            droppedCount += 1
            return .storedDroppingOldest
        case .dropNewest:
            droppedCount += 1
            return .droppedNewest
        case .reject:
            rejectedCount += 1
            return .rejected
        }
    }

    /// All elements, oldest first; the mailbox is empty afterwards and has let go of its memory.
    package mutating func takeAll() -> [Element] {
        defer {
            slots = []
            first = 0
            held = 0
        }
        return elements
    }

    /// All elements, oldest first.
    package var elements: [Element] { Array(slots[first...] + slots[..<first]) }

    // Elements only ever leave all together, so a mailbox that is not full has not wrapped.
    private mutating func append(_ element: Element) {
        assert(first == 0 && slots.count == held, "a mailbox that is not full has not wrapped")
        slots.append(element)
        held += 1
    }
}
