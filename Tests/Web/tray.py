#!/usr/bin/env python3
"""The agent on a desktop: icon and menu with a tray that is one of the test's own, notifications, sleep and screen lock, the page
in a window that leaves nothing behind, and at last the icon in a real panel.

usage: tray.py [--screenshots FOLDER] [PART...]
"""
import http.client
import os
import re
import signal
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from nodekit import DOMAIN, ROOT, Agent, Node, below, holds, path, requires, run, spawn, token, until, write

ALARM = bytes([255, 200, 60, 40])
GEM = bytes([255, 47, 91, 208])
DEBIAN = "/usr/bin/python3"
NO_TRAY = "there is no tray here"


# A member whose agent takes no notice of the desktop.
AWAY = """\
[agent.tray]
enabled = "off"
[agent.notify]
content = "none"
[agent.lock]
on_suspend = false
on_screen_lock = false
"""


class World:
    """A node with two members. Alice sits at the desktop; Bob writes to her."""

    def __init__(self, screenshots):
        import desktop
        self.desktop = desktop
        self.screenshots = screenshots
        self.session, self.system = desktop.MessageBus("session").start(), desktop.MessageBus("system").start()
        os.environ.update(DBUS_SESSION_BUS_ADDRESS=self.session.address, DBUS_SYSTEM_BUS_ADDRESS=self.system.address)
        self.opened = desktop.Opened()
        self.node = Node().init()
        self.node.start()
        self.node.must("group", "add", "board", "--title", "Board")
        self.alice, self.bob = Agent("alice"), Agent("bob", extra=AWAY)
        for agent in (self.alice, self.bob):
            agent.join(self.node.invite(agent.name, ["board"]))
        self.bob.start()
        self.bob.unlock()

    def at_desk(self, *kinds, unlocked=True):
        """Alice's agent runs, with these services around it; returns them."""
        mocks = [self.desktop.Mock(kind, self.system if kind == "logind" else self.session) for kind in kinds]
        if not self.alice.running():
            self.alice.start()
        if unlocked and self.alice.status()["agent"]["locked"]:
            self.alice.unlock()
        return mocks

    def icon(self, watcher):
        return self.desktop.Icon(self.session, watcher.heard("registered")["registered"])

    def configure(self, **values):
        """Gives Alice's agent other keys under [agent.notify]; it reads them at once."""
        text = open(self.alice.config).read().split("[agent.notify]")[0]
        lines = "".join(f"{name} = {value}\n" for name, value in values.items())
        write(self.alice.config, f"{text}[agent.notify]\n{lines}")
        self.alice.must("reload")

    def read_all(self):
        for row in self.alice.list():
            if row["unread"]:
                self.alice.must("show", row["id"])


def locked(agent, wanted=True):
    status = agent.status()
    return status is not None and not status["renewing"] and status["agent"]["locked"] is wanted


def visit(address):
    """Follows a one-time address as a browser does; where it leads."""
    place = urllib.parse.urlsplit(address)
    connection = http.client.HTTPConnection("127.0.0.1", place.port)
    connection.request("GET", place.path, headers={"Host": place.netloc, "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate",
                                                   "Sec-Fetch-Dest": "document"})
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.getheader("Location"), answer.getheader("Set-Cookie")


def no_tray(checks, world):
    """M2."""
    agent = world.alice.start()
    checks.ok("without a tray the agent runs and says so", until(lambda: NO_TRAY in agent.log_text()), agent.log_text()[-500:])
    checks.equal("status says that there is none", agent.status()["agent"]["tray"], False)
    agent.stop()
    agent.start()
    watcher = world.desktop.Mock("watcher", world.session, "no")
    watcher.heard("registered")
    checks.equal("a watcher without anything that shows is no tray", agent.status()["agent"]["tray"], False)
    watcher.tell("host")
    checks.ok("until something shows", until(lambda: agent.status()["agent"]["tray"]), agent.status())
    watcher.stop()
    checks.ok("its end is noticed", until(lambda: not agent.status()["agent"]["tray"]), agent.status())
    checks.equal("each start has said it once", agent.log_text().count(NO_TRAY), 2)
    agent.stop()


def icon(checks, world):
    """M1, and M3's tooltip."""
    watcher, = world.at_desk("watcher", unlocked=False)
    icon = world.icon(watcher)
    about = icon.properties()
    checks.equal("what the icon is", [str(about[name]) for name in ("Category", "Id", "Status", "Menu")],
                 ["Communications", "ddsnode", "Active", "/MenuBar"])
    checks.equal("a click is no menu", bool(about["ItemIsMenu"]), False)
    # What the node itself has written counts until it can be opened.
    checks.ok("locked", until(lambda: icon.tip().startswith("Locked")), icon.tip())
    checks.equal("while locked its name is none, for the theme's icon has no padlock", str(about["IconName"]), "")
    checks.equal("pixels for both sizes", [(int(w), int(h), len(octets)) for w, h, octets in about["IconPixmap"]],
                 [(22, 22, 22 * 22 * 4), (44, 44, 44 * 44 * 4)])
    dull = icon.pixels()
    world.alice.unlock()
    checks.ok("open, nothing unread", until(lambda: icon.tip().startswith("Nothing unread.")), icon.tip())
    checks.equal("then its name is the theme's", str(icon.properties()["IconName"]), "ddsnode")
    plain = icon.pixels()
    checks.ok("open looks otherwise than locked", plain != dull and GEM in plain and GEM not in dull)
    world.bob.send("one", "text\n", f"alice@{DOMAIN}")
    checks.ok("new mail is told", until(lambda: icon.tip().startswith("1 unread.")), icon.tip())
    checks.ok("and drawn", ALARM in icon.pixels() and ALARM not in plain)
    checks.equal("a badge is no theme's", str(icon.properties()["IconName"]), "")
    signals = {line["signal"] for line in watcher.all("signal")}
    checks.ok("trays hear of it", {"NewIcon", "NewToolTip", "LayoutUpdated"} <= signals, signals)
    world.bob.send("two", "text\n", f"board@{DOMAIN}")
    checks.ok("in two places", until(lambda: icon.tip().startswith("2 unread in 2 groups.")), icon.tip())
    checks.ok("when it was fetched last", re.search(r"Fetched at \d\d:\d\d", icon.tip()), icon.tip())
    checks.ok("no name and no subject", not re.search("bob|one|two", icon.tip(), re.I), icon.tip())
    world.read_all()
    checks.ok("read", until(lambda: icon.tip().startswith("Nothing unread.")), icon.tip())
    watcher.stop()
    again = world.desktop.Mock("watcher", world.session)
    checks.equal("a tray that comes back is told of it", again.heard("registered")["registered"], icon.name)
    again.stop()
    checks.ok("without a tray the icon is still there", icon.tip().startswith("Nothing unread."), icon.tip())


def menu(checks, world):
    """M3, and D8 of the tray."""
    agent = world.alice
    watcher, = world.at_desk("watcher")
    icon = world.icon(watcher)
    until(lambda: icon.tip().startswith("Nothing unread."))
    labels = [label for _, label, _ in icon.lines()]
    checks.equal("the lines", labels[:-3], ["Open", "Write", "Nothing unread", "", "Lock", "Fetch now", "Pause notifications 1 h"])
    checks.ok("the last ones", labels[-3].startswith("Fetched at ") and labels[-2:] == ["", "Quit"], labels)
    checks.equal("the state cannot be chosen", [label for _, label, can in icon.lines() if not can], ["", labels[-3], ""])
    before = len(world.opened.all())
    icon.choose("Open")
    checks.equal("Open signs in", visit(world.opened.next(before + 1))[:2], (303, "/"))
    icon.choose("Write")
    address = world.opened.next(before + 2)
    checks.equal("Write comes to a new message", visit(address)[:2], (303, "/w"))
    checks.ok("an address works once", visit(address)[0] == 403, visit(address))
    icon.click()
    checks.equal("a click opens too", visit(world.opened.next(before + 3))[:2], (303, "/"))
    began = agent.status()["agent"]["last_fetch"]
    def fetched_again():
        icon.choose("Fetch now")
        return agent.status()["agent"]["last_fetch"] != began
    checks.ok("Fetch now fetches", until(fetched_again, pause=0.4))
    icon.choose("Pause")
    checks.ok("Pause pauses", until(lambda: agent.status()["agent"]["notifications_paused"]))
    checks.ok("and its line resumes", until(lambda: any("paused until" in label for _, label, _ in icon.lines())), icon.lines())
    icon.choose("Lock")
    checks.ok("Lock locks", until(lambda: locked(agent)), agent.status())
    icon = world.desktop.Icon(world.session, watcher.heard("registered", 2)["registered"])
    checks.ok("the icon comes back after the program was executed anew",
              until(lambda: icon.tip().startswith("Locked")), icon.tip())
    checks.equal("a lock ends no pause", agent.status()["agent"]["notifications_paused"], True)
    icon.choose("Resume")
    checks.ok("Resume resumes", until(lambda: not agent.status()["agent"]["notifications_paused"]))
    checks.equal("locked, nothing can be written", [label for _, label, can in icon.lines() if label == "Write" and can], [])
    icon.choose("Unlock")
    status, where, cookie = visit(world.opened.next(before + 4))
    checks.equal("Unlock comes to the passphrase", (status, where), (303, "/unlock"))
    agent.unlock()
    icon.choose("Quit")
    checks.ok("Quit ends the agent", until(lambda: not agent.running()) and agent.process.returncode == 0, agent.status())
    watcher.stop()


def bus_dies(checks, world):
    agent = world.alice
    watcher, = world.at_desk("watcher", unlocked=False)
    watcher.heard("registered")
    world.session.kill()
    watcher.stop()
    checks.ok("without its bus the agent runs", until(lambda: agent.status() and not agent.status()["agent"]["tray"]), agent.status())
    world.session.start()
    watcher, = world.at_desk("watcher", unlocked=False)
    checks.ok("a bus that comes back is used", watcher.heard("registered"))
    checks.ok("and status says so", until(lambda: agent.status()["agent"]["tray"]), agent.status())
    watcher.stop()


def notifications(checks, world):
    """M4 and M5."""
    agent = world.alice
    server, = world.at_desk("notifications")
    world.read_all()
    subject = "Budget " + token()
    world.bob.send(subject, "text\n", f"alice@{DOMAIN}")
    first = server.next("shown")
    checks.equal("new mail is announced", (first["summary"], first["body"], first["replaced"]), ("New message", "", 0))
    checks.equal("as mail of this program", (first["hints"]["category"], first["hints"]["desktop-entry"], first["urgency"]),
                 ("email.arrived", "ddsnode", 1))
    checks.equal("with an action by name", first["actions"], ["default", "Open", "open", "Open"])
    world.bob.send(subject, "text\n", f"alice@{DOMAIN}")
    second = server.next("shown")
    checks.equal("more is said in its place", (second["summary"], second["replaced"]), ("2 new messages", first["shown"]))
    checks.ok("the level count carries no name", not any(word in str(server.said) for word in ("bob", "Bob", subject)), server.said)
    world.read_all()
    checks.equal("what was read elsewhere is taken away", server.next("closed")["closed"], first["shown"])

    server.skip()
    world.configure(content='"subject"')
    hostile = "<b>bold</b> & <a href='http://evil.test'>x</a>"
    world.bob.send(hostile, "text\n", f"alice@{DOMAIN}")
    shown = server.next("shown")
    checks.ok("the level subject says what it is about, and markup in it is inert",
              "&lt;b&gt;bold&lt;/b&gt; &amp; &lt;a href=&#39;" in shown["body"] and "<" not in shown["body"], shown)
    before = len(world.opened.all())
    server.tell("act", shown["shown"], "open")
    identity = agent.find(hostile)[0]["id"]
    checks.equal("its action opens the thread", visit(world.opened.next(before + 1))[:2], (303, f"/t/{identity}"))
    server.tell("eager", True)
    world.bob.send(subject + " at once", "text\n", f"alice@{DOMAIN}")
    opened = world.opened.next(before + 2)
    identity = agent.find(subject + " at once")[0]["id"]
    checks.equal("also when it comes right behind the number of the bubble", visit(opened)[:2], (303, f"/t/{identity}"))
    server.tell("eager", False)
    server.skip()
    world.configure(content='"sender"')
    world.bob.send("four", "text\n", f"alice@{DOMAIN}")
    shown = server.next("shown")
    checks.equal("what was put away is told no more", shown["summary"], "New message")
    checks.ok("the level sender says from whom, not what", "bob" in shown["body"].lower() and "four" not in shown["body"], shown)
    server.tell("expire", shown["shown"])

    silence(checks, world, server)
    behind_the_lock(checks, world, server)
    server.stop()
    failed = agent.cli("notify", "test")
    checks.ok("without a server a test says so", failed.code == 69 and b"no notification server" in failed.err, failed.all)
    world.configure(content='"count"')


def silence(checks, world, server):
    """Pauses, quiet hours, muted threads, the level none. What is said last comes behind all else on the same bus: what was shown
    would be there before it."""
    agent = world.alice

    def unseen(what, subject):
        server.skip()
        world.bob.send(subject, "text\n", f"alice@{DOMAIN}")
        agent.waits_for(subject)
        agent.must("notify", "test")
        checks.equal(f"{what} nothing is shown, a test is", server.next("shown")["summary"], "Notifications work")

    world.bob.send("before the pause", "text\n", f"alice@{DOMAIN}")
    shown = server.next("shown")
    agent.must("notify", "pause", "10m")
    checks.equal("a pause takes away what is shown", server.next("closed", lambda line: line["closed"] == shown["shown"])["closed"],
                 shown["shown"])
    began = len(server.all("shown"))
    unseen("paused,", "paused")
    agent.must("notify", "resume")
    world.configure(content='"count"', quiet='["00:00-12:00", "12:00-00:00"]')
    unseen("in quiet hours", "quiet")
    world.configure(content='"none"')
    unseen("with the level none", "silent")
    strangers = [line for line in server.all("shown")[began:] if line["summary"] != "Notifications work"]
    checks.equal("nor later", strangers, [])
    world.configure(content='"subject"')
    world.read_all()


def behind_the_lock(checks, world, server):
    agent = world.alice
    secret = "Secret " + token()
    agent.lock()
    server.skip()
    world.bob.send(secret, "text\n", f"alice@{DOMAIN}")
    shown = server.next("shown")
    checks.equal("locked, only how much came is said", (shown["summary"], shown["body"]), ("New message", "Locked: unlock to read"))
    checks.ok("nothing of a locked message is known", secret not in str(server.said))
    agent.unlock()
    checks.equal("unlocking takes it away", server.next("closed")["closed"], shown["shown"])


def session(checks, world):
    """D8 of sleep and of the screen."""
    agent = world.alice
    # A process that has not executed its program anew yet, so that it can be told when it has.
    agent.stop()
    login, = world.at_desk("logind")
    login.tell("look_at", agent.process.pid)
    held = login.heard("inhibited")
    checks.equal("sleep is to wait for the lock", (held["inhibited"], held["who"], held["mode"]), ("sleep", "ddsnode", "delay"))
    checks.ok("status says that it would", until(lambda: agent.status()["agent"]["sleep_waits"]), agent.status())
    asleep = len(login.all("released"))
    login.tell("sleep")
    # logind goes on as soon as it is released: at that moment the key must be gone.
    checks.equal("sleep waits until the program of before is gone", login.heard("released", asleep + 1)["gone"], True)
    checks.ok("and the agent is locked", until(lambda: locked(agent)), agent.status())
    checks.ok("the log says why", "about to sleep" in agent.log_text(), agent.log_text()[-400:])
    login.tell("wake")
    checks.ok("after it sleep waits again", until(lambda: agent.status()["agent"]["sleep_waits"]), agent.status())
    for how, what in (("lock", "a locked session"), ("hint", "a screen that locks itself")):
        agent.unlock()
        login.tell(how)
        checks.ok(f"{what} locks", until(lambda: locked(agent)), agent.status())
    agent.unlock()
    login.tell("lock_other")
    login.tell("hint")
    checks.ok("other users' sessions are theirs", until(lambda: locked(agent)) and agent.log_text().count("screen was locked") == 3)
    checks.equal("an agent that is told to stays open all the while", world.bob.status()["agent"]["locked"], False)
    login.stop()
    checks.ok("without logind the agent runs", until(lambda: not agent.status()["agent"]["sleep_waits"]), agent.status())


def trouble(checks, world):
    """The icon says what is wrong, and no more when it is over."""
    agent = world.alice
    watcher, = world.at_desk("watcher")
    icon = world.icon(watcher)
    world.node.stop()
    checks.ok("a node that is gone is told", until(lambda: "Not fetched: " in icon.tip()), icon.tip())
    checks.equal("for attention", str(icon.properties()["Status"]), "NeedsAttention")
    world.node.start()
    checks.ok("and no more when it is back", until(lambda: (icon.choose("Fetch now"), "Fetched at" in icon.tip())[1], pause=0.5), icon.tip())
    watcher.stop()


def unit(checks, world):
    """Desktop entry, unit, and who opens a browser for an agent that is a service."""
    if requires(checks, "the desktop entry", "desktop-file-validate"):
        done = run("desktop-file-validate", f"{ROOT}/etc/ddsnode.desktop")
        checks.ok("the desktop entry is valid", done.code == 0 and not done.out, done.all)
    entry = open(f"{ROOT}/etc/ddsnode.desktop").read()
    checks.ok("dds: links are its own", "MimeType=x-scheme-handler/dds;" in entry and "open %u" in entry)
    words = re.findall(r"^Exec=/usr/bin/ddsnode (\w+)(?: (--\w+))?", entry, re.M)
    for command, option in sorted(set(words)):
        done = run(nodekit.BINARY, command, "--help")
        checks.ok(f"ddsnode {command} {option} of the entry exists", done.code == 0 and option in done.text, done.all)
    # Under a service manager it is asked to start the browser, which then has none of the unit's restrictions.
    agent = world.alice
    agent.stop()
    asked = path("opened", "service")
    script = os.path.join(os.path.dirname(world.opened.file), "bin", "systemd-run")
    write(script, f"#!/bin/sh\necho \"$@\" >> {asked}\n", 0o755)
    os.environ["INVOCATION_ID"] = "1"
    watcher, = world.at_desk("watcher", unlocked=False)
    world.icon(watcher).choose("Open")
    checks.ok("a service opens by the user's service manager", until(lambda: os.path.exists(asked)) and re.match(
        r"--user --collect --quiet -- \S+/xdg-open http://ddsnode.localhost:\d+/open/[0-9a-f]+$", open(asked).read()),
        os.path.exists(asked) and open(asked).read())
    del os.environ["INVOCATION_ID"]
    os.unlink(script)
    watcher.stop()
    agent.stop()


def links(checks, world):
    """dds: links, before joining and after."""
    agent = Agent("carol").start()
    invite = world.node.invite("carol")
    for words in ((invite,), ("open", invite)):
        before = len(world.opened.all())
        agent.must(*words)
        address = world.opened.next(before + 1)
        checks.ok("a link opens the page, and is in no address", "dds" not in address.split("/open/")[1], address)
        status, where, cookie = visit(address)
        checks.equal("which leads through joining", (status, where), (303, "/welcome"))
        place = urllib.parse.urlsplit(address)
        connection = http.client.HTTPConnection("127.0.0.1", place.port)
        connection.request("GET", "/welcome", headers={"Host": place.netloc, "Cookie": cookie.split(";")[0]})
        checks.ok("with the link in its field", f">{invite}</textarea>" in connection.getresponse().read().decode())
    damaged = agent.cli("open", "dds://node.test/short")
    checks.ok("a damaged link is refused", damaged.code == 65 and b"no whole invite" in damaged.err, damaged.all)
    agent.stop()
    world.at_desk(unlocked=False)
    refused = world.alice.cli(invite)
    checks.ok("who has joined is told what can be done", refused.code == 73 and b"second account" in refused.err, refused.all)
    checks.ok("no secret is in a log", invite.split("#")[1] not in agent.log_text() + world.alice.log_text())


def browser(checks, world):
    """C9: a window of its own leaves nothing outside of the runtime folder; --print-url and paths."""
    agent = world.alice
    world.at_desk()
    address = agent.must("open", "/w", "--print-url").text.strip()
    checks.equal("a path is kept in memory and not in the address", visit(address)[:2], (303, "/w"))
    for wrong in ("/nothing", "http://evil.test/", "//evil.test", "/do", "/lock"):
        refused = agent.cli("open", wrong, "--print-url")
        checks.equal(f"{wrong} is no page", refused.code, 64)
    checks.equal("two ways at once are refused", agent.cli("open", "--app", "--private").code, 64)
    if not requires(checks, "the page in a window of its own", "chromium"):
        return
    home, runtime, tmp = (os.path.dirname(path(name, "x")) for name in ("home", "xdg", "tmp"))
    os.chmod(runtime, 0o700)
    # The test runs as anybody, also as root and without a screen: options that only stand before what ddsnode says.
    real = nodekit.program("chromium")
    folder = os.path.dirname(path("browsers", "x"))
    seen = path("browsers", "words")
    write(os.path.join(folder, "chromium"),
          f"#!/bin/sh\necho \"$@\" > {seen}\nexec {real} --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage \"$@\"\n", 0o755)
    marker = os.path.join(tmp, "mark")
    write(marker, "")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "DISPLAY"))}
    environment.update(HOME=home, XDG_RUNTIME_DIR=runtime, TMPDIR=tmp, PATH=f"{folder}:{os.environ['PATH']}")
    before = set(os.listdir("/tmp"))
    process = spawn([nodekit.BINARY, "--config", agent.config, "open", "--app"], log=path("browsers", "log"), env=environment)
    profile = lambda: [name for name in below(runtime) if "/profile/" in name]
    checks.ok("the browser writes into the runtime folder", until(lambda: len(profile()) > 20), below(runtime)[:5])
    words = open(seen).read()
    checks.ok("without tabs, at a one-time address", re.search(r"--app=http://ddsnode.localhost:\d+/open/[0-9a-f]{64}( |$)", words), words)
    checks.ok("which it has shown", until(lambda: holds(profile(), [b"ddsnode.localhost"]), pause=0.5), len(profile()))
    process.send_signal(signal.SIGTERM)
    checks.ok("the command ends with its window", until(lambda: process.poll() is not None), words)
    checks.equal("then the runtime folder is empty", os.listdir(os.path.join(runtime, "ddsnode")), [])
    checks.equal("HOME was not touched", below(home), [])
    checks.equal("nor the folder for temporary files", below(tmp), [marker])
    mine = {name for name in set(os.listdir("/tmp")) - before if "chrom" in name.lower()}
    checks.equal("nor /tmp", mine, set())
    log = path("browsers", "private")
    write(os.path.join(folder, "chromium"), f"#!/bin/sh\necho \"$@\" > {log}\n", 0o755)
    done = run(nodekit.BINARY, "--config", agent.config, "open", "--private", env=environment)
    checks.ok("a private window is one", done.code == 0 and until(
        lambda: os.path.exists(log) and re.match(r"--incognito http://ddsnode.localhost", open(log).read())), done.all)
    bare = run(nodekit.BINARY, "--config", agent.config, "open", "--private", env={**environment, "PATH": home})
    checks.ok("without a known browser it says which it looked for",
              bare.code == 69 and b"Chromium" in bare.err and b"Firefox" in bare.err, bare.all)


def real(checks, world):
    """The icon in xfce4-panel on a screen of memory; its colours are on the picture of that screen."""
    if not requires(checks, "a real tray", "Xvfb", "xfce4-panel", "import", "convert"):
        return
    agent = world.alice
    agent.stop()
    home = os.path.dirname(path("panel", "home", "x"))
    config = path("panel", "home", ".config", "xfce4", "xfconf", "xfce-perchannel-xml", "xfce4-panel.xml")
    write(config, PANEL)
    runtime = os.path.dirname(path("panel", "run", "x"))
    os.chmod(runtime, 0o700)
    # Its settings are a service that the bus starts, with the bus's environment.
    environment = {**os.environ, "HOME": home, "XDG_CONFIG_HOME": os.path.join(home, ".config"), "XDG_RUNTIME_DIR": runtime,
                   "DISPLAY": ":97"}
    world.session.kill()
    world.session.start(environment)
    screen = spawn(["Xvfb", ":97", "-screen", "0", "640x200x24", "-nolisten", "tcp"])
    if not checks.ok("there is a screen", until(lambda: os.path.exists("/tmp/.X11-unix/X97")), screen.poll()):
        return
    panel = spawn(["xfce4-panel", "--disable-wm-check"], log=path("panel", "log"), env=environment)
    agent.start()
    agent.unlock()
    world.read_all()
    checks.ok("the panel is a tray", until(lambda: agent.status()["agent"]["tray"]), agent.status()["agent"])
    os.makedirs(world.screenshots or ".", exist_ok=True)

    def colours(name="open"):
        picture = os.path.join(world.screenshots or os.path.dirname(path("panel", "x")), f"tray-{name}.png")
        shot = run("import", "-display", ":97", "-window", "root", picture)
        if shot.code:
            raise AssertionError(shot.all)
        pixels = run("convert", picture, "-depth", "8", "rgb:-").out
        found = [pixels[place:place + 3] for place in range(0, len(pixels), 3)]
        return found.count(GEM[1:]), found.count(ALARM[1:])

    checks.ok("the gem is on the screen", until(lambda: colours()[0] > 20, pause=0.5), colours())
    checks.equal("without a badge", colours()[1], 0)
    world.bob.send("on the screen", "text\n", f"alice@{DOMAIN}")
    checks.ok("then with one", until(lambda: colours("unread")[1] > 5, pause=0.5), colours("unread"))
    agent.lock()
    checks.ok("and dull when it is locked", until(lambda: colours("locked")[0] == 0, pause=0.5), colours("locked"))
    for process in (panel, screen):
        process.terminate()
        process.wait()


PANEL = """<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="size" type="uint" value="30"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="plugin-ids" type="array">
        <value type="int" value="1"/>
        <value type="int" value="2"/>
      </property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="clock"/>
    <property name="plugin-2" type="string" value="systray"/>
  </property>
</channel>
"""

PARTS = [no_tray, icon, menu, bus_dies, trouble, notifications, session, unit, links, browser, real]


def main():
    words, screenshots = nodekit.arguments()
    try:
        import dbus
        import gi
        problem = None
    except ImportError as missing:
        problem = missing
        # Debian's packages are Debian's interpreter's; another may be the first on the path.
        if os.path.exists(DEBIAN) and os.path.realpath(sys.executable) != os.path.realpath(DEBIAN):
            os.execv(DEBIAN, [DEBIAN, *sys.argv])
    checks = nodekit.Checks("tray")
    if problem:
        checks.skip("the desktop", f"{problem}; run: make test-deps")
        checks.finish()
    if not requires(checks, "the desktop", "dbus-daemon", "setsid"):
        checks.finish()
    world = World(screenshots)
    for part in PARTS:
        if not words or part.__name__ in words:
            checks.part(part, world)
    for agent in (world.alice, world.bob):
        agent.stop()
    world.node.stop()
    checks.finish()


if __name__ == "__main__":
    main()
