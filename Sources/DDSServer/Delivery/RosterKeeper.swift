// Makes the next roster of a group when something has changed, and tells the members: number, hash and everybody's mail are one
// transaction, so that a crash leaves all or nothing of it. What changes within a short time goes into one roster; a message to
// the group does not wait for it, but has it made first, so that the roster it names says who gets it.

import DDSBus
import DDSCore
import DDSLoop
import DDSNode
import DDSSpool
import Logging

@LoopActor final class RosterKeeper {
    /// How long changes are gathered.
    static var gather: Duration { .seconds(2) }
    /// How long mailbox keys are gathered that follow others of the same owner: agents change them once a day.
    static var routineGather: Duration { .seconds(3600) }
    /// After a full disk or another refusal.
    private static var retryPause: Duration { .seconds(300) }

    /// Rosters made since the start.
    private(set) var madeCount = 0

    private let store: DirectoryStore
    private let spool: any SpoolEngine
    private let book: MaildropBook
    private let mailer: ControlMailer
    private let services: Services
    private var timer: LoopTimer?
    /// When the timer fires.
    private var next: Instant?
    /// Since when some roster names a mailbox key that is none any more.
    private var staleSince: Instant?
    private var isRunning = false
    private var isOn = false

    init(
        store: DirectoryStore, spool: any SpoolEngine, book: MaildropBook, mailer: ControlMailer, services: Services
    ) {
        self.store = store
        self.spool = spool
        self.book = book
        self.mailer = mailer
        self.services = services
    }

    /// Makes what is due, and from now on whatever becomes so. Before this nothing is made.
    func start() {
        turnOn()
        timer = LoopTimer { [weak self] in self?.tick() }
        store.onChange = { [weak self] in self?.noteChange() }
        noteChange()
    }

    /// Messages have rosters made from now on; nothing else does.
    func turnOn() { isOn = true }

    func stop() {
        isOn = false
        store.onChange = {}
        timer?.close()
        timer = nil
    }

    /// The directory has changed.
    func noteChange() {
        guard !isRunning else { return }
        let directory = store.directory
        staleSince = directory.groupsWithStaleRoster.isEmpty ? nil : staleSince ?? services.time.now
        if !directory.groupsWithDueRoster.isEmpty { schedule(at: services.time.now + Self.gather) }
        if let staleSince { schedule(at: staleSince + Self.routineGather) }
    }

    private func schedule(at instant: Instant) {
        guard let timer else { return }
        if let next, next <= instant { return }
        next = instant
        timer.schedule(at: instant)
    }

    private func tick() {
        guard !isRunning else { return }
        isRunning = true
        next = nil
        Loop.spawn(name: "rosters") { [self] in
            let isDone = await makeAll()
            isRunning = false
            if isDone { noteChange() } else { schedule(at: services.time.now + Self.retryPause) }
        }
    }

    /// Makes every roster that is due; false when something kept one from being stored.
    func makeAll() async -> Bool {
        let isOverdue = staleSince.map { services.time.now >= $0 + Self.routineGather } ?? false
        for group in store.directory.groupsWithDueRoster + (isOverdue ? store.directory.groupsWithStaleRoster : []) {
            guard isOn else { return true }
            do throws(Failure) {
                try await make(group)
            } catch {
                services.log.error("members not told of a change yet, it is tried again", metadata: ["error": "\(error)"])
                return false
            }
        }
        return true
    }

    /// When this returns, and until the next turn, the last rosters of `groups` say who is in them.
    func settle(_ groups: [String]) async throws(Failure) {
        while isOn, let group = groups.first(where: { store.directory.isRosterDue($0) }) { try await make(group) }
    }

    /// A submission of an author to a group.
    private struct Pointing: Hashable {
        var author: String
        var group: String
        var submission: String
    }

    /// Which rosters refusals have named. Forgetting one costs a roster.
    private var pointings: [Pointing: RosterHead] = [:]
    private static var pointingsMax: Int { 1024 }

    /// The agent of `author` needs the current roster of a group to seal for it. When this returns, that roster names the keys of
    /// now, and the author's agent has it or gets it: it is made at once where keys were still being gathered. Where its mail is not in
    /// the maildrop any more, the agent may have fetched it after it had sealed the submission; if it has not, it comes with the same
    /// submission again, and then the roster is made anew, as for submissions without an id.
    func renew(_ group: String, for author: Account, submission: String? = nil) async throws(Failure) -> RosterPointer {
        try await settle([group])
        let isStale = store.directory.rosters[group]?.isStale == true
        let pointing = submission.map { Pointing(author: author.name, group: group, submission: $0) }
        let isNew = pointing.map { pointings[$0] != store.directory.rosterHead(of: group) } ?? false
        let isThere = isStale ? false : isNew ? true : try await isWaiting(group, for: author)
        if !isThere { try await make(group, isAnew: true) }
        if let pointing {
            if pointings.count >= Self.pointingsMax { pointings = [:] }
            pointings[pointing] = store.directory.rosterHead(of: group)
        }
        guard let head = store.directory.rosterHead(of: group) else {
            throw Failure(.unknownName, "the group \(group) is gone")
        }
        return RosterPointer(group: group, head: head)
    }

    /// Whether the last roster of a group waits in a member's maildrop.
    private func isWaiting(_ group: String, for author: Account) async throws(Failure) -> Bool {
        guard let head = store.directory.rosterHead(of: group) else { return false }
        do throws(SpoolError) {
            for entry in try await spool.entries(in: MailboxID(rawValue: author.mailbox)) where entry.isControl {
                let header = try await spool.read(entry.uid, offset: 0, count: .max)
                if RosterNote.notes(inHeader: header).contains(RosterNote(group: group, head: head)) { return true }
            }
            return false
        } catch {
            if case .noSuchRecord = error { return false }
            throw Failure(.inputOutput, "the maildrop of \(author.name) could not be read", reason: "\(error)")
        }
    }

    private func make(_ name: String, isAnew: Bool = false) async throws(Failure) {
        var told: ControlMailer.GroupMail?
        try await store.change(together: { [self] directory async throws(Failure) in
            // Another caller may have made it while this one waited.
            guard isAnew || directory.isRosterDue(name) || directory.rosters[name]?.isStale == true,
                let group = directory.groups[name]
            else { return ([], []) }
            let (domain, now) = (services.config.node.name.lowercased(), services.time.wall)
            // Beside the loop: a thousand members take 17 ms. The directory stays as it is until this has returned.
            let (document, readers) = await Loop.offload {
                (directory.nextRoster(of: group, domain: domain, time: now), directory.rosterReaders(of: group))
            }
            guard let document else { return ([], []) }
            let mail = await mailer.mail(.roster(document), to: readers)
            told = mail
            return (
                [.rosterMade(group: name, number: document.roster.number, hash: Hex.encode(document.hash))], mail?.appends ?? []
            )
        })
        madeCount += 1
        noteStored(told)
    }

    private func noteStored(_ mail: ControlMailer.GroupMail?) {
        for copy in mail?.copies ?? [] {
            guard store.directory.account(mailbox: copy.mailbox) != nil else { continue }
            book.stored(
                MailboxID(rawValue: copy.mailbox), bytes: copy.header.count + (mail?.payload.count ?? 0), isControl: true)
            services.bus.publish(.newMailFor(mailbox: copy.mailbox))
        }
    }

    // MARK: Owners

    /// Takes an owner's word about the last roster and passes it on, both in one transaction. Returns why not, in words.
    func confirm(_ confirmation: RosterConfirmation, by member: String) async throws(Failure) -> String? {
        let domain = services.config.node.name.lowercased()
        var refusal: String?
        var told: ControlMailer.GroupMail?
        try await store.change(together: { [self] directory async throws(Failure) in
            refusal = directory.refusal(of: confirmation, by: member, domain: domain)
            let name = confirmation.group.local
            guard refusal == nil, let group = directory.groups[name],
                directory.rosters[name]?.confirmedBy?.contains(member) != true
            else { return ([], []) }
            let readers = await Loop.offload { directory.rosterReaders(of: group) }
            let mail = await mailer.mail(.rosterConfirmed(confirmation), to: readers)
            told = mail
            return ([.rosterConfirmed(group: name, number: confirmation.head.number, owner: member)], mail?.appends ?? [])
        })
        noteStored(told)
        return refusal
    }
}
