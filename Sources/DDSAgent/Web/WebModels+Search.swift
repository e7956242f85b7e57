// What the page shows of a search.

package import DDSSearch

/// A search and one page of what it found.
package struct SearchModel: Hashable, Sendable {
    /// As it was written: hostile like any text, since it may have been pasted.
    package var text: String
    /// Why nothing was looked for, and what to write instead.
    package var problem: String?
    /// Threads, by their newest message that was found.
    package var rows: [SearchRowModel] = []
    /// Messages that were found; at least so many when `isExact` is false. Of those only the newest `shown` are in rows.
    package var total = 0
    package var isExact = true
    package var shown = 0
    package var milliseconds = 0
    /// Messages that could be found, and how many there are, while these differ.
    package var indexing: SearchProgress?
    /// Why the index is not complete, in words.
    package var trouble: String?
    package var newer: String?
    package var older: String?
    /// Place of the first row, counted from one, and the number of threads.
    package var first = 1
    package var threads = 0
    /// What would make it narrower.
    package var choices: [SearchChoice] = []

    package init(text: String, problem: String? = nil) {
        self.text = text
        self.problem = problem
    }
}

package struct SearchProgress: Hashable, Sendable {
    package var done: Int
    package var count: Int

    package init(done: Int, count: Int) {
        self.done = done
        self.count = count
    }
}

/// One thread in which something was found.
package struct SearchRowModel: Hashable, Sendable {
    package var row: ThreadRowModel
    /// The message that was found, the newest of them.
    package var message: String
    /// Where it is when the thread has several pages.
    package var cursor: String?
    /// How many messages of the thread were found.
    package var matches: Int
    package var subject: [SearchSnippet.Piece]
    package var snippet: [SearchSnippet.Piece]

    package init(
        row: ThreadRowModel, message: String, cursor: String? = nil, matches: Int = 1, subject: [SearchSnippet.Piece] = [],
        snippet: [SearchSnippet.Piece] = []
    ) {
        self.row = row
        self.message = message
        self.cursor = cursor
        self.matches = matches
        self.subject = subject
        self.snippet = snippet
    }
}

/// Words that can be added to a search with one press.
package struct SearchChoice: Hashable, Sendable {
    package var adds: String
    package var label: String
    package var count: Int

    package init(adds: String, label: String, count: Int) {
        self.adds = adds
        self.label = label
        self.count = count
    }
}
