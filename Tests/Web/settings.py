#!/usr/bin/env python3
"""The page's settings in headless Chromium: every tab in both themes and narrow, what each choice really does, with scripts and
without, and what of it reaches the disk. The letters and numbers are those of WEB.md 8.

usage: settings.py [--screenshots FOLDER] [PART...]
"""
import os
import poplib
import re
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../Support"), HERE]
import nodekit
from chromium import Browser
from mailbox import CONTRAST, count, finished, rows
from mailpage import MailPage
from nodekit import DOMAIN, Agent, Node, below, holds, path, run, token, traces, until, write
from page import clear

TABS = ["/settings"] + [f"/settings/{name}" for name in ("keys", "groups", "devices", "gateway", "appearance", "node", "about")]


class World:
    """Alice with her page in two browsers, Bob with an agent; both are in #board and #camp."""

    def __init__(self, screenshots):
        self.node = Node().init()
        self.node.start()
        for group in ("board", "camp"):
            self.node.must("group", "add", group)
        self.alice = Agent("alice", undo_send="10s")
        self.alice.join(self.node.invite("alice", ["board", "camp"]))
        self.alice.start()
        self.bob = Agent("bob")
        self.bob.join(self.node.invite("bob", ["board", "camp"]))
        self.bob.start()
        self.bob.unlock()
        self.browser, self.other = Browser(path("profile", "x")), Browser(path("profile2", "x"))
        self.screenshots = screenshots
        self.markers = []

    def secret(self):
        marker = token(24)
        self.markers.append(marker)
        return marker

    def page(self, browser=None, scripts=True):
        page = MailPage((browser or self.browser).tab(), self.alice)
        page.tab.scripts(scripts)
        page.open()
        if 'id="passphrase"' in page.tab.html():
            page.unlock()
        return page

    def mail(self, subject, to):
        self.bob.send(subject, "Hello.\n", f"{to}@{DOMAIN}")
        return self.alice.waits_for(subject)

    def shot(self, tab, name):
        if self.screenshots:
            tab.screenshot(os.path.join(self.screenshots, name + ".png"))


def go(page, where):
    page.tab.go(page.base + where)
    page.tab.settled()
    return page.seen()


def told(page, words):
    """The notice of the page that a form led to."""
    found = page.tab.wait(lambda html: 'class="notice"' in html and words in html)
    page.tab.settled()
    page.seen()
    return found


def save(page, words="Saved."):
    page.tab.click('[value="save"]')
    return told(page, words)


def opens(page, passphrase):
    """Whether a passphrase unlocks, asked for once."""
    go(page, "/")
    page.tab.type("#passphrase", passphrase)
    page.tab.click("#unlock button.primary")
    if page.tab.wait(lambda html: 'id="lock"' in html or "did not open the key" in html, 30):
        page.tab.settled()
        return 'id="lock"' in page.seen().tab.html()
    raise AssertionError(f"neither opened nor refused: {page.text()[:300]}")


def set_box(page, selector, on):
    """A checkbox as a person sets it, whatever it was."""
    node = page.tab.node(selector)
    attributes = page.tab.call("DOM.getAttributes", nodeId=node)["attributes"][0::2]
    if ("checked" in attributes) != on:
        page.tab.click(selector)


def at_end(checks, world, page, how, allowed=()):
    finished(checks, world, page, how, allowed=allowed)
    wrong = sorted(title for title in page.titles
        if re.sub(r"^\(\d+\) ", "", title) not in {f"{name} · DDS" for name in
            ("Unlock", "Inbox", "Group", "Thread", "Write", "Settings", "Keys", "Welcome")} and "localhost" not in title)
    checks.equal(f"{how}: titles are generic (C6)", wrong, [])
    words = [url for url in page.tab.requests() if any(marker in url for marker in world.markers)]
    checks.equal(f"{how}: no address holds a word (C7)", words, [])


def everybody(checks, world):
    """J3 to J6, C4 on every tab, with as much on it as there can be."""
    page = world.page()
    tab = page.tab
    world.page(world.other)
    go(page, "/settings/devices")
    tab.click('[value="link"]')
    told(page, "The link is good once")
    world.alice.must("gateway", "on")
    world.alice.must("gateway", "password", "add", "W" * 60)
    for screen in TABS:
        for scheme in ("light", "dark"):
            tab.size(1280, 900, scheme)
            go(page, screen)
            checks.equal(f"{screen} {scheme}: contrast (J5)", tab.evaluate(CONTRAST), [])
            world.shot(tab, f"{screen.strip('/').replace('/', '-')}-{scheme}")
        for width in (320, 390):
            for scheme in ("light", "dark"):
                tab.size(width, 800, scheme, phone=True)
                go(page, screen)
                wide = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
                checks.ok(f"{screen} fits into {width} pixels, {scheme} (J6)", wide <= 0, wide)
            # A link within a sentence is as high as its line (WCAG 2.2, 2.5.8).
            small = tab.evaluate("[...document.querySelectorAll('main a, main button, main summary, main input:not([type=hidden])')].filter(e => "
                "e.getClientRects().length).map(e => [e, e.getBoundingClientRect()]).filter(([e, b]) => b.right > innerWidth || "
                "!e.matches('p a') && (b.height < 16 || b.width < 16)).map(([e]) => e.outerHTML.slice(0, 60))")
            checks.equal(f"{screen} at {width}: nothing is too small or cut off", small, [])
        tab.size(1280, 900)
        go(page, screen)
        nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
        role = lambda node: node.get("role", {}).get("value")
        named = lambda node: node.get("name", {}).get("value", "").strip()
        controls = ("button", "link", "textbox", "checkbox", "combobox", "radio", "spinbutton", "searchbox", "DisclosureTriangle", "group")
        nameless = [(role(node), node.get("description")) for node in nodes
            if not node.get("ignored") and role(node) in controls and not named(node)]
        checks.equal(f"{screen}: every control has a name (J4)", nameless, [])
        names = [named(node) for node in nodes if not node.get("ignored") and role(node) in ("checkbox", "radio", "textbox", "spinbutton")]
        checks.equal(f"{screen}: no two fields have one name", sorted({name for name in names if names.count(name) > 1}), [])
        checks.equal(f"{screen}: one h1", tab.evaluate("document.querySelectorAll('h1').length"), 1)
        missing = tab.evaluate("[...document.querySelectorAll('form, input, textarea')].filter(e => e.getAttribute('autocomplete') !== 'off')"
                               ".map(e => e.outerHTML.slice(0, 120))")
        checks.equal(f"{screen}: autocomplete is off everywhere (C4)", missing, [])
        seen = []
        tab.evaluate("document.querySelector('.tabs a').focus()")
        for _ in range(12):
            tab.keys("Tab")
            seen.append(tab.evaluate("(() => { const e = document.activeElement, s = getComputedStyle(e); "
                "return e === document.body || s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 1; })()"))
        checks.ok(f"{screen}: the focus is always seen (J3)", all(seen), seen)
    world.alice.must("gateway", "off")
    for row in world.alice.json("gateway", "show")["passwords"]:
        world.alice.must("gateway", "password", "revoke", row["name"])
    at_end(checks, world, page, "everybody")


def appearance(checks, world):
    """Theme, density, titles and keys do what they say; J2."""
    page = world.page()
    tab = page.tab
    world.mail(token(12), "board")
    ground = "getComputedStyle(document.body).backgroundColor"
    row = "document.querySelector('.row').getBoundingClientRect().height"
    tab.size(1280, 900, "light")
    page.inbox()
    light, high = tab.evaluate(ground), tab.evaluate(row)
    tab.size(1280, 900, "dark")
    dark = tab.evaluate(ground)
    checks.ok("by itself the page is as the browser has it", light != dark, (light, dark))
    for theme, wanted in (("dark", dark), ("light", light)):
        tab.size(1280, 900, "light" if theme == "dark" else "dark")
        go(page, "/settings/appearance")
        tab.click(f"#theme-{theme}")
        checks.ok(f"{theme} is saved", save(page), page.text()[:300])
        checks.ok("and marked", tab.evaluate(f"document.querySelector('#theme-{theme}').checked"))
        for where in ("/settings/appearance", "/", "/w"):
            go(page, where)
            checks.equal(f"{theme} holds at {where} against the browser's", tab.evaluate(ground), wanted)
    go(page, "/settings/appearance")
    tab.click("#theme-auto")
    tab.click("#density-compact")
    set_box(page, "#titles", True)
    save(page)
    page.inbox()
    checks.equal("auto is the browser's again", tab.evaluate(ground), dark)
    checks.ok("compact rows are lower", tab.evaluate(row) < high, (tab.evaluate(row), high))
    checks.ok("the title has the number", re.match(r"\(\d+\) Inbox", tab.title), tab.title)
    number = int(re.match(r"\((\d+)\)", tab.title).group(1))
    tab.browser.poll(1.0)
    world.mail(token(12), "board")
    checks.ok("and follows it", until(lambda: tab.title.startswith(f"({number + 1}) "), 15), tab.title)
    # Keys.
    def kind():
        tab.settled()
        return tab.evaluate("document.body.dataset.page")
    tab.keys("g", ",")
    checks.ok("g and comma lead here", tab.wait('data-page="settings"'), tab.url)
    go(page, "/settings/appearance")
    set_box(page, "#keys", False)
    set_box(page, "#titles", False)
    tab.click("#density-normal")
    save(page)
    page.inbox()
    checks.equal("the title has no number any more", tab.title, "Inbox · DDS")
    for key in "jcgi?L/":
        tab.keys(key)
    tab.browser.poll(0.5)
    checks.ok("with keys off no letter does anything (J2)", kind() == "list" and not tab.evaluate("document.querySelector('#help').open")
        and tab.evaluate("document.activeElement === document.body"), (tab.url, tab.evaluate("document.activeElement.outerHTML.slice(0, 80)")))
    checks.ok("nor is one offered", tab.evaluate("getComputedStyle(document.querySelector('nav .write kbd')).display") == "none")
    page.open_thread(rows(tab)[0])
    tab.keys("e")
    tab.browser.poll(0.5)
    checks.ok("nor in a thread", kind() == "thread")
    go(page, "/settings/appearance")
    tab.click("[data-help]")
    set_box(page, "#keys", True)
    tab.evaluate("document.querySelector('#help').close()")
    set_box(page, "#keys", True)
    save(page)
    page.inbox()
    tab.keys("c")
    checks.ok("and on again they do", tab.wait('data-page="write"'), tab.url)
    at_end(checks, world, page, "appearance")


def groups(checks, world, scripts=True):
    """A muted group leaves the inbox and is silent, and is all there under its name."""
    how = "with scripts" if scripts else "without scripts"
    page = world.page(scripts=scripts)
    tab = page.tab
    # Nothing that is unread elsewhere should cover what is counted.
    first, loud = token(14), token(14)
    world.mail(first, "board")
    group = re.search(r'href="(/g/[0-9a-f]+)"[^>]*>(?:(?!</a>).)*#board', go(page, "/").tab.html(), re.S).group(1)
    go(page, "/settings/groups")
    checks.ok(f"{how}: groups say how many are in them", re.search(r"2 members · roster \d+\. ", page.text()), page.text()[:900])
    checks.ok(f"{how}: and whom to ask to leave", "To leave it, ask the keepers of the node" in page.text())
    set_box(page, f"#g-{group.rsplit('/')[-1]}", True)
    checks.ok(f"{how}: muting is saved", save(page), page.text()[:300])
    later = token(14)
    world.mail(later, "board")
    world.mail(loud, "camp")
    page.inbox()
    html = tab.html()
    checks.ok(f"{how}: its threads are not in the inbox", first not in html and later not in html and loud in html)
    counts = dict(re.findall(r'data-count="([^"]*)">(\d*)', html))
    checks.equal(f"{how}: nor counted", counts[group], "")
    checks.ok(f"{how}: the sidebar says so", re.search(r'class="muted"[^>]*>(?:(?!</a>).)*#board(?:(?!</a>).)*muted', html, re.S))
    go(page, group)
    checks.ok(f"{how}: the group has them all", first in tab.html() and later in tab.html())
    if scripts:
        page.inbox()
        tab.browser.poll(1.0)
        before = count(tab, "/")
        world.mail(token(14), "board")
        tab.browser.poll(1.5)
        checks.ok("new mail in it moves no counter and is not announced", count(tab, "/") == before and count(tab, group) == ""
            and tab.evaluate("document.querySelector('#live a').hidden"), (before, count(tab, "/"), count(tab, group)))
        world.alice.lock()
        opens(page, world.alice.passphrase)
        page.inbox()
        checks.ok("it is still muted after a lock", first not in tab.html() and loud in tab.html())
    go(page, "/settings/groups")
    set_box(page, f"#g-{group.rsplit('/')[-1]}", False)
    save(page)
    page.inbox()
    checks.ok(f"{how}: and back in the inbox when it is not muted any more", first in tab.html() and later in tab.html())
    at_end(checks, world, page, how)


def you(checks, world, scripts=True):
    """Name, signature, spelling, undo."""
    how = "with scripts" if scripts else "without scripts"
    page = world.page(scripts=scripts)
    tab = page.tab
    signature, name = world.secret(), "Alice " + token(8).capitalize()
    go(page, "/settings")
    for field, text in (("#name", name), ("#signature", f"{signature}\nTreasurer"), ("#undo", "4")):
        clear(tab, field)
        tab.type(field, text)
    set_box(page, "#spellcheck", True)
    checks.ok(f"{how}: saved", save(page), page.text()[:300])
    checks.ok(f"{how}: and shown", signature in tab.html() and name in tab.html())
    subject = token(14)
    tab.click("nav a.write")
    tab.wait('id="compose"')
    tab.settled()
    checks.ok(f"{how}: a new message has the signature", f"-- \n{signature}\nTreasurer\n</textarea>" in tab.html(), tab.html()[-3000:-1500])
    checks.equal(f"{how}: spelling is checked", re.findall(r'id="f-(?:body|subject)"[^>]*spellcheck="(\w+)"', tab.html()), ["true", "true"])
    tab.type("#f-recipients", f"board@{DOMAIN}")
    tab.type("#f-subject", subject)
    tab.click("#send")
    checks.ok(f"{how}: it can be taken back for as long as was chosen", tab.wait("Sending in 4 s."), page.text()[:300])
    row = world.bob.waits_for(subject, 40)
    raw = world.bob.raw(row["id"]).decode(errors="replace")
    checks.ok(f"{how}: it bears the name and the signature", name in raw and re.search(f"--(?: |=20)\r\n{signature}\r\nTreasurer", raw), raw[-1500:])
    answered = token(14)
    world.mail(answered, "board")
    page.inbox()
    page.open_thread(answered)
    tab.click("details.message:last-of-type button[data-reply=all]")
    tab.wait('id="compose"')
    checks.ok(f"{how}: so does an answer, behind the quote", re.search(r"&gt; Hello\.\n(?:&gt; ?)?\n*-- \n" + signature, tab.html()), tab.html()[-2500:])
    go(page, "/settings")
    for field in ("#signature", "#undo"):
        clear(tab, field)
    set_box(page, "#spellcheck", False)
    save(page)
    go(page, "/w")
    checks.ok(f"{how}: without one there is none", signature not in tab.html() and "></textarea>" in tab.html(), tab.html()[-3000:-1500])
    checks.equal(f"{how}: spelling is not checked", re.findall(r'id="f-(?:body|subject)"[^>]*spellcheck="(\w+)"', tab.html()), ["false", "false"])
    at_end(checks, world, page, f"you {how}")


def scanned(tab, name):
    """What zbar reads from the tab."""
    picture = path(name + ".png")
    tab.evaluate("document.querySelector('svg.code').scrollIntoView({ block: 'center' })")
    tab.screenshot(picture)
    return run("zbarimg", "-q", "--raw", picture).text.strip()


def keys(checks, world, scripts=True):
    """Own key, passphrase, recovery kit."""
    how = "with scripts" if scripts else "without scripts"
    alice = world.alice
    page = world.page(scripts=scripts)
    tab = page.tab
    own = alice.json("key", "show")["identity"]
    go(page, "/settings/keys")
    text = page.text()
    checks.ok(f"{how}: the own key is there as words and digits", own["words"] in text and own["hex"] in re.sub(r"([0-9a-f]{4}) ", r"\1", text), text[:900])
    if scripts:
        if nodekit.requires(checks, "reading the QR codes", "zbarimg"):
            checks.equal("and as a code for cameras", scanned(tab, "own"), own["scan"])
    world.mail(token(12), "board")
    go(page, "/settings/keys")
    checks.ok(f"{how}: who is known leads to their key", re.search(r'href="/k/[0-9a-f]+"><bdi[^>]*>bob@', tab.html()), page.text()[:900])
    new = f"{world.secret()} lantern {world.secret()}"
    world.markers.append(alice.passphrase)

    def change(old, first, second):
        go(page, "/settings/keys")
        for field, words in (("#old", old), ("#new", first), ("#again", second)):
            tab.type(field, words)
        tab.click('[value="passphrase"]')

    for old, first, second, words in (
        ("wrong one", new, new, "did not open the key"), (alice.passphrase, new, new + "x", "not typed twice"),
        (alice.passphrase, "alice", "alice", "within a million guesses"), (alice.passphrase, alice.passphrase, alice.passphrase, "is the old one"),
    ):
        change(old, first, second)
        checks.ok(f"{how}: refused: {words}", told(page, words), page.text()[:300])
        checks.ok(f"{how}: nothing typed comes back", not any(word in tab.html() for word in (old, first, second) if word != "alice"))
    alice.lock()
    checks.ok(f"{how}: the old one still opens", opens(page, alice.passphrase))
    change(alice.passphrase, new, new)
    checks.ok(f"{how}: the passphrase is changed", told(page, "The passphrase was changed"), page.text()[:300])
    tab.click("#lock button")
    tab.wait('id="unlock"')
    checks.ok(f"{how}: the old one opens nothing", not opens(page, alice.passphrase), page.text()[:300])
    alice.passphrase = new
    write(alice.passphrase_file, new)
    checks.ok(f"{how}: the new one does", opens(page, new))
    # The kit.
    for words, wanted in (("wrong one", "did not open the key"), (new, "DDS-RECOVERY")):
        go(page, "/settings/keys")
        tab.type("#passphrase", words)
        tab.click('[value="kit"]')
        checks.ok(f"{how}: a kit with {'the' if words == new else 'a wrong'} passphrase", tab.wait(wanted, 30), page.text()[:300])
        tab.settled()
        page.seen()
    code = re.search(r"<code>(DDS-RECOVERY[^<]*)</code>", tab.html()).group(1)
    world.markers.append(code.split()[1] + " " + code.split()[2])
    typed = write(path(f"kit-{scripts}.txt"), code)
    checks.equal(f"{how}: the kit would do", alice.cli("key", "rehearse", typed, "--passphrase-file", alice.passphrase_file).code, 0)
    if scripts:
        kit = tab.url
        saved = tab.evaluate("fetch(document.querySelector('a[href$=\"/file\"]').href).then(a => a.text())")
        file = write(path("kit.html"), saved)
        checks.equal("and so would the file", alice.cli("key", "rehearse", file, "--passphrase-file", alice.passphrase_file).code, 0)
        os.remove(file)
        alice.lock()
        emptied = tab.wait('id="unlock"', 10)
        checks.ok("a lock empties its page", emptied and code not in emptied, page.text()[:200])
        opens(page, new)
        tab.go(kit)
        checks.ok("after a lock it is not there any more", tab.wait("for ten minutes only") and code not in tab.html(), page.text()[:200])
    os.remove(typed)
    at_end(checks, world, page, f"keys {how}")


def devices(checks, world, scripts=True):
    """A link for another device, which joins by it and is removed; a second browser that is signed out."""
    how = "with scripts" if scripts else "without scripts"
    alice = world.alice
    page = world.page(scripts=scripts)
    tab = page.tab
    go(page, "/settings/devices")
    checks.ok(f"{how}: this device is there", "this one" in page.text(), page.text()[:600])
    tab.click('[value="link"]')
    checks.ok(f"{how}: a link is made", told(page, "The link is good once, and for 15 minutes"), page.text()[:300])
    link = re.search(r'id="link">([^<]*)<', tab.html()).group(1)
    world.markers.append(link.rsplit("#", 1)[1])
    checks.ok(f"{how}: and how long it is good is said", re.search(r"until (\w+ )?\d\d:\d\d", page.text()))
    if scripts and nodekit.requires(checks, "reading the link's code", "zbarimg"):
        checks.equal("the code says the link", scanned(tab, "link"), link)
        world.browser.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
        tab.click("[data-copy]")
        checks.ok("it can be copied", tab.wait(">Copied<"))
    phone = Agent("phone" if scripts else "tablet")
    phone.address = alice.address
    joined = phone.cli("join", link, "--passphrase-file", phone.passphrase_file, "--no-browser", "--device-name", "<b>phone</b>")
    checks.equal(f"{how}: another device joins by it", joined.code, 0)
    added = until(lambda: (go(page, "/settings/devices"), re.search(r"Device (\d+) was added", page.text()))[1], 20, 0.5)
    checks.ok(f"{how}: which is told", added, page.text()[:600])
    number = added.group(1) if added else "2"
    checks.ok(f"{how}: and listed", "&lt;b&gt;phone&lt;/b&gt;" in tab.html() and link not in tab.html(), page.text()[:600])
    tab.click("details summary")
    tab.click('[value="remove"]')
    checks.ok(f"{how}: it can be removed", told(page, f"Device {number} is let in no more"), page.text()[:300])
    checks.equal(f"{how}: the node has one again", len(alice.json("device", "list")), 1)
    # Browsers.
    second = world.page(world.other, scripts=scripts)
    second.inbox()
    go(page, "/settings/devices")
    others = page.text().count("Sign it out")
    checks.ok(f"{how}: another browser is listed", others >= 1 and page.text().count("Signed in") == others + 1, page.text()[-700:])
    for _ in range(others):
        tab.click('[value="end"]')
        checks.ok(f"{how}: it can be signed out", told(page, "That browser is signed out"), page.text()[:300])
    if scripts:
        checks.ok("whose page is emptied by itself", second.tab.wait('id="passphrase"', 10), second.text()[:200])
    go(second, "/settings")
    checks.ok(f"{how}: and that has to give the passphrase", 'id="passphrase"' in second.tab.html())
    go(page, "/settings/devices")
    checks.ok(f"{how}: this one goes on", "Signed in" in page.text() and "Sign it out" not in page.text(), page.text()[-400:])
    second.unlock()
    checks.ok(f"{how}: it comes back with the passphrase to where it was", second.tab.url.endswith("/settings"), second.tab.url)
    at_end(checks, world, page, f"devices {how}")


def gateway(checks, world, scripts=True):
    """POP3 is switched on, a mail program gets a password, uses it and loses it, and POP3 is switched off again."""
    how = "with scripts" if scripts else "without scripts"
    page = world.page(scripts=scripts)
    tab = page.tab
    switch = 'input[value="pop3"] ~ button'
    go(page, "/settings/gateway")
    checks.equal(f"{how}: all is off", page.text().count("It is off."), 3)
    tab.click(switch)
    checks.ok(f"{how}: POP3 is switched on", told(page, "POP3 is on. Make a password for your mail program."), page.text()[:300])
    checks.equal(f"{how}: and nothing else", page.text().count("It is off."), 2)
    host, port, user = re.search(r"<h2>POP3</h2>.*?Server</dt><dd[^>]*>([^<]+).*?Port</dt><dd>(\d+).*?<bdi[^>]*>([^<]+)", tab.html(), re.S).groups()

    def add(name):
        clear(tab, "#password-name")
        tab.type("#password-name", name)
        tab.click('[value="add"]')

    def login(password):
        pop = poplib.POP3(host, int(port), timeout=60)
        pop.user(user)
        pop.pass_(password)
        return pop

    def refusal(function, *arguments):
        try:
            function(*arguments)
        except (OSError, EOFError, poplib.error_proto) as problem:
            return type(problem).__name__
        return None

    name = "<b>Reader</b> \u201cof\u201d the house"
    add(f" {name} ")
    checks.ok(f"{how}: a password is made", told(page, "The password is made."), page.text()[:300])
    password = re.search(r'id="app-password">([^<]+)<', tab.html()).group(1)
    world.markers.append(password)
    checks.ok(f"{how}: and shown with its name", f"Password for {name}" in re.sub(r"\s+", " ", page.text()), page.text()[:900])
    if scripts:
        world.browser.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
        tab.click("[data-copy]")
        checks.ok("it can be copied", tab.wait(">Copied<") and tab.evaluate("navigator.clipboard.readText()") == password)
        tab.size(320, 800, phone=True)
        checks.ok("it fits into 320 pixels (J6)", tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0)
        tab.size(1280, 900)
    go(page, "/settings/gateway")
    checks.ok(f"{how}: once", password not in tab.html() and "app-password" not in tab.html() and f"{name} made" in page.text(), page.text()[-900:])
    for wrong, words in ((" ", "name has 1 to 60 letters"), (name, "already; revoke it first, or choose another name")):
        add(wrong)
        checks.ok(f"{how}: refused: {words}", told(page, words) and "Nothing was changed: " in page.text(), page.text()[:300])
        checks.ok(f"{how}: and no password is shown", "app-password" not in tab.html())
    pop = login(password)
    checks.ok(f"{how}: a mail program logs in with it", pop.stat())
    go(page, "/settings/gateway")
    checks.ok(f"{how}: which is told", f"{name} made" in page.text() and "last used" in page.text() and "never used" not in page.text(), page.text()[-700:])
    tab.click('[value="revoke"]')
    checks.ok(f"{how}: it is revoked", told(page, "It is revoked"), page.text()[:300])
    checks.ok(f"{how}: and listed no more", name not in page.text() and not tab.find('[value="revoke"]'), page.text()[-700:])
    checks.ok(f"{how}: what was logged in is cut off", refusal(pop.noop))
    checks.equal(f"{how}: nothing logs in with it", refusal(login, password), "error_proto")
    tab.click(switch)
    checks.ok(f"{how}: POP3 is switched off", told(page, "POP3 is off.") and page.text().count("It is off.") == 3, page.text()[:300])
    checks.equal(f"{how}: and its port is closed", refusal(socket.create_connection, (host, int(port)), 20), "ConnectionRefusedError")
    at_end(checks, world, page, f"gateway {how}")


def told_only(checks, world, scripts=True):
    """The tabs that only tell, with the node there and away."""
    how = "with scripts" if scripts else "without scripts"
    page = world.page(scripts=scripts)
    version = world.alice.must("--version").text.split()[1]
    go(page, "/settings/about")
    text = page.text()
    checks.ok(f"{how}: the version and where things are", version in text and os.path.join(world.alice.state, "agent") in text, text[:800])
    words = world.alice.json("status")["agent"]
    go(page, "/settings/node")
    text = page.text()
    checks.ok(f"{how}: the node's place, and that all is well", words["node"] in text and "All is well." in text and "UTC" in text, text[:900])
    if not scripts:
        return
    world.node.stop()
    world.alice.cli("fetch")
    go(page, "/settings/node")
    checks.ok("without the node that is said", "All is well." not in page.text() and "Fetch: " in page.text(), page.text()[:900])
    go(page, "/settings/devices")
    checks.ok("and devices are not asked for", "The node was not asked for them" in page.text(), page.text()[:600])
    world.node.start()
    until(lambda: (world.alice.cli("fetch"), go(page, "/settings/node"), "All is well." in page.text())[2], 30, 0.5)
    at_end(checks, world, page, "told only")


def without_scripts(checks, world):
    """K: all of it once without JavaScript."""
    page = world.page(scripts=False)
    go(page, "/settings/appearance")
    page.tab.click("#theme-dark")
    checks.ok("without scripts: a theme is saved", save(page) and 'data-theme="dark"' in page.tab.html(), page.text()[:300])
    page.tab.click("#theme-auto")
    save(page)
    for part in (groups, you, keys, devices, gateway, told_only):
        checks.part(part, world, False)


def on_disk(checks, world):
    """C1 to C3: nothing that was chosen, typed or shown is in the profiles or, in clear, in the state folder."""
    world.browser.close()
    world.other.close()
    world.browser = world.other = None
    needles = [trace for marker in world.markers for trace in traces(marker)]
    checks.ok("there is something to look for", len(world.markers) >= 2, world.markers)
    for name, folder in (("profile", path("profile", "x")), ("other profile", path("profile2", "x")), ("state folder", world.alice.state),
            ("runtime folder", world.alice.runtime)):
        files = below(folder)
        found = [(file, needle) for file, needle in holds(files, needles)]
        checks.equal(f"no marker in the {name}", found, [])
    checks.ok("the profile has what a browser writes", any("History" in file for file in below(path("profile", "x"))))


PARTS = (everybody, appearance, groups, you, keys, devices, gateway, told_only, without_scripts, on_disk)


def main():
    words, screenshots = nodekit.arguments()
    checks = nodekit.Checks("settings")
    if not nodekit.requires(checks, "the settings in a browser", "chromium"):
        return checks.finish()
    world = World(screenshots)
    for part in PARTS:
        if not words or part.__name__ in words:
            checks.part(part, world)
    for browser in (world.browser, world.other):
        if browser:
            browser.close()
    for daemon in (world.alice, world.bob, world.node):
        checks.equal(f"{daemon.name} stops in order", daemon.stop(), 0)
    checks.finish()


if __name__ == "__main__":
    main()
