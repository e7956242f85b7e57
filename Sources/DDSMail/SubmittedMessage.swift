// A message as a mail program submits it (RFC 6409), made fit to be signed: what it lacks is added at the end of its header
// section, what would tell of hidden recipients is taken out, and every other octet stays as it is. Who receives it is the
// envelope's affair.

package import DDSCore

/// Why a submitted message is not sent.
package enum SubmittedFault: Error, Hashable, Sendable {
    /// This line of the header section, counted from 1, is neither a field nor the continuation of one. Where the section ends
    /// is then anybody's guess, and so is what its readers see.
    case malformedLine(Int)
    /// The header section does not end within 256 KiB.
    case headerTooLarge
    /// A field that stands once at most (RFC 5322 3.6) is there again.
    case repeatedField(String)
    /// `From` or `Sender` names somebody else, or nobody.
    case foreignAuthor(field: String)
}

package struct SubmittedMessage: Sendable {
    private let message: [UInt8]
    private let header: HeaderSection
    /// The addresses of `To` and `Cc` that can be written to: whom every reader sees.
    package let visible: Set<MailAddress>

    private static let oncePerMessage = ["From", "Sender", "Reply-To", "To", "Cc", "Message-ID", "Date", "Subject"]

    /// Takes a message with CRLF line ends, and checks that it says that `author` wrote it (RFC 6409 8.1).
    package init(_ raw: [UInt8], author: MailAddress) throws(SubmittedFault) {
        let message = raw.isEmpty || raw.suffix(2) == [0x0d, 0x0a] ? raw : raw + [0x0d, 0x0a]
        let header: HeaderSection
        do {
            header = try HeaderSection(of: message)
        } catch {
            throw .headerTooLarge
        }
        if let line = header.malformedLineNumber { throw .malformedLine(line) }
        if let name = Self.oncePerMessage.first(where: { header.all($0).count > 1 }) { throw .repeatedField(name) }
        for name in ["From", "Sender"] {
            guard let field = header.first(name) else { continue }
            let people = AddressList.people(in: field.unfolded)
            guard !people.isEmpty, people.allSatisfy({ MailAddress($0.address) == author }) else {
                throw .foreignAuthor(field: name)
            }
        }
        self.message = message
        self.header = header
        let shown = header.all("To") + header.all("Cc")
        visible = Set(shown.flatMap { AddressList.people(in: $0.unfolded) }.compactMap { MailAddress($0.address) })
    }

    /// The message that is signed. A submission id that it brings along is another message's: a mail program that edits an old
    /// message anew keeps fields it does not know. `list` is the group that receivers file it under.
    package func completed(_ defaults: MessageBuilder.Defaults, list: MailAddress?) -> [UInt8] {
        let oldID = header.first("Message-ID").map { MessageBuilder.id($0.text) }.flatMap { $0.isEmpty ? nil : $0 }
        let dropped = ["Bcc", "Resent-Bcc", "X-DDS-Submission", Padding.fieldName] + (oldID == nil ? ["Message-ID"] : [])
        let body = message[header.byteCount...]
        var output = header.octets(of: message) { field in !dropped.contains(where: field.isNamed) }
        var lines = MessageBuilder.additions(to: header, body: body, oldID: oldID, submission: nil, defaults)
        if let list {
            lines += MessageBuilder.listFields(of: list).filter { header.first($0.name) == nil }.map { "\($0.name): \($0.value)" }
        }
        for line in lines { output += Array(line.utf8) + [0x0d, 0x0a] }
        return output + [0x0d, 0x0a] + body
    }
}
