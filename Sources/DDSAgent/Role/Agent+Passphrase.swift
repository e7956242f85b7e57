// Another passphrase for the keys of an agent, locked or not.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import Logging

extension Agent {
    /// Gives the vault the passphrase `new`; `old` must open it. The agent stays as locked as it is. Returns whether the old
    /// file was overwritten.
    func changePassphrase(from old: SecretBytes, to new: SecretBytes) async throws(Failure) -> Bool {
        guard old != new else { throw Failure(.badInput, "the new passphrase is the old one; nothing was changed") }
        try PassphraseStrength.require(
            new, known: [account.address.local, account.address.domain, account.display, account.host])
        await unlockGate.enter()
        defer { unlockGate.leave() }
        let isOverwritten = try await Vault(path: folder.vault).changePassphrase(from: old, to: new, services: services)
        noteActivity()
        services.log.notice("the passphrase was changed")
        return isOverwritten
    }
}
