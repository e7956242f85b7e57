import DDSCore
import Testing

@testable import DDSServer

@Suite struct DeliveryRuleTests {
    private func address(_ text: String) throws -> MailAddress { try #require(MailAddress(text)) }

    private func refusal(_ directory: Directory, _ to: String, author: String?) throws -> Directory.Refusal? {
        let address = try address(to)
        do throws(Directory.Refusal) {
            _ = try directory.destination(of: address, domain: "node.test", author: author)
            return nil
        } catch {
            return error
        }
    }

    @Test func personsAndGroups_areFound() throws {
        let directory = try Directory.sample()
        #expect(try directory.destination(of: try address("BOB@Node.Test"), domain: "node.test", author: "alice") == .member("bob"))
        #expect(try directory.destination(of: try address("board@node.test"), domain: "node.test", author: "bob") == .group("board"))
    }

    @Test func everyRefusal_saysWhatToDo() throws {
        var directory = try Directory.sample()
        try directory.perform { d throws(Failure) in try d.addingAccount("dave", display: "", groups: []) }
        directory.apply(.accountSuspended(name: "carol"))
        guard case .unknown(let unknown) = try refusal(directory, "nobody@node.test", author: "alice"),
            case .notAllowed(let foreign) = try refusal(directory, "bob@elsewhere.test", author: "alice"),
            case .notAllowed(let suspended) = try refusal(directory, "carol@node.test", author: "alice"),
            case .later(let invited) = try refusal(directory, "dave@node.test", author: "alice"),
            case .notAllowed(let stranger) = try refusal(directory, "board@node.test", author: "carol")
        else {
            Issue.record("a refusal is of another kind")
            return
        }
        #expect(unknown.contains("check the spelling"))
        #expect(foreign.contains("node.test"))
        #expect(suspended.contains("ask the node's administrator"))
        #expect(invited.contains("has not joined yet"))
        #expect(stranger.contains("only members"))
    }

    @Test(arguments: [
        (PostingPolicy.all, nil, true), (.all, "carol", true), (.members, nil, false), (.members, "carol", false),
        (.members, "bob", true), (.owners, "bob", false), (.owners, "alice", true), (.owners, nil, false),
    ] as [(PostingPolicy, String?, Bool)])
    func postingRights_followThePolicy(policy: PostingPolicy, author: String?, isAllowed: Bool) throws {
        var directory = try Directory.sample()
        try directory.perform { d throws(Failure) in try d.changingGroup("board", title: nil, posting: policy) }
        #expect((try refusal(directory, "board@node.test", author: author) == nil) == isAllowed)
    }

    @Test func readers_areEverybodyOnce_butNotTheKeyAuthorOfAGroup() throws {
        let directory = try Directory.sample()
        #expect(directory.readers(of: [.group("board")], author: nil).map(\.name) == ["alice", "bob"])
        #expect(directory.readers(of: [.group("board")], author: "alice").map(\.name) == ["bob"])
        #expect(directory.readers(of: [.group("board"), .member("bob"), .member("carol")], author: nil).map(\.name) == ["alice", "bob", "carol"])
    }

    @Test func aKeyAuthorWhoNamesHimself_getsACopy() throws {
        let directory = try Directory.sample()
        #expect(directory.readers(of: [.group("board"), .member("alice")], author: "alice").map(\.name) == ["alice", "bob"])
    }

    @Test func aPasswordAuthor_getsTheGroupsCopy() throws {
        var directory = try Directory.sample()
        directory.apply(.accessGranted(name: "alice", login: .password(verifier: "v"), recipient: "age1alice"))
        #expect(directory.readers(of: [.group("board")], author: "alice").map(\.name) == ["alice", "bob"])
    }

    @Test func suspendedAndRemovedMembers_areNoReaders_andInvitedOnesAre() throws {
        var directory = try Directory.sample()
        try directory.perform { d throws(Failure) in try d.addingAccount("dave", display: "", groups: ["board"]) }
        directory.apply(.accountSuspended(name: "bob"))
        #expect(directory.readers(of: [.group("board"), .member("nobody"), .group("none")], author: nil).map(\.name) == ["alice", "dave"])
    }
}
