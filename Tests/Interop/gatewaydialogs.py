#!/usr/bin/env python3
"""The dialog files of Tests/Dialogs about the gateway, against a real agent. They speak of a person with three messages and one
group, whose numbers are found out first; each leaves everything as it was.

usage: gatewaydialogs.py [FILE...]     only those files whose name contains one of the words
"""
import base64
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from dialogs import Dialog
from mailclients import World, must
from nodekit import DOMAIN, canonical, until

FOLDER = os.path.join(nodekit.ROOT, "Tests/Dialogs")


def delivered(world):
    """Brings the messages of the files into bob's INBOX; the octets of each."""
    messages = []
    for name in sorted(glob.glob(os.path.join(FOLDER, "imap-inbox-*.eml"))):
        with open(name, encoding="utf-8") as file:
            text = file.read().replace("$sender", world.carol.address).replace("$address", world.bob.address)
        messages.append((os.path.basename(name), canonical(text.encode())))
    assert len(messages) == 3 and not world.carol_sends(messages, world.bob), messages
    until(lambda: len(world.at_bob.whole("INBOX")) == len(messages), pause=0.2)
    return [octets for _, octets in messages]


def words(world):
    """What the files have names for."""
    at_bob, user = world.at_bob, "bob"

    def encoded(text):
        return base64.b64encode(text.encode()).decode()

    with at_bob.imap("INBOX", True) as imap:
        validity = imap.response("UIDVALIDITY")[1][0].decode()
    with at_bob.smtp() as smtp:
        octets = smtp.esmtp_features["size"]
    uids = [uid for uid, _ in at_bob.whole("INBOX")]
    return {
        "user": user, "password": at_bob.password, "plain": encoded(f"\0{user}\0{at_bob.password}"), "board": "board",
        "address": world.bob.address, "sender": world.carol.address, "domain": DOMAIN, "validity": validity,
        "octetsmax": octets, "user64": encoded(user), "password64": encoded(at_bob.password),
        **{f"u{number}": str(uid) for number, uid in enumerate(uids, 1)},
    }


def subscribed(world):
    with world.at_bob.imap() as imap:
        return sorted(must(imap.lsub('""', "*")))


def main():
    checks = nodekit.Checks("gateway dialogs")
    world = World(members=("bob",))
    messages = delivered(world)
    checks.equal("three messages are there, byte for byte", [octets for _, octets in world.at_bob.whole("INBOX")], messages)
    places = {"gateway-imap": world.at_bob.imap_port, "gateway-smtp": world.at_bob.smtp_port,
              "gateway-pop3": world.at_bob.pop_port}
    values = words(world)
    counts = dict.fromkeys(places, 0)
    for name in sorted(glob.glob(os.path.join(FOLDER, "*.chat"))):
        with open(name, encoding="utf-8") as file:
            dialog = Dialog(world, os.path.basename(name), file.read(), values, places)
        if dialog.listener not in places or dialog.is_pure or sys.argv[1:] and not any(word in name for word in sys.argv[1:]):
            continue
        counts[dialog.listener] += 1
        before = None if dialog.listener == "gateway-smtp" else (world.at_bob.map(), subscribed(world))
        problem = dialog.run()
        checks.ok(f"dialog {dialog.name}", problem is None, problem)
        if before:
            checks.equal("which leaves everything as it was", (world.at_bob.map(), subscribed(world)), before)
    if not sys.argv[1:]:
        checks.ok("most of them are for the real program too", counts["gateway-imap"] >= 12 and counts["gateway-smtp"] >= 3,
            counts)
        what_was_sent(checks, world)
    seen = Dialog(world, "t", "@listener gateway-smtp\nS~ 220\nC: NOOP\nS: 250 no\n", values, places).run()
    checks.ok("the runner sees a difference", seen and "t:4" in seen, seen)
    world.ends(checks)
    checks.finish()


def what_was_sent(checks, world):
    """By smtp-gateway-send.chat."""
    until(lambda: world.carol.waiting() >= 2, pause=0.2)
    opened = [world.carol.open(wrapper) for _, _, wrapper in world.carol.fetch_all()]
    bodies = sorted(re.split(rb"\r\n\r\n", text, maxsplit=1)[1][-40:] for text in opened if b"Subject: Dialog by" in text)
    checks.ok("carol has what a dialog sent, and once",
        len(opened) == 2 and any(b".\r\nLast line.\r\n" in text and b"..\r\n" not in text for text in opened)
        and any(b"First words\r\n" in text for text in opened), bodies)


if __name__ == "__main__":
    main()
