#!/usr/bin/env python3
"""SIGKILL at random moments for a node under load, on a real file system, with programs of others on both ends: smtplib and swaks send,
poplib, mpop and curl fetch. Whatever got its 250 is in the end with every recipient, once; what QUIT confirmed as deleted never comes
back; what got no answer is with all its recipients or with none.

usage: kills.py [KILLS [SEED]]     20 kills by default; the seed draws the moments, which the machine's own pace shifts
"""
import glob
import hashlib
import os
import poplib
import random
import re
import smtplib
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from nodekit import DOMAIN, Node, client_context, holds, letter, path, program, run, token, traces, write

# Clients of a node that is away try again after this long.
PAUSE = 0.05
NETWORK = (OSError, EOFError, smtplib.SMTPException, poplib.error_proto)


class Ledger:
    """What was promised and what was seen, by all threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sent = {}  # token: (message, recipients)
        self.accepted = set()
        self.unanswered = set()
        self.resent = 0
        self.seen = {}  # (member, token): the names under which it came
        self.confirmed = {}  # member: UIDLs whose deletion QUIT confirmed
        self.wrong = []
        self.sessions = self.broken = 0

    def promise(self, mark, message, recipients):
        with self.lock:
            self.sent[mark] = (message, recipients)

    def answered(self, mark, is_accepted):
        with self.lock:
            (self.accepted if is_accepted else self.unanswered).add(mark)

    def came(self, member, name, text):
        """A message that a client has got whole; `name` is its UIDL, or that of the file where a client hides UIDLs."""
        found = re.search(rb"^Subject: (\w+)", text, re.M)
        mark = found.group(1).decode() if found else "none"
        with self.lock:
            message, recipients = self.sent.get(mark, (None, ()))
            if message is None or member.name not in recipients:
                self.wrong.append(f"{member.name} got {mark}, which is for {recipients}: {text[:300]!r}")
            elif not text.startswith(message.rstrip()) and message.rstrip() not in text:
                self.wrong.append(f"{member.name} got {mark} changed")
            self.seen.setdefault((member.name, mark), set()).add(name)

    def listed(self, member, uidls):
        with self.lock:
            self.sessions += 1
            back = self.confirmed.get(member.name, set()).intersection(uidls)
            if back:
                self.wrong.append(f"{member.name} is offered {sorted(back)} again, which QUIT had confirmed as deleted")

    def gone(self, member, uidls):
        with self.lock:
            self.confirmed.setdefault(member.name, set()).update(uidls)

    def trouble(self):
        with self.lock:
            self.broken += 1
        time.sleep(PAUSE)


class Client(threading.Thread):
    """Does one thing again and again until told to stop."""

    def __init__(self, ledger, member, seed):
        super().__init__(daemon=True)
        self.ledger, self.member, self.random = ledger, member, random.Random(seed)
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.is_set():
            try:
                self.once()
            except NETWORK:
                self.ledger.trouble()
            except Exception as problem:  # A client that breaks must not look like one that has nothing to do.
                self.ledger.wrong.append(f"{type(self).__name__}: {problem!r}")
                return

    def stop(self):
        self.stopping.set()
        self.join(120)


# MARK: sending

class Sender(Client):
    def __init__(self, ledger, member, to, readers, seed):
        super().__init__(ledger, member, seed)
        self.to, self.readers = to, list(readers)

    def new(self, size=None):
        """A message for the ledger; half of them carry an id, and a sender may repeat those until it has an answer."""
        mark = token()
        has_id = self.random.random() < 0.5
        lines = size if size is not None else self.random.choice((1, 1, 1, 20, 400))
        message = letter(self.member.address, self.to, mark, f"{mark}\n" + "0123456789abcdef\n" * lines)
        self.ledger.promise(mark, message, self.readers)
        return mark, (f"X-DDS-Submission: {mark}\r\n".encode() if has_id else b"") + message, has_id


class ByLibrary(Sender):
    smtp = None

    def once(self):
        mark, message, has_id = self.new()
        while True:
            try:
                self.smtp = self.smtp or self.member.smtp()
                self.smtp.mail(self.member.address)
                self.smtp.rcpt(self.to)
                code, _ = self.smtp.data(message)
                return self.ledger.answered(mark, code == 250)
            except NETWORK:
                self.smtp = None
                if not has_id or self.stopping.is_set():
                    self.ledger.answered(mark, False)
                    raise
                self.ledger.resent += 1
                self.ledger.trouble()


class BySwaks(Sender):
    def once(self):
        mark, message, _ = self.new(1)
        file = write(path("swaks", f"{self.member.name}.eml"), message)
        done = run("swaks", "--server", "127.0.0.1", "--port", self.member.node.submissions, "--tls-on-connect", "--auth", "PLAIN",
                   "--auth-user", self.member.name, "--auth-password", self.member.password, "--from", self.member.address,
                   "--to", self.to, "--data", f"@{file}", "--timeout", "20")
        # It shows every reply; the last before QUIT is the one to the message.
        self.ledger.answered(mark, done.code == 0 and re.search(r"250 2\.0\.0 sealed for", done.text) is not None)
        if done.code != 0:
            self.ledger.trouble()


# MARK: fetching

class PopReader(Client):
    def once(self):
        member = self.member
        pop = poplib.POP3_SSL("127.0.0.1", member.node.pop3s, context=client_context(), timeout=20)
        try:
            pop.user(member.name)
            pop.pass_(member.password)
            uidls = [line.split()[1].decode() for line in pop.uidl()[1]]
            self.ledger.listed(member, uidls)
            for number, uidl in enumerate(uidls[:20], 1):
                wrapper = b"".join(line + b"\r\n" for line in pop.retr(number)[1])
                self.ledger.came(member, uidl, member.open(wrapper))
                pop.dele(number)
            # Now and then it hangs up instead of quitting: nothing is deleted then.
            if self.random.random() < 0.8 and pop.quit().startswith(b"+OK"):
                self.ledger.gone(member, uidls[:20])
        finally:
            pop.close()
        time.sleep(PAUSE)


class CurlReader(Client):
    """Fetches and deletes nothing; it meets others at the maildrop."""

    def once(self):
        listing = self.member.curl("-m", "20", self.member.pop_url(), "-X", "UIDL")
        rows = [line.split() for line in listing.text.splitlines() if len(line.split()) == 2]
        if listing.code != 0 or not rows:
            return self.ledger.trouble()
        self.ledger.listed(self.member, [uidl for _, uidl in rows])
        time.sleep(PAUSE)


class MpopReader(Client):
    """mpop remembers UIDLs itself and hides them. A message goes by the digest of its wrapper: no two seals are alike, so two digests
    for one message are two copies in the maildrop, and one digest twice is one copy that was fetched twice. That happens: when the node
    dies between two of its writes, mpop 1.4.18 dies of SIGPIPE before it has noted what it had delivered.
    """

    def __init__(self, ledger, member, seed):
        super().__init__(ledger, member, seed)
        self.fetched = set()
        self.maildir = path("mpop", "Maildir")
        for part in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(self.maildir, part), exist_ok=True)
        self.config = write(path("mpop", "mpoprc"), f"""\
account {member.name}
host 127.0.0.1
port {member.node.pop3s}
timeout 20
tls on
tls_starttls off
tls_certcheck off
user {member.name}
password "{member.password}"
auth plain
delivery maildir {self.maildir}
uidls_file {path("mpop", "uidls")}
received_header off
keep off
""")

    def once(self):
        done = run("mpop", "-q", "-C", self.config, self.member.name)
        digests = set()
        for name in glob.glob(self.maildir + "/new/*"):
            with open(name, "rb") as file:
                wrapper = file.read()
            digest = hashlib.sha256(wrapper).hexdigest()
            digests.add(digest)
            self.ledger.came(self.member, digest, self.member.open(wrapper))
            os.unlink(name)
        self.fetched |= digests
        self.ledger.listed(self.member, digests)
        if done.code != 0:
            return self.ledger.trouble()
        # It has fetched and deleted all that was there.
        self.ledger.gone(self.member, self.fetched)
        time.sleep(PAUSE)


# MARK: the run

def kill_at_random(node, kills, chance, ledger):
    for number in range(1, kills + 1):
        # Logging in takes most of a session; without something done in between, nothing but logins would die. A whole session is longer
        # than most lives here, so that some lives have to last for one.
        done, deleted = len(ledger.accepted) + len(ledger.seen), confirmed(ledger)
        nodekit.until(lambda: len(ledger.accepted) + len(ledger.seen) > done, pause=0.01)
        if number % 4 == 0:
            nodekit.until(lambda: confirmed(ledger) > deleted, pause=0.01)
        time.sleep(chance.uniform(0.0, 0.5))
        node.kill()
        # Some die again while they read their disk.
        if chance.random() < 0.25:
            node.launch()
            time.sleep(chance.uniform(0.0, 0.3))
            node.kill()
        node.start()
        if number % 10 == 0:
            print(f"      {number} kills, {len(ledger.accepted)} accepted, {len(ledger.unanswered)} without an answer, "
                  f"{confirmed(ledger)} deletions confirmed", flush=True)


def confirmed(ledger):
    return sum(map(len, list(ledger.confirmed.values())))


def judge(checks, ledger, members):
    checks.equal("nobody saw what should not be", ledger.wrong, [])
    lost, doubled, torn = [], [], []
    for mark, (_, recipients) in ledger.sent.items():
        copies = {name: len(ledger.seen.get((name, mark), ())) for name in recipients}
        if mark in ledger.accepted and not all(copies.values()):
            lost.append((mark, copies))
        if any(count > 1 for count in copies.values()):
            doubled.append((mark, copies))
        if mark in ledger.unanswered and any(copies.values()) and not all(copies.values()):
            torn.append((mark, copies))
    checks.equal(f"none of {len(ledger.accepted)} accepted messages is lost", lost, [])
    checks.equal("none came twice", doubled, [])
    checks.equal(f"each of {len(ledger.unanswered)} without an answer came to all or to none", torn, [])


def main():
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32)
    checks = nodekit.Checks(f"kills ({kills}, seed {seed})")
    needed = ("age", "age-keygen", "curl", "mpop", "swaks")
    missing = [name for name in needed if not program(name)]
    if missing:
        checks.ok("its clients are installed", False, f"{', '.join(missing)}; run: make test-deps")
        checks.finish()
    node = Node(limits="logins_per_minute = 100000\nconnections_per_ip = 60")
    node.extra = '[server.spool]\nsegment_size = "1MiB"\n'
    node.configure()
    node.init().start()
    members = {name: node.add_ordinary(name) for name in ("carol", "erin", "frank")}
    node.must("group", "add", "board", *[word for name in members for word in ("--member", name)])
    carol, erin, frank = members.values()
    ledger = Ledger()
    board = f"board@{DOMAIN}"
    senders = [
        ByLibrary(ledger, carol, board, members, seed), ByLibrary(ledger, frank, erin.address, ["erin"], seed + 1),
        BySwaks(ledger, erin, board, members, seed + 2)]
    readers = [
        PopReader(ledger, carol, seed + 3), PopReader(ledger, frank, seed + 4), CurlReader(ledger, frank, seed + 5),
        MpopReader(ledger, erin, seed + 6)]
    for client in senders + readers:
        client.start()
    checks.ok("all clients work", nodekit.until(lambda: len(ledger.accepted) >= 6 and len(ledger.confirmed) == 3), len(ledger.confirmed))
    kill_at_random(node, kills, random.Random(seed), ledger)
    for client in senders:
        client.stop()
    checks.ok("the maildrops drain", drained(node), node.status())
    for client in readers:
        client.stop()
    for member in members.values():
        member.fetch_all()
    judge(checks, ledger, members)
    checks.ok("more was accepted than killed", len(ledger.accepted) >= kills, len(ledger.accepted))
    checks.ok("the kills met clients at work", ledger.broken > 0, vars(ledger))
    print(f"      {ledger.sessions} listings, {ledger.broken} broken sessions, {ledger.resent} resent by id", flush=True)
    needles = [trace for mark in list(ledger.sent)[-50:] for trace in traces(mark)]
    checks.equal("no text is in the node's files", holds(node.files(), needles), [])
    checks.equal("the node has no problems", node.status()["problems"], [])
    checks.equal("the node stops in order", node.stop(), 0)
    checks.finish()


def drained(node):
    """True when nothing waits any more, false when for a minute nobody has taken anything; a long run leaves much to fetch."""
    def waiting():
        status = node.status()
        return None if status is None else status["server"]["waiting_messages"]

    left = waiting()
    while left != 0:
        if not nodekit.until(lambda: waiting() not in (None, left), 60, 0.2):
            return False
        left = waiting()
    return True


if __name__ == "__main__":
    main()
