#!/usr/bin/env python3
"""The agent's gateway with mail programs that others wrote, curl, swaks, msmtp, mpop and fetchmail, and with every message of
the corpus.

usage: gatewayclients.py [PART...]     only the parts whose name contains one of the words
"""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
from mailclients import (ADDED, BOARD, corpus_messages, drive, example, fetchmail, maildir, make_maildir, requires_corpus,
    without)
from nodekit import DOMAIN, canonical, letter, path, requires, run, token, until, write


def curl(checks, world):
    marker = token()
    message = letter(world.alice.address, world.bob.address, marker, f"by curl\n.\n{marker}\n")
    upload = write(path("alice", "curl.eml"), message)
    login = write(path("alice", "curlrc"), f'user = "{world.at_alice.user}:{world.at_alice.password}"\n')
    for mechanism in ("PLAIN", "LOGIN"):
        done = run("curl", "-sS", "-K", login, "--login-options", f"AUTH={mechanism}", "--mail-from", world.alice.address,
            "--mail-rcpt", world.bob.address, "-T", upload, f"smtp://127.0.0.1:{world.at_alice.smtp_port}/client.test")
        checks.ok(f"curl sends with AUTH {mechanism}", done.code == 0, done.all)
    until(lambda: len(world.bob.find(marker)) == 2, pause=0.2)
    ids = [row["id"] for row in world.bob.find(marker)]
    login = write(path("bob", "curlrc"), f'user = "{world.at_bob.user}:{world.at_bob.password}"\n')
    url = f"pop3://127.0.0.1:{world.at_bob.pop_port}/"
    uidl = run("curl", "-sS", "-K", login, "-X", "UIDL", url)
    numbers = [line.split()[0] for line in uidl.text.splitlines() if line.split()[1] in ids]
    checks.equal("curl lists both", len(numbers), 2)
    for number in numbers:
        got = run("curl", "-sS", "-K", login, url + number)
        checks.equal("curl fetches it byte for byte", without(got.out, *ADDED), message)
    curl_as_the_page_says(checks, world, login)


def curl_as_the_page_says(checks, world, login):
    """Both lines of the manual page; their password is asked for."""
    marker = token()
    message = letter(world.bob.address, BOARD, marker, f"as the page says\n.\n{marker}\n")
    upload = write(path("bob", "mail.eml"), message.replace(b"\r\n", b"\n"))
    text = example("curl", ("-u bob", f"-sS -K {login}"), (":1110", f":{world.at_bob.pop_port}"), ("node.example.org", DOMAIN),
        (":1025", f":{world.at_bob.smtp_port}"), ("mail.eml", upload), ("\\e\n", "\\\n"))
    first, second = text.split("\n", 1)
    done = run("bash", "-c", first)
    checks.equal("curl fetches the first message as the page says", done.out, world.at_bob.fetch_all()[0][2])
    done = run("bash", "-c", second)
    checks.ok("and sends as the page says", done.code == 0, done.all)
    world.alice.waits_for(marker)
    checks.equal("byte for byte", [without(got, *ADDED) for got in world.at_alice.fetch(marker)], [message])


def swaks(checks, world):
    if not requires(checks, "swaks", "swaks"):
        return
    for mechanism in ("PLAIN", "LOGIN"):
        marker = token()
        done = run("swaks", "--server", "127.0.0.1", "--port", world.at_alice.smtp_port, "--auth", mechanism, "--auth-user",
            world.at_alice.user, "--auth-password", world.at_alice.password, "--from", world.alice.address, "--to",
            f"{world.bob.address},{BOARD}", "--header", f"Subject: {marker}", "--body", f"{marker}\n.\nend\n")
        checks.ok(f"swaks, AUTH {mechanism}", done.code == 0 and re.search(r"<[-~*]*\s+250 2\.0\.0", done.text),
            done.all[-1500:])
        row = world.bob.waits_for(marker)
        checks.ok("it arrives whole", f"{marker}\r\n.\r\nend".encode() in canonical(world.bob.raw(row["id"])))
    done = run("swaks", "--server", "127.0.0.1", "--port", world.at_alice.smtp_port, "--auth", "LOGIN", "--auth-user",
        world.at_alice.user, "--auth-password", "wrong", "--from", world.alice.address, "--to", world.bob.address)
    checks.ok("swaks: a wrong password is refused", done.code != 0 and "535 5.7.8" in done.text, done.all[-800:])


def msmtp(checks, world):
    if not requires(checks, "msmtp", "msmtp"):
        return
    marker = token()
    secret = write(path("msmtp", "password"), world.at_alice.password + "\n")
    config = write(path("msmtp", "rc"), example("msmtp", ("port 1025", f"port {world.at_alice.smtp_port}"),
        ("user bob", "user alice"), ("bob@node.example.org", world.alice.address), ("~/.config/ddsnode/app-password", secret)))
    message = letter(world.alice.address, world.bob.address, marker, f"by msmtp\n{marker}\n")
    done = run("msmtp", "-C", config, "-a", "node", "-t", input=message.replace(b"\r\n", b"\n"))
    checks.ok("msmtp sends with the configuration of the manual page", done.code == 0, done.all)
    world.bob.waits_for(marker)
    checks.equal("it arrives byte for byte", [without(text, *ADDED) for text in world.at_bob.fetch(marker)], [message])
    done = run("msmtp", "-C", config, "-a", "node", "someone@example.org", input=message)
    checks.ok("msmtp shows the refusal of an outside address",
        done.code != 0 and "members and groups only" in done.all, done.all)


def mpop(checks, world):
    if not requires(checks, "mpop", "mpop"):
        return
    messages = three_for_dave(world)
    box, home = make_maildir(path("mpop", "Maildir")), path("mpop", "home")
    secret = write(path("mpop", "password"), world.at_dave.password + "\n")
    config = write(path("mpop", "rc"), example("mpop", ("port 1110", f"port {world.at_dave.pop_port}"),
        ("user bob", "user dave"), ("~/.config/ddsnode/app-password", secret), ("~/mail/node", box)))
    done = run("mpop", "-C", config, "node", env=dict(os.environ, HOME=home))
    checks.ok("mpop fetches with the configuration of the manual page", done.code == 0, done.all)
    # It adds a field of its own.
    found = [without(text, *ADDED, b"Received") for _, text in maildir(box)]
    checks.equal("mpop has them byte for byte", sorted(text for text in found if text in messages), sorted(messages))
    checks.equal("and keeps them here", world.at_dave.count(), len(found))
    done = run("mpop", "-C", config, "node", env=dict(os.environ, HOME=home))
    checks.ok("a second time it finds nothing new", done.code == 0 and len(maildir(box)) == len(found), done.all)


def three_for_dave(world):
    """Messages that bob has sent to dave, who has them."""
    markers = [token() for _ in range(3)]
    messages = [letter(world.bob.address, world.dave.address, marker, f"{marker}\n") for marker in markers]
    for message in messages:
        world.at_bob.send(message, world.dave.address)
    for marker in markers:
        world.dave.waits_for(marker)
    return messages


def fetchmail_keeps_and_deletes(checks, world):
    if not requires(checks, "fetchmail", "fetchmail"):
        return
    marker = token()
    world.brings(BOARD, subject=f"{marker} board")
    world.brings(world.bob.address, subject=f"{marker} private")
    box = path("fetchmail", "box")
    text = example("fetchmail", ("port 1110", f"port {world.at_bob.pop_port}"), ("...", world.at_bob.password))
    before = world.at_bob.count()
    done = fetchmail(write(path("fetchmail", "rc"), f'{text}  no rewrite mda "cat >> {box}"\n'))
    checks.ok("fetchmail fetches with the configuration of the manual page", done.code == 0, done.all)
    given = read(box)
    checks.ok("it has the group's mail, and no other",
        f"{marker} board".encode() in given and f"{marker} private".encode() not in given, given[-600:])
    checks.equal("and keeps all of it here", world.at_bob.count(), before)
    messages = three_for_dave(world)
    box = path("fetchmail", "other")
    text = example("fetchmail", ("port 1110", f"port {world.at_dave.pop_port}"), ("...", world.at_dave.password),
        ("bob+board", "dave"), ("keep", "fetchall nokeep"))
    done = fetchmail(write(path("fetchmail", "rc"), f'{text}  no rewrite mda "cat >> {box}"\n'))
    checks.ok("fetchmail fetches and deletes", done.code == 0, done.all)
    given = canonical(read(box))
    checks.equal("fetchmail has them", [message for message in messages if message.split(b"\r\n\r\n")[1] not in given], [])
    checks.equal("what it deleted is gone for the page",
        [row["subject"] for row in world.dave.list() if row["state"] == "received"], [])


def read(name):
    with open(name, "rb") as file:
        return file.read()


def corpus(checks, world):
    """Every message of the corpus by the node's submission of a member with a password, and out of an agent's POP3."""
    if not requires_corpus(checks, "the corpus by POP3"):
        return
    messages = corpus_messages()
    checks.equal("the corpus has 107 messages", len(messages), 107)
    before = {row[0] for row in world.at_dave.fetch_all()}
    checks.equal("all are taken", world.carol_sends(messages, world.dave), [])
    world.at_dave.waits_for(len(before) + len(messages))
    fetched = [row for row in world.at_dave.fetch_all() if row[0] not in before]
    checks.equal("as many come out as went in", len(fetched), len(messages))
    wrong = [name for (name, message), (_, _, got) in zip(messages, fetched) if got != message]
    checks.equal(f"{len(messages)} messages come out byte for byte, in order", wrong, [])
    checks.equal("LIST had their octets", [size for _, size, _ in fetched], [len(got) for _, _, got in fetched])
    pop = world.at_dave.pop()
    bad = []
    for number in range(1, pop.stat()[0] + 1):
        top = b"".join(line + b"\r\n" for line in pop.top(number, 0)[1])
        whole = b"".join(line + b"\r\n" for line in pop.retr(number)[1])
        if not whole.startswith(top):
            bad.append(number)
    pop.quit()
    checks.equal("TOP is the beginning of RETR", bad, [])


PARTS = [curl, swaks, msmtp, mpop, fetchmail_keeps_and_deletes, corpus]


if __name__ == "__main__":
    drive("gateway clients", PARTS, others=("dave",))
