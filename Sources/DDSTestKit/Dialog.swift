// Dialog files: a conversation as text, run here against a pure machine in virtual time, and elsewhere by a script
// against the real program. One line, one step:
//
//   # comment, and empty lines
//   @listener NAME       first step: which listener the dialog is for (such as pop3s, pop3, submission, submissions, lmtp,
//                        gateway-imap, gateway-smtp)
//   @pure | @live        only for this runner
//   @key                 the client presents its certificate in the next handshake
//   @tls                 TLS handshake, where the protocol has just agreed on it (implicit TLS needs no step)
//   C: text              the client sends the line and CRLF
//   C! text              the client sends exactly this, with \r \n \t \0 \\ \xHH, and no CRLF of its own
//   C#N text             the client sends text, filled up with `x` to N octets, CRLF counted
//   S: text              the server's next line is exactly this
//   S~ text              the server's next line begins with this
//   S* text              the server's lines up to and including this one, whatever they are
//   @silent              the server has said nothing that is not in the dialog (live: for 200 ms)
//   @advance 10s         time passes (live: only where the file is not @pure)
//   @eof                 the client closes its side
//   @closed              the server has closed the connection
//   @drain               the program was told to stop
//
// $name in the text of C and S stands for a value that the runner provides ($$ is a dollar sign).

package import DDSCore
package import DDSWire
import Foundation

package struct Dialog: Sendable {
    package enum Step: Hashable, Sendable {
        case client([UInt8])
        case expect(String)
        case expectPrefix(String)
        case skipTo(String)
        case silent
        case key
        case tls
        case advance(Int)
        case endOfInput
        case closed
        case drain
    }

    package enum Runner: String, Sendable {
        case pure
        case live
    }

    /// Why a file is no dialog, with the line's number.
    package struct Malformed: Error, CustomStringConvertible {
        package var description: String
    }

    package var name: String
    package var listener = ""
    /// Nil for both.
    package var onlyFor: Runner?
    /// With the number of the line each came from.
    package var steps: [(line: Int, step: Step)] = []

    package init(name: String, text: String, values: [String: String] = [:]) throws(Malformed) {
        self.name = name
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.isEmpty || line.hasPrefix("#") { continue }
            do throws(Malformed) {
                try read(String(line), number: index + 1, values: values)
            } catch {
                throw Malformed(description: "\(name):\(index + 1): \(error.description)")
            }
        }
        guard !listener.isEmpty else { throw Malformed(description: "\(name): no @listener") }
    }

    private mutating func read(_ line: String, number: Int, values: [String: String]) throws(Malformed) {
        if line.hasPrefix("@") { return try readDirective(line, number: number) }
        let mark = line.prefix { $0 != " " }
        let rest = try Self.fill(String(line.dropFirst(mark.count + 1)), values)
        switch mark {
        case "C:": steps.append((number, .client(Array(rest.utf8) + [13, 10])))
        case "C!": steps.append((number, .client(try Self.unescape(rest))))
        case "S:": steps.append((number, .expect(rest)))
        case "S~": steps.append((number, .expectPrefix(rest)))
        case "S*": steps.append((number, .skipTo(rest)))
        case _ where mark.hasPrefix("C#"):
            guard let octets = Int(mark.dropFirst(2)), octets >= rest.utf8.count + 2 else {
                throw Malformed(description: "C# needs a number of octets that holds the text")
            }
            let filler = [UInt8](repeating: 0x78, count: octets - 2 - rest.utf8.count)
            steps.append((number, .client(Array(rest.utf8) + filler + [13, 10])))
        default: throw Malformed(description: "unknown step \(mark)")
        }
    }

    private mutating func readDirective(_ line: String, number: Int) throws(Malformed) {
        let words = line.split(separator: " ")
        switch (words[0], words.count) {
        case ("@listener", 2): listener = String(words[1])
        case ("@pure", 1): onlyFor = .pure
        case ("@live", 1): onlyFor = .live
        case ("@key", 1): steps.append((number, .key))
        case ("@tls", 1): steps.append((number, .tls))
        case ("@silent", 1): steps.append((number, .silent))
        case ("@eof", 1): steps.append((number, .endOfInput))
        case ("@closed", 1): steps.append((number, .closed))
        case ("@drain", 1): steps.append((number, .drain))
        case ("@advance", 2):
            guard words[1].hasSuffix("s"), let seconds = Int(words[1].dropLast()) else {
                throw Malformed(description: "@advance takes seconds, like 10s")
            }
            steps.append((number, .advance(seconds)))
        default: throw Malformed(description: "unknown directive \(line)")
        }
    }

    private static func fill(_ text: String, _ values: [String: String]) throws(Malformed) -> String {
        var result = ""
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[dollar...].dropFirst()
            if rest.first == "$" {
                result += "$"
                rest = rest.dropFirst()
                continue
            }
            let name = rest.prefix { $0.isLetter || $0.isNumber }
            guard let value = values[String(name)] else { throw Malformed(description: "no value for $\(name)") }
            result += value
            rest = rest[name.endIndex...]
        }
        return result + rest
    }

    private static func unescape(_ text: String) throws(Malformed) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let octet = rest.popFirst() {
            guard octet == 0x5c else {
                bytes.append(octet)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "r"): bytes.append(13)
            case UInt8(ascii: "n"): bytes.append(10)
            case UInt8(ascii: "t"): bytes.append(9)
            case UInt8(ascii: "0"): bytes.append(0)
            case 0x5c: bytes.append(0x5c)
            case UInt8(ascii: "x"):
                guard let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                    throw Malformed(description: "\\x takes two hexadecimal digits")
                }
                rest = rest.dropFirst(2)
                bytes.append(value)
            default: throw Malformed(description: "unknown escape")
            }
        }
        return bytes
    }

    /// The dialogs of Tests/Dialogs whose file name begins with `prefix`, in order of name, for the pure runner.
    package static func all(prefix: String, values: [String: String], from file: String = #filePath) throws -> [Dialog] {
        let root = URL(fileURLWithPath: file).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Tests/Dialogs")
        let names = try FileManager.default.contentsOfDirectory(atPath: root.path).sorted()
        return try names.filter { $0.hasPrefix(prefix) && $0.hasSuffix(".chat") }.map { name in
            let text = try String(contentsOf: root.appendingPathComponent(name), encoding: .utf8)
            return try Dialog(name: name, text: text, values: values)
        }.filter { $0.onlyFor != .live }
    }

    /// Runs the dialog against a session that is not started yet. Returns a sentence for the first step that failed, or nil.
    /// `peer` is what a handshake tells the session; its key hash is withheld unless the dialog says `@key`.
    package func run<Session: WireSession>(
        _ harness: SessionHarness<Session>, peer: TLSPeer, isImplicit: Bool
    ) -> String? {
        var harness = harness
        var pending: [UInt8] = []
        var withKey = false
        var hasStarted = false
        func seen() -> TLSPeer { TLSPeer(version: peer.version, keyHash: withKey ? peer.keyHash : nil) }
        func nextLine() -> String? {
            guard let end = zip(pending, pending.dropFirst()).enumerated().first(where: { $1 == (13, 10) })?.offset else {
                return nil
            }
            defer { pending.removeFirst(end + 2) }
            return String(decoding: pending[..<end], as: UTF8.self)
        }
        for (number, step) in steps {
            let fail = { (text: String) in "\(name):\(number): \(text)" }
            if case .key = step {
                withKey = true
                continue
            }
            if !hasStarted {
                hasStarted = true
                harness.start(peer: isImplicit ? seen() : nil)
            }
            pending += harness.takeOutput()
            switch step {
            case .client(let bytes): harness.receive(bytes)
            case .expect(let text):
                let line = nextLine()
                if line != text { return fail("expected \(text), got \(line ?? "nothing")") }
            case .expectPrefix(let text):
                let line = nextLine()
                if line?.hasPrefix(text) != true { return fail("expected \(text)..., got \(line ?? "nothing")") }
            case .skipTo(let text):
                var line = nextLine()
                while line != nil, line != text { line = nextLine() }
                if line == nil { return fail("never came: \(text)") }
            case .silent:
                if !pending.isEmpty { return fail("unexpected: \(String(decoding: pending, as: UTF8.self))") }
            case .key: break
            case .tls:
                guard harness.hasBegunTLS else { return fail("the session has not begun TLS") }
                harness.completeTLS(seen())
            case .advance(let seconds): harness.advance(by: .seconds(seconds))
            case .endOfInput: harness.deliver(.endOfInput)
            case .closed:
                if harness.closeReason == nil { return fail("the session has not closed") }
            case .drain: harness.deliver(.drain)
            }
        }
        pending += harness.takeOutput()
        return pending.isEmpty ? nil : "\(name): left over: \(String(decoding: pending, as: UTF8.self))"
    }
}
