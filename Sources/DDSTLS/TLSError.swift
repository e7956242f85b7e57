// What went wrong in TLS, in a form that may be logged: OpenSSL's code and words, never key material or payload.

internal import COpenSSL

/// A failed handshake, a broken record, unusable key material, or a peer that vanished.
package struct TLSError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Kind: Hashable, Sendable {
        /// A certificate or key that cannot be read, or that do not belong together.
        case badMaterial
        /// The server's key is not the one that the client was told to expect.
        case pinMismatch
        /// The peer refused us with an alert (RFC 8446 section 6).
        case peerAlert
        /// What the peer sent is not TLS, not a version we speak, or not authentic.
        case protocolViolation
        /// The byte stream ended without close_notify: what came before may be only a part (RFC 8446 section 6.1).
        case truncated
        /// Data or keying material was asked for outside an established connection.
        case notEstablished
        /// OpenSSL itself could not go on, as for want of memory.
        case systemFailure
    }

    package var kind: Kind
    /// OpenSSL's packed error code; zero where OpenSSL had no part in it.
    package var code: UInt
    /// One line for the log.
    package var detail: String

    package init(_ kind: Kind, code: UInt = 0, detail: String) {
        self.kind = kind
        self.code = code
        self.detail = detail
    }

    package var description: String { "TLS \(kind): \(detail)" }

    /// Takes everything off the calling thread's error queue. The oldest entry is the cause and gives the code.
    static func fromQueue(_ kind: Kind, during operation: String) -> TLSError {
        var codes: [UInt] = []
        while case let code = ERR_get_error(), code != 0 { codes.append(code) }
        guard let first = codes.first else { return TLSError(kind, detail: "\(operation) failed") }
        let reasons = codes.map(reason(of:)).joined(separator: "; ")
        let isAlert = dds_err_get_lib(first) == ERR_LIB_SSL && dds_err_get_reason(first) >= SSL_AD_REASON_OFFSET
        return TLSError(isAlert ? .peerAlert : kind, code: first, detail: "\(operation): \(reasons)")
    }

    private static func reason(of code: UInt) -> String {
        guard let text = unsafe ERR_reason_error_string(code) else { return "error \(code)" }
        return unsafe String(cString: text)
    }
}
