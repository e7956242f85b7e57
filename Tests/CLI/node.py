"""A node: administered while it is stopped, running, and as both roles in one process."""
import json
import os
import re
import select
import signal
import subprocess

from agents import agents, received
from harness import (
    DOMAIN, PASSPHRASE, PASSWORD, age_recipient, expect, need, report, server_config, wait_for)


def part_stopped_server(world):
    """init, user, group, invite on a node that does not run."""
    config = world.write("S.toml", server_config("s", world.folder))
    expect("user add before init", world.run("user", "add", "bob", config=config), 66)
    expect("status when nothing runs", world.run("status", config=config), 3, "nothing is running")
    result = world.run("status", "--json", config=config)
    report.check("status --json when nothing runs", result.code == 3 and result.json == {"running": False}, result)
    result = world.run("init", "server", config=config)
    need("--config S.toml init server", result.code == 0, result)
    expect("a second init leaves everything", world.run("init", "server", config=config), 73, "it was left")
    for folder, _, files in os.walk(world.path("s")):
        for name in files:
            mode = os.stat(os.path.join(folder, name)).st_mode & 0o077
            if mode and not name.endswith(".pem"):
                report.check(f"{name} is private", False, oct(mode))

    added = world.run("user", "add", "bob", "--json", config=config)
    good = added.code == 0 and added.json and added.json.get("address") == f"bob@{DOMAIN}"
    need("user add bob --json", good and added.json.get("invite", "").startswith("dds://"), added)
    report.check("an invite has at most 90 characters", len(added.json["invite"]) <= 90, added.json["invite"])
    expect("a display name that moves the cursor", world.run("user", "add", "emil", "--display", "Emil \x1b[31m", config=config), 65)
    shown = world.run("user", "add", "emil", "--display", "Emil Östberg", config=config)
    report.check("user add prints the invite and the next command",
                 shown.code == 0 and "(Emil Östberg)" in shown.text and re.search(r"^  dds://", shown.text, re.M)
                 and "ddsnode join" in shown.text, shown)
    expect("a name twice", world.run("user", "add", "bob", config=config), 73)
    expect("a name that is none", world.run("user", "add", "bob smith", config=config), 65)
    expect("a user that does not exist", world.run("user", "show", "nobody", config=config), 67, "nobody")
    expect("a group that does not exist", world.run("group", "show", "nothing", config=config), 67, "nothing")
    expect("a member who does not exist", world.run("group", "add", "x", "--member", "nobody", config=config), 67, "nobody")
    result = world.run("group", "add", "board", "--member", "bob", "--mode", "relay", "--post", "members", "--title", "Board",
                       "--owner", "bob", "--json", config=config)
    report.check("group add with everything", result.code == 0 and result.json["members"] == ["bob"]
                 and result.json["owners"] == ["bob"] and result.json["post"] == "members" and result.json["title"] == "Board", result)
    expect("a mode that does not exist", world.run("group", "add", "y", "--mode", "open", config=config), 65,
           "--mode takes relay, blind or sealed")
    expect("a posting rule that does not exist", world.run("group", "add", "y", "--post", "some", config=config), 65, "owners")
    result = world.run("group", "member", "add", "board", "emil", "--json", config=config)
    report.check("group member add", result.code == 0 and result.json["members"] == ["bob", "emil"], result)
    result = world.run("group", "member", "remove", "board", "emil", "--json", config=config)
    report.check("group member remove", result.code == 0 and result.json["members"] == ["bob"], result)
    result = world.run("group", "set", "board", "--post", "all", "--json", config=config)
    report.check("group set", result.code == 0 and result.json["post"] == "all", result)
    for mode in ("blind", "sealed", "relay"):
        result = world.run("group", "set", "board", "--mode", mode, "--json", config=config)
        report.check(f"group set to mode {mode}", result.code == 0 and result.json["mode"] == mode, result)
    expect("group set of nothing", world.run("group", "set", "board", config=config), 64, "--title")
    world.run("group", "set", "board", "--post", "members", config=config)
    result = world.run("group", "list", config=config)
    report.check("group list", result.code == 0 and f"board@{DOMAIN}" in result.text, result)
    result = world.run("user", "list", "--json", config=config)
    report.check("user list --json", [user["name"] for user in result.json or []] == ["bob", "emil"], result)
    result = world.run("user", "suspend", "emil", "--json", config=config)
    report.check("user suspend", result.code == 0 and "suspended" in result.json["state"], result)
    report.check("user resume", world.run("user", "resume", "emil", config=config).code == 0)
    expect("removing wants a yes", world.run("user", "remove", "emil", "--no-input", config=config), 64, "--yes")
    report.check("user remove -y", world.run("user", "remove", "emil", "-y", config=config).code == 0)
    expect("and then the user is gone", world.run("user", "show", "emil", config=config), 67)

    made = world.run("invite", "new", "bob", "--expires", "2h", "--json", config=config)
    report.check("invite new", made.code == 0 and made.json["invite"].startswith("dds://"), made)
    expect("invite new with no duration", world.run("invite", "new", "bob", "--expires", "soon", config=config), 64, "7d")
    listed = world.run("invite", "list", "--json", config=config)
    open_ones = [row for row in listed.json or [] if row["state"] == "open" and row["user"] == "bob"]
    report.check("invite list", len(open_ones) >= 1, listed)
    report.check("no invite's secret is listed", made.json["invite"].split("#")[1] not in listed.text, listed)
    number = str(made.json["invite_id"])
    report.check("invite show", (world.run("invite", "show", number, "--json", config=config).json or {}).get("state") == "open")
    report.check("invite revoke", world.run("invite", "revoke", number, config=config).code == 0)
    report.check("a revoked invite says so",
                 (world.run("invite", "show", number, "--json", config=config).json or {}).get("state") == "revoked")
    expect("an invite that does not exist", world.run("invite", "show", "0", config=config), 67)
    expect("an invite's number that is none", world.run("invite", "show", "first", config=config), 64)

    carol_key = age_recipient(world)
    if carol_key is None:
        return report.skip("user add --recipient", "age is not installed")
    password = world.write("carol.pw", PASSWORD + "\n")
    result = world.run("user", "add", "carol", "--recipient", carol_key, "--password-file", password, "--json", config=config)
    report.check("user add carol --recipient --password-file", result.code == 0 and result.json["login"] == "password"
                 and result.json["recipient"] == carol_key and "invite" not in result.json, result)
    result = world.run("user", "add", "dora", "--recipient", carol_key, "--password-file", "-", input=b"dora's password",
                       config=config)
    report.check("--password-file - reads standard input", result.code == 0, result)
    expect("a recipient without a password", world.run("user", "add", "f", "--recipient", carol_key, config=config), 64,
           "--password-file")
    expect("a recipient that is none", world.run("user", "add", "f", "--recipient", "age1nonsense", "--password-file", password,
                                                 config=config), 65, "age1nonsense")
    expect("a short password", world.run("user", "add", "f", "--recipient", carol_key, "--password-file", "-", input=b"short",
                                         config=config), 65, "8 characters")
    expect("a password file that is missing", world.run("user", "add", "f", "--recipient", carol_key, "--password-file",
                                                        world.path("none"), config=config), 66)
    expect("an empty password", world.run("user", "add", "f", "--recipient", carol_key, "--password-file", "-", input=b"\n",
                                          config=config), 65)
    report.check("nothing of the refused ones exists", world.run("user", "show", "f", config=config).code == 67)


def part_running(world):
    """A running node and agents. Uses the node that part_stopped_server made."""
    config = world.path("S.toml")
    node = world.start("--role", "server", config=config, log="node.log")
    status = world.wait_until_up(node, config, "node.log")
    need("--config S.toml --role server", status["roles"] == ["server"], status)
    server = status["server"]
    report.check("status --json of a server", status["running"] is True and server["node"] == DOMAIN
                 and isinstance(server["users"], int) and status["problems"] == [] and status["pid"] == node.pid, status)
    result = world.run("status", config=config)
    report.check("status for people", result.code == 0 and result.text.startswith("server") and DOMAIN in result.text, result)
    report.check("without a command the status is shown", world.run(config=config).text[:6] == "server")
    expect("a spool in use", world.run("--role", "server", config=config), 75)
    other = world.write("T.toml", server_config("s", world.folder).replace("/s/run", "/t/run"))
    expect("user add with another daemon's store", world.run("user", "list", config=other), 75)
    port_in_use(world, server)

    frank = world.run("user", "add", "frank", "--json", config=config)
    need("user add with the daemon running", frank.code == 0 and frank.json["invite"].startswith("dds://"), frank)
    first = world.run("user", "show", "bob", "--json", config=config)
    report.check("what was done while it was stopped is there", (first.json or {}).get("groups") == ["board"], first)
    events(world, config)
    try:
        agents(world, config, node)
    finally:
        ending(world, config, node)


def port_in_use(world, server):
    port = int(server["listen"]["pop3s"][0].rsplit(":", 1)[1])
    config = world.write("busy.toml", server_config("busy", world.folder).replace(
        'pop3s = ["127.0.0.1:0"]', f'pop3s = ["127.0.0.1:{port}"]'))
    world.run("init", "server", config=config)
    expect("a port in use", world.run("--role", "server", config=config), 69, f"127.0.0.1:{port}", "pop3s")


def events(world, config):
    result = world.run("events", "--json", config=config)
    lines = [json.loads(line) for line in result.text.splitlines()]
    report.check("events --json", result.code == 0 and lines and all("event" in line for line in lines), result)
    follower = subprocess.Popen(
        [world.binary, "--config", config, "events", "--follow", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=world.environment)
    world.processes.append(follower)
    wait_for(lambda: select.select([follower.stdout], [], [], 0.1)[0])
    world.run("user", "add", "gina", "--no-invite", config=config)
    seen = b""

    def read():
        nonlocal seen
        if select.select([follower.stdout], [], [], 0.1)[0]:
            seen += os.read(follower.stdout.fileno(), 65536)
        return b"gina" in seen or b"member" in seen

    report.check("events --follow shows what happens", wait_for(read), seen[-400:])
    report.check("events name nobody", b"gina" not in seen, seen[-400:])
    world.stop(follower, signal.SIGINT)


def ending(world, config, node):
    with open(config) as file:
        text = file.read()
    world.write("S.toml", text + '\n[server.limits]\nconnectoins = 5\n')
    expect("reload with a wrong file", world.run("reload", config=config), 78, 'did you mean "connections"?')
    world.write("S.toml", text + '\n[server.limits]\nconnections = 500\n')
    report.check("reload", world.run("reload", config=config).code == 0)
    before = world.log("node.log").count("configuration loaded again")
    node.send_signal(signal.SIGHUP)
    report.check("SIGHUP reloads", wait_for(lambda: world.log("node.log").count("configuration loaded again") > before),
                 world.log("node.log")[-600:])
    node.send_signal(signal.SIGUSR1)
    report.check("SIGUSR1 writes the state to the log", wait_for(lambda: "lag_p99_us" in world.log("node.log")))
    report.check("and the daemon still runs", world.run("status", config=config).code == 0)
    code = world.stop(node)
    report.check("a server stops with SIGTERM and status 0", code == 0, f"{code}: {world.log('node.log')[-600:]}")
    expect("and then status is 3", world.run("status", config=config), 3)
    expect("stop when nothing runs", world.run("stop", config=config), 69, "nothing is running")
    world.write("S.toml", text)
    node = world.start("run", config=config, log="node.log")
    world.wait_until_up(node, config, "node.log")
    report.check("a server stops with SIGINT and status 0", world.stop(node, signal.SIGINT) == 0)
    report.check("what was done while it ran is there", world.run("user", "show", "frank", config=config).code == 0)


def part_both(world):
    """Both roles in one process."""
    config = world.write("both.toml", server_config("both", world.folder, roles='["server", "agent"]'))
    need("init both", world.run("init", "both", config=config).code == 0)
    passphrase = world.write("both.pass", PASSPHRASE)
    process = world.start("--role", "both", config=config, log="both.log")
    status = world.wait_until_up(process, config, "both.log")
    report.check("--config B.toml --role both", status["roles"] == ["server", "agent"], status)
    result = world.run("status", config=config)
    report.check("status is 1 with problems", result.code == 1 and "join" in result.text, result)
    invite = world.run("user", "add", "ida", "--json", config=config).json["invite"]
    joined = world.run("join", invite, "--passphrase-file", passphrase, "--no-browser", config=config)
    need("join in the same process", joined.code == 0, joined)
    report.check("unlock in the same process", world.run("unlock", "--passphrase-file", passphrase, config=config).code == 0)
    world.run("send", "-s", "To myself", "ida", input=b"over loopback\n", config=config)
    report.check("mail over loopback", received(world, config, "To myself") is not None, world.log("both.log")[-600:])
    report.check("both stop with SIGTERM and status 0", world.stop(process) == 0, world.log("both.log")[-600:])
