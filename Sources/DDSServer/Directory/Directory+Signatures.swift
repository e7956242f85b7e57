// Groups whose mail has to be signed: who can write to them at all, and whether a message that the node has opened is its author's
// own and written for there. As strict as the readers' agents, and no stricter: a message that they take for what it is comes to them.

import DDSCore
package import DDSNode
import DDSSeal

/// What was seen of an author's signature while a message was opened.
package enum SeenSignature: Hashable, Sendable {
    /// No group wanted to know, or the node does not open the message.
    case notSought
    case none
    case found(SignedOutline)
}

extension Directory {
    enum SignatureFit: Hashable, Sendable {
        case fits
        /// A group has become one that wants to know.
        case notSought
        /// The texts are for the author.
        case unsigned(String)
        case bad(String)
    }

    /// The groups among `destinations` whose mail the node itself has to check.
    private func checkedGroups(_ destinations: [Destination]) -> [Group] {
        destinations.compactMap { destination in
            guard case .group(let name) = destination, let group = groups[name], group.mode == .relay,
                group.senderAuthentication == .signed
            else { return nil }
            return group
        }
    }

    /// True when a message to these has to be looked at for its author's signature.
    func seeksSignature(_ destinations: [Destination]) -> Bool {
        mode(of: destinations) == .relay && !checkedGroups(destinations).isEmpty
    }

    /// Members of a group that cannot write to it, if it wants signed mail: the node knows no key that they sign with.
    func membersWithoutIdentity(_ group: Group) -> [String] {
        group.members.filter { accounts[$0]?.identity == nil }.sorted()
    }

    /// Refuses whoever has no key to sign with what they write to `group`; nil is mail that an ordinary MTA hands in.
    func checkSigner(_ author: String?, to group: Group) throws(Refusal) {
        guard group.senderAuthentication == .signed else { return }
        let start = "\(group.name) takes signed mail only"
        guard let account = author.flatMap({ accounts[$0] }) else {
            throw .notAllowed("\(start), and what a mail server hands in is not; write with ddsnode's agent")
        }
        guard account.identity == nil else { return }
        throw .notAllowed(
            account.usesKey
                ? "\(start), and this node knows no key that you sign with; update ddsnode's agent and unlock it"
                : "\(start), which an ordinary mail program cannot send; join with ddsnode's agent, the administrator has an invite for you"
        )
    }

    /// Why these cannot get one message: what the node does not open it cannot check.
    func refusal(ofUnopened destinations: [Destination]) -> Refusal? {
        guard mode(of: destinations) != .relay, let group = checkedGroups(destinations).first else { return nil }
        return .notAllowed(
            "\(group.name) takes signed mail only, which this node cannot check in a message that it does not open for another recipient; "
                + "write to \(group.name) separately")
    }

    /// Whether a message of `author` is signed as `destinations` want it. `submission` is the id that the node knows it by, `server`
    /// the first 8 bytes of the hash of its TLS key.
    func fit(
        of signature: SeenSignature, submission: String?, author: String?, to destinations: [Destination], domain: String,
        server: [UInt8]
    ) -> SignatureFit {
        let groups = checkedGroups(destinations)
        guard let first = groups.first else { return .fits }
        do throws(Refusal) {
            for group in groups { try checkSigner(author, to: group) }
        } catch {
            return .unsigned(error.words)
        }
        let outline: SignedOutline
        switch signature {
        case .notSought: return .notSought
        case .none:
            return .unsigned("\(first.name) takes signed mail only; write with ddsnode's agent, which signs what it sends")
        case .found(let found): outline = found
        }
        let identity = author.flatMap { accounts[$0]?.identity }.flatMap { Hex.decode($0) } ?? []
        guard
            let reason = Self.fault(
                of: outline, by: identity, author: "\(author ?? "")@\(domain)", submission: submission, server: server,
                groups: groups.compactMap { MailAddress(local: $0.name, domain: domain) })
        else { return .fits }
        return .bad(
            "\(first.name) takes signed mail only, and this signature is bad: \(reason); write it anew with ddsnode's agent")
    }

    /// A sentence without its full stop; nil for a signature that holds.
    private static func fault(
        of outline: SignedOutline, by identity: [UInt8], author: String, submission: String?, server: [UInt8],
        groups: [MailAddress]
    ) -> String? {
        guard let signature = outline.signature else { return "it is damaged" }
        guard outline.isValid(by: identity) else { return "it does not fit to the message and to the key that is known of you" }
        guard outline.author.lowercased() == author else {
            return "the message names \(outline.author.isEmpty ? "nobody" : "another") as its author"
        }
        guard outline.submission == submission else { return "it was written for another submission" }
        do throws(SignatureContext.Misplacement) {
            let context = try SignatureContext(signature.trustedComment, server: server, submission: submission)
            for group in groups { try context.check(isFor: group, recipients: outline.recipients) }
            return nil
        } catch {
            return error.words
        }
    }
}
