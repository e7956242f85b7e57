#!/usr/bin/env python3
"""Figures of the release binary, each beside what the machine gives in the same run.

Starts a node with a state folder of its own, loads it with ddsbench, and prints a table. Environment: DDSNODE and DDSBENCH
(the programs), BENCH_DIR (the disk to measure; default .build/bench), BENCH_MESSAGES (for unlock). Takes about three minutes. Arguments: --json, --keep,
--only NAME[,NAME...] with the names of the functions below that begin with figure_.
"""

import argparse
import binascii
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time

import agentbench
import dovecot
import gatewaybench

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NODE = os.environ.get("DDSNODE", os.path.join(ROOT, ".build/release/ddsnode"))
BENCH = os.environ.get("DDSBENCH", os.path.join(ROOT, ".build/release/ddsbench"))
FOLDER = os.environ.get("BENCH_DIR", os.path.join(ROOT, ".build/bench"))
MEMBERS = 2000
GROUP = 1000
PASSWORD = "correct horse battery"


def bench(*words, timeout=120):
    """One measurement by ddsbench."""
    done = subprocess.run([BENCH, *map(str, words)], capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise RuntimeError(f"ddsbench {words[0]}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def rss_kib(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))


class Node:
    """One run of the node on the bench's state."""

    lags = {}

    def __init__(self, phase, config=None):
        self.phase = phase
        self.config = config or CONFIG
        self.log = self.config + ".log"
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = os.path.join(FOLDER, "notify")
        if os.path.exists(path):
            os.unlink(path)
        ready.bind(path)
        ready.settimeout(30)
        self.offset = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        begin = time.monotonic()
        self.process = subprocess.Popen(
            [NODE, "--config", self.config, "run"], stdout=subprocess.DEVNULL, stderr=open(self.log, "ab"),
            env={**os.environ, "NOTIFY_SOCKET": path})
        while b"READY=1" not in ready.recv(4096):
            pass
        self.start_ms = (time.monotonic() - begin) * 1000
        ready.close()
        names = {name: port for port, name in re.findall(r"listening address=127\.0\.0\.1:(\d+) listener=(\w+)", self.text())}
        self.pop3s, self.submissions = names.get("pop3s"), names.get("submissions")

    def command(self, *words):
        """What a command of ours answers."""
        done = subprocess.run([NODE, "--config", self.config, *map(str, words), "--json"], check=True, capture_output=True, text=True)
        answer = json.loads(done.stdout)
        return answer.get("result", answer) if isinstance(answer, dict) else answer

    def text(self):
        with open(self.log, "rb") as file:
            file.seek(self.offset)
            return file.read().decode("utf-8", "replace")

    def wait_until_quiet(self):
        """Until the process has used no more than a hundredth of a processor for three seconds."""
        for _ in range(200):
            before = agentbench.processor_seconds(self.process.pid)
            time.sleep(3)
            if agentbench.processor_seconds(self.process.pid) - before <= 0.03:
                return
        raise RuntimeError("the process does not come to rest")

    def rss_kib(self):
        return rss_kib(self.process.pid)

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        """Notes how long the loop kept others waiting, and ends the node."""
        self.process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + 5
        found = None
        while found is None and time.monotonic() < deadline:
            time.sleep(0.02)
            text = self.text()
            found = re.search(r"lag_max_us=\"?(\d+)", text)
        if found:
            line = next(line for line in text.splitlines() if "lag_max_us" in line)
            Node.lags[self.phase] = {k: int(v) for k, v in re.findall(r"((?:lag|cpu)_\w+_us)=\"?(\d+)", line)}
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()


CONFIG = os.path.join(FOLDER, "node.toml")


def prepare():
    """A fresh node with its members."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER)
    with open(CONFIG, "w") as file:
        file.write(f"""roles = ["server"]
[node]
name = "bench.test"
host = "127.0.0.1"
state_dir = "{FOLDER}/state"
runtime_dir = "{FOLDER}/run"
[server.listen]
pop3s = ["127.0.0.1:0"]
submissions = ["127.0.0.1:0"]
[server.limits]
messages_per_hour = 1000000000
bytes_per_day = "16TiB"
connections = 10000
connections_per_ip = 10000
""")
    subprocess.run([NODE, "--config", CONFIG, "init", "server"], check=True, capture_output=True)
    with Node("setup") as node:
        made = bench("setup", "--control", f"{FOLDER}/run/control.sock", "--port", node.submissions, "--members", MEMBERS)
        secret = os.path.join(FOLDER, "password")
        with open(secret, "w") as file:
            file.write(PASSWORD)
        recipient = json.loads(subprocess.run(
            [NODE, "--config", CONFIG, "user", "show", "m1", "--json"], check=True, capture_output=True, text=True).stdout)
        recipient = recipient.get("result", recipient)["recipient"]
        subprocess.run(
            [NODE, "--config", CONFIG, "user", "add", "writer", "--recipient", recipient, "--password-file", secret],
            check=True, capture_output=True)
    return made


ROWS = []


def row(figure, value, unit, machine, base, base_unit=None):
    """`base` is the machine's own; the ratio says how near the node comes to it."""
    ratio = None
    if base:
        ratio = value / base
    ROWS.append(dict(figure=figure, value=value, unit=unit, machine=machine, base=base, base_unit=base_unit or unit, ratio=ratio))
    print(f"  {figure}: {value:,.6g} {unit}", file=sys.stderr)


class Serve:
    """TLS with nothing behind it, in a process of its own as the node is."""

    def __enter__(self):
        self.process = subprocess.Popen([BENCH, "serve"], stdout=subprocess.PIPE, text=True)
        return json.loads(self.process.stdout.readline())["port"]

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def figure_submissions():
    """Accepted messages of 4 KiB a second on 1 and on 64 connections, beside fdatasync of as many records with 1 and 64 to a sync;
    the node's processor time for each beside a TLS echo of 4 KiB."""
    disk = bench("disk", "--folder", FOLDER, "--seconds", 2)
    with Serve() as port:
        echo = {count: bench("echo", "--port", port, "--connections", count, "--seconds", 2)["per_second"] for count in (1, 64)}
    for count, group in ((1, 1), (64, 64)):
        synced = disk[f"records_per_second_{group}"]
        with Node(f"submissions on {count}") as node:
            before = node.cpu_seconds()
            sealed = bench("submit", "--port", node.submissions, "--connections", count, "--seconds", 4)
            cpu = node.cpu_seconds() - before
            row(f"submissions, sealed by key, {count} conn", sealed["per_second"], "msg/s",
                f"fdatasync of 4 KiB, {group} to a sync", synced)
            row("  CPU of the node each", cpu / max(1, sealed["accepted"]) * 1e6, "us", f"TLS echo 4 KiB, {count} conn: us each",
                1e6 / echo[count])
            if count == 1:
                row("  p50", sealed["p50_us"], "us", "one echo and one sync", 1e6 / echo[1] + 1e6 / synced)
                plain = bench("submit", "--port", node.submissions, "--connections", count, "--seconds", 3, "--password", PASSWORD)
                row(f"submissions, plain in TLS, {count} conn", plain["per_second"], "msg/s", "TLS echo of 4 KiB", echo[1])
            else:
                row("  p99", sealed["p99_us"], "us", "64 in turn at the echo's rate", 64e6 / echo[64])


def figure_headers():
    """Own headers a second, of both kinds of keys, beside the bare primitives turn about on the same cores."""
    for threads in sorted({1, os.cpu_count()}):
        rates = bench("headers", "--threads", threads, "--seconds", 4)
        cores = "1 core" if threads == 1 else f"{threads} cores"
        row(f"own header X25519, {cores}", rates["classical_per_second"], "headers/s", "libsodium: 2 X25519, HKDF, AEAD, HMAC",
            rates["classical_raw_per_second"])
        row(f"own header hybrid, {cores}", rates["hybrid_per_second"], "headers/s", "swift-crypto: HPKE with X-Wing; HMAC",
            rates["hybrid_raw_per_second"])


def figure_fanout():
    """Deliveries a second to a group of 1,000, beside the bare primitives of as many age headers on all cores."""
    cores = os.cpu_count()
    raw = bench("headers", "--threads", cores, "--seconds", 1)
    with Node("fan-out to 1,000") as node:
        to = "crew@bench.test"
        bench("submit", "--port", node.submissions, "--connections", 1, "--count", 2, "--to", to)
        done = bench("submit", "--port", node.submissions, "--connections", 4, "--count", 40, "--to", to)
    readers = GROUP - 1
    row(f"fan-out to a group of {GROUP:,}", done["accepted"] * readers / done["elapsed_us"] * 1e6, "deliveries/s",
        f"2 X25519 + HKDF + AEAD + HMAC, {cores} cores", raw["classical_raw_per_second"])


def figure_modes():
    """Passing a message on to 100 members on one core, each figure over what it has to cost at least: the nearer to 1 the better."""
    large, small = bench("modes"), bench("modes", "--bytes", 10 << 10)
    for kind, words in (("classical", "X25519"), ("hybrid", "hybrid")):
        relay = large[f"relay_{kind}_us"] / 1000
        row(f"relay of 10 MiB to 100, {words}", relay, "ms", "to one: decrypted and encrypted once", large["alone_us"] / 1000)
        row("  the same", relay, "ms", "ChaCha20-Poly1305 there and back, no armor, no header", large["once_us"] / 1000)
        row(f"blind of 10 MiB to 100, {words}", large[f"blind_{kind}_us"] / 1000, "ms", "blind of 10 KiB, and 14 MiB of armor decoded",
            (small[f"blind_{kind}_us"] + large["armor_us"]) / 1000)


def figure_drain():
    """POP3 over TLS from a full maildrop, beside the same bytes through TLS, base64 and ChaCha20 one after the other."""
    with Serve() as port:
        bulk = bench("bulk", "--port", port)["kib_per_second"] / 1024
    chacha = bench("chacha", "--seconds", 1)["kib_per_second"] / 1024
    block = os.urandom(1 << 20)
    begin = time.monotonic()
    for _ in range(100):
        binascii.b2a_base64(block)
    base64 = 100 / (time.monotonic() - begin) * 4 / 3
    # Bytes on the wire: TLS for each, base64 made for each, the spool's ChaCha20 for three quarters.
    together = 1 / (1 / bulk + 1 / base64 + 0.75 / chacha)
    sync = 1e3 / bench("disk", "--folder", FOLDER, "--seconds", 1)["records_per_second_1"]
    for member, count, size, name in ((10, 1000, 4096, "4 KiB"), (11, 20, 5 << 20, "5 MiB")):
        with Node(f"taking {count} of {name}") as node:
            bench("submit", "--port", node.submissions, "--connections", 4 if count == 20 else 32, "--count", count, "--bytes", size,
                  "--to", f"m{member}@bench.test")
        with Node(f"drain of {count} of {name}") as node:
            got = bench("drain", "--port", node.pop3s, "--member", member)
        rate = got["kib_per_second"] / 1024
        row(f"POP3 drain, {count:,} of {name}", rate, "MiB/s", f"TLS bulk {bulk:,.0f}, base64 {base64:,.0f}, ChaCha {chacha:,.0f} in turn",
            together)
        row("  messages", got["messages_per_second"], "msg/s", "the same bytes at that rate",
            together * 1048576 / (got["octets"] / got["messages"]))
        row("  DELE of all and QUIT", got["erase_us"] / 1000, "ms", "one fdatasync of 4 KiB", sync)


def figure_spool():
    """The store alone, without sessions and sealing: durable accept and erasure at 64 callers, opening of a million waiting messages and
    a change of their root, each beside the same bytes and syncs without a store."""
    def run(what, *words):
        return bench(what, "--folder", os.path.join(FOLDER, "store"), *words)

    accepted = run("spool-accept", "--committers", 64, "--seconds", 3)
    row("durable accept of 4 KiB, 64 callers", accepted["records_per_second"], "msg/s",
        f"the same bytes at the same places, {accepted['records_per_sync']} to a sync", accepted["same_bytes_per_second"])
    row("  the same", accepted["records_per_second"], "msg/s",
        f"bodies alone, one after the other, no next segment, {accepted['records_per_sync']} to a sync", accepted["disk_records_per_second"])
    row("  delete at E1, 64 callers, p50", accepted["erase_p50_us"] / 1000, "ms", "one fdatasync of 4 KiB, p50", accepted["sync_p50_us"] / 1000)
    for share, count in ((1, 1_000_000), (9, 1_000_000)):
        run("spool-fill", "--count", count, "--share", share)
        opened = run("spool-open", "--count", count)
        what = "each its own" if share == 1 else f"{share} to a payload"
        row(f"opening of {count:,} waiting, {what}", opened["open_ms"], "ms",
            f"reading the tables {opened['read_tables_ms']:,} ms, opening {opened['slots']:,} slots one by one", opened["raw_ms"])
        row("  memory", opened["bytes_per_message"], "B/msg", "the slots on disk", 128 * opened["slots"] / count)
        changed = run("spool-rotate")
        row(f"  change of the root of {changed['records']:,} slots", changed["rotate_ms"], "ms",
            f"opening, sealing, writing, {changed['syncs']} syncs", changed["raw_ms"])


class Bare:
    """OpenSSL alone behind a listening socket, under the node's rules; see Bare.swift."""

    def __init__(self, login):
        self.login = login

    def __enter__(self):
        self.process = subprocess.Popen([BENCH, "bare", "--login", str(self.login)], stdout=subprocess.PIPE, text=True)
        self.pop3s = json.loads(self.process.stdout.readline())["port"]
        return self

    def rss_kib(self):
        return rss_kib(self.process.pid)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def figure_idle():
    """Resident memory per idle POP3 connection, beside a process that holds as many connections with OpenSSL alone."""
    for login in (0, 1):
        with Bare(login) as bare:
            own = idle_kib(bare, login)
        with Node(f"idle connections, login {login}") as node:
            ours = idle_kib(node, login)
        what = "logged in" if login else "greeted"
        row(f"memory per idle POP3 connection of {MEMBERS:,}, {what}", ours, "KiB",
            "OpenSSL alone, as many connections, same rules", own)


def idle_kib(server, login):
    """What each of many connections adds to the server; the first ones stay open and are not counted."""
    with Held(server, 0, 64, login):
        before = server.rss_kib()
        with Held(server, 64, MEMBERS - 64, login):
            return (server.rss_kib() - before) / (MEMBERS - 64)


class Held:
    """Connections that do nothing, of members from `first` on."""

    def __init__(self, server, first, count, login):
        self.words = ["--port", server.pop3s, "--first", first, "--count", count, "--login", login]

    def __enter__(self):
        self.process = subprocess.Popen([BENCH, "idle", *map(str, self.words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if not self.process.stdout.readline():
            raise RuntimeError("ddsbench idle failed")
        time.sleep(0.3)

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(30)
        time.sleep(0.2)


def figure_start():
    """From exec to READY=1, beside a process that reads the spool's slot tables and opens as many slots."""
    def spawn(words):
        times = []
        for _ in range(7):
            begin = time.monotonic()
            subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            times.append((time.monotonic() - begin) * 1000)
        return sorted(times)[len(times) // 2]

    true = spawn(["true"])
    version = spawn([NODE, "--version"])
    times = []
    for _ in range(5):
        with Node("start") as node:
            times.append(node.start_ms)
            records = node.command("status")["server"]["spool"]["records"]
    spool = os.path.join(FOLDER, "state/server/spool")
    base = spawn([BENCH, "opening", "--folder", spool, "--records", str(records)])
    row(f"start to listening, {MEMBERS:,} members", sorted(times)[2], "ms",
        f"a process (`true` {true:.1f}, --version {version:.1f}) that reads and opens {records:,} slots", base)


def agent_files(folder):
    """The configuration of an agent and its passphrase, in files."""
    os.makedirs(folder)
    config, passphrase = os.path.join(folder, "agent.toml"), os.path.join(folder, "passphrase")
    with open(config, "w") as file:
        file.write(f"""roles = ["agent"]
[node]
state_dir = "{folder}/state"
runtime_dir = "{folder}/run"
[agent.web]
listen = "127.0.0.1:0"
""")
    with open(passphrase, "w") as file:
        file.write(PASSWORD)
    return config, passphrase


def figure_unlock():
    """Unlocking an agent that keeps many messages, beside one scrypt as hard as the vault's."""
    count = int(os.environ.get("BENCH_MESSAGES", "5000"))
    folder = os.path.join(FOLDER, "agent")
    config, passphrase = agent_files(folder)
    with Node("an agent fetches 5,000") as node:
        invite = node.command("user", "add", "reader")["invite"]
        subprocess.run([NODE, "--config", config, "join", invite, "--passphrase-file", passphrase, "--no-browser"],
                       check=True, capture_output=True)
        bench("submit", "--port", node.submissions, "--connections", 32, "--count", count, "--to", "reader@bench.test")
        with Node("agent, locked", config) as agent:
            agent.command("fetch")
        with Node("agent, first unlock and list", config) as agent:
            agent.command("unlock", "--passphrase-file", passphrase)
            kept = len(agent.command("list"))
    with Node("agent, unlock", config) as agent:
        begin = time.monotonic()
        agent.command("unlock", "--passphrase-file", passphrase)
        took = (time.monotonic() - begin) * 1000
    row(f"unlock with {kept:,} messages", took, "ms", "scrypt as hard as the vault's", bench("scrypt")["milliseconds"])


def figure_agent():
    """The page of an agent with 100,000 messages (BENCH_MAIL): unlock, lists, a thread of 500, memory and rest."""
    count = int(os.environ.get("BENCH_MAIL", "100000"))
    folder = os.path.join(FOLDER, "much")
    config, passphrase = agent_files(folder)
    mbox = os.path.join(folder, "mail.mbox")
    print(f"  making and importing {count:,} messages", file=sys.stderr)
    agentbench.Mail(count).write(mbox)
    with Node("much mail: node") as node:
        invite = node.command("user", "add", "much")["invite"]
        subprocess.run([NODE, "--config", config, "join", invite, "--passphrase-file", passphrase, "--no-browser"],
                       check=True, capture_output=True)
        with Node("much mail: import", config) as agent:
            agent.command("unlock", "--passphrase-file", passphrase)
            print(f"  imported in {agentbench.imported([NODE], config, mbox):.0f} s", file=sys.stderr)
        with Node("much mail: first unlock", config) as agent:
            agent.command("unlock", "--passphrase-file", passphrase)
            agent.wait_until_quiet()
        with Node("much mail", config) as agent:
            measure_agent(agent, count, passphrase)


def measure_agent(agent, count, passphrase):
    locked = agent.rss_kib()
    begin = time.monotonic()
    agent.command("unlock", "--passphrase-file", passphrase)
    page = agentbench.Page(agent.command("status")["agent"]["page"])
    page.sign_in(agent.command("open", "--print-url")["url"])
    page.milliseconds("/")
    took = (time.monotonic() - begin) * 1000
    row(f"unlock to first page, {count:,} messages", took, "ms", "scrypt as hard as the vault's", bench("scrypt")["milliseconds"])
    health = agentbench.median([page.milliseconds("/healthz")[0] for _ in range(50)])
    inbox = [page.milliseconds("/l") for _ in range(50)]
    row("list of 50 rows", agentbench.median([took for took, _ in inbox]), "ms", "the same server's /healthz", health)
    row("list of 50 rows, octets", len(inbox[0][1]) / 1024, "KiB", "promised", 60)
    newest = re.search(r'href="/t/(\w+)"', inbox[0][1]).group(1)
    thread = [page.milliseconds(f"/t/{newest}")[0] for _ in range(5)]
    row(f"a page of a thread of {agentbench.LONG_THREAD}", agentbench.median(thread), "ms", "the same server's /healthz", health)
    whole = [page.milliseconds(f"/t/{newest}/print") for _ in range(5)]
    row(f"all {whole[0][1].count('<article')} messages of it", agentbench.median([took for took, _ in whole]), "ms", "promised", 300)
    agent.wait_until_quiet()
    row("resident, unlocked", agent.rss_kib() / 1024, "MiB", "promised", 200)
    row("resident, locked, before", locked / 1024, "MiB", "promised", 200)
    begin, before = time.monotonic(), agentbench.processor_seconds(agent.process.pid)
    time.sleep(60)
    idle = (agentbench.processor_seconds(agent.process.pid) - before) / (time.monotonic() - begin)
    row("processor at rest, unlocked", idle * 100, "%", "promised", 0.1)


def figure_gateway():
    """The gateway beside Dovecot: the same mail, the same client, one run. 10,000 small messages by IMAP, 1,000 of them by POP3."""
    if not dovecot.is_here():
        print("  no dovecot here: apt-get install dovecot-imapd dovecot-pop3d", file=sys.stderr)
        return
    count, drained = int(os.environ.get("BENCH_GATEWAY", "10000")), 1000
    messages = list(gatewaybench.small_messages(count))
    folder = os.path.join(FOLDER, "gateway")
    config, passphrase = agent_files(folder)
    mbox = os.path.join(folder, "mail.mbox")
    with open(mbox, "wb") as file:
        for text in messages:
            file.write(b"From bench Thu Jan  1 00:00:00 2026\n" + text.replace(b"\r\n", b"\n") + b"\n")
    peer = dovecot.Dovecot(os.path.join(FOLDER, "dovecot"), messages)
    try:
        with Node("gateway: node") as node:
            invite = node.command("user", "add", "much")["invite"]
            subprocess.run([NODE, "--config", config, "join", invite, "--passphrase-file", passphrase, "--no-browser"],
                           check=True, capture_output=True)
            with Node("gateway", config) as agent:
                agent.command("unlock", "--passphrase-file", passphrase)
                agentbench.imported([NODE], config, mbox)
                card = agent.command("gateway", "on")
                ports = {entry["protocol"]: entry["port"] for entry in card["listeners"]}
                agent.wait_until_quiet()
                compare_gateway(agent, ports, card, peer, count, drained)
    finally:
        peer.close()


def compare_gateway(agent, ports, card, peer, count, drained):
    own = (card["user"], card["password"])
    theirs = (dovecot.USER, dovecot.PASSWORD)
    took, their_took = [], []
    # In turn, so that a busy machine is busy for both.
    for _ in range(5):
        took.append(gatewaybench.fetch_all(ports["imap"], *own, "INBOX", count))
        their_took.append(gatewaybench.fetch_all(peer.imap, *theirs, "INBOX", count))
    assert took[0][1] == their_took[0][1], f"{took[0][1]} octets and {their_took[0][1]}: not the same mail"
    rate = lambda runs: count / agentbench.median([seconds for seconds, _ in runs])
    row(f"IMAP FETCH of {count:,} messages", rate(took), "messages/s", "Dovecot", rate(their_took))
    took, their_took = [], []
    for _ in range(5):
        took.append(gatewaybench.drain(ports["pop3"], *own, drained))
        their_took.append(gatewaybench.drain(peer.pop3, *theirs, drained))
    rate = lambda runs: drained / agentbench.median([seconds for seconds, _ in runs])
    row(f"POP3 RETR of {drained:,} messages", rate(took), "messages/s", "Dovecot", rate(their_took))
    connections = 60
    before = dovecot.private_kib(agent.process.pid)
    mine = gatewaybench.idle_connections(ports["imap"], *own, "INBOX", connections)
    each = (dovecot.private_kib(agent.process.pid) - before) / connections
    others = gatewaybench.idle_connections(peer.imap, *theirs, "INBOX", connections)
    processes = peer.imap_processes()
    row("idle IMAP connection, memory of its own", each, "KiB", "one of Dovecot's processes",
        agentbench.median([kib for _, kib in processes]))
    for client in mine + others:
        client.close()


def figure_search():
    """Searching 100,000 messages of 2 KB in memory, beside one table of SQLite's own with the same texts."""
    found = bench("search", "--count", os.environ.get("BENCH_SEARCH", "100000"), timeout=600)
    messages = f"{found['messages']:,} messages"
    row(f"search {messages}, p95", found["p95_us"] / 1000, "ms", "one table of SQLite's", found["bare_p95_us"] / 1000)
    row(f"search {messages}, every match, p95", found["all_p95_us"] / 1000, "ms", "", None)
    row(f"index of {messages}", found["rss_kib"] / 1024, "MiB", "its image", found["image_kib"] / 1024)
    row("index made", found["indexed_per_second"], "messages/s", "", None)
    row("index put back from its images", found["load_ms"], "ms", "", None)


def table():
    lines = [("figure", "value", "", "the machine's own", "", "ratio")]
    for entry in ROWS:
        number = lambda value: "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"
        ratio = "" if entry["ratio"] is None else f"{entry['ratio']:.2f}"
        lines.append((entry["figure"], number(entry["value"]), entry["unit"], entry["machine"], number(entry["base"]), ratio))
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    for index, line in enumerate(lines):
        cells = [line[0].ljust(widths[0]), line[1].rjust(widths[1]), line[2].ljust(widths[2]), line[3].ljust(widths[3]),
                 line[4].rjust(widths[4]), line[5].rjust(widths[5])]
        print("  ".join(cells).rstrip())
        if index == 0:
            print("  ".join("-" * width for width in widths))


def main():
    known = [f"{name[7:]}: {value.__doc__}" for name, value in globals().items() if name.startswith("figure_")]
    parser = argparse.ArgumentParser(epilog="\n".join(known), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384) if hard > 0 else 16384, hard))
    figures = [value for name, value in globals().items() if name.startswith("figure_")]
    if options.only:
        wanted = {"figure_" + name for name in options.only.split(",")}
        figures = [figure for figure in figures if figure.__name__ in wanted]
    begin = time.monotonic()
    load = os.getloadavg()[0]
    print(f"preparing {MEMBERS:,} members in {FOLDER}", file=sys.stderr)
    made = prepare()
    print(f"  made in {made['milliseconds'] / 1000:.1f} s", file=sys.stderr)
    for figure in figures:
        figure()
    if options.json:
        print(json.dumps(dict(rows=ROWS, lags=Node.lags, load=load)))
    else:
        table()
        print("\nThe loop's turns, from one look at the network to the next, in us: its own processor time, and by the clock with what")
        print("the system gave to others meanwhile.")
        for phase, lag in Node.lags.items():
            times = "  ".join(f"{name} {lag[name + '_us']:>7,}" for name in ("cpu_p50", "cpu_p99", "cpu_max", "lag_p99", "lag_max"))
            print(f"  {phase:32} {times}")
        busy = "; other programs were using the machine" if load > 0.5 else ""
        print(f"\n{os.cpu_count()} cores, load {load:.1f} at the start{busy}. {time.monotonic() - begin:.0f} s.")
    if not options.keep:
        shutil.rmtree(FOLDER, ignore_errors=True)


if __name__ == "__main__":
    main()
