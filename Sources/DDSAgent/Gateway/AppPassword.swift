// The password of one mail program: made here, shown once, and kept as a verifier only.
//
// It is random with 80 bits, so a plain keyed hash of it is as good as a slow one: nobody gets through half of 2^80 guesses. A
// slow one would cost a quarter of a second and 64 MiB for each of the logins that mail programs make every few minutes.

import DDSCore
import DDSNode
import DDSSeal

struct AppPassword: Hashable, Sendable {
    /// Letters of a name that is kept.
    static let nameMax = 60
    /// Each has 16 bits.
    private static let words = 5
    static let keyBytes = 32

    /// What the person calls the mail program.
    var name: String
    var made: WallTime
    var lastUsed: WallTime?
    /// BLAKE2b-256 under the key of the book.
    let verifier: [UInt8]

    /// A new one with the text that is shown once.
    static func make(
        _ name: String, key: [UInt8], random: some RandomSource, now: WallTime
    ) -> (password: AppPassword, text: Redacted<String>) {
        let text = WordPhrase.make(words: words, random)
        return (
            AppPassword(name: name, made: now, lastUsed: nil, verifier: verifier(of: Array(text.utf8), key)), Redacted(text)
        )
    }

    /// The one of `passwords` that was made as `text`; how long it takes does not tell how much of it fits.
    static func match(_ text: [UInt8], among passwords: [AppPassword], key: [UInt8]) -> String? {
        let verifier = verifier(of: text, key)
        var found: String?
        for password in passwords where Hash.isEqual(password.verifier, verifier) { found = password.name }
        return found
    }

    private static func verifier(of text: [UInt8], _ key: [UInt8]) -> [UInt8] { Hash.blake2b(text, key: key, count: 32) }

    /// The name as it is kept; nil for one that would not fit a line of a list.
    static func name(_ text: String) -> String? {
        let name = text.trimmingSpaces
        guard (1...nameMax).contains(name.count),
            !name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else { return nil }
        return name
    }

    private init(name: String, made: WallTime, lastUsed: WallTime?, verifier: [UInt8]) {
        self.name = name
        self.made = made
        self.lastUsed = lastUsed
        self.verifier = verifier
    }

    var json: JSONValue {
        var fields: [String: JSONValue] = [
            "name": .text(name), "made": .number(made.seconds), "verifier": .text(Hex.encode(verifier)),
        ]
        if let lastUsed { fields["used"] = .number(lastUsed.seconds) }
        return .object(fields)
    }

    init?(json: JSONValue) {
        guard let name = json["name"]?.string, let made = json["made"]?.integer,
            let verifier = json["verifier"]?.string.flatMap({ Hex.decode($0) }), verifier.count == 32
        else { return nil }
        self.init(
            name: name, made: WallTime(milliseconds: made * 1000),
            lastUsed: json["used"]?.integer.map { WallTime(milliseconds: $0 * 1000) }, verifier: verifier)
    }
}
