// What was promised to whom in the simulated village, and whether it is kept: the contract of ddsnode-spool(5) as a model that
// learns only from what clients are told. It reads spools and media, and changes nothing.

import DDSCore
import DDSSpool

/// A line of the contract that did not hold.
package struct BrokenPromise: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Kind: String, Hashable, Sendable {
        case lost
        case doubled
        /// Left behind where it should have been erased.
        case left
        case garbage
        case other
    }

    package var kind: Kind
    package var description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}

/// The promises of one village.
struct Promises {
    private(set) var letters: [Letter] = []
    /// Letters that an author's agent keeps, or has kept, durably.
    private var queued: Set<Int> = []
    /// Letters for which an author's client saw 250.
    private(set) var accepted: Set<Int> = []
    /// Names of deliveries for which a client saw the `+OK` of QUIT.
    private(set) var erased: Set<SpoolUID> = []
    /// Those of them whose bodies have not been looked for yet.
    private var bodiesToFind: [SpoolUID] = []
    /// What the node held and the agents had when they were read last, by member.
    private(set) var held: [[SpoolUID: Int]]
    private(set) var stored: [Set<Int>]
    /// What was shown to whom, and what they have erased since.
    private var shown: [Set<Int>]
    private var discarded: [Set<Int>]
    private var shownTwice: (member: Int, number: Int)?
    /// Own headers and letters of deliveries, by name, as they were read last.
    private(set) var bodies: [SpoolUID: (header: [UInt8], number: Int)] = [:]
    private(set) var payloads: [SpoolUID: SpoolUID] = [:]
    /// A sector of the node's medium was damaged on purpose.
    var isDamaged = false
    /// The letters in it, which may be gone.
    var excused: Set<Int> = []
    /// Those of them that are listed and answer that they are damaged.
    private(set) var reported: Set<Int> = []

    init(members: Int) {
        held = Array(repeating: [:], count: members)
        stored = Array(repeating: [], count: members)
        shown = stored
        discarded = stored
    }

    mutating func written(_ letter: Letter) {
        precondition(letter.number == letters.count, "letters are numbered as they are written")
        letters.append(letter)
    }

    /// An author's agent keeps it until the node has it.
    mutating func noteQueued(_ number: Int) { queued.insert(number) }

    /// An agent keeps it durably.
    mutating func noteStored(_ number: Int, by member: Int) { stored[member].insert(number) }

    /// It stands in the member's list for the first time, or so it should be.
    mutating func noteShown(_ number: Int, to member: Int) {
        if !shown[member].insert(number).inserted { shownTwice = (member, number) }
    }

    mutating func noteDiscarded(_ number: Int, by member: Int) { discarded[member].insert(number) }

    /// The letter is in the member's store, or was and is not wanted any more.
    func has(_ member: Int, _ number: Int) -> Bool { stored[member].contains(number) || discarded[member].contains(number) }

    /// A client saw 250.
    mutating func noteAccepted(_ number: Int) { accepted.insert(number) }

    // MARK: Reading

    /// Reads all that waits at the node, and judges every copy; with `isFresh` also those that were judged before.
    mutating func read(_ node: SimMachine, isFresh: Bool) throws(BrokenPromise) {
        for member in held.indices {
            var found: [SpoolUID: Int] = [:]
            for entry in Maildrop(node.entries(in: SimNode.mailbox(of: member))).entries {
                if erased.contains(entry.uid) {
                    throw BrokenPromise(.left, "message \(Maildrop.uidl(entry.uid)) is listed though QUIT was answered +OK")
                }
                var known = isFresh ? nil : bodies[entry.uid]?.number
                if known == nil { known = try copy(entry, for: member, node) }
                guard let number = known else { continue }
                if found.values.contains(number) {
                    throw BrokenPromise(.doubled, "letter \(number) waits twice for member \(member)")
                }
                found[entry.uid] = number
            }
            held[member] = found
        }
    }

    private mutating func copy(_ entry: SpoolEntry, for member: Int, _ node: SimMachine) throws(BrokenPromise) -> Int? {
        guard let log = node.log, let payload = entry.payload else { return nil }
        let header: [UInt8]
        let text: [UInt8]
        do throws(SpoolError) {
            header = try log.read(entry.uid, offset: 0, count: .max)
            text = try log.read(payload, offset: 0, count: .max)
        } catch {
            if case .stopped = error { return nil }
            if case .damaged = error, let number = bodies[entry.uid]?.number, excused.contains(number) {
                reported.insert(number)
                return nil
            }
            throw BrokenPromise(.lost, "message \(Maildrop.uidl(entry.uid)) at the node cannot be read: \(error)")
        }
        let number = try check(header + text, for: member, at: "the node")
        bodies[entry.uid] = (header, number)
        payloads[entry.uid] = payload
        return number
    }

    /// The number of the letter, when `bytes` are a copy for `member`, octet by octet.
    func check(_ bytes: [UInt8], for member: Int, at place: String) throws(BrokenPromise) -> Int {
        guard let copy = LetterCopy.read(bytes), letters.indices.contains(copy.number) else {
            throw BrokenPromise(.garbage, "something that nobody wrote is at \(place)")
        }
        guard copy.member == member, letters[copy.number].readers.contains(member) else {
            throw BrokenPromise(.garbage, "member \(member) has a copy of letter \(copy.number) that is not theirs at \(place)")
        }
        guard copy.text.elementsEqual(letters[copy.number].text) else {
            throw BrokenPromise(.garbage, "letter \(copy.number) for member \(member) was changed at \(place)")
        }
        return copy.number
    }

    /// Reads an agent's inbox and store.
    mutating func read(_ agent: SimMachine, member: Int) throws(BrokenPromise) {
        let listed = Set(agent.entries(in: SimAgent.summaries).map(\.tag))
        var inStore: Set<Int> = []
        var inbox: Set<Int> = []
        for mailbox in [SimAgent.messages, SimAgent.inbox] {
            for entry in agent.entries(in: mailbox) {
                let bytes: [UInt8]
                do throws(SpoolError) {
                    guard let log = agent.log else { return }
                    bytes = try log.read(entry.uid, offset: 0, count: .max)
                } catch {
                    if case .stopped = error { return }
                    throw BrokenPromise(.lost, "a message in the store of member \(member) cannot be read: \(error)")
                }
                let number = try check(bytes, for: member, at: "the agent of member \(member)")
                if mailbox == SimAgent.inbox {
                    inbox.insert(number)
                } else if !listed.contains(entry.tag) {
                    // A message whose erasure was interrupted is not shown any more.
                    guard discarded[member].contains(number) else {
                        throw BrokenPromise(.lost, "letter \(number) is not in the list of member \(member)")
                    }
                } else if !inStore.insert(number).inserted {
                    throw BrokenPromise(.doubled, "letter \(number) is shown twice to member \(member)")
                }
            }
        }
        guard listed.isSubset(of: agent.entries(in: SimAgent.messages).map(\.tag)) else {
            throw BrokenPromise(.lost, "the list of member \(member) names a message that is not there")
        }
        shown[member].formUnion(inStore)
        stored[member] = inStore.union(inbox)
    }

    // MARK: The contract

    /// Every accepted letter is held for, or was stored by, each reader; others are whole or not there at all.
    func checkDelivery() throws(BrokenPromise) {
        if let (member, number) = shownTwice {
            throw BrokenPromise(.doubled, "letter \(number) was shown to member \(member) a second time")
        }
        let waiting = held.map { Set($0.values) }
        for letter in letters {
            let missing = letter.readers.filter { !has($0, letter.number) && !waiting[$0].contains(letter.number) }
            guard let first = missing.first, !excused.contains(letter.number) else { continue }
            if accepted.contains(letter.number) {
                throw BrokenPromise(.lost, "letter \(letter.number) was accepted with 250, and member \(first) has it nowhere")
            }
            if missing.count < letter.readers.count {
                throw BrokenPromise(.lost, "letter \(letter.number) came to some of its readers and not to member \(first)")
            }
        }
    }

    /// At the end everything that somebody has written is with its readers, and nothing waits.
    func checkArrival() throws(BrokenPromise) {
        for number in queued.sorted() where !excused.contains(number) {
            if let member = letters[number].readers.first(where: { !has($0, number) }) {
                throw BrokenPromise(.lost, "letter \(number) never came to member \(member)")
            }
        }
        if let member = held.firstIndex(where: { !$0.isEmpty }), excused.isEmpty {
            throw BrokenPromise(.other, "mail of member \(member) stays at the node")
        }
    }

    /// The node has told a client that these are gone: level E1 is reached, whatever happens from now on.
    mutating func noteErased(_ uids: [SpoolUID], on node: SimMachine) throws(BrokenPromise) {
        erased.formUnion(uids)
        bodiesToFind += uids
        for member in held.indices { for uid in uids { held[member][uid] = nil } }
        try checkKeys(of: uids, on: node, isThorough: false)
    }

    /// No sealed form of a slot of `uids` is on the medium. Slots are written at multiples of their size; the thorough look
    /// finds them anywhere.
    func checkKeys(of uids: [SpoolUID], on node: SimMachine, isThorough: Bool) throws(BrokenPromise) {
        let slots = uids.flatMap { node.cipher.sealedSlots(of: $0) }
        guard !slots.isEmpty else { return }
        let isThere = isThorough ? node.disk.durablyContains(anyOf: slots) : node.disk.durablyContains(alignedAnyOf: slots)
        if isThere {
            throw BrokenPromise(.left, "the slot of a fetched message is on the node's medium after +OK of QUIT (E1)")
        }
    }

    func checkAllKeys(on node: SimMachine) throws(BrokenPromise) {
        try checkKeys(of: Array(erased), on: node, isThorough: true)
    }

    /// What is sealed by itself of a letter: all of it, or the first chunk of a file of its own.
    func firstPiece(of letter: Letter) -> [UInt8] {
        let parameters = SimTemplate.parameters
        return letter.text.count > parameters.bigThreshold ? Array(letter.text.prefix(parameters.chunkBytes)) : letter.text
    }

    /// After maintenance the bodies are overwritten too.
    mutating func checkBodies(on node: SimMachine) throws(BrokenPromise) {
        var needles: [[UInt8]] = []
        let alive = Set(held.flatMap(\.values))
        var waiting: [SpoolUID] = []
        for uid in bodiesToFind {
            guard let body = bodies[uid] else { continue }
            if let header = node.cipher.ciphertext(of: body.header) { needles.append(header) }
            if alive.contains(body.number) {
                waiting.append(uid)
            } else if let payload = node.cipher.ciphertext(of: firstPiece(of: letters[body.number])) {
                needles.append(payload)
            }
        }
        bodiesToFind = waiting
        if !needles.isEmpty, node.disk.durablyContains(anyOf: needles) {
            throw BrokenPromise(.left, "the body of a fetched message is on the node's medium after maintenance (E2)")
        }
    }
}
