// The outside of an age file: armor and header are taken off, the file key comes out of the header, and the payload goes on
// as it is. What the payload holds is not looked at here.

/// Takes one age file piece by piece and gives its payload back unopened. Payload bytes come only after the header has been
/// opened and its code was right. After an error every call repeats it.
package struct AgePassage: Sendable {
    private let unlock: AgeUnlock
    private var form: AgeDecryptor.Form
    private var armor = AgeArmorDecoder()
    private var header: AgeHeaderReader
    /// The key of the payload; nil until the header was opened.
    package private(set) var fileKey: AgeFileKey?
    private var failure: AgeError?

    package init(unlock: AgeUnlock, form: AgeDecryptor.Form = .detected, headerLimitBytes: Int = 65536) {
        self.unlock = unlock
        self.form = form
        header = AgeHeaderReader(limitBytes: headerLimitBytes)
    }

    /// The stanzas of the header as far as it was read, unknown kinds among them. Authenticated once there is a file key.
    package var stanzas: [AgeStanza] { header.stanzas }

    /// Whether the file is sealed to hybrid keys alone; false until its header was read. Authenticated like `stanzas`.
    package var isHybrid: Bool { header.isComplete && header.isHybrid }

    /// Takes bytes of the file and returns those of the payload among them. Throws any `AgeError` but those of payloads,
    /// `.badRecipient` and `.badIdentity`.
    package mutating func feed(_ bytes: [UInt8]) throws(AgeError) -> [UInt8] {
        if let failure { throw failure }
        guard let first = bytes.first else { return [] }
        if form == .detected { form = [0x20, 0x09, 0x0a, 0x0d, 0x2d].contains(first) ? .armored : .binary }
        do throws(AgeError) {
            return form == .armored ? try open(armor.update(bytes[...])) : try open(bytes)
        } catch {
            failure = error
            throw error
        }
    }

    /// To be called when the input ends. Throws unless armor and header are whole.
    package mutating func finish() throws(AgeError) {
        if let failure { throw failure }
        do throws(AgeError) {
            if form == .armored { try armor.finish() }
            try header.finish()
        } catch {
            failure = error
            throw error
        }
    }

    private mutating func open(_ bytes: [UInt8]) throws(AgeError) -> [UInt8] {
        if fileKey != nil { return bytes }
        let taken = try header.feed(bytes[...])
        guard header.isComplete else { return [] }
        fileKey = try header.unwrap(with: unlock)
        return Array(bytes[taken...])
    }
}
