"""The dialog files of Tests/Dialogs against the real program; their syntax is at the top of Sources/DDSTestKit/Dialog.swift."""
import base64
import glob
import os
import re
import socket
import time

import nodekit
from nodekit import DOMAIN, Wire, client_context
from world import BOARD


# MARK: dialog files

class Dialog:
    """Runs one file of Tests/Dialogs against the real program. The syntax is at the top of Sources/DDSTestKit/Dialog.swift. For
    listeners that are no node's, `values` are the words that it has names for and `places` where it finds them."""

    def __init__(self, world, name, text, values=None, places=None):
        self.world, self.name, self.text, self.places = world, name, text, places or {}
        carol = world.carol
        self.values = values or {
            "user": carol.name, "password": carol.password, "address": carol.address, "domain": DOMAIN, "board": BOARD,
            "plain": base64.b64encode(f"\0{carol.name}\0{carol.password}".encode()).decode(),
            "external": base64.b64encode(b"alice").decode(),
        }
        self.listener = re.search(r"^@listener (\S+)", text, re.M).group(1)
        self.wire = None
        self.key = None

    @property
    def is_pure(self):
        return bool(re.search(r"^@(pure|drain)\b", self.text, re.M))

    def filled(self, text):
        return re.sub(r"\$(\$|[A-Za-z0-9]+)", lambda match: "$" if match[1] == "$" else self.values[match[1]], text)

    def context(self):
        return client_context(self.key)

    def connect(self):
        if self.wire is None:
            node = self.world.node
            address = self.places.get(self.listener) or (
                node.lmtp if self.listener == "lmtp" else node.port_of(self.listener))
            self.wire = Wire(address, self.context() if self.listener in ("pop3s", "submissions") else None)
        return self.wire

    def run(self):
        """A sentence for the first step that failed, or None."""
        for number, line in enumerate(self.text.split("\n"), 1):
            if not line or line.startswith("#") or line.startswith(("@listener", "@live")):
                continue
            try:
                problem = self.step(line)
            except (OSError, TimeoutError) as error:
                problem = f"{type(error).__name__}: {error}"
            if problem:
                return f"{self.name}:{number}: {line}: {problem}"
        if self.wire:
            self.wire.reset()
        return None

    def step(self, line):
        mark, _, text = line.partition(" ")
        text = self.filled(text) if mark[0] in "CS" else text
        if mark == "@key":
            self.key = self.world.device
            return None
        wire = self.connect()
        if mark == "C:":
            wire.send(text.encode() + b"\r\n")
        elif mark == "C!":
            wire.send(re.sub(rb"\\(r|n|t|0|\\|x[0-9a-fA-F]{2})", unescaped, text.encode()))
        elif mark.startswith("C#"):
            wire.send(text.encode() + b"x" * (int(mark[2:]) - 2 - len(text.encode())) + b"\r\n")
        elif mark in ("S:", "S~"):
            got = wire.line().decode(errors="replace")
            if got != text if mark == "S:" else not got.startswith(text):
                return f"got {got!r}"
        elif mark == "S*":
            seen = []
            while not seen or seen[-1] != text:
                seen.append(wire.line().decode(errors="replace"))
                if seen[-1] == "":
                    return f"never came; {seen}"
        elif mark == "@silent":
            if not wire.silent():
                return f"unexpected {wire.pending!r}"
        elif mark == "@tls":
            wire.start_tls(self.context())
        elif mark == "@advance":
            time.sleep(float(text[:-1]) + 0.3)
        elif mark == "@eof":
            wire.socket.shutdown(socket.SHUT_WR)
        elif mark == "@closed":
            if not wire.closed():
                return f"not closed; {wire.pending!r}"
        else:
            return "unknown step"
        return None


def unescaped(match):
    kind = match[1]
    simple = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}
    return simple.get(kind) or (b"\0" if kind == b"0" else bytes([int(kind[1:], 16)]))


def dialogs(checks, world):
    names = sorted(glob.glob(os.path.join(nodekit.ROOT, "Tests/Dialogs/*.chat")))
    checks.ok("there are dialog files", len(names) >= 10, names)
    live = 0
    for name in names:
        dialog = Dialog(world, os.path.basename(name), open(name, encoding="utf-8").read())
        # Those of the gateway are in gatewaydialogs.py.
        if dialog.is_pure or dialog.listener.startswith("gateway-"):
            continue
        live += 1
        problem = dialog.run()
        checks.ok(f"dialog {dialog.name}", problem is None, problem)
    checks.ok("most of them are for the real program too", live >= 5, live)
    seen = Dialog(world, "t", "@listener pop3s\nS~ +OK\nC: NOOP\nS: +OK\n").run()
    checks.ok("the runner sees a difference", seen and "t:4" in seen, seen)
