#!/usr/bin/env python3
"""The agent's store from the command line: check, export, import, and mail that could not be opened; compared with what
Python's own mailbox module makes of the files."""
import collections
import glob
import mailbox
import os
import re
import shutil
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from nodekit import Agent, Node, letter, path, until, write

CORPUS = os.environ.get("DDSNODE_CORPUS", os.path.join(nodekit.ROOT, "../shared/corpus"))


def store(agent, *arguments):
    """A command that may need the passphrase; with --json."""
    return agent.cli("store", *arguments, "--passphrase-file", agent.passphrase_file, "--json")


def parsed(result):
    import json
    return json.loads(result.out)


def tree(folder):
    """Every file below a folder with its content."""
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            full = os.path.join(where, name)
            with open(full, "rb") as file:
                found[os.path.relpath(full, folder)] = file.read()
    return found


def unquoted(message):
    return re.sub(rb"(?m)^>(>*From )", rb"\1", message)


# MARK: import and export

def corpus(checks, alice, bob):
    if not os.path.isdir(os.path.join(CORPUS, "mail")):
        return checks.skip("the corpus goes round", f"there is no {CORPUS}")
    originals, added = [], 0
    for folder in sorted(glob.glob(os.path.join(CORPUS, "mail", "*"))):
        names = sorted(os.listdir(folder))
        result = store(alice, "import", folder)
        sums = parsed(result)
        checks.equal(f"every file of {os.path.basename(folder)} is counted", sums["added"] + sums["known"] + len(sums["skipped"]), len(names))
        skipped = {re.match(r".*/([^/:]+): ", words).group(1) for words in sums["skipped"]}
        checks.equal(f"import of {os.path.basename(folder)} says whether all came in", result.code, 1 if skipped else 0)
        checks.ok(f"only what is no message is left out of {os.path.basename(folder)}",
                  all(not name.endswith(".eml") or os.path.getsize(os.path.join(folder, name)) == 0
                      or not re.match(rb"[!-9;-~]+[ \t]*:", open(os.path.join(folder, name), "rb").read()) for name in skipped), skipped)
        for name in names:
            if name not in skipped:
                with open(os.path.join(folder, name), "rb") as file:
                    originals.append(file.read())
        added += sums["added"]
        again = parsed(store(alice, "import", folder))
        checks.equal(f"importing {os.path.basename(folder)} again doubles nothing", (again["added"], again["known"]),
                     (0, sums["added"] + sums["known"]))
    wanted = collections.Counter(originals)
    for form in ("mbox", "maildir"):
        first, second, third = path(f"first.{form}"), path(f"second.{form}"), path(f"third.{form}")
        result = store(alice, "export", first, "--format", form)
        checks.equal(f"export as {form}", (result.code, parsed(result)["exported"]), (0, added))
        found = python_mbox(first) if form == "mbox" else python_maildir(first)
        checks.ok(f"Python's mailbox reads the {form} byte for byte", collections.Counter(found) == wanted,
                  f"{len(found)} messages, {len(originals)} wanted")
        sums = parsed(store(bob, "import", first))
        checks.ok(f"import of the {form}", not sums["skipped"] and sums["added"] + sums["known"] == added, sums)
        store(bob, "export", second, "--format", form)
        checks.ok(f"a second export as {form} is the same, byte for byte", tree(first) == tree(second), sorted(tree(second))[:5])
        sums = parsed(store(alice, "import", second))
        checks.equal(f"the exported {form} doubles nothing where it came from", (sums["added"], sums["known"]), (0, added))
        store(alice, "export", third, "--format", form)
        checks.ok(f"a third export as {form} is the same too", tree(first) == tree(third))


def python_mbox(folder):
    messages = []
    for name in sorted(os.listdir(folder)):
        box = mailbox.mbox(os.path.join(folder, name), create=False)
        offsets = [box._lookup(key) for key in box.keys()]
        box.close()
        with open(os.path.join(folder, name), "rb") as file:
            content = file.read()
        # What lies between two separators that Python found, without the separator and the line feed behind the message.
        ends = [start for start, _ in offsets[1:]] + [len(content)]
        for (start, _), end in zip(offsets, ends):
            messages.append(unquoted(content[content.index(b"\n", start) + 1:end - 1]))
    return messages


def python_maildir(folder):
    box = mailbox.Maildir(folder, create=False)
    boxes = [box] + [box.get_folder(name) for name in box.list_folders()]
    return [one.get_bytes(key) for one in boxes for key in one.keys()]


def flags(checks, node, carol, alice):
    """What is read, unread and sent, out of a running agent."""
    alice.start()
    alice.unlock()
    code, text = carol.post([alice.address], letter(carol.address, alice.address, "unread one", "x\n"))
    assert code == 250, text
    code, text = carol.post([alice.address], letter(carol.address, alice.address, "read one", "x\nFrom here\n>From there\n"))
    assert code == 250, text
    alice.waits_for("unread one")
    alice.must("show", alice.waits_for("read one")["id"])
    alice.send("own one", "mine\n", carol.address)
    folder = path("flags.maildir")
    result = alice.cli("store", "export", folder, "--format", "maildir")
    checks.ok("export out of the running agent warns that the files can be read", result.code == 0 and "can read them" in result.text, result.all)
    box = mailbox.Maildir(folder, create=False)
    states = {str(message["Subject"]): (message.get_subdir(), message.get_flags()) for message in box}
    checks.equal("unread mail is new", states.get("unread one"), ("new", ""))
    checks.equal("read mail is seen", states.get("read one"), ("cur", "S"))
    checks.ok("mail of one's own is in Sent", "own one" in [str(message["Subject"]) for message in box.get_folder("Sent")], box.list_folders())
    checks.ok("nothing is left in tmp", not os.listdir(os.path.join(folder, "tmp")))
    modes = {stat.S_IMODE(os.stat(os.path.join(where, name)).st_mode) for where, _, names in os.walk(folder) for name in names}
    checks.equal("only their owner may read the files", modes, {0o600})
    checks.equal("a folder that is not empty is refused", alice.cli("store", "export", folder).code, 73)
    raw = {alice.raw(row["id"]) for row in alice.list()}
    mbox = path("flags.mbox")
    alice.must("store", "export", mbox)
    checks.ok("mbox holds what show --raw prints", set(python_mbox(mbox)) == raw, len(raw))
    checks.equal("mbox files are private", {stat.S_IMODE(os.stat(os.path.join(mbox, name)).st_mode) for name in os.listdir(mbox)}, {0o600})
    checks.ok("lines that begin with From are quoted", b"\n>From here" in tree(mbox)["received.mbox"], "")
    none = path("nothing")
    result = alice.cli("store", "export", none, "--group", "nowhere")
    checks.ok("a group without mail gives an empty folder", result.code == 0 and not os.listdir(none), result.all)
    result = alice.cli("store", "import", mbox, "--json")
    checks.equal("an export doubles nothing in the running agent", (result.code, parsed(result)["added"]), (0, 0))
    alice.lock()
    checks.equal("export while locked", alice.cli("store", "export", path("locked")).code, 77)
    checks.equal("import while locked", alice.cli("store", "import", mbox).code, 77)
    result = alice.cli("store", "check", "--json")
    checks.equal("check while locked looks at the spool", (result.code, parsed(result)["content_checked"]), (0, False))
    result = store(alice, "check")
    checks.equal("check while locked, with the passphrase", (result.code, parsed(result)["content_checked"]), (0, True))
    alice.stop()


def bad_input(checks, alice):
    files = path("files", "")
    os.makedirs(files, exist_ok=True)
    write(os.path.join(files, "empty.eml"), "")
    write(os.path.join(files, "binary.eml"), os.urandom(5000).replace(b":", b"_"))
    write(os.path.join(files, "good.eml"), "Subject: taken\n\nbody\n")
    write(os.path.join(files, "half.mbox"), "From x@y Mon Jan  1 10:00:00 2024\nSubject: one\n\nbody\n\nFrom x@y Mon Jan  1 10:00:01 2024\n\n")
    os.makedirs(os.path.join(files, "folder"), exist_ok=True)
    os.symlink("/nonexistent", os.path.join(files, "link"))
    result = store(alice, "import", files)
    sums = parsed(result)
    checks.equal("what is no message is left out", (result.code, sums["added"]), (1, 2))
    named = " ".join(sums["skipped"])
    checks.ok("and named", all(word in named for word in ("empty.eml", "binary.eml", "half.mbox, line 6", "folder", "link")), sums)
    checks.equal("a missing file", alice.cli("store", "import", path("none")).code, 66)
    wrong = write(path("wrong"), "not this one")
    checks.equal("a wrong passphrase", alice.cli("store", "import", files, "--passphrase-file", wrong).code, 77)
    checks.equal("a format that is none", alice.cli("store", "export", path("x"), "--format", "pst").code, 64)


# MARK: damage

def segments(agent):
    """The files of segments, the one with the most in it first."""
    def filled(name):
        with open(name, "rb") as file:
            return len(file.read().rstrip(b"\0"))

    return sorted(glob.glob(os.path.join(agent.state, "agent", "spool", "seg-*")), key=filled, reverse=True)


def damage(checks, alice):
    # Something is in it also where there is no corpus.
    store(alice, "import", write(path("one.eml"), letter("a@elsewhere.test", alice.address, "one", "hello\n")))
    result = alice.cli("store", "check")
    checks.ok("a sound store", result.code == 0 and "not opened" in result.text, result.all)
    result = store(alice, "check")
    checks.ok("a sound store, opened", result.code == 0 and parsed(result)["opened"] > 0, result.all)
    wrong = write(path("wrong"), "not this one")
    checks.equal("check with a wrong passphrase", alice.cli("store", "check", "--passphrase-file", wrong).code, 77)
    names = segments(alice)
    checks.ok("the store has segments", bool(names), os.listdir(os.path.join(alice.state, "agent", "spool")))
    # One bit at the end of each: which of them hold only what is erased cannot be seen from outside. An opening takes empty
    # segments away, so the folder is put back whole.
    spool, sound = os.path.join(alice.state, "agent", "spool"), path("sound.spool")
    shutil.copytree(spool, sound)
    for name in names:
        with open(name, "r+b") as file:
            content = file.read()
            spot = len(content.rstrip(b"\0")) - 1
            file.seek(spot)
            file.write(bytes([content[spot] ^ 1]))
    for arguments in ((), ("--passphrase-file", alice.passphrase_file)):
        result = alice.cli("store", "check", *arguments)
        checks.ok("a flipped bit is found and named", result.code == 1 and "damaged: record" in result.text and "segment" in result.text, result.all)
    shutil.rmtree(spool)
    shutil.copytree(sound, spool)
    checks.equal("put right again", store(alice, "check").code, 0)
    os.rename(spool, spool + ".away")
    checks.equal("a store that is not there", alice.cli("store", "check").code, 66)
    os.rename(spool + ".away", spool)


# MARK: mail that does not open

# The node may have told dora of her own first message by then, which does not open either.
UNOPENED = re.compile(r"[12] messages? could not be opened and (is|are) kept")


def quarantine(checks, node, carol, bob):
    """Mail for dora, opened three times with somebody else's keys and then with the right ones."""
    dora = Agent("dora")
    dora.join(node.invite("dora"))
    carol.post([dora.address], letter(carol.address, dora.address, "for dora", "hello\n"))
    dora.must("fetch")
    keys, mine = os.path.join(dora.state, "agent", "keys.age"), path("dora.keys")
    shutil.copy(keys, mine)
    shutil.copy(os.path.join(bob.state, "agent", "keys.age"), keys)
    for number in range(1, 4):
        rows = dora.cli("list", "--json", "--passphrase-file", bob.passphrase_file)
        checks.ok(f"unlock {number} shows nothing and fails at nothing", rows.code == 0 and parsed(rows) == [], rows.all)
        result = dora.cli("store", "check")
        checks.ok(f"check after unlock {number}", result.code == 1 and UNOPENED.search(result.text), result.all)
    dora.start()
    status = dora.cli("status")
    checks.ok("status says it", status.code == 1 and UNOPENED.search(status.text), status.all)
    folder = path("sealed")
    dora.must("store", "export", folder, "--quarantine")
    names = os.listdir(folder)
    checks.ok("export --quarantine writes it as it came", names and all(b"BEGIN AGE" in tree(folder)[name] for name in names), names)
    dora.stop()
    result = dora.cli("store", "retry", "--passphrase-file", bob.passphrase_file)
    checks.equal("retry with the wrong keys", result.code, 1)
    shutil.copy(mine, keys)
    checks.equal("after three tries it waits to be asked", parsed(dora.cli("list", "--json", "--passphrase-file", dora.passphrase_file)), [])
    result = dora.cli("store", "retry", "--passphrase-file", dora.passphrase_file)
    checks.equal("retry with the right keys", result.code, 0)
    rows = parsed(dora.cli("list", "--json", "--passphrase-file", dora.passphrase_file))
    checks.equal("the mail is there", [row["subject"] for row in rows], ["for dora"])
    checks.equal("and the store is sound", store(dora, "check").code, 0)


def compact(checks, alice):
    """Without the agent, and with it running and locked."""
    for state in ("stopped", "running"):
        if state == "running":
            alice.start()
        before = parsed(store(alice, "check"))
        result = alice.cli("store", "compact", "--json")
        checks.equal(f"compact, agent {state}", result.code, 0)
        checks.ok("it takes no more of the disk than before", parsed(result)["disk_bytes"] <= parsed(result)["disk_bytes_before"], result)
        after = parsed(store(alice, "check"))
        checks.ok("and every record is there", after["damage"] == [] and after["records"] == before["records"], (before, after))
    checks.equal("the agent stops in order", alice.stop(), 0)


def main():
    checks = nodekit.Checks("store")
    nodekit.requires(checks, "openssl and age", "openssl", "age-keygen")
    node = Node("node").init().start()
    carol = node.add_ordinary("carol")
    alice, bob = Agent("alice"), Agent("bob")
    alice.join(node.invite("alice"))
    bob.join(node.invite("bob"))
    checks.part(corpus, alice, bob)
    checks.part(compact, alice)
    checks.part(damage, alice)
    checks.part(flags, node, carol, alice)
    checks.part(bad_input, alice)
    checks.part(quarantine, node, carol, bob)
    checks.equal("the node stops in order", node.stop(), 0)
    checks.finish()


if __name__ == "__main__":
    main()
