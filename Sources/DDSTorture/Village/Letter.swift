// What people in the simulated village write: each letter is a function of its number, so that a copy is judged by itself.

import DDSCore
import DDSSpool

/// To whom a letter goes.
package enum LetterDestination: Hashable, Sendable {
    case member(Int)
    case group(Int)
}

/// A message somebody has written.
struct Letter: Sendable {
    var number: Int
    var author: Int
    var destinations: [LetterDestination]
    /// Who shall get it, ascending.
    var readers: [Int]
    /// Who may get it besides, because it was sent to them too and nothing was promised yet.
    var invited: Set<Int> = []
    /// It went out in more than one part.
    var isResent = false
    /// As it goes over the wire: its number, then lines of nonsense.
    var text: [UInt8]

    /// The octets before the nonsense.
    private static let headBytes = 15
    private static let lineBytes = 48

    /// A letter of about `size` octets.
    init(number: Int, author: Int, destinations: [LetterDestination], readers: [Int], size: Int) {
        self.number = number
        self.author = author
        self.destinations = destinations
        self.readers = readers
        var text = Array("Number: ".utf8)
        text.reserveCapacity(size + Self.lineBytes)
        Hexadecimal.append(number, to: &text)
        text += [0x0d, 0x0a]
        var state = UInt64(number) &* 0x9E37_79B9_7F4A_7C15 | 1
        while text.count < size {
            for _ in 0..<Self.lineBytes {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                // Printable, and now and then a dot at the beginning of a line, which POP3 and SMTP double.
                text.append(0x2e + UInt8(truncatingIfNeeded: state >> 33) % 75)
            }
            text += [0x0d, 0x0a]
        }
        self.text = text
    }

    private static let head = Array("Number: ".utf8)

    /// The number in a text that begins like a letter; of a notice, the negative number that it has beside the letters.
    static func number(in text: ArraySlice<UInt8>) -> Int? {
        guard text.count >= headBytes else { return nil }
        let isNotice = text.starts(with: Notice.head)
        guard isNotice || text.starts(with: head) else { return nil }
        let number = Hexadecimal.number(text[(text.startIndex + 8)..<(text.startIndex + 13)])
        return isNotice ? number.map { -1 - $0 } : number
    }
}

/// One member's copy as the node hands it out: an own header of constant length, then the letter.
enum LetterCopy {
    /// `nonce` makes every header another.
    static func header(for member: Int, nonce: UInt64) -> [UInt8] {
        var header = Array("For: ".utf8)
        header.append(Hexadecimal.digit(member & 15))
        header.append(0x20)
        for shift in stride(from: 60, through: 0, by: -4) { header.append(Hexadecimal.digit(Int(nonce >> UInt64(shift) & 15))) }
        header += [0x0d, 0x0a]
        return header
    }

    /// Whose copy it is and of which letter; nil for what is no copy.
    static func read(_ bytes: [UInt8]) -> (member: Int, number: Int, text: ArraySlice<UInt8>)? {
        guard bytes.count > headerLength, bytes.starts(with: Array("For: ".utf8)),
            let member = Hexadecimal.number(bytes[5..<6])
        else { return nil }
        let text = bytes[headerLength...]
        return Letter.number(in: text).map { (member, $0, text) }
    }

    static let headerLength = header(for: 0, nonce: 0).count
}

/// What the node itself writes to a member: of letters that expired, or of how far the copies of one's own letters are.
struct Notice: Sendable {
    /// One line of it.
    struct Line: Hashable, Sendable {
        var letter: Int
        /// Whose copy, and how far it is.
        var reader: Int
        var state: CopyState
        /// Of the report to the author.
        var revision: Int
    }

    var reader: Int
    var isReport: Bool
    var lines: [Line]
    /// As it goes over the wire.
    var text: [UInt8]

    static let head = Array("Notice: ".utf8)
    private static let states: [CopyState] = [.waiting, .fetched, .held, .expired, .removed]

    /// `place` counts the notices of the village.
    init(place: Int, reader: Int, isReport: Bool, lines: [Line]) {
        self.reader = reader
        self.isReport = isReport
        self.lines = lines
        text = Self.head
        Hexadecimal.append(place, to: &text)
        text += [0x0d, 0x0a, isReport ? 0x53 : 0x45, 0x0d, 0x0a]
        for line in lines {
            for number in [line.letter, line.reader, Self.states.firstIndex(of: line.state) ?? 0, line.revision] {
                Hexadecimal.append(number, to: &text)
            }
            text += [0x0d, 0x0a]
        }
    }

    /// Whether a text is a report, and what it says; nil for what is no notice.
    static func read(_ text: ArraySlice<UInt8>) -> (isReport: Bool, lines: [Line])? {
        guard text.count >= 18, text.starts(with: head) else { return nil }
        let lines = text.dropFirst(18)
        var found: [Line] = []
        for start in stride(from: lines.startIndex, through: lines.endIndex - 22, by: 22) {
            let numbers = (0..<4).compactMap { Hexadecimal.number(lines[(start + $0 * 5)..<(start + $0 * 5 + 5)]) }
            guard numbers.count == 4, states.indices.contains(numbers[2]) else { return nil }
            found.append(Line(letter: numbers[0], reader: numbers[1], state: states[numbers[2]], revision: numbers[3]))
        }
        return (text[text.startIndex + 15] == 0x53, found)
    }
}

enum Hexadecimal {
    /// Five digits.
    static func append(_ number: Int, to text: inout [UInt8]) {
        for shift in stride(from: 16, through: 0, by: -4) { text.append(digit(number >> shift & 15)) }
    }

    static func digit(_ value: Int) -> UInt8 { UInt8(value < 10 ? 0x30 + value : 0x57 + value) }

    static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        var number = 0
        for digit in digits {
            switch digit {
            case 0x30...0x39: number = number << 4 | Int(digit - 0x30)
            case 0x61...0x66: number = number << 4 | Int(digit - 0x57)
            default: return nil
            }
        }
        return number
    }
}

extension RecordTag {
    /// A tag made of what it names, as the program's tags are hashes.
    static func of(_ kind: UInt8, _ bytes: some Sequence<UInt8>) -> RecordTag {
        var high: UInt64 = 0xcbf2_9ce4_8422_2325 ^ UInt64(kind)
        var low: UInt64 = 0x9E37_79B9_7F4A_7C15
        for byte in bytes {
            high = (high ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
            low = (low ^ high) &* 0xff51_afd7_ed55_8ccd
            low ^= low >> 29
        }
        return RecordTag(high: high, low: low)
    }
}
