// The IMAP server session on any octets.

import DDSCore
import DDSWire

private let imapMessages: [[UInt8]] = [
    Array("From: a@b\r\nTo: g: c@d;\r\nSubject: one\r\n\r\nfirst\r\n".utf8),
    Array(
        ("Subject: =?utf-8?q?=C3=A4?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n"
            + "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ntwo\r\n--b--\r\n").utf8),
    [],
]

private func imapView(_ choices: inout FuzzChoices, version: UInt64) -> IMAPView {
    let rows = imapMessages.indices.map { index in
        IMAPRow(
            uid: UInt32(index * 2 + 1), modSeq: UInt64(index + 1) + UInt64(choices.below(3)),
            flags: IMAPFlags(
                IMAPFlags.System(rawValue: UInt8(choices.below(32))), keywords: choices.oneIn(4) ? ["$Forwarded"] : []),
            internalDate: 1_764_000_000, size: imapMessages[index].count)
    }.filter { _ in !choices.oneIn(8) }
    return IMAPView(
        uidValidity: 7, uidNext: 9, highestModSeq: 9, rows: rows,
        permanentFlags: IMAPFlags.System(rawValue: UInt8(choices.below(32))), version: version)
}

private func imapAnswer(_ question: IMAPServerQuestion, _ choices: inout FuzzChoices, version: UInt64) -> IMAPServerAnswer {
    func view() -> IMAPServerAnswer { .view(imapView(&choices, version: version)) }
    let declined = IMAPServerAnswer.declined(IMAPRefusal("CANNOT", "That is not done here"))
    switch question {
    case .authenticate:
        return choices.oneIn(8) ? .refused : choices.oneIn(8) ? .unavailable("locked") : .authenticated(name: "bob")
    case .mailboxes:
        return .mailboxes([
            IMAPMailbox(name: "INBOX"), IMAPMailbox(name: "Archive", use: .archive),
            IMAPMailbox(name: "x", isSelectable: false),
            IMAPMailbox(name: "x/\u{e4} \"&\\", isSubscribed: false),
        ])
    case .status:
        return choices.oneIn(8)
            ? declined
            : .status(
                IMAPStatus(messages: 3, unseen: 1, deleted: 0, uidNext: 9, uidValidity: 7, highestModSeq: 9, size: 300))
    case .open: return choices.oneIn(8) ? declined : view()
    case .refresh: return choices.oneIn(32) ? declined : choices.oneIn(2) ? .unchanged : view()
    case .bodies(let uids, let reading):
        return .bodies(
            uids.map { uid in
                precondition(uid % 2 == 1 && uid <= 5, "only messages of the view are asked for")
                return choices.oneIn(8) ? nil : reading.message(imapMessages[Int(uid) / 2])
            })
    case .store(let uids, _, let since):
        precondition(!uids.isEmpty, "somebody's flags are changed")
        if choices.oneIn(8) { return declined }
        return since == nil
            ? view() : .stored(imapView(&choices, version: version), modified: uids.filter { _ in choices.oneIn(4) })
    case .append: return choices.oneIn(8) ? declined : .appended(uidValidity: 7, uid: 9)
    case .mayAppend: return choices.oneIn(4) ? declined : .proceed
    case .copy(let uids, _), .move(let uids, _):
        precondition(!uids.isEmpty, "something is copied")
        return choices.oneIn(8) ? declined : .copied(uidValidity: 7, pairs: uids.map { ($0, $0 + 100) })
    case .expunge: return choices.oneIn(8) ? declined : view()
    case .search, .sort: return choices.oneIn(8) ? declined : .found([1, 3, 5].filter { _ in !choices.oneIn(3) })
    case .thread:
        return .threads([IMAPThread(uid: nil, children: [IMAPThread(uid: 1), IMAPThread(uid: 3)]), IMAPThread(uid: 5)])
    case .manage: return choices.oneIn(4) ? declined : .done
    case .wait: return .changed
    case .pause: return .proceed
    }
}

func fuzzIMAP(_ input: [UInt8]) {
    var isImplicit = false
    var version: UInt64 = 0
    var isWaitOver = false
    var fuzz = FuzzSession<IMAPServerSession>(
        // A line, what its literals may hold, and a message.
        input, storedMax: 1000 + 600 + 2000 + 1000,
        make: { choices in
            isImplicit = choices.oneIn(4)
            var configuration = IMAPServerConfiguration(
                hostName: "mail.test", tls: isImplicit ? .implicit : choices.oneIn(4) ? .startTLSRequired : .none)
            configuration.lineOctetsMaxBeforeLogin = 500
            configuration.lineOctetsMax = 1000
            configuration.literalOctetsMaxBeforeLogin = 100
            configuration.literalOctetsMax = 300
            configuration.commandOctetsMax = 600
            configuration.messageOctetsMax = 2000
            configuration.bodiesOctetsMax = 100
            configuration.messagesAtOnce = 2
            return IMAPServerSession(configuration: configuration)
        },
        perform: { effect in
            if effect == .stopWaiting { isWaitOver = true }
        },
        answer: { question, choices in
            version += 1
            if case .wait = question, !isWaitOver, !choices.oneIn(3) { return nil }
            isWaitOver = false
            return imapAnswer(question, &choices, version: version)
        })
    fuzz.run(isImplicit: isImplicit)
    checkLines(fuzz.output) { _ in true }
}
