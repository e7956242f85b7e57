#!/usr/bin/env python3
"""What processes that hold keys leave of them: in their memory, read through /proc/PID/mem after the lock, in their arguments,
environment and logs; and the lock that executes the program anew. The real binary; reading foreign memory takes root.

usage: memory.py [PART...]
"""
import ctypes
import os
import re
import resource
import shutil
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from nodekit import DOMAIN, Agent, Node, letter, path, run, token, until

BOARD = f"board@{DOMAIN}"
# QUIT, ILL, TRAP, ABRT, BUS, FPE, SEGV: what the Swift runtime would answer with a report of registers and memory.
CRASHES = (3, 4, 5, 6, 7, 8, 11)
O_CLOEXEC = 0o2000000
PIECE = 16 << 20


def spellings(name, text):
    """A text as it may lie in memory."""
    return {f"{name} in UTF-8": text.encode(), f"{name} in UTF-16": text.encode("utf-16-le")}


def found(pid, needles):
    """Which needles lie in the memory of a process, and about how often: all that is writable, and what belongs to no file, as
    keys lie in pages that are read-only once they are filled."""
    counts = dict.fromkeys(needles, 0)
    longest = max(len(needle) for needle in needles.values())
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            words = line.split()
            if words[1][0] != "r" or words[1][1] != "w" and len(words) > 5:
                continue
            start, end = (int(word, 16) for word in words[0].split("-"))
            rest = b""
            while start < end:
                memory.seek(start)
                try:
                    data = memory.read(min(PIECE, end - start))
                except OSError:
                    break
                if not data:
                    break
                for name, needle in needles.items():
                    counts[name] += (rest + data).count(needle)
                # So short that nothing is counted twice.
                rest = data[-(longest - 1):] if longest <= len(data) else b""
                rest = b"" if any(needle in rest for needle in needles.values()) else rest
                start += len(data)
    return {name: count for name, count in counts.items() if count}


def vault(agent):
    """The secrets of the key file by Debian's age, which asks for the passphrase at a terminal."""
    import pty
    opened = path(agent.name, "opened-vault")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp("age", ["age", "-d", "-o", opened, os.path.join(agent.state, "agent", "keys.age")])
    said = b""
    while b"passphrase" not in said.lower():
        said += os.read(terminal, 1024)
    os.write(terminal, agent.passphrase.encode() + b"\n")
    while True:
        try:
            if not os.read(terminal, 1024):
                break
        except OSError:
            break
    os.waitpid(pid, 0)
    with open(opened) as file:
        text = file.read()
    os.unlink(opened)
    secrets = {}
    for word in text.split():
        if re.fullmatch("[0-9a-f]{64}", word):
            number = len(secrets) // 2
            secrets[f"key {number} of the vault"] = bytes.fromhex(word)
            secrets[f"key {number} of the vault in hexadecimal"] = word.encode()
        elif word.startswith("AGE-SECRET-KEY-"):
            secrets["mailbox key"] = word.encode()
    return secrets


def agent_of(node, name, extra="", groups=("board",)):
    """A member's agent whose passphrase is in no other text."""
    agent = Agent(name, extra)
    agent.passphrase = f"{token()} {token()}"
    nodekit.write(agent.passphrase_file, agent.passphrase)
    agent.join(node.invite(name, groups))
    return agent


class World:
    def __init__(self):
        self.node = Node().init().start()
        self.carol = self.node.add_ordinary("carol")
        self.node.must("group", "add", "board", "--member", "carol")
        self.alice = agent_of(self.node, "alice").start()
        self.secrets = vault(self.alice)
        self.subject, self.body = token(), token()

    def needles(self):
        return {**spellings("subject", self.subject), **spellings("body", self.body),
                **spellings("passphrase", self.alice.passphrase), **self.secrets}

    def post(self, subject, body):
        code, text = self.carol.post([BOARD], letter(self.carol.address, BOARD, subject, body + "\n"))
        assert code == 250, f"{code} {text}"

    def read_mail(self):
        """Unlocks, and looks at a message in all the ways that the command line has."""
        alice = self.alice
        alice.unlock()
        self.post(self.subject, self.body)
        identity = alice.waits_for(self.subject)["id"]
        alice.must("show", identity)
        alice.raw(identity)
        alice.send(f"Re: {self.subject}", f"> {self.body}\nYes.\n", BOARD)


def status_of(pid):
    with open(f"/proc/{pid}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def hygiene(checks, world):
    """What each daemon has switched off."""
    for daemon in (world.node, world.alice):
        pid = daemon.process.pid
        status = status_of(pid)
        caught = int(status["SigCgt"], 16)
        checks.equal(f"{daemon.name}: no handler of a crash", [number for number in CRASHES if caught >> number - 1 & 1], [])
        checks.equal(f"{daemon.name}: no new privileges", status["NoNewPrivs"], "1")
        with open(f"/proc/{pid}/limits") as file:
            cores = next(line for line in file if line.startswith("Max core file size")).split()[4:6]
        checks.equal(f"{daemon.name}: no core dumps", cores, ["0", "0"])
        memory = daemon.status()["memory"]
        checks.ok(f"{daemon.name}: traced by nobody, all keys locked",
                  memory["traceable"] is False and memory["core_dumps"] is False and memory["unlocked_bytes"] == 0
                  and memory["secret_bytes"] > 0, memory)
        inherited = []
        for number in os.listdir(f"/proc/{pid}/fdinfo"):
            with open(f"/proc/{pid}/fdinfo/{number}") as file:
                flags = int(re.search(r"flags:\s*([0-7]+)", file.read()).group(1), 8)
            if int(number) > 2 and not flags & O_CLOEXEC:
                inherited.append((number, os.readlink(f"/proc/{pid}/fd/{number}")))
        checks.equal(f"{daemon.name}: every descriptor closes on exec", inherited, [])


def no_limit(checks, world):
    """Without locked memory the agent goes on and says so."""
    def drop():
        # CAP_IPC_LOCK leaves the bounding set, or root would stand above the limit.
        assert ctypes.CDLL(None).prctl(24, 14, 0, 0, 0) == 0
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))

    dora = agent_of(world.node, "dora")
    dora.process = nodekit.spawn([nodekit.BINARY, "--config", dora.config, "--role", "agent"], log=dora.log, preexec_fn=drop)
    checks.ok("an agent without locked memory starts", until(dora.ready))
    dora.unlock()
    status = dora.cli("status")
    checks.ok("status tells how much can reach swap", status.code == 1 and "can reach swap" in status.text, status.all)
    memory = dora.status()["memory"]
    checks.ok("status --json counts it", 0 < memory["unlocked_bytes"] <= memory["secret_bytes"], memory)
    checks.ok("the log says it and names the remedy", "LimitMEMLOCK" in dora.log_text(), dora.log_text())
    dora.stop()


def lock(checks, world):
    """Unlocked everything is found; after the lock nothing, in the same process, at the same addresses."""
    alice = world.alice
    world.read_mail()
    pid = alice.process.pid
    before = found(pid, world.needles())
    print("      unlocked:", before)
    checks.ok("unlocked: subject, body and a key are in memory",
              any("subject" in name for name in before) and any("body" in name for name in before)
              and any("key" in name for name in before), before)
    page, secrets = alice.status()["agent"]["page"], alice.status()["agent"]
    checks.ok("status says that a lock executes the program anew", secrets["renews_on_lock"] is True, secrets)
    refused, done = [], threading.Event()

    def knock(kind, address):
        while not done.is_set():
            with socket.socket(kind) as probe:
                try:
                    probe.connect(address)
                except OSError as problem:
                    refused.append((address, str(problem)))
            # Often enough to hit every moment in which nobody listens, and no flood.
            time.sleep(0.03)

    knockers = [threading.Thread(target=knock, args=pair) for pair in (
        (socket.AF_INET, ("127.0.0.1", alice.page_port)), (socket.AF_UNIX, os.path.join(alice.runtime, "control.sock")))]
    for thread in knockers:
        thread.start()
    begin = time.monotonic()
    alice.lock()
    took = time.monotonic() - begin
    done.set()
    for thread in knockers:
        thread.join()
    checks.equal("no connection is refused meanwhile", refused, [])
    print(f"      the lock and the new program took {took:.2f} s")
    after = found(pid, world.needles())
    checks.equal("locked: nothing of it is left in memory", after, {})
    checks.ok("it is the same process", alice.running() and status_of(pid)["Pid"] == str(pid))
    status = alice.status()
    checks.ok("locked, at the same address, just begun",
              status["agent"]["locked"] and status["agent"]["page"] == page and status["uptime_seconds"] < 30, status)
    world.post(token(), "comes while locked")
    checks.ok("fetching goes on", until(lambda: alice.status()["agent"]["fetched"] > 0), alice.status())
    hygiene(checks, world)
    alice.unlock()
    checks.ok("the next unlock shows everything", len(alice.find(world.subject)) == 1, alice.list())
    alice.lock()
    checks.equal("locked a second time: nothing", found(pid, world.needles()), {})
    checks.ok("a lock of a locked agent begins nothing anew", alice.lock().code == 0 and alice.status()["agent"]["locked"])


def traces(checks, world):
    """Arguments, environment and log of everything that ran so far."""
    needles = world.needles() | {"password": world.carol.password.encode()}
    for daemon in (world.node, world.alice):
        for name in ("cmdline", "environ"):
            with open(f"/proc/{daemon.process.pid}/{name}", "rb") as file:
                text = file.read()
            checks.equal(f"{daemon.name}: no secret in {name}", [what for what, needle in needles.items() if needle in text], [])
        text = daemon.log_text().encode()
        checks.ok(f"{daemon.name} has a log", text)
        checks.equal(f"{daemon.name}: no secret in the log", [what for what, needle in needles.items() if needle in text], [])
    wrong = token()
    refusals = [world.alice.cli("unlock", "--passphrase-file", "-", input=wrong), world.alice.cli("show", "nothing"),
                world.alice.cli("list")]
    checks.equal("refusals say nothing of what was typed", [result.all for result in refusals if wrong in result.all], [])
    checks.ok("nor does the log", wrong not in world.alice.log_text())


def node_memory(checks, world):
    """The node has opened each message for a moment."""
    pid = world.node.process.pid
    plain = {name: needle for name, needle in world.needles().items() if "subject" in name or "body" in name}
    print("      the node after a plain submission:", found(pid, plain))
    subject, body = token(), token()
    sealed = {**spellings("subject", subject), **spellings("body", body)}
    world.alice.unlock()
    world.alice.send(subject, f"{body}\n", BOARD)
    until(lambda: world.alice.status()["agent"]["outbox"] == 0)
    checks.ok("the sealed message was delivered", until(lambda: world.carol.waiting() > 0))
    left = found(pid, sealed)
    print("      the node after a sealed submission:", left)
    checks.equal("of a sealed submission's body nothing is left in the node's memory",
                 [name for name in left if "body" in name], [])
    world.alice.lock()


def idle(checks, world):
    """The idle lock is a lock like the others."""
    erik = agent_of(world.node, "erik", '[agent.lock]\nidle = "5s"\n').start()
    pid = erik.process.pid
    keys = vault(erik)
    erik.unlock()
    checks.ok("unlocked, a key is in memory", found(pid, keys))
    checks.ok("idle for long enough it locks itself", until(lambda: (erik.status() or {"agent": {"locked": False}})["agent"]["locked"]))
    checks.ok("nothing is left", until(lambda: not found(pid, keys)), found(pid, keys))
    checks.ok("and it runs", erik.running())
    erik.stop()


def told(checks, world):
    """What the service manager hears over a lock."""
    address = path("notify")
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.bind(address)
    ear.settimeout(20)
    os.environ["NOTIFY_SOCKET"] = address
    try:
        fred = agent_of(world.node, "fred").start()
        fred.unlock()
        fred.lock()
        fred.stop()
    finally:
        del os.environ["NOTIFY_SOCKET"]
    heard = []
    while "STOPPING=1" not in heard:
        heard += ear.recv(4096).decode().split("\n")
    words = [word for word in heard if word in ("READY=1", "RELOADING=1", "STOPPING=1")]
    checks.equal("ready, reloading, ready, stopping: the same service", words, ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"])


def no_program(checks, world):
    """Where the program cannot be executed anew, the process ends rather than keep what it knows."""
    copy = path("copy-of-ddsnode")
    shutil.copy2(nodekit.BINARY, copy)
    gina = agent_of(world.node, "gina")
    gina.process = nodekit.spawn([copy, "--config", gina.config, "--role", "agent"], log=gina.log)
    until(gina.ready)
    gina.unlock()
    os.chmod(copy, 0o644)
    result = gina.cli("lock")
    checks.ok("lock says that the agent is gone", result.code == 69 and "ddsnode run" in result.all, result.all)
    checks.equal("it ended with 71", gina.process.wait(20), 71)
    checks.ok("its last words say why", "could not be executed anew" in gina.log_text(), gina.log_text()[-500:])
    os.chmod(copy, 0o755)
    gina.start()
    gina.unlock()
    checks.ok("its state is whole", gina.list() is not None)
    gina.stop()


def both(checks, world):
    """Where a node serves in the same process, the lock wipes in place and the node is not interrupted."""
    node = Node("pair")
    node.roles = '["server", "agent"]'
    node.extra = f'[agent.web]\nlisten = "127.0.0.1:{nodekit.port()}"\n'
    node.role = "both"
    node.configure()
    node.init().start()
    passphrase = token()
    file = nodekit.write(path("pair", "passphrase"), passphrase)
    node.must("join", node.invite("hanna"), "--passphrase-file", file, "--no-browser")
    pid = node.process.pid
    pair = Agent("none")
    pair.name, pair.state, pair.passphrase = "pair", node.state, passphrase
    keys = vault(pair)
    checks.ok("unlocked, a key is in memory", found(pid, keys))
    with socket.create_connection(("127.0.0.1", node.pop3), 20) as session:
        session.recv(1000)
        status = node.status()["agent"]
        checks.ok("status says that the lock executes nothing anew", status["renews_on_lock"] is False, status)
        node.must("lock")
        session.sendall(b"CAPA\r\n")
        checks.ok("a session at the node lives on", session.recv(1000).startswith(b"+OK"))
    print("      both, locked in place:", found(pid, keys | spellings("passphrase", passphrase)))
    node.stop()


def doctor(checks, world):
    """Findings about a real agent and node, running and stopped."""
    for daemon in (world.node, world.alice):
        result = daemon.cli("doctor", "memory", "core", "files", "daemon", "config", "clock")
        checks.ok(f"{daemon.name}: the doctor finds nothing", result.code == 0 and "FAIL" not in result.text, result.all)
    key = os.path.join(world.alice.state, "agent", "device.key")
    os.chmod(key, 0o644)
    result = world.alice.cli("doctor", "files")
    checks.ok("a key that others may read", result.code == 1 and key in result.text and "chmod go=" in result.text, result.all)
    found = world.alice.cli("doctor", "files", "--json")
    rows = nodekit.json.loads(found.out)["findings"]
    checks.ok("in JSON", found.code == 1 and [row["level"] for row in rows] == ["fail"] and rows[0]["check"] == "files", rows)
    os.chmod(key, 0o600)
    unknown = world.alice.cli("doctor", "teeth")
    checks.ok("an unknown check", unknown.code == 64 and "memory" in unknown.all, unknown.all)
    hugo = Agent("hugo")
    result = hugo.cli("doctor", "daemon", "disk")
    checks.ok("nothing runs and nothing is there yet", result.code == 1 and "ddsnode run" in result.text and "ddsnode join" in result.text, result.all)
    with open(hugo.config, "a") as file:
        file.write("nonsense = true\n")
    result = hugo.cli("doctor")
    checks.ok("a broken configuration", result.code == 1 and "nonsense" in result.text and "config check" in result.text, result.all)


PARTS = {"hygiene": hygiene, "doctor": doctor, "no_limit": no_limit, "lock": lock, "traces": traces, "node_memory": node_memory, "idle": idle,
         "told": told, "no_program": no_program, "both": both}


def main():
    checks = nodekit.Checks("memory")
    if os.geteuid() != 0:
        checks.skip("everything", "only root may read the memory of a process that nobody may trace")
        checks.finish()
    if not nodekit.requires(checks, "memory", "age", "age-keygen", "openssl"):
        checks.finish()
    # As in a terminal of a developer: the program itself has to switch the report of crashes off.
    os.environ["SWIFT_BACKTRACE"] = "enable=yes"
    world = World()
    for name in sys.argv[1:] or PARTS:
        checks.part(PARTS[name], world)
    checks.equal("the agent stops in order", world.alice.stop(), 0)
    checks.equal("the node stops in order", world.node.stop(), 0)
    checks.finish()


if __name__ == "__main__":
    main()
