// What tray and notifications hear of the mail.

import DDSCore
import DDSDesktop
import DDSHTTP
import DDSLoop
import DDSSeal
import Testing

@testable import DDSAgent

@Suite(.timeLimit(.minutes(5))) struct DesktopMailTests {
    @LoopActor private func senders(_ desktop: DesktopMail) async -> [String] {
        guard case .letters(let letters) = await desktop.look().news else { return ["locked"] }
        return letters.map { "\($0.sender): \($0.subject)" }
    }

    @Test @LoopActor func whatComes_isNewsUntilItIsReadOrSeen() async throws {
        let open = try await OpenAgent()
        try await open.deliver(mail(subject: "Before"))
        let desktop = DesktopMail(agent: open.agent, page: open.page)
        #expect(await desktop.look().unread == 1)
        #expect(await senders(desktop).isEmpty, "what was there is no news")
        try await open.deliver(mail(subject: "One"))
        try await open.deliver(mail(to: "board@node.test", subject: "Two\u{202e}"), group: "board")
        #expect(await senders(desktop).count == 2)
        #expect(await senders(desktop)[1].hasSuffix(" in #board: Two"), "what would reorder the line is taken out")
        let look = await desktop.look()
        #expect(look.unread == 3 && look.places == 2)
        // Read elsewhere.
        let order = try open.agent.opened().store.order
        try await open.agent.opened().store.update([order[1]]) { $0.isUnread = false }
        open.page.desk.storeChanged()
        #expect(await senders(desktop).count == 1)
        desktop.seen()
        #expect(await senders(desktop).isEmpty)
        // Marked as unread by the person: that is no news.
        try await open.agent.opened().store.update([order[1]]) { $0.isUnread = true }
        open.page.desk.storeChanged()
        #expect(await senders(desktop).isEmpty)
        await open.close()
    }

    @Test @LoopActor func mutedThreads_areSilent() async throws {
        let open = try await OpenAgent()
        try await open.deliver(mail(to: "board@node.test", subject: "Camp", id: "camp"), group: "board")
        let desktop = DesktopMail(agent: open.agent, page: open.page)
        _ = await desktop.look()
        let thread = try #require(await open.page.list(.all, cursor: nil)?.rows.first?.id)
        _ = await open.page.act(.mute, on: [thread])
        try await open.deliver(mail(to: "board@node.test", subject: "Re: Camp", id: "camp2", inReplyTo: "camp"), group: "board")
        #expect(await senders(desktop).isEmpty)
        #expect(await desktop.look().unread == 0)
        // A message that names this person ends that.
        try await open.deliver(
            mail(to: "board@node.test, alice@node.test", subject: "Re: Camp", id: "camp3", inReplyTo: "camp"), group: "board")
        #expect(await senders(desktop).count == 2)
        await open.close()
    }

    @Test @LoopActor func locked_onlyTheNumberIsKnown() async throws {
        let open = try await OpenAgent()
        let desktop = DesktopMail(agent: open.agent, page: open.page)
        try await open.deliver(mail(subject: "Secret"))
        open.agent.lock()
        desktop.lockChanged()
        #expect(await desktop.look().news == .locked(count: 0))
        let wrapper = try wrapped(mail(subject: "Later"), group: nil, to: open.recipient, random: SystemRandom())
        try await deliverWrapped(wrapper, in: open.agent.spool)
        desktop.fetched(1)
        let look = await desktop.look()
        #expect(look.news == .locked(count: 1))
        #expect(look.unread == 1 && look.places == 0)
        try await open.agent.unlock(passphrase: OpenAgent.passphrase)
        desktop.lockChanged()
        open.page.desk.storeChanged()
        #expect(await senders(desktop).isEmpty, "whoever unlocks sees what has come")
        await open.close()
    }
}
