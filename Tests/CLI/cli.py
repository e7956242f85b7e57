#!/usr/bin/env python3
"""Drives the real ddsnode binary as scripts and people do: the contract of CLI.md section 8, exit codes, and bad input.

usage: cli.py BINARY [--man PAGE] [--only WORD] [--keep]

Standard library only. Everything happens in a temporary folder and on free ports. One line per check; the last line is
`N passed, N failed, N skipped`, and the exit status says whether all passed.
"""
import argparse
import json
import os
import poplib
import re
import select
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time

DOMAIN = "node.test"
PASSPHRASE = "correct horse battery"
PASSWORD = "carol's own password"
# A machine that also builds is slow; a healthy run needs a fraction of this.
PATIENCE = 30


class Report:
    passed = failed = skipped = 0

    def check(self, name, good, detail=""):
        if good:
            self.passed += 1
            print(f"ok    {name}")
        else:
            self.failed += 1
            print(f"FAIL  {name}" + (f"\n      {str(detail)[:1200]}" if detail != "" else ""))
        sys.stdout.flush()
        return good

    def skip(self, name, why):
        self.skipped += 1
        print(f"skip  {name}: {why}", flush=True)


class Failed(Exception):
    """A check failed that everything behind it in its part needs."""


report = Report()


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def text(self):
        return self.out.decode(errors="replace")

    @property
    def json(self):
        try:
            return json.loads(self.out)
        except ValueError:
            return None

    def __str__(self):
        return f"exit {self.code}, out {self.out[:400]!r}, err {self.err[:600]!r}"


class World:
    """A temporary folder, the binary, and every process started, so that none outlives the test."""

    def __init__(self, binary):
        self.binary = os.path.abspath(binary)
        self.folder = tempfile.mkdtemp(prefix="ddscli.")
        self.processes = []
        self.environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.folder, "TMPDIR": self.folder, "LANG": "C.UTF-8"}
        for name in ("ASAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def run(self, *arguments, input=b"", config=None, cwd=None, environment=None, timeout=PATIENCE * 2):
        command = [self.binary] + (["--config", config] if config else []) + list(arguments)
        done = subprocess.run(
            command, input=input, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd or self.folder, timeout=timeout,
            env={**self.environment, **(environment or {})})
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments, config=None, log="daemon.log"):
        command = [self.binary] + (["--config", config] if config else []) + list(arguments)
        with open(self.path(log), "ab") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.folder, env=self.environment)
        self.processes.append(process)
        return process

    def log(self, name="daemon.log"):
        with open(self.path(name), errors="replace") as file:
            return file.read()

    def wait_until_up(self, process, config, log):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise Failed(f"the daemon ended with {process.returncode}: {self.log(log)[-800:]}")
            result = self.run("status", "--json", config=config)
            if result.code in (0, 1):
                return result.json
            time.sleep(0.1)
        raise Failed(f"the daemon does not answer: {self.log(log)[-800:]}")

    def stop(self, process, number=signal.SIGTERM):
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return "killed"

    def close(self, keep):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        if keep:
            print(f"left in {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


def wait_for(condition, patience=PATIENCE):
    """The first true answer of `condition`, or its last."""
    deadline = time.monotonic() + patience
    while True:
        answer = condition()
        if answer or time.monotonic() > deadline:
            return answer
        time.sleep(0.1)


def expect(name, result, code, *words, stream="err"):
    """Checks the exit status and words of the message."""
    text = (result.err if stream == "err" else result.out).decode(errors="replace")
    missing = [word for word in words if word not in text]
    good = result.code == code and not missing
    return report.check(name, good, f"wanted {code} with {list(words)}; got {result}")


def need(name, good, detail=""):
    if not report.check(name, good, detail):
        raise Failed(name)


def server_config(name, folder, roles='["server"]', more=""):
    return f"""roles = {roles}
[node]
name = "{DOMAIN}"
host = "127.0.0.1"
state_dir = "{folder}/{name}"
runtime_dir = "{folder}/{name}/run"
[server.listen]
pop3s = ["127.0.0.1:0"]
submissions = ["127.0.0.1:0"]
submission = ["127.0.0.1:0"]
[server.spool]
segment_size = "1MiB"
{more}"""


def agent_config(name, folder, more=""):
    return f"""roles = ["agent"]
[node]
state_dir = "{folder}/{name}"
runtime_dir = "{folder}/{name}/run"
[agent]
fetch_every = "2s"
{more}"""


# Parts. Each begins with nothing but the binary, except where it says otherwise.


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


def part_stopped_server(world):
    """init, user, group, invite on a node that does not run."""
    config = world.write("S.toml", server_config("s", world.folder))
    expect("user add before init", world.run("user", "add", "bob", config=config), 66)
    expect("status when nothing runs", world.run("status", config=config), 3, "nothing is running")
    result = world.run("status", "--json", config=config)
    report.check("status --json when nothing runs", result.code == 3 and result.json == {"running": False}, result)
    result = world.run("init", "server", config=config)
    need("--config S.toml init server", result.code == 0, result)
    expect("a second init leaves everything", world.run("init", "server", config=config), 73, "left as it was")
    for folder, _, files in os.walk(world.path("s")):
        for name in files:
            mode = os.stat(os.path.join(folder, name)).st_mode & 0o077
            if mode and not name.endswith(".pem"):
                report.check(f"{name} is private", False, oct(mode))

    added = world.run("user", "add", "bob", "--json", config=config)
    good = added.code == 0 and added.json and added.json.get("address") == f"bob@{DOMAIN}"
    need("user add bob --json", good and added.json.get("invite", "").startswith("dds://"), added)
    report.check("an invite has at most 90 characters", len(added.json["invite"]) <= 90, added.json["invite"])
    shown = world.run("user", "add", "emil", "--display", "Emil \x1b[31mRed", config=config)
    report.check("user add prints the invite and the next command",
                 shown.code == 0 and re.search(r"^  dds://", shown.text, re.M) and "ddsnode join" in shown.text, shown)
    report.check("names cannot colour the terminal", b"\x1b" not in shown.out, shown)
    expect("a name twice", world.run("user", "add", "bob", config=config), 73)
    expect("a name that is none", world.run("user", "add", "bob smith", config=config), 65)
    expect("a user that does not exist", world.run("user", "show", "nobody", config=config), 67, "nobody")
    expect("a group that does not exist", world.run("group", "show", "nothing", config=config), 67, "nothing")
    expect("a member who does not exist", world.run("group", "add", "x", "--member", "nobody", config=config), 67, "nobody")
    result = world.run("group", "add", "board", "--member", "bob", "--mode", "relay", "--post", "members", "--title", "Board",
                       "--owner", "bob", "--json", config=config)
    report.check("group add with everything", result.code == 0 and result.json["members"] == ["bob"]
                 and result.json["owners"] == ["bob"] and result.json["post"] == "members" and result.json["title"] == "Board", result)
    expect("a mode that does not exist", world.run("group", "add", "y", "--mode", "blind", config=config), 65, "relay")
    expect("a posting rule that does not exist", world.run("group", "add", "y", "--post", "some", config=config), 65, "owners")
    result = world.run("group", "member", "add", "board", "emil", "--json", config=config)
    report.check("group member add", result.code == 0 and result.json["members"] == ["bob", "emil"], result)
    result = world.run("group", "member", "remove", "board", "emil", "--json", config=config)
    report.check("group member remove", result.code == 0 and result.json["members"] == ["bob"], result)
    result = world.run("group", "set", "board", "--post", "all", "--json", config=config)
    report.check("group set", result.code == 0 and result.json["post"] == "all", result)
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


def age_recipient(world):
    if not shutil.which("age-keygen"):
        return None
    path = world.path("carol.key")
    if not os.path.exists(path):
        subprocess.run(["age-keygen", "-o", path], check=True, capture_output=True)
    return re.search(r"public key: (age1\S+)", open(path).read()).group(1)


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


def agents(world, config, node):
    passphrase = world.write("bob.pass", PASSPHRASE + "\n")
    wrong = world.write("wrong.pass", "not this one\n")
    bob = world.write("B.toml", agent_config("b", world.folder))
    expect("list before join", world.run("list", "--passphrase-file", passphrase, config=bob), 66, "join")
    expect("fetch before join", world.run("fetch", config=bob), 66, "join")
    expect("unlock without an agent", world.run("unlock", "--passphrase-file", passphrase, config=bob), 69, "ddsnode run")
    expect("open without an agent", world.run("open", "--print-url", config=bob), 69)
    expect("something that is no invite", world.run("join", "hello", "--passphrase-file", passphrase, config=bob), 65, "dds://")
    expect("join with nobody to ask", world.run("join", "dds://127.0.0.1/7Q2KM4VX9TREA1ZPC3HD8NWY5B#H6CW0JNB4RTX", "--no-input",
                                                config=bob), 64, "--passphrase-file")

    invite = world.run("invite", "new", "bob", "--json", config=config).json["invite"]
    burnt = invite[:-3] + ("000" if invite[-3:] != "000" else "111")
    expect("an invite with a wrong secret", world.run("join", burnt, "--passphrase-file", passphrase, "--no-browser", config=bob), 65)
    other_key = re.sub(r"/[0-9A-Z]{26}", "/" + "0" * 26, invite)
    result = world.run("join", other_key, "--passphrase-file", passphrase, "--no-browser", config=bob)
    report.check("an invite for another key", result.code in (65, 76), result)
    dead = re.sub(r"\?p=\d+\.\d+", "?p=1.1", invite)
    expect("a node that does not answer", world.run("join", dead, "--passphrase-file", passphrase, "--no-browser", config=bob), 69)

    joined = world.run("join", invite, "--passphrase-file", passphrase, "--no-browser", config=bob)
    need("join INVITE --passphrase-file FILE --no-browser", joined.code == 0 and f"bob@{DOMAIN}" in joined.text, joined)
    report.check("join says its steps", all(word in joined.text for word in ("key made", "registered", "closed and reopened")), joined)
    expect("join twice", world.run("join", invite, "--passphrase-file", passphrase, "--no-browser", config=bob), 73)
    again = world.write("B2.toml", agent_config("b2", world.folder))
    expect("a used invite", world.run("join", invite, "--passphrase-file", passphrase, "--no-browser", config=again), 65)
    made = world.run("invite", "new", "frank", "--json", config=config).json
    world.run("invite", "revoke", str(made["invite_id"]), config=config)
    expect("a revoked invite", world.run("join", made["invite"], "--passphrase-file", passphrase, "--no-browser", config=again), 65)

    offline(world, bob, passphrase, wrong)
    agent = world.start("--role", "agent", config=bob, log="bob.log")
    status = world.wait_until_up(agent, bob, "bob.log")
    need("--config B.toml --role agent", status["roles"] == ["agent"] and status["agent"]["address"] == f"bob@{DOMAIN}", status)
    report.check("an agent begins locked", status["agent"]["locked"] is True, status)
    expect("list while locked", world.run("list", config=bob), 77, "locked")
    expect("a wrong passphrase", world.run("unlock", "--passphrase-file", wrong, config=bob), 77, "passphrase")
    result = world.run("fetch", "--json", config=bob)
    report.check("fetch while locked", result.code == 0 and isinstance(result.json["fetched"], int), result)
    report.check("unlock --passphrase-file FILE", world.run("unlock", "--passphrase-file", passphrase, config=bob).code == 0)
    world.run("lock", config=bob)
    result = world.run("unlock", "--passphrase-file", "-", input=PASSPHRASE.encode(), config=bob)
    report.check("unlock --passphrase-file -", result.code == 0, result)
    mail(world, config, bob)
    page(world, bob)
    both_agents(world, config, bob, passphrase)
    report.check("lock", world.run("lock", config=bob).code == 0 and world.run("list", config=bob).code == 77)
    report.check("an agent stops with SIGTERM and status 0", world.stop(agent) == 0, world.log("bob.log")[-600:])
    expect("lock without an agent", world.run("lock", config=bob), 0)
    log = world.log("bob.log") + world.log("node.log")
    report.check("no secret is in a log", PASSPHRASE not in log and PASSWORD not in log and invite.split("#")[1] not in log)


def offline(world, bob, passphrase, wrong):
    expect("list without an agent, wrong passphrase", world.run("list", "--passphrase-file", wrong, config=bob), 77)
    result = world.run("list", "--json", "--passphrase-file", passphrase, config=bob)
    report.check("list without an agent", result.code == 0 and isinstance(result.json, list), result)
    result = world.run("send", "-s", "Written offline", "--passphrase-file", passphrase, f"bob@{DOMAIN}", input=b"to myself\n",
                       config=bob)
    report.check("send without an agent", result.code == 0, result)
    result = world.run("fetch", "--json", config=bob)
    report.check("fetch without an agent", result.code == 0 and "fetched" in (result.json or {}), result)
    expect("send with the passphrase on standard input", world.run("send", "--passphrase-file", "-", "bob", config=bob), 64)


def received(world, config, subject):
    def look():
        world.run("fetch", config=config)
        rows = world.run("list", "--json", config=config).json or []
        return next((row for row in rows if row["subject"] == subject and row["state"] == "received"), None)

    return wait_for(look)


def mail(world, config, bob):
    own = received(world, bob, "Written offline")
    report.check("what was sent offline arrived", own is not None)
    attachment = world.write("plan.bin", bytes(range(256)) * 20)
    result = world.run("send", "-s", "Grüße", "-a", attachment, f"board@{DOMAIN}", input="Hallo Gruppe ✓\n".encode(), config=bob)
    report.check("send -s SUBJECT -a FILE board@node.test < body", result.code == 0, result)
    raw = f"To: board@{DOMAIN}\nSubject: By sendmail\nBcc: bob@{DOMAIN}\n\nHeader says it all.\n"
    result = world.run("send", "-t", input=raw.encode(), config=bob)
    report.check("send -t < message", result.code == 0, result)
    for row in (world.run("list", "--json", config=bob).json or []):
        missing = {"id", "from", "to", "subject", "group", "date", "unread", "state"} - set(row)
        if missing:
            report.check("list --json has its fields", False, missing)
            break
    else:
        report.check("list --json has its fields", True)
    result = world.run("list", "--json", "--group", "board", config=bob)
    report.check("list --group", result.code == 0 and {row["group"] for row in result.json} == {"board"}, result)
    sent = next((row for row in result.json or [] if row["subject"] == "Grüße"), None)
    need("the sent message is listed", sent is not None, result)
    result = world.run("show", sent["id"], config=bob)
    report.check("show", result.code == 0 and "Hallo Gruppe ✓" in result.text and "plan.bin" in result.text, result)
    result = world.run("show", sent["id"], "--raw", config=bob)
    report.check("show --raw is the message itself", result.code == 0 and result.out.startswith((b"From:", b"Date:", b"MIME", b"To:", b"Subject:", b"Message-ID:"))
                 and b"\r\n\r\n" in result.out, result)
    expect("show of nothing", world.run("show", "nothing", config=bob), 67, "ddsnode list")
    expect("send to nobody", world.run("send", "-s", "x", config=bob), 64, "-t")
    expect("send to an address that is none", world.run("send", "a b", input=b"x", config=bob), 65)
    expect("send to another node", world.run("send", "x@elsewhere.example", input=b"x", config=bob), 65, "elsewhere")
    expect("an attachment that is missing", world.run("send", "-a", world.path("none"), "bob", input=b"x", config=bob), 66)
    expect("a message without recipients", world.run("send", "-t", input=b"Subject: x\n\nx\n", config=bob), 65)
    unknown = world.run("send", "-s", "Nowhere", f"nobody@{DOMAIN}", input=b"x", config=bob)
    if unknown.code == 0:
        def refused():
            rows = world.run("list", "--json", config=bob).json or []
            return next((row for row in rows if row["subject"] == "Nowhere" and row["state"] == "refused"), None)

        row = wait_for(refused)
        report.check("an unknown recipient is refused in words", row is not None and "nobody" in (row["note"] or ""), row)
    else:
        expect("an unknown recipient", unknown, 67, "nobody")


def page(world, bob):
    result = world.run("open", "--print-url", config=bob)
    report.check("open --print-url", result.code == 0 and re.match(r"http://\S+/open/\S+\n\Z", result.text), result)
    expect("open without a desktop", world.run("open", config=bob), 69, "--print-url")


def both_agents(world, config, bob, passphrase):
    """Frank's agent is a second process; carol has only a mail program."""
    frank = world.write("F.toml", agent_config("f", world.folder))
    # An agent that nobody has joined takes `join` while it runs.
    agent = world.start("--role", "agent", config=frank, log="frank.log")
    world.wait_until_up(agent, frank, "frank.log")
    invite = world.run("invite", "new", "frank", "--json", config=config).json["invite"]
    watch = Cmdlines()
    joined = subprocess.Popen(
        [world.binary, "--config", frank, "join", "-", "--passphrase-file", passphrase, "--no-browser"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=world.environment, cwd=world.folder)
    joined.stdin.write(invite.encode())
    joined.stdin.close()
    while joined.poll() is None:
        watch.look()
        time.sleep(0.01)
    output = joined.stdout.read() + joined.stderr.read()
    need("join - in a running agent", joined.returncode == 0 and b"frank@" in output, output)
    watch.look()
    report.check("no secret is in a process list", not watch.has(PASSPHRASE) and not watch.has(invite.split("#")[1])
                 and not watch.has(PASSWORD) and watch.count > 0)
    world.run("unlock", "--passphrase-file", passphrase, config=frank)
    world.run("group", "member", "add", "board", "frank", config=config)
    members = ["frank"]
    if world.run("user", "show", "carol", config=config).code == 0:
        world.run("group", "member", "add", "board", "carol", config=config)
        members.append("carol")
    result = world.run("send", "-s", "For everybody", f"board@{DOMAIN}", input=b"Thursday at nine?\n", config=bob)
    row = received(world, frank, "For everybody")
    report.check("a message goes from one member to another", row is not None and row["group"] == "board", result)
    if row:
        ours = world.run("list", "--json", config=bob).json
        sent = next(item for item in ours if item["subject"] == "For everybody" and item["state"] != "received")
        there = world.run("show", row["id"], "--raw", config=frank).out
        here = world.run("show", sent["id"], "--raw", config=bob).out
        report.check("and arrives byte for byte", there == here and there, (here[-200:], there[-200:]))
    rows = world.run("list", "--json", config=frank).json or []
    report.check("a late joiner has nothing older", all(item["subject"] not in ("Grüße", "By sendmail") for item in rows), rows)
    if "carol" in members:
        carol(world, config)
    report.check("stop ends a daemon", world.run("stop", config=frank).code == 0 and agent.wait(PATIENCE) == 0)


class Cmdlines:
    """Every word of every process seen."""

    def __init__(self):
        self.words, self.count = set(), 0

    def look(self):
        for name in os.listdir("/proc"):
            if name.isdigit() and name != str(os.getpid()):
                try:
                    with open(f"/proc/{name}/cmdline", "rb") as file:
                        self.words.add(file.read())
                        self.count += 1
                except OSError:
                    pass

    def has(self, secret):
        return any(secret.encode() in words for words in self.words)


def carol(world, config):
    """An ordinary mail program: POP3 over TLS, and age."""
    listen = world.run("status", "--json", config=config).json["server"]["listen"]
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    port = int(listen["pop3s"][0].rsplit(":", 1)[1])

    def fetch():
        box = poplib.POP3_SSL("127.0.0.1", port, context=context, timeout=PATIENCE)
        try:
            box.user("carol")
            box.pass_(PASSWORD)
            count = len(box.list()[1])
            return b"\r\n".join(box.retr(count)[1]) if count else None
        finally:
            box.quit()

    message = wait_for(fetch)
    need("carol fetches with poplib", message is not None)
    armor = re.search(rb"-----BEGIN AGE ENCRYPTED FILE-----.*?-----END AGE ENCRYPTED FILE-----", message, re.S)
    need("her mail is sealed", armor is not None and b"Thursday" not in message, message[:400])
    opened = subprocess.run(["age", "-d", "-i", world.path("carol.key")], input=armor.group(0) + b"\n", capture_output=True)
    report.check("and age opens it", opened.returncode == 0 and b"Thursday at nine?" in opened.stdout, opened.stderr)
    submission = int(listen["submissions"][0].rsplit(":", 1)[1])
    with smtplib.SMTP_SSL("127.0.0.1", submission, context=context, timeout=PATIENCE) as client:
        client.login("carol", PASSWORD)
        refused = client.sendmail(f"carol@{DOMAIN}", [f"board@{DOMAIN}"], "Subject: From Carol\r\n\r\nNine is fine.\r\n")
        report.check("carol answers with smtplib", refused == {}, refused)
    report.check("and bob has it", received(world, world.path("B.toml"), "From Carol") is not None)


def ending(world, config, node):
    with open(config) as file:
        text = file.read()
    world.write("S.toml", text + '\n[server.limits]\nconnectoins = 5\n')
    expect("reload with a wrong file", world.run("reload", config=config), 78, "connections", "stays in force")
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


def part_demo(world):
    """The demo: ready within 20 seconds, an inbox, a page, and a clean end."""
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
    need("demo gets ready", described is not None, text + (demo.stderr.read() if demo.poll() is not None else b""))
    report.check(f"within 20 seconds ({took:.1f})", took < 20)
    report.check("two members", [member["name"] for member in described["members"]] == ["alice", "bob"], described)
    children = [int(pid) for pid in open(f"/proc/{demo.pid}/task/{demo.pid}/children").read().split()]
    report.check("three processes", len(children) == 3, children)
    subjects = wait_for(lambda: [row["subject"] for row in world.run("list", "--json", config=described["members"][1]["config"]).json or []
                                 if row["state"] == "received" and row["subject"] == "Only for you"])
    report.check("bob's inbox has mail", bool(subjects), world.run("list", config=described["members"][1]["config"]))
    if os.path.isdir("../shared/corpus/mail") or os.path.isdir("/work/shared/corpus/mail"):
        rows = world.run("list", "--json", "--group", "general", config=described["members"][1]["config"]).json or []
        report.check("and mail of the corpus", len(rows) >= 10, len(rows))
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


def find_page():
    here = os.path.dirname(os.path.abspath(__file__))
    page = os.path.join(here, "..", "..", "man", "ddsnode.1")
    return os.path.normpath(page) if os.path.exists(page) else None


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("binary")
    arguments.add_argument("--man", default=find_page())
    arguments.add_argument("--only", help="run the parts whose name contains this")
    arguments.add_argument("--keep", action="store_true", help="leave the folder")
    chosen = arguments.parse_args()
    world = World(chosen.binary)
    parts = [
        ("words", part_words), ("manual", lambda world: part_manual(world, chosen.man)), ("configuration", part_configuration),
        ("stopped", part_stopped_server), ("running", part_running), ("both", part_both), ("demo", part_demo)]
    try:
        for name, part in parts:
            if chosen.only and chosen.only not in name and not (chosen.only in "running" and name == "stopped"):
                continue
            try:
                part(world)
            except Failed as problem:
                if str(problem):
                    report.check(f"part {name} goes on", False, problem)
            except Exception as problem:  # A part that breaks is a failure of that part, and the others still run.
                report.check(f"part {name} runs to its end", False, repr(problem))
    finally:
        world.close(chosen.keep)
    print(f"{report.passed} passed, {report.failed} failed, {report.skipped} skipped")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
