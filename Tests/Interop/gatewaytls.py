#!/usr/bin/env python3
"""The gateway with TLS: what it shows, who trusts it, and that nobody is served in clear then. With openssl, NSS, curl, mbsync,
mpop and msmtp with the lines of the manual page, and Python's imaplib, poplib and smtplib.

usage: gatewaytls.py [PART...]     only the parts whose name contains one of the words
"""
import imaplib
import os
import poplib
import re
import smtplib
import socket
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
from mailclients import ADDED, drive, example, maildir, make_maildir, must, without
from nodekit import BINARY, Wire, letter, path, requires, run, token, until, write

# Ends a session of any of the three.
END = b"a LOGOUT\r\nQUIT\r\n"


def authority(world):
    """The file of alice's authority, as `gateway trust` names it."""
    return os.path.join(world.alice.state, "agent", "gateway-ca.pem")


def trust(world, *words, home=None, **environment):
    """`gateway trust` of a person with that home folder, or with an empty one."""
    changed = dict(os.environ, HOME=home or folder("empty"), **environment)
    return run(BINARY, "--config", world.alice.config, "gateway", "trust", *words, env=changed)


def folder(*names):
    """A folder that is there."""
    made = os.path.dirname(path(*names, "x"))
    os.makedirs(made, exist_ok=True)
    return made


def context(world):
    made = ssl.create_default_context(cafile=authority(world))
    made.verify_flags |= ssl.VERIFY_X509_STRICT
    return made


def ports(world):
    return [world.at_alice.imap_port, world.at_alice.pop_port, world.at_alice.smtp_port]


def ended(connection):
    """Whether the other side has closed; what comes before that is thrown away."""
    try:
        return connection.recv(4096) == b""
    except ConnectionError:
        return True


def everything(connection):
    got = b""
    while True:
        try:
            piece = connection.recv(4096)
        except ConnectionError:
            return got
        if not piece:
            return got
        got += piece


# MARK: parts

def switched_on(checks, world):
    agent = world.alice
    before = world.at_alice.imap("INBOX")
    clear = [socket.create_connection(("127.0.0.1", port), timeout=20) for port in ports(world)]
    greetings = [connection.recv(5) for connection in clear]
    checks.ok("in clear at first", all(greetings), greetings)
    done = agent.must("gateway", "on", "--tls")
    checks.ok("the card says TLS", len(re.findall(r"(?m)^(?:IMAP|POP3|SMTP)\s+127\.0\.0\.1:\d+  TLS", done.text)) == 3
        and "ddsnode gateway trust" in done.text, done.all)
    checks.ok("who was connected in clear is cut off", all(until(lambda: ended(one), pause=0.05) for one in clear))
    try:
        before.noop()
        checks.ok("also who was logged in", False, "NOOP was answered")
    except imaplib.IMAP4.abort:
        checks.ok("also who was logged in", True)
    checks.equal("the ports stay", [row["port"] for row in agent.json("gateway", "show")["listeners"]], ports(world))
    for name, port in zip(("IMAP", "POP3", "SMTP"), ports(world)):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
            wire.sendall(b"a LOGIN alice secret\r\n" * 3)
            got = everything(wire)
        checks.ok(f"{name} says nothing in clear but an alert of TLS", got[:1] in (b"", b"\x15"), got[:60])
    xml = agent.must("gateway", "autoconfig").text
    checks.equal("autoconfig says so", xml.count("<socketType>SSL</socketType>"), 3)
    done = trust(world, "--out", path("alice", "ca.pem"))
    shown = run("openssl", "x509", "-in", authority(world), "-noout", "-fingerprint", "-sha256").text
    checks.ok("trust says the fingerprint that openssl says", shown.split("=")[1].strip() in done.text, done.all)
    checks.equal("and writes the authority", open(path("alice", "ca.pem")).read(), open(authority(world)).read())
    served = run("curl", "-sS", "--resolve", f"ddsnode.localhost:{agent.page_port}:127.0.0.1",
        f"http://ddsnode.localhost:{agent.page_port}/mail/gateway-ca.pem")
    checks.equal("the page serves the same", served.text, open(authority(world)).read())
    checks.ok("which has no private key", "PRIVATE" not in served.text)
    secret = os.path.join(agent.state, "agent", "gateway.pem")
    checks.equal("the key is its owner's alone", oct(os.stat(secret).st_mode & 0o777), "0o600")
    checks.equal("no problems", agent.status()["problems"], [])


def by_openssl(checks, world):
    """Strictly, under each of its names, and no other."""
    for port, first in zip(ports(world), ("\\* OK", "\\+OK", "220 ")):
        for name in (["-verify_hostname", "localhost"], ["-verify_ip", "127.0.0.1"], ["-verify_ip", "::1"]):
            done = run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", authority(world), "-x509_strict",
                "-verify_return_error", *name, "-quiet", input=END)
            checks.ok(f"port {port} is {name[1]}", re.search(f"(?m)^{first}", done.text), done.all[-600:])
        done = run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", authority(world),
            "-verify_return_error", "-verify_hostname", "node.example.org", "-quiet", input=END)
        checks.ok("and not another", "hostname mismatch" in done.all and not re.search(f"(?m)^{first}", done.text),
            done.all[-600:])
        for version, good in (("-tls1_3", True), ("-tls1_2", True), ("-tls1_1", False)):
            done = run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", version, "-cipher", "DEFAULT:@SECLEVEL=0",
                "-quiet", input=END)
            checks.equal(f"{version} at {port}", bool(re.search(f"(?m)^{first}", done.text)), good)
    done = run("openssl", "s_client", "-connect", f"127.0.0.1:{ports(world)[0]}", "-verify_return_error", "-quiet", input=END)
    checks.ok("without the authority nobody trusts it", "unable to get local issuer" in done.all, done.all[-600:])


def round_trip_by_python(checks, world):
    marker = token()
    message = letter(world.alice.address, world.alice.address, marker, f"{marker}\n")
    with smtplib.SMTP_SSL("127.0.0.1", world.at_alice.smtp_port, "[127.0.0.1]", timeout=60, context=context(world)) as smtp:
        smtp.login(world.at_alice.user, world.at_alice.password)
        checks.ok("no STARTTLS inside TLS", not smtp.has_extn("starttls"), smtp.esmtp_features)
        smtp.sendmail(world.alice.address, [world.alice.address], message)
    world.alice.waits_for(marker)
    with imaplib.IMAP4_SSL("localhost", world.at_alice.imap_port, ssl_context=context(world), timeout=60) as imap:
        checks.ok("no STARTTLS and no LOGINDISABLED in IMAP",
            not {"STARTTLS", "LOGINDISABLED"} & set(imap.capabilities), imap.capabilities)
        imap.login(world.at_alice.user, world.at_alice.password)
        must(imap.select("INBOX", True))
        number = must(imap.search(None, "SUBJECT", marker))[0]
        got = must(imap.fetch(number, "(BODY.PEEK[])"))[0][1]
    checks.equal("IMAP gives it back byte for byte", without(got, *ADDED), message)
    pop = poplib.POP3_SSL("127.0.0.1", world.at_alice.pop_port, context=context(world), timeout=60)
    checks.ok("no STLS in POP3", "STLS" not in pop.capa())
    pop.user(world.at_alice.user)
    pop.pass_(world.at_alice.password)
    found = [b"".join(line + b"\r\n" for line in pop.retr(number + 1)[1]) for number in range(pop.stat()[0])]
    pop.quit()
    checks.equal("POP3 too", [without(one, *ADDED) for one in found if marker.encode() in one], [message])
    checks.ok("bob's gateway is in clear all the same", world.at_bob.count() >= 0)


def by_others(checks, world):
    """With the lines of the manual page."""
    if not requires(checks, "curl, mbsync, mpop and msmtp by TLS", "curl", "mbsync", "mpop", "msmtp"):
        return
    marker = token()
    secret = write(path("tls", "password"), world.at_alice.password + "\n")
    address = world.alice.address
    lines = example("TLS with mbsync, mpop, msmtp, curl", ("~/gateway-ca.pem", authority(world)))
    for_mbsync = lines.split("# mbsync, which knows no addresses in certificates\n")[1].split("\n\n")[0]
    for_mail = lines.split("# mpop, msmtp\n")[1].split("\n\n")[0]
    common = (("tls off", for_mail), ("user bob", "user alice"), ("~/.config/ddsnode/app-password", secret))
    config = write(path("tls", "msmtprc"), example("msmtp", ("port 1025", f"port {world.at_alice.smtp_port}"),
        ("bob@node.example.org", address), *common))
    message = letter(address, address, marker, f"{marker}\n")
    done = run("msmtp", "-C", config, "-a", "node", address, input=message)
    checks.ok("msmtp sends", done.code == 0, done.all)
    world.alice.waits_for(marker)
    box = make_maildir(path("tls", "mpop"))
    config = write(path("tls", "mpoprc"), example("mpop", ("port 1110", f"port {world.at_alice.pop_port}"),
        ("~/mail/node", box), *common))
    done = run("mpop", "-C", config, "node", env=dict(os.environ, HOME=folder("empty")))
    checks.ok("mpop fetches", done.code == 0, done.all)
    checks.equal("it has it byte for byte",
        [without(text, *ADDED, b"Received") for _, text in maildir(box) if marker.encode() in text], [message])
    mail = folder("tls", "mbsync")
    config = write(path("tls", "mbsyncrc"), example("mbsync", ("Port 1143", f"Port {world.at_alice.imap_port}"),
        ("Host 127.0.0.1\n", ""), ("User bob", "User alice"), ("~/.config/ddsnode/app-password", secret),
        ("SSLType None", for_mbsync), ("~/mail/node/", mail + "/")))
    done = run("mbsync", "-c", config, "-a")
    checks.ok("mbsync fetches", done.code == 0, done.all)
    checks.equal("it has it byte for byte",
        [without(text, *ADDED) for _, text in maildir(mail, "INBOX") if marker.encode() in text], [message])
    login = write(path("tls", "curlrc"), f'user = "alice:{world.at_alice.password}"\n')
    for url in (f"imaps://127.0.0.1:{world.at_alice.imap_port}/INBOX", f"pop3s://127.0.0.1:{world.at_alice.pop_port}/"):
        done = run("curl", "-sS", "--cacert", authority(world), "-K", login, url)
        checks.ok(f"curl asks {url[:5]}", done.code == 0, done.all)
        checks.equal("and without the authority it does not", run("curl", "-sS", "-K", login, url).code, 60)


def thunderbirds_profiles(checks, world):
    """NSS itself, by its tools, with profiles as Thunderbird has them."""
    if not requires(checks, "NSS", "certutil", "tstclnt"):
        return
    done = trust(world)
    checks.ok("without a profile it says so, and where the file is",
        done.code == 0 and "no profile of Thunderbird" in done.text and authority(world) in done.text, done.all)
    home = folder("home")
    profiles = [folder("home", *place) for place in ((".thunderbird", "abc.default-esr"),
        ("snap", "thunderbird", "common", ".thunderbird", "x.default"))]
    for profile in profiles:
        run("certutil", "-N", "--empty-password", "-d", f"sql:{profile}")
    checks.equal("NSS does not trust it before", [nss(world, profile) for profile in profiles], [False] * 2)
    for _ in range(2):
        done = trust(world, home=home)
        checks.ok("trust names the profiles", done.code == 0 and all(profile in done.text for profile in profiles), done.all)
    checks.equal("NSS trusts it then", [nss(world, profile) for profile in profiles], [True] * 2)
    listed = run("certutil", "-L", "-d", f"sql:{profiles[0]}").text
    checks.equal("it is there once", listed.count("ddsnode gateway"), 1)
    done = trust(world, home=home, PATH=folder("nothing"))
    checks.ok("without certutil it names the package", done.code != 0 and "apt install libnss3-tools" in done.all, done.all)
    done = trust(world, "--remove", home=home)
    checks.ok("remove names them", done.code == 0 and all(profile in done.text for profile in profiles), done.all)
    checks.equal("NSS trusts it no more", [nss(world, profile) for profile in profiles], [False] * 2)
    done = trust(world, "--remove", "--out", "x", home=home)
    checks.ok("both at once are refused", done.code == 64 and "exclude each other" in done.all, done.all)


def nss(world, profile):
    """Whether NSS accepts the gateway with that profile's authorities."""
    done = run("tstclnt", "-h", "localhost", "-4", "-p", world.at_alice.imap_port, "-d", f"sql:{profile}", "-V", "tls1.2:",
        "-Q")
    assert done.code == 0 or "SEC_ERROR_UNKNOWN_ISSUER" in done.all, done.all
    return done.code == 0


def locked_and_started_again(checks, world):
    agent = world.alice
    before = open(authority(world)).read()
    agent.lock()
    with imaplib.IMAP4_SSL("127.0.0.1", world.at_alice.imap_port, ssl_context=context(world), timeout=60) as imap:
        try:
            imap.login(world.at_alice.user, world.at_alice.password)
            checks.ok("a locked agent says so by TLS", False, "logged in")
        except imaplib.IMAP4.error as problem:
            checks.ok("a locked agent says so by TLS", "UNAVAILABLE" in str(problem), problem)
    agent.unlock()
    agent.stop()
    agent.start()
    agent.unlock()
    with imaplib.IMAP4_SSL("127.0.0.1", world.at_alice.imap_port, ssl_context=context(world), timeout=60) as imap:
        must(imap.login(world.at_alice.user, world.at_alice.password))
    checks.equal("the certificate outlives a restart", open(authority(world)).read(), before)
    checks.equal("no problems", agent.status()["problems"], [])


def without_a_certificate(checks, world):
    """That is no time to speak in clear."""
    agent = world.alice
    name = os.path.join(agent.state, "agent", "gateway.pem")
    agent.stop()
    with open(name, "rb") as file:
        good = file.read()
    write(name, good[:-100])
    agent.start()
    agent.unlock()
    for port in ports(world):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
            checks.equal(f"port {port} closes", everything(wire), b"")
    problems = agent.status()["problems"]
    checks.ok("status says what to do", any("is damaged" in one and "ddsnode gateway trust" in one for one in problems),
        problems)
    with open(name, "rb") as file:
        checks.equal("the file is left as it is", file.read(), good[:-100])
    write(name, good)
    agent.must("gateway", "on", "--tls")
    checks.equal("and all is well once it is back", agent.status()["problems"], [])


def configured(checks, world):
    """The configuration stands above the command."""
    agent = world.bob
    with open(agent.config, "a") as file:
        file.write("[agent.gateway]\ntls = true\n")
    agent.stop()
    agent.start()
    agent.unlock()
    checks.equal("all is TLS", [row["tls"] for row in agent.json("gateway", "show")["listeners"]], [True] * 3)
    done = agent.cli("gateway", "on", "--no-tls")
    checks.ok("which the command cannot change", done.code == 78 and "agent.gateway.tls" in done.all, done.all)
    checks.equal("nothing was changed", agent.json("gateway", "show")["tls"], True)


def switched_off(checks, world):
    done = world.alice.must("gateway", "on", "--no-tls")
    checks.ok("the card says so", done.text.count("no encryption") == 3, done.all)
    checks.ok("it is in clear again", Wire(world.at_alice.imap_port).line().startswith(b"* OK"))


PARTS = [switched_on, by_openssl, round_trip_by_python, by_others, thunderbirds_profiles, locked_and_started_again,
    without_a_certificate, configured, switched_off]


def switched(world):
    """Single parts begin where the first of all has led."""
    if sys.argv[1:]:
        world.alice.must("gateway", "on", "--tls")


if __name__ == "__main__":
    drive("gateway by TLS", PARTS, prepare=switched)
