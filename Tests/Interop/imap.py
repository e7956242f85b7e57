#!/usr/bin/env python3
"""The agent's IMAP by Python's imaplib, with every message of the corpus.

usage: imap.py [PART...]     only the parts whose name contains one of the words
"""
import concurrent.futures
import imaplib
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import structure
from mailclients import (ADDED, BOARD, STANDING, answer, drive, flags, item, mailboxes, must, quoted, refusal,
    requires_corpus, responses, rows, say, without)
from nodekit import DOMAIN, canonical, letter, token, until
from structure import fetched


# MARK: basics

def basics_login(checks, world):
    at_bob = world.at_bob
    for user in ("bob", world.bob.address):
        with at_bob.imap(user=user) as imap:
            checks.equal(f"{user} logs in", imap.state, "AUTH")
    with imaplib.IMAP4("127.0.0.1", at_bob.imap_port, timeout=60) as imap:
        checks.ok("the greeting names what is spoken", {"IMAP4REV1", "IMAP4REV2", "AUTH=PLAIN", "SASL-IR", "LITERAL+"}
            <= set(imap.capabilities) and "STARTTLS" not in imap.capabilities, imap.capabilities)
        must(imap.authenticate("PLAIN", lambda _: f"\0{at_bob.user}\0{at_bob.password}".encode()))
        checks.equal("AUTHENTICATE PLAIN", imap.state, "AUTH")
        after = must(imap.capability())[0].decode().split()
        wanted = {"NAMESPACE", "UIDPLUS", "MOVE", "IDLE", "ID", "ENABLE", "CONDSTORE", "SPECIAL-USE", "LIST-STATUS", "ESEARCH",
            "SORT", "THREAD=REFERENCES", "UNSELECT", "STATUS=SIZE"}
        checks.equal("and more after the login", wanted - set(after), set())
    cases = (("a wrong password", None, "wrong"), ("somebody else's", None, world.at_alice.password),
             ("another's name", "alice", None))
    # Each is answered late, so they are tried at once.
    with concurrent.futures.ThreadPoolExecutor() as pool:
        tries = [pool.submit(refusal, at_bob.imap, None, False, user, password) for _, user, password in cases]
    for (name, _, _), tried in zip(cases, tries):
        checks.ok(f"{name}: [AUTHENTICATIONFAILED]", tried.result().startswith("[AUTHENTICATIONFAILED]"), tried.result())
    wire = at_bob.imap_wire()
    world.bob.lock()
    last = wire.line()
    checks.ok("a lock says BYE and ends the session", not last or last.startswith(b"* BYE"), last)
    checks.ok("nothing comes behind it", wire.closed())
    words = until(lambda: quietly(refusal, at_bob.imap))
    checks.ok("a login while locked: [UNAVAILABLE]", words and words.startswith("[UNAVAILABLE]") and "unlock" in words, words)
    world.bob.unlock()
    checks.equal("and after the unlock it opens again", refusal(lambda: ("OK", at_bob.imap().logout())), "")


def quietly(function, *arguments):
    try:
        return function(*arguments)
    except OSError:
        return None


def basics_list(checks, world):
    with world.at_bob.imap() as imap:
        found = mailboxes(imap)
        checks.equal("LIST has them all", set(found), set(STANDING) | {"Groups/board"})
        uses = {name: next((word for word in found[name] if word in STANDING.values()), None) for name in STANDING}
        checks.equal("with their special use", uses, STANDING)
        checks.equal("% goes no deeper", set(mailboxes(imap, '""', "%")), set(STANDING))
        lines = must(imap.list('""', "Groups"))
        checks.ok("what only holds groups cannot be selected", b"\\Noselect" in lines[0] or b"\\NonExistent" in lines[0], lines)
        checks.ok("nor is it, and it says so", refusal(imap.select, "Groups").startswith("NO [NONEXISTENT]"))
        subscribed = b" ".join(must(imap.lsub('""', "*")))
        checks.ok("groups are subscribed to", b"Groups/board" in subscribed and b"INBOX" in subscribed, subscribed)
        must(imap.unsubscribe("Groups/board"))
        subscribed = b" ".join(must(imap.lsub('""', "*")))
        checks.ok("UNSUBSCRIBE is kept", b"Groups/board" not in subscribed, subscribed)
        must(imap.subscribe("Groups/board"))
        must(imap.namespace())
        for name in found:
            status = must(imap.status(quoted(name), "(MESSAGES UNSEEN UIDNEXT UIDVALIDITY SIZE HIGHESTMODSEQ)"))[0]
            exists = int(must(imap.select(quoted(name), True))[0])
            said = int(re.search(rb"MESSAGES (\d+)", status)[1])
            sizes = sum(items[b"RFC822.SIZE"] for _, items in rows(imap, "RFC822.SIZE"))
            checks.ok(f"STATUS and SELECT of {name} agree", said == exists and f"SIZE {sizes} ".encode() in status,
                (status, sizes))
        wire = world.at_bob.imap_wire()
        wire.send('a LIST (SPECIAL-USE) "" "*" RETURN (STATUS (MESSAGES UIDNEXT))\r\n')
        lines = []
        while not lines or lines[-1].startswith(b"* "):
            lines.append(wire.line())
        checks.ok("LIST with selection and RETURN STATUS", sum(line.startswith(b"* LIST") for line in lines) == 4
            and sum(line.startswith(b"* STATUS") for line in lines) == 4 and lines[-1].startswith(b"a OK"), lines)


def basics_fetch(checks, world):
    marker, message = world.brings(world.bob.address, body="first line\nUmlaut aou\n.dot\n")
    row = world.bob.waits_for(marker)
    checks.ok("it is unread in the page", row["unread"])
    uid = world.at_bob.uid_of(marker)
    with world.at_bob.imap("INBOX") as imap:
        octets = item(imap, uid, "BODY.PEEK[]")
        checks.equal("BODY.PEEK[] is byte for byte what was sent", without(octets, *ADDED), message)
        checks.equal("RFC822.SIZE has its octets", item(imap, uid, "RFC822.SIZE"), len(octets))
        head, _, body = octets.partition(b"\r\n\r\n")
        head += b"\r\n\r\n"
        checks.equal("HEADER", item(imap, uid, "BODY.PEEK[HEADER]"), head)
        checks.equal("TEXT", item(imap, uid, "BODY.PEEK[TEXT]"), body)
        checks.equal("part 1", item(imap, uid, "BODY.PEEK[1]"), body)
        checks.equal("a piece", item(imap, uid, "BODY.PEEK[TEXT]<6.4>"), b"line")
        checks.equal("a piece behind the end", item(imap, uid, "BODY.PEEK[TEXT]<9999.4>"), b"")
        got = dict(rows(imap, "BODY.PEEK[HEADER.FIELDS (SUBJECT)]", str(uid)))[uid]
        checks.ok("HEADER.FIELDS", f"Subject: {marker}\r\n\r\n".encode() in got.values(), got)
        whole = dict(rows(imap, "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE RFC822.HEADER", str(uid)))[uid]
        checks.equal("ENVELOPE has the subject", whole[b"ENVELOPE"][1], marker.encode())
        checks.equal("BODYSTRUCTURE has the octets", whole[b"BODYSTRUCTURE"][6], len(body))
        checks.ok("nothing of this marks it as read",
            "\\Seen" not in flags(imap, uid) and world.bob.waits_for(marker)["unread"])
        item(imap, uid, "BODY[]")
        checks.ok("BODY[] does, for the page too", "\\Seen" in flags(imap, uid) and not world.bob.waits_for(marker)["unread"])
        number = imap.search(None, "UID", str(uid))[1][0]
        checks.equal("by number it is the same", fetched(must(imap.fetch(number, "(BODY.PEEK[])")))[b"BODY[]"], octets)
        checks.equal("a number that no message has is refused", refusal(imap.fetch, "999999", "(FLAGS)")[:6], "FETCH ")
        checks.equal("a unique id that none has is nothing", rows(imap, "FLAGS", "4000000000"), [])
    marker, message = world.brings(BOARD)
    [(_, octets)] = [row for row in world.at_bob.whole("Groups/board") if marker.encode() in row[1]]
    checks.equal("a group's message is in the group's mailbox byte for byte", without(octets, *ADDED), message)
    checks.ok("and has a List-Id", f"List-Id: <board.{DOMAIN}>\r\n".encode() in octets, octets)
    checks.equal("and in no other", world.at_bob.uid_of(marker), None)
    until(lambda: world.alice.waits_for(marker)["state"] == "sent")
    sent = [octets for _, octets in world.at_alice.whole("Sent") if marker.encode() in octets]
    checks.equal("whoever wrote it has it in Sent", [without(octets, *ADDED) for octets in sent], [message])


def basics_flags(checks, world):
    marker, _ = world.brings(world.bob.address)
    uid, identity = world.at_bob.uid_of(marker), world.bob.waits_for(marker)["id"]
    other = world.at_bob.imap("INBOX")
    with world.at_bob.imap("INBOX") as imap:
        checks.ok("what is kept for ever", b"\\*" in imap.response("PERMANENTFLAGS")[1][0]
            or b"\\Flagged" in imap.response("PERMANENTFLAGS")[1][0])
        must(imap.uid("STORE", str(uid), "+FLAGS", "(\\Seen \\Flagged $Forwarded blau)"))
        checks.equal("STORE +FLAGS", flags(imap, uid), {"\\Seen", "\\Flagged", "$Forwarded", "blau"})
        checks.ok("the page has it read", not world.bob.waits_for(marker)["unread"])
        starred = world.bob.json("search", "is:starred", marker)
        checks.ok("and starred", identity in str(starred), starred)
        checks.equal("another session sees the same", flags(other, uid), {"\\Seen", "\\Flagged", "$Forwarded", "blau"})
        must(other.uid("STORE", str(uid), "-FLAGS.SILENT", "(\\Seen BLAU)"))
        must(imap.noop())
        checks.equal("and what it changes is told here", flags(imap, uid), {"\\Flagged", "$Forwarded"})
        checks.ok("unread again, for the page too", until(lambda: world.bob.waits_for(marker)["unread"]))
        must(imap.uid("STORE", str(uid), "FLAGS", "(\\Answered)"))
        checks.equal("STORE FLAGS", flags(imap, uid), {"\\Answered"})
        pop = world.at_bob.pop()
        number = next(number for number, line in enumerate(pop.uidl()[1], 1) if line.split()[1].decode() == identity)
        pop.retr(number)
        pop.quit()
        checks.ok("what POP3 has read is seen here", until(lambda: "\\Seen" in flags(imap, uid)))
        before = item(imap, uid, "MODSEQ")[0]
        must(imap.uid("STORE", str(uid), "+FLAGS", "(\\Flagged)"))
        checks.ok("the mod-sequence grows", item(imap, uid, "MODSEQ")[0] > before)
        changed = imap.uid("FETCH", "1:*", f"(FLAGS) (CHANGEDSINCE {before})")[1]
        checks.equal("CHANGEDSINCE has it alone", [row[b"UID"] for row in responses(changed)], [uid])
        word, data = imap.uid("STORE", str(uid), f"(UNCHANGEDSINCE {before})", "+FLAGS", "(gelb)")
        checks.ok("UNCHANGEDSINCE leaves alone what was changed", "gelb" not in flags(imap, uid), data)
    must(other.select("INBOX", True))
    checks.ok("EXAMINE lets nothing be changed", refusal(other.uid, "STORE", str(uid), "+FLAGS", "(\\Seen)") != "")
    other.logout()


def basics_search(checks, world):
    needle = token()
    marker, message = world.brings(world.bob.address, body=f"straw\n{needle} learn{needle}\n")
    uid = world.at_bob.uid_of(marker)
    with world.at_bob.imap("INBOX") as imap:
        def search(*words):
            return [int(word) for word in must(imap.uid("SEARCH", *words))[0].split()]

        everything = search("ALL")
        checks.ok("ALL ascends", uid in everything and everything == sorted(everything), everything)
        identity = re.search(rb"Message-ID: (\S+)", message)[1].decode()
        for words in (("SUBJECT", marker), ("FROM", "alice", "SUBJECT", marker), ("TEXT", needle), ("BODY", needle),
                      ("UID", str(uid)), ("UNSEEN", "SUBJECT", marker), ("HEADER", "Message-ID", identity),
                      ("OR", "SUBJECT", marker, "SUBJECT", "nothing"), ("SENTON", "23-Nov-2026", "SUBJECT", marker),
                      ("NOT", "SEEN", "BODY", needle), ("LARGER", "20", "BODY", needle), ("CHARSET", "UTF-8", "BODY", needle),
                      # Of a text the index knows words and their beginnings; of a field, any part is looked for.
                      ("BODY", f"learn{needle[:5]}"), ("TEXT", needle[:15]), ("SUBJECT", marker[1:15])):
            found = until(lambda: search(*words), 10)
            checks.equal(f"SEARCH {' '.join(words[:2])}", found, [uid])
        for words in (("SUBJECT", needle), ("SEEN", "BODY", needle), ("SENTBEFORE", "23-Nov-2026", "SUBJECT", marker),
                      ("SMALLER", "20"), ("KEYWORD", "nothing"), ("TO", "nobody"), ("BODY", f"arn{needle}"),
                      ("BODY", needle[1:]), ("TEXT", needle[3:15])):
            checks.equal(f"SEARCH {' '.join(words[:2])} finds nothing", search(*words), [])
        # The page and `search` ask the same index, with * for the beginning of a word.
        for word in (needle, needle[:15], f"learn{needle[:5]}", f"arn{needle}", needle[1:], needle[3:15]):
            found = world.bob.json("search", f"{word}*")["results"]
            checks.equal(f"TEXT {word} finds what `search` does", search("TEXT", word), [uid] if found else [])
        number = int(imap.search(None, "SUBJECT", marker)[1][0])
        checks.equal("without UID it says numbers", item_by_number(imap, number), uid)
        words = refusal(imap.uid, "SEARCH", "CHARSET", "KOI8-R", "BODY", "x")
        checks.ok("an unknown charset: [BADCHARSET]", "[BADCHARSET" in words, words)
        wire = world.at_bob.imap_wire()
        say(wire, "SELECT INBOX")
        wire.send(f"x UID SEARCH RETURN (MIN MAX COUNT ALL) SUBJECT {marker}\r\n")
        line = wire.line()
        checks.ok("ESEARCH", line.startswith(b'* ESEARCH (TAG "x") UID') and b"COUNT 1" in line
            and f"ALL {uid}".encode() in line, line)
        wire.line()
        wire.send("y UID SORT (REVERSE ARRIVAL) UTF-8 ALL\r\n")
        line = wire.line()
        dates = {number: time.mktime(imaplib.Internaldate2tuple(b'INTERNALDATE "%s"' % items[b"INTERNALDATE"]))
            for number, items in rows(imap, "INTERNALDATE")}
        # RFC 5256: those of the same second are in the order of the mailbox, though it is reversed.
        checks.equal("SORT by arrival, the newest first", [int(word) for word in line.split()[2:]],
            sorted(dates, key=lambda number: (-dates[number], number)))
        wire.line()
        wire.send("z UID THREAD REFERENCES UTF-8 ALL\r\n")
        line = wire.line()
        checks.equal("THREAD has all of them", sorted(map(int, re.findall(rb"\d+", line))), everything)


def item_by_number(imap, number):
    return fetched(must(imap.fetch(str(number), "(UID)")))[b"UID"]


def basics_move(checks, world):
    marker, _ = world.brings(world.bob.address)
    in_group, _ = world.brings(BOARD)
    at_bob = world.at_bob
    for subject, home, elsewhere, ways in ((marker, "INBOX", "Groups/board", ("Archive", "Trash", "INBOX")),
                                           (in_group, "Groups/board", "INBOX", ("Trash", "Archive", "Groups/board"))):
        identity = world.bob.waits_for(subject)["id"]
        octets = next(octets for _, octets in at_bob.whole(home) if subject.encode() in octets)
        uid = at_bob.uid_of(subject, home)
        place = home
        for target in ways:
            with at_bob.imap(place) as imap:
                data = must(imap.uid("MOVE", str(at_bob.uid_of(subject, place)), target))
                said = imap.response("COPYUID")[1]
                checks.equal(f"MOVE from {place} to {target} takes it away",
                    [row for row in rows(imap, "ENVELOPE") if subject in str(row)], [])
            new = at_bob.uid_of(subject, target)
            checks.ok(f"and puts it into {target} under a higher unique id", new and new > uid, (new, uid, data))
            checks.ok("which COPYUID has said", said and said[-1] and said[-1].split()[-1] == str(new).encode(), said)
            checks.equal(f"in {target} it is the same octet for octet",
                next(octets for number, octets in at_bob.whole(target) if number == new), octets)
            listed = identity in [row["id"] for row in world.bob.list()]
            checks.equal(f"list has it unless it is in Trash ({target})", listed, target != "Trash")
            where = {"Archive": "in:archive", "Trash": "in:trash"}.get(target)
            if where:
                checks.ok(f"and a search {where} finds it", identity in str(world.bob.json("search", where, subject)))
            uid, place = new, target
        with at_bob.imap(home) as imap:
            for target in (elsewhere, "Sent", "Drafts", "Outbox", home):
                words = refusal(imap.uid, "MOVE", str(uid), target)
                checks.ok(f"no MOVE from {home} to {target}", words.startswith("NO ["), words)
            for target in (elsewhere, "Sent", "Drafts", "Outbox"):
                words = refusal(imap.uid, "COPY", str(uid), target)
                checks.ok(f"no COPY from {home} to {target}", words.startswith("NO ["), words)
            words = refusal(imap.uid, "COPY", str(uid), "Nowhere")
            checks.ok("no COPY to what is not there", words.startswith("NO [") and "TRYCREATE" not in words, words)
            checks.equal("all of which changes nothing", [row[0] for row in rows(imap, "UID", str(uid))], [uid])
    with at_bob.imap() as imap:
        for call in ((imap.create, "New"), (imap.create, "Groups/new"), (imap.create, "INBOX"), (imap.delete, "Groups/board"),
                     (imap.delete, "Trash"), (imap.delete, "Nowhere"), (imap.rename, "Groups/board", "Groups/other")):
            words = refusal(*call)
            checks.ok(f"no {call[0].__name__.upper()} of {call[1]}", words.startswith("NO ["), words)
        checks.equal("and all mailboxes are there", set(mailboxes(imap)), set(STANDING) | {"Groups/board"})


def basics_copy(checks, world):
    at_bob = world.at_bob
    for home, to in (("INBOX", world.bob.address), ("Groups/board", BOARD)):
        marker, _ = world.brings(to)
        uid, octets = next(row for row in at_bob.whole(home) if marker.encode() in row[1])
        for count, target in ((2, "Archive"), (3, home)):
            with at_bob.imap(home) as imap:
                must(imap.uid("COPY", str(uid), target))
                said = imap.response("COPYUID")[1]
                checks.ok(f"COPY from {home} to {target} leaves it", rows(imap, "FLAGS", str(uid)))
            found = [number for number, text in at_bob.whole(target) if text == octets and number != uid]
            checks.equal("and makes one more of the same octets", len(found), 1)
            checks.ok("which COPYUID has said", said and said[-1] and said[-1].split()[-1] == str(found[0]).encode(), said)
            listed = world.bob.find(marker)
            checks.equal(f"which is message {count} in list", (len(listed), len({row["id"] for row in listed})), (count, count))


def basics_expunge(checks, world):
    subjects = [world.brings(BOARD)[0] for _ in range(3)]
    identities = [world.bob.waits_for(subject)["id"] for subject in subjects]
    at_bob = world.at_bob
    uids = [at_bob.uid_of(subject, "Groups/board") for subject in subjects]
    checks.ok("unique ids ascend with what comes", uids == sorted(set(uids)), uids)
    with at_bob.imap("Groups/board") as imap:
        must(imap.uid("STORE", ",".join(map(str, uids[:2])), "+FLAGS.SILENT", "(\\Deleted)"))
        checks.ok("\\Deleted alone leaves them listed", identities[0] in [row["id"] for row in world.bob.list()])
        must(imap.uid("EXPUNGE", str(uids[0])))
        left = [uid for uid, _ in rows(imap, "FLAGS")]
        checks.ok("UID EXPUNGE takes the one that is named", uids[0] not in left and uids[1] in left, left)
        must(imap.expunge())
        left = [uid for uid, _ in rows(imap, "FLAGS")]
        checks.ok("EXPUNGE takes the rest that is marked", uids[1] not in left and uids[2] in left, left)
    listed = [row["id"] for row in world.bob.list()]
    checks.equal("what was expunged is listed no more", [identity in listed for identity in identities], [False, False, True])
    found = [at_bob.uid_of(subject, "Trash") for subject in subjects]
    checks.ok("but it is in Trash", found[0] and found[1] and not found[2], found)
    checks.equal("and can be shown", world.bob.cli("show", identities[0]).code, 0)
    with at_bob.imap("Trash") as imap:
        checks.ok("unmarked there", "\\Deleted" not in flags(imap, found[0]))
        must(imap.uid("STORE", str(found[0]), "+FLAGS", "(\\Deleted)"))
        must(imap.expunge())
        left = [uid for uid, _ in rows(imap, "FLAGS")]
        checks.ok("EXPUNGE in Trash takes what is marked", found[0] not in left and found[1] in left, left)
    checks.equal("and erases it for ever", [world.bob.cli("show", identity).code for identity in identities[:2]], [67, 0])
    with at_bob.imap("Trash") as imap:
        must(imap.uid("STORE", str(found[1]), "+FLAGS", "(\\Deleted)"))
        must(imap.close())
    checks.equal("CLOSE expunges as well", world.bob.cli("show", identities[1]).code, 67)


def basics_append(checks, world):
    at_bob = world.at_bob
    marker = token()
    draft = canonical((f"From: Bob <{world.bob.address}>\nTo: <{world.alice.address}>\nSubject: {marker}\n"
        "X-Odd:   kept \n\tas it is\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
        "Content-Transfer-Encoding: 8bit\n\ntrailing  \näöü\n").encode())
    with at_bob.imap() as imap:
        said = must(imap.append("Drafts", "(\\Draft \\Flagged)", '"23-Nov-2026 12:00:00 +0000"', draft))[0]
    uid = at_bob.uid_of(marker, "Drafts")
    checks.ok("APPENDUID names it", re.search(rb"\[APPENDUID \d+ %d\]" % (uid or 0), said), said)
    found = [octets for number, octets in at_bob.whole("Drafts") if number == uid]
    checks.equal("a draft comes out byte for byte", found, [draft])
    with at_bob.imap("Drafts") as imap:
        checks.ok("with its flags", {"\\Draft", "\\Flagged"} <= flags(imap, uid), flags(imap, uid))
        must(imap.uid("STORE", str(uid), "+FLAGS", "(\\Deleted)"))
        must(imap.expunge())
        checks.equal("EXPUNGE discards it", rows(imap, "FLAGS", str(uid)), [])
        for name in ("INBOX", "Groups/board", "Trash", "Archive", "Outbox", "Nowhere"):
            words = refusal(imap.append, name, None, None, draft)
            checks.ok(f"no APPEND to {name}", words.startswith("NO ["), words)
    marker = token()
    message = letter(world.bob.address, world.alice.address, marker, "sent and appended\n")
    checks.equal("SMTP takes it", at_bob.send(message, world.alice.address)[0], 250)
    until(lambda: world.bob.waits_for(marker)["state"] == "sent")
    with at_bob.imap() as imap:
        must(imap.append("Sent", "(\\Seen)", None, message))
        must(imap.append("Sent", "(\\Seen)", None, message))
    found = [octets for _, octets in at_bob.whole("Sent") if marker.encode() in octets]
    checks.equal("a copy of what was sent is not doubled in Sent", len(found), 1)
    checks.equal("nor in list", len(world.bob.find(marker)), 1)
    other = letter(world.bob.address, "somebody@example.org", token(), "by another way\n")
    with at_bob.imap() as imap:
        must(imap.append("Sent", "(\\Seen \\Answered)", '"01-Feb-2020 03:04:05 +0100"', other))
        must(imap.append("Sent", "(\\Seen)", None, other))
    found = [(uid, octets) for uid, octets in at_bob.whole("Sent") if octets == other]
    checks.equal("what was sent by another way is there once, byte for byte", len(found), 1)
    with at_bob.imap("Sent", True) as imap:
        checks.ok("with its flags", {"\\Seen", "\\Answered"} <= flags(imap, found[0][0]))
        checks.equal("and its date", item(imap, found[0][0], "INTERNALDATE"), b"01-Feb-2020 02:04:05 +0000")


def basics_idle(checks, world):
    wire = world.at_bob.imap_wire()
    say(wire, "SELECT INBOX")
    wire.send("i IDLE\r\n")
    checks.ok("IDLE begins", wire.line().startswith(b"+"))
    began = time.monotonic()
    marker, _ = world.brings(world.bob.address)
    line = wire.line()
    took = time.monotonic() - began
    checks.ok(f"a message is told within seconds ({took:.1f} s)", re.fullmatch(rb"\* \d+ EXISTS", line) and took < 5, line)
    uid = world.at_bob.uid_of(marker)
    with world.at_bob.imap("INBOX") as imap:
        must(imap.uid("STORE", str(uid), "+FLAGS", "(\\Flagged)"))
    line = wire.line()
    checks.ok("so is a flag", b"FETCH" in line and b"\\Flagged" in line, line)
    with world.at_bob.imap("INBOX") as imap:
        must(imap.uid("MOVE", str(uid), "Trash"))
    line = wire.line()
    checks.ok("so is what goes", re.fullmatch(rb"\* \d+ EXPUNGE", line), line)
    wire.send("DONE\r\n")
    checks.ok("DONE ends it", answer(wire, b"i").startswith(b"OK"))
    checks.ok("and commands go on", say(wire, "NOOP").startswith(b"OK"))


def basics_outlives(checks, world):
    """Numbers, flags and what is subscribed to stay over a lock and over a restart."""
    marked = []
    for home, words in (("INBOX", "\\Seen \\Flagged blau"), ("INBOX", "\\Deleted $Forwarded"),
                        ("Groups/board", "\\Answered $Junk gelb"), ("Groups/board", "")):
        marker, _ = world.brings(world.bob.address if home == "INBOX" else BOARD)
        uid = world.at_bob.uid_of(marker, home)
        with world.at_bob.imap(home) as imap:
            must(imap.uid("STORE", str(uid), "FLAGS", f"({words})"))
        marked.append((home, uid, sorted(words.encode().split())))

    def subscribed():
        with world.at_bob.imap() as imap:
            return b" ".join(must(imap.lsub('""', "*")))

    with world.at_bob.imap() as imap:
        must(imap.unsubscribe("Groups/board"))
    before = world.at_bob.map()
    for home, uid, words in marked:
        checks.equal(f"one has {b' '.join(words).decode()}", [row[2] for row in before[home] if row[0] == uid], [words])
    checks.equal("one UIDVALIDITY", len({str(value) for name, value in before.items() if "UIDVALIDITY" in name}), 1)
    world.bob.lock()
    until(lambda: world.bob.status() is not None)
    world.bob.unlock()
    checks.equal("after a lock and an unlock all numbers and flags are the same", world.at_bob.map(), before)
    checks.ok("and UNSUBSCRIBE is kept", b"INBOX" in subscribed() and b"Groups/board" not in subscribed(), subscribed())
    world.bob.stop()
    world.bob.start()
    world.bob.unlock()
    checks.equal("and after a restart", world.at_bob.map(), before)
    checks.ok("and UNSUBSCRIBE as well", b"INBOX" in subscribed() and b"Groups/board" not in subscribed(), subscribed())
    with world.at_bob.imap() as imap:
        must(imap.subscribe("Groups/board"))
    highest = max(uid for name, found in before.items() if "UID" not in name for uid, _, _ in found)
    marker, _ = world.brings(world.bob.address)
    checks.ok("what comes then has a higher one", world.at_bob.uid_of(marker) > highest)


# MARK: the corpus

def corpus(checks, world):
    if not requires_corpus(checks, "the corpus by IMAP"):
        return
    messages = world.deliver_corpus()
    checks.equal("the corpus has 107 messages", len(messages), 107)
    whole = world.at_alice.whole("INBOX")
    checks.equal("as many come out as went in", len(whole), len(messages))
    wrong = [name for (name, message), (_, octets) in zip(messages, whole) if octets != message]
    checks.equal(f"{len(messages)} messages come out byte for byte, in order", wrong, [])
    with world.at_alice.imap("INBOX", True) as imap:
        sizes = [items[b"RFC822.SIZE"] for _, items in rows(imap, "RFC822.SIZE")]
        checks.equal("RFC822.SIZE has their octets", sizes, [len(octets) for _, octets in whole])
        complaints = structure.compare(imap, [message for _, message in messages])
    checks.ok(f"ENVELOPE, BODYSTRUCTURE and all parts agree with Python's email ({complaints.compared} comparisons)",
        not complaints and complaints.compared > 4500, "\n".join([f"{len(complaints)} differ", *complaints[:20]]))


PARTS = [basics_login, basics_list, basics_fetch, basics_flags, basics_search, basics_move, basics_copy, basics_expunge,
         basics_append, basics_idle, basics_outlives, corpus]


if __name__ == "__main__":
    drive("imap", PARTS)
