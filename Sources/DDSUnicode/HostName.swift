// Names of hosts as they are asked for (IDNA, UTS 46) and as they may be shown: in their own script only where that cannot be taken
// for another name. Whether a host exists is not asked.

import CICU

/// A host of an address, in ASCII and lower case.
package struct HostName: Hashable, Sendable {
    /// As it is asked for: letters, digits, hyphens and dots, or an IP address, of version 6 in brackets.
    package let ascii: String

    /// Nil for what no browser would ask for, and for numbers that browsers would read as addresses though they look like names.
    package init?(_ text: String) {
        if text.hasPrefix("[") {
            let inner = text.dropFirst().dropLast()
            guard text.hasSuffix("]"), inner.utf8.count >= 2, inner.utf8.count < 46,
                inner.utf8.allSatisfy({ Self.isHexadecimal($0) || $0 == 0x3a || $0 == 0x2e }), inner.contains(":")
            else { return nil }
            ascii = text.lowercased()
            return
        }
        guard let name = Self.converted(text, toASCII: true), !name.isEmpty, name.utf8.count <= 253,
            name.utf8.allSatisfy({ Self.isNameOctet($0) }), !name.contains(".."), !name.hasPrefix(".")
        else { return nil }
        let labels = name.split(separator: ".")
        // A last label of digits, or 0x and so on, makes browsers read an IPv4 address of four forms; one form is left.
        if let last = labels.last, last.utf8.first.map({ (0x30...0x39).contains($0) }) ?? false {
            let isAddress = labels.count == 4 && !name.hasSuffix(".") && labels.allSatisfy { label in
                UInt8(label).map { "\($0)" == label } ?? false
            }
            if !isAddress, last.utf8.allSatisfy({ Self.isHexadecimal($0) || $0 == 0x78 }) { return nil }
        }
        ascii = name
    }

    /// As people read it: each label in its own script where that is a single one and looks like no ASCII name, else in ASCII.
    package var shown: String {
        ascii.split(separator: ".", omittingEmptySubsequences: false).map { Self.shown(label: String($0)) }.joined(separator: ".")
    }

    private static func shown(label: String) -> String {
        guard label.hasPrefix("xn--"), let text = converted(label, toASCII: false), isSingleScript(text),
            !LookAlike.skeleton(text).utf8.allSatisfy({ $0 < 0x80 })
        else { return label }
        return text
    }

    private static func isSingleScript(_ text: String) -> Bool {
        let octets = Array(text.utf8)
        return unsafe octets.withUnsafeBytes { source in
            unsafe dds_icu_is_single_script(source.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(source.count))
        }
    }

    private static func converted(_ text: String, toASCII: Bool) -> String? {
        let octets = Array(text.utf8)
        guard !octets.isEmpty, octets.count <= 1000 else { return nil }
        var target = [UInt8](repeating: 0, count: 1024)
        let size = unsafe octets.withUnsafeBytes { source in
            unsafe target.withUnsafeMutableBytes { buffer in
                unsafe dds_icu_host(
                    source.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(source.count), toASCII,
                    buffer.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(buffer.count))
            }
        }
        return size < 0 ? nil : String(decoding: target[..<Int(size)], as: UTF8.self)
    }

    private static func isNameOctet(_ octet: UInt8) -> Bool {
        (0x61...0x7a).contains(octet) || (0x30...0x39).contains(octet) || octet == 0x2d || octet == 0x2e || octet == 0x5f
    }

    private static func isHexadecimal(_ octet: UInt8) -> Bool {
        (0x30...0x39).contains(octet) || (0x61...0x66).contains(octet | 0x20)
    }
}
