import DDSCore
import Testing

@testable import DDSAgent
@testable import DDSNode

@Suite struct AccountOverrideTests {
    private func account() throws -> AgentAccount {
        AgentAccount(
            address: try #require(MailAddress("bob@node.test")), display: "Bob", groups: [], host: "node.test", pop3sPort: 995,
            submissionsPort: 465, nodeKeyHash: [UInt8](repeating: 7, count: 16), nodeRecipient: "age1node", ownRecipient: "age1own")
    }

    @Test func emptyKeys_leaveWhatJoinStored() throws {
        #expect(try account().overridden(by: Config.Agent()) == account())
    }

    @Test func setKeys_winOverWhatJoinStored() throws {
        var config = Config.Agent()
        config.address = "robert@node.test"
        config.nodeKey = String(repeating: "0", count: 26)
        config.pop3s = "127.0.0.1:1995"
        config.submissions = "[::1]:1465"
        let account = try account().overridden(by: config)
        #expect(account.address == MailAddress("robert@node.test"))
        #expect(account.nodeKeyHash == [UInt8](repeating: 0, count: 16))
        #expect(account.pop3sHost == "127.0.0.1" && account.pop3sPort == 1995)
        #expect(account.submissionsHost == "::1" && account.submissionsPort == 1465)
        #expect(account.host == "node.test")
    }

    @Test func nodeKeyInHexadecimal_isTheWholeHash() throws {
        var config = Config.Agent()
        config.nodeKey = String(repeating: "ab", count: 32)
        #expect(try account().overridden(by: config).nodeKeyHash == [UInt8](repeating: 0xab, count: 32))
    }

    @Test(arguments: ["7Q2K", String(repeating: "g", count: 64), String(repeating: "U", count: 26)])
    func unreadableNodeKey_isRefusedAndNotIgnored(_ text: String) throws {
        var config = Config.Agent()
        config.nodeKey = text
        #expect(throws: Failure.self) { try account().overridden(by: config) }
    }

    @Test func identityOfTheNode_isKeptAndDamageToItIsNoFreshStart() throws {
        var account = try account()
        #expect(AgentAccount(json: account.json) == account)
        account.nodeIdentity = [UInt8](repeating: 9, count: 32)
        #expect(AgentAccount(json: account.json) == account)
        guard case .object(var fields) = account.json else { throw Failure(.bug, "an account is an object") }
        fields["node_identity"] = "0909"
        #expect(AgentAccount(json: .object(fields)) == nil)
    }
}
