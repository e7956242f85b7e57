// What the gateway remembers: where it listens, and the passwords of mail programs. One small file beside the account, which is
// read while the agent is locked too: it holds verifiers and no secret. Written whole with every change.

import DDSCore
import DDSLoop
import DDSNode

@LoopActor final class GatewayBook {
    private static let version: Int64 = 1
    /// How much older than the file a last use may be: a mail program logs in every few minutes.
    private static let useGrain = Duration.seconds(60)

    private let path: String
    private let random: any RandomSource
    private let time: any TimeSource
    private let key: [UInt8]
    /// Where what was switched on on the command line listens, as an endpoint.
    private(set) var places: [GatewayProtocol: String]
    /// Whether TLS was switched on on the command line or in the page.
    private(set) var isTLS = false
    /// The fingerprint of the authority that mail programs were last told to trust.
    private(set) var trusted: String?
    /// In order of their making.
    private(set) var passwords: [AppPassword]
    private var usesWritten: WallTime
    /// Writes follow each other, and the loop waits for none of them.
    private let gate = LoopGate()
    private var writing: Task<Void, Never>?

    /// Throws when the file is there and is none of ours: going on without it would forget passwords in silence.
    init(path: String, random: any RandomSource, time: any TimeSource) throws(Failure) {
        self.path = path
        self.random = random
        self.time = time
        usesWritten = time.wall
        guard HostFiles.exists(path) else {
            (key, places, passwords) = (random.bytes(AppPassword.keyBytes), [:], [])
            return
        }
        let bytes: [UInt8]
        do {
            bytes = try HostFiles.read(path, limit: 1 << 20)
        } catch {
            throw Failure(.inputOutput, "cannot read \(path): \(error)")
        }
        guard let json = JSONValue(parsing: bytes), json["version"]?.integer == Self.version,
            let key = json["key"]?.string.flatMap({ Hex.decode($0) }), key.count == AppPassword.keyBytes
        else {
            throw Failure(
                .badInput, "\(path) is damaged; remove it and run: ddsnode gateway on, then give mail programs new passwords")
        }
        self.key = key
        places = Dictionary(
            GatewayProtocol.allCases.compactMap { row in json["listen"]?[row.rawValue]?.string.map { (row, $0) } },
            uniquingKeysWith: { $1 })
        isTLS = json["tls"]?.boolean ?? false
        trusted = json["trusted"]?.string
        passwords = (json["passwords"]?.array ?? []).compactMap { AppPassword(json: $0) }
    }

    private var json: JSONValue {
        [
            "version": .number(Self.version), "key": .text(Hex.encode(key)),
            "listen": .object(
                Dictionary(places.map { ($0.key.rawValue, .text($0.value)) }, uniquingKeysWith: { $1 })),
            "tls": .bool(isTLS), "trusted": trusted.map { .text($0) } ?? .null,
            "passwords": .list(passwords.map(\.json)),
        ]
    }

    private func save() async throws(Failure) {
        let (path, bytes) = (path, Array(json.pretty.utf8) + [0x0a])
        do {
            try await Loop.offload { () throws(DiskError) in try HostFiles.write(path, bytes) }
        } catch {
            throw Failure(.cannotCreate, "cannot write \(path): \(error)")
        }
    }

    /// Changes durably, or not at all.
    private func change(_ body: @LoopActor () throws(Failure) -> Void) async throws(Failure) {
        try await gate.pass { () throws(Failure) in
            let before = (places, isTLS, trusted, passwords)
            do throws(Failure) {
                try body()
                try await save()
            } catch {
                (places, isTLS, trusted, passwords) = before
                throw error
            }
        }
    }

    func listen(_ row: GatewayProtocol, at place: String?) async throws(Failure) {
        guard places[row] != place else { return }
        try await change { () throws(Failure) in places[row] = place }
    }

    func use(tls: Bool) async throws(Failure) {
        guard isTLS != tls else { return }
        try await change { () throws(Failure) in isTLS = tls }
    }

    func trust(_ fingerprint: String) async throws(Failure) {
        guard trusted != fingerprint else { return }
        try await change { () throws(Failure) in trusted = fingerprint }
    }

    // MARK: Passwords

    /// Makes one, and returns it for the only time.
    func addPassword(_ text: String) async throws(Failure) -> Redacted<String> {
        guard let name = AppPassword.name(text) else {
            throw Failure(
                .usage, "a password's name has 1 to \(AppPassword.nameMax) letters on one line, such as the mail program's")
        }
        let made = AppPassword.make(name, key: key, random: random, now: time.wall)
        try await change { () throws(Failure) in
            guard !passwords.contains(where: { $0.name == name }) else {
                throw Failure(.usage, "there is a password \"\(name)\" already; revoke it first, or choose another name")
            }
            passwords.append(made.password)
        }
        return made.text
    }

    func revoke(_ name: String) async throws(Failure) {
        try await change { () throws(Failure) in
            guard passwords.contains(where: { $0.name == name }) else {
                throw Failure(.unknownName, "there is no password \"\(name)\"; see: ddsnode gateway password list")
            }
            passwords.removeAll { $0.name == name }
        }
    }

    /// The name of the password that this is, which is then in use.
    func use(_ password: [UInt8]) -> String? {
        guard let name = AppPassword.match(password, among: passwords, key: key) else { return nil }
        for index in passwords.indices where passwords[index].name == name { passwords[index].lastUsed = time.wall }
        if time.wall.milliseconds - usesWritten.milliseconds >= Self.useGrain.components.seconds * 1000 { writeUses() }
        return name
    }

    /// Begins to write down what was used; a last use that is not kept is no reason to refuse a login.
    func writeUses() {
        guard passwords.contains(where: { ($0.lastUsed?.milliseconds ?? 0) > usesWritten.milliseconds }) else { return }
        usesWritten = time.wall
        writing = Loop.spawn(name: "gateway uses") { [self, writing] in
            await writing?.value
            await gate.pass { try? await save() }
        }
    }

    /// Waits for what was begun.
    func settled() async { await writing?.value }

    /// Everything that is known is on the disk then, as far as that is possible.
    func close() async {
        writeUses()
        await settled()
    }
}
