// The decisions that node and agents share with the simulator, where a table says more than a simulation.

import DDSCore
import DDSSpool
import Testing

@Suite struct LedgerTests {
    private func tag(_ number: UInt64) -> RecordTag { RecordTag(high: number, low: ~number) }
    private func uid(_ number: UInt64) -> SpoolUID { SpoolUID(rawValue: number) }

    private func entry(_ number: UInt64, _ name: UInt64, day: Int = 0) -> SpoolEntry {
        SpoolEntry(
            uid: uid(number), mailbox: SubmissionLedger.mailbox, tag: tag(name), flags: 0, day: day, size: 0, payload: nil,
            payloadSize: 0)
    }

    @Test func receipt_isReadBackAlike_andNothingShorterOrLonger() {
        let receipt = SubmissionReceipt(destinations: [tag(1), tag(2)], readers: [tag(7), tag(8), tag(9)])
        let bytes = receipt.encoded
        #expect(SubmissionReceipt(bytes) == receipt)
        for count in 0..<bytes.count { #expect(SubmissionReceipt(Array(bytes[..<count])) == nil, "\(count) bytes") }
        #expect(SubmissionReceipt(bytes + [0]) == nil)
        #expect(SubmissionReceipt([2] + bytes.dropFirst()) == nil)
        #expect(SubmissionReceipt([1, 0xff, 0xff, 0xff, 0xff]) == nil)
        var both = receipt
        both.add(SubmissionReceipt(destinations: [tag(3)], readers: [tag(7), tag(10)]))
        #expect(both.destinations == [tag(1), tag(2), tag(3)] && both.readers == [tag(7), tag(8), tag(9), tag(10)])
    }

    @Test func submission_isAdmittedOnceAtATime_andKnowsItsReceipts() {
        var ledger = SubmissionLedger([entry(1, 5), entry(2, 5), entry(3, 6)])
        #expect(ledger.admit(tag(5)) == .admitted(receipts: [uid(1), uid(2)]))
        #expect(ledger.admit(tag(5)) == .beingAccepted)
        #expect(ledger.admit(tag(6)) == .admitted(receipts: [uid(3)]))
        ledger.settle(tag(5), receipt: (uid(4), 9))
        ledger.settle(tag(6), receipt: nil)
        #expect(ledger.admit(tag(5)) == .admitted(receipts: [uid(1), uid(2), uid(4)]))
        #expect(ledger.admit(tag(6)) == .admitted(receipts: [uid(3)]))
        // Without an id nothing is remembered and nothing waits for anything.
        #expect(ledger.admit(nil) == .admitted(receipts: []) && ledger.admit(nil) == .admitted(receipts: []))
    }

    @Test func receipts_areForgottenAfterTheirTime() {
        let listed = [entry(1, 5, day: 10), entry(2, 6, day: 11)]
        var ledger = SubmissionLedger(listed)
        let over = 11 + SubmissionLedger.lifetimeDays
        #expect(!ledger.hasExpired(on: over - 1) && ledger.hasExpired(on: over))
        #expect(SubmissionLedger.forgetting(listed, on: over - 1).erasures.isEmpty)
        #expect(SubmissionLedger.forgetting(listed, on: over).erasures == [uid(1)])
        ledger.forgot(on: over)
        #expect(ledger.admit(tag(5)) == .admitted(receipts: []))
        #expect(ledger.admit(tag(6)) == .admitted(receipts: [uid(2)]))
    }

    @Test func ofACopyInTwoPlaces_theNewestStays() {
        func place(_ number: UInt64, _ id: UInt64, _ member: UInt64) -> HeldCopy.Place {
            HeldCopy.Place(uid: uid(number), id: tag(id), member: member)
        }
        #expect(HeldCopy.superseded([place(5, 1, 7), place(3, 1, 7), place(9, 1, 7)]) == [uid(5), uid(3)])
        // Another member's copy of the message, and another message of the member.
        #expect(HeldCopy.superseded([place(5, 1, 7), place(3, 1, 8), place(9, 2, 7)]).isEmpty)
        #expect(HeldCopy.superseded([]).isEmpty)
    }

    @Test func ofARecordWrittenAnew_theNewestStays() {
        let (records, superseded) = MessageRecord.newest([entry(1, 5), entry(2, 6), entry(3, 5), entry(4, 5)])
        #expect(records == [tag(5): uid(4), tag(6): uid(2)])
        #expect(superseded == [uid(1), uid(3)])
    }

    @Test func whatAStopLeftOfAStore_isFound() {
        #expect(
            StoreRemoval.leftovers(summaries: [entry(1, 5), entry(2, 6)], messages: [entry(9, 6), entry(8, 7)]) == [uid(1)])
        #expect(InboxImport.finished([entry(1, 5), entry(2, 6)], origins: [uid(2), uid(3)]) == [uid(2)])
        let removal = StoreRemoval.removing(messages: [uid(1)], summaries: [uid(2)])
        #expect(removal == [SpoolTransaction(erasures: [uid(1)]), SpoolTransaction(erasures: [uid(2)])])
    }

    @Test func expiryPlan_tellsOncePerGroup_andNothingOfWhatIsMarked() {
        func record(_ group: Int?, end: CopyState? = nil) -> MessageRecord {
            MessageRecord(
                author: "a", authorMailbox: 1000, submission: "", day: 1, destinations: ["#board", "bob"],
                copies: [MessageRecord.Copy(member: "bob", mailbox: 1001, group: group, end: end)])
        }
        let pages = [
            MessagePage(id: tag(1), uid: uid(11), record: record(0)),
            MessagePage(id: tag(2), uid: uid(12), record: record(nil)),
            MessagePage(id: tag(3), uid: uid(13), record: record(0, end: .expired)),
            MessagePage(id: tag(4), uid: uid(14), record: record(0)),
        ]
        let copies = (1...5).map { number in
            ExpiryPlan.Expired(uid: uid(UInt64(number)), id: tag(UInt64(number)), day: 10 - number, isControl: number == 5)
        }
        let plan = ExpiryPlan(copies, mailbox: 1001, pages: pages)
        #expect(plan.spans.map(\.group) == [nil, "board"])
        #expect(plan.spans.map(\.ids) == [[tag(2)], [tag(1), tag(4)]])
        #expect(plan.spans.map(\.days) == [8...8, 6...9])
        #expect(plan.records.map(\.id) == [tag(1), tag(2), tag(4)])
        #expect(plan.records.allSatisfy { $0.record.copies[0].end == .expired })
        let lost = ExpiryPlan(copies, mailbox: 1001, pages: pages, end: .lost)
        #expect(lost.records.allSatisfy { $0.record.copies[0].end == .lost } && lost.spans == plan.spans)
        #expect(lost.records.allSatisfy { MessageRecord($0.record.encoded) == $0.record })
        #expect(plan.transaction(mails: []).erasures == [uid(1), uid(2), uid(3), uid(4), uid(5), uid(11), uid(12), uid(14)])
    }

    @Test func reportPlan_keepsWhatIsOpen_andErasesWhatIsDone() {
        func page(_ number: UInt64) -> MessagePage {
            MessagePage(
                id: tag(number), uid: uid(number),
                record: MessageRecord(
                    author: "a", authorMailbox: 1000, submission: "", day: 1, revision: 4, destinations: ["bob"],
                    copies: [MessageRecord.Copy(member: "bob", mailbox: 1001, group: nil)]))
        }
        let open = MessageNews(page(1), CopyPlaces(held: [1001: .noKey]))
        let done = MessageNews(page(2), CopyPlaces())
        let same = MessageNews(page(3), CopyPlaces(waiting: [1001]))
        #expect(open.isNews && !open.isDone && done.isNews && done.isDone && !same.isNews)
        let plan = ReportPlan([open, done]) { $0.page.id == self.tag(1) }
        #expect(plan.told.map(\.revision) == [5])
        #expect(plan.records.map(\.record?.revision) == [5, nil])
        #expect(plan.records[0].record?.copies[0].told == .held)
        let mail = ControlCopy(id: tag(9), mailbox: MailboxID(rawValue: 1000), payload: [1], header: [2])
        let transaction = plan.transaction(mail: mail)
        #expect(transaction.appends.count == 3 && transaction.erasures == [uid(1), uid(2)])
        #expect(
            transaction.appends.last
                == .delivery(
                    mailbox: mail.mailbox, tag: mail.id, flags: DeliveryFlags.control, header: [2], payload: 1))
    }
}
