// Who is in a group, as the node says it to the group's members: numbered, and each naming the one before it by its hash. Here is
// the value and its one form in bytes; which roster may follow which is RosterChain's affair, and when one is made the server's.

package import DDSCore
package import DDSSeal

/// One state of a group.
package struct Roster: Hashable, Sendable {
    package enum Role: String, Hashable, Sendable {
        case owner, member
    }

    package struct Member: Hashable, Sendable {
        package var address: MailAddress
        package var display: String
        package var role: Role
        /// The Ed25519 key that the member signs with, 32 bytes; nil where the node knows none.
        package var identity: [UInt8]?
        /// In order of their numbers; empty for who has not joined yet.
        package var devices: [Device]

        package init(
            address: MailAddress, display: String, role: Role, identity: [UInt8]? = nil, devices: [Device] = []
        ) {
            self.address = address
            self.display = display
            self.role = role
            self.identity = identity
            self.devices = devices.sorted { $0.number < $1.number }
        }

        package var hasJoined: Bool { !devices.isEmpty }
    }

    /// One of a member's devices, as far as others need to know it.
    package struct Device: Hashable, Sendable {
        /// Counts the member's devices.
        package var number: Int
        /// The `age1...` or `age1pq1...` recipient of the mailbox key.
        package var recipient: String
        /// Which of the device's mailbox keys that is; nil for keys that are not numbered.
        package var keyNumber: UInt64?

        package init(number: Int = 1, recipient: String, keyNumber: UInt64? = nil) {
            self.number = number
            self.recipient = recipient
            self.keyNumber = keyNumber
        }

        package var keyKind: AgeKeyKind { AgeKeyKind(accepted: recipient) }
    }

    /// What matters to who writes and reads. Words of a later version are kept as they are.
    package struct Settings: Hashable, Sendable {
        package var mode: String
        package var posting: String
        package var pq: String
        package var senderAuth: String

        package init(mode: String, posting: String, pq: String, senderAuth: String) {
            self.mode = mode
            self.posting = posting
            self.pq = pq
            self.senderAuth = senderAuth
        }

        /// Each setting with its name, in the order in which people are told of them.
        package var named: [(name: String, value: String)] {
            [("mode", mode), ("post", posting), ("pq", pq), ("sender_auth", senderAuth)]
        }
    }

    package static let version: Int64 = 1
    /// A roster of ten thousand members with hybrid keys has 22 MiB; what is larger than this is none.
    package static let bytesMax = 32 << 20
    package static let membersMax = 10_000

    /// Name and address of the group.
    package var group: MailAddress
    /// Counts from 1.
    package var number: UInt64
    /// BLAKE2b-256 of the roster before this one; nil for the first.
    package var previous: [UInt8]?
    package var time: WallTime
    package var settings: Settings
    /// Those who get the group's mail, in order of their addresses.
    package var members: [Member]

    package init(
        group: MailAddress, number: UInt64, previous: [UInt8]?, time: WallTime, settings: Settings, members: [Member]
    ) {
        self.group = group
        self.number = number
        self.previous = previous
        self.time = time
        self.settings = settings
        self.members = members.sorted { "\($0.address)" < "\($1.address)" }
    }

    package func member(_ address: MailAddress) -> Member? { members.first { $0.address == address } }

    /// For people whose mail program knows nothing of rosters.
    package var text: String {
        let count = members.count == 1 ? "1 member" : "\(members.count) members"
        return "Mail to \(group) can be read by \(count) from now on (roster \(number)):\n"
            + members.map { member in
                "  \(member.display) <\(member.address)>\(member.role == .owner ? ", owner" : "")"
                    + (member.hasJoined ? "" : ", has not joined yet")
                    + (member.devices.count > 1 ? ", on \(member.devices.count) devices" : "") + "\n"
            }.joined()
            + "\n" + settings.named.map { "\($0.name): \($0.value)\n" }.joined()
    }
}

/// A roster with the octets that stand for it: what was signed, and what the next one names by its hash.
package struct RosterDocument: Hashable, Sendable {
    package let roster: Roster
    /// JSON of one line. As it was read or, of a roster that is made here, the canonical form: keys sorted, no spaces.
    package let bytes: [UInt8]
    /// BLAKE2b-256 of the octets.
    package let hash: [UInt8]

    package init(_ roster: Roster) {
        self.init(roster, bytes: roster.json.line)
    }

    private init(_ roster: Roster, bytes: [UInt8]) {
        self.roster = roster
        self.bytes = bytes
        hash = Hash.blake2b(bytes, count: 32)
    }

    package var head: RosterHead { RosterHead(number: roster.number, hash: hash) }

    /// Reads what a node has written.
    package init(parsing bytes: [UInt8]) throws(RosterRefusal) {
        guard bytes.count <= Roster.bytesMax else { throw .oversized }
        guard let json = JSONValue(parsing: bytes) else { throw .truncated }
        guard let version = json["version"]?.integer else { throw .malformed }
        guard version == Roster.version else { throw .newerVersion(version) }
        guard json["members"]?.array?.count ?? 0 <= Roster.membersMax else { throw .oversized }
        guard let roster = Roster(json: json) else { throw .malformed }
        self.init(roster, bytes: bytes)
    }
}

/// Which roster: its number and its hash.
package struct RosterHead: Hashable, Sendable, Codable {
    package var number: UInt64
    /// 32 bytes.
    package var hash: [UInt8]

    package init(number: UInt64, hash: [UInt8]) {
        self.number = number
        self.hash = hash
    }
}

// MARK: JSON

extension Roster {
    var json: JSONValue {
        var fields: [String: JSONValue] = [
            "version": .number(Self.version), "group": .text("\(group)"), "number": .number(Int64(clamping: number)),
            "time": .number(time.milliseconds), "members": .list(members.map(\.json)),
            "settings": .object(Dictionary(uniqueKeysWithValues: settings.named.map { ($0.name, .text($0.value)) })),
        ]
        if let previous { fields["previous"] = .text(Hex.encode(previous)) }
        return .object(fields)
    }

    init?(json: JSONValue) {
        guard let group = json["group"]?.string.flatMap({ MailAddress($0) }),
            let number = json["number"]?.integer.flatMap(UInt64.init(exactly:)), number > 0,
            let time = json["time"]?.integer, let settings = json["settings"], let list = json["members"]?.array
        else { return nil }
        var previous: [UInt8]?
        if let text = json["previous"] {
            guard let hash = text.string.flatMap({ Hex.decode($0) }), hash.count == 32 else { return nil }
            previous = hash
        }
        guard (previous == nil) == (number == 1) else { return nil }
        let members = list.compactMap { Member(json: $0) }
        guard members.count == list.count, Set(members.map(\.address)).count == members.count else { return nil }
        self.init(
            group: group, number: number, previous: previous, time: WallTime(milliseconds: time),
            settings: Settings(
                mode: settings["mode"]?.string ?? "", posting: settings["post"]?.string ?? "",
                pq: settings["pq"]?.string ?? "", senderAuth: settings["sender_auth"]?.string ?? ""), members: members)
    }
}

extension Roster.Member {
    var json: JSONValue {
        var fields: [String: JSONValue] = [
            "address": .text("\(address)"), "display": .text(display), "role": .text(role.rawValue),
        ]
        if let identity { fields["identity"] = .text(Hex.encode(identity)) }
        // The first device stands in the member's own fields, where it was before there were others.
        if let first = devices.first { fields.merge(first.fields) { $1 } }
        if devices.count > 1 { fields["devices"] = .list(devices.dropFirst().map { .object($0.fields) }) }
        return .object(fields)
    }

    init?(json: JSONValue) {
        guard let address = json["address"]?.string.flatMap({ MailAddress($0) }), let display = json["display"]?.string,
            let role = json["role"]?.string.flatMap(Roster.Role.init(rawValue:))
        else { return nil }
        var identity: [UInt8]?
        if let text = json["identity"] {
            guard let key = text.string.flatMap({ Hex.decode($0) }), key.count == 32 else { return nil }
            identity = key
        }
        var devices: [Roster.Device] = []
        if json["recipient"] != nil {
            let all = [json] + (json["devices"]?.array ?? [])
            devices = all.compactMap { Roster.Device(json: $0) }
            guard devices.count == all.count, Set(devices.map(\.number)).count == devices.count else { return nil }
        }
        self.init(address: address, display: display, role: role, identity: identity, devices: devices)
    }
}

extension Roster.Device {
    fileprivate var fields: [String: JSONValue] {
        var fields: [String: JSONValue] = ["recipient": .text(recipient), "key": .text(keyKind.rawValue)]
        if number != 1 { fields["device"] = .number(number) }
        if let keyNumber { fields["key_number"] = .number(Int64(clamping: keyNumber)) }
        return fields
    }

    fileprivate init?(json: JSONValue) {
        guard let recipient = json["recipient"]?.string, let number = Int(exactly: json["device"]?.integer ?? 1), number > 0
        else { return nil }
        self.init(
            number: number, recipient: recipient, keyNumber: json["key_number"]?.integer.flatMap(UInt64.init(exactly:)))
    }
}
