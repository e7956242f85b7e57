#!/usr/bin/env python3
"""Signed mail and rosters between real agents, beside Debian's age and minisign: who signed a message, for whom it was written, who
could read it, and what an agent says when somebody passes it on.
"""
import email
import email.policy
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from nodekit import DOMAIN, Agent, Node, letter, path, requires, run, token, until

BOARD, FAMILY = f"board@{DOMAIN}", f"family@{DOMAIN}"


def shown(agent, row):
    return agent.json("show", row["id"])


def a_signed_message(checks, node, alice, bob, carol):
    """From agent to agent: known by the node's roster, and readable for everybody else."""
    subject = token()
    alice.send(subject, "hello\n", BOARD)
    checks.equal("who does not know the group yet signs all the same", shown(bob, bob.waits_for(subject))["signature"]["verdict"], "known")
    checks.ok("its roster comes", until(lambda: alice.status()["agent"]["rosters"].get("board"), pause=0.2))
    subject, body = token(), token()
    alice.send(subject, f"{body}\n", BOARD)
    row = bob.waits_for(subject)
    found = shown(bob, row)
    checks.equal("the key is known from the roster", found["signature"]["verdict"], "known")
    checks.equal("the text is read", found["text"], f"{body}\n")
    checks.ok("who could read it", found["readers"]["count"] == 3 and found["readers"]["includes_me"], found["readers"])
    checks.equal("as the node counts rosters", found["readers"]["roster"], node.json("group", "show", "board")["roster"])
    words = bob.must("show", row["id"]).text
    checks.ok("show says both in words", "signed with the known key" in words and "3 members could read this" in words, words)
    return subject, body, row


def an_ordinary_program(checks, carol, subject, body):
    """`age -d`, and Python's own parser; returns the message."""
    mails = until(lambda: [carol.open(mail) for _, _, mail in carol.fetch_all(delete=False)])
    mails = [mail for mail in mails if subject.encode() in mail]
    checks.equal("an ordinary member has it", len(mails), 1)
    parsed = email.message_from_bytes(mails[0], policy=email.policy.default)
    checks.equal("its header says what it is", parsed["subject"], subject)
    texts = [part.get_content().replace("\r\n", "\n") for part in parsed.walk() if part.get_content_type() == "text/plain"]
    checks.equal("the first text is the text", texts[:1], [f"{body}\n"])
    return mails[0]


def by_minisign(checks, bob, row):
    """Debian's minisign verifies what was signed, and nothing else."""
    if not requires(checks, "export by minisign", "minisign"):
        return
    folder = path("export", "")
    bob.must("show", row["id"], "--export", folder)
    signed, public = os.path.join(folder, row["id"] + ".eml"), os.path.join(folder, row["id"] + ".pub")
    verified = run("minisign", "-V", "-Q", "-m", signed, "-p", public)
    checks.equal("minisign verifies it", verified.code, 0)
    words = dict(word.split("=", 1) for word in verified.text.split()[1:])
    checks.equal("for this group", (verified.text.split()[0], words["group"]), ("ddsnode/v1", "board"))
    with open(signed, "rb") as file:
        content = file.read()
    checks.ok("the submission is in what was signed", f"X-DDS-Submission: {words['msg']}".encode() in content, words)
    nodekit.write(signed, content.replace(b"Subject: ", b"Subject: x", 1))
    checks.ok("and nothing else", run("minisign", "-V", "-Q", "-m", signed, "-p", public).code != 0)


def somebody_passes_it_on(checks, carol, bob, message, subject):
    """Carol, who may read it, submits the same message again, in this group and in another."""
    code, text = carol.post([BOARD], message)
    checks.equal("the node takes it from her", code, 250)
    again = until(lambda: "came again" in (shown(bob, bob.find(subject)[0])["signature"]["words"]), pause=0.2)
    checks.ok("the agent says that it came again", again, bob.find(subject))
    checks.equal("and shows it once", len(bob.find(subject)), 1)
    # The node knows a repeated submission by the field outside, which she may change.
    message = re.sub(rb"X-DDS-Submission: \w+", b"X-DDS-Submission: " + b"0" * 32, message, count=1)
    code, text = carol.post([FAMILY], message)
    checks.equal("another group takes it too", code, 250)
    rows = until(lambda: [row for row in bob.find(subject) if row["group"] == "family"], pause=0.2)
    checks.equal("there the signature is bad", rows and rows[0]["signature"]["verdict"], "bad")
    checks.ok("and it says why", rows and "written for #board and came through #family" in rows[0]["signature"]["words"], rows)
    marked = [line for line in bob.must("list").text.splitlines() if line.startswith(rows[0]["id"])]
    checks.ok("the list marks it", "!" in marked[0], marked)


def somebody_writes_in_her_name(checks, carol, bob, alice):
    """Unsigned mail is a claim; the node says who was logged in."""
    subject = token()
    code, _ = carol.post([BOARD], letter(alice.address, BOARD, subject, "hello\n"))
    checks.equal("the node takes it", code, 250)
    found = shown(bob, bob.waits_for(subject))["signature"]
    checks.equal("it is not signed", found["verdict"], "unsigned")
    checks.ok("the node says who sent it", found["attested"] == carol.address and carol.address in found["words"], found)
    forged = token()
    alice.send(forged, "hello\n", BOARD)
    mail = [opened for _, _, mail in until(lambda: carol.fetch_all(delete=False)) for opened in [carol.open(mail)] if forged.encode() in opened]
    subject = token()
    carol.post([BOARD], mail[0].replace(forged.encode(), subject.encode()))
    found = shown(bob, bob.waits_for(subject))["signature"]
    checks.ok("a changed message is bad", found["verdict"] == "bad" and "does not fit" in found["words"], found)


def a_group_that_takes_signed_mail_only(checks, node, carol, alice, bob):
    """The node checks what it opens; where it does not, the reader's agent does."""
    made = node.json("group", "add", "court", "--sender-auth", "signed", "--member", "alice", "--member", "bob", "--member", "carol")
    checks.equal("the group says so, and who cannot write to it", (made["sender_auth"], made["cannot_sign"]), ("signed", ["carol"]))
    checks.ok("in words", "signed mail only" in node.must("group", "set", "court", "--title", "Court").text)
    refused = node.cli("group", "set", "court", "--sender-auth", "sealed")
    checks.ok("another word is refused", refused.code == 65 and "--sender-auth takes attested or signed" in refused.all, refused.all)
    court = f"court@{DOMAIN}"
    code, text = carol.post([court], letter(carol.address, court, token(), "hello\n"))
    checks.ok("an ordinary member learns at once what to do", code == 550 and "join with ddsnode's agent" in text, (code, text))
    checks.ok("its roster comes", until(lambda: bob.status()["agent"]["rosters"].get("court"), pause=0.2))
    subject = token()
    alice.send(subject, "hello\n", court)
    row = bob.waits_for(subject)
    found = shown(bob, row)["signature"]
    checks.equal("an agent's message is taken, and nobody is attested", (found["verdict"], found["attested"], found["exception"]), ("known", None, False))
    subject = token()
    alice.send(subject, "hello\n", court, files=[nodekit.write(path("large.bin"), os.urandom(4 << 20))])
    row = bob.waits_for(subject)
    checks.equal("a large one too", shown(bob, row)["signature"]["verdict"], "known")

    # Somebody who has alice's account and not her identity.
    thief = nodekit.Ordinary(node, "alice")
    node.must("user", "set", "alice", "--password-login", "on", "--password-file", thief.password_file)
    elsewhere = alice_wrote(alice, bob, BOARD)
    subject = token()
    for what, message, wanted in (
            ("unsigned mail", letter(alice.address, court, subject, "hello\n"), "550 5.7.1 court takes signed mail only; write with ddsnode's agent"),
            ("a changed message", elsewhere.replace(b"hello", b"hallo"), "550 5.7.7 court takes signed mail only, and this signature is bad"),
            ("a message for another group", elsewhere, "came through #court")):
        code, text = thief.post([court], sealed_to(node, alice.address, court, message))
        checks.ok(f"{what} is refused", wanted in f"{code} {text}", (code, text))
    checks.equal("and nobody gets it", bob.find(subject), [])

    # A node that does not open it cannot know; the reader's agent says it, by the roster.
    before = bob.status()["agent"]["rosters"]["court"]
    node.must("group", "set", "court", "--mode", "blind")
    number = until(lambda: (now := node.json("group", "show", "court")["roster"]) > before and now, pause=0.2)
    checks.ok("the roster says the mode", until(lambda: bob.status()["agent"]["rosters"]["court"] == number, pause=0.2))
    code, text = thief.post([court], sealed_to(node, alice.address, court, letter(alice.address, court, subject, "hello\n")))
    checks.equal("unopened it is taken", code, 250)
    row = bob.waits_for(subject)
    found = shown(bob, row)["signature"]
    checks.ok("the agent marks it", found["exception"] and found["wanted"] and found["verdict"] == "unsigned" and found["attested"] is None, found)
    text = bob.must("show", row["id"]).text
    checks.ok("show says it", "not signed, and its group takes signed mail only" in text, text)
    marked = [line for line in bob.must("list").text.splitlines() if line.startswith(row["id"])]
    checks.ok("the list too", "!" in marked[0], marked)
    node.must("user", "set", "alice", "--password-login", "off")


def alice_wrote(alice, bob, group):
    """A message of hers to another group, as its readers have it."""
    subject = token()
    alice.send(subject, "hello\n", group)
    return bob.raw(bob.waits_for(subject)["id"])


def sealed_to(node, sender, to, message):
    """What an agent would hand in, made with Debian's age."""
    sealed = run("age", "-a", "-r", node.status()["server"]["seal_recipient"], input=message)
    if sealed.code != 0:
        raise AssertionError(sealed.all)
    head = f"From: <{sender}>\nTo: <{to}>\nSubject: Sealed message\nMIME-Version: 1.0\nContent-Type: application/age\n\n"
    return nodekit.canonical(head.encode() + sealed.out)


def members_come_and_go(checks, node, bob):
    """Rosters follow, and the agent knows the number."""
    before = node.json("group", "show", "board")["roster"]
    node.must("group", "member", "remove", "board", "carol")
    number = until(lambda: (now := node.json("group", "show", "board")["roster"]) > before and now, pause=0.2)
    checks.equal("one change, one roster", number, before + 1)
    known = until(lambda: bob.status()["agent"]["rosters"]["board"] == number, pause=0.2)
    checks.ok("the agent has it without being asked", known, bob.status()["agent"])


def an_owner_confirms(checks, node, alice, bob):
    """Alice owns a group; what she signs is shown by the others, and what came after it is not confirmed."""
    node.must("group", "add", "club", "--owner", "alice", "--member", "bob")
    known = until(lambda: alice.status()["agent"]["rosters"].get("club") and bob.status()["agent"]["rosters"].get("club"), pause=0.2)
    checks.ok("its roster comes", known)
    roster = alice.json("roster", "show", "club")
    checks.ok("the owner sees who is in it", [m["address"] for m in roster["members"]] == [alice.address, bob.address], roster)
    checks.equal("with the words that she sees herself", roster["members"][0]["identity"], own_words(alice))
    checks.equal("nobody has confirmed it", roster["confirmed"], "no owner has confirmed who is in it")
    words = bob.cli("roster", "confirm", "club", "--yes")
    checks.ok("only an owner may", words.code == 77 and "only an owner" in words.all, words.all)
    asked = alice.cli("roster", "confirm", "club")
    checks.ok("without --yes nobody is there to ask", asked.code == 64 and "--yes" in asked.all, asked.all)
    checks.ok("the owner confirms", "its members are told" in alice.must("roster", "confirm", "club", "--yes").text)
    wanted = f"{alice.address}, an owner, confirmed who is in it"
    checks.ok("the other member learns it", until(lambda: bob.json("roster", "show", "club")["confirmed"] == wanted, pause=0.2))
    checks.equal("the node says so", node.json("group", "show", "club")["confirmed_by"], ["alice"])
    subject = token()
    alice.send(subject, "hello\n", f"club@{DOMAIN}")
    row = bob.waits_for(subject)
    checks.ok("and each message", wanted in bob.must("show", row["id"]).text, bob.must("show", row["id"]).text)
    node.must("group", "member", "add", "club", "carol")
    changed = until(lambda: bob.json("roster", "show", "club")["unconfirmed_changes"], pause=0.2)
    checks.ok("who comes later is not confirmed", changed and "was added" in changed[0], changed)


def own_words(agent):
    return agent.json("key", "show", "--passphrase-file", agent.passphrase_file)["identity"]


def people_compare_keys(checks, alice, bob):
    """By words, by hexadecimal, by what a camera reads; what differs is refused in the same words."""
    known = [row for row in alice.json("contact", "list") if row["address"] == bob.address][0]
    bobs = own_words(bob)
    checks.equal("the roster's key is known", (known["verdict"], known["fingerprint"]), ("known", bobs))
    checks.ok("key show draws it", "\u2588" in bob.must("key", "show", "--qr").text)
    seen = alice.must("key", "verify", bob.address)
    checks.ok("without words it shows both", bobs["words"] in seen.all and own_words(alice)["words"] in seen.all, seen.all)
    wrong = own_words(alice)
    answers = {alice.cli("key", "verify", bob.address, other).all for other in (wrong["words"], wrong["hex"], wrong["scan"])}
    checks.ok("what differs is refused, always in the same words", len(answers) == 1 and "do not trust it" in answers.pop(), answers)
    checks.equal("what is none is a mistake", alice.cli("key", "verify", bob.address, "babab").code, 64)
    checks.equal("oneself is nobody to compare with", alice.cli("key", "verify", alice.address).code, 64)
    for form in (bobs["words"].replace("-", " ").split(), [bobs["hex"]], [bobs["scan"]]):
        checks.equal("it takes the words", alice.must("key", "verify", bob.address, *form).code, 0)
        subject = token()
        bob.send(subject, "hello\n", BOARD)
        checks.equal("his messages are verified", shown(alice, alice.waits_for(subject))["signature"]["verdict"], "verified")
        alice.must("key", "verify", bob.address, "--undo")
    alice.must("key", "verify", bob.address, bobs["words"])


def somebody_has_another_key(checks, node, agents):
    """Bob loses his machine and joins anew: alice's private mail waits, over lock and restart, until she says so."""
    alice, bob = agents
    before = own_words(bob)
    checks.equal("bob's agent stops", bob.stop(), 0)
    again = Agent("bob-anew")
    again.address = bob.address
    again.join(node.json("invite", "new", "bob")["invite"])
    agents[1] = again
    again.start()
    again.unlock()
    changed = until(lambda: [row for row in alice.json("contact", "list") if row["awaits_decision"]], pause=0.2)
    checks.ok("alice's agent hears of it", changed and changed[0]["was_compared"] and changed[0]["former"][0] == before, changed)
    waits, group = token(), token()
    said = alice.send(waits, "only for bob\n", bob.address).text
    checks.ok("send says that it waits", said.startswith("kept ") and "another key than before" in said, said)
    alice.send(group, "for all\n", BOARD)
    again.waits_for(group)
    row = alice.find(waits)[0]
    checks.equal("the message waits for her", row["waits_for"], [bob.address])
    checks.ok("show says why", "another key than before" in alice.must("show", row["id"]).text)
    checks.ok("status says it", any(bob.address in problem for problem in alice.status()["problems"]), alice.status())
    alice.lock()
    checks.equal("alice's agent stops", alice.stop(), 0)
    alice.start()
    alice.unlock()
    checks.equal("it waits after a restart", alice.find(waits)[0]["waits_for"], [bob.address])
    checks.equal("the node did not get it", again.find(waits), [])
    refused = alice.cli("contact", "accept", bob.address)
    checks.ok("a script has to say yes", refused.code == 64 and before["words"] in refused.all, refused.all)
    dropped = token()
    alice.must("contact", "discard", bob.address, "--yes")
    checks.equal("what is given up was not sent", alice.find(waits)[0]["state"], "refused")
    alice.send(dropped, "again\n", bob.address)
    result = alice.json("contact", "accept", bob.address, "--yes")
    checks.equal("accepting sends", result["messages"], 1)
    again.waits_for(dropped)
    found = [row for row in alice.json("contact", "list") if row["address"] == bob.address][0]
    checks.equal("and verifies nothing", (found["verdict"], found["was_compared"]), ("known", True))
    checks.equal("the former key is no way to verify the new one", alice.cli("key", "verify", bob.address, before["words"]).code, 65)
    alice.must("key", "verify", bob.address, own_words(again)["words"])


def main():
    checks = nodekit.Checks("signatures")
    if not requires(checks, "signatures", "age", "age-keygen"):
        checks.finish()
    node = Node("node").init().start()
    carol = node.add_ordinary("carol")
    alice, bob = agents = nodekit.unlocked_agents(node, "alice", "bob")
    node.must("group", "add", "board", "--member", "alice", "--member", "bob", "--member", "carol")
    node.must("group", "add", "family", "--member", "bob", "--member", "carol")
    subject, body, row = a_signed_message(checks, node, alice, bob, carol)
    message = an_ordinary_program(checks, carol, subject, body)
    by_minisign(checks, bob, row)
    checks.part(somebody_passes_it_on, carol, bob, message, subject)
    checks.part(somebody_writes_in_her_name, carol, bob, alice)
    checks.part(a_group_that_takes_signed_mail_only, node, carol, alice, bob)
    checks.part(an_owner_confirms, node, alice, bob)
    checks.part(people_compare_keys, alice, bob)
    checks.part(somebody_has_another_key, node, agents)
    checks.part(members_come_and_go, node, agents[1])
    checks.equal("the node has no problems", node.status()["problems"], [])
    for agent in agents:
        checks.equal(f"{agent.name}'s agent stops in order", agent.stop(), 0)
    words = alice.cli("roster", "confirm", "club", "--yes", "--passphrase-file", alice.passphrase_file)
    checks.ok("an owner confirms without a running agent too", words.code == 0 and "its members are told" in words.text, words.all)
    checks.equal("the node stops in order", node.stop(), 0)
    checks.finish()


if __name__ == "__main__":
    main()
