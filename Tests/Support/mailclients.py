"""Mail programs at the gateway of real agents, for the programs under Tests: a node with agents, their mail by poplib, smtplib
and imaplib, the corpus, Maildirs, and the examples of the manual page. It knows no test.
"""
import base64
import concurrent.futures
import glob
import imaplib
import os
import poplib
import re
import smtplib

import nodekit
from nodekit import DOMAIN, Agent, Node, Wire, canonical, drained, letter, run, token, until
from structure import fetched

BOARD = f"board@{DOMAIN}"
# What the gateway adds to a message that is submitted, for a group more than for a person.
ADDED = (b"X-DDS-Submission", b"List-Id", b"List-Post")
LOCKED = "The agent is locked; unlock it in its page or run: ddsnode unlock"
# The mailboxes that are always there, with their special use.
STANDING = {"INBOX": None, "Drafts": "\\Drafts", "Sent": "\\Sent", "Outbox": None, "Archive": "\\Archive", "Trash": "\\Trash"}


class Client:
    """A mail program of an agent's person: where to connect, and a password of its own."""

    def __init__(self, agent, name="tests"):
        self.agent = agent
        shown = agent.json("gateway", "on")
        rows = {row["protocol"]: row for row in shown["listeners"]}
        self.imap_port, self.pop_port, self.smtp_port = (rows[name]["port"] for name in ("imap", "pop3", "smtp"))
        self.user = shown["user"]
        self.password = agent.must("gateway", "password", "add", name).text.strip()

    # MARK: POP3

    def pop(self, user=None, password=None):
        pop = poplib.POP3("127.0.0.1", self.pop_port, timeout=60)
        pop.user(user or self.user)
        pop.pass_(password or self.password)
        return pop

    def fetch_all(self, user=None, delete=False):
        """Everything in the maildrop as (uidl, octets by LIST, bytes)."""
        pop = self.pop(user)
        try:
            return drained(pop, delete)
        finally:
            pop.close()

    def fetch(self, marker, user=None):
        """The bytes of those messages that hold the word."""
        return [row[2] for row in self.fetch_all(user) if marker.encode() in row[2]]

    def count(self, user=None):
        pop = self.pop(user)
        try:
            return pop.stat()[0]
        finally:
            pop.quit()

    def waits_for(self, count, user=None):
        """Waits until so many messages are there."""
        return until(lambda: self.count(user) >= count, pause=0.3)

    # MARK: SMTP

    def smtp(self):
        smtp = smtplib.SMTP("127.0.0.1", self.smtp_port, "[127.0.0.1]", timeout=60)
        smtp.ehlo()
        smtp.login(self.user, self.password)
        return smtp

    def smtp_wire(self):
        """The same by hand, greeted and logged in."""
        wire = Wire(self.smtp_port)
        assert wire.reply().startswith("220"), "no greeting"
        assert wire.say("EHLO [127.0.0.1]").startswith("250"), "EHLO refused"
        reply = wire.say(f"AUTH PLAIN {self.plain()}")
        assert reply.startswith("235"), reply
        return wire

    def plain(self):
        """The initial response of PLAIN."""
        return base64.b64encode(f"\0{self.user}\0{self.password}".encode()).decode()

    def send(self, message, *recipients):
        """(code, text) of the message or of what was refused."""
        with self.smtp() as smtp:
            smtp.mail(self.agent.address, ["BODY=8BITMIME"])
            for recipient in recipients:
                code, text = smtp.rcpt(recipient)
                if code >= 300:
                    return code, text.decode()
            code, text = smtp.data(message)
            return code, text.decode()

    # MARK: IMAP

    def imap(self, mailbox=None, readonly=False, user=None, password=None):
        imap = imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=60)
        try:
            imap.login(user or self.user, password or self.password)
            if mailbox:
                must(imap.select(mailbox, readonly))
        except BaseException:
            imap.shutdown()
            raise
        return imap

    def imap_wire(self, login=True):
        """The same by hand, greeted and logged in."""
        wire = Wire(self.imap_port)
        assert wire.line().startswith(b"* OK [CAPABILITY "), "no greeting"
        if login:
            reply = say(wire, f'LOGIN {self.user} "{self.password}"')
            assert reply.startswith(b"OK"), reply
        return wire

    def uid_of(self, marker, mailbox="INBOX"):
        """The unique id of the message with that word in its subject, or None."""
        with self.imap(mailbox, True) as imap:
            return next((uid for uid, items in rows(imap, "ENVELOPE") if marker in str(items[b"ENVELOPE"][1])), None)

    def whole(self, mailbox):
        """(unique id, octets) of all its messages."""
        with self.imap(mailbox, True) as imap:
            return [(uid, items[b"BODY[]"]) for uid, items in rows(imap, "BODY.PEEK[]")]

    def map(self, with_flags=True):
        """Unique ids, sizes and flags of everything, by mailbox; and UIDVALIDITY."""
        found = {}
        with self.imap() as imap:
            for name in mailboxes(imap):
                must(imap.select(quoted(name), True))
                found[name] = [(uid, items[b"RFC822.SIZE"], sorted(items[b"FLAGS"]) if with_flags else None)
                               for uid, items in rows(imap, "RFC822.SIZE FLAGS")]
                found[name + " UIDVALIDITY"] = imap.response("UIDVALIDITY")[1]
        return found


class World:
    """A node with a group and carol, who has a password and no agent; agents that are in the group, and others; and the mail
    program of each."""

    def __init__(self, members=("alice", "bob"), others=()):
        self.node = Node(limits='logins_per_minute = 10000\nconnections_per_ip = 60').init().start()
        self.carol = self.node.add_ordinary("carol")
        self.node.must("group", "add", "board")
        self.agents = [Agent(name) for name in (*members, *others)]
        invites = [self.node.invite(agent.name, ["board"] if agent.name in members else []) for agent in self.agents]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(self.settle, self.agents, invites))
        for agent in self.agents:
            setattr(self, agent.name, agent)
            setattr(self, f"at_{agent.name}", Client(agent))
        self.has_corpus = False

    def settle(self, agent, invite):
        agent.join(invite)
        agent.start()
        agent.unlock()

    def brings(self, *recipients, subject=None, body="hello\n", to=None):
        """Sends a message from alice and waits until bob has it; its subject and its octets."""
        marker = subject or token()
        message = letter(self.alice.address, to or recipients[0], marker, body)
        code, text = self.at_alice.send(message, *recipients)
        assert code == 250, text
        self.bob.waits_for(marker)
        return marker, message

    def carol_sends(self, messages, agent):
        """Submits (name, octets) to an agent, who gets them; what the node says to those that it does not take."""
        refused = []
        with self.carol.smtp() as smtp:
            for name, message in messages:
                smtp.mail(self.carol.address, ["BODY=8BITMIME"])
                smtp.rcpt(agent.address)
                code, text = smtp.data(message)
                if code != 250:
                    refused.append((name, text))
        agent.must("fetch")
        return refused

    def deliver_corpus(self):
        """Has the corpus in alice's INBOX, and nothing else; (name, octets)."""
        messages = corpus_messages()
        if self.has_corpus:
            return messages
        # Whatever came before goes out of the way.
        with self.at_alice.imap("INBOX") as imap:
            if must(imap.search(None, "ALL"))[0]:
                must(imap.uid("MOVE", "1:*", "Archive"))
        refused = self.carol_sends(messages, self.alice)
        assert not refused, refused

        def count():
            with self.at_alice.imap("INBOX", True) as imap:
                return len(must(imap.search(None, "ALL"))[0].split())

        until(lambda: count() >= len(messages), pause=0.2)
        self.has_corpus = True
        return messages

    def ends(self, checks):
        """The checks that come last."""
        for agent in self.agents:
            checks.ok(f"{agent.name}'s agent runs", agent.running(), agent.log_text()[-1500:])
            checks.equal(f"{agent.name} has no problems", agent.status()["problems"], [])
            checks.equal(f"{agent.name}'s agent stops in order", agent.stop(), 0)


def drive(title, parts, prepare=None, **world):
    """A program of parts that share a world; `prepare` comes before the first of them."""
    checks = nodekit.Checks(title)
    made = World(**world)
    if prepare:
        prepare(made)
    checks.parts(parts, made)
    made.ends(checks)
    checks.finish()


# MARK: messages

def without(message, *names):
    """The message without header fields that are added on the way out."""
    head, _, body = message.partition(b"\r\n\r\n")
    pattern = rb"(?mi)^(" + b"|".join(names) + rb"):[^\r\n]*(\r\n[ \t][^\r\n]*)*\r\n"
    return re.sub(pattern, b"", head + b"\r\n") + b"\r\n" + body


def corpus_messages():
    """(name, octets) of the corpus, with CRLF line ends. A lone CR ends a line for whoever makes mail canonical."""
    names = sorted(glob.glob(nodekit.CORPUS + "/*/*.eml")) if nodekit.CORPUS else []
    return [(os.path.basename(name), canonical(re.sub(rb"\r(?!\n)", b"\r\n", open(name, "rb").read()))) for name in names]


def requires_corpus(checks, what):
    """True when the corpus is there; otherwise says loudly that `what` is skipped."""
    if not nodekit.CORPUS:
        checks.skip(what, "the mail corpus ../shared/corpus/mail is not there")
    return bool(nodekit.CORPUS)


# MARK: programs

def example(of, *changes):
    """An example of the manual page of the gateway, changed in words that must be there."""
    with open(os.path.join(nodekit.ROOT, "man/ddsnode-gateway.7")) as file:
        text = file.read()
    text = text[text.index(f".Ss {of}\n"):].split("indent\n", 1)[1].split(".Ed\n", 1)[0]
    for word, other in changes:
        assert word in text, f"the example of {of} in the manual page has no {word!r}"
        text = text.replace(word, str(other))
    return text


def fetchmail(config):
    environment = dict(os.environ, FETCHMAILHOME=os.path.dirname(config))
    return run("fetchmail", "-f", config, "--nodetach", "--nosyslog", env=environment)


def make_maildir(folder):
    """An empty Maildir; its name."""
    for part in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(folder, part), exist_ok=True)
    return folder


def maildir(*names):
    """(file, octets with CRLF) of one Maildir, without what programs add for themselves."""
    found = []
    for name in sorted(glob.glob(os.path.join(*names, "cur", "*")) + glob.glob(os.path.join(*names, "new", "*"))):
        with open(name, "rb") as file:
            found.append((name, without(canonical(file.read()), b"X-TUID")))
    return found


# MARK: imaplib

def must(answer):
    """The data of an answer that is OK."""
    word, data = answer
    assert word == "OK", f"{word} {data}"
    return data


def quoted(name):
    return f'"{name}"'


def responses(data):
    """The responses that imaplib has run together."""
    found = []
    for part in data or []:
        if part is None:
            continue
        found.append(part)
        if not isinstance(part, tuple):
            yield fetched(found)
            found = []


def rows(imap, items, uids="1:*"):
    """(unique id, items) of messages of the selected mailbox."""
    found = {}
    # What is told of one message may come in several replies: \\Seen comes behind the text that set it.
    for row in responses(must(imap.uid("FETCH", uids, f"(UID {items})"))):
        if b"UID" in row:
            found.setdefault(row[b"UID"], {}).update(row)
    return list(found.items())


def item(imap, uid, name):
    """One item of one message."""
    found = dict(rows(imap, name, str(uid)))
    return found[uid][re.sub(r"\.PEEK|<(\d+)\.\d+>", lambda match: f"<{match[1]}>" if match[1] else "", name).encode()]


def flags(imap, uid):
    return {flag.decode() for flag in item(imap, uid, "FLAGS")}


def mailboxes(imap, *arguments):
    """Attributes by name of what can be selected."""
    found = {}
    for line in must(imap.list(*arguments)):
        match = re.fullmatch(rb'\(([^)]*)\) "/" "?([^"]*)"?', line)
        words = set(match[1].decode().split())
        if "\\Noselect" not in words and "\\NonExistent" not in words:
            found[match[2].decode()] = words
    return found


def refusal(call, *arguments):
    """The words of what is answered with NO or BAD, or nothing."""
    try:
        word, data = call(*arguments)
    except imaplib.IMAP4.error as problem:
        return str(problem.args[0].decode() if isinstance(problem.args[0], bytes) else problem)
    return "" if word == "OK" else f"{word} {data[-1].decode()}"


# MARK: IMAP by hand

def say(wire, command):
    """Sends a command; the words behind its tag."""
    wire.send(b"t " + (command if isinstance(command, bytes) else command.encode()) + b"\r\n")
    return answer(wire)


def answer(wire, tag=b"t"):
    while True:
        line = wire.line()
        if line.startswith(tag + b" ") or not line:
            return line[len(tag) + 1:]
