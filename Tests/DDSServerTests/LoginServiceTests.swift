import DDSCore
import DDSLoop
import DDSSeal
import DDSTLS
import DDSTestKit
import DDSWire
import Foundation
import Synchronization
import Testing

@testable import DDSServer

@Suite(.timeLimit(.minutes(5))) struct LoginServiceTests {
    private final class Gate: Sendable {
        let hasBegun = Atomic(false)
        let isChanged = Atomic(false)
    }

    private func password(_ name: String, _ text: String) -> Credentials {
        .plain(authzid: nil, authcid: name, password: Redacted(Array(text.utf8)))
    }

    private func isMember(_ result: LoginResult) -> Bool { if case .member = result { true } else { false } }

    /// A service that refuses after two failures a minute.
    @LoopActor private func strict(_ world: World) -> LoginService {
        LoginService(store: world.store, services: world.services, failuresPerMinute: 2)
    }

    @Test @LoopActor func tooManyFailures_areRefusedUnheard_untilAMinuteHasPassed() async throws {
        try await withWorld { world in
            try await world.addPasswordMember("carol")
            let login = strict(world)
            for _ in 0..<2 { _ = await login.login(password("carol", "wrong one"), peer: nil, from: "1.1.1.1", protocol: "pop3") }
            #expect(!isMember(await login.login(password("carol", "correct horse"), peer: nil, from: "1.1.1.1", protocol: "pop3")))
            #expect(!isMember(await login.login(password("carol", "correct horse"), peer: nil, from: "2.2.2.2", protocol: "pop3")))
            world.time.advance(by: .seconds(60))
            #expect(isMember(await login.login(password("carol", "correct horse"), peer: nil, from: "1.1.1.1", protocol: "pop3")))
        }
    }

    @Test @LoopActor func whatOthersTryAgainstAName_doesNotLockItsPlaceOut() async throws {
        try await withWorld { world in
            try await world.addPasswordMember("carol")
            let login = strict(world)
            #expect(isMember(await login.login(password("carol", "correct horse"), peer: nil, from: "1.1.1.1", protocol: "pop3")))
            for _ in 0..<2 { _ = await login.login(password("CAROL@node.test", "wrong one"), peer: nil, from: "6.6.6.6", protocol: "pop3") }
            #expect(isMember(await login.login(password("carol", "correct horse"), peer: nil, from: "1.1.1.1", protocol: "pop3")))
            #expect(!isMember(await login.login(password("carol", "correct horse"), peer: nil, from: "3.3.3.3", protocol: "pop3")))
        }
    }

    @Test @LoopActor func strangersWithoutAName_lockNobodyOut() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            let login = strict(world)
            for index in 0..<6 {
                let stranger = TLSPeer(version: "TLSv1.3", keyHash: Array(repeating: UInt8(index), count: 32))
                _ = await login.login(.external(authzid: index % 2 == 0 ? nil : "bob"), peer: stranger, from: "6.6.6.\(index)", protocol: "pop3")
            }
            let peer = TLSPeer(version: "TLSv1.3", keyHash: bob.device.keyHash)
            #expect(isMember(await login.login(.external(authzid: nil), peer: peer, from: "1.1.1.1", protocol: "pop3")))
            #expect(isMember(await login.login(.external(authzid: "bob"), peer: peer, from: "1.1.1.1", protocol: "pop3")))
        }
    }

    @Test @LoopActor func aPasswordForSomebodyElse_isRefused() async throws {
        try await withWorld { world in
            try await world.addPasswordMember("carol")
            let foreign = Credentials.plain(authzid: "bob", authcid: "carol", password: Redacted(Array("correct horse".utf8)))
            #expect(!isMember(await world.login.login(foreign, peer: nil, from: "1.1.1.1", protocol: "pop3")))
            let own = Credentials.plain(authzid: "carol", authcid: "carol", password: Redacted(Array("correct horse".utf8)))
            #expect(isMember(await world.login.login(own, peer: nil, from: "1.1.1.1", protocol: "pop3")))
        }
    }

    @Test @LoopActor func aPasswordChangedDuringTheCheck_isNoLogin() async throws {
        try await withWorld { world in
            try await world.addPasswordMember("carol")
            // The check waits on its thread until the change is stored.
            let gate = Gate()
            let login = LoginService(store: world.store, services: world.services, failuresPerMinute: 10) { password, verifier in
                gate.hasBegun.store(true, ordering: .releasing)
                while !gate.isChanged.load(ordering: .acquiring) { sched_yield() }
                return PasswordVerifier.verify(password: password, verifier: verifier)
            }
            async let checking = login.login(password("carol", "correct horse"), peer: nil, from: "1.1.1.1", protocol: "pop3")
            try await until { gate.hasBegun.load(ordering: .acquiring) }
            try await world.store.change { d throws(Failure) in try d.settingSuspended("carol", true) }
            gate.isChanged.store(true, ordering: .releasing)
            #expect(!isMember(await checking))
        }
    }

    @Test @LoopActor func moreChecksThanTheMemoryAllows_areToldToComeAgain() async throws {
        try await withWorld { world in
            try await world.addPasswordMember("carol")
            let tries = (0..<8).map { index in
                Task { @LoopActor in
                    await world.login.login(password("carol", "correct horse"), peer: nil, from: "1.1.1.\(index)", protocol: "pop3")
                }
            }
            var unavailable = 0
            for attempt in tries { if case .unavailable = await attempt.value { unavailable += 1 } }
            #expect(unavailable == 4)
        }
    }
}
