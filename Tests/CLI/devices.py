#!/usr/bin/env python3
"""A person's second device, with the real binary: link, read and write on both, lock, rotate, revoke; links that are wrong or late.

usage: devices.py     The binary is $DDSNODE or .build/debug/ddsnode. Standard library only.
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Support"))
import nodekit  # noqa: E402
from nodekit import Agent, Checks, Node, path, until, write  # noqa: E402

checks = Checks("devices")


def subjects(agent):
    return [message["subject"] for message in agent.json("list")]


def send(agent, to, subject):
    agent.send(subject, "hello\n", to)


def second(agent, name):
    """Another device of the same person: a state folder of its own."""
    device = Agent(name)
    device.address = agent.address
    return device


class Link:
    """`device link` of an unlocked agent, which waits while the other device joins."""

    def __init__(self, agent, *options):
        self.process = subprocess.Popen(
            [nodekit.BINARY, "--config", agent.config, "device", "link", *options], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.text = self.process.stdout.readline().decode().strip()

    def finish(self):
        out, err = self.process.communicate(timeout=nodekit.PATIENCE)
        return self.process.returncode, (out + err).decode()

    def end(self):
        self.process.terminate()
        self.process.communicate()


def join(device, link, *options):
    return device.cli("join", link, "--passphrase-file", device.passphrase_file, "--no-browser", *options)


def linking(_, node, alice, phone):
    """The link is made on the first device and used on the second."""
    send(alice, "bob", "before the link")
    link = Link(alice)
    checks.ok("a link", re.fullmatch(r"dds://alice@127\.0\.0\.1/[0-9A-Z]{26}\?p=\d+\.\d+#[0-9A-Z]{26}", link.text), link.text)
    done = join(phone, link.text, "--device-name", "phone")
    checks.ok("joined", done.code == 0 and f"you are {alice.address}" in done.all, done.all)
    code, said = link.finish()
    checks.ok("the first device says so", code == 0 and "device 2 gets your mail from now on" in said, said)
    checks.ok("and what proved to have the link", '"phone" has proven' in said, said)
    checks.ok("the secret is in no log", link.text[-26:] not in node.log_text() + alice.log_text(), "")
    checks.ok("and so does the node, in a message", alice.waits_for("Device 2 gets your mail too")["from_node"])
    again = join(second(alice, "tablet"), link.text)
    checks.ok("a link is good once", again.code == 65 and "another device has used this link" in again.all
              or again.code == 65 and "not known here" in again.all, again.all)
    phone.start()
    phone.unlock()
    listed = alice.json("device", "list")
    checks.equal("both are listed", [(row["number"], row["title"], row["this"]) for row in listed],
                 [(1, "", True), (2, "phone", False)])
    shown = node.json("user", "show", "alice")["devices"]
    checks.equal("the node shows them", [(row["number"], row["title"]) for row in shown], [(1, None), (2, "phone")])
    said = node.must("user", "show", "alice").text
    checks.ok("in words too", re.search(r'devices +1, 2 "phone" since \d{4}-\d\d-\d\d', said), said)
    checks.equal("one identity", phone.json("key", "show")["identity"]["hex"], alice.json("key", "show")["identity"]["hex"])


def mail(_, node, alice, phone, bob):
    """Each device gets each message, also what the other wrote."""
    send(bob, alice.address, "to alice")
    checks.ok("the first has it", alice.waits_for("to alice"))
    checks.ok("the second has it", phone.waits_for("to alice"))
    checks.ok("nothing older came", "before the link" not in subjects(phone), subjects(phone))
    send(phone, "bob", "from the phone")
    checks.ok("the phone writes", bob.waits_for("from the phone"))
    row = alice.waits_for("from the phone")
    checks.ok("the other device has what was sent", row["state"] == "sent" and not row["unread"] and row["group"] is None, row)
    signed = bob.find("from the phone")[0]
    checks.ok("under one signature", signed["signature"]["verdict"] in ("known", "verified", "first-seen", "first_seen"), signed)
    send(alice, "board", "to the board")
    checks.ok("a group's member reads it", bob.waits_for("to the board"))
    row = phone.waits_for("to the board")
    checks.ok("and so does the author's other device", row["state"] == "sent" and row["group"] == "board", row)
    checks.equal("once", len(bob.find("to the board")), 1)
    send(bob, "board", "answer on the board")
    checks.ok("both read the group", alice.waits_for("answer on the board") and phone.waits_for("answer on the board"))
    send(alice, alice.address, "note to myself")
    checks.ok("a note to oneself", phone.waits_for("note to myself"))
    roster = bob.json("roster", "show", "board")
    checks.equal("the roster counts devices", {row["address"]: row["devices"] for row in roster["members"]}["alice@node.test"], 2)


def sealed(_, node, alice, phone, bob):
    """In mode sealed the author's agent makes a header for each device."""
    node.must("group", "add", "quiet", "--mode", "sealed", "--member", "alice", "--member", "bob")
    for agent in (alice, phone, bob):
        checks.ok(f"{agent.name} has the roster", until(lambda a=agent: a.cli("roster", "show", "quiet").code == 0))
    send(bob, "quiet", "for both")
    for agent in (alice, phone):
        checks.equal(f"{agent.name} reads it", agent.waits_for("for both")["mode"], "sealed")
    send(phone, "quiet", "sealed on the phone")
    checks.equal("bob reads the phone's", bob.waits_for("sealed on the phone")["mode"], "sealed")
    row = alice.waits_for("sealed on the phone")
    checks.ok("and so does the other device, as its own", row["state"] == "sent" and row["group"] == "quiet", row)


def states(_, node, alice, phone, bob):
    """`fetched` means that nothing is left at the node."""
    phone.stop()
    send(bob, alice.address, "half fetched")
    checks.ok("one device has it", alice.waits_for("half fetched"))
    checks.ok("it still waits for the other", until(lambda: [
        row["waiting"] for row in alice.json("device", "list") if row["number"] == 2] == [1]), alice.json("device", "list"))
    def copies():
        return [(copy["address"], copy["state"]) for row in bob.find("half fetched") for copy in row["recipients"] or []]
    before = copies()
    checks.ok("its author is not told that it was fetched", ("alice@node.test", "fetched") not in before, before)
    phone.start()
    told = until(lambda: ("alice@node.test", "fetched") in copies())
    checks.ok("but once both have it", told, copies())
    checks.equal("one line for one person", len(copies()), 1)
    phone.unlock()
    checks.ok("the second shows it", phone.waits_for("half fetched"))


def refusals(_, node, alice, phone):
    """Links that are none, damaged, used by nobody with the secret; devices that are not there."""
    tablet = second(alice, "tablet2")
    damaged = join(tablet, "dds://alice@127.0.0.1/ABC#DEF")
    checks.ok("a damaged link", damaged.code == 65 and "copy the whole line" in damaged.all, damaged.all)
    link = Link(alice)
    wrong = link.text[:-1] + ("0" if link.text[-1] != "0" else "1")
    other = join(tablet, wrong)
    checks.ok("a link with another secret", other.code == 65 and "not known here" in other.all, other.all)
    named = join(tablet, node.invite("dora"), "--device-name", "x")
    checks.ok("a name for an invite's device", named.code == 64 and "--device-name" in named.all, named.all)
    weak = tablet.cli("join", link.text, "--passphrase-file", write(path("weak"), "password"), "--no-browser")
    checks.ok("a weak passphrase", weak.code == 65 and "guesses" in weak.all, weak.all)
    link.end()
    for number, words in ((9, "has no device 9"), (1, "is the one that asks")):
        done = alice.cli("device", "revoke", str(number))
        checks.ok(f"revoking {number}", done.code == 65 and words in done.all, done.all)
    locked = second(alice, "never")
    none = locked.cli("device", "list", "--passphrase-file", locked.passphrase_file)
    checks.ok("before joining", none.code == 66, none.all)
    unknown = node.cli("user", "device", "revoke", "alice", "7")
    checks.ok("an administrator's wrong number", unknown.code == 67 and "1, 2" in unknown.all, unknown.all)
    last = node.cli("user", "device", "revoke", "bob", "1")
    checks.ok("the last device stays", last.code == 65 and "the only one" in last.all, last.all)


def killed(_, node, alice):
    """A device whose reply was lost says the same again and is the same device."""
    tablet = second(alice, "tablet3")
    link = Link(alice)
    done = join(tablet, link.text, "--device-name", "tablet")
    checks.ok("joined", done.code == 0, done.all)
    link.finish()
    os.remove(os.path.join(tablet.state, "agent", "account.json"))
    again = join(tablet, link.text)
    checks.ok("run again", again.code == 0 and "key found from an earlier try" in again.all, again.all)
    checks.equal("no further device", [row["number"] for row in alice.json("device", "list")], [1, 2, 3])
    return tablet


def revoking(_, node, alice, phone, bob):
    """A revoked device is let in no more, and its mail goes."""
    phone.stop()
    send(bob, alice.address, "after the phone was lost")
    checks.ok("the first has it", alice.waits_for("after the phone was lost"))
    done = alice.cli("device", "revoke", "2")
    checks.ok("revoked", done.code == 0, done.all)
    fetched = phone.cli("fetch")
    checks.ok("it fetches nothing", fetched.code == 69, fetched.all)
    checks.equal("the rest is listed", [row["number"] for row in node.json("user", "show", "alice")["devices"]], [1, 3])
    checks.ok("members are told", until(lambda: "given up a device" in str(bob.json("roster", "show", "board"))
                                         or bob.json("roster", "show", "board")["members"][0]["devices"] == 2))
    first = node.cli("user", "device", "revoke", "alice", "1")
    checks.ok("the administrator revokes the first", first.code == 0 and 'devices: 3 "tablet"' in first.text, first.all)
    gone = alice.cli("fetch")
    checks.ok("which fetches nothing any more", gone.code == 69, gone.all)


def going_on(_, node, alice, tablet, bob):
    """The last device goes on as the person."""
    tablet.start()
    tablet.unlock()
    send(bob, alice.address, "to what is left")
    checks.ok("it reads", tablet.waits_for("to what is left"))
    told = until(lambda: [copy["state"] for row in bob.find("after the phone was lost")
                          for copy in row["recipients"] or [] if copy["state"] == "fetched"])
    checks.ok("what waited for the lost phone waits no more", told, bob.find("after the phone was lost"))
    send(tablet, "board", "still here")
    checks.ok("it writes", bob.waits_for("still here"))
    checks.equal("alone", [row["number"] for row in tablet.json("device", "list")], [3])


def coming_back(_, node, alice, tablet, bob):
    """The kit of a device that is not the first, in mode sealed too: the agent knows which device it is."""
    tablet.must("key", "backup", path("kit.txt"), "--passphrase-file", tablet.passphrase_file)
    tablet.stop()
    desk = second(alice, "desk")
    done = desk.cli("key", "restore", path("kit.txt"), "--passphrase-file", desk.passphrase_file, "--no-browser")
    checks.ok("restored", done.code == 0, done.all)
    desk.start()
    desk.unlock()
    checks.ok("it has the roster", until(lambda: desk.cli("roster", "show", "quiet").code == 0))
    send(desk, "quiet", "sealed at the desk")
    checks.ok("it writes to a group of mode sealed", bob.waits_for("sealed at the desk"))
    checks.equal("and is the one device", [(row["number"], row["title"], row["this"]) for row in desk.json("device", "list")],
                 [(3, "", True)])
    desk.stop()


def main():
    node = Node()
    node.extra = '[server.spool]\nstates_every = "1s"\n'
    node.configure()
    node.init()
    node.start()
    node.must("group", "add", "board")
    alice, bob = nodekit.unlocked_agents(node, "alice", "bob")
    node.must("group", "member", "add", "board", "alice", "bob")
    phone = second(alice, "phone")
    checks.part(linking, node, alice, phone)
    checks.part(mail, node, alice, phone, bob)
    checks.part(sealed, node, alice, phone, bob)
    checks.part(states, node, alice, phone, bob)
    checks.part(refusals, node, alice, phone)
    tablet = []
    checks.part(lambda c, n, a: tablet.append(killed(c, n, a)), node, alice)
    checks.part(revoking, node, alice, phone, bob)
    checks.part(going_on, node, alice, tablet[0], bob)
    checks.part(coming_back, node, alice, tablet[0], bob)
    for daemon in (alice, bob, phone, tablet[0], node):
        daemon.stop()
    checks.finish()


if __name__ == "__main__":
    main()
