// Bech32 (BIP 173) without its length limit, as age uses it. Which prefix means what is decided by the callers.

/// Bech32 over ASCII bytes; all intermediate arrays are overwritten, since identities pass through here.
enum Bech32 {
    private static let alphabet = Array("qpzry9x8gf2tvdw0s3jn54khce6mua7l".utf8)
    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 0xff, count: 256)
        for (value, character) in alphabet.enumerated() { table[Int(character)] = UInt8(value) }
        return table
    }()

    /// `data` under `prefix` (lower case), in lower case.
    static func encode(prefix: String, _ data: [UInt8]) -> [UInt8] {
        var groups = regroup(data, from: 8, to: 5, isPadded: true) ?? []
        defer { Wipe.zero(&groups) }
        var check = expanded(prefix: Array(prefix.utf8)).reduce(UInt32(1), step)
        check = groups.reduce(check, step)
        for _ in 0..<6 { check = step(check, 0) }
        check ^= 1
        var text = Array(prefix.utf8)
        text.reserveCapacity(text.count + 1 + groups.count + 6)
        text.append(0x31)
        for group in groups { text.append(alphabet[Int(group)]) }
        for index in 0..<6 { text.append(alphabet[Int(check >> (5 * (5 - UInt32(index))) & 31)]) }
        return text
    }

    /// The data of `text`, whose prefix must be `prefix` (lower case, not empty), or nil. Mixed case is refused; the caller
    /// refuses the case that it does not want, and wipes the result.
    static func decode(prefix: String, _ text: [UInt8]) -> [UInt8]? {
        let isMixed = text.contains { (0x61...0x7a).contains($0) } && text.contains { (0x41...0x5a).contains($0) }
        guard !isMixed, let separator = text.lastIndex(of: 0x31), text.count - separator - 1 >= 6 else { return nil }
        let name = text[..<separator].map(lowered)
        guard name == Array(prefix.utf8) else { return nil }
        var groups: [UInt8] = []
        groups.reserveCapacity(text.count)
        defer { Wipe.zero(&groups) }
        for character in text[(separator + 1)...] {
            let value = values[Int(lowered(character))]
            guard value != 0xff else { return nil }
            groups.append(value)
        }
        let check = groups.reduce(expanded(prefix: name).reduce(UInt32(1), step), step)
        guard check == 1 else { return nil }
        for index in groups.count - 6..<groups.count { groups[index] = 0 }
        groups.removeLast(6)
        return regroup(groups, from: 5, to: 8, isPadded: false)
    }

    /// The first `count` bytes of data characters in lower case, whatever the check sum says; nil when there are not as many.
    static func front(_ characters: [UInt8], count: Int) -> [UInt8]? {
        let wanted = (8 * count + 4) / 5
        guard characters.count >= wanted, characters[..<wanted].allSatisfy({ values[Int($0)] != 0xff }) else { return nil }
        var bits: UInt64 = 0
        for character in characters[..<wanted] { bits = bits << 5 | UInt64(values[Int(character)]) }
        bits >>= UInt64(5 * wanted - 8 * count)
        return (0..<count).map { UInt8(truncatingIfNeeded: bits >> UInt64(8 * (count - 1 - $0))) }
    }

    /// Whether a character in lower case can stand behind the separator.
    static func isCharacter(_ character: UInt8) -> Bool { values[Int(character)] != 0xff }

    static func lowered(_ character: UInt8) -> UInt8 { (0x41...0x5a).contains(character) ? character | 0x20 : character }
    static func uppered(_ character: UInt8) -> UInt8 { (0x61...0x7a).contains(character) ? character & 0xdf : character }

    private static func expanded(prefix: [UInt8]) -> [UInt8] {
        prefix.map { $0 >> 5 } + [0] + prefix.map { $0 & 31 }
    }

    /// One step of the checksum polynomial (BIP 173).
    private static func step(_ check: UInt32, _ value: UInt8) -> UInt32 {
        (check & 0x1ff_ffff) << 5 ^ UInt32(value) ^ sums[Int(check >> 25)]
    }

    private static let generators: [UInt32] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3]
    /// What the five bits that leave the checksum add to it. A table, because hybrid recipients have 1,959 characters and are
    /// read for every delivery.
    private static let sums: [UInt32] = (0..<32).map { top in
        generators.enumerated().reduce(0) { sum, entry in top >> entry.offset & 1 == 1 ? sum ^ entry.element : sum }
    }

    /// Groups of `from` bits as groups of `to` bits. Without padding, up to four left-over bits must be zero.
    private static func regroup(_ data: [UInt8], from: UInt32, to: UInt32, isPadded: Bool) -> [UInt8]? {
        var output: [UInt8] = []
        output.reserveCapacity(data.count * Int(from) / Int(to) + 1)
        var held: UInt32 = 0
        var bits: UInt32 = 0
        for value in data {
            held = (held << from | UInt32(value)) & 0xfff
            bits += from
            while bits >= to {
                bits -= to
                output.append(UInt8(held >> bits & (1 << to - 1)))
            }
        }
        let rest = held & (1 << bits - 1)
        if isPadded {
            if bits > 0 { output.append(UInt8(rest << (to - bits))) }
        } else if bits >= from || rest != 0 {
            Wipe.zero(&output)
            return nil
        }
        return output
    }
}
