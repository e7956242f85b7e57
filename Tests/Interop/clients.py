"""The server role with programs that others wrote: openssl, curl, swaks, msmtp, mpop and fetchmail."""
import base64
import glob
import os
import re
import ssl

import nodekit
from nodekit import DOMAIN, canonical, letter, path, requires, run, spki_sha256, token, write
from world import BOARD, sent


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
        checks.ok(f"openssl {name}: keys of this connection alone", "Server Temp Key: X25519" in text, text)
        pem = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", text, re.S)
        der = ssl.PEM_cert_to_DER_cert(pem.group()) if pem else b""
        checks.equal(f"openssl {name}: the key that status names", der and spki_sha256(der), wanted)
    for name, options in [("TLS 1.1", ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"])]:
        done = run("openssl", "s_client", "-connect", f"127.0.0.1:{node.pop3s}", *options, input="QUIT\r\n", timeout=30)
        checks.ok(f"openssl {name} is refused", "+OK" not in done.text, done.all)
    done = run("sh", "-c", f"(sleep 0.5; echo R; sleep 1) | openssl s_client -connect 127.0.0.1:{node.pop3s} -tls1_2",
        timeout=30)
    checks.ok("openssl: renegotiation is refused", "RENEGOTIATING" in done.all and "no renegotiation" in done.all, done.all)
    checks.ok("the node still answers", node.status() is not None)


def openssl_by_hand(checks, world):
    """A message there and back, typed into openssl s_client as a person would who has nothing else."""
    node, carol = world.node, world.carol
    login = base64.b64encode(f"\0{carol.name}\0{carol.password}".encode()).decode()
    for name, smtp, pop in [("implicit TLS", [node.submissions], [node.pop3s]),
                            ("STARTTLS and STLS", [node.submission, "-starttls", "smtp"], [node.pop3, "-starttls", "pop3"])]:
        message = letter(carol.address, carol.address, f"by hand, {name}", f"{token()}\n.\n..\n")
        stuffed = re.sub(rb"(?m)^\.", b"..", message)
        head = f"EHLO [127.0.0.1]\r\nAUTH PLAIN {login}\r\nMAIL FROM:<{carol.address}>\r\nRCPT TO:<{carol.address}>\r\nDATA\r\n"
        done = s_client(smtp, head.encode() + stuffed + b".\r\nQUIT\r\n")
        codes = re.findall(r"^(\d{3}) ", done.text, re.M)
        checks.equal(f"openssl sends, {name}", codes[-7:], ["250", "235", "250", "250", "354", "250", "221"])
        done = s_client(pop, f"AUTH PLAIN {login}\r\nLIST\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n".encode())
        found = re.search(rb"\+OK (\d+) octets\r\n(.*?\r\n)\.\r\n", done.out, re.S)
        wrapper = re.sub(rb"(?m)^\.", b"", found[2]) if found else b""
        checks.equal(f"openssl fetches as many octets as LIST says, {name}", len(wrapper), int(found[1]) if found else None)
        checks.equal(f"and age opens them, byte for byte, {name}", wrapper and carol.open(wrapper), message)


def s_client(place, words):
    number, *options = place
    return run("openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{number}", *options, input=words, timeout=60)


# MARK: curl

def curl_pop3s_and_smtps(checks, world):
    node, carol = world.node, world.carol
    body = f"Row seven.\n.\n..two dots\nUmlaute: äöü\n{token()}\n"
    message = letter(carol.address, carol.address, "from curl", body)
    upload = write(path("carol", "mail.eml"), message)
    url = f"smtps://127.0.0.1:{node.submissions}/client.test"
    done = carol.curl("--mail-from", carol.address, "--mail-rcpt", carol.address, "-T", upload, "--login-options",
        "AUTH=PLAIN", url)
    checks.ok("curl smtps uploads with AUTH PLAIN", done.code == 0, done.all)
    bare = write(path("carol", "bare.eml"), message.replace(b"\r\n", b"\n"))
    done = carol.curl("--mail-from", carol.address, "--mail-rcpt", BOARD, "--mail-rcpt", carol.address, "--crlf", "-T", bare,
        url)
    checks.ok("curl --crlf to a group and a person", done.code == 0, done.all)
    listing = carol.curl(carol.pop_url())
    rows = re.findall(r"^(\d+) (\d+)\r?$", listing.text, re.M)
    checks.equal("curl lists the messages", [row[0] for row in rows], ["1", "2"])
    uidl = carol.curl("-X", "UIDL", carol.pop_url())
    again = carol.curl("-X", "UIDL", carol.pop_url())
    checks.ok("curl UIDL is the same in another session", uidl.out == again.out and len(uidl.out.split()) == 4,
        uidl.all + again.all)
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
    checks.ok("curl --pinnedpubkey takes the hash that status names",
        carol.curl("--pinnedpubkey", pinned, carol.pop_url()).code == 0)
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
    checks.ok("plain mail of a key member is refused with the remedy", plain.code != 0 and b"550 5.7.1 seal" in plain.err,
        plain.all)
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
    done = run("curl", "-sS", "-k", "--cert", stranger[0], "--key", stranger[1], "--login-options", "AUTH=EXTERNAL", "-u",
        "alice:",
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
                   "--from", carol.address, "--to", f"{carol.address},{BOARD}", "--header", f"Subject: {marker}", "--body",
                   f"{marker}\n.\nend\n")
        good = checks.ok(f"swaks, {name}", done.code == 0 and re.search(r"<[~*]*\s+250 2\.0\.0", done.text), done.all[-1500:])
        if good:
            got = [carol.open(wrapper) for _, _, wrapper in carol.fetch_all()]
            checks.ok(f"swaks, {name}: one copy arrives whole", len(got) == 1 and f"{marker}\r\n.\r\nend".encode() in got[0],
                got)
    world.erin.fetch_all()
    done = run("swaks", "--server", "127.0.0.1", "--port", node.submission, "--auth", "PLAIN", "--auth-user", carol.name,
               "--auth-password", carol.password, "--from", carol.address, "--to", carol.address)
    checks.ok("swaks gets no AUTH without TLS", done.code != 0, done.all[-800:])
    done = run("swaks", "--server", "127.0.0.1", "--port", node.submissions, "--tls-on-connect", "--auth", "PLAIN",
        "--auth-user",
               carol.name, "--auth-password", carol.password, "--from", carol.address, "--to", f"nobody@{DOMAIN}")
    checks.ok("swaks: an unknown recipient is refused (550 5.1.1)", done.code != 0 and "550 5.1.1" in done.text,
        done.all[-800:])


def msmtp(checks, world):
    if not requires(checks, "msmtp", "msmtp"):
        return
    node, carol, erin = world.node, world.carol, world.erin
    done = run("openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in",
        os.path.join(node.state, "server", "certificate.pem"))
    fingerprint = done.text.strip().split("=")[1]
    for name, number, start in [("implicit TLS", node.submissions, "off"), ("STARTTLS", node.submission, "on")]:
        config = write(path("msmtp", "rc"), f"""\
account carol
host 127.0.0.1
port {number}
tls on
tls_starttls {start}
tls_fingerprint {fingerprint}
auth plain
user carol
password "{carol.password}"
from {carol.address}
""")
        message = letter(carol.address, BOARD, f"by msmtp, {name}", f"{token()}\n.\n..two\nGrüße\n")
        done = run("msmtp", "-C", config, "-a", "carol", BOARD, carol.address, input=message.replace(b"\r\n", b"\n"))
        checks.ok(f"msmtp sends to a group and a person, {name}", done.code == 0, done.all)
        for member in (carol, erin):
            got = [member.open(wrapper) for _, _, wrapper in member.fetch_all()]
            checks.equal(f"{member.name} has it byte for byte, {name}", got, [message])
        done = run("msmtp", "-C", config, "-a", "carol", f"nobody@{DOMAIN}", input=message)
        checks.ok(f"msmtp is told of a stranger, {name}", done.code != 0 and "550" in done.all and "5.1.1" in done.all, done.all)
    text = open(config).read().replace(fingerprint, ":".join(["00"] * 32))
    done = run("msmtp", "-C", write(config, text), "-a", "carol", carol.address, input=message)
    checks.ok("msmtp sends nothing to another key", done.code != 0 and carol.waiting() == 0, done.all)


def mpop(checks, world):
    if not requires(checks, "mpop", "mpop"):
        return
    node, carol = world.node, world.carol
    messages = [sent(carol, [carol.address], f"for mpop {number}", f"{token()}\n") for number in range(3)]
    done = run("openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in",
        os.path.join(node.state, "server", "certificate.pem"))
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
    messages.append(sent(carol, [carol.address], "for mpop by STLS", f"{token()}\n"))
    text = open(config).read().replace("tls_starttls off", "tls_starttls on").replace(f"port {node.pop3s}", f"port {node.pop3}")
    done = run("mpop", "-C", write(config, text), "carol")
    checks.ok("mpop with STLS fetches what is new", done.code == 0, done.all)
    found = [open(name, "rb").read() for name in sorted(glob.glob(maildir + "/new/*"))]
    checks.equal("and age opens that, too", sorted(carol.open(text) for text in found), sorted(messages))


def fetchmail(checks, world):
    if not requires(checks, "fetchmail", "fetchmail"):
        return
    node, carol = world.node, world.carol
    for name, number, tls in [("implicit TLS", node.pop3s, "ssl"), ("STLS", node.pop3, 'sslproto "TLS1.2+"')]:
        messages = [sent(carol, [carol.address], f"for fetchmail {number}", f"{token()}\n") for number in range(3)]
        box = path("fetchmail", f"box{number}")
        config = write(path("fetchmail", "rc"), f"""\
poll 127.0.0.1 protocol pop3 port {number} uidl
  auth password user "carol" password "{carol.password}"
  {tls} no sslcertck fetchall nokeep no rewrite
  mda "cat >> {box}"
""")
        environment = dict(os.environ, FETCHMAILHOME=os.path.dirname(config))
        done = run("fetchmail", "-f", config, "--nodetach", "--nosyslog", env=environment)
        checks.ok(f"fetchmail fetches and deletes, {name}", done.code == 0, done.all)
        # fetchmail hands over LF and adds a Received field; what is inside the seal is untouched.
        text = open(box, "rb").read() if os.path.exists(box) else b""
        found = re.findall(rb"-----BEGIN AGE.*?-----END AGE ENCRYPTED FILE-----\r?\n", text, re.S)
        checks.equal(f"age opens what fetchmail delivered, {name}", sorted(carol.open(text) for text in found), sorted(messages))
        checks.equal(f"fetchmail has left nothing, {name}", carol.waiting(), 0)
