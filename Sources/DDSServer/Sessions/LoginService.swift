// Who is at the other end of a connection: a device key that was enrolled, or a name with a password inside TLS. Unknown
// names cost as much time as wrong passwords, failures are answered later and later, and too many of them from one address or
// against one name are refused unheard.

import DDSBus
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSWire
import Logging

/// The outcome of a login.
enum LoginResult: Sendable {
    case member(Account)
    /// A device with a key that belongs to nobody yet and says that it comes to enrol; its key's hash in hexadecimal.
    case newcomer(deviceKey: String)
    case refused
    case unavailable
}

@LoopActor final class LoginService {
    private let store: DirectoryStore
    private let services: Services
    private var privacy: AddressPrivacy
    private var limiter: FailureLimiter
    private var passwordChecks = 0
    /// Whether a password fits a verifier; takes long, and is called off the loop.
    private let verify: @Sendable ([UInt8], String) -> Bool
    private let pause: @LoopActor @Sendable (Duration) async -> Void
    /// Where each member with a password last logged in from: what others try against the name does not lock this place out.
    private var lastHost: [String: String] = [:]

    /// Argon2id takes tens of megabytes a check; more than this many at once wait for nobody and are told to come again.
    private static let passwordChecksMax = 4
    private static let nameLettersMax = 40

    init(
        store: DirectoryStore, services: Services, failuresPerMinute: Int,
        verify: @escaping @Sendable ([UInt8], String) -> Bool = { PasswordVerifier.verify(password: $0, verifier: $1) },
        // Only cancelling ends a sleep early, and nobody cancels a session's tasks.
        pause: @escaping @LoopActor @Sendable (Duration) async -> Void = { try? await Loop.sleep(for: $0) }
    ) {
        self.verify = verify
        self.pause = pause
        self.store = store
        self.services = services
        limiter = FailureLimiter(perMinute: failuresPerMinute)
        privacy = AddressPrivacy(level: services.config.log.addresses, random: services.random)
    }

    /// Takes over what a reload may change.
    func adopt(_ config: Config) {
        limiter.perMinute = config.server.limits.loginsPerMinute
        privacy = AddressPrivacy(level: config.log.addresses, random: services.random)
    }

    /// Decides a login by `credentials` from a peer with this address and TLS key. The answer to a failed one comes late.
    func login(_ credentials: Credentials, peer: TLSPeer?, from host: String, protocol name: String) async -> LoginResult {
        let host = FailureLimiter.place(host)
        let claimed = Self.claim(credentials, peer)
        let isKnownPlace = !host.isEmpty && lastHost[claimed] == host
        guard limiter.allows(isKnownPlace ? [host] : [host, claimed], now: services.time.now) else {
            services.log.notice(
                "login refused unheard",
                metadata: ["protocol": "\(name)", "peer": "\(privacy.text(host))", "reason": "too many failures"])
            return .refused
        }
        let result = await decide(credentials, peer: peer)
        switch result {
        case .refused: await failed(host, claimed, protocol: name)
        case .member: if case .plain = credentials { lastHost[claimed] = host }
        case .newcomer, .unavailable: break
        }
        return result
    }

    private func failed(_ host: String, _ claimed: String, protocol name: String) async {
        limiter.failed([host, claimed], now: services.time.now)
        services.bus.publish(.loginFailed(protocol: name))
        services.log.notice("login failed", metadata: ["protocol": "\(name)", "peer": "\(privacy.text(host))"])
        let delay = limiter.delay([host, claimed], now: services.time.now)
        if delay > .zero { await pause(delay) }
    }

    /// Counts an enrolment that was refused: guessing invites is guessing, too.
    func enrolmentRefused(from host: String) {
        limiter.failed([FailureLimiter.place(host)], now: services.time.now)
    }

    private func decide(_ credentials: Credentials, peer: TLSPeer?) async -> LoginResult {
        switch credentials {
        case .external(let authzid): return external(authzid, peer: peer)
        case .plain(let authzid, let authcid, let password):
            guard authzid == nil || authzid == authcid else { return .refused }
            return await self.password(password, of: authcid)
        }
    }

    private func external(_ authzid: String?, peer: TLSPeer?) -> LoginResult {
        guard let hash = peer?.keyHash else { return .refused }
        let key = Hex.encode(hash)
        guard let account = store.directory.account(deviceKey: key) else {
            return authzid == EnrolmentRequest.localPart ? .newcomer(deviceKey: key) : .refused
        }
        // A device whose enrolment was accepted while the reply got lost asks to enrol once more.
        if authzid == EnrolmentRequest.localPart { return .newcomer(deviceKey: key) }
        guard authzid.map({ Self.localPart($0) == account.name }) ?? true, !account.isSuspended else { return .refused }
        return .member(account)
    }

    private func password(_ password: Redacted<[UInt8]>, of name: String) async -> LoginResult {
        guard passwordChecks < Self.passwordChecksMax else { return .unavailable }
        passwordChecks += 1
        defer { passwordChecks -= 1 }
        let account = store.directory.accounts[Self.localPart(name)]
        let verifier = account?.verifier
        let isRight = await Loop.offload { [verify, verifier] in
            verify(password.exposed, verifier ?? PasswordVerifier.dummy)
        }
        // The account may have changed while the check ran.
        guard isRight, verifier != nil, let current = account.flatMap({ store.directory.accounts[$0.name] }),
            current.verifier == verifier, !current.isSuspended
        else { return .refused }
        return .member(current)
    }

    /// Against whom a failure counts. A device key cannot be guessed, so those who fail with one harm no name.
    private static func claim(_ credentials: Credentials, _ peer: TLSPeer?) -> String {
        switch credentials {
        case .external: "key:" + (peer?.keyHash.map { Hex.encode($0) } ?? "")
        // No member's name is longer; what is may not fill the memory either.
        case .plain(_, let authcid, _): "name:" + localPart(authcid).prefix(nameLettersMax)
        }
    }

    /// Mail programs log in with the name or with the whole address.
    private static func localPart(_ name: String) -> String {
        (name.split(separator: "@", maxSplits: 1).first.map(String.init) ?? name).lowercased()
    }
}
