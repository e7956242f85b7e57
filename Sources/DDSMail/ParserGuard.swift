// Shapes of messages that are kept from GMime 3.2, because there they cost its stack or quadratic time: groups inside groups of
// addresses (`To: a:b:c:...`, one recursion each: a crash, tried) and lines that begin like a boundary, each of which is
// compared with every boundary that is open. Real mail is far from all of these limits.

enum ParserGuard {
    /// Colons in one address field: each may open a group.
    static let groupsMax = 200
    /// Octets of all address fields of a message and of the messages inside it.
    static let addressOctetsMax = 1 << 20
    /// Comparisons of lines with boundaries; about 20 ns each.
    static let comparisonsMax = 20_000_000

    private static let addressFields: [[UInt8]] = ["from", "to", "cc", "bcc", "sender", "reply-to"].map { Array($0.utf8) }
    private static let boundary = Array("boundary".utf8)

    /// Whether GMime may see the value of an address field.
    static func admits(addressField value: [UInt8]) -> Bool {
        value.count { $0 == 0x3a } <= groupsMax && value.count <= addressOctetsMax
    }

    /// Whether GMime may see the message. Where header sections inside are is not known here, so lines of texts that look like
    /// address fields count too.
    static func admits(message: [UInt8]) -> Bool {
        var dashLines = 0
        var boundaries = 0
        var addressOctets = 0
        var colons = 0
        var isInAddress = false
        var start = 0
        while start < message.count {
            let end = message[start...].firstIndex(of: 0x0a) ?? message.count
            let line = message[start..<end]
            if line.first != 0x20, line.first != 0x09 {
                isInAddress = isAddressField(line)
                colons = 0
                if line.starts(with: [0x2d, 0x2d]) { dashLines += 1 }
            }
            if isInAddress {
                addressOctets += line.count
                colons += line.count { $0 == 0x3a }
                // The first one ends the field's name.
                guard colons <= groupsMax + 1, addressOctets <= addressOctetsMax else { return false }
            }
            boundaries += countOfBoundary(line)
            start = end + 1
        }
        return dashLines * min(boundaries, 1024) <= comparisonsMax
    }

    private static func isAddressField(_ line: ArraySlice<UInt8>) -> Bool {
        addressFields.contains { name in
            guard line.count > name.count, zip(line, name).allSatisfy({ $0 | 0x20 == $1 | 0x20 }) else { return false }
            return line.dropFirst(name.count).first { $0 != 0x20 && $0 != 0x09 } == 0x3a
        }
    }

    private static func countOfBoundary(_ line: ArraySlice<UInt8>) -> Int {
        var count = 0
        var index = line.startIndex
        while index + boundary.count < line.endIndex {
            if line[index] | 0x20 == boundary[0],
                line[(index + 1)...].starts(with: boundary.dropFirst(), by: { $0 | 0x20 == $1 })
            {
                count += 1
            }
            index += 1
        }
        return count
    }
}
