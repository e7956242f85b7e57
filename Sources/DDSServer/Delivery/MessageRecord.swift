// What the node remembers of an accepted message until its author knows what became of every copy: who wrote it, to whom it
// went and what the author was told. How far each copy is, is not written down but derived from where the copy lies, so that
// a fetch appends nothing; only what was erased unread is marked, in the transaction that erases it.

import DDSCore
import DDSNode
import DDSSpool

/// The record of one message; its tag in the spool is the message's id, which all its deliveries carry too.
struct MessageRecord: Hashable, Sendable {
    /// One member's copy.
    struct Copy: Hashable, Sendable {
        var member: String
        /// The member's maildrop: another member of the same name later has another.
        var mailbox: UInt64
        /// Index in `destinations` of the group through which the copy came; nil when it was sent to the member.
        var group: Int?
        /// What the author was told last. Nobody is told of waiting: the node's 250 says that.
        var told = CopyState.waiting
        /// `.expired` or `.removed` once the copy was erased unread.
        var end: CopyState?
    }

    /// The author's name; empty for mail from the local mail transfer agent.
    var author: String
    /// The author's maildrop, 0 where there is no author.
    var authorMailbox: UInt64
    /// `X-DDS-Submission`, empty where the message has none or one that is too long to be remembered.
    var submission: String
    /// Day of acceptance, days since 1970-01-01.
    var day: Int
    /// Grows with each report to the author, so that an agent can tell an old report from a new one.
    var revision = 0
    /// As the envelope named them: members, and groups with `#` in front.
    var destinations: [String]
    var copies: [Copy]

    static let submissionBytesMax = 128

    /// The group of a copy by its name.
    func group(of copy: Copy) -> String? {
        copy.group.map { String(destinations[$0].dropFirst()) }
    }

    /// Index of the copy that belongs to this maildrop.
    func index(of mailbox: UInt64) -> Int? { copies.firstIndex { $0.mailbox == mailbox } }
}

/// Where the copies of one message lie now.
struct CopyPlaces: Hashable, Sendable {
    /// Maildrops that hold one.
    var waiting: Set<UInt64> = []
    /// Members for whom one is held, with the cause.
    var held: [UInt64: HoldCause] = [:]
    /// Maildrops of this message's readers that belong to nobody any more.
    var ownerless: Set<UInt64> = []
}

extension MessageRecord {
    /// How far a copy is, given where this message's copies lie.
    func state(of copy: Copy, _ places: CopyPlaces) -> CopyState {
        if copy.told.isFinal { return copy.told }
        // A crash between the mark and the erasure leaves a copy that is marked: it ends as marked.
        if let end = copy.end { return end }
        if places.held[copy.mailbox] != nil { return .held }
        if places.ownerless.contains(copy.mailbox) { return .removed }
        return places.waiting.contains(copy.mailbox) ? .waiting : .fetched
    }
}

// MARK: The record's bytes

extension MessageRecord {
    private static let version: UInt8 = 1
    private static let noGroup = 0xffff

    /// As it is stored; at most a few dozen bytes for each reader.
    var encoded: [UInt8] {
        var bytes = RecordBytes()
        bytes.put(UInt64(Self.version), 1)
        bytes.put(UInt64(day), 4)
        bytes.put(UInt64(revision), 4)
        bytes.put(author)
        bytes.put(authorMailbox, 8)
        bytes.put(submission)
        bytes.put(UInt64(destinations.count), 2)
        for destination in destinations { bytes.put(destination) }
        bytes.put(UInt64(copies.count), 4)
        for copy in copies {
            bytes.put(copy.member)
            bytes.put(copy.mailbox, 8)
            bytes.put(UInt64(copy.group ?? Self.noGroup), 2)
            bytes.put(UInt64(Self.code(copy.told)), 1)
            bytes.put(UInt64(copy.end.map(Self.code) ?? 0), 1)
        }
        return bytes.bytes
    }

    /// Nil when the bytes are no record of this version.
    init?(_ bytes: [UInt8]) {
        var reader = RecordBytes(bytes: bytes)
        guard reader.number(1) == UInt64(Self.version), let day = reader.number(4), let revision = reader.number(4),
            let author = reader.text(), let authorMailbox = reader.number(8), let submission = reader.text(),
            let destinationCount = reader.number(2)
        else { return nil }
        var destinations: [String] = []
        for _ in 0..<destinationCount {
            guard let destination = reader.text() else { return nil }
            destinations.append(destination)
        }
        guard let copyCount = reader.number(4) else { return nil }
        var copies: [Copy] = []
        for _ in 0..<copyCount {
            guard let member = reader.text(), let mailbox = reader.number(8), let group = reader.number(2),
                let told = reader.number(1),
                let state = Self.state(told), let end = reader.number(1), end == 0 || Self.state(end)?.isFinal == true,
                group == UInt64(Self.noGroup) || group < destinationCount
            else { return nil }
            copies.append(
                Copy(
                    member: member, mailbox: mailbox, group: group == UInt64(Self.noGroup) ? nil : Int(group), told: state,
                    end: Self.state(end)))
        }
        guard reader.isAtEnd else { return nil }
        self.init(
            author: author, authorMailbox: authorMailbox, submission: submission, day: Int(day), revision: Int(revision),
            destinations: destinations, copies: copies)
    }

    private static let codes: [CopyState] = [.waiting, .fetched, .held, .expired, .removed]

    private static func code(_ state: CopyState) -> Int { 1 + (codes.firstIndex(of: state) ?? 0) }

    private static func state(_ code: UInt64) -> CopyState? {
        (1...UInt64(codes.count)).contains(code) ? codes[Int(code) - 1] : nil
    }
}

/// Numbers and short texts one after the other: big-endian, texts of up to 255 octets with their length in front.
struct RecordBytes {
    private(set) var bytes: [UInt8] = []
    private var place = 0

    init() {}
    init(bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { place == bytes.count }
    /// What was not read yet.
    var rest: ArraySlice<UInt8> { bytes[place...] }

    mutating func put(_ number: UInt64, _ count: Int) {
        for index in 0..<count { bytes.append(UInt8(truncatingIfNeeded: number >> (8 * UInt64(count - 1 - index)))) }
    }

    /// Texts are names and ids, whose lengths are limited where they are made.
    mutating func put(_ text: String) {
        precondition(text.utf8.count <= 255, "a text of a record has at most 255 octets")
        bytes.append(UInt8(text.utf8.count))
        bytes += text.utf8
    }

    mutating func put(_ more: [UInt8]) { bytes += more }

    mutating func number(_ count: Int) -> UInt64? {
        guard place + count <= bytes.count else { return nil }
        defer { place += count }
        return bytes[place..<place + count].reduce(0) { $0 << 8 | UInt64($1) }
    }

    mutating func text() -> String? {
        guard let count = number(1), place + Int(count) <= bytes.count else { return nil }
        defer { place += Int(count) }
        return String(validating: bytes[place..<place + Int(count)], as: UTF8.self)
    }
}
