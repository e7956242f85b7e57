#!/usr/bin/env python3
"""The agent's IMAP with mail programs that others wrote: Python's imaplib, mbsync, offlineimap and curl, with every message of
the corpus, and with clients that are none.

usage: imap.py [PART...]     only the parts whose name contains one of the words
"""
import concurrent.futures
import email
import email.policy
import glob
import imaplib
import os
import re
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import gateway
import nodekit
import structure
from gateway import ADDED, without
from nodekit import DOMAIN, Agent, Node, Wire, canonical, letter, path, requires, run, token, until, write
from structure import fetched

BOARD = f"board@{DOMAIN}"
STANDING = {"INBOX": None, "Drafts": "\\Drafts", "Sent": "\\Sent", "Outbox": None, "Archive": "\\Archive", "Trash": "\\Trash"}


class Client(gateway.Client):
    """A mail program that speaks IMAP, too."""

    def __init__(self, agent):
        super().__init__(agent)
        self.imap_port = next(row["port"] for row in agent.json("gateway", "show")["listeners"] if row["protocol"] == "imap")

    def imap(self, mailbox=None, readonly=False, user=None, password=None):
        imap = imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=60)
        try:
            imap.login(user or self.user, password or self.password)
            if mailbox:
                must(imap.select(mailbox, readonly))
        except BaseException:
            imap.shutdown()
            raise
        return imap

    def wire(self, login=True):
        """The same by hand, greeted and logged in."""
        wire = Wire(self.imap_port)
        assert wire.line().startswith(b"* OK [CAPABILITY "), "no greeting"
        if login:
            reply = say(wire, f'LOGIN {self.user} "{self.password}"')
            assert reply.startswith(b"OK"), reply
        return wire

    def uid_of(self, marker, mailbox="INBOX"):
        """The unique id of the message with that word in its subject, or None."""
        with self.imap(mailbox, True) as imap:
            return next((uid for uid, items in rows(imap, "ENVELOPE") if marker in str(items[b"ENVELOPE"][1])), None)

    def whole(self, mailbox):
        """(unique id, octets) of all its messages."""
        with self.imap(mailbox, True) as imap:
            return [(uid, items[b"BODY[]"]) for uid, items in rows(imap, "BODY.PEEK[]")]

    def map(self):
        """Unique ids and sizes of everything, by mailbox; and UIDVALIDITY."""
        found = {}
        with self.imap() as imap:
            for name in mailboxes(imap):
                must(imap.select(quoted(name), True))
                found[name] = [(uid, items[b"RFC822.SIZE"]) for uid, items in rows(imap, "RFC822.SIZE")]
                found[name + " UIDVALIDITY"] = imap.response("UIDVALIDITY")[1]
        return found


class World:
    def __init__(self):
        self.node = Node(limits='logins_per_minute = 10000\nconnections_per_ip = 60\nmessage_size = "8MiB"').init().start()
        self.carol = self.node.add_ordinary("carol")
        self.node.must("group", "add", "board")
        self.alice, self.bob = Agent("alice"), Agent("bob")
        invites = [self.node.invite(agent.name, ["board"]) for agent in (self.alice, self.bob)]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(self.settle, (self.alice, self.bob), invites))
        self.at_alice, self.at_bob = Client(self.alice), Client(self.bob)
        self.delivered = False

    def settle(self, agent, invite):
        agent.join(invite)
        agent.start()
        agent.unlock()

    def brings(self, *recipients, subject=None, body="hello\n", to=None):
        """Sends a message from alice and waits until bob has it; its subject and its octets."""
        marker = subject or token()
        message = letter(self.alice.address, to or recipients[0], marker, body)
        code, text = self.at_alice.send(message, *recipients)
        assert code == 250, text
        self.bob.waits_for(marker)
        return marker, message


# MARK: imaplib

def must(answer):
    """The data of an answer that is OK."""
    word, data = answer
    assert word == "OK", f"{word} {data}"
    return data


def quoted(name):
    return f'"{name}"'


def responses(data):
    """The responses that imaplib has run together."""
    found = []
    for part in data or []:
        if part is None:
            continue
        found.append(part)
        if not isinstance(part, tuple):
            yield fetched(found)
            found = []


def rows(imap, items, uids="1:*"):
    """(unique id, items) of messages of the selected mailbox."""
    found = responses(must(imap.uid("FETCH", uids, f"(UID {items})")))
    return [(row[b"UID"], row) for row in found if b"UID" in row]


def item(imap, uid, name):
    """One item of one message."""
    found = dict(rows(imap, name, str(uid)))
    return found[uid][re.sub(r"\.PEEK|<(\d+)\.\d+>", lambda match: f"<{match[1]}>" if match[1] else "", name).encode()]


def flags(imap, uid):
    return {flag.decode() for flag in item(imap, uid, "FLAGS")}


def mailboxes(imap, *arguments):
    """Attributes by name of what can be selected."""
    found = {}
    for line in must(imap.list(*arguments)):
        match = re.fullmatch(rb'\(([^)]*)\) "/" "?([^"]*)"?', line)
        words = set(match[1].decode().split())
        if "\\Noselect" not in words and "\\NonExistent" not in words:
            found[match[2].decode()] = words
    return found


def refusal(call, *arguments):
    """The words of what is answered with NO or BAD, or nothing."""
    try:
        word, data = call(*arguments)
    except imaplib.IMAP4.error as problem:
        return str(problem.args[0].decode() if isinstance(problem.args[0], bytes) else problem)
    return "" if word == "OK" else f"{word} {data[-1].decode()}"


def say(wire, command):
    """Sends a command by hand; the words behind its tag."""
    wire.send(b"t " + (command if isinstance(command, bytes) else command.encode()) + b"\r\n")
    return answer(wire)


def answer(wire, tag=b"t"):
    while True:
        line = wire.line()
        if line.startswith(tag + b" ") or not line:
            return line[len(tag) + 1:]


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
    wire = at_bob.wire()
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
        wire = world.at_bob.wire()
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
    marker, message = world.brings(world.bob.address, body=f"straw\n{needle} straw\n")
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
                      ("NOT", "SEEN", "BODY", needle), ("LARGER", "20", "BODY", needle), ("CHARSET", "UTF-8", "BODY", needle)):
            found = until(lambda: search(*words), 10)
            checks.equal(f"SEARCH {' '.join(words[:2])}", found, [uid])
        for words in (("SUBJECT", needle), ("SEEN", "BODY", needle), ("SENTBEFORE", "23-Nov-2026", "SUBJECT", marker),
                      ("SMALLER", "20"), ("KEYWORD", "nothing"), ("TO", "nobody")):
            checks.equal(f"SEARCH {' '.join(words[:2])} finds nothing", search(*words), [])
        number = int(imap.search(None, "SUBJECT", marker)[1][0])
        checks.equal("without UID it says numbers", item_by_number(imap, number), uid)
        words = refusal(imap.uid, "SEARCH", "CHARSET", "KOI8-R", "BODY", "x")
        checks.ok("an unknown charset: [BADCHARSET]", "[BADCHARSET" in words, words)
        wire = world.at_bob.wire()
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
    wire = world.at_bob.wire()
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


def basics_numbers_stay(checks, world):
    before = world.at_bob.map()
    checks.ok("there is something to look at", len(before["INBOX"]) > 3 and len(before["Groups/board"]) > 1, before)
    checks.equal("one UIDVALIDITY", len({str(value) for name, value in before.items() if "UIDVALIDITY" in name}), 1)
    world.bob.lock()
    until(lambda: world.bob.status() is not None)
    world.bob.unlock()
    checks.equal("after a lock and an unlock all numbers are the same", world.at_bob.map(), before)
    world.bob.stop()
    world.bob.start()
    world.bob.unlock()
    checks.equal("and after a restart", world.at_bob.map(), before)
    highest = max(uid for name, found in before.items() if "UID" not in name for uid, _ in found)
    marker, _ = world.brings(world.bob.address)
    checks.ok("what comes then has a higher one", world.at_bob.uid_of(marker) > highest)


# MARK: the corpus

def originals():
    """(name, octets) of the corpus, with CRLF line ends. A lone CR ends a line for whoever makes mail canonical."""
    names = sorted(glob.glob(nodekit.CORPUS + "/*/*.eml")) if nodekit.CORPUS else []
    return [(os.path.basename(name), canonical(re.sub(rb"\r(?!\n)", b"\r\n", open(name, "rb").read()))) for name in names]


def deliver_corpus(world):
    """Has the corpus in alice's INBOX, and nothing else; the octets."""
    messages = originals()
    if world.delivered:
        return messages
    # Whatever came before goes out of the way.
    with world.at_alice.imap("INBOX") as imap:
        if must(imap.search(None, "ALL"))[0]:
            must(imap.uid("MOVE", "1:*", "Archive"))
    smtp = world.carol.smtp()
    for name, message in messages:
        smtp.mail(world.carol.address, ["BODY=8BITMIME"])
        smtp.rcpt(world.alice.address)
        code, text = smtp.data(message)
        assert code == 250, (name, text)
    smtp.quit()
    world.alice.must("fetch")
    until(lambda: count(world.at_alice) >= len(messages), pause=0.2)
    world.delivered = True
    return messages


def count(client, mailbox="INBOX"):
    with client.imap(mailbox, True) as imap:
        return len(must(imap.search(None, "ALL"))[0].split())


def corpus(checks, world):
    messages = deliver_corpus(world)
    if not messages:
        return checks.skip("the mail corpus", "../shared/corpus/mail is not there")
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


# MARK: real programs

def maildir(*names):
    """(file, octets with CRLF) of one Maildir, without what programs add for themselves."""
    found = []
    for name in sorted(glob.glob(os.path.join(*names, "cur", "*")) + glob.glob(os.path.join(*names, "new", "*"))):
        with open(name, "rb") as file:
            found.append((name, without(canonical(file.read()), b"X-TUID")))
    return found


def listing(folder):
    """What is below a folder, file by file."""
    return {name: open(name, "rb").read() for name in nodekit.below(folder) if "/cur/" in name or "/new/" in name}


def example(of):
    """An example of the manual page."""
    with open(os.path.join(nodekit.ROOT, "man/ddsnode-gateway.7")) as file:
        text = file.read()
    return text[text.index(f".Ss {of}\n"):].split("indent\n", 1)[1].split(".Ed\n", 1)[0]


def mark(name, letters):
    """The same file with other flags of Maildir."""
    base = os.path.join(os.path.dirname(os.path.dirname(name)), "cur", os.path.basename(name).split(":2,")[0])
    os.rename(name, f"{base}:2,{letters}")


def mbsync(checks, world):
    if not requires(checks, "mbsync", "mbsync"):
        return
    messages = [message for _, message in deliver_corpus(world)]
    at_alice, top = world.at_alice, path("mbsync", "mail", "")
    subject = token()
    world.brings(world.bob.address, subject=subject)
    until(lambda: world.alice.waits_for(subject)["state"] == "sent")
    secret = write(path("mbsync", "password"), at_alice.password + "\n")
    text = example("mbsync").replace("~/.config/ddsnode/app-password", secret).replace("~/mail/node/", top)
    text = text.replace("Port 1143", f"Port {at_alice.imap_port}").replace("User bob", f"User {at_alice.user}")
    # TLSType is SSLType before isync 1.5; and what is deleted is to go away.
    text = text.replace("TLSType", "SSLType") + ("" if "Expunge" in text else "Expunge Both\n")
    config = write(path("mbsync", "rc"), text)

    def sync():
        return run("mbsync", "-c", config, "node", env=dict(os.environ, HOME=path("mbsync", "home")))

    done = sync()
    if not checks.ok("mbsync syncs with the configuration of the manual page", done.code == 0, done.all):
        return
    for name in STANDING:
        wanted = sorted(octets for _, octets in at_alice.whole(name))
        found = sorted(octets for _, octets in maildir(top, name))
        checks.equal(f"{name} is there byte for byte ({len(wanted)})", found, wanted)
    checks.ok("among them the corpus", set(messages) <= {octets for _, octets in maildir(top, "INBOX")})
    checks.ok("and what was sent", any(subject.encode() in octets for _, octets in maildir(top, "Sent")))
    before, there = listing(top), at_alice.map()
    done = sync()
    checks.ok("a second run has nothing to do", done.code == 0, done.all)
    checks.ok("and changes nothing here", listing(top) == before)
    checks.equal("nor there", at_alice.map(), there)

    (first, first_octets), (second, second_octets), (third, third_octets), (_, fourth_octets) = maildir(top, "INBOX")[:4]
    uids = {octets: uid for uid, octets in at_alice.whole("INBOX")}
    mark(first, "FS")
    mark(third, "ST")
    with at_alice.imap("INBOX") as imap:
        must(imap.uid("STORE", str(uids[second_octets]), "+FLAGS", "(\\Answered \\Seen)"))
        must(imap.uid("STORE", str(uids[fourth_octets]), "+FLAGS", "(\\Deleted)"))
        must(imap.uid("EXPUNGE", str(uids[fourth_octets])))
    draft = letter(world.alice.address, world.bob.address, token(), "in the making\n")
    write(os.path.join(top, "Drafts", "new", "1.a.b"), draft.replace(b"\r\n", b"\n"))
    done = sync()
    checks.ok("mbsync carries changes of both sides", done.code == 0, done.all)
    with at_alice.imap("INBOX") as imap:
        checks.equal("a flag has come here", flags(imap, uids[first_octets]), {"\\Flagged", "\\Seen"})
        checks.equal("a message deleted in the Maildir is gone here", rows(imap, "FLAGS", str(uids[third_octets])), [])
    checks.ok("and lies in Trash", third_octets in [octets for _, octets in at_alice.whole("Trash")])
    local = {octets: os.path.basename(name) for name, octets in maildir(top, "INBOX")}
    checks.ok("a flag has gone there", local[second_octets].endswith(":2,RS"), local[second_octets])
    checks.ok("both deleted messages are gone there", third_octets not in local and fourth_octets not in local)
    checks.ok("a draft of the Maildir is here", draft in [without(octets, b"X-TUID") for _, octets in at_alice.whole("Drafts")])
    done = sync()
    checks.ok("Trash has followed by the next run", done.code == 0
        and {third_octets, fourth_octets} <= {octets for _, octets in maildir(top, "Trash")}, done.all)
    before, there = listing(top), at_alice.map()
    done = sync()
    checks.ok("and then nothing changes any more",
        done.code == 0 and listing(top) == before and at_alice.map() == there, done.all)


def by_python(octets):
    """A message after Python's email, with the policy of offlineimap."""
    rules = email.policy.default.clone(cte_type="8bit", utf8=True, refold_source="none")
    try:
        return canonical(email.message_from_bytes(octets, policy=rules.clone(linesep="\r\n")).as_bytes(policy=rules))
    except (LookupError, UnicodeError, ValueError, AttributeError, KeyError):
        return None


def offlineimap(checks, world):
    if not requires(checks, "offlineimap", "offlineimap"):
        return
    deliver_corpus(world)
    at_alice, top = world.at_alice, path("offlineimap", "mail")
    config = write(path("offlineimap", "rc"), f"""\
[general]
accounts = alice
metadata = {path("offlineimap", "state")}
ui = basic
[Account alice]
localrepository = local
remoterepository = remote
[Repository local]
type = Maildir
localfolders = {top}
sep = /
[Repository remote]
type = IMAP
remotehost = 127.0.0.1
remoteport = {at_alice.imap_port}
remoteuser = {at_alice.user}
remotepass = {at_alice.password}
ssl = no
starttls = no
auth_mechanisms = PLAIN
createfolders = no
""")

    def sync():
        return run("offlineimap", "-c", config, "-o", "-1", env=dict(os.environ, HOME=path("offlineimap", "home")))

    done = sync()
    if not checks.ok("offlineimap syncs", done.code == 0 and "ERROR" not in done.all, done.all[-1500:]):
        return
    for name in STANDING:
        here = [without(octets, b"X-TUID") for _, octets in at_alice.whole(name)]
        there = [octets for _, octets in maildir(top, name)]
        checks.equal(f"offlineimap has as many messages in {name}", len(there), len(here))
        # It writes what Python's email makes of a message, and that is not always what it was.
        kept = [octets for octets in here if by_python(octets) == octets]
        checks.equal(f"byte for byte those {len(kept)} that Python keeps so", [row for row in kept if row not in there], [])
        changed = [by_python(octets) for octets in here if by_python(octets) != octets]
        checks.equal(f"and {len(changed)} as Python writes them", [row for row in changed if row not in there], [])
    uid, octets = next(row for row in at_alice.whole("INBOX") if by_python(row[1]) == row[1])
    name = next(name for name, there in maildir(top, "INBOX") if there == octets)
    mark(name, "FS")
    before = at_alice.map()
    done = sync()
    with at_alice.imap("INBOX", True) as imap:
        checks.ok("a flag comes here", {"\\Flagged", "\\Seen"} <= flags(imap, uid), done.all[-1500:])
    checks.equal("and no message, nor does any go", at_alice.map(), before)


def curl(checks, world):
    at_bob = world.at_bob
    marker, message = world.brings(world.bob.address, body="by curl\n\nend  \n")
    uid = at_bob.uid_of(marker)
    login = write(path("bob", "curlrc"), f'user = "{at_bob.user}:{at_bob.password}"\n')
    url = f"imap://127.0.0.1:{at_bob.imap_port}/"
    done = run("curl", "-sS", "-K", login, url)
    checks.ok("curl lists", done.code == 0 and "Groups/board" in done.text and "INBOX" in done.text, done.all)
    done = run("curl", "-sS", "-K", login, f"{url}INBOX;UID={uid}")
    checks.equal("curl fetches one byte for byte", without(done.out, *ADDED), message)
    done = run("curl", "-sS", "-K", login, f"{url}INBOX?SUBJECT%20{marker}")
    checks.ok("curl searches", re.search(r"^\* SEARCH \d+\r?$", done.text, re.M), done.all)
    done = run("curl", "-sS", "-K", login, f"{url}Groups/board;UID=4000000000")
    checks.ok("curl says that there is no such message", done.code == 78, done.all)
    draft = letter(world.bob.address, world.alice.address, token(), "a draft by curl\n")
    done = run("curl", "-sS", "-K", login, "-T", write(path("bob", "draft.eml"), draft), f"{url}Drafts")
    checks.ok("curl appends a draft", done.code == 0 and draft in [octets for _, octets in at_bob.whole("Drafts")], done.all)
    done = run("curl", "-sS", "-u", "bob:wrong", url)
    checks.ok("curl shows that a password is wrong", done.code == 67, done.all)


# MARK: bytes

def bytes_before_login(checks, world):
    at_bob = world.at_bob
    wire = at_bob.wire(login=False)
    checks.equal("an empty line", ask(wire, b"\r\n"), b"* BAD Expected a tag")
    checks.ok("an unknown command", ask(wire, b"a FROBNICATE\r\n").startswith(b"a BAD "))
    checks.ok("one that needs a login", ask(wire, b"b SELECT INBOX\r\n").startswith(b"b BAD "))
    checks.ok("STARTTLS where there is none", ask(wire, b"c STARTTLS\r\n").startswith(b"c BAD "))
    checks.ok("a mechanism that is none", ask(wire, b"d AUTHENTICATE KERBEROS_V4\r\n").startswith(b"d NO ["))
    checks.equal("a SASL exchange", ask(wire, b"e AUTHENTICATE PLAIN\r\n"), b"+ ")
    checks.ok("given up", ask(wire, b"*\r\n").startswith(b"e BAD "))
    checks.ok("after all of which commands are taken", ask(wire, b"f ID NIL\r\n").startswith(b"* ID ("))
    wire = at_bob.wire(login=False)
    line = ask(wire, b"a LOGIN " + b"x" * 20000 + b"\r\n")
    checks.ok("an overlong line before the login", line.startswith(b"a BAD ") and b"8192" in line, line)
    line = ask(wire, b"b LOGIN {5000}\r\n")
    checks.ok("a literal too large before the login", line.startswith(b"b BAD [TOOBIG]"), line)
    line = ask(wire, b"c LOGIN {5000+}\r\n" + b"x" * 5000 + b" y\r\n")
    checks.ok("and one that does not wait", line.startswith(b"c BAD [TOOBIG]"), line)
    line = ask(wire, b"d NOOP\ne NOOP\r\n")
    checks.ok("LF alone ends nothing", line.startswith(b"d BAD ") and b"CR LF" in line, line)
    line = ask(wire, b"f NOOP\r \r\n")
    checks.ok("nor does CR", line.startswith(b"f BAD ") and b"CR LF" in line, line)
    checks.ok("literals that are small are fine", ask(wire, b"g LOGIN {3}\r\n").startswith(b"+ "))
    line = ask(wire, b'bob "' + at_bob.password.encode() + b'"\r\n')
    checks.ok("for the login", line.startswith(b"g OK "), line)
    wire = at_bob.wire(login=False)
    wire.send(b"a LOGIN {999999999999999+}\r\n" + b"x" * 300000)
    checks.ok("a literal without end is swallowed", wire.silent())
    wire.reset()
    request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 20 + b"\r\n"
    for name, noise in (("noise", os.urandom(100000)), ("lines of noise", b"\r\n".join(os.urandom(40) for _ in range(200))),
                        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500) + b"\r\n" * 20),
                        ("HTTP", request), ("line ends", b"\r\n" * 5000)):
        wire = at_bob.wire(login=False)
        lines = said(wire, noise)
        checks.ok(f"{name} gets BAD and at last BYE", all(re.match(rb"\S+ (BAD|NO|BYE) ", line) for line in lines)
            and len(lines) <= 12, lines[:3] + lines[-2:])
    wire = at_bob.wire(login=False)
    began = time.monotonic()
    for number in range(2):
        line = ask(wire, b'%d LOGIN bob "wrong"\r\n' % number)
        checks.ok("a failed login", line.startswith(b"%d NO [AUTHENTICATIONFAILED]" % number), line)
    checks.ok("each later than the one before", time.monotonic() - began > 2, time.monotonic() - began)


def ask(wire, data):
    wire.send(data)
    return wire.line()


def said(wire, data):
    """All lines to the end after this data and the end of input."""
    try:
        wire.send(data)
        wire.socket.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    octets = wire.pending
    try:
        while piece := wire.socket.recv(65536):
            octets += piece
    except ConnectionResetError:
        pass
    return octets.split(b"\r\n")[:-1]


DEEP = 15000
HOSTILE = {
    "negations": b"SEARCH " + b"NOT " * DEEP + b"ALL",
    "brackets": b"SEARCH " + b"(" * DEEP + b"ALL" + b")" * DEEP,
    "open brackets": b"SEARCH " + b"(" * 4 * DEEP,
    "alternatives": b"SEARCH " + b"OR " * 9000 + b"ALL " * 9000 + b"ALL",
    "a set that never ends": b"UID SEARCH " + b"1:4294967295," * 4000 + b"1",
    "everything again and again": b"FETCH " + b"1:*," * DEEP + b"1 (UID)",
    "the same piece again and again": b"FETCH 1 (" + b"BODY.PEEK[TEXT]<0.1> " * 3000 + b"UID)",
    "parts in parts": b"FETCH 1 (BODY.PEEK[" + b"1." * DEEP + b"1])",
    "a piece too far": b"FETCH 1 (BODY.PEEK[]<4294967295.4294967295>)",
    "a number too large": b"FETCH 99999999999999999999999 (UID)",
    "the number 0": b"FETCH 0 (UID)",
    "a wild pattern": b'LIST "" "' + b"*%a" * 9000 + b'"',
    "flags": b"STORE 1 +FLAGS (" + b" ".join(b"k%d" % number for number in range(9000)) + b")",
    "a flag that is long": b"STORE 1 +FLAGS (" + b"k" * 50000 + b")",
    "a system flag that is none": b"STORE 1 +FLAGS (\\Nonsense)",
    "a mailbox that is long": b"STATUS " + b"m" * 60000 + b" (MESSAGES)",
    "modified UTF-7 that is none": b'SELECT "&&&AAAA-&"',
    "8 bits": b"SELECT \xff\xfe\xfd",
    "NUL": b"SELECT \0\0",
    "a quoted string without end": b'SELECT "INBOX',
    "a date that is none": b"SEARCH BEFORE 99-Foo-0000",
    "nothing behind": b"FETCH",
    "all at once": b"FETCH 1:* ((((",
}


def bytes_after_login(checks, world):
    at_bob = world.at_bob
    login = f'LOGIN bob "{at_bob.password}"\r\n'.encode()
    wire = at_bob.wire(login=False)
    lines = said(wire, b"1 " + login + b"2 SELECT INBOX\r\n3 UID SEARCH ALL\r\n4 FETCH 1 (FLAGS BODY.PEEK[])\r\n"
        b"5 NOOP\r\n6 LOGOUT\r\n7 NOOP\r\n")
    tagged = [line.split()[:2] for line in lines if re.match(rb"\d (OK|NO|BAD) ", line)]
    checks.equal("everything in one packet is answered in order", tagged, [[b"%d" % number, b"OK"] for number in range(1, 7)])
    wire = at_bob.wire(login=False)
    for octet in b"1 " + login + b"2 LOGOUT\r\n":
        wire.send(bytes([octet]))
    checks.equal("so is what comes octet by octet", [line.split()[:2] for line in said(wire, b"")],
        [[b"1", b"OK"], [b"*", b"BYE"], [b"2", b"OK"]])
    wire = at_bob.wire()
    wire.send(b"a STATUS INBOX (MESSAGES)\r\n")
    wire.socket.shutdown(socket.SHUT_WR)
    checks.ok("who is half gone gets the answer", answer(wire, b"a").startswith(b"OK") and wire.closed())
    wire = at_bob.wire()
    say(wire, "SELECT INBOX")
    line = ask(wire, b"a SEARCH BODY " + b"x" * 70000 + b"\r\n")
    checks.ok("an overlong line", line.startswith(b"a BAD ") and b"65536" in line, line)
    line = ask(wire, b"b SEARCH BODY {70000}\r\n")
    checks.ok("a literal too large", line.startswith(b"b BAD [TOOBIG]"), line)
    line = ask(wire, b"c APPEND Drafts {99999999999}\r\n")
    checks.ok("a message too large, before it comes", line.startswith(b"c NO [TOOBIG]"), line)
    line = ask(wire, b"d APPEND Nowhere {10}\r\n")
    checks.ok("a message for nowhere, before it comes", line.startswith(b"d NO [NONEXISTENT]"), line)
    for name, command in HOSTILE.items():
        began = time.monotonic()
        wire.send(b"t NOOP\r\n")
        if not answer(wire).startswith(b"OK"):
            checks.ok("the session goes on", False, name)
            wire = at_bob.wire()
            say(wire, "SELECT INBOX")
        line = say(wire, command)
        took = time.monotonic() - began
        words = line[:40].decode(errors="replace")
        checks.ok(f"{name}: {words}", re.match(rb"(OK|NO|BAD) ", line) and took < 5, (line[:200], took))
    marker = token().encode()
    wire = at_bob.wire()
    checks.ok("APPEND begins", ask(wire, b"a APPEND Drafts {1000}\r\n").startswith(b"+"))
    wire.send(b"Subject: " + marker + b"\r\n\r\n")
    wire.reset()
    checks.equal("what is broken off is not kept", at_bob.uid_of(marker.decode(), "Drafts"), None)
    silent = [Wire(at_bob.imap_port) for _ in range(20)]
    with at_bob.imap("INBOX") as imap:
        checks.equal("twenty that say nothing are in nobody's way", imap.noop()[0], "OK")
    for wire in silent:
        wire.reset()
    idle = at_bob.wire()
    idle.send(b"i IDLE\r\n")
    idle.line()
    line = ask(idle, b"x NOOP\r\n")
    checks.ok("IDLE ends by DONE and nothing else", line.startswith(b"i BAD "), line)
    checks.ok("the agent runs", world.bob.running())


PARTS = [basics_login, basics_list, basics_fetch, basics_flags, basics_search, basics_move, basics_expunge, basics_append,
         basics_idle, basics_numbers_stay, corpus, mbsync, offlineimap, curl, bytes_before_login, bytes_after_login]


def main():
    words = sys.argv[1:]
    checks = nodekit.Checks("imap")
    world = World()
    for part in PARTS:
        if not words or any(word in part.__name__ for word in words):
            checks.part(part, world)
    for agent in (world.alice, world.bob):
        checks.ok(f"{agent.name}'s agent runs", agent.running(), agent.log_text()[-1500:])
        checks.equal(f"{agent.name} has no problems", agent.status()["problems"], [])
        checks.equal(f"{agent.name}'s agent stops in order", agent.stop(), 0)
    checks.finish()


if __name__ == "__main__":
    main()
