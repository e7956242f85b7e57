"""A desktop without a screen: buses of one's own, a tray, a notification server and logind as processes, and a browser that only
notes what it was asked to open. It knows no test."""
import json
import os
import subprocess
import sys
import threading

import dbus
import dbus.bus

from nodekit import owned, path, spawn, until, write

MOCK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "desktopmock.py")
ITEM_PATH, ITEM = "/StatusNotifierItem", "org.kde.StatusNotifierItem"
MENU_PATH, MENU = "/MenuBar", "com.canonical.dbusmenu"


class MessageBus:
    """A private bus; `kill` ends it, and `start` brings it back at the same address."""

    def __init__(self, name):
        self.socket = path("buses", name)
        self.address = f"unix:path={self.socket}"
        self.process = None

    def start(self, environment=None):
        """`environment` is that of what the bus starts."""
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        self.process = spawn(["dbus-daemon", "--session", "--nofork", f"--address={self.address}"], env=environment)
        if not until(lambda: os.path.exists(self.socket)):
            raise AssertionError("the bus did not start")
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def connection(self):
        return dbus.bus.BusConnection(self.address)


class Mock:
    """One service on a bus, and what was said to it."""

    def __init__(self, kind, bus, *words):
        self.said = []
        self.passed = {}
        self.process = owned(subprocess.Popen(
            [sys.executable, MOCK, kind, bus.address, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        threading.Thread(target=self.read, daemon=True).start()
        self.heard("ready")

    def read(self):
        for line in self.process.stdout:
            self.said.append(json.loads(line))

    def all(self, key):
        return [line for line in list(self.said) if key in line]

    def heard(self, key, count=1, seconds=30):
        """The `count`-th line with that key, once it is there."""
        if not until(lambda: len(self.all(key)) >= count, seconds):
            raise AssertionError(f"nothing was said of {key} ({count}): {self.said[-8:]}")
        return self.all(key)[count - 1]

    def skip(self):
        """What was said until now is not asked for any more."""
        self.passed = {key: len(self.all(key)) for line in list(self.said) for key in line}

    def next(self, key, fits=lambda line: True, seconds=30):
        """The next line with that key that fits, once it is there; those before it are passed over."""
        def found():
            lines = self.all(key)
            for place in range(self.passed.get(key, 0), len(lines)):
                self.passed[key] = place + 1
                if fits(lines[place]):
                    return lines[place]
        line = until(found, seconds)
        if not line:
            raise AssertionError(f"nothing that fits was said of {key}: {self.said[-6:]}")
        return line

    def tell(self, *words):
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()

    def stop(self):
        self.process.kill()
        self.process.wait()


class Icon:
    """The icon of an agent as a tray sees it."""

    def __init__(self, bus, name):
        self.connection = bus.connection()
        self.name = name

    def properties(self):
        item = self.connection.get_object(self.name, ITEM_PATH, introspect=False)
        return item.GetAll(ITEM, dbus_interface="org.freedesktop.DBus.Properties")

    def tip(self):
        try:
            return str(self.properties()["ToolTip"][3])
        except dbus.DBusException:
            # An agent that executes its program anew is away for a moment.
            return ""

    def pixels(self, size=22):
        for width, _, octets in self.properties()["IconPixmap"]:
            if width == size:
                return bytes(octets)
        return b""

    def menu(self):
        return self.connection.get_object(self.name, MENU_PATH, introspect=False)

    def lines(self):
        """The lines of the menu: number, label, and whether it can be chosen."""
        try:
            _, (_, _, children) = self.menu().GetLayout(
                dbus.Int32(0), dbus.Int32(-1), dbus.Array([], signature="s"), dbus_interface=MENU)
        except dbus.DBusException:
            return []
        return [(int(number), str(fields.get("label", "")), bool(fields.get("enabled", False))) for number, fields, _ in children]

    def choose(self, label):
        for number, text, enabled in self.lines():
            if text.startswith(label) and enabled:
                self.menu().Event(dbus.Int32(number), "clicked", dbus.Int32(0), dbus.UInt32(0), dbus_interface=MENU)
                return
        raise AssertionError(f"{label} cannot be chosen: {self.lines()}")

    def click(self):
        item = self.connection.get_object(self.name, ITEM_PATH, introspect=False)
        item.Activate(dbus.Int32(0), dbus.Int32(0), dbus_interface=ITEM)


class Opened:
    """What was opened: `xdg-open` of this folder notes its words instead."""

    def __init__(self):
        self.file = path("opened", "list")
        script = path("opened", "bin", "xdg-open")
        write(script, f"#!/bin/sh\necho \"$1\" >> {self.file}\n", 0o755)
        os.environ["PATH"] = os.path.dirname(script) + ":" + os.environ["PATH"]
        os.environ["DISPLAY"] = ":97"

    def all(self):
        if not os.path.exists(self.file):
            return []
        with open(self.file) as lines:
            return lines.read().split()

    def next(self, count):
        """The `count`-th address."""
        if not until(lambda: len(self.all()) >= count):
            raise AssertionError(f"only {len(self.all())} of {count} were opened")
        return self.all()[count - 1]
