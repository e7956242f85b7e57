// A table of slots is opened whole, on two threads where it is long: slot for slot as one by one.

import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import Testing

@Suite struct SpoolTableTests {
    @Test(arguments: [1, 2, 8191, 8192, 8197])
    func tables_openSlotForSlotAsOneByOne(slots: Int) throws {
        let cipher = SodiumSpoolCipher(root: .random(32), random: SeededRandom(seed: 3))
        let segment = try #require(cipher.segment(epoch: 1, sequence: 7, salt: [UInt8](repeating: 4, count: 16)))
        let damaged = [0, slots / 2, slots - 1]
        let first = 5
        var table: [UInt8] = []
        for slot in 0..<slots {
            guard slot % 3 == 0 || damaged.contains(slot) else {
                table += [UInt8](repeating: 0, count: 128)
                continue
            }
            var sealed = segment.seal(slot: first + slot, [UInt8](repeating: UInt8(truncatingIfNeeded: slot), count: 112))
            if damaged.contains(slot) { sealed[17] ^= 1 }
            table += sealed
        }
        let opened = segment.open(table: table, firstSlot: first)
        try #require(opened.states.count == slots && opened.plain.count == slots * 112)
        for slot in 0..<slots {
            let expected: OpenedTable.State = damaged.contains(slot) ? .sealed : slot % 3 == 0 ? .open : .empty
            #expect(opened.states[slot] == expected, "slot \(slot)")
            guard expected == .open else { continue }
            #expect(
                Array(opened.plain[slot * 112..<(slot + 1) * 112])
                    == segment.open(slot: first + slot, Array(table[slot * 128..<(slot + 1) * 128])))
        }
    }
}
