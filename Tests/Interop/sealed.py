#!/usr/bin/env python3
"""Groups of mode sealed between real agents, and an ordinary member beside them: the node has no key to their mail, agents seal again
by themselves when the roster has changed, and whoever cannot write there learns why.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from nodekit import DOMAIN, Node, letter, requires, token, until

QUIET = f"quiet@{DOMAIN}"


def state(agent, subject):
    return agent.find(subject)[0]["state"]


def knows(agent, node):
    number = node.json("group", "show", "quiet")["roster"]
    return number and agent.status()["agent"]["rosters"].get("quiet") == number


def a_sealed_message(checks, node, alice, bob, carol):
    """From agent to agent, and to `age -d`."""
    subject, body = token(), token()
    alice.send(subject, f"{body}\n", QUIET)
    row = bob.waits_for(subject)
    checks.equal("the list says the mode", (row["mode"], row["group"]), ("sealed", "quiet"))
    shown = bob.must("show", row["id"]).text
    checks.ok("show says what the node could see", "The node could not open this message" in shown and body in shown, shown)
    mails = until(lambda: [mail for mail in (carol.open(mail) for _, _, mail in carol.fetch_all(delete=False)) if body.encode() in mail])
    checks.equal("age opens the ordinary member's copy", len(mails), 1)
    checks.ok("it was sent", until(lambda: state(alice, subject) == "sent"), alice.find(subject))
    checks.ok("the node's own copy of nothing", not nodekit.holds(node.files(), [body.encode()]), "plaintext in the node's files")


def who_has_not_joined(checks, node, alice):
    """Nothing is kept for them, and the author reads that."""
    subject = token()
    alice.send(subject, "hello\n", QUIET)

    def copies():
        return {copy["address"]: copy["state"] for copy in alice.find(subject)[0]["recipients"] or []}
    checks.ok("the author is told", until(lambda: copies().get(f"late@{DOMAIN}") == "unsealed", seconds=90, pause=0.5), copies())
    checks.equal("nothing is held", [row for row in node.json("queue", "list") if "late" in str(row.get("held"))], [])


def other_ways_in(checks, carol):
    """An ordinary program cannot write there, sealed to the node or not."""
    code, text = carol.post([QUIET], letter(carol.address, QUIET, token(), "hello\n"))
    checks.ok("plain mail is refused with the remedy", code == 550 and "5.7.1" in text and "write with ddsnode's agent" in text, (code, text))


def a_roster_that_changes_meanwhile(checks, node, alice, bob):
    """Locked, the agent keeps what it cannot seal again; unlocked, it does."""
    node.stop()
    subject = token()
    alice.send(subject, "hello\n", QUIET)
    alice.lock()
    node.must("group", "member", "remove", "quiet", "carol")
    node.start()
    said = until(lambda: any("ddsnode unlock" in words for words in alice.status()["problems"]), pause=0.2)
    checks.ok("status says what it waits for", said, alice.status()["problems"])
    checks.equal("nothing was lost", alice.status()["agent"]["outbox"], 1)
    alice.unlock()
    checks.ok("unlocked, it is sealed again and sent", until(lambda: state(alice, subject) == "sent", pause=0.2), alice.find(subject))
    bob.waits_for(subject)
    checks.equal("and comes once", len(bob.find(subject)), 1)
    checks.equal("the outbox is empty", alice.status()["agent"]["outbox"], 0)


def main():
    checks = nodekit.Checks("sealed")
    if not requires(checks, "sealed", "age", "age-keygen"):
        checks.finish()
    node = Node("node").init().start()
    carol = node.add_ordinary("carol")
    alice, bob = agents = nodekit.unlocked_agents(node, "alice", "bob")
    node.must("user", "add", "late")
    node.must("group", "add", "quiet", "--mode", "sealed", "--member", "alice", "--member", "bob", "--member", "carol", "--member", "late")
    checks.ok("both agents have the roster", until(lambda: knows(alice, node) and knows(bob, node), pause=0.2), alice.status())
    checks.part(a_sealed_message, node, alice, bob, carol)
    checks.part(other_ways_in, carol)
    checks.part(who_has_not_joined, node, alice)
    checks.part(a_roster_that_changes_meanwhile, node, alice, bob)
    for agent in agents:
        checks.equal(f"{agent.name}'s agent stops in order", agent.stop(), 0)
    checks.equal("the node stops in order", node.stop(), 0)
    checks.finish()


if __name__ == "__main__":
    main()
