// A message as the index sees it, and the tokens that stand for its words. Who wrote and who reads it is found as a word like
// any other, and by a token of its own where only that is asked for.

import DDSUnicode

/// The texts of one message, as they are decoded.
package struct SearchDocument: Hashable, Sendable {
    /// Longer bodies are found by their beginning.
    package static let bodyOctetsMax = 256 * 1024

    /// Grows with the time of arrival.
    package var number: UInt64
    package var subject: String
    /// Names and addresses.
    package var from: [String]
    package var to: [String]
    package var body: String
    package var files: [String]

    package init(number: UInt64, subject: String, from: [String], to: [String], body: String, files: [String] = []) {
        self.number = number
        self.subject = subject
        self.from = from
        self.to = to
        self.body =
            body.utf8.count <= Self.bodyOctetsMax ? body : String(decoding: body.utf8.prefix(Self.bodyOctetsMax), as: UTF8.self)
        self.files = files
    }

    /// What a phrase may stand in, each by itself.
    var fields: [String] { [subject, body] + from + to + files }
}

enum SearchTokens {
    /// What goes before the tokens of `from:` and `to:`. No word has such a sign.
    static let fromMark = "f="
    static let toMark = "t="
    /// Of a word; what is longer is no word but something encoded.
    private static let octetsMax = 64

    /// Everything that a document is found by, with blanks between.
    static func all(of document: SearchDocument) -> String {
        var tokens = ""
        for text in document.fields { add(FoldedWord.words(of: text), "", to: &tokens) }
        for text in document.from { add(FoldedWord.words(of: text), fromMark, to: &tokens) }
        for text in document.to { add(FoldedWord.words(of: text), toMark, to: &tokens) }
        return tokens
    }

    /// Of a script without gaps each character begins a token with the one behind it: so pairs are found at once, longer words by
    /// their pairs, and single characters as beginnings of tokens.
    private static func add(_ words: [FoldedWord], _ mark: String, to tokens: inout String) {
        for (place, word) in words.enumerated() {
            tokens += mark
            switch word.kind {
            case .word: tokens += cut(word.text)
            case .character:
                tokens += word.text
                if place + 1 < words.count, words[place + 1].kind == .character(follows: true) {
                    tokens += words[place + 1].text
                }
            }
            tokens += " "
        }
    }

    /// A word as it is in the index.
    static func cut(_ word: String) -> String {
        guard word.utf8.count > octetsMax else { return word }
        var end = word.utf8.index(word.startIndex, offsetBy: octetsMax)
        while end.samePosition(in: word.unicodeScalars) == nil { end = word.utf8.index(before: end) }
        return String(word[..<end])
    }
}
