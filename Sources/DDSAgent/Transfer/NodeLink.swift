// One TLS connection to the node: the stream, the pinned key, our device's certificate, and the machine that speaks.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSTLS
import DDSWire

/// Where the node is and how both sides prove who they are.
struct NodeLink: Sendable {
    private(set) var host: String
    /// SHA-256 of the node's TLS key, as far as the invite carried it.
    let nodeKeyHash: [UInt8]
    let device: TLSIdentity

    private static var connectTimeout: Duration { .seconds(15) }

    init(host: String, nodeKeyHash: [UInt8], deviceSeed: SecretBytes, time: any TimeSource) throws(Failure) {
        self.host = host
        self.nodeKeyHash = nodeKeyHash
        do {
            device = try deviceSeed.withExposed { seed in
                try TLSIdentity.selfSigned(
                    seed: seed, commonName: "ddsnode-device", notBefore: WallTime(milliseconds: time.wall.milliseconds - 86_400_000),
                    lifetimeDays: 3650)
            }
        } catch {
            throw Failure(.bug, "the device's certificate cannot be made: \(error)")
        }
    }

    /// The same node, reached at another host where one is named.
    func at(_ host: String?) -> NodeLink {
        var link = self
        link.host = host ?? self.host
        return link
    }

    /// Connects and begins a session with TLS first. Throws with exit code 69 when the node cannot be reached.
    @LoopActor func open<Machine: WireSession>(
        port: UInt16, id: String, machine: Machine, handler: any SessionHandler<Machine>
    ) async throws(Failure) -> SessionDriver<Machine> {
        let context: TLSContext
        do {
            context = try TLSContext.client(identity: device, pinnedKeyHash: nodeKeyHash, minimum: .tls13)
        } catch {
            throw Failure(.bug, "TLS cannot be set up: \(error)")
        }
        let stream: ByteStream
        do {
            stream = try await ByteStream.connect(to: .tcp(host: host, port: port), timeout: Self.connectTimeout)
        } catch {
            throw Failure(.unavailable, "the node \(host) does not answer at port \(port): \(error)")
        }
        return SessionDriver(id: id, stream: stream, machine: machine, handler: handler, tls: context, tlsFirst: true, serverName: host)
    }
}
