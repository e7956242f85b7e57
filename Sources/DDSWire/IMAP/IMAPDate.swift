// Dates of IMAP (RFC 9051 9: date, date-time) to and from days and seconds since 1970. Which zone a reader lives in is not
// decided here: everything is written in UTC.

import DDSCore

enum IMAPDate {
    private static let secondsOfDay = 86_400

    private static func civil(day: Int) -> CivilTime { CivilTime(secondsSinceEpoch: Int64(day * secondsOfDay)) }

    /// Days since 1970 of a day that exists; nil of one that does not.
    static func days(year: Int, month: Int, day: Int) -> Int? {
        guard (1...9999).contains(year), (1...12).contains(month), (1...31).contains(day) else { return nil }
        // Years that begin in March have their leap day at their end.
        let shifted = month > 2 ? year : year - 1
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear - 719_468
        // The thirtieth of February is another day.
        return civil(day: days).day == day ? days : nil
    }

    /// `17-Jul-1996 02:44:25 +0000`, for INTERNALDATE. Instants outside of the years 1 to 9999 are written as the nearest.
    static func dateTime(_ seconds: Int64) -> String {
        let time = CivilTime(secondsSinceEpoch: min(max(seconds, -62_135_596_800), 253_402_300_799))
        let clock = [time.hour, time.minute, time.second].map { padded($0, 2) }.joined(separator: ":")
        return "\(padded(time.day, 2))-\(time.monthName)-\(padded(time.year, 4)) \(clock) +0000"
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    // MARK: Reading

    /// `1-Feb-1994`: days since 1970.
    static func parseDate(_ text: String) -> Int? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, let day = digits(parts[0], 1...2), let year = digits(parts[2], 4...4),
            let month = month(named: parts[1].lowercased())
        else { return nil }
        return days(year: year, month: month, day: day)
    }

    private static func month(named name: String) -> Int? {
        // Each multiple of 31 days is in the next month of 1970.
        (1...12).first { civil(day: ($0 - 1) * 31).monthName.lowercased() == name }
    }

    /// ` 1-Feb-1994 21:52:25 -0800` in double quotes: seconds since 1970.
    static func parseDateTime(_ text: String) -> Int64? {
        let words = text.drop { $0 == " " }.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, text.utf8.count <= 26, let days = parseDate(String(words[0])) else { return nil }
        let clock = words[1].split(separator: ":", omittingEmptySubsequences: false)
        guard clock.count == 3, let hour = digits(clock[0], 2...2), let minute = digits(clock[1], 2...2),
            let second = digits(clock[2], 2...2), hour < 24, minute < 60, second <= 60
        else { return nil }
        guard let sign = words[2].first, sign == "+" || sign == "-", let zone = digits(words[2].dropFirst(), 4...4),
            zone % 100 < 60
        else { return nil }
        let offset = (zone / 100 * 60 + zone % 100) * (sign == "+" ? 60 : -60)
        return Int64(days * 86_400 + hour * 3600 + minute * 60 + second - offset)
    }

    private static func digits(_ text: some StringProtocol, _ count: ClosedRange<Int>) -> Int? {
        guard count.contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(text)
    }
}
