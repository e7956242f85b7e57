import DDSCore
import DDSSeal
import Testing

@testable import DDSNode

@Suite struct KeyStatingTests {
    @Test func aStating_readsBackAsItself() {
        let stating = KeyStating(identity: Array(repeating: 3, count: 32), statement: [1, 2, 3])
        #expect(KeyStating(message: stating.message) == stating)
        for length in 0..<(stating.message.count - 2) {
            #expect(KeyStating(message: Array(stating.message.prefix(length))) == nil, "\(length)")
        }
        let short = KeyStating(identity: Array(repeating: 3, count: 31), statement: [1])
        #expect(KeyStating(message: short.message) == nil)
        #expect(
            KeyStating(message: EnrolmentRequest(inviteNumber: 1, secret: Redacted([1, 2, 3, 4, 5]), recipient: "a").message)
                == nil)
    }

    @Test func aStanding_isOneLine() {
        for standing in [KeyStanding(number: 0, older: 0), KeyStanding(number: .max, older: 17)] {
            #expect(KeyStanding(line: standing.line) == standing)
        }
        #expect(KeyStanding(number: 7, older: 1).line == "key 7 older 1")
        for line in [
            "", "key 7 older", "key 7 older -1", "key +7 older 1", "key 07 older 1", "key 7  older 1", "key 7 older 1 ",
            "Key 7 older 1",
        ] {
            #expect(KeyStanding(line: line) == nil, "\(line)")
        }
    }

    @Test func theKeyOfAHeader_isItsNote() throws {
        let random = SystemRandom()
        let key = AgeIdentity.generate(random: random)
        for (notes, number) in [
            ([], 0), ([KeyNote.stanza(1)], 1), ([GroupNote.stanza("board"), KeyNote.stanza(.max)], .max),
            ([AgeStanza(arguments: [Array("ddsnode-key".utf8), Array("x".utf8)], body: [])], 0),
        ] as [([AgeStanza], UInt64)] {
            let header = try FanOut.headers(
                fileKey: .generate(random: random), recipients: [key.recipient], notes: [notes], random: random)[0]
            #expect(KeyNote.number(inHeader: header) == number)
            #expect(KeyNote.number(inHeader: header + [1, 2, 3]) == number)
            #expect(KeyNote.number(inHeader: Array(header.dropLast())) == nil)
        }
    }

    @Test func aStatement_followsExactlyTheLastOne() throws {
        let identity = SigningKey.generate()
        let first = MailboxStatement.first(
            invite: 1, domain: "node.test", device: Array(repeating: 1, count: 32), recipient: "age1a",
            now: WallTime(milliseconds: 1)
        ).signed(by: identity)
        let statement = try MailboxStatement(first, by: identity.publicKey)
        func check(_ number: UInt64, after previous: [UInt8], last: [UInt8]?, _ lastNumber: UInt64) -> StatementRefusal? {
            var next = statement
            next.number = number
            next.previous = previous
            do throws(StatementRefusal) {
                try next.check(follows: last, number: lastNumber)
                return nil
            } catch {
                return error
            }
        }
        let hash = MailboxStatement.hash(of: first)
        #expect(check(2, after: hash, last: first, 1) == nil)
        #expect(check(1, after: hash, last: first, 1) == .replayed)
        #expect(check(3, after: hash, last: first, 1) == .skipped)
        #expect(check(2, after: MailboxStatement.noPrevious, last: first, 1) == .brokenChain)
        #expect(check(1, after: MailboxStatement.noPrevious, last: nil, 0) == nil)
        #expect(check(2, after: MailboxStatement.noPrevious, last: nil, 0) == .skipped)
        #expect(check(1, after: hash, last: nil, 0) == .brokenChain)
    }
}
