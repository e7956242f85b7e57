#!/usr/bin/env python3
"""The agent's gateway with mail programs that others wrote: curl, poplib, smtplib, mpop, fetchmail, msmtp and swaks.

usage: gateway.py [PART...]     only the parts whose name contains one of the words
"""
import base64
import email
import glob
import os
import poplib
import re
import smtplib
import socket
import subprocess
import sys
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from nodekit import DOMAIN, Agent, Node, Wire, canonical, letter, path, requires, run, token, until, write

BOARD = f"board@{DOMAIN}"
LOCKED = "The agent is locked; unlock it in its page or run: ddsnode unlock"


class Client:
    """A mail program of an agent's person: where to connect, and a password of its own."""

    def __init__(self, agent, name="tests"):
        self.agent = agent
        shown = agent.json("gateway", "on")
        rows = {row["protocol"]: row for row in shown["listeners"]}
        self.pop_port, self.smtp_port = rows["pop3"]["port"], rows["smtp"]["port"]
        self.user = shown["user"]
        self.password = agent.must("gateway", "password", "add", name).text.strip()

    def pop(self, user=None, password=None):
        pop = poplib.POP3("127.0.0.1", self.pop_port, timeout=60)
        pop.user(user or self.user)
        pop.pass_(password or self.password)
        return pop

    def smtp(self):
        smtp = smtplib.SMTP("127.0.0.1", self.smtp_port, "[127.0.0.1]", timeout=60)
        smtp.ehlo()
        smtp.login(self.user, self.password)
        return smtp

    def fetch_all(self, user=None, delete=False):
        """Everything in the maildrop as (uidl, octets by LIST, bytes)."""
        pop = self.pop(user)
        try:
            uidls = [line.split()[1].decode() for line in pop.uidl()[1]]
            sizes = [int(line.split()[1]) for line in pop.list()[1]]
            found = []
            for number, (uidl, size) in enumerate(zip(uidls, sizes), 1):
                found.append((uidl, size, b"".join(line + b"\r\n" for line in pop.retr(number)[1])))
                if delete:
                    pop.dele(number)
            pop.quit()
            return found
        finally:
            pop.close()

    def count(self, user=None):
        pop = self.pop(user)
        try:
            return pop.stat()[0]
        finally:
            pop.quit()

    def waits_for(self, count, user=None):
        """Waits until so many messages are there."""
        return until(lambda: self.count(user) >= count, pause=0.3)

    def send(self, message, *recipients):
        """(code, text) of the message or of what was refused."""
        with self.smtp() as smtp:
            smtp.mail(self.agent.address, ["BODY=8BITMIME"])
            for recipient in recipients:
                code, text = smtp.rcpt(recipient)
                if code >= 300:
                    return code, text.decode()
            code, text = smtp.data(message)
            return code, text.decode()


class World:
    def __init__(self):
        self.node = Node(limits='logins_per_minute = 10000\nconnections_per_ip = 60\nmessage_size = "8MiB"').init().start()
        self.carol = self.node.add_ordinary("carol")
        self.node.must("group", "add", "board")
        self.alice, self.bob, self.dave = Agent("alice"), Agent("bob"), Agent("dave")
        for agent in (self.alice, self.bob, self.dave):
            agent.join(self.node.invite(agent.name, ["board"] if agent is not self.dave else []))
            agent.start()
            agent.unlock()
        self.at_alice, self.at_bob, self.at_dave = Client(self.alice), Client(self.bob), Client(self.dave)


def without(message, *names):
    """The message without header fields that are added on the way out."""
    head, _, body = message.partition(b"\r\n\r\n")
    pattern = rb"(?mi)^(" + b"|".join(names) + rb"):[^\r\n]*(\r\n[ \t][^\r\n]*)*\r\n"
    return re.sub(pattern, b"", head + b"\r\n") + b"\r\n" + body


ADDED = (b"X-DDS-Submission", b"List-Id", b"List-Post")


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
            f"Message-ID: <{marker}@mua.test>\nDate: Mon, 23 Nov 2026 12:00:00 +0000\nX-Odd:   kept \n\tas it is\nMIME-Version: 1.0\n"
            "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n")
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
    number = next(number for number, line in enumerate(pop.uidl()[1], 1) if line.split()[1].decode() == uidl)
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
    got = [row[2] for row in world.at_alice.fetch_all() if f"re {marker}".encode() in row[2]]
    checks.equal("the answer arrives byte for byte", [without(text, *ADDED) for text in got], [reply])


def groups_and_bob_plus_board(checks, world):
    marker = token()
    message = letter(world.alice.address, BOARD, marker, "to the board\n")
    checks.equal("to a group", world.at_alice.send(message, BOARD)[0], 250)
    private = letter(world.alice.address, world.bob.address, f"private {marker}", "to bob\n")
    checks.equal("to a person", world.at_alice.send(private, world.bob.address)[0], 250)
    world.bob.waits_for(marker)
    world.bob.waits_for(f"private {marker}")
    whole = [row[2] for row in world.at_bob.fetch_all() if marker.encode() in row[2]]
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


def bcc_never_leaks(checks, world):
    marker = token()
    message = canonical((f"From: <{world.alice.address}>\nTo: <{world.bob.address}>\nBcc: <{world.dave.address}>,\n <{BOARD}>\n"
                         f"bcc : hidden@{DOMAIN}\nSubject: {marker}\n\nsecret readers\n").encode())
    code, text = world.at_alice.send(message, world.bob.address, world.dave.address, BOARD)
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
    for client in (world.at_bob, world.at_dave):
        for _, _, got in client.fetch_all():
            if marker.encode() in got:
                checks.ok("no Bcc comes out of POP3", not re.search(rb"(?mi)^bcc", got) and b"dave" not in got, got)
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
    limit = int(smtplib_size(world.at_alice))
    big = letter(world.alice.address, world.bob.address, "big", "x" * 70 + "\n")
    big += (b"y" * 70 + b"\r\n") * ((limit - len(big)) // 72)
    code, text = world.at_alice.send(big, world.bob.address)
    checks.ok("what SIZE admits can be sent", code == 250, text)
    code, text = world.at_alice.send(big + b"z" * 70 + b"\r\n" + b"z" * 70 + b"\r\n", world.bob.address)
    checks.ok("more is refused: 552", code == 552, text)


def smtplib_size(client):
    with client.smtp() as smtp:
        return smtp.esmtp_features["size"]


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
            plain = base64.b64encode(f"\0{world.at_dave.user}\0{world.at_dave.password}".encode()).decode()
            return wire.say(f"AUTH PLAIN {plain}")
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
    world.dave.lock()
    checks.ok("a lock ends the session", wire.closed())
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
    for number in (world.at_bob.pop_port, world.at_bob.smtp_port):
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
    world.dave.must("gateway", "on", "smtp")
    checks.equal("and gets its port again", world.dave.json("gateway", "show")["listeners"], before)


def configured(checks, world):
    number, place = nodekit.port(), path("erin", "smtp.sock")
    erin = Agent("erin", extra=f'[agent.gateway]\npop3 = "127.0.0.1:{number}"\nsmtp = "unix:{place}"\n')
    erin.join(world.node.invite("erin"))
    erin.start()
    erin.unlock()
    shown = erin.json("gateway", "show")["listeners"]
    checks.equal("what the configuration says is on", [row["address"] for row in shown], [f"127.0.0.1:{number}", f"unix:{place}"])
    done = erin.cli("gateway", "off", "pop")
    checks.ok("and cannot be switched off by a command (78)", done.code == 78 and "agent.gateway.pop3" in done.all, done.all)
    password = erin.must("gateway", "password", "add", "x").text.strip()
    wire = Wire(place)
    wire.reply()
    wire.say("EHLO [127.0.0.1]")
    plain = base64.b64encode(f"\0erin\0{password}".encode()).decode()
    reply = wire.say(f"AUTH PLAIN {plain}")
    checks.ok("a unix socket serves too", reply.startswith("235"), reply)
    checks.equal("it is its owner's alone", oct(os.stat(place).st_mode & 0o777), "0o600")
    erin.lock()
    until(lambda: erin.status() is not None)
    checks.equal("and outlives a lock", erin.json("gateway", "show")["listeners"], shown)
    checks.equal("erin's agent stops in order", erin.stop(), 0)
    checks.ok("and takes the socket's file with it", not os.path.exists(place))


# MARK: real programs

def curl(checks, world):
    marker = token()
    message = letter(world.alice.address, world.bob.address, marker, f"by curl\n.\n{marker}\n")
    upload = write(path("alice", "curl.eml"), message)
    login = write(path("alice", "curlrc"), f'user = "{world.at_alice.user}:{world.at_alice.password}"\n')
    for mechanism in ("PLAIN", "LOGIN"):
        done = run("curl", "-sS", "-K", login, "--login-options", f"AUTH={mechanism}", "--mail-from", world.alice.address,
            "--mail-rcpt", world.bob.address, "-T", upload, f"smtp://127.0.0.1:{world.at_alice.smtp_port}/client.test")
        checks.ok(f"curl sends with AUTH {mechanism}", done.code == 0, done.all)
    until(lambda: len(world.bob.find(marker)) == 2, pause=0.2)
    ids = [row["id"] for row in world.bob.find(marker)]
    login = write(path("bob", "curlrc"), f'user = "{world.at_bob.user}:{world.at_bob.password}"\n')
    url = f"pop3://127.0.0.1:{world.at_bob.pop_port}/"
    uidl = run("curl", "-sS", "-K", login, "-X", "UIDL", url)
    numbers = [line.split()[0] for line in uidl.text.splitlines() if line.split()[1] in ids]
    for number in numbers:
        got = run("curl", "-sS", "-K", login, url + number)
        checks.equal("curl fetches it byte for byte", without(got.out, *ADDED), message)


def swaks(checks, world):
    if not requires(checks, "swaks", "swaks"):
        return
    for mechanism in ("PLAIN", "LOGIN"):
        marker = token()
        done = run("swaks", "--server", "127.0.0.1", "--port", world.at_alice.smtp_port, "--auth", mechanism, "--auth-user",
            world.at_alice.user, "--auth-password", world.at_alice.password, "--from", world.alice.address, "--to",
            f"{world.bob.address},{BOARD}", "--header", f"Subject: {marker}", "--body", f"{marker}\n.\nend\n")
        checks.ok(f"swaks, AUTH {mechanism}", done.code == 0 and re.search(r"<[-~*]*\s+250 2\.0\.0", done.text), done.all[-1500:])
        row = world.bob.waits_for(marker)
        checks.ok("it arrives whole", f"{marker}\r\n.\r\nend".encode() in canonical(world.bob.raw(row["id"])))
    done = run("swaks", "--server", "127.0.0.1", "--port", world.at_alice.smtp_port, "--auth", "LOGIN", "--auth-user",
        world.at_alice.user, "--auth-password", "wrong", "--from", world.alice.address, "--to", world.bob.address)
    checks.ok("swaks: a wrong password is refused", done.code != 0 and "535 5.7.8" in done.text, done.all[-800:])


def msmtp(checks, world):
    if not requires(checks, "msmtp", "msmtp"):
        return
    marker = token()
    config = write(path("msmtp", "rc"), f"""\
account alice
host 127.0.0.1
port {world.at_alice.smtp_port}
tls off
auth plain
user {world.at_alice.user}
password {world.at_alice.password}
from {world.alice.address}
""")
    message = letter(world.alice.address, world.bob.address, marker, f"by msmtp\n{marker}\n")
    done = run("msmtp", "-C", config, "-a", "alice", "-t", input=message.replace(b"\r\n", b"\n"))
    checks.ok("msmtp sends", done.code == 0, done.all)
    row = world.bob.waits_for(marker)
    got = [row[2] for row in world.at_bob.fetch_all() if marker.encode() in row[2]]
    checks.equal("it arrives byte for byte", [without(text, *ADDED) for text in got], [message])
    done = run("msmtp", "-C", config, "-a", "alice", "someone@example.org", input=message)
    checks.ok("msmtp shows the refusal of an outside address", done.code != 0 and "members and groups only" in done.all, done.all)


def mpop_and_fetchmail(checks, world):
    markers = [token() for _ in range(3)]
    messages = [letter(world.bob.address, world.dave.address, marker, f"{marker}\n") for marker in markers]
    for message in messages:
        world.at_bob.send(message, world.dave.address)
    for marker in markers:
        world.dave.waits_for(marker)
    if requires(checks, "mpop", "mpop"):
        maildir = path("mpop", "Maildir")
        for part in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(maildir, part), exist_ok=True)
        config = write(path("mpop", "mpoprc"), f"""\
account dave
host 127.0.0.1
port {world.at_dave.pop_port}
tls off
user {world.at_dave.user}
password {world.at_dave.password}
auth user
delivery maildir {maildir}
uidls_file {path("mpop", "uidls")}
received_header off
keep on
""")
        done = run("mpop", "-C", config, "dave")
        checks.ok("mpop fetches and keeps", done.code == 0, done.all)
        found = [canonical(open(name, "rb").read()) for name in glob.glob(maildir + "/new/*")]
        mine = [without(text, *ADDED) for text in found if any(marker.encode() in text for marker in markers)]
        checks.equal("mpop has them byte for byte", sorted(mine), sorted(messages))
        before = len(found)
        done = run("mpop", "-C", config, "dave")
        checks.equal("a second time it finds nothing new", len(glob.glob(maildir + "/new/*")), before)
    if requires(checks, "fetchmail", "fetchmail"):
        box = path("fetchmail", "box")
        config = write(path("fetchmail", "rc"), f"""\
poll 127.0.0.1 protocol pop3 port {world.at_dave.pop_port} uidl
  auth password user "{world.at_dave.user}" password "{world.at_dave.password}"
  sslproto '' fetchall nokeep no rewrite
  mda "cat >> {box}"
""")
        environment = dict(os.environ, FETCHMAILHOME=os.path.dirname(config))
        done = run("fetchmail", "-f", config, "--nodetach", "--nosyslog", env=environment)
        checks.ok("fetchmail fetches and deletes", done.code == 0, done.all)
        text = open(box, "rb").read() if os.path.exists(box) else b""
        checks.ok("fetchmail has them", all(marker.encode() in text for marker in markers))
        checks.equal("what it deleted is gone for the page",
            [row["subject"] for row in world.dave.list() if row["state"] == "received"], [])


def corpus(checks, world):
    """Every message of the corpus by the node's submission of a member with a password, and out of an agent's POP3."""
    names = sorted(glob.glob(nodekit.CORPUS + "/*/*.eml")) if nodekit.CORPUS else []
    if not names:
        return checks.skip("the mail corpus", "../shared/corpus/mail is not there")
    checks.equal("the corpus has 107 messages", len(names), 107)
    before = {row[0] for row in world.at_dave.fetch_all()}
    accepted = []
    smtp = world.carol.smtp()
    for name in names:
        # A lone CR ends a line for whoever makes mail canonical, and is refused otherwise.
        message = canonical(re.sub(rb"\r(?!\n)", b"\r\n", open(name, "rb").read()))
        smtp.mail(world.carol.address, ["BODY=8BITMIME"])
        smtp.rcpt(world.dave.address)
        code, text = smtp.data(message)
        if code == 250:
            accepted.append((os.path.basename(name), message))
        else:
            checks.ok(f"taken: {name}", False, text)
    smtp.quit()
    world.dave.must("fetch")
    world.at_dave.waits_for(len(before) + len(accepted))
    fetched = [row for row in world.at_dave.fetch_all() if row[0] not in before]
    checks.equal("as many come out as went in", len(fetched), len(accepted))
    wrong = [label for (label, message), (_, _, got) in zip(accepted, fetched) if got != message]
    checks.equal(f"{len(accepted)} messages come out byte for byte, in order", wrong, [])
    checks.equal("LIST had their octets", [size for _, size, _ in fetched], [len(got) for _, _, got in fetched])
    pop = world.at_dave.pop()
    bad = []
    for number in range(1, pop.stat()[0] + 1):
        top = b"".join(line + b"\r\n" for line in pop.top(number, 0)[1])
        whole = b"".join(line + b"\r\n" for line in pop.retr(number)[1])
        if not whole.startswith(top):
            bad.append(number)
    pop.quit()
    checks.equal("TOP is the beginning of RETR", bad, [])


PARTS = [cards_and_files, round_trip_by_smtplib_and_poplib, groups_and_bob_plus_board, bcc_never_leaks, what_is_refused,
         deletes_are_shared, locked, passwords, other_users, curl, swaks, msmtp, mpop_and_fetchmail, corpus, ports_stay, configured]


def main():
    words = sys.argv[1:]
    checks = nodekit.Checks("gateway")
    world = World()
    for part in PARTS:
        if not words or any(word in part.__name__ for word in words):
            checks.part(part, world)
    for agent in (world.alice, world.bob, world.dave):
        checks.ok(f"{agent.name}'s agent runs", agent.running(), agent.log_text()[-1500:])
        checks.equal(f"{agent.name}'s agent stops in order", agent.stop(), 0)
    checks.finish()


if __name__ == "__main__":
    main()
