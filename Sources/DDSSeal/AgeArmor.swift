// The text armor of age files (C2SP age.md, "ASCII armor"): a strict PEM with 64 columns, streaming both ways.

import DDSCore

/// Sizes and constants of armor.
package enum AgeArmor {
    package enum LineEnd: Sendable {
        case lf, crlf

        var bytes: [UInt8] { self == .lf ? [0x0a] : [0x0d, 0x0a] }
    }

    static let begin = Array("-----BEGIN AGE ENCRYPTED FILE-----".utf8)
    static let end = Array("-----END AGE ENCRYPTED FILE-----".utf8)
    static let columns = 64
    static let bytesPerLine = 48

    /// The size of the armor of an age file of `bytes`.
    package static func armoredSize(bytes: Int, lineEnd: LineEnd) -> Int {
        let characters = (bytes + 2) / 3 * 4
        let lines = (characters + columns - 1) / columns
        return begin.count + end.count + characters + (lines + 2) * lineEnd.bytes.count
    }
}

/// Writes armor. A value: do not go on with two copies of it.
package struct AgeArmorEncoder: Sendable {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    private let lineEnd: [UInt8]
    private var pending: [UInt8] = []
    private var hasBegun = false

    package init(lineEnd: AgeArmor.LineEnd) {
        self.lineEnd = lineEnd.bytes
    }

    /// Takes bytes of the age file and returns the text that is ready: whole lines.
    package mutating func update(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var output = beginning()
        pending.append(contentsOf: bytes)
        let whole = pending.count / AgeArmor.bytesPerLine * AgeArmor.bytesPerLine
        append(pending[..<whole], to: &output)
        pending.removeFirst(whole)
        return output
    }

    /// The last line and the end mark.
    package mutating func finish() -> [UInt8] {
        var output = beginning()
        append(pending[...], to: &output)
        pending = []
        return output + AgeArmor.end + lineEnd
    }

    private mutating func beginning() -> [UInt8] {
        guard !hasBegun else { return [] }
        hasBegun = true
        return AgeArmor.begin + lineEnd
    }

    private func append(_ bytes: ArraySlice<UInt8>, to output: inout [UInt8]) {
        let lines = (bytes.count + AgeArmor.bytesPerLine - 1) / AgeArmor.bytesPerLine
        let size = (bytes.count + 2) / 3 * 4 + lines * lineEnd.count
        output += unsafe [UInt8](unsafeUninitializedCapacity: size) { text, initialized in
            var place = 0
            var start = bytes.startIndex
            while start < bytes.endIndex {
                let stop = min(start + AgeArmor.bytesPerLine, bytes.endIndex)
                var index = start
                while index < stop {
                    let held = min(3, stop - index)
                    var group = UInt32(bytes[index]) << 16
                    if held > 1 { group |= UInt32(bytes[index + 1]) << 8 }
                    if held > 2 { group |= UInt32(bytes[index + 2]) }
                    unsafe text[place] = Self.alphabet[Int(group >> 18)]
                    unsafe text[place + 1] = Self.alphabet[Int(group >> 12 & 63)]
                    unsafe text[place + 2] = held > 1 ? Self.alphabet[Int(group >> 6 & 63)] : 0x3d
                    unsafe text[place + 3] = held > 2 ? Self.alphabet[Int(group & 63)] : 0x3d
                    place += 4
                    index += held
                }
                for byte in lineEnd {
                    unsafe text[place] = byte
                    place += 1
                }
                start = stop
            }
            initialized = place
        }
    }
}

/// Reads armor: white space around it, LF or CRLF, and nothing else than what the encoder writes.
package struct AgeArmorDecoder: Sendable {
    private enum State: Sendable {
        case before
        /// `isFinal` after a line shorter than the others.
        case body(isFinal: Bool)
        case after
        case failed
    }

    /// White space in front of the armor that is tolerated, as in other readers.
    private static let leadingBytesMax = 1024

    private var state = State.before
    private var line: [UInt8] = []
    private var leading = 0

    package init() {}

    /// Takes text and returns the bytes of the lines that it completes. Throws `.armorFailure`.
    package mutating func update(_ text: ArraySlice<UInt8>) throws(AgeError) -> [UInt8] {
        if case .failed = state { throw .armorFailure }
        var output: [UInt8] = []
        output.reserveCapacity(text.count / 4 * 3)
        var rest = text
        do {
            while let end = rest.firstIndex(of: 0x0a) {
                if line.isEmpty {
                    try take(rest[..<end], into: &output)
                } else {
                    line.append(contentsOf: rest[..<end])
                    let whole = line
                    line.removeAll(keepingCapacity: true)
                    try take(whole[...], into: &output)
                }
                rest = rest[(end + 1)...]
            }
            line.append(contentsOf: rest)
            // No line of armor is longer than the end mark and a carriage return; only white space outside may be.
            guard line.count <= AgeArmor.columns + 1 || line.allSatisfy(Self.isSpace) else { throw AgeError.armorFailure }
        } catch {
            state = .failed
            throw .armorFailure
        }
        return output
    }

    /// To be called when the input ends. Throws `.armorFailure` unless the end mark has come.
    package mutating func finish() throws(AgeError) {
        if case .failed = state { throw .armorFailure }
        var nothing: [UInt8] = []
        let last = line
        line = []
        if !last.isEmpty { try take(last[...], into: &nothing) }
        guard case .after = state, nothing.isEmpty else {
            state = .failed
            throw .armorFailure
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0d, 0x0a].contains(byte) }

    private mutating func take(_ raw: ArraySlice<UInt8>, into output: inout [UInt8]) throws(AgeError) {
        let text = raw.last == 0x0d ? raw.dropLast() : raw
        switch state {
        case .before:
            if text.elementsEqual(AgeArmor.begin) {
                state = .body(isFinal: false)
            } else {
                leading += raw.count + 1
                guard raw.allSatisfy(Self.isSpace), leading <= Self.leadingBytesMax else { throw .armorFailure }
            }
        case .body(let isFinal):
            if text.elementsEqual(AgeArmor.end) {
                state = .after
            } else {
                guard !isFinal, !text.isEmpty, text.count <= AgeArmor.columns else { throw .armorFailure }
                let isShort = try decode(text, into: &output)
                state = .body(isFinal: isShort)
            }
        case .after: guard raw.allSatisfy(Self.isSpace) else { throw .armorFailure }
        case .failed: throw .armorFailure
        }
    }

    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 0xff, count: 256)
        for (value, character) in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8.enumerated() {
            table[Int(character)] = UInt8(value)
        }
        return table
    }()

    /// Decodes one line; true when it was the last: shorter than 64 columns, or padded.
    private func decode(_ text: ArraySlice<UInt8>, into output: inout [UInt8]) throws(AgeError) -> Bool {
        guard text.count % 4 == 0 else { throw .armorFailure }
        let start = text.startIndex
        let padding = text.last == 0x3d ? (text[text.endIndex - 2] == 0x3d ? 2 : 1) : 0
        let groups = text.count / 4 - (padding > 0 ? 1 : 0)
        var bad: UInt8 = 0
        for group in 0..<groups {
            let at = start + group * 4
            let first = Self.values[Int(text[at])]
            let second = Self.values[Int(text[at + 1])]
            let third = Self.values[Int(text[at + 2])]
            let fourth = Self.values[Int(text[at + 3])]
            bad |= (first | second | third | fourth) & 0xc0
            output.append(first << 2 | second >> 4)
            output.append(second << 4 | third >> 2)
            output.append(third << 6 | fourth)
        }
        guard bad == 0 else { throw .armorFailure }
        if padding > 0 {
            guard let last = Base64.decode(text[(start + groups * 4)...]) else { throw .armorFailure }
            output.append(contentsOf: last)
        }
        return padding > 0 || text.count < AgeArmor.columns
    }
}
