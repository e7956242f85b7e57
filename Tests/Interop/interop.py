#!/usr/bin/env python3
"""The server role against programs that others wrote: openssl, curl, age, swaks, mpop, fetchmail, poplib and smtplib, and against
clients that misbehave, die, or are not clients at all.

usage: interop.py [PART...]     only the parts whose name contains one of the words
"""
import base64
import glob
import os
import poplib
import re
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from nodekit import (DOMAIN, Agent, Node, Wire, canonical, client_context, letter, path, port, program, requires, run, short,
                     smtp_wire, spki_sha256, token, until, write)

BOARD = f"board@{DOMAIN}"


class World:
    """One node with an agent and ordinary members, shared by the parts. Each part leaves the maildrops empty."""

    def __init__(self):
        self.node = Node(limits='logins_per_minute = 10000\nconnections_per_ip = 60\nmessage_size = "8MiB"').init().start()
        self.carol = self.node.add_ordinary("carol")
        self.erin = self.node.add_ordinary("erin")
        self.frank = self.node.add_ordinary("frank")
        self.node.must("group", "add", "board", "--member", "carol", "--member", "erin")
        self.node.must("group", "add", "chiefs", "--owner", "carol", "--member", "erin", "--post", "owners")
        self.alice = Agent("alice")
        joined = self.alice.join(self.node.invite("alice", ["board"]))
        self.join_text = joined.text
        self.device = self.alice.certificate()


def sent(member, recipients, subject="hello", body="A line.\n"):
    """Sends a small message and returns its bytes."""
    message = letter(member.address, recipients[0], subject, body)
    code, text = member.post(recipients, message)
    assert code == 250, f"{code} {text}"
    return message


# MARK: openssl

def openssl_s_client(checks, world):
    node = world.node
    wanted = node.key_hash()
    cases = [
        ("pop3s, TLS 1.3", node.pop3s, ["-tls1_3"], "TLSv1.3"),
        ("pop3s, TLS 1.2", node.pop3s, ["-tls1_2"], "TLSv1.2"),
        ("submissions, TLS 1.3", node.submissions, ["-tls1_3"], "TLSv1.3"),
        ("submissions, TLS 1.2", node.submissions, ["-tls1_2"], "TLSv1.2"),
        ("STLS", node.pop3, ["-starttls", "pop3"], "TLSv1.3"),
        ("STARTTLS", node.submission, ["-starttls", "smtp"], "TLSv1.3"),
        ("STARTTLS, TLS 1.2", node.submission, ["-starttls", "smtp", "-tls1_2"], "TLSv1.2"),
    ]
    for name, number, options, version in cases:
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{number}", "-showcerts", "-ign_eof", *options]
        # Tickets of TLS 1.3 come behind the handshake, so something has to be said and read first.
        done = run(*command, input="QUIT\r\n", timeout=30)
        text = done.text
        checks.ok(f"openssl {name}: handshake and QUIT", version in text and re.search(r"^(\+OK|221) ?", text, re.M), done.all)
        tickets = re.search(r"TLS session ticket:|Post-Handshake New Session Ticket|Session-ID: [0-9A-F]{8}", text)
        checks.ok(f"openssl {name}: no session ticket", not tickets, tickets and tickets.group())
        pem = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", text, re.S)
        der = ssl.PEM_cert_to_DER_cert(pem.group()) if pem else b""
        checks.equal(f"openssl {name}: the key that status names", der and spki_sha256(der), wanted)
    for name, options in [("TLS 1.1", ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"])]:
        done = run("openssl", "s_client", "-connect", f"127.0.0.1:{node.pop3s}", *options, input="QUIT\r\n", timeout=30)
        checks.ok(f"openssl {name} is refused", "+OK" not in done.text, done.all)
    done = run("sh", "-c", f"(sleep 0.5; echo R; sleep 1) | openssl s_client -connect 127.0.0.1:{node.pop3s} -tls1_2", timeout=30)
    checks.ok("openssl: renegotiation is refused", "RENEGOTIATING" in done.all and "no renegotiation" in done.all, done.all)
    checks.ok("the node still answers", node.status() is not None)


# MARK: curl

def curl_pop3s_and_smtps(checks, world):
    node, carol = world.node, world.carol
    body = f"Row seven.\n.\n..two dots\nUmlaute: äöü\n{token()}\n"
    message = letter(carol.address, carol.address, "from curl", body)
    upload = write(path("carol", "mail.eml"), message)
    url = f"smtps://127.0.0.1:{node.submissions}/client.test"
    done = carol.curl("--mail-from", carol.address, "--mail-rcpt", carol.address, "-T", upload, "--login-options", "AUTH=PLAIN", url)
    checks.ok("curl smtps uploads with AUTH PLAIN", done.code == 0, done.all)
    bare = write(path("carol", "bare.eml"), message.replace(b"\r\n", b"\n"))
    done = carol.curl("--mail-from", carol.address, "--mail-rcpt", BOARD, "--mail-rcpt", carol.address, "--crlf", "-T", bare, url)
    checks.ok("curl --crlf to a group and a person", done.code == 0, done.all)
    listing = carol.curl(carol.pop_url())
    rows = re.findall(r"^(\d+) (\d+)\r?$", listing.text, re.M)
    checks.equal("curl lists the messages", [row[0] for row in rows], ["1", "2"])
    uidl = carol.curl("-X", "UIDL", carol.pop_url())
    again = carol.curl("-X", "UIDL", carol.pop_url())
    checks.ok("curl UIDL is the same in another session", uidl.out == again.out and len(uidl.out.split()) == 4, uidl.all + again.all)
    fetched = carol.curl(carol.pop_url("1"))
    checks.equal("curl RETR gives the octets of LIST", len(fetched.out), int(rows[0][1]) if rows else None)
    checks.equal("age opens what curl fetched, byte for byte", carol.open(fetched.out), message)
    piped = run("sh", "-c", f"sed -n '/BEGIN AGE/,/END AGE/p' | age -d -i '{carol.key}'", input=fetched.out)
    checks.equal("sed and age open it, byte for byte", piped.out, message)
    done = run("age", "-d", "-i", world.erin.key, input=nodekit.armor(fetched.out))
    checks.ok("another member's key does not open it", done.code != 0 and b"hello" not in done.out, done.all)
    second = carol.curl(carol.pop_url("2"))
    checks.equal("curl: what went with --crlf, byte for byte", carol.open(second.out), message)
    head = carol.curl("-X", "TOP 1 0", carol.pop_url())
    header = fetched.out.split(b"\r\n\r\n")[0] + b"\r\n"
    checks.ok("curl TOP 1 0 gives the header", head.out.startswith(header) and b"BEGIN AGE" not in head.out, head.all)
    checks.ok("the wrapper tells nothing of the message", b"from curl" not in fetched.out and b"Row seven" not in fetched.out)
    # Word for word what README says; curl adds the number of the URL to the command.
    for _ in range(2):
        done = carol.curl("-X", "DELE", "-I", carol.pop_url("1"))
        checks.ok("curl DELE", done.code == 0, done.all)
    checks.equal("curl has deleted everything", carol.curl(carol.pop_url()).out.strip(), b"")
    erin = [world.erin.open(wrapper) for _, _, wrapper in world.erin.fetch_all()]
    checks.equal("the group's other password member has her copy", erin, [message])
    wrong = run("curl", "-sS", "-k", "-u", "carol:not the password", carol.pop_url())
    checks.ok("curl: a wrong password is refused (67)", wrong.code == 67, wrong.all)
    done = run("curl", "-sS", "-k", "--ssl-reqd", "-K", path("carol", "curlrc"), f"pop3://127.0.0.1:{node.pop3}/")
    checks.ok("curl --ssl-reqd uses STLS", done.code == 0, done.all)
    done = run("curl", "-sS", "-K", path("carol", "curlrc"), f"pop3://127.0.0.1:{node.pop3}/")
    checks.ok("curl gets no login without TLS", done.code != 0, done.all)
    pinned = "sha256//" + base64.b64encode(bytes.fromhex(node.key_hash())).decode()
    checks.ok("curl --pinnedpubkey takes the hash that status names", carol.curl("--pinnedpubkey", pinned, carol.pop_url()).code == 0)
    certificate = os.path.join(node.state, "server", "certificate.pem")
    done = run("curl", "-sS", "--cacert", certificate, "-K", path("carol", "curlrc"), carol.pop_url())
    checks.ok("curl --cacert certificate.pem, as README says", done.code == 0, done.all)


def curl_with_a_device_key(checks, world):
    node, (certificate, key) = world.node, world.device
    # Her agent takes what other parts have sent to the group; a daemon is not needed for that.
    world.alice.must("fetch")
    message = sent(world.carol, [world.alice.address], "to a key", f"{token()}\n")
    external = ["-sS", "-k", "--cert", certificate, "--key", key, "--login-options", "AUTH=EXTERNAL", "-u", "alice:"]
    listing = run("curl", *external, f"pop3s://127.0.0.1:{node.pop3s}/")
    checks.ok("curl AUTH EXTERNAL lists an agent's mail", re.match(r"1 \d+\r?\n$", listing.text), listing.all)
    other = run("curl", *external[:-1], "carol:", f"pop3s://127.0.0.1:{node.pop3s}/")
    checks.ok("curl AUTH EXTERNAL for somebody else is refused", other.code != 0, other.all)
    upload = write(path("carol", "plain.eml"), message)
    envelope = ["--mail-from", world.alice.address, "--mail-rcpt", world.carol.address, "-T"]
    url = f"smtps://127.0.0.1:{node.submissions}/[127.0.0.1]"
    plain = run("curl", "-v", "-g", *external, *envelope, upload, url)
    checks.ok("plain mail of a key member is refused with the remedy", plain.code != 0 and b"550 5.7.1 seal" in plain.err, plain.all)
    inner = letter(world.alice.address, world.carol.address, "sealed by age", f"{token()}\n")
    recipient = node.status()["server"]["seal_recipient"]
    sealed = run("age", "-a", "-r", recipient, input=inner).out
    head = (f"From: <{world.alice.address}>\nTo: <{world.carol.address}>\nSubject: Sealed message\nMIME-Version: 1.0\n"
            "Content-Type: application/age\nContent-Transfer-Encoding: 7bit\n\n").encode()
    upload = write(path("carol", "sealed.eml"), canonical(head + sealed))
    done = run("curl", "-g", *external, *envelope, upload, url)
    checks.ok("curl submits what age sealed to the node", done.code == 0, done.all)
    got = [world.carol.open(wrapper) for _, _, wrapper in world.carol.fetch_all()]
    checks.equal("it arrives byte for byte", got, [inner])
    stranger = nodekit.certificate_of(os.urandom(32), path("stranger", "device"))
    done = run("curl", "-sS", "-k", "--cert", stranger[0], "--key", stranger[1], "--login-options", "AUTH=EXTERNAL", "-u", "alice:",
               f"pop3s://127.0.0.1:{node.pop3s}/")
    checks.ok("an unknown device is refused", done.code != 0, done.all)
    wrong = write(upload, canonical(head + run("age", "-a", "-r", world.carol.recipient, input=inner).out))
    done = run("curl", "-v", "-g", *external, *envelope, wrong, url)
    checks.ok("mail sealed to another key: 550 5.7.5", b"550 5.7.5" in done.err, done.all)
    done = run("curl", *external, "-X", "DELE", "-I", f"pop3s://127.0.0.1:{node.pop3s}/1")
    checks.ok("curl deletes an agent's mail", done.code == 0, done.all)
    listing = run("curl", *external, f"pop3s://127.0.0.1:{node.pop3s}/")
    checks.equal("nothing is left of it", listing.out.strip(), b"")


# MARK: swaks, mpop, fetchmail

def swaks(checks, world):
    if not requires(checks, "swaks", "swaks"):
        return
    if run("perl", "-MNet::SSLeay", "-e", "1").code != 0:
        return checks.skip("swaks", "it has no TLS without libnet-ssleay-perl; run: make test-deps")
    node, carol = world.node, world.carol
    for name, options in [
        ("implicit TLS", ["--port", node.submissions, "--tls-on-connect", "--auth", "PLAIN"]),
        ("STARTTLS", ["--port", node.submission, "--tls", "--auth", "PLAIN"]),
        ("STARTTLS and pipelining", ["--port", node.submission, "--tls", "--auth", "PLAIN", "--pipeline"]),
        ("implicit TLS and pipelining", ["--port", node.submissions, "--tls-on-connect", "--auth", "PLAIN", "--pipeline"]),
    ]:
        marker = token()
        done = run("swaks", "--server", "127.0.0.1", *options, "--auth-user", carol.name, "--auth-password", carol.password,
                   "--from", carol.address, "--to", f"{carol.address},{BOARD}", "--header", f"Subject: {marker}", "--body", f"{marker}\n.\nend\n")
        good = checks.ok(f"swaks, {name}", done.code == 0 and re.search(r"<[~*]*\s+250 2\.0\.0", done.text), done.all[-1500:])
        if good:
            got = [carol.open(wrapper) for _, _, wrapper in carol.fetch_all()]
            checks.ok(f"swaks, {name}: one copy arrives whole", len(got) == 1 and f"{marker}\r\n.\r\nend".encode() in got[0], got)
    world.erin.fetch_all()
    done = run("swaks", "--server", "127.0.0.1", "--port", node.submission, "--auth", "PLAIN", "--auth-user", carol.name,
               "--auth-password", carol.password, "--from", carol.address, "--to", carol.address)
    checks.ok("swaks gets no AUTH without TLS", done.code != 0, done.all[-800:])
    done = run("swaks", "--server", "127.0.0.1", "--port", node.submissions, "--tls-on-connect", "--auth", "PLAIN", "--auth-user",
               carol.name, "--auth-password", carol.password, "--from", carol.address, "--to", f"nobody@{DOMAIN}")
    checks.ok("swaks: an unknown recipient is refused (550 5.1.1)", done.code != 0 and "550 5.1.1" in done.text, done.all[-800:])


def mpop(checks, world):
    if not requires(checks, "mpop", "mpop"):
        return
    node, carol = world.node, world.carol
    messages = [sent(carol, [carol.address], f"for mpop {number}", f"{token()}\n") for number in range(3)]
    done = run("openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", os.path.join(node.state, "server", "certificate.pem"))
    fingerprint = done.text.strip().split("=")[1]
    maildir = path("mpop", "Maildir")
    for part in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(maildir, part), exist_ok=True)
    config = write(path("mpop", "mpoprc"), f"""\
account carol
host 127.0.0.1
port {node.pop3s}
tls on
tls_starttls off
tls_fingerprint {fingerprint}
user carol
password "{carol.password}"
auth plain
delivery maildir {maildir}
uidls_file {path("mpop", "uidls")}
received_header off
keep off
""")
    done = run("mpop", "-C", config, "carol")
    checks.ok("mpop fetches and deletes", done.code == 0, done.all)
    found = [open(name, "rb").read() for name in sorted(glob.glob(maildir + "/new/*"))]
    checks.equal("age opens what mpop delivered", sorted(carol.open(text) for text in found), sorted(messages))
    checks.equal("mpop has left nothing", carol.waiting(), 0)
    text = open(config).read().replace("tls_starttls off", "tls_starttls on").replace(f"port {node.pop3s}", f"port {node.pop3}")
    done = run("mpop", "-C", write(config, text), "carol")
    checks.ok("mpop with STLS finds nothing new", done.code == 0, done.all)


def fetchmail(checks, world):
    if not requires(checks, "fetchmail", "fetchmail"):
        return
    node, carol = world.node, world.carol
    messages = [sent(carol, [carol.address], f"for fetchmail {number}", f"{token()}\n") for number in range(3)]
    box = path("fetchmail", "box")
    config = write(path("fetchmail", "rc"), f"""\
poll 127.0.0.1 protocol pop3 port {node.pop3s} uidl
  auth password user "carol" password "{carol.password}"
  ssl no sslcertck fetchall nokeep no rewrite
  mda "cat >> {box}"
""")
    environment = dict(os.environ, FETCHMAILHOME=os.path.dirname(config))
    done = run("fetchmail", "-f", config, "--nodetach", "--nosyslog", env=environment)
    checks.ok("fetchmail fetches and deletes", done.code == 0, done.all)
    # fetchmail hands over LF and adds a Received field; what is inside the seal is untouched.
    text = open(box, "rb").read() if os.path.exists(box) else b""
    found = re.findall(rb"-----BEGIN AGE.*?-----END AGE ENCRYPTED FILE-----\r?\n", text, re.S)
    checks.equal("age opens what fetchmail delivered", sorted(carol.open(text) for text in found), sorted(messages))
    checks.equal("fetchmail has left nothing", carol.waiting(), 0)


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
            checks.ok(f"wrong password of {name}: the reply waits a second", time.monotonic() - began >= 0.9, time.monotonic() - began)
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
        checks.equal("8-bit bytes that are no UTF-8", smtp.sendmail(carol.address, [carol.address], latin, ["BODY=8BITMIME"]), {})
        code, text = smtp.mail(carol.address, ["SIZE=9000000"])
        checks.ok("SIZE above the limit is refused at MAIL (552)", code == 552, (code, text))
        smtp.rset()
        for address, wanted in [(f"nobody@{DOMAIN}", b"5.1.1"), ("someone@elsewhere.test", b"5.7.1"), (f"chiefs@{DOMAIN}", None)]:
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
        checks.ok("the normalised one", got[1].startswith(b"Return-Path: <>\r\n") and got[1].endswith(b"\r\n\r\na\r\nb\r\n\r\n"), got[1])
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
            checks.ok(f"refused: {label} ({code} {text.decode()})", odd and code // 100 == 5, "it has neither NUL nor a bare CR")
    smtp.quit()
    checks.ok("no more than the two odd ones are refused", len(refused) <= 2, refused)
    fetched = carol.fetch_all()
    checks.equal("as many are fetched as were accepted", len(fetched), len(accepted))
    wrong = [label for (label, message), (_, _, wrapper) in zip(accepted, fetched) if carol.open(wrapper) != message]
    checks.equal(f"{len(accepted)} messages come back byte for byte", wrong, [])
    checks.equal("LIST had their octets", [size for _, size, _ in fetched], [len(wrapper) for _, _, wrapper in fetched])


# MARK: clients that cheat

def smuggling(checks, world):
    carol = world.carol
    inner = f"MAIL FROM:<{carol.address}>\r\nRCPT TO:<{carol.address}>\r\nDATA\r\nSubject: smuggled\r\n\r\nsmuggled\r\n.\r\n".encode()
    for end in (b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r\n.\n", b"\r.\r\n", b"\n.\r", b"\r.\n", b"\r\n.\0\r\n", b"\n\n.\n\n",
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
    for name, command in [("STARTTLS", b"STARTTLS\r\nEHLO smuggler\r\n"), ("STARTTLS, MAIL", b"STARTTLS\r\nMAIL FROM:<x@y>\r\nRSET\r\n")]:
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
    checks.ok("lines of 100 000 and 500 000 octets in a message are decided once", reply[:3] in ("250", "550", "554", "500"), reply)
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
                           ("a ClientHello that lies about its length", b"\x16\x03\x01\xff\xff\x01\xff\xff\xff" + b"A" * 20000)]:
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
    checks.ok("a port in use: status 69 and a sentence", status == 69 and re.search(r"in use", log) and str(node.pop3s) in log, (status, log))
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
    checks.ok("a spool in use: status 75 and a sentence", status == 75 and log and re.search(r"another|in use|running", log[0]), (status, log))
    checks.equal("the first node does not mind", world.carol.waiting(), 0)


# MARK: dialog files

class Dialog:
    """Runs one file of Tests/Dialogs against the real program. The syntax is at the top of Sources/DDSTestKit/Dialog.swift."""

    def __init__(self, world, name, text):
        self.world, self.name, self.text = world, name, text
        carol = world.carol
        self.values = {
            "user": carol.name, "password": carol.password, "address": carol.address, "domain": DOMAIN, "board": BOARD,
            "plain": base64.b64encode(f"\0{carol.name}\0{carol.password}".encode()).decode(),
            "external": base64.b64encode(b"alice").decode(),
        }
        self.listener = re.search(r"^@listener (\S+)", text, re.M).group(1)
        self.wire = None
        self.key = None

    @property
    def is_pure(self):
        return bool(re.search(r"^@(pure|drain)\b", self.text, re.M))

    def filled(self, text):
        return re.sub(r"\$(\$|[A-Za-z0-9]+)", lambda match: "$" if match[1] == "$" else self.values[match[1]], text)

    def context(self):
        return client_context(self.key)

    def connect(self):
        if self.wire is None:
            node = self.world.node
            address = node.lmtp if self.listener == "lmtp" else node.port_of(self.listener)
            self.wire = Wire(address, self.context() if self.listener in ("pop3s", "submissions") else None)
        return self.wire

    def run(self):
        """A sentence for the first step that failed, or None."""
        for number, line in enumerate(self.text.split("\n"), 1):
            if not line or line.startswith("#") or line.startswith(("@listener", "@live")):
                continue
            try:
                problem = self.step(line)
            except (OSError, TimeoutError) as error:
                problem = f"{type(error).__name__}: {error}"
            if problem:
                return f"{self.name}:{number}: {line}: {problem}"
        if self.wire:
            self.wire.reset()
        return None

    def step(self, line):
        mark, _, text = line.partition(" ")
        text = self.filled(text) if mark[0] in "CS" else text
        if mark == "@key":
            self.key = self.world.device
            return None
        wire = self.connect()
        if mark == "C:":
            wire.send(text.encode() + b"\r\n")
        elif mark == "C!":
            wire.send(re.sub(rb"\\(r|n|t|0|\\|x[0-9a-fA-F]{2})", unescaped, text.encode()))
        elif mark.startswith("C#"):
            wire.send(text.encode() + b"x" * (int(mark[2:]) - 2 - len(text.encode())) + b"\r\n")
        elif mark in ("S:", "S~"):
            got = wire.line().decode(errors="replace")
            if got != text if mark == "S:" else not got.startswith(text):
                return f"got {got!r}"
        elif mark == "S*":
            seen = []
            while not seen or seen[-1] != text:
                seen.append(wire.line().decode(errors="replace"))
                if seen[-1] == "":
                    return f"never came; {seen}"
        elif mark == "@silent":
            if not wire.silent():
                return f"unexpected {wire.pending!r}"
        elif mark == "@tls":
            wire.start_tls(self.context())
        elif mark == "@advance":
            time.sleep(float(text[:-1]) + 0.3)
        elif mark == "@eof":
            wire.socket.shutdown(socket.SHUT_WR)
        elif mark == "@closed":
            if not wire.closed():
                return f"not closed; {wire.pending!r}"
        else:
            return "unknown step"
        return None


def unescaped(match):
    kind = match[1]
    simple = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}
    return simple.get(kind) or (b"\0" if kind == b"0" else bytes([int(kind[1:], 16)]))


def dialogs(checks, world):
    names = sorted(glob.glob(os.path.join(nodekit.ROOT, "Tests/Dialogs/*.chat")))
    checks.ok("there are dialog files", len(names) >= 10, names)
    live = 0
    for name in names:
        dialog = Dialog(world, os.path.basename(name), open(name, encoding="utf-8").read())
        if dialog.is_pure:
            continue
        live += 1
        problem = dialog.run()
        checks.ok(f"dialog {dialog.name}", problem is None, problem)
    checks.ok("most of them are for the real program too", live >= 5, live)
    seen = Dialog(world, "t", "@listener pop3s\nS~ +OK\nC: NOOP\nS: +OK\n").run()
    checks.ok("the runner sees a difference", seen and "t:4" in seen, seen)


PARTS = [openssl_s_client, curl_pop3s_and_smtps, curl_with_a_device_key, swaks, mpop, fetchmail, pop3_by_poplib, smtp_by_smtplib,
         chunking_and_pipelining, lmtp, corpus, smuggling, oversize_lines, no_tls_handshake, slow_and_half_open_clients, killed_clients,
         dialogs, drain, killed_server, in_use]


def main():
    words = sys.argv[1:]
    checks = nodekit.Checks("interop")
    if not all(program(name) for name in ("openssl", "curl", "age", "age-keygen")):
        checks.ok("openssl, curl and age are installed", False, "run: make test-deps")
        checks.finish()
    world = World()
    checks.ok("an agent joined", "test message came back" in world.join_text, world.join_text)
    for part in PARTS:
        if not words or any(word in part.__name__ for word in words):
            checks.part(part, world)
            if not world.node.running():
                checks.ok("the node runs", False, f"it ended with {world.node.process.returncode}: {world.node.log_text()[-1500:]}")
                world.node.start()
            for member in (world.carol, world.erin, world.frank):
                left = member.fetch_all()
                checks.ok(f"nothing is left for {member.name}", not left, f"{len(left)} messages")
    checks.equal("the node has no problems", world.node.status()["problems"], [])
    checks.equal("the node stops in order", world.node.stop(), 0)
    checks.finish()


if __name__ == "__main__":
    main()
