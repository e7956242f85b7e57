// What control messages say, as values with a form for agents (JSON) and one for people (text): how far the copies of one's
// messages are, and what expired unread.

package import DDSCore

/// How far the copies of some messages are. A report says everything about each message it names, so that a later one replaces
/// an earlier one.
package struct DeliveryReport: Hashable, Sendable {
    package struct Copy: Hashable, Sendable {
        package var address: String
        /// The member's display name.
        package var name: String
        /// The group through which it came, nil when it was sent to the member.
        package var group: String?
        package var state: CopyState
        /// Of a held copy.
        package var cause: HoldCause?

        package init(address: String, name: String, group: String?, state: CopyState, cause: HoldCause?) {
            self.address = address
            self.name = name
            self.group = group
            self.state = state
            self.cause = cause
        }
    }

    package struct Message: Hashable, Sendable {
        /// `X-DDS-Submission`; empty where the message had none.
        package var submission: String
        /// Grows with each report about this message.
        package var revision: Int
        /// Day of acceptance, days since 1970-01-01.
        package var day: Int
        /// Members, and groups with `#` in front.
        package var destinations: [String]
        package var copies: [Copy]

        package init(submission: String, revision: Int, day: Int, destinations: [String], copies: [Copy]) {
            self.submission = submission
            self.revision = revision
            self.day = day
            self.destinations = destinations
            self.copies = copies
        }
    }

    package var messages: [Message]

    package init(messages: [Message]) { self.messages = messages }

    package var json: JSONValue {
        [
            "version": 1,
            "messages": .list(
                messages.map { message in
                    [
                        "submission": .text(message.submission), "revision": .number(message.revision),
                        "day": .text(Self.date(message.day)),
                        "destinations": .texts(message.destinations), "copies": .list(message.copies.map(\.json)),
                    ]
                }),
        ]
    }

    package init?(json: JSONValue) {
        guard json["version"]?.integer == 1, let list = json["messages"]?.array else { return nil }
        messages = []
        for item in list {
            guard let submission = item["submission"]?.string, let revision = item["revision"]?.integer,
                let day = item["day"]?.string.flatMap(Self.day), let destinations = item["destinations"]?.strings,
                let copies = item["copies"]?.array
            else { return nil }
            messages.append(
                Message(
                    submission: submission, revision: Int(revision), day: day, destinations: destinations,
                    copies: copies.compactMap { Copy(json: $0) }))
        }
    }

    package var text: String {
        messages.map { message in
            "Your message of \(Self.date(message.day)) to \(message.destinations.joined(separator: ", ")):\n"
                + message.copies.map { "  \($0.address): \($0.words)\n" }.joined()
        }.joined(separator: "\n")
    }

    /// `2026-11-27`.
    package static func date(_ day: Int) -> String {
        String(CivilTime(secondsSinceEpoch: Int64(day) * 86400).rfc3339.prefix(10))
    }

    static func day(_ date: String) -> Int? {
        let parts = date.split(separator: "-").compactMap { Int($0) }
        guard parts.count == 3, (1970...9999).contains(parts[0]) else { return nil }
        // Few days are asked for, and the calendar knows one direction.
        let guess = (parts[0] - 1970) * 365
        return (guess..<guess + 3000).first { self.date($0) == date }
    }
}

extension DeliveryReport.Copy {
    package var json: JSONValue {
        [
            "address": .text(address), "name": .text(name), "group": group.map { .text($0) } ?? .null,
            "state": .text(state.rawValue),
            "cause": cause.map { .text($0.rawValue) } ?? .null,
        ]
    }

    /// Nil when a later version has a state that this one does not know.
    package init?(json: JSONValue) {
        guard let address = json["address"]?.string, let state = json["state"]?.string.flatMap(CopyState.init(rawValue:)) else {
            return nil
        }
        self.init(
            address: address, name: json["name"]?.string ?? address, group: json["group"]?.string, state: state,
            cause: json["cause"]?.string.flatMap(HoldCause.init(rawValue:)))
    }

    /// What became of the copy, without the name.
    package var words: String {
        switch state {
        case .waiting: "waiting"
        case .fetched: "fetched"
        case .held: cause.map { "held, \($0.words)" } ?? "held"
        case .expired: "expired unread"
        case .removed: "removed from the node"
        case .lost: "gone with a lost key"
        case .unsealed: "gets nothing of it, had no key when it was sealed"
        }
    }
}

/// What a member's maildrop lost because nobody fetched it in time, or because the key that opens it is lost.
package struct ExpiryNotice: Hashable, Sendable {
    package enum Cause: String, Hashable, Sendable {
        case time
        case lostKey = "lost-key"
    }

    /// Nil for mail that was sent to the member.
    package var group: String?
    package var count: Int
    /// Days of acceptance of the oldest and the newest.
    package var days: ClosedRange<Int>
    package var cause: Cause

    package init(group: String?, count: Int, days: ClosedRange<Int>, cause: Cause = .time) {
        self.group = group
        self.count = count
        self.days = days
        self.cause = cause
    }

    package var json: JSONValue {
        [
            "version": 1, "group": group.map { .text($0) } ?? .null, "count": .number(count),
            "first": .text(DeliveryReport.date(days.lowerBound)), "last": .text(DeliveryReport.date(days.upperBound)),
            "cause": .text(cause.rawValue),
        ]
    }

    package init?(json: JSONValue) {
        guard json["version"]?.integer == 1, let count = json["count"]?.integer, count > 0,
            let first = json["first"]?.string.flatMap(DeliveryReport.day),
            let last = json["last"]?.string.flatMap(DeliveryReport.day), first <= last
        else { return nil }
        // Nodes of before there was another cause name none.
        guard let cause = Cause(rawValue: json["cause"]?.string ?? Cause.time.rawValue) else { return nil }
        self.init(group: json["group"]?.string, count: Int(count), days: first...last, cause: cause)
    }

    /// `3 messages to #board expired unread, 2-9 May`.
    package var words: String {
        let end =
            switch cause {
            case .time: "expired unread"
            case .lostKey: "\(count == 1 ? "is" : "are") gone with a lost key"
            }
        return "\(count) message\(count == 1 ? "" : "s") to \(group.map { "#\($0)" } ?? "you") \(end), \(period)"
    }

    package var text: String {
        if cause == .lostKey {
            return words
                + ".\n\nYour account was restored with its recovery kit. What waited for you at the node was sealed to a key that\n"
                + "only the lost device had. Nobody can open it any more, and it was erased.\n"
                + "Who wrote it can see that you do not have it, and send it again.\n"
        }
        return words
            + ".\n\nThe node keeps mail for a limited time. What nobody fetches within it is erased; nobody can read it any more.\n"
            + "Who wrote it can see that you do not have it, and send it again.\n"
    }

    /// With the months and years that are needed to tell the days apart.
    private var period: String {
        let first = CivilTime(secondsSinceEpoch: Int64(days.lowerBound) * 86400)
        let last = CivilTime(secondsSinceEpoch: Int64(days.upperBound) * 86400)
        let end = "\(last.day) \(last.monthName)"
        if days.lowerBound == days.upperBound { return end }
        if first.year != last.year { return "\(first.day) \(first.monthName) \(first.year)-\(end) \(last.year)" }
        return first.month == last.month ? "\(first.day)-\(end)" : "\(first.day) \(first.monthName)-\(end)"
    }
}
