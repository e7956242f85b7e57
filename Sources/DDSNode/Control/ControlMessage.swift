// The control channel's messages: one JSON object a line. A request is answered by any number of `event` lines and one
// final line that says `ok` or carries the exit code and a sentence.

package import DDSCore

/// What the command line asks of a daemon, or of the same code in its own process when no daemon runs.
package struct ControlRequest: Sendable {
    /// Raised when a message changes its meaning; a daemon refuses versions it does not know.
    package static let version: Int64 = 1

    /// `user.add`, `status`...: noun and verb of the command line.
    package var command: String
    package var arguments: JSONValue

    package init(_ command: String, _ arguments: JSONValue = [:]) {
        self.command = command
        self.arguments = arguments
    }

    init(line: ArraySlice<UInt8>) throws(Failure) {
        guard let value = JSONValue(parsing: line), let command = value["command"]?.string else {
            throw Failure(.protocolError, "the control socket takes one JSON object a line")
        }
        guard value["v"]?.integer == Self.version else {
            throw Failure(.protocolError, "this daemon speaks version \(Self.version) of the control protocol; restart it after the upgrade")
        }
        self.command = command
        arguments = value["arguments"] ?? [:]
    }

    var line: [UInt8] {
        (["v": .number(Self.version), "command": .text(command), "arguments": arguments] as JSONValue).line + [0x0a]
    }

    /// A required text argument; its absence is a usage error.
    package func text(_ name: String) throws(Failure) -> String {
        guard let value = arguments[name]?.string else { throw Failure(.usage, "\(command) needs \(name)") }
        return value
    }
}

/// A line of the daemon's answer.
enum ControlReply: Sendable {
    case event(JSONValue)
    case done(JSONValue)
    case failed(Failure)

    init?(line: ArraySlice<UInt8>) {
        guard let value = JSONValue(parsing: line) else { return nil }
        if let event = value["event"] {
            self = .event(event)
        } else if value["ok"]?.boolean == true {
            self = .done(value["result"] ?? .null)
        } else if let code = value["code"]?.integer, let text = value["error"]?.string {
            self = .failed(Failure(Failure.Code(rawValue: Int32(clamping: code)) ?? .bug, text))
        } else {
            return nil
        }
    }

    /// Values in what a command gives that are encoded in about a millisecond.
    private static let shortMax = 500

    /// Too long to be encoded in a turn of the loop.
    var isLong: Bool {
        if case .done(let result) = self { result.hasMore(than: Self.shortMax) } else { false }
    }

    var line: [UInt8] {
        let value: JSONValue =
            switch self {
            case .event(let event): ["event": event]
            case .done(let result): ["ok": true, "result": result]
            case .failed(let failure): ["ok": false, "code": .number(Int64(failure.code.rawValue)), "error": .text(failure.publicText)]
            }
        return value.line + [0x0a]
    }
}
