// TLS as a byte machine: ciphertext in, plaintext out, and the other way round; no sockets, no clock. When to read and when to
// flush is the driver's business.

internal import COpenSSL
package import DDSCore

/// One TLS connection. Feed what the network gives, call `advance` until it wants more or is done, take the plaintext with
/// `readPlain`, and send what `pendingCipher` hands out, also after an error: it may be the alert that tells the peer why.
/// Belongs to one isolation domain; not Sendable.
@safe package final class TLSConnection {
    package enum Progress: Hashable, Sendable {
        /// Nothing more can be done with what was fed.
        case needsInput
        /// The handshake is complete. Said once; call `advance` again, for data may already be there.
        case established(TLSPeer)
        /// The peer has said close_notify and will send nothing more. Plaintext from before may still wait in `readPlain`.
        case closed
    }

    private enum Phase {
        case handshake
        case open
        case closedByPeer
        case failed(TLSError)
    }

    /// One full record.
    private static let pieceSize = 16 * 1024

    private let context: TLSContext
    private let ssl: OpenSSLObject
    // Behind `ssl`, which goes first and has its address.
    private let bytes = ConnectionBytes()
    private var phase = Phase.handshake
    private var plain: [UInt8] = []
    private var inputHasEnded = false
    private var hasSaidClose = false

    /// A new connection under the rules of `context`. A client names the host that it wants in `serverName` (RFC 6066 section 3);
    /// address literals are not sent. A client's first bytes are ready after the first `advance`.
    package init(context: TLSContext, serverName: String? = nil) throws(TLSError) {
        ERR_clear_error()
        self.context = context
        ssl = try unsafe OpenSSLObject(SSL_new(context.context.pointer), "making a TLS connection") { unsafe SSL_free($0) }
        try unsafe bytes.attach(to: ssl.pointer)
        switch context.side {
        case .server: unsafe SSL_set_accept_state(ssl.pointer)
        case .client: unsafe SSL_set_connect_state(ssl.pointer)
        }
        if let serverName, !CertificateDraft.isAddressLiteral(serverName),
            unsafe dds_ssl_set_tlsext_host_name(ssl.pointer, serverName) != 1
        {
            throw .fromQueue(.badMaterial, during: "naming the server")
        }
    }

    /// Stores bytes from the network.
    package func feed(_ cipher: ArraySlice<UInt8>) {
        if bytes.incoming.isEmpty { bytes.incoming = cipher } else { bytes.incoming += cipher }
    }

    /// The network's stream has ended. Unless close_notify came before, the next `advance` throws `.truncated`.
    package func feedEnd() {
        inputHasEnded = true
    }

    /// Does what can be done with what was fed. Throws once for all: after an error the connection is dead.
    package func advance() throws(TLSError) -> Progress {
        switch phase {
        case .failed(let error): throw error
        case .closedByPeer: return .closed
        case .handshake: return try shakeHands()
        case .open:
            try decrypt()
            if case .closedByPeer = phase { return .closed }
            return .needsInput
        }
    }

    /// All plaintext that can be had from what was fed. Throws when there is none and the connection is dead.
    package func readPlain() throws(TLSError) -> [UInt8] {
        var failure: TLSError?
        switch phase {
        case .failed(let error): failure = error
        case .open: do { try decrypt() } catch { failure = error }
        case .handshake, .closedByPeer: break
        }
        if plain.isEmpty, let failure { throw failure }
        defer { plain = [] }
        return plain
    }

    /// Encrypts `plain` behind what was written before. Throws `.notEstablished` before the handshake is complete and after
    /// `sendCloseNotify`.
    package func write(_ plain: ArraySlice<UInt8>) throws(TLSError) {
        if case .failed(let error) = phase { throw error }
        guard !isShakingHands, !hasSaidClose else { throw TLSError(.notEstablished, detail: "writing outside a connection") }
        var rest = plain
        if bytes.outgoing.isEmpty { bytes.outgoing.reserveCapacity(plain.count + plain.count / 512 + 64) }
        while !rest.isEmpty {
            ERR_clear_error()
            let piece = rest.prefix(Self.pieceSize)
            let written = unsafe piece.withUnsafeBytes {
                unsafe SSL_write(ssl.pointer, $0.baseAddress, Int32($0.count))
            }
            // Memory takes everything and renegotiation is off, so there is nothing that a write could wait for.
            guard written > 0 else { throw fail(.systemFailure, "writing", result: written) }
            rest = rest.dropFirst(Int(written))
        }
    }

    /// Bytes for the network, in order; empties the store.
    package func pendingCipher() -> [UInt8] {
        defer { bytes.outgoing = [] }
        return bytes.outgoing
    }

    /// True while `pendingCipher` has something.
    package var hasPendingCipher: Bool { !bytes.outgoing.isEmpty }

    /// Tells the peer that nothing more will come (RFC 8446 section 6.1). Without effect unless the connection stands.
    package func sendCloseNotify() {
        switch phase {
        case .handshake, .failed: return
        case .open, .closedByPeer: break
        }
        guard !hasSaidClose else { return }
        hasSaidClose = true
        ERR_clear_error()
        _ = unsafe SSL_shutdown(ssl.pointer)
        ERR_clear_error()
    }

    /// Keying material that both ends derive alike and nobody between them knows (RFC 8446 section 7.5, without context; for
    /// channel binding the label is `EXPORTER-Channel-Binding`, RFC 9266). Throws `.notEstablished` before the handshake is complete.
    package func exporter(label: String, length: Int = 32) throws(TLSError) -> [UInt8] {
        precondition((1...255).contains(length), "an exporter gives up to 255 bytes")
        guard !isShakingHands else { throw TLSError(.notEstablished, detail: "exporting before the handshake") }
        ERR_clear_error()
        var result: Int32 = 0
        let material = unsafe [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            result = unsafe SSL_export_keying_material(
                ssl.pointer, buffer.baseAddress, length, label, label.utf8.count, nil, 0, 0)
            count = result == 1 ? length : 0
        }
        guard result == 1 else { throw .fromQueue(.systemFailure, during: "exporting keying material") }
        return material
    }

    // MARK: - Inside

    private var isShakingHands: Bool {
        if case .handshake = phase { true } else { false }
    }

    private func shakeHands() throws(TLSError) -> Progress {
        ERR_clear_error()
        let result = unsafe SSL_do_handshake(ssl.pointer)
        if result == 1 {
            phase = .open
            return .established(peer())
        }
        guard unsafe SSL_get_error(ssl.pointer, result) == SSL_ERROR_WANT_READ else {
            throw fail(.protocolViolation, "handshake", result: result)
        }
        if inputHasEnded { throw fail(truncation: "the peer left during the handshake") }
        return .needsInput
    }

    /// Decrypts whatever is complete into `plain`.
    private func decrypt() throws(TLSError) {
        while true {
            ERR_clear_error()
            var result: Int32 = 0
            let start = plain.count
            let piece = unsafe [UInt8](unsafeUninitializedCapacity: Self.pieceSize) { buffer, count in
                result = unsafe SSL_read(ssl.pointer, buffer.baseAddress, Int32(buffer.count))
                count = max(0, Int(result))
            }
            if result > 0 {
                if start == 0 { plain = piece } else { plain += piece }
                continue
            }
            switch unsafe SSL_get_error(ssl.pointer, result) {
            case SSL_ERROR_ZERO_RETURN:
                phase = .closedByPeer
                bytes.incoming = []
                return
            case SSL_ERROR_WANT_READ:
                if inputHasEnded { throw fail(truncation: "the peer left without close_notify") }
                return
            default: throw fail(.protocolViolation, "reading", result: result)
            }
        }
    }

    private func peer() -> TLSPeer {
        let version = unsafe String(cString: SSL_get_version(ssl.pointer))
        // Before TLS 1.3 a client's certificate crosses the network in clear, so it identifies nobody here.
        let isHidden = unsafe SSL_version(ssl.pointer) >= TLS1_3_VERSION
        guard context.side == .client || isHidden,
            let certificate = unsafe SSL_get0_peer_certificate(ssl.pointer)
        else { return TLSPeer(version: version, keyHash: nil) }
        return TLSPeer(version: version, keyHash: unsafe OpenSSLBytes.keyHash(of: certificate))
    }

    private func fail(_ kind: TLSError.Kind, _ operation: String, result: Int32) -> TLSError {
        var error = TLSError.fromQueue(kind, during: operation)
        let verdict = unsafe SSL_get_verify_result(ssl.pointer)
        if error.kind != .peerAlert, verdict == Int(X509_V_ERR_APPLICATION_VERIFICATION) {
            error = TLSError(.pinMismatch, code: error.code, detail: "the server's key is not the pinned one")
        }
        return fail(error)
    }

    private func fail(truncation detail: String) -> TLSError {
        fail(TLSError(.truncated, detail: detail))
    }

    /// The alert, if there is one, stays in `pendingCipher`.
    private func fail(_ error: TLSError) -> TLSError {
        bytes.incoming = []
        phase = .failed(error)
        return error
    }
}
