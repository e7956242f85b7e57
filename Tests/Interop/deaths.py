"""What dies and what is told to stop, on both sides, at every point that can be reached from outside."""
import os
import poplib
import re
import signal
import subprocess
import sys
import time

import nodekit
from nodekit import Node, Wire, canonical, client_context, letter, path, smtp_wire, token, until
from world import BOARD


# MARK: death

DYING_SENDER = r"""
import sys, time
sys.path.insert(0, sys.argv[1])
import ssl, smtplib
from nodekit import client_context
host, port, name, password, amount = "127.0.0.1", int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
smtp = smtplib.SMTP_SSL(host, port, "[127.0.0.1]", context=client_context(), timeout=60)
smtp.ehlo(); smtp.login(name, password)
smtp.mail(name + "@node.test"); smtp.rcpt(name + "@node.test"); smtp.docmd("DATA")
smtp.send(b"Subject: half\r\n\r\n" + (b"h" * 70 + b"\r\n") * amount)
if len(sys.argv) > 6: smtp.send(sys.argv[6].encode().decode("unicode_escape").encode())
print("now", flush=True)
time.sleep(60)
"""

DYING_READER = r"""
import sys, time
sys.path.insert(0, sys.argv[1])
import poplib
from nodekit import client_context
pop = poplib.POP3_SSL("127.0.0.1", int(sys.argv[2]), context=client_context(), timeout=60)
pop.user(sys.argv[3]); pop.pass_(sys.argv[4])
if sys.argv[5] == "dele":
    pop.dele(1)
else:
    pop._putcmd("RETR 1"); pop._getresp(); pop.file.read(100000)
print("now", flush=True)
time.sleep(60)
"""


def dying(script, *arguments):
    """Runs a client until it says that it is half done, and kills it."""
    support = os.path.join(nodekit.ROOT, "Tests/Support")
    process = subprocess.Popen([sys.executable, "-c", script, support, *map(str, arguments)], stdout=subprocess.PIPE)
    line = process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()
    assert line == b"now\n", "the client did not come so far"


def killed_clients(checks, world):
    node, carol = world.node, world.carol
    for name, arguments in [("a few lines", [10]), ("half a megabyte", [7000]), ("all but the end", [10, r"\r\n."]),
                            ("all but the last LF", [10, r"\r\n.\r"])]:
        dying(DYING_SENDER, node.submissions, carol.name, carol.password, *arguments)
        until(lambda: node.status()["server"]["sessions"] == 0, 10, 0.1)
        checks.equal(f"a sender killed in DATA after {name} leaves nothing", carol.waiting(), 0)
    large = canonical(b"Subject: large\n\n" + (b"l" * 76 + b"\n") * 50_000)
    checks.equal("a large message is accepted", carol.post([carol.address], large)[0], 250)
    for what in ("retr", "dele"):
        dying(DYING_READER, node.pop3s, carol.name, carol.password, what)
        freed = until(lambda: try_waiting(carol), 15, 0.2)
        checks.equal(f"a reader killed after {what.upper()} loses nothing and frees the maildrop", freed, 1)
    got = [carol.open(wrapper) for _, _, wrapper in carol.fetch_all()]
    checks.equal("the message is whole", got, [large])


def try_waiting(member):
    try:
        return member.waiting()
    except poplib.error_proto:
        return None


def killed_server(checks, world):
    node, carol, erin = world.node, world.carol, world.erin
    messages = []
    for round in range(4):
        message = letter(carol.address, BOARD, f"before the crash {round}", f"{token()}\n")
        wire = smtp_wire(carol)
        wire.say(f"MAIL FROM:<{carol.address}>")
        wire.say(f"RCPT TO:<{carol.address}>")
        wire.say(f"RCPT TO:<{BOARD}>")
        wire.say("DATA")
        wire.send(message + b".\r\n")
        reply = wire.reply()
        node.kill()
        wire.reset()
        checks.ok(f"kill -9 behind the 250 ({round})", reply.startswith("250"), reply)
        messages.append(message)
        node.start()
    for member in (carol, erin):
        got = [member.open(wrapper) for _, _, wrapper in member.fetch_all(delete=False)]
        checks.equal(f"{member.name} has all messages after the restarts", got, messages)
    uidls = [uidl for uidl, _, _ in carol.fetch_all(delete=False)]
    node.kill()
    node.start()
    checks.equal("UIDLs survive a crash", [uidl for uidl, _, _ in carol.fetch_all(delete=False)], uidls)
    # Killed in the middle of DATA: nobody was told 250, nobody gets it.
    wire = smtp_wire(carol)
    wire.say(f"MAIL FROM:<{carol.address}>")
    wire.say(f"RCPT TO:<{carol.address}>")
    wire.say("DATA")
    wire.send(b"Subject: half\r\n\r\nhalf of it\r\n")
    node.kill()
    wire.reset()
    node.start()
    checks.equal("kill -9 inside DATA: nothing half accepted", carol.waiting(), len(messages))
    pop = poplib.POP3_SSL("127.0.0.1", node.pop3s, context=client_context(), timeout=30)
    pop.user("carol")
    pop.pass_(carol.password)
    for number in range(1, len(messages) + 1):
        pop.dele(number)
    checks.ok("QUIT confirms", pop.quit().startswith(b"+OK"))
    node.kill()
    node.start()
    checks.equal("kill -9 behind the +OK of QUIT: deleted for good", carol.waiting(), 0)
    erin.fetch_all()
    status = node.status()
    checks.equal("no problems after all this", status["problems"], [])


def drain(checks, world):
    node, carol = world.node, world.carol
    idle = Wire(node.submissions, client_context())
    idle.reply()
    reading = Wire(node.pop3s, client_context())
    reading.line()
    reading.send(f"USER {world.erin.name}\r\nPASS {world.erin.password}\r\n")
    reading.line(), reading.line()
    writing = smtp_wire(carol)
    writing.say(f"MAIL FROM:<{carol.address}>")
    writing.say(f"RCPT TO:<{carol.address}>")
    writing.say("DATA")
    message = letter(carol.address, carol.address, "while draining", f"{token()}\n")
    writing.send(message[:40])
    node.process.send_signal(signal.SIGTERM)
    checks.ok("an idle SMTP session is told 421 4.3.2", idle.reply().startswith("421 4.3.2") and idle.closed())
    reading.send(b"NOOP\r\n")
    line = reading.line()
    checks.ok("a POP3 session is told [SYS/TEMP]", line.startswith(b"-ERR [SYS/TEMP]"), line)
    try:
        writing.send(message[40:] + b".\r\n")
        reply = writing.reply()
    except OSError as problem:
        reply = str(problem)
    began = time.monotonic()
    try:
        status = node.process.wait(8)
    except subprocess.TimeoutExpired:
        status = "still running after 8 s"
        node.kill()
    checks.equal("SIGTERM ends with status 0", status, 0)
    checks.ok("within the five seconds", time.monotonic() - began < 6, time.monotonic() - began)
    checks.ok("an open transaction is finished or refused in words", re.match(r"(250|421|451) ", reply), reply)
    node.start()
    got = [carol.open(wrapper) for _, _, wrapper in carol.fetch_all()]
    checks.equal("what was confirmed is there, and nothing else", got, [message] if reply.startswith("250") else [])


def in_use(checks, world):
    node = world.node
    other = Node("other")
    for name in ("pop3s", "submissions", "pop3", "submission"):
        setattr(other, name, getattr(node, name))
    other.configure()
    other.init().launch()
    try:
        status = other.process.wait(20)
    except subprocess.TimeoutExpired:
        status = "still running"
        other.kill()
    log = other.log_text()
    checks.ok("a port in use: status 69 and a sentence", status == 69 and re.search(r"in use", log) and str(node.pop3s) in log,
        (status, log))
    other = Node("other")
    other.state, other.runtime = node.state, path("other", "run2")
    other.configure()
    other.launch()
    try:
        status = other.process.wait(20)
    except subprocess.TimeoutExpired:
        status = "still running"
        other.kill()
    log = other.log_text().splitlines()[-1:]
    checks.ok("a spool in use: status 75 and a sentence", status == 75
        and log and re.search(r"another|in use|running", log[0]), (status, log))
    checks.equal("the first node does not mind", world.carol.waiting(), 0)
