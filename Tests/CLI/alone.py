"""What needs no node: words, the manual page, configuration, prompts, and the demo."""
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import termios
import time

from harness import (
    PATIENCE, Dialog, Result, agent_config, expect, need, report, server_config, wait_for)


def part_words(world):
    """Help, versions, completions, unknown words."""
    result = world.run("--version")
    names = ["ddsnode 0.1.0", "libuv", "libsodium", "OpenSSL", "GMime", "libmicrohttpd"]
    expect("--version names the program and its libraries", result, 0, *names, stream="out")
    expect("help is a result, not an error", world.run("help"), 0, "SUBCOMMANDS", stream="out")
    expect("help of a command", world.run("help", "user", "add"), 0, "--recipient", stream="out")
    expect("-h behind a command", world.run("send", "-h"), 0, "--subject", stream="out")
    expect("an unknown command gets a guess", world.run("stauts"), 64, 'did you mean "status"?')
    expect("an unknown verb gets a guess", world.run("user", "ad", "bob"), 64, 'did you mean "user add"?')
    expect("an unknown command without a guess", world.run("frobnicate"), 64, "ddsnode: there is no command")
    expect("an unknown option", world.run("status", "--jsn"), 64, "ddsnode: ")
    expect("a missing argument", world.run("user", "add"), 64, "name")
    expect("a role that does not exist", world.run("--role", "gardener"), 78, "gardener")
    for shell in ("bash", "zsh", "fish"):
        expect(f"completion {shell}", world.run("completion", shell), 0, "ddsnode", stream="out")
    if shutil.which("bash"):
        script = world.write("completion.bash", world.run("completion", "bash").out)
        checked = subprocess.run(["bash", "-n", script], capture_output=True)
        report.check("bash takes its completion script", checked.returncode == 0, checked.stderr)
    result = world.run()
    report.check(
        "without a configuration the program says how to start",
        result.code == 3 and b"ddsnode demo" in result.err and b"join INVITE" in result.err, result)


def part_torture(world):
    """The shipped simulator: no configuration, no file, a summary, and the same numbers for the same schedule."""
    before = sorted(os.listdir(world.folder))
    result = world.run("spool", "torture", "--time", "5s", "--json")
    need("torture says JSON", result.code == 0 and result.json is not None, result)
    summary = result.json
    report.check("torture breaks things and loses nothing", summary["lost"] == 0 and summary["doubled"] == 0
                 and summary["broken_otherwise"] == 0 and summary["crashes"] > 0 and summary["accepted"] > 0
                 and summary["sweep_done"] > 0, summary)
    expect("torture sums up in words", world.run("spool", "torture", "--seed", "3", "--runs", "2"), 0,
           "messages accepted", "every promise was kept", stream="out")
    first, second = (world.run("spool", "torture", "--seed", "7", "--runs", "1", "--json") for _ in range(2))
    report.check("a seed is the same schedule every time", first.code == 0 and first.out == second.out, first)
    expect("a time without a unit", world.run("spool", "torture", "--time", "5"), 64, "60s")
    report.check("torture leaves no file", sorted(os.listdir(world.folder)) == before)


def part_manual(world, page):
    """The manual page against the parser, both ways."""
    if not page:
        return report.skip("manual page", "no page found; give --man")
    dump = world.run("--experimental-dump-help")
    need("the parser describes itself", dump.json is not None, dump)
    parser = {}

    def walk(command, path):
        children = [child for child in command.get("subcommands", []) if child["commandName"] != "help"]
        names = set()
        for argument in command.get("arguments", []):
            for name in argument.get("names") or []:
                if name["kind"] in ("long", "short"):
                    names.add(("--" if name["kind"] == "long" else "-") + name["name"])
        parser[path] = (names, bool(children))
        for child in children:
            walk(child, (path + " " + child["commandName"]).strip())

    walk(dump.json["command"], "")
    common = parser[""][0]
    wanted = {path: names - common for path, (names, is_group) in parser.items() if path and not is_group}
    with open(page) as file:
        text = file.read()
    report.check("the manual has every global option", common == options(section(text, "OPTIONS"), ".It"),
                 f"parser {sorted(common)}, page {sorted(options(section(text, 'OPTIONS'), '.It'))}")
    found = {}
    for line in section(text, "COMMANDS").splitlines():
        match = re.match(r"\.It Cm ([a-z]+(?: [a-z]+)*?)(?= (?:Cm|Ar|Oo|Op|Fl)\b|$)", line)
        if match:
            words = match.group(1)
            if words.startswith("help"):
                continue
            found.setdefault(words, set()).update(options(line, ".It"))
    report.check("the manual has every command and no other", set(found) == set(wanted),
                 f"only in the parser {sorted(set(wanted) - set(found))}, only in the page {sorted(set(found) - set(wanted))}")
    for command in sorted(set(found) & set(wanted)):
        if found[command] != wanted[command]:
            report.check(f"the manual has the options of {command}", False, f"parser {wanted[command]}, page {found[command]}")
    report.check("the manual has the options of each command",
                 all(found[command] == wanted[command] for command in set(found) & set(wanted)))
    if shutil.which("mandoc"):
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True)
        report.check("mandoc finds nothing in the page", lint.returncode == 0 and not lint.stdout, lint.stdout.decode())
    else:
        report.skip("mandoc", "not installed")


def section(page, name):
    match = re.search(rf"^\.Sh {name}\n(.*?)(?=^\.Sh |\Z)", page, re.S | re.M)
    return match.group(1) if match else ""


def options(text, macro):
    names = set()
    for line in text.splitlines():
        if line.startswith(macro + " "):
            names.update("-" + name for name in re.findall(r"\bFl (-?[a-z-]+)", line))
    return names


def part_configuration(world):
    """init, config, and wrong configurations."""
    init_writes_configuration(world)
    bad = world.path("init/bad.toml")
    result = world.run("init", "server", "--listen", "not an address", config=bad)
    report.check("init refuses a wrong --listen and writes nothing", result.code == 64 and not os.path.exists(bad), result)

    config = world.write("typo.toml", '[agent.lock]\nidel = "15m"\n')
    expect("a typo is shown with place and guess", world.run("config", "check", config=config), 78,
           f'{config}:2:1: unknown key "idel", did you mean "idle"?')
    expect("run --check-config is the same", world.run("run", "--check-config", config=config), 78, ":2:1:")
    expect("a daemon does not start with it", world.run("--role", "agent", config=config), 78, ":2:1:")
    expect("a relative --config", world.run("config", "check", config="typo.toml"), 78, "typo.toml:2:1:")
    expect("--config behind the command", world.run("config", "check", "--config", config), 78, ":2:1:")
    config = world.write("broken.toml", "[node\n")
    expect("broken TOML", world.run("config", "check", config=config), 78, "broken.toml:1:")
    config = world.write("range.toml", '[server.limits]\nmessage_size = "1B"\n')
    expect("a value out of range", world.run("config", "check", config=config), 78, "range.toml:2:")
    config = world.write("bytes.toml", b"# \xff\n")
    expect("a file that is no text", world.run("config", "check", config=config), 78, "UTF-8")
    expect("a missing file", world.run("status", config=world.path("none.toml")), 66, "none.toml")
    config = world.write("empty.toml", "")
    expect("run without roles", world.run("run", config=config, environment={"HOME": world.folder}), 78, "roles")
    for kind in ("server", "agent", "both"):
        example = world.run("config", "example", kind)
        config = world.write(f"example-{kind}.toml", example.out)
        report.check(f"config example {kind} is right", world.run("config", "check", config=config).code == 0, example)
    printed = world.run("config", "print", "--json", config=world.write("print.toml", '[log]\nlevel = "debug"\n'))
    rows = {row["key"]: row for row in printed.json or []}
    report.check("config print says values and origins", rows.get("log.level", {}).get("value") == '"debug"'
                 and rows["log.level"]["origin"].endswith("print.toml:2") and rows["log.addresses"]["origin"] == "default", printed)
    paths = world.run("config", "paths", "--json", config=world.write("paths.toml", server_config("p", world.folder)))
    report.check("config paths", (paths.json or {}).get("control_socket") == f"{world.folder}/p/run/control.sock", paths)


def init_writes_configuration(world):
    """Without rights on /var/lib, so that the standard state folder of this machine is never touched."""
    folder = world.path("init")
    os.makedirs(folder)
    path = f"{folder}/S.toml"
    command = [world.binary]
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            return report.skip("init writes a configuration", "no setpriv")
        os.chmod(world.folder, 0o711)
        os.chmod(folder, 0o777)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", shutil.copy(world.binary, folder)]
    words = ["--config", path, "init", "server", "--name", "mail.example.org", "--domain", "example.org", "--listen", "127.0.0.1"]
    done = subprocess.run(command + words, capture_output=True, env=world.environment, cwd=folder)
    result = Result(done.returncode, done.stdout, done.stderr)
    expect("init where the state folder cannot be made", result, 73, "/var/lib/ddsnode")
    need("init writes the configuration first", os.path.exists(path), result)
    with open(path) as file:
        text = file.read()
    report.check("init writes what was asked", all(
        line in text.splitlines() for line in
        ['name = "example.org"', 'host = "mail.example.org"', 'pop3s = ["127.0.0.1:995"]', 'submissions = ["127.0.0.1:465"]']), text)
    report.check("the file that init writes is right", world.run("config", "check", config=path).code == 0)
    expect("init never changes a file", world.run("init", "agent", "--listen", "127.0.0.1", config=path), 73, "left as it is")


def part_terminal(world):
    """What a person at a terminal is asked. Uses the node that part_stopped_server made."""
    config = world.path("S.toml")
    if not os.path.exists(config):
        return report.skip("prompts", "there is no node")
    world.run("user", "add", "hugo", "--no-invite", config=config)
    dialog = Dialog(world, "--config", config, "user", "remove", "hugo")
    dialog.until("go on")
    code = dialog.answer("no\r")
    report.check("removing asks for the name", code == 130 and world.run("user", "show", "hugo", config=config).code == 0, dialog)
    dialog = Dialog(world, "--config", config, "user", "remove", "hugo")
    dialog.until("go on")
    code = dialog.answer("hugo\r")
    report.check("and takes it", code == 0 and world.run("user", "show", "hugo", config=config).code == 67, dialog)
    agent = world.write("H.toml", agent_config("h", world.folder))
    words = ["--config", agent, "join", "dds://127.0.0.1/7Q2KM4VX9TREA1ZPC3HD8NWY5B?p=1.1#H6CW0JNB4RTX"]
    dialog = Dialog(world, *words)
    dialog.until("Passphrase:")
    dialog.send("first sekret\r")
    dialog.until("Again:")
    code = dialog.answer("other sekret\r")
    report.check("join asks twice and compares", code == 65 and "different" in dialog.text, dialog)
    report.check("without echo", "sekret" not in dialog.text, dialog)
    report.check("and offers to make a passphrase", "Enter alone" in dialog.text, dialog)
    # With a folder of its own: a join that cannot reach the node has made the key.
    dialog = Dialog(world, "--config", world.write("H2.toml", agent_config("h2", world.folder)), *words[2:])
    dialog.until("Passphrase:")
    dialog.send("\r")
    dialog.until("Type it:")
    made = re.search(r"(\w{5}-){5}\w{5}", dialog.text)
    code = dialog.answer((made.group(0) if made else "") + "\r")
    report.check("Enter has six words made, which are typed once", made and code == 69, dialog)
    dialog = Dialog(world, *words)
    dialog.until("Passphrase:")
    quiet = not termios.tcgetattr(dialog.slave)[3] & termios.ECHO
    code = dialog.answer("half\x03")
    restored = termios.tcgetattr(dialog.slave)[3] & termios.ECHO
    report.check("Ctrl-C at a prompt leaves the terminal as it was", code == 130 and quiet and restored, dialog)
    dialog = Dialog(world, *words)
    dialog.until("Passphrase:")
    dialog.send("wrö\x7f\x7fong\x15right proper words\r")
    dialog.until("Again:")
    code = dialog.answer("right proper words\r")
    report.check("a passphrase can be corrected while typing", code == 69, dialog)
    result = world.run("user", "list", "--color", "always", config=config)
    report.check("no colours in a plain table", b"\x1b" not in result.out, result)


def is_corpus_above(path):
    """Whether the demo finds the corpus from there."""
    return any(os.path.isdir(os.path.join(folder, "shared/corpus/mail")) for folder in (path, *pathlib.PurePath(path).parents))


def part_demo(world):
    """The demo: ready within a minute (WEB.md A1), mail from many, a page, a page, and a clean end."""
    began = time.monotonic()
    demo = subprocess.Popen(
        [world.binary, "demo", "--no-browser", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        env=world.environment, cwd=os.getcwd())
    world.processes.append(demo)
    text = b""
    while demo.poll() is None and time.monotonic() - began < 120:
        if select.select([demo.stdout], [], [], 0.2)[0]:
            text += os.read(demo.stdout.fileno(), 65536)
        try:
            described = json.loads(text)
            break
        except ValueError:
            described = None
    took = time.monotonic() - began
    need("demo gets ready", described is not None,
         f"after {took:.1f} s, exit {demo.poll()}: {text} {demo.stderr.read() if demo.poll() is not None else b''}")
    name = f"within a minute ({took:.1f})"
    if took >= 60 and os.getloadavg()[0] > 2 * os.cpu_count():
        report.skip(name, "this machine is busy with other things")
    else:
        report.check(name, took < 60)
    report.check("two members", [member["name"] for member in described["members"]] == ["alice", "bob"], described)
    children = [int(pid) for pid in open(f"/proc/{demo.pid}/task/{demo.pid}/children").read().split()]
    report.check("three processes", len(children) == 3, children)
    subjects = wait_for(lambda: [row["subject"] for row in world.run("list", "--json", config=described["members"][1]["config"]).json or []
                                 if row["state"] == "received" and row["subject"] == "Only for you"])
    report.check("bob's inbox has mail", bool(subjects), world.run("list", config=described["members"][1]["config"]))
    if is_corpus_above(os.getcwd()) or is_corpus_above(os.path.realpath(world.binary)):
        rows = world.run("list", "--json", "--group", "lists", config=described["members"][1]["config"]).json or []
        report.check("and mail of the corpus", len(rows) >= 20, len(rows))
        rows = world.run("list", "--json", config=described["members"][0]["config"]).json or []
        report.check("alice has sixty messages", len(rows) >= 60, len(rows))
    else:
        report.skip("mail of the corpus", "there is no ../shared/corpus/mail")
    for member in described["members"]:
        host, port = re.match(r"http://([^:/]+):(\d+)", member["open_url"]).groups()
        with socket.create_connection(("127.0.0.1", int(port)), timeout=PATIENCE) as connection:
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            answer = connection.recv(64)
        report.check(f"{member['name']}'s page answers", answer.startswith(b"HTTP/1.1 "), answer)
        report.check(f"{member['name']}'s passphrase opens", world.run(
            "unlock", "--passphrase-file", "-", input=member["passphrase"].encode(), config=member["config"]).code == 0)
    demo.send_signal(signal.SIGINT)
    try:
        code = demo.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        code = "still running"
    report.check("Ctrl-C ends it with status 0", code == 0, code)
    report.check("no process is left", not any(os.path.exists(f"/proc/{pid}") for pid in children))
    report.check("and no folder", not os.path.exists(described["folder"]))
    used = world.path("used")
    os.makedirs(used)
    world.write("used/file", "x")
    expect("a demo folder with something in it", world.run("demo", "--dir", used), 73, "new folder")
