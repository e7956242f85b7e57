// Whole age files, streaming: header and payload together, in binary or in armor.

package import DDSCore

/// Encrypts one age file piece by piece.
package struct AgeEncryptor: Sendable {
    private var writer: AgePayloadWriter
    private var armor: AgeArmorEncoder?
    private var header: [UInt8]

    /// A file for `recipients`, of which there is at least one; armored when a line end is given. Throws `.badRecipient`.
    package init(
        recipients: [AgeRecipient], armor: AgeArmor.LineEnd?, random: some RandomSource
    ) throws(AgeError) {
        let fileKey = AgeFileKey.generate(random: random)
        header = try AgeHeader.make(fileKey: fileKey, recipients: recipients, random: random)
        writer = AgePayloadWriter(fileKey: fileKey, random: random)
        self.armor = armor.map { AgeArmorEncoder(lineEnd: $0) }
    }

    /// Takes plaintext and returns what is ready of the file.
    package mutating func update(_ plain: ArraySlice<UInt8>) -> [UInt8] {
        let file = header + writer.update(plain)
        header = []
        return armor?.update(file[...]) ?? file
    }

    /// The rest of the file.
    package mutating func finish() -> [UInt8] {
        let file = header + writer.finish()
        header = []
        guard var armor else { return file }
        return armor.update(file[...]) + armor.finish()
    }
}

/// Decrypts one age file piece by piece. Whatever it returns is authentic; that it is complete is known after `finish` only.
package struct AgeDecryptor: Sendable {
    package enum Form: Sendable {
        /// Decided by the first byte: white space or a hyphen begins armor.
        case detected
        case binary
        case armored
    }

    private let unlock: AgeUnlock
    private var form: Form
    private var armor = AgeArmorDecoder()
    private var header: AgeHeaderReader
    private var payload: AgePayloadReader?

    package init(identities: [AgeIdentity], form: Form = .detected, headerLimitBytes: Int = 65536) {
        self.init(unlock: .identities(identities), form: form, headerLimitBytes: headerLimitBytes)
    }

    package init(unlock: AgeUnlock, form: Form = .detected, headerLimitBytes: Int = 65536) {
        self.unlock = unlock
        self.form = form
        header = AgeHeaderReader(limitBytes: headerLimitBytes)
    }

    /// Takes bytes of the file and returns the plaintext that they complete. Nothing may be fed after a throw.
    package mutating func feed(_ bytes: [UInt8]) throws(AgeError) -> [UInt8] {
        guard let first = bytes.first else { return [] }
        if form == .detected { form = [0x20, 0x09, 0x0a, 0x0d, 0x2d].contains(first) ? .armored : .binary }
        return form == .armored ? try open(armor.update(bytes[...])[...]) : try open(bytes[...])
    }

    /// The plaintext of the last chunk. Throws unless the file is whole.
    package mutating func finish() throws(AgeError) -> [UInt8] {
        if form == .armored { try armor.finish() }
        guard var payload else {
            try header.finish()
            throw .headerFailure
        }
        defer { self.payload = payload }
        return try payload.finish()
    }

    private mutating func open(_ bytes: ArraySlice<UInt8>) throws(AgeError) -> [UInt8] {
        var rest = bytes
        if payload == nil {
            rest = rest.dropFirst(try header.feed(rest))
            guard header.isComplete else { return [] }
            payload = AgePayloadReader(fileKey: try header.unwrap(with: unlock))
        }
        return try payload?.update(rest) ?? []
    }
}
