// Whether mail can be sealed to a recipient; asked when a key enters the directory and never again.

import DDSCore
import DDSSeal

enum RecipientCheck {
    /// True when `text` is an `age1...` or `age1pq1...` recipient and a header can be made for it: a point of small order has
    /// the form of a key and is none.
    static func isUsable(_ text: String, random: any RandomSource) -> Bool {
        do {
            _ = try FanOut.headers(fileKey: .generate(random: random), recipients: [AgeRecipient(text)], random: random)
            return true
        } catch {
            return false
        }
    }

    /// Why events that come of a member's statement cannot be stored; nil when mail can be sealed to the key that they bring.
    static func refusal(of events: [DirectoryEvent], random: any RandomSource) -> String? {
        let fits = events.allSatisfy { event in
            switch event {
            case .keyStated(_, _, _, let recipient, _), .accessRestored(_, _, _, let recipient, _),
                .deviceKeyStated(_, _, _, let recipient, _):
                Self.isUsable(recipient, random: random)
            case .deviceLinked(_, let device): Self.isUsable(device.recipient, random: random)
            default: true
            }
        }
        return fits ? nil : "nothing can be sealed to the key of this statement; make another key"
    }
}
