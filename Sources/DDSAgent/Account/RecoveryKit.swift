// What a recovery kit holds: who a member is and where their node is. No key that opens mail and no passphrase: it brings back
// the account, and not what was stored or on its way.

import DDSCore
import DDSNode
import DDSSeal

struct RecoveryKit: Sendable {
    /// Signs what the member says of their keys.
    var identitySeed: SecretBytes
    var address: MailAddress
    var host: String
    var pop3sPort: UInt16
    var submissionsPort: UInt16
    /// As `AgentAccount` has it.
    var nodeKeyHash: [UInt8]
    var nodeIdentity: [UInt8]?

    init(account: AgentAccount, identitySeed: SecretBytes) {
        self.identitySeed = identitySeed
        address = account.address
        host = account.host
        pop3sPort = account.pop3sPort
        submissionsPort = account.submissionsPort
        nodeKeyHash = account.nodeKeyHash
        nodeIdentity = account.nodeIdentity
    }

    /// The kit in a file or a typed text. Throws a sentence for each way in which it can be damaged.
    init(in text: SecretBytes) throws(Failure) {
        let content: SecretBytes
        do throws(RecoveryCodeError) {
            content = try RecoveryCode.decode(text)
        } catch {
            throw Failure(.badInput, error.description)
        }
        guard let kit = content.withExposed({ Self(content: $0) }) else {
            throw Failure(.badInput, "the recovery code is whole, but holds no account; it was made by another program")
        }
        self = kit
    }

    // MARK: Content

    /// `DDS-RECOVERY-1...`.
    var code: SecretBytes {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(1024)
        identitySeed.withExposed { bytes += $0 }
        for part in [nodeKeyHash, Array(host.utf8), Array("\(address)".utf8), nodeIdentity ?? []] {
            precondition(part.count < 256, "the parts of an account are short")
            bytes.append(UInt8(part.count))
            bytes += part
        }
        for port in [pop3sPort, submissionsPort] { bytes += [UInt8(port >> 8), UInt8(port & 0xff)] }
        return RecoveryCode.encode(SecretBytes(consuming: &bytes))
    }

    private init?(content: [UInt8]) {
        guard content.count > 32 else { return nil }
        var rest = content[32...]
        var parts: [[UInt8]] = []
        for _ in 0..<4 {
            guard let count = rest.popFirst(), rest.count >= Int(count) else { return nil }
            parts.append(Array(rest.prefix(Int(count))))
            rest = rest.dropFirst(Int(count))
        }
        let ports = Array(rest)
        guard ports.count == 4, (16...32).contains(parts[0].count), [0, 32].contains(parts[3].count), !parts[1].isEmpty,
            let host = String(validating: parts[1], as: UTF8.self),
            let address = String(validating: parts[2], as: UTF8.self).flatMap({ MailAddress($0) })
        else { return nil }
        var seed = Array(content[..<32])
        identitySeed = SecretBytes(consuming: &seed)
        nodeKeyHash = parts[0]
        self.host = host
        self.address = address
        nodeIdentity = parts[3].isEmpty ? nil : parts[3]
        pop3sPort = UInt16(ports[0]) << 8 | UInt16(ports[1])
        submissionsPort = UInt16(ports[2]) << 8 | UInt16(ports[3])
    }

    // MARK: Rehearsal

    /// Throws unless the kit would bring back the identity and the account that are here.
    func rehearse(against account: AgentAccount, keys: VaultKeys) throws(Failure) {
        guard address == account.address else {
            throw Failure(.badInput, "this is the kit of \(address), and here is \(account.address); look for the right paper")
        }
        guard identitySeed == keys.identitySeed else {
            throw Failure(
                .badInput,
                "this kit is of an identity that \(address) had before; it brings back nothing. Make a new one: ddsnode key backup FILE"
            )
        }
        let now = RecoveryKit(account: account, identitySeed: keys.identitySeed)
        let isSame =
            host == now.host && pop3sPort == now.pop3sPort && submissionsPort == now.submissionsPort
            && nodeKeyHash == now.nodeKeyHash && (nodeIdentity == nil || nodeIdentity == now.nodeIdentity)
        guard isSame else {
            throw Failure(
                .badInput,
                "the identity in this kit is yours, but the node's place or key has changed since it was made. Make a new one: "
                    + "ddsnode key backup FILE")
        }
    }
}
