#!/usr/bin/env python3
"""Joining in the agent's page, in headless Chromium with a real node: by a pasted invite, by text around it, by a recovery kit, with
and without JavaScript, killed at each step; what is refused; and what a browser leaves on the disk of it.

usage: welcome.py [--screenshots FOLDER] [PART...]
"""
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from chromium import Browser
from mailpage import MailPage
from nodekit import DOMAIN, Agent, Node, below, holds, path, token, traces, until

TITLES = {"", "about:blank", "Welcome · DDS", "Unlock · DDS", "Inbox · DDS", "Keys · DDS", "Settings · DDS"}


class World:
    def __init__(self, screenshots):
        self.node = Node().init()
        self.node.start()
        self.node.must("group", "add", "board", "--title", "Board")
        self.screenshots = screenshots
        self.number = 0

    def invite(self, name):
        return self.node.invite(name, ["board"])

    def shot(self, tab, name):
        if self.screenshots:
            tab.screenshot(os.path.join(self.screenshots, name + ".png"))


class Joiner(MailPage):
    """Somebody in front of the page of an agent that is nobody's yet."""

    def heading(self):
        found = re.search(r"<h1[^>]*>(.*?)</h1>", self.tab.html(), re.S)
        return re.sub(r"<[^>]*>", "", found.group(1)).strip() if found else ""

    def at(self, heading, seconds=60):
        """Waits for a screen; raises with what is there instead."""
        pattern = re.compile(rf"<h1[^>]*>(<bdi[^>]*>)?{re.escape(heading)}")
        if not self.tab.wait(lambda page: pattern.search(page), seconds):
            raise AssertionError(f"not at \"{heading}\" but at \"{self.heading()}\": {self.text()[:500]}")
        self.tab.settled()
        return self.seen()

    def press(self, value):
        self.submit(f"button[value={value}]")

    def submit(self, selector):
        """Clicks, and waits until the form was answered: the next page may look like this one."""
        before = self.posts()
        self.tab.click(selector)
        if not until(lambda: self.posts() > before, 60, 0.05):
            raise AssertionError(f"{selector} was not answered: {self.text()[:300]}")
        self.tab.settled()

    def posts(self):
        return sum(1 for _, method, _ in self.tab.responses() if method == "POST")

    def unlock_with(self, passphrase):
        self.at("Unlock")
        self.tab.type("#passphrase", passphrase)
        self.submit("#unlock button.primary")
        return self

    def paste(self, text):
        self.at("Welcome")
        self.tab.type("#invite", text)
        self.press("invite")
        return self

    def named(self, name=None):
        self.at("You are invited")
        self.press("goon")
        self.at("You")
        if name:
            self.tab.call("DOM.focus", nodeId=self.tab.node("#name"))
            self.tab.call("Input.dispatchKeyEvent", type="keyDown", key="a", code="KeyA", windowsVirtualKeyCode=65, modifiers=2,
                          commands=["selectAll"])
            self.tab.call("Input.insertText", text=name)
        self.press("name")
        self.at("Invent a passphrase")
        return self

    def invent(self, passphrase):
        self.tab.type("#passphrase", passphrase)
        self.tab.type("#again", passphrase)
        self.press("passphrase")
        return self

    def check(self, passphrase):
        self.at("Is all well?")
        self.tab.type("#passphrase", passphrase)
        self.press("check")
        return self

    def to_inbox(self):
        self.at("All is well")
        self.press("finish")
        self.at("Inbox")
        return self


def agent_of(name):
    """A running agent that nobody has joined."""
    return Agent(name).start()


def forms_are_closed(checks, how, page):
    """C4 and C5."""
    html = page.tab.html()
    bad = [tag for tag in re.findall(r"<(?:form|input|textarea|select)\b[^>]*>", html) if 'autocomplete="off"' not in tag]
    checks.equal(f"{how}: every form and field has autocomplete=off", bad, [])


def quiet(checks, how, page, secrets):
    """C5, C6, C7 and the console at the end of a story."""
    tab = page.tab
    checks.equal(f"{how}: every POST is answered by 303", [status for status, method, _ in tab.responses()
                                                         if method == "POST" and status not in (303, 204)], [])
    checks.equal(f"{how}: titles are from the list", sorted(title for title in page.titles
                                                            if title not in TITLES and "localhost" not in title), [])
    checks.equal(f"{how}: no address holds a secret",
                 [url for url in tab.requests() if any(secret in url for secret in secrets)], [])
    troubles = [line for line in tab.troubles() if "Unrecognized feature: 'bluetooth'" not in line]
    checks.equal(f"{how}: the console is quiet", troubles, [])


def code_on(page):
    """The recovery code that the page shows."""
    return re.sub(r"\s", "", re.search(r"<code>(DDS-RECOVERY-1[^<]+)</code>", page.tab.html()).group(1))


def joining(checks, world, browser):
    """A2, A3, A5, A7 with JavaScript; the screens as they are seen."""
    agent = agent_of("alice")
    invite = world.invite("alice")
    tab = browser.tab()
    page = Joiner(tab, agent)
    tab.go(page.base + "/")
    page.at("Welcome")
    checks.ok("a fresh profile at / comes to the welcome", tab.url.endswith("/welcome"), tab.url)
    checks.ok("no password is asked for, and none is preset", 'type="password"' not in tab.html(), page.text()[:300])
    forms_are_closed(checks, "invite", page)
    world.shot(tab, "welcome-1-invite")
    page.paste(f"Dear Alice,\n\nhere is your invite: <{invite}>.\n\nYours, Bob").at("You are invited")
    text = page.text()
    checks.ok("the card shows node, key words, address and groups",
              all(word in text for word in (DOMAIN, f"alice@{DOMAIN}", "#board", "Valid until", "Stop here")), text)
    checks.ok("and not the invite", invite not in tab.html() and invite.split("#")[1] not in tab.html())
    checks.ok("nothing is created yet", not os.path.exists(os.path.join(agent.state, "agent")))
    world.shot(tab, "welcome-2-card")
    page.named("Alice Example")
    world.shot(tab, "welcome-3-passphrase")
    forms_are_closed(checks, "passphrase", page)
    page.press("suggest")
    checks.ok("six words are suggested", tab.wait(lambda html: re.search(r'class="words">\w{5}(-\w{5}){5}<', html)), page.text())
    world.shot(tab, "welcome-3-suggested")
    page.invent("password").at("Invent a passphrase")
    checks.ok("a passphrase that is found at once is refused", tab.wait("within a million guesses"), page.text()[:400])
    world.shot(tab, "welcome-3-refused")
    checks.ok("and not repeated in the field", 'value="password"' not in tab.html())
    page.invent(agent.passphrase)
    tab.wait("Making your keys", 3)
    world.shot(tab, "welcome-3-working")
    page.at("Recovery kit")
    code = code_on(page)
    world.shot(tab, "welcome-4-kit")
    page.press("kitdone")
    checks.ok("one has to say something about the kit", tab.wait("Print the kit or save it"), page.text()[:400])
    page.press("print")
    page.at(f"Recovery kit of")
    checks.ok("the kit can be printed", code_on(page) == code and "In the hands of a thief" in page.text(), page.text()[:600])
    world.shot(tab, "welcome-4-print")
    tab.click(".tools a")
    page.at("Recovery kit")
    page.press("kitdone")
    page.check("not " + agent.passphrase)
    checks.ok("a wrong passphrase is told", tab.wait("did not open the key", 30), page.text()[:400])
    world.shot(tab, "welcome-5-wrong")
    page.check(agent.passphrase)
    tab.wait("Looking whether all is well", 5)
    world.shot(tab, "welcome-5-ticks")
    page.at("All is well")
    checks.equal("three ticks", tab.html().count("✓"), 3)
    world.shot(tab, "welcome-6-done")
    page.press("finish")
    page.at("Inbox")
    checks.ok("the inbox greets", f"Welcome, Alice Example. You are alice@{DOMAIN}, in #board" in page.text(), page.text()[:400])
    world.shot(tab, "welcome-7-inbox")
    checks.ok("the account was proven", agent.status()["agent"]["joined"] and not agent.status()["agent"]["locked"])
    secrets = [agent.passphrase, invite.split("#")[1], code, "not " + agent.passphrase]
    quiet(checks, "joining", page, secrets)
    # A7.
    agent.stop()
    agent.start()
    tab.go(page.base + "/")
    page.at("Unlock")
    page.unlock()
    checks.ok("after a restart the same passphrase opens", tab.url.endswith("/"), tab.url)
    agent.stop()
    return secrets


def without_javascript(checks, world, browser):
    """The same without the script: every screen goes on by itself or by a button."""
    agent = agent_of("bob")
    invite = world.invite("bob")
    tab = browser.tab()
    tab.scripts(False)
    page = Joiner(tab, agent)
    address = agent.must("open", "--print-url").text.strip()
    tab.go(address)
    page.at("Welcome")
    checks.ok("ddsnode open leads to the welcome", tab.url.endswith("/welcome"), tab.url)
    page.paste(invite).named().invent(agent.passphrase)
    page.at("Recovery kit")
    code = code_on(page)
    tab.click("#accept")
    page.press("kitdone")
    page.check(agent.passphrase).to_inbox()
    checks.ok("without JavaScript: joined", f"You are bob@{DOMAIN}" in page.text(), page.text()[:400])
    quiet(checks, "without JavaScript", page, [agent.passphrase, invite.split("#")[1], code])
    # The laptop is lost, and the kit brings Bob back.
    agent.stop()
    shutil.rmtree(agent.state)
    agent.start()
    tab.go(page.base + "/")
    page.at("Welcome")
    page.press("wantskit")
    page.at("Come back")
    forms_are_closed(checks, "kit", page)
    world.shot(tab, "welcome-kit")
    tab.type("#kit", code[:-3])
    page.press("kit")
    checks.ok("a kit that was cut is told", tab.wait("is incomplete"), page.text()[:400])
    tab.type("#kit", "\n".join(code[start:start + 20].lower() for start in range(0, len(code), 20)))
    page.press("kit")
    page.at("Your kit")
    world.shot(tab, "welcome-kit-card")
    page.press("goon")
    page.at("Invent a passphrase")
    page.invent("an anvil hums at half past four")
    page.check("an anvil hums at half past four").to_inbox()
    checks.ok("the kit brings a person back", f"You are bob@{DOMAIN}" in page.text(), page.text()[:400])
    agent.stop()
    return [code]


def refusals(checks, world, browser):
    """A4 in the page: three different texts, nothing created."""
    agent = agent_of("carol")
    used, revoked, good = world.invite("dora"), world.invite("emil"), world.invite("carol")
    dora = Agent("dora")
    dora.join(used)
    number = next(row["id"] for row in world.node.json("invite", "list") if row["user"] == "emil")
    world.node.must("invite", "revoke", number)
    wrong = good[:-4] + ("0000" if good[-4:] != "0000" else "1111")
    tab = browser.tab()
    page = Joiner(tab, agent)
    tab.go(page.base + "/")
    said = []
    for what, text in (("used", used), ("revoked", revoked), ("wrong", wrong), ("cut", good[:-3])):
        page.paste(text)
        page.at("Welcome")
        found = tab.wait(lambda html: 'role="alert"' in html) or ""
        notice = re.search(r'role="alert">(.*?)</p>', found, re.S)
        said.append(re.sub(r"<[^>]*>", "", notice.group(1)) if notice else "")
        checks.ok(f"a {what} invite is told", said[-1], page.text()[:300])
        checks.ok("and not repeated", text not in tab.html())
    world.shot(tab, "welcome-1-refused")
    checks.equal("each has a text of its own", len(set(said)), 4)
    checks.ok("nothing is created", not os.path.exists(os.path.join(agent.state, "agent")), agent.files())
    agent.stop()
    return []


def kills(checks, world, browser):
    """A6: SIGKILL at each step, and again from the front."""
    agent = agent_of("fay")
    invite = world.invite("fay")
    tab = browser.tab()
    page = Joiner(tab, agent)

    def again(what):
        agent.kill()
        agent.start()
        tab.go(page.base + "/")
        page.tab.settled()
        checks.ok(f"killed {what}: the page is there", page.heading() in ("Welcome", "Unlock"), page.heading())

    tab.go(page.base + "/")
    page.paste(invite).at("You are invited")
    again("at the card")
    page.paste(invite).named()
    again("before the passphrase")
    checks.ok("until then nothing is there", not os.path.exists(os.path.join(agent.state, "agent")), agent.files())
    page.paste(invite).named().invent(agent.passphrase)
    until(lambda: os.path.exists(os.path.join(agent.state, "agent", "keys.age")), 30, 0.001)
    again("while the key was registered")
    if page.heading() == "Welcome":
        page.paste(invite).at("You are invited")
        page.press("goon")
        page.at("You")
        page.press("name")
        page.at("Your passphrase")
        world.shot(tab, "welcome-3-earlier")
        tab.type("#passphrase", agent.passphrase)
        page.press("passphrase")
    else:
        page.unlock_with(agent.passphrase)
    page.at("Recovery kit")
    again("at the kit")
    page.unlock_with(agent.passphrase)
    page.at("Recovery kit")
    tab.click("#accept")
    page.press("kitdone")
    page.at("Is all well?")
    again("before the check")
    page.unlock_with(agent.passphrase)
    page.at("Recovery kit")
    tab.click("#accept")
    page.press("kitdone")
    page.check(agent.passphrase)
    again("while it was proven")
    page.unlock_with(agent.passphrase)
    if page.heading() == "Recovery kit":
        tab.click("#accept")
        page.press("kitdone")
        page.check(agent.passphrase).to_inbox()
    checks.ok("all of it led to an account", agent.status()["agent"]["address"] == f"fay@{DOMAIN}", agent.status())
    agent.send("hello", "to myself\n", f"fay@{DOMAIN}")
    checks.ok("that works", agent.waits_for("hello"))
    agent.stop()
    return [agent.passphrase, invite.split("#")[1]]


def main():
    arguments = sys.argv[1:]
    screenshots = None
    if "--screenshots" in arguments:
        place = arguments.index("--screenshots")
        screenshots = arguments[place + 1]
        del arguments[place:place + 2]
    checks = nodekit.Checks("welcome")
    if not nodekit.requires(checks, "joining in the page", "chromium"):
        checks.finish()
    world = World(screenshots)
    profile = path("profile", "x")
    browser = Browser(os.path.dirname(profile))
    parts = {"joining": joining, "without_javascript": without_javascript, "refusals": refusals, "kills": kills}
    secrets = []
    try:
        for name, part in parts.items():
            if not arguments or name in arguments:
                def run(checks, world, browser, part=part):
                    secrets.extend(part(checks, world, browser) or [])
                run.__name__ = part.__name__
                checks.part(run, world, browser)
    finally:
        browser.close()
    left = holds(below(browser.profile), [trace for secret in secrets for trace in traces(secret)])
    checks.equal("no secret is in the browser's profile", sorted({name for name, _ in left}), [])
    logs = [path(name, "log") for name in ("alice", "bob", "carol", "fay", "node")]
    left = holds([name for name in logs if os.path.exists(name)], [secret.encode() for secret in secrets])
    checks.equal("no secret is in a log", left, [])
    states = [nodekit.folder() + f"/{name}/{part}" for name in ("alice", "bob", "carol", "fay") for part in ("state", "run")]
    left = holds(below(*states), [trace for secret in secrets for trace in traces(secret)])
    checks.equal("no secret is in an agent's folders", sorted({name for name, _ in left}), [])
    world.node.stop()
    checks.finish()


if __name__ == "__main__":
    main()
