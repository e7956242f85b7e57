import DDSCore
import DDSSeal
import Testing

@testable import DDSNode

@Suite struct RestoreRequestTests {
    private let identity = SigningKey.generate()
    private let device = [UInt8](repeating: 1, count: 32)
    private let node = [UInt8](repeating: 2, count: 32)

    private func claim(_ statement: [UInt8]? = nil) throws -> RestoreClaim {
        RestoreClaim(
            address: try #require(MailAddress("bob@node.test")), device: device, node: node, time: WallTime(milliseconds: 77),
            statement: statement)
    }

    @Test func bothMessages_comeBackAlike() throws {
        for statement in [nil, [UInt8](repeating: 3, count: 200)] {
            let claim = try claim(statement)
            let request = RestoreRequest(claim, signedBy: identity)
            let read = try #require(RestoreRequest(message: request.message))
            #expect(read == request)
            #expect(read.claim(device: device, node: node) == claim)
            #expect(read.claim(device: device, node: node).isSigned(read.signature, by: identity.publicKey))
        }
    }

    /// Whatever the claim is about, the signature is about it and nothing else.
    @Test func aSignature_isForOneClaim() throws {
        let claim = try claim([4, 5, 6])
        let signature = claim.signature(by: identity)
        var others: [RestoreClaim] = []
        for change: (inout RestoreClaim) -> Void in [
            { $0.address = MailAddress("bop@node.test") ?? $0.address }, { $0.device[31] ^= 1 }, { $0.node[0] ^= 1 },
            { $0.time = WallTime(milliseconds: 78) }, { $0.statement = [4, 5, 7] }, { $0.statement = nil },
        ] {
            var other = claim
            change(&other)
            others.append(other)
        }
        for other in others { #expect(!other.isSigned(signature, by: identity.publicKey), "\(other)") }
        #expect(claim.isSigned(signature, by: identity.publicKey))
        #expect(!claim.isSigned(signature, by: SigningKey.generate().publicKey))
        // Nor is it a statement's, or a statement's signature the claim's.
        #expect(throws: StatementRefusal.self) { try MailboxStatement(signature, by: identity.publicKey) }
    }

    @Test func whatIsDamaged_isNoRequest() throws {
        let message = RestoreRequest(try claim([4, 5, 6]), signedBy: identity).message
        let text = String(decoding: message, as: UTF8.self)
        for (part, other) in [
            ("restore+json", "enrol+json"), ("\"statement\":\"", "\"statement\":\"*"),
            ("\"signature\":\"", "\"signature\":\"AA"),
            ("\"time\":", "\"time\":-"), ("bob@node.test", "bob"), ("\"BAUG\"", "\"\""), ("\"BAUG\"", "7"),
        ] {
            #expect(text.contains(part))
            #expect(RestoreRequest(message: Array(text.replacing(part, with: other).utf8)) == nil, "\(part) \(other)")
        }
        for count in 0..<message.count - 3 { #expect(RestoreRequest(message: Array(message[..<count])) == nil, "\(count)") }
    }

    @Test func aHead_isOneLine() {
        let head = StatementHead(number: 7, hash: [UInt8](repeating: 0xab, count: 32))
        #expect(StatementHead(line: head.line) == head)
        for line in [
            "", "statement 7", "statement 0 \(Hex.encode(head.hash))", "statement 07 \(Hex.encode(head.hash))",
            "statement 7 \(Hex.encode(head.hash))00", "statement 7  \(Hex.encode(head.hash))", "key 7 older 0",
            head.line + " x",
        ] {
            #expect(StatementHead(line: line) == nil, "\(line)")
        }
    }

    @Test func aWelcome_saysWhatWasLost_andAnEnrolmentsSaysNothing() throws {
        let address = try #require(MailAddress("bob@node.test"))
        for lost in [nil, 0, 12] {
            let welcome = EnrolmentWelcome(address: address, display: "Bob", groups: ["board"], identity: node, lost: lost)
            #expect(EnrolmentWelcome(lines: welcome.lines) == welcome)
            #expect(welcome.lines.contains { $0.hasPrefix("lost") } == (lost != nil))
        }
        #expect(EnrolmentWelcome(lines: ["welcome bob@node.test", "lost -1"])?.lost == nil)
    }
}
