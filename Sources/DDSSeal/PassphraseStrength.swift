// How many guesses find a passphrase, for somebody who knows how people make them up. A judgement of what is new; what was once
// accepted opens for ever. Looks at the passphrase in place: no part of it is copied, kept or told.

package import DDSCore

/// An estimate in the manner of zxcvbn (D. L. Wheeler, USENIX Security 2016), small and rather too strict: the cheapest way to
/// put the passphrase together of words, rows of keys, sequences, repetitions, dates and single characters.
package struct PassphraseStrength: Hashable, Sendable {
    /// Fewer guesses than this are refused: a million.
    package static let refusedBelow = 6.0
    /// Fewer than this are warned of: ten thousand million.
    package static let warnedBelow = 10.0
    /// What comes after so many characters counts for nothing.
    static let charactersMax = 100

    /// The decimal logarithm of the number of guesses.
    package let magnitude: Double

    /// `known` are words that whoever guesses knows of the person: name, address, node.
    package init(_ passphrase: SecretBytes, known: [String] = []) {
        var symbols: [UInt32] = passphrase.withExposed { bytes in
            var symbols: [UInt32] = []
            symbols.reserveCapacity(bytes.count)
            var rest = bytes.makeIterator()
            var decoder = Unicode.UTF8()
            while symbols.count < Self.charactersMax {
                switch decoder.decode(&rest) {
                case .scalarValue(let scalar): symbols.append(scalar.value)
                case .error: symbols.append(0xfffd)
                case .emptyInput: return symbols
                }
            }
            return symbols
        }
        defer { for index in symbols.indices { symbols[index] = 0 } }
        magnitude = GuessCount(symbols, known: known).magnitude()
    }

    package var isRefused: Bool { magnitude < Self.refusedBelow }

    /// What to tell somebody whose passphrase is neither refused nor good.
    package var warning: String? {
        guard !isRefused, magnitude < Self.warnedBelow else { return nil }
        return
            "this passphrase is weak: a machine that has a copy of the key file finds it in days or less; another word or two would help"
    }

    /// Throws for a passphrase that is found too soon.
    package static func require(_ passphrase: SecretBytes, known: [String] = []) throws(Failure) {
        guard PassphraseStrength(passphrase, known: known).isRefused else { return }
        throw Failure(
            .badInput,
            "that passphrase is found within a million guesses, by anybody who has a copy of the key file; take more words that do "
                + "not belong together, or let six be made for you (press Enter where it is asked for)")
    }
}

/// The estimate itself, over the code points of a passphrase.
struct GuessCount {
    private let symbols: [UInt32]
    private let lowered: [UInt32]
    private let known: [[UInt8]]

    init(_ symbols: [UInt32], known: [String]) {
        self.symbols = symbols
        lowered = symbols.map { (0x41...0x5a).contains($0) || (0xc0...0xde).contains($0) && $0 != 0xd7 ? $0 | 0x20 : $0 }
        self.known = known.flatMap { $0.lowercased().split { !$0.isLetter && !$0.isNumber } }.map { Array($0.utf8) }.filter {
            $0.count >= 3
        }
    }

    /// The decimal logarithm of the guesses: over all ways to cut the passphrase into pieces, the cheapest.
    func magnitude() -> Double { magnitude(of: 0..<symbols.count, nested: false) }

    private func magnitude(of range: Range<Int>, nested: Bool) -> Double {
        // `best[i]` is for what ends before the i-th character of the range.
        var best = [Double](repeating: .infinity, count: range.count + 1)
        best[0] = 0
        for start in range {
            let base = best[start - range.lowerBound]
            func offer(_ end: Int, _ cost: Double) {
                guard end <= range.upperBound else { return }
                best[end - range.lowerBound] = min(best[end - range.lowerBound], base + cost)
            }
            offer(start + 1, single(start))
            words(at: start, until: range.upperBound, offer)
            rows(at: start, until: range.upperBound, offer)
            sequence(at: start, until: range.upperBound, offer)
            dates(at: start, until: range.upperBound, offer)
            if !nested { repetition(at: start, until: range.upperBound, offer) }
        }
        return best[range.count]
    }

    /// Ten guesses for a character of which nothing else is known, two for what people put between words.
    private func single(_ index: Int) -> Double { [0x20, 0x2d, 0x5f, 0x2e, 0x2c].contains(symbols[index]) ? 0.3 : 1 }
}

// MARK: Words

extension GuessCount {
    /// What a word of a large dictionary costs that is in no list here.
    private static var unknownWord: Double { 5 }

    private func words(at start: Int, until end: Int, _ offer: (Int, Double) -> Void) {
        for word in known { match(word[...], rank: 2, at: start, until: end, offer) }
        for (rank, word) in PassphraseWords.ranked.enumerated() { match(word, rank: rank + 1, at: start, until: end, offer) }
        speakable(at: start, until: end, offer)
    }

    /// A word as it is or backwards, in any case, with the usual digits and signs for letters.
    private func match(_ word: ArraySlice<UInt8>, rank: Int, at start: Int, until end: Int, _ offer: (Int, Double) -> Void) {
        guard start + word.count <= end, let first = word.first, let last = word.last else { return }
        if Self.likeness(lowered[start], first) != nil, let cost = variants(word, at: start) {
            offer(start + word.count, Self.log10(rank) + cost)
        }
        if Self.likeness(lowered[start], last) != nil, let cost = variants(word.reversed(), at: start) {
            offer(start + word.count, Self.log10(rank) + cost + 0.3)
        }
    }

    private func variants<Word: Collection>(_ word: Word, at start: Int) -> Double? where Word.Element == UInt8 {
        var index = start
        var signs = 0
        for letter in word {
            guard let likeness = Self.likeness(lowered[index], letter) else { return nil }
            signs += likeness
            index += 1
        }
        return capitals(start..<index) + (signs > 0 ? 0.3 + 0.3 * Double(min(signs, 3)) : 0)
    }

    /// Nothing for small letters, a doubling for a capital in front or all of them, else a doubling for each.
    private func capitals(_ range: Range<Int>) -> Double {
        let count = range.count { symbols[$0] != lowered[$0] }
        if count == 0 { return 0 }
        return count == range.count || (count == 1 && symbols[range.lowerBound] != lowered[range.lowerBound])
            ? 0.3 : 0.3 * Double(count + 1)
    }

    /// 0 for the letter itself, 1 for what stands for it, nil for others.
    private static func likeness(_ symbol: UInt32, _ letter: UInt8) -> Int? {
        if symbol == UInt32(letter) { return 0 }
        let stands: Bool =
            switch symbol {
            case 0x40, 0x34: letter == 0x61  // @ 4 for a
            case 0x33: letter == 0x65  // 3 for e
            case 0x31, 0x21: letter == 0x69 || letter == 0x6c  // 1 ! for i, l
            case 0x30: letter == 0x6f  // 0 for o
            case 0x35, 0x24: letter == 0x73  // 5 $ for s
            case 0x37, 0x2b: letter == 0x74  // 7 + for t
            default: false
            }
        return stands ? 1 : nil
    }

    /// Letters that a person can say are a word of some language: what they cost is what a dictionary costs, however long they
    /// are up to eight; further letters count as if they were drawn.
    private func speakable(at start: Int, until end: Int, _ offer: (Int, Double) -> Void) {
        var vowels = 0
        var consonantsInARow = 0
        var vowelsInARow = 0
        var index = start
        while index < end, let isVowel = Self.isVowel(lowered[index]) {
            vowels += isVowel ? 1 : 0
            consonantsInARow = isVowel ? 0 : consonantsInARow + 1
            vowelsInARow = isVowel ? vowelsInARow + 1 : 0
            guard consonantsInARow <= 4, vowelsInARow <= 3 else { return }
            index += 1
            let count = index - start
            if count > 5, vowels * 4 >= count {
                offer(index, Self.unknownWord + Double(max(0, count - 8)) + capitals(start..<index))
            }
        }
    }

    /// Nil for what is no letter. Of letters beyond ASCII every second may pass for a vowel.
    private static func isVowel(_ symbol: UInt32) -> Bool? {
        switch symbol {
        case 0x61, 0x65, 0x69, 0x6f, 0x75, 0x79: true
        case 0x61...0x7a: false
        case 0xdf, 0xe7, 0xf1: false
        case 0xe0...0xff: true
        case 0x100...: Unicode.Scalar(symbol)?.properties.isAlphabetic == true ? symbol % 2 == 0 : nil
        default: nil
        }
    }

    static func log10(_ value: Int) -> Double { value <= 1 ? 0 : Self.digits(Double(value)) }

    /// The decimal logarithm without a mathematics library: digits, and the rest by halving.
    private static func digits(_ value: Double) -> Double {
        var value = value
        var result = 0.0
        while value >= 10 { (value, result) = (value / 10, result + 1) }
        var step = 0.5
        while step > 1e-4 {
            value *= value
            if value >= 10 { (value, result) = (value / 10, result + step) }
            step /= 2
        }
        return result
    }
}

// MARK: Rows of keys, sequences, repetitions, dates

extension GuessCount {
    private static let keyboard = [
        "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "azertyuiop", "qsdfghjklm", "wxcvbn", "1234567890",
        "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "q1w2e3r4t5y6u7i8o9p0", "1q2w3e4r5t6y7u8i9o0p", "qazwsxedcrfvtgbyhnujmikolp",
    ].map { Array($0.unicodeScalars.map(\.value)) }

    /// Four keys and more that lie beside each other, in either direction.
    private func rows(at start: Int, until end: Int, _ offer: (Int, Double) -> Void) {
        for row in Self.keyboard {
            for place in row.indices where row[place] == lowered[start] {
                for step in [1, -1] {
                    var count = 1
                    while start + count < end, row.indices.contains(place + count * step),
                        row[place + count * step] == lowered[start + count]
                    {
                        count += 1
                        if count >= 4 { offer(start + count, 2 + Self.log10(count) + capitals(start..<start + count)) }
                    }
                }
            }
        }
    }

    /// abc, 987, 2468: three and more at the same distance.
    private func sequence(at start: Int, until end: Int, _ offer: (Int, Double) -> Void) {
        guard start + 2 < end else { return }
        let step = Int64(lowered[start + 1]) - Int64(lowered[start])
        guard step != 0, abs(step) <= 5 else { return }
        var index = start + 2
        while index < end, Int64(lowered[index]) - Int64(lowered[index - 1]) == step {
            index += 1
            let begin = [0x61, 0x30, 0x31, 0x7a, 0x39].contains(lowered[start]) ? 0.6 : 1.4
            offer(index, begin + Self.log10(index - start) + (step == 1 ? 0 : 0.5) + capitals(start..<index))
        }
    }

    /// A piece that follows itself: the guesses for it times how often.
    private func repetition(at start: Int, until end: Int, _ offer: (Int, Double) -> Void) {
        guard start + 1 < end else { return }
        for length in 1...max(1, (end - start) / 2) {
            // Inside of a repetition that began before there is nothing new.
            if start > 0, start - 1 + length < end, symbols[start - 1] == symbols[start - 1 + length] { continue }
            var index = start + length
            while index < end, symbols[index] == symbols[index - length] { index += 1 }
            let times = (index - start) / length
            guard times >= 2, length > 1 || times >= 3 else { continue }
            let piece = magnitude(of: start..<start + length, nested: true)
            for count in 2...times { offer(start + count * length, piece + Self.log10(count)) }
            // A last piece may be cut short.
            offer(index, piece + Self.log10(index - start))
        }
    }

    /// A year, or a day in one of the usual spellings.
    private func dates(at start: Int, until end: Int, _ offer: (Int, Double) -> Void) {
        if let year = number(start, 4, end), (1900...2049).contains(year) { offer(start + 4, 2.1) }
        for (first, second, third) in [
            (2, 2, 4), (2, 2, 2), (4, 2, 2), (1, 1, 4), (1, 2, 4), (2, 1, 4), (1, 1, 2), (1, 2, 2), (2, 1, 2),
        ] {
            for gap in [0, 1] {
                let places = [start, start + first + gap, start + first + gap + second + gap]
                guard let a = number(places[0], first, end), let b = number(places[1], second, end),
                    let c = number(places[2], third, end)
                else { continue }
                if gap == 1 {
                    let sign = symbols[places[1] - 1]
                    guard sign == symbols[places[2] - 1], [0x20, 0x2d, 0x2e, 0x2f, 0x5f].contains(sign) else { continue }
                }
                let (day, month, year) = first == 4 ? (c, b, a) : (a, b, c)
                let isDay =
                    (1...31).contains(day) && (1...12).contains(month) || (1...12).contains(day) && (1...31).contains(month)
                guard isDay, year < 100 || (1900...2049).contains(year) else { continue }
                offer(places[2] + third, (year < 100 ? 4.6 : 4.8) + (gap == 1 ? 0.6 : 0))
            }
        }
    }

    /// The number of so many digits at a place.
    private func number(_ start: Int, _ digits: Int, _ end: Int) -> Int? {
        guard start + digits <= end else { return nil }
        var value = 0
        for symbol in symbols[start..<start + digits] {
            guard (0x30...0x39).contains(symbol) else { return nil }
            value = value * 10 + Int(symbol - 0x30)
        }
        return value
    }
}
