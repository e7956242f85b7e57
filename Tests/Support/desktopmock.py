#!/usr/bin/env python3
"""Services of a desktop that a program under test talks to, one a process: desktopmock.py KIND ADDRESS.

KIND is watcher, notifications or logind, ADDRESS that of a bus. What the other side does is printed, one JSON object a line; commands
come as JSON lists on standard input. `Desktop` in desktop.py drives it.
"""
import json
import os
import sys

import dbus
import dbus.bus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

WATCHER = "org.kde.StatusNotifierWatcher"
ITEM = "org.kde.StatusNotifierItem"
MENU = "com.canonical.dbusmenu"
NOTIFICATIONS = "org.freedesktop.Notifications"
LOGIN = "org.freedesktop.login1"
PROPERTIES = "org.freedesktop.DBus.Properties"


def say(**fields):
    print(json.dumps(fields), flush=True)


class Watcher(dbus.service.Object):
    """A tray that knows its items and shows nothing."""

    def __init__(self, bus, has_host="yes"):
        super().__init__(bus, "/StatusNotifierWatcher")
        self.has_host = has_host == "yes"
        for interface in (ITEM, MENU):
            bus.add_signal_receiver(self.heard, dbus_interface=interface, member_keyword="member")

    def heard(self, *arguments, member):
        say(signal=member, arguments=[str(argument) for argument in arguments])

    @dbus.service.method(WATCHER, in_signature="s", sender_keyword="sender")
    def RegisterStatusNotifierItem(self, name, sender=None):
        say(registered=name, sender=sender)

    @dbus.service.method(PROPERTIES, in_signature="ss", out_signature="v")
    def Get(self, interface, name):
        return {"IsStatusNotifierHostRegistered": dbus.Boolean(self.has_host), "ProtocolVersion": dbus.Int32(0)}[name]

    @dbus.service.signal(WATCHER)
    def StatusNotifierHostRegistered(self):
        pass

    def host(self):
        self.has_host = True
        self.StatusNotifierHostRegistered()


class Notifications(dbus.service.Object):
    """A notification server that keeps what it is told to show."""

    def __init__(self, bus, *abilities):
        super().__init__(bus, "/org/freedesktop/Notifications")
        self.abilities = list(abilities) or ["body", "actions", "body-markup"]
        self.last = 0
        self.is_eager = False

    @dbus.service.method(NOTIFICATIONS, out_signature="as")
    def GetCapabilities(self):
        return self.abilities

    @dbus.service.method(NOTIFICATIONS, in_signature="susssasa{sv}i", out_signature="u", async_callbacks=("answer", "refuse"))
    def Notify(self, app, replaced, icon, summary, body, actions, hints, timeout, answer, refuse):
        number = int(replaced)
        if not number:
            self.last += 1
            number = self.last
        say(shown=number, replaced=int(replaced), app=app, icon=icon, summary=summary, body=body, actions=list(actions),
            hints={str(name): str(value) for name, value in hints.items()},
            urgency=int(hints.get("urgency", -1)))
        answer(dbus.UInt32(number))
        if self.is_eager:
            self.act(number, "open")

    @dbus.service.method(NOTIFICATIONS, in_signature="u")
    def CloseNotification(self, number):
        say(closed=int(number))
        self.NotificationClosed(number, 3)

    @dbus.service.signal(NOTIFICATIONS, signature="uu")
    def NotificationClosed(self, number, reason):
        pass

    @dbus.service.signal(NOTIFICATIONS, signature="us")
    def ActionInvoked(self, number, action):
        pass

    def act(self, number, action):
        self.ActionInvoked(dbus.UInt32(number), action)

    def eager(self, is_eager):
        """Somebody clicks at once: the action leaves together with the answer."""
        self.is_eager = is_eager

    def expire(self, number):
        self.NotificationClosed(dbus.UInt32(number), dbus.UInt32(1))


class Session(dbus.service.Object):
    def __init__(self, bus, number, user):
        self.place = f"/org/freedesktop/login1/session/_{number}"
        self.user = user
        super().__init__(bus, self.place)

    @dbus.service.method(PROPERTIES, in_signature="ss", out_signature="v")
    def Get(self, interface, name):
        return {"User": dbus.Struct((dbus.UInt32(self.user), dbus.ObjectPath("/org/freedesktop/login1/user/x")), signature="uo")}[name]

    @dbus.service.signal(LOGIN + ".Session")
    def Lock(self):
        pass

    @dbus.service.signal(PROPERTIES, signature="sa{sv}as")
    def PropertiesChanged(self, interface, changed, invalidated):
        pass


class Login(dbus.service.Object):
    """logind: hands out inhibitors and says when the last one is gone."""

    def __init__(self, bus):
        super().__init__(bus, "/org/freedesktop/login1")
        self.mine, self.others = Session(bus, "own", os.getuid()), Session(bus, "other", os.getuid() + 1)
        self.sleeping = False
        self.process = None

    def look_at(self, process):
        """Whose program it is that is to be gone when it gives its inhibitor back."""
        self.process = process

    @dbus.service.method(LOGIN + ".Manager", in_signature="ssss", out_signature="h")
    def Inhibit(self, what, who, why, mode):
        if self.sleeping:
            raise dbus.DBusException("The operation inhibition has been requested for is already running",
                                     name="org.freedesktop.login1.OperationInProgress")
        reading, writing = os.pipe()
        say(inhibited=what, who=who, why=why, mode=mode)
        GLib.io_add_watch(reading, GLib.IO_HUP, self.released)
        descriptor = dbus.types.UnixFd(writing)
        os.close(writing)
        return descriptor

    def released(self, descriptor, condition):
        say(released=True, gone=self.is_gone())
        os.close(descriptor)
        return False

    def is_gone(self):
        """Whether the process has executed its program anew: that has left listening sockets to itself, or its environment is not
        written yet."""
        if self.process is None:
            return None
        with open(f"/proc/{self.process}/environ", "rb") as file:
            environment = file.read()
        return not environment or b"DDSNODE_LISTENERS=" in environment

    @dbus.service.signal(LOGIN + ".Manager", signature="b")
    def PrepareForSleep(self, coming):
        pass

    def sleep(self):
        self.sleeping = True
        self.PrepareForSleep(True)

    def wake(self):
        self.sleeping = False
        self.PrepareForSleep(False)

    def lock(self):
        self.mine.Lock()

    def lock_other(self):
        self.others.Lock()

    def hint(self):
        self.mine.PropertiesChanged(LOGIN + ".Session", {"LockedHint": dbus.Boolean(True)}, [])


KINDS = {"watcher": (WATCHER, Watcher), "notifications": (NOTIFICATIONS, Notifications), "logind": (LOGIN, Login)}


def main():
    kind, address, *words = sys.argv[1:]
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.bus.BusConnection(address)
    name, service = KINDS[kind]
    # The object first: whoever sees the name may call at once.
    mock = service(bus, *words)
    owned = dbus.service.BusName(name, bus)
    loop = GLib.MainLoop()

    rest = b""

    def command(source, condition):
        nonlocal rest
        piece = os.read(source, 65536)
        if not piece:
            loop.quit()
            return False
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            verb, *arguments = json.loads(line)
            getattr(mock, verb)(*arguments)
        return True

    bus.call_on_disconnection(lambda _: loop.quit())
    GLib.io_add_watch(0, GLib.IO_IN | GLib.IO_HUP, command)
    say(ready=owned.get_name())
    loop.run()
    # The binding would give its name back to a bus that is gone.
    os._exit(0)


if __name__ == "__main__":
    main()
