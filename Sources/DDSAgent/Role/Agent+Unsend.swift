// Taking back a message that has not gone out yet: it becomes the draft again that it was, and nothing of it is left elsewhere.
// Whatever a crash leaves of that is finished at the next unlock.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import Logging

extension Agent {
    /// A message that waits a little, as the draft that it was.
    struct Unsent {
        var draft: Draft
        /// The record in the outbox.
        var record: SpoolUID
    }

    /// Makes a draft of the message again; returns the draft's id. Throws when it has gone out, or is on its way just now.
    ///
    /// The draft is durable before the submission is erased, and that before the message. So a crash leaves one of three: everything as
    /// it was, and the message goes out; the draft with a message that nothing sends, which `openDrafts` puts right; the draft alone.
    func unsend(_ id: String) async throws(Failure) -> String {
        let unlocked = try opened()
        await storeGate.enter()
        defer { storeGate.leave() }
        guard self.unlocked?.store === unlocked.store, let summary = unlocked.store.items[id]?.summary else {
            throw Failure(.tryAgain, "it is not there any more")
        }
        guard let sent = unsent[id] else {
            // What no page has sent waits without a draft to go back to, and so does what waited over a lock.
            throw Failure(
                .tryAgain,
                summary.sendState == .waiting
                    ? "it waits for the node, and only what the page sent a few seconds ago can be taken back"
                    : "it has gone out already")
        }
        guard outbox?.withdraw(sent.record) ?? true else { throw Failure(.tryAgain, "it is on its way to the node just now") }
        do throws(SpoolError) {
            try await unlocked.drafts.restore(sent.draft, erasing: [sent.record])
        } catch {
            // It stays what it was, sent, and goes out.
            outbox?.queued(sent.record)
            throw Failure(.inputOutput, "the local store cannot be written; see: ddsnode status")
        }
        unsent[id] = nil
        do throws(SpoolError) {
            try await unlocked.store.erase([id])
        } catch {
            services.log.error("a message that was taken back is erased at the next unlock", metadata: ["error": "\(error)"])
        }
        noteChange(of: unlocked.store)
        return sent.draft.id
    }

    /// Opens the drafts of a store that was opened just now. A draft whose message is on its way, or has been, was sent; one whose
    /// message lies in the store without a submission was taken back, and a crash cut that off.
    func openDrafts(_ keys: VaultKeys, _ store: MessageStore) async throws(Failure) -> DraftBook {
        var going: Set<RecordTag> = []
        do throws(SpoolError) {
            for mailbox in [AgentMailbox.outbox, AgentMailbox.heldBack, AgentMailbox.outcomes] {
                going.formUnion(try await spool.entries(in: mailbox).map(\.tag))
            }
        } catch {
            throw Failure(.inputOutput, "the outbox cannot be read: \(error); restore the state folder from a backup")
        }
        func isTakenBack(_ draft: String) -> Bool {
            guard let item = store.items[Self.messageID(ofDraft: draft)] else { return false }
            return item.summary.sendState == .waiting && !going.contains(item.tag)
        }
        let drafts = try await DraftBook.open(
            spool: spool, keys: keys, random: services.random, time: services.time, gate: storeGate,
            isSent: { store.items[Self.messageID(ofDraft: $0)] != nil && !isTakenBack($0) })
        let left = drafts.open.map(\.id).filter(isTakenBack).map { Self.messageID(ofDraft: $0) }
        do throws(SpoolError) {
            try await store.remove(left)
        } catch {
            throw Failure(.inputOutput, "the local store cannot be written: \(error)")
        }
        return drafts
    }
}
