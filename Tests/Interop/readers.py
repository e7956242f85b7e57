#!/usr/bin/env python3
"""The agent's gateway with mail programs that a person sits in front of, mutt and aerc, with the examples of the manual page.

usage: readers.py [PART...]     only the parts whose name contains one of the words
"""
import email
import os
import pty
import re
import select
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from mailclients import ADDED, BOARD, drive, example, flags, maildir, without
from nodekit import DOMAIN, canonical, owned, path, program, requires, run, token, until, write


def environment(home, **others):
    """Nothing of whoever runs this."""
    return {"PATH": os.environ["PATH"], "HOME": home, "TERM": "xterm", "LANG": "C.UTF-8", "TMPDIR": path(home, "tmp", ""),
            **others}


# MARK: mutt

def mutt(checks, world):
    if not requires(checks, "mutt", "mutt"):
        return
    at_bob, home, secret = world.at_bob, path("mutt", ""), world.at_bob.password
    text = example("mutt", (":1143", f":{at_bob.imap_port}"), (":1025", f":{at_bob.smtp_port}"), ("node.example.org", DOMAIN))
    # It asks for passwords.
    config = write(path("mutt", "rc"), f'{text}set imap_pass = "{secret}"\nset smtp_pass = "{secret}"\n')

    def does(keys, *options):
        """What is on the screen of mutt with those keys; None when it does not end by itself."""
        return typed(["mutt", "-F", config, *options, "-e", "set delete=yes move=no mbox_type=Maildir confirmappend=no "
            "confirmcreate=no quit=yes", "-e", f'push "{keys}<quit>"'], environment(home))

    marker = token()
    done = run("mutt", "-F", config, "-s", f"Grüße {marker}", "--", world.alice.address, BOARD, input=f"€äöü\n.\n{marker}\n",
        env=environment(home))
    if checks.ok("mutt sends with the configuration of the manual page", done.code == 0, done.all):
        world.alice.waits_for(f"Grüße {marker}")
        got = world.at_alice.fetch(marker)
        checks.ok("it arrives whole",
            len(got) == 1 and got[0].endswith(f"\r\n\r\n€äöü\r\n.\r\n{marker}\r\n".encode()), got)

    sent = sorted(world.brings(world.bob.address) for _ in range(3))
    box = path("mutt", "box")
    seen = does(f"<tag-pattern>~A<enter><tag-prefix><copy-message>{box}<enter><untag-pattern>~A<enter>"
        f"<limit>~s {sent[0][0]}<enter><delete-message><limit>~s {sent[1][0]}<enter><flag-message><limit>~A<enter>")
    is_read = seen is not None and sent[0][0] in seen
    if not checks.ok("mutt reads with the configuration of the manual page, and ends", is_read, seen):
        return
    got = [without(octets, *ADDED, b"Status", b"Content-Length", b"Lines") for _, octets in maildir(box)]
    checks.equal("it has all three byte for byte", sorted(got), sorted(octets for _, octets in sent))
    with at_bob.imap("INBOX", True) as imap:
        checks.ok("a flag of mutt is here", "\\Flagged" in flags(imap, at_bob.uid_of(sent[1][0])))
    checks.equal("what it deleted is gone", at_bob.uid_of(sent[0][0]), None)
    checks.equal("and in Trash, once", sum(sent[0][0].encode() in octets for _, octets in at_bob.whole("Trash")), 1)
    marker, _ = world.brings(BOARD)
    seen = does("<limit>~A<enter>", "-f", "=Groups/board")
    checks.ok("it opens a group's mailbox", seen and marker in seen, seen)
    subject = token()
    seen = does(f"<mail>{world.alice.address}<enter>{subject}<enter><postpone-message>",
        "-e", "set editor=true abort_unmodified=no")
    drafts = [octets for _, octets in at_bob.whole("Drafts") if subject.encode() in octets]
    drafts = [email.message_from_bytes(octets)["To"] for octets in drafts]
    checks.equal("what it postpones is a draft", drafts, [world.alice.address])


def typed(command, environment, seconds=20):
    """What a program writes to its terminal until it ends, or None when it does not."""
    ours, theirs = pty.openpty()
    process = owned(subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment,
        start_new_session=True))
    os.close(theirs)
    octets, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([ours], [], [], 0.1)[0]:
            try:
                octets += os.read(ours, 65536)
            except OSError:
                break
    is_over = until(lambda: process.poll() is not None, 1)
    if not is_over:
        process.kill()
        process.wait()
    os.close(ours)
    text = re.sub(r"\x1b[\[(][0-9;?]*[A-Za-z]", "", octets.decode(errors="replace"))
    if not is_over:
        print(f"      {command[0]} hangs: {text[-600:]!r}", flush=True)
    return text if is_over else None


# MARK: aerc

class Screen:
    """A program in a terminal of tmux, which is looked at and typed into."""

    def __init__(self, command, environment):
        self.server = path("aerc", "tmux")
        self.environment = environment
        self.tmux("new-session", "-d", "-x", "120", "-y", "40", command)

    def tmux(self, *words):
        return run("tmux", "-S", self.server, "-f", "/dev/null", *words, env=self.environment)

    def text(self):
        return self.tmux("capture-pane", "-p").text

    def says(self, command):
        """Types a command of aerc."""
        self.tmux("send-keys", "-l", f":{command}")
        self.tmux("send-keys", "Enter")

    def shows(self, words, seconds=10):
        return until(lambda: words in self.text(), seconds, 0.1)

    def ended(self):
        return until(lambda: self.tmux("list-sessions").code != 0, 10, 0.1)

    def close(self):
        self.tmux("kill-server")


def aerc(checks, world):
    if not requires(checks, "aerc", "aerc", "tmux"):
        return
    at_bob, home = world.at_bob, path("aerc", "home")
    secret = write(path("aerc", "password"), at_bob.password + "\n")
    text = example("aerc", (":1143", f":{at_bob.imap_port}"), (":1025", f":{at_bob.smtp_port}"), ("node.example.org", DOMAIN),
        ("~/.config/ddsnode/app-password", secret))
    # Before 0.15 what has no STARTTLS is plain smtp.
    if re.search(r"aerc 0\.(\d|1[0-4])\.", run("aerc", "-v").text):
        text = text.replace("smtp+insecure+plain", "smtp+plain")
    write(path("aerc", "config", "aerc", "accounts.conf"), text)
    editor = write(path("aerc", "editor"), '#!/bin/sh\nprintf "by aerc\\n.\\n" >> "$1"\n', 0o700)
    (first, _), (second, _) = (world.brings(world.bob.address) for _ in range(2))
    in_group, _ = world.brings(BOARD)
    screen = Screen("aerc", environment(home, XDG_CONFIG_HOME=path("aerc", "config"), EDITOR=editor))
    try:
        if not checks.ok("aerc reads with the configuration of the manual page", screen.shows(first) and screen.shows(second),
                         screen.text()):
            return
        checks.ok("it has the mailboxes",
            all(name in screen.text() for name in ("Archive", "Drafts", "Groups/board", "Outbox")), screen.text())
        screen.says("cf Groups/board")
        checks.ok("it opens a group's", screen.shows(in_group), screen.text())
        reads_and_moves(checks, world, screen, *arrives_while_it_runs(checks, world, screen))
        subject = token()
        screen.says(f"compose -H 'To: {world.alice.address}' -H 'Subject: {subject}'")
        checks.ok("aerc writes", screen.shows("Send this email?"), screen.text())
        screen.says("send")
        row = world.alice.waits_for(subject)
        checks.ok("and what it sends arrives", b"\r\n\r\nby aerc\r\n.\r\n" in canonical(world.alice.raw(row["id"])))
        until(lambda: "Send" not in screen.text(), 10, 0.1)
        screen.says("quit -f")
        checks.ok("it ends", screen.ended(), screen.text())
    finally:
        screen.close()


def arrives_while_it_runs(checks, world, screen):
    screen.says("cf INBOX")
    screen.shows("INBOX")
    marker, octets = world.brings(world.bob.address)
    checks.ok("what comes is shown by itself", screen.shows(marker, 15), screen.text())
    return marker, octets


def reads_and_moves(checks, world, screen, subject, octets):
    """The message of that subject is read, saved, archived and deleted, and each of it is here."""
    at_bob, box = world.at_bob, path("aerc", "saved")
    screen.says("select 0")
    screen.says("view")
    checks.ok("it shows a message", screen.shows("hello"), screen.text())
    screen.says(f"pipe -mb sh -c 'cat > {box}'")
    got = until(lambda: os.path.exists(box) and os.path.getsize(box) and open(box, "rb").read(), 10, 0.1)
    checks.equal("byte for byte", got and without(canonical(got), *ADDED), octets)
    checks.ok("which makes it read here", until(lambda: not world.bob.waits_for(subject)["unread"], 10))
    screen.says("close")
    until(lambda: "hello" not in screen.text(), 10, 0.1)
    screen.says("archive flat")
    checks.ok("what it archives is in Archive", until(lambda: at_bob.uid_of(subject, "Archive"), 10, 0.2)
        and not at_bob.uid_of(subject), screen.text())
    screen.says("cf Archive")
    screen.shows(subject)
    screen.says("delete")
    checks.ok("what it deletes is in Trash", until(lambda: at_bob.uid_of(subject, "Trash"), 10, 0.2), screen.text())
    checks.equal("and nowhere else, nor twice", [sum(subject.encode() in text for _, text in at_bob.whole(name))
        for name in ("INBOX", "Archive", "Trash")], [0, 0, 1])


PARTS = [mutt, aerc]


def main():
    if not any(map(program, ("mutt", "aerc"))):
        checks = nodekit.Checks("readers")
        requires(checks, "everything", "mutt", "aerc")
        checks.finish()
    drive("readers", PARTS)


if __name__ == "__main__":
    main()
