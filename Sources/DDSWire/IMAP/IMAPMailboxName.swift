// Names of mailboxes as a client writes them: modified UTF-7 (RFC 3501 5.1.3), or UTF-8 once IMAP4rev2 or UTF8=ACCEPT is
// enabled. Which mailboxes there are is not decided here.

import DDSCore

enum IMAPMailboxName {
    static let octetsMax = 1000

    // MARK: Modified UTF-7

    static func encode(_ name: String) -> [UInt8] {
        var output: [UInt8] = []
        var held: [UInt8] = []
        func flush() {
            guard !held.isEmpty else { return }
            output.append(UInt8(ascii: "&"))
            output += Base64.encode(held, padded: false).map { $0 == UInt8(ascii: "/") ? UInt8(ascii: ",") : $0 }
            output.append(UInt8(ascii: "-"))
            held = []
        }
        for unit in name.utf16 {
            if (0x20...0x7e).contains(unit) {
                flush()
                output.append(UInt8(truncatingIfNeeded: unit))
                if unit == UInt16(UInt8(ascii: "&")) { output.append(UInt8(ascii: "-")) }
            } else {
                held += [UInt8(truncatingIfNeeded: unit >> 8), UInt8(truncatingIfNeeded: unit)]
            }
        }
        flush()
        return output
    }

    /// The name that `text` encodes, or nil when it is not exactly what `encode` would write: two spellings of one name would
    /// be two mailboxes to a client.
    static func decode(_ text: [UInt8]) -> String? {
        var units: [UInt16] = []
        var rest = text[...]
        while let octet = rest.popFirst() {
            guard (0x20...0x7e).contains(octet) else { return nil }
            guard octet == UInt8(ascii: "&") else {
                units.append(UInt16(octet))
                continue
            }
            guard let end = rest.firstIndex(of: UInt8(ascii: "-")) else { return nil }
            let shifted = rest[..<end]
            rest = rest[end...].dropFirst()
            if shifted.isEmpty {
                units.append(UInt16(UInt8(ascii: "&")))
                continue
            }
            let base64 = shifted.map { $0 == UInt8(ascii: ",") ? UInt8(ascii: "/") : $0 == UInt8(ascii: "/") ? 0 : $0 }
            guard let octets = Base64.decode(base64, padded: false), octets.count.isMultiple(of: 2) else { return nil }
            for index in stride(from: 0, to: octets.count, by: 2) {
                units.append(UInt16(octets[index]) << 8 | UInt16(octets[index + 1]))
            }
        }
        guard let name = String(validating: units, as: UTF16.self), encode(name) == text else { return nil }
        return name
    }

    // MARK: As a client writes it

    /// The name in `octets`; `INBOX` is the same in any case of letters (RFC 9051 5.1).
    static func read(_ octets: [UInt8], isUTF8: Bool) throws(IMAPFault) -> String {
        guard octets.count <= octetsMax else { throw .no("CANNOT", "The name is longer than \(octetsMax) octets") }
        guard let name = isUTF8 ? String(validating: octets, as: UTF8.self) : decode(octets) else {
            throw .bad("The mailbox name is not \(isUTF8 ? "UTF-8" : "modified UTF-7")")
        }
        guard name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f && !(0x80...0x9f).contains($0.value) })
        else {
            throw .no("CANNOT", "Control characters in a mailbox name")
        }
        return canonical(name)
    }

    static func canonical(_ name: String) -> String {
        let first = name.prefix { $0 != "/" }
        return first.utf8.count == 5 && first.uppercased() == "INBOX" ? "INBOX" + name.dropFirst(first.count) : name
    }

    /// `name` as octets of a quoted string or literal.
    static func write(_ name: String, isUTF8: Bool) -> [UInt8] { isUTF8 ? Array(name.utf8) : encode(name) }
}
