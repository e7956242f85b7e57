// A small scanner of the page's HTML: start tags with their attributes, enough for rules that every page must keep.

struct PageTag {
    var name: String
    var attributes: [String: String]
}

/// The start tags of a page, read as a browser's tokenizer would: text is text until `<` and a letter.
func scan(_ html: String) -> [PageTag] {
    let bytes = Array(html.utf8)
    var tags: [PageTag] = []
    var index = 0
    func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte | 0x20) }
    while index < bytes.count {
        guard bytes[index] == 0x3c, index + 1 < bytes.count, isLetter(bytes[index + 1]) else {
            index += 1
            continue
        }
        index += 1
        let start = index
        while index < bytes.count, !" \n\t/>".utf8.contains(bytes[index]) { index += 1 }
        var tag = PageTag(name: String(decoding: bytes[start..<index], as: UTF8.self).lowercased(), attributes: [:])
        while index < bytes.count, bytes[index] != 0x3e {
            guard !" \n\t/".utf8.contains(bytes[index]) else {
                index += 1
                continue
            }
            let nameStart = index
            while index < bytes.count, !" \n\t/>=".utf8.contains(bytes[index]) { index += 1 }
            let name = String(decoding: bytes[nameStart..<index], as: UTF8.self).lowercased()
            var value = ""
            if index + 1 < bytes.count, bytes[index] == 0x3d, bytes[index + 1] == 0x22 {
                let valueStart = index + 2
                index = valueStart
                while index < bytes.count, bytes[index] != 0x22 { index += 1 }
                value = String(decoding: bytes[valueStart..<index], as: UTF8.self)
                index += 1
            } else if index < bytes.count, bytes[index] == 0x3d {
                value = "unquoted"
                index += 1
                while index < bytes.count, !" \n\t>".utf8.contains(bytes[index]) { index += 1 }
            }
            tag.attributes[name] = value
        }
        tags.append(tag)
    }
    return tags
}
