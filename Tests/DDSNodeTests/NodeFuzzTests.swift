// Readers of what agents and nodes say to each other on mutations of it: an answer or a refusal, never a trap, and nothing signed
// passes as other than it was signed. `make fuzz` runs many.

import DDSCore
import DDSMail
import DDSSeal
import DDSTestKit
import DDSTorture
import Testing

@testable import DDSNode

@Suite struct NodeFuzzTests {
    private static let identity = SigningKey(seed: fixedSecret(1))
    private static let node = MinisignKey(SigningKey(seed: fixedSecret(2)))

    private static func fixedSecret(_ octet: UInt8) -> SecretBytes {
        var bytes = [UInt8](repeating: octet, count: 32)
        return SecretBytes(consuming: &bytes)
    }

    private func address(_ text: String) throws -> MailAddress { try #require(MailAddress(text)) }

    private func each(_ test: String, _ body: (SeededRandom) throws -> Void) throws {
        try MutationRun.each("NodeFuzzTests/\(test)") { random, replay in
            #expect(throws: Never.self, Comment(rawValue: replay)) { try body(random) }
        }
    }

    private func statements() throws -> [[UInt8]] {
        let first = MailboxStatement.first(
            invite: 12, domain: "node.test", device: .init(repeating: 3, count: 32), recipient: "age1xyz",
            now: WallTime(milliseconds: 1_764_000_000_000)
        ).signed(by: Self.identity)
        let second = MailboxStatement(
            holder: .member(try address("dave@node.test")), device: .init(repeating: 3, count: 32), number: 2,
            notBefore: WallTime(milliseconds: 1_764_100_000_000), notAfter: WallTime(milliseconds: 1_766_000_000_000),
            recipient: "age1pq1" + String(repeating: "q", count: 1950), previous: MailboxStatement.hash(of: first))
        return [first, second.signed(by: Self.identity)]
    }

    private func roster(_ number: UInt64, after previous: [UInt8]?) throws -> RosterDocument {
        let alice = Roster.Member(
            address: try address("alice@node.test"), display: "Alice", role: .owner, identity: Self.identity.publicKey,
            devices: [
                Roster.Device(recipient: "age1xyz", keyNumber: 3),
                Roster.Device(number: 2, recipient: "age1pq1abc", keyNumber: 1),
            ])
        let bob = Roster.Member(address: try address("bob@node.test"), display: "B\u{fc}b \"", role: .member)
        return RosterDocument(
            Roster(
                group: try address("board@node.test"), number: number, previous: previous,
                time: WallTime(milliseconds: 1_764_000_000_123),
                settings: .init(mode: "relay", posting: "members", pq: "prefer", senderAuth: "attested"), members: [alice, bob])
        )
    }

    @Test func mutatedStatements_areRefused_orWhatWasSigned() throws {
        let samples = try statements()
        try each("mutatedStatements_areRefused_orWhatWasSigned") { random in
            let bytes = Mutation.mutated(samples, random)
            if (try? MailboxStatement(bytes, by: Self.identity.publicKey)) != nil { #expect(samples.contains(bytes)) }
            // What comes before the signature is read the same way when somebody signs the nonsense.
            let content = Array(bytes.dropLast(SigningKey.signatureBytes))
            _ = try? MailboxStatement(content + Self.identity.sign(content), by: Self.identity.publicKey)
            _ = KeyStanding(line: String(decoding: bytes, as: UTF8.self))
        }
    }

    @Test func mutatedAnnouncements_areRefused_orSayWhatWasSigned() throws {
        let recipients = [
            AgeIdentity.generate(random: SeededRandom(seed: 1)).recipient,
            AgeIdentity.generate(kind: .hybrid, random: SeededRandom(seed: 2)).recipient,
        ]
        let statements = (3...4).map { number in
            SealStatement(
                number: number, notBefore: WallTime(milliseconds: 1_795_392_000_000),
                notAfter: WallTime(milliseconds: 1_796_169_600_000), recipients: recipients.map { "\($0)" })
        }
        let samples = statements.map { statement in
            let lines =
                SealAnnouncement.capabilities(recipients) + [statement.capability(of: "node.test", signedBy: Self.identity)]
            return Array(lines.joined(separator: "\n").utf8)
        }
        try each("mutatedAnnouncements_areRefused_orSayWhatWasSigned") { random in
            let text = String(decoding: Mutation.mutated(samples, random), as: UTF8.self)
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            let read = try? SealStatement(in: lines, of: "node.test", signedBy: Self.identity.publicKey)
            if let statement = read ?? nil { #expect(statements.contains(statement)) }
            _ = SealStatement.number(in: text)
        }
    }

    @Test func mutatedRosters_areReadOrRefused_andFollowOnlyTheirOwn() throws {
        let first = try roster(1, after: nil)
        let samples = [first.bytes, try roster(2, after: first.hash).bytes]
        try each("mutatedRosters_areReadOrRefused_andFollowOnlyTheirOwn") { random in
            let bytes = Mutation.mutated(samples, random)
            guard let document = try? RosterDocument(parsing: bytes) else { return }
            #expect(document.bytes == bytes)
            var chain = RosterChain(group: first.roster.group)
            try chain.take(first)
            guard (try? chain.take(document)) != nil else { return }
            #expect(document.roster.number == 2 && document.roster.previous == first.hash)
        }
    }

    @Test func mutatedMailOfTheNode_isDoubted_orWhatWasSigned() throws {
        let me = try address("alice@node.test")
        let contents: [ControlMail.Content] = [
            .roster(try roster(1, after: nil)),
            .rosterConfirmed(
                RosterConfirmation(
                    group: try address("board@node.test"), head: try roster(1, after: nil).head, owner: me,
                    time: WallTime(milliseconds: 1), signedBy: Self.identity)),
            .expiry(ExpiryNotice(group: "board", count: 3, days: 20_575...20_582)),
            .device(DeviceNotice(.linked, number: 2, title: "phone")),
        ]
        let mails = contents.map {
            ControlMail(
                id: "00112233445566778899aabbccddeeff", node: "node.test", to: me, date: WallTime(milliseconds: 0), content: $0)
        }
        let samples = mails.map { $0.message(signedBy: Self.node) }
        try each("mutatedMailOfTheNode_isDoubted_orWhatWasSigned") { random in
            let bytes = Mutation.mutated(samples, random)
            if case .genuine(let mail) = ControlMail.read(
                bytes, node: "node.test", to: me, key: Self.node.publicKey.key)
            {
                #expect(mails.contains(mail))
            }
        }
    }

    @Test func mutatedSignedMessages_areTakenApartOrNone_andVouchForTheirContentOnly() throws {
        let context = SignatureContext(
            server: [1, 2, 3, 4, 5, 6, 7, 8], groups: ["board"], submission: "00ff", sequence: 12,
            time: WallTime(milliseconds: 1_764_000_000_123), audience: [UInt8](repeating: 0xab, count: 32))
        let key = MinisignKey(Self.identity)
        let text = Array("From: Bob <bob@node.test>\r\nSubject: x\r\n\r\nHello.\r\n".utf8)
        let samples = [SignedMessage.made(of: text, context, by: key), SignedMessage.made(of: text + text, context, by: key)]
        let contents = samples.compactMap { SignedMessage($0)?.content }
        #expect(contents.count == 2)
        try each("mutatedSignedMessages_areTakenApartOrNone_andVouchForTheirContentOnly") { random in
            let mutant = Mutation.mutated(samples, random)
            var reader = SignedMessageReader()
            let cut = mutant.isEmpty ? 0 : Int(random.number() % UInt64(mutant.count))
            for piece in [mutant[..<cut], mutant[cut...]] { reader.feed(Array(piece)) }
            let outline = reader.finish()
            guard let signed = SignedMessage(mutant) else {
                #expect(outline == nil)
                return
            }
            // Who sees it in pieces sees the same.
            let parsed = ParsedMessage(signed.message)
            #expect(outline?.signature == signed.signature && outline?.hash == Hash.blake2b(signed.content, count: 64))
            // A reader gives up on what is contrived, and names nobody.
            #expect(outline?.author == parsed.from?.address ?? "" || parsed.isRaw)
            #expect(outline?.submission == (try? HeaderSection(of: signed.message))?.first("X-DDS-Submission")?.text)
            if signed.signature?.isValid(for: signed.content, by: key.publicKey) == true {
                #expect(contents.contains(signed.content))
            }
            if let comment = signed.signature?.trustedComment { _ = SignatureContext(comment) }
        }
    }

    @Test func mutatedRequests_areReadOrNone() throws {
        let statement = try statements()[0]
        let credential = MemberCredential(identity: Self.identity.publicKey, statement: statement)
        let samples = [
            EnrolmentRequest(
                inviteNumber: 7, secret: Redacted([1, 2, 3, 4, 5]), recipient: "age1xyz", credential: credential
            ).message, KeyStating(identity: Self.identity.publicKey, statement: statement).message,
            RosterConfirmation(
                group: try address("board@node.test"), head: try roster(1, after: nil).head,
                owner: try address("alice@node.test"), time: WallTime(milliseconds: 1), signedBy: Self.identity
            ).message,
        ]
        try each("mutatedRequests_areReadOrNone") { random in
            let bytes = Mutation.mutated(samples, random)
            if let request = EnrolmentRequest(message: bytes) {
                #expect(request.secret.exposed.count == 5 && request.credential?.identity.count ?? 32 == 32)
            }
            if let confirmation = RosterConfirmation(message: bytes) { #expect(confirmation.signature.count == 64) }
            if let stating = KeyStating(message: bytes) { #expect(stating.identity.count == 32) }
            _ = EnrolmentWelcome(lines: String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init))
        }
    }

    @Test func mutatedWordsAboutDevices_areReadOrNone_andAreOnlyWhatWasSigned() throws {
        let me = try address("alice@node.test")
        let (device, node) = ([UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32))
        let id = String(repeating: "0a", count: 16)
        let link = DeviceLink(
            user: "alice", host: "node.test", pop3sPort: 995, submissionsPort: 465, nodeKeyHash: [UInt8](0..<16),
            secret: Redacted([UInt8](100..<116)))
        let parcel = LinkParcel(sealed: [UInt8](repeating: 7, count: 900), proof: device)
        let actions: [DeviceRequest.Action] = [
            .list, .offer(link: id), .look(link: id), .revoke(3), .grant(link: id, device: node, parcel: parcel),
        ]
        let requests = actions.map {
            DeviceRequest($0, of: me, device: device, node: node, time: WallTime(milliseconds: 77), signedBy: Self.identity)
        }
        let lines = [
            LinkState.claimed(
                device: device, recipient: "age1pq1" + String(repeating: "q", count: 1950), proof: node, title: "phone"
            ).lines, LinkAnswer.parcel(parcel).lines, LinkState.linked(2).lines,
            [DeviceLine(number: 2, since: 20_000, keyNumber: 3, isAsking: true, waiting: 4, title: "my phone").line],
        ]
        let samples =
            requests.map(\.message) + lines.map { Array($0.joined(separator: "\n").utf8) } + [
                LinkRequest(link: id, title: "phone", step: .claim(recipient: "age1x", proof: device)).message,
                LinkRequest(link: id, title: "phone", step: .confirm(statement: [1, 2])).message, Array(link.link.utf8),
            ]
        try each("mutatedWordsAboutDevices_areReadOrNone_andAreOnlyWhatWasSigned") { random in
            let bytes = Mutation.mutated(samples, random)
            if let request = DeviceRequest(message: bytes),
                request.isSigned(by: Self.identity.publicKey, of: me, device: device, node: node)
            {
                #expect(requests.contains(request))
            }
            let text = String(decoding: bytes, as: UTF8.self)
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            if let state = LinkState(lines: lines) { #expect(LinkState(lines: state.lines) == state) }
            if let answer = LinkAnswer(lines: lines) { #expect(LinkAnswer(lines: answer.lines) == answer) }
            for line in lines { if let found = DeviceLine(line: line) { #expect(DeviceLine(line: found.line) == found) } }
            if let request = LinkRequest(message: bytes) { #expect(LinkRequest(message: request.message) == request) }
            if let found = DeviceLink(text) { #expect(DeviceLink(found.link)?.link == found.link) }
        }
    }

    /// What becomes of octets that are fed in pieces.
    private func read(_ pieces: [[UInt8]]) -> Result<(bundle: SealedBundle?, payload: [UInt8]), SealedBundleRefusal> {
        var reader = SealedBundleReader()
        do throws(SealedBundleRefusal) {
            var payload: [UInt8] = []
            for piece in pieces { payload += try reader.feed(piece) }
            try reader.finish()
            return .success((reader.bundle, payload))
        } catch {
            #expect(reader.bundle == nil)
            return .failure(error)
        }
    }

    @Test func mutatedBundles_areReadOrRefused_theSameHoweverTheyAreCut() throws {
        let head = try roster(1, after: nil).head
        let samples = [[], ["bob"], ["bob", "carol", "dora"]].map { (names: [String]) in
            SealedBundle(
                group: "board", roster: head,
                readers: names.map {
                    .init(name: $0, keyNumber: $0 == "bob" ? nil : 7, header: Array("age header\n--- of \($0)\n".utf8))
                }
            ).head + Array("payload\n".utf8)
        }
        try each("mutatedBundles_areReadOrRefused_theSameHoweverTheyAreCut") { random in
            let bytes = Mutation.mutated(samples, random)
            switch (read([bytes]), read(Mutation.pieces(bytes, random))) {
            case (.success(let whole), .success(let cut)):
                let bundle = try #require(whole.bundle)
                #expect(cut.bundle == bundle && cut.payload == whole.payload)
                // What is read has one spelling, and within its limits.
                #expect(bundle.head + whole.payload == bytes)
                #expect(Set(bundle.readers.map(\.name)).count == bundle.readers.count && bundle.roster.hash.count == 32)
                #expect(bundle.readers.allSatisfy { 1...SealedBundle.headerBytesMax ~= $0.header.count })
            case (.failure(let whole), .failure(let cut)): #expect(whole == cut)
            case (let whole, let cut): Issue.record("\(whole) in one piece, \(cut) in several")
            }
        }
    }
}
