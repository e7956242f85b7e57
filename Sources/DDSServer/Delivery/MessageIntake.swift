// A message on its way in. In mode relay whatever arrives is sealed under a new file key chunk by chunk, so that no more than a
// chunk of plaintext is ever held: a sealed submission is opened with the node's key, a plain one is taken as it is. In mode
// blind only the header is opened, and the author's payload is taken as it is. In mode sealed the list of readers is opened, and the
// payload behind it is nothing that this node has a key for.

package import DDSCore
import DDSMail
package import DDSNode
package import DDSSeal

/// What came in.
package struct SealedMessage {
    /// What opens the payload.
    package enum Opening {
        /// It is sealed for nobody yet.
        case key(AgeFileKey)
        /// Its author has sealed it to its readers.
        case headers(SealedBundle)
    }

    /// The age payload: nonce and STREAM.
    package var payload: [UInt8]
    package var opening: Opening
    /// What was done with it.
    package var mode: GroupMode
    /// True when the author sealed it to the node.
    package var wasSealed: Bool
    /// True when the author sealed it to a hybrid key of the node and to no classical one.
    package var wasHybrid: Bool
    /// The author's own id of this submission, for recognising a resend: from the header `X-DDS-Submission`, and of a message that
    /// was not opened from its `SubmissionNote`.
    package var submissionID: String?
    package var plainBytes: Int
    /// What was seen of the author's signature.
    package var signature = SeenSignature.notSought
}

/// Why a message cannot be taken; each is one SMTP reply.
package enum IntakeFailure: Error, Hashable {
    /// The seal does not open: cut off, or damaged.
    case notOpened
    /// It is sealed to no key that this node has, and names its number; 0 where it names none. What is damaged may look so.
    case otherKey(UInt64)
    /// Plain, and a group among the readers takes what is sealed only.
    case notSealed
    /// The group takes only what its author has sealed to each reader.
    case notForReaders
    /// Sealed to the readers of a group, and those it goes to take no such mail.
    case forReaders
    /// What the node was to read of it cannot be read.
    case noBundle(SealedBundleRefusal)
}

/// One message's way through the node's memory. Fed in order; the first failure stands.
package struct MessageIntake {
    static let submissionHeader = "X-DDS-Submission"

    private var wrapper = SealedWrapperReader()
    /// What mode relay does with the message; nil in mode blind, in which `passage` is there.
    private var resealer: Resealer?
    private var passage: AgePassage?
    /// Instead of the two in mode sealed.
    private var unpacker: BundleUnpacker?
    private var payload: [UInt8] = []
    private var failure: IntakeFailure?

    /// `prefix` is put in front of the message, as LMTP's Return-Path and Received are. What is opened is looked at for its author's
    /// signature where `seeksSignature` says so.
    package init(
        mode: GroupMode = .relay, identities: [AgeIdentity], random: any RandomSource, prefix: [UInt8] = [],
        seeksSignature: Bool = false
    ) {
        switch mode {
        case .relay:
            var resealer = Resealer(identities: identities, random: random, seeksSignature: seeksSignature)
            payload = resealer.seal(prefix)
            self.resealer = resealer
        case .blind:
            precondition(prefix.isEmpty, "nothing is put in front of what is not opened")
            passage = AgePassage(unlock: .identities(identities))
        case .sealed:
            precondition(prefix.isEmpty, "nothing is put in front of what is not opened")
            unpacker = BundleUnpacker(identities: identities)
        }
    }

    package mutating func take(_ bytes: [UInt8]) {
        guard failure == nil else { return }
        do {
            try route(wrapper.feed(bytes))
        } catch {
            failure = failure(error)
        }
    }

    private func failure(_ error: any Error) -> IntakeFailure {
        if case AgeError.noMatch = error {
            let stanzas = resealer?.stanzas ?? passage?.stanzas ?? unpacker?.stanzas ?? []
            return .otherKey(KeyNote.number(in: stanzas))
        }
        if let refusal = error as? SealedBundleRefusal { return .noBundle(refusal) }
        return error as? IntakeFailure ?? .notOpened
    }

    package mutating func finish() throws(IntakeFailure) -> SealedMessage {
        if let failure { throw failure }
        let isSealed: Bool
        do {
            try route(wrapper.finish())
            isSealed = wrapper.kind == .sealed
            if isSealed { try passage?.finish() }
            if let rest = try resealer?.finish(isSealed: isSealed) { payload += rest }
            if let unpacker {
                guard isSealed else { throw IntakeFailure.notForReaders }
                payload += try self.unpacker?.finish() ?? []
                return try (self.unpacker ?? unpacker).message(payload)
            }
            if let passage, ModeNote.mode(in: passage.stanzas) == .sealed { throw IntakeFailure.forReaders }
        } catch {
            throw failure(error)
        }
        if let message = resealer?.message(payload, wasSealed: isSealed) { return message }
        guard let message = passage?.message(payload) else { throw .notOpened }
        return message
    }

    private mutating func route(_ bytes: [UInt8]) throws {
        guard !bytes.isEmpty || wrapper.kind == .plain else { return }
        let isSealed = wrapper.kind == .sealed
        if let resealed = try resealer?.take(bytes, isSealed: isSealed) {
            payload += resealed
        } else if isSealed {
            payload += try unpacker?.feed(bytes) ?? passage?.feed(bytes) ?? []
        } else {
            throw unpacker == nil ? IntakeFailure.notSealed : IntakeFailure.notForReaders
        }
    }
}

extension AgePassage {
    /// The author's own payload and its key; nil when the header is missing or no payload has that size, which is all that is
    /// looked at.
    fileprivate func message(_ payload: [UInt8]) -> SealedMessage? {
        guard let fileKey, let plainBytes = AgePayload.plainSize(payload: payload.count) else { return nil }
        return SealedMessage(
            payload: payload, opening: .key(fileKey), mode: .blind, wasSealed: true, wasHybrid: isHybrid,
            submissionID: SubmissionNote.id(in: stanzas), plainBytes: plainBytes)
    }
}

/// Opens the list of readers and hands on what stands behind it.
private struct BundleUnpacker {
    private var passage: AgePassage
    private var opener: AgePayloadReader?
    private var reader = SealedBundleReader()
    var stanzas: [AgeStanza] { passage.stanzas }

    init(identities: [AgeIdentity]) {
        passage = AgePassage(unlock: .identities(identities))
    }

    /// Payload bytes.
    mutating func feed(_ bytes: [UInt8]) throws -> [UInt8] {
        let sealed = try passage.feed(bytes)
        if opener == nil, let fileKey = passage.fileKey {
            // What was sealed for the node to open is not opened: members were promised that of this group's mail.
            guard ModeNote.mode(in: passage.stanzas) == .sealed else { throw IntakeFailure.notForReaders }
            opener = AgePayloadReader(fileKey: fileKey)
        }
        return try reader.feed(opener?.update(sealed[...]) ?? [])
    }

    mutating func finish() throws -> [UInt8] {
        if let failure = opener?.failure { throw failure }
        try passage.finish()
        let last = try reader.feed(opener?.finish() ?? [])
        try reader.finish()
        return last
    }

    /// Of the payload the size is all that is looked at.
    func message(_ payload: [UInt8]) throws -> SealedMessage {
        guard let bundle = reader.bundle, let plainBytes = AgePayload.plainSize(payload: payload.count) else {
            throw IntakeFailure.notOpened
        }
        return SealedMessage(
            payload: payload, opening: .headers(bundle), mode: .sealed, wasSealed: true, wasHybrid: passage.isHybrid,
            submissionID: SubmissionNote.id(in: passage.stanzas), plainBytes: plainBytes)
    }
}

/// Opens what comes in and seals it under a new key, a piece at a time; on the way it reads the header.
private struct Resealer {
    private var opener: AgeDecryptor
    private let fileKey: AgeFileKey
    private var writer: AgePayloadWriter
    private var scanner: HeaderScanner? = HeaderScanner()
    private var signatureReader: SignedMessageReader?
    private var submissionID: String?
    private var plainBytes = 0
    var stanzas: [AgeStanza] { opener.stanzas }

    init(identities: [AgeIdentity], random: any RandomSource, seeksSignature: Bool) {
        opener = AgeDecryptor(identities: identities)
        signatureReader = seeksSignature ? SignedMessageReader() : nil
        fileKey = AgeFileKey.generate(random: random)
        writer = AgePayloadWriter(fileKey: fileKey, random: random)
    }

    /// Payload bytes that are ready.
    mutating func take(_ bytes: [UInt8], isSealed: Bool) throws -> [UInt8] {
        isSealed ? sealAndWipe(try opener.feed(bytes)) : seal(bytes)
    }

    mutating func finish(isSealed: Bool) throws -> [UInt8] {
        let last = isSealed ? sealAndWipe(try opener.finish()) : []
        if isSealed, ModeNote.mode(in: opener.stanzas) == .sealed { throw IntakeFailure.forReaders }
        return last + writer.finish()
    }

    mutating func message(_ payload: [UInt8], wasSealed: Bool) -> SealedMessage {
        let signature =
            signatureReader == nil ? SeenSignature.notSought : signatureReader?.finish().map { .found($0) } ?? .none
        return SealedMessage(
            payload: payload, opening: .key(fileKey), mode: .relay, wasSealed: wasSealed,
            wasHybrid: wasSealed && opener.isHybrid,
            submissionID: submissionID, plainBytes: plainBytes, signature: signature)
    }

    /// What was opened here is nobody else's, and goes as it came.
    private mutating func sealAndWipe(_ plain: consuming [UInt8]) -> [UInt8] {
        defer { Wipe.zero(&plain) }
        return seal(plain)
    }

    mutating func seal(_ plain: [UInt8]) -> [UInt8] {
        guard !plain.isEmpty else { return [] }
        plainBytes += plain.count
        readHeader(plain)
        signatureReader?.feed(plain)
        return writer.update(plain[...])
    }

    /// The id is in the header section; a header that is none has no id, and the message goes its way all the same.
    private mutating func readHeader(_ plain: [UInt8]) {
        guard var scanner = self.scanner else { return }
        self.scanner = nil
        do {
            guard let header = try scanner.feed(plain) else {
                self.scanner = scanner
                return
            }
            submissionID = header.first(MessageIntake.submissionHeader)?.text
        } catch {
            submissionID = nil
        }
    }
}
