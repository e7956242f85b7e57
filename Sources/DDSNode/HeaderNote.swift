// What is told beside the keys in the header of an age file: one word in a stanza of a kind that other readers ignore and the
// header's code authenticates. Which words there are, the notes themselves say.

import DDSSeal

/// `-> KIND WORD` with an empty body.
enum HeaderNote {
    /// `word` is printable ASCII without spaces.
    static func stanza(_ kind: String, _ word: String) -> AgeStanza {
        AgeStanza(arguments: [Array(kind.utf8), Array(word.utf8)], body: [])
    }

    static func isSaid(_ kind: String, in stanzas: [AgeStanza]) -> Bool { stanzas.contains { $0.kind == kind } }

    /// The word of the first stanza of this kind; nil without one, and for one of another shape.
    static func word(_ kind: String, in stanzas: [AgeStanza]) -> String? {
        guard let stanza = stanzas.first(where: { $0.kind == kind }), stanza.arguments.count == 2, stanza.body.isEmpty else {
            return nil
        }
        return String(decoding: stanza.arguments[1], as: UTF8.self)
    }
}
