// Which key of an agent's folder is lost, when something is there that only that key opens. A lost key is told and never made
// anew: the new one would open nothing, and what is there would look as if it had never been somebody's.

import DDSCore
import DDSLoop

extension AgentFolder {
    /// A refusal that names the key, or nil when nothing is lost. The keys were written in the order device, spool, vault, and
    /// only then the spool: what is missing before something that is there was there once.
    var lostKey: Failure? {
        let hasSpool = (try? HostFiles.list(spool).isEmpty) == false
        let hasVault = HostFiles.exists(vault)
        let keys = [
            (vault, hasSpool, spool), (spoolKey, hasSpool || hasVault, hasSpool ? spool : vault), (deviceKey, hasVault, vault),
        ]
        for (key, isNeeded, witness) in keys where isNeeded && !HostFiles.exists(key) {
            return Failure(
                .fileMissing,
                "\(witness) is there, but its key \(key) is missing; put it back from a backup. Nothing was changed; to begin "
                    + "anew, use another state folder")
        }
        return nil
    }
}
