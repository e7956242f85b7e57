// Mailboxes in memory that answer IMAP server sessions: one person, bob, with a few folders. It keeps the promises of
// IMAPServerQuestion in the simplest way there is.

import DDSCore
import DDSTestKit
import DDSWire
import Testing

final class IMAPModel {
    struct Message: Hashable {
        var row: IMAPRow
        var bytes: [UInt8]
    }

    struct Folder {
        var messages: [Message] = []
        var uidNext: UInt32 = 1
        var uidValidity: UInt32 = 7
        var modSeq: UInt64 = 1
        var isSubscribed = true
        var use: IMAPMailbox.Use?
        var permanentFlags: IMAPFlags.System = [.seen, .answered, .flagged, .deleted, .draft]
    }

    static let key: [UInt8] = Array(repeating: 7, count: 32)
    static let peer = TLSPeer(version: "TLSv1.3", keyHash: key)
    static let peerWithoutKey = TLSPeer(version: "TLSv1.3", keyHash: nil)

    var folders: [String: Folder] = [:]
    var selected: String?
    var questions: [IMAPServerQuestion] = []
    var isHeldBack: (IMAPServerQuestion) -> Bool = { if case .wait = $0 { true } else { false } }
    /// What a question is answered instead.
    var override: (IMAPServerQuestion) -> IMAPServerAnswer? = { _ in nil }
    var closes = 0
    var stops = 0

    static let mails = [
        "From: Ann <ann@x.test>\r\nSubject: one\r\n\r\nfirst body\r\n",
        "From: Bob <bob@x.test>\r\nSubject: two\r\n\r\nsecond\r\nbody\r\n",
        "From: Cid <cid@x.test>\r\nSubject: three\r\nTo: bob@x.test\r\n\r\n3\r\n",
    ]

    init() {
        folders["INBOX"] = Folder()
        folders["Drafts"] = Folder(use: .drafts)
        folders["Groups/Board"] = Folder()
        folders["Gr\u{fc}n"] = Folder(isSubscribed: false)
        for mail in Self.mails { add(mail) }
    }

    @discardableResult
    func add(_ text: String, to name: String = "INBOX", flags: IMAPFlags = IMAPFlags()) -> UInt32 {
        add(Array(text.utf8), to: name, flags: flags)
    }

    @discardableResult
    func add(_ bytes: [UInt8], to name: String, flags: IMAPFlags, date: Int64 = 837_571_465) -> UInt32 {
        guard var folder = folders[name] else { return 0 }
        folder.modSeq += 1
        let uid = folder.uidNext
        folder.uidNext += 1
        let row = IMAPRow(uid: uid, modSeq: folder.modSeq, flags: flags, internalDate: date, size: bytes.count)
        folder.messages.append(Message(row: row, bytes: bytes))
        folders[name] = folder
        return uid
    }

    func remove(_ uid: UInt32, from name: String = "INBOX") {
        folders[name]?.messages.removeAll { $0.row.uid == uid }
        folders[name]?.modSeq += 1
    }

    func flag(_ uid: UInt32, _ change: IMAPFlagChange, in name: String = "INBOX") {
        guard var folder = folders[name], let index = folder.messages.firstIndex(where: { $0.row.uid == uid }) else { return }
        folder.modSeq += 1
        folder.messages[index].row.flags = Self.apply(change, to: folder.messages[index].row.flags)
        folder.messages[index].row.modSeq = folder.modSeq
        folders[name] = folder
    }

    private static func apply(_ change: IMAPFlagChange, to flags: IMAPFlags) -> IMAPFlags {
        switch change {
        case .set(let new): new
        case .add(let new):
            IMAPFlags(
                flags.system.union(new.system),
                keywords: (flags.keywords
                    + new.keywords.filter { word in !flags.keywords.contains { $0.lowercased() == word.lowercased() } })
                    .sorted())
        case .remove(let old):
            IMAPFlags(
                flags.system.subtracting(old.system),
                keywords: flags.keywords.filter { word in !old.keywords.contains { $0.lowercased() == word.lowercased() } })
        }
    }

    func flags(_ uid: UInt32, in name: String = "INBOX") -> IMAPFlags? {
        folders[name]?.messages.first { $0.row.uid == uid }?.row.flags
    }

    // MARK: Sessions

    func harness(
        tls: IMAPServerConfiguration.TLSMode = .none, _ change: (inout IMAPServerConfiguration) -> Void = { _ in }
    ) -> SessionHarness<IMAPServerSession> {
        var configuration = IMAPServerConfiguration(hostName: "mail.test", tls: tls)
        configuration.version = "1.0"
        change(&configuration)
        return SessionHarness(
            IMAPServerSession(configuration: configuration), perform: { self.perform($0) }, answer: { self.answer($0) })
    }

    /// A session behind its greeting.
    func greeted(_ change: (inout IMAPServerConfiguration) -> Void = { _ in }) -> SessionHarness<IMAPServerSession> {
        var harness = harness(change)
        harness.start()
        _ = harness.takeOutput()
        return harness
    }

    func loggedIn(_ change: (inout IMAPServerConfiguration) -> Void = { _ in }) -> SessionHarness<IMAPServerSession> {
        var harness = greeted(change)
        harness.receive("l LOGIN bob secret\r\n")
        _ = harness.takeOutput()
        return harness
    }

    func selecting(
        _ name: String = "INBOX", _ change: (inout IMAPServerConfiguration) -> Void = { _ in }
    ) -> SessionHarness<IMAPServerSession> {
        var harness = loggedIn(change)
        harness.receive("s SELECT \(name)\r\n")
        _ = harness.takeOutput()
        questions = []
        return harness
    }

    func perform(_ effect: IMAPServerEffect) {
        switch effect {
        case .stopWaiting: stops += 1
        case .closeMailbox:
            closes += 1
            selected = nil
        }
    }

    // MARK: Answers

    func answer(_ question: IMAPServerQuestion) -> IMAPServerAnswer? {
        if isHeldBack(question) { return nil }
        questions.append(question)
        if let answer = override(question) { return answer }
        switch question {
        case .authenticate(let credentials, let peer): return login(credentials, peer)
        case .mailboxes:
            return .mailboxes(
                folders.map { IMAPMailbox(name: $0.key, use: $0.value.use, isSubscribed: $0.value.isSubscribed) })
        case .status(let name):
            guard let folder = folders[name] else { return Self.nonexistent }
            return .status(
                IMAPStatus(
                    messages: folder.messages.count,
                    unseen: folder.messages.count { !$0.row.flags.system.contains(.seen) },
                    deleted: folder.messages.count { $0.row.flags.system.contains(.deleted) }, uidNext: folder.uidNext,
                    uidValidity: folder.uidValidity, highestModSeq: folder.modSeq,
                    size: folder.messages.reduce(0) { $0 + $1.row.size }))
        case .open(let name):
            guard folders[name] != nil else { return Self.nonexistent }
            selected = name
            return view()
        case .refresh(let since):
            guard let selected, let folder = folders[selected] else { return Self.nonexistent }
            return folder.modSeq == since ? .unchanged : view()
        case .bodies(let uids, let reading):
            return .bodies(uids.map { uid in (messages.first { $0.row.uid == uid }?.bytes).map(reading.message) })
        case .store(let uids, let change, let since): return store(uids, change, since)
        case .append(let name, let flags, let date, let bytes):
            guard let folder = folders[name] else { return .declined(IMAPRefusal("TRYCREATE", "No such mailbox")) }
            return .appended(uidValidity: folder.uidValidity, uid: add(bytes, to: name, flags: flags, date: date ?? 0))
        case .mayAppend(let name, let octets):
            guard folders[name] != nil else { return .declined(IMAPRefusal("TRYCREATE", "No such mailbox")) }
            return octets > 5000 ? .declined(IMAPRefusal("OVERQUOTA", "Too much")) : .proceed
        case .copy(let uids, let name): return copy(uids, name, moves: false)
        case .move(let uids, let name): return copy(uids, name, moves: true)
        case .expunge(let uids):
            for uid in uids where flags(uid, in: selected ?? "")?.system.contains(.deleted) == true {
                remove(uid, from: selected ?? "")
            }
            return view()
        case .search(let key): return .found(messages.map(\.row).filter { matches($0, key) }.map(\.uid))
        case .sort(let keys, let key):
            let found = messages.map(\.row).filter { matches($0, key) }.map(\.uid)
            return .found(keys[0].isReverse ? found.reversed() : found)
        case .thread:
            let uids = messages.map(\.row.uid)
            guard let first = uids.first else { return .threads([]) }
            return .threads([IMAPThread(uid: first, children: uids.dropFirst().map { IMAPThread(uid: $0) })])
        case .manage(let management): return manage(management)
        case .wait: return .changed
        case .pause: return .proceed
        }
    }

    private static let nonexistent = IMAPServerAnswer.declined(IMAPRefusal("NONEXISTENT", "No such mailbox"))

    private var messages: [Message] { selected.flatMap { folders[$0]?.messages } ?? [] }

    func view() -> IMAPServerAnswer {
        guard let selected, let folder = folders[selected] else { return Self.nonexistent }
        return .view(
            IMAPView(
                uidValidity: folder.uidValidity, uidNext: folder.uidNext, highestModSeq: folder.modSeq,
                rows: folder.messages.map(\.row), permanentFlags: folder.permanentFlags, version: folder.modSeq))
    }

    private func login(_ credentials: Credentials, _ peer: TLSPeer?) -> IMAPServerAnswer {
        switch credentials {
        case .external: return peer?.keyHash == Self.key ? .authenticated(name: "bob") : .refused
        case .plain(_, let name, let password):
            if name == "locked" { return .unavailable("The agent is locked") }
            return name == "bob" && password.exposed == Array("secret".utf8) ? .authenticated(name: "bob") : .refused
        }
    }

    private func store(_ uids: [UInt32], _ change: IMAPFlagChange, _ since: UInt64?) -> IMAPServerAnswer {
        var modified: [UInt32] = []
        for uid in uids {
            guard let row = messages.first(where: { $0.row.uid == uid })?.row else { continue }
            if let since, row.modSeq > since { modified.append(uid) } else { flag(uid, change, in: selected ?? "") }
        }
        guard since != nil, case .view(let view) = view() else { return view() }
        return .stored(view, modified: modified)
    }

    private func copy(_ uids: [UInt32], _ name: String, moves: Bool) -> IMAPServerAnswer {
        guard let target = folders[name] else { return .declined(IMAPRefusal("TRYCREATE", "No such mailbox")) }
        var pairs: [(UInt32, UInt32)] = []
        for uid in uids {
            guard let message = messages.first(where: { $0.row.uid == uid }) else { continue }
            pairs.append((uid, add(message.bytes, to: name, flags: message.row.flags)))
            if moves { remove(uid, from: selected ?? "") }
        }
        return .copied(uidValidity: target.uidValidity, pairs: pairs)
    }

    private func manage(_ management: IMAPManagement) -> IMAPServerAnswer {
        switch management {
        case .create(let name):
            guard folders[name] == nil else { return .declined(IMAPRefusal("ALREADYEXISTS", "There is one")) }
            folders[name] = Folder()
        case .delete(let name):
            guard name != "INBOX", folders[name] != nil else { return .declined(IMAPRefusal("CANNOT", "Not this one")) }
            folders[name] = nil
        case .rename(let old, let new):
            guard let folder = folders[old] else { return Self.nonexistent }
            folders[old] = nil
            folders[new] = folder
        case .subscribe(let name): folders[name]?.isSubscribed = true
        case .unsubscribe(let name): folders[name]?.isSubscribed = false
        }
        return .done
    }

    func matches(_ row: IMAPRow, _ key: IMAPSearchKey) -> Bool {
        switch key {
        case .all: true
        case .uids(let set): set.ranges.contains { $0.contains(row.uid) }
        case .flag(let flag, let isSet): row.flags.system.contains(flag) == isSet
        case .keyword(let word, let isSet): row.flags.keywords.contains { $0.lowercased() == word.lowercased() } == isSet
        case .not(let inner): !matches(row, inner)
        case .or(let left, let right): matches(row, left) || matches(row, right)
        case .and(let keys): keys.allSatisfy { matches(row, $0) }
        case .larger(let octets): row.size > octets
        case .smaller(let octets): row.size < octets
        case .modSeq(let modSeq): row.modSeq >= modSeq
        case .before, .on, .since, .younger, .older, .header, .body, .text: true
        }
    }
}
