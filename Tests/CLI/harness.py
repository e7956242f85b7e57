"""What the parts of cli.py share: the report, a world of temporary files and processes, terminals, process lists."""
import json
import os
import pty
import re
import select
import shutil
import signal
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


class Dialog:
    """A command on a terminal of its own."""

    def __init__(self, world, *arguments):
        self.master, self.slave = pty.openpty()
        self.seen = b""
        self.process = subprocess.Popen(
            [world.binary, *arguments], stdin=self.slave, stdout=self.slave, stderr=self.slave, cwd=world.folder,
            env={**world.environment, "TERM": "xterm"}, start_new_session=True)
        world.processes.append(self.process)

    @property
    def text(self):
        return self.seen.decode(errors="replace")

    def read(self):
        while select.select([self.master], [], [], 0.05)[0]:
            self.seen += os.read(self.master, 65536)

    def until(self, word):
        def found():
            self.read()
            return word in self.text

        if not wait_for(found):
            raise Failed(f"no {word!r} in {self.text!r}")

    def send(self, text):
        os.write(self.master, text.encode())

    def answer(self, text):
        """The exit status after `text`."""
        self.send(text)
        code = wait_for(lambda: (self.process.poll() is not None) and (self.process.returncode, True))
        self.read()
        return code[0] if code else None

    def __str__(self):
        return f"exit {self.process.returncode}, {self.text!r}"


def age_recipient(world):
    if not shutil.which("age-keygen"):
        return None
    path = world.path("carol.key")
    if not os.path.exists(path):
        subprocess.run(["age-keygen", "-o", path], check=True, capture_output=True)
    return re.search(r"public key: (age1\S+)", open(path).read()).group(1)
