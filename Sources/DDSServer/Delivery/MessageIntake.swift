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
    /// The author's own id of this submission (header `X-DDS-Submission`), for recognising a resend.
    var submissionID: String?
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

    private let identity: AgeIdentity
    private let fileKey: AgeFileKey
    private var wrapper = SealedWrapperReader()
    private var opener: AgeDecryptor?
    private var writer: AgePayloadWriter
    private var headers = HeaderScanner()
    private var payload: [UInt8] = []
    private var plainBytes = 0
    private var wasSealed = false
    private var failure: IntakeFailure?

    /// `prefix` is put in front of the message, as LMTP's Return-Path and Received are.
    init(identity: AgeIdentity, random: any RandomSource, prefix: [UInt8] = []) {
        self.identity = identity
        fileKey = AgeFileKey.random()
        writer = AgePayloadWriter(fileKey: fileKey, random: random)
        if !prefix.isEmpty { seal(prefix[...]) }
    }

    mutating func take(_ bytes: ArraySlice<UInt8>) {
        guard failure == nil else { return }
        route(wrapper.feed(bytes))
    }

    mutating func finish() throws(IntakeFailure) -> SealedMessage {
        if failure == nil { route(wrapper.finish()) }
        if failure == nil, var opener {
            do {
                seal(try opener.finish()[...])
            } catch {
                failure = .notOpened
            }
        }
        if let failure { throw failure }
        payload += writer.finish()
        let id = headers.first(Self.submissionHeader)
        return SealedMessage(
            payload: payload, fileKey: fileKey, wasSealed: wasSealed, submissionID: id, plainBytes: plainBytes)
    }

    private mutating func route(_ part: SealedWrapperReader.Output) {
        switch part {
        case .undecided: break
        case .plain(let bytes): seal(bytes)
        case .armor(let bytes):
            wasSealed = true
            do {
                if opener == nil { opener = AgeDecryptor(identities: [identity]) }
                seal(try opener?.feed(bytes)[...] ?? [])
            } catch {
                failure = .notOpened
            }
        }
    }

    private mutating func seal(_ plain: ArraySlice<UInt8>) {
        guard !plain.isEmpty else { return }
        plainBytes += plain.count
        if !headers.isComplete { headers.feed(plain) }
        payload += writer.update(plain)
    }
}
