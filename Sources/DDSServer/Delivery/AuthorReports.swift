// Tells authors what became of their messages, in batches: one control mail for all changes of a while. In the transaction that
// stores the mail each record notes what was told, or goes when there is nothing more to tell.

import DDSBus
import DDSCore
import DDSLoop
import DDSNode
import DDSSpool
import Logging

@LoopActor final class AuthorReports {
    /// After a full disk or another refusal.
    private static var retryPause: Duration { .seconds(300) }
    /// Records looked at together after a start.
    private static var surveySlice: Int { 20_000 }
    /// Records of one transaction: at most so many bytes of them.
    private nonisolated static var batchBytes: Int { 256 << 10 }

    var pace: ReportPace
    /// Control messages stored since the start.
    private(set) var sentCount = 0

    private let store: DirectoryStore
    private let spool: any SpoolEngine
    private let book: MaildropBook
    private let ledger: MessageLedger
    private let held: HeldQueue
    private let mailer: ControlMailer
    private let services: Services
    private var domain: String { services.config.node.name.lowercased() }
    /// Messages of which the author does not know everything, and since when.
    private var changed: [RecordTag: Instant] = [:]
    private var last: [UInt64: Instant] = [:]
    private var notBefore: Instant?
    /// When the timer fires.
    private var next: Instant?
    private var timer: LoopTimer?
    private var isRunning = false

    init(
        store: DirectoryStore, spool: any SpoolEngine, book: MaildropBook, ledger: MessageLedger, held: HeldQueue,
        mailer: ControlMailer,
        services: Services
    ) {
        self.store = store
        self.spool = spool
        self.book = book
        self.ledger = ledger
        self.held = held
        self.mailer = mailer
        self.services = services
        pace = ReportPace(every: services.config.server.spool.statesEvery)
    }

    /// Takes up what was not told before the last stop, and reports from now on.
    func start() {
        timer = LoopTimer { [weak self] in self?.tick() }
        Loop.spawn(name: "survey") { [self] in
            await survey()
            await schedule()
        }
    }

    func stop() {
        timer?.close()
        timer = nil
    }

    /// Copies of these messages were moved, or erased by the node.
    func noteChange(_ ids: some Sequence<RecordTag>) {
        var soonest: Instant?
        for id in ids where ledger.lines[id] != nil {
            let since = changed[id] ?? services.time.now
            changed[id] = since
            let due = due(id, since)
            soonest = soonest.map { min($0, due) } ?? due
        }
        if let soonest { schedule(at: soonest) }
    }

    /// A copy of each of these messages was fetched.
    func fetched(_ ids: [RecordTag]) async {
        for id in ids {
            ledger.closed(id)
            noteChange(CollectionOfOne(id))
            await Loop.giveWay()
        }
    }

    // MARK: When

    private func due(_ id: RecordTag, _ since: Instant) -> Instant {
        let line = ledger.lines[id]
        return pace.due(changed: since, isDone: line?.open == 0, last: line?.author.flatMap { last[$0] })
    }

    /// Looks at everything that waits, which is for after a report; what is new is given to `schedule(at:)`.
    private func schedule() async {
        next = nil
        var soonest: Instant?
        for (id, since) in changed {
            let due = due(id, since)
            soonest = soonest.map { min($0, due) } ?? due
            await Loop.giveWay()
        }
        if let soonest { schedule(at: soonest) }
    }

    private func schedule(at instant: Instant) {
        guard let timer, !isRunning else { return }
        let wanted = notBefore.map { max($0, instant) } ?? instant
        if let next, next <= wanted { return }
        next = wanted
        timer.schedule(at: wanted)
    }

    private func tick() {
        guard !isRunning else { return }
        isRunning = true
        next = nil
        Loop.spawn(name: "reports") { [self] in
            await report()
            isRunning = false
            await schedule()
        }
    }

    // MARK: What

    /// Reports everything that is due, with whatever else there is for the same authors. What fails is tried again later.
    func report() async {
        let now = services.time.now
        notBefore = nil
        let ids = await dueNow(now)
        do throws(SpoolError) {
            for slice in Self.slices(ids) {
                try await ledger.gate.pass { [self] () throws(SpoolError) in try await report(slice) }
            }
        } catch {
            notBefore = now + Self.retryPause
            services.log.error("authors not told yet, it is tried again", metadata: ["error": "\(error)"])
        }
    }

    /// The messages to report: what is due, and whatever else there is for the same authors.
    private func dueNow(_ now: Instant) async -> [RecordTag] {
        var authors: Set<UInt64?> = []
        for (id, since) in changed {
            if due(id, since) <= now { authors.insert(ledger.lines[id]?.author) }
            await Loop.giveWay()
        }
        var ids: [RecordTag] = []
        for id in changed.keys {
            if authors.contains(ledger.lines[id]?.author) { ids.append(id) }
            await Loop.giveWay()
        }
        return ids
    }

    /// Looks once at every record: what changed while nobody looked is reported like any other change.
    func survey() async {
        do throws(SpoolError) {
            for slice in Self.slices(Array(ledger.lines.keys)) {
                try await ledger.gate.pass { [self] () throws(SpoolError) in
                    let all = try await news(of: slice)
                    for news in all {
                        if news.isNews, changed[news.page.id] == nil { changed[news.page.id] = services.time.now }
                        await Loop.giveWay()
                    }
                    Loop.discard(all)
                }
            }
        } catch {
            services.log.error("the records of messages could not be looked at", metadata: ["error": "\(error)"])
        }
    }

    private static func slices(_ ids: [RecordTag]) -> [ArraySlice<RecordTag>] {
        stride(from: 0, to: ids.count, by: surveySlice).map { ids[$0..<min($0 + surveySlice, ids.count)] }
    }

    /// How far these messages are, oldest first; the ledger learns it too. The caller is inside the gate.
    private func news(of ids: ArraySlice<RecordTag>) async throws(SpoolError) -> [MessageNews] {
        let pages = try await ledger.pages(ids)
        let places = try await ledger.places(of: pages, held: held.causes)
        let all = await Loop.offload { [pages, places] in
            pages.sorted { $0.uid < $1.uid }.map { MessageNews($0, places[$0.id] ?? CopyPlaces()) }
        }
        for news in all {
            ledger.counted(news.page.id, author: news.page.record.authorMailbox, open: news.states.count { !$0.isFinal })
            await Loop.giveWay()
        }
        Loop.discard((pages, places))
        return all
    }

    /// What changes while this reads and stores is noted anew, and told the next time: a QUIT waits for nobody.
    private func report(_ ids: ArraySlice<RecordTag>) async throws(SpoolError) {
        var taken: [(RecordTag, Instant?)] = []
        for id in ids {
            taken.append((id, changed.removeValue(forKey: id)))
            await Loop.giveWay()
        }
        do throws(SpoolError) {
            try await tellAll(ids)
        } catch {
            // Of what was told by then there is no news.
            for (id, since) in taken { changed[id] = since ?? changed[id] }
            throw error
        }
    }

    private func tellAll(_ ids: ArraySlice<RecordTag>) async throws(SpoolError) {
        let all = try await news(of: ids)
        let batches = await Loop.offload { Self.batches(all) }
        for (author, batch) in batches {
            try await store.fence.pass { () throws(SpoolError) in try await tell(author, batch) }
        }
        Loop.discard((all, batches))
    }

    /// What there is to tell, a control mail's worth at a time.
    private nonisolated static func batches(_ all: [MessageNews]) -> [(author: UInt64, news: [MessageNews])] {
        var batches: [(author: UInt64, news: [MessageNews])] = []
        for (author, own) in Dictionary(grouping: all.filter(\.isNews), by: \.page.record.authorMailbox) {
            var batch: [MessageNews] = []
            var bytes = 0
            for news in own {
                batch.append(news)
                bytes += 128 + 48 * news.page.record.copies.count
                guard bytes > batchBytes else { continue }
                batches.append((author, batch))
                batch = []
                bytes = 0
            }
            if !batch.isEmpty { batches.append((author, batch)) }
        }
        return batches
    }

    /// One control mail and what it makes of the records, in one transaction.
    private func tell(_ author: UInt64, _ batch: [MessageNews]) async throws(SpoolError) {
        let directory = store.directory
        let account = author == 0 ? nil : directory.account(mailbox: author)
        let (plan, report) = await Loop.offload { [domain] in
            let plan = ReportPlan(batch) { news in
                account.map { Self.isWorthTelling(news.page.record, news.states, to: $0) } == true
            }
            let messages = plan.told.map { Self.message($0.news, revision: $0.revision, directory, domain) }
            return (plan, DeliveryReport(messages: messages))
        }
        var mail: ControlCopy?
        if let account, !report.messages.isEmpty { mail = await mailer.mail(.deliveryState(report), to: account) }
        let stored = try await spool.commit(plan.transaction(mail: mail))
        var next = 0
        for entry in plan.records {
            ledger.replaced(entry.id, by: entry.record == nil ? nil : stored[next])
            if entry.record != nil { next += 1 }
            await Loop.giveWay()
        }
        Loop.discard((plan, report))
        guard let mail, store.directory.account(mailbox: author) != nil else { return }
        last[author] = services.time.now
        sentCount += 1
        book.stored(mail.mailbox, bytes: mail.bytes, isControl: true)
        services.bus.publish(.newMailFor(mailbox: author))
    }

    /// An agent keeps the states with its messages and is told of every change. Who uses an ordinary mail program gets a letter,
    /// and only when a copy met trouble.
    nonisolated static func isWorthTelling(_ record: MessageRecord, _ states: [CopyState], to account: Account) -> Bool {
        let now = PersonalStates.lines(of: record, states, authorUsesKey: account.usesKey).map(\.state)
        let then = PersonalStates.lines(of: record, record.copies.map(\.told), authorUsesKey: account.usesKey).map(\.state)
        let fresh = zip(then, now).filter { $0 != $1 }.map(\.1)
        return account.usesKey ? !fresh.isEmpty : fresh.contains { $0 != .waiting && $0 != .fetched }
    }

    private nonisolated static func message(
        _ news: MessageNews, revision: Int, _ directory: Directory, _ domain: String
    ) -> DeliveryReport.Message {
        let record = news.page.record
        let usesKey = directory.accounts[record.author]?.usesKey == true
        let copies = PersonalStates.lines(of: record, news.states, authorUsesKey: usesKey).map { line in
            DeliveryReport.Copy(
                address: "\(line.copy.member)@\(domain)",
                name: directory.accounts[line.copy.member]?.display ?? line.copy.member, group: record.group(of: line.copy),
                state: line.state, cause: line.state == .held ? news.causes[line.copy.mailbox] : nil)
        }
        return DeliveryReport.Message(
            submission: record.submission, revision: revision, day: record.day, destinations: record.destinations,
            copies: copies)
    }
}
