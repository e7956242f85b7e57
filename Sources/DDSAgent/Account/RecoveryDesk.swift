// Making and rehearsing a recovery kit. The command line does it by itself, whether an agent runs or not: the vault is only read,
// the passphrase is asked for in any case, and no secret crosses the control socket.

package import DDSCore
import DDSLoop
package import DDSNode
package import DDSSeal

package enum RecoveryDesk {
    package enum Form: Sendable {
        case html, text

        /// By the end of a file's name; nil for others than `.html`, `.htm` and `.txt`.
        package init?(fileName: String) {
            let name = fileName.lowercased()
            if name.hasSuffix(".html") || name.hasSuffix(".htm") {
                self = .html
            } else if name.hasSuffix(".txt") {
                self = .text
            } else {
                return nil
            }
        }
    }

    /// The kit of the member whose agent `config` is of: the content of a file.
    @LoopActor package static func make(
        _ form: Form, _ config: Config, passphrase: SecretBytes, at time: WallTime
    ) async throws(Failure) -> SecretBytes {
        let (account, keys) = try await opened(config, passphrase)
        let page = RecoveryPage(kit: RecoveryKit(account: account, identitySeed: keys.identitySeed), date: time)
        var bytes = form == .html ? page.html : page.text
        return SecretBytes(consuming: &bytes)
    }

    /// Proves that the kit in `file` would bring back what is here, or throws the sentence of what is wrong with it.
    @LoopActor package static func rehearse(
        _ file: SecretBytes, _ config: Config, passphrase: @LoopActor () throws(Failure) -> SecretBytes
    ) async throws(Failure) -> JSONValue {
        // What is wrong with the kit alone is said before anybody is asked for a passphrase.
        let kit = try RecoveryKit(in: file)
        let (account, keys) = try await opened(config, try passphrase())
        try kit.rehearse(against: account, keys: keys)
        return ["address": .text("\(kit.address)"), "node": .text(kit.host), "opens": true]
    }

    /// Whose kit is in `file`, and its code alone, without the page around it. Throws what is wrong with it.
    package static func read(_ file: SecretBytes) throws(Failure) -> (code: SecretBytes, address: MailAddress, node: String) {
        let kit = try RecoveryKit(in: file)
        return (kit.code, kit.address, kit.host)
    }

    @LoopActor private static func opened(
        _ config: Config, _ passphrase: SecretBytes
    ) async throws(Failure) -> (AgentAccount, VaultKeys) {
        let folder = AgentFolder(stateDir: config.node.stateDirectory)
        guard let account = try folder.loadAccount() else {
            throw Failure(.fileMissing, "nobody has joined a node from \(folder.path) yet; run: ddsnode join INVITE")
        }
        return (account, try await Vault(path: folder.vault).open(passphrase: passphrase))
    }
}
