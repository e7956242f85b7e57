// What a member's devices are told when there is another one, or one fewer: in a message of the node, so that nobody is added to a
// person in silence.

import DDSCore

package struct DeviceNotice: Hashable, Sendable {
    package enum Change: String, Hashable, Sendable {
        case linked, revoked
    }

    package var change: Change
    /// Of the device.
    package var number: Int
    /// What its owner calls it; empty for the first.
    package var title: String

    package init(_ change: Change, number: Int, title: String) {
        self.change = change
        self.number = number
        self.title = title
    }

    package var json: JSONValue {
        ["version": 1, "change": .text(change.rawValue), "device": .number(number), "title": .text(title)]
    }

    /// Nil for what is none, or of a later version.
    package init?(json: JSONValue) {
        guard json["version"]?.integer == 1, let change = json["change"]?.string.flatMap(Change.init(rawValue:)),
            let number = json["device"]?.integer.flatMap({ Int(exactly: $0) }), number > 0
        else { return nil }
        self.init(change, number: number, title: json["title"]?.string ?? "")
    }

    /// Of printable ASCII, for a subject.
    package var words: String {
        switch change {
        case .linked: "Device \(number) gets your mail too"
        case .revoked: "Device \(number) gets no more of your mail"
        }
    }

    package var text: String {
        let name = title.isEmpty ? "Device \(number)" : "Device \(number), \"\(title)\","
        return switch change {
        case .linked:
            "\(name) was linked to your account, and gets your mail from now on.\n\n"
                + "Somebody who had one of your devices before them, unlocked, made the link. If it was not you:\n"
                + "ddsnode device revoke \(number), then a new passphrase, and ask the node's administrator for a new invite.\n"
        case .revoked:
            "\(name) was revoked. It is let in no more, and what waited for it was erased.\n"
        }
    }
}
