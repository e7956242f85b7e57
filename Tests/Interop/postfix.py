#!/usr/bin/env python3
"""A real Postfix in front of the node: it takes mail from strangers by SMTP and hands it in by LMTP, set up with the lines of
etc/postfix. It is an instance of this test's own, with its queue in the temporary folder and a port of 127.0.0.1.

What the node stores is compared with what the same Postfix hands to another LMTP server from the same file of its queue.

usage: postfix.py [PART...]     only the parts whose name contains one of the words
"""
import glob
import grp
import os
import re
import smtplib
import socket
import stat
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from nodekit import DOMAIN, ROOT, Node, Wire, canonical, letter, path, port, requires, run, token, until, write

BOARD, CLUB = f"board@{DOMAIN}", f"club@{DOMAIN}"
OUTSIDE = "out.side@world.test"
SINK = "sink@sink.test"

SERVICES = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

# What makes an instance of its own of it, quick for a test, and honest: this test is a stranger though it comes from here.
PRIVATE = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = mx.test
mydestination = mx.test
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 192.0.2.0/24
local_header_rewrite_clients =
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
smtpd_client_connection_count_limit = 0
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
transport_retry_time = 1s
address_verify_poll_delay = 1s
notify_classes =
# Bounces and warnings would be for a world that is not there.
default_transport = discard:
message_drop_headers =
"""


class Postfix:
    def __init__(self, node, sink):
        self.folder = path("postfix", "x")[:-2]
        self.port = port()
        self.config = os.path.join(self.folder, "etc")
        for name in ("etc", "queue", "data"):
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
        lines = sample("main.cf").replace("node.example", DOMAIN).replace("/run/ddsnode/lmtp.sock", node.lmtp)
        # The sink is one more destination, by the same service.
        inline = "transport_maps = inline:{"
        assert node.lmtp in lines and inline in lines, "the sample has changed its form"
        lines = lines.replace(inline, f"{inline} {{ sink.test = ddsnode:unix:{sink.path} }},")
        lines = lines.replace(f"relay_domains = {DOMAIN}", f"relay_domains = {DOMAIN}, sink.test")
        write(os.path.join(self.config, "main.cf"), lines + PRIVATE.format(folder=self.folder), 0o644)
        services = SERVICES.format(port=self.port) + sample("master.cf")
        write(os.path.join(self.config, "master.cf"), services, 0o644)
        # Its processes run as users of their own, who have to come to their files.
        os.chmod(os.path.join(self.folder, "data"), 0o700)
        owner = run("postconf", "-c", self.config, "-h", "mail_owner").text.strip()
        run("chown", owner, os.path.join(self.folder, "data"))
        self.owner = owner

    def postfix(self, *words):
        return run("postfix", "-c", self.config, *words)

    def start(self):
        done = self.postfix("start")
        up = until(lambda: answers(self.port))
        assert up, f"Postfix does not start: {done.all} {self.log()}"
        return self

    def stop(self):
        self.postfix("stop")

    def log(self):
        try:
            with open(os.path.join(self.folder, "log"), errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def queue(self):
        """The files of messages that have not gone yet."""
        names = [os.path.join(self.folder, "queue", name) for name in ("incoming", "active", "deferred", "maildrop", "hold")]
        return nodekit.below(*names)

    def flush(self):
        run("postqueue", "-c", self.config, "-f")

    def smtp(self):
        return smtplib.SMTP("127.0.0.1", self.port, "world.test", timeout=60)

    def send(self, recipients, message, sender=OUTSIDE, options=("BODY=8BITMIME",)):
        """Sends by smtplib; returns the last code and its words."""
        with self.smtp() as smtp:
            smtp.ehlo()
            code, text = smtp.mail(sender, list(options))
            for recipient in recipients if code == 250 else []:
                code, text = smtp.rcpt(recipient)
                if code != 250:
                    return code, text.decode()
            if code != 250:
                return code, text.decode()
            try:
                code, text = smtp.data(message)
            except smtplib.SMTPDataError as problem:
                code, text = problem.smtp_code, problem.smtp_error
            return code, text.decode()


def sample(name):
    with open(os.path.join(ROOT, "etc/postfix", name), encoding="utf-8") as file:
        return file.read()


def answers(number):
    try:
        with socket.create_connection(("127.0.0.1", number), 1) as probe:
            probe.settimeout(5)
            return probe.recv(100).startswith(b"220")
    except OSError:
        return False


class Sink:
    """An LMTP server that keeps what it is given, octet for octet, by the marker in it."""

    def __init__(self):
        self.path = path("sink")
        self.messages = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)
        self.socket.listen(50)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            threading.Thread(target=self.session, args=(self.socket.accept()[0],), daemon=True).start()

    def session(self, connection):
        file = connection.makefile("rb")
        say = lambda text: connection.sendall(text + b"\r\n")
        say(b"220 sink.test LMTP")
        while line := file.readline():
            verb = line.split()[0].upper() if line.split() else b""
            if verb == b"LHLO":
                say(b"250-sink.test\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 PIPELINING")
            elif verb == b"DATA":
                say(b"354 go on")
                lines = []
                while (line := file.readline()) not in (b".\r\n", b""):
                    lines.append(line[1:] if line.startswith(b".") else line)
                self.messages.append(b"".join(lines))
                say(b"250 kept")
            elif verb == b"QUIT":
                return say(b"221 bye")
            else:
                say(b"250 yes")


class World:
    def __init__(self):
        self.node = Node(limits='message_size = "26MiB"')
        self.node.extra = '[server.spool]\nmailbox_quota = "20MiB"\n'
        self.node.configure()
        self.node.init()
        self.sink = Sink()
        self.start_node()
        self.carol, self.erin = self.node.add_ordinary("carol"), self.node.add_ordinary("erin")
        self.node.must("group", "add", "board", "--member", "carol", "--member", "erin", "--post", "all")
        self.node.must("group", "add", "club", "--member", "carol")
        self.postfix = Postfix(self.node, self.sink)

    def start_node(self):
        self.node.start()
        # The administrator puts Postfix into the node's group; a test has its socket in Postfix's.
        os.chown(self.node.lmtp, -1, grp.getgrnam("postfix").gr_gid)
        os.chmod(nodekit.folder(), 0o711)
        os.chmod(os.path.dirname(self.node.lmtp), 0o711)


def opened(member, wanted=1):
    """What has come for the member, opened by age, once it is as many as wanted."""
    until(lambda: member.waiting() >= wanted, 60, 0.3)
    return [member.open(wrapper) for _, _, wrapper in member.fetch_all()]


TRACE = re.compile(rb"Return-Path: (<[^\r\n]*>)\r\nReceived: from mx\.test by " + DOMAIN.encode() + rb" with (\S+); [^\r\n]+\r\n")


def below_trace(checks, name, message, sender, protocol=b"LMTP"):
    """What stands below the node's two fields, which are looked at."""
    match = TRACE.match(message)
    checks.ok(f"{name}: Return-Path and Received in front", match and match[1] == sender and match[2] == protocol, message[:300])
    return message[match.end():] if match else message


# MARK: parts

def starts(checks, world):
    mode = stat.S_IMODE(os.stat(world.node.lmtp).st_mode)
    checks.equal("the LMTP socket is for the node's user and group", oct(mode), "0o660")
    world.postfix.start()
    check = world.postfix.postfix("check")
    words = [line for line in world.postfix.log().splitlines() if "warning" in line or "fatal" in line or "error:" in line]
    checks.equal("Postfix takes the lines of etc/postfix without a word", (check.code, check.out, check.err, words), (0, b"", b"", []))
    unknown = run("postconf", "-c", world.postfix.config, "-n").err
    checks.equal("and knows each of them", unknown, b"")


def strangers(checks, world):
    message = letter(OUTSIDE, f"nobody@{DOMAIN}", "to nobody", "x\n")
    for address, code, words in [
        (f"nobody@{DOMAIN}", 550, "5.1.1"), (CLUB, 550, "only members may write"), (f"dds@{DOMAIN}", 550, "5.1.1"),
        (f"carol@{DOMAIN}.test", 454, "Relay access denied"),
    ]:
        # A first answer may be that the node is being asked.
        answer = until(lambda: (got := world.postfix.send([address], message)) and got[0] != 450 and got, 20, 0.5)
        checks.ok(f"{address} is refused at RCPT, in the session", answer and answer[0] == code and words in answer[1], answer)
    with world.postfix.smtp() as smtp:
        smtp.ehlo()
        smtp.mail(OUTSIDE)
        codes = [smtp.rcpt(to)[0] for to in (world.carol.address, f"nobody@{DOMAIN}", BOARD)]
        smtp.rset()
    checks.equal("and alone: the others of the same message are taken", codes, [250, 550, 250])
    # Postfix asks by messages of its own, which are gone soon.
    checks.ok("nothing is queued", until(lambda: not world.postfix.queue()), world.postfix.queue())
    checks.ok("and nobody gets a bounce", not bounced(world), bounced(world))


def bounced(world):
    """The lines of the log about mail that went back to its sender. The answer to a question is status=undeliverable instead."""
    return [line for line in world.postfix.log().splitlines() if "status=bounced" in line or "sender non-delivery" in line]


def members_and_groups(checks, world):
    carol, erin = world.carol, world.erin
    message = letter(OUTSIDE, carol.address, "to both", f"{token()}\n")
    code, text = world.postfix.send([carol.address, BOARD], message)
    checks.equal("Postfix takes a message to a member and to her group", code, 250)
    for member in (carol, erin):
        got = opened(member)
        checks.equal(f"{member.name} has one copy", len(got), 1)
        if got:
            checks.ok("it is what was sent, under the fields of both servers",
                      below_trace(checks, member.name, got[0], b"<out.side@world.test>").endswith(message), got[0])
    for name, sender, options, protocol in [
        ("the null sender", "", (), b"LMTP"), ("a sender in quotes", '"J. Doe"@World.Test', (), b"LMTP"),
        ("a long sender", "prvs=1aB/" + "v" * 80 + "@Lists.Test", (), b"LMTP"),
        ("a sender in UTF-8", "jürgen@world.test", ("SMTPUTF8", "BODY=8BITMIME"), b"UTF8LMTP"),
    ]:
        with world.postfix.smtp() as smtp:
            smtp.ehlo()
            smtp.command_encoding = "utf-8"
            replies = [smtp.docmd("MAIL", " ".join([f"FROM:<{sender}>", *options]))[0], smtp.rcpt(carol.address)[0],
                       smtp.data(message)[0]]
        checks.equal(f"{name} may write", replies, [250, 250, 250])
        got = opened(carol)
        checks.equal(f"{name}: it arrives", len(got), 1)
        if got:
            below_trace(checks, name, got[0], b"<" + sender.encode() + b">", protocol)


def corpus(checks, world):
    names = sorted(glob.glob(nodekit.CORPUS + "/*/*.eml")) if nodekit.CORPUS else []
    if not names:
        return checks.skip("the mail corpus", "../shared/corpus/mail is not there")
    world.sink.messages.clear()
    sent, odd = {}, 0
    with world.postfix.smtp() as smtp:
        smtp.ehlo()
        for name in names:
            # Postfix keeps the order of nothing, so each message has its own sender.
            marker = token(12)
            message = canonical(open(name, "rb").read())
            smtp.mail(f"{marker}@world.test", ["BODY=8BITMIME"])
            for recipient in (world.carol.address, SINK):
                smtp.rcpt(recipient)
            try:
                code, text = smtp.data(message)
            except smtplib.SMTPDataError as problem:
                code, text = problem.smtp_code, problem.smtp_error
            checks.ok(f"Postfix takes {'/'.join(name.split('/')[-2:])}", code == 250, (code, text)) if code != 250 else None
            sent[marker] = message
    checks.equal("the corpus has 107 messages", len(sent), 107)
    got = {}
    for message in opened(world.carol, len(sent)):
        match = TRACE.match(message)
        got[match[1].decode().strip("<>").split("@")[0] if match else ""] = message[match.end():] if match else message
    checks.equal("each has arrived, under Return-Path and Received", sorted(got), sorted(sent))
    until(lambda: len(world.sink.messages) == len(sent))
    checks.equal("octet for octet what Postfix gave another server", sorted(got.values()), sorted(world.sink.messages))
    whole = sum(got[marker].endswith(message) for marker, message in sent.items() if marker in got)
    # Postfix itself changes those whose header is none, and CRs that stand alone.
    checks.ok("and most of them end with what was sent, octet for octet", whole >= 100, whole)


def node_down(checks, world):
    node, carol, erin = world.node, world.carol, world.erin
    messages = {token(12): None for _ in range(5)}
    node.stop()
    for marker in messages:
        messages[marker] = letter(OUTSIDE, carol.address, marker, "while you were away\n")
        code, text = world.postfix.send([carol.address, BOARD], messages[marker])
        checks.ok("the node is down: Postfix takes mail for whom it knows", code == 250, (code, text))
    code, text = world.postfix.send([f"nobody2@{DOMAIN}"], messages[marker])
    checks.ok("and asks the others to come again", code == 450, (code, text))
    checks.ok("the mail is deferred", until(lambda: len(world.postfix.queue()) == 5 and "status=deferred" in world.postfix.log()))
    world.start_node()
    world.postfix.flush()
    checks.ok("the node is back: the queue gets empty", until(lambda: not world.postfix.queue(), 60), world.postfix.queue())
    for member in (carol, erin):
        got = [message for message in opened(member, 5)]
        found = sorted(marker for marker in messages for message in got if message.endswith(messages[marker]))
        checks.equal(f"{member.name} has each message exactly once", found, sorted(messages))
    checks.equal("nothing came back to its sender", bounced(world), [])


def node_killed(checks, world):
    """kill -9 while mail comes in. Postfix sends again whatever it has no reply for; what was stored and not yet answered comes twice,
    because nothing but the message itself could tell (RFC 1047)."""
    node, carol = world.node, world.carol
    ids = [token(12) for _ in range(40)]
    with world.postfix.smtp() as smtp:
        smtp.ehlo()
        for number, marker in enumerate(ids):
            smtp.mail(OUTSIDE)
            smtp.rcpt(carol.address)
            smtp.data(letter(OUTSIDE, carol.address, marker, "x" * 70_000 + "\n"))
            if number == 25:
                node.kill()
    world.start_node()
    world.postfix.flush()
    checks.ok("the queue gets empty", until(lambda: not world.postfix.queue(), 60), world.postfix.queue())
    found = [re.search(rb"Subject: (\w+)", text)[1].decode() for text in opened(carol, 40)]
    checks.equal("killed in the middle, it has lost nothing", sorted(set(found)), sorted(ids))
    # Its connections at one time, default_destination_concurrency_limit.
    checks.ok("and no more came twice than were under way", len(found) - len(ids) <= 20, len(found) - len(ids))


def full_maildrop(checks, world):
    erin, carol = world.erin, world.carol
    big = canonical(b"Subject: big\n\n" + (b"y" * 76 + b"\n") * 90_000)
    for _ in range(3):
        checks.equal("a large message is taken", world.postfix.send([erin.address], big)[0], 250)
    until(lambda: not world.postfix.queue())
    message = letter(OUTSIDE, erin.address, "behind", f"{token()}\n")
    code, _ = world.postfix.send([erin.address, carol.address], message)
    checks.equal("her maildrop is full, and Postfix takes one more", code, 250)
    got = opened(carol)
    checks.ok("the other recipient has it at once", len(got) == 1 and got[0].endswith(message), len(got))
    checks.ok("for her it is deferred with 452", until(lambda: "452 4.2.2" in world.postfix.log()), world.postfix.log()[-1500:])
    got = opened(erin, 3)
    checks.equal("she fetches", [text.endswith(big) for text in got], [True] * 3)
    world.postfix.flush()
    got = opened(erin)
    checks.ok("and it arrives, once", len(got) == 1 and got[0].endswith(message), len(got))
    checks.ok("the queue is empty", until(lambda: not world.postfix.queue()), world.postfix.queue())


def smuggling(checks, world):
    carol = world.carol
    rider = (f"MAIL FROM:<evil@world.test>\r\nRCPT TO:<{carol.address}>\r\nDATA\r\nSubject: smuggled\r\n\r\nsmuggled\r\n.\r\n").encode()
    for number, end in enumerate((b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r\n.\0\r\n")):
        wire = Wire(world.postfix.port)
        wire.reply()
        for line in ("EHLO world.test", f"MAIL FROM:<smuggler{number}@world.test>", f"RCPT TO:<{carol.address}>", "DATA"):
            wire.say(line)
        wire.send(f"Subject: outer {number}\r\n\r\nouter".encode() + end + rider)
        reply = wire.reply()
        checks.ok(f"{end!r} by way of Postfix is one message or none", reply[:1] in "25" and wire.silent(), (reply, wire.pending))
        wire.reset()
    until(lambda: not world.postfix.queue())
    got = opened(carol, 0)
    senders = sorted(TRACE.match(text)[1] for text in got)
    checks.ok("no message of the rider's sender has come", senders and all(sender.startswith(b"<smuggler") for sender in senders)
              and len(set(senders)) == len(senders), senders)
    checks.ok("and no CR or LF stands alone", not any(re.search(rb"\r(?!\n)|(?<!\r)\n", text) for text in got))
    checks.equal("nothing was bounced", bounced(world), [])


def many(checks, world):
    """smtp-source, Postfix's own generator, with many sessions at once."""
    if not requires(checks, "smtp-source", "smtp-source"):
        return
    done = run("smtp-source", "-s", "8", "-m", "60", "-l", "20000", "-f", OUTSIDE, "-t", world.carol.address, f"127.0.0.1:{world.postfix.port}")
    checks.equal("smtp-source sends 60 messages in 8 sessions", (done.code, done.err), (0, b""))
    got = opened(world.carol, 60)
    checks.equal("60 arrive", len(got), 60)
    checks.ok("each once, and whole", len({re.search(rb"id (\w+)", text)[1] for text in got}) == 60
              and {len(text.split(b"\r\n\r\n", 1)[1]) for text in got} == {len(got[0].split(b"\r\n\r\n", 1)[1])})
    checks.ok("the queue is empty", until(lambda: not world.postfix.queue()), world.postfix.queue())


PARTS = [starts, strangers, members_and_groups, corpus, node_down, node_killed, full_maildrop, smuggling, many]


def main():
    checks = nodekit.Checks("Postfix in front of the node")
    words = sys.argv[1:]
    if not requires(checks, "everything", "postfix", "postconf", "age", "age-keygen"):
        checks.finish()
    if os.getuid() != 0:
        # Its processes change to users of their own.
        checks.skip("everything", "a Postfix of one's own needs root")
        checks.finish()
    world = World()
    try:
        for part in PARTS:
            if part is starts or not words or any(word in part.__name__ for word in words):
                checks.part(part, world)
    finally:
        world.postfix.stop()
    checks.equal("the node has no problems", world.node.status()["problems"], [])
    checks.equal("the node stops in order", world.node.stop(), 0)
    checks.finish()


if __name__ == "__main__":
    main()
