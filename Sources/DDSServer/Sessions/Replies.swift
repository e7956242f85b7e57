// The words in which decisions of the role reach an SMTP or LMTP client; each names the remedy.

import DDSCore
import DDSNode
import DDSWire

extension Directory.Refusal {
    var reply: SMTPReply {
        switch self {
        case .unknown(let text): SMTPReply(550, EnhancedCode(5, 1, 1), text)
        case .notAllowed(let text): SMTPReply(550, EnhancedCode(5, 7, 1), text)
        case .later(let text): SMTPReply(450, EnhancedCode(4, 2, 1), text)
        }
    }
}

extension SenderQuota.Refusal {
    func reply(now: WallTime) -> SMTPReply {
        switch self {
        case .messages: SMTPReply(452, EnhancedCode(4, 5, 3), words(now: now))
        case .bytes: SMTPReply(452, EnhancedCode(4, 2, 2), words(now: now))
        case .never: SMTPReply(552, EnhancedCode(5, 3, 4), words(now: now))
        }
    }
}

extension IntakeFailure {
    /// `sealKey` is the number of the node's seal key.
    func reply(sealKey: UInt64) -> SMTPReply {
        switch self {
        case .notOpened:
            SMTPReply(
                550, EnhancedCode(5, 7, 5), "the seal is cut off or damaged; seal it again to the key that EHLO announces")
        // Whoever names the key knows how to seal again.
        case .otherKey(let number) where 0 < number && number < sealKey:
            SMTPReply(
                451, EnhancedCode(4, 7, 0),
                "\(SealStatement.word(sealKey)) is this node's key now, and key \(number) is destroyed; seal it again")
        case .otherKey:
            SMTPReply(
                550, EnhancedCode(5, 7, 5),
                "the seal does not open with any key of this node; \(SealStatement.word(sealKey)) is the one of now: take it from the reply to EHLO and seal again"
            )
        case .notSealed:
            SMTPReply(
                550, EnhancedCode(5, 7, 1),
                "a group among the recipients takes only mail that was sealed to this node's key; write with ddsnode's agent, or seal with age"
            )
        case .notForReaders:
            SMTPReply(
                550, EnhancedCode(5, 7, 1),
                "this group takes only mail that its author has sealed to each reader; write with ddsnode's agent, which does that"
            )
        case .forReaders:
            SMTPReply(
                451, EnhancedCode(4, 2, 4),
                "the group takes no mail that is sealed to each reader any more; seal it to this node")
        case .noBundle(let refusal): SMTPReply(550, EnhancedCode(5, 6, 0), refusal.words)
        }
    }
}

extension DeliveryOutcome {
    var reply: SMTPReply {
        switch self {
        case .delivered(let readers, let held, let keyless):
            SMTPReply(
                250, EnhancedCode(2, 0, 0),
                "sealed for \(readers - held) and stored" + (held == 0 ? "" : ", held for \(held)")
                    + (keyless == 0 ? "" : "; nothing for \(keyless) without a key"))
        case .sealAgain(let pointer):
            SMTPReply(
                451, EnhancedCode(4, 2, 4), "\(pointer.word) is the current one; fetch it, seal to its keys and send again")
        case .alreadyAccepted: SMTPReply(250, EnhancedCode(2, 0, 0), "was accepted before, nothing delivered twice")
        case .tryAgain(let text): SMTPReply(451, EnhancedCode(4, 3, 0), text)
        case .refused(let text): SMTPReply(550, EnhancedCode(5, 7, 1), text)
        case .badSignature(let text): SMTPReply(550, EnhancedCode(5, 7, 7), text)
        case .diskFull:
            SMTPReply(452, EnhancedCode(4, 3, 1), "the node's disk is full; keep the message and send it again later")
        case .tooLarge: SMTPReply(552, EnhancedCode(5, 3, 4), "too large for this node together with its readers")
        }
    }
}
