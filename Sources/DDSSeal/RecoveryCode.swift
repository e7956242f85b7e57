// The text in which a recovery kit carries its content: bech32 with a version and a length in front, so that whoever typed it
// is told what is wrong with it. What the content means is not known here.

/// Why a recovery code was refused. Each has a sentence; none holds anything of the code.
package enum RecoveryCodeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// There is none in the text.
    case absent
    /// A sign that is in no code, by its place among the characters behind `DDS-RECOVERY-1`, from 1.
    case badCharacter(Int)
    case incomplete(characters: Int, of: Int)
    case tooLong(characters: Int, of: Int)
    case checksum
    /// Written by a later program.
    case newer(version: Int)
    /// Two codes in one text.
    case several

    package var description: String {
        switch self {
        case .absent: "there is no recovery code in it; one begins with DDS-RECOVERY-1"
        case .badCharacter(let place):
            "character \(place) behind DDS-RECOVERY-1 is in no recovery code (which has no 1, b, i and o); compare it with the paper"
        case .incomplete(let count, let all): "the recovery code is incomplete: \(count) of \(all) characters; copy all of it"
        case .tooLong(let count, let all): "the recovery code has \(count - all) characters too many behind its end"
        case .checksum: "at least one character of the recovery code is wrong; compare it with the paper"
        case .newer(let version): "the recovery code is of version \(version), which a newer ddsnode made; use that one"
        case .several: "there are two different recovery codes in it; leave one"
        }
    }
}

package enum RecoveryCode {
    package static let version: UInt8 = 1
    /// Version and length.
    private static let frontBytes = 3
    private static let name = "dds-recovery-"
    private static let mark = Array("dds-recovery-1".utf8)
    private static let checkCharacters = 6

    /// `DDS-RECOVERY-1...` of a content, in capitals, as QR codes and voices like it.
    package static func encode(_ content: SecretBytes) -> SecretBytes { encode(content, version: version) }

    static func encode(_ content: SecretBytes, version: UInt8) -> SecretBytes {
        precondition(content.count < 1 << 16, "the content of a code is small")
        var bytes = [version, UInt8(content.count >> 8), UInt8(content.count & 0xff)]
        bytes.reserveCapacity(frontBytes + content.count)
        content.withExposed { bytes += $0 }
        defer { Wipe.zero(&bytes) }
        var text = Bech32.encode(prefix: name, bytes)
        for index in text.indices { text[index] = Bech32.uppered(text[index]) }
        return SecretBytes(consuming: &text)
    }

    /// The content of the code in `text`, which may have other words around it. Inside of the code spaces and single line ends
    /// count for nothing; an empty line, or a sign that is neither letter nor digit, ends it.
    package static func decode(_ text: SecretBytes) throws(RecoveryCodeError) -> SecretBytes {
        try text.withExposed { bytes throws(RecoveryCodeError) in
            var rest = bytes[...]
            var first: SecretBytes?
            while let start = rest.start(of: mark) {
                rest = rest[(start + mark.count)...]
                var characters = characters(rest)
                let code = SecretBytes(consuming: &characters)
                if let first, first != code { throw .several }
                first = code
            }
            guard let first else { throw .absent }
            return try first.withExposed { code throws(RecoveryCodeError) in try content(code) }
        }
    }

    /// The characters of a code up to its end, in small letters.
    private static func characters(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var code: [UInt8] = []
        code.reserveCapacity(bytes.count)
        var isLineEmpty = false
        for byte in bytes {
            switch byte {
            case 0x0a:
                if isLineEmpty { return code }
                isLineEmpty = true
            case 0x20, 0x09, 0x0d: continue
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a:
                isLineEmpty = false
                code.append(Bech32.lowered(byte))
            default: return code
            }
        }
        return code
    }

    private static func content(_ code: [UInt8]) throws(RecoveryCodeError) -> SecretBytes {
        if let bad = code.firstIndex(where: { !Bech32.isCharacter($0) }) { throw .badCharacter(bad + 1) }
        if var bytes = Bech32.decode(prefix: name, mark + code) {
            defer { Wipe.zero(&bytes) }
            guard bytes.count >= frontBytes, bytes[0] <= version else {
                throw .newer(version: bytes.first.map { Int($0) } ?? 0)
            }
            let count = Int(bytes[1]) << 8 | Int(bytes[2])
            guard bytes[0] == version, bytes.count == frontBytes + count else { throw .checksum }
            var content = Array(bytes[frontBytes...])
            return SecretBytes(consuming: &content)
        }
        // The check sum tells that something is wrong; the length in front often tells what.
        guard let front = Bech32.front(code, count: frontBytes), front[0] == version else { throw .checksum }
        let expected = (8 * (frontBytes + (Int(front[1]) << 8 | Int(front[2]))) + 4) / 5 + checkCharacters
        if code.count < expected { throw .incomplete(characters: code.count, of: expected) }
        if code.count > expected { throw .tooLong(characters: code.count, of: expected) }
        throw .checksum
    }
}

extension ArraySlice<UInt8> {
    /// Where `mark` (small letters) begins, in either case.
    fileprivate func start(of mark: [UInt8]) -> Int? {
        guard count >= mark.count else { return nil }
        return (startIndex...endIndex - mark.count).first { start in
            mark.indices.allSatisfy { Bech32.lowered(self[start + $0]) == mark[$0] }
        }
    }
}
