#!/usr/bin/env python3
"""What becomes of a message, as its author sees it: Alice writes to #board; Bob's agent fetches, Carol never does, Dora's mailbox is full.
Held copies are seen and moved with `queue`, with the daemon up and down; the node's own mail is checked with Debian's minisign.

usage: delivery.py [PART...]
"""
import base64
import hashlib
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from nodekit import DOMAIN, Agent, Node, letter, path, requires, run, token, until, write

BOARD = f"board@{DOMAIN}"


class World:
    def __init__(self):
        self.node = Node()
        self.node.extra = '[server.spool]\nmailbox_quota = "64KiB"\nstates_every = "1s"\n'
        self.node.configure()
        self.node.init().start()
        self.carol, self.dora = self.node.add_ordinary("carol"), self.node.add_ordinary("dora")
        self.node.must("group", "add", "board", "--member", "carol", "--member", "dora")
        self.alice, self.bob = Agent("alice"), Agent("bob")
        for agent in (self.alice, self.bob):
            agent.join(self.node.invite(agent.name, ["board"]))
            agent.start()
        self.alice.unlock()

    def states(self, subject):
        """What Alice's list says of the readers of her message, such as {"bob": "fetched"}."""
        rows = self.alice.find(subject)
        return {copy["address"].split("@")[0]: copy["state"] for row in rows for copy in row["recipients"]}

    def sees(self, checks, name, subject, wanted):
        until(lambda: self.states(subject) == wanted, nodekit.PATIENCE, 0.3)
        checks.equal(name, self.states(subject), wanted)

    def fill_dora(self):
        code, text = self.carol.post([self.dora.address], letter(self.carol.address, self.dora.address, "big", "line of text\n" * 6000))
        assert code == 250, text

    def send(self):
        subject = token(16)
        self.alice.send(subject, "Dear board.\n", "board")
        return subject

    def message(self):
        """The newest message of the queue."""
        return self.node.json("queue", "list")[-1]


def states_and_full_mailboxes(checks, world):
    node, dora = world.node, world.dora
    world.fill_dora()
    code, text = world.carol.post([dora.address], letter(world.carol.address, dora.address, "more", "x\n"))
    checks.ok("direct mail to a full mailbox is refused for now", code == 452 and text.startswith("4.2.2"), (code, text))
    subject = world.send()
    world.sees(checks, "the author sees each reader's state", subject, {"bob": "fetched", "carol": "waiting", "dora": "held"})
    cause = [copy["cause"] for row in world.alice.find(subject) for copy in row["recipients"] if copy["state"] == "held"]
    checks.equal("with the cause in words", cause, ["mailbox full"])
    entry = world.message()
    checks.equal("the queue names it", (entry["author"], entry["to"], entry["waiting"], entry["held"]),
                 ("alice", ["#board"], 1, [{"member": "dora", "cause": "mailbox full"}]))
    status = node.cli("status")
    checks.ok("status shows it and exits 1", status.code == 1 and "held 1 (dora: mailbox full)" in status.text
              and "1 message held for dora" in status.text, status.all)
    listed = node.must("queue", "list", "--to", "dora").text
    checks.ok("and the list in words", entry["id"][:8] in listed and "1 held (dora: mailbox full)" in listed, listed)
    got = dora.fetch_all()
    checks.ok("Dora fetches what filled her mailbox", len(got) == 1 and b"line of text" in dora.open(got[0][2]))
    checks.ok("and the held copy comes by itself", until(lambda: dora.waiting() == 1), node.json("queue", "list"))
    world.sees(checks, "the author sees it waiting", subject, {"bob": "fetched", "carol": "waiting", "dora": "waiting"})
    got = dora.fetch_all()
    checks.ok("Dora reads it", len(got) == 1 and b"Dear board." in dora.open(got[0][2]))
    world.sees(checks, "the author sees that she has it", subject, {"bob": "fetched", "carol": "waiting", "dora": "fetched"})
    checks.equal("nothing is held any more", node.cli("status").code, 0)
    shown = [row for row in world.alice.list() if row["from"].startswith("dds@")]
    checks.equal("reports are not shown as mail", shown, [])


def by_hand(checks, world):
    node, carol = world.node, world.carol
    carol.fetch_all()
    subject = world.send()
    world.sees(checks, "two have not fetched", subject, {"bob": "fetched", "carol": "waiting", "dora": "waiting"})
    entry = world.message()
    held = node.json("queue", "hold", entry["id"][:8])
    checks.equal("hold takes both copies", (held["held"], held["busy"]), (2, []))
    checks.equal("nothing waits for Carol", carol.waiting(), 0)
    world.sees(checks, "the author sees it", subject, {"bob": "fetched", "carol": "held", "dora": "held"})
    node.must("queue", "retry", "--all")
    checks.equal("retry passes over nobody", carol.waiting(), 0)
    node.stop()
    shown = node.json("queue", "show", entry["id"])
    checks.equal("the stopped node's queue can be read", [copy["state"] for copy in shown["copies"]], ["fetched", "held", "held"])
    released = node.json("queue", "release", entry["id"])
    checks.equal("and released", (released["released"], released["held"]), (2, []))
    node.start()
    got = carol.fetch_all()
    checks.ok("Carol opens it with age", len(got) == 1 and b"Dear board." in carol.open(got[0][2]), len(got))
    world.sees(checks, "the author is told after the start", subject, {"bob": "fetched", "carol": "fetched", "dora": "waiting"})
    refused = node.cli("--no-input", "queue", "remove", entry["id"])
    checks.ok("remove wants a yes", refused.code == 64, refused.all)
    removed = node.json("--yes", "queue", "remove", entry["id"])
    checks.equal("remove erases what waits", (removed["removed"], world.dora.waiting()), (1, 0))
    world.sees(checks, "the author sees that, too", subject, {"bob": "fetched", "carol": "fetched", "dora": "removed"})
    unknown = node.cli("queue", "show", "0000")
    checks.equal("an unknown message has its exit status", unknown.code, 67)


def signed_by_the_node(checks, world):
    if not requires(checks, "control mail by minisign", "minisign"):
        return
    node, carol = world.node, world.carol
    world.fill_dora()
    carol.fetch_all()
    code, text = carol.post([BOARD], letter(carol.address, BOARD, "from carol", "x\n"))
    checks.ok("Carol posts to the group, and is told that a copy is held", code == 250 and "held for 1" in text, text)
    def told():
        return [opened for _, _, message in carol.fetch_all(delete=False) for opened in [carol.open(message)] if b"From: " + DOMAIN.encode() in opened]
    mails = until(told, nodekit.PATIENCE, 0.5)
    checks.ok("the node writes to her in words", mails and b"dora@node.test: held, mailbox full" in mails[0], mails)
    with carol.smtp() as smtp:
        key = base64.b64decode(smtp.esmtp_features["xdds-identity"])
    public = base64.b64encode(b"Ed" + hashlib.blake2b(key, digest_size=32).digest()[:8] + key).decode()
    mail = mails[0]
    boundary = re.search(rb'micalg=blake2b512;\r\n boundary="([^"]+)"', mail).group(1)
    # What is signed ends where the line end in front of the boundary begins.
    content, signature = mail.split(b"\r\n--" + boundary + b"\r\n")[-2:]
    content = content.split(b"--" + boundary + b"\r\n", 1)[-1]
    signed = write(path("carol", "signed"), content)
    write(signed + ".minisig", signature.split(b"\r\n\r\n", 1)[1].replace(b"\r\n", b"\n").split(b"\n--")[0].strip() + b"\n")
    verified = run("minisign", "-V", "-Q", "-P", public, "-m", signed)
    identity = re.search(rb"Message-ID: <([0-9a-f]{32})@", mail).group(1).decode()
    checks.equal("Debian's minisign verifies it and shows for whom it is", (verified.code, verified.text.strip()),
                 (0, f"ddsnode control node={DOMAIN} to={carol.address} id={identity}"))
    write(signed, content.replace(b"held", b"hold"))
    checks.ok("and nothing else", run("minisign", "-V", "-Q", "-P", public, "-m", signed).code != 0)


PARTS = [states_and_full_mailboxes, by_hand, signed_by_the_node]


def main():
    checks = nodekit.Checks("What becomes of a message")
    wanted = sys.argv[1:]
    if requires(checks, "everything", "age", "age-keygen"):
        world = World()
        for part in PARTS:
            if not wanted or part.__name__ in wanted:
                checks.part(part, world)
    checks.finish()


if __name__ == "__main__":
    main()
