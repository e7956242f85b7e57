// What encoded bodies decode to: the vectors of RFC 2045 and of writers who did not read it, and all parts of real messages
// against decoders that are not ours.

import DDSTestKit
import Foundation
import Testing

@testable import DDSWire

@Suite struct MIMETransferEncodingTests {
    private func decoded(_ encoding: MIMETransferEncoding, _ text: String) -> String {
        // Between other octets, so that nobody looks at what is around.
        let around = Array("=41QUJD".utf8)
        let octets = around + text.utf8 + around
        return String(decoding: encoding.decoded(octets[around.count..<octets.count - around.count]), as: UTF8.self)
    }

    @Test(arguments: [
        ("", ""), ("QUJD", "ABC"), ("QUI=", "AB"), ("QQ==", "A"), ("QUJD\r\nREVG\r\n", "ABCDEF"), ("Q U\tJ\nD", "ABC"),
        ("QUJDRA", "ABCD"), ("QUJDREU", "ABCDE"), ("QUJDR", "ABC"), ("QQ==QkM=", "A"), ("-QUJD!", "ABC"), ("====", ""),
        ("QQ=", "A"), ("Q=Q=", ""),
    ])
    func base64(text: String, content: String) {
        #expect(decoded(.base64, text) == content)
    }

    @Test(arguments: [
        ("", ""), ("abc\r\n", "abc\r\n"), ("=41=62=5a", "AbZ"), ("=4a=4A", "JJ"), ("a=\r\nb", "ab"), ("a=\nb", "ab"),
        ("a= \t\r\nb", "ab"), ("a \t\r\nb ", "a\r\nb"), ("a  b", "a  b"), ("a=", "a"), ("a= ", "a"), ("a=4", "a=4"),
        ("=ZZ=", "=ZZ"), ("==41", "=A"), ("=\r", "=\r"), ("a= b", "a= b"), ("a \rb", "a \rb"), ("=\r\n=\r\n", ""),
        ("=20\r\n", " \r\n"), (" =\r\n", " "),
    ])
    func quotedPrintable(text: String, content: String) {
        #expect(decoded(.quotedPrintable, text) == content)
    }

    @Test func longRunsOfBlanks_costLittle() {
        let blanks = Array(repeating: UInt8(0x20), count: 4 << 20) + Array("x".utf8)
        #expect(MIMETransferEncoding.quotedPrintable.decoded(blanks[...]).count == blanks.count)
    }

    @Test func fields_nameAnEncoding() throws {
        func named(_ field: String?) throws -> MIMETransferEncoding {
            try MIMETransferEncoding(field: field.map { Array($0.utf8) })
        }
        for field in [nil, "", "7bit", "8BIT", "binary", " 7bit (as it is)", "8-bit", "7bits", "8 bit"] {
            #expect(try named(field) == .identity)
        }
        #expect(try named("BASE64") == .base64)
        #expect(try named("(so) Base64;") == .base64)
        #expect(try named("quoted-printable") == .quotedPrintable)
        for field in ["x-uuencode", "base64x", "uuencode base64"] {
            #expect(throws: MIMETransferEncoding.Unknown()) { try named(field) }
        }
    }

    // MARK: Real messages

    private static func canonical(_ bytes: [UInt8]) -> [UInt8] {
        var octets: [UInt8] = []
        for octet in bytes {
            if octet == 0x0a, octets.last != 0x0d { octets.append(0x0d) }
            octets.append(octet)
        }
        return octets
    }

    /// By lines and by `=`, as text: another way than that of the decoder.
    private static func unquoted(_ body: ArraySlice<UInt8>) -> [UInt8] {
        let text = String(body.map { Character(Unicode.Scalar($0)) })
        var joined = ""
        let lines = text.components(separatedBy: "\r\n")
        for (index, line) in lines.enumerated() {
            let bare = String(line.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
            joined += bare.hasSuffix("=") ? String(bare.dropLast()) : bare + (index + 1 < lines.count ? "\r\n" : "")
        }
        let pieces = joined.components(separatedBy: "=")
        let rest = pieces.dropFirst().map { piece in
            UInt8(piece.prefix(2), radix: 16).map { String(Character(Unicode.Scalar($0))) + piece.dropFirst(2) } ?? "=" + piece
        }
        return (pieces[0] + rest.joined()).unicodeScalars.map { UInt8($0.value) }
    }

    @Test(.enabled(if: Corpus.isPresent, Comment(rawValue: Corpus.absence)))
    func everyPartOfRealMessages_isWhatOthersDecode() throws {
        var (base64, broken, quoted, others, unknown) = (0, 0, 0, 0, 0)
        for (name, bytes) in Corpus.mail() {
            let structure = MIMEStructure(Self.canonical(bytes))
            var whole = MIMEMessage(structure.message)
            func visit(_ part: MIMEPart, _ number: [Int]) throws {
                switch part.content {
                case .multipart(let parts):
                    for (index, part) in parts.enumerated() { try visit(part, number + [index + 1]) }
                case .message(let inner):
                    #expect(try whole.decoded(number) == structure.message[part.body], "\(name) \(number)")
                    for inner in inner {
                        let isMultipart = if case .multipart = inner.content { true } else { false }
                        try visit(inner, isMultipart ? number : number + [1])
                    }
                case .leaf:
                    let header = String(decoding: structure.message[part.header], as: UTF8.self).lowercased()
                    let body = structure.message[part.body]
                    let line = header.components(separatedBy: "\r\n").first { $0.hasPrefix("content-transfer-encoding:") }
                    if line?.contains("uuencode") == true {
                        unknown += 1
                        #expect(throws: MIMETransferEncoding.Unknown()) { try whole.decoded(number) }
                        return
                    }
                    let decoded = try whole.decoded(number)
                    if line?.contains("base64") == true {
                        base64 += 1
                        // Of what is broken Foundation decodes nothing.
                        guard let known = Data(base64Encoded: Data(body), options: .ignoreUnknownCharacters) else {
                            broken += 1
                            return
                        }
                        #expect(decoded.map { Array($0) } == Array(known), "\(name) \(number)")
                    } else if line?.contains("quoted-printable") == true {
                        quoted += 1
                        #expect(decoded.map { Array($0) } == Self.unquoted(body), "\(name) \(number)")
                    } else {
                        others += 1
                        #expect(decoded == body, "\(name) \(number)")
                    }
                }
            }
            let isMultipart = if case .multipart = structure.root.content { true } else { false }
            try visit(structure.root, isMultipart ? [] : [1])
        }
        #expect("\(base64), \(broken) broken, \(quoted), \(others), \(unknown)" == "74, 2 broken, 56, 150, 6")
    }
}
