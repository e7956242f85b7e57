// What of a text counts as the same when somebody looks for it: no case, no accents, no points of Arabic and Hebrew, one form
// of each character; and where its words are. How words are kept and found is not decided here.

import CICU

/// A word of a text as it is compared.
package struct FoldedWord: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case word
        /// A character of a script that has no gaps between its words, such as Chinese; `follows` when the one before it is its
        /// neighbour.
        case character(follows: Bool)
    }

    package var text: String
    package var kind: Kind

    package init(_ text: String, _ kind: Kind = .word) {
        self.text = text
        self.kind = kind
    }

    /// The words of `text` in order.
    package static func words(of text: String) -> [FoldedWord] {
        var splitter = WordSplitter()
        for line in text.utf8.split(separator: 0x0a) {
            if line.allSatisfy({ $0 < 0x80 }) {
                splitter.addASCII(line)
            } else {
                for scalar in folded(String(decoding: line, as: UTF8.self)).unicodeScalars { splitter.add(scalar) }
            }
            splitter.gap()
        }
        return splitter.words
    }

    /// The words of a line with the places where they stand in it.
    package static func places(in line: String) -> [(word: FoldedWord, place: Range<String.Index>)] {
        var found: [(word: FoldedWord, place: Range<String.Index>)] = []
        let scalars = line.unicodeScalars
        var index = scalars.startIndex
        var followsCharacter = false
        while index < scalars.endIndex {
            let start = index
            let isCharacter = WordSplitter.part(scalars[index], afterCharacter: followsCharacter) == .character
            let isWord = isCharacter || WordSplitter.part(scalars[index], afterCharacter: false) == .letter
            scalars.formIndex(after: &index)
            guard isWord else {
                followsCharacter = false
                continue
            }
            while index < scalars.endIndex, goesOn(scalars[index], isCharacter: isCharacter) {
                scalars.formIndex(after: &index)
            }
            for var word in words(of: String(line[start..<index])) {
                if case .character(let follows) = word.kind { word.kind = .character(follows: follows || followsCharacter) }
                found.append((word, start..<index))
            }
            followsCharacter = isCharacter
        }
        return found
    }

    private static func goesOn(_ scalar: Unicode.Scalar, isCharacter: Bool) -> Bool {
        if scalar.properties.isDefaultIgnorableCodePoint { return true }
        let part = WordSplitter.part(scalar, afterCharacter: isCharacter)
        return part == .mark || (part == .letter && !isCharacter)
    }

    /// NFKC with case folded and without the marks that people leave out.
    private static func folded(_ text: String) -> String {
        var apart = String.UnicodeScalarView()
        var losesMarks = false
        for scalar in normalized(LookAlike.folded(text), together: false).unicodeScalars {
            // The tatweel only stretches a word.
            if scalar == "\u{640}" { continue }
            if scalar.value >= 0x80, scalar.properties.generalCategory == .nonspacingMark {
                if losesMarks { continue }
            } else {
                losesMarks = scalar.value < 0x80 || dds_icu_may_lose_marks(Int32(bitPattern: scalar.value))
            }
            apart.append(scalar)
        }
        return normalized(String(apart), together: true)
    }

    private static func normalized(_ text: String, together: Bool) -> String {
        let units = Array(text.utf16)
        // No character comes apart into more than four of two units (UAX 15, section 12).
        var target = [UInt16](repeating: 0, count: units.count * 8 + 16)
        let size = unsafe units.withUnsafeBufferPointer { source in
            unsafe target.withUnsafeMutableBufferPointer { buffer in
                unsafe dds_icu_normalized(
                    together, source.baseAddress, Int32(source.count), buffer.baseAddress, Int32(buffer.count))
            }
        }
        return size < 0 ? text : String(decoding: target[..<Int(size)], as: UTF16.self)
    }

    /// Names what `words` goes by: words of another version are not to be compared with these.
    package static let version = "1 Unicode \(U_UNICODE_VERSION)"
}

/// Cuts folded text into words.
private struct WordSplitter {
    enum Part { case gap, letter, mark, character }

    private(set) var words: [FoldedWord] = []
    private var word: [UInt8] = []
    private var isAfterCharacter = false

    static func part(_ scalar: Unicode.Scalar, afterCharacter: Bool) -> Part {
        switch dds_icu_part(Int32(bitPattern: scalar.value)) {
        case DDS_ICU_LETTER: .letter
        case DDS_ICU_MARK: .mark
        case DDS_ICU_UNSPACED: .character
        case DDS_ICU_LENGTHENER: afterCharacter ? .character : .letter
        default: .gap
        }
    }

    mutating func gap() {
        endWord()
        isAfterCharacter = false
    }

    private mutating func endWord() {
        guard !word.isEmpty else { return }
        words.append(FoldedWord(String(decoding: word, as: UTF8.self)))
        word.removeAll(keepingCapacity: true)
    }

    mutating func addASCII(_ line: Substring.UTF8View) {
        for octet in line {
            switch octet {
            case 0x30...0x39, 0x61...0x7a: word.append(octet)
            case 0x41...0x5a: word.append(octet | 0x20)
            default: endWord()
            }
        }
    }

    mutating func add(_ scalar: Unicode.Scalar) {
        switch Self.part(scalar, afterCharacter: isAfterCharacter) {
        case .gap: gap()
        case .letter:
            isAfterCharacter = false
            word += Array(UTF8.encode(scalar) ?? .init())
        case .mark:
            if !word.isEmpty {
                word += Array(UTF8.encode(scalar) ?? .init())
            } else if isAfterCharacter {
                words[words.count - 1].text.unicodeScalars.append(scalar)
            }
        case .character:
            endWord()
            words.append(FoldedWord(String(scalar), .character(follows: isAfterCharacter)))
            isAfterCharacter = true
        }
    }
}
