// What the node answers to an owner who confirms the members of a group.

import DDSCore
import DDSLoop
import DDSNode
import DDSWire
import Logging

extension ServerContext {
    /// `isNew` is false for a refusal.
    func confirm(_ confirmation: RosterConfirmation, by member: Account) async -> (reply: SMTPReply, isNew: Bool) {
        do throws(Failure) {
            if let refusal = try await delivery.rosters.confirm(confirmation, by: member.name) {
                return (SMTPReply(550, EnhancedCode(5, 7, 1), refusal), false)
            }
        } catch {
            services.log.error("confirmation of a roster not stored", metadata: ["error": "\(error)"])
            return (
                SMTPReply(451, EnhancedCode(4, 3, 0), "the node cannot store the confirmation now; try again in a minute"),
                false
            )
        }
        return (SMTPReply(250, EnhancedCode(2, 0, 0), "confirmed"), true)
    }
}
