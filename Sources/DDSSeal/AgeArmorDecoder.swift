// The streaming reader of text armor (C2SP age.md, "ASCII armor"). What is inside the armor is not known here.

import DDSCore

/// Reads armor: white space around it, LF or CRLF, and nothing else than what the encoder writes.
package struct AgeArmorDecoder: Sendable {
    private enum State: Sendable {
        case before
        /// `isFinal` after a line shorter than the others.
        case body(isFinal: Bool)
        case after
        case failed
    }

    /// White space that is tolerated in front of the armor, and as much again behind it; as in other readers.
    package static let outsideBytesMax = 1024
    /// The longest line of armor, the begin mark, or a body line with its carriage return.
    private static let lineBytesMax = AgeArmor.columns + 1

    private var state = State.before
    private var line: [UInt8] = []
    private var outside = 0

    package init() {}

    private var hasFailed: Bool {
        if case .failed = state { true } else { false }
    }

    /// Takes text and returns the bytes of the lines that it completes. When lines are followed by a bad one, their bytes are
    /// returned and the next call throws `.armorFailure`; after that every call does. Holds at most one line.
    package mutating func update(_ text: ArraySlice<UInt8>) throws(AgeError) -> [UInt8] {
        if hasFailed { throw .armorFailure }
        var output: [UInt8] = []
        output.reserveCapacity((line.count + text.count) / 4 * 3)
        var rest = text
        do throws(AgeError) {
            while !rest.isEmpty {
                if line.isEmpty, case .body(isFinal: false) = state { takeFullLines(from: &rest, into: &output) }
                try takeLine(from: &rest, into: &output)
            }
        } catch {
            state = .failed
            if output.isEmpty { throw error }
        }
        return output
    }

    /// To be called when the input ends. Throws `.armorFailure` unless the end mark has come.
    package mutating func finish() throws(AgeError) {
        var nothing: [UInt8] = []
        let last = line
        line = []
        do throws(AgeError) {
            if !last.isEmpty { try take(last[...], into: &nothing) }
            guard case .after = state else { throw .armorFailure }
        } catch {
            state = .failed
            throw error
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d }

    /// Takes the text up to the next line end, or all of it.
    private mutating func takeLine(from rest: inout ArraySlice<UInt8>, into output: inout [UInt8]) throws(AgeError) {
        let end = rest.firstIndex(of: 0x0a)
        let piece = rest[..<(end ?? rest.endIndex)]
        rest = rest[(end.map { $0 + 1 } ?? rest.endIndex)...]
        let room =
            switch state {
            case .before, .after: max(Self.lineBytesMax, Self.outsideBytesMax - outside)
            case .body, .failed: Self.lineBytesMax
            }
        guard line.count + piece.count <= room else { throw .armorFailure }
        line.append(contentsOf: piece)
        guard end != nil else { return }
        let whole = line
        line = []
        try take(whole[...], into: &output)
    }

    private mutating func take(_ raw: ArraySlice<UInt8>, into output: inout [UInt8]) throws(AgeError) {
        let text = raw.last == 0x0d ? raw.dropLast() : raw
        switch state {
        case .before:
            if text.elementsEqual(AgeArmor.begin) {
                state = .body(isFinal: false)
            } else {
                try takeOutside(raw)
            }
        case .body(let isFinal):
            if text.elementsEqual(AgeArmor.end) {
                state = .after
                outside = 0
            } else {
                guard !isFinal, !text.isEmpty, text.count <= AgeArmor.columns, let bytes = Base64.decode(text) else {
                    throw .armorFailure
                }
                output.append(contentsOf: bytes)
                state = .body(isFinal: bytes.count < AgeArmor.bytesPerLine)
            }
        case .after: try takeOutside(raw)
        case .failed: throw .armorFailure
        }
    }

    private mutating func takeOutside(_ raw: ArraySlice<UInt8>) throws(AgeError) {
        outside += raw.count + 1
        guard raw.allSatisfy(Self.isSpace), outside <= Self.outsideBytesMax else { throw .armorFailure }
    }

    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 0xff, count: 256)
        for (value, character) in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8.enumerated() {
            table[Int(character)] = UInt8(value)
        }
        return table
    }()

    /// The fast way for most of a file: lines of 64 columns without padding, as long as they come. Whatever looks otherwise
    /// is left to `takeLine`.
    private func takeFullLines(from rest: inout ArraySlice<UInt8>, into output: inout [UInt8]) {
        let linesMax = rest.count / Self.lineBytesMax
        guard linesMax > 0 else { return }
        var taken = 0
        output += unsafe [UInt8](unsafeUninitializedCapacity: linesMax * AgeArmor.bytesPerLine) { bytes, initialized in
            unsafe rest.withUnsafeBufferPointer { text in
                unsafe Self.values.withUnsafeBufferPointer { values in
                    while let length = unsafe Self.fullLineBytes(text, at: taken) {
                        let output = unsafe UnsafeMutableBufferPointer(rebasing: bytes[initialized...])
                        let line = unsafe UnsafeBufferPointer(rebasing: text[taken...])
                        guard unsafe Self.decodeFullLine(line, values: values, to: output) else { break }
                        taken += length
                        initialized += AgeArmor.bytesPerLine
                    }
                }
            }
        }
        rest = rest.dropFirst(taken)
    }

    /// The length with line end of what is at `offset`, if it may be a full line.
    private static func fullLineBytes(_ text: UnsafeBufferPointer<UInt8>, at offset: Int) -> Int? {
        let end = offset + AgeArmor.columns
        guard end < text.count else { return nil }
        if unsafe text[end] == 0x0a { return AgeArmor.columns + 1 }
        guard end + 1 < text.count, unsafe text[end] == 0x0d, unsafe text[end + 1] == 0x0a else { return nil }
        return AgeArmor.columns + 2
    }

    /// Decodes 64 characters to 48 bytes; false when one of them is not of the alphabet.
    private static func decodeFullLine(
        _ text: UnsafeBufferPointer<UInt8>, values: UnsafeBufferPointer<UInt8>, to output: UnsafeMutableBufferPointer<UInt8>
    ) -> Bool {
        var bad: UInt8 = 0
        for group in 0..<AgeArmor.columns / 4 {
            let first = unsafe values[Int(text[group * 4])]
            let second = unsafe values[Int(text[group * 4 + 1])]
            let third = unsafe values[Int(text[group * 4 + 2])]
            let fourth = unsafe values[Int(text[group * 4 + 3])]
            bad |= first | second | third | fourth
            unsafe output[group * 3] = first << 2 | second >> 4
            unsafe output[group * 3 + 1] = second << 4 | third >> 2
            unsafe output[group * 3 + 2] = third << 6 | fourth
        }
        return bad < 0x40
    }
}
