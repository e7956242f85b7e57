// What the person is asked, and secrets on their way in: from the terminal without echo, from a file, or from standard
// input. Never from the command line.

import DDSCore
import DDSLoop
import DDSSeal
import Glibc

struct Terminal: Sendable {
    /// Longer passphrases are no passphrases.
    private static var secretBytesMax: Int { 4096 }

    let mayAsk: Bool
    let isYes: Bool

    /// True when there is somebody to ask.
    var canAsk: Bool { mayAsk && isatty(0) == 1 && isatty(2) == 1 }

    // MARK: Questions

    /// One line from the person; `standard` when they only press Enter.
    func ask(_ question: String, standard: String) throws(Failure) -> String {
        Output.write("\(question) [\(standard)]: ", to: 2)
        let line = try readLine(isSecret: false)
        let answer = String(decoding: line, as: UTF8.self)
        return answer.isEmpty ? standard : answer
    }

    /// Destruction wants the name typed, or `--yes`.
    func confirm(_ consequence: String, name: String) throws(Failure) {
        if isYes { return }
        guard canAsk else { throw Failure(.usage, "\(consequence); confirm with --yes") }
        let answer = try ask("\(consequence). Type \"\(name)\" to go on", standard: "no")
        guard answer == name else { throw Failure(.interrupted, "nothing was changed") }
    }

    // MARK: Secrets

    /// The secret in `file` (`-` is standard input), without the line end behind it; asks when no file was named.
    /// `option` is what a script would use.
    func secret(file: String?, option: String, question: String, isNew: Bool = false) throws(Failure) -> SecretBytes {
        if let file { return try Self.secret(file: file, option: option) }
        guard canAsk else {
            throw Failure(.usage, "nobody is here to ask for the secret; use \(option) FILE, or \(option) - for standard input")
        }
        Output.write("\(question): ", to: 2)
        var first = try readLine(isSecret: true)
        guard !first.isEmpty else { throw Failure(.badInput, "an empty answer; nothing was changed") }
        let secret = SecretBytes(consuming: &first)
        guard isNew else { return secret }
        Output.write("Again: ", to: 2)
        var second = try readLine(isSecret: true)
        let repeated = SecretBytes(consuming: &second)
        guard secret == repeated else { throw Failure(.badInput, "the two are different; nothing was changed, try again") }
        return secret
    }

    /// Lines up to an empty one. They are shown: nobody types two hundred characters blindly.
    func paragraph(_ question: String) throws(Failure) -> SecretBytes {
        Output.write("\(question), which is shown as you type; an empty line ends it:\n", to: 2)
        var text: [UInt8] = []
        text.reserveCapacity(4 * Self.secretBytesMax)
        while text.count < 3 * Self.secretBytesMax {
            var line = try readLine(isSecret: false)
            defer { Wipe.zero(&line) }
            if line.isEmpty { break }
            text += line + [0x0a]
        }
        return SecretBytes(consuming: &text)
    }

    static func secret(file: String, option: String) throws(Failure) -> SecretBytes {
        var bytes: [UInt8]
        if file == "-" {
            bytes = try StandardInput.read(limit: secretBytesMax)
        } else {
            do {
                bytes = try HostFiles.read(file, limit: secretBytesMax)
            } catch {
                throw Failure(error.kind == .notFound ? .fileMissing : .inputOutput, "\(option): \(error)")
            }
        }
        if bytes.last == 0x0a { bytes.removeLast() }
        if bytes.last == 0x0d { bytes.removeLast() }
        guard !bytes.isEmpty else { throw Failure(.badInput, "\(option): the secret is empty") }
        return SecretBytes(consuming: &bytes)
    }

    /// Reads a line byte by byte, with the line editing a person expects even where nothing is echoed. Ctrl-C is read, so that
    /// the terminal is put right before the program ends.
    func readLine(isSecret: Bool) throws(Failure) -> [UInt8] {
        var before = termios()
        let isTerminal = unsafe tcgetattr(0, &before) == 0
        if isTerminal, isSecret {
            var quiet = before
            quiet.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
            unsafe tcsetattr(0, TCSAFLUSH, &quiet)
        }
        defer {
            if isTerminal, isSecret {
                unsafe tcsetattr(0, TCSAFLUSH, &before)
                Output.write("\n", to: 2)
            }
        }
        var line: [UInt8] = []
        while line.count < Self.secretBytesMax {
            var byte: UInt8 = 0
            let count = unsafe Glibc.read(0, &byte, 1)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { break }
            switch byte {
            case 0x0a, 0x0d: return line
            case 0x03 where isSecret: throw Failure(.interrupted, "interrupted; nothing was changed")
            case 0x04 where isSecret: return line
            case 0x15 where isSecret:
                Wipe.zero(&line)
                line = []
            case 0x08 where isSecret, 0x7f where isSecret: Self.dropLastCharacter(&line)
            default: line.append(byte)
            }
        }
        return line
    }

    private static func dropLastCharacter(_ line: inout [UInt8]) {
        while let last = line.popLast(), last & 0xc0 == 0x80 {}
    }
}

enum StandardInput {
    /// Everything up to the end, at most `limit` bytes.
    static func read(limit: Int) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = unsafe Glibc.read(0, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure(.inputOutput, "standard input cannot be read") }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= limit else { throw Failure(.badInput, "standard input holds more than \(limit) bytes") }
        }
    }
}
