// A small sealed message for the node itself: opened in memory, never stored.

import DDSMail
import DDSSeal

struct ControlIntake {
    /// Control messages are a few lines; what is larger is none.
    static let bytesMax = 64 * 1024

    private var wrapper = SealedWrapperReader()
    private var opener: AgeDecryptor
    private var message: [UInt8] = []
    private var hasFailed = false

    init(identity: AgeIdentity) {
        opener = AgeDecryptor(identities: [identity])
    }

    mutating func take(_ bytes: ArraySlice<UInt8>) {
        route(wrapper.feed(bytes))
    }

    /// The inner message; nil when it was not sealed to the node, too large, or damaged.
    mutating func finish() -> [UInt8]? {
        route(wrapper.finish())
        guard !hasFailed, let rest = try? opener.finish(), message.count + rest.count <= Self.bytesMax else { return nil }
        return message + rest
    }

    private mutating func route(_ part: SealedWrapperReader.Output) {
        switch part {
        case .undecided: break
        case .plain: hasFailed = true
        case .armor(let bytes):
            guard !hasFailed, let plain = try? opener.feed(bytes), message.count + plain.count <= Self.bytesMax else {
                hasFailed = true
                return
            }
            message += plain
        }
    }
}
