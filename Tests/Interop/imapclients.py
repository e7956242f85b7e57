#!/usr/bin/env python3
"""The agent's IMAP with programs that others wrote, mbsync, offlineimap and curl, and with clients that are none.

usage: imapclients.py [PART...]     only the parts whose name contains one of the words
"""
import email
import email.policy
import os
import re
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from mailclients import (ADDED, BOARD, STANDING, answer, drive, example, flags, maildir, must, requires_corpus, rows, say,
    without)
from nodekit import Wire, canonical, letter, path, requires, run, token, until, write


# MARK: real programs

def listing(folder):
    """What is below a folder, file by file."""
    return {name: open(name, "rb").read() for name in nodekit.below(folder) if "/cur/" in name or "/new/" in name}


def mark(name, letters):
    """The same file with other flags of Maildir."""
    base = os.path.join(os.path.dirname(os.path.dirname(name)), "cur", os.path.basename(name).split(":2,")[0])
    os.rename(name, f"{base}:2,{letters}")


def mbsync(checks, world):
    if not requires(checks, "mbsync", "mbsync") or not requires_corpus(checks, "mbsync"):
        return
    messages = [message for _, message in world.deliver_corpus()]
    at_alice, top = world.at_alice, path("mbsync", "mail", "")
    subject = token()
    world.brings(world.bob.address, subject=subject)
    until(lambda: world.alice.waits_for(subject)["state"] == "sent")
    to_group = letter(world.bob.address, BOARD, token(), "to the board\n")
    assert world.at_bob.send(to_group, BOARD)[0] == 250
    until(lambda: at_alice.whole("Groups/board"), pause=0.2)
    secret = write(path("mbsync", "password"), at_alice.password + "\n")
    # What the page says about TLS and about expunging is taken as it is.
    config = write(path("mbsync", "rc"), example("mbsync", ("Port 1143", f"Port {at_alice.imap_port}"),
        ("User bob", f"User {at_alice.user}"), ("~/.config/ddsnode/app-password", secret), ("~/mail/node/", top)))

    def sync():
        return run("mbsync", "-c", config, "node", env=dict(os.environ, HOME=path("mbsync", "home")))

    done = sync()
    if not checks.ok("mbsync syncs with the configuration of the manual page", done.code == 0, done.all):
        return
    for name in (*STANDING, "Groups/board"):
        wanted = sorted(octets for _, octets in at_alice.whole(name))
        found = sorted(octets for _, octets in maildir(top, name))
        checks.equal(f"{name} is there byte for byte ({len(wanted)})", found, wanted)
    checks.ok("among them the corpus", set(messages) <= {octets for _, octets in maildir(top, "INBOX")})
    checks.ok("and what was sent", any(subject.encode() in octets for _, octets in maildir(top, "Sent")))
    checks.ok("and what came to the group", to_group in [without(octets, *ADDED) for _, octets in maildir(top, "Groups/board")])
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
    if not requires(checks, "offlineimap", "offlineimap") or not requires_corpus(checks, "offlineimap"):
        return
    world.deliver_corpus()
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
    before = at_alice.map(with_flags=False)
    done = sync()
    with at_alice.imap("INBOX", True) as imap:
        checks.ok("a flag comes here", {"\\Flagged", "\\Seen"} <= flags(imap, uid), done.all[-1500:])
    checks.equal("and no message, nor does any go", at_alice.map(with_flags=False), before)


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
    wire = at_bob.imap_wire(login=False)
    checks.equal("an empty line", ask(wire, b"\r\n"), b"* BAD Expected a tag")
    checks.ok("an unknown command", ask(wire, b"a FROBNICATE\r\n").startswith(b"a BAD "))
    checks.ok("one that needs a login", ask(wire, b"b SELECT INBOX\r\n").startswith(b"b BAD "))
    checks.ok("STARTTLS where there is none", ask(wire, b"c STARTTLS\r\n").startswith(b"c BAD "))
    checks.ok("a mechanism that is none", ask(wire, b"d AUTHENTICATE KERBEROS_V4\r\n").startswith(b"d NO ["))
    checks.equal("a SASL exchange", ask(wire, b"e AUTHENTICATE PLAIN\r\n"), b"+ ")
    checks.ok("given up", ask(wire, b"*\r\n").startswith(b"e BAD "))
    checks.ok("after all of which commands are taken", ask(wire, b"f ID NIL\r\n").startswith(b"* ID ("))
    wire = at_bob.imap_wire(login=False)
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
    wire = at_bob.imap_wire(login=False)
    wire.send(b"a LOGIN {999999999999999+}\r\n" + b"x" * 300000)
    checks.ok("a literal without end is swallowed", wire.silent())
    wire.reset()
    request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 20 + b"\r\n"
    for name, noise in (("noise", os.urandom(100000) + b"\r\n" * 20),
                        ("lines of noise", b"\r\n".join(os.urandom(40) for _ in range(200))),
                        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500) + b"\r\n" * 20),
                        ("HTTP", request), ("line ends", b"\r\n" * 5000)):
        wire = at_bob.imap_wire(login=False)
        lines = said(wire, noise)
        checks.ok(f"{name} gets BAD and at last BYE", all(re.match(rb"\S+ (BAD|NO) ", line) for line in lines[:-1])
            and 2 <= len(lines) <= 12 and lines[-1].startswith(b"* BYE "), lines[:3] + lines[-2:])
    wire = at_bob.imap_wire(login=False)
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
    world.brings(world.bob.address)
    wire = at_bob.imap_wire(login=False)
    lines = said(wire, b"1 " + login + b"2 SELECT INBOX\r\n3 UID SEARCH ALL\r\n4 FETCH 1 (FLAGS BODY.PEEK[])\r\n"
        b"5 NOOP\r\n6 LOGOUT\r\n7 NOOP\r\n")
    tagged = [line.split()[:2] for line in lines if re.match(rb"\d (OK|NO|BAD) ", line)]
    checks.equal("everything in one packet is answered in order", tagged, [[b"%d" % number, b"OK"] for number in range(1, 7)])
    wire = at_bob.imap_wire(login=False)
    for octet in b"1 " + login + b"2 LOGOUT\r\n":
        wire.send(bytes([octet]))
    checks.equal("so is what comes octet by octet", [line.split()[:2] for line in said(wire, b"")],
        [[b"1", b"OK"], [b"*", b"BYE"], [b"2", b"OK"]])
    wire = at_bob.imap_wire()
    wire.send(b"a STATUS INBOX (MESSAGES)\r\n")
    wire.socket.shutdown(socket.SHUT_WR)
    checks.ok("who is half gone gets the answer", answer(wire, b"a").startswith(b"OK") and wire.closed())
    wire = at_bob.imap_wire()
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
            wire = at_bob.imap_wire()
            say(wire, "SELECT INBOX")
        line = say(wire, command)
        took = time.monotonic() - began
        words = line[:40].decode(errors="replace")
        checks.ok(f"{name}: {words}", re.match(rb"(OK|NO|BAD) ", line) and took < 5, (line[:200], took))
    marker = token().encode()
    wire = at_bob.imap_wire()
    checks.ok("APPEND begins", ask(wire, b"a APPEND Drafts {1000}\r\n").startswith(b"+"))
    wire.send(b"Subject: " + marker + b"\r\n\r\n")
    wire.reset()
    checks.equal("what is broken off is not kept", at_bob.uid_of(marker.decode(), "Drafts"), None)
    silent = [Wire(at_bob.imap_port) for _ in range(20)]
    with at_bob.imap("INBOX") as imap:
        checks.equal("twenty that say nothing are in nobody's way", imap.noop()[0], "OK")
    for wire in silent:
        wire.reset()
    idle = at_bob.imap_wire()
    idle.send(b"i IDLE\r\n")
    idle.line()
    line = ask(idle, b"x NOOP\r\n")
    checks.ok("IDLE ends by DONE and nothing else", line.startswith(b"i BAD "), line)
    checks.ok("the agent runs", world.bob.running())


PARTS = [mbsync, offlineimap, curl, bytes_before_login, bytes_after_login]


if __name__ == "__main__":
    drive("imap clients", PARTS)
