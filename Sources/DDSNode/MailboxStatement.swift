// What a member says about the key that their mail is to be sealed to, signed by their identity: numbered, each naming the
// hash of the one before, so that a node can neither invent one nor leave one out. Says what the bytes are and who made
// them; whether a statement may follow another is in MailboxStatement+Chain.

package import DDSCore
package import DDSSeal

package struct MailboxStatement: Hashable, Sendable {
    /// Whose key it is.
    package enum Holder: Hashable, Sendable {
        case member(MailAddress)
        /// A newcomer, who does not know yet under which name the node has them; the invite says.
        case invite(UInt32, domain: String)
    }

    package var holder: Holder
    /// SHA-256 of the DER SubjectPublicKeyInfo of the certificate of the device that has the private key.
    package var device: [UInt8]
    /// From 1 on.
    package var number: UInt64
    package var notBefore: WallTime
    /// When the member should have made another one. Mail goes on being sealed to the last key there is.
    package var notAfter: WallTime
    /// `age1...` or `age1pq1...`.
    package var recipient: String
    /// BLAKE2b-256 of the whole statement before it with its signature; zeros in the first.
    package var previous: [UInt8]

    /// No statement is larger, signature included.
    package static let bytesMax = 4096
    package static let lifetime = Duration.seconds(30 * 86_400)
    package static let noPrevious = [UInt8](repeating: 0, count: 32)

    private static let version = 1
    private static let context = Array("ddsnode/v\(version)/mailbox-key\0".utf8)

    package init(
        holder: Holder, device: [UInt8], number: UInt64, notBefore: WallTime, notAfter: WallTime, recipient: String,
        previous: [UInt8]
    ) {
        precondition(device.count == 32 && previous.count == 32, "both hashes have 32 bytes")
        self.holder = holder
        self.device = device
        self.number = number
        self.notBefore = notBefore
        self.notAfter = notAfter
        self.recipient = recipient
        self.previous = previous
    }

    /// Statement 1 about a newcomer's key.
    package static func first(
        invite: UInt32, domain: String, device: [UInt8], recipient: String, now: WallTime
    ) -> MailboxStatement {
        MailboxStatement(
            holder: .invite(invite, domain: domain), device: device, number: 1, notBefore: now, notAfter: now + lifetime,
            recipient: recipient, previous: noPrevious)
    }

    /// What names a signed statement in the one after it.
    package static func hash(of signed: [UInt8]) -> [UInt8] { Hash.blake2b(signed, count: 32) }

    /// The statement and, behind it, the 64 bytes of its signature.
    package func signed(by identity: SigningKey) -> [UInt8] {
        let content = content
        return content + identity.sign(content)
    }

    /// Reads a signed statement. Everything is checked that can be without knowing what came before.
    package init(_ signed: [UInt8], by identity: [UInt8]) throws(StatementRefusal) {
        guard signed.count <= Self.bytesMax else { throw .oversized }
        var reader = Reader(rest: signed[...])
        try reader.takeContext()
        holder = try Self.holder(reader.field(.holder))
        device = try reader.field(.device, count: 32)
        number = try reader.number(.number)
        guard number > 0 else { throw .malformedField }
        notBefore = WallTime(milliseconds: Int64(bitPattern: try reader.number(.notBefore)))
        notAfter = WallTime(milliseconds: Int64(bitPattern: try reader.number(.notAfter)))
        guard notBefore.milliseconds >= 0, notBefore < notAfter else { throw .malformedField }
        recipient = try Self.text(reader.field(.recipient))
        previous = try reader.field(.previous, count: 32)
        let content = Array(signed[..<reader.rest.startIndex])
        guard reader.rest.count >= SigningKey.signatureBytes else { throw .truncated }
        guard reader.rest.count == SigningKey.signatureBytes else { throw .surplus }
        guard SigningKey.verify(Array(reader.rest), of: content, by: identity) else { throw .wrongSignature }
    }

    // MARK: Bytes

    /// Each field is its tag, the number of its bytes (16 bits) and the bytes.
    private enum Tag: UInt8 {
        case holder = 1
        case device, number, notBefore, notAfter, recipient, previous
    }

    private var content: [UInt8] {
        var bytes = Self.context
        let (kind, name) =
            switch holder {
            case .member(let address): (UInt8(1), "\(address)")
            case .invite(let number, let domain): (UInt8(2), "\(number)@\(domain)")
            }
        let fields: [(Tag, [UInt8])] = [
            (.holder, [kind] + Array(name.utf8)), (.device, device), (.number, Self.bigEndian(number)),
            (.notBefore, Self.bigEndian(UInt64(bitPattern: notBefore.milliseconds))),
            (.notAfter, Self.bigEndian(UInt64(bitPattern: notAfter.milliseconds))), (.recipient, Array(recipient.utf8)),
            (.previous, previous),
        ]
        for (tag, value) in fields {
            bytes += [tag.rawValue, UInt8(value.count >> 8), UInt8(value.count & 0xff)] + value
        }
        return bytes
    }

    private static func bigEndian(_ value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * UInt64($0))) }
    }

    /// Printable ASCII without spaces: nothing else is part of a recipient.
    private static func text(_ bytes: [UInt8]) throws(StatementRefusal) -> String {
        guard !bytes.isEmpty, bytes.allSatisfy({ (0x21...0x7e).contains($0) }) else { throw .malformedField }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func holder(_ bytes: [UInt8]) throws(StatementRefusal) -> Holder {
        guard let kind = bytes.first else { throw .malformedField }
        let name = String(decoding: bytes.dropFirst(), as: UTF8.self)
        // As it would be written: one holder has one form.
        guard let address = MailAddress(name), "\(address)".utf8.elementsEqual(bytes.dropFirst()) else { throw .malformedField }
        switch kind {
        case 1: return .member(address)
        case 2:
            guard let number = UInt32(address.local), "\(number)" == address.local else { throw .malformedField }
            return .invite(number, domain: address.domain)
        default: throw .malformedField
        }
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        mutating func takeContext() throws(StatementRefusal) {
            if rest.starts(with: context) {
                rest = rest.dropFirst(context.count)
                return
            }
            if context.starts(with: rest) { throw .truncated }
            let parts = String(decoding: rest.prefix(context.count + 8), as: UTF8.self).split(separator: "/", maxSplits: 2)
            if parts.count == 3, parts[0] == "ddsnode", parts[1].first == "v", let other = Int(parts[1].dropFirst()),
                other > version, parts[2].hasPrefix("mailbox-key\0")
            {
                throw .newerVersion
            }
            throw .notAStatement
        }

        mutating func field(_ tag: Tag, count wanted: Int? = nil) throws(StatementRefusal) -> [UInt8] {
            guard let first = rest.first else { throw .truncated }
            guard first == tag.rawValue else { throw Tag(rawValue: first) == nil ? .malformedField : .reordered }
            guard rest.count >= 3 else { throw .truncated }
            let length = Int(rest[rest.startIndex + 1]) << 8 | Int(rest[rest.startIndex + 2])
            let value = rest.dropFirst(3).prefix(length)
            guard value.count == length else { throw .truncated }
            guard wanted.map({ $0 == length }) ?? true else { throw .malformedField }
            rest = rest.dropFirst(3 + length)
            return Array(value)
        }

        mutating func number(_ tag: Tag) throws(StatementRefusal) -> UInt64 {
            try field(tag, count: 8).reduce(0) { $0 << 8 | UInt64($1) }
        }
    }
}
