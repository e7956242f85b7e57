// The envelope of one mail transaction (RFC 5321 2.3.1) with what its extensions add. Names only: nothing here decides
// whether a sender or recipient is welcome.

package import DDSCore

/// Who sends: an address, or the null reverse-path `<>` of a notification.
package enum ReversePath: Hashable, Sendable, CustomStringConvertible {
    case null
    case address(MailAddress)
    /// Somebody elsewhere, of an address that nobody here could have: as written, because only that host knows whether the
    /// case of letters counts, and a local part may be quoted or long (RFC 5321 2.4, 4.1.2). With LMTP only.
    case elsewhere(String)

    package var address: MailAddress? {
        switch self {
        case .null, .elsewhere: nil
        case .address(let address): address
        }
    }

    package var description: String {
        switch self {
        case .null: "<>"
        case .address(let address): "<\(address)>"
        case .elsewhere(let mailbox): "<\(mailbox)>"
        }
    }
}

/// `BODY=` of MAIL (RFC 6152).
package enum MailBody: String, Hashable, Sendable {
    case sevenBit = "7BIT"
    case eightBitMIME = "8BITMIME"
}

/// `RET=` of MAIL (RFC 3461 4.3).
package enum DSNReturn: String, Hashable, Sendable {
    case full = "FULL"
    case headers = "HDRS"
}

/// `NOTIFY=` of RCPT (RFC 3461 4.1); empty means NEVER.
package struct DSNNotify: OptionSet, Hashable, Sendable {
    package var rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    package static let success = DSNNotify(rawValue: 1)
    package static let failure = DSNNotify(rawValue: 2)
    package static let delay = DSNNotify(rawValue: 4)
    package static let never: DSNNotify = []
}

/// What a client says with MAIL besides the reverse-path.
package struct MailParameters: Hashable, Sendable {
    package var body: MailBody = .sevenBit
    /// `SIZE=` in octets (RFC 1870); a claim, not a measure.
    package var declaredSize: Int?
    /// `SMTPUTF8` (RFC 6531): addresses and header may be UTF-8.
    package var smtpUTF8 = false
    package var dsnReturn: DSNReturn?
    /// `ENVID=`, decoded from xtext: printable ASCII (RFC 3461 4.4).
    package var dsnEnvelopeID: String?

    package init() {}
}

/// One accepted recipient.
package struct Recipient: Hashable, Sendable {
    package var address: MailAddress
    /// Nil when the client asked for nothing.
    package var notify: DSNNotify?
    /// `ORCPT=` as `type;address`, decoded from xtext: printable ASCII (RFC 3461 4.2).
    package var originalRecipient: String?

    package init(_ address: MailAddress, notify: DSNNotify? = nil, originalRecipient: String? = nil) {
        self.address = address
        self.notify = notify
        self.originalRecipient = originalRecipient
    }
}

/// One transaction's envelope.
package struct Envelope: Hashable, Sendable {
    package var reversePath: ReversePath
    package var parameters: MailParameters
    /// In the order of RCPT; the same address may occur twice, since LMTP owes a reply to each.
    package var recipients: [Recipient]
    /// The account that the session is logged in as; nil for LMTP and on the client side.
    package var authenticated: String?
    /// What the client called itself in EHLO or LHLO, checked to be a domain or address literal; never proven.
    package var clientName: String

    package init(
        reversePath: ReversePath, parameters: MailParameters = MailParameters(), recipients: [Recipient] = [],
        authenticated: String? = nil, clientName: String = ""
    ) {
        self.reversePath = reversePath
        self.parameters = parameters
        self.recipients = recipients
        self.authenticated = authenticated
        self.clientName = clientName
    }
}
