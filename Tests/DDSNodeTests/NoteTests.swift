// What is told in stanzas of headers: what is not said, or said in the words of a later version.

import DDSNode
import DDSSeal
import Testing

@Suite struct NoteTests {
    private func stanza(_ words: String..., body: [UInt8] = []) -> AgeStanza {
        AgeStanza(arguments: words.map { Array($0.utf8) }, body: body)
    }

    @Test func mode_isSaidWhereItIsNotRelay() {
        #expect(ModeNote.stanza(.relay) == nil)
        #expect(ModeNote.mode(in: []) == .relay)
        #expect(ModeNote.stanza(.blind).flatMap { ModeNote.mode(in: [$0]) } == .blind)
        #expect(ModeNote.mode(in: [stanza("X25519", "x"), stanza("ddsnode-mode", "blind")]) == .blind)
    }

    @Test func modesOfALaterVersion_areNotTakenForAnother() {
        #expect(ModeNote.mode(in: [stanza("ddsnode-mode", "veiled")]) == nil)
        #expect(ModeNote.mode(in: [stanza("ddsnode-mode")]) == nil)
        #expect(ModeNote.mode(in: [stanza("ddsnode-mode", "blind", "2")]) == nil)
        #expect(ModeNote.mode(in: [stanza("ddsnode-mode", "blind", body: [1])]) == nil)
    }

    @Test func submissionIDs_comeBackWhereTheyFit() {
        for id in ["1", String(repeating: "x", count: 200), "a-b.c@d"] {
            #expect(SubmissionNote.stanza(id).flatMap { SubmissionNote.id(in: [$0]) } == id)
        }
        for id in ["", String(repeating: "x", count: 201), "a b", "ä", "a\n", "\u{7f}"] {
            #expect(SubmissionNote.stanza(id) == nil, "\(id)")
        }
        #expect(SubmissionNote.id(in: [stanza("ddsnode-submission")]) == nil)
        #expect(SubmissionNote.id(in: [stanza("ddsnode-submission", "1", "2")]) == nil)
        #expect(SubmissionNote.id(in: [stanza("ddsnode-submission", "1", body: [0])]) == nil)
        #expect(SubmissionNote.id(in: [stanza("ddsnode-submission", String(repeating: "x", count: 201))]) == nil)
    }
}
