// What the gateway shows mail programs when TLS is on: one certificate for this machine's own addresses, in one file with its key,
// and beside it the authority that mail programs are told to trust.

import DDSCore
import DDSLoop
import DDSNode
import DDSTLS

struct GatewayCertificate: Sendable {
    private static let lifetimeDays = 3650
    /// So long before its end another takes its place, which mail programs have to be told of.
    private static let renewalSeconds: Int64 = 30 * 86400

    let context: TLSContext
    /// The authority's certificate, PEM.
    let authority: [UInt8]
    /// SHA-256 of the authority's certificate as programs show it: pairs of hexadecimal digits with colons.
    let fingerprint: String
    let notAfter: WallTime

    /// That of the folder, or one that is made now and kept there. Throws when the file is none of ours, which is left as it is,
    /// and when another cannot be kept.
    static func open(_ folder: AgentFolder, user: String, now: WallTime) throws(Failure) -> GatewayCertificate {
        let kept = try read(folder.gatewayCertificate)
        let isGood = (kept?.leaf.notAfter.seconds ?? 0) - now.seconds > renewalSeconds
        do {
            let identity =
                if isGood, let kept { kept } else {
                    try LoopbackIdentity.make(
                        authorityName: "ddsnode gateway of \(user)", notBefore: now, lifetimeDays: lifetimeDays)
                }
            if !isGood { try HostFiles.write(folder.gatewayCertificate, identity.pem) }
            let written = try? HostFiles.read(folder.gatewayAuthority, limit: 1 << 16)
            if written != identity.authorityPEM {
                try HostFiles.write(folder.gatewayAuthority, identity.authorityPEM, mode: 0o644)
            }
            return try GatewayCertificate(identity)
        } catch {
            throw Failure(.cannotCreate, "cannot make the gateway's certificate: \(error)")
        }
    }

    private static func read(_ path: String) throws(Failure) -> LoopbackIdentity? {
        guard HostFiles.exists(path) else { return nil }
        do {
            return try LoopbackIdentity(pem: HostFiles.read(path, limit: 1 << 16))
        } catch let error as TLSError {
            throw Failure(.badInput, "\(path) is damaged (\(error.detail)); remove it and run: ddsnode gateway trust")
        } catch {
            throw Failure(.inputOutput, "cannot read \(path): \(error)")
        }
    }

    private init(_ identity: LoopbackIdentity) throws(TLSError) {
        context = try TLSContext.server(identity: identity.leaf, minimum: .tls12, requestClientCertificate: false)
        authority = identity.authorityPEM
        fingerprint = Self.pairs(identity.authorityFingerprint)
        notAfter = identity.leaf.notAfter
    }

    private static func pairs(_ bytes: [UInt8]) -> String {
        bytes.map { Hex.encode([$0]).uppercased() }.joined(separator: ":")
    }
}
