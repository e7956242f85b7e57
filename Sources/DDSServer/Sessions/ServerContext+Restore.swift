// What the node answers to a member who comes back with a recovery kit: the new keys count from one moment on, the sessions of
// the old device end, and what nobody can open any more is erased before the member hears that all is well.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSWire
import Logging

extension ServerContext {
    var unread: UnreadMail { UnreadMail(store: store, spool: spool, book: book, delivery: delivery, services: services) }

    /// Takes either message of a restoration; the reply says in words what came of it.
    func restore(_ request: RestoreRequest, deviceKey: String, from host: String) async -> SMTPReply {
        let (outcome, gone): (Directory.Restoring, [Account])
        do throws(Failure) {
            (outcome, gone) = try await store.change { [self] directory throws(Failure) in
                let outcome = directory.restoring(
                    request, deviceKey: deviceKey, domain: domain, node: keys.nodeIdentity.publicKey, now: services.time.wall)
                guard case .accepted(let events, let name) = outcome, !events.isEmpty else { return ([], (outcome, [])) }
                if let words = RecipientCheck.refusal(of: events, random: services.random) {
                    return ([], (.refused(words), []))
                }
                return (events, (outcome, directory.accounts[name]?.furtherDevices ?? []))
            }
        } catch {
            services.log.error("restoration not stored", metadata: ["error": "\(error)"])
            return SMTPReply(451, EnhancedCode(4, 3, 0), "the node cannot store your new keys now; try again in a minute")
        }
        switch outcome {
        case .head(let head): return SMTPReply(250, EnhancedCode(2, 0, 0), head.line)
        case .outrun(let words): return SMTPReply(451, EnhancedCode(4, 3, 0), words)
        case .refused(let words):
            login.enrolmentRefused(from: host)
            services.log.notice("restoration refused", metadata: ["reason": "\(words)"])
            return SMTPReply(550, EnhancedCode(5, 7, 1), words)
        case .accepted(let events, let name):
            for device in gone { await devices.ended(device) }
            return await restored(name, isNew: !events.isEmpty)
        }
    }

    private func restored(_ name: String, isNew: Bool) async -> SMTPReply {
        guard let account = store.directory.accounts[name] else { return welcome(name) }
        if isNew {
            links.end(of: name)
            store.fence.keyChanged(of: account.mailbox)
            sessions.cut(of: account.mailbox, "the device was replaced")
            services.log.notice("member restored with a recovery kit", metadata: ["number": "\(account.keyNumber ?? 0)"])
        }
        do throws(Failure) {
            guard try await unread.eraseLost(of: name) else {
                return SMTPReply(
                    451, EnhancedCode(4, 3, 0),
                    "your new keys are in use, but your maildrop is busy just now; run the same again in a minute")
            }
        } catch {
            services.log.error("mail under lost keys not erased", metadata: ["error": "\(error)"])
            return SMTPReply(
                451, EnhancedCode(4, 3, 0),
                "your new keys are in use, but the node cannot clear away yet what nobody can open; run the same again in a minute"
            )
        }
        delivery.held.retry(member: account.mailbox)
        return welcome(name, lost: store.directory.accounts[name]?.lost ?? 0)
    }
}
