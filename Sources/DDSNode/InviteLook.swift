// What somebody who holds an invite may ask of a node before joining: whether it is good still, and what it is for. Asking uses
// nothing up; a wrong secret counts as it does at an enrolment.

package import DDSCore
import DDSSeal

/// The body of the question, `application/vnd.ddsnode.invite+json`, sent to enrol@NODE like an enrolment.
package struct InviteLook: Sendable {
    package static let contentType = "application/vnd.ddsnode.invite+json"

    package var inviteNumber: UInt32
    /// The invite's 5 secret bytes.
    package var secret: Redacted<[UInt8]>

    package init(inviteNumber: UInt32, secret: Redacted<[UInt8]>) {
        self.inviteNumber = inviteNumber
        self.secret = secret
    }

    /// The whole inner message.
    package var message: [UInt8] {
        NodeRequest.message(
            type: Self.contentType,
            ["invite": .number(Int64(inviteNumber)), "secret": .text(Hex.encode(secret.exposed))])
    }

    /// Nil when `message` is none.
    package init?(message: [UInt8]) {
        guard let body = NodeRequest.body(of: message, type: Self.contentType),
            let number = body["invite"]?.integer.flatMap(UInt32.init(exactly:)), number < 1 << 20,
            let secret = body["secret"]?.string.flatMap({ Hex.decode($0) }), secret.count == 5
        else { return nil }
        self.init(inviteNumber: number, secret: Redacted(secret))
    }
}

/// What an invite is for, as the node says it; each field is one line of its reply.
package struct InviteOffer: Hashable, Sendable {
    package var address: MailAddress
    package var display: String
    package var groups: [String]
    /// The invite's end.
    package var until: WallTime

    package init(address: MailAddress, display: String, groups: [String], until: WallTime) {
        self.address = address
        self.display = display
        self.groups = groups
        self.until = until
    }

    /// The lines of the 250 reply: an enrolment's, with another first word and the end in seconds since 1970.
    package var lines: [String] {
        let welcome = EnrolmentWelcome(address: address, display: display, groups: groups).lines
        return ["invited \(address)", "until \(until.seconds)"] + welcome.dropFirst()
    }

    package init?(lines: [String]) {
        guard let first = lines.first, first.hasPrefix("invited "),
            let welcome = EnrolmentWelcome(lines: ["welcome " + first.dropFirst("invited ".count)] + lines.dropFirst()),
            let seconds = lines.first(where: { $0.hasPrefix("until ") }).flatMap({ Int64($0.dropFirst("until ".count)) }),
            (0..<1 << 40).contains(seconds)
        else { return nil }
        self.init(
            address: welcome.address, display: welcome.display, groups: welcome.groups,
            until: WallTime(milliseconds: seconds * 1000))
    }
}
