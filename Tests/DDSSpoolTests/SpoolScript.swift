// The scripts that the sweeps play, and random ones.

import DDSCore
import DDSSpool
import DDSTestKit

struct SpoolScript {
    private var random: SeededRandom
    private var number: UInt64 = 0
    var steps: [SpoolStep] = []
    var live: [RecordTag] = []

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
    }

    mutating func record(_ mailbox: UInt64, _ size: Int) -> PlannedTransaction {
        number += 1
        let tag = RecordTag(high: number, low: 0)
        live.append(tag)
        return PlannedTransaction(appends: [
            .record(mailbox: MailboxID(rawValue: mailbox), tag: tag, flags: UInt16(number), body: bytes(size))
        ])
    }

    mutating func fanOut(_ members: Int, payload: Int, header: Int = 97) -> PlannedTransaction {
        number += 1
        var appends: [SpoolAppend] = [.payload(tag: RecordTag(high: number, low: 99), body: bytes(payload))]
        for member in 0..<members {
            let tag = RecordTag(high: number, low: UInt64(member))
            live.append(tag)
            appends.append(
                .delivery(
                    mailbox: MailboxID(rawValue: UInt64(member)), tag: tag, flags: 0, header: bytes(header), payload: 0))
        }
        return PlannedTransaction(appends: appends)
    }

    mutating func erase(_ tags: [RecordTag]) -> PlannedTransaction {
        live.removeAll { tags.contains($0) }
        return PlannedTransaction(erasures: tags)
    }

    private func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count {
            let word = random.next()
            for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * shift))) }
        }
        return Array(bytes.prefix(count))
    }

    mutating func add(_ step: SpoolStep) { steps.append(step) }

    /// Everything once: fan-outs, single and empty records, erasures alone and with appends, long bodies, a group of
    /// transactions, several segments, an emptied segment put to new use, closing, a killed process.
    static func everything() -> [SpoolStep] {
        var script = SpoolScript(seed: 42)
        script.add(.commit([script.record(1, 100), script.fanOut(3, payload: 700)]))
        script.add(.commit([script.record(1, 0)]))
        var third = script.record(2, 1500)
        third.erasures = [script.live.removeFirst()]
        script.add(.commit([third]))
        script.add(.commit([script.erase([script.live[0]])]))
        script.add(.commit([script.record(5, 5000), script.fanOut(2, payload: 3000)]))
        script.add(.maintain)
        script.add(.commit([script.erase(Array(script.live[0..<2]))]))
        script.add(.reopen)
        script.add(.commit([script.record(1, 20), script.record(1, 30), script.erase([script.live[0]])]))
        let before = script.live
        for _ in 0..<4 { script.add(.commit((0..<3).map { _ in script.fanOut(3, payload: 300) })) }
        script.add(.commit([script.erase(script.live.filter { !before.contains($0) })]))
        script.add(.maintain)
        script.add(.kill)
        script.add(.commit([script.erase(Array(before.dropFirst().prefix(2))), script.record(3, 600)]))
        for _ in 0..<3 { script.add(.commit((0..<12).map { _ in script.record(4, 200) })) }
        script.add(.maintain)
        script.add(.commit([script.erase(Array(script.live.suffix(30)))]))
        script.add(.maintain)
        script.add(.commit([script.record(6, 64)]))
        script.addCompaction()
        return script.steps
    }

    /// Two segments of which little is left, with records of all kinds in one of them, moved into the active one; then some
    /// of what was moved is erased, and the rest moved once more.
    private mutating func addCompaction() {
        add(.rotate)
        let before = live
        let kinds = [record(7, 3000), fanOut(2, payload: 400), record(7, 0), record(7, 700)]
        let kept = live.filter { !before.contains($0) }
        add(.commit(kinds))
        let filler = live.count
        for _ in 0..<5 { add(.commit((0..<12).map { _ in record(8, 150) })) }
        add(.commit([erase(Array(live[filler..<filler + 55]))]))
        add(.maintain)
        add(.rotate)
        add(.commit([erase(Array(kept.prefix(2))), record(9, 30)]))
        add(.kill)
        add(.commit([record(9, 40)]))
        add(.maintain)
    }

    /// `count` random steps, over records that any earlier step may have appended.
    mutating func addRandomSteps(_ count: Int) {
        for _ in 0..<count {
            switch random.below(17) {
            case 0: steps.append(.maintain)
            case 3: steps.append(.rotate)
            case 1: steps.append(.kill)
            case 2: steps.append(.reopen)
            default:
                let group = (0...random.below(3)).map { _ in randomTransaction() }
                steps.append(.commit(group))
            }
        }
    }

    private mutating func randomTransaction() -> PlannedTransaction {
        let doomed = live.filter { _ in random.below(5) == 0 }
        var transaction = PlannedTransaction()
        switch random.below(5) {
        case 0: break
        case 1: transaction = fanOut(1 + random.below(4), payload: random.below(1500), header: 50 + random.below(200))
        case 2: transaction = random.below(4) == 0 ? record(1, 2049 + random.below(3000)) : record(2, random.below(2000))
        default: transaction = record(UInt64(random.below(4)), random.below(700))
        }
        if random.below(2) == 0 {
            live.removeAll { doomed.contains($0) }
            transaction.erasures = doomed
        }
        return transaction
    }
}
