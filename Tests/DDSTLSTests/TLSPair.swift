// Two TLS machines and the wire between them.

import DDSCore
import DDSTLS

/// Keys and contexts that the tests share; the seeds are constants so that a failure repeats.
enum Sample {
    static let start = WallTime(milliseconds: 1_795_392_000_000)

    static func identity(_ number: UInt8, name: String = "node.example.org") throws -> TLSIdentity {
        try .selfSigned(seed: [UInt8](repeating: number, count: 32), commonName: name, notBefore: start, lifetimeDays: 90)
    }

    static func server(minimum: TLSVersion = .tls13, asks: Bool = true) throws -> TLSContext {
        try .server(identity: identity(1), minimum: minimum, requestClientCertificate: asks)
    }
}

/// What one end has seen so far.
final class End {
    let machine: TLSConnection
    var peer: TLSPeer?
    var isClosed = false
    var plain: [UInt8] = []
    var failure: TLSError?

    init(_ machine: TLSConnection) {
        self.machine = machine
    }

    /// Feeds `bytes` in pieces that end at `cuts`, doing after each what the driver does.
    func receive(_ bytes: [UInt8], cuts: [Int] = []) {
        var start = 0
        for cut in cuts + [bytes.count] where failure == nil {
            machine.feed(bytes[start..<cut])
            start = cut
            turn()
        }
    }

    func turn() {
        do {
            loop: while true {
                switch try machine.advance() {
                case .needsInput: break loop
                case .established(let peer): self.peer = peer
                case .closed:
                    isClosed = true
                    break loop
                }
            }
            plain += try machine.readPlain()
        } catch {
            failure = error
            plain += (try? machine.readPlain()) ?? []
        }
    }
}

struct Pair {
    let client: End
    let server: End
    /// Bytes that went over the wire in one go, in order; even ones are the client's.
    var flights: [[UInt8]] = []

    init(client: TLSContext, server: TLSContext, name: String? = "node.example.org") throws {
        self.client = End(try TLSConnection(context: client, serverName: name))
        self.server = End(try TLSConnection(context: server))
    }

    /// Carries bytes to and fro until both ends are silent. `cuts` says where to split a flight, given its number and length.
    mutating func run(cuts: (Int, Int) -> [Int] = { _, _ in [] }) {
        client.turn()
        server.turn()
        while client.machine.hasPendingCipher || server.machine.hasPendingCipher {
            for (from, to) in [(client, server), (server, client)] {
                let flight = from.machine.pendingCipher()
                let places = cuts(flights.count, flight.count)
                flights.append(flight)
                if !flight.isEmpty { to.receive(flight, cuts: places) }
            }
        }
    }
}
