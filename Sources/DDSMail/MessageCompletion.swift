// A message from somebody's standard input, made fit to be sent (`send -t`): line ends, missing fields, hidden recipients. The
// rest of it stays as it was written.

package import DDSCore

package enum CompletionError: Error, Hashable, Sendable {
    /// This line of the header section, counted from 1, is neither a field nor the continuation of one: most likely the empty
    /// line before the text is missing.
    case malformedLine(Int)
    /// The header section does not end within 256 KiB.
    case headerTooLarge
}

/// A message that can be submitted.
package struct CompletedMessage: Hashable, Sendable {
    package var bytes: [UInt8]
    /// From `To`, `Cc` and `Bcc`, each once, in order.
    package var recipients: [MailAddress]
    /// What stands in these fields and is no address that can be mailed to.
    package var unusableRecipients: [String]
    /// Without angle brackets.
    package var messageID: String
    /// 16 bytes.
    package var submission: [UInt8]
}

extension MessageBuilder {
    /// What is put in where a message has none.
    package struct Defaults: Sendable {
        package var from: Mailbox
        package var date: WallTime
        /// Without angle brackets.
        package var messageID: String
        /// 16 random bytes.
        package var submission: [UInt8]

        package init(from: Mailbox, date: WallTime, messageID: String, submission: [UInt8]) {
            precondition(submission.count == 16, "a submission id has 16 bytes")
            self.from = from
            self.date = date
            self.messageID = messageID
            self.submission = submission
        }
    }

    /// Completes a raw message with any line ends: CRLF everywhere, no `Bcc`, and `From`, `Date`, `Message-ID`,
    /// `X-DDS-Submission` and, for an eight-bit body that says nothing of MIME, the MIME fields added at the end of the header
    /// section. A submission id already there is kept, so that a repeated `send` is recognised.
    package static func completing(raw: [UInt8], defaults: Defaults) throws(CompletionError) -> CompletedMessage {
        var message = LineEnds.crlf(raw)
        if message.starts(with: "From ".utf8), let end = message.firstIndex(of: 0x0a) {
            message.removeSubrange(...end)
        }
        if !message.isEmpty, message.suffix(2) != [0x0d, 0x0a] { message += [0x0d, 0x0a] }
        let header: HeaderSection
        do {
            header = try HeaderSection(of: message)
        } catch {
            throw .headerTooLarge
        }
        if let line = header.malformedLineNumber { throw .malformedLine(line) }
        let body = message[header.byteCount...]
        let recipients = self.recipients(of: header)
        let submission = header.first("X-DDS-Submission").flatMap { Hex.decode($0.text) }.flatMap { $0.count == 16 ? $0 : nil }
        let oldID = header.first("Message-ID").map { id($0.text) }.flatMap { $0.isEmpty ? nil : $0 }

        let dropped =
            ["Bcc", Padding.fieldName] + (submission == nil ? ["X-DDS-Submission"] : []) + (oldID == nil ? ["Message-ID"] : [])
        var output = header.octets(of: message) { field in !dropped.contains(where: field.isNamed) }
        for line in additions(to: header, body: body, oldID: oldID, submission: submission, defaults) {
            output += Array(line.utf8) + [0x0d, 0x0a]
        }
        return CompletedMessage(
            bytes: output + [0x0d, 0x0a] + body, recipients: recipients.usable, unusableRecipients: recipients.unusable,
            messageID: oldID ?? id(defaults.messageID), submission: submission ?? defaults.submission)
    }

    /// The fields that a message has to have and `header` has not.
    static func additions(
        to header: HeaderSection, body: ArraySlice<UInt8>, oldID: String?, submission: [UInt8]?, _ defaults: Defaults
    ) -> [String] {
        var lines: [String] = []
        if header.first("From") == nil { lines.append("From: \(AddressList.written(defaults.from))") }
        if header.first("Date") == nil {
            lines.append("Date: \(CivilTime(secondsSinceEpoch: defaults.date.seconds).rfc5322)")
        }
        if oldID == nil { lines.append("Message-ID: <\(id(defaults.messageID))>") }
        if submission == nil { lines.append("X-DDS-Submission: \(Hex.encode(defaults.submission))") }
        if header.first("MIME-Version") == nil, header.first("Content-Type") == nil, body.contains(where: { $0 >= 0x80 }) {
            let isUTF8 = String(validating: body, as: UTF8.self) != nil
            lines += [
                "MIME-Version: 1.0", "Content-Type: text/plain; charset=\(isUTF8 ? "utf-8" : "unknown-8bit")",
                "Content-Transfer-Encoding: 8bit",
            ]
        }
        return lines
    }

    private static func recipients(of header: HeaderSection) -> (usable: [MailAddress], unusable: [String]) {
        var usable: [MailAddress] = []
        var unusable: [String] = []
        for name in ["To", "Cc", "Bcc"] {
            for person in header.all(name).flatMap({ AddressList.people(in: $0.unfolded) }) {
                if let address = MailAddress(person.address) {
                    if !usable.contains(address) { usable.append(address) }
                } else if !person.address.isEmpty {
                    unusable.append(person.address)
                }
            }
        }
        return (usable, unusable)
    }
}
