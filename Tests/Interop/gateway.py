#!/usr/bin/env python3
"""The agent's POP3 and SMTP by Python's poplib and smtplib and by hand, and the gateway as a whole. Programs that others wrote
are in gatewayclients.py, IMAP is in imap.py.

usage: gateway.py [PART...]     only the parts whose name contains one of the words
"""
import base64
import email
import os
import poplib
import re
import socket
import sys
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from mailclients import ADDED, BOARD, LOCKED, drive, must, refusal, without
from nodekit import DOMAIN, Agent, Wire, canonical, letter, path, run, token, until


# MARK: parts

def cards_and_files(checks, world):
    done = world.alice.must("gateway", "on")
    checks.ok("gateway on prints the card", re.search(r"^POP3  127\.0\.0\.1:\d+  no encryption", done.text, re.M)
        and re.search(r"^SMTP  127\.0\.0\.1:\d+  no encryption", done.text, re.M)
        and f"User  {world.alice.address}" in done.text and "decrypted mail on disk" in done.text, done.all)
    shown = world.alice.json("gateway", "show")
    checks.equal("the names of passwords", [row["name"] for row in shown["passwords"]], ["first", "tests"])
    checks.ok("nobody is shown a password again", "password" not in shown and world.at_alice.password not in str(shown), shown)
    stored = open(os.path.join(world.alice.state, "agent", "gateway.json")).read()
    checks.ok("the file has no password", world.at_alice.password not in stored)
    checks.equal("the file is its owner's alone",
        oct(os.stat(os.path.join(world.alice.state, "agent", "gateway.json")).st_mode & 0o777), "0o600")
    done = world.alice.cli("gateway", "on", "nntp")
    checks.ok("what is not spoken is refused in words", done.code == 64 and "it speaks imap, pop, smtp" in done.all, done.all)
    out = path("alice", "config-v1.1.xml")
    world.alice.must("gateway", "autoconfig", "--out", out)
    tree = xml.etree.ElementTree.parse(out)
    ports = [element.text for element in tree.iter("port")]
    checks.equal("autoconfig names the ports", ports, [str(row["port"]) for row in shown["listeners"]])
    text = open(out).read()
    checks.ok("autoconfig has no secret and no person", world.at_alice.password not in text and "alice" not in text, text)
    served = run("curl", "-sS", "--resolve", f"ddsnode.localhost:{world.alice.page_port}:127.0.0.1",
        f"http://ddsnode.localhost:{world.alice.page_port}/mail/config-v1.1.xml")
    checks.equal("the page serves the same", served.text, text)
    status = world.alice.status()
    checks.equal("status names the places", sorted(status["agent"]["gateway"]), ["imap", "pop3", "smtp"])


def round_trip_by_smtplib_and_poplib(checks, world):
    marker = token()
    head = (f"From: Alice <{world.alice.address}>\nTo: Bob <{world.bob.address}>\nSubject: {marker}\n"
            f"Message-ID: <{marker}@mua.test>\nDate: Mon, 23 Nov 2026 12:00:00 +0000\nX-Odd:   kept \n\tas it is\n"
            "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n")
    message = canonical((head + f".\n..dots\nUmlaute äöü\ntrailing  \n{'x' * 900}\n{marker}\n").encode())
    checks.equal("smtplib sends", world.at_alice.send(message, world.bob.address)[0], 250)
    world.bob.waits_for(marker)
    found = [row for row in world.at_bob.fetch_all() if marker.encode() in row[2]]
    checks.equal("one copy arrives", len(found), 1)
    uidl, size, got = found[0]
    checks.equal("byte for byte but for what was added", without(got, *ADDED), message)
    checks.equal("LIST has its octets", size, len(got))
    checks.equal("the UIDL is the id that list shows", uidl, world.bob.waits_for(marker)["id"])
    checks.ok("RETR marks as read, for the page too", until(lambda: not world.bob.waits_for(marker)["unread"]))
    checks.equal("the UIDL is the same in another session",
        [row[0] for row in world.at_bob.fetch_all() if marker.encode() in row[2]], [uidl])
    pop = world.at_bob.pop()
    number = number_of(pop, uidl)
    checks.equal("TOP gives the header and two lines",
        b"\r\n".join(pop.top(number, 2)[1]).split(b"\r\n\r\n")[1], b".\r\n..dots")
    capabilities = pop.capa()
    checks.ok("CAPA is true", "STLS" not in capabilities and capabilities["SASL"] == ["PLAIN"] and "USER" in capabilities
        and capabilities["EXPIRE"] == ["NEVER"], capabilities)
    pop.quit()
    row = world.alice.waits_for(marker)
    checks.ok("it is in Sent, signed like one from the page", row["state"] in ("waiting", "sent"), row)
    verdict = world.bob.waits_for(marker)["signature"]["verdict"]
    checks.ok("its signature holds", verdict in ("known", "first-seen", "verified"), verdict)
    reply = letter(world.bob.address, world.alice.address, f"re {marker}", "back\n")
    checks.equal("and back", world.at_bob.send(reply, world.alice.address)[0], 250)
    world.alice.waits_for(f"re {marker}")
    got = world.at_alice.fetch(f"re {marker}")
    checks.equal("the answer arrives byte for byte", [without(text, *ADDED) for text in got], [reply])


def number_of(pop, identity):
    """The number of the message with that unique id."""
    return next(number for number, line in enumerate(pop.uidl()[1], 1) if line.split()[1].decode() == identity)


def what_submission_speaks(checks, world):
    """BDAT, SMTPUTF8 and the parameters of DSN, by hand."""
    marker = token()
    message = canonical((f"From: Älis <{world.alice.address}>\nTo: <{world.bob.address}>\nSubject: Grüße {marker}\n"
        f"Message-ID: <{marker}@mua.test>\nDate: Mon, 23 Nov 2026 12:00:00 +0000\nMIME-Version: 1.0\n"
        f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n.\n..äöü\n{marker}\n").encode())
    wire = world.at_alice.smtp_wire()
    for command, code in (
        (f"MAIL FROM:<{world.alice.address}> SIZE={len(message)} BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ314159", "250"),
        (f"RCPT TO:<{world.bob.address}> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;Bob+40{DOMAIN}", "250"),
        (f"RCPT TO:<{BOARD}> NOTIFY=NEVER ORCPT=utf-8;Gr\\x{{FC}}n@{DOMAIN}", "250"),
        (f"RCPT TO:<{BOARD}> NOTIFY=NEVER,SUCCESS", "501"), (f"RCPT TO:<{BOARD}> NOTIFY=", "501"),
        (f"RCPT TO:<{BOARD}> ORCPT=nothing", "501"),
    ):
        reply = wire.say(command)
        checks.ok(f"{command[:60]}: {code}", reply.startswith(code), reply)
    half = len(message) // 2
    for piece, last in ((message[:half], ""), (message[half:], ""), (b"", " LAST")):
        reply = wire.say(f"BDAT {len(piece)}{last}\r\n".encode() + piece)
        checks.ok(f"BDAT {len(piece)}{last}", reply.startswith("250 2.0.0"), reply)
    for command, code in (("BDAT 5\r\nabc", "503"), (f"MAIL FROM:<{world.alice.address}> RET=SOME", "501"),
                          (f"MAIL FROM:<{world.alice.address}> ENVID=+", "501"), ("NOOP", "250"), ("QUIT", "221")):
        reply = wire.say(command)
        checks.ok(f"{command[:60]!r}: {code}", reply.startswith(code), reply)
    until(lambda: len(world.bob.find(f"Grüße {marker}")) == 2, pause=0.2)
    checks.equal("both come out byte for byte", [without(got, *ADDED) for got in world.at_bob.fetch(marker)], [message] * 2)


def groups_and_bob_plus_board(checks, world):
    marker = token()
    message = letter(world.alice.address, BOARD, marker, "to the board\n")
    checks.equal("to a group", world.at_alice.send(message, BOARD)[0], 250)
    private = letter(world.alice.address, world.bob.address, f"private {marker}", "to bob\n")
    checks.equal("to a person", world.at_alice.send(private, world.bob.address)[0], 250)
    world.bob.waits_for(marker)
    world.bob.waits_for(f"private {marker}")
    whole = world.at_bob.fetch(marker)
    checks.equal("the inbox has both", len(whole), 2)
    for user in ("bob+board", f"bob+board@{DOMAIN}"):
        texts = [row[2] for row in world.at_bob.fetch_all(user)]
        checks.ok(f"{user} has the group's mail alone",
            any(marker.encode() in text for text in texts) and not any(b"private" in text for text in texts), texts)
    parsed = email.message_from_bytes(next(text for text in whole if b"private" not in text))
    checks.equal("a group's message has a List-Id", parsed["List-Id"], f"<board.{DOMAIN}>")
    checks.equal("and a List-Post", parsed["List-Post"], f"<mailto:{BOARD}>")
    for user, words in (("bob+nothing", "an unknown group"), ("eve", "another user")):
        try:
            world.at_bob.pop(user)
            checks.ok(f"{words} is refused", False)
        except poplib.error_proto as problem:
            checks.ok(f"{words} is refused", b"[AUTH]" in problem.args[0], problem)
    # IMAP shows a group as a mailbox and needs no name for it.
    words = refusal(lambda: world.at_bob.imap(user="bob+board"))
    checks.ok("bob+board is no user of IMAP", words.startswith("[AUTHENTICATIONFAILED]"), words)


def what_is_archived(checks, world):
    marker = token()
    world.brings(world.bob.address, subject=marker)
    identity = world.bob.waits_for(marker)["id"]
    with world.at_bob.imap("INBOX") as imap:
        must(imap.uid("MOVE", str(world.at_bob.uid_of(marker)), "Archive"))
    checks.ok("IMAP has it in Archive alone",
        world.at_bob.uid_of(marker, "Archive") and not world.at_bob.uid_of(marker), marker)
    checks.equal("POP3 has it in the inbox as before",
        [row[0] for row in world.at_bob.fetch_all() if marker.encode() in row[2]], [identity])


def bcc_never_leaks(checks, world):
    marker = token()
    message = canonical((f"From: <{world.alice.address}>\nTo: <{world.bob.address}>\nBcc: <{world.dave.address}>,\n <{BOARD}>\n"
                         f"bcc : hidden@{DOMAIN}\nSubject: {marker}\n\nsecret readers\n").encode())
    code, text = world.at_alice.send(message, world.bob.address, world.dave.address, BOARD, world.carol.address)
    checks.equal("sent with Bcc", code, 250)
    world.bob.waits_for(marker)
    world.dave.waits_for(marker)
    until(lambda: len(world.bob.find(marker)) == 2, pause=0.2)
    rows = world.bob.find(marker)
    checks.equal("bob has his own and the group's", sorted(str(row["group"]) for row in rows), ["None", "board"])
    own = next(row for row in rows if row["group"] is None)
    stored = world.bob.raw(own["id"])
    signed = base64.b64decode(stored) if b"\n" not in stored else stored
    checks.ok("bob's says nothing of dave or the board, nor does its signature",
        b"dave" not in signed and b"board" not in signed and b"hidden" not in signed and b"ecret" in signed, signed)
    checks.ok("its signature holds there", own["signature"]["verdict"] in ("known", "first-seen", "verified"), own)
    given = [got for client in (world.at_bob, world.at_dave) for got in client.fetch(marker)]
    checks.equal("POP3 has bob's two and dave's one", len(given), 3)
    for got in given:
        checks.ok("no Bcc comes out of POP3",
            not re.search(rb"(?mi)^bcc", got) and not any(name in got for name in (b"dave", b"carol", b"hidden")), got)
    checks.equal("only what the group got names it", sum(b"board" in got for got in given), 1)
    # What the node gives out to somebody without an agent, opened by age: all that was sealed to her, with the signature.
    [sealed] = until(lambda: world.carol.waiting() and world.carol.fetch_all(), pause=0.2) or [None]
    opened = sealed and world.carol.open(sealed[2])
    checks.ok("nor is another hidden reader or the group told to carol", opened and b"secret readers" in opened
        and not any(name in opened + sealed[2] for name in (b"dave", b"board", b"hidden")), opened)
    group = next(row for row in rows if row["group"] == "board")
    checks.ok("the group believes it", group["signature"]["verdict"] in ("known", "first-seen", "verified"), group)
    checks.equal("dave has one", len(world.dave.find(marker)), 1)


def what_is_refused(checks, world):
    smtp = world.at_alice.smtp()
    checks.equal("EHLO offers", sorted(smtp.esmtp_features),
        ["8bitmime", "auth", "chunking", "dsn", "enhancedstatuscodes", "pipelining", "size", "smtputf8"])
    checks.equal("by these mechanisms", smtp.esmtp_features["auth"].split(), ["PLAIN", "LOGIN"])
    code, text = smtp.mail(world.bob.address)
    checks.ok("another sender: 550 5.7.1", code == 550 and b"5.7.1" in text and b"choose that address" in text, text)
    smtp.mail(world.alice.address)
    code, text = smtp.rcpt("someone@example.org")
    checks.ok("an outside address: 550 5.7.1 with the remedy",
        code == 550 and b"5.7.1" in text and b"its own members and groups only" in text, text)
    smtp.quit()
    foreign = letter(world.bob.address, world.bob.address, "as bob", "x\n")
    code, text = world.at_alice.send(foreign, world.bob.address)
    checks.ok("somebody else's From: 550 5.7.1", code == 550 and "5.7.1" in text and "From" in text, text)
    code, text = world.at_alice.send(b"From: <%s>\r\nno field\r\n\r\nx\r\n" % world.alice.address.encode(), world.bob.address)
    checks.ok("a broken header: 550 5.6.0", code == 550 and "5.6.0" in text, text)


def deletes_are_shared(checks, world):
    marker = token()
    for number in range(3):
        world.at_alice.send(letter(world.alice.address, world.bob.address, f"{marker} {number}", "x\n"), world.bob.address)
    until(lambda: sum(marker in row["subject"] for row in world.bob.list()) == 3, pause=0.2)
    pop = world.at_bob.pop()
    numbers = [number for number in range(1, pop.stat()[0] + 1)
               if marker.encode() in b"\n".join(pop.top(number, 0)[1])]
    pop.dele(numbers[0])
    pop.close()
    checks.equal("a dropped connection deletes nothing", sum(marker in row["subject"] for row in world.bob.list()), 3)
    pop = until(lambda: free(world.at_bob))
    other = Wire(world.at_bob.pop_port)
    other.line()
    other.send(f"USER {world.at_bob.user}\r\nPASS {world.at_bob.password}\r\n")
    other.line()
    checks.ok("a second session finds it in use", other.line().startswith(b"-ERR [IN-USE]"))
    checks.ok("the other mailbox is free", world.at_bob.count("bob+board") >= 0)
    pop.dele(numbers[0])
    pop.dele(numbers[1])
    pop.quit()
    left = [row["subject"] for row in world.bob.list() if marker in row["subject"]]
    checks.equal("what was deleted is not listed any more", left, [f"{marker} 2"])
    checks.equal("nor given out", sum(marker.encode() in row[2] for row in world.at_bob.fetch_all()), 1)


def free(client):
    try:
        return client.pop()
    except poplib.error_proto:
        return None


def locked(checks, world):
    world.dave.lock()
    def smtp_answer():
        try:
            wire = Wire(world.at_dave.smtp_port)
            wire.reply()
            wire.say("EHLO [127.0.0.1]")
            return wire.say(f"AUTH PLAIN {world.at_dave.plain()}")
        except OSError as problem:
            return str(problem)
    answer = smtp_answer()
    checks.equal("SMTP while locked", answer, f"454 4.7.0 {LOCKED}")
    try:
        world.at_dave.pop()
        checks.ok("POP3 while locked", False)
    except poplib.error_proto as problem:
        checks.equal("POP3 while locked", problem.args[0].decode(), f"-ERR [SYS/TEMP] {LOCKED}")
    world.dave.unlock()
    checks.ok("unlocked, it serves at the same port", world.at_dave.count() >= 0)
    wire = Wire(world.at_dave.pop_port)
    wire.line()
    wire.send(f"USER dave\r\nPASS {world.at_dave.password}\r\n")
    wire.line()
    checks.ok("logged in", wire.line().startswith(b"+OK"))
    idle, begun = world.at_dave.smtp_wire(), world.at_dave.smtp_wire()
    begun.say(f"MAIL FROM:<{world.dave.address}>")
    begun.say(f"RCPT TO:<{world.bob.address}>")
    checks.ok("one by SMTP is in the midst of a message", begun.say("DATA").startswith("354"))
    begun.send("Subject: half\r\n\r\n")
    world.dave.lock()
    checks.ok("a lock ends the session", wire.closed())
    reply = idle.reply()
    checks.ok("one of SMTP, too, with good-bye", reply.startswith("421 4.3.2") and idle.closed(), reply)
    reply = begun.reply()
    checks.ok("and one in the midst of a message", reply[:4] in ("", "421 ") and begun.closed(), reply)
    until(lambda: world.dave.status() is not None)
    world.dave.unlock()


def passwords(checks, world):
    for user, password in ((None, "wrong"), (None, world.at_alice.password)):
        try:
            world.at_bob.pop(user, password)
            checks.ok("a wrong password is refused", False)
        except poplib.error_proto as problem:
            checks.ok("a wrong password is refused", problem.args[0] == b"-ERR [AUTH] Login failed", problem)
    second = world.bob.must("gateway", "password", "add", "second").text.strip()
    wire = Wire(world.at_bob.pop_port)
    wire.line()
    wire.send(f"USER bob\r\nPASS {second}\r\n")
    wire.line()
    checks.ok("a second password opens", wire.line().startswith(b"+OK"))
    world.bob.must("gateway", "password", "revoke", "second")
    checks.ok("revoking it ends its session", wire.closed())
    try:
        world.at_bob.pop(None, second)
        checks.ok("revoked, it opens nothing", False)
    except poplib.error_proto as problem:
        checks.ok("revoked, it opens nothing", b"[AUTH]" in problem.args[0], problem)
    names = [row["name"] for row in world.bob.json("gateway", "password", "list")["passwords"]]
    checks.equal("the list", names, ["first", "tests"])
    used = {row["name"]: row["last_used"] for row in world.bob.json("gateway", "show")["passwords"]}
    checks.ok("it says which were used", used["tests"] and not used["first"], used)
    checks.equal("an unknown name is refused (67)", world.bob.cli("gateway", "password", "revoke", "nothing").code, 67)


def other_users(checks, world):
    if os.geteuid() != 0:
        return checks.skip("another user", "only the superuser can be one")
    program = ("import socket,sys; s=socket.create_connection(('127.0.0.1', int(sys.argv[1])), 10); s.settimeout(10)\n"
               "try: sys.stdout.write(repr(s.recv(100)))\nexcept ConnectionResetError: sys.stdout.write(repr(b''))")
    # Agents of tests run as the superuser; everybody else is another.
    for number in (world.at_bob.imap_port, world.at_bob.pop_port, world.at_bob.smtp_port):
        done = run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", program, number)
        checks.equal(f"another user gets no byte at {number}", done.text, "b''")
        done = run(sys.executable, "-c", program, number)
        checks.ok(f"this one does at {number}", "OK" in done.text or "220" in done.text, done.all)


def ports_stay(checks, world):
    before = world.dave.json("gateway", "show")["listeners"]
    world.dave.stop()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", world.at_dave.pop_port))
        taken.listen()
        world.dave.start()
        problems = world.dave.status()["problems"]
        checks.ok("a taken port is said, and no other is taken", any("no POP3 at" in text for text in problems), problems)
    world.dave.stop()
    world.dave.start()
    world.dave.unlock()
    checks.equal("the same ports after a restart", world.dave.json("gateway", "show")["listeners"], before)
    world.dave.must("gateway", "off", "smtp")
    try:
        socket.create_connection(("127.0.0.1", world.at_dave.smtp_port), 5).close()
        checks.ok("what is off does not listen", False)
    except ConnectionRefusedError:
        checks.ok("what is off does not listen", True)
    # It gets the first port that is free then, and what else there is on the machine comes and goes.
    world.dave.must("gateway", "on", "smtp")
    after = world.dave.json("gateway", "show")["listeners"]
    checks.equal("switched on, it is there again", [row["protocol"] for row in after], [row["protocol"] for row in before])
    checks.equal("the others have stayed", after[:2], before[:2])
    reply = Wire(after[2]["port"]).reply()
    checks.ok("and it greets", reply.startswith("220"), reply)


def configured(checks, world):
    number, other, place = nodekit.port(), nodekit.port(), path("erin", "smtp.sock")
    erin = Agent("erin", extra="[agent.gateway]\n"
        f'imap = "127.0.0.1:{other}"\npop3 = "127.0.0.1:{number}"\nsmtp = "unix:{place}"\n')
    erin.join(world.node.invite("erin"))
    erin.start()
    erin.unlock()
    shown = erin.json("gateway", "show")["listeners"]
    checks.equal("what the configuration says is on", [(row["protocol"], row["address"]) for row in shown],
        [("imap", f"127.0.0.1:{other}"), ("pop3", f"127.0.0.1:{number}"), ("smtp", f"unix:{place}")])
    for word, key in (("imap", "imap"), ("pop", "pop3"), ("smtp", "smtp")):
        done = erin.cli("gateway", "off", word)
        checks.ok(f"and cannot be switched off by a command (78): {word}",
            done.code == 78 and f"agent.gateway.{key}" in done.all, done.all)
    password = erin.must("gateway", "password", "add", "x").text.strip()
    wire = Wire(place)
    wire.reply()
    wire.say("EHLO [127.0.0.1]")
    plain = base64.b64encode(f"\0erin\0{password}".encode()).decode()
    reply = wire.say(f"AUTH PLAIN {plain}")
    checks.ok("a unix socket serves too", reply.startswith("235"), reply)
    wire = Wire(other)
    wire.line()
    wire.send(f'a LOGIN erin "{password}"\r\n')
    line = wire.line()
    checks.ok("and IMAP at its port", line.startswith(b"a OK"), line)
    checks.equal("it is its owner's alone", oct(os.stat(place).st_mode & 0o777), "0o600")
    erin.lock()
    until(lambda: erin.status() is not None)
    checks.equal("and outlives a lock", erin.json("gateway", "show")["listeners"], shown)
    checks.equal("erin's agent stops in order", erin.stop(), 0)
    checks.ok("and takes the socket's file with it", not os.path.exists(place))


# MARK: the node and the agent come and go

def nobody_of_that_name(checks, world):
    marker = token()
    nobody = f"nobody@{DOMAIN}"
    code, text = world.at_alice.send(letter(world.alice.address, nobody, marker, "to nobody\n"), nobody)
    checks.ok("a recipient that the node does not know: 250 of the agent", code == 250, text)
    row = until(lambda: next((row for row in world.alice.find(marker) if row["state"] == "refused"), None), pause=0.2)
    checks.ok("then it is refused in list", row and "nobody" in str(row), row or world.alice.find(marker))
    checks.ok("and in IMAP's Outbox", world.at_alice.uid_of(marker, "Outbox"))
    checks.equal("and not in Sent", world.at_alice.uid_of(marker, "Sent"), None)
    with world.at_alice.imap("Outbox") as imap:
        uid = str(world.at_alice.uid_of(marker, "Outbox"))
        must(imap.uid("STORE", uid, "+FLAGS", "(\\Deleted)"))
        must(imap.expunge())
    checks.equal("from which it can be taken", (world.at_alice.uid_of(marker, "Outbox"), world.alice.find(marker)), (None, []))


def the_node_is_away(checks, world):
    marker = token()
    world.node.stop()
    code, text = world.at_alice.send(letter(world.alice.address, world.bob.address, marker, "later\n"), world.bob.address)
    checks.ok("while the node is away: 250", code == 250, text)
    checks.equal("it waits, in list", [row["state"] for row in world.alice.find(marker)], ["waiting"])
    checks.ok("and in IMAP's Outbox", world.at_alice.uid_of(marker, "Outbox") and not world.at_alice.uid_of(marker, "Sent"))
    world.alice.kill()
    world.alice.start()
    world.alice.unlock()
    checks.ok("a SIGKILL of the agent takes it from neither",
        [row["state"] for row in world.alice.find(marker)] == ["waiting"] and world.at_alice.uid_of(marker, "Outbox"))
    world.node.start()
    arrives_once(checks, world, marker)


def arrives_once(checks, world, marker):
    """What alice has sent to bob."""
    world.alice.must("fetch")
    sent = until(lambda: [row["state"] for row in world.alice.find(marker)] == ["sent"], 60, 0.2)
    checks.ok("it goes out", sent, world.alice.find(marker))
    world.bob.must("fetch")
    world.bob.waits_for(marker, 60)
    checks.ok("and is in Sent, no more in the Outbox",
        world.at_alice.uid_of(marker, "Sent") and not world.at_alice.uid_of(marker, "Outbox"))
    # What comes in order behind it would be behind a second one.
    behind, _ = world.brings(world.bob.address)
    checks.equal("it arrives once", [len(world.bob.find(subject)) for subject in (marker, behind)], [1, 1])


def killed(checks, world):
    """What was answered with yes is on the disk."""
    markers = [token() for _ in range(2)]
    for marker in markers:
        world.brings(world.bob.address, subject=marker)
    identities = [world.bob.waits_for(marker)["id"] for marker in markers]
    pop = world.at_bob.pop()
    pop.dele(number_of(pop, identities[0]))
    answer = pop.quit()
    world.bob.kill()
    checks.ok("POP3's QUIT is answered", answer.startswith(b"+OK"), answer)
    world.bob.start()
    world.bob.unlock()
    left = [row["id"] for row in world.bob.list()]
    checks.ok("killed thereafter, what was deleted stays deleted, and nothing else",
        identities[0] not in left and identities[1] in left, left)
    checks.ok("and is in the trash", identities[0] in str(world.bob.json("search", "in:trash", markers[0])))
    marker = token()
    wire = world.at_alice.smtp_wire()
    wire.say(f"MAIL FROM:<{world.alice.address}>")
    wire.say(f"RCPT TO:<{world.bob.address}>")
    wire.say("DATA")
    reply = wire.say(letter(world.alice.address, world.bob.address, marker, "killed\n") + b".\r\n")
    world.alice.kill()
    checks.ok("SMTP's message is answered", reply.startswith("250 2.0.0"), reply)
    world.alice.start()
    world.alice.unlock()
    checks.equal("killed thereafter, the agent has it", len(world.alice.find(marker)), 1)
    arrives_once(checks, world, marker)


PARTS = [cards_and_files, round_trip_by_smtplib_and_poplib, what_submission_speaks, groups_and_bob_plus_board, what_is_archived,
         bcc_never_leaks, what_is_refused, deletes_are_shared, locked, passwords, other_users,
         nobody_of_that_name, the_node_is_away, killed, ports_stay, configured]


if __name__ == "__main__":
    drive("gateway", PARTS, others=("dave",))
