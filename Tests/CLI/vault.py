#!/usr/bin/env python3
"""The key file of a person, its passphrase and the recovery kit, with the real binary: what is refused, what is kept, what stock age opens.

usage: vault.py       The binary is $DDSNODE or .build/debug/ddsnode. Standard library only; age and zbar where they are installed.
"""
import os
import re
import shutil
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Support"))
import nodekit  # noqa: E402
from harness import Dialog, World  # noqa: E402
from nodekit import Agent, Checks, Node, path, write  # noqa: E402

checks = Checks("vault")


def secret(name, text):
    return write(path(name), text)


def vault_of(agent):
    return os.path.join(agent.state, "agent", "keys.age")


def read(name):
    with open(name, "rb") as file:
        return file.read()


def refused(name, result, code, *words):
    checks.ok(name, result.code == code and all(word in result.all for word in words), (result.code, result.all))


def setting(_, agent, node):
    """Joining with passphrases that are too weak, weak and good."""
    invite = node.invite(agent.name)
    for text in ("password", "24.12.1998", "aaaaaaaaaaaaaa", "Elephant"):
        found = agent.cli("join", invite, "--passphrase-file", secret("weak", text), "--no-browser")
        refused(f"join refuses the passphrase {text}", found, 65, "million guesses")
        checks.ok("and does not repeat it", text not in found.all, found.all)
    checks.ok("a refused passphrase makes no key", not os.path.exists(vault_of(agent)))
    joined = agent.cli("join", invite, "--passphrase-file", secret("middling", "green turnip"), "--no-browser")
    checks.ok("a weak one is taken with a warning", joined.code == 0 and "weak" in joined.all, joined.all)
    agent.passphrase_file = path("middling")
    factor = int(read(vault_of(agent)).split(b"\n")[1].split()[-1])
    checks.ok(f"the work factor was measured: {factor}", 17 <= factor <= 22)


def troubles(_, agent):
    """Missing, damaged, too costly and wrong are four sentences, and none changes anything."""
    file, whole = vault_of(agent), read(vault_of(agent))

    def listing(passphrase):
        return agent.cli("list", "--passphrase-file", passphrase)

    refused("a wrong passphrase", listing(secret("wrong", "not this one")), 77, "did not open the key", "try again")
    cut = len(whole) // 2
    for name, content in [("cut off", whole[:cut]), ("altered", whole[:-1] + bytes([whole[-1] ^ 1])), ("empty", b"")]:
        write(file, content)
        refused(f"a key file that is {name}", listing(agent.passphrase_file), 65, "damaged", "restore it from a backup")
        checks.ok("is left as it is", read(file) == content)
    head = whole.split(b"\n")
    head[1] = re.sub(rb"\d+$", b"23", head[1])
    write(file, b"\n".join(head))
    refused("a key file above the limit of work", listing(agent.passphrase_file), 65, "more work", "not tried")
    os.rename(file, file + ".away")
    refused("no key file", listing(agent.passphrase_file), 66, "there is no key file", "put it back")
    checks.ok("and none is made", not os.path.exists(file))
    account = os.path.join(agent.state, "agent", "account.json")
    os.rename(account, account + ".away")
    found = agent.cli("join", "dds://127.0.0.1/7Q2KM4VX9TREA1ZPC3HD8NWY5B?p=1.1#H6CW0JNB4RTX", "--passphrase-file", agent.passphrase_file)
    refused("join over a spool whose key file is gone", found, 66, "keys.age is missing", "Nothing was changed")
    checks.ok("makes no key either", not os.path.exists(file))
    os.rename(account + ".away", account)
    os.remove(file + ".away")
    write(file, whole)
    checks.ok("put back, it opens", listing(agent.passphrase_file).code == 0)


def passwd(_, agent):
    """Another passphrase: stopped, running, and whatever is wrong with it."""
    old, new = agent.passphrase_file, secret("new", "seven drowsy otters unscrew the moon")
    before = read(vault_of(agent))

    def change(first, second, **options):
        return agent.cli("key", "passwd", "--passphrase-file", first, "--new-passphrase-file", second, **options)

    refused("passwd with a wrong passphrase", change(secret("wrong", "not this one"), new), 77, "did not open the key")
    refused("passwd to a weak one", change(old, secret("weak", "qwertz123456")), 65, "million guesses")
    refused("passwd to one's own name", change(old, secret("weak", agent.name * 2)), 65, "million guesses")
    refused("passwd to the same", change(old, old), 65, "is the old one")
    refused("passwd with both from standard input", change("-", "-"), 64)
    checks.ok("a refusal changes nothing", read(vault_of(agent)) == before)
    with open(vault_of(agent), "rb") as held:
        changed = change(old, new)
        checks.ok("passwd without an agent", changed.code == 0, changed.all)
        held.seek(0)
        left = held.read()
    checks.ok("the old file's bytes are overwritten", left != before and sum(a == b for a, b in zip(left, before)) < len(before) // 8)
    checks.ok("one file, for nobody else", stat.S_IMODE(os.stat(vault_of(agent)).st_mode) == 0o600
              and not [name for name in os.listdir(os.path.dirname(vault_of(agent))) if name.startswith("keys.age.")])
    refused("the old passphrase", agent.cli("list", "--passphrase-file", old), 77, "did not open the key")
    agent.passphrase_file = new
    checks.ok("the new one opens", agent.cli("list", "--passphrase-file", new).code == 0)
    stock_age(agent, new)
    agent.start()
    agent.unlock()
    third = secret("third", "a kettle of wet chalk on stairs")
    changed = change(new, third)
    checks.ok("passwd with an agent that runs", changed.code == 0, changed.all)
    checks.ok("which stays unlocked", not agent.status()["agent"]["locked"])
    agent.lock()
    refused("the one before opens no more", agent.cli("unlock", "--passphrase-file", new), 77, "did not open the key")
    agent.passphrase_file = third
    agent.unlock()
    log = agent.log_text()
    checks.ok("no passphrase is in the log", "chalk" not in log and "otters" not in log and "the passphrase was changed" in log)


def stock_age(agent, passphrase):
    if not (shutil.which("age") and shutil.which("python3")):
        return checks.skip("stock age", "age is not installed")
    import pty
    pid, terminal = pty.fork()
    plain = path("plain")
    if pid == 0:
        os.execvp("age", ["age", "-d", "-o", plain, vault_of(agent)])
    text = b""
    while b"passphrase" not in text:
        text += os.read(terminal, 1000)
    os.write(terminal, read(passphrase) + b"\n")
    try:
        while os.read(terminal, 1000):
            pass
    except OSError:
        pass
    _, status = os.waitpid(pid, 0)
    checks.ok("stock age -d opens the new file", status == 0 and read(plain).startswith(b"# ddsnode vault 1\n"), status)
    os.remove(plain)


def prompts(_, agent):
    """At a terminal Enter alone makes six words."""
    world = World(nodekit.BINARY)
    try:
        dialog = Dialog(world, "--config", agent.config, "key", "passwd")
        dialog.until("until now:")
        dialog.send(read(agent.passphrase_file).decode() + "\r")
        dialog.until("New passphrase:")
        dialog.send("\r")
        dialog.until("Type it:")
        words = re.search(r"(?:\w{5}-){5}\w{5}", dialog.text).group(0)
        code = dialog.answer(words + "\r")
        checks.ok("Enter has six words made", code == 0 and dialog.text.count(words) == 1, dialog.text)
        agent.passphrase_file = secret("made", words)
        agent.lock()
        agent.unlock()
        dialog = Dialog(world, "--config", agent.config, "key", "passwd")
        dialog.until("until now:")
        dialog.send(words + "\r")
        dialog.until("New passphrase:")
        dialog.send("\r")
        dialog.until("Type it:")
        code = dialog.answer("something else\r")
        checks.ok("words that were not written down change nothing", code == 65 and "different" in dialog.text, dialog.text)
        agent.lock()
        agent.unlock()
    finally:
        world.close(False)


def show(_, agent):
    shown = agent.json("key", "show")
    for name in ("identity", "device", "mailbox"):
        words, number = shown[name]["words"], shown[name]["hex"]
        checks.ok(f"key show: {name} as words and hex", re.fullmatch(r"(?:\w{5}-){7}\w{5}", words) and re.fullmatch(r"[0-9a-f]{32}", number), shown)
    text = agent.must("key", "show").text
    checks.ok("key show for people", shown["identity"]["words"] in text and agent.address in text, text)
    keys = os.path.join(agent.state, "agent")
    checks.ok("no secret is shown", read(os.path.join(keys, "device.key")).hex() not in text and "SECRET" not in text)
    agent.lock()
    locked = agent.json("key", "show")
    checks.ok("locked: device and mailbox only", locked["identity"] is None and locked["device"] == shown["device"]
              and locked["mailbox"] == shown["mailbox"], locked)
    agent.stop()
    stopped = agent.json("key", "show", "--passphrase-file", agent.passphrase_file)
    checks.equal("stopped, with the passphrase", stopped, shown)


def kit(_, agent, other):
    """Making, rehearsing and mangling a recovery kit."""
    page, text = path("kit.html"), path("kit.txt")

    def backup(file, *options):
        return agent.cli("key", "backup", file, "--passphrase-file", agent.passphrase_file, *options)

    def rehearse(content, who=agent):
        return who.cli("key", "rehearse", write(path("typed.txt"), content), "--passphrase-file", who.passphrase_file)

    refused("a kit of another form", backup(path("kit.pdf")), 64, ".html")
    refused("a kit with a wrong passphrase",
            agent.cli("key", "backup", page, "--passphrase-file", secret("wrong", "not this one")), 77, "did not open")
    checks.ok("which writes nothing", not os.path.exists(page))
    for file in (page, text):
        made = backup(file)
        checks.ok(f"key backup {os.path.basename(file)}", made.code == 0, made.all)
        checks.equal("for nobody else", stat.S_IMODE(os.stat(file).st_mode), 0o600)
        code = re.search(r"DDS-RECOVERY-1[0-9A-Z \n]+", read(file).decode()).group(0).replace("\n", "").replace(" ", "")
        checks.ok("the code is not printed", code[14:40] not in made.all.replace(" ", ""))
        before = read(file)
        refused("a file that is there", backup(file), 73, "left as it is")
        checks.ok("is not overwritten", read(file) == before)
        proof = agent.cli("key", "rehearse", file, "--passphrase-file", agent.passphrase_file)
        checks.ok("rehearse", proof.code == 0 and agent.address in proof.all, proof.all)
    checks.ok("typed in small letters", rehearse(code.lower()).code == 0)
    refused("a kit that is cut", rehearse(code[:-9]), 65, "incomplete")
    wrong = code[:40] + ("Q" if code[40] != "Q" else "P") + code[41:]
    refused("a kit with a wrong letter", rehearse(wrong), 65, "is wrong")
    refused("a kit with a letter of none", rehearse(code[:40] + "B" + code[41:]), 65, "character 27")
    refused("a text without a kit", rehearse("hello"), 65, "no recovery code")
    refused("a missing kit", agent.cli("key", "rehearse", path("none"), "--passphrase-file", agent.passphrase_file), 66)
    foreign = path("foreign.txt")
    other.must("key", "backup", foreign, "--passphrase-file", other.passphrase_file)
    refused("the kit of another member", rehearse(read(foreign)), 65, f"kit of {other.address}")
    picture(page, code)


def picture(page, code):
    """The QR code of the page, drawn as a bitmap and read by zbar."""
    html = read(page).decode()
    size = int(re.search(r'viewBox="0 0 (\d+) ', html).group(1))
    dark = {(int(x), int(y)) for x, y in re.findall(r"M(\d+),(\d+)h1v1h-1z", html)}
    checks.ok("the page has a QR code with its quiet zone", dark and min(min(place) for place in dark) == 4 and max(max(place) for place in dark) == size - 5)
    checks.ok("the page needs nothing from elsewhere", not re.search(r"<script|href=|src=|url\(", html))
    if not shutil.which("zbarimg"):
        return checks.skip("reading the QR code", "zbar-tools is not installed")
    scale = 6
    rows = [bytes(0 if (x // scale, y // scale) in dark else 255 for x in range(size * scale)) for y in range(size * scale)]
    bitmap = write(path("qr.pgm"), f"P5 {size * scale} {size * scale} 255\n".encode() + b"".join(rows))
    done = subprocess.run(["zbarimg", "--quiet", "--raw", bitmap], capture_output=True)
    checks.equal("zbar reads the code", done.stdout.decode().strip(), code)


def main():
    node = Node().init()
    node.start()
    agent, other = Agent("bob"), Agent("alice")
    other.join(node.invite("alice"))
    checks.part(setting, agent, node)
    checks.part(troubles, agent)
    checks.part(passwd, agent)
    checks.part(prompts, agent)
    checks.part(show, agent)
    checks.part(kit, agent, other)
    for daemon in (agent, node):
        daemon.stop()
    checks.finish()


if __name__ == "__main__":
    main()
