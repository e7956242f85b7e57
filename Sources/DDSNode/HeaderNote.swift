// What is told beside the keys in the header of an age file: words in a stanza of a kind that other readers ignore and the
// header's code authenticates. Which words there are, the notes themselves say.

import DDSSeal

/// `-> KIND WORD...` with an empty body.
enum HeaderNote {
    /// Each word is printable ASCII without spaces.
    static func stanza(_ kind: String, _ words: String...) -> AgeStanza {
        AgeStanza(arguments: ([kind] + words).map { Array($0.utf8) }, body: [])
    }

    static func isSaid(_ kind: String, in stanzas: [AgeStanza]) -> Bool { stanzas.contains { $0.kind == kind } }

    /// The word of the first stanza of this kind; nil without one, and for one of another shape.
    static func word(_ kind: String, in stanzas: [AgeStanza]) -> String? {
        stanzas.first { $0.kind == kind }.flatMap { words($0, count: 1) }?[0]
    }

    /// The words of each stanza of this kind that has `count` of them.
    static func all(_ kind: String, count: Int, in stanzas: [AgeStanza]) -> [[String]] {
        stanzas.filter { $0.kind == kind }.compactMap { words($0, count: count) }
    }

    private static func words(_ stanza: AgeStanza, count: Int) -> [String]? {
        guard stanza.arguments.count == count + 1, stanza.body.isEmpty else { return nil }
        return stanza.arguments.dropFirst().map { String(decoding: $0, as: UTF8.self) }
    }
}
