"""Clients that cheat, babble, say nothing, or are no clients at all."""
import os
import re
import socket
import ssl
import time

from nodekit import Wire, client_context, letter, smtp_wire, until


# MARK: clients that cheat

def smuggling(checks, world):
    carol = world.carol
    inner = f"MAIL FROM:<{carol.address}>\r\nRCPT TO:<{carol.address}>\r\nDATA\r\nSubject: smuggled\r\n\r\nsmuggled\r\n.\r\n".encode()
    for end in (b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r\n.\n", b"\r.\r\n", b"\n.\r", b"\r.\n", b"\r\n.\0\r\n",
        b"\n\n.\n\n",
                b"\r\r\n.\r\r\n"):
        wire = smtp_wire(carol)
        wire.say(f"MAIL FROM:<{carol.address}>")
        wire.say(f"RCPT TO:<{carol.address}>")
        wire.say("DATA")
        wire.send(b"Subject: outer\r\n\r\nouter" + end + inner)
        reply = wire.reply()
        alone = wire.silent()
        # Only NUL is no line end; what has no bare CR or LF may be taken as one message.
        good = reply.startswith("5") or (reply.startswith("250") and not re.search(rb"\r(?!\n)|(?<!\r)\n", end))
        checks.ok(f"{end!r} ends no message", good and alone, (reply, wire.pending))
        checks.ok(f"{end!r}: the session goes on", wire.say("NOOP").startswith("250"))
        wire.reset()
    got = [carol.open(wrapper) for _, _, wrapper in carol.fetch_all()]
    checks.ok("nothing was smuggled", all(text.startswith(b"Subject: outer") for text in got) and len(got) <= 1, got)
    for name, command in [("STARTTLS", b"STARTTLS\r\nEHLO smuggler\r\n"),
        ("STARTTLS, MAIL", b"STARTTLS\r\nMAIL FROM:<x@y>\r\nRSET\r\n")]:
        wire = Wire(world.node.submission)
        wire.reply()
        wire.say("EHLO [127.0.0.1]")
        wire.send(command)
        reply = wire.reply()
        checks.ok(f"octets behind {name} in clear end it", not reply.startswith("220") and wire.closed(), reply)
    wire = Wire(world.node.submission)
    wire.reply()
    wire.say("EHLO before.tls")
    reply = wire.say("STARTTLS")
    wire.start_tls(client_context())
    checks.ok("after STARTTLS the server knows nothing", wire.say("MAIL FROM:<carol@node.test>").startswith("5"), reply)
    reply = wire.say("EHLO after.tls")
    checks.ok("and offers AUTH but no STARTTLS", "AUTH" in reply and "STARTTLS" not in reply, reply)
    wire.reset()
    wire = smtp_wire(carol)
    for name, line in [("bare LF", b"NOOP\nNOOP\r\n"), ("bare CR", b"NOOP\rNOOP\r\n"), ("NUL", b"NO\0OP\r\n")]:
        reply = wire.say(line)
        checks.ok(f"a command with {name} is one refused command", reply.startswith("5") and wire.silent(), reply)
    for address in ("carol@node.test>\r\nRCPT TO:<erin@node.test", "carol\n@node.test"):
        wire.send(f"MAIL FROM:<{address}>\r\n")
        replies = [wire.reply()]
        while not wire.silent():
            replies.append(wire.reply())
        checks.ok("a line end inside an address smuggles nothing", len(replies) <= 2, replies)
    wire.reset()
    log = world.node.log_text()
    checks.ok("the log holds no line of a client's making", "smuggler\n" not in log and "smuggled" not in log)


def oversize_lines(checks, world):
    node, carol = world.node, world.carol
    wire = Wire(node.submissions, client_context())
    wire.reply()
    wire.send(b"EHLO " + b"x" * 100_000 + b"\r\n")
    reply = wire.reply()
    checks.ok("SMTP before login: a line of 100 000 octets is refused once", reply.startswith("5") and wire.silent(), reply)
    checks.ok("SMTP before login: the session goes on", wire.say("EHLO [127.0.0.1]").startswith("250"))
    wire.send(b"AUTH PLAIN " + b"A" * 50_000 + b"\r\n")
    reply = wire.reply()
    checks.ok("SMTP: an oversize AUTH is refused", reply.startswith("5"), reply)
    wire.reset()
    wire = smtp_wire(carol)
    for size in (5_000, 300_000):
        reply = wire.say(b"RCPT TO:<" + b"x" * size + b"@node.test>\r\n")
        checks.ok(f"SMTP after login: a command of {size} octets is refused", reply.startswith("5") and wire.silent(), reply)
    wire.say(f"MAIL FROM:<{carol.address}>")
    wire.say(f"RCPT TO:<{carol.address}>")
    wire.say("DATA")
    long = b"Subject: long\r\nX-Long: " + b"h" * 100_000 + b"\r\n\r\n" + b"b" * 500_000 + b"\r\n"
    wire.send(long + b".\r\n")
    reply = wire.reply()
    checks.ok("lines of 100 000 and 500 000 octets in a message are decided once", reply[:3] in ("250", "550", "554", "500"),
        reply)
    taken = reply.startswith("250")
    checks.ok("SMTP after long lines: the session goes on", wire.say("NOOP").startswith("250"))
    wire.reset()
    got = [carol.open(wrapper) for _, _, wrapper in carol.fetch_all()]
    checks.equal("what was taken arrives byte for byte", got, [long] if taken else [])
    pop = Wire(node.pop3s, client_context())
    pop.line()
    pop.send(b"USER " + b"x" * 200_000 + b"\r\n")
    line = pop.line()
    checks.ok("POP3 before login: an oversize line is refused once", line.startswith(b"-ERR") and pop.silent(), line)
    pop.send(f"USER carol\r\nPASS {carol.password}\r\n")
    checks.ok("POP3: login goes on", pop.line().startswith(b"+OK") and pop.line().startswith(b"+OK"))
    pop.send(b"RETR " + b"1" * 200_000 + b"\r\nSTAT\r\n")
    checks.equal("POP3 after login: the same", [pop.line()[:4], pop.line()], [b"-ERR", b"+OK 0 0"])
    pop.send(b"QUIT\r\n")
    pop.line()
    endless = Wire(node.submission)
    endless.reply()
    before = memory(node)
    try:
        for _ in range(640):
            endless.send(b"x" * 65536)
    except OSError:
        pass
    grown = memory(node) - before
    checks.ok("40 MiB without a line end take no memory", grown < 16 << 20, f"{grown >> 20} MiB more")
    endless.reset()


def memory(node):
    with open(f"/proc/{node.process.pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) * 1024


def no_tls_handshake(checks, world):
    node, carol = world.node, world.carol
    for name, number in (("pop3s", node.pop3s), ("submissions", node.submissions)):
        for what, data in [("SMTP", b"EHLO x\r\n"), ("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), ("noise", os.urandom(5000)),
                           ("zeros", b"\0" * 5000), ("TLS alert", b"\x15\x03\x01\x00\x02\x02\x28"),
                           ("a ClientHello that lies about its length",
                           b"\x16\x03\x01\xff\xff\x01\xff\xff\xff" + b"A" * 20000)]:
            wire = Wire(number)
            answer = b""
            try:
                wire.send(data)
                wire.socket.settimeout(10)
                while piece := wire.socket.recv(65536):
                    answer += piece
            except (ConnectionError, TimeoutError) as problem:
                answer += b"timeout" if isinstance(problem, TimeoutError) else b""
            words = re.search(rb"\+OK|220|500|timeout", answer)
            checks.ok(f"{name}: {what} instead of a handshake is closed without a word", not words, answer)
            wire.reset()
    # After the handshake bytes in clear are no TLS records.
    wire = Wire(node.pop3s)
    tls = client_context().wrap_socket(wire.socket)
    raw = socket.socket(fileno=os.dup(tls.fileno()))
    raw.settimeout(10)
    raw.sendall(b"USER carol\r\n")
    answer = b""
    try:
        while piece := raw.recv(65536):
            answer += piece
    except (ConnectionError, TimeoutError) as problem:
        answer += type(problem).__name__.encode()
    checks.ok("bytes in clear inside TLS end the session", b"Password?" not in answer and b"Timeout" not in answer, answer)
    tls.close()
    raw.close()
    checks.equal("the node serves as before", carol.waiting(), 0)


def slow_and_half_open_clients(checks, world):
    node, carol = world.node, world.carol
    hello = client_hello()
    open_wires = []
    for number in range(45):
        wire = Wire((node.pop3s, node.submissions, node.pop3, node.submission)[number % 4])
        if number % 4 < 2 and number % 3:
            wire.send(hello[:number % 3 * 40])
        open_wires.append(wire)
    began = time.monotonic()
    checks.equal("45 silent or half-open clients do not keep another waiting", carol.waiting(), 0)
    checks.ok("it was served at once", time.monotonic() - began < 8, time.monotonic() - began)
    for number in range(14):
        open_wires.append(Wire(node.pop3))
    extra = [Wire(node.pop3) for _ in range(5)]
    refused = sum(wire.closed(2) for wire in extra)
    checks.ok("beyond connections_per_ip they are closed at once", refused >= 3, f"{refused} of {len(extra)} closed")
    for wire in open_wires + extra:
        wire.reset()
    gone = until(lambda: node.status()["server"]["sessions"] == 0, 15, 0.3)
    checks.ok("no session is left of them", gone, node.status()["server"]["sessions"])
    trickle = Wire(node.submissions)
    for byte in hello[:-1]:
        trickle.send(bytes([byte]))
    trickle.send(hello[-1:])
    trickle.socket.settimeout(10)
    checks.ok("a ClientHello byte by byte is answered", trickle.socket.recv(5)[:1] == b"\x16")
    trickle.reset()
    reader = smtp_wire(carol)
    message = letter(carol.address, carol.address, "slow", "one byte at a time\n")
    for byte in f"MAIL FROM:<{carol.address}>\r\nRCPT TO:<{carol.address}>\r\nDATA\r\n".encode():
        reader.send(bytes([byte]))
    replies = [reader.reply()[:3] for _ in range(3)]
    for byte in message + b".\r\n":
        reader.send(bytes([byte]))
    replies.append(reader.reply()[:3])
    checks.equal("a client that sends byte by byte is served", replies, ["250", "250", "354", "250"])
    reader.reset()
    checks.equal("its message is whole", [carol.open(wrapper) for _, _, wrapper in carol.fetch_all()], [message])


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = client_context().wrap_bio(incoming, outgoing)
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()
