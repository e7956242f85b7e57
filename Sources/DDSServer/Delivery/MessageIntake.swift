// A message on its way in: whatever arrives is sealed under a new file key chunk by chunk, so that no more than a chunk of
// plaintext is ever held. A sealed submission is opened with the node's key, a plain one is taken as it is.

import DDSCore
import DDSMail
import DDSSeal

/// What came in, sealed for nobody yet.
struct SealedMessage {
    /// The age payload: nonce and STREAM.
    var payload: [UInt8]
    var fileKey: AgeFileKey
    /// True when the author sealed it to the node.
    var wasSealed: Bool
    /// True when the author sealed it to a hybrid key of the node and to no classical one.
    var wasHybrid: Bool
    /// The author's own id of this submission (header `X-DDS-Submission`), for recognising a resend.
    var submissionID: String?
    /// `Received` fields in its header: the hosts it has passed.
    var hops: Int
    var plainBytes: Int
}

/// Why a message cannot be taken; each is one SMTP reply.
enum IntakeFailure: Error, Hashable {
    /// The seal does not open: not sealed to this node's key, cut off, or damaged.
    case notOpened
}

/// One message's way through the node's memory. Fed in order; the first failure stands.
struct MessageIntake {
    static let submissionHeader = "X-DDS-Submission"

    private var wrapper = SealedWrapperReader()
    private var opener: AgeDecryptor
    private let fileKey: AgeFileKey
    private var writer: AgePayloadWriter
    private var scanner: HeaderScanner? = HeaderScanner()
    private var submissionID: String?
    private var hops = 0
    private var payload: [UInt8] = []
    private var plainBytes = 0
    private var failure: IntakeFailure?

    /// `prefix` is put in front of the message, as LMTP's Return-Path and Received are.
    init(identities: [AgeIdentity], random: any RandomSource, prefix: [UInt8] = []) {
        opener = AgeDecryptor(identities: identities)
        fileKey = AgeFileKey.generate(random: random)
        writer = AgePayloadWriter(fileKey: fileKey, random: random)
        seal(prefix)
    }

    mutating func take(_ bytes: [UInt8]) {
        guard failure == nil else { return }
        do {
            try route(wrapper.feed(bytes))
        } catch {
            failure = .notOpened
        }
    }

    mutating func finish() throws(IntakeFailure) -> SealedMessage {
        if let failure { throw failure }
        do {
            try route(wrapper.finish())
            if wrapper.kind == .sealed { sealAndWipe(try opener.finish()) }
        } catch {
            throw .notOpened
        }
        payload += writer.finish()
        return SealedMessage(
            payload: payload, fileKey: fileKey, wasSealed: wrapper.kind == .sealed,
            wasHybrid: wrapper.kind == .sealed && opener.isHybrid, submissionID: submissionID, hops: hops,
            plainBytes: plainBytes)
    }

    private mutating func route(_ bytes: [UInt8]) throws {
        if wrapper.kind == .sealed { sealAndWipe(try opener.feed(bytes)) } else { seal(bytes) }
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
