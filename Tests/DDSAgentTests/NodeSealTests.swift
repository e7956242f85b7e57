// What an agent makes of the key that its node announces: the next one is taken when it is stated and signed, an older one never.

import DDSCore
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import Testing

@testable import DDSAgent

@Suite struct NodeSealTests {
    private let node = SigningKey.generate()
    private let recipients = (0..<4).map { AgeIdentity.generate(random: SeededRandom(seed: $0)).recipient }

    private func offer(_ number: UInt64, _ key: Int, by signer: SigningKey? = nil) -> [String] {
        let statement = SealStatement(
            number: number, notBefore: WallTime(milliseconds: 1000), notAfter: WallTime(milliseconds: 9000),
            recipients: ["\(recipients[key])"])
        return SealAnnouncement.capabilities([recipients[key]]) + [
            statement.capability(of: "node.test", signedBy: signer ?? node)
        ]
    }

    private func seal(_ number: UInt64?, _ key: Int) -> NodeSeal { NodeSeal(recipient: "\(recipients[key])", number: number) }

    private func isMistrusted(_ news: NodeSeal.News) -> Bool { if case .mistrusted = news { true } else { false } }

    @Test func nextKey_isTakenFromASignedStatement() {
        func news(_ known: NodeSeal, _ offer: [String]) -> NodeSeal.News {
            known.news(in: offer, of: "node.test", identity: node.publicKey)
        }
        #expect(news(seal(nil, 0), offer(1, 0)) == .newer(seal(1, 0)))
        #expect(news(seal(nil, 0), offer(9, 1)) == .newer(seal(9, 1)))
        #expect(news(seal(3, 0), offer(4, 1)) == .newer(seal(4, 1)))
        #expect(news(seal(3, 0), offer(700, 1)) == .newer(seal(700, 1)))
        #expect(news(seal(3, 0), offer(3, 0)) == .unchanged)
    }

    @Test func olderUnsignedAndForgedOnes_areNot() {
        func news(_ known: NodeSeal, _ offer: [String]) -> NodeSeal.News {
            known.news(in: offer, of: "node.test", identity: node.publicKey)
        }
        #expect(isMistrusted(news(seal(3, 0), offer(2, 1))))
        #expect(isMistrusted(news(seal(3, 0), offer(2, 0))))
        // Another key under the number of now.
        #expect(isMistrusted(news(seal(3, 0), offer(3, 1))))
        #expect(isMistrusted(news(seal(3, 0), offer(4, 1, by: .generate()))))
        #expect(isMistrusted(news(seal(nil, 0), offer(4, 1, by: .generate()))))
        // The line that was signed, beside another key.
        #expect(isMistrusted(news(seal(3, 0), SealAnnouncement.capabilities([recipients[2]]) + offer(4, 1).suffix(1))))
        #expect(isMistrusted(news(seal(3, 0), SealAnnouncement.capabilities([recipients[1]]))))
        #expect(isMistrusted(seal(3, 0).news(in: offer(4, 1), of: "other.test", identity: node.publicKey)))
        let none = SealStatement(
            number: 4, notBefore: WallTime(milliseconds: 1000), notAfter: WallTime(milliseconds: 9000), recipients: ["age1none"]
        )
        #expect(isMistrusted(news(seal(3, 0), ["XDDS-SEAL age1none", none.capability(of: "node.test", signedBy: node)])))
    }

    @Test func nodesAndAgentsOfBefore_goOnAsTheyDid() {
        let unsigned = SealAnnouncement.capabilities([recipients[1]])
        #expect(seal(nil, 0).news(in: unsigned, of: "node.test", identity: node.publicKey) == .unchanged)
        #expect(seal(nil, 0).news(in: [], of: "node.test", identity: node.publicKey) == .unchanged)
        // No identity is pinned yet.
        #expect(seal(nil, 0).news(in: offer(1, 1), of: "node.test", identity: nil) == .unchanged)
        #expect(seal(nil, 0).notes.isEmpty && KeyNote.number(in: seal(7, 0).notes) == 7)
    }

    @Test func accountKeepsTheNumber_andADamagedOneIsDamage() throws {
        var account = try testAccount(ownRecipient: "age1own", nodeRecipient: "age1node")
        #expect(account.nodeSeal == NodeSeal(recipient: "age1node"))
        #expect(account.json["node_seal_key"] == nil)
        account.nodeSealKey = 12
        #expect(AgentAccount(json: account.json) == account)
        for wrong in ["x", 0, -1] as [JSONValue] {
            guard case .object(var fields) = account.json else { return }
            fields["node_seal_key"] = wrong
            #expect(AgentAccount(json: .object(fields)) == nil)
        }
    }

    @Test func refusal_saysWhatItDemands() throws {
        let pointer = RosterPointer(group: "board", head: RosterHead(number: 4, hash: [UInt8](repeating: 1, count: 32)))
        #expect(SealDemand(in: "4.7.0 seal-key=5 is this node's key now") == .key(5))
        #expect(SealDemand(in: "4.2.4 \(pointer.word) is the current one") == .roster(pointer))
        #expect(SealDemand(in: "the seal is cut off or damaged") == nil)
    }
}
