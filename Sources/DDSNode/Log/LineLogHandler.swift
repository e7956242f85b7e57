// One log line per event on standard error: `level text key=value ...`, values escaped, with journald's priority in front
// when journald reads it. Secrets have no description that a line could hold.

package import Logging
import Glibc

/// A swift-log handler that writes lines to a file descriptor.
package struct LineLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var logLevel: Logger.Level
    private let underJournal: Bool
    private let descriptor: Int32

    /// `underJournal` writes `<n>` priorities (sd-daemon(3)) in place of the level's name.
    package init(level: Logger.Level, underJournal: Bool, descriptor: Int32 = 2) {
        logLevel = level
        self.underJournal = underJournal
        self.descriptor = descriptor
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { $1 }
        let line = Self.line(level: event.level, message: "\(event.message)", fields: fields, underJournal: underJournal)
        let bytes = Array(line.utf8)
        // A log that cannot be written must not stop mail; there is nobody to tell.
        _ = unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
    }

    static func line(level: Logger.Level, message: String, fields: Logger.Metadata, underJournal: Bool) -> String {
        var line = underJournal ? "<\(priority(level))>" : "\(level) "
        if let session = fields["sid"] { line += "sid=\(escaped("\(session)")) " }
        line += harmless(message)
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) where key != "sid" {
            line += " \(key)=\(escaped("\(value)"))"
        }
        return line + "\n"
    }

    private static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .critical: 2
        case .error: 3
        case .warning: 4
        case .notice: 5
        case .info: 6
        case .debug, .trace: 7
        }
    }

    /// Values with anything but plain characters are quoted; control characters cannot start a line of their own.
    private static func escaped(_ value: String) -> String {
        let isPlain = !value.isEmpty && value.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != 0x22 && $0 != 0x3d && $0 != 0x5c }
        if isPlain { return value }
        return "\"" + harmless(value, isQuoted: true) + "\""
    }

    /// Nothing in `text` can end the line, move the cursor or turn the direction of writing.
    private static func harmless(_ text: String, isQuoted: Bool = false) -> String {
        var quoted = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"" where isQuoted: quoted += "\\\""
            case "\\" where isQuoted: quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case _ where isDangerous(scalar.value):
                quoted += "\\u{\(String(scalar.value, radix: 16))}"
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted
    }

    /// Control characters, line separators and direction marks.
    private static func isDangerous(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0..<0x20, 0x7f...0x9f, 0x061c, 0x200e...0x200f, 0x2028...0x202e, 0x2066...0x2069: true
        default: false
        }
    }
}
