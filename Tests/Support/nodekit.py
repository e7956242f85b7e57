"""Real nodes and agents for the programs under Tests: folders, ports, processes, members, checks. It knows no test.

Standard library only. Everything listens on 127.0.0.1 and lives in one temporary folder, which goes at the end unless KEEP is set.
The binary is $DDSNODE or .build/debug/ddsnode of this tree.
"""
import atexit
import base64
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("DDSNODE") or os.path.join(ROOT, ".build/debug/ddsnode")
CORPUS = os.environ.get("DDS_CORPUS") or next(
    (path for path in (os.path.join(ROOT, "../shared/corpus/mail"), "/work/shared/corpus/mail") if os.path.isdir(path)), "")
DOMAIN = "node.test"
# What `make test-deps` makes for agefile.py.
AGEFILE_PYTHON = os.path.join(ROOT, ".build/test-python/bin/python")
RAGEFILE = os.path.join(ROOT, "Tests/Support/ragefile.py")
# A machine that also builds is slow; a healthy run needs a fraction of it.
PATIENCE = 30.0
# No agent of a test shows itself on the desktop of whoever runs it; desktop.py has buses of its own.
os.environ.update(DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent", DBUS_SYSTEM_BUS_ADDRESS="unix:path=/nonexistent")


class Checks:
    """Collects results; one line each, and a closing line."""

    def __init__(self, title):
        self.title = title
        self.passed = self.failed = self.skipped = 0
        self.began = time.monotonic()
        print(f"{title}: {BINARY}", flush=True)

    def ok(self, name, good, detail=""):
        if good:
            self.passed += 1
            print(f"ok    {name}", flush=True)
        else:
            self.failed += 1
            text = str(detail).strip().replace("\n", "\n      ")
            print(f"FAIL  {name}: {text[:2000]}", flush=True)
        return bool(good)

    def equal(self, name, got, wanted):
        return self.ok(name, got == wanted, f"got {short(got)}, wanted {short(wanted)}")

    def skip(self, name, why):
        self.skipped += 1
        print(f"skip  {name}: {why}", flush=True)

    def part(self, function, *arguments):
        """Runs one part; what it raises is a failure of that part alone."""
        name = function.__name__.replace("_", " ")
        before = time.monotonic()
        try:
            function(self, *arguments)
        except Exception as problem:
            where = problem.__traceback__
            while where.tb_next and where.tb_next.tb_frame.f_code.co_filename == function.__code__.co_filename:
                where = where.tb_next
            self.ok(name, False, f"{type(problem).__name__}: {problem} (line {where.tb_lineno})")
        print(f"      ({name}: {time.monotonic() - before:.1f} s)", flush=True)

    def parts(self, functions, *arguments):
        """Runs those parts whose name contains one of the program's arguments; all of them when it has none."""
        words = sys.argv[1:]
        for function in functions:
            if not words or any(word in function.__name__ for word in words):
                self.part(function, *arguments)

    def stop(self, *daemons):
        for daemon in daemons:
            self.equal(f"{daemon.name} stops in order", daemon.stop(), 0)

    def finish(self):
        print(f"{self.title} took {time.monotonic() - self.began:.0f} s")
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        sys.exit(1 if self.failed else 0)


def short(value):
    text = repr(value)
    return text if len(text) < 300 else f"{text[:140]} ... {text[-140:]} ({len(text)} characters)"


def program(name):
    """The path of an installed program, or None."""
    return shutil.which(name)


def requires(checks, what, *names):
    """True when all the programs are there; otherwise says loudly that `what` is skipped."""
    missing = [name for name in names if not program(name)]
    if missing:
        checks.skip(what, f"{', '.join(missing)} not installed; run: make test-deps")
    return not missing


def until(condition, seconds=PATIENCE, pause=0.05):
    """Calls `condition` until it is true; returns its last value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(pause)


# MARK: the temporary folder and processes

_folder = None
_processes = []


def folder():
    global _folder
    if _folder is None:
        # Short, for the 107 octets that the path of a unix socket may have.
        _folder = tempfile.mkdtemp(prefix="dds-", dir="/tmp")
    return _folder


def path(*names):
    """A path in the temporary folder; its folders exist."""
    full = os.path.join(folder(), *names)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    return full


def write(full, content, mode=0o600):
    data = content if isinstance(content, bytes) else content.encode()
    with open(os.open(full, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)
    return full


@atexit.register
def _clean():
    for process in _processes:
        if process.poll() is None:
            process.kill()
            process.wait()
    if _folder and not os.environ.get("KEEP"):
        shutil.rmtree(_folder, ignore_errors=True)
    elif _folder:
        print(f"kept {_folder}")


_given = set()


def port():
    """A port that is free now and that no other call has got."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            number = probe.getsockname()[1]
        if number not in _given:
            _given.add(number)
            return number


def spawn(command, log=None, **options):
    """Starts a process that ends with this program at the latest."""
    out = open(log, "ab") if log else subprocess.DEVNULL
    return owned(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **options))


def owned(process):
    """The same process, which ends with this program from now on."""
    _processes.append(process)
    return process


class Result:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def text(self):
        return self.out.decode(errors="replace")

    @property
    def all(self):
        return f"status {self.code}\n{self.text}\n{self.err.decode(errors='replace')}"


def agefile(*words, input=b""):
    """The second implementation of the age format, agefile.py; see there. Raises with its words if it fails."""
    done = run(AGEFILE_PYTHON, os.path.join(ROOT, "Tests/Support/agefile.py"), *words, input=input)
    if done.code != 0:
        raise AssertionError(f"agefile.py {words[0]}: {done.all[-1500:]}")
    return done.out


def ragefile(*words, input=b""):
    """rage, as ragefile.py calls it. Raises with its words if it fails."""
    done = run(AGEFILE_PYTHON, RAGEFILE, *words, input=input)
    if done.code != 0:
        raise AssertionError(f"ragefile.py {words[0]}: {done.all[-1500:]}")
    return done.out


def run(*command, input=b"", timeout=120, **options):
    """Runs a program to its end."""
    data = input.encode() if isinstance(input, str) else input
    return Result(subprocess.run([str(word) for word in command], input=data, capture_output=True, timeout=timeout, **options))


# MARK: daemons

def arguments():
    """The words of the command line, and the folder behind --screenshots or nothing."""
    words = sys.argv[1:]
    if "--screenshots" not in words:
        return words, ""
    place = words.index("--screenshots")
    return words[:place] + words[place + 2:], os.path.abspath(words[place + 1])


class Daemon:
    """One configuration, its command line and its process."""

    role = ""

    def __init__(self, name):
        self.name = name
        self.config = path(name, "ddsnode.toml")
        self.state = path(name, "state")
        self.runtime = path(name, "run")
        self.log = path(name, "log")
        self.process = None

    def cli(self, *arguments, input=b"", timeout=120):
        return run(BINARY, "--config", self.config, *arguments, input=input, timeout=timeout)

    def must(self, *arguments, input=b"", timeout=120):
        result = self.cli(*arguments, input=input, timeout=timeout)
        if result.code != 0:
            raise AssertionError(f"ddsnode {' '.join(map(str, arguments))}: {result.all}")
        return result

    def json(self, *arguments, input=b""):
        return json.loads(self.must(*arguments, "--json", input=input).out)

    def launch(self):
        """Starts the process without waiting."""
        self.process = spawn([BINARY, "--config", self.config, "--role", self.role], log=self.log)
        return self

    def start(self):
        """Starts the process and waits until it answers."""
        self.launch()
        end = time.monotonic() + PATIENCE
        while not self.ready():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}: {self.log_text()[-1500:]}")
            if time.monotonic() > end:
                raise AssertionError(f"{self.name} is not ready after {PATIENCE} s: {self.log_text()[-1500:]}")
            time.sleep(0.05)
        return self

    def ready(self):
        return self.status() is not None

    def status(self):
        """What `status --json` says while the process runs, else None."""
        result = self.cli("status", "--json")
        if result.code not in (0, 1):
            return None
        fields = json.loads(result.out)
        return fields if fields.get("running") else None

    def stop(self, seconds=10):
        """SIGTERM and wait; the exit status."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"{self.name} did not stop within {seconds} s of SIGTERM")
        return self.process.returncode if self.process else None

    def kill(self):
        """SIGKILL and wait."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def running(self):
        return self.process is not None and self.process.poll() is None

    def log_text(self):
        try:
            with open(self.log, errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def files(self):
        """Every file under the state folder."""
        return [os.path.join(where, name) for where, _, names in os.walk(self.state) for name in names]


class Node(Daemon):
    """A server with all its listeners."""

    role = "server"

    def __init__(self, name="node", limits="logins_per_minute = 10000"):
        super().__init__(name)
        self.pop3s, self.submissions, self.pop3, self.submission = port(), port(), port(), port()
        self.lmtp = path(name, "lmtp")
        self.roles = '["server"]'
        self.limits = limits
        self.extra = ""
        self.configure()

    def configure(self):
        write(self.config, f"""\
roles = {self.roles}
[node]
name = "{DOMAIN}"
host = "127.0.0.1"
state_dir = "{self.state}"
runtime_dir = "{self.runtime}"
[server.listen]
pop3s = ["127.0.0.1:{self.pop3s}"]
submissions = ["127.0.0.1:{self.submissions}"]
pop3 = ["127.0.0.1:{self.pop3}"]
submission = ["127.0.0.1:{self.submission}"]
lmtp = ["unix:{self.lmtp}"]
[server.limits]
messages_per_hour = 1000000
bytes_per_day = "1TiB"
{self.limits}
{self.extra}""")

    def init(self):
        self.must("init", "server")
        return self

    def ready(self):
        # A connection is cheaper than a status; the listeners open last.
        try:
            socket.create_connection(("127.0.0.1", self.pop3s), 1).close()
        except OSError:
            return False
        return super().ready()

    def port_of(self, listener):
        return getattr(self, listener)

    def add_ordinary(self, name, groups=(), key=None):
        """A member with curl and age: adds it and returns it. `key` is for `Ordinary`."""
        member = Ordinary(self, name, key)
        arguments = [word for group in groups for word in ("--group", group)]
        self.must("user", "add", name, "--recipient", member.recipient, "--password-file", member.password_file, *arguments)
        return member

    def invite(self, name, groups=()):
        """Adds a member and returns the invite."""
        arguments = [word for group in groups for word in ("--group", group)]
        return self.json("user", "add", name, *arguments)["invite"]

    def key_hash(self):
        return self.status()["server"]["tls_key_sha256"]


def unlocked_agents(node, *names):
    """Members with an agent each, which runs and is unlocked."""
    agents = [Agent(name) for name in names]
    for agent in agents:
        agent.join(node.invite(agent.name))
        agent.start()
        agent.unlock()
    return agents


class Agent(Daemon):
    role = "agent"

    def __init__(self, name, extra="", undo_send="0s"):
        super().__init__(name)
        self.address = f"{name}@{DOMAIN}"
        self.passphrase = f"{name} has a long passphrase"
        self.passphrase_file = write(path(name, "passphrase"), self.passphrase)
        self.page_port = port()
        write(self.config, f"""\
roles = ["agent"]
[node]
state_dir = "{self.state}"
runtime_dir = "{self.runtime}"
[agent.web]
listen = "127.0.0.1:{self.page_port}"
undo_send = "{undo_send}"
{extra}""")

    def join(self, invite):
        return self.must("join", invite, "--passphrase-file", self.passphrase_file, "--no-browser")

    def unlock(self):
        return self.must("unlock", "--passphrase-file", self.passphrase_file)

    def lock(self):
        return self.must("lock")

    def send(self, subject, body, *recipients, files=()):
        arguments = [word for file in files for word in ("-a", file)]
        return self.must("send", "-s", subject, *arguments, *recipients, input=body)

    def list(self):
        return self.json("list")

    def raw(self, identity):
        """A message byte for byte."""
        return self.must("show", identity, "--raw").out

    def find(self, subject):
        return [row for row in self.list() if row["subject"] == subject]

    def waits_for(self, subject, seconds=PATIENCE):
        """The row of the first message with that subject, once it is there."""
        rows = until(lambda: self.find(subject), seconds, 0.2)
        assert rows, f"{self.name} has no message \"{subject}\" after {seconds} s; {self.status()}"
        return rows[0]

    def certificate(self):
        """A certificate of the device key in PEM, and the key: what curl needs for AUTH EXTERNAL."""
        with open(os.path.join(self.state, "agent", "device.key"), "rb") as file:
            seed = file.read()
        return certificate_of(seed, path(self.name, "device"))


def certificate_of(seed, stem):
    """A self-signed certificate of an Ed25519 seed; the paths of certificate and key."""
    der = bytes.fromhex("302e020100300506032b657004220420") + seed
    text = "-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(der).decode() + "\n-----END PRIVATE KEY-----\n"
    key = write(stem + ".key.pem", text)
    certificate = stem + ".pem"
    done = run("openssl", "req", "-x509", "-new", "-key", key, "-subj", "/CN=device", "-days", "2", "-out", certificate)
    if done.code != 0:
        raise AssertionError(done.all)
    return certificate, key


class Ordinary:
    """A member who has curl, age and a password."""

    def __init__(self, node, name, key=None):
        """`key` is an identity and its recipient; without one age-keygen makes them."""
        self.node, self.name = node, name
        self.address = f"{name}@{DOMAIN}"
        self.password = f"{name}'s own password"
        self.password_file = write(path(name, "password"), self.password)
        self.key = path(name, "key.txt")
        if key:
            self.identity, self.recipient = key
            return
        done = run("age-keygen", "-o", self.key)
        if done.code != 0:
            raise AssertionError(done.all)
        self.recipient = run("age-keygen", "-y", self.key).text.strip()

    def open(self, message, *options):
        """The inner message of a wrapper, opened by Debian's age."""
        done = run("age", "-d", "-i", self.key, *options, input=armor(message))
        if done.code != 0:
            raise AssertionError(f"age does not open the message: {done.all}")
        return done.out

    def curl(self, *arguments, input=b""):
        config = write(path(self.name, "curlrc"), f'user = "{self.name}:{self.password}"\n')
        return run("curl", "-sS", "-k", "-K", config, *arguments, input=input)

    def pop_url(self, what=""):
        return f"pop3s://127.0.0.1:{self.node.pop3s}/{what}"

    def fetch_all(self, delete=True):
        """Everything in the maildrop by poplib, as (uidl, octets by LIST, bytes); deleted afterwards unless told otherwise."""
        import poplib
        # The default of 2048 is for lines; armor has 64.
        pop = poplib.POP3_SSL("127.0.0.1", self.node.pop3s, context=client_context(), timeout=60)
        try:
            pop.user(self.name)
            pop.pass_(self.password)
            return drained(pop, delete)
        finally:
            pop.close()

    def waiting(self):
        """How many messages wait, by STAT."""
        import poplib
        pop = poplib.POP3_SSL("127.0.0.1", self.node.pop3s, context=client_context(), timeout=60)
        try:
            pop.user(self.name)
            pop.pass_(self.password)
            count = pop.stat()[0]
            pop.quit()
            return count
        finally:
            pop.close()

    def post(self, recipients, message, **options):
        """Sends by smtplib; returns (code, text) of the message, or of the command that was refused."""
        import smtplib
        with self.smtp() as smtp:
            smtp.mail(self.address, options.get("mail_options", ()))
            for recipient in recipients:
                code, text = smtp.rcpt(recipient)
                if code >= 300:
                    return code, text.decode()
            try:
                code, text = smtp.data(message)
            except smtplib.SMTPDataError as problem:
                return problem.smtp_code, problem.smtp_error.decode()
            return code, text.decode()

    def smtp(self):
        import smtplib
        smtp = smtplib.SMTP_SSL("127.0.0.1", self.node.submissions, "[127.0.0.1]", context=client_context(), timeout=60)
        smtp.ehlo()
        smtp.login(self.name, self.password)
        return smtp


# MARK: mail and TLS

def drained(pop, delete):
    """Everything in the maildrop of a session of poplib, which ends with it, as (uidl, octets by LIST, bytes)."""
    uidls = [line.split()[1].decode() for line in pop.uidl()[1]]
    sizes = [int(line.split()[1]) for line in pop.list()[1]]
    found = []
    for number, (uidl, size) in enumerate(zip(uidls, sizes), 1):
        found.append((uidl, size, b"".join(line + b"\r\n" for line in pop.retr(number)[1])))
        if delete:
            pop.dele(number)
    pop.quit()
    return found


def client_context(certificate=None, version=None):
    """TLS without checking names; what is pinned is checked by its hash elsewhere."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(*certificate)
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def canonical(message):
    """CRLF line ends, and one at the end."""
    data = re.sub(rb"\r?\n", b"\r\n", message)
    return data if data.endswith(b"\r\n") else data + b"\r\n"


def armor(message):
    """What `sed -n '/BEGIN AGE/,/END AGE/p'` leaves."""
    begin = message.index(b"-----BEGIN AGE")
    end = message.index(b"-----END AGE ENCRYPTED FILE-----")
    return message[begin:end] + b"-----END AGE ENCRYPTED FILE-----\n"


def age_bytes(message):
    """The binary age file of a wrapper."""
    lines = armor(message).split(b"\n")[1:-2]
    return base64.b64decode(b"".join(line.strip() for line in lines))


def letter(sender, to, subject, body):
    return canonical(f"From: <{sender}>\nTo: <{to}>\nSubject: {subject}\nMessage-ID: <{token(12)}@test>\n"
                     f"Date: Mon, 23 Nov 2026 12:00:00 +0000\n\n{body}".encode())


def token(letters=20):
    """Random letters that are in no other text."""
    return "".join(chr(97 + byte % 26) for byte in os.urandom(letters))


def traces(marker):
    """Byte strings of which one must be in whatever holds `marker` in a usual spelling: UTF-8, UTF-16 and base64 at each offset."""
    data = marker.encode()
    found = [data, marker.encode("utf-16-le"), marker.encode("utf-16-be")]
    for offset in range(3):
        # The first and last characters depend on the neighbours, so only those in between are looked for.
        encoded = base64.b64encode(b"\0" * offset + data)
        found.append(encoded[4 if offset else 0:-4])
    return found


def holds(files, needles):
    """The files that contain one of the byte strings, with the string."""
    found = []
    for name in files:
        try:
            with open(name, "rb") as file:
                data = without_zeros(file)
        except FileNotFoundError:
            continue
        found += [(name, needle) for needle in needles if needle in data]
    return found


def without_zeros(file):
    """What a file holds but whole blocks of zeros, of which segments mostly consist."""
    block = 4096
    nothing = bytes(block)
    kept = []
    while piece := file.read(block):
        if piece != nothing:
            kept.append(piece)
        elif kept and kept[-1] is not nothing:
            # What stood apart must not come together.
            kept.append(nothing)
    return b"".join(kept)


def below(*folders):
    """Every ordinary file in the folders; no sockets."""
    names = [os.path.join(where, name) for top in folders for where, _, names in os.walk(top) for name in names]
    return [name for name in names if os.path.isfile(name)]


class Wire:
    """A connection that is spoken to in bytes."""

    def __init__(self, address, tls=None, timeout=20.0):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(("127.0.0.1", address), timeout)
        self.socket.settimeout(timeout)
        self.pending = b""
        if tls:
            self.start_tls(tls)

    def start_tls(self, context):
        self.socket = context.wrap_socket(self.socket)

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        """The next line without CRLF; b"" at the end of the connection."""
        while b"\r\n" not in self.pending:
            try:
                piece = self.socket.recv(65536)
            except (ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError, BrokenPipeError):
                piece = b""
            if not piece:
                return b""
            self.pending += piece
        line, self.pending = self.pending.split(b"\r\n", 1)
        return line

    def reply(self):
        """An SMTP reply, all its lines joined."""
        lines = [self.line()]
        while len(lines[-1]) > 3 and lines[-1][3:4] == b"-":
            lines.append(self.line())
        return b"\n".join(lines).decode(errors="replace")

    def say(self, text):
        self.send(text if isinstance(text, bytes) else text + "\r\n")
        return self.reply()

    def silent(self, seconds=0.2):
        """True when nothing comes for so long."""
        if self.pending:
            return False
        self.socket.settimeout(seconds)
        try:
            self.pending += self.socket.recv(65536)
            return not self.pending
        except (TimeoutError, ssl.SSLWantReadError):
            return True
        finally:
            self.socket.settimeout(20)

    def closed(self, seconds=20):
        """True when the other side closes within so long and says nothing more."""
        self.socket.settimeout(seconds)
        try:
            return not self.pending and self.socket.recv(65536) == b""
        except (ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError, BrokenPipeError):
            return True
        except TimeoutError:
            return False

    def reset(self):
        """Vanishes as a killed process does."""
        self.socket.close()


def smtp_wire(member, login=True):
    """An SMTP submission session by hand, logged in by AUTH PLAIN unless told otherwise."""
    wire = Wire(member.node.submissions, client_context())
    assert wire.reply().startswith("220"), "no greeting"
    assert wire.say("EHLO [127.0.0.1]").startswith("250"), "EHLO refused"
    if login:
        plain = base64.b64encode(f"\0{member.name}\0{member.password}".encode()).decode()
        reply = wire.say(f"AUTH PLAIN {plain}")
        assert reply.startswith("235"), reply
    return wire


def spki_sha256(certificate_der):
    """SHA-256 of a certificate's public key, by openssl."""
    pem = ssl.DER_cert_to_PEM_cert(certificate_der).encode()
    public = run("openssl", "x509", "-noout", "-pubkey", input=pem).out
    return hashlib.sha256(run("openssl", "pkey", "-pubin", "-outform", "DER", input=public).out).hexdigest()
