// Rosters: their octets, what may follow what, what changed between two, and how they travel as the node's mail.

import DDSCore
import DDSMail
import DDSSeal
import Foundation
import Testing

@testable import DDSNode

@Suite struct RosterTests {
    private let key = MinisignKey(.generate())
    private let identity = [UInt8](repeating: 0xa1, count: 32)

    private func address(_ text: String) throws -> MailAddress { try #require(MailAddress(text)) }

    private func member(_ name: String, _ role: Roster.Role = .member, key: String? = "age1x", identity: [UInt8]? = nil) throws
        -> Roster.Member
    {
        Roster.Member(
            address: try address("\(name)@node.test"), display: name.capitalized, role: role, identity: identity,
            devices: key.map { [Roster.Device(recipient: $0, keyNumber: identity == nil ? nil : 4)] } ?? [])
    }

    private func roster(
        _ number: UInt64 = 1, after previous: [UInt8]? = nil, group: String = "board", _ members: [Roster.Member]? = nil
    ) throws -> Roster {
        Roster(
            group: try address("\(group)@node.test"), number: number, previous: previous,
            time: WallTime(milliseconds: 1_764_000_000_123),
            settings: .init(mode: "relay", posting: "members", pq: "prefer", senderAuth: "attested"),
            members: try members ?? [member("bob", key: nil), member("alice", .owner, key: "age1pq1y", identity: identity)])
    }

    // MARK: Confirmations

    private func confirmation(by identity: SigningKey) throws -> RosterConfirmation {
        RosterConfirmation(
            group: try address("board@node.test"), head: RosterDocument(try roster()).head,
            owner: try address("alice@node.test"),
            time: WallTime(milliseconds: 1_764_000_000_456), signedBy: identity)
    }

    @Test func aConfirmation_readsBack_andHoldsForItsOwnerOnly() throws {
        let alice = SigningKey.generate()
        let made = try confirmation(by: alice)
        let read = try #require(RosterConfirmation(message: made.message))
        #expect(read == made && read.isValid(by: alice.publicKey) && !read.isValid(by: SigningKey.generate().publicKey))
        let mail = ControlMail(
            id: String(repeating: "0a", count: 16), node: "node.test", to: made.group, date: WallTime(milliseconds: 0),
            content: .rosterConfirmed(made))
        let reading = ControlMail.read(
            mail.message(signedBy: key), node: "node.test", to: try address("bob@node.test"), key: key.publicKey.key)
        guard case .genuine(let genuine) = reading else {
            Issue.record("\(reading)")
            return
        }
        #expect(genuine.content == .rosterConfirmed(made))
    }

    @Test(arguments: [
        ("group", JSONValue.text("family@node.test")), ("number", 2), ("hash", .text(String(repeating: "0", count: 64))),
        ("owner", .text("bob@node.test")), ("time", 1_764_000_000_457),
    ])
    func anyOtherValue_breaksAConfirmation(field: String, value: JSONValue) throws {
        let alice = SigningKey.generate()
        guard case .object(var fields) = try confirmation(by: alice).json else { return }
        fields[field] = value
        #expect(RosterConfirmation(json: .object(fields))?.isValid(by: alice.publicKey) == false)
    }

    @Test(arguments: [
        ("version", JSONValue.number(2)), ("number", 0), ("number", -1), ("hash", "00"), ("signature", "00"),
        ("group", "board"),
        ("owner", "alice@elsewhere.test"), ("time", -1),
    ])
    func otherForms_areNoConfirmation(field: String, value: JSONValue) throws {
        guard case .object(var fields) = try confirmation(by: .generate()).json else { return }
        fields[field] = value
        #expect(RosterConfirmation(json: .object(fields)) == nil)
        fields[field] = nil
        #expect(RosterConfirmation(json: .object(fields)) == nil)
    }

    // MARK: Octets

    @Test func theOctets_areThese() throws {
        let text = String(decoding: RosterDocument(try roster(2, after: [UInt8](repeating: 0, count: 32))).bytes, as: UTF8.self)
        #expect(
            text == #"{"group":"board@node.test","members":[{"address":"alice@node.test","display":"Alice","identity":""#
                + String(repeating: "a1", count: 32)
                + #"","key":"hybrid","key_number":4,"recipient":"age1pq1y","role":"owner"},"#
                + #"{"address":"bob@node.test","display":"Bob","role":"member"}],"number":2,"previous":""#
                + String(repeating: "0", count: 64)
                + #"","settings":{"mode":"relay","post":"members","pq":"prefer","sender_auth":"attested"},"#
                + #""time":1764000000123,"version":1}"#)
    }

    @Test func whatIsRead_isWhatWasWritten_octetForOctet() throws {
        let document = RosterDocument(try roster())
        #expect(try RosterDocument(parsing: document.bytes) == document)
        // Another writer may have other spaces, and what it wrote is what counts.
        let spaced = Array(
            String(decoding: document.bytes, as: UTF8.self).replacing(#","number":1"#, with: #", "number": 1"#).utf8)
        let read = try RosterDocument(parsing: spaced)
        #expect(read.roster == document.roster && read.bytes == spaced && read.hash != document.hash)
    }

    @Test func aTruncatedRoster_isRefusedAtEveryPlace() throws {
        let bytes = RosterDocument(try roster()).bytes
        for count in 0..<bytes.count {
            #expect(throws: RosterRefusal.truncated) { try RosterDocument(parsing: Array(bytes[..<count])) }
        }
    }

    @Test func everyOtherMistake_hasItsOwnName() throws {
        let text = String(decoding: RosterDocument(try roster()).bytes, as: UTF8.self)
        func refusal(_ old: String, _ new: String) -> RosterRefusal? {
            do throws(RosterRefusal) {
                _ = try RosterDocument(parsing: Array(text.replacing(old, with: new).utf8))
                return nil
            } catch {
                return error
            }
        }
        #expect(refusal(#""version":1"#, #""version":2"#) == .newerVersion(2))
        #expect(refusal(#""version":1"#, #""versions":1"#) == .malformed)
        #expect(refusal(#""number":1"#, #""number":0"#) == .malformed)
        // A number without a predecessor and a predecessor without a number.
        #expect(refusal(#""number":1"#, #""number":2"#) == .malformed)
        #expect(refusal(#""number":1"#, #""number":1,"previous":""# + String(repeating: "0", count: 64) + "\"") == .malformed)
        #expect(refusal(#""number":1"#, #""number":2,"previous":"00""#) == .malformed)
        #expect(refusal("a1a1", "a1") == .malformed)
        #expect(refusal("bob@node.test", "alice@node.test") == .malformed)
        #expect(refusal(#""role":"owner""#, #""role":"king""#) == .malformed)
        #expect(refusal("x", "x") == nil)
        let many = String(repeating: "0,", count: Roster.membersMax) + "0"
        #expect(refusal(#""members":["#, #""members":["# + many + ",") == .oversized)
        #expect(throws: RosterRefusal.oversized) {
            try RosterDocument(parsing: [UInt8](repeating: 0x20, count: Roster.bytesMax + 1))
        }
    }

    // MARK: The chain

    @Test func onlyTheNextOne_isTaken() throws {
        let first = RosterDocument(try roster())
        let second = RosterDocument(try roster(2, after: first.hash))
        let third = RosterDocument(try roster(3, after: second.hash))
        let otherSecond = RosterDocument(try roster(2, after: first.hash, [member("mallory")]))
        var chain = RosterChain(group: try address("board@node.test"))
        try chain.take(first)
        #expect(throws: RosterRefusal.gap(known: 1, found: 3)) { try chain.check(third) }
        #expect(throws: RosterRefusal.replay(1)) { try chain.check(first) }
        #expect(throws: RosterRefusal.wrongGroup("family@node.test")) {
            try chain.check(RosterDocument(roster(2, after: first.hash, group: "family")))
        }
        #expect(throws: RosterRefusal.fork(2)) { try chain.check(RosterDocument(roster(2, after: second.hash))) }
        #expect(chain.last == first.head)
        try chain.take(second)
        #expect(throws: RosterRefusal.fork(2)) { try chain.check(otherSecond) }
        #expect(throws: RosterRefusal.replay(2)) { try chain.check(second) }
        try chain.take(third)
        #expect(throws: RosterRefusal.replay(2)) { try chain.check(second) }
        #expect(chain.last == RosterHead(number: 3, hash: third.hash))
    }

    @Test func whoJoinsLater_beginsWithTheStateOfThen() throws {
        var chain = RosterChain(group: try address("board@node.test"))
        let seventh = RosterDocument(try roster(7, after: identity))
        try chain.take(seventh)
        #expect(throws: RosterRefusal.fork(8)) { try chain.check(RosterDocument(roster(8, after: identity))) }
        try chain.take(RosterDocument(roster(8, after: seventh.hash)))
    }

    // MARK: Changes

    @Test func changes_areSaidInSentences() throws {
        let old = try roster(1, [member("alice", .owner), member("bob", key: nil), member("dora"), member("emil")])
        var new = try roster(
            2, after: identity,
            [member("alice"), member("bob"), member("carol", key: nil), member("dora", .owner, key: "age1z")])
        new.settings.posting = "owners"
        #expect(
            RosterChanges(from: old, to: new).sentences == [
                "Carol <carol@node.test> was added", "Emil <emil@node.test> was removed", "Bob <bob@node.test> has joined",
                "Dora <dora@node.test> has a new key", "Dora <dora@node.test> is an owner now",
                "Alice <alice@node.test> is no owner any more", "post: owners, before: members",
            ])
        #expect(RosterChanges(from: old, to: old).isEmpty)
    }

    /// The identity vouches for the mailbox key; only another identity is news.
    @Test func aRoutineChangeOfMailboxKeys_isNoNews() throws {
        let old = try roster(1, [member("alice", key: "age1a", identity: identity)])
        let rotated = try roster(2, after: identity, [member("alice", key: "age1b", identity: identity)])
        let replaced = try roster(
            2, after: identity, [member("alice", key: "age1a", identity: [UInt8](repeating: 1, count: 32))])
        #expect(RosterChanges(from: old, to: rotated).isEmpty)
        #expect(RosterChanges(from: old, to: replaced).sentences == ["Alice <alice@node.test> has a new key"])
    }

    @Test func manyPeople_areCounted() throws {
        let old = try roster(1, [])
        let new = try roster(2, after: identity, (10..<40).map { try member("m\($0)") })
        let sentence = try #require(RosterChanges(from: old, to: new).sentences.first)
        #expect(sentence.hasSuffix("M29 <m29@node.test>, 10 others were added"))
    }

    // MARK: On its way

    private func mail(_ document: RosterDocument, group: String = "board") throws -> [UInt8] {
        ControlMail(
            id: "00112233445566778899aabbccddeeff", node: "node.test", to: try address("\(group)@node.test"),
            date: WallTime(milliseconds: 0), content: .roster(document)
        ).message(signedBy: key)
    }

    private func read(_ bytes: [UInt8], node: String = "node.test", key: [UInt8]? = nil) throws -> ControlMail.Reading {
        ControlMail.read(bytes, node: node, to: try address("bob@\(node)"), key: key ?? self.key.publicKey.key)
    }

    private func doubt(_ reading: ControlMail.Reading) -> String? {
        if case .doubtful(let words) = reading { words } else { nil }
    }

    @Test func aRoster_isForAllMembersOfItsGroup() throws {
        let document = RosterDocument(
            try roster(1, (0..<100).map { try member("m\($0)", key: "age1pq1" + String(repeating: "q", count: 1952)) }))
        let bytes = try mail(document)
        guard case .genuine(let read) = try read(Padding.pad(bytes)) else {
            Issue.record("not read")
            return
        }
        #expect(read.content == .roster(document) && "\(read.to)" == "board@node.test")
        #expect(bytes.split(separator: 0x0a).allSatisfy { $0.last == 0x0d && $0.count <= 998 })
        #expect(ParsedMessage(bytes).bestPlainText.contains("can be read by 100 members"))
    }

    @Test func aRosterThatSomebodyElseSigned_orForAnotherGroup_isDoubted() throws {
        let document = RosterDocument(try roster())
        #expect(doubt(try read(mail(document), key: MinisignKey(.generate()).publicKey.key)) == "the node did not sign it")
        for reading in [try read(mail(document, group: "family")), try read(mail(document), node: "other.test")] {
            #expect(doubt(reading)?.contains("somebody else") == true, "\(reading)")
        }
    }

    @Test func aRosterThatIsNone_isDoubtedInItsOwnWords() throws {
        let document = RosterDocument(try roster())
        let text = String(decoding: try mail(document), as: UTF8.self)
        let content = try #require(SignedMultipart(Array(text.utf8))).content
        let whole = String(decoding: content, as: UTF8.self)
        let body = String(decoding: Base64.encode(document.bytes), as: UTF8.self)
        func signed(_ roster: [UInt8]) throws -> ControlMail.Reading {
            let lines = String(decoding: Base64.encode(roster), as: UTF8.self)
            let start = try #require(whole.firstRange(of: String(body.prefix(20)))).lowerBound
            let part = Array((whole[..<start] + lines + "\r\n--=_dds_00112233445566778899aabbccddeeff_c--\r\n").utf8)
            let comment = "ddsnode control node=node.test to=board@node.test id=00112233445566778899aabbccddeeff"
            return try read(
                Array("Message-ID: <00112233445566778899aabbccddeeff@node.test>\r\n".utf8)
                    + SignedMultipart.entity(
                        content: part, signature: key.sign(part, trustedComment: comment).text,
                        protocolType: ControlMail.signatureType, boundary: "=_b"))
        }
        guard case .genuine = try signed(document.bytes) else {
            Issue.record("the frame is wrong")
            return
        }
        #expect(doubt(try signed(Array(document.bytes.dropLast()))) == RosterRefusal.truncated.words)
        let later = Array(
            String(decoding: document.bytes, as: UTF8.self).replacing(#""version":1"#, with: #""version":9"#).utf8)
        #expect(doubt(try signed(later)) == RosterRefusal.newerVersion(9).words)
    }

    @Test func notes_areReadBack_andOthersAreNone() {
        let note = RosterNote(group: "board", head: RosterHead(number: 7, hash: identity))
        let other = RosterNote(group: "family", head: RosterHead(number: 1, hash: identity))
        #expect(RosterNote.notes(in: [GroupNote.stanza("board"), note.stanza, other.stanza]) == [note, other])
        var short = note.stanza
        short = AgeStanza(arguments: Array(short.arguments.dropLast()), body: [])
        let hash = Array(Hex.encode(identity.dropLast()).utf8)
        let bad = AgeStanza(arguments: note.stanza.arguments.dropLast() + [hash], body: [])
        let filled = AgeStanza(arguments: note.stanza.arguments, body: [1])
        #expect(RosterNote.notes(in: [short, bad, filled]).isEmpty)
    }
}
