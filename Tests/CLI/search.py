#!/usr/bin/env python3
"""Searching with the real binary: what is found, what is kept of it over restarts, what of it lies on the disk, and what a lock,
a damaged file or an agent that does not run make of it. The letters and numbers are those of WEB.md 8."""
import glob
import json
import os
import re
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from nodekit import DOMAIN, Agent, Node, below, holds, path, token, traces, until, write

CORPUS = os.environ.get("DDSNODE_CORPUS", os.path.join(nodekit.ROOT, "../shared/corpus"))


def found(agent, *words):
    """Subjects of what is found, the newest first."""
    return [row["subject"] for row in json.loads(agent.must("search", "--json", "--", *words).out)["results"]]


def state(agent):
    return agent.status()["agent"]["search"]


def settled(agent):
    return until(lambda: state(agent)["complete"] and state(agent)["indexed"] == len(agent.list()), 120, 0.2)


def words(checks, alice, bob):
    """G1, G2."""
    marker = token(14)
    texts = [
        ("latin", f"The crème brûlée of {marker} is on the table.\n"), ("cjk", "東京都の会議は火曜日です。\n"),
        ("arabic", "الْمُهَنْدِسُ يَكْتُبُ رسالة\n"), ("phrase", "A quiet red barn stands here.\n"), ("apart", "A red and quiet barn stands here.\n"),
    ]
    for name, text in texts:
        bob.send(f"{name} {marker}", text, f"alice@{DOMAIN}")
        alice.waits_for(f"{name} {marker}")
    file = write(path("notes-" + marker + ".txt"), "content\n")
    bob.send(f"file {marker}", "See there.\n", f"board@{DOMAIN}", files=[file])
    alice.waits_for(f"file {marker}")
    settled(alice)
    for query, names in (
        ([marker], ["file", "apart", "phrase", "arabic", "cjk", "latin"]), ([marker[:6] + "*"], ["file", "apart", "phrase", "arabic", "cjk", "latin"]),
        (["CREME", "brulee"], ["latin"]), (["東京", marker], ["cjk"]), (["東京都"], ["cjk"]), (["日", marker], ["cjk"]),
        (["المهندس"], ["arabic"]), (["quiet red", marker], ["phrase"]), (["quiet", "red", marker], ["apart", "phrase"]),
        (["has:attachment", marker], ["file"]), (["in:board", marker], ["file"]), (["notes-" + marker], ["file"]),
        (["from:bob", "in:private", "barn", marker], ["apart", "phrase"]), (["barn", "-quiet red", marker], ["apart"]),
        ([marker, "before:2020"], []), ([marker, "after:2020", "is:unread", "crème"], ["latin"]), (["to:board", marker], ["file"]),
    ):
        checks.equal(f"search {' '.join(query).replace(marker, 'MARKER')}", found(alice, *query),
                     [f"{name} {marker}" for name in names])
    checks.equal("a limit gives the newest, and how many there are", [(len(a["results"]), a["total"], a["exact"]) for a in
                 [alice.json("search", marker, "--limit", "2")]], [(2, 6, True)])
    text = alice.must("search", marker, "--limit", "2").text
    checks.ok("for people: a table and a sum", f"file {marker}" in text and "the newest 2 of 6 found in" in text, text)
    checks.ok("nothing found is said", "nothing found" in alice.must("search", marker + "x").text)
    alice.must("show", alice.find(f"latin {marker}")[0]["id"])
    checks.equal("what was read is not unread any more", found(alice, marker, "is:unread", "crème"), [])
    return marker


def mistakes(checks, alice):
    for query, remedy in ((["is:new"], "unread, read or starred"), (["before:soon"], "2026-11-28"), (["a*"], "2 letters"),
                          (["x", "--limit", "0"], "1 through 1000"), ([], "Name a word"), (["x", "--limt", "5"], "--limt")):
        result = alice.cli("search", *query)
        checks.ok(f"search {' '.join(query)}: exit 64 and the remedy", result.code == 64 and remedy in result.all, result.all)


def corpus(checks, alice):
    """Real mail: each message is found by the words of its subject."""
    if not os.path.isdir(os.path.join(CORPUS, "mail")):
        return checks.skip("the corpus is found", f"there is no {CORPUS}")
    for folder in sorted(glob.glob(os.path.join(CORPUS, "mail", "*"))):
        alice.cli("store", "import", folder)
    checks.ok("everything is indexed", settled(alice), state(alice))
    lost, asked = [], 0
    for row in alice.list():
        subject = [word for word in re.findall(r"\w+", row["subject"]) if len(word) < 60][:6]
        if not any(len(word) > 2 for word in subject) or len(" ".join(subject)) > 500:
            continue
        asked += 1
        if asked > 150:
            break
        answer = json.loads(alice.must("search", "--json", "--limit", "1000", "--", *subject).out)
        if row["id"] not in [hit["id"] for hit in answer["results"]] and answer["total"] <= 1000:
            lost.append((row["id"], row["subject"]))
    checks.ok(f"{asked} messages of the corpus are found by their subjects", asked > 50 and not lost, lost[:5])


def clear(checks, alice, marker, when):
    """C3: no word of what is indexed is anywhere in clear."""
    files = below(alice.state, alice.runtime)
    needles = [needle for word in (marker, "brulee", "東京", "المهندس") for needle in traces(word)]
    checks.equal(f"{when}: no word in clear in {len(files)} files (C3)", holds(files, needles), [])


def kept(checks, alice, marker):
    """What was indexed is not indexed again."""
    folder = os.path.join(alice.state, "agent", "search")
    alice.lock()
    until(lambda: alice.status() is not None, 20)
    parts = until(lambda: sorted(os.listdir(folder)), 20)
    checks.ok("parts are kept, for their owner only",
              parts and all(stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) == 0o600 for name in parts)
              and stat.S_IMODE(os.stat(folder).st_mode) == 0o700, parts)
    clear(checks, alice, marker, "locked")
    result = alice.cli("search", marker)
    checks.ok("a locked agent: exit 77 and the remedy", result.code == 77 and "ddsnode unlock" in result.all, result.all)
    alice.stop()
    alice.start()
    alice.unlock()
    count = len(alice.list())
    checks.ok("after a restart everything comes from what was kept", until(lambda: state(alice)["complete"], 60, 0.1)
              and state(alice)["kept"] == count, (state(alice), count))
    checks.equal("and is found", len(found(alice, marker)), 6)


def killed(checks, alice, bob, marker):
    """What came in the minute before an end is indexed again, and nothing else."""
    before = len(alice.list())
    bob.send(f"late {marker}", "Late.\n", f"alice@{DOMAIN}")
    alice.waits_for(f"late {marker}")
    settled(alice)
    alice.kill()
    alice.start()
    alice.unlock()
    until(lambda: state(alice)["complete"], 60, 0.1)
    checks.equal("after kill -9 what was kept is used", state(alice)["kept"], before)
    checks.equal("and the rest is found again", found(alice, "late", marker), [f"late {marker}"])


def damaged(checks, alice, marker):
    name = os.path.join(alice.state, "agent", "search", "part-0")
    alice.lock()
    until(lambda: alice.status() is not None, 20)
    until(lambda: os.path.exists(name), 20)
    alice.stop()
    with open(name, "r+b") as file:
        file.seek(1000)
        octet = file.read(1)
        file.seek(1000)
        file.write(bytes([octet[0] ^ 1]))
    alice.start()
    alice.unlock()
    checks.ok("a damaged part is made anew", until(lambda: state(alice)["complete"], 120, 0.1)
              and len(found(alice, marker)) == 7 and "made anew" in alice.log_text(), (state(alice), alice.log_text()[-600:]))
    status = alice.cli("status", "--json")
    checks.ok("and nobody is troubled with it", status.code == 0, status.all)


def offline(checks, alice, marker):
    alice.stop()
    result = alice.cli("search", marker, "--passphrase-file", alice.passphrase_file)
    checks.ok("without an agent, with the passphrase, it is found", result.code == 0 and "7 found" in result.text, result.all)
    result = alice.cli("search", marker)
    checks.ok("without the passphrase it is asked for", result.code != 0 and "passphrase" in result.all.lower(), result.all)
    clear(checks, alice, marker, "stopped")


def main():
    checks = nodekit.Checks("search")
    nodekit.requires(checks, "openssl and age", "openssl", "age-keygen")
    node = Node("node").init().start()
    node.add_ordinary("carol")
    node.must("group", "add", "board", "--member", "carol")
    alice, bob = Agent("alice"), Agent("bob")
    for agent in (alice, bob):
        agent.join(node.invite(agent.name, ["board"]))
        agent.start()
        agent.unlock()
    marker = words(checks, alice, bob)
    checks.part(mistakes, alice)
    checks.part(corpus, alice)
    clear(checks, alice, marker, "unlocked")
    checks.part(kept, alice, marker)
    checks.part(killed, alice, bob, marker)
    checks.part(damaged, alice, marker)
    checks.part(offline, alice, marker)
    for daemon in (bob, node):
        checks.equal(f"{daemon.name} stops in order", daemon.stop(), 0)
    checks.finish()


if __name__ == "__main__":
    main()
