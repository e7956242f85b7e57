"""POP3, submission and LMTP word by word with poplib, smtplib and raw sockets, and every message of the corpus."""
import glob
import poplib
import re
import smtplib
import time

import nodekit
from nodekit import DOMAIN, Wire, canonical, client_context, letter, smtp_wire, token, until
from world import BOARD, sent


# MARK: poplib and smtplib

def pop3_by_poplib(checks, world):
    node, carol = world.node, world.carol
    messages = [sent(carol, [carol.address], f"message {number}", "x" * 60 + "\n.\n" + token() + "\n") for number in range(4)]

    def login(context=None):
        pop = poplib.POP3_SSL("127.0.0.1", node.pop3s, context=context or client_context(), timeout=30)
        pop.user("carol")
        pop.pass_(carol.password)
        return pop

    first = login()
    capabilities = first.capa()
    for name in ("TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING"):
        checks.ok(f"CAPA has {name}", name in capabilities, capabilities)
    checks.equal("STAT counts", first.stat()[0], 4)
    uidl = first.uidl()[1]
    sizes = [int(row.split()[1]) for row in first.list()[1]]
    checks.equal("STAT is the sum of LIST", first.stat()[1], sum(sizes))
    wrappers = []
    for number in range(1, 5):
        _, lines, _ = first.retr(number)
        wrappers.append(b"".join(line + b"\r\n" for line in lines))
    checks.equal("LIST counts the octets that RETR gives", [len(text) for text in wrappers], sizes)
    checks.equal("all messages open byte for byte, in order", [carol.open(text) for text in wrappers], messages)
    _, lines, _ = first.top(2, 3)
    whole = wrappers[1].split(b"\r\n\r\n", 1)
    wanted = whole[0].split(b"\r\n") + [b""] + whole[1].split(b"\r\n")[:3]
    checks.equal("TOP 2 3 is the header and three lines", lines, wanted)
    try:
        second = login()
        checks.ok("a second login is refused", False, second.stat())
    except poplib.error_proto as problem:
        checks.ok("a second login is refused with [IN-USE]", b"[IN-USE]" in problem.args[0], problem)
    first.dele(1)
    first.dele(2)
    checks.equal("STAT without the marked", first.stat()[0], 2)
    first.rset()
    checks.equal("RSET brings them back", first.stat()[0], 4)
    for number in range(1, 5):
        first.dele(number)
    first.sock.close()
    first.file.close()
    again = until(lambda: try_login(login), 10)
    checks.ok("a dropped connection frees the maildrop", again, "still [IN-USE] after 10 s")
    checks.equal("a dropped connection deletes nothing", again.stat()[0], 4)
    checks.equal("UIDL is stable across sessions", again.uidl()[1], uidl)
    again.dele(1)
    again.dele(3)
    again.quit()
    last = login()
    checks.equal("QUIT deletes", [row.split()[1] for row in last.uidl()[1]], [uidl[1].split()[1], uidl[3].split()[1]])
    checks.equal("the right ones stay", carol.open(b"\r\n".join(last.retr(1)[1]) + b"\r\n"), messages[1])
    last.dele(1)
    last.dele(2)
    last.quit()
    checks.equal("the maildrop is empty", carol.waiting(), 0)
    for name, password in [("carol", "wrong"), ("nobody", "wrong")]:
        pop = poplib.POP3_SSL("127.0.0.1", node.pop3s, context=client_context(), timeout=30)
        pop.user(name)
        began = time.monotonic()
        try:
            pop.pass_(password)
            checks.ok(f"wrong password of {name}", False)
        except poplib.error_proto as problem:
            checks.equal(f"wrong password of {name}", problem.args[0], b"-ERR [AUTH] Login failed")
            checks.ok(f"wrong password of {name}: the reply waits a second", time.monotonic() - began >= 0.9,
                time.monotonic() - began)
        pop.close()
    clear = poplib.POP3("127.0.0.1", node.pop3, timeout=30)
    try:
        clear.user("carol")
        checks.ok("USER in clear is refused", False)
    except poplib.error_proto as problem:
        checks.ok("USER in clear is refused", b"STLS" in problem.args[0], problem)
    clear.stls(client_context())
    clear.user("carol")
    clear.pass_(carol.password)
    checks.equal("poplib with STLS", clear.stat(), (0, 0))
    clear.quit()


def try_login(login):
    try:
        return login()
    except poplib.error_proto:
        return None


def smtp_by_smtplib(checks, world):
    node, carol, erin = world.node, world.carol, world.erin
    with carol.smtp() as smtp:
        for name in ("pipelining", "size", "8bitmime", "smtputf8", "chunking", "enhancedstatuscodes", "auth"):
            checks.ok(f"EHLO offers {name.upper()}", smtp.has_extn(name), smtp.esmtp_features)
        eight = canonical(f"From: <{carol.address}>\nTo: <{carol.address}>\nSubject: Grüße\n\nGrüße, 日本\n".encode())
        refused = smtp.sendmail(carol.address, [carol.address], eight, ["BODY=8BITMIME", "SMTPUTF8"])
        checks.equal("8BITMIME and SMTPUTF8", refused, {})
        latin = canonical("Subject: bytes\n\n".encode() + bytes(range(128, 256)) + b"\n")
        checks.equal("8-bit bytes that are no UTF-8", smtp.sendmail(carol.address, [carol.address], latin, ["BODY=8BITMIME"]),
            {})
        code, text = smtp.mail(carol.address, ["SIZE=9000000"])
        checks.ok("SIZE above the limit is refused at MAIL (552)", code == 552, (code, text))
        smtp.rset()
        for address, wanted in [(f"nobody@{DOMAIN}", b"5.1.1"), ("someone@elsewhere.test", b"5.7.1"),
            (f"chiefs@{DOMAIN}", None)]:
            smtp.mail(carol.address)
            code, text = smtp.rcpt(address)
            if wanted:
                checks.ok(f"RCPT {address} is refused", code == 550 and text.startswith(wanted), (code, text))
            else:
                checks.equal("an owner may write to an owners' group", code, 250)
            smtp.rset()
        code, text = smtp.mail(erin.address)
        checks.ok("MAIL of somebody else is refused", code == 550 and text.startswith(b"5.7.1"), (code, text))
        checks.equal("the session goes on", smtp.noop()[0], 250)
    with erin.smtp() as smtp:
        smtp.mail(erin.address)
        code, text = smtp.rcpt(f"chiefs@{DOMAIN}")
        checks.ok("a member who may not post is told so", code == 550 and text.startswith(b"5.7.1"), (code, text))
    with world.frank.smtp() as smtp:
        smtp.mail(world.frank.address)
        code, text = smtp.rcpt(BOARD)
        checks.ok("a non-member is told so at RCPT", code == 550 and text.startswith(b"5.7.1"), (code, text))
        checks.equal("and may write to a person", smtp.rcpt(carol.address)[0], 250)
        smtp.rset()
    big = canonical(b"Subject: big\n\n" + (b"y" * 76 + b"\n") * 120_000)
    code, text = carol.post([carol.address], big)
    checks.ok("a message above the limit is refused (552 5.3.4)", code == 552 and "5.3.4" in text, (code, text))
    fits = canonical(b"Subject: fits\n\n" + (b"z" * 76 + b"\n") * 90_000)
    code, text = carol.post([carol.address], fits)
    checks.equal("a large one below it is taken", code, 250)
    smtp = smtplib.SMTP_SSL("127.0.0.1", node.submissions, context=client_context(), timeout=30)
    smtp.ehlo()
    checks.ok("MAIL before AUTH is refused (530)", smtp.mail(carol.address)[0] == 530)
    try:
        smtp.login("carol", "wrong")
        checks.ok("a wrong password is refused", False)
    except smtplib.SMTPAuthenticationError as problem:
        checks.equal("a wrong password is refused (535)", problem.smtp_code, 535)
    smtp.close()
    got = [carol.open(wrapper) for _, _, wrapper in carol.fetch_all()]
    checks.equal("what was accepted arrives byte for byte", got, [eight, latin, fits])


def chunking_and_pipelining(checks, world):
    carol = world.carol
    wire = smtp_wire(carol)
    first = canonical(b"Subject: chunks\n\nfirst\n.\nnot the end\n")
    binary = b"Subject: binary\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + b"line\r\n.\r\n" * 5000
    for message in (first, binary):
        checks.ok("MAIL", wire.say(f"MAIL FROM:<{carol.address}>").startswith("250"))
        checks.ok("RCPT", wire.say(f"RCPT TO:<{carol.address}>").startswith("250"))
        middle = len(message) // 2 + 1
        checks.ok("BDAT", wire.say(b"BDAT %d\r\n" % middle + message[:middle]).startswith("250"))
        reply = wire.say(b"BDAT %d LAST\r\n" % (len(message) - middle) + message[middle:])
        checks.ok("BDAT LAST is accepted", reply.startswith("250 2.0.0"), reply)
    piped = letter(carol.address, carol.address, "in one packet", "everything at once\n")
    wire.send(f"MAIL FROM:<{carol.address}>\r\nRCPT TO:<nobody@{DOMAIN}>\r\nRCPT TO:<{carol.address}>\r\nDATA\r\n".encode())
    replies = [wire.reply()[:3] for _ in range(4)]
    checks.equal("a pipelined envelope", replies, ["250", "550", "250", "354"])
    wire.send(piped + b".\r\nMAIL FROM:<" + carol.address.encode() + b">\r\nRSET\r\nNOOP\r\nQUIT\r\n")
    replies = [wire.reply()[:3] for _ in range(5)]
    checks.equal("a message with the next commands behind it", replies, ["250", "250", "250", "250", "221"])
    checks.ok("closed behind QUIT", wire.closed())
    wire = smtp_wire(carol)
    wire.send(f"MAIL FROM:<{carol.address}>\r\nRCPT TO:<nobody@{DOMAIN}>\r\nDATA\r\n".encode())
    replies = [wire.reply()[:3] for _ in range(3)]
    checks.ok("DATA without a recipient is refused", replies[:2] == ["250", "550"] and replies[2] in ("503", "554"), replies)
    got = [carol.open(wrapper) for _, _, wrapper in carol.fetch_all()]
    checks.equal("chunks, binary and pipelined arrive byte for byte", got, [first, binary, piped])


# MARK: LMTP

def lmtp(checks, world):
    node, carol, erin = world.node, world.carol, world.erin
    wire = Wire(node.lmtp)
    checks.ok("LMTP greets", wire.reply().startswith("220"))
    checks.ok("LMTP refuses EHLO", wire.say("EHLO mta.test").startswith("5"))
    checks.ok("LHLO", wire.say("LHLO mta.test").startswith("250"))
    message = letter("outside@world.test", carol.address, "by LMTP", f"{token()}\n")
    checks.ok("any sender", wire.say("MAIL FROM:<outside@world.test>").startswith("250"))
    replies = [wire.say(f"RCPT TO:<{to}>")[:3] for to in (carol.address, f"nobody@{DOMAIN}", erin.address)]
    checks.equal("RCPT is checked", replies, ["250", "550", "250"])
    checks.ok("DATA", wire.say("DATA").startswith("354"))
    wire.send(message + b".\r\n")
    replies = [wire.reply()[:3] for _ in range(2)]
    checks.equal("one reply per accepted recipient", replies, ["250", "250"])
    checks.ok("and no more", wire.silent())
    checks.ok("the null sender", wire.say("MAIL FROM:<>").startswith("250"))
    checks.ok("RCPT", wire.say(f"RCPT TO:<{carol.address}>").startswith("250"))
    checks.ok("DATA", wire.say("DATA").startswith("354"))
    wire.send(b"Subject: lone LF\n\na\nb\n\r\n.\r\n")
    reply = wire.reply()
    checks.ok("a lone LF is made CRLF", reply.startswith("250"), reply)
    checks.ok("QUIT", wire.say("QUIT").startswith("221"))
    got = [carol.open(wrapper) for _, _, wrapper in carol.fetch_all()]
    copy = [erin.open(wrapper) for _, _, wrapper in erin.fetch_all()]
    checks.ok("both have the message under Return-Path and Received", len(got) == 2 and len(copy) == 1 and copy[0] == got[0]
              and re.match(rb"Return-Path: <outside@world\.test>\r\nReceived: from mta\.test by " + DOMAIN.encode(), got[0])
              and got[0].endswith(message), got)
    if len(got) > 1:
        checks.ok("the normalised one", got[1].startswith(b"Return-Path: <>\r\n")
            and got[1].endswith(b"\r\n\r\na\r\nb\r\n\r\n"), got[1])
    wire = Wire(node.lmtp)
    wire.reply()
    wire.say("LHLO mta.test")
    wire.say("MAIL FROM:<>")
    wire.say(f"RCPT TO:<{carol.address}>")
    wire.say("DATA")
    hops = b"".join(b"Received: from a%d by " % n + DOMAIN.encode() + b" with LMTP; Mon, 23 Nov 2026 12:00:00 +0000\r\n" for n in range(40))
    wire.send(hops + b"Subject: loop\r\n\r\nx\r\n.\r\n")
    reply = wire.reply()
    checks.ok("40 Received fields are a loop (PROTOCOLS.md, LMTP)", reply.startswith("5"), reply)
    carol.fetch_all()


# MARK: the corpus

def corpus(checks, world):
    carol = world.carol
    names = sorted(glob.glob(nodekit.CORPUS + "/*/*.eml")) if nodekit.CORPUS else []
    if not names:
        return checks.skip("the mail corpus", "../shared/corpus/mail is not there")
    checks.equal("the corpus has 107 messages", len(names), 107)
    accepted, refused = [], []
    smtp = carol.smtp()
    for name in names:
        message = canonical(open(name, "rb").read())
        smtp.mail(carol.address, ["BODY=8BITMIME"])
        smtp.rcpt(carol.address)
        try:
            code, text = smtp.data(message)
        except smtplib.SMTPDataError as problem:
            code, text = problem.smtp_code, problem.smtp_error
        label = "/".join(name.split("/")[-2:])
        if code == 250:
            accepted.append((label, message))
        else:
            refused.append((label, code, text.decode()))
            odd = b"\0" in message or re.search(rb"\r(?!\n)|(?<!\r)\n", message)
            checks.ok(f"refused: {label} ({code} {text.decode()})", odd and code // 100 == 5,
                "it has neither NUL nor a bare CR")
    smtp.quit()
    checks.ok("no more than the two odd ones are refused", len(refused) <= 2, refused)
    fetched = carol.fetch_all()
    checks.equal("as many are fetched as were accepted", len(fetched), len(accepted))
    wrong = [label for (label, message), (_, _, wrapper) in zip(accepted, fetched) if carol.open(wrapper) != message]
    checks.equal(f"{len(accepted)} messages come back byte for byte", wrong, [])
    checks.equal("LIST had their octets", [size for _, size, _ in fetched], [len(wrapper) for _, _, wrapper in fetched])
