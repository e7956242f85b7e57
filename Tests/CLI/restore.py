#!/usr/bin/env python3
"""Losing the laptop, with the real binary: join, write, lose the state folder, restore from the kit, read and write on.

usage: restore.py     The binary is $DDSNODE or .build/debug/ddsnode. Standard library only.
"""
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Support"))
import nodekit  # noqa: E402
from harness import Dialog, World  # noqa: E402
from nodekit import Agent, Checks, Node, path, until, write  # noqa: E402

checks = Checks("restore")


def read(name):
    with open(name, "rb") as file:
        return file.read()


def refused(name, result, code, *words):
    checks.ok(name, result.code == code and all(word in result.all for word in words), (result.code, result.all))


def subjects(agent):
    return [message["subject"] for message in agent.json("list")]


def send(agent, to, subject):
    agent.send(subject, "hello\n", to)


def copy_words(agent, subject):
    return [message["recipients"] for message in agent.json("list") if message["subject"] == subject]


def losing(_, node, alice, bob):
    """Mail of both sides, a kit, and the laptop is gone with mail waiting."""
    send(bob, alice.address, "before")
    checks.ok("mail before", until(lambda: "before" in subjects(alice)))
    bob.must("key", "backup", path("kit.html"), "--passphrase-file", bob.passphrase_file)
    code = re.search(r"DDS-RECOVERY-1[0-9A-Z \n]+", read(path("kit.html")).decode()).group(0)
    write(path("typed.txt"), code)
    bob.stop()
    os.rename(bob.state, bob.state + ".thief")
    for number in (1, 2):
        send(alice, bob.address, f"lost {number}")
    checks.ok("mail waits under the lost key", until(lambda: len(node.json("queue", "list")) >= 2), node.json("queue", "list"))


def refusals(_, node, alice, bob):
    """Kits that do not fit, and places where nothing may be overwritten."""
    def restore(agent, file, *options, **more):
        return agent.cli("key", "restore", file, "--passphrase-file", path("new"), "--no-browser", *options, **more)

    write(path("new"), "a wardrobe full of northern lights")
    refused("no kit", restore(bob, path("none.txt")), 66)
    refused("a text without a kit", restore(bob, write(path("hello.txt"), "hello")), 65, "no recovery code")
    text = read(path("typed.txt")).decode()
    refused("a kit with a letter left out", restore(bob, write(path("short.txt"), text.rstrip()[:-3])), 65, "incomplete")
    letter = "Q" if text[40] != "Q" else "P"
    refused("a kit with a wrong letter", restore(bob, write(path("wrong.txt"), text[:40] + letter + text[41:])), 65, "is wrong")
    refused("kit and passphrase from standard input",
            bob.cli("key", "restore", "-", "--passphrase-file", "-", "--no-browser"), 64, "only one of")
    before = sorted(os.listdir(os.path.join(alice.state, "agent")))
    refused("a state folder with an account", restore(alice, path("typed.txt")), 73, "left as it is", "--config")
    checks.equal("which keeps its files", sorted(os.listdir(os.path.join(alice.state, "agent"))), before)
    refused("a weak passphrase",
            bob.cli("key", "restore", path("typed.txt"), "--passphrase-file", write(path("weak"), "password"), "--no-browser"), 65,
            "million guesses")
    node.must("user", "suspend", "bob")
    refused("a suspended member", restore(bob, path("typed.txt")), 65, "bob is suspended")
    node.must("user", "resume", "bob")
    node.stop()
    refused("a node that is away", restore(bob, path("typed.txt")), 69, "does not answer")
    node.start()
    checks.ok("nothing half-made is left", not os.path.exists(os.path.join(bob.state, "agent", "keys.age"))
              and not os.path.exists(os.path.join(bob.state, "agent", "account.json")))


def coming_back(_, node, alice, bob):
    """The kit typed on standard input, a new passphrase, and the person goes on."""
    done = bob.cli("key", "restore", "--passphrase-file", path("new"), "--no-browser", "--no-input", input=read(path("typed.txt")))
    checks.ok("key restore", done.code == 0 and f"you are {bob.address} again" in done.all, done.all)
    checks.ok("says what is gone", "2 messages that waited for you under the lost keys are gone" in done.all, done.all)
    checks.ok("and no code", read(path("typed.txt")).decode()[20:40] not in done.all, done.all)
    refused("a second time", bob.cli("key", "restore", path("typed.txt"), "--passphrase-file", path("new"), "--no-browser"), 73,
            "left as it is")
    bob.passphrase_file = path("new")
    bob.start()
    bob.unlock()
    send(bob, alice.address, "after")
    checks.ok("writes on", until(lambda: "after" in subjects(alice)))
    send(alice, bob.address, "welcome back")
    checks.ok("reads on", until(lambda: "welcome back" in subjects(bob)), subjects(bob))
    checks.ok("is told of what is gone", until(lambda: any("gone with a lost key" in text for text in subjects(bob))), subjects(bob))
    checks.ok("and has none of it", not any(text.startswith("lost") for text in subjects(bob)), subjects(bob))
    told = until(lambda: [copies for copies in copy_words(alice, "lost 1") if copies and copies[0].get("state") == "lost"])
    checks.ok("the author is told", told, copy_words(alice, "lost 1"))
    rehearsed = bob.cli("key", "rehearse", path("kit.html"), "--passphrase-file", path("new"))
    checks.ok("the kit is good as before", rehearsed.code == 0, rehearsed.all)


def the_thief(_, bob):
    """Who has the old laptop and its passphrase is let in no more."""
    thief = Agent("thief")
    thief.address = bob.address
    os.makedirs(os.path.dirname(thief.config), exist_ok=True)
    write(thief.config, read(bob.config).replace(bob.state.encode(), (bob.state + ".thief").encode())
          .replace(bob.runtime.encode(), thief.runtime.encode()))
    fetched = thief.cli("fetch")
    checks.ok("the old device fetches nothing", fetched.code == 69, fetched.all)


def prompt(_, node):
    """At a terminal the code is asked for, line by line."""
    carol = Agent("carol")
    carol.join(node.invite("carol"))
    carol.stop()
    kit = path("carol.txt")
    carol.must("key", "backup", kit, "--passphrase-file", carol.passphrase_file)
    code = re.search(r"DDS-RECOVERY-1[0-9A-Z \n]+", read(kit).decode()).group(0)
    shutil.rmtree(carol.state)
    world = World(nodekit.BINARY)
    try:
        dialog = Dialog(world, "--config", carol.config, "key", "restore", "--no-browser")
        dialog.until("an empty line ends it")
        for line in code.strip().split("\n"):
            dialog.send(line + "\n")
        dialog.send("\n")
        dialog.until("Passphrase:")
        dialog.send("the anvil hums at half past four\r")
        dialog.until("Again:")
        end = dialog.answer("the anvil hums at half past four\r")
        checks.ok("typed at the prompt", end == 0 and f"you are {carol.address} again" in dialog.text, dialog.text)
        checks.ok("nothing was lost", "nothing waited for you" in dialog.text, dialog.text)
    finally:
        world.close(False)


def main():
    node = Node()
    node.extra = '[server.spool]\nstates_every = "1s"\n'
    node.configure()
    node.init()
    node.start()
    alice, bob = nodekit.unlocked_agents(node, "alice", "bob")
    checks.part(losing, node, alice, bob)
    checks.part(refusals, node, alice, bob)
    checks.part(coming_back, node, alice, bob)
    checks.part(the_thief, bob)
    checks.part(prompt, node)
    for daemon in (alice, bob, node):
        daemon.stop()
    checks.finish()


if __name__ == "__main__":
    main()
