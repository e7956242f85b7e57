#!/usr/bin/env python3
"""The way of a message, with real programs on both ends: Alice's agent writes to #board; Bob's locked agent fetches it, Bob unlocks,
reads it in Chromium and answers; Carol, with curl and age alone, has both byte for byte; the node keeps nothing of it; Dave, added
afterwards, has nothing. Then the same with both roles in one process, after restarts, and with replies that get lost.

usage: story.py [PART...]
"""
import base64
import glob
import json
import os
import re
import select
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from chromium import Browser
from mailpage import MailPage
from nodekit import DOMAIN, Agent, Node, age_bytes, below, holds, path, port, short, token, traces, until, write

BOARD = f"board@{DOMAIN}"


class World:
    def __init__(self):
        self.node = Node().init().start()
        self.carol = self.node.add_ordinary("carol")
        self.node.must("group", "add", "board", "--member", "carol")
        self.alice, self.bob = Agent("alice"), Agent("bob")
        for agent in (self.alice, self.bob):
            agent.join(self.node.invite(agent.name, ["board"]))
            agent.start()
        self.events = path("events", "log")
        with open(self.events, "wb") as log:
            self.follower = subprocess.Popen(
                [nodekit.BINARY, "--config", self.node.config, "events", "--follow", "--json"], stdout=log,
                stderr=subprocess.STDOUT)
        nodekit._processes.append(self.follower)
        self.markers = []

    def secret(self):
        self.markers.append(token(24))
        return self.markers[-1]

    def plaintext_anywhere(self):
        """Files of the node and of the agents' state in which a marker stands, in any usual spelling."""
        files = below(self.node.state, self.node.runtime, self.alice.state, self.alice.runtime, self.bob.state,
            self.bob.runtime)
        logs = [self.node.log, self.alice.log, self.bob.log, self.events]
        return holds(files + logs, [form for marker in self.markers for form in traces(marker)])

    def server(self):
        return self.node.status()["server"]


def curl_fetch(member):
    """What an ordinary member does by hand: list, fetch each, delete nothing yet."""
    listing = member.curl(member.pop_url())
    assert listing.code == 0, listing.all
    numbers = re.findall(r"^(\d+) \d+\r?$", listing.text, re.M)
    return [member.curl(member.pop_url(number)).out for number in numbers]


def curl_delete_all(member, count):
    for _ in range(count):
        done = member.curl("-X", "DELE", "-I", member.pop_url("1"))
        assert done.code == 0, done.all


def snapshot(node):
    return {name: open(name, "rb").read() for name in glob.glob(os.path.join(node.state,
        "server/spool/*")) if os.path.isfile(name)}


def written_between(before, after):
    """The longest run of bytes that differ between two snapshots of the spool: the payload's place."""
    best = b""
    for name, new in after.items():
        old = before.get(name, b"").ljust(len(new), b"\0")
        start = None
        # Blocks first: the files are mostly empty.
        for place in range(0, len(new) + 512, 512):
            differs = old[place:place + 512] != new[place:place + 512]
            if differs and start is None:
                start = place
            elif not differs and start is not None:
                if place - start > len(best):
                    best = new[start:place]
                start = None
    return best


def pieces(region):
    """Slices of the place where a message was written; its ends may belong to slots and commits."""
    return [region[place:place + 32] for place in range(4096, len(region) - 4096, 256)]


# MARK: the story itself

def the_story(checks, world):
    node, alice, bob, carol = world.node, world.alice, world.bob, world.carol
    checks.ok("both agents begin locked", alice.status()["agent"]["locked"] and bob.status()["agent"]["locked"])
    alice.unlock()
    subject, body, file_words = world.secret(), world.secret(), world.secret()
    answer = world.secret()
    attachment = write(path("alice", f"{world.secret()}.txt"), (file_words + "\n") * 400)
    empty = snapshot(node)
    alice.send(subject, f"Dear board,\n\n{body}\n.\n", "board", files=[attachment])
    sent = until(lambda: [row for row in alice.find(subject) if row["state"] == "sent"], 30, 0.1)
    checks.ok("Alice's agent has the node's 250", sent, alice.list())
    fetched = until(lambda: bob.status()["agent"]["fetched"] >= 1, 30, 0.2)
    checks.ok("Bob's locked agent has fetched it", fetched and bob.status()["agent"]["locked"], bob.status())
    checks.equal("one member is still to fetch", world.server()["waiting_members"], 1)
    holding = snapshot(node)
    region = written_between(empty, holding)
    checks.ok("the node holds the sealed message", len(region) > 8192, len(region))
    found = holds(below(node.state), pieces(region))
    checks.ok("the search finds those bytes while they are there", len(found) >= len(pieces(region)) > 8, len(found))
    checks.equal("no plaintext on any disk while it waits", world.plaintext_anywhere(), [])
    # Of three letters a name comes up in noise.
    names = [b"alice", b"carol", b"board"]
    checks.equal("no name of a member or a group in the node's files", holds(below(node.state), names), [])
    checks.ok("the search finds one where it is", holds(below(alice.state), names))
    planted = write(os.path.join(node.state, "planted"), base64.b64encode(b"xy" + body.encode() + b"z"))
    checks.ok("the search for plaintext finds a word in base64", world.plaintext_anywhere())
    os.remove(planted)
    locked = bob.cli("list")
    checks.ok("a locked agent shows nothing (77)", locked.code == 77 and subject not in locked.all, locked.all)

    page = browser = None
    if nodekit.requires(checks, "Bob reads in Chromium", "chromium"):
        browser = Browser(path("profile", "bob", "x"))
        page = MailPage(browser.tab(), bob)
        page.open().unlock()
        found = page.tab.wait(subject, 10)
        checks.ok("Bob unlocks and sees Alice's message", found, page.text()[:500])
        page.open_thread(subject)
        text = page.text()
        checks.ok("he reads it", body in text and "alice" in text, text[:500])
        page.reply(f"I agree: {answer}\n")
        checks.ok("he answers", page.tab.wait(answer), page.text()[:500])
    else:
        bob.unlock()
        bob.send(f"Re: {subject}", f"I agree: {answer}\n", "board")
    first = bob.find(subject)[0]
    came = alice.waits_for(f"Re: {subject}")
    own = until(lambda: [row for row in bob.find(f"Re: {subject}") if row["state"] == "sent"], 20, 0.2)
    checks.ok("Bob's answer is at the node", own)

    waiting = until(lambda: len(curl_fetch(carol)) == 2 and curl_fetch(carol), 20, 0.3)
    checks.equal("Carol's curl lists both", len(waiting or []), 2)
    opened = [carol.open(wrapper) for wrapper in waiting]
    of_alice, of_bob = alice.raw(alice.find(subject)[0]["id"]), bob.raw(own[0]["id"])
    checks.ok("Carol has Alice's message byte for byte", opened[0] == of_alice == bob.raw(first["id"]),
        [short(of_alice), short(opened[0])])
    checks.ok("and Bob's answer", opened[1] == of_bob == alice.raw(came["id"]), [short(of_bob), short(opened[1])])
    checks.ok("in clear they are what was written", body.encode() in opened[0] and answer.encode() in opened[1])
    checks.ok("the answer is threaded", re.search(rb"(?m)^In-Reply-To: <" + first["message_id"].encode() + b">", opened[1]),
        opened[1][:600])
    payloads = [age_bytes(wrapper).split(b"\n--- ", 1)[1][44:] for wrapper in waiting]
    slices = [payload[place:place + 32] for payload in payloads for place in range(64, len(payload) - 32, 512)]
    wrong = nodekit.run("age", "-d", "-i", write(path("x", "k"), nodekit.run("age-keygen").out),
        input=nodekit.armor(waiting[0]))
    checks.ok("no other key opens them", wrong.code != 0)
    curl_delete_all(carol, 2)
    checks.equal("Carol's maildrop is empty", curl_fetch(carol), [])

    checks.ok("nobody's mail waits any more", until(lambda: world.server()["waiting_messages"] == 0, 10, 0.2), world.server())
    erased = until(lambda: world.server()["spool"]["awaiting_overwrite"] == 0 and world.server()["spool"], 30, 0.3)
    checks.ok("erasure has come to level E2", erased and erased["erase_level"] == "E2", world.server()["spool"])
    checks.equal("the bytes that held the message are gone from the node's files", holds(below(node.state), pieces(region)), [])
    checks.equal("no plaintext on any disk after the fetch", world.plaintext_anywhere(), [])

    dave = node.add_ordinary("dave", ["board"])
    checks.equal("Dave, added afterwards, has nothing", dave.waiting(), 0)
    # -I because curl waits for lines behind an answer that has none.
    stat = dave.curl("-v", "-X", "STAT", "-I", dave.pop_url())
    checks.ok("Dave's STAT by curl", b"+OK 0 0" in stat.err, stat.all)
    later = world.secret()
    alice.send(later, "Dave is here.\n", "board")
    got = until(lambda: dave.fetch_all(delete=True), 20, 0.3)
    checks.equal("Dave has what comes from now on, and only that",
        [later.encode() in dave.open(wrapper) for _, _, wrapper in got or []], [True])
    until(lambda: carol.waiting() == 1, 10, 0.3)
    carol.fetch_all()
    bob.waits_for(later)

    events(checks, world)
    bob.lock()
    if browser:
        checks.ok("Lock empties Bob's page", page.tab.wait('id="passphrase"', 10) and body not in page.tab.html())
        bob.lock()
        browser.close()
        profile = below(browser.profile)
        needles = [form for marker in world.markers for form in (marker.encode(), marker.encode("utf-16-le"))]
        checks.equal("nothing of it in the browser's profile", holds(profile, needles), [])
    checks.equal("no plaintext on any disk at the end", world.plaintext_anywhere(), [])


def events(checks, world):
    text = open(world.events).read()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    kinds = {line["event"] for line in lines}
    checks.ok("`events --follow` has seen it", {"messageAccepted", "newMailFor", "maildropErased", "sessionOpened"} <= kinds,
        kinds)
    leaks = [word for word in [*world.markers, DOMAIN, "@", "alice", "carol", "board"] if word in text]
    checks.equal("it shows metadata only: no word, no name, no address", leaks, [])
    checks.ok("every line is JSON", len(lines) == len(text.splitlines()), text[-300:])


# MARK: restarts

def restart_of_everything(checks, world):
    node, alice, bob, carol = world.node, world.alice, world.bob, world.carol
    alice.unlock()
    bob.unlock()
    before = [strip(agent.list()) for agent in (alice, bob)]
    checks.ok("there is something to keep", all(before))
    subject = world.secret()
    bob.stop()
    alice.send(subject, "while Bob is away\n", "board")
    until(lambda: alice.find(subject)[0]["state"] == "sent", 20, 0.2)
    before[0] = strip(alice.list())
    world.follower.terminate()
    for daemon in (alice, node):
        checks.equal(f"{daemon.name} stops in order", daemon.stop(), 0)
    for daemon in (node, alice, bob):
        daemon.start()
    checks.equal("the node knows what waits", carol.waiting(), 1)
    checks.ok("agents begin locked", alice.status()["agent"]["locked"])
    alice.unlock()
    bob.unlock()
    checks.equal("Alice has all her mail", strip(alice.list()), before[0])
    bob.waits_for(subject)
    checks.equal("Bob has all his mail, and what came meanwhile once", [row["subject"] for row in strip(bob.list())],
                 [row["subject"] for row in before[1]] + [subject])
    wrong = nodekit.run(nodekit.BINARY, "--config", alice.config, "lock")
    wrong = alice.cli("unlock", "--passphrase-file", "-", input="not the passphrase")
    checks.ok("a wrong passphrase opens nothing (77)", wrong.code == 77 and alice.status()["agent"]["locked"], wrong.all)
    carol.fetch_all()


def strip(rows):
    return [{key: row[key] for key in ("id", "subject", "from", "state", "message_id", "group", "unread")} for row in rows]


def outbox_of_a_stopped_node(checks, world):
    node, alice, bob, carol = world.node, world.alice, world.bob, world.carol
    alice.unlock()
    bob.unlock()
    node.stop()
    subject = world.secret()
    alice.send(subject, "written while the node was down\n", "board")
    checks.equal("it waits in the outbox", [row["state"] for row in alice.find(subject)], ["waiting"])
    checks.ok("status says so", alice.status()["agent"]["outbox"] == 1, alice.status())
    alice.kill()
    alice.start()
    checks.ok("the outbox survives kill -9", alice.status()["agent"]["outbox"] == 1, alice.status())
    node.start()
    # Still locked: sending needs no passphrase.
    gone = until(lambda: alice.status()["agent"]["outbox"] == 0, 60, 0.3)
    checks.ok("a locked agent sends it when the node is back", gone and alice.status()["agent"]["locked"], alice.status())
    bob.waits_for(subject, 60)
    time.sleep(1)
    checks.equal("Bob has it once", len(bob.find(subject)), 1)
    checks.equal("Carol has it once", [subject.encode() in carol.open(wrapper) for _, _, wrapper in carol.fetch_all()], [True])
    alice.unlock()
    checks.equal("Alice sees that it was sent", [row["state"] for row in alice.find(subject)], ["sent"])


class Proxy:
    """Passes TCP on, and can fall silent: then what the node says behind the message's last byte is lost."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.cut_after = None
        self.cut = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.target), 5)
        except OSError:
            client.close()
            return
        upward = 0
        dead = None
        try:
            while True:
                if dead and time.monotonic() > dead:
                    return
                ready = select.select([client, server], [], [], 0.05)[0]
                if client in ready:
                    piece = client.recv(65536)
                    if not piece:
                        return
                    upward += len(piece)
                    server.sendall(piece)
                    if self.cut_after and upward >= self.cut_after and dead is None:
                        dead = time.monotonic() + 3
                        self.cut.set()
                if server in ready:
                    piece = server.recv(65536)
                    if not piece:
                        return
                    if dead is None:
                        client.sendall(piece)
        except OSError:
            pass
        finally:
            client.close()
            server.close()


def lost_replies(checks, world):
    node, bob, carol = world.node, world.bob, world.carol
    bob.unlock()
    proxy = Proxy(node.submissions)
    # The same agent, who reaches the submission port through the proxy from now on.
    alice = world.alice
    alice.stop()
    text = open(alice.config).read()
    write(alice.config, text + f'[agent]\nsubmissions = "127.0.0.1:{proxy.port}"\n')
    alice.start()
    alice.unlock()
    subjects = []
    size = 300_000
    for name, delay in [("the reply alone is lost", None), ("kill -9 at once", 0.0), ("after 10 ms", 0.01),
        ("after 40 ms", 0.04),
                        ("after 150 ms", 0.15), ("after 600 ms", 0.6)]:
        subject = world.secret()
        proxy.cut.clear()
        # Sealing adds a third; the last pieces of the message are what passes beyond this.
        proxy.cut_after = int(size * 1.35)
        alice.send(subject, "x" * 70 + "\n" + ("y" * 70 + "\n") * (size // 71), "board")
        cut = proxy.cut.wait(30)
        if not checks.ok(f"{name}: the message went the configured way", cut, alice.status()):
            break
        subjects.append(subject)
        proxy.cut_after = None
        if delay is not None:
            time.sleep(delay)
            node.kill()
            node.start()
        sent = until(lambda: [row["state"] for row in alice.find(subject)] == ["sent"], 60, 0.3)
        checks.ok(f"{name}: sent again until confirmed", sent, alice.find(subject))
    for subject in subjects:
        bob.waits_for(subject, 60)
    time.sleep(1)
    checks.equal("Bob has exactly one copy of each", [len(bob.find(subject)) for subject in subjects], [1] * len(subjects))
    copies = [carol.open(wrapper) for _, _, wrapper in carol.fetch_all()]
    checks.equal("Carol too", [sum(subject.encode() in copy for copy in copies) for subject in subjects], [1] * len(subjects))
    alice.stop()
    write(alice.config, text)
    alice.start()


# MARK: both roles

class Both(Agent):
    """A node and an agent in one process, by configuration alone."""

    role = "both"

    def __init__(self, name):
        super().__init__(name)
        self.server_name = "both.test"
        self.pop3s, self.submissions = port(), port()
        self.address = f"{name}@{self.server_name}"
        write(self.config, f"""\
roles = ["server", "agent"]
[node]
name = "{self.server_name}"
host = "127.0.0.1"
state_dir = "{self.state}"
runtime_dir = "{self.runtime}"
[server.listen]
pop3s = ["127.0.0.1:{self.pop3s}"]
submissions = ["127.0.0.1:{self.submissions}"]
[agent.web]
listen = "127.0.0.1:{self.page_port}"
""")


def both_roles(checks, world):
    both = Both("grete")
    both.must("init", "both")
    both.start()
    status = both.status()
    checks.equal("one process has both roles", sorted(status["roles"]), ["agent", "server"])
    ordinary = nodekit.Ordinary(both, "hugo")
    both.must("user", "add", "hugo", "--recipient", ordinary.recipient, "--password-file", ordinary.password_file)
    invite = both.json("user", "add", "grete")["invite"]
    both.must("group", "add", "pair", "--member", "grete", "--member", "hugo")
    joined = both.join(invite)
    checks.ok("join works inside the running process", "test message came back" in joined.all, joined.all)
    both.cli("unlock", "--passphrase-file", both.passphrase_file)
    subject, answer = world.secret(), world.secret()
    both.send(subject, "from one role to the other\n", "pair@both.test")
    got = until(lambda: ordinary.fetch_all(), 20, 0.3)
    checks.ok("what it sends arrives", got and subject.encode() in ordinary.open(got[0][2]), got)
    message = nodekit.letter("hugo@both.test", "grete@both.test", answer, "and back\n")
    code, text = 0, ""
    ordinary.address = "hugo@both.test"
    code, text = ordinary.post(["grete@both.test"], message)
    checks.equal("its node takes mail", code, 250)
    row = both.waits_for(answer)
    checks.equal("its agent has it byte for byte", both.raw(row["id"]), message)
    found = holds(below(both.state, both.runtime) + [both.log], [form for marker in world.markers for form in traces(marker)])
    checks.equal("no plaintext in its files", found, [])
    before = strip(both.list())
    checks.equal("it stops in order", both.stop(), 0)
    both.start()
    both.unlock()
    checks.equal("a restart keeps everything", strip(both.list()), before)
    both.stop()


def main():
    words = sys.argv[1:]
    checks = nodekit.Checks("story")
    world = World()
    for part in (the_story, restart_of_everything, outbox_of_a_stopped_node, lost_replies, both_roles):
        if not words or any(word in part.__name__ for word in words):
            checks.part(part, world)
    checks.equal("no plaintext on any disk when all is done", world.plaintext_anywhere(), [])
    for daemon in (world.alice, world.bob, world.node):
        if daemon.running():
            checks.equal(f"{daemon.name} stops in order", daemon.stop(), 0)
        else:
            checks.ok(f"{daemon.name} still runs", False, f"{daemon.process.returncode}: {daemon.log_text()[-800:]}")
    checks.finish()


if __name__ == "__main__":
    main()
