"""The node's store through the command line: what it says of itself, a new root key, and a store that has lost something."""
import glob
import os
import shutil
import smtplib
import ssl
import subprocess

from harness import DOMAIN, PASSWORD, PATIENCE, Result, age_recipient, expect, need, report, server_config


def part_spool(world):
    recipient = age_recipient(world)
    if not recipient:
        return report.skip("the node's store", "age is not installed")
    config = world.write("P.toml", server_config("p", world.folder))
    need("init of a node", world.run("init", "server", config=config).code == 0)
    password = world.write("p.pass", PASSWORD + "\n")
    for name in ("carol", "dora"):
        added = world.run("user", "add", name, "--recipient", recipient, "--password-file", password, config=config)
        need(f"a member {name}", added.code == 0, added)
    daemon = world.start("run", config=config, log="p.log")
    listen = world.wait_until_up(daemon, config, "p.log")["server"]["listen"]
    submit(listen["submissions"][0])
    running(world, config)
    world.stop(daemon)
    stat = world.run("spool", "stat", "--json", config=config)
    report.check("spool stat of a stopped node", stat.code == 0 and stat.json["records"] > 0, stat)
    expect("run --accept-loss is known", world.run("run", "--accept-loss", "--check-config", config=config), 0)
    refusals(world, config)
    damaged(world, config)


def submit(address):
    host, port = address.rsplit(":", 1)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP_SSL(host, int(port), context=context) as client:
        client.login("carol", PASSWORD)
        client.sendmail(f"carol@{DOMAIN}", [f"dora@{DOMAIN}"], "Subject: kept\r\n\r\nFor Dora.\r\n")


def running(world, config):
    stat = world.run("spool", "stat", "--json", config=config)
    good = stat.code == 0 and stat.json["records"] > 0 and stat.json["erase_level"] in ("E1", "E2", "E3")
    report.check("spool stat --json", good and stat.json["file_system"] and stat.json["file_system_words"], stat)
    text = world.run("spool", "stat", config=config)
    report.check("spool stat for people", "erased" in text.text and stat.json["file_system"] in text.text, text)
    verified = world.run("spool", "verify", "--json", config=config)
    report.check("spool verify while it runs", verified.code == 0 and verified.json["damage"] == []
                 and verified.json["records"] == stat.json["records"], verified)
    shredded = world.run("spool", "shred", "--json", config=config)
    report.check("spool shred changes the root key", shredded.code == 0 and shredded.json["awaiting_rotation"] == 0
                 and shredded.json["root_epoch"] == stat.json["root_epoch"] + 1, shredded)
    report.check("and nothing is lost", world.run("spool", "verify", config=config).code == 0)
    status = world.run("status", "--json", config=config)
    spool = status.json["server"]["spool"]
    # It rises while the node overwrites what it has erased.
    report.check("status says the level and the file system", spool["erase_level"] >= shredded.json["erase_level"]
                 and spool["file_system_words"] == stat.json["file_system_words"], spool)
    report.check("status still counts the message", status.json["server"]["waiting_messages"] == 1, status)


def contents(world):
    """Every file of the node's state, and whose it is."""
    found = {}
    for folder, _, names in os.walk(world.path("p/server")):
        for name in names:
            path = os.path.join(folder, name)
            status = os.stat(path)
            with open(path, "rb") as file:
                found[path] = (status.st_mode, status.st_uid, file.read())
    return found


def refused(world, name, config, code, *words, wrapper=()):
    """A start that must fail with these words and leave everything as it is."""
    before = contents(world)
    done = subprocess.run(
        [*wrapper, world.binary, "--config", config, "run"], capture_output=True, cwd="/", timeout=PATIENCE * 2, env=world.environment)
    expect(f"{name} is refused", Result(done.returncode, done.stdout, done.stderr), code, *words)
    report.check("and no byte was changed", contents(world) == before)


class Instead:
    """Other bytes in a file, and afterwards the right ones; None takes the file away."""

    def __init__(self, path, change):
        self.path = path
        with open(path, "rb") as file:
            self.right = file.read()
        self.wrong = change(self.right)

    def __enter__(self):
        if self.wrong is None:
            os.rename(self.path, self.path + ".away")
        else:
            self.put(self.wrong)

    def __exit__(self, *_):
        if self.wrong is None:
            os.rename(self.path + ".away", self.path)
        else:
            self.put(self.right)

    def put(self, content):
        with open(self.path, "r+b") as file:
            file.write(content)


def refusals(world, config):
    spool = world.path("p/server/spool")

    def newer(content):
        """In each of the four copies the version is the number behind the magic."""
        return b"".join(content[at:at + 8] + (9).to_bytes(4, "big") + content[at + 12:at + 4096] for at in range(0, len(content), 4096))

    with Instead(os.path.join(spool, "super"), newer):
        refused(world, "a store of a newer program", config, 65, "version 9", "newer program")
    with Instead(os.path.join(spool, "super"), lambda _: None):
        refused(world, "a folder without a store", config, 66, spool, "Restore it")
    with Instead(world.path("p/server/keyring"), lambda _: None):
        refused(world, "a store without its keyring", config, 66, "keyring", "put")
    with Instead(world.path("p/server/spool.roots"), lambda _: None):
        refused(world, "a store without its root keys", config, 66, "spool.roots", "put the file back")
    os.chmod(spool, 0o755)
    refused(world, "a store that others can read", config, 77, "chmod 700")
    os.chmod(spool, 0o700)
    foreign(world, config, spool)
    other_user(world, config, spool)
    read_only = "mount --bind {0} {0} && mount -o remount,ro,bind {0} && exec \"$@\"".format(world.path("p/server"))
    refused(world, "a store on a read-only file system", config, 74, "read-only", "remount,rw",
            wrapper=("unshare", "-m", "sh", "-c", read_only, "sh"))
    daemon = world.start("run", config=config, log="p1.log")
    world.wait_until_up(daemon, config, "p1.log")
    with open(config) as file:
        second = world.write("P2.toml", file.read().replace("/p/run", "/p2/run"))
    refused(world, "a second node on one store", second, 75, "in use by another process", "stop it")
    world.stop(daemon)


def foreign(world, config, spool):
    """A segment of somebody else's store among ours."""
    theirs = world.write("PF.toml", server_config("pf", world.folder))
    need("init of another node", world.run("init", "server", config=theirs).code == 0)
    daemon = world.start("run", config=theirs, log="pf.log")
    world.wait_until_up(daemon, theirs, "pf.log")
    world.stop(daemon)
    segment = sorted(glob.glob(world.path("pf/server/spool/seg-*")))[0]
    stray = os.path.join(spool, "seg-00000000000000ff")
    shutil.copy(segment, stray)
    refused(world, "another node's segment", config, 65, os.path.basename(stray), "belongs to another spool", "Move that file away")
    os.unlink(stray)


def other_user(world, config, spool):
    """Another user starts the node: all is theirs but the store's files."""
    nobody = 65534
    os.chmod(world.folder, 0o711)
    for folder, _, names in os.walk(world.path("p")):
        for path in [folder, *(os.path.join(folder, name) for name in names)]:
            if os.path.dirname(path) != spool:
                os.chown(path, nobody, nobody)
    refused(world, "a user who may not", config, 77, spool, "run as the node's user",
            wrapper=("setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups"))
    for folder, _, names in os.walk(world.path("p")):
        for path in [folder, *(os.path.join(folder, name) for name in names)]:
            os.chown(path, 0, 0)
    os.chmod(world.folder, 0o700)


def damaged(world, config):
    """One bit of a slot: refused with nothing changed, then accepted and listed."""
    for path in sorted(glob.glob(world.path("p/server/spool/seg-*"))):
        with open(path, "r+b") as file:
            file.seek(4096)
            table = file.read(1024 * 128)
            used = [slot for slot in range(1024) if any(table[slot * 128:slot * 128 + 128])]
            if not used:
                continue
            place = 4096 + used[-1] * 128 + 17
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 4]))
            break
    name = os.path.basename(path)

    refused(world, "a damaged store", config, 74, name, "slot", "--accept-loss")
    daemon = world.start("run", "--accept-loss", config=config, log="p2.log")
    status = world.wait_until_up(daemon, config, "p2.log")
    lost = status["server"]["spool"]["lost"]
    report.check("--accept-loss starts and lists what is lost", lost and name in lost[0], status["server"]["spool"])
    shown = world.run("status", config=config)
    report.check("status names it as a problem", shown.code == 1 and "lost" in shown.text, shown)
    report.check("so does the log", "lost" in world.log("p2.log"))
    world.stop(daemon)
    report.check("what was accepted is told once", world.run("spool", "stat", config=config).code == 0)
