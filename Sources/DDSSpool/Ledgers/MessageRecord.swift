// What the node remembers of an accepted message until its author knows what became of every copy: who wrote it, to whom it
// went and what the author was told. How far each copy is, is not written down but derived from where the copy lies, so that
// a fetch appends nothing; only what was erased unread is marked, in the transaction that erases it.

package import DDSCore

/// The record of one message; its tag in the spool is the message's id, which all its deliveries carry too.
package struct MessageRecord: Hashable, Sendable {
    /// One member's copy.
    package struct Copy: Hashable, Sendable {
        package var member: String
        /// The member's maildrop: another member of the same name later has another.
        package var mailbox: UInt64
        /// Index in `destinations` of the group through which the copy came; nil when it was sent to the member.
        package var group: Int?
        /// What the author was told last. Nobody is told of waiting: the node's 250 says that.
        package var told: CopyState
        /// `.expired`, `.removed` or `.lost` once the copy was erased unread, and `.unsealed` where there never was one.
        package var end: CopyState?

        package init(member: String, mailbox: UInt64, group: Int?, told: CopyState = .waiting, end: CopyState? = nil) {
            self.member = member
            self.mailbox = mailbox
            self.group = group
            self.told = told
            self.end = end
        }
    }

    /// The author's name; empty for mail from the local mail transfer agent.
    package var author: String
    /// The author's maildrop, 0 where there is no author.
    package var authorMailbox: UInt64
    /// `X-DDS-Submission`, empty where the message has none or one that is too long to be remembered.
    package var submission: String
    /// Day of acceptance, days since 1970-01-01.
    package var day: Int
    /// Grows with each report to the author, so that an agent can tell an old report from a new one.
    package var revision: Int
    /// As the envelope named them: members, and groups with `#` in front.
    package var destinations: [String]
    package var copies: [Copy]

    package static let submissionBytesMax = 128
    /// The spool's mailbox that holds the records.
    package static let mailbox = MailboxID(rawValue: 4)

    package init(
        author: String, authorMailbox: UInt64, submission: String, day: Int, revision: Int = 0, destinations: [String],
        copies: [Copy]
    ) {
        self.author = author
        self.authorMailbox = authorMailbox
        self.submission = submission
        self.day = day
        self.revision = revision
        self.destinations = destinations
        self.copies = copies
    }

    /// The record as it is appended, with its message and whenever it changes.
    package func append(id: RecordTag) -> SpoolAppend {
        .record(mailbox: Self.mailbox, tag: id, flags: 0, body: encoded)
    }

    /// The newest record of each message, and those it replaces: a crash between writing a record anew and erasing the old one
    /// leaves both. `listed` is in order of UID.
    package static func newest(_ listed: [SpoolEntry]) -> (records: [RecordTag: SpoolUID], superseded: [SpoolUID]) {
        var records: [RecordTag: SpoolUID] = [:]
        var superseded: [SpoolUID] = []
        for entry in listed {
            if let older = records.updateValue(entry.uid, forKey: entry.tag) { superseded.append(older) }
        }
        return (records, superseded)
    }

    /// The group of a copy by its name.
    package func group(of copy: Copy) -> String? {
        copy.group.map { String(destinations[$0].dropFirst()) }
    }

    /// Index of the copy that belongs to this maildrop.
    package func index(of mailbox: UInt64) -> Int? { copies.firstIndex { $0.mailbox == mailbox } }
}

/// Where the copies of one message lie now.
package struct CopyPlaces: Hashable, Sendable {
    /// Maildrops that hold one.
    package var waiting: Set<UInt64>
    /// Members for whom one is held, with the cause.
    package var held: [UInt64: HoldCause]
    /// Maildrops of this message's readers that belong to nobody any more.
    package var ownerless: Set<UInt64>

    package init(waiting: Set<UInt64> = [], held: [UInt64: HoldCause] = [:], ownerless: Set<UInt64> = []) {
        self.waiting = waiting
        self.held = held
        self.ownerless = ownerless
    }
}

extension MessageRecord {
    /// How far a copy is, given where this message's copies lie.
    package func state(of copy: Copy, _ places: CopyPlaces) -> CopyState {
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
    package var encoded: [UInt8] {
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
    package init?(_ bytes: [UInt8]) {
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

    private static let codes: [CopyState] = [.waiting, .fetched, .held, .expired, .removed, .lost, .unsealed]

    private static func code(_ state: CopyState) -> Int { 1 + (codes.firstIndex(of: state) ?? 0) }

    private static func state(_ code: UInt64) -> CopyState? {
        (1...UInt64(codes.count)).contains(code) ? codes[Int(code) - 1] : nil
    }
}
