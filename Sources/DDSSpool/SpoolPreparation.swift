// What of a commit needs neither the disk nor its order: the bodies' own keys and their encryption, which depend on no place.
// So it happens before the spool's thread is asked, while that waits for a sync of others.

/// Prepares the transactions of one spool. May be used on any thread.
package struct SpoolPreparer: Sendable {
    let cipher: any SpoolCipher
    let parameters: SpoolParameters

    /// Seals the bodies, each under a new key. Those that get a file of their own stay as they are: they are sealed in pieces
    /// while the file is written.
    package func prepare(_ transaction: SpoolTransaction) -> PreparedTransaction {
        PreparedTransaction(appends: transaction.appends.map(prepare), erasures: transaction.erasures)
    }

    private func prepare(_ append: SpoolAppend) -> PreparedAppend {
        let body = append.body
        let isBig = !append.isDelivery && body.count > parameters.bigThreshold
        guard !isBig else { return PreparedAppend(kind: append.withoutBody, length: body.count, body: .plain(body)) }
        let key = cipher.random(32)
        let sealed = cipher.sealBody(key: key, body: body)
        return PreparedAppend(
            kind: append.withoutBody, length: body.count,
            body: .sealed(key: key, ciphertext: sealed.ciphertext, tag: sealed.tag))
    }
}

/// A transaction as `SpoolLog.commit` takes it. Good for one commit: its keys are used once.
package struct PreparedTransaction: Sendable {
    let appends: [PreparedAppend]
    let erasures: [SpoolUID]

    /// What its bodies take of a segment, each with sectors of its own.
    var sealedBytes: Int { appends.reduce(0) { $0 + ($1.isBig ? 0 : SpoolFormat.aligned($1.length)) } }
}

struct PreparedAppend: Sendable {
    enum Body: Sendable {
        case sealed(key: [UInt8], ciphertext: [UInt8], tag: [UInt8])
        /// For a file of its own.
        case plain([UInt8])
    }

    /// The append without its body.
    let kind: SpoolAppend
    /// Octets of the body before encryption, which does not change them.
    let length: Int
    let body: Body

    var isDelivery: Bool { kind.isDelivery }

    var isBig: Bool {
        if case .plain = body { true } else { false }
    }
}

extension SpoolTransaction {
    /// Octets of all bodies.
    package var bodyBytes: Int { appends.reduce(0) { $0 + $1.body.count } }
}

extension SpoolAppend {
    fileprivate var body: [UInt8] {
        switch self {
        case .record(_, _, _, let body), .payload(_, let body), .delivery(_, _, _, let body, _): body
        }
    }

    fileprivate var isDelivery: Bool {
        if case .delivery = self { true } else { false }
    }

    fileprivate var withoutBody: SpoolAppend {
        switch self {
        case .record(let mailbox, let tag, let flags, _): .record(mailbox: mailbox, tag: tag, flags: flags, body: [])
        case .payload(let tag, _): .payload(tag: tag, body: [])
        case .delivery(let mailbox, let tag, let flags, _, let payload):
            .delivery(mailbox: mailbox, tag: tag, flags: flags, header: [], payload: payload)
        }
    }
}
