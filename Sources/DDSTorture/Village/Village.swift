// A node and some members with their agents, each on a machine of its own, and the steps that people, clients and faults take
// there. Decides what a step does; which steps there are, TortureLife and TortureSweep say.

import DDSCore
import DDSSpool
import DDSWire

final class Village {
    let node: SimNode
    let agents: [SimAgent]
    var promises: Promises
    private(set) var counts = VillageCounts()
    private let random: SeededRandom
    let time = ManualTime()
    /// Told what happens, for whoever looks into one schedule.
    var trace: ((String) -> Void)?
    private var lingering: [() -> Void] = []
    private var crashesByMachine: [VillageMachine: Int] = [:]
    /// What the first connection of each kind has carried.
    private(set) var octets = ConnectionOctets()
    /// In which nothing else is forgotten than what the story is about: receipts live longer.
    private static let daysMax = 24
    private var days = 0
    /// The node was started anew: what it holds is read from its disk.
    private var isNodeFresh = true

    /// `groups` are lists of members.
    init(seed: UInt64, members: Int, groups: [[Int]], sabotage: Sabotage? = nil) {
        random = SeededRandom(seed: seed)
        promises = Promises(members: members)
        let time = time
        func made(_ name: String, _ number: UInt64) -> SimMachine {
            SimMachine(name: name, seed: seed &* 64 &+ number, time: time, sabotage: sabotage)
        }
        node = SimNode(machine: made("the node", 0), groups: groups, seed: seed ^ 0x6e6f_6465, sabotage: sabotage)
        agents = (0..<members).map { member in
            SimAgent(machine: made("the agent of member \(member)", UInt64(member) + 1), member: member, sabotage: sabotage)
        }
        connectNode()
        for agent in agents {
            // The number and not the agent: what an agent holds must not hold it.
            let member = agent.member
            agent.onStored = { [unowned self] bytes in
                counts.fetched += 1
                if let number = LetterCopy.read(bytes)?.number { promises.noteStored(number, by: member) }
            }
            agent.onShown = { [unowned self] bytes in
                if let number = LetterCopy.read(bytes)?.number { promises.noteShown(number, to: member) }
            }
            agent.onDiscarded = { [unowned self] bytes in
                if let number = LetterCopy.read(bytes)?.number { promises.noteDiscarded(number, by: member) }
            }
        }
    }

    private func connectNode() {
        node.makeNotice = { [unowned self] reader, isReport, lines in
            if !isReport { counts.expired += lines.count }
            return promises.notice(to: reader, isReport: isReport, lines)
        }
        node.onDropping = { [unowned self] numbers in promises.mayDrop(numbers) }
        node.onSilence = { [unowned self] lines in promises.mayNotTell(lines) }
        node.onUnreported = { [unowned self] lines in promises.mayNotReport(lines) }
        node.onErased = { [unowned self] uids in
            do throws(BrokenPromise) {
                try promises.noteErased(uids, on: node.machine)
            } catch {
                node.complaint = error
            }
        }
        node.onTold = { [unowned self] lines in
            counts.told += lines.count
            if let lie = promises.lie(in: lines) { node.complaint = lie }
        }
    }

    /// Starts every machine.
    func begin() throws(BrokenPromise) {
        for machine in machines { try start(machine) }
    }

    var machines: [VillageMachine] { [.node] + agents.indices.map { .agent($0) } }

    func machine(_ which: VillageMachine) -> SimMachine {
        switch which {
        case .node: node.machine
        case .agent(let member): agents[member].machine
        }
    }

    private func boot(_ which: VillageMachine) throws(BrokenPromise) -> Bool {
        switch which {
        case .node:
            isNodeFresh = true
            lingering = []
            return try node.boot()
        case .agent(let member): return try agents[member].boot()
        }
    }

    // MARK: Ends and beginnings

    /// Starts a process, again after each power failure that an armed fault brings. Afterwards everything promised is there.
    func start(_ which: VillageMachine) throws(BrokenPromise) {
        let machine = machine(which)
        while try !boot(which) {
            if machine.disk.isStopped { powerFails(which) } else { machine.kill() }
        }
        try judge(which)
    }

    func crashes(of which: VillageMachine) -> Int { crashesByMachine[which, default: 0] }

    private func powerFails(_ which: VillageMachine) {
        counts.crashes += 1
        crashesByMachine[which, default: 0] += 1
        trace?("the power of \(machine(which).name) fails")
        machine(which).crash()
    }

    /// The machine loses its power and comes back; `again` is what happens to it while it does.
    func crash(_ which: VillageMachine, again: MachineFault? = nil) throws(BrokenPromise) {
        powerFails(which)
        machine(which).arm(again)
        try start(which)
        machine(which).arm(nil)
    }

    /// Brings back every machine that went down.
    func recover() throws(BrokenPromise) {
        for which in machines where machine(which).isDown || machine(which).disk.isStopped {
            let machine = machine(which)
            if machine.disk.isStopped {
                powerFails(which)
            } else {
                trace?("the process of \(machine.name) ends")
                // After a failed write or sync nothing is acknowledged before the disk has been read again.
                let probe = SpoolAppend.record(mailbox: MailboxID(rawValue: 999), tag: .none, flags: 0, body: [])
                if machine.log != nil, case .success = machine.commit(SpoolTransaction(appends: [probe])) {
                    throw BrokenPromise(.other, "\(machine.name) accepted something after a failed write")
                }
                machine.kill()
            }
            try start(which)
        }
    }

    private func judge(_ which: VillageMachine) throws(BrokenPromise) {
        let machine = machine(which)
        guard let log = machine.log else { return }
        if let damage = log.recovery.damage.first, !promises.isDamaged {
            throw BrokenPromise(.other, "\(machine.name) reports damage that nobody did: \(damage)")
        }
        guard machine.cipher.repeatedNonces == 0 else {
            throw BrokenPromise(.other, "\(machine.name) used a key and nonce twice")
        }
        if case .agent(let member) = which { try promises.read(machine, member: member) }
        try checkDelivery()
    }

    /// Compares what is there with what was promised; nothing while a machine is down.
    func checkDelivery() throws(BrokenPromise) {
        guard !node.machine.isDown, !agents.contains(where: { $0.machine.isDown }) else { return }
        try promises.read(node.machine, isFresh: isNodeFresh)
        isNodeFresh = false
        try promises.checkDelivery()
    }

    // MARK: Steps

    func perform(_ step: VillageStep) throws(BrokenPromise) {
        trace?("\(step)")
        switch step {
        case .write(let member, let destinations, let octets): write(member, destinations, octets)
        case .submit(let member, let cut, let isLingering): try submit(member, cut, isLingering)
        case .rush: try rush()
        case .fetch(let member, let cut, let isLingering, let hasRival): try fetch(member, cut, isLingering, hasRival)
        case .show(let member): agents[member].importFetched()
        case .discard(let member): agents[member].discard()
        case .careless(let member, let resets): try careless(member, resets)
        case .resend(let member, let destinations):
            counts.resent += 1
            try resend(member, destinations)
        case .maintain(let which): machine(which).maintain()
        case .tidy(let which, let steps): machine(which).maintain(steps: steps)
        case .rotate: node.machine.rotate()
        case .loseKey(let member): node.keyless.insert(member)
        case .giveKey(let member):
            node.keyless.remove(member)
            node.release(member)
        case .hold(let member): hold(member)
        case .release(let member): node.release(member, isForced: true)
        case .pass(let days): pass(days)
        case .report: node.report(members: agents.count)
        case .reopen(let which):
            // A failure while closing concerns overwriting only; the next process finds out.
            _ = machine(which).close()
            if !machine(which).disk.isStopped { machine(which).kill() }
        case .kill(let which): machine(which).kill()
        case .late: endLingering()
        }
        if let complaint = node.complaint { throw complaint }
        try recover()
        node.commitPostponed()
        for agent in agents { agent.commitPostponed() }
        try recover()
    }

    private func write(_ member: Int, _ destinations: [LetterDestination], _ octets: Int) {
        let letter = Letter(
            number: promises.letters.count, author: member, destinations: destinations,
            readers: node.readers(of: destinations, author: member), size: octets)
        promises.written(letter)
        if agents[member].write(letter) {
            counts.written += 1
            promises.noteQueued(letter.number)
        }
    }

    /// Only what the member does not have yet: a copy that comes back under another name is a new one to whoever has erased it.
    private func hold(_ member: Int) {
        let mailbox = SimNode.mailbox(of: member)
        let waiting = node.machine.entries(in: mailbox).first { entry in
            !entry.isControl && promises.bodies[entry.uid].map { !promises.has(member, $0.number) } == true
        }
        guard let waiting else { return }
        node.hold(waiting, of: member)
    }

    private func pass(_ wanted: Int) {
        let days = min(wanted, Self.daysMax - self.days)
        self.days += days
        time.advance(by: .seconds(days * 86400))
        node.sweep(members: agents.count)
    }

    func endLingering() {
        let ends = lingering
        lingering = []
        for end in ends { end() }
    }

    func finishLingering(_ end: @escaping () -> Void) { lingering.append(end) }

    /// Nothing happens here any more: what waits holds the village, and the village what waits.
    func abandon() {
        lingering = []
        node.abandon()
    }

    // MARK: What connections report

    func noteCut() { counts.cuts += 1 }

    func note(_ change: (inout ConnectionOctets) -> Void) { change(&octets) }

    /// The author's client has its reply.
    func submitted(_ number: Int, _ outcome: SMTPOutcome?) throws(BrokenPromise) -> Bool {
        if let outcome { trace?("submitted \(number): \(outcome)") }
        switch outcome {
        case .delivered(let replies) where replies.allSatisfy(\.isPositive):
            counts.accepted += 1
            promises.noteAccepted(number)
            return true
        case .refused(_, let reply, permanent: true):
            throw BrokenPromise(.other, "letter \(number) was refused for good: \(reply)")
        case .refused(_, let reply, permanent: false):
            if reply.code == 452 { counts.refused += 1 }
            return false
        case .delivered, .lost, .offered, nil: return false
        }
    }

    func fetched(_ outcome: POP3FetchOutcome?) throws(BrokenPromise) {
        if let outcome { trace?("fetched: \(outcome)") }
        guard case .confirmed(let uidls)? = outcome?.erasure else { return }
        counts.confirmed += uidls.count
        let uids = uidls.compactMap { UInt64($0, radix: 16) }.map { SpoolUID(rawValue: $0) }
        try promises.noteErased(uids, on: node.machine)
    }

    func isNodeAlive() -> Bool { !node.machine.disk.isStopped }

    func collectCounts() -> VillageCounts {
        var result = counts
        for which in machines {
            result.faults += machine(which).faultsInjected
            result.operations += machine(which).operations
            result.moved += machine(which).moved
            result.rotations += machine(which).rotations
        }
        result.faults += counts.cuts
        result.held = node.handedOn
        return result
    }
}
