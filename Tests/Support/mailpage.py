"""A person at an agent's page: the steps that more than one program takes. It checks nothing."""
import html as markup
import re


class MailPage:
    def __init__(self, tab, agent):
        self.tab, self.agent = tab, agent
        self.titles = set()

    def seen(self):
        """Notes the title; called at every screen."""
        self.titles.add(self.tab.title)
        return self

    @property
    def base(self):
        return self.agent.status()["agent"]["page"]

    def open(self):
        """Follows a one-time address, as `ddsnode open` does."""
        address = self.agent.must("open", "--print-url").text.strip()
        self.tab.go(address)
        return self.seen()

    def unlock(self):
        self.tab.type("#passphrase", self.agent.passphrase)
        self.tab.click("#unlock button.primary")
        if not self.tab.wait('id="lock"', 30):
            raise AssertionError(f"unlocking did not lead to the mail: {self.text()[:400]}")
        self.tab.settled()
        return self.seen()

    def inbox(self):
        self.tab.go(self.base + "/")
        return self.seen()

    def open_thread(self, subject):
        """Clicks on the row with that subject."""
        for number, row in enumerate(self.rows(), 1):
            if subject in row:
                self.tab.click(f"ul.rows li.row:nth-child({number}) .subject")
                if not self.tab.wait('data-page="thread"'):
                    raise AssertionError("the thread did not open")
                self.tab.settled()
                return self.seen()
        raise AssertionError(f"there is no row with that subject among {len(self.rows())}")

    def throw_away(self, subject):
        """Ticks the row with that subject and moves it to the trash."""
        for number, row in enumerate(self.rows(), 1):
            if subject in row:
                self.tab.click(f"ul.rows li.row:nth-child({number}) input")
        self.tab.click(".tools .menu summary")
        self.tab.click('.tools [value="trash"]')
        if not self.tab.wait("moved to the trash"):
            raise AssertionError(f"nothing was thrown away: {self.text()[:400]}")
        self.tab.settled()
        return self.seen()

    def rows(self):
        return re.findall(r'<li class="row.*?</li>', self.tab.html(), re.S)

    def reply(self, text):
        """Answers the last message of the thread that is open."""
        self.tab.click("details.message:last-of-type button[data-reply=all]")
        if not self.tab.wait('id="compose"'):
            raise AssertionError("the reply did not open")
        self.tab.settled()
        self.seen()
        self.tab.type("#f-body", text)
        self.tab.click("#send")
        if not self.tab.wait("Your message is on its way"):
            raise AssertionError(f"the reply was not taken: {self.text()[:600]}")
        self.tab.settled()
        return self.seen()

    def write(self, to, subject, text):
        self.tab.click("nav a.write")
        if not self.tab.wait('id="compose"'):
            raise AssertionError("the form did not open")
        self.tab.settled()
        self.seen()
        self.tab.type("#f-recipients", to)
        self.tab.type("#f-subject", subject)
        self.tab.type("#f-body", text)
        return self

    def send(self):
        self.tab.click("#send")
        self.tab.wait(lambda page: 'id="compose"' not in page or 'class="problems"' in page)
        self.tab.settled()
        return self.seen()

    def text(self):
        """The words of the page."""
        body = re.sub(r"<(script|style|head).*?</\1>", " ", self.tab.html(), flags=re.S)
        return re.sub(r"\s+", " ", markup.unescape(re.sub(r"<[^>]*>", " ", body)))


def signed_in(browser, agent):
    """A new tab with the inbox of an agent, unlocked where it was not."""
    page = MailPage(browser.tab(), agent)
    page.open()
    if 'id="passphrase"' in page.tab.html():
        page.unlock()
    return page.inbox()
