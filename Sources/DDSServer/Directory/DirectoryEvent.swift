// What can happen to the node's directory. Events are stored as JSON records of the spool, one transaction a command, and
// replayed at start; an event once written keeps its meaning for ever.

import DDSNode

/// How a member proves who they are.
enum LoginMethod: Hashable, Sendable, Codable {
    /// SHA-256 of the DER SubjectPublicKeyInfo of the device's TLS certificate, in hexadecimal.
    case deviceKey(String)
    /// An Argon2id verifier; for ordinary mail programs.
    case password(verifier: String)
}

/// Who may post to a group.
enum PostingPolicy: String, Hashable, Sendable, Codable, CaseIterable {
    case all, members, owners
}

/// How members know who wrote a group's message.
enum SenderAuthentication: String, Hashable, Sendable, Codable, CaseIterable {
    /// The node says who was logged in; whether a message is signed is its author's affair.
    case attested
    /// Every message is signed by its author; the node checks it where it opens the message.
    case signed
}

/// An invite as the directory keeps it: the secret only as a hash.
struct Invite: Hashable, Sendable, Codable {
    /// 20 bits; shown to the administrator and part of the invite.
    var number: UInt32
    var user: String
    /// BLAKE2b of the secret, in hexadecimal.
    var secretHash: String
    /// Milliseconds since 1970.
    var expires: Int64
    /// Wrong secrets still allowed before the invite burns.
    var triesLeft: Int
    var isUsed = false
    var isRevoked = false
}

enum DirectoryEvent: Hashable, Sendable, Codable {
    case accountAdded(name: String, display: String, mailbox: UInt64)
    /// Enrolment, a new key or a new password.
    case accessGranted(name: String, login: LoginMethod, recipient: String)
    /// A password beside the device key, as an Argon2id verifier; nil takes it away.
    case passwordLogin(name: String, verifier: String?)
    /// A signed statement about the member's mailbox key was accepted: mail is sealed to `recipient` from here on. `identity` is
    /// in hexadecimal, `statement` in base64 with its signature. After `accessGranted` where both come of an enrolment.
    case keyStated(name: String, identity: String, number: UInt64, recipient: String, statement: String)
    /// The member came back with a recovery kit: the device key (as in `LoginMethod`) and the mailbox key of a statement that
    /// follows the last one are theirs from here on, and those before are lost.
    case accessRestored(name: String, deviceKey: String, number: UInt64, recipient: String, statement: String)
    /// A member has another device from here on.
    case deviceLinked(name: String, device: AccountDevice)
    /// Like `keyStated`, about the key of a device that was linked; the identity is known.
    case deviceKeyStated(name: String, device: Int, number: UInt64, recipient: String, statement: String)
    case deviceRevoked(name: String, device: Int)
    /// So many messages wait under keys that are lost; stored before they are erased.
    case lostMailFound(name: String, count: Int)
    /// Nothing is left under keys that are lost.
    case lostMailErased(name: String)
    case accountSuspended(name: String)
    case accountResumed(name: String)
    case accountRemoved(name: String)
    /// Without a policy, or a way to know authors, in events of nodes before there were any.
    case groupAdded(
        name: String, title: String, mode: GroupMode, posting: PostingPolicy, pq: PostQuantumPolicy? = nil,
        senderAuth: SenderAuthentication? = nil)
    case groupChanged(
        name: String, title: String, mode: GroupMode, posting: PostingPolicy, pq: PostQuantumPolicy? = nil,
        senderAuth: SenderAuthentication? = nil)
    case groupRemoved(name: String)
    /// The roster of that number was made, with the hash of its octets in hexadecimal, and its members' mail stored.
    case rosterMade(group: String, number: UInt64, hash: String)
    /// An owner has confirmed the roster of that number.
    case rosterConfirmed(group: String, number: UInt64, owner: String)
    case memberAdded(group: String, member: String, isOwner: Bool)
    case memberRemoved(group: String, member: String)
    case inviteCreated(Invite)
    case inviteTried(number: UInt32)
    case inviteUsed(number: UInt32)
    case inviteRevoked(number: UInt32)
    /// The whole state in one event; what came before it may be erased.
    case checkpoint(Directory)
}
