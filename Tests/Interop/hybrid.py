#!/usr/bin/env python3
"""Post-quantum keys beside a second implementation (Tests/Support/agefile.py over PyPI's `cryptography`): it opens what the node
seals, the node opens what it seals, and what a message and a group say about its keys.
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from nodekit import Agent, Node, age_bytes, agefile, armor, canonical, letter, token


def stanzas(wrapper):
    """Without those of the roster and the author, which signatures.py is about."""
    lines = agefile("stanzas", input=armor(wrapper)).decode().splitlines()
    return [line for line in lines if not line.startswith(("ddsnode-roster ", "ddsnode-author "))]


def submission(sender, to, sealed):
    """The wrapper around an armored age file."""
    head = (f"From: <{sender}>\nTo: <{to}>\nSubject: Sealed message\nMIME-Version: 1.0\nContent-Type: application/age\n"
            "Content-Transfer-Encoding: 7bit\n\n").encode()
    return canonical(head + sealed)


def announced(member):
    """The key that EHLO announces in pieces."""
    import re
    with member.smtp() as smtp:
        code, text = smtp.ehlo()
    lines = text.decode().splitlines()
    pieces = [re.fullmatch(r"XDDS-SEAL-PQ (\d+)/(\d+) (\S+)", line) for line in lines]
    pieces = [piece for piece in pieces if piece]
    assert [piece[1] for piece in pieces] == [str(n + 1) for n in range(len(pieces))], lines
    return "".join(piece[3] for piece in pieces), max(len(line) for line in lines)


def mail_for_a_hybrid_key(checks, node, hanna, carol, alice):
    """What the node seals is opened by the other implementation, at every edge of a chunk."""
    for size in (0, 1, 65000, 65536, 140000):
        message = letter(carol.address, hanna.address, f"{size} octets", "x" * 60 + "\n" + ("y" * 70 + "\n") * (size // 72))
        code, text = carol.post([hanna.address], message)
        checks.equal(f"a message of {len(message)} octets is taken", code, 250)
        [(_, octets, wrapper)] = hanna.fetch_all()
        checks.equal("LIST has its size", octets, len(wrapper))
        checks.ok("cryptography opens it, byte for byte", agefile("open", hanna.identity, input=armor(wrapper)) == message)
        checks.equal("it says what it is sealed to", stanzas(wrapper), ["ddsnode-seal classical", "mlkem768x25519 ..."])
        header = age_bytes(wrapper).split(b"\n--- ")[0]
        checks.ok("the header is for one reader", header.count(b"-> mlkem768x25519") == 1 and b"X25519 " not in header)


def mail_sealed_by_the_other(checks, node, hanna, carol, alice):
    """The node's announced key, and mail that the other implementation sealed to it."""
    key, longest = announced(hanna)
    checks.equal("EHLO announces the key of status", key, node.status()["server"]["seal_recipient_pq"])
    checks.ok("in lines of at most 512 octets", longest + len("250-\r\n") <= 512, longest)
    checks.ok("beside a classical one", node.status()["server"]["seal_recipient"].startswith("age1") and len(key) == 1959)
    for recipient, word in ((key, "hybrid"), (node.status()["server"]["seal_recipient"], "classical")):
        subject = token()
        inner = letter(hanna.address, alice.address, subject, f"{token()}\n")
        code, text = hanna.post([alice.address], submission(hanna.address, alice.address, agefile("seal", recipient, input=inner)))
        checks.equal(f"the node takes what was sealed to its {word} key", code, 250)
        row = alice.waits_for(subject)
        checks.equal("the agent shows how it was sealed", row["seal"], word)
        checks.equal("and has it byte for byte", alice.raw(row["id"]), inner)
    what_the_node_says_of_its_key(checks, node, hanna, key)
    other = agefile("keygen", "hybrid").decode().split()[1]
    code, text = hanna.post([alice.address], submission(hanna.address, alice.address, agefile("seal", other, input=inner)))
    checks.ok("mail sealed to another hybrid key: 550 5.7.5", code == 550 and "5.7.5" in text, f"{code} {text}")
    sealed = agefile("seal", key, input=inner)
    code, text = hanna.post([alice.address], submission(hanna.address, alice.address, sealed.replace(b"\n", b"\nA", 2)))
    checks.equal("damaged mail is refused", code, 550)


def what_the_node_says_of_its_key(checks, node, hanna, key):
    """The signed statement, checked as ddsnode-protocol(7) describes it; then the next key."""
    import base64
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    def statement():
        with hanna.smtp() as smtp:
            lines = smtp.ehlo()[1].decode().splitlines()
        said = dict(line.split(" ", 1) for line in lines if line.startswith(("XDDS-SEAL ", "XDDS-SEAL-KEY ", "XDDS-IDENTITY ")))
        number, begin, end, signature = said["XDDS-SEAL-KEY"].split()
        content = b"ddsnode/v1/server-key\0" + nodekit.DOMAIN.encode() + b"\0"
        content += b"".join(int(value).to_bytes(8, "big") for value in (number, begin, end))
        content += said["XDDS-SEAL"].encode() + b"\0" + announced(hanna)[0].encode() + b"\0"
        identity = Ed25519PublicKey.from_public_bytes(base64.b64decode(said["XDDS-IDENTITY"]))
        try:
            identity.verify(base64.b64decode(signature), content)
        except InvalidSignature:
            return None
        return int(number), int(end) - int(begin)

    checks.equal("cryptography verifies what the node says of its key", statement(), (1, 9 * 86400))
    turned = node.json("keyring", "rotate")
    checks.equal("keyring rotate makes the next one", (turned["number"], [old["number"] for old in turned["earlier"]]), (2, [1]))
    checks.equal("which it says too", statement(), (2, 9 * 86400))
    checks.ok("and is another", announced(hanna)[0] not in (key, ""))
    for recipient in (key, announced(hanna)[0]):
        inner = letter(hanna.address, hanna.address, token(), f"{token()}\n")
        code, text = hanna.post([hanna.address], submission(hanna.address, hanna.address, agefile("seal", recipient, input=inner)))
        checks.equal("what is sealed to either is taken", code, 250)
        [(_, _, wrapper)] = hanna.fetch_all()
        checks.ok("and arrives", agefile("open", hanna.identity, input=armor(wrapper)) == inner)


def agents_use_hybrid_keys(checks, node, hanna, carol, alice):
    """An agent's own mailbox key, and what it sends."""
    checks.ok("an agent's mailbox key is hybrid", node.json("user", "show", "alice")["recipient"].startswith("age1pq1"))
    alice.send("from the agent", "hello\n", hanna.address)
    found = nodekit.until(hanna.fetch_all)
    with open(os.path.join(alice.state, "agent", "account.json")) as file:
        account = json.load(file)
    status = node.status()["server"]
    checks.equal("it seals to the node's hybrid key of now", (account["node_seal_key"], account["node_recipient"]),
                 (status["seal_key"]["number"], status["seal_recipient_pq"]))
    checks.equal("its mail is hybrid on the whole way", stanzas(found[0][2]), ["ddsnode-seal hybrid", "mlkem768x25519 ..."])
    alice.send("to both", "hello\n", hanna.address, carol.address)
    for member in (hanna, carol):
        found = nodekit.until(member.fetch_all)
        checks.equal(f"one classical reader, and {member.name} is told", stanzas(found[0][2])[0], "ddsnode-seal classical")


def a_group_that_requires_them(checks, node, hanna, carol, alice):
    """`--pq require` refuses by name, and tells the remedy."""
    refused = node.cli("group", "add", "strict", "--member", "alice", "--member", "carol", "--pq", "require")
    checks.ok("a classical member is refused by name", refused.code == 65 and "carol's key is classical" in refused.all, refused.all)
    made = node.json("group", "add", "strict", "--member", "alice", "--member", "hanna", "--pq", "require")
    checks.ok("without her it is made", made["pq"] == "require" and made["classical"] == [], made)
    checks.equal("she cannot be added later", node.cli("group", "member", "add", "strict", "carol").code, 65)
    refused = node.cli("user", "set", "hanna", "--recipient", carol.recipient, "--password-file", hanna.password_file)
    checks.ok("nor can a member take a classical key", refused.code == 65 and "hanna is in strict" in refused.all, refused.all)
    address = f"strict@{nodekit.DOMAIN}"
    code, text = hanna.post([address], letter(hanna.address, address, "plain", "hello\n"))
    checks.ok("plain mail to it is refused", code == 550 and "post-quantum key" in text, f"{code} {text}")
    alice.send("strictly", "hello\n", address)
    found = nodekit.until(hanna.fetch_all)
    checks.equal("an agent's mail goes through it", stanzas(found[0][2]),
                 ["ddsnode-seal hybrid", "ddsnode-group strict", "mlkem768x25519 ..."])
    alice.send("strictly and carol", "hello\n", address, carol.address)
    row = nodekit.until(lambda: [row for row in alice.find("strictly and carol") if row["state"] == "refused"])
    checks.ok("with a classical reader besides it comes back, and says why",
              row and "carol's key is classical" in (row[0]["note"] or ""), row or alice.find("strictly and carol"))
    checks.equal("group set takes the promise back", node.json("group", "set", "strict", "--pq", "off")["pq"], "off")
    code, _ = hanna.post([address], letter(hanna.address, address, "off", "hello\n"))
    checks.equal("then anything goes", code, 250)
    found = nodekit.until(hanna.fetch_all)
    checks.equal("and nothing is said", stanzas(found[0][2]), ["ddsnode-group strict", "mlkem768x25519 ..."])
    words = node.cli("group", "set", "strict", "--pq", "always")
    checks.ok("another word is refused", words.code == 65 and "off, prefer or require" in words.all, words.all)
    # A new agent's key is hybrid, so it may join a member of such a group.
    node.must("group", "set", "strict", "--pq", "require")
    dora = Agent("dora")
    dora.join(node.invite("dora", ["strict"]))
    checks.ok("an agent joins a member of the group", node.json("user", "show", "dora")["state"] == "active")


def main():
    checks = nodekit.Checks("hybrid")
    if not os.path.exists(nodekit.AGEFILE_PYTHON):
        checks.ok("cryptography is installed", False, "run: make test-deps")
        checks.finish()
    key = agefile("keygen", "hybrid").decode().split()
    checks.equal("the recipient comes from the identity", agefile("recipient", key[0]).decode().strip(), key[1])
    node = Node("node").init().start()
    hanna = node.add_ordinary("hanna", key=key)
    carol = node.add_ordinary("carol")
    alice = Agent("alice")
    joined = alice.join(node.invite("alice"))
    checks.ok("an agent joined", "test message came back" in joined.text, joined.all)
    alice.start()
    alice.unlock()
    for part in (mail_for_a_hybrid_key, mail_sealed_by_the_other, agents_use_hybrid_keys, a_group_that_requires_them):
        checks.part(part, node, hanna, carol, alice)
    checks.equal("the node has no problems", node.status()["problems"], [])
    checks.equal("the agent stops in order", alice.stop(), 0)
    checks.equal("the node stops in order", node.stop(), 0)
    checks.finish()


if __name__ == "__main__":
    main()
