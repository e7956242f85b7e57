// What a node tells its members by mail: an ordinary message with text for people and JSON for agents, signed by the node's
// identity. It decides the form and whether a message is the node's own; what follows from the content is the agent's affair.

package import DDSCore
import DDSMail
package import DDSSeal
import FoundationEssentials

/// A control message, whole.
package struct ControlMail: Hashable, Sendable {
    package enum Content: Hashable, Sendable {
        case deliveryState(DeliveryReport)
        case expiry(ExpiryNotice)
        case device(DeviceNotice)
        /// Addressed to the group: all members get the same one.
        case roster(RosterDocument)
        /// Addressed to the group too.
        case rosterConfirmed(RosterConfirmation)

        /// The group whose members all get the same mail; nil for what is for one member.
        package var group: MailAddress? {
            switch self {
            case .roster(let document): document.roster.group
            case .rosterConfirmed(let confirmation): confirmation.group
            case .deliveryState, .expiry, .device: nil
            }
        }
    }

    /// 32 hexadecimal digits.
    package var id: String
    /// The node's mail domain.
    package var node: String
    package var to: MailAddress
    package var date: WallTime
    package var content: Content

    package init(id: String, node: String, to: MailAddress, date: WallTime, content: Content) {
        self.id = id
        self.node = node
        self.to = to
        self.date = date
        self.content = content
    }

    /// Local part of the address that the node writes from.
    package static let senderName = "dds"
    package static let signatureType = "application/vnd.minisign"
    private static let typePrefix = "application/vnd.ddsnode."
    private static let typeSuffix = "+json"

    private var kind: String {
        switch content {
        case .deliveryState: "delivery-state"
        case .expiry: "expiry"
        case .device: "device"
        case .roster: "roster"
        case .rosterConfirmed: "roster-confirmation"
        }
    }

    /// What the signature covers besides the content: a message for one member cannot be shown to another.
    private static func comment(node: String, to: MailAddress, id: String) -> String {
        "ddsnode control node=\(node) to=\(to) id=\(id)"
    }

    // MARK: Writing

    /// The message, CRLF line ends, signed by `key`.
    package func message(signedBy key: MinisignKey) -> [UInt8] {
        let boundary = "=_dds_" + id
        let part = part(boundary: boundary + "_c")
        let signature = key.sign(part, trustedComment: Self.comment(node: node, to: to, id: id))
        let fields = [
            "From: \(node) <\(Self.senderName)@\(node)>", "To: <\(to)>", "Subject: \(subject)",
            "Date: \(CivilTime(secondsSinceEpoch: date.seconds).rfc5322)", "Message-ID: <\(id)@\(node)>",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
        ]
        return Array((fields.joined(separator: "\r\n") + "\r\n").utf8)
            + SignedMultipart.entity(
                content: part, signature: signature.text, protocolType: Self.signatureType, boundary: boundary)
    }

    /// Of printable ASCII: it stands in a header field.
    package var subject: String {
        switch content {
        case .deliveryState(let report): report.messages.count == 1 ? "Delivery of your message" : "Delivery of your messages"
        case .expiry(let notice): notice.words
        case .device(let notice): notice.words
        case .roster(let document): "Members of #\(document.roster.group.local), roster \(document.roster.number)"
        case .rosterConfirmed(let confirmation):
            "Members of #\(confirmation.group.local), roster \(confirmation.head.number), are confirmed"
        }
    }

    /// For people whose mail program knows nothing of this.
    package var text: String {
        switch content {
        case .deliveryState(let report): report.text
        case .expiry(let notice): notice.text
        case .device(let notice): notice.text
        case .roster(let document): document.roster.text
        case .rosterConfirmed(let confirmation): confirmation.text
        }
    }

    /// Text first, so that any mail program shows it.
    private func part(boundary: String) -> [UInt8] {
        let (encoding, json) =
            switch content {
            case .deliveryState(let report): ("8bit", report.json.pretty)
            case .expiry(let notice): ("8bit", notice.json.pretty)
            case .device(let notice): ("8bit", notice.json.pretty)
            // Its octets count, and it is one line.
            case .roster(let document): ("base64", Self.base64(document.bytes))
            case .rosterConfirmed(let confirmation): ("8bit", confirmation.json.pretty)
            }
        let text = """
            Content-Type: multipart/mixed; boundary="\(boundary)"

            --\(boundary)
            Content-Type: text/plain; charset=utf-8
            Content-Transfer-Encoding: 8bit

            \(self.text)
            --\(boundary)
            Content-Type: \(Self.typePrefix)\(kind)\(Self.typeSuffix)
            Content-Transfer-Encoding: \(encoding)

            \(json)
            --\(boundary)--
            """
        return LineEnds.crlf(Array(text.utf8))
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        let letters = Base64.encode(bytes)
        return stride(from: 0, to: letters.count, by: 76).map { start in
            String(decoding: letters[start..<min(start + 76, letters.count)], as: UTF8.self)
        }.joined(separator: "\n")
    }

    // MARK: Reading

    /// What a message turned out to be.
    package enum Reading: Hashable, Sendable {
        /// It does not claim to come from the node.
        case ordinary
        /// The node signed it for this member.
        case genuine(ControlMail)
        /// It looks like the node's, and nothing proves that it is; why, in words.
        case doubtful(String)
    }

    /// Judges a message that `to` received at the node of that domain, whose identity is `key`, the 32 bytes of an Ed25519 public key;
    /// nil when none was pinned yet.
    package static func read(_ message: [UInt8], node: String, to: MailAddress, key: [UInt8]?) -> Reading {
        guard let signed = SignedMultipart(message), signed.protocolType == signatureType, let inner = InnerPart(signed.content)
        else {
            return claimsToBeNode(message, node) ? .doubtful("it bears the node's address and not its signature") : .ordinary
        }
        guard let key else { return .doubtful("the node's identity is not known here yet") }
        guard let signature = MinisignSignature(String(decoding: signed.signature, as: UTF8.self)),
            signature.isValid(for: signed.content, by: MinisignPublicKey(key: key))
        else { return .doubtful("the node did not sign it") }
        let idField = signed.header.first("Message-ID")?.text ?? ""
        let id = String(idField.drop { $0 == "<" }.prefix { $0 != "@" })
        let content: Content
        do throws(Unreadable) {
            content = try self.content(inner)
        } catch {
            return .doubtful(error.words)
        }
        let to = content.group ?? to
        guard to.domain == node, signature.trustedComment == comment(node: node, to: to, id: id) else {
            return .doubtful("the node signed it for somebody else or as another message")
        }
        let date = WallTime(milliseconds: 0)
        return .genuine(ControlMail(id: id, node: node, to: to, date: date, content: content))
    }

    private static func claimsToBeNode(_ message: [UInt8], _ node: String) -> Bool {
        guard let header = try? HeaderSection(of: message) else { return false }
        return header.all("From").contains { $0.text.lowercased().contains("\(senderName)@\(node)") }
    }

    /// Why a signed part is not understood.
    private struct Unreadable: Error {
        var words = "it is of a kind that this version does not know; update ddsnode"
    }

    private static func content(_ part: InnerPart) throws(Unreadable) -> Content {
        switch part.kind {
        case "delivery-state":
            if let report = JSONValue(parsing: part.body).flatMap({ DeliveryReport(json: $0) }) {
                return .deliveryState(report)
            }
        case "expiry":
            if let notice = JSONValue(parsing: part.body).flatMap({ ExpiryNotice(json: $0) }) { return .expiry(notice) }
        case "device":
            if let notice = JSONValue(parsing: part.body).flatMap({ DeviceNotice(json: $0) }) { return .device(notice) }
        case "roster":
            guard let bytes = Base64.decode(part.body.filter { $0 != 0x0d && $0 != 0x0a }) else {
                throw Unreadable(words: RosterRefusal.truncated.words)
            }
            do throws(RosterRefusal) {
                return .roster(try RosterDocument(parsing: bytes))
            } catch {
                throw Unreadable(words: error.words)
            }
        case "roster-confirmation":
            if let confirmation = JSONValue(parsing: part.body).flatMap({ RosterConfirmation(json: $0) }) {
                return .rosterConfirmed(confirmation)
            }
        default: break
        }
        throw Unreadable()
    }

    /// The JSON part of what was signed, found by its type field: the form is ours alone.
    private struct InnerPart {
        var kind: String
        var body: [UInt8]

        init?(_ content: [UInt8]) {
            let text = String(decoding: content, as: UTF8.self)
            guard let start = text.firstRange(of: "\r\nContent-Type: " + typePrefix),
                let end = text[start.upperBound...].firstRange(of: typeSuffix + "\r\n"),
                let bodyStart = text[end.upperBound...].firstRange(of: "\r\n\r\n"),
                let bodyEnd = text[bodyStart.upperBound...].firstRange(of: "\r\n--=_dds_")
            else { return nil }
            kind = String(text[start.upperBound..<end.lowerBound])
            guard kind.utf8.count <= 40 else { return nil }
            body = Array(text[bodyStart.upperBound..<bodyEnd.lowerBound].utf8)
        }
    }
}
