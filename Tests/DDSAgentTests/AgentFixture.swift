import DDSBus
import DDSCore
import DDSLock
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import Foundation
import Logging

@testable import DDSAgent

/// Keys, an account and a spool in memory, as an agent of alice@node.test has them.
@LoopActor final class AgentFixture {
    let time = ManualTime()
    let random = SystemRandom()
    let keys: VaultKeys
    var account: AgentAccount
    /// The node's identity.
    let node = MinisignKey(.generate())
    let spool: CutSpool
    let gate = LoopGate()

    init() throws {
        keys = VaultKeys.generate(random: random)
        var account = try testAccount(ownRecipient: "\(keys.mailbox.recipient)", nodeRecipient: "\(keys.mailbox.recipient)")
        account.nodeIdentity = node.publicKey.key
        self.account = account
        spool = CutSpool(MemorySpool(time: time))
    }

    /// A control mail as the node makes it, or somebody who has another key.
    func control(_ content: ControlMail.Content, to: String = "alice@node.test", signedBy key: MinisignKey? = nil) -> [UInt8] {
        guard let address = MailAddress(to) else { preconditionFailure("an address") }
        let mail = ControlMail(
            id: "0123456789abcdef0123456789abcdef", node: "node.test", to: address, date: time.wall, content: content)
        return Padding.pad(mail.message(signedBy: key ?? node))
    }

    func store() async throws -> MessageStore {
        try await MessageStore.open(spool: spool, keys: keys, account: account, random: random, time: time, gate: gate)
    }

    func book(isSent: (String) -> Bool = { _ in false }) async throws -> DraftBook {
        try await DraftBook.open(spool: spool, keys: keys, random: random, time: time, gate: gate, isSent: isSent)
    }

    /// A message as the node would hand it out, put where the fetcher puts it.
    @discardableResult
    func deliver(
        _ message: [UInt8], group: String? = nil, seal: AgeKeyKind? = nil, to recipient: AgeRecipient? = nil,
        notes: [AgeStanza] = []
    ) async throws -> SpoolUID {
        let bytes = try wrapped(
            message, group: group, seal: seal, to: recipient ?? keys.mailbox.recipient, random: random, notes: notes)
        return try await deliverWrapped(bytes, in: spool)
    }
}

@discardableResult
func deliverWrapped(_ bytes: [UInt8], in spool: any SpoolEngine) async throws -> SpoolUID {
    let tag = RecordTag.named("uidl\0" + UUID().uuidString)
    return try await spool.commit(
        SpoolTransaction(appends: [.record(mailbox: AgentMailbox.inbox, tag: tag, flags: 0, body: bytes)]))[0]
}

func testAccount(ownRecipient: String, nodeRecipient: String) throws -> AgentAccount {
    guard let address = MailAddress("alice@node.test") else { throw Failure(.bug, "an address") }
    return AgentAccount(
        address: address, display: "Alice", groups: ["board"], host: "127.0.0.1", pop3sPort: 1, submissionsPort: 1,
        nodeKeyHash: [UInt8](repeating: 7, count: 16), nodeRecipient: nodeRecipient, ownRecipient: ownRecipient)
}

/// The wrapper with one age file for `recipient`, with the notes of `group`, `seal` and `mode` in its header.
func wrapped(
    _ message: [UInt8], group: String?, seal: AgeKeyKind? = nil, mode: GroupMode = .relay, to recipient: AgeRecipient,
    random: SystemRandom, notes others: [AgeStanza] = []
) throws -> [UInt8] {
    let fileKey = AgeFileKey.generate(random: random)
    let own = [seal.map { SealNote.stanza($0) }, ModeNote.stanza(mode), group.map { GroupNote.stanza($0) }]
    let notes = own.compactMap { $0 } + others
    let headers = try FanOut.headers(fileKey: fileKey, recipients: [recipient], notes: [notes], random: random)
    var writer = AgePayloadWriter(fileKey: fileKey, random: random)
    var armor = AgeArmorEncoder(lineEnd: .crlf)
    let file = headers[0] + writer.update(message[...]) + writer.finish()
    guard let address = MailAddress("alice@node.test") else { throw Failure(.bug, "an address") }
    return SealedWrapper.head(node: "node.test", recipient: address, uidl: "U1", day: 20_000) + armor.update(file[...])
        + armor.finish()
}

func mail(
    from: String = "bob@node.test", to: String = "alice@node.test", subject: String, id: String = UUID().uuidString,
    inReplyTo: String? = nil, date: String = "Mon, 23 Nov 2026 10:00:00 +0000", body: String = "Hello.\r\n"
) -> [UInt8] {
    var text = "From: \(from)\r\nTo: \(to)\r\nSubject: \(subject)\r\nMessage-ID: <\(id)@node.test>\r\n"
    if let inReplyTo { text += "In-Reply-To: <\(inReplyTo)@node.test>\r\nReferences: <\(inReplyTo)@node.test>\r\n" }
    return Array((text + "Date: \(date)\r\n\r\n" + body).utf8)
}

/// A spool of which a commit may be cut off after its appends and some of its erasures, as a crash does.
final class CutSpool: SpoolEngine {
    let memory: MemorySpool
    private let cut = Lock<(commits: Int, erasures: Int)?>(nil)

    init(_ memory: MemorySpool) {
        self.memory = memory
    }

    /// Of the commits from now on this many are whole, and of the next one this many erasures happen.
    func cutNext(after commits: Int = 0, erasures: Int = 0) { cut.withLock { $0 = (commits, erasures) } }

    func commit(_ transaction: SpoolTransaction) async throws(SpoolError) -> [SpoolUID] {
        let erasures = cut.withLock { cut -> Int? in
            guard let next = cut else { return nil }
            cut = next.commits > 0 ? (next.commits - 1, next.erasures) : nil
            return next.commits > 0 ? nil : next.erasures
        }
        guard let erasures else { return try await memory.commit(transaction) }
        _ = try await memory.commit(
            SpoolTransaction(appends: transaction.appends, erasures: Array(transaction.erasures.prefix(erasures))))
        throw .stopped("cut off")
    }

    func entries(in mailbox: MailboxID) async throws(SpoolError) -> [SpoolEntry] { try await memory.entries(in: mailbox) }
    func mailboxes() async throws(SpoolError) -> [MailboxID: (count: Int, bytes: Int)] { try await memory.mailboxes() }
    func read(_ uid: SpoolUID, offset: Int, count: Int) async throws(SpoolError) -> [UInt8] {
        try await memory.read(uid, offset: offset, count: count)
    }
    func statistics() async throws(SpoolError) -> SpoolStatistics { try await memory.statistics() }
    func close() async {}

    func count(_ mailbox: MailboxID) async throws -> Int { try await memory.entries(in: mailbox).count }
}

@LoopActor func testServices(folder: String = "/nonexistent", time: any TimeSource, undoSend: String = "0s") throws -> Services {
    let config = try Config.load(
        text:
            "[node]\nname = \"node.test\"\nhost = \"127.0.0.1\"\nstate_dir = \"\(folder)/state\"\nruntime_dir = \"\(folder)/run\"\n"
            + "[agent.web]\nundo_send = \"\(undoSend)\"\n",
        fileName: "test.toml", environment: [:], roleOverride: ["agent"], knownRoles: ["server", "agent"])
    return Services(
        config: config, time: time, random: SystemRandom(), bus: NodeBus(time: time),
        log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, control: ControlCommands(), requestStop: { _ in })
}

/// Lets other tasks of the loop go as far as they can without the disk.
@LoopActor func turns() async {
    for _ in 0..<50 { await Task.yield() }
}
