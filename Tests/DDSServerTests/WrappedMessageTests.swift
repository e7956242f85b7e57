import DDSCore
import DDSLoop
import DDSSpool
import DDSTestKit
import Testing

@testable import DDSServer

@Suite struct WrappedMessageTests {
    @Test(arguments: [0, 1, 2, 46, 47, 48, 49, 95, 96, 97, 1000, 65_536, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 2_500_001])
    @LoopActor func listOctets_areExactlyWhatIsSent(size: Int) async throws {
        let spool = MemorySpool(time: ManualTime())
        let payload = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for headerSize in [168, 169, 170, 200] {
            _ = try await spool.commit(
                SpoolTransaction(appends: [
                    .payload(tag: .none, body: payload),
                    .delivery(mailbox: MailboxID(rawValue: 1000), tag: .none, flags: 0, header: Array(repeating: 7, count: headerSize), payload: 0),
                ]))
        }
        let recipient = try #require(MailAddress("bob@node.test"))
        for entry in try await spool.entries(in: MailboxID(rawValue: 1000)) {
            let message = try await WrappedMessage(entry, node: "node.test", recipient: recipient, spool: spool)
            var bytes: [UInt8] = []
            while !message.isAtEnd {
                let piece = try await message.next()
                #expect(!piece.isEmpty)
                bytes += piece
                #expect(message.position == bytes.count)
            }
            #expect(bytes.count == WrappedMessage.octets(entry, node: "node.test", recipient: recipient))
            #expect(bytes.suffix(2) == [0x0d, 0x0a])
            // Skipping to where a piece began goes on from there.
            let again = try await WrappedMessage(entry, node: "node.test", recipient: recipient, spool: spool)
            let first = try await again.next()
            if !again.isAtEnd {
                let third = try await WrappedMessage(entry, node: "node.test", recipient: recipient, spool: spool)
                try await third.skip(to: first.count)
                #expect(third.position == first.count)
                let (left, right) = (try await third.next(), try await again.next())
                #expect(left == right)
            }
        }
    }
}
