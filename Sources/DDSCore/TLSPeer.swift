// What a finished TLS handshake says about the other side. Produced by DDSTLS, consumed by protocol machines.

/// The peer of an established TLS connection.
package struct TLSPeer: Hashable, Sendable {
    /// `TLSv1.3` or `TLSv1.2`.
    package var version: String
    /// SHA-256 of the DER SubjectPublicKeyInfo of the certificate the peer proved possession of; nil when it sent none.
    package var keyHash: [UInt8]?

    package init(version: String, keyHash: [UInt8]?) {
        self.version = version
        self.keyHash = keyHash
    }
}
