import DDSCore
import DDSTestKit
import Foundation
import Testing

@testable import DDSTLS

@Suite struct IdentityTests {
    static let openssl = "/usr/bin/openssl"
    static var hasOpenSSL: Bool { FileManager.default.isExecutableFile(atPath: openssl) }

    @Test func selfSigned_isDeterministicAndDatedAsAsked() throws {
        let first = try Sample.identity(1)
        let second = try Sample.identity(1)
        #expect(first.certificateDER == second.certificateDER)
        #expect(first.certificateDER.count > 200)
        #expect(first.notAfter == WallTime(milliseconds: Sample.start.milliseconds + 90 * 86_400_000))
        #expect(try Sample.identity(2).keyHash != first.keyHash)
    }

    @Test func renewal_keepsTheKeyHashAndChangesTheSerial() throws {
        let old = try Sample.identity(1)
        let later = Sample.start + .seconds(86400)
        let new = try TLSIdentity.selfSigned(
            seed: [UInt8](repeating: 1, count: 32), commonName: "node.example.org", notBefore: later, lifetimeDays: 90)
        #expect(new.keyHash == old.keyHash)
        #expect(new.certificateDER != old.certificateDER)
    }

    @Test func expiryBeyond2049_isRead() throws {
        let identity = try TLSIdentity.selfSigned(
            seed: [UInt8](repeating: 1, count: 32), commonName: "a", notBefore: Sample.start, lifetimeDays: 36500)
        #expect(identity.notAfter == WallTime(milliseconds: Sample.start.milliseconds + 36500 * 86_400_000))
    }

    /// The public key of RFC 8032 section 7.1 test 1 belongs to its seed.
    @Test func keyHash_isThatOfThePublicKey() throws {
        let seed = try #require(Hex.decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
        let key = try #require(Hex.decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"))
        let identity = try TLSIdentity.selfSigned(seed: seed, commonName: "a.example", notBefore: Sample.start, lifetimeDays: 1)
        #expect(identity.keyHash == TLSIdentity.keyHash(ed25519PublicKey: key))
        #expect(identity.keyHash.count == 32)
    }

    @Test(arguments: ["", "a,DNS:b", "a b", "a\nb", "bücher.example", "a/b", String(repeating: "a", count: 254)])
    func badName_isRefused(name: String) {
        #expect(throws: TLSError.self) { try Sample.identity(1, name: name) }
    }

    @Test func longName_fits() throws {
        _ = try Sample.identity(1, name: String(repeating: "a", count: 253))
    }

    @Test func lastCopyGone_freesTheKey() throws {
        weak var key: OpenSSLObject?
        weak var context: TLSContext?
        do {
            let identity = try Sample.identity(1)
            let server = try TLSContext.server(identity: identity, minimum: .tls13, requestClientCertificate: true)
            let connection = try TLSConnection(context: server)
            key = identity.key
            context = server
            #expect(key != nil && context != nil)
            _ = connection.pendingCipher()
        }
        #expect(key == nil && context == nil)
    }

    @Test(.enabled(if: hasOpenSSL)) func openssl_readsAndVerifiesTheCertificate() throws {
        let identity = try Sample.identity(1)
        let folder = try Folder()
        let der = try folder.write("c.der", identity.certificateDER)
        let pem = try folder.write("c.pem", identity.certificatePEM)
        let text = try run(["x509", "-inform", "DER", "-in", der, "-noout", "-text"])
        for part in ["DNS:node.example.org", "ED25519", "CA:FALSE", "Version: 3", "TLS Web Server Authentication"] {
            #expect(text.contains(part), "no \(part) in: \(text)")
        }
        #expect(
            try run([
                "verify", "-attime", "\(Sample.start.seconds + 60)", "-purpose", "sslserver", "-verify_hostname",
                "node.example.org", "-CAfile", pem, pem,
            ]).contains("OK"))
        let literal = try folder.write("ip.der", Sample.identity(1, name: "127.0.0.1").certificateDER)
        #expect(try run(["x509", "-inform", "DER", "-in", literal, "-noout", "-text"]).contains("IP Address:127.0.0.1"))
    }

    @Test(.enabled(if: hasOpenSSL), arguments: ["ED25519", "RSA"])
    func pemFromOpenssl_isRead(algorithm: String) throws {
        let folder = try Folder()
        let (certificate, key) = try folder.makePair("a", algorithm)
        let identity = try TLSIdentity(certificatePEM: folder.read(certificate), keyPEM: folder.read(key))
        #expect(identity.keyHash.count == 32)
        let spki = try run(["x509", "-in", certificate, "-noout", "-pubkey"])
        let base64 = spki.split(separator: "\n").dropFirst().dropLast().joined()
        let der = try #require(Base64.decode(Array(base64.utf8)))
        #expect(identity.keyHash == OpenSSLBytes.sha256(der))
        let server = try TLSContext.server(identity: identity, minimum: .tls12, requestClientCertificate: true)
        let client = try TLSContext.client(identity: nil, pinnedKeyHash: identity.keyHash, minimum: .tls12)
        var pair = try Pair(client: client, server: server)
        pair.run()
        #expect(pair.client.peer?.keyHash == identity.keyHash)
    }

    @Test(.enabled(if: hasOpenSSL)) func chain_isKeptInOrder() throws {
        let folder = try Folder()
        let (leaf, key) = try folder.makePair("leaf", "ED25519")
        let (issuer, _) = try folder.makePair("issuer", "ED25519")
        let both = try folder.read(leaf) + folder.read(issuer)
        let identity = try TLSIdentity(certificatePEM: both, keyPEM: folder.read(key))
        #expect(identity.certificatePEM == both)
        #expect(throws: TLSError.self) {
            try TLSIdentity(certificatePEM: folder.read(issuer) + folder.read(leaf), keyPEM: folder.read(key))
        }
    }

    @Test(.enabled(if: hasOpenSSL)) func unusableMaterial_isNamedByItsKind() throws {
        let folder = try Folder()
        let (certificate, key) = try folder.makePair("a", "ED25519")
        let (_, other) = try folder.makePair("b", "ED25519")
        let (_, rsa) = try folder.makePair("c", "RSA")
        let locked = folder.path("locked.pem")
        _ = try run(["pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", locked])
        let good = try folder.read(certificate)
        for material in try [folder.read(other), folder.read(rsa), folder.read(locked), [], Array("no PEM".utf8), good] {
            let error = #expect(throws: TLSError.self) { try TLSIdentity(certificatePEM: good, keyPEM: material) }
            #expect(error?.kind == .badMaterial)
            #expect(error?.detail.contains("secret") == false)
        }
        for material in try [[], Array("-----BEGIN CERTIFICATE-----\n".utf8), folder.read(key)] {
            #expect(throws: TLSError.self) { try TLSIdentity(certificatePEM: material, keyPEM: folder.read(key)) }
        }
    }

    // MARK: - Help

    private func run(_ arguments: [String]) throws -> String {
        try Folder.run(arguments)
    }
}

/// A temporary folder that goes with the test.
final class Folder {
    private let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("ddstls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func path(_ name: String) -> String { url.appendingPathComponent(name).path }

    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        try Data(bytes).write(to: url.appendingPathComponent(name))
        return path(name)
    }

    func read(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }

    /// A self-signed certificate and its key as the openssl command makes them.
    func makePair(_ name: String, _ algorithm: String) throws -> (certificate: String, key: String) {
        let key = path("\(name).key")
        let certificate = path("\(name).crt")
        _ = try Self.run([
            "req", "-x509", "-newkey", algorithm, "-noenc", "-subj", "/CN=\(name)", "-keyout", key, "-out", certificate,
        ])
        return (certificate, key)
    }

    static func run(_ arguments: [String]) throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: IdentityTests.openssl)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }
}
