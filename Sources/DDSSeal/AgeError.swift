// The ways in which an age file cannot be opened: the classes of the C2SP CCTV test kit, and this program's own limits.

/// Why an age file or key was refused. `text` may be shown to anybody: it holds nothing of the file.
package enum AgeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file is well formed, but made for other keys or another passphrase.
    case noMatch
    /// A key fits, but the header was changed after it was made.
    case hmacFailure
    /// The header breaks the format.
    case headerFailure
    /// The text armor breaks the format.
    case armorFailure
    /// The content was changed, cut off or extended.
    case payloadFailure
    /// The header is longer than the reader's limit.
    case tooLarge
    /// The passphrase's work factor is above the reader's limit, or above the memory of this machine.
    case workFactor
    /// Not the text of a recipient (`age1...`, `age1pq1...`).
    case badRecipient
    /// Not the text of an identity (`AGE-SECRET-KEY-1...`, `AGE-SECRET-KEY-PQ-1...`).
    case badIdentity
    /// Recipients of both kinds for one header.
    case mixedRecipients

    package var text: String {
        switch self {
        case .noMatch: "No key at hand opens this; it was sealed for another key or passphrase."
        case .hmacFailure: "The header was altered after sealing."
        case .headerFailure: "This is not a well-formed age file: its header is damaged."
        case .armorFailure: "This is not a well-formed age file: its text armor is damaged."
        case .payloadFailure: "The sealed content was altered or is incomplete."
        case .tooLarge: "The header is longer than accepted here."
        case .workFactor: "The passphrase protection of this file costs more work or memory than accepted here."
        case .badRecipient: "This is not an age recipient; one begins with age1 and holds a check sum."
        case .badIdentity: "This is not an age identity; one begins with AGE-SECRET-KEY- and holds a check sum."
        case .mixedRecipients:
            "One header cannot be for post-quantum keys (age1pq1...) and classical ones at once; seal it for each kind by itself."
        }
    }

    package var description: String { text }
}
