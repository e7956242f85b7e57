// Whole age files, streaming: header and payload together, in binary or in armor.

package import DDSCore

/// Encrypts one age file piece by piece.
package struct AgeEncryptor: Sendable {
    private var writer: AgePayloadWriter
    private var armor: AgeArmorEncoder?
    private var header: [UInt8]

    /// A file for `recipients`, of which there is at least one; armored when a line end is given. `notes` are stanzas of kinds
    /// that other readers ignore; they are authenticated and not secret. Throws `.badRecipient`.
    package init(
        recipients: [AgeRecipient], notes: [AgeStanza] = [], armor: AgeArmor.LineEnd?, random: some RandomSource
    ) throws(AgeError) {
        let fileKey = AgeFileKey.generate(random: random)
        header = try AgeHeader.make(fileKey: fileKey, recipients: recipients, notes: notes, random: random)
        writer = AgePayloadWriter(fileKey: fileKey, random: random)
        self.armor = armor.map { AgeArmorEncoder(lineEnd: $0) }
    }

    /// Takes plaintext and returns what is ready of the file.
    package mutating func update(_ plain: ArraySlice<UInt8>) -> [UInt8] {
        let file = headed(writer.update(plain))
        return armor?.update(file[...]) ?? file
    }

    /// The rest of the file.
    package mutating func finish() -> [UInt8] {
        let file = headed(writer.finish())
        guard var armor else { return file }
        return armor.update(file[...]) + armor.finish()
    }

    /// Puts the header in front of the first bytes of the payload.
    private mutating func headed(_ payload: [UInt8]) -> [UInt8] {
        guard !header.isEmpty else { return payload }
        defer { header = [] }
        return header + payload
    }
}

/// Decrypts one age file piece by piece. Whatever it returns is authentic; that it is complete is known after `finish` only.
/// How the file is cut into pieces changes neither the plaintext nor the error: what comes before the first fault is
/// returned, and the next call throws. After an error every call repeats it.
package struct AgeDecryptor: Sendable {
    package enum Form: Sendable {
        /// Decided by the first byte: white space or a hyphen begins armor.
        case detected
        case binary
        case armored
    }

    private var passage: AgePassage
    private var payload: AgePayloadReader?
    private var failure: AgeError?

    package init(identities: [AgeIdentity], form: Form = .detected, headerLimitBytes: Int = 65536) {
        self.init(unlock: .identities(identities), form: form, headerLimitBytes: headerLimitBytes)
    }

    package init(unlock: AgeUnlock, form: Form = .detected, headerLimitBytes: Int = 65536) {
        passage = AgePassage(unlock: unlock, form: form, headerLimitBytes: headerLimitBytes)
    }

    /// The stanzas of the header as far as it was read, unknown kinds among them. Authenticated only once `feed` has returned
    /// plaintext or `finish` has returned.
    package var stanzas: [AgeStanza] { passage.stanzas }

    /// Whether the file is sealed to hybrid keys alone; false until its header was read. Authenticated like `stanzas`.
    package var isHybrid: Bool { passage.isHybrid }

    /// Takes bytes of the file and returns the plaintext that they complete. Throws any `AgeError` but `.badRecipient` and
    /// `.badIdentity`.
    package mutating func feed(_ bytes: [UInt8]) throws(AgeError) -> [UInt8] {
        if let failure { throw failure }
        do throws(AgeError) {
            let sealed = try passage.feed(bytes)
            if payload == nil { payload = passage.fileKey.map { AgePayloadReader(fileKey: $0) } }
            return try payload?.update(sealed[...]) ?? []
        } catch {
            failure = error
            throw error
        }
    }

    /// The plaintext of the last chunk. Throws unless the file is whole.
    package mutating func finish() throws(AgeError) -> [UInt8] {
        if let failure { throw failure }
        do throws(AgeError) {
            // A fault of the payload that waits to be told comes before whatever the armor has to say about its end.
            if let failure = payload?.failure { throw failure }
            try passage.finish()
            return try payload?.finish() ?? []
        } catch {
            failure = error
            throw error
        }
    }
}
