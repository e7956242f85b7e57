// What somebody looks for, as a value: words that a message has, and what else is known of it. How it is written, the parser
// knows; what is found, the index and `SearchFacts`.

package import DDSUnicode

/// What is known of a message besides its texts.
package struct SearchFacts: Hashable, Sendable {
    /// The group's name; nil for private mail.
    package var group: String?
    /// The date that is shown, seconds since 1970.
    package var date: Int64
    package var isOwn: Bool
    package var isUnread: Bool
    package var isStarred: Bool
    package var isArchived: Bool
    package var isMuted: Bool
    package var isTrashed: Bool
    package var hasAttachments: Bool

    package init(
        group: String?, date: Int64, isOwn: Bool = false, isUnread: Bool = false, isStarred: Bool = false,
        isArchived: Bool = false, isMuted: Bool = false, isTrashed: Bool = false, hasAttachments: Bool = false
    ) {
        self.group = group
        self.date = date
        self.isOwn = isOwn
        self.isUnread = isUnread
        self.isStarred = isStarred
        self.isArchived = isArchived
        self.isMuted = isMuted
        self.isTrashed = isTrashed
        self.hasAttachments = hasAttachments
    }
}

package struct SearchQuery: Hashable, Sendable {
    /// Words that stand together.
    package struct Term: Hashable, Sendable {
        package enum Field: Hashable, Sendable { case anywhere, from, to }

        /// Never empty.
        package var words: [FoldedWord]
        package var field = Field.anywhere
        /// The last word goes on.
        package var isPrefix = false
        /// In quotes: in this order and with nothing between.
        package var isPhrase = false
        package var isNegated = false
    }

    package enum Condition: Hashable, Sendable {
        /// A group by its folded name.
        case group(String)
        case inbox, archive, sent, privateMail, trash
        case attachment
        /// Seconds since 1970: earlier than, and not earlier than.
        case before(Int64)
        case after(Int64)
        case unread, read, starred
    }

    package struct Filter: Hashable, Sendable {
        package var condition: Condition
        package var isNegated = false
    }

    package var terms: [Term] = []
    package var filters: [Filter] = []
    /// Why nothing is looked for, and what to write instead; nil when all is well.
    package var problem: String?

    /// Nothing but blanks was written.
    package var isEmpty: Bool { terms.isEmpty && filters.isEmpty && problem == nil }

    /// Whether facts are needed, and whether texts have to be looked at.
    package var needsFacts: Bool { !filters.isEmpty }
    package var needsTexts: Bool { terms.contains(where: \.needsText) }
}

// MARK: Words

/// What the index is asked, in the words of FTS5.
enum SearchExpression: Hashable, Sendable {
    case words(String)
    case everything
    case everythingWithout(String)
}

extension SearchQuery.Term {
    /// The index knows which words a message has, not in which order.
    var needsText: Bool {
        guard field == .anywhere else { return false }
        if isPhrase { return words.count > 1 }
        return zip(words, words.dropFirst(2)).contains { $0.kind != .word && $1.kind != .word }
    }

    /// All tokens that a message must have.
    fileprivate var expression: String {
        let mark: String =
            switch field {
            case .anywhere: ""
            case .from: SearchTokens.fromMark
            case .to: SearchTokens.toMark
            }
        var tokens: [String] = []
        for (place, word) in words.enumerated() {
            let isLast = place == words.count - 1
            switch word.kind {
            case .word:
                tokens.append("\"\(mark)\(SearchTokens.cut(word.text))\"" + (isPrefix && isLast ? " *" : ""))
            case .character(let follows):
                if !isLast, words[place + 1].kind == .character(follows: true) {
                    tokens.append("\"\(mark)\(word.text)\(words[place + 1].text)\"")
                } else if !follows {
                    tokens.append("\"\(mark)\(word.text)\" *")
                }
            }
        }
        return tokens.count == 1 ? tokens[0] : "(" + tokens.joined(separator: " AND ") + ")"
    }
}

extension SearchQuery {
    /// A phrase that must not be there excludes nothing before texts are looked at.
    var expression: SearchExpression {
        let wanted = terms.filter { !$0.isNegated }.map(\.expression).joined(separator: " AND ")
        let unwanted = terms.filter { $0.isNegated && !$0.needsText }.map(\.expression).joined(separator: " OR ")
        switch (wanted.isEmpty, unwanted.isEmpty) {
        case (true, true): return .everything
        case (true, false): return .everythingWithout(unwanted)
        case (false, true): return .words(wanted)
        case (false, false): return .words("(\(wanted)) NOT (\(unwanted))")
        }
    }
}

// MARK: What is looked at afterwards

extension SearchQuery {
    package func admits(_ facts: SearchFacts) -> Bool {
        // What was thrown away is found where somebody asks for it.
        guard !facts.isTrashed || filters.contains(where: { $0.condition == .trash }) else { return false }
        return filters.allSatisfy { $0.condition.holds(facts) != $0.isNegated }
    }

    /// Whether the phrases stand in it as they were written.
    package func admits(_ document: SearchDocument) -> Bool {
        let checked = terms.filter(\.needsText)
        guard !checked.isEmpty else { return true }
        let fields = document.fields.map { FoldedWord.words(of: $0).map(\.text) }
        return checked.allSatisfy { term in
            let words = term.words.map(\.text)
            return fields.contains { $0.contains(sequence: words, isPrefix: term.isPrefix) } != term.isNegated
        }
    }
}

extension SearchQuery.Condition {
    fileprivate func holds(_ facts: SearchFacts) -> Bool {
        switch self {
        case .group(let name): facts.group.map { SearchQuery.folded($0) == name } ?? false
        case .inbox: !facts.isOwn && !facts.isArchived && !facts.isMuted
        case .archive: facts.isArchived
        case .sent: facts.isOwn
        case .privateMail: facts.group == nil
        case .trash: facts.isTrashed
        case .attachment: facts.hasAttachments
        case .before(let seconds): facts.date < seconds
        case .after(let seconds): facts.date >= seconds
        case .unread: facts.isUnread
        case .read: !facts.isUnread
        case .starred: facts.isStarred
        }
    }
}

extension SearchQuery {
    /// A name as names are compared.
    static func folded(_ name: String) -> String {
        let isPlain = name.utf8.allSatisfy { (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) }
        return isPlain ? name : FoldedWord.words(of: name).map(\.text).joined(separator: " ")
    }
}

extension [String] {
    /// Where `words` stand one behind the other; with `isPrefix` the last may go on.
    func places(ofSequence words: [String], isPrefix: Bool) -> [Int] {
        guard let first = words.first, words.count <= count else { return [] }
        return (0...(count - words.count)).filter { start in
            // Most places are done with at the first word.
            guard self[start] == first || (isPrefix && words.count == 1) else { return false }
            return words.indices.allSatisfy { place in
                let isLast = place == words.count - 1
                return self[start + place] == words[place]
                    || (isPrefix && isLast && self[start + place].hasPrefix(words[place]))
            }
        }
    }

    func contains(sequence words: [String], isPrefix: Bool) -> Bool { !places(ofSequence: words, isPrefix: isPrefix).isEmpty }
}
