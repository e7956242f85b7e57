// What an agent's passphrase is asked for besides unlocking: another one, and a recovery kit.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import Logging

extension Agent {
    /// Gives the vault the passphrase `new`; `old` must open it. The agent stays as locked as it is. Returns whether the old
    /// file was overwritten.
    func changePassphrase(from old: SecretBytes, to new: SecretBytes) async throws(Failure) -> Bool {
        try judge(newPassphrase: new, insteadOf: old)
        await unlockGate.enter()
        defer { unlockGate.leave() }
        let isOverwritten = try await Vault(path: folder.vault).changePassphrase(from: old, to: new, services: services)
        noteActivity()
        services.log.notice("the passphrase was changed")
        return isOverwritten
    }

    /// Throws what speaks against the passphrase `new`, without trying a key.
    func judge(newPassphrase new: SecretBytes, insteadOf old: SecretBytes) throws(Failure) {
        guard old != new else { throw Failure(.badInput, "the new passphrase is the old one; nothing was changed") }
        try PassphraseStrength.require(
            new, known: [account.address.local, account.address.domain, account.display, account.host])
    }

    /// The kit of this person, from the key file as it is on the disk.
    func makeKit(passphrase: SecretBytes) async throws(Failure) -> RecoveryKit {
        await unlockGate.enter()
        defer { unlockGate.leave() }
        let keys = try await Vault(path: folder.vault).open(passphrase: passphrase)
        noteActivity()
        return RecoveryKit(account: account, identitySeed: keys.identitySeed)
    }

    /// What this person is called in their messages from now on.
    func rename(_ text: String) throws(Failure) {
        guard let name = WelcomeWay.cleaned(name: text), name != account.display, var kept = try folder.loadAccount() else {
            return
        }
        kept.display = name
        try folder.save(kept)
        account.display = name
    }
}
