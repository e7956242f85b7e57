import DDSCore
import DDSNode
import Foundation
import Testing

@testable import DDSServer

@Suite struct InviteTests {
    private let noon = WallTime(milliseconds: 1_000_000)
    private let later = WallTime(milliseconds: 2_000_000)

    private func directory() throws -> Directory {
        var directory = Directory()
        try directory.perform { d throws(Failure) in try d.addingAccount("dave", display: "", groups: []) }
        try directory.perform { d throws(Failure) in
            try d.creatingInvite(for: "dave", number: 7, secretHash: "right", expires: later)
        }
        return directory
    }

    /// One attempt; what it made is applied.
    private func enrol(
        _ directory: inout Directory, number: UInt32 = 7, secret: String = "right", key: String = "key",
        recipient: String = "age1",
        credential: MemberCredential? = nil, now: WallTime? = nil
    ) -> String {
        switch directory.enrolling(
            inviteNumber: number, secretHash: secret, deviceKey: key, recipient: recipient, credential: credential,
            now: now ?? noon)
        {
        case .accepted(let events, let name):
            for event in events { directory.apply(event) }
            return "accepted \(name)"
        case .refused(let events, let words):
            for event in events { directory.apply(event) }
            return words
        }
    }

    @Test func aGoodInvite_givesAccessOnce() throws {
        var directory = try directory()
        #expect(enrol(&directory) == "accepted dave")
        #expect(directory.accounts["dave"]?.state == "active")
        #expect(directory.account(deviceKey: "key")?.name == "dave")
        #expect(enrol(&directory, key: "thief").contains("used already"))
        #expect(directory.account(deviceKey: "thief") == nil)
    }

    @Test func theSameDeviceMayAskAgain_whenTheReplyWasLost() throws {
        var directory = try directory()
        #expect(enrol(&directory) == "accepted dave")
        let before = directory
        #expect(enrol(&directory) == "accepted dave")
        #expect(directory == before)
        #expect(enrol(&directory, recipient: "age1other").contains("used already"))
        #expect(enrol(&directory, secret: "wrong").contains("used already"))
    }

    @Test func anIdentity_isKeptWithItsStatement() throws {
        var directory = try directory()
        let credential = MemberCredential(identity: Array(repeating: 0xab, count: 32), statement: [1, 2, 3])
        #expect(enrol(&directory, credential: credential) == "accepted dave")
        let account = try #require(directory.accounts["dave"])
        #expect(account.identity == String(repeating: "ab", count: 32) && account.statement == "AQID" && account.keyNumber == 1)
        // The same again changes nothing; another statement or identity is refused.
        #expect(enrol(&directory, credential: credential) == "accepted dave")
        #expect(enrol(&directory) == "accepted dave")
        let others = [
            MemberCredential(identity: credential.identity, statement: [1]),
            MemberCredential(identity: Array(repeating: 1, count: 32), statement: credential.statement),
        ]
        for other in others { #expect(enrol(&directory, credential: other) == StatementRefusal.replayed.description) }
        #expect(directory.accounts["dave"] == account)
        // Somebody else's access is not under this identity.
        directory.apply(.accessGranted(name: "dave", login: .password(verifier: "x"), recipient: "age1"))
        let now = try #require(directory.accounts["dave"])
        #expect(now.identity == nil && now.statement == nil && now.keyNumber == nil)
    }

    /// Events and a checkpoint of nodes from before there were identities, byte for byte.
    @Test func olderDirectories_stillOpenAndHaveNoIdentities() throws {
        let account =
            #"{"name":"dave","display":"D","mailbox":1000,"recipient":"age1","login":{"deviceKey":{"_0":"key"}},"isSuspended":false}"#
        let granted = #"{"accessGranted":{"name":"dave","login":{"deviceKey":{"_0":"key"}},"recipient":"age1"}}"#
        let checkpoint =
            #"{"checkpoint":{"_0":{"accounts":{"dave":\#(account)},"groups":{},"invites":[],"nextMailbox":1001,"namesByDeviceKey":{"key":"dave"}}}}"#
        for text in [#"[{"accountAdded":{"name":"dave","display":"D","mailbox":1000}},\#(granted)]"#, "[\(checkpoint)]"] {
            var directory = Directory()
            for event in try JSONDecoder().decode([DirectoryEvent].self, from: Data(text.utf8)) { directory.apply(event) }
            let dave = try #require(directory.account(deviceKey: "key"))
            #expect(dave.recipient == "age1" && dave.identity == nil && dave.statement == nil && dave.keyNumber == nil)
        }
        let stated = #"{"keyStated":{"name":"dave","identity":"ab","number":3,"recipient":"age1x","statement":"AQID"}}"#
        let event = try JSONDecoder().decode(DirectoryEvent.self, from: Data(stated.utf8))
        #expect(event == .keyStated(name: "dave", identity: "ab", number: 3, recipient: "age1x", statement: "AQID"))
    }

    @Test func anAgentUpdatedBetweenTwoTries_isKnownByTheSecond() throws {
        var directory = try directory()
        #expect(enrol(&directory) == "accepted dave")
        #expect(directory.accounts["dave"]?.identity == nil)
        let credential = MemberCredential(identity: Array(repeating: 0xab, count: 32), statement: [1])
        #expect(enrol(&directory, credential: credential) == "accepted dave")
        #expect(directory.accounts["dave"]?.keyNumber == 1)
    }

    @Test func theInstantOfExpiry_isTooLate() throws {
        var directory = try directory()
        #expect(enrol(&directory, now: later).contains("expired"))
        #expect(enrol(&directory, now: WallTime(milliseconds: later.milliseconds - 1)) == "accepted dave")
    }

    @Test func fiveWrongSecrets_burnTheInvite() throws {
        var directory = try directory()
        for _ in 0..<5 { #expect(enrol(&directory, secret: "wrong").contains("secret of this invite is wrong")) }
        #expect(enrol(&directory).contains("tried too often"))
        #expect(directory.openInvites(now: noon).isEmpty)
    }

    @Test func fourWrongSecrets_doNot() throws {
        var directory = try directory()
        for _ in 0..<4 { _ = enrol(&directory, secret: "wrong") }
        #expect(enrol(&directory) == "accepted dave")
    }

    @Test func unknownAndRevokedInvites_areRefused() throws {
        var directory = try directory()
        #expect(enrol(&directory, number: 8).contains("not known here"))
        try directory.perform { d throws(Failure) in try d.revokingInvite(7) }
        #expect(enrol(&directory).contains("revoked"))
        #expect(try directory.revokingInvite(7).isEmpty)
        let failure = #expect(throws: Failure.self) { try directory.revokingInvite(9) }
        #expect(failure?.code == .unknownName)
    }

    @Test func aUsedInvite_cannotBeRevoked() throws {
        var directory = try directory()
        _ = enrol(&directory)
        let failure = #expect(throws: Failure.self) { try directory.revokingInvite(7) }
        #expect(failure?.publicText.contains("user suspend dave") == true)
    }

    @Test func aNewInvite_revokesTheOlderOne() throws {
        var directory = try directory()
        try directory.perform { d throws(Failure) in
            try d.creatingInvite(for: "dave", number: 8, secretHash: "new", expires: later)
        }
        #expect(enrol(&directory).contains("revoked"))
        #expect(enrol(&directory, number: 8, secret: "new") == "accepted dave")
    }

    @Test func aDeviceOfAMember_cannotTakeAnotherAccount() throws {
        var directory = try directory()
        _ = enrol(&directory)
        try directory.perform { d throws(Failure) in try d.addingAccount("erin", display: "", groups: []) }
        try directory.perform { d throws(Failure) in
            try d.creatingInvite(for: "erin", number: 9, secretHash: "e", expires: later)
        }
        #expect(enrol(&directory, number: 9, secret: "e").contains("already belongs to a member"))
        #expect(directory.accounts["erin"]?.recipient == nil)
    }

    @Test func aSuspendedMember_cannotEnrol() throws {
        var directory = try directory()
        try directory.perform { d throws(Failure) in try d.settingSuspended("dave", true) }
        #expect(enrol(&directory).contains("suspended"))
    }
}

/// Asking what an invite is for.
@Suite struct InviteLookTests {
    private let noon = WallTime(milliseconds: 1_000_000)
    private let later = WallTime(milliseconds: 2_000_000)

    private func directory() throws -> Directory {
        var directory = Directory()
        try directory.perform { d throws(Failure) in try d.addingAccount("dave", display: "Dave", groups: []) }
        try directory.perform { d throws(Failure) in
            try d.creatingInvite(for: "dave", number: 7, secretHash: "right", expires: later)
        }
        return directory
    }

    private func look(
        _ directory: inout Directory, secret: String = "right", key: String = "key", now: WallTime? = nil
    ) -> String {
        switch directory.looking(inviteNumber: 7, secretHash: secret, deviceKey: key, now: now ?? noon) {
        case .offered(let account, let until): return "\(account.name) until \(until.milliseconds)"
        case .refused(let events, let words):
            for event in events { directory.apply(event) }
            return words
        }
    }

    @Test func looking_usesNothingUp() throws {
        var directory = try directory()
        let before = directory
        for _ in 0..<9 { #expect(look(&directory) == "dave until 2000000") }
        #expect(directory == before)
    }

    /// Looking is guessing, too.
    @Test func fiveWrongSecrets_burnTheInvite() throws {
        var directory = try directory()
        for _ in 0..<5 { #expect(look(&directory, secret: "wrong").contains("secret of this invite is wrong")) }
        #expect(look(&directory).contains("tried too often"))
    }

    @Test func aUsedInvite_isOfferedToTheDeviceThatHasUsedItAlone() throws {
        var directory = try directory()
        guard
            case .accepted(let events, _) = directory.enrolling(
                inviteNumber: 7, secretHash: "right", deviceKey: "key", recipient: "age1", now: noon)
        else {
            Issue.record("not accepted")
            return
        }
        for event in events { directory.apply(event) }
        #expect(look(&directory) == "dave until 2000000")
        #expect(look(&directory, now: later) == "dave until 2000000")
        #expect(look(&directory, key: "thief").contains("used already"))
        #expect(look(&directory, secret: "wrong").contains("used already"))
    }

    @Test func theInstantOfExpiry_isTooLate() throws {
        var directory = try directory()
        #expect(look(&directory, now: later).contains("expired"))
    }
}
