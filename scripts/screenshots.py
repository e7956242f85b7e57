"""Screenshots of every screen of the demo's page: light and dark, wide and as narrow as a phone. `make screenshots` runs it.

usage: screenshots.py FOLDER [SCREEN...]
"""
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../Tests/Support'))
from chromium import Browser

LOOKS = [("wide", 1280, 860, "light"), ("wide", 1280, 860, "dark"), ("phone", 390, 844, "light"), ("phone", 390, 844, "dark"),
    ("narrow", 320, 640, "light")]


class Demo:
    """`ddsnode demo` in a folder that goes with it."""

    def __init__(self, binary, folder):
        self.process = subprocess.Popen(
            [binary, "demo", "--no-browser", "--json", "--dir", folder], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
            start_new_session=True)
        text, end = b"", time.monotonic() + 150
        while not text.rstrip().endswith(b"}") and time.monotonic() < end and self.process.poll() is None:
            if select.select([self.process.stdout], [], [], 0.2)[0]:
                text += os.read(self.process.stdout.fileno(), 65536)
        self.members = json.loads(text)["members"]
        self.binary = binary

    def agent(self, member, *words, **how):
        return subprocess.run([self.binary, "--config", member["config"], *words], capture_output=True, text=True, check=True,
            **how).stdout

    def close(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(40)


def screens(tab, base, demo, alice):
    """(name, what brings it about) of every screen."""
    def go(path):
        tab.go(base + path)
        tab.settled()

    def thread(subject):
        rows = json.loads(demo.agent(alice, "list", "--json"))
        return next(row["id"] for row in rows if row["subject"] == subject)

    def write():
        go("/w")
        tab.type("#f-recipients", "board@node.test")
        tab.type("#f-subject", "Roof, second offer")
        tab.type("#f-body", "Dear all,\n\nthe second offer is attached. It is 400 lower, and they can begin in March.\n\nAlice\n")

    def problem():
        write()
        tab.click("#send")
        tab.wait('class="problems"')

    def menu():
        go("/")
        tab.click(".menu summary")

    def details():
        go("/t/" + thread("Frost on Tuesday"))
        tab.evaluate("document.querySelectorAll('.more').forEach((d, i, all) => d.open = i === all.length - 1)")
        tab.evaluate("document.querySelector('.more[open]').scrollIntoView()")

    def undo():
        go("/")
        tab.evaluate("document.querySelector('.row input').checked = true")
        tab.click('[value="star"]')
        tab.wait("Undo")

    def keys():
        go("/")
        tab.evaluate("document.querySelector('#help').showModal()")

    def link():
        go("/settings/devices")
        if not tab.find("#link"):
            tab.click('[value="link"]')
            tab.wait('id="link"')

    def kit():
        go("/settings/keys")
        tab.type("#passphrase", alice["passphrase"])
        tab.click('[value="kit"]')
        tab.wait("DDS-RECOVERY")

    def gateway():
        go("/settings/gateway")
        for protocol in ("imap", "smtp"):
            if "It is off" in tab.evaluate(f"document.querySelector('input[value={protocol}]').closest('section').textContent"):
                tab.click(f'input[value="{protocol}"] ~ button')
                tab.wait(f"{protocol.upper()} is on")
        if tab.find('[value="revoke"]'):
            tab.click('[value="revoke"]')
            tab.wait("It is revoked")
        tab.type("#password-name", "Thunderbird")
        tab.click('[value="add"]')
        tab.wait('id="app-password"')

    def trash(path):
        go("/b")
        if not tab.find(".row"):
            go("/t/" + thread("Please pay this today"))
            tab.evaluate("document.querySelector('[value=trash]').click()")
            tab.wait("moved to the trash")
        go(path)

    def search(words):
        go("/s")
        tab.type("#q", words)
        tab.keys("Enter")
        tab.wait("</mark>" if words else "How to search")
        tab.settled()

    return [
        ("search", lambda: search("budget")), ("searching", lambda: search("")),
        ("inbox", lambda: go("/")), ("menu", menu), ("undo", undo), ("keys", keys), ("private", lambda: go("/p")),
        ("starred", lambda: go("/f")), ("archive", lambda: go("/r")), ("drafts", lambda: go("/d")), ("sent", lambda: go("/x")),
        ("lists", lambda: (go("/"), tab.go(base + group(tab, "#lists")), tab.settled())),
        ("thread", lambda: go("/t/" + thread("Budget for next year"))), ("details", details),
        ("formatted", lambda: go("/t/" + thread("The party, with pictures"))),
        ("hebrew", lambda: go("/t/" + thread("שלום לכולם"))),
        ("spoof", lambda: go("/t/" + thread("Please pay this today"))),
        ("print", lambda: go("/t/" + thread("Budget for next year") + "/print")),
        ("write", write), ("problem", problem), ("folders", lambda: go("/#nav")), ("missing", lambda: go("/t/nothing")),
        *((f"settings{name}", lambda name=name: go("/settings" + name.replace("-", "/")))
          for name in ("", "-keys", "-groups", "-devices", "-appearance", "-node", "-about")),
        ("settings-link", link), ("settings-kit", kit), ("settings-gateway", gateway),
        # At the end, as the others show what is thrown away here.
        ("trash", lambda: trash("/b")), ("trash-empty", lambda: trash("/b/empty")),
    ]


def group(tab, name):
    return tab.evaluate(f"[...document.querySelectorAll('nav a')].find(a => a.textContent.includes({json.dumps(name)})).getAttribute('href')")


def main():
    folder, wanted = os.path.abspath(sys.argv[1]), sys.argv[2:]
    with tempfile.TemporaryDirectory(prefix="ddsnode-screens") as work:
        demo = Demo(os.environ["DDSNODE"], os.path.join(work, "demo"))
        browser = Browser(os.path.join(work, "profile"))
        try:
            alice = demo.members[0]
            # Wherever the agent is, it has fetched what the others wrote.
            demo.agent(alice, "fetch")
            tab = browser.tab()
            tab.go(alice["page"] + "/unlock")
            for look, width, height, theme in LOOKS:
                tab.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=look != "wide")
                tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
                tab.screenshot(f"{folder}/unlock-{look}-{theme}.png")
            tab.go(demo.agent(alice, "open", "--print-url").strip())
            tab.settled()
            base = alice["page"].rstrip("/")
            for name, bring in screens(tab, base, demo, alice):
                if wanted and name not in wanted:
                    continue
                for look, width, height, theme in LOOKS:
                    tab.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                        mobile=look != "wide")
                    tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
                    bring()
                    over = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                    if over:
                        print(f"{name} {look} {theme}: {over} px too wide")
                    tab.screenshot(f"{folder}/{name}-{look}-{theme}.png")
            for trouble in tab.troubles():
                print("console:", trouble)
        finally:
            browser.close()
            demo.close()


if __name__ == "__main__":
    sys.exit(__doc__) if len(sys.argv) < 2 else main()
