// What a notification may say and when there is one: the level, quiet hours, pauses, the lock. Texts of other people are made
// harmless here for whatever the notification server does with them.

package import DDSCore
package import DDSSystemd

/// How much a notification says (`agent.notify.content`).
package enum NotificationContent: String, Hashable, Sendable, CaseIterable {
    case none, count, sender, subject
}

/// Hours of the local day without notifications, such as 22:00 to 07:00.
package struct QuietHours: Hashable, Sendable {
    /// Minutes from midnight; the end is not quiet any more.
    package var start: Int
    package var end: Int

    /// `22:00-07:00`. Nil for anything else, and where both ends are the same.
    package init?(_ text: String) {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map(Self.minutes)
        guard ends.count == 2, let start = ends[0], let end = ends[1], start != end else { return nil }
        (self.start, self.end) = (start, end)
    }

    private static func minutes(_ text: Substring) -> Int? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.utf8.count == 2 && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            let hour = Int(parts[0]), let minute = Int(parts[1]), hour < 24, minute < 60
        else { return nil }
        return hour * 60 + minute
    }

    /// Whether they hold at this minute of the local day.
    package func contains(_ minute: Int) -> Bool {
        start < end ? (start..<end).contains(minute) : minute >= start || minute < end
    }
}

/// A message that came, as far as a notification may need it. Texts are safe to show but are not escaped.
package struct NewLetter: Hashable, Sendable {
    package var id: String
    package var sender: String
    package var subject: String

    package init(id: String, sender: String, subject: String) {
        self.id = id
        self.sender = sender
        self.subject = subject
    }
}

/// What has come and was not seen yet.
package enum NewMail: Hashable, Sendable {
    /// Newest last.
    case letters([NewLetter])
    /// Nobody can say yet what it is.
    case locked(count: Int)

    package var count: Int {
        switch self {
        case .letters(let letters): letters.count
        case .locked(let count): count
        }
    }
}

package struct NotificationPolicy: Hashable, Sendable {
    package var content = NotificationContent.count
    package var quiet: [QuietHours] = []
    package var pausedUntil: WallTime?

    package init() {}

    /// Whether notifications may appear now; `minute` is of the local day.
    package func mayShow(now: WallTime, minute: Int) -> Bool {
        content != .none && !(pausedUntil.map { now < $0 } ?? false) && !quiet.contains { $0.contains(minute) }
    }
}

/// A notification as it is shown.
package struct Bubble: Hashable, Sendable {
    package var summary: String
    /// As the server takes it: with its markup where it reads markup.
    package var body: String
    package var actions: [String]

    /// Letters that one bubble names.
    private static let lettersMax = 4
    private static let charactersMax = 100

    /// Nil when there is nothing to show. `abilities` are what the server says that it can do. The summary is always ours, for
    /// not every server shows it as the plain text that it is.
    package init?(_ mail: NewMail, content: NotificationContent, abilities: Set<String>) {
        guard content != .none, mail.count > 0 else { return nil }
        summary = mail.count == 1 ? "New message" : "\(mail.count) new messages"
        var lines: [String] = []
        switch mail {
        case .locked: lines = ["Locked: unlock to read"]
        case .letters(let letters):
            let newest = letters.suffix(Self.lettersMax).reversed()
            switch content {
            case .none, .count: break
            case .sender:
                for letter in newest where !lines.contains(letter.sender) { lines.append(letter.sender) }
            case .subject: lines = newest.map { "\($0.sender): \($0.subject)" }
            }
            if !lines.isEmpty, letters.count > Self.lettersMax { lines.append("and \(letters.count - Self.lettersMax) more") }
        }
        let isMarkup = abilities.contains("body-markup")
        body =
            abilities.contains("body")
            ? lines.map { isMarkup ? Self.escaped(Self.short($0)) : Self.short($0) }.joined(separator: "\n") : ""
        // Some servers show no way to the default action.
        actions = abilities.contains("actions") ? ["default", "Open", "open", "Open"] : []
    }

    /// A bubble that shows whether bubbles appear.
    package init(testFor abilities: Set<String>) {
        summary = "Notifications work"
        body = abilities.contains("body") ? "This is how new mail is announced." : ""
        actions = abilities.contains("actions") ? ["default", "Open", "open", "Open"] : []
    }

    private static func short(_ line: String) -> String {
        line.count > charactersMax ? line.prefix(charactersMax - 1) + "…" : line
    }

    /// The five characters that mean something in the markup of the notification specification.
    package static func escaped(_ text: String) -> String {
        var escaped = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }

    /// The call that shows it in the place of `replaced`, 0 for a new one.
    package func call(replacing replaced: UInt32) -> BusCall {
        BusCall(
            NotificationBook.service, path: NotificationBook.path, interface: NotificationBook.service, member: "Notify",
            [
                .string("DDS"), .uint32(replaced), .string("ddsnode"), .string(summary), .string(body), .strings(actions),
                .options([
                    ("category", .string("email.arrived")), ("desktop-entry", .string("ddsnode")), ("urgency", .byte(1)),
                ]),
                .int32(-1),
            ])
    }
}
