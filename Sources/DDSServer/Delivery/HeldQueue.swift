// Copies that cannot be handed on yet: kept sealed, tried again when the cause may be gone, moved into the member's maildrop in
// one transaction. What is held and why is decided by CopyRoute; asking for it by hand is in HeldQueue+Admin.

import DDSBus
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import Logging

@LoopActor final class HeldQueue {
    /// A held copy without its header.
    struct Item: Hashable, Sendable {
        var uid: SpoolUID
        var id: RecordTag
        var member: UInt64
        var cause: HoldCause
        var day: Int
        /// What the copy's header opens.
        var payload: SpoolUID
    }

    /// What came of a try to release one copy.
    enum Release: Hashable, Sendable {
        case released
        /// The member is gone, and so is the copy.
        case erased
        case stays(HoldCause)
        /// The copy cannot be read.
        case damaged
    }

    let store: DirectoryStore
    let spool: any SpoolEngine
    let book: MaildropBook
    let ledger: MessageLedger
    let services: Services
    private let keys: ServerKeys
    /// Told of messages whose copies have moved.
    var onChange: @LoopActor ([RecordTag]) -> Void = { _ in }
    private(set) var items: [SpoolUID: Item] = [:]

    private init(
        store: DirectoryStore, spool: any SpoolEngine, book: MaildropBook, ledger: MessageLedger, services: Services,
        keys: ServerKeys
    ) {
        self.store = store
        self.spool = spool
        self.book = book
        self.ledger = ledger
        self.services = services
        self.keys = keys
    }

    static func open(
        store: DirectoryStore, spool: any SpoolEngine, book: MaildropBook, ledger: MessageLedger, services: Services,
        keys: ServerKeys
    ) async throws(SpoolError) -> HeldQueue {
        let queue = HeldQueue(
            store: store, spool: spool, book: book, ledger: ledger, services: services, keys: keys)
        for entry in try await spool.entries(in: HeldCopy.mailbox) {
            guard let payload = entry.payload, let copy = try await queue.copy(entry.uid) else { continue }
            queue.stored(entry.uid, entry.tag, copy, day: entry.day, payload: payload)
        }
        try await queue.finishMoves()
        return queue
    }

    /// A crash between storing a copy in its new place and erasing it in the old one leaves both.
    private func finishMoves() async throws(SpoolError) {
        var places = items.values.map { HeldCopy.Place(uid: $0.uid, id: $0.id, member: $0.member) }
        let ids = Set(places.map(\.id))
        var waiting: [SpoolUID: SpoolEntry] = [:]
        for member in Set(places.map(\.member)) {
            for entry in try await spool.entries(in: MailboxID(rawValue: member)) where ids.contains(entry.tag) {
                places.append(HeldCopy.Place(uid: entry.uid, id: entry.tag, member: member))
                waiting[entry.uid] = entry
            }
        }
        let superseded = HeldCopy.superseded(places)
        guard !superseded.isEmpty else { return }
        _ = try await spool.commit(SpoolTransaction(erasures: superseded))
        erased(superseded)
        for entry in superseded.compactMap({ waiting[$0] }) {
            book.erased(entry.mailbox, count: 1, bytes: entry.size + entry.payloadSize)
        }
    }

    /// The record of a held copy; nil, with a line in the log, when it cannot be read.
    func copy(_ uid: SpoolUID) async throws(SpoolError) -> HeldCopy? {
        do throws(SpoolError) {
            if let copy = HeldCopy(try await spool.read(uid, offset: 0, count: .max)) { return copy }
        } catch {
            switch error {
            case .damaged, .noSuchRecord: break
            case .full, .tooLarge, .stopped: throw error
            }
        }
        services.log.error("a held copy cannot be read", metadata: ["record": "\(uid.rawValue)"])
        return nil
    }

    func stored(_ uid: SpoolUID, _ id: RecordTag, _ copy: HeldCopy, day: Int, payload: SpoolUID) {
        items[uid] = Item(uid: uid, id: id, member: copy.member, cause: copy.cause, day: day, payload: payload)
    }

    func erased(_ uids: some Sequence<SpoolUID>) {
        for uid in uids { items[uid] = nil }
    }

    /// By message and member.
    var causes: [RecordTag: [UInt64: HoldCause]] {
        var causes: [RecordTag: [UInt64: HoldCause]] = [:]
        for item in items.values { causes[item.id, default: [:]][item.member] = item.cause }
        return causes
    }

    /// The cause of a held copy as it is now, for an administrator.
    func words(_ cause: HoldCause, member: String) -> String {
        guard cause == .noKey, let account = store.directory.accounts[member] else { return cause.words }
        return switch account.keyKind {
        case nil: "has not joined yet, no key to seal to"
        case .classical: "nothing can be sealed to this member's key, or the message is for post-quantum keys only (age1pq1...)"
        case .hybrid: "nothing can be sealed to this member's key"
        }
    }

    // MARK: Releasing

    /// Tries again everything that is held for a member. Called when the member has a key or room, or is gone.
    func retry(member: UInt64) {
        guard items.values.contains(where: { $0.member == member }) else { return }
        Loop.spawn(name: "release") { [self] in await retry { $0.member == member } }
    }

    /// Tries again, oldest first, what `isWanted` names. A full disk ends the round.
    func retry(_ isWanted: @LoopActor (Item) -> Bool) async {
        for item in items.values.filter({ isWanted($0) }).sorted(by: { $0.uid < $1.uid }) {
            do throws(SpoolError) {
                _ = try await release(item.uid, isForced: false)
            } catch {
                return services.log.error("a held message was not released, it stays held", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Moves one copy into its member's maildrop if that is possible now. `isForced` passes over the quota and over what the
    /// administrator holds back.
    @discardableResult
    func release(_ uid: SpoolUID, isForced: Bool) async throws(SpoolError) -> Release {
        try await store.fence.pass { [self] () throws(SpoolError) in
            try await ledger.gate.pass { [self] () throws(SpoolError) in try await move(uid, isForced: isForced) }
        }
    }

    /// The caller is inside the fence and the gate.
    private func move(_ uid: SpoolUID, isForced: Bool) async throws(SpoolError) -> Release {
        guard let item = items[uid] else { return .erased }
        guard let account = store.directory.account(mailbox: item.member) else {
            _ = try await spool.commit(SpoolTransaction(erasures: [uid]))
            erased([uid])
            onChange([item.id])
            return .erased
        }
        if account.isSuspended || (item.cause == .admin && !isForced) { return .stays(item.cause) }
        guard let copy = try await copy(uid) else { return .damaged }
        if let group = copy.group.flatMap({ store.directory.groups[$0] }), !group.members.contains(account.name) {
            return try await withdraw(item)
        }
        guard let header = try await header(copy, for: account) else { return stays(uid, .noKey) }
        let box = MailboxID(rawValue: item.member)
        if !isForced, book.isFull(box) { return stays(uid, .mailboxFull) }
        let payload: [UInt8]
        do throws(SpoolError) {
            payload = try await spool.read(item.payload, offset: 0, count: .max)
        } catch {
            switch error {
            case .damaged, .noSuchRecord: return .damaged
            case .full, .tooLarge, .stopped: throw error
            }
        }
        let stored = try await spool.commit(
            HeldCopy.releasing(uid, id: item.id, to: box, header: header, payload: payload))
        erased([uid])
        // A member who was removed meanwhile has lost the maildrop; the next sweep finds the copy.
        if stored.count == 2, store.directory.account(mailbox: item.member) != nil {
            book.stored(box, bytes: header.count + payload.count)
            services.bus.publish(.newMailFor(mailbox: item.member))
        }
        onChange([item.id])
        return .released
    }

    /// Who is not in the group any more gets nothing that was written to it; the author learns that.
    private func withdraw(_ item: Item) async throws(SpoolError) -> Release {
        var transaction = SpoolTransaction(erasures: [item.uid])
        if let page = try await ledger.pages(CollectionOfOne(item.id)).first, let index = page.record.index(of: item.member) {
            var record = page.record
            record.copies[index].end = .removed
            transaction.appends = [record.append(id: item.id)]
            transaction.erasures.append(page.uid)
        }
        if let record = try await spool.commit(transaction).first { ledger.replaced(item.id, by: record) }
        erased([item.uid])
        onChange([item.id])
        return .erased
    }

    private func stays(_ uid: SpoolUID, _ cause: HoldCause) -> Release {
        items[uid]?.cause = cause
        return .stays(cause)
    }

    /// The header that the member opens; nil when nothing can be sealed to them, or when the copy's own header does not open.
    private func header(_ copy: HeldCopy, for account: Account) async throws(SpoolError) -> [UInt8]? {
        guard copy.sealing == .node else { return copy.header }
        do {
            var reader = AgeHeaderReader()
            _ = try reader.feed(copy.header[...])
            try reader.finish()
            let fileKey = try reader.unwrap(with: keys.holdIdentities)
            // The other readers were told which kind of keys the message is sealed to. A classical key that this member has got
            // since would make that untrue, so the copy waits for another.
            let seal = SealNote.keys(in: reader.stanzas)
            if seal == .hybrid, account.keyKind == .classical { return nil }
            let messageNotes = [
                seal.map { SealNote.stanza($0) }, ModeNote.mode(in: reader.stanzas).flatMap { ModeNote.stanza($0) },
            ].compactMap { $0 }
            let notes = messageNotes + (copy.group.map { Self.notes($0, in: reader.stanzas) } ?? [])
            return await ReaderHeaders(random: services.random).make(
                for: [account], fileKey: fileKey, notes: [notes])[0]
        } catch {
            services.log.error("a held copy does not open with the node's key", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// The numbers of those of `candidates` that some held copy opens with, and with no key that stays. The caller is inside the
    /// gate of the ledger.
    func needed(of candidates: [SealRing.Key]) async throws(SpoolError) -> Set<UInt64> {
        let going = Set(candidates.map(\.number))
        let ring = keys.seal
        let staying =
            (ring.hold.map { [$0] } ?? []) + ring.keys.filter { !going.contains($0.number) }.flatMap(\.identities)
        var needed: Set<UInt64> = []
        for uid in items.keys.sorted() {
            // Members' keys open the others. What cannot be read opens with nothing.
            guard let copy = try await copy(uid), copy.sealing == .node else { continue }
            var reader = AgeHeaderReader()
            guard (try? reader.feed(copy.header[...])) != nil, reader.isComplete else { continue }
            if (try? reader.unwrap(with: staying)) == nil {
                for key in candidates where (try? reader.unwrap(with: key.identities)) != nil { needed.insert(key.number) }
            }
            await Loop.giveWay()
        }
        return needed
    }

    /// What the node's own header tells of the group through which the copy comes.
    private static func notes(_ group: String, in stanzas: [AgeStanza]) -> [AgeStanza] {
        [GroupNote.stanza(group)] + RosterNote.notes(in: stanzas).filter { $0.group == group }.map(\.stanza)
            + AuthorNote.notes(in: stanzas).filter { $0.group == group }.map(\.stanza)
    }
}
