#!/usr/bin/env python3
"""What is no mail program at the agent's POP3 and SMTP, what is as large as may be, and whoever asks again and again.

For IMAP see imapclients.py; line ends in commands, limits of lines and failed logins are in hygiene.py.

usage: gatewaybytes.py [PART...]     only the parts whose name contains one of the words
"""
import os
import random
import re
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from mailclients import ADDED, Client, drive, say, without
from nodekit import Agent, Wire, letter, token, until

# What ends no message (RFC 5321 4.1.1.4), and whether it is refused for a bare CR or LF; one with NUL is text.
ENDS = {b"\n.\n": True, b"\n.\r\n": True, b"\r.\r": True, b"\r\n.\r": True, b"\r\n.\n": True, b"\r.\r\n": True, b"\n.\r": True,
        b"\r.\n": True, b"\n\n.\n\n": True, b"\r\r\n.\r\r\n": True, b"\r\n.\0\r\n": False}


def smuggling(checks, world):
    at_alice, bob, marker = world.at_alice, world.bob, token()
    rider = (f"MAIL FROM:<{world.alice.address}>\r\nRCPT TO:<{bob.address}>\r\nDATA\r\nSubject: smuggled {marker}\r\n\r\n"
             "smuggled\r\n.\r\n").encode()
    taken = []
    for end, is_refused in ENDS.items():
        wire = at_alice.smtp_wire()
        wire.say(f"MAIL FROM:<{world.alice.address}>")
        wire.say(f"RCPT TO:<{bob.address}>")
        wire.say("DATA")
        text = f"Subject: outer {marker}\r\n\r\nouter".encode() + end + rider
        wire.send(text)
        reply = wire.reply()
        checks.ok(f"{end!r} ends no message: {'550 5.6.0' if is_refused else '250'}",
            reply.startswith("550 5.6.0" if is_refused else "250") and wire.silent(), (reply, wire.pending))
        if reply.startswith("250"):
            taken.append(text[:-3].replace(b"\r\n.", b"\r\n"))
        checks.ok(f"{end!r}: the session goes on", wire.say("NOOP").startswith("250"))
        wire.reset()
    world.brings(bob.address)
    given = [row[2] for row in world.at_bob.fetch_all() if marker.encode() in row[2]]
    checks.equal("nothing else arrives", [without(text, *ADDED, *THOSE_ADDED) for text in given], taken)
    checks.equal("nor is anything sent", [row["subject"] for row in world.alice.list() if "smuggled" in row["subject"]], [])
    wire = at_alice.smtp_wire()
    for address in (f"{bob.address}>\r\nRCPT TO:<{world.alice.address}", f"bob\n@{nodekit.DOMAIN}", "bob\0@x", "\x1b[2J@x"):
        wire.send(f"MAIL FROM:<{address}>\r\nRSET\r\n")
        replies = [wire.reply() for _ in range(3 if "\r\n" in address else 2)]
        checks.ok(f"{address[:20]!r} in an address is refused as one",
            replies[0].startswith("5") and replies[-1].startswith("250") and wire.silent(), replies)
    wire.reset()


# What the gateway adds to a header that has neither.
THOSE_ADDED = (b"From", b"Date", b"Message-ID")


# MARK: noise

def streams(chance):
    """(name, octets): what programs that are none of ours might say."""
    request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 20 + b"\r\n"
    yield from {"line ends": b"\r\n" * 5000, "HTTP": request, "NULs": b"\0" * 50000 + b"\r\n" * 20,
                "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(500) + b"\r\n" * 20,
                "noise": chance.randbytes(100000) + b"\r\n" * 20,
                "lines of noise": b"\r\n".join(chance.randbytes(40) for _ in range(200)) + b"\r\n",
                "a line without end": b"x" * 300000 + b"\r\n" * 20, "nothing": b""}.items()


def broken(command, chance):
    """A conversation with octets changed, left out and doubled."""
    octets = bytearray(command)
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(octets))
        change = chance.randrange(4)
        if change == 0:
            octets[at] = chance.randrange(256)
        elif change == 1:
            del octets[at:at + chance.randrange(1, 20)]
        elif change == 2:
            octets[at:at] = octets[at:at + chance.randrange(1, 60)]
        else:
            octets[at:at] = chance.choice((b"\r", b"\n", b"\r\n", b"\0", b"\r\n.\r\n", b" ", b"\xff", b"999999999999999999999"))
        if not octets:
            break
    return bytes(octets)


def any_bytes(checks, world):
    """Whatever is said, before and after the login: what comes are replies, and then the end; and the agent lives."""
    at_bob, chance = world.at_bob, random.Random(4711)
    talk = {"POP3": (at_bob.pop_port, rb"(\+OK|-ERR)( |$)",
                "STAT\r\nLIST\r\nUIDL 1\r\nTOP 1 0\r\nRETR 99\r\nNOOP\r\nRSET\r\nCAPA\r\n"),
            "SMTP": (at_bob.smtp_port, rb"\d\d\d([ -]|$)", f"NOOP\r\nMAIL FROM:<{at_bob.agent.address}> SIZE=10 RET=HDRS\r\n"
                f"RCPT TO:<{world.alice.address}> NOTIFY=NEVER\r\nRSET\r\nVRFY x\r\nHELP\r\nBDAT 3\r\nabcRSET\r\n")}
    login = {"POP3": f"USER bob\r\nPASS {at_bob.password}\r\n", "SMTP": f"EHLO x\r\nAUTH PLAIN {at_bob.plain()}\r\n"}
    before = len(world.alice.list())
    for name, (port, pattern, commands) in talk.items():
        for what, octets in streams(chance):
            answer = everything(port, octets)
            lines = answer.split(b"\r\n")
            checks.ok(f"{name}: {what} gets replies and the end", lines[-1] == b"" and 2 <= len(lines) <= 16
                and all(re.match(pattern, line) for line in lines[:-1]), (lines[:3], lines[-3:], len(lines)))
        bad = []
        for number in range(60):
            # The greeting, and what is said before the login or behind it.
            octets = broken(commands.encode(), chance)
            octets = login[name].encode() + octets if number % 3 else broken(login[name].encode(), chance) + octets
            answer = everything(port, octets)
            # What RETR gives is between them.
            told = [line for line in answer.split(b"\r\n") if re.match(pattern, line)]
            bad += [] if answer.endswith(b"\r\n") and len(told) >= 3 else [(number, answer, octets)]
        checks.equal(f"{name}: sixty broken conversations are answered and ended", bad, [])
        octets = everything(port, (login[name] + commands + "QUIT\r\n").encode())
        checks.ok(f"{name}: and one in order in a single packet goes through",
            re.search(rb"(?m)^(\+OK|221).*\r\n\Z", octets), octets)
    checks.ok("the agent lives", world.bob.running() and world.bob.status()["problems"] == [], world.bob.status())
    checks.equal("and nothing was sent", len(world.alice.list()), before)


def everything(port, octets):
    """All that is answered to these octets and the end of input, up to the end."""
    wire = Wire(port)
    try:
        wire.send(octets)
        wire.socket.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    answer = b""
    try:
        while piece := wire.socket.recv(65536):
            answer += piece
    except ConnectionResetError:
        # What was sent after the end.
        pass
    wire.reset()
    return answer


def who_says_nothing(checks, world):
    at_bob = world.at_bob
    silent = [Wire(port) for port in (at_bob.pop_port, at_bob.smtp_port) for _ in range(20)]
    checks.ok("forty that say nothing are in nobody's way by POP3", at_bob.pop().stat())
    checks.equal("nor by SMTP", at_bob.smtp().noop()[0], 250)
    for wire in silent:
        wire.reset()
    # A message that breaks off.
    marker = token()
    wire = at_bob.smtp_wire()
    for command in (f"MAIL FROM:<{world.bob.address}>", f"RCPT TO:<{world.alice.address}>", "DATA"):
        wire.say(command)
    wire.send(f"Subject: {marker}\r\n\r\nhalf")
    wire.reset()
    behind = letter(world.bob.address, world.alice.address, token(), "behind\n")
    at_bob.send(behind, world.alice.address)
    checks.equal("what breaks off is not sent", [row for row in world.bob.list() if marker in row["subject"]], [])


# MARK: the largest

def as_large_as_may_be(checks, world):
    """The whole of SIZE: what it admits passes the node, too."""
    marker, limit = token(), announced(world.at_alice)
    # A file and no text, whose words a debug build would index for half a minute.
    big = (f"From: {world.alice.address}\r\nTo: {world.bob.address}\r\nSubject: {marker}\r\nMIME-Version: 1.0\r\n"
           "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n").encode()
    big += (b"y" * 70 + b"\r\n") * ((limit - len(big)) // 72)
    code, text = world.at_alice.send(big + b"z" * 70 + b"\r\n" + b"z" * 70 + b"\r\n", world.bob.address)
    checks.ok("more than SIZE is refused: 552", code == 552, text)
    code, text = world.at_alice.send(big, world.bob.address)
    checks.ok("what SIZE admits is taken", code == 250, text)
    sent = until(lambda: world.alice.find(marker)[0]["state"] == "sent", 60, 0.5)
    checks.ok("and by the node", sent, world.alice.find(marker))


def announced(client):
    """The number behind SIZE."""
    with client.smtp() as smtp:
        return int(smtp.esmtp_features["size"])


# MARK: the idle lock

def idle_lock(checks, world):
    """A program that polls does not keep the agent unlocked."""
    seconds = 4
    erin = Agent("erin", extra=f'[agent.lock]\nidle = "{seconds}s"\n')
    erin.join(world.node.invite("erin"))
    erin.start()
    erin.unlock()
    at_erin = Client(erin)
    erin.lock()
    erin.unlock()
    began = time.monotonic()
    idle = at_erin.imap_wire()
    say(idle, "SELECT INBOX")
    idle.send(b"i IDLE\r\n")
    counts = {"POP3": 0, "SMTP": 0, "IMAP": 0}
    polling = at_erin.imap_wire()

    def polls():
        """False from when the agent is locked on."""
        try:
            at_erin.pop().quit()
            counts["POP3"] += 1
            at_erin.smtp().quit()
            counts["SMTP"] += 1
            counts["IMAP"] += say(polling, "NOOP").startswith(b"OK")
            return True
        except Exception:
            return False

    ended = until(lambda: not polls(), seconds * 4, 0.2)
    took = time.monotonic() - began
    checks.ok(f"whoever polls does not hold the idle lock open ({took:.1f} s)",
        ended and seconds - 0.5 < took < seconds * 3, took)
    checks.ok("it is locked", until(lambda: (erin.status() or {}).get("agent", {}).get("locked"), 10), erin.status())
    checks.ok("it was polled all the time, by each protocol", min(counts.values()) >= 5, counts)
    last = b""
    while line := idle.line():
        last = line
    checks.ok("and IDLE has ended with BYE", last.startswith(b"* BYE"), last)
    checks.equal("erin's agent stops in order", erin.stop(), 0)


PARTS = [smuggling, any_bytes, who_says_nothing, idle_lock, as_large_as_may_be]


if __name__ == "__main__":
    drive("gateway bytes", PARTS)
