// What the tests of this target share: running a decryptor over pieces, and the ways to cut a file.

import DDSCore
import DDSTestKit

@testable import DDSSeal

/// All plaintext that was released, and the error that ended it.
struct Opening: Equatable, CustomStringConvertible, CustomReflectable {
    var plain: [UInt8] = []
    var error: AgeError?

    var description: String { "\(plain.count) bytes, then \(error.map(\.text) ?? "the end")" }
    var customMirror: Mirror { Mirror(self, children: []) }
}

enum Cut {
    /// `bytes` in pieces whose lengths come from `lengths`, over and over.
    static func pieces(_ bytes: [UInt8], _ lengths: [Int]) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + lengths[pieces.count % lengths.count])
            pieces.append(Array(bytes[start..<end]))
            start = end
        }
        return pieces
    }

    /// Whole, byte by byte, and in odd pieces. Of long files only the ends of chunks and of the file come byte by byte.
    static func ways(_ bytes: [UInt8], headerBytes: Int = 168) -> [[[UInt8]]] {
        var single: [[UInt8]] = []
        var start = 0
        while start < bytes.count {
            let chunk = start < headerBytes + 96 ? 0 : (start - headerBytes - 16) % 65552
            let isNear = bytes.count <= 140_000 || chunk < 40 || chunk > 65552 - 40 || bytes.count - start < 40
            let end = isNear ? start + 1 : min(bytes.count, start + min(65552 - 40 - chunk, 8192) + 1)
            single.append(Array(bytes[start..<end]))
            start = end
        }
        return [[bytes], single, pieces(bytes, [7, 64, 1, 65, 4093, 66, 131_101])]
    }
}

extension AgeUnlock {
    /// Feeds `pieces` to a decryptor and goes on to its end or first error.
    func open(_ pieces: [[UInt8]], form: AgeDecryptor.Form = .detected) -> Opening {
        var decryptor = AgeDecryptor(unlock: self, form: form)
        var opening = Opening()
        do throws(AgeError) {
            for piece in pieces { opening.plain += try decryptor.feed(piece) }
            opening.plain += try decryptor.finish()
        } catch {
            opening.error = error
        }
        return opening
    }
}

enum Seal {
    /// A whole age file.
    static func file(
        _ plain: [UInt8], for recipients: [AgeRecipient], armor: AgeArmor.LineEnd? = nil, random: some RandomSource,
        pieces: [Int] = [.max]
    ) throws(AgeError) -> [UInt8] {
        var encryptor = try AgeEncryptor(recipients: recipients, armor: armor, random: random)
        var file: [UInt8] = []
        var start = 0
        var index = 0
        while start < plain.count {
            let length = min(plain.count - start, pieces[index % pieces.count])
            file += encryptor.update(plain[start..<start + length])
            start += length
            index += 1
        }
        return file + encryptor.finish()
    }

    static func secret(_ text: String) -> SecretBytes {
        var bytes = Array(text.utf8)
        return SecretBytes(consuming: &bytes)
    }

    static func secret(_ bytes: [UInt8]) -> SecretBytes {
        var bytes = bytes
        return SecretBytes(consuming: &bytes)
    }
}
