// What the node remembers of a message and what follows from where its copies lie.

import DDSCore
import DDSNode
import DDSSpool
import Testing

@testable import DDSServer

@Suite struct MessageRecordTests {
    private let record = MessageRecord(
        author: "alice", authorMailbox: 1000, submission: "00ff", day: 20_000, revision: 3, destinations: ["dora", "#board"],
        copies: [
            MessageRecord.Copy(member: "bob", mailbox: 1001, group: 1, told: .fetched),
            MessageRecord.Copy(member: "carol", mailbox: 1002, group: 1, told: .held, end: .expired),
            MessageRecord.Copy(member: "dora", mailbox: 1 << 40, group: nil),
        ])

    @Test func bytes_areReadBackAlike_andNothingShorterOrLonger() {
        let bytes = record.encoded
        #expect(MessageRecord(bytes) == record)
        for count in 0..<bytes.count { #expect(MessageRecord(Array(bytes[..<count])) == nil, "\(count) bytes") }
        #expect(MessageRecord(bytes + [0]) == nil)
        #expect(MessageRecord([2] + bytes.dropFirst()) == nil)
        #expect(record.group(of: record.copies[0]) == "board")
        #expect(record.group(of: record.copies[2]) == nil)
    }

    /// Every octet set to every value: refused, or a record with states that exist and groups that are there.
    @Test func damagedBytes_giveNoRecordThatTraps() {
        let bytes = record.encoded
        for place in bytes.indices {
            for value in [0, 1, 5, 6, 0x7f, 0xff] as [UInt8] {
                var changed = bytes
                changed[place] = value
                guard let read = MessageRecord(changed) else { continue }
                for copy in read.copies { _ = read.group(of: copy) }
            }
        }
    }

    @Test(arguments: [
        (nil as CopyState?, CopyState.waiting, ["waiting"], CopyState.waiting),
        (nil, .waiting, [], .fetched),
        (nil, .waiting, ["held"], .held),
        (nil, .waiting, ["ownerless"], .removed),
        // On its way from the held ones to the maildrop nothing is seen in both; held counts.
        (nil, .held, ["held", "waiting"], .held),
        (nil, .held, ["waiting"], .waiting),
        (.expired, .waiting, [], .expired),
        // Marked, and the machine stopped before the erasure.
        (.expired, .waiting, ["waiting"], .expired),
        (.removed, .held, ["held"], .removed),
        // What was final stays so, whatever became of the member.
        (nil, .fetched, ["ownerless"], .fetched),
        (nil, .fetched, ["waiting"], .fetched),
        (nil, .removed, [], .removed),
    ])
    func state_followsFromThePlace(end: CopyState?, told: CopyState, places: [String], expected: CopyState) {
        var here = CopyPlaces()
        if places.contains("waiting") { here.waiting = [7] }
        if places.contains("held") { here.held = [7: .noKey] }
        if places.contains("ownerless") { here.ownerless = [7] }
        let copy = MessageRecord.Copy(member: "bob", mailbox: 7, group: nil, told: told, end: end)
        #expect(record.state(of: copy, here) == expected)
        // Other members' places are no concern of this copy.
        here = CopyPlaces(waiting: [8], held: [8: .noKey], ownerless: [8])
        #expect(record.state(of: MessageRecord.Copy(member: "bob", mailbox: 7, group: nil), here) == .fetched)
    }

    @Test func heldCopy_isReadBackAlike() {
        for copy in [
            HeldCopy(member: 1001, cause: .mailboxFull, sealing: .node, group: "board", header: [1, 2, 3]),
            HeldCopy(member: .max, cause: .admin, sealing: .member, group: nil, header: []),
        ] {
            #expect(HeldCopy(copy.encoded) == copy)
            for count in 0..<copy.encoded.count - copy.header.count { #expect(HeldCopy(Array(copy.encoded[..<count])) == nil) }
        }
        #expect(HeldCopy([]) == nil)
    }

    @Test func route_isDecidedByKeyRoomAndWay() {
        #expect(CopyRoute(hasOwnHeader: true, isFull: false, cameThroughGroup: true) == .maildrop)
        #expect(CopyRoute(hasOwnHeader: true, isFull: true, cameThroughGroup: true) == .held(.mailboxFull))
        #expect(CopyRoute(hasOwnHeader: true, isFull: true, cameThroughGroup: false) == .maildrop)
        #expect(CopyRoute(hasOwnHeader: false, isFull: false, cameThroughGroup: false) == .held(.noKey))
        #expect(CopyRoute(hasOwnHeader: false, isFull: true, cameThroughGroup: true) == .held(.noKey))
    }
}
