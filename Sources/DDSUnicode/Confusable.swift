// When two names look the same to a person (UTS 39): Latin and Cyrillic letters, capital i and small l, upper and lower case. Who
// may bear which name is not decided here.

import CICU

/// A name as the eye takes it. Two are equal when they can be taken for one another.
package struct LookAlike: Sendable {
    /// Longer names are compared by their beginning.
    private static let octetsMax = 256

    /// Case goes after the shapes were compared, and before: `AIice` with a capital i is like `alice`, and so is `ALICE`.
    private let shapeFirst: String
    private let caseFirst: String

    package init(_ name: String) {
        let words = name.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        let text = String(String.UnicodeScalarView(words.unicodeScalars.prefix(Self.octetsMax)))
        shapeFirst = Self.folded(Self.skeleton(text))
        caseFirst = Self.skeleton(Self.folded(text))
    }

    /// False for names of nothing but blanks.
    package var isSomething: Bool { !shapeFirst.isEmpty }

    package func isLike(_ other: LookAlike) -> Bool {
        isSomething && other.isSomething && (shapeFirst == other.shapeFirst || caseFirst == other.caseFirst)
    }

    /// UTS 39, section 4.
    static func skeleton(_ text: String) -> String {
        let octets = Array(text.utf8)
        var target = [UInt8](repeating: 0, count: octets.count * 18 + 64)
        let size = unsafe octets.withUnsafeBytes { source in
            unsafe target.withUnsafeMutableBytes { buffer in
                unsafe dds_icu_skeleton(
                    source.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(source.count),
                    buffer.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(buffer.count))
            }
        }
        return size < 0 ? text : String(decoding: target[..<Int(size)], as: UTF8.self)
    }

    static func folded(_ text: String) -> String {
        let units = Array(text.utf16)
        var target = [UInt16](repeating: 0, count: units.count * 18 + 64)
        let size = unsafe units.withUnsafeBufferPointer { source in
            unsafe target.withUnsafeMutableBufferPointer { buffer in
                unsafe dds_icu_folded(source.baseAddress, Int32(source.count), buffer.baseAddress, Int32(buffer.count))
            }
        }
        return size < 0 ? text : String(decoding: target[..<Int(size)], as: UTF16.self)
    }
}
