#!/usr/bin/env python3
"""The trash of the page in Chromium: what is thrown away, restored and erased, by keys and without scripts.

usage: trash.py
"""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../Support"), HERE]
import nodekit
from mailbox import World, finished, focused
from nodekit import DOMAIN, token


def where(page, subject):
    """The folders and groups with a row of that subject, and whether the search has one."""
    tab, base = page.tab, page.base
    tab.go(base + "/")
    found = []
    for place in re.findall(r'<li><a href="(/[^"]*)"', tab.html()):
        tab.go(base + place)
        found += [place] * any(subject in row for row in page.rows())
    tab.type("#q", subject)
    tab.keys("Enter")
    tab.wait('data-page="search"')
    tab.settled()
    return found + ["search"] * any(subject in row for row in page.rows())


def reach(tab, words, key="Tab"):
    """Goes on with Tab to what has these words, and presses Enter."""
    for _ in range(80):
        tab.keys(key)
        if focused(tab) == words:
            return tab.keys("Enter")
    raise AssertionError(f"Tab does not lead to {words}")


def trash(checks, world, scripts=True):
    """What is thrown away is in the trash only, comes back from there, and is gone when that is emptied: by keys, and without scripts."""
    how = "by keys" if scripts else "without scripts"
    page = world.page()
    tab = page.tab
    tab.scripts(scripts)
    subject = token(12)
    # One of her own with an answer, and a star: it is in as many lists as can be.
    world.alice.send(subject, "Hello.\n", f"board@{DOMAIN}")
    world.bob.must("send", "-t", input=f"To: board@{DOMAIN}\nSubject: Re: {subject}\n"
        f"In-Reply-To: <{world.bob.waits_for(subject)['message_id']}>\n\nAnswer.\n")
    ids = [world.alice.waits_for(words)["id"] for words in (subject, f"Re: {subject}")]

    def throw_away():
        page.inbox()
        if scripts:
            tab.keys("j", "#")
            return tab.wait("Thread moved to the trash.") and (tab.settled(), True)[1]
        return page.throw_away(subject)

    page.inbox().open_thread(subject)
    tab.click('[value="star"]')
    tab.wait("Thread starred")
    before = where(page, subject)
    checks.ok(f"{how}: before, it is in the inbox, its group, with a star, sent and found",
        {"/", "/f", "/x", "search"} < set(before) and "/g/" in "".join(before) and "/b" not in before, before)
    checks.ok(f"{how}: it is thrown away", throw_away() and subject not in "".join(page.rows()), page.text()[:300])
    if scripts:
        tab.keys("z")
    else:
        tab.click(".notice button")
    checks.ok(f"{how}: and taken back", tab.wait("Taken back."), page.text()[:300])
    checks.equal(f"{how}: to where it was", where(page, subject), before)
    throw_away()
    checks.equal(f"{how}: then it is in the trash and nowhere else", where(page, subject), ["/b"])
    tab.go(page.base + "/b")
    if scripts:
        tab.keys("j", "x")
        reach(tab, "Restore", "Shift+Tab")
    else:
        page.open_thread(subject)
        tab.click('.tools [value="restore"]')
    checks.ok(f"{how}: it is restored", tab.wait("Thread taken out of the trash."), page.text()[:300])
    checks.equal(f"{how}: to where it was before", where(page, subject), before)
    throw_away()
    checks.equal(f"{how}: in the trash it can be shown still", [world.alice.cli("show", id).code for id in ids], [0, 0])
    for last in (False, True):
        tab.go(page.base + "/b")
        if scripts:
            reach(tab, "Empty trash")
        else:
            tab.click('[href="/b/empty"]')
        checks.ok(f"{how}: emptying it is asked about", tab.wait("Empty the trash?") and "Everything of one thread" in page.text(), page.text()[:400])
        tab.settled()
        words = "Erase for ever" if last else "Keep it"
        if scripts:
            reach(tab, words)
        else:
            tab.click("main .danger" if last else "main .button")
        if not last:
            checks.ok(f"{how}: and it can be kept", tab.wait('data-page="list"') and subject in "".join(page.rows()), page.text()[:300])
    checks.ok(f"{how}: it is erased", tab.wait("2 messages erased for ever.") and "Nothing thrown away" in page.text(), page.text()[:300])
    checks.equal(f"{how}: and nowhere any more", where(page, subject), [])
    checks.equal(f"{how}: nor for `show`", [world.alice.cli("show", id).code for id in ids], [67, 67])
    checks.ok(f"{how}: nor in `list`", not any(subject in row["subject"] for row in world.alice.list()))
    finished(checks, world, page, f"trash {how}")


def main():
    checks = nodekit.Checks("trash")
    if not nodekit.requires(checks, "the page in a browser", "chromium"):
        return checks.finish()
    world = World()
    for scripts in (True, False):
        checks.part(trash, world, scripts)
    world.browser.close()
    checks.stop(world.alice, world.bob, world.node)
    checks.finish()


if __name__ == "__main__":
    main()
