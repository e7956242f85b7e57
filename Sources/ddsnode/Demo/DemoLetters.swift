// What the members of the demo write: threads of several people in four groups and in private, in several scripts, with files and
// formatted text, and some mail that pretends to be what it is not. Only texts; who sends them is DemoMail's.

import DDSCore
import DDSMail

/// A message of the demo. `step` orders the messages of all threads: an answer has a later one than what it answers.
struct DemoLetter: Sendable {
    var author: String
    /// Names of groups and members.
    var to: String
    var subject: String
    var id: String
    var answers: String?
    var step = 0
    var text: String
    /// The same as HTML; nil for most.
    var html: String?
    var files: [File] = []

    struct File: Sendable {
        var name: String
        var type: String
        var content: [UInt8]

        init(_ name: String, _ type: String, _ content: [UInt8]) {
            self.name = name
            self.type = type
            self.content = content
        }
    }

    /// As `sendmail -t` takes it: recipients in the header, the author added by the agent.
    func message(domain: String) -> [UInt8] {
        let recipients = to.split(separator: " ").map { "\($0)@\(domain)" }.joined(separator: ", ")
        let reference = answers.map { "In-Reply-To: <\($0).demo@\(domain)>\r\nReferences: <\($0).demo@\(domain)>\r\n" } ?? ""
        return Array(
            ("To: \(recipients)\r\nSubject: \(EncodedWord.header(subject))\r\nMessage-ID: <\(id).demo@\(domain)>\r\n\(reference)"
                + body).utf8)
    }

    /// Header fields of the content, an empty line, and the content.
    var body: String {
        let plain = Self.part("text/plain", text)
        let content = html.map { Self.multipart("alternative", [plain, Self.part("text/html", $0)], "demo-alternative") } ?? plain
        let attached = files.map { file in
            "Content-Type: \(file.type)\r\nContent-Disposition: attachment; filename*=UTF-8''\(PercentCoding.encode(file.name))\r\n"
                + "Content-Transfer-Encoding: base64\r\n\r\n" + Self.base64(file.content)
        }
        let whole = attached.isEmpty ? content : Self.multipart("mixed", [content] + attached, "demo-mixed")
        return "MIME-Version: 1.0\r\n" + whole
    }

    private static func part(_ type: String, _ text: String) -> String {
        "Content-Type: \(type); charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64(Array(text.utf8))
    }

    private static func multipart(_ kind: String, _ parts: [String], _ boundary: String) -> String {
        "Content-Type: multipart/\(kind); boundary=\"\(boundary)\"\r\n\r\n"
            + parts.map { "--\(boundary)\r\n\($0)" }.joined() + "--\(boundary)--\r\n"
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        var lines = ""
        var rest = Base64.encode(bytes)[...]
        while !rest.isEmpty {
            lines += String(decoding: rest.prefix(76), as: UTF8.self) + "\r\n"
            rest = rest.dropFirst(76)
        }
        return lines
    }
}

/// RFC 2047 for header fields of the demo's own messages.
enum EncodedWord {
    static func header(_ text: String) -> String {
        if text.utf8.allSatisfy({ (0x20..<0x7f).contains($0) }) { return text }
        return "=?utf-8?B?" + String(decoding: Base64.encode(Array(text.utf8)), as: UTF8.self) + "?="
    }
}
