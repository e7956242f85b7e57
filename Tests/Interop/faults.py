#!/usr/bin/env python3
"""The server on disks that fail: writes and syncs that return errors (libfiu in front of the C library), and a small file system that
fills up for real. What was accepted is never lost, what was not stored is never acknowledged, and deleting needs no room.

usage: faults.py [PART...]     only the parts whose name contains one of the words
"""
import json
import os
import poplib
import re
import smtplib
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from nodekit import Node, client_context, letter, path, program, requires, run, token

PRELOAD = [f"/usr/lib/fiu/{name}" for name in ("fiu_run_preload.so", "fiu_posix_preload.so")]
EIO, ENOSPC = 5, 28
# What stands for a stop with the disk to be read again.
EXIT_DISK = 70


class Faulty(Node):
    """A node whose system calls can be made to fail while it runs."""

    def __init__(self, name):
        super().__init__(name)
        self.extra = '[server.spool]\nsegment_size = "1MiB"\n'
        self.configure()
        self.control = path(name, "fiu")

    def launch(self):
        self.process = nodekit.spawn(
            [nodekit.BINARY, "--config", self.config, "--role", self.role], log=self.log,
            env={**os.environ, "LD_PRELOAD": ":".join(PRELOAD), "FIU_CTRL_FIFO": self.control})
        return self

    def fail(self, call, error):
        """From now on `call` returns -1 with this errno, whoever makes it: what the store has still to tidy up, and would end
        the node on, is done before."""
        nodekit.until(lambda: json.loads(self.cli("spool", "stat", "--json").out)["awaiting_overwrite"] == 0)
        done = run("fiu-ctrl", "-f", self.control, "-c", f"enable name=posix/io/{call},failinfo={error}", self.process.pid)
        assert done.code == 0, done.all

    def ends_with(self, seconds=nodekit.PATIENCE):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return "still running"


def subject(text):
    found = re.search(rb"^Subject: (\w+)", text, re.M)
    return found.group(1).decode() if found else None


def post(member, to, subject, body="A line.\n"):
    """The reply code and text to a message, or the words with which the connection ended."""
    try:
        smtp = member.smtp()
        smtp.mail(member.address)
        smtp.rcpt(to)
        try:
            code, text = smtp.data(letter(member.address, to, subject, body))
        except smtplib.SMTPDataError as problem:
            code, text = problem.smtp_code, problem.smtp_error
        smtp.close()
        return code, text.decode()
    except (OSError, smtplib.SMTPException) as problem:
        return 0, repr(problem)


def held(member):
    """The subjects that wait for a member, without deleting one."""
    return [subject(member.open(wrapper)) for _, _, wrapper in member.fetch_all(delete=False)]


# MARK: errors of system calls

def failed_writes_and_syncs(checks):
    if not requires(checks, "errors of the disk", "fiu-ctrl") or not all(map(os.path.exists, PRELOAD)):
        return
    node = Faulty("faulty").init().start()
    sender, reader = node.add_ordinary("carol"), node.add_ordinary("erin")
    accepted = []
    refused = []
    for call, error in [("sync/fdatasync", EIO), ("rw/pwrite", EIO), ("rw/pwrite", ENOSPC), ("sync/fdatasync", ENOSPC)]:
        name = f"{call.split('/')[1]} with errno {error}"
        accepted.append(token())
        code, text = post(sender, reader.address, accepted[-1])
        checks.equal(f"{name}: before it mail is accepted", code, 250)
        node.fail(call, error)
        refused.append(token())
        code, text = post(sender, reader.address, refused[-1])
        checks.ok(f"{name}: the message is answered with 451", code == 451, f"{code} {text}")
        checks.equal(f"{name}: the node ends with {EXIT_DISK}", node.ends_with(), EXIT_DISK)
        node.start()
        found = held(reader)
        checks.ok(f"{name}: what was accepted is there, each once", all(found.count(one) == 1 for one in accepted), (accepted, found))
        checks.ok(
            f"{name}: nothing else is there but what was refused, once at most",
            all(one in accepted or found.count(one) == 1 and one in refused for one in found), found)
    # A deletion that was not stored is not confirmed, and what was not deleted is not lost.
    before = len(held(reader))
    pop = poplib.POP3_SSL("127.0.0.1", node.pop3s, context=client_context(), timeout=60)
    pop.user(reader.name)
    pop.pass_(reader.password)
    pop.dele(1)
    node.fail("sync/fdatasync", EIO)
    try:
        reply = pop.quit()
    except (OSError, poplib.error_proto) as problem:
        reply = repr(problem).encode()
    checks.ok("a deletion whose sync fails is not confirmed", not reply.startswith(b"+OK"), reply)
    checks.equal(f"and the node ends with {EXIT_DISK}", node.ends_with(), EXIT_DISK)
    node.start()
    left = held(reader)
    checks.ok("the other messages are still there", len(left) in (before - 1, before), left)
    checks.equal("all can be fetched", len(reader.fetch_all()), len(left))
    checks.equal("and are gone then", reader.waiting(), 0)
    checks.equal("the node stops in order", node.stop(), 0)


# MARK: a full disk

class Small:
    """A file system of a few MiB in memory."""

    def __init__(self, where, megabytes):
        self.where = where
        os.makedirs(where, exist_ok=True)
        self.mounted = run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", where).code == 0

    def close(self):
        if self.mounted:
            run("umount", "-l", self.where)


def full_disk(checks):
    node = Faulty("full")
    small = Small(node.state, 8)
    if not small.mounted:
        return checks.skip("a full disk", "mounting a small file system needs root")
    try:
        fill(checks, node.init())
    finally:
        node.kill()
        small.close()


def fill(checks, node):
    Node.launch(node)
    assert nodekit.until(node.ready), node.log_text()
    sender, reader = node.add_ordinary("frank"), node.add_ordinary("grace")
    accepted = []
    for _ in range(200):
        mark = token()
        code, text = post(sender, reader.address, mark, ("x" * 76 + "\n") * 2600)
        if code != 250:
            break
        accepted.append(mark)
    checks.ok("a full disk is answered with 452 4.3.1", code == 452 and text.startswith("4.3.1"), f"{code} {text} after {len(accepted)}")
    checks.ok("it took some messages before", len(accepted) > 5, len(accepted))
    checks.ok("the node goes on", node.running(), node.log_text()[-800:])
    found = reader.fetch_all(delete=False)
    checks.equal("what was accepted is there", [subject(reader.open(wrapper)) for _, _, wrapper in found], accepted)
    checks.equal("on the full disk everything can be fetched and deleted", len(reader.fetch_all()), len(accepted))
    checks.equal("and is gone", reader.waiting(), 0)
    again = nodekit.until(lambda: post(sender, reader.address, "again")[0] == 250)
    checks.ok("then there is room again", again, node.log_text()[-800:])
    node.kill()
    node.start()
    checks.equal("which a restart finds", held(reader), ["again"])
    checks.equal("the node stops in order", node.stop(), 0)


PARTS = [failed_writes_and_syncs, full_disk]


def main():
    words = sys.argv[1:]
    checks = nodekit.Checks("faults")
    if not all(program(name) for name in ("age", "age-keygen")):
        checks.ok("age is installed", False, "run: make test-deps")
        checks.finish()
    for part in PARTS:
        if not words or any(word in part.__name__ for word in words):
            checks.part(part)
    checks.finish()


if __name__ == "__main__":
    main()
