"""A node's keyring and its backup: sealed starts, lost keys, and a node that is made anew under agents that know it."""
import json
import os
import re
import shutil
import subprocess

from harness import DOMAIN, PASSPHRASE, agent_config, expect, need, report, server_config, wait_for

NODE_PASSPHRASE = "the node's own words"


def config_with_master(world, name, kind):
    return server_config(name, world.folder, more=f'[server.keys]\nmaster = "{kind}"\n')


def identity(world, name):
    """A file of age-keygen's and its recipient."""
    path = world.path(name)
    subprocess.run(["age-keygen", "-o", path], check=True, capture_output=True)
    return path, re.search(r"public key: (age1\S+)", open(path).read()).group(1)


def part_keys(world):
    if not shutil.which("age-keygen"):
        return report.skip("keyring and backup", "age is not installed")
    sealed_start(world)
    lost_key(world)
    handed_over(world)
    backup(world)


def snapshot(folder):
    """Every file of a folder with its content."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    found[path] = file.read()
    return found


def sealed_start(world):
    """server.keys.master = passphrase."""
    config = world.write("K.toml", config_with_master(world, "k", "passphrase"))
    good = world.write("k.pass", NODE_PASSPHRASE + "\n")
    expect("init with a passphrase and nobody to ask", world.run("init", "server", "--no-input", config=config), 64, "--passphrase-file")
    need("init with a passphrase", world.run("init", "server", "--passphrase-file", good, config=config).code == 0)
    before = snapshot(world.path("k"))
    expect("a stopped node wants the passphrase", world.run("user", "list", config=config), 77, "ddsnode unlock")
    report.check("and nothing was changed", snapshot(world.path("k")) == before)
    daemon = world.start("run", config=config, log="k.log")
    status = world.wait_until_up(daemon, config, "k.log")
    report.check("a node with a passphrase starts sealed", status["server"]["sealed"] is True and status["problems"], status)
    report.check("a sealed node listens to nobody", "listen" not in status["server"], status)
    expect("user list while sealed", world.run("user", "list", config=config), 77, "ddsnode unlock")
    expect("a wrong passphrase", world.run("unlock", "--passphrase-file", "-", input=b"no", config=config), 77, "wrong")
    report.check("it stays sealed", world.run("status", "--json", config=config).json["server"]["sealed"] is True)
    report.check("unlock opens the node", world.run("unlock", "--passphrase-file", good, config=config).code == 0)
    status = world.run("status", "--json", config=config)
    report.check("and it serves", status.code == 0 and status.json["server"]["listen"]["pop3s"], status)
    report.check("user add in the open node", world.run("user", "add", "bob", config=config).code == 0)
    report.check("it stops in order", world.stop(daemon) == 0)
    report.check("the passphrase is in no log", NODE_PASSPHRASE not in world.log("k.log"))


def lost_key(world):
    """A recovery slot, and a key file that is gone."""
    config = world.write("L.toml", config_with_master(world, "l", "file"))
    need("init with a key file", world.run("init", "server", config=config).code == 0)
    secret, recipient = identity(world, "recovery.txt")
    other, _ = identity(world, "other.txt")
    expect("a recovery slot for nobody", world.run("keyring", "add", "recovery", "--recipient", "age1no", config=config), 65, "age-keygen")
    added = world.run("keyring", "add", "recovery", "--recipient", recipient, "--json", config=config)
    report.check("keyring add recovery", added.code == 0 and [slot["kind"] for slot in added.json] == ["file", "recovery"], added)
    report.check("keyring list shows whom it is for", recipient in world.run("keyring", "list", config=config).text)
    expect("the slot in use stays", world.run("keyring", "remove", "file", "-y", config=config), 65, "server.keys.master")
    expect("a slot that is not there", world.run("keyring", "remove", "passphrase", "-y", config=config), 67)
    need("a member", world.run("user", "add", "bob", config=config).code == 0)
    turned = world.run("keyring", "rotate", "--json", config=config)
    report.check("keyring rotate of a stopped node", turned.code == 0 and turned.json["number"] == 2
                 and [key["number"] for key in turned.json["earlier"]] == [1], turned)
    report.check("and again, for people", "key 2 opens what is sealed to it until" in world.run("keyring", "rotate", config=config).text)
    key = world.path("l/server/master.key")
    os.rename(key, key + ".lost")
    before = snapshot(world.path("l"))
    expect("a node without its key", world.run("user", "list", config=config), 66, "put it back")
    expect("run without its key", world.run("run", config=config), 66, "put it back")
    report.check("and nothing was changed", snapshot(world.path("l")) == before)
    expect("recover with another identity", world.run("keyring", "recover", "--identity-file", other, config=config), 77, recipient)
    report.check("keyring recover", world.run("keyring", "recover", "--identity-file", secret, config=config).code == 0)
    listed = world.run("user", "list", "--json", config=config)
    report.check("the node is as it was", [user["name"] for user in listed.json or []] == ["bob"], listed)
    with open(key, "rb") as new, open(key + ".lost", "rb") as old:
        report.check("under a new key file", new.read() != old.read())
    os.chmod(key, 0o644)
    expect("a key file that others can read", world.run("user", "list", config=config), 77, "chmod 600")
    os.chmod(key, 0o600)
    opened = subprocess.run(["age", "-d", "-i", secret, slot_file(world, "l")], capture_output=True)
    report.check("stock age opens the recovery slot", opened.returncode == 0 and len(opened.stdout) == 32, opened)


def slot_file(world, name):
    import base64
    with open(world.path(f"{name}/server/keyring")) as file:
        slots = json.load(file)["slots"]
    sealed = next(slot["sealed"] for slot in slots if slot["kind"] == "recovery")
    return world.write("slot.age", base64.b64decode(sealed))


def handed_over(world):
    """The credential of a service manager, and a file descriptor."""
    credentials = world.path("credentials")
    os.mkdir(credentials, 0o700)
    with open(os.path.join(credentials, "ddsnode.mk"), "wb") as file:
        file.write(os.urandom(32))
    config = world.write("C.toml", config_with_master(world, "c", "credential"))
    there = {"CREDENTIALS_DIRECTORY": credentials}
    expect("init without the credential", world.run("init", "server", config=config), 66, "LoadCredentialEncrypted=ddsnode.mk")
    report.check("init with the credential", world.run("init", "server", config=config, environment=there).code == 0)
    report.check("the node opens with it", world.run("user", "list", config=config, environment=there).code == 0)
    expect("and not without", world.run("user", "list", config=config), 66, "ddsnode.mk")
    report.check("no key lies in the state folder", not os.path.exists(world.path("c/server/master.key")))
    fd = world.write("F.toml", config_with_master(world, "f", "fd:7"))
    key = world.write("f.key", os.urandom(32))
    expect("a descriptor that is not open", world.run("init", "server", config=fd), 66, "file descriptor 7")
    for words in ("init server", "user list"):
        done = subprocess.run(
            ["sh", "-c", f'exec "$0" --config "$1" {words} 7<"$2"', world.binary, fd, key],
            capture_output=True, env=world.environment)
        report.check(f"{words} with the key at descriptor 7", done.returncode == 0, done)


def backup(world):
    """A node is lost, and made anew of its backup; its agent goes on."""
    config = world.write("M.toml", server_config("m", world.folder))
    need("init of the node to be lost", world.run("init", "server", config=config).code == 0)
    daemon = world.start("run", config=config, log="m.log")
    first = world.wait_until_up(daemon, config, "m.log")["server"]["listen"]
    # The agent knows the ports by which it joined.
    fixed = server_config("m", world.folder)
    for name in ("pop3s", "submissions"):
        fixed = fixed.replace(f'{name} = ["127.0.0.1:0"]', f'{name} = ["{first[name][0]}"]')
    world.write("M.toml", fixed)
    added = world.run("user", "add", "bob", "--json", config=config)
    world.run("group", "add", "board", "--member", "bob", "--title", "Board", config=config)
    passphrase = world.write("m.pass", PASSPHRASE + "\n")
    agent = world.write("MB.toml", agent_config("mb", world.folder))
    joined = world.run("join", added.json["invite"], "--passphrase-file", passphrase, "--no-browser", config=agent)
    need("an agent of the node", joined.code == 0, joined)
    turned = world.run("keyring", "rotate", config=config)
    report.check("keyring rotate of a running node", turned.code == 0 and "seal key 2 is announced from now on" in turned.text, turned)
    status = world.run("status", "--json", config=config).json["server"]
    report.check("status tells which it is", status["seal_key"]["number"] == 2 and status["seal_key"]["age_days"] == 0, status)
    report.check("for people too", re.search(r"seal key +number 2, made today   1 of before", world.run("status", config=config).text))
    sent = world.run("send", "-s", "After the change", "--passphrase-file", passphrase, "bob", input=b"hello\n", config=agent)
    report.check("the agent sends under the key of before", sent.code == 0, sent)
    with open(world.path("mb/agent/account.json")) as account:
        known = json.load(account)
    report.check("and knows the next one by then", known["node_seal_key"] == 2
                 and known["node_recipient"] == status["seal_recipient_pq"], known)
    secret, recipient = identity(world, "backup.txt")
    file = world.path("node.age")
    expect("a backup for nobody", world.run("backup", "create", file, config=config), 64, "--recipient")
    made = world.run("backup", "create", file, "--recipient", recipient, "--json", config=config)
    need("backup create of a running node", made.code == 0 and made.json["users"] == 1 and made.json["groups"] == 1, made)
    expect("a backup is never overwritten", world.run("backup", "create", file, "--recipient", recipient, config=config), 73)
    report.check("it is private", os.stat(file).st_mode & 0o077 == 0)
    result = world.run("backup", "verify", file, "--identity-file", secret, config=config)
    report.check("backup verify says what it brings back", "1 members, 1 groups" in result.text
                 and "does not bring back: mail" in result.text, result)
    expect("verify with another identity", world.run("backup", "verify", file, "--identity-file", world.path("other.txt")), 77)
    with open(file, "rb") as whole:
        cut = world.write("cut.age", whole.read()[:-20])
    expect("a backup that was cut", world.run("backup", "verify", cut, "--identity-file", secret), 65, "another copy")
    opened = subprocess.run(["age", "-d", "-i", secret, file], capture_output=True)
    report.check("stock age opens it, and there is no seal key in it", opened.returncode == 0 and b'"seal_key":2' in opened.stdout
                 and b"AGE-SECRET-KEY" not in opened.stdout, opened.returncode)
    world.stop(daemon)
    expect("restore over a node", world.run("backup", "restore", file, "--identity-file", secret, config=config), 73, "was left")
    shutil.rmtree(world.path("m"))
    renamed = world.write("M2.toml", fixed.replace(DOMAIN, "other.test"))
    expect("restore under another name", world.run("backup", "restore", file, "--identity-file", secret, config=renamed), 78, DOMAIN)
    restored = world.run("backup", "restore", file, "--identity-file", secret, config=config)
    need("backup restore", restored.code == 0, restored)
    daemon = world.start("run", config=config, log="m2.log")
    world.wait_until_up(daemon, config, "m2.log")
    shown = world.run("group", "show", "board", "--json", config=config)
    report.check("the group is back", shown.json and shown.json["members"] == ["bob"], shown)
    sent = world.run("send", "-s", "After the restore", "--passphrase-file", passphrase, "bob", input=b"still here\n", config=agent)
    report.check("the agent goes on sending", sent.code == 0, sent)
    with open(world.path("mb/agent/account.json")) as account:
        known = json.load(account)
    status = world.run("status", "--json", config=config).json["server"]
    report.check("to a new seal key of a higher number", known["node_seal_key"] == status["seal_key"]["number"] > 2
                 and status["seal_recipient_pq"] == known["node_recipient"] and status["seal_key"]["earlier"] == [], known)
    world.run("fetch", config=agent)
    listed = world.run("list", "--json", "--passphrase-file", passphrase, config=agent)
    copies = [row for row in listed.json or [] if row["subject"] == "After the restore"]
    report.check("and fetching: its own copy and the one through the node", len(copies) == 2, listed)
    world.stop(daemon)
