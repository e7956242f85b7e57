// A sector of the node's medium goes bad while nothing runs. It has to be reported, and only letters that are in it may be
// lost. Decides which sector, and which letters that excuses.

import DDSCore
import DDSSpool

extension Village {
    private static let sectorBytes = 512

    /// Spoils a sector of the node's spool, lets everybody fetch, and looks for everything that was not in the sector.
    func damage(_ random: SeededRandom) throws(BrokenPromise) {
        for which in machines { machine(which).arm(nil) }
        try perform(.reopen(.node))
        _ = node.machine.close()
        node.machine.kill()
        let names = node.machine.disk.durableContents.keys.filter { $0.hasPrefix("seg-") || $0.hasPrefix("big-") }.sorted()
        guard !names.isEmpty else { return try start(.node) }
        let name = names[random.below(names.count)]
        let sectors = (node.machine.disk.durableContents[name]?.count ?? 0) / Self.sectorBytes
        guard sectors > 0 else { return try start(.node) }
        let sector = random.below(sectors) * Self.sectorBytes
        promises.excuse(in: name, sector..<sector + Self.sectorBytes, on: node.machine)
        if random.below(2) == 0 {
            node.machine.disk.flip(bit: random.below(8), at: sector + random.below(Self.sectorBytes), of: name)
        } else {
            node.machine.disk.unreadable[name] = sector..<sector + Self.sectorBytes
        }
        node.machine.acceptsLoss = true
        try start(.node)
        try promises.checkReport(of: node.machine)
        for member in agents.indices {
            try perform(.fetch(member: member, .never, isLingering: false, hasRival: false))
            try perform(.show(member: member))
        }
        for agent in agents { try promises.read(agent.machine, member: agent.member) }
        try promises.checkDelivery()
    }
}

extension Promises {
    /// Letters with a slot or a body in this part of a file may be lost when it is damaged.
    mutating func excuse(in name: String, _ range: Range<Int>, on node: SimMachine) {
        isDamaged = true
        for (uid, number) in atNode where isInside(uid, number, name, range, node) {
            excused.insert(number)
            // With a notice goes what it tells of.
            excused.formUnion(noticedLetters(number))
        }
    }

    private func isInside(_ uid: SpoolUID, _ number: Int, _ name: String, _ range: Range<Int>, _ node: SimMachine) -> Bool {
        var pieces = node.cipher.sealedSlots(of: uid)
        if let payload = payloads[uid] { pieces += node.cipher.sealedSlots(of: payload) }
        if let header = bodies[uid]?.header { pieces += node.cipher.ciphertexts(of: header) }
        pieces += node.cipher.ciphertexts(of: firstPiece(of: number))
        for piece in pieces {
            // A file of its own holds one letter.
            let isWhole = name.hasPrefix("big-")
            for offset in node.disk.durableOffsets(of: piece, in: name)
            where isWhole || range.overlaps(offset..<offset + piece.count) {
                return true
            }
        }
        return false
    }

    /// A letter that is neither listed nor where it belongs, and of whose end nobody was told, is in the node's report of
    /// damage, at least in sum.
    func checkReport(of node: SimMachine) throws(BrokenPromise) {
        let waiting = Set(atNode.values)
        let told = try told()
        let isMissing = excused.contains { number in
            number >= 0 && !waiting.contains(number) && !reported.contains(number)
                && letters[number].readers.contains { !has($0, number) && !told[$0].contains(number) }
        }
        if isMissing, let found = node.log?.recovery, found.damage.isEmpty, found.lost.isEmpty {
            throw BrokenPromise(.other, "mail is missing after damage, and no damage is reported")
        }
    }
}
