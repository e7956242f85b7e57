// Writing age headers: for recipients, for a passphrase, and one for each member of a group. The payload comes after, from
// AgePayloadWriter with the same file key.

package import DDSCore

/// Headers of age files, as bytes from the version line through the line end after the code.
package enum AgeHeader {
    /// The size of a header for one recipient.
    package static func ownHeaderBytes(_ kind: AgeKeyKind = .classical) -> Int {
        switch kind {
        case .classical: 168
        case .hybrid: 1627
        }
    }

    static let versionLine = Array("age-encryption.org/v1\n".utf8)

    /// A header with one stanza for each of `recipients`, of which there is at least one. Throws `.badRecipient` when one is not
    /// usable, and `.mixedRecipients`: with one classical reader in it a file is as open to a quantum computer as if all were.
    package static func make(
        fileKey: AgeFileKey, recipients: [AgeRecipient], notes: [AgeStanza] = [], random: some RandomSource
    ) throws(AgeError) -> [UInt8] {
        try make(fileKey: fileKey, headerKey: fileKey.headerKey(), recipients: recipients, notes: notes, random: random)
    }

    /// A header that opens with `passphrase`, alone in it by rule. Takes 2 to the power of `workFactor` KiB of memory, and for
    /// 18 more than half a second: call it off the loop. Throws `.workFactor` when memory is short.
    package static func passphrase(
        fileKey: AgeFileKey, _ passphrase: SecretBytes, workFactor: Int = 18, random: some RandomSource
    ) throws(AgeError) -> [UInt8] {
        let stanza = try ScryptStanza.seal(fileKey, passphrase: passphrase, workFactor: workFactor, random: random)
        return encode([stanza], headerKey: fileKey.headerKey())
    }

    static func make(
        fileKey: AgeFileKey, headerKey: SecretBytes, recipients: [AgeRecipient], notes: [AgeStanza] = [],
        random: some RandomSource
    ) throws(AgeError) -> [UInt8] {
        precondition(!recipients.isEmpty, "a header has a recipient")
        guard recipients.allSatisfy({ $0.kind == recipients[0].kind }) else { throw .mixedRecipients }
        var stanzas = notes
        for recipient in recipients {
            switch recipient.kind {
            case .classical: stanzas.append(try X25519Stanza.seal(fileKey, for: recipient, random: random))
            case .hybrid: stanzas.append(try HybridStanza.seal(fileKey, for: recipient))
            }
        }
        return encode(stanzas, headerKey: headerKey)
    }

    static func encode(_ stanzas: [AgeStanza], headerKey: SecretBytes) -> [UInt8] {
        var header = authenticatedPart(stanzas)
        let code = Hash.hmacSHA256(header, key: headerKey)
        header.append(0x20)
        header.append(contentsOf: Base64.encode(code, padded: false))
        header.append(0x0a)
        return header
    }

    /// What the code covers: the version line through `---`.
    static func authenticatedPart(_ stanzas: [AgeStanza]) -> [UInt8] {
        var header = versionLine
        // The body of a stanza has half as many lines again as bytes at most; a little too much costs nothing.
        header.reserveCapacity(128 + stanzas.reduce(0) { $0 + $1.arguments.reduce(16) { $0 + $1.count } + 2 * $1.body.count })
        for stanza in stanzas { stanza.append(to: &header) }
        header.append(contentsOf: "---".utf8)
        return header
    }
}

/// One payload for many members: it is encrypted once under a file key, and every member gets an age header of its own in
/// front of the same payload bytes (SEALING.md section 5). What a member downloads is a complete age file.
///
/// This is one age file for n recipients cut into n files, and sound while these rules hold: one file key seals one payload,
/// written once; the file key is dropped (and so overwritten) after the last header, so that who joins later gets no old
/// mail; an own header names no other member. A member knows the file key and could forge a payload: who wrote it is settled
/// by the signature inside, not here.
package enum FanOut {
    /// The headers for `recipients` in their order, each of `AgeHeader.ownHeaderBytes` and its notes. Throws `.badRecipient` when
    /// one is not usable, and then there are none; the text of such a recipient is refused before.
    package static func headers(
        fileKey: AgeFileKey, recipients: [AgeRecipient], notes: [[AgeStanza]] = [], random: some RandomSource
    ) throws(AgeError) -> [[UInt8]] {
        var headers: [[UInt8]] = []
        headers.reserveCapacity(recipients.count)
        for attempt in attempts(fileKey: fileKey, recipients: recipients, notes: notes, random: random) { headers.append(try attempt.get()) }
        return headers
    }

    /// The same for each recipient by itself: one that nothing can be sealed to keeps no other from a header. Nil among
    /// `recipients` is such a one. Pure work of about 0.1 ms each; the caller splits the recipients over the cores. `notes` are
    /// stanzas of kinds that other readers ignore, some for each recipient or none at all; they are authenticated and not secret.
    package static func attempts(
        fileKey: AgeFileKey, recipients: [AgeRecipient?], notes: [[AgeStanza]] = [], random: some RandomSource
    ) -> [Result<[UInt8], AgeError>] {
        precondition(notes.isEmpty || notes.count == recipients.count, "notes belong to a recipient")
        let headerKey = fileKey.headerKey()
        return recipients.enumerated().map { index, recipient in
            guard let recipient else { return .failure(.badRecipient) }
            let notes = notes.isEmpty ? [] : notes[index]
            do throws(AgeError) {
                return .success(
                    try AgeHeader.make(
                        fileKey: fileKey, headerKey: headerKey, recipients: [recipient], notes: notes, random: random))
            } catch {
                return .failure(error)
            }
        }
    }
}
