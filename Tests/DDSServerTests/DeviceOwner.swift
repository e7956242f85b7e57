import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool
import DDSTLS
import DDSTestKit
import DDSWire
import Testing

@testable import DDSServer

/// A member with an identity, and the devices that they have.
@LoopActor final class DeviceOwner {
    let world: World
    let name: String
    let identity = SigningKey.generate()
    let link = DeviceLink(
        user: "alice", host: "127.0.0.1", pop3sPort: 1, submissionsPort: 2, nodeKeyHash: [UInt8](repeating: 7, count: 16),
        secret: Redacted([UInt8](repeating: 9, count: 16)))
    /// By device number.
    var people: [Int: Person] = [:]
    var statements: [Int: [UInt8]] = [:]

    init(_ name: String, _ world: World, groups: [String] = []) async throws {
        self.world = world
        self.name = name
        let person = try await world.addKeyMember(name, groups: groups)
        let first = statement(person, number: 1, after: nil)
        let account = try #require(world.account(name))
        let (reply, _) = await world.context.state(KeyStating(identity: identity.publicKey, statement: first), for: account)
        guard reply.code == 250 else { throw Unexpected("\(reply)") }
        people[1] = person
        statements[1] = first
    }

    var address: MailAddress {
        guard let address = MailAddress(local: name, domain: World.domain) else { preconditionFailure("a plain name") }
        return address
    }

    func statement(
        _ person: Person, number: UInt64, after last: [UInt8]?, recipient: AgeRecipient? = nil, by other: SigningKey? = nil
    ) -> [UInt8] {
        MailboxStatement(
            holder: .member(address), device: person.device.keyHash, number: number, notBefore: WallTime(milliseconds: 1),
            notAfter: WallTime(milliseconds: 2), recipient: "\(recipient ?? person.mailbox.recipient)",
            previous: last.map { MailboxStatement.hash(of: $0) } ?? MailboxStatement.noPrevious
        ).signed(by: other ?? identity)
    }

    /// The account as a device has it.
    func account(_ number: Int) throws -> Account {
        try #require(world.account(name)?.perDevice.first { $0.deviceNumber == number })
    }

    func request(
        _ action: DeviceRequest.Action, from number: Int = 1, time: WallTime? = nil, by other: SigningKey? = nil
    ) throws -> DeviceRequest {
        DeviceRequest(
            action, of: address, device: try #require(people[number]).device.keyHash,
            node: world.context.keys.nodeIdentity.publicKey, time: time ?? world.time.wall, signedBy: other ?? identity)
    }

    func ask(_ action: DeviceRequest.Action, from number: Int = 1) async throws -> SMTPReply {
        await world.context.answer(try request(action, from: number), by: try account(number)).reply
    }

    func claim(_ person: Person) async -> SMTPReply {
        let claim = LinkClaim(
            address: address, device: person.device.keyHash, node: world.context.keys.nodeIdentity.publicKey,
            recipient: "\(person.mailbox.recipient)", by: link)
        return await say(
            LinkRequest(link: link.id, title: "phone", step: .claim(recipient: claim.recipient, proof: claim.proof)),
            from: person)
    }

    func grant(_ person: Person, from first: Int = 1) async throws -> SMTPReply {
        try await ask(.grant(link: link.id, device: person.device.keyHash, parcel: Self.parcel), from: first)
    }

    static let parcel = LinkParcel(sealed: [UInt8](repeating: 0xab, count: 2500), proof: [UInt8](repeating: 1, count: 32))

    func confirm(_ person: Person, _ statement: [UInt8]? = nil) async -> SMTPReply {
        await say(
            LinkRequest(
                link: link.id, title: "phone",
                step: .confirm(statement: statement ?? self.statement(person, number: 1, after: nil))), from: person)
    }

    func say(_ request: LinkRequest, from person: Person) async -> SMTPReply {
        await world.context.link(request, deviceKey: Hex.encode(person.device.keyHash), from: "192.0.2.1")
    }

    /// Links another device; returns its number.
    @discardableResult func add(kind: AgeKeyKind = .classical, from first: Int = 1) async throws -> Int {
        let person = try Person(name, kind: kind)
        for reply in [
            try await ask(.offer(link: link.id), from: first), await claim(person), try await grant(person, from: first),
        ] {
            guard reply.code == 250 else { throw Unexpected("\(reply)") }
        }
        let reply = await confirm(person)
        guard let number = EnrolmentWelcome(lines: reply.lines)?.device else { throw Unexpected("\(reply)") }
        people[number] = person
        statements[number] = statement(person, number: 1, after: nil)
        return number
    }

    /// Comes back with the recovery kit, on `person`'s device.
    func restore(_ person: Person) async -> SMTPReply {
        let newest = world.account(name)?.statement.flatMap { Base64.decode(Array($0.utf8)) }
        let claim = RestoreClaim(
            address: address, device: person.device.keyHash, node: world.context.keys.nodeIdentity.publicKey,
            time: world.time.wall, statement: statement(person, number: 2, after: newest))
        return await world.context.restore(
            RestoreRequest(claim, signedBy: identity), deviceKey: Hex.encode(person.device.keyHash), from: "192.0.2.1")
    }

    func waiting(_ number: Int) async throws -> [SpoolEntry] {
        try await world.spool.entries(in: MailboxID(rawValue: try account(number).mailbox))
    }

    func notices(_ number: Int) async throws -> [DeviceNotice] {
        let person = try #require(people[number])
        var notices: [DeviceNotice] = []
        for entry in try await waiting(number) where entry.isControl {
            let payload = try #require(entry.payload)
            let header = try await world.spool.read(entry.uid, offset: 0, count: .max)
            let text = try person.open(try await header + world.spool.read(payload, offset: 0, count: .max))
            let reading = ControlMail.read(
                Padding.strip(Array(text.utf8)), node: World.domain, to: address,
                key: world.context.keys.nodeIdentity.publicKey)
            if case .genuine(let mail) = reading, case .device(let notice) = mail.content { notices.append(notice) }
        }
        return notices
    }

    /// The texts that wait for a device and open with its key.
    func opened(_ number: Int) async throws -> [String] {
        let person = try #require(people[number])
        var texts: [String] = []
        for entry in try await waiting(number) where !entry.isControl {
            let payload = try #require(entry.payload)
            let header = try await world.spool.read(entry.uid, offset: 0, count: .max)
            texts.append(try person.open(try await header + world.spool.read(payload, offset: 0, count: .max)))
        }
        return texts
    }
}
