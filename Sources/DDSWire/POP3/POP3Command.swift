// The commands of POP3 as a table: which exist, in which states they may come, what follows them. It decides whether a line is
// a well-formed command; what the command does is the session's business.

import DDSCore

/// A command name and its row of rules (RFC 1939, 2449, 2595, 5034).
enum POP3Verb: String, CaseIterable, Sendable {
    case capa = "CAPA"
    case stls = "STLS"
    case user = "USER"
    case pass = "PASS"
    case auth = "AUTH"
    case quit = "QUIT"
    case noop = "NOOP"
    case stat = "STAT"
    case list = "LIST"
    case uidl = "UIDL"
    case retr = "RETR"
    case top = "TOP"
    case dele = "DELE"
    case rset = "RSET"
    /// Our extension: wait for new mail with the maildrop unlocked. See `POP3ServerSession`.
    case wait = "XDDS-WAIT"
    /// Our extension: how far the node's store has come, signed. See `POP3ServerSession`.
    case head = "XDDS-HEAD"

    /// The states of a session as far as they decide about commands.
    enum Phase: CaseIterable, Sendable {
        /// AUTHORIZATION, in clear.
        case clear
        /// AUTHORIZATION, inside TLS.
        case authorization
        /// TRANSACTION with the maildrop locked.
        case transaction
        /// Logged in, but the maildrop was lost to another session at the end of a wait.
        case unlocked
    }

    /// What may follow the command's name.
    enum Arguments: Sendable {
        case words(ClosedRange<Int>)
        /// Everything behind one space, spaces included: names and passwords.
        case text
    }

    var isExtension: Bool { self == .wait || self == .head }

    var phases: Set<Phase> {
        switch self {
        case .capa, .quit: [.clear, .authorization, .transaction, .unlocked]
        case .stls: [.clear]
        case .user, .pass, .auth: [.authorization]
        case .noop, .wait, .head: [.transaction, .unlocked]
        case .stat, .list, .uidl, .retr, .top, .dele, .rset: [.transaction]
        }
    }

    var arguments: Arguments {
        switch self {
        case .capa, .stls, .quit, .noop, .stat, .rset, .head: .words(0...0)
        case .list, .uidl: .words(0...1)
        case .retr, .dele, .wait: .words(1...1)
        case .top: .words(2...2)
        case .auth: .words(1...2)
        case .user, .pass: .text
        }
    }
}

/// One line of a client, taken apart. Arguments may hold a password, so they do not print.
struct POP3Command: Sendable {
    enum Malformed: Error {
        case unknownVerb
        case controlCharacter
        case wrongArguments
    }

    var verb: POP3Verb
    /// The words behind the verb; for `Arguments.text` the one rest of the line.
    var arguments: Redacted<[ArraySlice<UInt8>]>

    /// Takes a line without its CRLF apart.
    init(_ line: [UInt8]) throws(Malformed) {
        guard line.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else { throw .controlCharacter }
        let name = line.prefix { $0 != 0x20 }
        guard let verb = POP3Verb(rawValue: String(decoding: name, as: UTF8.self).uppercased()) else { throw .unknownVerb }
        self.verb = verb
        let rest = line[name.endIndex...].dropFirst()
        switch verb.arguments {
        case .words(let range):
            let words = rest.split(separator: 0x20)
            guard range.contains(words.count) else { throw .wrongArguments }
            arguments = Redacted(words)
        case .text:
            guard !rest.isEmpty else { throw .wrongArguments }
            arguments = Redacted([rest])
        }
    }

    /// The argument at `position` as a number without sign: at most nine digits, so that it fits everywhere.
    func number(_ position: Int) -> Int? {
        let digits = arguments.exposed[position]
        guard digits.count <= 9, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }
}
