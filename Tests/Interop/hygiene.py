#!/usr/bin/env python3
"""The rules for all listeners (PROTOCOLS.md, "All listeners") against the real program, each on every listener that it concerns:
pop3s, pop3 with STLS, submissions, submission with STARTTLS, LMTP, and POP3 and SMTP of an agent's gateway. What needs minutes of
waiting is in the unit tests with a clock of their own; smuggling, oversize lines and caps are in hostile.py and handover.py, draining
of POP3 and submission in deaths.py.

usage: hygiene.py [PART...]     only the parts whose name contains one of the words
"""
import base64
import concurrent.futures
import os
import re
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from handover import begin, lmtp_wire
from mailclients import Client
from nodekit import DOMAIN, Node, Wire, client_context, letter, requires, token, unlocked_agents, until
from world import World

LISTENERS = ("pop3s", "pop3", "submissions", "submission", "lmtp")
# In clear, to a person's own processes alone.
GATEWAY = ("pop3 of the gateway", "smtp of the gateway")


class Peer:
    """A session on one listener, spoken to in bytes, whichever protocol it speaks."""

    def __init__(self, world, listener, secure=True, login=False, key=None):
        self.listener, self.is_pop3 = listener, listener.startswith("pop3")
        implicit = listener in ("pop3s", "submissions")
        self.wire = Wire(self.place(world, listener), client_context(key) if implicit else None)
        self.greeting = self.reply()
        if listener in ("pop3", "submission") and secure:
            self.hello()
            self.say("STLS" if self.is_pop3 else "STARTTLS")
            self.wire.start_tls(client_context(key))
        self.hello()
        # Whose mail it is, and where LMTP's comes from.
        self.sender = world.at_gina.agent.address if listener in GATEWAY else world.carol.address
        if listener == "lmtp":
            self.sender = "outside@world.test"
        elif login:
            secret = world.at_gina.plain() if listener in GATEWAY else plain(world.carol)
            assert self.is_good(self.say(f"AUTH PLAIN {secret}")), "login"

    @staticmethod
    def place(world, listener):
        if listener in GATEWAY:
            return world.at_gina.pop_port if listener.startswith("pop3") else world.at_gina.smtp_port
        return world.node.lmtp if listener == "lmtp" else world.node.port_of(listener)

    def hello(self):
        if not self.is_pop3:
            assert self.is_good(self.say("LHLO mta.test" if self.listener == "lmtp" else "EHLO client.test"))

    def reply(self):
        """One reply of one or more lines, of POP3 its first."""
        return self.wire.line().decode(errors="replace") if self.is_pop3 else self.wire.reply()

    def say(self, data):
        self.wire.send(data if isinstance(data, bytes) else data + "\r\n")
        return self.reply()

    def is_good(self, reply):
        return reply.startswith("+OK") if self.is_pop3 else reply[:1] in ("2", "3")

    def is_refusal(self, reply):
        return reply.startswith("-ERR") if self.is_pop3 else reply[:1] == "5"

    def goes_on(self):
        """True when nothing is left to read and a command is answered as its own."""
        if not self.wire.silent():
            return False
        if self.is_pop3:
            self.wire.send("CAPA\r\n")
            lines = [self.wire.line()]
            while lines[-1] not in (b".", b""):
                lines.append(self.wire.line())
            return lines[0].startswith(b"+OK") and lines[-1] == b"."
        return self.say("NOOP").startswith("250")

    def closed(self):
        return self.wire.closed()

    def reset(self):
        self.wire.reset()


def plain(member, password=None, name=None):
    return base64.b64encode(f"\0{name or member.name}\0{password or member.password}".encode()).decode()


def at_once(checks, function, *columns):
    """Calls a function with each row of these columns, all at once, as it mostly waits. It gets a list for what `checks.ok` takes."""
    lists = [[] for _ in columns[0]]
    with concurrent.futures.ThreadPoolExecutor(max_workers=16) as pool:
        list(pool.map(function, lists, *columns))
    for found in lists:
        assert found, "nothing was checked"
        for row in found:
            checks.ok(*row)


# MARK: line ends

def bare_line_ends_in_commands(checks, world):
    at_once(checks, lambda found, listener, secure: bare_line_ends(found, world, listener, secure),
        [*LISTENERS, *GATEWAY, "pop3", "submission"], [True] * len(LISTENERS + GATEWAY) + [False] * 2)


def bare_line_ends(found, world, listener, secure):
    where = f"{listener}{'' if secure else ' before TLS'}"
    for name, data in [("LF", b"NOOP\nQUIT\r\n"), ("CR", b"NOOP\rQUIT\r\n"), ("CR CR LF", b"NOOP\r\r\n"), ("LF CR LF", b"NOOP\n\r\n"),
                       ("NUL", b"NO\0OP\r\n"), ("ESC", b"NOOP \x1b[2J\r\n"), ("DEL", b"NOOP \x7f\r\n")]:
        peer = Peer(world, listener, secure=secure)
        reply = peer.say(data)
        found.append((f"{where}: {name} in a command is one refusal, and the session goes on", peer.is_refusal(reply) and peer.goes_on(),
                      (reply, peer.wire.pending)))
        peer.reset()


# MARK: TLS upgrade

def upgrades(checks, world):
    for listener, command, rider in [("pop3", "STLS", f"USER carol\r\nPASS {world.carol.password}\r\n"),
                                     ("submission", "STARTTLS", f"EHLO evil.test\r\nAUTH PLAIN {plain(world.carol)}\r\n")]:
        for name, data in [("a command", rider), ("one octet", "X"), ("a line end", "\r\n"), ("a ClientHello", b"\x16\x03\x01\x02\x00\x01")]:
            peer = Peer(world, listener, secure=False)
            reply = peer.say(command.encode() + b"\r\n" + (data if isinstance(data, bytes) else data.encode()))
            checks.ok(f"{listener}: {name} behind {command} in one packet: refused and closed", not peer.is_good(reply) and peer.closed(), reply)
        # Later it is where the handshake should be.
        peer = Peer(world, listener, secure=False)
        checks.ok(f"{listener}: {command} is taken", peer.is_good(peer.say(command)))
        peer.wire.send(rider)
        try:
            answer = peer.wire.socket.recv(4096)
        except ConnectionResetError:
            answer = b""
        checks.ok(f"{listener}: {command} and then words in clear: no reply to them", not re.search(rb"\+OK|-ERR|\d\d\d ", answer), answer)
        peer.reset()
        peer = Peer(world, listener, secure=False)
        reply = peer.say("AUTH PLAIN " + plain(world.carol))
        checks.ok(f"{listener}: no login before TLS", peer.is_refusal(reply), reply)
        if listener == "pop3":
            checks.ok("pop3: no USER before TLS", peer.is_refusal(peer.say("USER carol")))
        peer.say(command)
        peer.wire.start_tls(client_context())
        first = "PASS " + world.carol.password if listener == "pop3" else f"MAIL FROM:<{world.carol.address}>"
        checks.ok(f"{listener}: what was said before TLS is forgotten", peer.is_refusal(peer.say(first)))
        checks.ok(f"{listener}: no second {command}", peer.is_refusal(peer.say(command)))
        peer.reset()
    for listener in ("pop3s", "submissions", "lmtp", *GATEWAY):
        peer = Peer(world, listener)
        reply = peer.say("STLS" if peer.is_pop3 else "STARTTLS")
        checks.ok(f"{listener}: no upgrade where there is nothing to upgrade", peer.is_refusal(reply) and peer.goes_on(), reply)
        peer.reset()


# MARK: limits

def padded(head, octets, tail=""):
    """A line of so many octets with its CRLF."""
    return (head + "x" * (octets - 2 - len(head) - len(tail)) + tail + "\r\n").encode()


def line_limits(checks, world):
    """One octet less, as many as may be, and one more: POP3 255, SMTP 512, MAIL and RCPT with what their parameters add, AUTH."""
    for login in (False, True):
        when = "after login" if login else "before login"
        for listener in LISTENERS + GATEWAY:
            if listener == "lmtp" and login:
                continue
            peer = Peer(world, listener, login=login)
            limit, head = (255, "RETR " if login else "USER ") if peer.is_pop3 else (512, "NOOP ")
            for extra in (-1, 0, 1):
                reply = peer.say(padded(head, limit + extra))
                # RETR of such a number is refused as such.
                is_long = "onger than 255" in reply if peer.is_pop3 else reply.startswith("500 5.5.2")
                checks.ok(f"{listener} {when}: {limit + extra} octets are {'too many' if extra > 0 else 'a command'}", is_long == (extra > 0)
                          and peer.goes_on(), reply)
            if not peer.is_pop3 and (login or listener == "lmtp"):
                sender = peer.sender
                for extra in (-1, 0, 1):
                    reply = peer.say(padded(f"MAIL FROM:<{sender}> SIZE=1 XBOGUS=", 512 + 669 + extra))
                    checks.ok(f"{listener} {when}: MAIL of the limit{extra:+}", reply[:3] == ("500" if extra > 0 else "555"), reply)
                peer.say(f"MAIL FROM:<{sender}>")
                for extra in (-1, 0, 1):
                    reply = peer.say(padded(f"RCPT TO:<{world.carol.address}> XBOGUS=", 512 + 528 + extra))
                    checks.ok(f"{listener} {when}: RCPT of the limit{extra:+}", reply[:3] == ("500" if extra > 0 else "555"), reply)
                checks.ok(f"{listener} {when}: goes on", peer.goes_on())
            peer.reset()
    for listener in (*LISTENERS, *GATEWAY):
        if listener == "lmtp":
            continue
        peer = Peer(world, listener)
        limit = 4096 if peer.is_pop3 else 12288
        for extra in (-1, 0, 1):
            peer.say("AUTH PLAIN")
            reply = peer.say(padded("!", limit + extra))
            is_long = "ong" in reply
            checks.ok(f"{listener}: a response of {limit + extra} octets to AUTH is {'too long' if extra > 0 else 'read'}",
                      peer.is_refusal(reply) and is_long == (extra > 0), reply)
        checks.ok(f"{listener}: goes on", peer.goes_on())
        peer.reset()


def unknown_commands(checks, world):
    for secure in (True, False):
        for listener in LISTENERS + GATEWAY:
            if listener == "lmtp" or not secure and listener not in ("pop3", "submission"):
                continue
            peer = Peer(world, listener, secure=secure)
            replies = [peer.say(f"BOGUS{number}") for number in range(9)]
            checks.ok(f"{listener}{'' if secure else ' before TLS'}: nine unknown commands are refused", all(map(peer.is_refusal, replies)), replies)
            peer.say("BOGUS")
            # SMTP says good-bye.
            ended = peer.closed() if peer.is_pop3 else peer.reply().startswith("421") and peer.closed()
            checks.ok(f"{listener}{'' if secure else ' before TLS'}: the tenth ends it", ended)
    for listener in LISTENERS + GATEWAY:
        peer = Peer(world, listener, login=True)
        replies = [peer.say("BOGUS") for _ in range(50)]
        checks.ok(f"{listener}: who is logged in, or an MTA, may err", all(map(peer.is_refusal, replies)) and peer.goes_on(), replies[-1])
        peer.reset()


# MARK: SASL and logins

def sasl(checks, world):
    carol, key = world.carol, world.device
    alice = base64.b64encode(b"alice").decode()
    other = base64.b64encode(b"carol").decode()
    for listener in ("pop3s", "pop3", "submissions", "submission"):
        for name, steps, good in [
            ("EXTERNAL without a response", ["AUTH EXTERNAL", ""], True), ("EXTERNAL with =", ["AUTH EXTERNAL ="], True),
            ("EXTERNAL with = as an answer", ["AUTH EXTERNAL", "="], True), ("EXTERNAL with the name", [f"AUTH EXTERNAL {alice}"], True),
            ("EXTERNAL with the name as an answer", ["auth external", alice], True),
            ("EXTERNAL for another", [f"AUTH EXTERNAL {other}"], False),
        ]:
            peer = Peer(world, listener, key=key)
            for step in steps:
                reply = peer.say(step)
            checks.ok(f"{listener}: {name} is {'taken' if good else 'refused'}", peer.is_good(reply) == good, reply)
            peer.reset()
        peer = Peer(world, listener)
        checks.ok(f"{listener}: no EXTERNAL without a key", peer.is_refusal(peer.say("AUTH EXTERNAL =")))
        for name, text in [("cancelled by *", "*"), ("no base64", "!!!!"), ("base64 without its end", "AGNhcm9s="), ("nothing", ""),
                           ("without NULs", base64.b64encode(b"carol").decode()), ("with three NULs", base64.b64encode(b"\0carol\0a\0b").decode()),
                           ("a name with a line end", base64.b64encode(b"\0ca\r\nrol\0x").decode())]:
            peer.say("AUTH PLAIN")
            reply = peer.say(text)
            checks.ok(f"{listener}: PLAIN, {name}: refused at once", peer.is_refusal(reply), reply)
        reply = peer.say(f"AUTH PLAIN {plain(carol)}")
        checks.ok(f"{listener}: and PLAIN goes on after all that", peer.is_good(reply), reply)
        checks.ok(f"{listener}: no second login", peer.is_refusal(peer.say(f"AUTH PLAIN {plain(carol)}")))
        peer.reset()


class Alone:
    """A node whose failures of the last minute are this test's only, as those of its agent: with others every answer comes later."""

    def __init__(self, listener):
        name = re.sub(r"\W", "", listener)
        self.node = Node(f"alone-{name}").init().start()
        self.carol = self.node.add_ordinary(f"anna{name}")
        if listener in GATEWAY:
            [agent] = unlocked_agents(self.node, f"gina{name}")
            self.at_gina = Client(agent)

    def stop(self):
        if hasattr(self, "at_gina"):
            self.at_gina.agent.stop()
        self.node.stop()


def failed_logins(checks, world):
    at_once(checks, failures, ("pop3s", "submissions", *GATEWAY))
    # POP3 says why it is not now (RFC 2449 8.1.1, RFC 3206).
    first, second = Peer(world, "pop3s", login=True), Peer(world, "pop3s")
    reply = second.say(f"AUTH PLAIN {plain(world.carol)}")
    checks.ok("a second session is told [IN-USE]", reply.startswith("-ERR [IN-USE] "), reply)
    first.say("QUIT")
    reply = second.say(f"AUTH PLAIN {plain(world.carol)}")
    checks.ok("and gets the maildrop when the first has ended", reply.startswith("+OK"), reply)
    second.reset()


def failures(found, listener):
    alone = Alone(listener)
    name = alone.at_gina.user if listener in GATEWAY else alone.carol.name
    replies, times = [], []
    for user, attempts in ((name, 3), ("nobody", 1)):
        peer = Peer(alone, listener)
        for attempt in range(attempts):
            began = time.monotonic()
            replies.append(peer.say(f"AUTH PLAIN {plain(alone.carol, 'wrong', user)}"))
            times.append((2 ** attempt, time.monotonic() - began))
        if attempts == 3:
            last = "" if peer.is_pop3 else peer.reply()
            is_over = peer.closed() and (peer.is_pop3 or last.startswith("421 4.7.0"))
            found.append((f"{listener}: the third failure ends it", is_over, last))
    wanted = "-ERR [AUTH] Login failed" if peer.is_pop3 else "535 5.7.8 Login refused: no such name, or not its password or key"
    found.append((f"{listener}: a wrong password and an unknown name have the same words", set(replies) == {wanted}, replies))
    found.append((f"{listener}: after one, two and four seconds at least", all(took > least - 0.1 for least, took in times), times))
    if listener not in GATEWAY:
        # There everybody has one address, and one whose program has an old password is not to keep the others waiting.
        found.append((f"{listener}: later from an address that has failed before", times[3][1] > 1.3, times))
    alone.stop()


# MARK: names

def names_in_logs_and_fields(checks, world):
    """Nothing of a stranger's text gets into a line of the log that is not all ours, nor into a header field."""
    node, carol = world.node, world.carol
    marker = "forged" + token()
    before = len(node.log_text())
    for listener in ("submissions", "submission", "lmtp"):
        verb = "LHLO" if listener == "lmtp" else "EHLO"
        for name in (f"x\r{marker}", f"x\n{marker}", f"x {marker}", f"x\x1b[31m{marker}", f"x\x85{marker}\u2028", f"<{marker}>", f"-{marker}",
                     "x" * 256, f"x\"{marker}"):
            peer = Peer(world, listener)
            reply = peer.say(f"{verb} {name}".encode() + b"\r\n")
            if "\x85" not in name:
                checks.ok(f"{listener}: {verb} {name[:20]!r} is refused", peer.is_refusal(reply), reply)
            checks.ok(f"{listener}: {verb} {name[:20]!r} is repeated to nobody", marker not in reply, reply)
            peer.reset()
    names = [f"x\r\n{marker}", f"x\x1b]0;{marker}\a", f"x\u2028{marker}", f"x\u202e{marker}"] * 2
    at_once(checks, lambda found, listener, name: strange_login(found, world, listener, name), ["pop3s"] * 4 + ["submissions"] * 4, names)
    wire = lmtp_wire(node, "mta.test")
    begin(wire, carol.address, sender=f"\"a {marker}\"@world.test")
    wire.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
    wire.reply()
    wire.reset()
    got = [carol.open(wrapper) for _, _, wrapper in carol.fetch_all()]
    fields = got[0].split(b"\r\n") if got else []
    checks.ok("the header has our two fields and the message's, each on a line of its own",
              len(fields) == 6 and fields[0] == f"Return-Path: <\"a {marker}\"@world.test>".encode() and fields[1].startswith(b"Received: from mta.test by ")
              and fields[2] == b"Subject: x", fields)
    log = node.log_text()[before:]
    odd = [line for line in log.split("\n") if line and not re.match(r"<?\d*>?\d{4}-\d\d-\d\d|[a-z]+ ", line)]
    checks.equal("each line of the log begins as ours do", odd, [])
    checks.ok("and none has a control character, or a line of a stranger's", not re.search(r"[\x00-\x09\x0b-\x1f\x7f\x85\u2028\u2029\u202e]", log)
              and not re.search(rf"^\W*{marker}", log, re.M), log[-800:])


def strange_login(found, world, listener, name):
    peer = Peer(world, listener)
    reply = peer.say("AUTH PLAIN " + base64.b64encode(f"\0{name}\0wrong".encode()).decode())
    found.append((f"{listener}: nobody is called {name[:4]!r}", peer.is_refusal(reply), reply))
    peer.reset()


# MARK: other protocols

def other_protocols(checks, world):
    """A browser that is made to talk to a mail port must not get a message sent."""
    for listener in ("submissions", "submission", "lmtp", "smtp of the gateway"):
        peer = Peer(world, listener)
        secret = world.at_gina.plain() if listener in GATEWAY else plain(world.carol)
        peer.wire.send(
            f"POST / HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Type: text/plain\r\n\r\nEHLO x\r\nAUTH PLAIN {secret}\r\n"
            f"MAIL FROM:<{peer.sender}>\r\nRCPT TO:<{world.carol.address}>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n")
        checks.ok(f"{listener}: an HTTP request gets nothing but the end", peer.closed(), peer.wire.pending)
        peer.reset()
    checks.equal("and sends no mail", world.carol.waiting(), 0)
    checks.equal("nor is any of the gateway's on its way", world.at_gina.agent.list(), [])
    # POP3 has nothing to send; to it such a request is lines that are no commands.
    for listener in ("pop3s", "pop3", "pop3 of the gateway"):
        peer = Peer(world, listener)
        peer.wire.send(f"POST / HTTP/1.1\r\nHost: {DOMAIN}\r\n" + "X: y\r\n" * 20 + "\r\n")
        replies = []
        while reply := peer.reply():
            replies.append(reply)
        checks.ok(f"{listener}: an HTTP request is refused line by line, and ended", 1 <= len(replies) <= 10
                  and all(map(peer.is_refusal, replies)), replies)
        peer.reset()


# MARK: caps

def caps(checks, world):
    """In all, whatever the listener; per address hostile.py has, and a unix socket has no address."""
    node = Node("small", limits="connections = 6\nconnections_per_ip = 4").init().start()
    try:
        places = [node.lmtp, node.lmtp, node.pop3, node.submission]
        wires = [Wire(place) for place in places]
        checks.ok("four are greeted", all(wire.line()[:3] in (b"220", b"+OK") for wire in wires))
        wires += [Wire(node.pop3) for _ in range(2)]
        checks.ok("as many of one address as may be", all(wire.line()[:3] == b"+OK" for wire in wires[4:]))
        for name, place in (("LMTP", node.lmtp), ("pop3", node.pop3), ("pop3s", node.pop3s)):
            wire = Wire(place)
            checks.ok(f"one more by {name} is closed without a word", wire.closed(10))
            wire.reset()
        wires.pop(0).reset()
        fresh = until(lambda: greeted(node.lmtp), 10)
        checks.ok("when one has gone, another may come", fresh)
        fresh.reset()
        checks.ok("but no fifth of the address", Wire(node.pop3).closed(10))
        for wire in wires:
            wire.reset()
    finally:
        node.stop()


def greeted(place):
    wire = Wire(place)
    if wire.line().startswith(b"220"):
        return wire
    wire.reset()
    return None


# MARK: the end; the node is started anew

def drain_of_lmtp(checks, world):
    node, carol = world.node, world.carol
    idle, open_one, begun = lmtp_wire(node), lmtp_wire(node), lmtp_wire(node)
    begin(open_one, carol.address, world.erin.address)
    message = letter("outside@world.test", carol.address, "while draining", f"{token()}\n")
    open_one.send(message[:30])
    begun.say("MAIL FROM:<a@b.test>")
    begun.say(f"RCPT TO:<{carol.address}>")
    clear = [Peer(world, "submission", secure=False), Peer(world, "pop3", secure=False)]
    node.process.send_signal(signal.SIGTERM)
    checks.ok("an idle LMTP session is told 421 4.3.2", idle.reply().startswith("421 4.3.2") and idle.closed())
    checks.ok("one with an envelope only, too", begun.reply().startswith("421 4.3.2") and begun.closed())
    reply = clear[0].reply()
    checks.ok("one that waits for STARTTLS, too", reply.startswith("421 4.3.2") and clear[0].closed(), reply)
    reply = clear[1].say("CAPA")
    checks.ok("one that waits for STLS is told [SYS/TEMP]", reply.startswith("-ERR [SYS/TEMP]") and clear[1].closed(), reply)
    open_one.send(message[30:] + b".\r\n")
    replies = [open_one.reply() for _ in range(2)]
    checks.ok("a message under way is stored, with a reply for each recipient", all(reply.startswith("250 2.0.0") for reply in replies), replies)
    reply = open_one.reply()
    checks.ok("and then the session ends", reply.startswith("421 4.3.2") and open_one.closed(), reply)
    checks.equal("SIGTERM ends with status 0", node.process.wait(10), 0)
    checks.ok("the socket's file is gone", not os.path.exists(node.lmtp))
    node.start()
    for member in (carol, world.erin):
        got = [member.open(wrapper) for _, _, wrapper in member.fetch_all()]
        checks.ok(f"{member.name} has it, once", len(got) == 1 and got[0].endswith(message), len(got))


PARTS = [bare_line_ends_in_commands, upgrades, line_limits, unknown_commands, sasl, failed_logins, names_in_logs_and_fields, other_protocols,
         caps, drain_of_lmtp]


def main():
    checks = nodekit.Checks("hygiene of all listeners")
    if requires(checks, "everything", "openssl", "age", "age-keygen"):
        world = World()
        [gina] = unlocked_agents(world.node, "gina")
        world.at_gina = Client(gina)
        checks.parts(PARTS, world)
        checks.equal("the gateway's agent stops in order", gina.stop(), 0)
        checks.equal("the node has no problems", world.node.status()["problems"], [])
        checks.equal("the node stops in order", world.node.stop(), 0)
    checks.finish()


if __name__ == "__main__":
    main()
