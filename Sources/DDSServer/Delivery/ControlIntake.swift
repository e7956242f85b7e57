// A small sealed message for the node itself: opened in memory, never stored.

import DDSMail
import DDSNode
import DDSSeal

struct ControlIntake {
    /// Control messages are a few lines; what is larger is none.
    static let bytesMax = 64 * 1024

    private var wrapper = SealedWrapperReader()
    private var opener: AgeDecryptor
    private var message: [UInt8] = []
    private var hasFailed = false
    /// Set when it is sealed to no key that this node has: the number that it names, 0 without one.
    private(set) var otherKey: UInt64?

    init(identities: [AgeIdentity]) {
        opener = AgeDecryptor(identities: identities)
    }

    mutating func take(_ bytes: [UInt8]) {
        guard !hasFailed else { return }
        do {
            try open(wrapper.feed(bytes))
        } catch {
            if case AgeError.noMatch = error { otherKey = KeyNote.number(in: opener.stanzas) }
            hasFailed = true
        }
    }

    /// The inner message; nil when it was not sealed to the node, too large, or damaged.
    mutating func finish() -> [UInt8]? {
        do {
            guard !hasFailed else { return nil }
            try open(wrapper.finish())
            guard wrapper.kind == .sealed else { return nil }
            message += try opener.finish()
            return message.count <= Self.bytesMax ? message : nil
        } catch {
            return nil
        }
    }

    private mutating func open(_ bytes: [UInt8]) throws {
        if wrapper.kind == .sealed { message += try opener.feed(bytes) }
        if wrapper.kind == .plain || message.count > Self.bytesMax { hasFailed = true }
    }
}
