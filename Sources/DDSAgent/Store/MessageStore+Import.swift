// How fetched mail comes into the local store: opened, moved in one transaction each, shown exactly once. Mail that does not
// open is kept, tried again at each unlock, and set aside after the third try; it never keeps other mail from coming in.

import DDSCore
import DDSLoop
import DDSSeal
import DDSSpool

/// When mail that does not open is no longer tried at each unlock.
enum Quarantine {
    static let triesMax: UInt16 = 3
}

extension MessageStore {
    private enum Opening {
        case ready(StoreIntake.Prepared)
        /// It was erased meanwhile.
        case gone
        /// The spool cannot read it; its bytes cannot be moved either.
        case unreadable
        /// Not sealed, not to this key, or damaged before it came here.
        case unopened([UInt8])
    }

    /// Opens what was fetched and moves it into the store; each message in one transaction, so that it is shown exactly once.
    /// Returns how many came in. Mail that does not open is kept and counted; the rest goes on. What had been fetched before the
    /// call is in the store when it returns, also when another import was at it.
    @discardableResult
    func importFetched() async throws(SpoolError) -> Int {
        try await importGate.pass { () async throws(SpoolError) in try await importInbox() }
    }

    private func importInbox() async throws(SpoolError) -> Int {
        guard !isClosed else { return 0 }
        try await dropSuperseded()
        var count = 0
        for entry in try await spool.entries(in: AgentMailbox.inbox) where !unopenable.contains(entry.uid) {
            guard !isClosed else { return count }
            switch try await opening(entry) {
            case .ready(let message): if try await take(message, from: entry.uid) { count += 1 }
            case .gone: break
            case .unreadable: unopenable.insert(entry.uid)
            case .unopened(let wrapped): try await countTry(entry, wrapped)
            }
        }
        return count
    }

    /// Tries everything that did not open once more, the quarantine too; returns how many opened.
    func retryUnopened() async throws(SpoolError) -> Int {
        unopenable = []
        var count = try await importFetched()
        for entry in try await spool.entries(in: AgentMailbox.quarantine) {
            guard !isClosed else { return count }
            guard case .ready(let message) = try await opening(entry) else { continue }
            if try await take(message, from: entry.uid) { count += 1 }
            quarantined.remove(entry.uid)
        }
        return count
    }

    private func opening(_ entry: SpoolEntry) async throws(SpoolError) -> Opening {
        let wrapped: [UInt8]
        do throws(SpoolError) {
            wrapped = try await spool.read(entry.uid, offset: 0, count: entry.size)
        } catch {
            switch error {
            case .damaged: return .unreadable
            case .noSuchRecord: return .gone
            case .full, .tooLarge, .stopped: throw error
            }
        }
        let wall = time.wall
        let prepared = try? await Heavy.perform(octets: wrapped.count) {
            [intake, identities = identities(), view = trust.view(items)] in
            try intake.opened(wrapped, from: entry.uid, identities: identities, at: wall, view)
        }
        return prepared.map { .ready($0) } ?? .unopened(wrapped)
    }

    /// The numbers of the mailbox keys that what was fetched and is not in the store yet is sealed to.
    func keysOfUnopened() async throws(SpoolError) -> Set<UInt64> {
        var numbers: Set<UInt64> = []
        for mailbox in [AgentMailbox.inbox, AgentMailbox.quarantine] {
            for entry in try await spool.entries(in: mailbox) {
                do throws(SpoolError) {
                    let wrapped = try await spool.read(entry.uid, offset: 0, count: entry.size)
                    if let number = StoreIntake.keyNumber(wrapped) { numbers.insert(number) }
                } catch {
                    switch error {
                    // It opens with no key.
                    case .damaged, .noSuchRecord: break
                    case .full, .tooLarge, .stopped: throw error
                    }
                }
            }
        }
        return numbers
    }

    /// Counts a failed try with the record itself, so that restarts count on; the last one sets it aside.
    private func countTry(_ entry: SpoolEntry, _ wrapped: [UInt8]) async throws(SpoolError) {
        try await enter()
        defer { gate.leave() }
        unopenable.insert(entry.uid)
        let tries = entry.flags + 1
        let isLast = tries >= Quarantine.triesMax
        let again = SpoolAppend.record(
            mailbox: isLast ? AgentMailbox.quarantine : AgentMailbox.inbox, tag: entry.tag, flags: tries, body: wrapped)
        do throws(SpoolError) {
            let records = try await spool.commit(SpoolTransaction(appends: [again], erasures: [entry.uid]))
            unopenable.remove(entry.uid)
            if isLast { quarantined.insert(records[0]) } else { unopenable.insert(records[0]) }
        } catch {
            switch error {
            // It stays as it is and is counted next time.
            case .full, .tooLarge: return
            case .damaged, .noSuchRecord, .stopped: throw error
            }
        }
    }

    /// A crash between writing a record anew and erasing the old one leaves both. The older goes, where it is the same.
    private func dropSuperseded() async throws(SpoolError) {
        let counted = try await (spool.entries(in: AgentMailbox.inbox) + spool.entries(in: AgentMailbox.quarantine))
        var newest: [RecordTag: SpoolEntry] = [:]
        for entry in counted where entry.flags > newest[entry.tag]?.flags ?? 0 { newest[entry.tag] = entry }
        for entry in counted {
            guard let newer = newest[entry.tag], newer.flags > entry.flags, newer.size == entry.size,
                let body = try? await spool.read(entry.uid, offset: 0, count: entry.size),
                body == (try? await spool.read(newer.uid, offset: 0, count: newer.size))
            else { continue }
            _ = try await spool.commit(SpoolTransaction(erasures: [entry.uid]))
        }
    }

    /// True when the message is new; one that an interrupted import has stored already is only erased from where it was.
    private func take(_ message: StoreIntake.Prepared, from record: SpoolUID) async throws(SpoolError) -> Bool {
        try await enter()
        defer { gate.leave() }
        if let report = message.report {
            try await apply(report, from: record)
            return true
        }
        if let roster = message.roster {
            try await trust.take(roster, from: record, at: time.wall)
            return true
        }
        if let confirmation = message.confirmation {
            try await trust.take(confirmation, from: record, at: time.wall)
            return true
        }
        let isNew = !items.contains(message.summary.id)
        if isNew, let known = message.duplicateOf, items.contains(known) {
            try await write([known], alsoErasing: [record]) { summary in
                let before = summary.signature?.repeats ?? 0
                summary.signature?.repeats = before + 1
            }
            return false
        }
        var transaction = InboxImport.moving(record, as: message.appends, isKnown: !isNew)
        let lesson = isNew ? try trust.learning(message.learnt, of: message.summary.fromAddress, at: time.wall) : nil
        if let lesson {
            transaction.appends.append(lesson.append)
            transaction.erasures += lesson.replaces
        }
        let records = try await spool.commit(transaction)
        guard isNew else { return false }
        added(message, records: records[..<2])
        if let lesson, !isClosed { trust.learnt(lesson.keys, record: records[2]) }
        return true
    }
}

// MARK: From files

extension MessageStore {
    /// Adds a message that came from a file, unless the store holds it `occurrence` times already, byte for byte and written by
    /// the same side: so importing again doubles nothing, and what was there twice stays twice. Returns the new id, or nil.
    func add(
        _ message: [UInt8], sendState: SendState?, isUnread: Bool, received: WallTime, occurrence: Int
    ) async throws(SpoolError) -> String? {
        let wanted = Hash.blake2b(message, count: 32)
        var known = 0
        for id in await withItems({ [size = message.count] in $0.ids(ofSize: size, own: sendState != nil) }) {
            if await digest(id) == wanted { known += 1 }
        }
        guard known < occurrence else { return nil }
        var suffix: [UInt8] = Array("\(occurrence)\(sendState == nil ? "" : " own")".utf8)
        var id = OpaqueID.derived(Array("import".utf8), message, suffix)
        while items.contains(id) {
            suffix.append(0x2b)
            id = OpaqueID.derived(Array("import".utf8), message, suffix)
        }
        let name = id
        let prepared: StoreIntake.Prepared
        do {
            prepared = try await Heavy.perform(octets: message.count) { [intake] in
                try intake.prepared(message, id: name, sendState: sendState, at: received) { $0.isUnread = isUnread }
            }
        } catch {
            throw .stopped("a summary cannot be encoded: \(error)")
        }
        try await enter()
        defer { gate.leave() }
        guard !items.contains(id) else { return nil }
        digests[id] = wanted
        added(prepared, records: try await spool.commit(SpoolTransaction(appends: prepared.appends))[...])
        return id
    }

    /// Nil for a message that cannot be read: it is not the one that is looked for.
    private func digest(_ id: String) async -> [UInt8]? {
        if let known = digests[id] { return known }
        guard let stored = try? await message(id) else { return nil }
        let digest = Hash.blake2b(stored, count: 32)
        if !isClosed { digests[id] = digest }
        return digest
    }
}
