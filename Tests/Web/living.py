#!/usr/bin/env python3
"""A day at the page in headless Chromium: the whole story by keys only and without JavaScript, large files, the idle lock, hidden tabs,
and what the browser has on its disk of every screen. The letters and numbers are those of WEB.md 8.

usage: living.py [PART...]
"""
import hashlib
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../Support"), HERE]
import nodekit
from chromium import Browser
from mailpage import MailPage, signed_in
from nodekit import DOMAIN, Agent, Node, below, holds, path, token, until

HTML = """From: Bob <bob@{domain}>
To: {board}
Subject: {subject}
MIME-Version: 1.0
Content-Type: text/html; charset=utf-8

<h1>{heading}</h1><p>{text} <a href="https://{host}.example/">the plan</a></p>
"""


class World:
    """Alice at her page, Bob with an agent; both are in one group."""

    def __init__(self):
        self.node = Node().init()
        self.node.start()
        self.group = "g" + token(11)
        self.node.must("group", "add", self.group, "--title", token(14))
        self.alice, self.bob = Agent("alice", undo_send="10s"), Agent("bob")
        for agent in (self.alice, self.bob):
            agent.join(self.node.invite(agent.name, [self.group]))
            agent.start()
        self.bob.unlock()
        self.board = f"{self.group}@{DOMAIN}"
        self.browser = Browser(path("profile", "x"))
        self.is_closed = False
        # Whatever must never reach the disk.
        self.markers = [self.alice.passphrase]

    def secret(self):
        self.markers.append(token(16))
        return self.markers[-1]

    def mail(self, subject, body="Hello.\n"):
        self.bob.send(subject, body, self.board)
        return self.alice.waits_for(subject)

    def page(self):
        return signed_in(self.browser, self.alice)


def whole_story_by_keys(checks, world):
    """J1: unlock, read, reply, search, lock; no pointer anywhere."""
    world.alice.unlock()
    subject, text, answer = world.secret(), world.secret(), world.secret()
    world.mail(subject, text + "\n")
    world.alice.lock()
    page = MailPage(world.browser.tab(), world.alice)
    tab = page.tab
    page.open()
    checks.equal("the passphrase has the focus", tab.evaluate("document.activeElement.id"), "passphrase")
    tab.keys(*world.alice.passphrase, "Enter")
    checks.ok("Enter unlocks", tab.wait('data-page="list"', 30), page.text()[:200])
    tab.settled()
    tab.keys("j")
    focused = tab.evaluate("document.activeElement.textContent")
    checks.ok("j goes to the newest thread", subject in focused, focused)
    tab.keys("Enter")
    checks.ok("Enter opens it", tab.wait('data-page="thread"') and text in tab.html())
    tab.settled()
    tab.keys("r")
    checks.ok("r answers the group", tab.wait('id="compose"') and f'value="{world.board}"' in tab.html())
    tab.settled()
    checks.equal("the text has the focus", tab.evaluate("document.activeElement.id"), "f-body")
    tab.keys(*answer)
    tab.key("Enter", "\r", 2)
    checks.ok("Ctrl+Enter sends", tab.wait("Sending in 10 s."), page.text()[:300])
    tab.settled()
    tab.keys("/")
    checks.equal("/ goes to the search", tab.evaluate("document.activeElement.id"), "q")
    tab.keys(*text, "Enter")
    checks.ok("Enter searches", tab.wait('data-page="search"') and "/s/" in tab.url, (tab.url, page.text()[:300]))
    checks.ok("and finds the message", subject in tab.html() and f"<mark>{text}</mark>" in tab.html(), page.text()[:400])
    tab.settled()
    tab.keys("j", "Enter")
    checks.ok("j and Enter open what was found", tab.wait('data-page="thread"') and text in tab.html())
    tab.settled()
    tab.keys("L")
    checks.ok("Shift+L locks", tab.wait('id="passphrase"') and world.alice.status()["agent"]["locked"])
    checks.ok("the answer arrives", world.bob.waits_for(f"Re: {subject}", 40))
    page.seen()
    words = [word for word in tab.requests() for marker in world.markers if marker.lower() in word.lower()]
    checks.equal("no address had a word of mail (C7)", words, [])


def whole_story_without_scripts(checks, world):
    """K1 to K6: the same with a browser that runs no scripts, and the settings."""
    page = MailPage(world.browser.tab(), world.alice)
    tab = page.tab
    tab.scripts(False)
    page.open()
    page.unlock()
    subject, text, answer = world.secret(), world.secret(), world.secret()
    world.mail(subject, text + "\n")
    page.inbox()
    page.open_thread(subject)
    checks.ok("a thread is read", text in tab.html())
    tab.click("details.message:last-of-type button[data-reply=all]")
    tab.wait('id="compose"')
    tab.type("#f-body", answer)
    tab.click("#send")
    checks.ok("a reply is sent", tab.wait("Sending in 10 s."), page.text()[:300])
    tab.type("#q", text)
    tab.keys("Enter")
    checks.ok("a search finds", tab.wait('data-page="search"') and subject in tab.html(), page.text()[:400])
    tab.evaluate("document.querySelector('#q').select()")
    tab.type("#q", world.secret())
    tab.keys("Enter")
    checks.ok("or finds nothing, and says so", tab.wait("Nothing"), page.text()[:400])
    for name in re.findall(r'href="(/settings[^"]*)"', tab.html())[:1]:
        tab.go(page.base + name)
        checks.ok("the settings are there", "<form" in tab.html() and tab.evaluate("document.title") == "Settings \u00b7 DDS")
    tab.go(page.base + "/")
    tab.click("#lock button")
    checks.ok("the lock locks", tab.wait('id="passphrase"') and world.alice.status()["agent"]["locked"])
    checks.ok("the answer arrives", world.bob.waits_for(f"Re: {subject}", 40))
    world.alice.unlock()


def large_files(checks, world):
    """F6: a file of 12 MiB there and back; more than a message may have is refused, and the text stays."""
    page = world.page()
    tab = page.tab
    subject, text = world.secret(), world.secret()
    content = os.urandom(1 << 20) * 12
    name = world.secret() + ".bin"
    file = path("files", name)
    os.makedirs(os.path.dirname(file), exist_ok=True)
    with open(file, "wb") as out:
        out.write(content)
    page.write(world.board, subject, text)
    attach(tab, file)
    tab.click("#send")
    checks.ok("a message with 12 MiB is taken", tab.wait("Sending in 10 s.", 60), page.text()[:400])
    until(lambda: world.alice.find(subject)[0]["state"] != "waiting", 180, 1)
    mine = world.alice.find(subject)[0]
    checks.equal("the node takes it", (mine["state"], mine["note"]), ("sent", None))
    row = world.bob.waits_for(subject, 90)
    raw = world.bob.raw(row["id"])
    checks.ok("it arrives with its file", len(raw) > 12 << 20, len(raw))
    other = MailPage(world.browser.tab(), world.bob)
    other.open()
    other.tab.go(other.base + "/t/" + row["id"])
    link = re.search(r'href="(/a/\w+)"', other.tab.html())
    checks.ok("its thread offers the file", link, other.text()[:300])
    sum_there = other.tab.evaluate("""fetch('%s').then(a => a.arrayBuffer()).then(b => crypto.subtle.digest('SHA-256', b))
        .then(d => [...new Uint8Array(d)].map(n => n.toString(16).padStart(2, '0')).join(''))""" % link.group(1))
    checks.equal("and it is the same, octet for octet (F6)", sum_there, hashlib.sha256(content).hexdigest())
    world.browser.call("Target.closeTarget", targetId=other.tab.target)
    with open(file, "ab") as out:
        out.write(os.urandom(1 << 20) * 4)
    page.write(world.board, subject + "2", text)
    attach(tab, file)
    tab.click("#send")
    refused = tab.wait(lambda html: 'class="problems"' in html or "MiB" in html, 60)
    checks.ok("16 MiB, which are too much when they are sealed, are refused with the limit", refused and "25 MiB" in page.text(), page.text()[:400])
    checks.ok("and the text is kept", text in tab.html(), tab.url)
    checks.equal("nothing of it was sent", world.bob.find(subject + "2"), [])
    os.unlink(file)


def attach(tab, file):
    node = tab.node("input[type=file]")
    tab.call("DOM.setFileInputFiles", files=[file], nodeId=node)


def hidden_tabs(checks, world):
    """L4: a tab that is not seen holds no stream, and one that is seen again hears."""
    page, other = world.page(), world.page()
    hide = """(hidden => { Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
        document.dispatchEvent(new Event('visibilitychange', { bubbles: true })); })(%s)"""
    page.tab.evaluate(hide % "true")
    subject = world.secret()
    world.mail(subject)
    bar = "!document.querySelector('#live a').hidden"
    checks.ok("the tab that is seen hears of new mail", until(lambda: other.tab.evaluate(bar), 15, 0.1))
    checks.equal("the hidden one has no stream to hear by (L4)", page.tab.evaluate(bar), False)
    page.tab.evaluate(hide % "false")
    again = world.secret()
    world.mail(again)
    checks.ok("and hears when it is seen again", until(lambda: page.tab.evaluate(bar), 15, 0.1))


def idle_lock(checks, world):
    """D3: a page that is only open does not keep the agent unlocked, though its stream goes on."""
    world.alice.stop()
    with open(world.alice.config, "a") as file:
        file.write('\n[agent.lock]\nidle = "6s"\n')
    world.alice.start()
    page = world.page()
    begin = time.monotonic()
    checks.ok("an open page with its stream is emptied when nobody does anything (D3)", page.tab.wait('id="passphrase"', 40))
    took = time.monotonic() - begin
    checks.ok("and not before its time", took >= 5, took)
    checks.ok("the agent is locked", world.alice.status()["agent"]["locked"])


def every_screen(checks, world):
    """What the disk check needs: each screen of a person's mail was looked at with words in it that are nowhere else."""
    page = world.page()
    tab = page.tab
    subject, heading, text, host = world.secret(), world.secret(), world.secret(), "h" + token(12)
    world.markers.append(host)
    world.bob.must("send", "-t", input=HTML.format(
        domain=DOMAIN, board=world.board, subject=subject, heading=heading, text=text, host=host))
    row = world.alice.waits_for(subject)
    page.inbox()
    for place in (f"/t/{row['id']}", f"/m/{row['id']}", f"/m/{row['id']}/source", f"/t/{row['id']}/print"):
        tab.go(page.base + place)
        checks.ok(f"{place.replace(row['id'], 'ID')} is shown", tab.wait("<body"), tab.url)
        tab.settled()
        page.seen()
    tab.go(page.base + f"/t/{row['id']}")
    if link := re.search(r'href="(/o/\w+)"', tab.html()):
        tab.go(page.base + link.group(1))
        page.seen()
    page.inbox()
    draft, words = world.secret(), world.secret()
    page.write("nobody" + world.secret() + f"@{DOMAIN}", draft, words)
    tab.click("#send")
    tab.wait("problems")
    page.seen()
    page.write(world.board, world.secret(), world.secret())
    tab.click("#send")
    tab.wait("Sending in 10 s.")
    tab.click(".notice button")
    tab.wait("nothing was sent")
    page.seen()
    tab.type("#q", world.secret())
    tab.keys("Enter")
    tab.wait('data-page="search"')
    page.seen()
    page.inbox()
    tab.click("ul.rows li.row input")
    tab.click('.tools [value="archive"]')
    tab.wait("archived")
    tab.click(".notice button")
    tab.wait("Taken back.")
    page.seen()
    thrown, words = world.secret(), world.secret()
    world.mail(thrown, words + "\n")
    page.inbox().open_thread(thrown)
    page.inbox().throw_away(thrown)
    tab.go(page.base + "/b")
    page.seen().open_thread(thrown)
    checks.ok("what was thrown away can still be read", words in tab.html(), page.text()[:300])
    tab.go(page.base + "/b/empty")
    page.seen()
    tab.click("main .danger")
    checks.ok("and is erased", tab.wait("1 message erased for ever."), page.text()[:300])
    page.seen()
    tab.go(page.base + "/settings/gateway")
    tab.type("#password-name", "reader")
    tab.click('[value="add"]')
    tab.wait("The password is made.")
    world.markers.append(re.search(r'id="app-password">([^<]+)<', tab.html()).group(1))
    page.seen()
    bad = {title for title in page.titles if any(marker in title for marker in world.markers)}
    checks.equal("no title had a word of mail (C6)", bad, set())
    stored = tab.evaluate("""Promise.all([indexedDB.databases(), caches.keys(), navigator.serviceWorker.getRegistrations()])
        .then(all => all.map(list => list.length).concat(localStorage.length, sessionStorage.length))""")
    checks.equal("nothing is stored in the browser (C8)", stored, [0, 0, 0, 0, 0])
    checks.equal("nothing is on the disk while it runs (C2)", on_disk(world), [])


def on_disk(world):
    """Markers in the browser's profile and in what agents and node have written."""
    mine = below(world.alice.state, world.alice.runtime, world.node.state)
    needles = [form for marker in world.markers for form in (marker.encode(), marker.encode("utf-16-le"))]
    return [(os.path.basename(name), needle) for name, needle in holds(below(world.browser.profile) + mine, needles)]


def the_disk(checks, world):
    """C1, C3, after the browser has written what it writes."""
    world.browser.close()
    world.is_closed = True
    checks.ok("there is a profile with a history", any(name.endswith("History") for name in below(world.browser.profile)))
    checks.equal(f"none of {len(world.markers)} markers is on the disk (C1, C3)", on_disk(world), [])


def main():
    checks = nodekit.Checks("living")
    if not nodekit.requires(checks, "the page in a browser", "chromium"):
        return checks.finish()
    world = World()
    checks.parts((whole_story_by_keys, whole_story_without_scripts, every_screen, large_files, hidden_tabs, idle_lock, the_disk), world)
    if not world.is_closed:
        world.browser.close()
    checks.stop(world.alice, world.bob, world.node)
    checks.finish()


if __name__ == "__main__":
    main()
