// What an administrator may ask of a node: the commands behind `user`, `group`, `invite` and `queue`. The same code answers at the
// control socket of a running node and in the command line's own process when the node is stopped.

import DDSBus
import DDSCore
import DDSLoop
import DDSNode

/// What an invite says about the node.
struct NodeFacts: Sendable {
    /// The mail domain.
    var domain: String
    /// The host name or address that agents connect to.
    var host: String
    var pop3sPort: UInt16
    var submissionsPort: UInt16
    /// SHA-256 of the node's TLS key (DER SubjectPublicKeyInfo).
    var keyHash: [UInt8]
}

@LoopActor final class ServerAdmin {
    let store: DirectoryStore
    let facts: NodeFacts
    let time: any TimeSource
    let random: any RandomSource
    let delivery: DeliveryService
    let queue: QueueDesk
    let publish: @LoopActor (NodeEvent) -> Void
    /// Told when a member was removed, with the account as it was.
    let onRemoved: @LoopActor (Account) -> Void

    init(
        store: DirectoryStore, facts: NodeFacts, time: any TimeSource, random: any RandomSource,
        delivery: DeliveryService, queue: QueueDesk, publish: @escaping @LoopActor (NodeEvent) -> Void,
        onRemoved: @escaping @LoopActor (Account) -> Void
    ) {
        self.store = store
        self.facts = facts
        self.time = time
        self.random = random
        self.delivery = delivery
        self.queue = queue
        self.publish = publish
        self.onRemoved = onRemoved
    }

    /// Makes the commands known.
    func register(in commands: ControlCommands) {
        for (name, action) in users + groups + invites + queued {
            commands.register(name) { [self] request, _ throws(Failure) in try await action(self)(request) }
        }
    }

    private typealias Action = (ServerAdmin) -> @LoopActor (ControlRequest) async throws(Failure) -> JSONValue

    private var users: [(String, Action)] {
        [
            ("user.add", { $0.addUser }), ("user.list", { $0.listUsers }), ("user.show", { $0.showUser }),
            ("user.set", { $0.setUser }), ("user.suspend", { $0.suspendUser }), ("user.resume", { $0.resumeUser }),
            ("user.remove", { $0.removeUser }), ("user.device.revoke", { $0.revokeDevice }),
        ]
    }

    private var groups: [(String, Action)] {
        [
            ("group.add", { $0.addGroup }), ("group.list", { $0.listGroups }), ("group.show", { $0.showGroup }),
            ("group.set", { $0.setGroup }), ("group.remove", { $0.removeGroup }), ("group.member.add", { $0.addMembers }),
            ("group.member.remove", { $0.removeMembers }), ("group.member.list", { $0.showGroup }),
            ("group.handover", { $0.handOver }),
        ]
    }

    private var queued: [(String, Action)] {
        [
            ("queue.list", { $0.listQueue }), ("queue.show", { $0.showQueued }), ("queue.retry", { $0.retryQueue }),
            ("queue.release", { $0.releaseQueued }), ("queue.hold", { $0.holdQueued }), ("queue.remove", { $0.removeQueued }),
        ]
    }

    private var invites: [(String, Action)] {
        [
            ("invite.new", { $0.newInvite }), ("invite.list", { $0.listInvites }), ("invite.show", { $0.showInvite }),
            ("invite.revoke", { $0.revokeInvite }),
        ]
    }
}
