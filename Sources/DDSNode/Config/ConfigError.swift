// What is wrong with a configuration, in the words that the person reads; and guesses at what was meant.

package import DDSCore

/// One message per mistake, in the order of the file, each `FILE:LINE:COL: what is wrong`. The program ends with status 78.
package struct ConfigError: Error, Equatable, Sendable, CustomStringConvertible {
    package var messages: [String]

    package init(messages: [String]) {
        self.messages = messages
    }

    package var description: String { messages.joined(separator: "\n") }

    /// For callers that speak in failures.
    package var failure: Failure { Failure(.configuration, description) }
}

package enum Suggestion {
    /// The candidate that `word` was most likely meant to be, if one is near enough: a slip or two, less in short words.
    package static func nearest(to word: String, among candidates: [String]) -> String? {
        let limit = max(1, word.unicodeScalars.count / 3)
        var best: (candidate: String, distance: Int)?
        for candidate in candidates {
            let distance = distance(word, candidate)
            if distance <= limit, distance < best?.distance ?? Int.max { best = (candidate, distance) }
        }
        return best?.candidate
    }

    /// Edits between two words: insertion, deletion, replacement, and exchange of neighbours (optimal string alignment).
    static func distance(_ left: String, _ right: String) -> Int {
        let left = Array(left.unicodeScalars)
        let right = Array(right.unicodeScalars)
        // Names are short; whatever is longer than any of ours is far from all of them.
        guard left.count <= 64, right.count <= 64 else { return max(left.count, right.count) }
        var table = [[Int]](repeating: Array(0...right.count), count: left.count + 1)
        for row in 0...left.count { table[row][0] = row }
        for row in 0..<left.count {
            for column in 0..<right.count {
                var edits = table[row][column] + (left[row] == right[column] ? 0 : 1)
                edits = min(edits, table[row][column + 1] + 1, table[row + 1][column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    edits = min(edits, table[row - 1][column - 1] + 1)
                }
                table[row + 1][column + 1] = edits
            }
        }
        return table[left.count][right.count]
    }
}
