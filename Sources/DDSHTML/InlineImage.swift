// Pictures that a mail brings along. Only what our own look at its octets says is a picture, is one.

package import DDSMail
import DDSCore

/// A picture of a kind that browsers show and that cannot hold a script.
package struct InlineImage: Hashable, Sendable {
    package let kind: ContentKind
    package let octets: [UInt8]

    /// Nil for everything else, whatever it is declared to be.
    package init?(_ octets: [UInt8]) {
        kind = ContentKind(of: octets)
        guard kind.isImage else { return nil }
        self.octets = octets
    }

    /// As the value of an attribute.
    package var address: String {
        "data:\(kind.mediaTypes[0]);base64," + String(decoding: Base64.encode(octets), as: UTF8.self)
    }
}

/// Where an `img` says its picture is, as far as that is in the mail.
enum ImageSource: Hashable, Sendable {
    /// A part of the message, by its Content-ID without angle brackets (RFC 2392).
    case part(String)
    case included(InlineImage)

    init?(_ raw: String) {
        let text = raw.unicodeScalars.filter { !$0.properties.isWhitespace }
        let value = String(String.UnicodeScalarView(text))
        let lower = value.prefix(5).lowercased()
        if lower.hasPrefix("cid:") {
            let id = Self.decoded(value.dropFirst(4))
            guard !id.isEmpty, id.utf8.count <= 500 else { return nil }
            self = .part(id)
        } else if lower == "data:", let comma = value.firstIndex(of: ","), value[..<comma].lowercased().hasSuffix(";base64") {
            var digits = Array(value[value.index(after: comma)...].utf8)
            while digits.last == 0x3d { digits.removeLast() }
            guard let octets = Base64.decode(digits, padded: false), let image = InlineImage(octets) else { return nil }
            self = .included(image)
        } else {
            return nil
        }
    }

    /// The address that is read as this source again.
    var address: String {
        switch self {
        case .part(let id): "cid:" + id.utf8.map { Self.encoded($0) }.joined()
        case .included(let image): image.address
        }
    }

    private static func encoded(_ octet: UInt8) -> String {
        switch octet {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x40, 0x5f: String(decoding: [octet], as: UTF8.self)
        default: "%" + Hex.encode([octet])
        }
    }

    private static func decoded(_ text: Substring) -> String {
        var output: [UInt8] = []
        var rest = text.utf8[...]
        while let octet = rest.popFirst() {
            let digits = rest.prefix(2)
            if octet == 0x25, digits.count == 2, let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16) {
                output.append(value)
                rest = rest.dropFirst(2)
            } else {
                output.append(octet)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
