// A message on its way in. In mode relay whatever arrives is sealed under a new file key chunk by chunk, so that no more than a
// chunk of plaintext is ever held: a sealed submission is opened with the node's key, a plain one is taken as it is. In mode
// blind only the header is opened, and the author's payload is taken as it is.

import DDSCore
import DDSMail
import DDSNode
import DDSSeal

/// What came in, sealed for nobody yet.
struct SealedMessage {
    /// The age payload: nonce and STREAM.
    var payload: [UInt8]
    var fileKey: AgeFileKey
    /// What was done with it.
    var mode: GroupMode
    /// True when the author sealed it to the node.
    var wasSealed: Bool
    /// True when the author sealed it to a hybrid key of the node and to no classical one.
    var wasHybrid: Bool
    /// The author's own id of this submission, for recognising a resend: from the header `X-DDS-Submission`, and of a message that
    /// was not opened from its `SubmissionNote`.
    var submissionID: String?
    /// `Received` fields in its header: the hosts it has passed.
    var hops: Int
    var plainBytes: Int
}

/// Why a message cannot be taken; each is one SMTP reply.
enum IntakeFailure: Error, Hashable {
    /// The seal does not open: not sealed to this node's key, cut off, or damaged.
    case notOpened
    /// Plain, and a group among the readers takes what is sealed only.
    case notSealed
}

/// One message's way through the node's memory. Fed in order; the first failure stands.
struct MessageIntake {
    static let submissionHeader = "X-DDS-Submission"

    private let mode: GroupMode
    private var wrapper = SealedWrapperReader()
    private var passage: AgePassage
    /// Opens the payload; only in mode relay.
    private var reader: AgePayloadReader?
    private let fileKey: AgeFileKey
    private var writer: AgePayloadWriter
    private var scanner: HeaderScanner? = HeaderScanner()
    private var submissionID: String?
    private var hops = 0
    private var payload: [UInt8] = []
    private var plainBytes = 0
    private var failure: IntakeFailure?

    /// `prefix` is put in front of the message, as LMTP's Return-Path and Received are.
    init(mode: GroupMode = .relay, identities: [AgeIdentity], random: any RandomSource, prefix: [UInt8] = []) {
        precondition(mode == .relay || prefix.isEmpty, "nothing is put in front of what is not opened")
        self.mode = mode
        passage = AgePassage(unlock: .identities(identities))
        fileKey = AgeFileKey.generate(random: random)
        writer = AgePayloadWriter(fileKey: fileKey, random: random)
        seal(prefix)
    }

    mutating func take(_ bytes: [UInt8]) {
        guard failure == nil else { return }
        do {
            try route(wrapper.feed(bytes))
        } catch {
            failure = error as? IntakeFailure ?? .notOpened
        }
    }

    mutating func finish() throws(IntakeFailure) -> SealedMessage {
        if let failure { throw failure }
        do {
            try route(wrapper.finish())
            if wrapper.kind == .sealed {
                try passage.finish()
                if let last = try reader?.finish() { sealAndWipe(last) }
            }
            return mode == .blind ? try kept() : resealed()
        } catch {
            throw error as? IntakeFailure ?? .notOpened
        }
    }

    private mutating func resealed() -> SealedMessage {
        payload += writer.finish()
        return SealedMessage(
            payload: payload, fileKey: fileKey, mode: .relay, wasSealed: wrapper.kind == .sealed,
            wasHybrid: wrapper.kind == .sealed && passage.isHybrid, submissionID: submissionID, hops: hops,
            plainBytes: plainBytes)
    }

    /// The author's own payload and its key. Of the payload only the size is looked at.
    private func kept() throws -> SealedMessage {
        guard let fileKey = passage.fileKey, let plainBytes = AgePayload.plainSize(payload: payload.count) else {
            throw IntakeFailure.notOpened
        }
        return SealedMessage(
            payload: payload, fileKey: fileKey, mode: .blind, wasSealed: true, wasHybrid: passage.isHybrid,
            submissionID: SubmissionNote.id(in: passage.stanzas), hops: 0, plainBytes: plainBytes)
    }

    private mutating func route(_ bytes: [UInt8]) throws {
        switch wrapper.kind {
        case .undecided: precondition(bytes.isEmpty, "what is not decided about is held back")
        case .plain:
            guard mode == .relay else { throw IntakeFailure.notSealed }
            seal(bytes)
        case .sealed:
            let sealed = try passage.feed(bytes)
            guard mode == .relay else {
                payload += sealed
                return
            }
            if reader == nil { reader = passage.fileKey.map { AgePayloadReader(fileKey: $0) } }
            if let plain = try reader?.update(sealed[...]) { sealAndWipe(plain) }
        }
    }

    /// What was opened here is nobody else's, and goes as it came.
    private mutating func sealAndWipe(_ plain: consuming [UInt8]) {
        seal(plain)
        Wipe.zero(&plain)
    }

    private mutating func seal(_ plain: [UInt8]) {
        guard !plain.isEmpty else { return }
        plainBytes += plain.count
        readHeader(plain)
        payload += writer.update(plain[...])
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
            submissionID = header.first(Self.submissionHeader)?.text
            hops = header.all("Received").count
        } catch {
            submissionID = nil
        }
    }
}
