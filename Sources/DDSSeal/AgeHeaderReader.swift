// Reading age headers: a strict parser that takes bytes as they come, and the two ways to the file key. Reads no payload.

import DDSCore

/// Parses one age header and opens it. Feed bytes until `isComplete`; then `unwrap`. Bytes behind the header are left to the
/// caller. After an error every call repeats it.
package struct AgeHeaderReader: Sendable {
    private enum State: Sendable {
        case version
        case stanza
        case body
        case complete
        case failed(AgeError)
    }

    /// The stanzas so far; those of unknown kind too, which are ignored, as the format demands.
    package private(set) var stanzas: [AgeStanza] = []
    private let limitBytes: Int
    private var state = State.version
    private var raw: [UInt8] = []
    private var lineStart = 0
    private var code: [UInt8] = []

    /// A reader of headers of at most `limitBytes`, which is also what it holds in memory.
    package init(limitBytes: Int = 65536) {
        self.limitBytes = limitBytes
    }

    /// True after the line that ends the header.
    package var isComplete: Bool {
        if case .complete = state { true } else { false }
    }

    /// Takes bytes up to the end of the header and returns how many. Throws `.headerFailure` as soon as a line breaks the
    /// format, and `.tooLarge`.
    package mutating func feed(_ bytes: ArraySlice<UInt8>) throws(AgeError) -> Int {
        if case .failed(let error) = state { throw error }
        do {
            return try advance(bytes)
        } catch {
            state = .failed(error)
            throw error
        }
    }

    /// To be called when the input ends: throws `.headerFailure` unless the header is complete.
    package func finish() throws(AgeError) {
        if case .failed(let error) = state { throw error }
        if !isComplete { throw .headerFailure }
    }

    /// Whether the header is for hybrid keys alone. Authenticated only once it was unwrapped. Only for a complete header.
    package var isHybrid: Bool {
        precondition(isComplete, "only a complete header is for somebody")
        let kinds = stanzas.map(\.kind)
        return kinds.contains(HybridStanza.kind) && !kinds.contains(X25519Stanza.kind)
    }

    /// The file key by any of `identities`. Only for a complete header. Throws `.noMatch`, `.headerFailure` for a malformed
    /// stanza of a known kind, and `.hmacFailure`.
    package func unwrap(with identities: [AgeIdentity]) throws(AgeError) -> AgeFileKey {
        _ = try scryptStanza()
        var known: [KeyStanza] = []
        for stanza in stanzas {
            if let stanza = try KeyStanza(stanza) { known.append(stanza) }
        }
        for stanza in known {
            for identity in identities {
                if let fileKey = try stanza.open(with: identity) { return try authenticated(fileKey) }
            }
        }
        throw .noMatch
    }

    /// The file key by a passphrase: up to 2 to the power of `maxWorkFactor` KiB of memory; call it off the loop. Only for a
    /// complete header. Throws `.noMatch`, `.workFactor`, `.headerFailure` and `.hmacFailure`.
    package func unwrap(passphrase: SecretBytes, maxWorkFactor: Int = 22) throws(AgeError) -> AgeFileKey {
        guard let stanza = try scryptStanza() else { throw .noMatch }
        guard let fileKey = try stanza.open(with: passphrase, maxWorkFactor: maxWorkFactor) else { throw .noMatch }
        return try authenticated(fileKey)
    }

    /// The file key by either.
    package func unwrap(with unlock: AgeUnlock) throws(AgeError) -> AgeFileKey {
        switch unlock {
        case .identities(let identities): try unwrap(with: identities)
        case .passphrase(let passphrase, let maxWorkFactor):
            try unwrap(passphrase: passphrase, maxWorkFactor: maxWorkFactor)
        }
    }

    /// The header as its parts would be written: the same bytes that were read, since the format has one spelling.
    package func encoded() -> [UInt8] {
        precondition(isComplete, "only a complete header can be written")
        return AgeHeader.authenticatedPart(stanzas) + [0x20] + Base64.encode(code, padded: false) + [0x0a]
    }

    private func authenticated(_ fileKey: AgeFileKey) throws(AgeError) -> AgeFileKey {
        precondition(isComplete, "only a complete header can be opened")
        let covered = raw.count - Self.codeLineBytes + Self.codeMark.count
        let expected = unsafe fileKey.headerKey().withBytes { unsafe Hash.hmacSHA256(raw[..<covered], keyBytes: $0) }
        var difference: UInt8 = 0
        for (left, right) in zip(expected, code) { difference |= left ^ right }
        guard difference == 0 else { throw .hmacFailure }
        return fileKey
    }

    /// The passphrase stanza, which must be alone.
    private func scryptStanza() throws(AgeError) -> ScryptStanza? {
        precondition(isComplete, "only a complete header can be opened")
        guard let stanza = stanzas.first(where: { $0.kind == ScryptStanza.kind }) else { return nil }
        guard stanzas.count == 1 else { throw .headerFailure }
        return try ScryptStanza(stanza)
    }

    /// A stanza of a kind that identities open.
    private enum KeyStanza {
        case classical(X25519Stanza)
        case hybrid(HybridStanza)

        /// Nil for other kinds.
        init?(_ stanza: AgeStanza) throws(AgeError) {
            switch stanza.kind {
            case X25519Stanza.kind: self = .classical(try X25519Stanza(stanza))
            case HybridStanza.kind: self = .hybrid(try HybridStanza(stanza))
            default: return nil
            }
        }

        /// Nil when it is for another key.
        func open(with identity: AgeIdentity) throws(AgeError) -> AgeFileKey? {
            switch (self, identity.kind) {
            case (.classical(let stanza), .classical): try stanza.open(with: identity)
            case (.hybrid(let stanza), .hybrid): try stanza.open(with: identity)
            case (.classical, .hybrid), (.hybrid, .classical): nil
            }
        }
    }

    private static let codeMark = Array("---".utf8)
    /// `--- `, 43 characters for 32 bytes, line end.
    private static let codeLineBytes = 48

    private mutating func advance(_ bytes: ArraySlice<UInt8>) throws(AgeError) -> Int {
        var rest = bytes
        while !rest.isEmpty, !isComplete {
            let end = rest.firstIndex(of: 0x0a)
            let piece = end.map { rest[...$0] } ?? rest
            // Something else than an age file may never have a line end: it is refused at its first wrong byte.
            if lineStart == 0, !AgeHeader.versionLine.dropFirst(raw.count).starts(with: piece) { throw .headerFailure }
            guard raw.count + piece.count <= limitBytes else { throw .tooLarge }
            raw.append(contentsOf: piece)
            rest = rest[piece.endIndex...]
            guard end != nil else { break }
            let line = raw[lineStart..<raw.count - 1]
            lineStart = raw.count
            try take(line)
        }
        return bytes.count - rest.count
    }

    private mutating func take(_ line: ArraySlice<UInt8>) throws(AgeError) {
        switch state {
        case .version: state = .stanza
        case .stanza:
            if line.starts(with: Self.codeMark) {
                try takeCode(line)
            } else {
                try takeArguments(line)
            }
        case .body: try takeBody(line)
        case .complete, .failed: preconditionFailure("no line is taken after the end of the header")
        }
    }

    private mutating func takeCode(_ line: ArraySlice<UInt8>) throws(AgeError) {
        guard !stanzas.isEmpty, line.count == Self.codeLineBytes - 1, line[line.startIndex + 3] == 0x20,
            let code = Base64.decode(line.dropFirst(4), padded: false), code.count == 32
        else { throw .headerFailure }
        self.code = code
        state = .complete
    }

    private mutating func takeArguments(_ line: ArraySlice<UInt8>) throws(AgeError) {
        let parts = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[0].elementsEqual("->".utf8) else { throw .headerFailure }
        let arguments = parts.dropFirst()
        guard arguments.allSatisfy({ !$0.isEmpty && $0.allSatisfy { (0x21...0x7e).contains($0) } }) else {
            throw .headerFailure
        }
        stanzas.append(AgeStanza(arguments: arguments.map { Array($0) }, body: []))
        state = .body
    }

    private mutating func takeBody(_ line: ArraySlice<UInt8>) throws(AgeError) {
        guard line.count <= 64, let bytes = Base64.decode(line, padded: false) else { throw .headerFailure }
        stanzas[stanzas.count - 1].body.append(contentsOf: bytes)
        if line.count < 64 { state = .stanza }
    }
}
