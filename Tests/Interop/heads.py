#!/usr/bin/env python3
"""An agent notices that its node's store was set back: the real node, its state folder copied, used further, and put back."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from nodekit import Agent, Node, letter, path, until


def post(carol, alice, subject):
    code, text = carol.post([alice.address], letter(carol.address, alice.address, subject, "A line.\n"))
    assert code == 250, f"{code} {text}"


def set_back(checks, node, alice, carol):
    post(carol, alice, "before")
    alice.waits_for("before")
    checks.equal("a node that moves on is no problem", alice.cli("status").code, 0)
    head = alice.status()["agent"]["node_store"]
    node.stop()
    shutil.copytree(node.state, path("copy"))
    node.start()
    for number in range(3):
        post(carol, alice, f"later {number}")
        alice.waits_for(f"later {number}")
    alice.must("fetch")
    later = alice.status()["agent"]["node_store"]
    checks.ok("the same store has come further", later["uuid"] == head["uuid"] and int(later["counter"]) > int(head["counter"]),
              f"{head} {later}")
    checks.equal("a node that was restarted is no problem", alice.cli("status").code, 0)

    node.stop()
    shutil.rmtree(node.state)
    shutil.copytree(path("copy"), node.state)
    node.start()
    alice.must("fetch")
    status = alice.cli("status")
    checks.equal("status ends with 1", status.code, 1)
    checks.ok("status says that the store was set back", "the node's store was set back" in status.text, status.all)
    checks.ok("status --json says it too", any("set back" in words for words in alice.status()["problems"]), alice.status())
    checks.ok("the log says it", "set back" in alice.log_text(), alice.log_text()[-800:])

    post(carol, alice, "after")
    checks.ok("fetching goes on", alice.waits_for("after"))
    alice.stop()
    alice.start()
    alice.unlock()
    checks.ok("it is still said after a restart", any("set back" in words for words in alice.status()["problems"]), alice.status())
    alice.must("fetch", "--accept-head")
    clean = until(lambda: alice.cli("status").code == 0, 10, 0.2)
    checks.ok("fetch --accept-head takes note of it", clean, alice.status())
    subjects = [row["subject"] for row in alice.list()]
    checks.equal("nothing was lost or doubled", sorted(subjects), sorted(["before", "later 0", "later 1", "later 2", "after"]))


def replaced(checks, node, alice, carol):
    """A node that was made anew from its backup has another store, in which names of messages begin again."""
    passphrase = nodekit.write(path("backup.pass"), "a passphrase for the backup")
    node.must("backup", "create", path("node.age"), "--passphrase-file", passphrase)
    post(carol, alice, "the last before the loss")
    alice.waits_for("the last before the loss")
    alice.must("fetch")
    node.stop()
    shutil.rmtree(node.state)
    node.must("backup", "restore", path("node.age"), "--passphrase-file", passphrase)
    node.start()
    for number in range(4):
        post(carol, alice, f"new store {number}")
    for number in range(4):
        checks.ok(f"mail {number} of the new store comes in", alice.waits_for(f"new store {number}"))
    problems = alice.status()["problems"]
    checks.ok("status says that the store was replaced", any("the node's store was replaced" in words for words in problems), problems)
    alice.must("fetch", "--accept-head")
    checks.ok("and no longer when that was noted", not any("replaced" in words for words in alice.status()["problems"]), alice.status())


def main():
    checks = nodekit.Checks("heads")
    nodekit.requires(checks, "openssl", "openssl", "age-keygen")
    node = Node("node").init().start()
    carol = node.add_ordinary("carol")
    alice = Agent("alice")
    alice.join(node.invite("alice"))
    with open(os.path.join(alice.state, "agent", "account.json")) as file:
        checks.ok("join pins the node's key for statements", '"node_identity"' in file.read())
    alice.start()
    alice.unlock()
    checks.part(set_back, node, alice, carol)
    checks.part(replaced, node, alice, carol)
    checks.equal("the agent stops in order", alice.stop(), 0)
    checks.equal("the node stops in order", node.stop(), 0)
    checks.finish()


if __name__ == "__main__":
    main()
