// Dates of IMAP (RFC 9051 9: date, date-time) to and from days and seconds since 1970, in the proleptic Gregorian calendar.
// Which zone a reader lives in is not decided here: everything is written in UTC.

enum IMAPDate {
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// Days since 1970 of a day that exists; nil of one that does not.
    static func days(year: Int, month: Int, day: Int) -> Int? {
        guard (1...9999).contains(year), (1...12).contains(month), (1...31).contains(day) else { return nil }
        let days = count(year, month, day)
        // The thirtieth of February is another day.
        return civil(days) == (year, month, day) ? days : nil
    }

    /// Years that begin in March have their leap day at their end.
    private static func count(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month > 2 ? year : year - 1
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear - 719_468
    }

    /// The day `days` after the first of 1970, for years 1 to 9999.
    private static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    /// `17-Jul-1996 02:44:25 +0000`, for INTERNALDATE. Instants outside of the years 1 to 9999 are written as the nearest.
    static func dateTime(_ seconds: Int64) -> String {
        let clamped = Int(min(max(seconds, -62_135_596_800), 253_402_300_799))
        let days = (clamped >= 0 ? clamped : clamped - 86_399) / 86_400
        let rest = clamped - days * 86_400
        let (year, month, day) = civil(days)
        let clock = [rest / 3600, rest / 60 % 60, rest % 60].map { padded($0, 2) }.joined(separator: ":")
        return "\(padded(day, 2))-\(months[month - 1])-\(padded(year, 4)) \(clock) +0000"
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
            let month = months.firstIndex(where: { $0.lowercased() == parts[1].lowercased() })
        else { return nil }
        return days(year: year, month: month + 1, day: day)
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
