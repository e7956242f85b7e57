import DDSCore
import DDSTestKit
import Foundation
import Testing

@testable import DDSTLS

@Suite struct LoopbackIdentityTests {
    private func made() throws -> LoopbackIdentity {
        try .make(authorityName: "ddsnode gateway of bob@node.example.org", notBefore: Sample.start, lifetimeDays: 90)
    }

    @Test func written_isReadAgain() throws {
        let identity = try made()
        let read = try LoopbackIdentity(pem: identity.pem)
        #expect(read.leaf.certificateDER == identity.leaf.certificateDER)
        #expect(read.authorityPEM == identity.authorityPEM)
        #expect(read.authorityFingerprint == identity.authorityFingerprint && read.authorityFingerprint.count == 32)
        #expect(read.leaf.notAfter == WallTime(milliseconds: Sample.start.milliseconds + 90 * 86_400_000))
    }

    @Test func everyTime_bothKeysAreOthers() throws {
        let (first, second) = (try made(), try made())
        #expect(first.leaf.keyHash != second.leaf.keyHash)
        #expect(first.authorityFingerprint != second.authorityFingerprint)
    }

    @Test func partsOfTwo_areRefused() throws {
        let (first, second) = (try made(), try made())
        let key = first.leaf.privateKeyPEM
        let mixtures = [
            first.leaf.certificatePEM + second.authorityPEM + key, first.leaf.certificatePEM + key,
            first.authorityPEM + first.leaf.certificatePEM + key,
            first.leaf.certificatePEM + first.authorityPEM + second.leaf.privateKeyPEM,
            first.leaf.certificatePEM + first.authorityPEM, first.leaf.certificatePEM + first.authorityPEM + first.authorityPEM + key,
            [], Array("no PEM".utf8),
        ]
        for mixture in mixtures {
            let error = #expect(throws: TLSError.self) { try LoopbackIdentity(pem: mixture) }
            #expect(error?.kind == .badMaterial)
        }
    }

    @Test func handshake_showsTheLeafAlone() throws {
        let identity = try made()
        let server = try TLSContext.server(identity: identity.leaf, minimum: .tls12, requestClientCertificate: false)
        let client = try TLSContext.client(identity: nil, pinnedKeyHash: identity.leaf.keyHash, minimum: .tls12)
        var pair = try Pair(client: client, server: server)
        pair.run()
        #expect(pair.client.peer?.keyHash == identity.leaf.keyHash)
        #expect(identity.leaf.chain.isEmpty)
    }

    /// The checks of a verifier that is as strict as OpenSSL can be (O5 of WEB.md).
    @Test(.enabled(if: IdentityTests.hasOpenSSL)) func openssl_verifiesTheLeafStrictlyAndNothingElse() throws {
        let identity = try made()
        let folder = try Folder()
        let authority = try folder.write("ca.pem", identity.authorityPEM)
        let leaf = try folder.write("leaf.pem", identity.leaf.certificatePEM)
        let strict = [
            "verify", "-x509_strict", "-attime", "\(Sample.start.seconds + 60)", "-purpose", "sslserver", "-CAfile", authority,
        ]
        for name in [["-verify_hostname", "localhost"], ["-verify_ip", "127.0.0.1"], ["-verify_ip", "::1"]] {
            #expect(try Folder.run(strict + name + [leaf]).contains("OK"))
        }
        #expect(try !Folder.run(strict + ["-verify_hostname", "node.example.org", leaf]).contains("OK"))
        let other = try folder.write("other.pem", made().authorityPEM)
        #expect(try !Folder.run(["verify", "-attime", "\(Sample.start.seconds + 60)", "-CAfile", other, leaf]).contains("OK"))
        let text = try Folder.run(["x509", "-in", leaf, "-noout", "-text"])
        for part in ["CA:FALSE", "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1", "TLS Web Server Authentication"] {
            #expect(text.contains(part), "no \(part) in: \(text)")
        }
        let authorityText = try Folder.run(["x509", "-in", authority, "-noout", "-text"])
        for part in ["CA:TRUE, pathlen:0", "X509v3 Name Constraints: critical", "DNS:localhost", "IP:127.0.0.1/255.255.255.255"] {
            #expect(authorityText.contains(part), "no \(part) in: \(authorityText)")
        }
    }
}
