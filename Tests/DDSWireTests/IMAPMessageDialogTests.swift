import DDSCore
import DDSTestKit
import DDSWire
import Testing

/// What commands about messages are answered.
@Suite struct IMAPMessageDialogTests {
    @Test func fetch_ofRows() {
        let model = IMAPModel()
        model.flag(2, .set(IMAPFlags([.seen, .draft], keywords: ["b", "A"])))
        var harness = model.selecting()
        play(
            &harness,
            """
            C: a FETCH 1 FAST
            S: * 1 FETCH (FLAGS () INTERNALDATE "17-Jul-1996 02:44:25 +0000" RFC822.SIZE 52)
            S: a OK Done
            C: a FETCH 2:* (UID FLAGS)
            S: * 2 FETCH (UID 2 FLAGS (\\Seen \\Draft b A))
            S: * 3 FETCH (UID 3 FLAGS ())
            S: a OK Done
            C: a UID FETCH 3:2,9 FLAGS
            S: * 2 FETCH (UID 2 FLAGS (\\Seen \\Draft b A))
            S: * 3 FETCH (UID 3 FLAGS ())
            S: a OK Done
            C: a FETCH 3,1 UID
            S: * 1 FETCH (UID 1)
            S: * 3 FETCH (UID 3)
            S: a OK Done
            C: a UID FETCH 4:* UID
            S: * 3 FETCH (UID 3)
            S: a OK Done
            C: a FETCH 4 UID
            S: a BAD No message has this number
            C: a FETCH 0 UID
            S: a BAD Expected a number above 0
            C: a FETCH 1 (UID
            S: a BAD Expected )
            C: a FETCH 1 FOO
            S: a BAD Unknown FETCH item
            C: a UID FETCH 4 UID
            S: a OK Done
            """)
        #expect(!model.questions.contains { if case .bodies = $0 { true } else { false } })
    }

    @Test func fetch_ofMessages_setsSeen_andPeekDoesNot() {
        let model = IMAPModel()
        var harness = model.selecting()
        play(
            &harness,
            """
            C: a FETCH 1 BODY.PEEK[TEXT]
            S: * 1 FETCH (BODY[TEXT] {12}
            S: first body
            S: )
            S: a OK Done
            C: a FETCH 1 (RFC822.HEADER BODY.PEEK[HEADER.FIELDS (Subject X)])
            S: * 1 FETCH (RFC822.HEADER {40}
            S: From: Ann <ann@x.test>
            S: Subject: one
            S:\u{20}
            S:  BODY[HEADER.FIELDS (Subject X)] {16}
            S: Subject: one
            S:\u{20}
            S: )
            S: a OK Done
            C: a FETCH 1 BODY.PEEK[]<6.3>
            S: * 1 FETCH (BODY[]<6> {3}
            S: Ann)
            S: a OK Done
            C: a FETCH 1 BODY.PEEK[]<5000.3>
            S: * 1 FETCH (BODY[]<5000> {0}
            S: )
            S: a OK Done
            C: a FETCH 1 BODY.PEEK[7]
            S: * 1 FETCH (BODY[7] NIL)
            S: a OK Done
            """.replacing("S:\u{20}\n", with: "S: \n"))
        #expect(model.flags(1) == IMAPFlags())
        play(
            &harness,
            """
            C: a FETCH 3 BODY[TEXT]
            S: * 3 FETCH (BODY[TEXT] {3}
            S: 3
            S: )
            S: * 3 FETCH (FLAGS (\\Seen))
            S: a OK Done
            C: a FETCH 3 (FLAGS RFC822.TEXT)
            S: * 3 FETCH (FLAGS (\\Seen) RFC822.TEXT {3}
            S: 3
            S: )
            S: a OK Done
            C: a NOOP
            S: a OK Done
            """)
        #expect(model.flags(3) == IMAPFlags(.seen))
        var examining = IMAPModel().loggedIn()
        examining.receive("a EXAMINE INBOX\r\n")
        _ = examining.takeOutput()
        play(&examining, "C: a FETCH 3 BODY[TEXT]\nS: * 3 FETCH (BODY[TEXT] {3}\nS: 3\nS: )\nS: a OK Done")
    }

    @Test func seenThatCannotBeSet_isSaid_andTheMessageIsSent() {
        let model = IMAPModel()
        var harness = model.selecting()
        model.override = { if case .store = $0 { .unavailable("The agent is locked") } else { nil } }
        play(
            &harness,
            """
            C: a FETCH 3 BODY[TEXT]
            S: * 3 FETCH (BODY[TEXT] {3}
            S: 3
            S: )
            S: * NO [UNAVAILABLE] The agent is locked
            S: a OK Done
            """)
    }

    @Test func store_ofAllKinds() {
        let model = IMAPModel()
        var harness = model.selecting()
        play(
            &harness,
            """
            C: a STORE 1:2 FLAGS (\\Seen $Forwarded)
            S: * 1 FETCH (FLAGS (\\Seen $Forwarded))
            S: * 2 FETCH (FLAGS (\\Seen $Forwarded))
            S: a OK Done
            C: a STORE 1 +FLAGS \\Flagged \\Answered
            S: * 1 FETCH (FLAGS (\\Answered \\Flagged \\Seen $Forwarded))
            S: a OK Done
            C: a UID STORE 1 -FLAGS ($forwarded \\Answered)
            S: * 1 FETCH (UID 1 FLAGS (\\Flagged \\Seen))
            S: a OK Done
            C: a STORE 3 +FLAGS.SILENT (\\Deleted)
            S: a OK Done
            C: a STORE 3 FLAGS.SILENT ()
            S: a OK Done
            C: a STORE 2 +FLAGS (Fresh)
            S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded $MDNSent $Junk $NotJunk $Phishing Fresh)
            S: * 2 FETCH (FLAGS (\\Seen $Forwarded Fresh))
            S: a OK Done
            C: a STORE 2 +FLAGS (\\Foo)
            S: a NO [CANNOT] These flags do not stay here, see PERMANENTFLAGS
            C: a STORE 2 +FLUGS (\\Seen)
            S: a BAD Expected FLAGS or FLAGS.SILENT
            C: a STORE 2 FLAGS ("Seen")
            S: a BAD Expected an atom
            C: a UID STORE 99 +FLAGS (\\Seen)
            S: a OK Done
            """)
        #expect(model.flags(1) == IMAPFlags([.flagged, .seen]))
    }

    @Test func silentStore_tellsWhatTheClientCannotKnow() {
        let model = IMAPModel()
        var harness = model.selecting()
        model.flag(1, .add(IMAPFlags(.flagged)))
        play(
            &harness,
            """
            C: a STORE 1:2 +FLAGS.SILENT (\\Seen)
            S: * 1 FETCH (FLAGS (\\Flagged \\Seen))
            S: a OK Done
            """)
    }

    @Test func copyAndMoveAndExpunge() {
        let model = IMAPModel()
        var harness = model.selecting()
        play(
            &harness,
            """
            C: a COPY 1,3 Drafts
            S: a OK [COPYUID 7 1,3 1:2] Copied
            C: a COPY 1 None
            S: a NO [TRYCREATE] No such mailbox
            C: a UID COPY 77 Drafts
            S: a OK No messages
            C: a UID MOVE 1 Groups/Board
            S: * OK [COPYUID 7 1 1] Moved
            S: * 1 EXPUNGE
            S: a OK Done
            C: a STORE 1:2 +FLAGS.SILENT (\\Deleted)
            S: a OK Done
            C: a UID EXPUNGE 3,9
            S: * 2 EXPUNGE
            S: a OK Done
            C: a EXPUNGE
            S: * 1 EXPUNGE
            S: a OK Done
            C: a EXPUNGE
            S: a OK Done
            """)
        #expect(model.folders["INBOX"]?.messages.isEmpty == true)
    }

    // MARK: Searches

    @Test func search_inAllItsForms() {
        let model = IMAPModel()
        model.flag(2, .set(IMAPFlags([.seen])))
        var harness = model.selecting()
        play(
            &harness,
            """
            C: a SEARCH UNSEEN
            S: * SEARCH 1 3
            S: a OK Done
            C: a UID SEARCH CHARSET UTF-8 OR SEEN UID 3 NOT 1
            S: * SEARCH 2 3
            S: a OK Done
            C: a SEARCH 2:* LARGER 10
            S: * SEARCH 2 3
            S: a OK Done
            C: a SEARCH DELETED
            S: * SEARCH
            S: a OK Done
            C: a SEARCH RETURN () ALL
            S: * ESEARCH (TAG "a") ALL 1:3
            S: a OK Done
            C: a UID SEARCH RETURN (MIN MAX COUNT) UNSEEN
            S: * ESEARCH (TAG "a") UID MIN 1 MAX 3 COUNT 2
            S: a OK Done
            C: a SEARCH RETURN (COUNT) DELETED
            S: * ESEARCH (TAG "a") COUNT 0
            S: a OK Done
            C: a SEARCH RETURN (SAVE) UNSEEN
            S: a OK Done
            C: a FETCH $ UID
            S: * 1 FETCH (UID 1)
            S: * 3 FETCH (UID 3)
            S: a OK Done
            C: a SEARCH $ UID 3
            S: * SEARCH 3
            S: a OK Done
            C: a SEARCH CHARSET ISO-8859-1 TEXT x
            S: a NO [BADCHARSET (US-ASCII UTF-8)] This charset is not known here
            C: a SEARCH FOO
            S: a BAD Unknown search key
            C: a SEARCH RETURN (FOO) ALL
            S: a BAD Unknown return option
            C: a SEARCH (ALL
            S: a BAD Expected )
            C: a SEARCH MODSEQ 5
            S: * OK [HIGHESTMODSEQ 5] From now on
            S: * SEARCH 2 (MODSEQ 5)
            S: a OK Done
            C: a SEARCH RETURN (ALL) MODSEQ "/flags/\\\\draft" all 3
            S: * ESEARCH (TAG "a") ALL 2:3 MODSEQ 5
            S: a OK Done
            """)
    }

    @Test func sortAndThread() {
        var harness = IMAPModel().selecting()
        play(
            &harness,
            """
            C: a SORT (REVERSE DATE SUBJECT) UTF-8 ALL
            S: * SORT 3 2 1
            S: a OK Done
            C: a UID SORT (SIZE) US-ASCII UID 2:3
            S: * SORT 2 3
            S: a OK Done
            C: a SORT (FOO) UTF-8 ALL
            S: a BAD Unknown sort key
            C: a SORT (DATE) KOI8-R ALL
            S: a NO [BADCHARSET (US-ASCII UTF-8)] This charset is not known here
            C: a THREAD REFERENCES UTF-8 ALL
            S: * THREAD (1 (2)(3))
            S: a OK Done
            C: a UID THREAD REFERENCES UTF-8 ALL
            S: * THREAD (1 (2)(3))
            S: a OK Done
            C: a THREAD ORDEREDSUBJECT UTF-8 ALL
            S: a BAD The one algorithm here is REFERENCES
            """)
    }

    // MARK: CONDSTORE

    @Test func condStore() {
        let model = IMAPModel()
        var harness = model.loggedIn()
        harness.receive("s SELECT INBOX (CONDSTORE)\r\n")
        #expect(harness.takeText().contains("[HIGHESTMODSEQ 4]"))
        play(
            &harness,
            """
            C: a FETCH 1:* (FLAGS) (CHANGEDSINCE 3)
            S: * 3 FETCH (FLAGS () MODSEQ (4))
            S: a OK Done
            C: a STORE 1 (UNCHANGEDSINCE 2) +FLAGS (\\Seen)
            S: * 1 FETCH (FLAGS (\\Seen) MODSEQ (5))
            S: a OK Done
            C: a STORE 1:2 (UNCHANGEDSINCE 3) +FLAGS.SILENT (\\Flagged)
            S: * 1 FETCH (FLAGS (\\Seen) MODSEQ (5))
            S: * 2 FETCH (FLAGS (\\Flagged) MODSEQ (6))
            S: a OK [MODIFIED 1] Some were changed meanwhile
            C: a UID STORE 1:2 (UNCHANGEDSINCE 5) FLAGS ()
            S: * 1 FETCH (UID 1 FLAGS () MODSEQ (7))
            S: * 2 FETCH (UID 2 FLAGS (\\Flagged) MODSEQ (6))
            S: a OK [MODIFIED 2] Some were changed meanwhile
            C: a STATUS INBOX (HIGHESTMODSEQ)
            S: * STATUS "INBOX" (HIGHESTMODSEQ 7)
            S: a OK Done
            C: a STORE 3 +FLAGS.SILENT \\Deleted
            S: * 3 FETCH (FLAGS (\\Deleted) MODSEQ (8))
            S: a OK Done
            C: a EXPUNGE
            S: * 3 EXPUNGE
            S: a OK [HIGHESTMODSEQ 9] Done
            C: a FETCH 1 BODY[TEXT]
            S: * 1 FETCH (BODY[TEXT] {12}
            S: first body
            S: )
            S: * 1 FETCH (FLAGS (\\Seen) MODSEQ (10))
            S: a OK Done
            C: a STORE 1 (UNCHANGEDSINCE x) FLAGS ()
            S: a BAD Expected a number
            """)
        model.flag(2, .set(IMAPFlags()))
        play(&harness, "C: a NOOP\nS: * 2 FETCH (FLAGS () MODSEQ (11))\nS: a OK Done")
    }
}
