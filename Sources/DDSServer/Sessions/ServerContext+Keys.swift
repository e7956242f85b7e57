// What the node answers to a member's statement about their mailbox key, and how it knows that nothing is left under an older
// one.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSWire
import Logging

extension ServerContext {
    /// More waiting copies than this are not looked at one by one: the agent fetches them first and asks again.
    private static var lookedAtMax: Int { 1000 }

    /// Takes a statement; `isNew` is false for one that was accepted before, and for a refusal.
    func state(_ stating: KeyStating, for member: Account) async -> (reply: SMTPReply, isNew: Bool) {
        let outcome: Directory.Stating
        do throws(Failure) {
            outcome = try await store.change { [self] directory throws(Failure) in
                let outcome = directory.stating(stating, of: member.mailbox, domain: domain)
                guard case .accepted(let events) = outcome else { return ([], outcome) }
                if let words = RecipientCheck.refusal(of: events, random: services.random) { return ([], .refused(words)) }
                return (events, outcome)
            }
        } catch {
            services.log.error("mailbox key not stored", metadata: ["error": "\(error)"])
            return (
                SMTPReply(451, EnhancedCode(4, 3, 0), "the node cannot store the statement now; try again in a minute"), false
            )
        }
        guard case .accepted(let events) = outcome, let account = store.directory.account(mailbox: member.mailbox) else {
            guard case .refused(let words) = outcome else { return (SubmissionHandler.accountChanged, false) }
            services.log.notice("mailbox key refused", metadata: ["reason": "\(words)"])
            return (SMTPReply(550, EnhancedCode(5, 7, 1), words), false)
        }
        if !events.isEmpty {
            store.fence.keyChanged(of: account.mailbox)
            services.log.notice("mailbox key changed", metadata: ["number": "\(account.keyNumber ?? 0)"])
            delivery.held.retry(member: account.mailbox)
        }
        do throws(SpoolError) {
            let standing = KeyStanding(number: account.keyNumber ?? 0, older: try await olderCopies(of: account))
            return (SMTPReply(250, EnhancedCode(2, 0, 0), standing.line), !events.isEmpty)
        } catch {
            services.log.error("copies under older keys not counted", metadata: ["error": "\(error)"])
            return (
                SMTPReply(451, EnhancedCode(4, 3, 0), "the node's storage has a problem; try again in a minute"),
                !events.isEmpty
            )
        }
    }

    /// How many copies for a member there are, or may come to be, that are sealed to an older key than the directory has.
    func olderCopies(of account: Account) async throws(SpoolError) -> Int {
        let number = account.keyNumber ?? 0
        // In the gate nothing moves between the maildrop and what is held. First what is on its way: what of it ends while this
        // looks has been counted.
        return try await delivery.ledger.gate.pass { [self] () throws(SpoolError) in
            var count = store.fence.unfinished(for: account.mailbox)
            let waiting = try await spool.entries(in: MailboxID(rawValue: account.mailbox))
            guard waiting.count <= Self.lookedAtMax else { return count + waiting.count }
            for entry in waiting where try await unread.isOlder(entry.uid, than: number) { count += 1 }
            for item in delivery.held.items.values where item.member == account.mailbox {
                // What is sealed to the node is sealed anew, to the key there is then.
                guard let copy = try await delivery.held.copy(item.uid), copy.sealing == .member else { continue }
                if KeyNote.number(inHeader: copy.header) ?? number < number { count += 1 }
            }
            return count
        }
    }
}
