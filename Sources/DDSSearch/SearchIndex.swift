// The index of all messages, in parts of some thousand, so that adding and removing touches little and a part can be kept on
// disk by itself. What is indexed and when, and where parts are kept, is the owner's affair.

import DDSLock
import DDSUnicode

/// May be used on any thread, but never on the loop: everything here computes, and waits for others who use the same part.
package final class SearchIndex: Sendable {
    /// Messages that are found.
    package struct Matches: Hashable, Sendable {
        /// The newest first, at most as many as were asked for.
        package var numbers: [UInt64] = []
        /// Of all of them.
        package var count = 0
        /// False when time was up before everything was looked through.
        package var isComplete = true
    }

    /// What images are good for: those of another version are of no use.
    package static let version = "\(SearchShard.format) \(FoldedWord.version)"

    /// Messages of one part.
    package static let partMessages = 8192

    private final class Part: Sendable {
        struct State {
            var shard: SearchShard?
            var count: Int
            /// No message of it has a higher number.
            var newest: UInt64
            /// Since the image was taken.
            var isChanged: Bool
        }

        let number: Int
        let state: Lock<State>

        init(_ number: Int, _ shard: sending SearchShard, count: Int = 0, newest: UInt64 = 0, isChanged: Bool) {
            self.number = number
            state = Lock(State(shard: shard, count: count, newest: newest, isChanged: isChanged))
        }

        /// What `work` makes of the shard; nothing after the index was closed.
        func use<Value: Sendable>(
            changing: Bool, _ work: (SearchShard, inout State) throws(SearchError) -> Value
        ) throws(SearchError) -> Value? {
            let result = state.withLock { state -> Result<Value?, SearchError> in
                guard let shard = state.shard else { return .success(nil) }
                if changing { state.isChanged = true }
                do throws(SearchError) {
                    return .success(try work(shard, &state))
                } catch {
                    return .failure(error)
                }
            }
            return try result.get()
        }
    }

    private let partMessages: Int
    /// In ascending order of their numbers; nil after `close`.
    private let parts = Lock<[Part]?>([])

    /// Tests have smaller parts.
    package init(partMessages: Int = SearchIndex.partMessages) {
        self.partMessages = partMessages
    }

    private var all: [Part] { parts.withLock { $0 ?? [] } }

    /// Gives all memory back. What is under way ends as if nothing were there.
    package func close() {
        let closing = parts.withLock { parts -> [Part] in
            defer { parts = nil }
            return parts ?? []
        }
        for part in closing { part.state.withLock { $0.shard = nil } }
    }

    // MARK: Images

    /// Numbers of the parts of which the image that was taken last is not what they are now.
    package var changed: [Int] { all.filter { $0.state.withLock { $0.isChanged } }.map(\.number) }

    /// Puts a part back; throws when it is no such image. Parts are put back before anything is added.
    package func load(_ image: [UInt8], part number: Int) throws(SearchError) {
        let shard = try SearchShard(image: image)
        let numbers = try shard.numbers()
        let part = Part(number, shard, count: numbers.count, newest: numbers.last ?? 0, isChanged: false)
        parts.withLock { parts in
            parts?.append(part)
            parts?.sort { $0.number < $1.number }
        }
    }

    /// What a part can be put back from; nil when it is empty and therefore gone.
    package func image(part number: Int) throws(SearchError) -> [UInt8]? {
        guard let part = all.first(where: { $0.number == number }) else { return nil }
        let image = part.state.withLock { state -> Result<[UInt8]?, SearchError> in
            guard let shard = state.shard, state.count > 0 else { return .success(nil) }
            do throws(SearchError) {
                let image = try shard.image()
                state.isChanged = false
                return .success(image)
            } catch {
                return .failure(error)
            }
        }
        let bytes = try image.get()
        if bytes == nil { parts.withLock { parts in parts?.removeAll { $0.number == number } } }
        return bytes
    }

    // MARK: Changes

    /// What is indexed, in ascending order.
    package func numbers() throws(SearchError) -> [UInt64] {
        var numbers: [UInt64] = []
        for part in all {
            numbers += try part.use(changing: false) { shard, _ throws(SearchError) in try shard.numbers() } ?? []
        }
        return numbers.sorted()
    }

    /// Adds documents that are not in it. A part that is full then is put together for good.
    package func add(_ documents: [SearchDocument]) throws(SearchError) {
        var rest = documents[...]
        while !rest.isEmpty {
            guard let part = try open() else { return }
            let full = partMessages
            let taken = try part.use(changing: true) { shard, state throws(SearchError) -> Int in
                let some = rest.prefix(full - state.count)
                try shard.add(some.map { ($0.number, SearchTokens.all(of: $0)) })
                state.count += some.count
                state.newest = max(state.newest, some.map(\.number).max() ?? 0)
                if state.count == full { try shard.compact() }
                return some.count
            }
            rest = rest.dropFirst(taken ?? rest.count)
        }
    }

    /// The last part, or a new one behind it when that is full; nil when the index is closed.
    private func open() throws(SearchError) -> Part? {
        let last = all.last
        if let last, last.state.withLock({ $0.count }) < partMessages { return last }
        let part = Part((last?.number ?? -1) + 1, try SearchShard(), isChanged: true)
        return parts.withLock { parts in
            parts?.append(part)
            return parts == nil ? nil : part
        }
    }

    /// Removes messages without leaving a word of them.
    package func remove(_ numbers: Set<UInt64>) throws(SearchError) {
        for part in all {
            let had = try part.use(changing: false) { shard, _ throws(SearchError) in numbers.intersection(try shard.numbers())
            }
            guard let had, !had.isEmpty else { continue }
            _ = try part.use(changing: true) { shard, state throws(SearchError) in
                try shard.remove(had)
                state.count -= had.count
            }
        }
    }

    // MARK: Finding

    /// The newest `limit` messages that have the words of `query`, before anything is looked at in their texts and whatever else
    /// is known of them. `isLate` is asked before each part.
    package func find(
        _ query: SearchQuery, limit: Int = .max, isLate: () -> Bool = { false }
    ) throws(SearchError) -> Matches {
        var matches = Matches()
        let expression = query.expression
        for part in all.reversed() {
            if isLate() {
                matches.isComplete = false
                break
            }
            let kept = matches.numbers
            let found = try part.use(changing: false) { shard, state throws(SearchError) in
                // Of a part of which nothing is new enough only the count is of interest.
                let isOlder = kept.count == limit && kept.last.map { state.newest < $0 } ?? true
                return try Self.find(expression, limit: isOlder ? 0 : limit, in: shard)
            }
            guard let found else { continue }
            matches.numbers += found.numbers
            matches.count += found.count
            // A part that was made anew after damage holds older messages than those before it.
            if !zip(matches.numbers, matches.numbers.dropFirst()).allSatisfy({ $0 > $1 }) { matches.numbers.sort(by: >) }
            if matches.numbers.count > limit { matches.numbers.removeLast(matches.numbers.count - limit) }
        }
        return matches
    }

    private static func find(
        _ expression: SearchExpression, limit: Int, in shard: SearchShard
    ) throws(SearchError) -> (numbers: [UInt64], count: Int) {
        switch expression {
        case .words(let words): return try shard.find(words, limit: limit)
        case .everything:
            let all = try shard.numbers()
            return (all.reversed().prefix(limit).map { $0 }, all.count)
        case .everythingWithout(let words):
            let without = Set(try shard.find(words, limit: .max).numbers)
            let rest = try shard.numbers().reversed().filter { !without.contains($0) }
            return (Array(rest.prefix(limit)), rest.count)
        }
    }
}
