// Questions between roles: each has an id and a deadline, and ends exactly once, with an answer or without. It decides
// nothing about what is asked; the shell hands questions over at its next turn and answers back at the one after.

package import DDSCore

/// Names one question; never given twice by one book.
package struct RequestID: Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package static func < (left: RequestID, right: RequestID) -> Bool { left.rawValue < right.rawValue }
}

/// The open questions of one kind. At most `limit` are open at a time.
package struct RequestBook<Question: Sendable, Answer: Sendable>: Sendable {
    /// How a question ended.
    package enum Outcome: Sendable {
        case answered(Answer)
        /// The deadline passed; an answer that comes later is ignored.
        case expired
    }

    package let limit: Int
    private var deadlines: [RequestID: Instant] = [:]
    private var questions: [(RequestID, Question)] = []
    private var outcomes: [(RequestID, Outcome)] = []
    private var next: UInt64 = 1

    package init(limit: Int) {
        precondition(limit > 0, "a book holds at least one question")
        self.limit = limit
    }

    /// Questions without an outcome yet.
    package var openCount: Int { deadlines.count }

    /// Stores the question for the next turn. Nil when `limit` questions are open: the asker then has its own way to say
    /// "later".
    package mutating func ask(_ question: Question, deadline: Instant) -> RequestID? {
        guard deadlines.count < limit else { return nil }
        let id = RequestID(rawValue: next)
        next += 1
        deadlines[id] = deadline
        questions.append((id, question))
        return id
    }

    /// Withdraws a question: it has no outcome, and an answer to it is ignored.
    package mutating func cancel(_ id: RequestID) {
        deadlines[id] = nil
        questions.removeAll { $0.0 == id }
    }

    /// The questions asked since the last turn, in order.
    package mutating func takeQuestions() -> [(RequestID, Question)] {
        defer { questions = [] }
        return questions
    }

    /// Stores the answer for the next turn. False when the question is unknown, answered, withdrawn or expired; the answer is
    /// then forgotten. A deadline counts when `expire` has seen it, so an answer that arrives first wins.
    @discardableResult
    package mutating func answer(_ id: RequestID, _ answer: Answer) -> Bool {
        guard deadlines.removeValue(forKey: id) != nil else { return false }
        outcomes.append((id, .answered(answer)))
        return true
    }

    /// Ends every question whose deadline is not after `now`, and forgets it where it was not handed over yet.
    package mutating func expire(now: Instant) {
        let late = deadlines.filter { $0.value <= now }.keys.sorted()
        for id in late {
            deadlines[id] = nil
            questions.removeAll { $0.0 == id }
            outcomes.append((id, .expired))
        }
    }

    /// When `expire` is due next; nil when nothing is open.
    package var nextDeadline: Instant? { deadlines.values.min() }

    /// The questions that ended since the last turn, in order.
    package mutating func takeOutcomes() -> [(RequestID, Outcome)] {
        defer { outcomes = [] }
        return outcomes
    }
}

extension RequestBook.Outcome: Equatable where Answer: Equatable {}
