// What a member's agent submits to a group of mode `sealed`, inside the age file that is sealed to the node: for whom the message is,
// with an age header for each, and then the payload that only they open. The form and its reader; whether these are the right
// readers is the server's decision.

import DDSCore

/// In front of the payload stands text that the node reads:
///
///     ddsnode-sealed/1 GROUP NUMBER HASH READERS
///     NAME KEY SIZE
///     (SIZE octets: the reader's age header)
///
/// with a line and a header for each of READERS, in order of their names. NUMBER and HASH are those of the roster that was sealed
/// for, KEY the number of the reader's mailbox key, `-` where it has none. Each line ends with a line feed.
package struct SealedBundle: Hashable, Sendable {
    package struct Reader: Hashable, Sendable {
        /// A plain name of the directory, and of further devices of that member their number: see `place`.
        package var name: String
        package var keyNumber: UInt64?
        package var header: [UInt8]

        package init(name: String, keyNumber: UInt64?, header: [UInt8]) {
            self.name = name
            self.keyNumber = keyNumber
            self.header = header
        }

        fileprivate var line: String { "\(name) \(keyNumber.map { "\($0)" } ?? "-") \(header.count)" }
    }

    /// The group's plain name.
    package var group: String
    package var roster: RosterHead
    package var readers: [Reader]

    /// `readers` in any order; their names differ.
    package init(group: String, roster: RosterHead, readers: [Reader]) {
        self.group = group
        self.roster = roster
        self.readers = readers.sorted { $0.name < $1.name }
    }

    /// Whom a header is for: `bob` for the first of bob's devices, `bob/2` for the second.
    package static func place(_ name: String, device number: Int) -> String { number == 1 ? name : "\(name)/\(number)" }

    fileprivate static let magic = "ddsnode-sealed/"
    fileprivate static let version = "1"
    /// Without its line end.
    package static let lineBytesMax = 255
    /// A header with a hybrid key and all notes has less than half of that.
    package static let headerBytesMax = 4096

    fileprivate var line: String {
        "\(Self.magic)\(Self.version) \(group) \(roster.number) \(Hex.encode(roster.hash)) \(readers.count)"
    }

    /// What stands in front of the payload.
    package var head: [UInt8] {
        var head = Array(line.utf8) + [0x0a]
        for reader in readers {
            head += Array(reader.line.utf8) + [0x0a]
            head += reader.header
        }
        return head
    }
}

/// Why something is no bundle that can be taken.
package enum SealedBundleRefusal: Error, Hashable, Sendable {
    case noBundle
    case newerVersion(String)
    case malformed
    /// A line, a header or the number of readers is beyond its limit.
    case oversized
    /// Readers that are not in order of their names, or one of them twice.
    case unordered
    case truncated

    /// A sentence without its full stop that names the remedy.
    package var words: String {
        switch self {
        case .noBundle: "this is no message that was sealed for the group's readers; write with ddsnode's agent"
        case .newerVersion(let version):
            "this was sealed in form \(version), and this node knows form \(SealedBundle.version); have the node updated"
        case .malformed: "the list of readers is malformed; update ddsnode's agent"
        case .oversized: "the list of readers is beyond its limits; update ddsnode's agent"
        case .unordered: "the readers are not in order, or one is there twice; update ddsnode's agent"
        case .truncated: "the list of readers is cut off; send it again"
        }
    }
}

/// Takes a bundle apart as it comes, and holds no more than its head. After a refusal every call repeats it.
package struct SealedBundleReader: Sendable {
    private enum State: Sendable {
        case start
        case reader
        case header(octets: Int)
        case payload
        case failed(SealedBundleRefusal)
    }

    private var state = State.start
    private var pending: [UInt8] = []
    private var read = SealedBundle(group: "", roster: RosterHead(number: 0, hash: []), readers: [])
    private var readersLeft = 0

    package init() {}

    /// What stood in front of the payload; nil until all of that has come.
    package var bundle: SealedBundle? {
        if case .payload = state { read } else { nil }
    }

    /// Takes octets and returns those of the payload among them.
    package mutating func feed(_ bytes: [UInt8]) throws(SealedBundleRefusal) -> [UInt8] {
        if case .failed(let refusal) = state { throw refusal }
        var rest = bytes[...]
        do throws(SealedBundleRefusal) {
            while !rest.isEmpty {
                switch state {
                case .payload: return Array(rest)
                case .header(let octets): takeHeader(octets, from: &rest)
                case .start, .reader: try takeLine(from: &rest)
                case .failed(let refusal): throw refusal
                }
            }
        } catch {
            state = .failed(error)
            throw error
        }
        return []
    }

    /// To be called when the input ends.
    package func finish() throws(SealedBundleRefusal) {
        switch state {
        case .payload: break
        case .failed(let refusal): throw refusal
        case .start, .reader, .header: throw .truncated
        }
    }

    private mutating func takeHeader(_ octets: Int, from rest: inout ArraySlice<UInt8>) {
        let piece = rest.prefix(octets - pending.count)
        pending += piece
        rest = rest.dropFirst(piece.count)
        guard pending.count == octets else { return }
        read.readers[read.readers.count - 1].header = pending
        pending = []
        next()
    }

    private mutating func takeLine(from rest: inout ArraySlice<UInt8>) throws(SealedBundleRefusal) {
        let end = rest.firstIndex(of: 0x0a)
        pending += end.map { rest[..<$0] } ?? rest
        rest = end.map { rest[($0 + 1)...] } ?? []
        if case .start = state, !pending.starts(with: SealedBundle.magic.utf8.prefix(pending.count)) { throw .noBundle }
        guard pending.count <= SealedBundle.lineBytesMax else { throw .oversized }
        guard end != nil else { return }
        guard let line = String(validating: pending, as: UTF8.self) else { throw .malformed }
        pending = []
        if case .start = state { try begin(line) } else { try addReader(line) }
    }

    private mutating func begin(_ line: String) throws(SealedBundleRefusal) {
        guard line.hasPrefix(SealedBundle.magic) else { throw .noBundle }
        let words = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        let version = String(words[0].dropFirst(SealedBundle.magic.count))
        guard version == SealedBundle.version else {
            throw Int(version) == nil ? .malformed : .newerVersion(version)
        }
        guard words.count == 5, !words[1].isEmpty, let number = UInt64(words[2]), let hash = Hex.decode(words[3]),
            hash.count == 32, let count = Int(words[4]), count >= 0
        else { throw .malformed }
        guard count <= Roster.membersMax else { throw .oversized }
        read = SealedBundle(group: words[1], roster: RosterHead(number: number, hash: hash), readers: [])
        // Each value has one spelling.
        guard line == read.line.dropLast() + "\(count)" else { throw .malformed }
        readersLeft = count
        next()
    }

    private mutating func addReader(_ line: String) throws(SealedBundleRefusal) {
        let words = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard words.count == 3, !words[0].isEmpty, let octets = Int(words[2]), octets > 0, "\(octets)" == words[2],
            words[1] == "-" || UInt64(words[1]).map({ "\($0)" }) == words[1]
        else { throw .malformed }
        guard octets <= SealedBundle.headerBytesMax else { throw .oversized }
        if let last = read.readers.last, last.name >= words[0] { throw .unordered }
        read.readers.append(SealedBundle.Reader(name: words[0], keyNumber: UInt64(words[1]), header: []))
        readersLeft -= 1
        state = .header(octets: octets)
    }

    private mutating func next() { state = readersLeft == 0 ? .payload : .reader }
}
