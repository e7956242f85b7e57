// One shape for errors that cross a boundary: what the person or peer may read is never what the log needs.

/// An error with two texts. `publicText` goes to the person or the peer, names the remedy and holds nothing private;
/// `reason` and `fields` go to the log.
package struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
    /// Exit status of the program and class of the error, after sysexits(3).
    package enum Code: Int32, Sendable {
        case notRunning = 3
        case usage = 64
        case badInput = 65
        case fileMissing = 66
        case unknownName = 67
        case hostUnknown = 68
        case unavailable = 69
        case bug = 70
        case system = 71
        case cannotCreate = 73
        case inputOutput = 74
        case tryAgain = 75
        case protocolError = 76
        case permission = 77
        case configuration = 78
        case interrupted = 130
    }

    package var code: Code
    package var publicText: String
    package var reason: String
    package var fields: [String: String]

    package init(_ code: Code, _ publicText: String, reason: String = "", fields: [String: String] = [:]) {
        self.code = code
        self.publicText = publicText
        self.reason = reason
        self.fields = fields
    }

    package var description: String { reason.isEmpty ? publicText : "\(publicText) (\(reason))" }
}
