// A message as the gateway gives it out: what its author submitted, octet for octet. What this system puts around it on its
// way is taken off; what the author wrote is never touched.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSpool

enum GivenMessage {
    /// Of a message as the store has it. The node pads what it writes itself.
    static func octets(of stored: [UInt8], isFromNode: Bool) -> [UInt8] {
        octets(ofInner: SignedMessage.inner(of: stored), isFromNode: isFromNode)
    }

    /// The same of a message whose signature was taken off.
    static func octets(ofInner inner: [UInt8], isFromNode: Bool) -> [UInt8] {
        canonical(isFromNode ? Padding.strip(inner) : inner)
    }

    /// With CRLF line ends. Whatever came through the node has them; what was imported from a file may not.
    private static func canonical(_ message: [UInt8]) -> [UInt8] {
        var previous: UInt8 = 0
        for octet in message {
            if (octet == 0x0a) != (previous == 0x0d) { return LineEnds.crlf(message) }
            previous = octet
        }
        return previous == 0x0d ? LineEnds.crlf(message) : message
    }
}

extension MessageStore {
    /// The message as it is given out; nil when it is gone or cannot be read.
    func given(_ id: String) async -> [UInt8]? {
        guard let summary = items[id]?.summary, let stored = try? await message(id) else { return nil }
        let isFromNode = summary.isFromNode == true
        return try? await Heavy.perform(octets: stored.count) { GivenMessage.octets(of: stored, isFromNode: isFromNode) }
    }
}
