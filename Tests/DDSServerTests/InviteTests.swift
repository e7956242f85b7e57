import DDSCore
import Testing

@testable import DDSServer

@Suite struct InviteTests {
    private let noon = WallTime(milliseconds: 1_000_000)
    private let later = WallTime(milliseconds: 2_000_000)

    private func directory() throws -> Directory {
        var directory = Directory()
        try directory.perform { d throws(Failure) in try d.addingAccount("dave", display: "", groups: []) }
        try directory.perform { d throws(Failure) in try d.creatingInvite(for: "dave", number: 7, secretHash: "right", expires: later) }
        return directory
    }

    /// One attempt; what it made is applied.
    private func enrol(
        _ directory: inout Directory, number: UInt32 = 7, secret: String = "right", key: String = "key", recipient: String = "age1",
        now: WallTime? = nil
    ) -> String {
        switch directory.enrolling(inviteNumber: number, secretHash: secret, deviceKey: key, recipient: recipient, now: now ?? noon) {
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
        try directory.perform { d throws(Failure) in try d.creatingInvite(for: "dave", number: 8, secretHash: "new", expires: later) }
        #expect(enrol(&directory).contains("revoked"))
        #expect(enrol(&directory, number: 8, secret: "new") == "accepted dave")
    }

    @Test func aDeviceOfAMember_cannotTakeAnotherAccount() throws {
        var directory = try directory()
        _ = enrol(&directory)
        try directory.perform { d throws(Failure) in try d.addingAccount("erin", display: "", groups: []) }
        try directory.perform { d throws(Failure) in try d.creatingInvite(for: "erin", number: 9, secretHash: "e", expires: later) }
        #expect(enrol(&directory, number: 9, secret: "e").contains("already belongs to a member"))
        #expect(directory.accounts["erin"]?.recipient == nil)
    }

    @Test func aSuspendedMember_cannotEnrol() throws {
        var directory = try directory()
        try directory.perform { d throws(Failure) in try d.settingSuspended("dave", true) }
        #expect(enrol(&directory).contains("suspended"))
    }
}
