#!/usr/bin/env python3
"""HTML mail, files and hostile texts on the agent's page, in headless Chromium: nothing of them runs, loads, covers or misleads
(WEB.md, H1 to H7, I1 to I3, I6, I7).

usage: htmlmail.py [--screenshots FOLDER] [PART...]
"""
import email.header
import email.message
import email.policy
import json
import os
import re
import socketserver
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../Support"), HERE]
import nodekit
from chromium import Browser, Gone
from mailpage import MailPage
from nodekit import DOMAIN, Agent, Node, path, token, until
from page import ask, sign_in

with open(os.path.join(HERE, "hostile.json"), encoding="utf-8") as file:
    PAYLOADS = json.load(file)
PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000080000000808020000004b6d29dc0000001149444154789c6358656c8c15310c2d0900b00e4401"
                    "387f11d00000000049454e44ae426082")
ACTIVE = ("script", "iframe", "svg", "math", "style", "form", "input", "button", "textarea", "object", "embed", "link", "meta", "base",
          "template", "noscript", "video", "audio", "frame", "select", "details", "marquee")


class Everywhere(socketserver.ThreadingTCPServer):
    """Every other host there is: notes that somebody came, and what they asked for. The browser asks its maker for things, of which
    nothing is said here: hosts of mails are those under the names that are nobody's (RFC 2606)."""
    allow_reuse_address = daemon_threads = True

    def __init__(self):
        self.heard = []
        super().__init__(("127.0.0.1", 0), self.Visit)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Visit(socketserver.BaseRequestHandler):
        def handle(self):
            said = self.request.recv(8192)
            # Of TLS the beginning has the name in clear.
            if re.search(rb"\.(test|example|invalid)\b|example\.(org|com)", said):
                self.server.heard.append(said[:300])
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\nConnection: close\r\n\r\nelsewhere")


class World:
    def __init__(self, screenshots):
        self.node = Node().init()
        self.node.start()
        self.carol = self.node.add_ordinary("carol")
        self.node.must("group", "add", "hostile", "--title", "<img src=x onerror=alert(1)>", "--member", "carol")
        self.alice = Agent("alice")
        self.alice.join(self.node.invite("alice", ["hostile"]))
        self.alice.start()
        self.alice.unlock()
        self.everywhere = Everywhere()
        self.browser = Browser(
            path("profile", "html"), f"--host-resolver-rules=MAP * 127.0.0.1:{self.everywhere.server_address[1]}, "
            "EXCLUDE ddsnode.localhost")
        self.page = MailPage(self.tab(), self.alice)
        self.page.open()
        self.screenshots = screenshots
        self.port_number = int(self.page.base.rsplit(":", 1)[1])
        self.cookie = f"Cookie: {sign_in(self)[0]}"

    def tab(self):
        """A tab of which frames in processes of their own are heard too."""
        tab = self.browser.tab()
        tab.call("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=False, flatten=True)
        return tab

    def mail(self, message, subject=None):
        """Sends from carol to alice; returns the row once it is there."""
        subject = subject or "Subject " + token(16)
        for name, value in (("From", f"Carol <{self.carol.address}>"), ("To", self.alice.address), ("Subject", subject),
                            ("Message-ID", f"<{token(12)}@test>"), ("Date", "Mon, 23 Nov 2026 12:00:00 +0000")):
            if name not in message:
                message[name] = value
        code, text = self.carol.post([self.alice.address], message.as_bytes(policy=email.policy.SMTP))
        assert code == 250, text
        return subject

    def shot(self, tab, name):
        if self.screenshots:
            tab.screenshot(os.path.join(self.screenshots, name + ".png"))


def html_message(html, text="Only text."):
    message = email.message.EmailMessage()
    message.set_content(text)
    message.add_alternative(html.replace("\x00", ""), subtype="html")
    if "\x00" in html:
        # The library would refuse it; a sender does not.
        part = message.get_payload()[1]
        part.set_payload(__import__("base64").encodebytes(html.encode()).decode())
        del part["Content-Transfer-Encoding"]
        part["Content-Transfer-Encoding"] = "base64"
    return message


def frames_of(tab):
    """The sessions of frames that have processes of their own."""
    tab.browser.poll(0.02)
    found = []
    for event in tab.browser.events:
        if event.get("sessionId") == tab.session and event["method"] == "Target.attachedToTarget":
            found.append(event["params"]["sessionId"])
        elif event["method"] == "Target.detachedFromTarget" and event["params"]["sessionId"] in found:
            found.remove(event["params"]["sessionId"])
    return found


def frame_of(tab):
    """The document inside of the formatted view, with the session that it is known to; None while it is not there."""
    for session in [*frames_of(tab)[::-1], tab.session]:
        try:
            root = tab.browser.call("DOM.getDocument", session, depth=-1, pierce=True)["root"]
        except Gone:
            continue
        for node in nodes(root):
            if node.get("nodeName") == "#document" and node.get("documentURL", "").endswith("/html") and any(
                    inner.get("nodeName") == "BODY" for inner in nodes(node)):
                return {**node, "session": session}
    return None


def nodes(node):
    yield node
    for child in [*node.get("children", []), *([node["contentDocument"]] if "contentDocument" in node else [])]:
        yield from nodes(child)


def dialogs(browser):
    return [event["params"] for event in browser.events if event["method"] == "Page.javascriptDialogOpening"]


FOREIGN = ("['script', 'iframe:not(.formatted)', 'object', 'embed', 'svg:not(.sign)', 'math', 'style', 'marquee', 'base', 'meta', 'link', '[onerror]', "
           "'[onload]', '[onfocus]', '[onclick]', '[ontoggle]', 'a[href^=javascript i]', 'a[href^=data i]'].filter(s => "
           "document.querySelector(`main ${s}`)).join()")


def payloads(checks, world):
    """H1 and H2: each payload as a mail, and in the same mail as subject, name, text and file name."""
    tab, page = world.tab(), world.page
    sent = {}
    for payload in PAYLOADS:
        line = re.sub(r"[\x00-\x1f\x7f]+", " ", payload["html"])
        message = html_message(payload["html"], f"{line}\nhttps://evil.test/{line}\n")
        message["From"] = f"{email.header.Header(line[:200], 'utf-8').encode(maxlinelen=0)} <{world.carol.address}>".replace("\n", "")
        message.add_attachment(b"x", maintype="application", subtype="octet-stream", filename=line[:120] + ".html")
        key = token(12)
        sent[key] = payload
        world.mail(message, f"{key} {line[:300]}")
    end = world.mail(html_message("<p>x"))
    world.alice.waits_for(end)
    rows = {row["subject"].split(" ")[0]: row["id"] for row in world.alice.list()}
    bad, around = [], []
    for key, payload in sent.items():
        tab.go(f"{page.base}/m/{rows[key]}")
        document = until(lambda: frame_of(tab), 10, 0.05)
        if not document:
            bad.append((payload["name"], "there is no frame", tab.url, tab.html()[-300:]))
            continue
        inside = [inner for inner in nodes(document) if inner.get("nodeType") == 1]
        names = [inner["nodeName"].lower() for inner in inside]
        # The frame's own head has one style element and one meta.
        left = {name for name in names if name in ACTIVE} - {"style", "meta"}
        attributes = [name for inner in inside for name in inner.get("attributes", [])[0::2]]
        links = [value for inner in inside for name, value in zip(*[iter(inner.get("attributes", []))] * 2)
                 if name in ("href", "src") and not re.fullmatch(r"/o/[0-9a-f]{32}|data:image/(png|jpeg|gif|webp);base64,.*", value)]
        if left or names.count("style") != 1 or names.count("meta") != 1 or links or any(name.startswith("on") for name in attributes):
            bad.append((payload["name"], left, names, links, attributes))
        foreign = tab.evaluate(FOREIGN)
        if foreign or tab.title != "Thread \u00b7 DDS":
            around.append((payload["name"], foreign, tab.title))
    checks.equal(f"of {len(sent)} hostile mails nothing active is left", bad, [])
    checks.equal("nor of them as subject, name, text and file name", around, [])
    for place in range(0, 200, 50):
        tab.go(f"{page.base}/l?c={place}")
        checks.equal(f"the list from {place} has nothing of theirs", tab.evaluate(FOREIGN), "")
    tab.go(page.base + "/g/" + re.search(r'href="/g/([0-9a-z]+)"', tab.html()).group(1))
    checks.equal("nor has the page of a group that is called so", tab.evaluate(FOREIGN), "")
    tab.browser.poll(1.0)
    checks.equal("no dialog was opened", dialogs(tab.browser), [])
    checks.equal("nobody else was asked for anything", world.everywhere.heard, [])
    checks.equal("no error in the console", [line for line in tab.troubles() if "'bluetooth'" not in line], [])
    own = [url for url in tab.requests() if not url.startswith((page.base, "about:", "data:"))]
    checks.equal("no request leaves the page", own, [])
    targets = world.browser.call("Target.getTargets")["targetInfos"]
    checks.equal("no window was opened", [t["url"] for t in targets if t["type"] == "page" and "evil" in t["url"]], [])


def formatted_view(checks, world):
    """H3, H4, H6, H7, and the way out of a mail."""
    tab, page = world.tab(), world.page
    message = email.message.EmailMessage()
    message.set_content("The plain version, see https://b\u00fccher.example/x.")
    message.add_alternative(
        "<body bgcolor='#ffeedd'><h1>Formatted</h1><p style='color:#a00'>Red <a href='https://b\u00fccher.example/y?z=1'>the shop</a> "
        "<a href='https://ex\u0430mple.org/'>mixed</a></p><img id=i src='cid:pic@x' width=8><img src='http://mail.example/a.png'>"
        "<img src='http://mail.example/b.png'><img src='//pix.example/c.png'>"
        "<div style='position:fixed;inset:0;z-index:99999;background:red'>cover</div>"
        "<div style='width:9000px;height:9000px;margin:-500px'>wide</div></body>", subtype="html")
    message.get_payload()[1].add_related(PNG, "image", "png", cid="<pic@x>")
    subject = world.mail(message)
    identity = world.alice.waits_for(subject)["id"]
    page.inbox()
    page.tab.settled()
    tab.go(f"{page.base}/t/{identity}")
    text = tab.html()
    checks.ok("the text comes first", "The plain version" in text and "<iframe" not in text)
    checks.ok("and the formatted version is offered, with what was left out",
              "This message has HTML." in text and "3 remote images blocked" in text and "mail.example, pix.example" in text, text[-3000:])
    world.shot(tab, "html-offered")
    tab.click(f"a[href^='/m/{identity}']")
    document = until(lambda: frame_of(tab), 10, 0.05)
    inside = list(nodes(document)) if document else []
    world.shot(tab, "html-formatted")
    images = [node for node in inside if node.get("nodeName") == "IMG"]
    checks.ok("the message's own picture is there, and no other",
              len(images) == 1 and "data:image/png;base64," in str(images[0].get("attributes")), images)
    checks.equal("and it is seen", picture_size(tab), 8)
    checks.equal("nothing was loaded from elsewhere", world.everywhere.heard, [])
    bounds = json.loads(tab.evaluate("JSON.stringify([...document.querySelectorAll('iframe')].map(f => f.getBoundingClientRect()))"))
    checks.ok("the frame has its own room", len(bounds) == 1 and bounds[0]["width"] <= 1280 and 300 < bounds[0]["height"] < 700, bounds)
    covered = tab.evaluate("""[...document.querySelectorAll('main button, main a')].filter(e => {
        e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();
        if (!r.width || !e.checkVisibility()) return false;
        const hit = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
        return !(hit && (hit === e || e.contains(hit) || hit.contains(e))) }).map(e => e.outerHTML.slice(0, 100))""")
    checks.equal("no button of ours is covered", covered, [])
    tab.go(f"{page.base}/m/{identity}/html")
    checks.ok("the frame's document is refused as a page", "Not served" in tab.html() and "Formatted" not in tab.html(), tab.html()[:300])
    for fields, status in ((["Sec-Fetch-Dest: iframe", "Sec-Fetch-Site: same-origin"], 200), (["Sec-Fetch-Dest: iframe"], 403),
                           (["Sec-Fetch-Dest: document", "Sec-Fetch-Site: same-origin"], 403), ([], 403),
                           (["Sec-Fetch-Dest: iframe", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"], 403)):
        answer = ask(world, "GET", f"/m/{identity}/html", world.cookie, *fields)
        checks.ok(f"the frame's document with {fields} gives {status}", answer.status == status, answer)
        if status == 200:
            checks.equal("its policy", answer.get("content-security-policy"),
                         "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data:; "
                         "style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'")
            checks.equal("it is not kept", answer.get("cache-control"), "no-store")
    links = [value for node in inside if node.get("nodeName") == "A"
             for name, value in zip(*[iter(node["attributes"])] * 2) if name == "href"]
    checks.ok("links lead to our page about them", len(links) == 2 and all(re.fullmatch(r"/o/[0-9a-f]{32}", link) for link in links), links)
    other = world.tab()
    other.go(page.base + links[0])
    checks.ok("which shows the host as it is asked for", "xn--bcher-kva.example" in other.html() and "b\u00fccher.example" in other.html(),
              other.html()[-900:])
    world.shot(other, "html-link")
    other.go(page.base + links[1])
    checks.ok("and one of two scripts only so", "xn--exmple-4nf.org" in other.html() and "ex\u0430mple" not in other.html(), other.html()[-900:])
    target = other.evaluate("[...document.querySelectorAll('main a')].map(a => a.rel + ' ' + a.href).join()")
    checks.equal("with one link that tells nothing", target, "noopener noreferrer https://xn--exmple-4nf.org/")
    answer = ask(world, "GET", links[0], "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
    checks.ok("the way out of the frame needs no cookie", answer.status == 200, answer)
    checks.ok("it cannot be framed or fetched by others",
              ask(world, "GET", links[0], "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image").status == 403)
    tab.go(f"{page.base}/m/{identity}")
    until(lambda: frame_of(tab), 10, 0.05)
    opened = until(lambda: click_in_frame(tab, "the shop") and [
        info for info in world.browser.call("Target.getTargets")["targetInfos"]
        if info["url"].endswith(links[0]) and info["targetId"] != other.target], 15, 0.5)
    checks.ok("a click in the frame opens that page", opened,
              [info["url"] for info in world.browser.call("Target.getTargets")["targetInfos"]])
    tab.go(f"{page.base}/t/{identity}")
    plain = tab.evaluate("[...document.querySelectorAll('.text a')].map(a => a.textContent + ' ' + a.nextElementSibling?.textContent).join()")
    checks.equal("links of plain texts say the host", plain, "https://b\u00fccher.example/x (xn--bcher-kva.example)")
    tab.go(f"{page.base}/m/{identity}/source")
    checks.ok("the source is shown as text", "Content-Type: multipart/alternative" in tab.html() and "&lt;h1&gt;" in tab.html() or
              "Content-Type: multipart" in tab.html(), tab.html()[-500:])
    world.shot(tab, "html-source")
    tab.scripts(False)
    tab.go(f"{page.base}/t/{identity}")
    tab.click(f"a[href^='/m/{identity}']")
    checks.ok("all of it without JavaScript", until(lambda: frame_of(tab), 10, 0.05))
    tab.scripts(True)
    world.alice.lock()
    gone = ask(world, "GET", links[0], "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
    checks.ok("links are not known after the lock", gone.status == 404 and b"example" not in gone.body, gone)
    world.alice.unlock()
    page.open()
    world.cookie = f"Cookie: {sign_in(world)[0]}"


def picture_size(tab):
    """How wide the frame's picture is drawn."""
    document = frame_of(tab)
    image = next(node for node in nodes(document) if node.get("nodeName") == "IMG")
    return tab.browser.call("DOM.getBoxModel", document["session"], backendNodeId=image["backendNodeId"])["model"]["width"]


def click_in_frame(tab, words):
    """Clicks on the first link with those words inside of the frame."""
    document = frame_of(tab)
    if not document:
        return False
    # A tab behind another one gets no clicks.
    tab.browser.call("Target.activateTarget", targetId=tab.target)
    link = next(node for node in nodes(document) if node.get("nodeName") == "A" and words in str(node.get("children")))
    frame = json.loads(tab.evaluate("JSON.stringify((f => { f.scrollIntoView({block: 'center'}); return f.getBoundingClientRect() })"
                                    "(document.querySelector('iframe')))"))
    quad = tab.browser.call("DOM.getContentQuads", document["session"], backendNodeId=link["backendNodeId"])["quads"][0]
    x, y = sum(quad[0::2]) / 4, sum(quad[1::2]) / 4
    if document["session"] != tab.session:
        x, y = x + frame["x"], y + frame["y"]
    for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
        tab.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left" if kind != "mouseMoved" else "none",
                 clickCount=1 if kind != "mouseMoved" else 0)
    tab.browser.poll(0.3)
    return True


def files(checks, world):
    """H5 and I2: what may be looked at, and what only saved."""
    tab, page = world.tab(), world.page
    html = b"<html><script>document.title='taken'</script></html>"
    sent = [
        ("page.html", "text/html", html, False), ("drawing.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", False),
        ("data.xml", "application/xml", b"<?xml version='1.0'?><a/>", False), ("code.js", "text/javascript", b"alert(1)", False),
        ("photo.png", "image/png", html, False), ("photo2.png", "image/png", PNG, True), ("really.gif", "image/gif", PNG, False),
        ("notes.txt", "text/plain", "Gr\u00fc\u00dfe <b>\n".encode(), True), ("paper.pdf", "application/pdf", b"%PDF-1.4\n%\xe2\xe3\n", False),
        ("whatever", "application/octet-stream", html, False), ("invoice\u202efdp.exe", "application/pdf", b"MZ\x90\x00\x03", False),
    ]
    message = email.message.EmailMessage()
    message.set_content("See the files.")
    for name, kind, content, _ in sent:
        main, sub = kind.split("/")
        message.add_attachment(content, maintype=main, subtype=sub, filename=name)
    subject = world.mail(message)
    identity = world.alice.waits_for(subject)["id"]
    tab.go(f"{page.base}/t/{identity}")
    world.shot(tab, "html-files")
    rows = re.findall(r"<li>.*?</li>", tab.html().split('class="files"')[1], re.S)
    checks.equal("every file has its row", len(rows), len(sent))
    for (name, kind, content, shown), row in zip(sent, rows):
        saved = re.search(r'href="(/a/[0-9a-z]+)" download', row).group(1)
        answer = ask(world, "GET", saved, world.cookie)
        checks.ok(f"{name!r} is saved byte for byte, as a file", answer.body == content and answer.get("content-type") == "application/octet-stream"
                  and answer.get("content-disposition").startswith("attachment;"), answer)
        answer = ask(world, "GET", saved.replace("/a/", "/v/"), world.cookie)
        disposition = answer.get("content-disposition") or "a page of ours"
        checks.equal(f"{name!r} as {kind} can be looked at: {shown}", (not disposition.startswith("attachment"), ">View</a>" in row),
                     (shown, shown))
        policy = answer.get("content-security-policy")
        checks.ok(f"{name!r} is in a sandbox or in our page", answer.get("x-content-type-options") == "nosniff"
                  and ("sandbox;" in policy or "script-src 'self'" in policy), answer)
    checks.ok("a png that is a web page says so", "Sent as image/png, but it is a web page or XML" in rows[4], rows[4])
    checks.ok("the real ending stands apart", "<b>.exe</b>" in rows[10] and "invoicefdp" in rows[10], rows[10])
    loaded = until(lambda: tab.evaluate("[...document.querySelectorAll('.picture img')].map(i => i.complete && i.naturalWidth).join()") == "8", 10, 0.1)
    checks.ok("the small picture is shown in the thread", loaded, tab.evaluate("document.querySelectorAll('.picture img').length"))
    tab.browser.call("Browser.setDownloadBehavior", behavior="deny")
    for row in (rows[0], rows[1], rows[4]):
        link = re.search(r"/a/[0-9a-z]+", row).group(0).replace("/a/", "/v/")
        try:
            tab.call("Page.navigate", url=page.base + link)
        except Gone:
            pass
        tab.browser.poll(0.5)
        checks.ok("what is not looked at is not rendered", tab.title == "Thread · DDS", (tab.title, tab.url))
    tab.go(page.base + re.search(r"/v/[0-9a-z]+", rows[7]).group(0))
    checks.ok("a text is on a page of ours, escaped", "Gr\u00fc\u00dfe &lt;b&gt;" in tab.html(), tab.html()[-600:])
    world.shot(tab, "html-text")
    tab.go(page.base + re.search(r"/v/[0-9a-z]+", rows[5]).group(0))
    checks.equal("a picture is shown by itself", tab.evaluate("document.images[0]?.naturalWidth"), 8)
    checks.equal("no dialog by files", dialogs(tab.browser), [])


def hostile_texts(checks, world):
    """I1 to I3, I6, I7: what stands beside a hostile text stays where it is."""
    tab, page = world.tab(), world.page
    where = {}
    for name, subject in (("plain", "Plain subject"), ("override", "abc\u202edef"), ("isolate", "abc\u2067def"), ("mark", "abc\u061cdef\u200f"),
                          ("zero", "ab\u200bc"), ("tags", "abc\U000e0041\U000e0042"), ("hebrew", "\u05e9\u05dc\u05d5\u05dd \u05dc\u05db\u05d5\u05dc\u05dd"),
                          ("arabic", "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u062c\u0645\u064a\u0639"), ("long", "x" * 10000),
                          ("family", "\U0001f469\u200d\U0001f469\u200d\U0001f467 news")):
        message = email.message.EmailMessage()
        message.set_content("Text of " + name if name not in ("hebrew", "arabic") else subject + "\n")
        where[name] = subject
        world.mail(message, subject)
    last = world.mail(html_message("<p>x"))
    world.alice.waits_for(last)
    page.inbox()
    tab.go(page.base + "/")
    rows = json.loads(tab.evaluate("""JSON.stringify([...document.querySelectorAll('li.row')].map(row => ({
        subject: row.querySelector('.subject').textContent, lefts: ['.from', '.what', '.tags', 'time'].map(s =>
        Math.round(row.querySelector(s).getBoundingClientRect().left)).filter((x, i) => i != 2)})))"""))
    by_subject = {row["subject"]: row for row in rows}
    cleaned = {"override": "abcdef", "isolate": "abcdef", "mark": "abcdef", "zero": "abc", "tags": "abc"}
    plain = by_subject.get("Plain subject", {}).get("lefts")
    found = [row for row in rows if row["subject"] in ("abcdef", "abc")]
    checks.equal("hidden characters are gone from the list", len(found), 5)
    checks.ok("and nothing beside them has moved", plain and all(row["lefts"] == plain for row in rows), [row["lefts"] for row in rows])
    wide = tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    checks.ok("a subject of 10,000 characters does not widen the list", wide)
    world.shot(tab, "html-texts")
    ids = {row["subject"]: row["id"] for row in world.alice.list()}
    for name in ("hebrew", "arabic"):
        tab.go(f"{page.base}/t/{ids[where[name]]}")
        directions = tab.evaluate("[getComputedStyle(document.querySelector('.thread h1 bdi')).direction, "
                                  "document.querySelector('.text').matches(':dir(rtl)')].join()")
        checks.equal(f"{name} runs from right to left", directions, "rtl,true")
    tab.go(f"{page.base}/t/{ids[where['family']]}")
    checks.ok("a family of emoji stays together", where["family"] in tab.html())
    tab.go(f"{page.base}/t/{next(identity for subject, identity in ids.items() if subject.startswith('xxxxx'))}")
    checks.ok("nor the thread", tab.evaluate("document.documentElement.scrollWidth <= innerWidth"))
    marked = [ids[subject] for subject in ids if subject == "abc"][:1]
    tab.go(f"{page.base}/t/{marked[0]}")
    checks.ok("the reader is told", "Hidden characters removed" in tab.html(), page.text()[:200])


def main():
    arguments, screenshots = nodekit.arguments()
    checks = nodekit.Checks("htmlmail")
    if not nodekit.requires(checks, "HTML mail in a browser", "chromium"):
        checks.finish()
    world = World(screenshots)
    for part in (formatted_view, files, hostile_texts, payloads):
        if not arguments or any(word in part.__name__ for word in arguments):
            checks.part(part, world)
    world.browser.close()
    checks.equal("the agent stops in order", world.alice.stop(), 0)
    checks.equal("the node stops in order", world.node.stop(), 0)
    checks.finish()


if __name__ == "__main__":
    main()
