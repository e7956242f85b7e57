#!/usr/bin/env python3
"""age files beside a third implementation, PyPI's `pyrage` (Tests/Support/ragefile.py): it opens what the node seals, the node opens
what it seals, and passphrases open the same files here and there.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from nodekit import Agent, Node, age_bytes, armor, canonical, letter, path, ragefile, token, write


def mail_for_her(checks, node, rena, alice):
    """What the node seals, at every edge of a chunk; armored and not."""
    for size in (0, 1, 65000, 65536, 140000):
        message = letter(rena.address, rena.address, f"{size} octets", "x" * 60 + "\n" + ("y" * 70 + "\n") * (size // 72))
        code, _ = rena.post([rena.address], message)
        checks.equal(f"a message of {len(message)} octets is taken", code, 250)
        [(_, _, wrapper)] = rena.fetch_all()
        for form, data in (("armored", armor(wrapper)), ("binary", age_bytes(wrapper))):
            checks.ok(f"rage opens it {form}, byte for byte", ragefile("open", rena.identity, input=data) == message)
    alice.send("from an agent", "hello\n", rena.address)
    [(_, _, wrapper)] = nodekit.until(rena.fetch_all)
    checks.ok("and what an agent wrote", b"Subject: from an agent" in ragefile("open", rena.identity, input=armor(wrapper)))


def mail_sealed_by_rage(checks, node, rena, alice):
    """The node's classical key, and mail that rage sealed to it."""
    subject = token()
    inner = letter(rena.address, alice.address, subject, f"{token()}\n")
    head = (f"From: <{rena.address}>\nTo: <{alice.address}>\nSubject: Sealed message\nMIME-Version: 1.0\n"
            "Content-Type: application/age\nContent-Transfer-Encoding: 7bit\n\n").encode()
    sealed = ragefile("seal", node.status()["server"]["seal_recipient"], input=inner)
    code, text = rena.post([alice.address], canonical(head + sealed))
    checks.equal("the node takes it", (code, text[:5]), (250, "2.0.0"))
    row = alice.waits_for(subject)
    checks.ok("the agent has it byte for byte", alice.raw(row["id"]) == inner)


def passphrases(checks, node, rena, alice):
    """The vault and a backup, which are age files under a passphrase."""
    with open(os.path.join(alice.state, "agent", "keys.age"), "rb") as file:
        vault = file.read()
    opened = ragefile("unlock", alice.passphrase_file, input=vault)
    checks.ok("rage opens the vault", opened.startswith(b"# ddsnode vault 1\n"), opened[:20])
    wrong = nodekit.run(nodekit.AGEFILE_PYTHON, nodekit.RAGEFILE, "unlock", write(path("wrong"), "another"), input=vault)
    checks.ok("not with another passphrase", wrong.code == 1 and "DecryptError" in wrong.all, wrong.all)
    secret = write(path("backup.pass"), "the passphrase of a backup")
    node.must("backup", "create", path("node.backup"), "--passphrase-file", secret)
    with open(path("node.backup"), "rb") as file:
        backup = file.read()
    plain = ragefile("unlock", secret, input=backup)
    checks.ok("rage opens a backup", len(plain) > 0)
    again = write(path("again.backup"), ragefile("lock", secret, input=plain))
    verified = node.cli("backup", "verify", again, "--passphrase-file", secret)
    checks.ok("and the node one that rage sealed", verified.code == 0, verified.all)


def main():
    checks = nodekit.Checks("rage")
    if not os.path.exists(nodekit.AGEFILE_PYTHON):
        checks.ok("pyrage is installed", False, "run: make test-deps")
        checks.finish()
    key = ragefile("keygen").decode().split()
    node = Node("node").init().start()
    rena = node.add_ordinary("rena", key=key)
    [alice] = nodekit.unlocked_agents(node, "alice")
    for part in (mail_for_her, mail_sealed_by_rage, passphrases):
        checks.part(part, node, rena, alice)
    alice.stop()
    node.stop()
    checks.finish()


if __name__ == "__main__":
    main()
