import DDSCore
import DDSSeal
import Testing

@testable import DDSNode

@Suite struct MailboxStatementTests {
    private static let identity = SigningKey.generate()
    private static let context = Array("ddsnode/v1/mailbox-key\0".utf8)

    private static var address: MailAddress {
        guard let address = MailAddress("dave@node.test") else { preconditionFailure("a constant address is one") }
        return address
    }

    private static func statement(_ change: (inout MailboxStatement) -> Void = { _ in }) -> MailboxStatement {
        var statement = MailboxStatement(
            holder: .member(address), device: Array(repeating: 7, count: 32), number: 3,
            notBefore: WallTime(milliseconds: 1_000), notAfter: WallTime(milliseconds: 2_000), recipient: "age1xyz",
            previous: Array(repeating: 9, count: 32))
        change(&statement)
        return statement
    }

    private func refusal(_ bytes: [UInt8], by key: [UInt8] = Self.identity.publicKey) -> StatementRefusal? {
        do throws(StatementRefusal) {
            _ = try MailboxStatement(bytes, by: key)
            return nil
        } catch {
            return error
        }
    }

    /// `content` with a good signature.
    private func signed(_ content: [UInt8]) -> [UInt8] { content + Self.identity.sign(content) }

    /// The fields of a statement as written, each with tag and length.
    private var fields: [[UInt8]] {
        var rest = Self.statement().signed(by: Self.identity).dropFirst(Self.context.count).dropLast(64)
        var fields: [[UInt8]] = []
        while rest.first != nil {
            let length = 3 + Int(rest[rest.startIndex + 1]) << 8 + Int(rest[rest.startIndex + 2])
            fields.append(Array(rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        return fields
    }

    @Test func aStatement_readsBackAsItself() throws {
        let newcomer = MailboxStatement.first(
            invite: 1_048_575, domain: "node.test", device: Array(repeating: 1, count: 32), recipient: "age1pq1abc",
            now: WallTime(milliseconds: 5))
        for statement in [Self.statement(), newcomer, Self.statement { $0.number = .max }] {
            #expect(try MailboxStatement(statement.signed(by: Self.identity), by: Self.identity.publicKey) == statement)
        }
        try newcomer.checkFirst()
    }

    @Test func itsBytes_areWhatTheManualSays() {
        let bytes = Self.statement().signed(by: Self.identity)
        let number: [UInt8] = [3, 0, 8, 0, 0, 0, 0, 0, 0, 0, 3]
        #expect(bytes.starts(with: Self.context + [1, 0, 15, 1] + Array("dave@node.test".utf8) + [2, 0, 32]))
        #expect(fields.map(\.first) == [1, 2, 3, 4, 5, 6, 7])
        #expect(fields[2] == number)
        #expect(fields[5] == [6, 0, 7] + Array("age1xyz".utf8))
        #expect(bytes.count == Self.context.count + fields.joined().count + 64)
    }

    @Test func whatIsCutOff_isTruncatedWhereverItEnds() {
        let bytes = Self.statement().signed(by: Self.identity)
        for length in 0..<bytes.count { #expect(refusal(Array(bytes.prefix(length))) == .truncated, "\(length)") }
        #expect(refusal(bytes) == nil)
        #expect(refusal(bytes + [0]) == .surplus)
    }

    @Test func whatIsTooLarge_isNotRead() {
        let room = MailboxStatement.bytesMax - Self.statement { $0.recipient = "" }.signed(by: Self.identity).count
        for (more, expected) in [(-1, nil), (0, nil), (1, .oversized)] as [(Int, StatementRefusal?)] {
            let statement = Self.statement { $0.recipient = String(repeating: "a", count: room + more) }
            #expect(refusal(statement.signed(by: Self.identity)) == expected, "\(more)")
        }
    }

    @Test func anyTwoFieldsChanged_areReordered() {
        for left in 0..<7 {
            for right in (left + 1)..<7 {
                var changed = fields
                changed.swapAt(left, right)
                #expect(refusal(signed(Self.context + changed.joined())) == .reordered, "\(left) \(right)")
            }
            var without = fields
            without.remove(at: left)
            #expect(refusal(signed(Self.context + without.joined())) != nil)
        }
    }

    @Test func otherVersionsAndOtherThings_haveWordsOfTheirOwn() {
        let content = Array(Self.statement().signed(by: Self.identity).dropLast(64).dropFirst(Self.context.count))
        for (context, expected) in [
            ("ddsnode/v2/mailbox-key\0", .newerVersion), ("ddsnode/v17/mailbox-key\0", .newerVersion),
            ("ddsnode/v0/mailbox-key\0", .notAStatement), ("ddsnode/v1/mailbox-kex\0", .notAStatement),
            ("ddsnode/v2/head\0", .notAStatement), ("ddsnode/v1/mailbox-key\n", .notAStatement),
        ] as [(String, StatementRefusal)] {
            #expect(refusal(signed(Array(context.utf8) + content)) == expected, "\(context)")
        }
    }

    @Test func valuesThatAreNone_areMalformed() {
        let name = Array("dave@node.test".utf8)
        for (index, field) in [
            (0, [1, 0, 0]), (0, [1, 0, 15, 3] + name), (0, [1, 0, 15, 2] + name), (0, [1, 0, 5, 1] + Array("dave".utf8)),
            (0, [1, 0, 15, 1] + Array("Dave@node.test".utf8)), (0, [1, 0, 6, 2] + Array("07@nt".utf8)),
            (1, [2, 0, 31] + Array(repeating: 7, count: 31)), (2, [3, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0]),
            (2, [3, 0, 7, 0, 0, 0, 0, 0, 0, 3]),
            (3, [4, 0, 8, 0x80, 0, 0, 0, 0, 0, 0, 0]), (3, [4, 0, 8, 0, 0, 0, 0, 0, 0, 0x07, 0xd0]), (5, [6, 0, 0]),
            (5, [6, 0, 3, 0x61, 0x20, 0x62]), (5, [8, 0, 1, 1]), (6, [7, 0, 33] + Array(repeating: 9, count: 33)),
        ] as [(Int, [UInt8])] {
            var changed = fields
            changed[index] = field
            #expect(refusal(signed(Self.context + changed.joined())) == .malformedField, "\(index) \(field)")
        }
    }

    @Test func everyChangedByte_isRefused() {
        let bytes = Self.statement().signed(by: Self.identity)
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1
            #expect(refusal(changed) != nil, "\(index)")
        }
        #expect(refusal(bytes, by: SigningKey.generate().publicKey) == .wrongSignature)
        #expect(refusal(bytes, by: []) == .wrongSignature)
    }

    @Test func aCredential_isAboutTheInviteTheDeviceAndTheKeyItCameWith() throws {
        let device = [UInt8](repeating: 4, count: 32)
        let first = MailboxStatement.first(
            invite: 12, domain: "node.test", device: device, recipient: "age1a", now: WallTime(milliseconds: 1))
        func check(
            _ statement: MailboxStatement, invite: UInt32 = 12, domain: String = "node.test",
            device: [UInt8] = [UInt8](repeating: 4, count: 32),
            recipient: String = "age1a"
        ) -> StatementRefusal? {
            let credential = MemberCredential(identity: Self.identity.publicKey, statement: statement.signed(by: Self.identity))
            do throws(StatementRefusal) {
                _ = try credential.checked(invite: invite, domain: domain, device: device, recipient: recipient)
                return nil
            } catch {
                return error
            }
        }
        #expect(check(first) == nil)
        #expect(check(first, invite: 13) == .aboutAnother)
        #expect(check(first, domain: "other.test") == .aboutAnother)
        #expect(check(first, device: [UInt8](repeating: 5, count: 32)) == .aboutAnother)
        #expect(check(first, device: []) == .aboutAnother)
        #expect(check(first, recipient: "age1b") == .aboutAnother)
        var second = first
        second.number = 2
        #expect(check(second) == .skipped)
        var linked = first
        linked.previous[0] = 1
        #expect(check(linked) == .brokenChain)
        let sentences: [StatementRefusal] = [
            .truncated, .oversized, .surplus, .notAStatement, .newerVersion, .reordered, .malformedField, .wrongSignature,
            .aboutAnother,
            .replayed, .skipped, .brokenChain, .foreignIdentity,
        ]
        #expect(Set(sentences.map(\.description)).count == sentences.count)
    }
}
