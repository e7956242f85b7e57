#!/usr/bin/env python3
"""Living with the page in headless Chromium: everything by keys, marks and undo, writing and taking back, many tabs, and that it can
be used by everybody: names, headings, contrast, narrow windows. The letters and numbers are those of WEB.md 8.

usage: mailbox.py [PART...]
"""
import os
import re
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../Support"), HERE]
import nodekit
from chromium import Browser
from mailpage import MailPage, signed_in
from nodekit import DOMAIN, Agent, Node, path, token, until
from page import FORM, ask


class World:
    """Alice at her page, Bob with an agent, Carol with curl; all are in #board."""

    def __init__(self):
        self.node = Node().init()
        self.node.start()
        self.carol = self.node.add_ordinary("carol")
        self.node.must("group", "add", "board", "--member", "carol")
        self.alice = Agent("alice", undo_send="10s")
        self.alice.join(self.node.invite("alice", ["board"]))
        self.alice.start()
        self.bob = Agent("bob")
        self.bob.join(self.node.invite("bob", ["board"]))
        self.bob.start()
        self.bob.unlock()
        self.browser = Browser(path("profile", "x"))

    def mail(self, subject, body="Hello.\n", to=None):
        """A message of Bob's, once it is at Alice's."""
        self.bob.send(subject, body, to or f"board@{DOMAIN}")
        return self.alice.waits_for(subject)

    def page(self):
        return signed_in(self.browser, self.alice)

    def row(self, subject):
        return self.alice.find(subject)[0]


def focused(tab):
    return tab.evaluate("document.activeElement.textContent.replace(/\\s+/g, ' ').trim().slice(0, 200)")


def rows(tab):
    return tab.evaluate("[...document.querySelectorAll('.row .subject')].map(e => e.textContent)")


def count(tab, where):
    return tab.evaluate(f"document.querySelector('nav [data-count=\"{where}\"]').firstChild?.textContent ?? ''")


def by_keys(checks, world):
    """J1: unlock, read, reply, archive, undo, lock, without a pointer."""
    subjects = [token(12) for _ in range(3)]
    world.alice.unlock()
    for subject in subjects:
        world.mail(subject)
    world.alice.lock()
    page = MailPage(world.browser.tab(), world.alice).open()
    tab = page.tab
    tab.wait('id="passphrase"')
    checks.equal("the cursor is in the passphrase's field", tab.evaluate("document.activeElement.id"), "passphrase")
    tab.call("Input.insertText", text=world.alice.passphrase)
    tab.keys("Enter")
    checks.ok("Enter unlocks", tab.wait(subjects[0], 40))
    tab.settled()
    tab.keys("j")
    checks.ok("j goes to the first row", subjects[2] in focused(tab), focused(tab))
    tab.keys("j", "j", "k")
    checks.ok("j and k go on and back", subjects[1] in focused(tab), focused(tab))
    tab.keys("o")
    checks.ok("o opens the thread", tab.wait('data-page="thread"') and subjects[1] in tab.html())
    tab.settled()
    tab.keys("r")
    checks.ok("r answers the group", tab.wait('id="compose"')
        and tab.evaluate("document.querySelector('#f-recipients').value") == f"board@{DOMAIN}")
    tab.settled()
    checks.equal("the cursor is in the text", tab.evaluate("document.activeElement.id"), "f-body")
    answer = token(16)
    tab.call("Input.insertText", text=answer + " ereolNm\n")
    checks.ok("letters in a field are letters (J2)", answer in tab.evaluate("document.querySelector('#f-body').value"))
    tab.call("Input.dispatchKeyEvent", type="keyDown", key="Enter", modifiers=2, windowsVirtualKeyCode=13)
    checks.ok("Ctrl+Enter sends, and it can be taken back", tab.wait("Sending in 10 s."))
    tab.settled()
    tab.keys("z")
    checks.ok("z takes it back (F2)", tab.wait('id="compose"') and answer in tab.evaluate("document.querySelector('#f-body').value"))
    checks.ok("and says so", "nothing was sent" in page.text(), page.text()[:200])
    tab.keys("Tab")
    tab.evaluate("document.activeElement.blur()")
    tab.keys("g", "i")
    checks.ok("g i goes to the inbox", tab.wait('data-page="list"') and tab.url.endswith("/"))
    tab.settled()
    tab.keys("j", "e")
    checks.ok("e archives the row with the focus", tab.wait("Thread archived"))
    checks.ok("which is gone from the list", subjects[2] not in rows(tab), rows(tab))
    tab.keys("z")
    checks.ok("z brings it back", tab.wait("Taken back.") and subjects[2] in rows(tab), rows(tab))
    tab.keys("j", "x", "j", "x", "s")
    checks.ok("x selects, s stars what is selected", tab.wait("2 threads starred"))
    tab.keys("g", "a")
    checks.ok("g a is the archive", tab.wait("Nothing archived"))
    tab.keys("g", "i")
    tab.wait(subjects[0])
    tab.settled()
    tab.keys("*")
    checks.ok("* selects all", tab.evaluate("[...document.querySelectorAll('.row input')].every(box => box.checked)"))
    tab.keys("?")
    checks.ok("? explains the keys", tab.evaluate("document.querySelector('#help').open"))
    tab.keys("Tab", "Tab", "Tab")
    checks.ok("the dialog keeps the focus (J3)", tab.evaluate("document.querySelector('#help').contains(document.activeElement)"))
    tab.keys("Escape")
    checks.ok("Escape closes it", not tab.evaluate("document.querySelector('#help').open"))
    tab.evaluate("document.querySelector('#keys-on').click()")
    tab.keys("c")
    checks.ok("keys can be switched off (J2)", tab.evaluate("document.body.dataset.page") == "list")
    tab.evaluate("document.querySelector('#keys-on').click()")
    tab.settled()
    tab.keys("n")
    where = tab.evaluate("[document.activeElement.closest('.unread') !== null, document.querySelectorAll('.row.unread').length]")
    checks.equal("n finds the next unread", where, [True, 2])
    tab.keys("o")
    checks.ok("o opens it", tab.wait('data-page="thread"'))
    tab.settled()
    tab.keys("]")
    checks.ok("] archives and goes on", tab.wait("Thread archived"))
    tab.keys("u")
    checks.ok("u goes back to the list", tab.wait('data-page="list"'))
    tab.settled()
    tab.keys("L")
    checks.ok("Shift+L locks", tab.wait('id="passphrase"') and world.alice.status()["agent"]["locked"])
    finished(checks, world, page, "by keys")


def marks(checks, world):
    """E1, E5: counters, mute, archive; with the pointer, and without scripts."""
    for scripts in (True, False):
        how = "with scripts" if scripts else "without scripts"
        page = world.page()
        tab = page.tab
        tab.scripts(scripts)
        subject = token(12)
        world.mail(subject)
        page.inbox()
        before = int(count(tab, "/") or 0) if scripts else int(re.search(r'data-count="/">(\d*)', tab.html()).group(1) or 0)
        page.open_thread(subject)
        tab.click('[value="mute"]')
        checks.ok(f"{how}: muting says what it does", tab.wait("until a message names you"))
        bob_row = world.bob.waits_for(subject)
        world.bob.must("send", "-t", input=f"To: board@{DOMAIN}\nSubject: Re: {subject}\nIn-Reply-To: <{bob_row['message_id']}>\n"
                       f"References: <{bob_row['message_id']}>\n\nAnswer.\n" if bob_row.get("message_id") else
                       f"To: board@{DOMAIN}\nSubject: Re: {subject}\n\nAnswer.\n")
        world.alice.waits_for(f"Re: {subject}")
        page.inbox()
        checks.ok(f"{how}: a muted thread's reply is not in the inbox (E5)", subject not in tab.html())
        world.bob.must("send", "-t", input=f"To: board@{DOMAIN}, alice@{DOMAIN}\nSubject: Re: {subject}\n\nAlice?\n")
        until(lambda: (page.inbox(), subject in tab.html())[1], 20, 0.5)
        checks.ok(f"{how}: a message that names Alice brings it back", subject in tab.html())
        del before
        for number, row in enumerate(page.rows(), 1):
            if subject in row:
                tab.click(f"ul.rows li.row:nth-child({number}) input")
        tab.click('.tools [value="archive"]')
        checks.ok(f"{how}: what is selected is archived", tab.wait("archived") and subject not in "".join(page.rows()))
        tab.click('.notice button')
        checks.ok(f"{how}: and comes back", tab.wait("Taken back.") and subject in "".join(page.rows()))
        finished(checks, world, page, how)


def help_of_keys(checks, world):
    """J2: the help has the keys that the script takes, and no other. They are pressed where there are rows."""
    page = world.page()
    tab = page.tab
    world.mail(token(12))
    page.inbox()
    help, taken = tab.evaluate("""(() => {
        for (const kind of ['click', 'submit']) addEventListener(kind, (event) => event.preventDefault(), true);
        const help = document.querySelector('#help'), rows = [...help.querySelectorAll('tr')];
        const told = rows.map((row) => [...row.querySelectorAll('kbd')].map((kbd) => kbd.textContent));
        // What follows g is a letter only there, so that g is the last to be pressed.
        const signs = [...Array(94).keys()].map((n) => String.fromCharCode(33 + n)).filter((key) => key !== 'g').concat('g');
        const taken = signs.filter((key) => {
            const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true });
            document.body.dispatchEvent(event);
            document.activeElement.blur();
            help.close();
            return event.defaultPrevented;
        });
        return [told, taken];
    })()""")
    single = [key for row in help for key in (row[:1] if row[0] == "g" else row) if len(key) == 1]
    checks.equal("the help has every key but its own", sorted(single + ["?"]), sorted(taken))
    page.inbox()
    places = tab.evaluate("[...document.querySelectorAll('#help tr')].find((row) => row.textContent.startsWith('g')).cells[1].textContent")
    went = []
    for key in next(row for row in help if row[0] == "g")[1:]:
        page.inbox()
        tab.keys("g", key)
        tab.wait('aria-current="page"')
        tab.settled()
        went.append(tab.evaluate("document.querySelector('nav [aria-current]').firstChild.textContent.toLowerCase()"))
    checks.equal("g leads to where it says", ", ".join(went), places)
    finished(checks, world, page, "help")


def writing(checks, world):
    """F1, F3, F4, F6 to F8."""
    page = world.page()
    tab = page.tab
    subject, text = token(14), token(14)
    page.write(f"board@{DOMAIN}", subject, text)
    saved = tab.wait("Saved (encrypted)", 20)
    checks.ok("a draft is saved by itself (F1)", saved)
    world.browser.call("Target.closeTarget", targetId=tab.target)
    page = world.page()
    tab = page.tab
    tab.go(page.base + "/d")
    checks.ok("and is there after the tab was killed", subject in tab.html(), page.text()[:300])
    page.write(f"board@{DOMAIN}", subject + "2", "The plan is attached.")
    tab.click("#send")
    checks.ok("a missing file is asked for (F4)", tab.wait("speaks of an attachment"))
    tab.click('[value="anyway"]')
    checks.ok("and passed over", tab.wait("Sending in 10 s."))
    tab.click(".notice button")
    tab.wait("nothing was sent")
    time_before = len(world.bob.find(subject + "2"))
    checks.equal("nothing of it reaches Bob (F2)", time_before, 0)
    page.write(f"bob@{DOMAIN}", subject + "3", text)
    tab.click("#send")
    checks.ok("a first private message asks for a comparison of keys (F4)", tab.wait("have not compared keys"))
    tab.click('[value="anyway"]')
    tab.wait("Sending in 10 s.")
    checks.ok("and arrives when its time is over", world.bob.waits_for(subject + "3", 40))
    # F8: two clicks at once.
    page.write(f"bob@{DOMAIN}", subject + "4", text)
    tab.evaluate("(() => { const b = document.querySelector('#send'); b.click(); b.click(); })()")
    tab.wait("Sending in 10 s.")
    world.bob.waits_for(subject + "4", 40)
    # F7: with the node away.
    world.node.stop()
    page.write(f"bob@{DOMAIN}", subject + "5", text)
    tab.click("#send")
    tab.wait("Sending in 10 s.")
    waits = until(lambda: (page.inbox(), "Not sent yet" in page.text() and "kept and tried again" in page.text())[1], 40, 1)
    checks.ok("without the node it waits, and the page says so (F7)", waits, page.text()[-300:])
    world.node.start()
    checks.ok("and goes out later", world.bob.waits_for(subject + "5", 60))
    until(lambda: world.alice.status()["agent"]["outbox"] == 0, 30)
    world.bob.cli("fetch")
    checks.equal("once each", [len(world.bob.find(subject + number)) for number in "345"], [1, 1, 1])
    # F3: to whom a reply goes.
    world.mail(subject + "6")
    page.inbox()
    page.open_thread(subject + "6")
    for whom, address in (("all", f"board@{DOMAIN}"), ("author", f"bob@{DOMAIN}")):
        thread = tab.url
        tab.click(f"details.message:last-of-type [data-reply={whom}]")
        tab.wait('id="compose"')
        checks.ok(f"the reply to {whom} goes to {address} (F3)", f'value="{address}"' in tab.html())
        tab.go(thread)
    finished(checks, world, page, "writing")


def search(checks, world):
    """G1 to G3, G5, J1, K: by keys, and without scripts; words are in no address and in no profile."""
    marker, other = token(12), token(12)
    page = world.page()
    tab = page.tab
    world.mail(f"first {other}", f"The old <b>barn</b> of {marker}.\n")
    world.mail(f"second {other}", "Nothing of the kind.\n")
    tab.settled()
    tab.keys("/")
    checks.equal("/ goes to the search field", tab.evaluate("document.activeElement.id"), "q")
    tab.call("Input.insertText", text=f"{marker} BARN")
    tab.keys("Enter")
    checks.ok("Enter searches (G1)", tab.wait('data-page="search"') and rows(tab) == [f"first {other}"], rows(tab))
    tab.settled()
    checks.equal("the address has a handle, the title no word (C7)", (re.sub(r"[0-9a-f]{24}$", "*", tab.url), tab.title), (page.base + "/s/*", "Search · DDS"))
    checks.equal("what was looked for is marked, and nothing else is markup (G5)",
                 tab.evaluate("[[...document.querySelectorAll('.snippet mark')].map(e => e.textContent), document.querySelectorAll('.snippet b').length]"),
                 [["barn", marker], 0])
    checks.ok("how many and how long is said", re.search(r"\b1 in \d+ ms", page.text()), page.text()[:300])
    tab.keys("j", "o")
    checks.ok("j and o open what was found", tab.wait('data-page="thread"') and marker in page.text())
    tab.back()
    checks.ok("and the way back leads to the results", tab.wait('data-page="search"') and rows(tab) == [f"first {other}"])
    found = tab.url
    tab.settled()
    tab.keys("/")
    tab.call("Input.insertText", text="is:nothing")
    tab.keys("Enter")
    checks.ok("a mistake is explained", tab.wait("Behind is: stands unread"), page.text()[:300])
    tab.settled()
    checks.equal("and the cursor is in the field", tab.evaluate("document.activeElement.id"), "q")
    tab.evaluate("document.activeElement.blur()")
    world.alice.lock()
    tab.wait('id="passphrase"')
    page.unlock()
    tab.go(found)
    checks.ok("after a lock the handle is friendly and empty (G3)", tab.wait("Search again.") and marker not in tab.html() and tab.find("#q"))
    finished(checks, world, page, "search by keys", missing_pages=True)
    page = world.page()
    tab = page.tab
    tab.scripts(False)
    page.inbox()
    tab.type("#q", f"{other}")
    tab.keys("Enter")
    checks.ok("without scripts: both are found (K)", tab.wait('data-page="search"') and sorted(re.findall(r"(first|second) <mark>", tab.html())) == ["first", "second"],
              tab.html()[:2000])
    tab.click("details.more > summary")
    tab.click('dt [value="budg*"]')
    checks.ok("without scripts: an example is a search", tab.wait("Nothing found") or 'value="budg*"' in tab.html())
    finished(checks, world, page, "search without scripts")


def locked_form(checks, world):
    """D4, D6: a lock empties every tab, and what was being written is offered again."""
    page, other = world.page(), world.page()
    subject, text = token(14), token(14)
    page.write(f"board@{DOMAIN}", subject, "")
    page.tab.scripts(False)
    page.tab.type("#f-body", text)
    world.alice.lock()
    checks.ok("another tab is emptied within a second (D4)", other.tab.wait('id="passphrase"', 3))
    page.tab.click("#send")
    checks.ok("a form that comes after the lock leads to the passphrase", page.tab.wait('id="passphrase"'))
    page.unlock()
    page.tab.go(page.base + "/d")
    checks.ok("and its text is among the drafts (D6)", subject in page.tab.html())
    page.tab.scripts(True)
    finished(checks, world, page, "locked form", allowed=("/w/",))


def guesses(checks, world):
    """D1, D2, D7: what somebody gets who tries passphrases."""
    world.alice.lock()
    world.port_number = int(world.alice.status()["agent"]["page"].rsplit(":", 1)[1])
    visit = ask(world, "GET", "/unlock")
    cookie = (visit.get("set-cookie") or "").split(";")[0]
    form = re.search(rb'name="token" value="([0-9a-f]+)"', visit.body).group(1).decode()
    fields = [f"Cookie: {cookie}", FORM, f"Origin: http://ddsnode.localhost:{world.port_number}"]

    def attempt(passphrase):
        return ask(world, "POST", "/unlock", *fields, body=f"token={form}&passphrase={passphrase}".encode())

    first = attempt("wrong")
    checks.ok("a wrong passphrase leads back, without the words in the address", first.status == 303 and first.get("location") == "/unlock", first)
    peak = memory_peak(world.alice)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(attempt("wrong"))) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    checks.ok("ten at once: one is tried, the others are told to wait (D2)",
        len(answers) == 10 and sum(answer.status == 429 and bool(answer.get("retry-after")) for answer in answers) >= 8, answers)
    checks.ok("and memory is used for one", memory_peak(world.alice) < peak * 1.3, (peak, memory_peak(world.alice)))
    while (answer := attempt("wrong")).status == 303:
        pass
    checks.ok("after five failures the next has to wait", answer.status == 429 and int(answer.get("retry-after")) >= 1, answer)
    right = until(lambda: (lambda answer: answer if answer.status == 303 else None)(
        attempt(world.alice.passphrase.replace(" ", "+"))), 60, 1)
    checks.ok("and the right one opens all the same", right and right.get("location") == "/", right)
    shown = ask(world, "GET", "/", "Cookie: " + (right.get("set-cookie") or "").split(";")[0])
    checks.ok("failed attempts are told", re.search(rb"\d+ failed attempts since", shown.body), shown.body[:300])
    world.alice.lock()
    vault = os.path.join(world.alice.state, "agent", "keys.age")
    wrong_file = nodekit.write(path("alice", "wrong"), "wrong")

    def tries():
        """How long a refusal takes, in the middle of several."""
        times = []
        for _ in range(5):
            begin = time.monotonic()
            refused = world.alice.cli("unlock", "--passphrase-file", wrong_file)
            times.append(time.monotonic() - begin)
            checks.ok("a passphrase that opens nothing is refused", refused.code != 0, refused)
        return sorted(times)[2]

    wrong = tries()
    os.rename(vault, vault + ".away")
    missing = tries()
    os.rename(vault + ".away", vault)
    checks.ok("without a key file it takes as long as with a wrong passphrase (D1)", abs(missing - wrong) < 0.2 * wrong, (missing, wrong))
    world.alice.unlock()
    stranger = ask(world, "GET", "/")
    checks.ok("another browser has to give the passphrase (D7)", stranger.status == 303 and stranger.get("location") == "/unlock", stranger)


def memory_peak(daemon):
    with open(f"/proc/{daemon.process.pid}/status") as file:
        return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1))


def many_tabs(checks, world):
    """L2 to L4: ten tabs, a restart, a hidden tab."""
    first = world.page()
    tabs = [first] + [world.page() for _ in range(9)]
    last = MailPage(world.browser.tab(), world.alice)
    last.tab.go(first.base + "/")
    checks.ok("an eleventh page loads (L2)", last.tab.wait('data-page="list"', 10))
    streams = sum(url.endswith("/events") for page in tabs for url in page.tab.requests())
    checks.ok("streams were opened by visible tabs", streams > 0)
    hidden = tabs[0].tab
    world.browser.call("Target.activateTarget", targetId=last.tab.target)
    hidden.call("Emulation.setFocusEmulationEnabled", enabled=False)
    subject = token(12)
    world.mail(subject)
    shown = last.tab.wait(lambda page: re.search(r'id="live"[^>]*><a (?![^>]*hidden)', page), 15)
    checks.ok("the visible tab hears of new mail (L1)", shown)
    announced = last.tab.evaluate("document.querySelector('#live').getAttribute('role') + document.querySelector('#live').textContent")
    checks.equal("in its live region (J8)", announced, "statusNew messages · Show")
    world.alice.stop()
    world.alice.start()
    checks.ok("a restart leads to the passphrase (L3)", last.tab.wait('id="passphrase"', 40), last.text()[:200])
    for page in tabs[1:]:
        world.browser.call("Target.closeTarget", targetId=page.tab.target)


CONTRAST = r"""(() => {
  const parse = (text) => { const c = text.match(/[\d.]+/g).map(Number);
    return text.startsWith('color(srgb') ? [c[0] * 255, c[1] * 255, c[2] * 255, c[3] ?? 1] : [c[0], c[1], c[2], c[3] ?? 1]; };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const light = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (e) => { const layers = []; for (; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]); };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement, box = e.getBoundingClientRect(), style = getComputedStyle(e);
    if (!walker.currentNode.data.trim() || !box.width || box.width < 2 || style.visibility !== 'visible' || e.closest('.sr, :disabled')) continue;
    let opacity = 1; for (let p = e; p; p = p.parentElement) opacity *= Number(getComputedStyle(p).opacity);
    const under = ground(e), text = parse(style.color); text[3] *= opacity;
    const [a, b] = [light(over(text, under)), light(under)].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) found.push(ratio.toFixed(2) + ' ' + e.tagName + '.' + e.className + ' ' + walker.currentNode.data.trim().slice(0, 30));
  }
  return [...new Set(found)].slice(0, 8);
})()"""


def everybody(checks, world):
    """J3 to J7, I6: names, headings, contrast, widths, on every screen."""
    page = world.page()
    tab = page.tab
    world.bob.send(("long " * 2000).strip() + " end", "Text.\n", f"alice@{DOMAIN}")
    until(lambda: any(row["subject"].startswith("long ") for row in world.alice.list()), 30, 0.2)
    subject = token(12)
    world.mail(subject, "Text.\n\n> a quote\n> of two lines\n\nMore.\n-- \nBob\n")
    thread = f"/t/{world.row(subject)['id']}"
    long = f"/t/{next(row['id'] for row in world.alice.list() if row['subject'].startswith('long '))}"
    tab.type("#q", subject)
    tab.keys("Enter")
    tab.wait("<mark>")
    found = tab.url[len(page.base):]
    screens = ["/", "/s", found, "/p", "/d", "/x", "/r", "/f", thread, long, thread + "/print", "/w", "/t/nothing"] + world.more_screens
    for screen in screens:
        for scheme in ("light", "dark"):
            tab.size(1280, 900, scheme)
            tab.go(page.base + screen)
            tab.settled()
            checks.equal(f"{screen} {scheme}: contrast (J5)", tab.evaluate(CONTRAST), [])
        for width in (320, 390, 640):
            tab.size(width, 800, phone=True)
            tab.go(page.base + screen)
            tab.settled()
            wide = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
            checks.ok(f"{screen} fits into {width} pixels (J6, I6)", wide <= 0, wide)
        tab.size(1280, 900)
        tab.go(page.base + screen)
        tab.settled()
        nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
        role = lambda node: node.get("role", {}).get("value")
        named = lambda node: node.get("name", {}).get("value", "").strip()
        controls = ("button", "link", "textbox", "checkbox", "combobox", "radio", "searchbox", "DisclosureTriangle")
        nameless = [(role(node), node.get("description")) for node in nodes
            if not node.get("ignored") and role(node) in controls and not named(node)]
        checks.equal(f"{screen}: every control has a name (J4)", nameless, [])
        checks.equal(f"{screen}: one h1", tab.evaluate("document.querySelectorAll('h1').length"), 1)
        if not screen.endswith("/print"):
            checks.equal(f"{screen}: landmarks", tab.evaluate("['header', 'nav', 'main', 'footer'].filter(n => !document.querySelector(n))"), [])
        missing = tab.evaluate("[...document.querySelectorAll('form, input, textarea')].filter(e => e.getAttribute('autocomplete') !== 'off')"
                               ".map(e => e.outerHTML.slice(0, 120))")
        checks.equal(f"{screen}: autocomplete is off everywhere (C4)", missing, [])
    tab.go(page.base + thread)
    tab.settled()
    seen = []
    for _ in range(14):
        tab.keys("Tab")
        seen.append(tab.evaluate("(() => { const e = document.activeElement, s = getComputedStyle(e); "
                                 "return [e.tagName, s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2, e.getBoundingClientRect().top]; })()"))
    checks.ok("the focus is always seen (J3)", all(visible for _, visible, _ in seen), seen)
    checks.equal("the first stop skips to the content", seen[0][0], "A")
    tab.evaluate("document.querySelector('.quote summary').focus()")
    tab.keys("Enter")
    checks.ok("quotes unfold by keys (E4)", tab.evaluate("document.querySelector('.quote').open"))
    tab.go(page.base + thread + "/print")
    checks.ok("the print view has the text and no button (E7)", "of two lines" in page.text() and "<button" not in tab.html())
    for feature, value in (("prefers-reduced-motion", "reduce"), ("forced-colors", "active"), ("prefers-contrast", "more")):
        tab.call("Emulation.setEmulatedMedia", features=[{"name": feature, "value": value}])
        tab.go(page.base + "/")
        checks.ok(f"the list is there with {feature}: {value} (J7)", 'class="rows"' in tab.html())
    tab.call("Emulation.setEmulatedMedia", features=[])
    tab.call("Emulation.setPageScaleFactor", pageScaleFactor=1)
    finished(checks, world, page, "everybody", missing_pages=True)


def finished(checks, world, page, how, allowed=(), missing_pages=False):
    """What holds for every tab at its end."""
    tab = page.tab
    forms = [(status, url) for status, method, url in tab.responses() if method == "POST" and status not in (303, 204)
        and not any(word in url for word in allowed)]
    checks.equal(f"{how}: every POST is answered by 303 or 204 (C5)", forms, [])
    troubles = [line for line in tab.troubles() if "Unrecognized feature: 'bluetooth'" not in line
        and not (missing_pages and "404" in line)]
    checks.equal(f"{how}: the console is silent (B14)", troubles, [])
    foreign = sorted({url for url in tab.requests() if not url.startswith((page.base, "about:", "data:"))})
    checks.equal(f"{how}: no request leaves the page (E10)", foreign, [])


def main():
    checks = nodekit.Checks("mailbox")
    if not nodekit.requires(checks, "the page in a browser", "chromium"):
        return checks.finish()
    world = World()
    world.more_screens = []
    checks.parts((by_keys, help_of_keys, marks, writing, search, locked_form, guesses, everybody, many_tabs), world)
    world.browser.close()
    checks.stop(world.alice, world.bob, world.node)
    checks.finish()


if __name__ == "__main__":
    main()
