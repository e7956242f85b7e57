import DDSCore
import DDSCore
import DDSNode
import Foundation
import Testing

@testable import DDSServer

extension Directory {
    /// Applies what a command made.
    mutating func perform(_ command: (Directory) throws(Failure) -> [DirectoryEvent]) throws(Failure) {
        for event in try command(self) { apply(event) }
    }

    /// A directory with three members and a group of the first two.
    static func sample() throws -> Directory {
        var directory = Directory()
        for name in ["alice", "bob", "carol"] {
            try directory.perform { d throws(Failure) in try d.addingAccount(name, display: "", groups: []) }
            directory.apply(.accessGranted(name: name, login: .deviceKey("key-\(name)"), recipient: "age1\(name)"))
        }
        try directory.perform { d throws(Failure) in
            try d.addingGroup("board", title: "The board", mode: .relay, posting: .members, members: ["bob", "alice"], owners: ["alice"])
        }
        return directory
    }
}

@Suite struct DirectoryCommandTests {
    @Test(arguments: ["a", "a.b", "a-b_c", "0a", String(repeating: "x", count: 32), "MiXed"])
    func goodNames_areTakenInLowerCase(name: String) throws {
        #expect(try Directory().checkedName(name) == name.lowercased())
    }

    @Test(arguments: [
        "", "-a", "a-", ".a", "a.", "a..b", "a b", "a@b", "ä", "a\r\nb", "a/b", "İ", String(repeating: "x", count: 33),
    ])
    func badNames_areRefusedWithTheRule(name: String) {
        let failure = #expect(throws: Failure.self) { try Directory().checkedName(name) }
        #expect(failure?.code == .badInput)
        #expect(failure?.publicText.contains("up to 32 letters") == true)
    }

    @Test(arguments: ["postmaster", "ENROL", "control", "dds", "node", "root", "all", "everyone"])
    func reservedNames_areRefused(name: String) {
        #expect(throws: Failure.self) { try Directory().addingAccount(name, display: "", groups: []) }
        #expect(throws: Failure.self) {
            try Directory().addingGroup(name, title: "", mode: .relay, posting: .all, members: [], owners: [])
        }
    }

    @Test func maildrops_haveTheirMemberAlsoAfterReadingAndUntilTheMemberLeaves() throws {
        var directory = try Directory.sample()
        let bob = try #require(directory.accounts["bob"]).mailbox
        let read = try JSONDecoder().decode(Directory.self, from: JSONEncoder().encode(directory))
        #expect(read == directory)
        #expect(read.account(mailbox: bob)?.name == "bob")
        #expect(directory.account(mailbox: bob)?.name == "bob")
        #expect(directory.account(mailbox: bob + 1000) == nil)
        directory.apply(.accountRemoved(name: "bob"))
        #expect(directory.account(mailbox: bob) == nil)
        #expect(read.account(mailbox: bob)?.name == "bob")
    }

    @Test func membersAndGroupsShareOneNameSpace() throws {
        let directory = try Directory.sample()
        for name in ["alice", "ALICE", "board"] {
            let user = #expect(throws: Failure.self) { try directory.addingAccount(name, display: "", groups: []) }
            #expect(user?.code == .cannotCreate)
            #expect(throws: Failure.self) {
                try directory.addingGroup(name, title: "", mode: .relay, posting: .all, members: [], owners: [])
            }
        }
    }

    @Test func unknownNames_areMetWithASuggestion() throws {
        let directory = try Directory.sample()
        let member = #expect(throws: Failure.self) { try directory.member("alcie") }
        #expect(member?.code == .unknownName)
        #expect(member?.publicText.contains("did you mean \"alice\"?") == true)
        let group = #expect(throws: Failure.self) { try directory.group("baord") }
        #expect(group?.publicText.contains("did you mean \"board\"?") == true)
        let nothing = #expect(throws: Failure.self) { try directory.member("zzzzzz") }
        #expect(nothing?.publicText.contains("did you mean") == false)
    }

    @Test(arguments: ["two\r\nlines", "bell\u{7}", "\u{202e}turned", String(repeating: "n", count: 101)])
    func displayNamesAndTitles_areOneShortLine(text: String) throws {
        let directory = try Directory.sample()
        #expect(throws: Failure.self) { try directory.addingAccount("dave", display: text, groups: []) }
        #expect(throws: Failure.self) { try directory.changingGroup("board", title: text, posting: nil) }
        #expect(throws: Failure.self) {
            try directory.addingGroup("club", title: text, mode: .relay, posting: .all, members: [], owners: [])
        }
    }

    @Test func aNewMemberEntersGroupsOnce_andAnUnknownGroupRefusesAll() throws {
        var directory = try Directory.sample()
        #expect(throws: Failure.self) { try directory.addingAccount("dave", display: "", groups: ["board", "nowhere"]) }
        try directory.perform { d throws(Failure) in try d.addingAccount("dave", display: "Dave D", groups: ["board", "BOARD"]) }
        #expect(directory.groupNames(of: "dave") == ["board"])
        #expect(directory.accounts["dave"]?.display == "Dave D")
        #expect(directory.accounts["dave"]?.state == "invited")
    }

    @Test func maildropNumbers_areNeverUsedAgain() throws {
        var directory = try Directory.sample()
        let old = try #require(directory.accounts["carol"]?.mailbox)
        try directory.perform { d throws(Failure) in try d.removingAccount("carol") }
        try directory.perform { d throws(Failure) in try d.addingAccount("carol", display: "", groups: []) }
        #expect(try #require(directory.accounts["carol"]?.mailbox) > old)
    }

    @Test func aRemovedMember_isGoneFromGroupsInvitesAndKeys() throws {
        var directory = try Directory.sample()
        try directory.perform { d throws(Failure) in
            try d.creatingInvite(for: "bob", number: 7, secretHash: "h", expires: WallTime(milliseconds: 10))
        }
        try directory.perform { d throws(Failure) in try d.removingAccount("BOB") }
        #expect(directory.account(deviceKey: "key-bob") == nil)
        #expect(directory.groups["board"]?.members == ["alice"])
        #expect(directory.invites.isEmpty)
        #expect(throws: Failure.self) { try directory.member("bob") }
    }

    @Test func aNewDeviceKey_replacesTheOldOne() throws {
        var directory = try Directory.sample()
        directory.apply(.accessGranted(name: "bob", login: .deviceKey("new"), recipient: "age1new"))
        #expect(directory.account(deviceKey: "key-bob") == nil)
        #expect(directory.account(deviceKey: "new")?.name == "bob")
    }

    @Test func groupMembership_isAddedAndTakenOnce() throws {
        var directory = try Directory.sample()
        #expect(try directory.addingMembers(["alice"], to: "board", asOwners: false).isEmpty)
        try directory.perform { d throws(Failure) in try d.addingMembers(["Bob", "carol"], to: "board", asOwners: true) }
        #expect(directory.groups["board"]?.owners == ["alice", "bob", "carol"])
        try directory.perform { d throws(Failure) in try d.removingMembers(["bob"], from: "board") }
        #expect(directory.groups["board"]?.members == ["alice", "carol"])
        #expect(directory.groups["board"]?.owners == ["alice", "carol"])
        let failure = #expect(throws: Failure.self) { try directory.removingMembers(["bob"], from: "board") }
        #expect(failure?.code == .unknownName)
    }

    @Test func aGroupHandedOver_hasTheOtherOwner_andBothAsMembers() throws {
        var directory = try Directory.sample()
        func refused(_ from: String, _ to: String, _ words: String) {
            let failure = #expect(throws: Failure.self) { try directory.handingOver("board", from: from, to: to) }
            #expect(failure?.publicText.contains(words) == true, "\(String(describing: failure))")
        }
        refused("alice", "carol", "first run: ddsnode group member add board carol")
        refused("alice", "ALICE", "cannot hand #board over to themselves")
        refused("carol", "bob", "carol is no owner of #board; see: ddsnode group member list board")
        refused("alice", "nobody", "nobody")
        directory.apply(.accountSuspended(name: "bob"))
        refused("alice", "bob", "first run: ddsnode user resume bob")
        directory.apply(.accountResumed(name: "bob"))
        try directory.perform { d throws(Failure) in try d.handingOver("Board", from: "Alice", to: "Bob") }
        #expect(directory.groups["board"]?.owners == ["bob"])
        #expect(directory.groups["board"]?.members == ["alice", "bob"])
        // What is so already is no change.
        #expect(try directory.handingOver("board", from: "alice", to: "bob").isEmpty)
    }

    @Test func suspending_isIdempotent() throws {
        var directory = try Directory.sample()
        #expect(try directory.settingSuspended("bob", true).count == 1)
        try directory.perform { d throws(Failure) in try d.settingSuspended("bob", true) }
        #expect(try directory.settingSuspended("bob", true).isEmpty)
        #expect(directory.accounts["bob"]?.state == "suspended")
    }
}
