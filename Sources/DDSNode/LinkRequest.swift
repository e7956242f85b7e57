// What a new device of a member says to the node, with the link that the member's first device has made: two sealed messages to
// enrol@NODE. The first asks for the parcel, again and again until the first device has answered; the second brings the statement
// about its mailbox key, signed by the identity that was in the parcel.

import DDSCore

/// The body of both messages, `application/vnd.ddsnode.link+json`. The device's key is the one of the TLS connection.
package struct LinkRequest: Hashable, Sendable {
    package static let contentType = "application/vnd.ddsnode.link+json"
    /// Of what a device is called.
    package static let titleBytesMax = 60

    package enum Step: Hashable, Sendable {
        /// The recipient of the new device's mailbox key, and the proof of the claim.
        case claim(recipient: String, proof: [UInt8])
        /// Statement 1, signed.
        case confirm(statement: [UInt8])
    }

    /// `DeviceLink.id`.
    package var link: String
    /// What the owner calls the device.
    package var title: String
    package var step: Step

    package init(link: String, title: String, step: Step) {
        self.link = link
        self.title = Self.cleaned(title)
        self.step = step
    }

    /// One line of printable characters that fits into a reply.
    package static func cleaned(_ title: String) -> String {
        var cleaned = ""
        for letter in title.unicodeScalars {
            let isPlain =
                letter.value >= 0x20 && !(0x7f...0x9f).contains(letter.value) && !(0x2028...0x202e).contains(letter.value)
            guard isPlain, cleaned.utf8.count + 4 <= titleBytesMax else { continue }
            cleaned.unicodeScalars.append(letter)
        }
        return cleaned.contains { $0 != " " } ? cleaned : "another device"
    }

    /// The whole inner message.
    package var message: [UInt8] {
        var fields: [String: JSONValue] = ["link": .text(link), "title": .text(title)]
        switch step {
        case .claim(let recipient, let proof):
            fields["recipient"] = .text(recipient)
            fields["proof"] = .text(Hex.encode(proof))
        case .confirm(let statement): fields["statement"] = .text(NodeRequest.base64(statement))
        }
        return NodeRequest.message(type: Self.contentType, .object(fields))
    }

    /// Nil when `message` is none.
    package init?(message: [UInt8]) {
        guard let body = NodeRequest.body(of: message, type: Self.contentType),
            let link = body["link"]?.string.flatMap({ Hex.decode($0) }), link.count == 16
        else { return nil }
        let step: Step
        if let field = body["statement"] {
            guard let statement = NodeRequest.octets(field), !statement.isEmpty else { return nil }
            step = .confirm(statement: statement)
        } else {
            guard let recipient = body["recipient"]?.string, recipient.utf8.count <= 4096,
                let proof = body["proof"]?.string.flatMap({ Hex.decode($0) }), proof.count == 32
            else { return nil }
            step = .claim(recipient: recipient, proof: proof)
        }
        self.init(link: Hex.encode(link), title: body["title"]?.string ?? "", step: step)
    }
}

/// What the node answers to a claim; the lines of a reply.
package enum LinkAnswer: Hashable, Sendable {
    /// The first device has not answered yet.
    case waiting
    case parcel(LinkParcel)

    package var lines: [String] {
        switch self {
        case .waiting: ["waiting"]
        case .parcel(let parcel): ["parcel \(Hex.encode(parcel.proof))"] + ReplyPieces.lines("sealed", parcel.sealed)
        }
    }

    package init?(lines: [String]) {
        let words = (lines.first ?? "").split(separator: " ", omittingEmptySubsequences: false)
        if words == ["waiting"] {
            self = .waiting
            return
        }
        guard words.count == 2, words[0] == "parcel", let proof = Hex.decode(String(words[1])), proof.count == 32,
            let sealed = ReplyPieces.bytes("sealed", in: lines.dropFirst()), sealed.count <= LinkParcel.bytesMax
        else { return nil }
        self = .parcel(LinkParcel(sealed: sealed, proof: proof))
    }
}
