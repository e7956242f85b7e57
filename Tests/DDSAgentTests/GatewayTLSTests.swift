// The gateway's certificate: made once, kept, trusted, renewed, and nobody served without it.

import DDSCore
import DDSLoop
import DDSNode
import DDSTLS
import DDSTestKit
import Foundation
import Testing

@testable import DDSAgent

@Suite(.timeLimit(.minutes(5))) struct GatewayTLSTests {
    private func count(_ words: String, in bytes: [UInt8]) -> Int {
        String(decoding: bytes, as: UTF8.self).components(separatedBy: words).count - 1
    }

    @Test @LoopActor func theCertificate_isMadeOnce_andItsAuthorityHasNoKey() async throws {
        let open = try await OpenAgent()
        let desk = try GatewayDesk(agent: open.agent)
        let folder = open.agent.folder
        desk.start(inherited: [:])
        #expect(!desk.isTLS && desk.certificate == nil && !HostFiles.exists(folder.gatewayCertificate))
        try await desk.use(tls: true)
        let first = try #require(desk.certificate)
        #expect(desk.isTLS && desk.problems.isEmpty)
        let kept = try HostFiles.read(folder.gatewayCertificate)
        #expect(try #require(HostFiles.status(folder.gatewayCertificate)).mode == 0o600)
        #expect(count("BEGIN CERTIFICATE", in: kept) == 2 && count("PRIVATE KEY-----", in: kept) == 2)
        let identity = try LoopbackIdentity(pem: kept)
        #expect(identity.leaf.keyHash.count == 32 && identity.authorityPEM == first.authority)
        // What the one key belongs to is the leaf: it is no key of the authority.
        #expect(throws: TLSError.self) { try TLSIdentity(certificatePEM: identity.authorityPEM, keyPEM: kept) }
        let authority = try HostFiles.read(folder.gatewayAuthority)
        #expect(authority == first.authority && count("PRIVATE", in: authority) == 0)
        desk.stop()

        try HostFiles.remove(folder.gatewayAuthority)
        let again = try GatewayDesk(agent: open.agent)
        again.start(inherited: [:])
        #expect(again.isTLS && again.certificate?.fingerprint == first.fingerprint)
        #expect(try HostFiles.read(folder.gatewayAuthority) == authority)
        try await again.use(tls: false)
        #expect(!again.isTLS && HostFiles.exists(folder.gatewayCertificate))
        again.stop()
    }

    @Test @LoopActor func aDamagedCertificate_isSaid_left_andNobodyIsServedInClear() async throws {
        let open = try await OpenAgent()
        let desk = try GatewayDesk(agent: open.agent)
        try await desk.use(tls: true)
        desk.stop()
        let path = open.agent.folder.gatewayCertificate
        let good = try HostFiles.read(path)
        let broken = Array(good.dropLast(200))
        try HostFiles.write(path, broken)
        let again = try GatewayDesk(agent: open.agent)
        again.start(inherited: [:])
        #expect(again.isTLS && again.certificate == nil && again.problems.count == 1)
        #expect(again.problems.first?.contains("\(path) is damaged") == true)
        await #expect(throws: Failure.self) { try await again.use(tls: true) }
        await #expect(throws: Failure.self) { try await again.trust() }
        #expect(try HostFiles.read(path) == broken)
        try HostFiles.remove(path)
        _ = try await again.trust()
        #expect(again.problems.isEmpty && again.certificate != nil)
        again.stop()
    }

    @Test @LoopActor func whatCannotBeKept_switchesNothingOn() async throws {
        let open = try await OpenAgent()
        let desk = try GatewayDesk(agent: open.agent)
        // A folder in its place stands for a disk that takes nothing.
        try HostFiles.makeFolders(open.agent.folder.gatewayAuthority)
        await #expect(throws: Failure.self) { try await desk.use(tls: true) }
        #expect(!desk.isTLS && desk.certificate == nil)
        desk.stop()
    }

    @Test @LoopActor func nearItsEnd_anotherTakesItsPlace_andHasToBeTrustedAgain() async throws {
        let time = ManualTime()
        let open = try await OpenAgent(time: time)
        let desk = try GatewayDesk(agent: open.agent)
        try await desk.use(tls: true)
        let first = try await desk.trust()
        #expect(desk.problems.isEmpty)
        desk.stop()
        func start() throws -> GatewayDesk {
            let desk = try GatewayDesk(agent: open.agent)
            desk.start(inherited: [:])
            return desk
        }
        let left = first.notAfter.seconds - time.wall.seconds
        time.advance(by: .seconds(left - 30 * 86400 - 1))
        let before = try start()
        #expect(before.certificate?.fingerprint == first.fingerprint && before.problems.isEmpty)
        before.stop()
        time.advance(by: .seconds(1))
        let after = try start()
        #expect(after.certificate?.fingerprint != first.fingerprint && after.certificate != nil)
        #expect(after.problems.map { $0.contains("ddsnode gateway trust") } == [true])
        let second = try await after.trust()
        #expect(after.problems.isEmpty && second.notAfter > first.notAfter)
        after.stop()
    }

    @Test @LoopActor func files_sayTLS() async throws {
        let open = try await OpenAgent()
        let desk = try GatewayDesk(agent: open.agent)
        try await desk.turnOn([.imap])
        #expect(desk.autoconfig?.contains("<socketType>plain</socketType>") == true)
        try await desk.use(tls: true)
        #expect(desk.autoconfig?.contains("<socketType>SSL</socketType>") == true)
        #expect(desk.report()["tls"]?.boolean == true && desk.report()["fingerprint"]?.string == desk.certificate?.fingerprint)
        desk.stop()
    }
}
