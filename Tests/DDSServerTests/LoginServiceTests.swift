import DDSCore
import DDSLock
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
            for _ in 0..<2 {
                _ = await login.login(password("carol", "wrong one"), peer: nil, from: "1.1.1.1", protocol: "pop3")
            }
            #expect(
                !isMember(await login.login(password("carol", "correct horse"), peer: nil, from: "1.1.1.1", protocol: "pop3")))
            #expect(
                !isMember(await login.login(password("carol", "correct horse"), peer: nil, from: "2.2.2.2", protocol: "pop3")))
            world.time.advance(by: .seconds(60))
            #expect(
                isMember(await login.login(password("carol", "correct horse"), peer: nil, from: "1.1.1.1", protocol: "pop3")))
        }
    }

    @Test @LoopActor func whatOthersTryAgainstAName_doesNotLockItsPlaceOut() async throws {
        try await withWorld { world in
            try await world.addPasswordMember("carol")
            let login = strict(world)
            #expect(
                isMember(await login.login(password("carol", "correct horse"), peer: nil, from: "1.1.1.1", protocol: "pop3")))
            for _ in 0..<2 {
                _ = await login.login(password("CAROL@node.test", "wrong one"), peer: nil, from: "6.6.6.6", protocol: "pop3")
            }
            #expect(
                isMember(await login.login(password("carol", "correct horse"), peer: nil, from: "1.1.1.1", protocol: "pop3")))
            #expect(
                !isMember(await login.login(password("carol", "correct horse"), peer: nil, from: "3.3.3.3", protocol: "pop3")))
        }
    }

    @Test @LoopActor func strangersWithoutAName_lockNobodyOut() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            let login = strict(world)
            for index in 0..<6 {
                let stranger = TLSPeer(version: "TLSv1.3", keyHash: Array(repeating: UInt8(index), count: 32))
                _ = await login.login(
                    .external(authzid: index % 2 == 0 ? nil : "bob"), peer: stranger, from: "6.6.6.\(index)", protocol: "pop3")
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

    @Test(arguments: ["suspended", "another password"])
    @LoopActor func whatChangesDuringTheCheck_isNoLogin(_ change: String) async throws {
        try await withWorld { world in
            try await world.addPasswordMember("carol")
            let other = try PasswordVerifier.make(password: Array("another horse".utf8))
            // The check waits on its thread until the change is stored.
            let gate = Gate()
            let login = LoginService(store: world.store, services: world.services, failuresPerMinute: 10) {
                password, verifier in
                gate.hasBegun.store(true, ordering: .releasing)
                while !gate.isChanged.load(ordering: .acquiring) { sched_yield() }
                return PasswordVerifier.verify(password: password, verifier: verifier)
            }
            async let checking = login.login(password("carol", "correct horse"), peer: nil, from: "1.1.1.1", protocol: "pop3")
            try await until { gate.hasBegun.load(ordering: .acquiring) }
            try await world.store.change { d throws(Failure) in
                guard change == "suspended" else {
                    return [
                        .accessGranted(
                            name: "carol", login: .password(verifier: other), recipient: world.account("carol")?.recipient ?? ""
                        )
                    ]
                }
                return try d.settingSuspended("carol", true)
            }
            gate.isChanged.store(true, ordering: .releasing)
            #expect(!isMember(await checking))
        }
    }

    // MARK: The same work for everybody

    /// What the checks of passwords were made against.
    private final class Checks: Sendable {
        let verifiers = Lock<[String]>([])
    }

    @Test @LoopActor func everyFailure_costsOneCheckOfTheSameWork_whoeverIsMeant() async throws {
        try await withWorld { world in
            try await world.addPasswordMember("carol")
            try await world.addPasswordMember("dora")
            try await world.addKeyMember("bob")
            try await world.store.change { d throws(Failure) in try d.settingSuspended("dora", true) }
            let checks = Checks()
            let login = LoginService(
                store: world.store, services: world.services, failuresPerMinute: 100,
                verify: { _, verifier in
                    checks.verifiers.withLock { $0.append(verifier) }
                    return true
                }, pause: { _ in })
            // Even where the check says yes, only carol comes in.
            var admitted: [String] = []
            let names = ["carol", "dora", "bob", "nobody", "", "\(String(repeating: "x", count: 500))"]
            for name in names {
                if isMember(await login.login(password(name, "correct horse"), peer: nil, from: "1.1.1.1", protocol: "pop3")) {
                    admitted.append(name)
                }
            }
            #expect(admitted == ["carol"])
            let made = checks.verifiers.withLock { $0 }
            #expect(made.count == names.count, "one check each")
            #expect(made.allSatisfy { $0.hasPrefix(PasswordVerifier.parameters + "$") }, "all of the same work: \(made)")
        }
    }

    @Test @LoopActor func failures_areAnsweredLater_byAddressAndByName() async throws {
        try await withWorld { world in
            try await world.addPasswordMember("carol")
            let pauses = Lock<[Duration]>([])
            let login = LoginService(
                store: world.store, services: world.services, failuresPerMinute: 100, verify: { _, _ in false },
                pause: { pause in pauses.withLock { $0.append(pause) } })
            func fails(_ name: String, from host: String) async {
                _ = await login.login(password(name, "x"), peer: nil, from: host, protocol: "pop3")
            }
            let steps: [Duration] = [.milliseconds(500), .seconds(1), .seconds(2)]
            // One address, always another name.
            for index in 0..<5 { await fails("n\(index)", from: "1.1.1.1") }
            #expect(pauses.withLock { $0 } == steps)
            // One name, always another address.
            pauses.withLock { $0 = [] }
            for index in 0..<5 { await fails("carol", from: "2.2.2.\(index)") }
            #expect(pauses.withLock { $0 } == steps)
            // One network of IPv6.
            pauses.withLock { $0 = [] }
            for index in 0..<5 { await fails("m\(index)", from: "2001:db8:1:2::\(index)") }
            #expect(pauses.withLock { $0 } == steps)
            // After a minute nothing is held against anybody.
            pauses.withLock { $0 = [] }
            world.time.advance(by: .seconds(60))
            await fails("carol", from: "1.1.1.1")
            #expect(pauses.withLock { $0 }.isEmpty)
        }
    }

    @Test @LoopActor func aMemberWithAKey_hasNoPassword_unlessTheAdministratorSaysSo() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob")
            let verifier = try PasswordVerifier.make(password: Array("correct horse".utf8))
            func comesIn() async -> Bool {
                isMember(
                    await world.login.login(password("bob", "correct horse"), peer: nil, from: "1.1.1.1", protocol: "pop3"))
            }
            #expect(await !comesIn())
            try await world.store.change { _ throws(Failure) in [.passwordLogin(name: "bob", verifier: verifier)] }
            #expect(await comesIn())
            let peer = TLSPeer(version: "TLSv1.3", keyHash: bob.device.keyHash)
            #expect(
                isMember(await world.login.login(.external(authzid: nil), peer: peer, from: "1.1.1.1", protocol: "pop3")),
                "the key still does")
            let before = world.account("bob")
            #expect(before?.usesKey == true, "and what bob sends has to be sealed")
            try await world.store.change { _ throws(Failure) in [.passwordLogin(name: "bob", verifier: nil)] }
            #expect(await !comesIn())
            #expect(world.context.current(before) == nil, "a session that came in by it ends")
            // A new key ends it too.
            try await world.store.change { _ throws(Failure) in
                [
                    .passwordLogin(name: "bob", verifier: verifier),
                    .accessGranted(name: "bob", login: .deviceKey("00"), recipient: "\(bob.mailbox.recipient)"),
                ]
            }
            #expect(await !comesIn())
        }
    }

    @Test @LoopActor func moreChecksThanTheMemoryAllows_areToldToComeAgain() async throws {
        try await withWorld { world in
            try await world.addPasswordMember("carol")
            let tries = (0..<8).map { index in
                Task { @LoopActor in
                    await world.login.login(
                        password("carol", "correct horse"), peer: nil, from: "1.1.1.\(index)", protocol: "pop3")
                }
            }
            var unavailable = 0
            for attempt in tries { if case .unavailable = await attempt.value { unavailable += 1 } }
            #expect(unavailable == 4)
        }
    }
}
