// What two people compare to know that they have each other's key: the same bytes as words, as hexadecimal and as the text of a QR
// code. Decides how a fingerprint is made and read, not what follows from it.

import DDSCore

/// The first 128 bits of a BLAKE2b-256 of the key under a context of its own. Who wants to pass for somebody needs another key with
/// this very fingerprint, which takes 2^128 tries (2^118 against any one of a thousand people); that two keys of one's own share one
/// takes 2^64 and deceives nobody about a third.
package struct KeyFingerprint: Hashable, Sendable, CustomStringConvertible {
    private static let count = 16
    private static let mark = "DDSKEY:"

    package let bytes: [UInt8]

    /// Of a public key.
    package init(of key: [UInt8]) {
        bytes = Array(Hash.blake2b(key, key: Array("ddsnode/v1/fingerprint".utf8), count: 32).prefix(Self.count))
    }

    /// Reads what somebody typed or scanned: the eight words, the 32 hexadecimal digits, or the text of the QR code; in any case, with
    /// spaces, dashes or colons between. Nil for anything else.
    package init?(_ text: String) {
        var text = text.lowercased()[...]
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        if text.hasPrefix(Self.mark.lowercased()) { text = text.dropFirst(Self.mark.count) }
        let letters = text.unicodeScalars.filter { !" \t\r\n-:".unicodeScalars.contains($0) }
        guard letters.allSatisfy(\.isASCII) else { return nil }
        let plain = String(String.UnicodeScalarView(letters))
        let decoded = plain.utf8.count == 2 * Self.count ? Hex.decode(plain) : WordPhrase.bytes(plain)
        guard let bytes = decoded, bytes.count == Self.count else { return nil }
        self.bytes = bytes
    }

    /// Eight words of five letters.
    package var words: String { WordPhrase.text(bytes) }

    /// 32 digits.
    package var hex: String { Hex.encode(bytes) }

    /// For a QR code in alphanumeric mode.
    package var scanned: String { Self.mark + hex.uppercased() }

    package var description: String { words }
}
