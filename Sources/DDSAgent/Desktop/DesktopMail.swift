// What the desktop hears of the mail: how much is unread, and what has come since somebody last looked. The only place where
// tray and notifications touch the store.

import DDSCore
import DDSDesktop
import DDSLoop
import DDSNode
import DDSSpool

@LoopActor final class DesktopMail {
    struct Look: Sendable {
        /// While locked, what was fetched and nobody has opened yet.
        var unread = 0
        /// Groups with unread messages, and one more for private mail; 0 while locked.
        var places = 0
        var news = NewMail.letters([])
    }

    private let agent: Agent
    private let page: MailPage
    /// The newest record that was there when news were last counted from; nil until the first look after an unlock.
    private var mark: UInt64?
    /// Ids of messages that have come since, oldest first.
    private var announced: [String] = []
    /// Messages that came while the agent is locked.
    private var cameWhileLocked = 0

    init(agent: Agent, page: MailPage) {
        self.agent = agent
        self.page = page
    }

    /// The node had so many messages.
    func fetched(_ count: Int) {
        if agent.isLocked { cameWhileLocked += count }
    }

    /// The key was wiped or opened: whoever did that has looked.
    func lockChanged() {
        mark = nil
        seen()
    }

    /// A person knows of what was announced.
    func seen() {
        announced = []
        cameWhileLocked = 0
    }

    func look() async -> Look {
        guard let store = agent.unlocked?.store else {
            // What was tried at an unlock already has its tries in the flags.
            let waiting = (try? await agent.spool.entries(in: AgentMailbox.inbox).count { $0.flags == 0 }) ?? 0
            return Look(unread: waiting, news: .locked(count: cameWhileLocked))
        }
        note(store)
        let index = await page.desk.current()
        guard agent.unlocked?.store === store else { return Look() }
        let unread = index.unread
        let places = unread.groups.values.count { $0 > 0 } + (unread.privateMail > 0 ? 1 : 0)
        var letters: [NewLetter] = []
        for id in announced {
            guard let summary = store.items[id]?.summary, summary.isUnread, summary.isTrashed != true,
                index.thread(id)?.isMuted != true, !index.rules.isMuted(summary.group)
            else { continue }
            letters.append(letter(summary))
        }
        return Look(unread: unread.all, places: places, news: .letters(letters))
    }

    /// Takes note of what has come since the last time.
    private func note(_ store: MessageStore) {
        let items = store.items
        if let mark {
            announced += items.arrived(after: mark).filter { !items.marks($0).contains(.own) }.map { items.id($0) }
        }
        mark = max(mark ?? 0, items.newestRecord)
    }

    private func letter(_ summary: StoredSummary) -> NewLetter {
        let name = DisplayText.line(summary.fromName).text
        let sender = name.isEmpty ? DisplayText.address(summary.fromAddress).text : name
        let group = summary.group.map { " in #\(DisplayText.line($0).text)" } ?? ""
        let subject = DisplayText.line(summary.subject).text
        return NewLetter(id: summary.id, sender: sender + group, subject: subject.isEmpty ? "(no subject)" : subject)
    }
}
