// The ways to a node's master key. The master key itself is never stored: each slot holds it sealed for one holder, and any
// one of them opens it (SEALING.md 7f). Decides formats and words; who asks for passphrases and reads files is elsewhere.

import DDSCore
import DDSNode
import DDSSeal

/// One sealed copy of the master key.
struct KeySlot: Hashable, Sendable {
    enum Kind: String, Sendable, CaseIterable {
        /// A key in a file of its own.
        case file
        case passphrase
        /// A key that the service manager hands over.
        case credential
        /// A key read from an open file descriptor.
        case descriptor = "fd"
        /// An age recipient of the administrator, whose identity lies elsewhere.
        case recovery

        /// True for slots that 32 bytes from somewhere open.
        var isKey: Bool { self == .file || self == .credential || self == .descriptor }
    }

    var kind: Kind
    /// Of `recovery` the recipient, else empty.
    var recipient: String
    /// XChaCha20-Poly1305 under the slot's key, or a binary age file.
    var sealed: [UInt8]
}

/// What opens a slot.
enum SlotSecret: Sendable {
    /// 32 bytes.
    case key(SecretBytes)
    case passphrase(SecretBytes)
    case identity(AgeIdentity)
}

/// The file `keyring`: at least one slot, at most one of each kind.
struct Keyring: Hashable, Sendable {
    /// Of the file's format.
    static let version: Int64 = 1
    static let keyBytes = 32

    private(set) var slots: [KeySlot] = []

    init() {}

    subscript(_ kind: KeySlot.Kind) -> KeySlot? { slots.first { $0.kind == kind } }

    // MARK: Slots

    /// Adds or replaces the slot of `kind`; `secret` fits it. Passphrases take long: call it off the loop.
    mutating func seal(
        _ master: SecretBytes, for kind: KeySlot.Kind, _ secret: SlotSecret, random: any RandomSource
    ) throws(Failure) {
        precondition(master.count == Self.keyBytes, "a master key has 32 bytes")
        let sealed: [UInt8]
        switch (kind.isKey, secret) {
        case (true, .key(let key)):
            sealed = master.withExposed { SealedStoreBox.seal($0, key: key, associated: Self.binding(kind), random: random) }
        case (false, .passphrase(let passphrase)):
            do throws(AgeError) {
                sealed = try PassphraseFile.seal(master, passphrase: passphrase, random: random)
            } catch {
                throw Failure(.system, "the passphrase could not be processed: not enough memory")
            }
        case (false, .identity), (false, .key), (true, .passphrase), (true, .identity):
            preconditionFailure("a slot is sealed with a secret of its kind")
        }
        put(KeySlot(kind: kind, recipient: "", sealed: sealed))
    }

    /// Adds or replaces the recovery slot.
    mutating func sealRecovery(_ master: SecretBytes, to recipient: AgeRecipient, random: any RandomSource) throws(Failure) {
        do throws(AgeError) {
            var file = try AgeEncryptor(recipients: [recipient], armor: nil, random: random)
            let sealed = master.withExposed { file.update($0[...]) } + file.finish()
            put(KeySlot(kind: .recovery, recipient: "\(recipient)", sealed: sealed))
        } catch {
            throw Failure(.badInput, "\(recipient) is no usable age recipient; make one with: age-keygen -o recovery.txt")
        }
    }

    /// Takes a slot away. The last one stays: nobody could open the node any more.
    mutating func remove(_ kind: KeySlot.Kind) throws(Failure) {
        guard self[kind] != nil else { throw Failure(.unknownName, "the keyring has no slot \(kind.rawValue)") }
        guard slots.count > 1 else {
            throw Failure(.badInput, "\(kind.rawValue) is the only way to the node's key; add another slot first")
        }
        slots.removeAll { $0.kind == kind }
    }

    private mutating func put(_ slot: KeySlot) {
        slots.removeAll { $0.kind == slot.kind }
        slots.append(slot)
    }

    /// The master key out of the slot of `kind`. Passphrases take long: call it off the loop.
    func open(_ kind: KeySlot.Kind, _ secret: SlotSecret) throws(Failure) -> SecretBytes {
        guard let slot = self[kind] else {
            let others = slots.map(\.kind.rawValue).joined(separator: ", ")
            throw Failure(
                .configuration,
                "the keyring has no slot \(kind.rawValue); it has: \(others). Set server.keys.master to one of them")
        }
        var bytes: [UInt8]
        switch secret {
        case .key(let key):
            guard let opened = SealedStoreBox.open(slot.sealed, key: key, associated: Self.binding(kind)) else {
                throw Failure(.permission, "this is not the key of the slot \(kind.rawValue), or the keyring is damaged")
            }
            bytes = opened
        case .passphrase(let passphrase):
            let master: SecretBytes
            do throws(VaultError) {
                master = try PassphraseFile.open(slot.sealed, passphrase: passphrase)
            } catch {
                throw Self.failure(error)
            }
            return try Self.checked(master)
        case .identity(let identity):
            var decryptor = AgeDecryptor(identities: [identity], form: .binary)
            do throws(AgeError) {
                bytes = try decryptor.feed(slot.sealed)
                bytes += try decryptor.finish()
            } catch {
                throw Failure(.permission, "this identity does not open the recovery slot, which is for \(slot.recipient)")
            }
        }
        return try Self.checked(SecretBytes(consuming: &bytes))
    }

    private static func failure(_ error: VaultError) -> Failure {
        switch error {
        case .wrongPassphrase: Failure(.permission, "the passphrase is wrong")
        case .wrongOrDamaged: Failure(.permission, "the passphrase is wrong, or the keyring is damaged")
        case .damaged(let words): Failure(.badInput, "the keyring is damaged (\(words)); put it back from a backup")
        case .tooCostly: Failure(.badInput, "the keyring is damaged (\(error)); put it back from a backup")
        case .memoryShort: Failure(.system, "the keyring was not opened: \(error); end other programs and try again")
        }
    }

    private static func checked(_ master: SecretBytes) throws(Failure) -> SecretBytes {
        guard master.count == keyBytes else { throw Failure(.badInput, "the keyring is damaged; put it back from a backup") }
        return master
    }

    private static func binding(_ kind: KeySlot.Kind) -> [UInt8] { Array("ddsnode/v1/keyring\0\(kind.rawValue)".utf8) }
}

// MARK: The file

extension Keyring {
    var encoded: [UInt8] {
        let rows = slots.map { slot in
            var row: [String: JSONValue] = [
                "kind": .text(slot.kind.rawValue), "sealed": .text(String(decoding: Base64.encode(slot.sealed), as: UTF8.self)),
            ]
            if !slot.recipient.isEmpty { row["recipient"] = .text(slot.recipient) }
            return JSONValue.object(row)
        }
        return Array((["version": .number(Self.version), "slots": .list(rows)] as JSONValue).pretty.utf8) + [0x0a]
    }

    /// Throws with exit code 65 when `bytes` are no keyring, 78 when a newer program wrote it.
    init(_ bytes: [UInt8], path: String) throws(Failure) {
        guard let value = JSONValue(parsing: bytes), let version = value["version"]?.integer, let rows = value["slots"]?.array
        else {
            throw Failure(.badInput, "\(path) is no keyring, or it is damaged; put it back from a backup. Nothing was changed")
        }
        guard version <= Self.version else {
            throw Failure(
                .configuration,
                "\(path) was written by a newer ddsnode (version \(version)); install that one. Nothing was changed")
        }
        for row in rows {
            guard let kind = row["kind"]?.string.flatMap({ KeySlot.Kind(rawValue: $0) }), self[kind] == nil,
                let sealed = row["sealed"]?.string.flatMap({ Base64.decode(Array($0.utf8)) })
            else { throw Failure(.badInput, "\(path) has a slot that is none; put it back from a backup. Nothing was changed") }
            slots.append(KeySlot(kind: kind, recipient: row["recipient"]?.string ?? "", sealed: sealed))
        }
        guard !slots.isEmpty else {
            throw Failure(.badInput, "\(path) has no slot; put it back from a backup. Nothing was changed")
        }
    }
}
