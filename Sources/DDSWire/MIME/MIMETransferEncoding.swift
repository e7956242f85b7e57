// Transfer encodings of bodies (RFC 2045 6) and what they encode. It decides what careless or broken encodings mean: something
// always comes out, and of what is no encoding nothing is lost but what RFC 2045 says to ignore.

import DDSCore

enum MIMETransferEncoding: Hashable, Sendable {
    /// 7bit, 8bit and binary: a body as it is.
    case identity
    case base64
    case quotedPrintable

    /// An encoding that nobody here can undo.
    struct Unknown: Error, Hashable {}

    /// What the value of a Content-Transfer-Encoding field says; without one it is 7bit (RFC 2045 6.1).
    init(field: [UInt8]?) throws(Unknown) {
        guard let token = field.flatMap({ MIMEParameters.tokens($0).first }) else {
            self = .identity
            return
        }
        if token.isToken("base64") {
            self = .base64
        } else if token.isToken("quoted-printable") {
            self = .quotedPrintable
        } else if token.isToken("binary") || token.first.map({ (0x30...0x39).contains($0) }) == true {
            // 7bit, 8bit, and what writers make of them: 8-bit, 7bits, 8.
            self = .identity
        } else {
            throw Unknown()
        }
    }

    func decoded(_ body: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        switch self {
        case .identity: body
        case .base64: Base64.decode(body: body)[...]
        case .quotedPrintable: Self.quotedPrintable(body)[...]
        }
    }

    /// RFC 2045 6.7: white space at the end of a line is the transport's, and `=` before a line end joins two lines. Other `=`
    /// that encode nothing stay as they are.
    private static func quotedPrintable(_ body: ArraySlice<UInt8>) -> [UInt8] {
        let text = body.span
        var octets: [UInt8] = []
        octets.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            let octet = text[index]
            if octet == 0x3d {
                let end = blankEnd(text, from: index + 1)
                if isLineEnd(text, at: end) {
                    index = end
                    if index < text.count, text[index] == 0x0d { index += 1 }
                    if index < text.count { index += 1 }
                    continue
                }
                if index + 2 < text.count, let high = text[index + 1].hexadecimalValue,
                    let low = text[index + 2].hexadecimalValue
                {
                    octets.append(high << 4 | low)
                    index += 3
                    continue
                }
            } else if octet.isMIMEBlank {
                let end = blankEnd(text, from: index)
                if !isLineEnd(text, at: end) { for place in index..<end { octets.append(text[place]) } }
                index = end
                continue
            }
            octets.append(octet)
            index += 1
        }
        return octets
    }

    private static func blankEnd(_ text: Span<UInt8>, from start: Int) -> Int {
        var end = start
        while end < text.count, text[end].isMIMEBlank { end += 1 }
        return end
    }

    /// The end of a body is one too.
    private static func isLineEnd(_ text: Span<UInt8>, at index: Int) -> Bool {
        if index == text.count || text[index] == 0x0a { return true }
        return text[index] == 0x0d && index + 1 < text.count && text[index + 1] == 0x0a
    }
}

extension UInt8 {
    fileprivate var hexadecimalValue: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x41 + 10
        // RFC 2045 6.7 rule 1: robust readers take small letters too.
        case 0x61...0x66: self - 0x61 + 10
        default: nil
        }
    }
}
