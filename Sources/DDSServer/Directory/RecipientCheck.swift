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
}
