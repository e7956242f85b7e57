"""An agent with very much mail: what bench.py's figure_agent measures.

Makes mail of its own (words by Zipf's law, threads, one of them very long), imports it with `ddsnode store import`, and asks the
page over HTTP as a browser does. The same messages are searched with bare SQLite in the same run.
"""

import bisect
import http.client
import itertools
import os
import random
import re
import subprocess
import time

WORDS = 60_000
LONG_THREAD = 500


class Mail:
    """So many messages, the same in each run."""

    def __init__(self, count):
        self.count = count
        self.random = random.Random(4711)
        letters = "etaoinshrdlucmfwypvbgkjqxz"
        made = dict.fromkeys("".join(self.random.choices(letters, k=self.random.randint(3, 10))) for _ in range(WORDS * 2))
        self.words = list(made)[:WORDS]
        self.weights = list(itertools.accumulate(1 / (rank + 2) for rank in range(len(self.words))))

    def text(self, count):
        top = self.weights[-1]
        return [self.words[bisect.bisect(self.weights, self.random.random() * top)] for _ in range(count)]

    def messages(self):
        """(headers and body, body's words) of each, oldest first."""
        threads = []
        people = [f"person{number:02}" for number in range(40)]
        for number in range(self.count):
            reply = None
            if number >= self.count - LONG_THREAD:
                if number > self.count - LONG_THREAD:
                    reply = threads[-1]
            elif threads and self.random.random() < 0.6:
                reply = self.random.choice(threads[-2000:])
            author = self.random.choice(people)
            name = f"<m{number}.{self.random.getrandbits(64):x}@bench.test>"
            group = reply["group"] if reply else self.random.choice(["board", "family", "general", "agent"])
            subject = reply["subject"] if reply else " ".join(self.text(4)).capitalize()
            thread = dict(subject=subject, group=group, refs=(reply["refs"] if reply else [])[-9:] + [name])
            if reply and number >= self.count - LONG_THREAD:
                threads[-1] = thread
            else:
                threads.append(thread)
            words = self.text(self.random.randint(40, 500))
            lines = [" ".join(words[start:start + 11]) for start in range(0, len(words), 11)]
            head = [f"From: {author.capitalize()} Example <{author}@bench.test>", f"To: {group}@bench.test",
                    f"Subject: {'Re: ' if reply else ''}{subject}", f"Message-ID: {name}",
                    time.strftime("Date: %a, %d %b %Y %H:%M:%S +0000", time.gmtime(1_600_000_000 + number * 1500))]
            if reply:
                head.append("References: " + "\n ".join(reply["refs"]))
            yield "\n".join(head) + "\n\n" + "\n".join(lines) + "\n", f"{subject} {' '.join(words)}"

    def write(self, path):
        """A file of mail (mbox)."""
        with open(path, "w") as file:
            for text, _ in self.messages():
                file.write("From bench Thu Jan  1 00:00:00 2026\n" + text + "\n")


class Page:
    """The page of an unlocked agent, as a browser asks for it."""

    def __init__(self, address):
        self.host = re.match(r"http://([^/]+)", address).group(1)
        self.connection = http.client.HTTPConnection("127.0.0.1", int(self.host.rsplit(":")[-1]), timeout=120)
        self.cookie = None

    def ask(self, method, path, body=None, site="same-origin"):
        headers = {"Host": self.host, "Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        if self.cookie:
            headers["Cookie"] = self.cookie
        if body is not None:
            headers |= {"Origin": f"http://{self.host}", "Content-Type": "application/x-www-form-urlencoded"}
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        if cookie := answer.getheader("Set-Cookie"):
            self.cookie = cookie.split(";")[0]
        return answer, text

    def sign_in(self, url):
        answer, _ = self.ask("GET", url.split(self.host, 1)[1], site="none")
        assert answer.status == 303 and self.cookie, f"{answer.status} for the link of ddsnode open"

    def milliseconds(self, path):
        """How long a page takes, and its octets."""
        begin = time.perf_counter()
        answer, text = self.ask("GET", path)
        took = (time.perf_counter() - begin) * 1000
        assert answer.status == 200, f"{answer.status} for {path}"
        return took, text


def median(values):
    return sorted(values)[len(values) // 2]


def p95(values):
    return sorted(values)[int(len(values) * 0.95)]


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def imported(command, config, path):
    """Reads a file of mail into the agent; returns seconds."""
    begin = time.monotonic()
    done = subprocess.run([*command, "--config", config, "store", "import", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return time.monotonic() - begin
