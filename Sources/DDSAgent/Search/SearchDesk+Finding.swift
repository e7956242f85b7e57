// Finds messages: first by their words in the index, then by what the store knows of them, at last by their texts, newest first
// and only as far as somebody can wait.

import DDSCore
import DDSLoop
import DDSNode
import DDSSearch
import DDSSpool

/// What was found.
struct SearchFound: Sendable {
    /// Messages, the newest first.
    var ids: [String] = []
    /// Of all that there are; at least so many when `isExact` is false.
    var total = 0
    var isExact = true
    var duration: Duration = .zero
    /// Messages that could be found, and how many there are.
    var indexed = 0
    var messages = 0

    var isIndexing: Bool { indexed < messages }
}

extension SearchDesk {
    /// How long one search may take, and how many texts it reads, before it says that there may be more.
    private static let durationMax: Duration = .seconds(2)
    private static let textsMax = 2000
    private static let textsAtOnce = 32

    private struct Candidates: Sendable {
        /// In descending order.
        var places: [Int] = []
        var count = 0
        var isComplete = true
    }

    /// The newest `limit` messages that `query` is about; nil when the agent is locked, or was meanwhile.
    func find(_ query: SearchQuery, limit: Int) async throws(Failure) -> SearchFound? {
        guard let session else { return nil }
        let time = services.time
        let deadline = time.now + Self.durationMax
        let start = time.now
        let messages = SearchableMessages(session.store)
        var found = SearchFound(indexed: session.indexed, messages: messages.count)
        let candidates = await Loop.offload { [index = session.index] in
            Result { () throws(SearchError) in
                try Self.candidates(query, index, messages, limit: limit) { time.now > deadline }
            }
        }
        guard self.session === session else { return nil }
        switch candidates {
        case .failure(let error):
            throw Failure(.inputOutput, "the search index cannot be asked: \(error.words); lock and unlock to make it anew")
        case .success(var candidates):
            if query.needsTexts {
                candidates = try await checked(candidates, query, messages, session, limit: limit) { time.now > deadline }
                guard self.session === session else { return nil }
            }
            found.ids = candidates.places.prefix(limit).map { messages.id(at: $0) }
            found.total = candidates.count
            found.isExact = candidates.isComplete
        }
        found.duration = time.now - start
        return found
    }

    private nonisolated static func candidates(
        _ query: SearchQuery, _ index: SearchIndex, _ messages: SearchableMessages, limit: Int, isLate: () -> Bool
    ) throws(SearchError) -> Candidates {
        // What is known of messages is known before they are indexed.
        if query.terms.isEmpty {
            let places = (0..<messages.count).reversed().filter { query.admits(messages.facts(at: $0)) }
            return Candidates(places: places, count: places.count)
        }
        let needsFacts = query.needsFacts || messages.hasTrash
        let isWide = needsFacts || query.needsTexts
        let matches = try index.find(query, limit: isWide ? .max : limit, isLate: isLate)
        var candidates = Candidates(
            places: messages.places(of: matches.numbers), count: matches.count, isComplete: matches.isComplete)
        if needsFacts {
            candidates.places = candidates.places.filter { query.admits(messages.facts(at: $0)) }
        }
        if isWide { candidates.count = candidates.places.count }
        return candidates
    }

    /// Those of which the texts are as `query` wants them.
    private func checked(
        _ candidates: Candidates, _ query: SearchQuery, _ messages: SearchableMessages, _ session: Session, limit: Int,
        isLate: () -> Bool
    ) async throws(Failure) -> Candidates {
        var kept = Candidates(isComplete: candidates.isComplete)
        var rest = candidates.places.prefix(Self.textsMax)
        while !rest.isEmpty, kept.places.count < limit, !isLate() {
            var batch: [(place: Int, summary: StoredSummary, message: [UInt8]?)] = []
            for place in rest.prefix(Self.textsAtOnce) {
                let summary = messages.summary(at: place)
                batch.append((place, summary, try? await session.store.message(summary.id)))
                guard self.session === session else { return kept }
            }
            rest = rest.dropFirst(Self.textsAtOnce)
            kept.places += await Loop.offload { [batch] in
                batch.filter { query.admits(SearchableMessages.document(0, $0.summary, $0.message)) }.map(\.place)
            }
        }
        kept.count = kept.places.count
        kept.isComplete = kept.isComplete && rest.isEmpty && candidates.places.count <= Self.textsMax
        return kept
    }
}

/// What was looked for and found, until the lock, under names that nobody can guess.
struct SearchResultBook: Sendable {
    struct Entry: Sendable {
        /// As it was written.
        var text: String
        var query: SearchQuery
        var found: SearchFound
    }

    private static let entriesMax = 20
    private var entries: [(handle: String, entry: Entry)] = []

    mutating func add(_ entry: Entry, random: any RandomSource) -> String {
        let handle = Hex.encode(random.bytes(12))
        entries.append((handle, entry))
        if entries.count > Self.entriesMax { entries.removeFirst() }
        return handle
    }

    subscript(handle: String) -> Entry? { entries.first { $0.handle == handle }?.entry }
}
