"""LMTP as a mail server's hand-over: what is never in clear on the way, replies one by one, swaks, and lines that end in a way of
their own. With a real Postfix in front: postfix.py."""
import array
import fcntl
import os
import re
import stat
import termios

import nodekit
from nodekit import DOMAIN, Agent, Node, Wire, below, canonical, folder, letter, port, requires, run, token, until, write
from world import BOARD


def lmtp_wire(node, name="mta.test"):
    wire = Wire(node.lmtp)
    assert wire.reply().startswith("220"), "no greeting"
    assert wire.say(f"LHLO {name}").startswith("250"), "LHLO refused"
    return wire


def begin(wire, *recipients, sender="outside@world.test"):
    """Everything up to the 354; the replies to RCPT."""
    assert wire.say(f"MAIL FROM:<{sender}>").startswith("250")
    replies = [wire.say(f"RCPT TO:<{to}>") for to in recipients]
    assert wire.say("DATA").startswith("354")
    return replies


# MARK: sealed on arrival

def lmtp_seals_as_it_comes(checks, world):
    node, carol = world.node, world.carol
    marker = token(24)
    lines = [f"{marker} line {number:06d} {'x' * 30}\r\n".encode() for number in range(90_000)]
    message = b"Subject: large\r\n\r\n" + b"".join(lines)
    half = len(message) // 2
    wire = lmtp_wire(node)
    begin(wire, carol.address)
    wire.socket.settimeout(60)
    wire.send(message[:half])
    checks.ok("half of a large message is taken while it comes", until(lambda: unsent(wire) == 0), unsent(wire))
    needles = nodekit.traces(marker)
    places = [node.state, node.runtime, *temporary_folders(node)]
    checks.equal("half of it is in no file in clear", nodekit.holds(below(*places), needles), [])
    opened = open_files(node)
    if opened is None:
        checks.skip("what the process has open, and its memory", "this needs root")
    else:
        checks.ok("the process has its files open", any(node.state in name for name, _ in opened), opened)
        checks.equal("nor in one that the process has open, deleted ones among them",
                     [name for name, data in opened if any(needle in data for needle in needles)], [])
        held = memory(node)
        checks.ok("its memory can be looked at", carol.address.encode() in held, len(held))
        seen = {int(number) for number in re.findall(marker.encode() + rb" line (\d{6})", held)}
        checks.ok("of three megabytes no more than one is in its memory", len(seen) * len(lines[0]) < 1 << 20,
                  f"{len(seen) * len(lines[0])} octets")
    wire.send(message[half:] + b".\r\n")
    reply = wire.reply()
    checks.ok("the whole is stored", reply.startswith("250"), reply)
    checks.equal("and is in no file in clear either", nodekit.holds(below(*places), needles), [])
    got = [carol.open(wrapper) for _, _, wrapper in carol.fetch_all()]
    checks.ok("it opens byte for byte", len(got) == 1 and got[0].endswith(b"\r\n" + message), [len(text) for text in got])
    begin(wire, carol.address)
    wire.send(message[:half])
    wire.reset()
    checks.equal("a message that was cut off is not there", carol.waiting(), 0)
    checks.equal("and has left nothing in clear", nodekit.holds(below(*places), needles), [])


def unsent(wire):
    """Octets that the other side has not read."""
    count = array.array("i", [0])
    fcntl.ioctl(wire.socket.fileno(), termios.TIOCOUTQ, count)
    return count[0]


def temporary_folders(node):
    """Where a program of this environment might put temporary files, but for our own."""
    places = {os.environ.get("TMPDIR", "/tmp"), "/tmp", "/var/tmp", "/dev/shm"}
    found = []
    for place in places:
        for name in os.listdir(place) if os.path.isdir(place) else []:
            full = os.path.join(place, name)
            try:
                status = os.lstat(full)
            except FileNotFoundError:
                continue
            # Whatever is older than the node is not of its making.
            if full != folder() and status.st_uid == os.getuid() and stat.S_ISREG(status.st_mode) \
                    and status.st_mtime >= os.stat(node.config).st_mtime:
                found.append(full)
    return found


def open_files(node):
    """Name and content of each ordinary file that the process has open, also of memory files; None when nobody may look."""
    found = []
    place = f"/proc/{node.process.pid}/fd"
    try:
        for name in os.listdir(place):
            full = os.path.join(place, name)
            if os.path.exists(full) and stat.S_ISREG(os.stat(full).st_mode):
                with open(full, "rb") as file:
                    found.append((os.readlink(full), nodekit.without_zeros(file)))
    except PermissionError:
        return None
    return found


def memory(node):
    """Everything that the process has in memory of its own and can write to."""
    found = []
    with open(f"/proc/{node.process.pid}/maps") as maps, open(f"/proc/{node.process.pid}/mem", "rb", 0) as memory:
        for line in maps:
            place, rights, _, _, inode = line.split()[:5]
            if not rights.startswith("rw") or inode != "0":
                continue
            begin, end = (int(part, 16) for part in place.split("-"))
            while begin < end:
                size = min(end - begin, 1 << 20)
                try:
                    memory.seek(begin)
                    found.append(memory.read(size))
                except (OSError, ValueError):
                    pass
                begin += size
    return b"".join(found)


# MARK: one by one

def lmtp_answers_one_by_one(checks, world):
    node, carol, erin = world.node, world.carol, world.erin
    node.must("group", "set", "board", "--post", "all")
    wire = lmtp_wire(node)
    message = letter("outside@world.test", BOARD, "one by one", f"{token()}\n")
    replies = begin(wire, carol.address, "nobody@node.test", BOARD, "chiefs@node.test", "carol@elsewhere.test", erin.address,
                    erin.address, sender="")
    checks.equal("RCPT says who may be written to", [reply[:9] for reply in replies],
                 ["250 2.1.5", "550 5.1.1", "250 2.1.5", "550 5.7.1", "550 5.7.1", "250 2.1.5", "250 2.1.5"])
    wire.send(message + b".\r\n")
    replies = [wire.reply()[:9] for _ in range(4)]
    checks.equal("and there is a reply for each who may, also for one named twice", replies, ["250 2.0.0"] * 4)
    checks.ok("and no more", wire.silent())
    for member in (carol, erin):
        got = [member.open(wrapper) for _, _, wrapper in member.fetch_all()]
        checks.ok(f"{member.name}, a member of the group and named, has one copy",
                  len(got) == 1 and got[0].endswith(message) and got[0].startswith(b"Return-Path: <>\r\nReceived: from mta.test by "), got)
    node.must("group", "set", "board", "--post", "members")
    checks.ok("the group takes no more from outside", wire.say("MAIL FROM:<x@y.test>").startswith("250")
              and wire.say(f"RCPT TO:<{BOARD}>").startswith("550 5.7.1"))
    reply = wire.say("DATA")
    checks.ok("DATA without a recipient is refused with 503 (RFC 2033 4.2)", reply.startswith("503"), reply)
    wire.say("RSET")
    for count, code in ((28, "250"), (29, "250"), (30, "554 5.4.6")):
        begin(wire, carol.address)
        hops = b"".join(b"Received: from a%d by b%d.test; Mon, 23 Nov 2026 12:00:00 +0000\r\n" % (n, n) for n in range(count))
        wire.send(hops + b"Subject: hops\r\n\r\nx\r\n.\r\n")
        reply = wire.reply()
        checks.ok(f"{count} hosts before this one: {code}", reply.startswith(code), reply)
    carol.fetch_all()
    wire.reset()


def lmtp_by_swaks(checks, world):
    if not requires(checks, "swaks by LMTP", "swaks"):
        return
    node, carol, erin = world.node, world.carol, world.erin
    for options in ([], ["--pipeline"]):
        marker = token()
        done = run("swaks", "--protocol", "LMTP", "--socket", node.lmtp, "--helo", "mta.test", "--from", "outside@world.test", "--to",
                   f"{carol.address},{erin.address}", "--header", f"Subject: {marker}", "--body", f"{marker}\n.\n..\nend\n", *options)
        checks.ok(f"swaks {' '.join(options)} by LMTP: a reply for each", done.code == 0 and len(re.findall(r"250 2\.0\.0", done.text)) == 2,
                  done.all[-1500:])
        for member in (carol, erin):
            got = [member.open(wrapper) for _, _, wrapper in member.fetch_all()]
            checks.ok(f"{member.name} has it whole", len(got) == 1 and f"{marker}\r\n.\r\n..\r\nend".encode() in got[0], got)
    done = run("swaks", "--protocol", "LMTP", "--socket", node.lmtp, "--helo", "mta.test", "--from", "outside@world.test", "--to",
               f"nobody@{DOMAIN}")
    checks.ok("swaks by LMTP: a stranger is refused at RCPT", done.code == 24 and "550 5.1.1" in done.text, done.all[-800:])


# MARK: by TCP, and to whom not

def lmtp_by_tcp(checks, world):
    """A node of its own with both kinds of places; a member who is suspended, and one who has not joined."""
    node, number = Node("tcp"), port()
    with open(node.config) as file:
        text = file.read()
    write(node.config, text.replace(f'["unix:{node.lmtp}"]', f'["unix:{node.lmtp}", "127.0.0.1:{number}"]'))
    node.init().start()
    heidi, ivan = node.add_ordinary("heidi"), node.add_ordinary("ivan")
    invite = node.invite("grace")
    node.must("user", "suspend", "ivan")
    wanted = []
    for name, wire in (("127.0.0.1", Wire(number)), ("the unix socket", Wire(node.lmtp))):
        checks.ok(f"LMTP at {name} greets", wire.reply().startswith("220") and wire.say("LHLO mta.test").startswith("250"))
        message = letter("outside@world.test", heidi.address, f"by {name}", f"{token()}\n.\n")
        replies = begin(wire, heidi.address, ivan.address, f"grace@{DOMAIN}")
        checks.equal(f"at {name}: 250, 550 5.7.1 for who is suspended, 450 4.2.1 for who has not joined",
                     [reply[:9] for reply in replies], ["250 2.1.5", "550 5.7.1", "450 4.2.1"])
        checks.ok("with the reason", "suspended" in replies[1] and "join" in replies[2], replies)
        reply = wire.say(message.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        checks.ok(f"at {name}: one is stored", reply.startswith("250 2.0.0") and wire.silent(), reply)
        wanted.append(message)
        wire.reset()
    got = [heidi.open(wrapper).split(b"\r\n", 2)[2] for _, _, wrapper in heidi.fetch_all()]
    checks.equal("both arrive byte for byte", got, wanted)
    node.must("user", "resume", "ivan")
    grace = Agent("grace")
    grace.join(invite)
    wire = Wire(number)
    wire.reply()
    wire.say("LHLO mta.test")
    replies = begin(wire, ivan.address, grace.address)
    checks.equal("resumed and joined, both may be written to", [reply[:9] for reply in replies], ["250 2.1.5"] * 2)
    wire.send(message + b".\r\n")
    checks.equal("and are", [wire.reply()[:9] for _ in range(2)], ["250 2.0.0"] * 2)
    wire.reset()
    checks.equal("who was suspended has got nothing but that", ivan.waiting(), 1)
    checks.equal("the node stops in order", node.stop(), 0)
    write(node.config, text.replace(f'["unix:{node.lmtp}"]', f'["0.0.0.0:{number}"]'))
    done = node.cli("config", "check")
    checks.ok("elsewhere than on loopback it is not served",
              done.code == 78 and "must stay on this machine" in done.all, done.all)


# MARK: line ends

def lmtp_smuggling(checks, world):
    node, carol = world.node, world.carol
    rider = f"MAIL FROM:<evil@b.test>\r\nRCPT TO:<{carol.address}>\r\nDATA\r\nSubject: smuggled\r\n\r\nsmuggled\r\n.\r\n".encode()
    wanted = []
    for end in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\n\n.\n\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n", b"\r\n.\0\r\n"):
        wire = lmtp_wire(node)
        begin(wire, carol.address)
        text = b"Subject: outer\r\n\r\nouter" + end + rider
        wire.send(text)
        reply = wire.reply()
        has_bare_cr = re.search(rb"\r(?!\n)", end)
        checks.ok(f"LMTP, {end!r}: {'refused' if has_bare_cr else 'one message'}", reply.startswith("550 5.6.0" if has_bare_cr else "250")
                  and wire.silent(), (reply, wire.pending))
        checks.ok(f"LMTP, {end!r}: the session goes on", wire.say("NOOP").startswith("250"))
        wire.reset()
        if not has_bare_cr:
            # All up to the true end, which is the rider's. Only a dot behind CRLF is stuffing.
            wanted.append(canonical(text[:-3].replace(b"\r\n.", b"\r\n")))
    got = [carol.open(wrapper).split(b"\r\n", 2)[2] for _, _, wrapper in carol.fetch_all()]
    checks.equal("each is one message with CRLF at every line end", got, wanted)
