// What the node answers to somebody who has an invite and only wants to know what it is for.

import DDSCore
import DDSNode
import DDSWire
import Logging

extension ServerContext {
    /// Says what the invite is for, or what is wrong with it, in the words of an enrolment. Nothing is used up but tries.
    func look(_ request: InviteLook, deviceKey: String, from host: String) async -> SMTPReply {
        let look: Directory.InviteLooked
        do throws(Failure) {
            look = try await store.change { [services] directory throws(Failure) in
                let look = directory.looking(
                    inviteNumber: request.inviteNumber, secretHash: EnrolmentRequest.secretHash(request.secret.exposed),
                    deviceKey: deviceKey, now: services.time.wall)
                if case .refused(let events, _) = look { return (events, look) }
                return ([], look)
            }
        } catch {
            services.log.error("a try of an invite not stored", metadata: ["error": "\(error)"])
            return SMTPReply(451, EnhancedCode(4, 3, 0), "the node cannot look at your invite now; try again in a minute")
        }
        switch look {
        case .refused(_, let words): return inviteRefused(request.inviteNumber, words, from: host)
        case .offered(let account, let until):
            guard let address = MailAddress(local: account.name, domain: domain) else {
                return SMTPReply(451, EnhancedCode(4, 3, 0), "the account has no address; ask the administrator")
            }
            let offer = InviteOffer(
                address: address, display: account.display, groups: store.directory.groupNames(of: account.name), until: until)
            return SMTPReply(code: 250, enhanced: EnhancedCode(2, 0, 0), lines: offer.lines)
        }
    }
    /// Counts the try against whoever made it.
    func inviteRefused(_ number: UInt32, _ words: String, from host: String) -> SMTPReply {
        login.enrolmentRefused(from: host)
        services.log.notice("invite refused", metadata: ["invite": "\(number)", "reason": "\(words)"])
        return SMTPReply(550, EnhancedCode(5, 7, 1), words)
    }
}
