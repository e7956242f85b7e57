// What the node of the village does by itself: handing on what was held, letting old mail expire, telling authors. With the
// transactions and decisions that the role uses; when each is due, the village says.

import DDSCore
import DDSSpool

extension SimNode {
    /// Days that mail is kept unfetched.
    private static let keep = Duration.seconds(5 * 86400)
    /// Records of one report, so that it has room in a segment.
    private static let reportMax = 4

    // MARK: Holding

    /// Moves what is held for a member into the maildrop, oldest first, as far as that is possible now; see HeldQueue. With
    /// `isForced` also what the administrator holds, and over the quota.
    func release(_ member: Int, isForced: Bool = false) {
        for (entry, copy) in heldCopies() where copy.member == Self.mailbox(of: member).rawValue {
            guard !keyless.contains(member) || copy.sealing == .member else { continue }
            if !isForced, copy.cause == .admin || isFull(member) { continue }
            guard let payload = entry.payload.flatMap({ machine.body($0) }) else { continue }
            let header = copy.sealing == .node ? LetterCopy.header(for: member, nonce: random.next()) : copy.header
            var transaction = HeldCopy.releasing(
                entry.uid, id: entry.tag, to: Self.mailbox(of: member), header: header, payload: payload)
            if sabotage == .erasesHeldFirst {
                _ = machine.commit(SpoolTransaction(erasures: transaction.erasures))
                transaction.erasures = []
            }
            guard case .success = machine.commit(transaction) else { return }
            handedOn += 1
            onErased([entry.uid])
        }
    }

    /// The administrator holds a copy that waits, or what is held already; see QueueDesk.
    func hold(_ entry: SpoolEntry, of member: Int) {
        guard !leases.contains(member), let payload = entry.payload.flatMap({ machine.body($0) }),
            let header = machine.body(entry.uid)
        else { return }
        let copy = HeldCopy(
            member: Self.mailbox(of: member).rawValue, cause: .admin, sealing: .member, group: nil, header: header)
        let transaction = HeldCopy.holding([copy], id: entry.tag, payload: payload, insteadOf: [entry.uid])
        if case .success = machine.commit(transaction) { onErased([entry.uid]) }
    }

    // MARK: Expiry

    /// Erases what nobody fetched in time, and receipts that nobody needs any more; see Housekeeping.
    func sweep(members: Int) {
        let today = machine.time.wall.day
        if submissions.hasExpired(on: today) {
            let forgetting = SubmissionLedger.forgetting(machine.entries(in: SubmissionLedger.mailbox), on: today)
            if !forgetting.erasures.isEmpty, case .failure = machine.commit(forgetting) { return }
            submissions.forgot(on: today)
        }
        func isOver(_ entry: SpoolEntry) -> Bool {
            ExpiryPlan.hasExpired(acceptedOn: entry.day, today: today, keep: Self.keep)
        }
        for member in 0..<members where !leases.contains(member) {
            expire(machine.entries(in: Self.mailbox(of: member)).filter(isOver), of: member)
        }
        let held = heldCopies().filter { isOver($0.entry) }
        for member in 0..<members {
            expire(held.filter { $0.copy.member == Self.mailbox(of: member).rawValue }.map(\.entry), of: member)
        }
        for member in 0..<members { release(member) }
    }

    private func expire(_ entries: [SpoolEntry], of member: Int) {
        guard !entries.isEmpty else { return }
        let mailbox = Self.mailbox(of: member)
        let plan = ExpiryPlan(
            entries.map { .init(uid: $0.uid, id: $0.tag, day: $0.day, isControl: $0.isControl) }, mailbox: mailbox.rawValue,
            pages: pages(Set(entries.map(\.tag))))
        var mails: [ControlCopy] = []
        for span in plan.spans {
            let letters = span.ids.compactMap { id in plan.records.first { $0.id == id }.flatMap { number(of: $0.record) } }
            let lines = letters.map { Notice.Line(letter: $0, reader: member, state: .expired, revision: 0) }
            // As ControlMailer has it: who has no key cannot be told anything.
            if keyless.contains(member) { onSilence(lines) } else { mails.append(mail(makeNotice(member, false, lines))) }
        }
        if sabotage == .expiresWithoutNotice { mails = [] }
        let notices = entries.filter(\.isControl).compactMap { $0.payload.flatMap { machine.body($0) } }
        onDropping(notices.compactMap { Letter.number(in: $0[...]) })
        var transaction = plan.transaction(mails: mails)
        if sabotage == .expiresBeforeNotice {
            _ = machine.commit(SpoolTransaction(erasures: plan.erasures))
            transaction.erasures = plan.records.map(\.replaces)
        }
        if case .success = machine.commit(transaction) { onErased(plan.erasures) }
    }

    private func mail(_ notice: Notice) -> ControlCopy {
        ControlCopy(
            id: RecordTag(high: random.next(), low: random.next()), mailbox: Self.mailbox(of: notice.reader),
            payload: notice.text,
            header: LetterCopy.header(for: notice.reader, nonce: random.next()))
    }

    // MARK: Telling authors

    /// The records of `ids`, or all, that can be read.
    private func pages(_ ids: Set<RecordTag>? = nil) -> [MessagePage] {
        MessageRecord.newest(machine.entries(in: MessageRecord.mailbox)).records
            .filter { ids?.contains($0.key) != false }.sorted { $0.value < $1.value }
            .compactMap { id, uid in
                machine.body(uid).flatMap { MessageRecord($0) }.map { MessagePage(id: id, uid: uid, record: $0) }
            }
    }

    private func number(of record: MessageRecord) -> Int? { Hexadecimal.number(Array(record.submission.utf8)[...]) }

    /// Tells every author what is new; see AuthorReports.
    func report(members: Int) {
        let all = pages()
        guard !all.isEmpty else { return }
        var places: [RecordTag: CopyPlaces] = [:]
        for member in 0..<members {
            let mailbox = Self.mailbox(of: member)
            for entry in machine.entries(in: mailbox) {
                places[entry.tag, default: CopyPlaces()].waiting.insert(mailbox.rawValue)
            }
        }
        for (entry, copy) in heldCopies() { places[entry.tag, default: CopyPlaces()].held[copy.member] = copy.cause }
        guard !machine.isDown else { return }
        let news = all.map { MessageNews($0, places[$0.id] ?? CopyPlaces()) }.filter(\.isNews)
        for author in 0..<members {
            let own = news.filter { $0.page.record.authorMailbox == Self.mailbox(of: author).rawValue }
            for start in stride(from: 0, to: own.count, by: Self.reportMax) {
                guard tell(author, Array(own[start..<min(start + Self.reportMax, own.count)])) else { return }
            }
        }
    }

    private func tell(_ author: Int, _ batch: [MessageNews]) -> Bool {
        let plan = ReportPlan(batch) { news in zip(news.page.record.copies, news.states).contains { $0.told != $1 } }
        var lines: [Notice.Line] = []
        for (news, revision) in plan.told {
            guard let letter = number(of: news.page.record) else { continue }
            for (copy, state) in zip(news.page.record.copies, news.states) {
                lines.append(
                    Notice.Line(letter: letter, reader: Self.member(of: copy.mailbox), state: state, revision: revision))
            }
        }
        let isTellable = !keyless.contains(author)
        if !isTellable { onUnreported(lines) }
        var transaction = plan.transaction(
            mail: lines.isEmpty || !isTellable ? nil : mail(makeNotice(author, true, lines)))
        if sabotage == .forgetsToReport {
            _ = machine.commit(SpoolTransaction(erasures: transaction.erasures))
            transaction.erasures = []
        }
        guard case .success = machine.commit(transaction) else { return false }
        onTold(lines)
        return true
    }
}
