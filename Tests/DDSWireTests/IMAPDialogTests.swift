import DDSCore
import DDSTestKit
import DDSWire
import Testing

/// What commands about the session and about mailboxes are answered.
@Suite struct IMAPDialogTests {
    // MARK: Before login

    @Test func greetingAndCapability_sayWhatIsPossibleNow() {
        let before = "IMAP4rev1 IMAP4rev2 LITERAL+ ID ENABLE IDLE SASL-IR"
        let cases: [(IMAPServerConfiguration.TLSMode, TLSPeer?, String)] = [
            (.none, nil, " AUTH=PLAIN"), (.startTLSRequired, nil, " STARTTLS LOGINDISABLED"),
            (.implicit, IMAPModel.peer, " AUTH=EXTERNAL AUTH=PLAIN"), (.implicit, IMAPModel.peerWithoutKey, " AUTH=PLAIN"),
        ]
        for (tls, peer, more) in cases {
            var harness = IMAPModel().harness(tls: tls)
            harness.start(peer: peer)
            #expect(harness.takeText() == "* OK [CAPABILITY \(before)\(more)] mail.test ddsnode ready\r\n")
            play(&harness, "C: a capability\nS: * CAPABILITY \(before)\(more)\nS: a OK Done")
        }
        var harness = IMAPModel().loggedIn()
        harness.receive("a CAPABILITY\r\n")
        let words = Set(harness.takeText().split(whereSeparator: { " \r\n".contains($0) }).map(String.init))
        for word in [
            "CONDSTORE", "MOVE", "UIDPLUS", "SORT", "THREAD=REFERENCES", "IDLE", "LIST-STATUS", "QUOTA", "STATUS=SIZE",
        ] {
            #expect(words.contains(word))
        }
        #expect(!words.contains("AUTH=PLAIN") && !words.contains("STARTTLS"))
    }

    @Test func idAndNamespaceAndLogout() {
        var harness = IMAPModel().greeted()
        play(
            &harness,
            """
            C: a ID NIL
            S: * ID ("name" "ddsnode" "version" "1.0")
            S: a OK Done
            C: a ID ("name" "x" "support-url" NIL)
            S: * ID ("name" "ddsnode" "version" "1.0")
            S: a OK Done
            C: a ID ("name")
            S: a BAD An argument is missing
            C: a LOGOUT
            S: * BYE Good bye
            S: a OK Logged out
            """)
        #expect(harness.closeReason == .quit)
        harness = IMAPModel().loggedIn()
        play(&harness, "C: a NAMESPACE\nS: * NAMESPACE ((\"\" \"/\")) NIL NIL\nS: a OK Done")
    }

    @Test func logins_ofEachKind() {
        let ok = "a OK [CAPABILITY "
        for command in [
            "a LOGIN bob secret\r\n", "a login \"bob\" \"secret\"\r\n", "a LOGIN {3+}\r\nbob {6+}\r\nsecret\r\n",
            "a AUTHENTICATE PLAIN AGJvYgBzZWNyZXQ=\r\n", "a AUTHENTICATE plain\r\nAGJvYgBzZWNyZXQ=\r\n",
        ] {
            var harness = IMAPModel().greeted()
            harness.receive(command)
            let text = harness.takeText()
            #expect(text.hasPrefix(ok) || text.hasPrefix("+ \r\n" + ok), "\(command): \(text)")
            #expect(!harness.transcript.joined().contains("secret"))
        }
        var harness = IMAPModel().harness(tls: .implicit)
        harness.start(peer: IMAPModel.peer)
        _ = harness.takeOutput()
        harness.receive("a AUTHENTICATE EXTERNAL =\r\n")
        #expect(harness.takeText().hasPrefix(ok))
        harness = IMAPModel().harness(tls: .implicit)
        harness.start(peer: IMAPModel.peerWithoutKey)
        _ = harness.takeOutput()
        play(
            &harness,
            """
            C: a AUTHENTICATE EXTERNAL =
            S: a NO [CANNOT] Mechanism not available here, see CAPABILITY
            C: a AUTHENTICATE PLAIN
            S: +\u{20}
            C: *
            S: a BAD Authentication cancelled
            C: a AUTHENTICATE PLAIN !!!!
            S: a BAD Malformed response
            C: a LOGIN locked x
            S: a NO [UNAVAILABLE] The agent is locked
            C: a LOGIN bob ""
            S: a BAD Names and passwords are UTF-8 and not empty
            """)
    }

    @Test func synchronizingLiterals_areInvited() {
        var harness = IMAPModel().greeted()
        play(
            &harness,
            """
            C: a LOGIN {3}
            S: + Go on
            C: bob {6}
            S: + Go on
            """)
        harness.receive("secret\r\n")
        #expect(harness.takeText().hasPrefix("a OK [CAPABILITY"))
    }

    // MARK: Mailboxes

    @Test func list_ofAllKinds() {
        var harness = IMAPModel().loggedIn()
        play(
            &harness,
            """
            C: a LIST "" ""
            S: * LIST (\\Noselect) "/" ""
            S: a OK Done
            C: a LIST "" *
            S: * LIST (\\HasNoChildren) "/" "INBOX"
            S: * LIST (\\HasNoChildren \\Drafts) "/" "Drafts"
            S: * LIST (\\Noselect \\HasChildren) "/" "Groups"
            S: * LIST (\\HasNoChildren) "/" "Groups/Board"
            S: * LIST (\\HasNoChildren) "/" "Gr&APw-n"
            S: a OK Done
            C: a LIST "" "Gr%"
            S: * LIST (\\Noselect \\HasChildren) "/" "Groups"
            S: * LIST (\\HasNoChildren) "/" "Gr&APw-n"
            S: a OK Done
            C: a LIST "Groups/" "%"
            S: * LIST (\\HasNoChildren) "/" "Groups/Board"
            S: a OK Done
            C: a LIST "" inbox
            S: * LIST (\\HasNoChildren) "/" "INBOX"
            S: a OK Done
            C: a LIST (SUBSCRIBED) "" ("Dr*" "Gr*") RETURN (CHILDREN SPECIAL-USE)
            S: * LIST (\\HasNoChildren \\Subscribed \\Drafts) "/" "Drafts"
            S: * LIST (\\HasNoChildren \\Subscribed) "/" "Groups/Board"
            S: a OK Done
            C: a LIST (SUBSCRIBED RECURSIVEMATCH) "" "Gr%"
            S: * LIST (\\Noselect \\HasChildren) "/" "Groups" ("CHILDINFO" ("SUBSCRIBED"))
            S: a OK Done
            C: a LIST (SPECIAL-USE) "" "*"
            S: * LIST (\\HasNoChildren \\Drafts) "/" "Drafts"
            S: a OK Done
            C: a LIST "" "%" RETURN (SUBSCRIBED STATUS (MESSAGES UNSEEN SIZE))
            S: * LIST (\\HasNoChildren \\Subscribed) "/" "INBOX"
            S: * LIST (\\HasNoChildren \\Subscribed \\Drafts) "/" "Drafts"
            S: * LIST (\\Noselect \\HasChildren) "/" "Groups"
            S: * LIST (\\HasNoChildren) "/" "Gr&APw-n"
            S: * STATUS "INBOX" (MESSAGES 3 UNSEEN 3 SIZE 167)
            S: * STATUS "Drafts" (MESSAGES 0 UNSEEN 0 SIZE 0)
            S: * STATUS "Gr&APw-n" (MESSAGES 0 UNSEEN 0 SIZE 0)
            S: a OK Done
            C: a LSUB "" "%"
            S: * LSUB () "/" "INBOX"
            S: * LSUB () "/" "Drafts"
            S: * LSUB (\\Noselect) "/" "Groups"
            S: a OK Done
            C: a LIST (RECURSIVEMATCH) "" *
            S: a BAD RECURSIVEMATCH needs another option
            """)
    }

    @Test func statusAndQuotaAndManagement() {
        let model = IMAPModel()
        var harness = model.loggedIn()
        play(
            &harness,
            """
            C: a STATUS inbox (MESSAGES UIDNEXT UIDVALIDITY UNSEEN DELETED RECENT SIZE)
            S: * STATUS "INBOX" (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7 UNSEEN 3 DELETED 0 RECENT 0 SIZE 167)
            S: a OK Done
            C: a STATUS None (MESSAGES)
            S: a NO [NONEXISTENT] No such mailbox
            C: a STATUS INBOX (FOO)
            S: a BAD Unknown STATUS item
            C: a GETQUOTAROOT INBOX
            S: * QUOTAROOT "INBOX" ""
            S: * QUOTA "" ()
            S: a OK Done
            C: a GETQUOTA ""
            S: * QUOTA "" ()
            S: a OK Done
            C: a GETQUOTA x
            S: a NO [NONEXISTENT] The one quota root here is ""
            C: a SETQUOTA "" (STORAGE 1)
            S: a NO [NOPERM] Quotas are not set here
            C: a CREATE "New &- old/"
            S: a OK Done
            C: a CREATE "New &- old"
            S: a NO [ALREADYEXISTS] There is one
            C: a RENAME "New &- old" Other
            S: a OK Done
            C: a UNSUBSCRIBE Other
            S: a OK Done
            C: a SUBSCRIBE Other
            S: a OK Done
            C: a DELETE Other
            S: a OK Done
            C: a DELETE INBOX
            S: a NO [CANNOT] Not this one
            C: a CREATE "Gr&APw"
            S: a BAD The mailbox name is not modified UTF-7
            """)
        #expect(model.questions.contains(.manage(.create("New & old"))))
    }

    @Test func selectAndExamineAndWhatEndsThem() {
        let model = IMAPModel()
        var harness = model.loggedIn()
        model.flag(1, .set(IMAPFlags([.seen, .deleted], keywords: ["$Blue"])))
        play(
            &harness,
            """
            C: a SELECT INBOX
            S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded $MDNSent $Junk $NotJunk $Phishing $Blue)
            S: * 3 EXISTS
            S: * 0 RECENT
            S: * OK [UNSEEN 2] The first that is unseen
            S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] These stay
            S: * OK [UIDVALIDITY 7] Valid
            S: * OK [UIDNEXT 4] The next uid
            S: * OK [HIGHESTMODSEQ 5] The highest
            S: a OK [READ-WRITE] Selected
            C: a EXAMINE INBOX
            S: * OK [CLOSED] The mailbox before is closed
            S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded $MDNSent $Junk $NotJunk $Phishing $Blue)
            S: * 3 EXISTS
            S: * 0 RECENT
            S: * OK [UNSEEN 2] The first that is unseen
            S: * OK [PERMANENTFLAGS ()] These stay
            S: * OK [UIDVALIDITY 7] Valid
            S: * OK [UIDNEXT 4] The next uid
            S: * OK [HIGHESTMODSEQ 5] The highest
            S: a OK [READ-ONLY] Selected
            C: a STORE 1 +FLAGS (\\Seen)
            S: a NO [NOPERM] The mailbox is read-only
            C: a EXPUNGE
            S: a NO [NOPERM] The mailbox is read-only
            C: a MOVE 1 Drafts
            S: a NO [NOPERM] The mailbox is read-only
            C: a CLOSE
            S: a OK Closed
            C: a CLOSE
            S: a BAD Select a mailbox first
            C: a SELECT None
            S: a NO [NONEXISTENT] No such mailbox
            C: a SELECT INBOX (QRESYNC (1 2))
            S: a BAD Unknown SELECT parameter
            """)
        #expect(model.folders["INBOX"]?.messages.count == 3)
        harness.receive("a SELECT INBOX\r\n")
        _ = harness.takeOutput()
        play(&harness, "C: a UNSELECT\nS: a OK Closed")
        #expect(model.folders["INBOX"]?.messages.count == 3)
        harness.receive("a SELECT INBOX\r\n")
        _ = harness.takeOutput()
        play(&harness, "C: a CLOSE\nS: a OK Closed")
        #expect(model.folders["INBOX"]?.messages.map(\.row.uid) == [2, 3])
        #expect(model.closes == 4)
    }

    @Test func closeThatCannotExpunge_saysSo() {
        let model = IMAPModel()
        var harness = model.selecting()
        model.override = { if case .expunge = $0 { .declined(IMAPRefusal("SERVERBUG", "The disk is tired")) } else { nil } }
        play(
            &harness,
            """
            C: a STORE 1 +FLAGS.SILENT \\Deleted
            S: a OK Done
            C: a CLOSE
            S: a NO [SERVERBUG] The disk is tired
            C: a EXPUNGE
            S: a NO [SERVERBUG] The disk is tired
            """)
    }

    @Test func rev2_speaksItsOwnWay() {
        var harness = IMAPModel().loggedIn()
        play(
            &harness,
            """
            C: a ENABLE IMAP4rev2 FOO CONDSTORE imap4rev2
            S: * ENABLED IMAP4rev2 CONDSTORE
            S: a OK Done
            C: a SELECT "Gr\u{fc}n"
            S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded $MDNSent $Junk $NotJunk $Phishing)
            S: * 0 EXISTS
            S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] These stay
            S: * OK [UIDVALIDITY 7] Valid
            S: * OK [UIDNEXT 1] The next uid
            S: * OK [HIGHESTMODSEQ 1] The highest
            S: * LIST () "/" "Gr\u{fc}n"
            S: a OK [READ-WRITE] Selected
            C: a SEARCH ALL
            S: * ESEARCH (TAG "a")
            S: a OK Done
            C: a ENABLE CONDSTORE
            S: a BAD Not while a mailbox is selected
            C: a FETCH 1:* FLAGS
            S: a OK Done
            """)
    }

    // MARK: APPEND

    @Test func append_ofAllKinds() {
        let model = IMAPModel()
        var harness = model.loggedIn()
        play(
            &harness,
            """
            C: a APPEND Drafts (\\Seen $Blue \\Recent) " 7-Feb-1994 21:52:25 -0800" {6}
            S: + Go on
            C: A: b
            """)
        #expect(harness.takeText() == "")
        harness.receive("\r\n")
        #expect(harness.takeText() == "a OK [APPENDUID 7 1] Appended\r\n")
        #expect(model.folders["Drafts"]?.messages.first?.bytes == Array("A: b\r\n".utf8))
        #expect(model.folders["Drafts"]?.messages.first?.row.flags == IMAPFlags(.seen, keywords: ["$Blue"]))
        #expect(model.folders["Drafts"]?.messages.first?.row.internalDate == 760_686_745)
        play(
            &harness,
            """
            C: a APPEND None {5}
            S: a NO [TRYCREATE] No such mailbox
            C: a APPEND Drafts {5001}
            S: a NO [OVERQUOTA] Too much
            C: a APPEND Drafts {33554433}
            S: a NO [TOOBIG] Messages have at most 33554432 octets
            C: a APPEND Drafts {0}
            S: a NO [CANNOT] A message without octets
            C: a APPEND Drafts (\\Seen {5}
            S: a BAD Expected an atom
            C: a APPEND Drafts "yesterday" {5}
            S: a BAD Expected a date and time such as "17-Jul-1996 02:44:25 -0700"
            """)
        harness.receive("a APPEND {6+}\r\nDrafts ~{3+}\r\na\0b\r\n")
        #expect(harness.takeText() == "a OK [APPENDUID 7 2] Appended\r\n")
        harness.receive("a APPEND Drafts {3+}\r\na\0b\r\n")
        #expect(harness.takeText() == "a BAD NUL in a literal\r\n")
        // Refused without a chance to stop the client: read to the end and forgotten.
        harness.receive("a APPEND None {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n")
        #expect(harness.takeText() == "a NO [TRYCREATE] No such mailbox\r\nc OK Done\r\n")
        play(&harness, "C: a ENABLE UTF8=ACCEPT\nS: * ENABLED UTF8=ACCEPT\nS: a OK Done")
        harness.receive("a APPEND Drafts UTF8 (~{2+}\r\nhi)\r\n")
        #expect(harness.takeText() == "a OK [APPENDUID 7 3] Appended\r\n")
        #expect(model.folders["Drafts"]?.messages.count == 3)
    }

    @Test func appendToTheSelectedMailbox_isSeenAtOnce() {
        var harness = IMAPModel().selecting()
        harness.receive("a APPEND INBOX {2+}\r\nhi\r\n")
        #expect(harness.takeText() == "* 4 EXISTS\r\na OK [APPENDUID 7 4] Appended\r\n")
    }
}
