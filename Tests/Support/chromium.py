"""A headless Chromium, driven over --remote-debugging-pipe: JSON that ends with NUL on file descriptors 3 and 4.

Pages are read and used through the DOM domain and real input events, so that all of it works with scripts switched off too.
"""
import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time


class Gone(Exception):
    """The browser answered with an error, or not at all."""


class Browser:
    """A browser with a profile of its own on the disk, as a person has."""

    def __init__(self, profile, *options):
        os.makedirs(profile, exist_ok=True)
        self.profile = profile
        # The child's ends lie above 3 and 4, or the shell would close what it has just put there.
        low, self.write_end = os.pipe()
        self.read_end, high = os.pipe()
        down, up = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 20), fcntl.fcntl(high, fcntl.F_DUPFD_CLOEXEC, 20)
        os.close(low)
        os.close(high)
        command = [
            shutil.which("chromium") or "chromium", "--headless=new", "--no-sandbox", "--remote-debugging-pipe",
            "--disable-gpu",
            "--disable-dev-shm-usage", "--no-first-run", "--no-default-browser-check", "--disable-component-update",
            "--disable-background-networking", "--disable-sync", "--password-store=basic", f"--user-data-dir={profile}",
            "--window-size=1280,900", *options, "about:blank"]
        home = os.path.join(profile, "home")
        os.makedirs(home, exist_ok=True)
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "DBUS_", "DISPLAY"))}
        environment["HOME"] = home
        # bash because the numbers of the pipes may have two digits.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec 3<&{down} 4>&{up} {down}<&- {up}>&-; exec "$@"', "bash", *command], pass_fds=(down, up),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment,
            start_new_session=True)
        os.close(down)
        os.close(up)
        self.buffer = b""
        self.number = 0
        self.events = []

    def send(self, method, session=None, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        return self.number

    def receive(self, seconds):
        """The next message, or None when none comes in time."""
        end = time.monotonic() + seconds
        while b"\0" not in self.buffer:
            # Without time, what has come is taken all the same.
            if not select.select([self.read_end], [], [], max(0.0, end - time.monotonic()))[0]:
                return None
            piece = os.read(self.read_end, 1 << 20)
            if not piece:
                raise Gone("the browser has ended")
            self.buffer += piece
        line, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(line)

    def call(self, method, session=None, seconds=60, **parameters):
        number = self.send(method, session, **parameters)
        end = time.monotonic() + seconds
        while True:
            message = self.receive(max(0, end - time.monotonic()))
            if message is None:
                raise Gone(f"no answer to {method} within {seconds} s")
            if message.get("id") == number:
                if "error" in message:
                    raise Gone(f"{method}: {message['error'].get('message')}")
                return message["result"]
            if "method" in message:
                self.events.append(message)

    def poll(self, seconds=0.0):
        """Takes in the events that have come."""
        while message := self.receive(seconds):
            seconds = 0
            if "method" in message:
                self.events.append(message)

    def tab(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, target, session)
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            tab.call(f"{domain}.enable")
        return tab

    def close(self):
        """Ends the browser in order, so that it writes its profile as it would for a person."""
        try:
            self.call("Browser.close", seconds=20)
            self.process.wait(20)
        except (Gone, OSError, subprocess.TimeoutExpired):
            pass
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            for end in (self.write_end, self.read_end):
                os.close(end)


class Tab:
    def __init__(self, browser, target, session):
        self.browser, self.target, self.session = browser, target, session

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def scripts(self, on):
        self.call("Emulation.setScriptExecutionDisabled", value=not on)

    def go(self, url):
        self.call("Page.navigate", url=url)
        self.settled()

    def back(self):
        entries = self.call("Page.getNavigationHistory")
        self.call("Page.navigateToHistoryEntry", entryId=entries["entries"][entries["currentIndex"] - 1]["id"])
        self.settled()

    def info(self):
        return self.browser.call("Target.getTargetInfo", targetId=self.target)["targetInfo"]

    @property
    def url(self):
        return self.info()["url"]

    @property
    def title(self):
        return self.info()["title"]

    def document(self):
        return self.call("DOM.getDocument", depth=0)["root"]["nodeId"]

    def html(self):
        """The page as it stands now, or "" while there is none."""
        try:
            return self.call("DOM.getOuterHTML", nodeId=self.document())["outerHTML"]
        except Gone:
            return ""

    def settled(self, seconds=20):
        """Waits until the page stops loading."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                state = self.call("Runtime.evaluate", expression="document.readyState", returnByValue=True)
                if state["result"].get("value") == "complete":
                    return
            except Gone:
                pass
            time.sleep(0.05)

    def wait(self, wanted, seconds=20):
        """Waits until the page holds the text, or the function of its HTML is true; returns the HTML, or None."""
        holds = wanted if callable(wanted) else (lambda html: wanted in html)
        end = time.monotonic() + seconds
        while True:
            html = self.html()
            if html and holds(html):
                return html
            if time.monotonic() > end:
                return None
            self.browser.poll(0.05)

    def find(self, selector):
        """All nodes of a selector."""
        return self.call("DOM.querySelectorAll", nodeId=self.document(), selector=selector)["nodeIds"]

    def node(self, selector, seconds=10):
        end = time.monotonic() + seconds
        while True:
            try:
                if found := self.find(selector):
                    return found[0]
            except Gone:
                pass
            if time.monotonic() > end:
                raise Gone(f"there is no {selector} at {self.url}")
            self.browser.poll(0.05)

    def click(self, selector):
        """A click of the mouse on the middle of the first such element."""
        last = None
        for _ in range(40):
            try:
                node = self.node(selector)
                self.call("DOM.scrollIntoViewIfNeeded", nodeId=node)
                quad = self.call("DOM.getContentQuads", nodeId=node)["quads"][0]
                break
            except (Gone, IndexError) as problem:
                last = problem
                self.browser.poll(0.1)
        else:
            raise Gone(f"{selector} cannot be clicked: {last}")
        x, y = sum(quad[0::2]) / 4, sum(quad[1::2]) / 4
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left" if kind != "mouseMoved" else "none",
                      clickCount=1 if kind != "mouseMoved" else 0)
        self.browser.poll(0.1)

    def type(self, selector, text):
        """Puts text at the cursor of a field, as the keyboard would."""
        self.call("DOM.focus", nodeId=self.node(selector))
        self.call("Input.insertText", text=text)

    def size(self, width, height, scheme="light", phone=False):
        """The window, and the colours that the person prefers."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def keys(self, *names):
        """Keys one after the other: letters as they are typed, or names like Tab, Enter, Escape."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "Space": 32}
        for name in names:
            shift = 8 if len(name) == 1 and name.isupper() or name in "*?" else 0
            shift, name = (8, "Tab") if name == "Shift+Tab" else (shift, name)
            text = {"Enter": "\r", "Space": " "}.get(name, name if len(name) == 1 else None)
            base = {"key": " " if name == "Space" else name, "modifiers": shift, "windowsVirtualKeyCode": codes.get(name, 0)}
            self.call("Input.dispatchKeyEvent", type="keyDown", **base, **({"text": text} if text else {}))
            self.call("Input.dispatchKeyEvent", type="keyUp", **base)
            self.browser.poll(0.05)

    def key(self, key, text=None, modifiers=0):
        for kind in ("keyDown", "keyUp"):
            extra = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, modifiers=modifiers, **extra)
        self.browser.poll(0.1)

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        return result["result"].get("value")

    def screenshot(self, path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=False)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def troubles(self):
        """What the console says of this tab: errors, warnings, policy violations, exceptions."""
        self.browser.poll()
        found = []
        for event in self.browser.events:
            if event.get("sessionId") != self.session:
                continue
            name, data = event["method"], event["params"]
            if name == "Log.entryAdded" and data["entry"]["level"] in ("error", "warning"):
                found.append(f"{data['entry']['source']}: {data['entry']['text']} {data['entry'].get('url', '')}")
            elif name == "Runtime.exceptionThrown":
                found.append(str(data["exceptionDetails"].get("exception", {}).get("description")
                    or data["exceptionDetails"]["text"]))
            elif name == "Runtime.consoleAPICalled" and data["type"] in ("error", "warning", "assert"):
                found.append(str([value.get("value") for value in data["args"]]))
        return found

    def requests(self):
        """The addresses this tab asked for."""
        self.browser.poll()
        return [event["params"]["request"]["url"] for event in self.browser.events
                if event.get("sessionId") == self.session and event["method"] == "Network.requestWillBeSent"]

    def responses(self):
        """(status, request method, url) of what came back, redirects included."""
        self.browser.poll()
        methods, found = {}, []
        for event in self.browser.events:
            if event.get("sessionId") != self.session:
                continue
            data = event["params"]
            if event["method"] == "Network.requestWillBeSent":
                if "redirectResponse" in data:
                    found.append((data["redirectResponse"]["status"], methods.get(data["requestId"]),
                        data["redirectResponse"]["url"]))
                methods[data["requestId"]] = data["request"]["method"]
            elif event["method"] == "Network.responseReceived":
                found.append((data["response"]["status"], methods.get(data["requestId"]), data["response"]["url"]))
        return found
