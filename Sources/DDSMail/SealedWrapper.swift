// The message a POP3 client sees around a sealed one: constant but for recipient, id and day, so its size is known before it
// is made. It knows how large armor is and does not make any.

package import DDSCore

/// The wrapper of DESIGN section 1. Lines end with CRLF; behind the head comes the armor and nothing else.
package enum SealedWrapper {
    /// The head of what a member fetches: from `dds@NODE`, named by its UIDL, with a date of day precision (days since the
    /// epoch). `node` and `uidl` are ours and printable ASCII.
    package static func head(node: String, recipient: MailAddress, uidl: String, day: Int) -> [UInt8] {
        head(from: "dds@\(node)", to: recipient.description, messageID: "\(uidl)@\(node)", day: day)
    }

    /// The head of a submission sealed to the node. `id` makes the Message-ID and must say nothing about the message inside.
    package static func head(node: String, from: MailAddress, to: MailAddress, id: String, day: Int) -> [UInt8] {
        head(from: from.description, to: to.description, messageID: "\(id)@\(node)", day: day)
    }

    /// Octets of the whole wrapper around an age file of `ageBytes`, as POP3 `LIST` counts them.
    package static func octets(node: String, recipient: MailAddress, uidl: String, day: Int, ageBytes: Int) -> Int {
        head(node: node, recipient: recipient, uidl: uidl, day: day).count + armoredSize(ageBytes: ageBytes)
    }

    // The two marker lines with CRLF. SEALING 1.6 says 37 and 35; stock age and the letters say one less each.
    private static let beginOctets = "-----BEGIN AGE ENCRYPTED FILE-----".utf8.count + 2
    private static let endOctets = "-----END AGE ENCRYPTED FILE-----".utf8.count + 2

    /// Octets of an age file in armor with CRLF: base64 in lines of 64 columns between the two marker lines (C2SP age.md,
    /// "ASCII armor").
    package static func armoredSize(ageBytes: Int) -> Int {
        precondition(ageBytes >= 0, "a size is no negative number")
        let characters = (ageBytes + 2) / 3 * 4
        return characters + (characters + 63) / 64 * 2 + beginOctets + endOctets
    }

    private static func head(from: String, to: String, messageID: String, day: Int) -> [UInt8] {
        let lines = [
            "From: <\(from)>",
            "To: <\(to)>",
            "Subject: Sealed message",
            "Message-ID: <\(messageID)>",
            "Date: \(CivilTime(secondsSinceEpoch: Int64(day) * 86400).rfc5322)",
            "MIME-Version: 1.0",
            "Content-Type: application/age; name=\"message.eml.age\"",
            "Content-Disposition: attachment; filename=\"message.eml.age\"",
            "Content-Transfer-Encoding: 7bit",
        ]
        var head: [UInt8] = []
        for line in lines {
            precondition(line.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }, "a header line holds no control character")
            head += line.utf8
            head += [0x0d, 0x0a]
        }
        return head + [0x0d, 0x0a]
    }
}
