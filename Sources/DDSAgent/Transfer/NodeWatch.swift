// The agent's eye on its node: pins the key that the node signs statements with, checks each statement about the node's
// store, and keeps durably what it saw. It warns and never keeps mail from being fetched.

import DDSCore
import DDSLoop
import DDSNode
import DDSSpool
import Logging

@LoopActor final class NodeWatch {
    private let spool: any SpoolEngine
    private let services: Services
    private let member: MailAddress
    /// The pinned key; nil until the node has announced one.
    private(set) var identity: [UInt8]?
    /// Writes a new pin into the account.
    private let pin: @LoopActor ([UInt8]) throws(Failure) -> Void
    private(set) var watch = HeadWatch()
    private var isWriting = false
    private var isDirty = false
    /// What is wrong with the last session's statement, in words.
    private var mistrust: String?
    private var announcesOtherKey = false
    /// The node's store is not the one that its names of messages were noted for: it gives them to other messages again.
    private(set) var namesAreStale = false
    /// What earlier runs saw could not be read.
    private var lostMemory = false
    private var whenWritten: [CheckedContinuation<Void, Never>] = []

    init(
        spool: any SpoolEngine, services: Services, member: MailAddress, identity: [UInt8]?,
        pin: @escaping @LoopActor ([UInt8]) throws(Failure) -> Void
    ) {
        self.spool = spool
        self.services = services
        self.member = member
        self.identity = identity
        self.pin = pin
    }

    /// Reads what earlier runs saw.
    func load() async throws(SpoolError) {
        // Of two, which a crash between writing anew and erasing leaves, the newer counts; the next writing erases both.
        guard let entry = try await spool.entries(in: AgentMailbox.heads).last else { return }
        do throws(SpoolError) {
            let body = try await spool.read(entry.uid, offset: 0, count: entry.size)
            guard let value = JSONValue(parsing: body), let kept = HeadWatch(json: value) else {
                throw .damaged(entry.uid, "it is no list of heads")
            }
            watch = kept
            namesAreStale = kept.incident != nil
        } catch {
            guard case .damaged = error else { throw error }
            // No reason to fetch nothing; but what was seen before is not known any more, and that is said.
            lostMemory = true
            services.log.error("what was seen of the node's store cannot be read", metadata: ["error": "\(error)"])
        }
    }

    // MARK: What a session hears

    /// CAPA inside the TLS connection whose key is pinned.
    func heard(capabilities: [String]) {
        let tellsHead = capabilities.contains { $0.uppercased() == "XDDS-HEAD" }
        if !tellsHead { mistrust = watch.stores.isEmpty ? nil : "the node no longer says how far its store is" }
        guard let key = IdentityAnnouncement.key(in: capabilities) else {
            announcesOtherKey = false
            return
        }
        if let identity {
            announcesOtherKey = key != identity
            return
        }
        do throws(Failure) {
            try pin(key)
            identity = key
        } catch {
            services.log.error("the node's key was not pinned", metadata: ["error": "\(error)"])
        }
    }

    /// The reply to XDDS-HEAD; nil when the node refused one.
    func heard(head words: String?) {
        guard let words else {
            mistrust = "the node did not say how far its store is"
            return
        }
        guard let identity else {
            mistrust = "the node signs statements and does not say with which key"
            return
        }
        do throws(NodeHead.Mistrust) {
            take(try NodeHead(words, to: member, signedBy: identity))
        } catch {
            switch error {
            case .malformed: mistrust = "the node's statement about its store is not readable"
            case .wrongSignature: mistrust = "the node's statement about its store is not signed with its key"
            }
            services.log.error("the node's head is not believed", metadata: ["reason": "\(mistrust ?? "")"])
        }
    }

    private func take(_ head: NodeHead) {
        mistrust = nil
        let before = watch
        if let incident = watch.take(head, at: services.time.wall) {
            namesAreStale = true
            services.log.error("the node's store", metadata: ["incident": "\(Self.words(incident))"])
        }
        if watch != before { write() }
    }

    /// The names that were noted are forgotten durably.
    func namesForgotten() { namesAreStale = false }

    /// The person has taken note; what the node has now counts from here on.
    func accept() async {
        watch.accept()
        lostMemory = false
        write()
        await written()
    }

    // MARK: What is told

    /// Sentences for `status`, the page and the log; empty when all is well.
    var problems: [String] {
        var found: [String] = []
        if let incident = watch.incident {
            let day = CivilTime(secondsSinceEpoch: incident.at.seconds).rfc3339.prefix(10)
            found.append(
                "\(Self.words(incident.what)), noticed on \(day): mail that waited there or that you sent may be missing; "
                    + "ask the administrator, then run: ddsnode fetch --accept-head")
        }
        if announcesOtherKey {
            found.append(
                "the node announces another key for its statements than the pinned one; they are not believed, ask the administrator"
            )
        }
        if lostMemory { found.append("what this agent saw of the node's store was damaged; see: ddsnode store check") }
        if let mistrust { found.append("\(mistrust); ask the administrator") }
        return found
    }

    private static func words(_ incident: HeadWatch.Incident) -> String {
        switch incident {
        case .setBack(let from, let to): "the node's store was set back (from \(from) to \(to))"
        case .replaced: "the node's store was replaced"
        }
    }

    // MARK: Writing

    /// Writes the newest state; one writing at a time, and what changes meanwhile is written after it.
    private func write() {
        isDirty = true
        guard !isWriting else { return }
        isWriting = true
        Loop.spawn(name: "heads") { [self] in
            while isDirty {
                isDirty = false
                await writeOnce()
            }
            isWriting = false
            for waiter in whenWritten { waiter.resume() }
            whenWritten = []
        }
    }

    private func writeOnce() async {
        do throws(SpoolError) {
            let old = try await spool.entries(in: AgentMailbox.heads).map(\.uid)
            let body = watch.json.line
            _ = try await spool.commit(
                SpoolTransaction(
                    appends: [.record(mailbox: AgentMailbox.heads, tag: .none, flags: 0, body: body)], erasures: old))
        } catch {
            // The next head is written with it; an older highest counter notices later, not never.
            services.log.error("the node's head was not kept", metadata: ["error": "\(error)"])
        }
    }

    /// Returns when everything that was seen is durable, or was tried.
    func written() async {
        await withCheckedContinuation { continuation in
            // Asked inside, because any await may let the writing end in between, and then nobody would ever resume this.
            if isWriting { whenWritten.append(continuation) } else { continuation.resume() }
        }
    }
}
