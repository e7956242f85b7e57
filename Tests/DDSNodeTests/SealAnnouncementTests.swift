// How a node announces its seal keys, and what an agent makes of announcements that are not whole.

import DDSCore
import DDSSeal
import DDSTestKit
import Testing

@testable import DDSNode

@Suite struct SealAnnouncementTests {
    private let classical = AgeIdentity.generate(random: SeededRandom(seed: 1)).recipient
    private let hybrid = AgeIdentity.generate(kind: .hybrid, random: SeededRandom(seed: 2)).recipient

    @Test func bestKey_isReadFromWhatWasAnnounced() {
        let both = SealAnnouncement.capabilities([classical, hybrid])
        #expect(both.count == 6 && both[0] == "XDDS-SEAL \(classical)" && both[1].hasPrefix("XDDS-SEAL-PQ 1/5 age1pq1"))
        // `250-` in front and CRLF behind: RFC 5321 4.5.3.1.5.
        #expect(both.allSatisfy { $0.utf8.count + 6 <= 512 })
        #expect(SealAnnouncement.recipient(in: ["SIZE 5"] + both + ["AUTH PLAIN"]) == "\(hybrid)")
        #expect(SealAnnouncement.recipient(in: both.map { $0.replacing("XDDS", with: "xdds") }) == "\(hybrid)")
        #expect(SealAnnouncement.recipient(in: SealAnnouncement.capabilities([classical])) == "\(classical)")
        #expect(SealAnnouncement.recipient(in: SealAnnouncement.capabilities([hybrid])) == "\(hybrid)")
        #expect(SealAnnouncement.recipient(in: ["SIZE 5", "XDDS-SEAL", "XDDS-SEAL a b c"]) == nil)
    }

    /// Half a key is none; then the classical one serves.
    @Test func piecesThatAreMissingOrInDisorder_areNoKey() {
        let both = SealAnnouncement.capabilities([classical, hybrid])
        for index in 1..<6 {
            var missing = both
            missing.remove(at: index)
            #expect(SealAnnouncement.recipient(in: missing) == "\(classical)", "without piece \(index)")
        }
        #expect(SealAnnouncement.recipient(in: [both[0]] + both[1...].reversed()) == "\(classical)")
        #expect(SealAnnouncement.recipient(in: both + [both[5]]) == "\(classical)")
        #expect(SealAnnouncement.recipient(in: Array(both[1...4])) == nil)
    }

    @Test func note_saysOneOfTwoWordsOrNothing() {
        for kind in AgeKeyKind.allCases {
            #expect(SealNote.keys(in: [GroupNote.stanza("board"), SealNote.stanza(kind)]) == kind)
        }
        for stanza in [
            AgeStanza(arguments: [Array("ddsnode-seal".utf8)], body: []),
            AgeStanza(arguments: [Array("ddsnode-seal".utf8), Array("other".utf8)], body: []),
            AgeStanza(arguments: [Array("ddsnode-seal".utf8), Array("hybrid".utf8), [0x31]], body: []),
            AgeStanza(arguments: [Array("ddsnode-seal".utf8), Array("hybrid".utf8)], body: [1]),
            GroupNote.stanza("hybrid"),
        ] {
            #expect(SealNote.keys(in: [stanza]) == nil)
        }
    }
}
