import DDSCore
import DDSSeal
import DDSTestKit
import Testing

@testable import DDSNode

@Suite struct DeviceLinkTests {
    private let link = DeviceLink(
        user: "alice", host: "node.test", pop3sPort: 995, submissionsPort: 465,
        nodeKeyHash: [UInt8](0..<16), secret: Redacted([UInt8](100..<116)))
    private let random = SystemRandom()

    private func claim(_ mailbox: AgeIdentity) throws -> LinkClaim {
        LinkClaim(
            address: try #require(MailAddress("alice@node.test")), device: [UInt8](repeating: 1, count: 32),
            node: [UInt8](repeating: 2, count: 32), recipient: "\(mailbox.recipient)", by: link)
    }

    // MARK: The text

    @Test func aLink_isFoundAmongWords_andComesBackAlike() throws {
        for ports in [(995 as UInt16, 465 as UInt16), (1995, 1465)] {
            var link = link
            (link.pop3sPort, link.submissionsPort) = ports
            for text in [
                link.link, "Here: <\(link.link)> now",
                "\n\(link.link.lowercased().replacing("alice@node.test", with: "alice@node.test"))\r\n",
            ] {
                let read = try #require(DeviceLink(text))
                #expect(read.link == link.link && read.id == link.id && read.secret.exposed == link.secret.exposed)
            }
        }
        #expect("\(link)" == "device link of alice at node.test")
        #expect(!"\(link) \(link.id)".contains(link.link.suffix(26)))
    }

    @Test func aCutOrDamagedLink_isNone() {
        let text = link.link
        for length in 0..<text.count { #expect(DeviceLink(String(text.prefix(length))) == nil) }
        #expect(DeviceLink(text + "0") == nil)
        for damaged in [
            text.replacing("alice@", with: ""), text.replacing("alice@", with: "@"), text.replacing("alice@", with: "a@b@"),
            text.replacing("#", with: "!"), text.replacing("node.test", with: ""), text.replacing("#", with: "?p=0.1#"),
        ] { #expect(DeviceLink(damaged) == nil, "\(damaged)") }
        // Neither is the other.
        #expect(throws: Failure.self) { try InviteLink(text) }
        let invite = InviteLink(
            host: "node.test", pop3sPort: 995, submissionsPort: 465, nodeKeyHash: [UInt8](0..<16), number: 7,
            secret: Redacted([1, 2, 3, 4, 5]))
        #expect(DeviceLink(invite.link) == nil)
    }

    // MARK: Proofs

    @Test func aClaim_isProvenByTheSecret_andForEachOfItsParts() throws {
        let claim = try claim(.generate(kind: .classical, random: random))
        #expect(link.isAuthentic(claim))
        var other = link
        other.secret = Redacted([UInt8](101..<117))
        #expect(!other.isAuthentic(claim) && other.id != link.id)
        for change: (inout LinkClaim) -> Void in [
            { $0.address = MailAddress("bob@node.test") ?? $0.address }, { $0.device[0] ^= 1 }, { $0.node[31] ^= 1 },
            { $0.recipient += "x" }, { $0.proof[0] ^= 1 }, { $0.proof.removeLast() }, { $0.proof = [] },
        ] {
            var changed = claim
            change(&changed)
            #expect(!link.isAuthentic(changed))
        }
    }

    @Test(arguments: [AgeKeyKind.classical, .hybrid])
    func aParcel_opensForItsDeviceAlone_andIsProvenForItsClaim(kind: AgeKeyKind) throws {
        let mailbox = AgeIdentity.generate(kind: kind, random: random)
        let claim = try claim(mailbox)
        let seed = SecretBytes.random(32)
        let parcel = try LinkParcel(identity: seed, for: claim, by: link, random: random)
        #expect(parcel.sealed.count <= LinkParcel.bytesMax)
        #expect(link.isAuthentic(parcel, for: claim))
        #expect(parcel.opened(by: mailbox).map { $0 == seed } == true)
        #expect(parcel.opened(by: .generate(kind: kind, random: random)) == nil)
        var changed = parcel
        changed.sealed[changed.sealed.count - 1] ^= 1
        #expect(!link.isAuthentic(changed, for: claim) && changed.opened(by: mailbox) == nil)
        let other = try self.claim(.generate(kind: kind, random: random))
        #expect(!link.isAuthentic(parcel, for: other))
        // A proof of one kind is none of the other.
        #expect(!link.isAuthentic(LinkParcel(sealed: parcel.sealed, proof: claim.proof), for: claim))
        for text in ["", "ddsnode-link/1", "ddsnode-link/2 " + String(repeating: "00", count: 32), "ddsnode-link/1 00"] {
            var encryptor = try AgeEncryptor(recipients: [mailbox.recipient], armor: nil, random: random)
            let sealed = encryptor.update(Array(text.utf8)[...]) + encryptor.finish()
            #expect(LinkParcel(sealed: sealed, proof: []).opened(by: mailbox) == nil)
        }
    }

    // MARK: Requests

    private var actions: [DeviceRequest.Action] {
        let id = String(repeating: "0a", count: 16)
        let parcel = LinkParcel(sealed: [1, 2, 3], proof: [UInt8](repeating: 5, count: 32))
        return [
            .list, .offer(link: id), .look(link: id), .revoke(3),
            .grant(link: id, device: [UInt8](repeating: 4, count: 32), parcel: parcel),
        ]
    }

    @Test func requests_comeBackAlike_andAreSignedForOneThing() throws {
        let identity = SigningKey.generate()
        let address = try #require(MailAddress("alice@node.test"))
        let (device, node) = ([UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32))
        for action in actions {
            let made = DeviceRequest(
                action, of: address, device: device, node: node, time: WallTime(milliseconds: 77), signedBy: identity)
            var read = try #require(DeviceRequest(message: made.message))
            #expect(read == made && read.isSigned(by: identity.publicKey, of: address, device: device, node: node))
            #expect(!read.isSigned(by: SigningKey.generate().publicKey, of: address, device: device, node: node))
            #expect(!read.isSigned(by: identity.publicKey, of: address, device: node, node: node))
            #expect(!read.isSigned(by: identity.publicKey, of: address, device: device, node: device))
            for other in actions where other != action {
                read.action = other
                #expect(!read.isSigned(by: identity.publicKey, of: address, device: device, node: node))
            }
            let text = String(decoding: made.message, as: UTF8.self)
            for spoilt in [
                text.replacing("\"action\"", with: "\"auction\""), text.replacing("\"time\":77", with: "\"time\":-1"),
                text.replacing("device+json", with: "devices+json"), String(text.dropLast(4)),
            ] { #expect(DeviceRequest(message: Array(spoilt.utf8)) == nil) }
        }
        let grant = String(
            decoding: DeviceRequest(
                actions[4], of: address, device: device, node: node, time: WallTime(milliseconds: 77), signedBy: identity
            ).message, as: UTF8.self)
        for (old, new) in [("0a0a", "0a"), ("0404", "04"), ("0505", "05"), ("\"AQID\"", "\"AQI\"")] {
            #expect(DeviceRequest(message: Array(grant.replacing(old, with: new).utf8)) == nil, "\(old)")
        }
    }

    @Test func linkRequests_comeBackAlike() throws {
        let id = String(repeating: "0b", count: 16)
        for step in [
            LinkRequest.Step.claim(recipient: "age1x", proof: [UInt8](repeating: 6, count: 32)), .confirm(statement: [1, 2]),
        ] {
            let made = LinkRequest(link: id, title: "phone", step: step)
            #expect(LinkRequest(message: made.message) == made)
            let text = String(decoding: made.message, as: UTF8.self)
            for (old, new) in [(id, "0b"), ("0606", "06"), ("link+json", "links+json"), ("\"AQI=\"", "\"\"")]
            where text.contains(old) {
                #expect(LinkRequest(message: Array(text.replacing(old, with: new).utf8)) == nil, "\(old)")
            }
        }
    }

    @Test func aTitle_isOneShortLine() {
        #expect(LinkRequest.cleaned("my phone") == "my phone")
        #expect(LinkRequest.cleaned("a\r\n\u{202e}b\u{0}") == "ab")
        #expect(LinkRequest.cleaned("  \n") == "another device" && LinkRequest.cleaned("") == "another device")
        for letter in ["x", "ä", "\u{1f600}"] {
            let title = LinkRequest.cleaned(String(repeating: letter, count: 100))
            #expect((LinkRequest.titleBytesMax - 3...LinkRequest.titleBytesMax).contains(title.utf8.count), "\(letter)")
        }
    }

    // MARK: Replies

    @Test func theLinesOfReplies_comeBackAlike_andFit() throws {
        let hybrid = "\(AgeIdentity.generate(kind: .hybrid, random: random).recipient)"
        let states: [LinkState] = [
            .open, .granted, .linked(2),
            .claimed(
                device: [UInt8](repeating: 1, count: 32), recipient: hybrid, proof: [UInt8](repeating: 2, count: 32),
                title: String(repeating: "x", count: LinkRequest.titleBytesMax)),
        ]
        for state in states {
            #expect(LinkState(lines: state.lines) == state)
            #expect(state.lines.allSatisfy { $0.utf8.count <= 490 })
            #expect(LinkState(lines: state.lines.map { $0 + " " }) == nil)
        }
        let parcel = LinkAnswer.parcel(
            LinkParcel(sealed: random.bytes(LinkParcel.bytesMax), proof: [UInt8](repeating: 3, count: 32)))
        #expect(LinkAnswer(lines: parcel.lines) == parcel && LinkAnswer(lines: ["waiting"]) == .waiting)
        #expect(parcel.lines.allSatisfy { $0.utf8.count <= 490 } && parcel.lines.count < 100)
        // A piece that is missing, or not in its place.
        for index in 1..<parcel.lines.count {
            var lines = parcel.lines
            lines.remove(at: index)
            #expect(LinkAnswer(lines: lines) == nil)
        }
        var lines = parcel.lines
        lines.swapAt(1, 2)
        #expect(LinkAnswer(lines: lines) == nil)
        let large = LinkAnswer.parcel(
            LinkParcel(sealed: random.bytes(LinkParcel.bytesMax + 1), proof: [UInt8](repeating: 3, count: 32)))
        #expect(LinkAnswer(lines: large.lines) == nil)
        for text in [[], [""], ["linked 0"], ["linked x"], ["claimed 00 00 x"], ["parcel 00"], ["waiting x"]] {
            #expect(LinkState(lines: text) == nil && LinkAnswer(lines: text) == nil)
        }
        let device = DeviceLine(number: 2, since: 20_000, keyNumber: 3, isAsking: true, waiting: 4, title: "my phone")
        #expect(DeviceLine(line: device.line) == device)
        let first = DeviceLine(number: 1, since: 0, keyNumber: 0, isAsking: false, waiting: 0, title: "")
        #expect(DeviceLine(line: first.line) == first)
        for text in ["device 2 0 0 that 0 x", "device x 0 0 this 0 x", "devices 2 0 0 this 0 x", "device 2 0 0 this"] {
            #expect(DeviceLine(line: text) == nil)
        }
    }

    // MARK: Rosters

    @Test func aFurtherDevice_isInTheRoster_andItsChangesAreSaid() throws {
        let address = try #require(MailAddress("alice@node.test"))
        let (one, two) = (
            Roster.Device(recipient: "age1a", keyNumber: 4), Roster.Device(number: 2, recipient: "age1pq1b", keyNumber: 1)
        )
        func roster(_ devices: [Roster.Device]) throws -> Roster {
            Roster(
                group: try #require(MailAddress("board@node.test")), number: 1, previous: nil, time: WallTime(milliseconds: 5),
                settings: .init(mode: "relay", posting: "all", pq: "prefer", senderAuth: "attested"),
                members: [
                    Roster.Member(
                        address: address, display: "Alice", role: .member, identity: [UInt8](repeating: 1, count: 32),
                        devices: devices)
                ])
        }
        for devices in [[], [one], [one, two], [two]] {
            let document = RosterDocument(try roster(devices))
            #expect(try RosterDocument(parsing: document.bytes).roster.members[0].devices == devices)
        }
        #expect(try roster([one, two]).text.contains("Alice <alice@node.test>, on 2 devices"))
        #expect(
            try RosterChanges(from: roster([one]), to: roster([two, one])).sentences
                == ["Alice <alice@node.test> reads on another device too"])
        #expect(
            try RosterChanges(from: roster([one, two]), to: roster([two])).sentences
                == ["Alice <alice@node.test> has given up a device"])
        #expect(try RosterChanges(from: roster([one]), to: roster([one])).isEmpty)
        let text = String(decoding: RosterDocument(try roster([one, two])).bytes, as: UTF8.self)
        for (old, new) in [
            ("\"device\":2", "\"device\":1"), ("\"device\":2", "\"device\":0"), ("age1pq1b\"", "age1pq1b\",\"x\":{}}"),
        ] {
            #expect(throws: RosterRefusal.self) { try RosterDocument(parsing: Array(text.replacing(old, with: new).utf8)) }
        }
    }
}
