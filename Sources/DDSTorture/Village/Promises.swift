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

/// The promises of one village. Notices of the node have negative numbers beside the letters.
struct Promises {
    private(set) var letters: [Letter] = []
    private var notices: [Notice] = []
    /// Notices that expired themselves, which nobody is told of.
    private var dropped: Set<Int> = []
    /// Letters, by reader, that expired when the reader could not be told.
    private var silent: [Set<Int>]
    /// Letters of which a report was lost in one of these ways.
    private(set) var unreported: Set<Int> = []
    /// What the node keeps back from members when it was read last.
    private var keptBack: [[SpoolUID: Int]]
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
        keptBack = held
        silent = stored
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

    /// It was sent to these too, and nothing is promised yet.
    mutating func invite(_ readers: [Int], to number: Int) {
        letters[number].invited.formUnion(readers.filter { !letters[number].readers.contains($0) })
        letters[number].isResent = true
    }

    /// A client saw 250 for that.
    mutating func promise(_ readers: [Int], _ number: Int) {
        letters[number].readers = Set(letters[number].readers + readers).sorted()
        letters[number].invited.subtract(readers)
    }

    // MARK: Notices

    mutating func notice(to reader: Int, isReport: Bool, _ lines: [Notice.Line]) -> Notice {
        notices.append(Notice(place: notices.count, reader: reader, isReport: isReport, lines: lines))
        return notices[notices.count - 1]
    }

    /// These are about to be erased because they are old.
    mutating func mayDrop(_ numbers: [Int]) {
        for number in numbers where notices.indices.contains(-1 - number) {
            dropped.insert(number)
            if notices[-1 - number].isReport { mayNotReport(notices[-1 - number].lines) }
        }
    }

    mutating func mayNotTell(_ lines: [Notice.Line]) {
        for line in lines { silent[line.reader].insert(line.letter) }
    }

    mutating func mayNotReport(_ lines: [Notice.Line]) { unreported.formUnion(lines.map(\.letter)) }

    /// What an author is told that is not so.
    func lie(in lines: [Notice.Line]) -> BrokenPromise? {
        for line in lines where line.state == .fetched && !has(line.reader, line.letter) && !excused.contains(line.letter) {
            return BrokenPromise(
                .other, "an author is told that member \(line.reader) has letter \(line.letter), and they have not")
        }
        return nil
    }

    /// Of every member the letters of which a notice says that they expired, wherever it is, or that may go without one;
    /// nobody is told twice of one.
    func told() throws(BrokenPromise) -> [Set<Int>] {
        guard !notices.isEmpty else { return silent }
        var told = [Set<Int>](repeating: [], count: silent.count)
        for (place, notice) in notices.enumerated() where !notice.isReport {
            let number = -1 - place
            let reader = notice.reader
            guard has(reader, number) || dropped.contains(number) || held[reader].values.contains(number) else { continue }
            for line in notice.lines where !told[reader].insert(line.letter).inserted {
                throw BrokenPromise(.doubled, "member \(reader) is told twice that letter \(line.letter) has expired")
            }
        }
        // The node meant to erase the letter of a member without a key, and perhaps failed: then it may tell later.
        return zip(told, silent).map { $0.union($1) }
    }

    // MARK: Reading

    /// Reads all that waits at the node, and judges every copy; with `isFresh` also those that were judged before.
    mutating func read(_ node: SimMachine, isFresh: Bool) throws(BrokenPromise) {
        for member in held.indices {
            var found: [SpoolUID: Int] = [:]
            for entry in Maildrop(node.entries(in: SimNode.mailbox(of: member))).entries {
                if erased.contains(entry.uid) {
                    throw BrokenPromise(.left, "message \(Maildrop.uidl(entry.uid)) is listed though its erasure was confirmed")
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
        try readKeptBack(node)
    }

    private mutating func readKeptBack(_ node: SimMachine) throws(BrokenPromise) {
        for member in keptBack.indices { keptBack[member] = [:] }
        for entry in node.entries(in: HeldCopy.mailbox) {
            guard let log = node.log, let payload = entry.payload else { return }
            let copy: HeldCopy
            let text: [UInt8]
            let bytes: [UInt8]
            do throws(SpoolError) {
                bytes = try log.read(entry.uid, offset: 0, count: .max)
                text = try log.read(payload, offset: 0, count: .max)
                guard let read = HeldCopy(bytes) else { throw SpoolError.damaged(entry.uid, "no held copy") }
                copy = read
            } catch {
                if case .stopped = error { return }
                if let number = bodies[entry.uid]?.number, excused.contains(number) {
                    reported.insert(number)
                    continue
                }
                throw BrokenPromise(.lost, "what is held at the node cannot be read: \(error)")
            }
            let member = SimNode.member(of: copy.member)
            let number = try check(copy.header + text, for: member, at: "the node")
            bodies[entry.uid] = (bytes, number)
            payloads[entry.uid] = payload
            if held[member].values.contains(number) || keptBack[member].values.contains(number) {
                throw BrokenPromise(.doubled, "letter \(number) is held for member \(member) and is there already")
            }
            keptBack[member][entry.uid] = number
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
        guard let copy = LetterCopy.read(bytes),
            letters.indices.contains(copy.number) || notices.indices.contains(-1 - copy.number)
        else {
            throw BrokenPromise(.garbage, "something that nobody wrote is at \(place)")
        }
        if copy.number < 0 {
            let notice = notices[-1 - copy.number]
            guard copy.member == member, notice.reader == member, copy.text.elementsEqual(notice.text) else {
                throw BrokenPromise(.garbage, "a notice for member \(notice.reader) is not as the node wrote it at \(place)")
            }
            return copy.number
        }
        guard copy.member == member,
            letters[copy.number].readers.contains(member) || letters[copy.number].invited.contains(member)
        else {
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
                    let isRemoved = discarded[member].contains(number)
                    throw BrokenPromise(
                        isRemoved ? .left : .lost, "letter \(number) is stored and not in the list of member \(member)")
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

    /// Everything that waits or is held.
    var atNode: [SpoolUID: Int] {
        (held + keptBack).reduce(into: [:]) { all, part in all.merge(part) { number, _ in number } }
    }

    func noticedLetters(_ number: Int) -> [Int] { number < 0 ? notices[-1 - number].lines.map(\.letter) : [] }

    // MARK: The contract

    /// Every accepted letter is held for, or was stored by, each reader; others are whole or not there at all.
    func checkDelivery() throws(BrokenPromise) {
        if let (member, number) = shownTwice {
            throw BrokenPromise(.doubled, "letter \(number) was shown to member \(member) a second time")
        }
        let told = try told()
        let waiting = held.indices.map { Set(held[$0].values).union(keptBack[$0].values).union(told[$0]) }
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
        let told = try told()
        for number in queued.sorted() where !excused.contains(number) {
            if let member = letters[number].readers.first(where: { !has($0, number) && !told[$0].contains(number) }) {
                throw BrokenPromise(.lost, "letter \(number) never came to member \(member)")
            }
        }
        if let member = held.indices.first(where: { !held[$0].isEmpty || !keptBack[$0].isEmpty }), excused.isEmpty {
            throw BrokenPromise(.other, "mail of member \(member) stays at the node")
        }
    }

    /// The node has told a client that these are gone: level E1 is reached, whatever happens from now on.
    mutating func noteErased(_ uids: [SpoolUID], on node: SimMachine) throws(BrokenPromise) {
        erased.formUnion(uids)
        bodiesToFind += uids
        for member in held.indices {
            for uid in uids {
                held[member][uid] = nil
                keptBack[member][uid] = nil
            }
        }
        try checkKeys(of: uids, on: node, isThorough: false)
    }

    /// No sealed form of a slot of `uids` is on the medium. Slots are written at multiples of their size; the thorough look
    /// finds them anywhere.
    func checkKeys(of uids: [SpoolUID], on node: SimMachine, isThorough: Bool) throws(BrokenPromise) {
        let slots = uids.flatMap { node.cipher.sealedSlots(of: $0) }
        guard !slots.isEmpty else { return }
        let isThere = isThorough ? node.disk.durablyContains(anyOf: slots) : node.disk.durablyContains(alignedAnyOf: slots)
        if isThere {
            throw BrokenPromise(
                .left, "the slot of an erased message is on the node's medium after its erasure was confirmed (E1)")
        }
    }

    func checkAllKeys(on node: SimMachine) throws(BrokenPromise) {
        try checkKeys(of: Array(erased), on: node, isThorough: true)
    }

    /// What is sealed by itself of a letter or notice: all of it, or the first chunk of a file of its own.
    func firstPiece(of number: Int) -> [UInt8] {
        let parameters = SimTemplate.parameters
        let text = number < 0 ? notices[-1 - number].text : letters[number].text
        return text.count > parameters.bigThreshold ? Array(text.prefix(parameters.chunkBytes)) : text
    }

    /// After maintenance the bodies are overwritten too.
    mutating func checkBodies(on node: SimMachine) throws(BrokenPromise) {
        var needles: [[UInt8]] = []
        let here = atNode
        let alive = Set(here.values)
        let headers = Set(here.keys.compactMap { bodies[$0]?.header })
        var waiting: [SpoolUID] = []
        for uid in bodiesToFind {
            guard let body = bodies[uid] else { continue }
            // A copy that was held and handed on keeps the header that was made for the member.
            if !headers.contains(body.header) { needles += node.cipher.ciphertexts(of: body.header) }
            if alive.contains(body.number) {
                waiting.append(uid)
            } else {
                needles += node.cipher.ciphertexts(of: firstPiece(of: body.number))
            }
        }
        bodiesToFind = waiting
        if !needles.isEmpty, node.disk.durablyContains(anyOf: needles) {
            throw BrokenPromise(.left, "the body of an erased message is on the node's medium after maintenance (E2)")
        }
    }
}
