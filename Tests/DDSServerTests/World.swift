// A node without listeners: everything of the server role that decides, over a spool in memory and a clock that stands.

import DDSBus
import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool
import DDSTLS
import DDSTestKit
import DDSWire
import Foundation
import Logging

@testable import DDSServer

@LoopActor final class World {
    nonisolated static let domain = "node.test"

    let time = ManualTime()
    let spool: MemorySpool
    let store: DirectoryStore
    let book: MaildropBook
    let delivery: DeliveryService
    let login: LoginService
    let context: ServerContext
    let services: Services
    let folder: String
    /// Everything the bus was told.
    var events: [NodeEvent] { services.bus.trace.map(\.event) }
    private var links: [any Closable] = []
    /// Everybody who was added, by name; of two of one name the later.
    private(set) var people: [String: Person] = [:]

    init(config extra: String = "", spool given: MemorySpool? = nil, isOfBefore: Bool = false) async throws {
        folder = try HostFiles.makeTemporaryFolder(prefix: "ddsworld")
        let config = try Config.load(
            text: """
                [node]
                name = "\(World.domain)"
                host = "127.0.0.1"
                state_dir = "\(folder)/state"
                runtime_dir = "\(folder)/run"
                \(extra)
                """, fileName: "test.toml", environment: [:], roleOverride: ["server"], knownRoles: ["server", "agent"])
        spool = given ?? MemorySpool(time: time)
        services = Services(
            config: config, time: time, random: SystemRandom(), bus: NodeBus(time: time),
            log: Logger(label: "test") { _ in LineLogHandler(level: .critical, underJournal: false) },
            control: ControlCommands(),
            requestStop: { _ in })
        var keys = try ServerKeys.create(in: ServerFolder(stateDir: folder), random: SystemRandom())
        if isOfBefore {
            keys = ServerKeys(
                master: keys.master, tlsSeed: keys.tlsSeed, nodeIdentity: keys.nodeIdentity,
                seal: .ofBefore(classical: keys.sealIdentity, hybrid: nil))
        }
        store = try await DirectoryStore.open(spool: spool)
        book = MaildropBook(try await spool.mailboxes())
        delivery = try await DeliveryService.open(store: store, spool: spool, book: book, services: services, keys: keys)
        login = LoginService(store: store, services: services, failuresPerMinute: 10)
        context = ServerContext(
            services: services, keys: keys, store: store, spool: spool, book: book, delivery: delivery, login: login)
    }

    func close() {
        for link in links { link.close() }
        links = []
        try? HostFiles.removeTree(folder)
    }

    func keep(_ link: any Closable) { links.append(link) }

    // MARK: People

    /// A member with an agent: a device key and a mailbox key.
    @discardableResult
    func addKeyMember(_ name: String, groups: [String] = [], kind: AgeKeyKind = .classical) async throws -> Person {
        let person = try Person(name, kind: kind)
        people[name] = person
        try await store.change { directory throws(Failure) in
            try directory.addingAccount(name, display: "", groups: groups) + [
                .accessGranted(
                    name: name, login: .deviceKey(Hex.encode(person.device.keyHash)), recipient: "\(person.mailbox.recipient)")
            ]
        }
        return person
    }

    /// Somebody who was added without a key joins.
    func join(_ person: Person, as name: String) async throws {
        try await store.change { _ throws(Failure) in
            [
                .accessGranted(
                    name: name, login: .deviceKey(Hex.encode(person.device.keyHash)), recipient: "\(person.mailbox.recipient)")
            ]
        }
    }

    /// A member with a password.
    @discardableResult
    func addPasswordMember(_ name: String, password: String = "correct horse", groups: [String] = []) async throws -> Person {
        let person = try Person(name)
        people[name] = person
        let verifier = try PasswordVerifier.make(password: Array(password.utf8))
        try await store.change { directory throws(Failure) in
            try directory.addingAccount(name, display: "", groups: groups) + [
                .accessGranted(name: name, login: .password(verifier: verifier), recipient: "\(person.mailbox.recipient)")
            ]
        }
        return person
    }

    func addGroup(
        _ name: String, mode: GroupMode = .relay, posting: PostingPolicy = .members, pq: PostQuantumPolicy? = nil,
        senderAuth: SenderAuthentication? = nil, members: [String] = [], owners: [String] = []
    ) async throws {
        try await store.change { directory throws(Failure) in
            try directory.addingGroup(
                name, title: "", mode: mode, posting: posting, pq: pq, senderAuth: senderAuth, members: members, owners: owners)
        }
    }

    func account(_ name: String) -> Account? { store.directory.accounts[name] }

    // MARK: Mail

    /// A message sealed for nobody yet, as a session hands it to delivery.
    func message(_ text: String = "Subject: x\r\n\r\nHello.\r\n", id: String? = nil) throws -> SealedMessage {
        var intake = MessageIntake(identities: context.keys.sealIdentities, random: services.random)
        intake.take(Array(((id.map { "X-DDS-Submission: \($0)\r\n" } ?? "") + text).utf8))
        return try intake.finish()
    }

    /// What waits for a member.
    func waiting(_ name: String) async throws -> [SpoolEntry] {
        guard let account = account(name) else { return [] }
        return try await spool.entries(in: MailboxID(rawValue: account.mailbox))
    }

    /// What the own header of a waiting copy says.
    func stanzas(_ entry: SpoolEntry) async throws -> [AgeStanza] {
        var reader = AgeHeaderReader()
        _ = try reader.feed(try await spool.read(entry.uid, offset: 0, count: .max)[...])
        return reader.stanzas
    }

    /// Opens what waits for `person`, oldest first.
    func opened(_ person: Person) async throws -> [String] {
        var texts: [String] = []
        for entry in try await waiting(person.name) {
            guard let payload = entry.payload else { continue }
            let file = try await spool.read(entry.uid, offset: 0, count: .max) + spool.read(payload, offset: 0, count: .max)
            texts.append(try person.open(file))
        }
        return texts
    }

    /// The wrapper of a submission sealed to this node.
    nonisolated static func sealed(_ text: String, to recipient: AgeRecipient) throws -> [UInt8] {
        var encryptor = try AgeEncryptor(recipients: [recipient], armor: .crlf, random: SystemRandom())
        return Array("Content-Type: application/age\r\n\r\n".utf8) + encryptor.update(Array(text.utf8)[...])
            + encryptor.finish()
    }

    func sealed(_ text: String) throws -> [UInt8] { try Self.sealed(text, to: context.keys.sealIdentity.recipient) }

    /// A message that an agent has sealed to one of the node's keys.
    func message(_ text: String = "Subject: x\r\n\r\nHello.\r\n", sealedTo recipient: AgeRecipient) throws -> SealedMessage {
        var intake = MessageIntake(identities: context.keys.sealIdentities, random: services.random)
        intake.take(try Self.sealed(text, to: recipient))
        return try intake.finish()
    }
}

/// The newest seal key, by kind.
extension ServerKeys {
    var sealIdentity: AgeIdentity { seal.newest.classical }
    var hybridIdentity: AgeIdentity? { seal.newest.hybrid }
}

@LoopActor protocol Closable {
    func close()
}

/// A person with keys.
struct Person: Sendable {
    let name: String
    let device: TLSIdentity
    let mailbox: AgeIdentity

    init(_ name: String, kind: AgeKeyKind = .classical) throws {
        self.name = name
        device = try TLSIdentity.selfSigned(
            seed: SystemRandom().bytes(32), commonName: name, notBefore: WallTime(milliseconds: 1_700_000_000_000),
            lifetimeDays: 9999)
        mailbox = .generate(kind: kind, random: SystemRandom())
    }

    /// The plaintext of an age file for this person.
    func open(_ file: [UInt8]) throws -> String {
        var opener = AgeDecryptor(identities: [mailbox])
        return String(decoding: try opener.feed(file) + opener.finish(), as: UTF8.self)
    }
}

/// Runs `body` with a fresh world and cleans up behind it.
@LoopActor func withWorld(config: String = "", isOfBefore: Bool = false, _ body: @LoopActor (World) async throws -> Void) async throws {
    let world = try await World(config: config, isOfBefore: isOfBefore)
    do {
        try await body(world)
    } catch {
        world.close()
        throw error
    }
    world.close()
}
