// What is chosen in the settings, and what an agent makes of it.

import DDSBus
import DDSCore
import DDSHTTP
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import Testing

@testable import DDSAgent

@Suite(.timeLimit(.minutes(5))) struct SettingsTests {
    @LoopActor private func subjects(_ open: OpenAgent, _ folder: FolderReference) async -> [String] {
        await open.page.list(folder, cursor: nil)?.rows.map(\.subject) ?? ["no such folder"]
    }

    private func secret(_ text: String) -> Redacted<[UInt8]> { Redacted(Array(text.utf8)) }

    private func you(_ name: String = "Alice", signature: String = "", undo: Int? = nil) -> SettingsChange {
        .you(name: name, signature: signature, checksSpelling: false, undoSeconds: undo)
    }

    @LoopActor private func relock(_ open: OpenAgent) async throws {
        open.agent.lock()
        try await open.agent.unlock(passphrase: OpenAgent.passphrase)
    }

    @Test @LoopActor func aMutedGroup_leavesTheInbox_andIsNotCounted() async throws {
        let open = try await OpenAgent()
        try await open.deliver(mail(to: "board@node.test", subject: "Board"), group: "board")
        try await open.deliver(mail(to: "camp@node.test", subject: "Camp"), group: "camp")
        try await open.deliver(mail(subject: "Private"))
        #expect(await open.page.frame().inboxUnread == 3)
        let board = MailPage.groupID("board")
        #expect(await open.page.save(.muted([board, "unknown"])) == "Saved.")
        for _ in 0..<2 {
            #expect(await subjects(open, .inbox) == ["Private", "Camp"])
            #expect(await subjects(open, .group(board)) == ["Board"])
            let frame = await open.page.frame()
            #expect(frame.inboxUnread == 2 && frame.allUnread == 2)
            #expect(frame.groups.map(\.name) == ["board", "camp"])
            #expect(frame.groups.map(\.isMuted) == [true, false] && frame.groups.map(\.unread) == [0, 1])
            try await relock(open)
        }
        // What comes later is silent too, and what was there all along comes back.
        try await open.deliver(mail(to: "board@node.test", subject: "More"), group: "board")
        #expect(await open.page.frame().inboxUnread == 2)
        guard case .groups(let shown)? = await open.page.model(of: .groups) else {
            Issue.record("no groups")
            return
        }
        #expect(shown.map(\.isMuted) == [true, false])
        #expect(await open.page.save(.muted([])) == "Saved.")
        #expect(await open.page.frame().inboxUnread == 4)
        #expect(await open.page.frame().groups.map(\.isMuted) == [false, false])
        await open.close()
    }

    /// A form that was opened before says nothing of a group that it did not show.
    @Test @LoopActor func aGroupThatIsNotShown_staysMuted() async throws {
        let open = try await OpenAgent()
        try await open.agent.opened().settings.change { $0.mutedGroups = ["elsewhere", "board"] }
        _ = await open.page.save(.muted([]))
        #expect(open.page.chosen.mutedGroups == ["elsewhere"])
        await open.close()
    }

    @Test @LoopActor func listeners_hearOfTheInboxWithoutMutedGroups() async throws {
        let open = try await OpenAgent()
        try await open.deliver(mail(to: "board@node.test", subject: "Board"), group: "board")
        try await open.deliver(mail(subject: "Private"))
        var heard: [WebEvent] = []
        let subscription = open.page.subscribe { heard.append($0) }
        _ = await open.page.save(.muted([MailPage.groupID("board")]))
        try await until {
            heard.contains {
                guard case .unread(let total, let folders) = $0 else { return false }
                return total == 1 && folders[.inbox] == 1 && folders[.group(MailPage.groupID("board"))] == 0
            }
        }
        open.page.unsubscribe(subscription)
        await open.close()
    }

    @Test @LoopActor func drafts_endWithTheSignature() async throws {
        let open = try await OpenAgent()
        try await open.deliver(mail(subject: "Question", body: "What?\r\n-- \r\nBob\r\n"))
        let message = try #require(try open.agent.opened().store.order.first)
        func replied() async throws -> String {
            let draft = try #require(
                await open.page.newDraft(replyTo: ReplyTarget(message: message, audience: .author)))
            return try #require(await open.page.draft(draft)).fields.body
        }
        #expect(try await !replied().contains("\n-- \n"))
        #expect(await open.page.save(you(signature: "Alice\nTreasurer")) == "Saved.")
        let body = try await replied()
        #expect(body.hasSuffix("\n-- \nAlice\nTreasurer\n"))
        #expect(BodyPart.parts(of: body).last == .signature("-- \nAlice\nTreasurer"))
        let forwarded = try #require(await open.page.newDraft(forwarding: message))
        #expect(await open.page.draft(forwarded)?.fields.body.hasSuffix("\n-- \nAlice\nTreasurer\n") == true)
        await open.close()
    }

    @Test @LoopActor func undoSeconds_standAboveTheConfiguration() async throws {
        let open = try await OpenAgent(undoSend: "10s", time: ManualTime())
        func offered(_ draft: String) async -> Int? {
            let fields = DraftFields(recipients: "alice@node.test", subject: draft, body: "x", sendsAnyway: true)
            guard case .queued(_, let undo) = await open.page.send(draft: draft, fields) else { return -1 }
            return undo?.seconds
        }
        #expect(await offered("d1") == 10)
        _ = await open.page.save(you(undo: 3))
        #expect(await offered("d2") == 3)
        _ = await open.page.save(you(undo: 0))
        #expect(await offered("d3") == nil)
        _ = await open.page.save(you())
        #expect(await offered("d4") == 10)
        await open.close()
    }

    @Test @LoopActor func theName_isKept_andStandsInMessages() async throws {
        let open = try await OpenAgent()
        #expect(await open.page.save(you("  Alice \u{202e}B.  Example ")) == "Saved.")
        #expect(open.agent.author.name == "Alice B. Example")
        #expect(try open.agent.folder.loadAccount()?.display == "Alice B. Example")
        await open.close()
    }

    @Test @LoopActor func whatIsOutOfBounds_changesNothing() async throws {
        let open = try await OpenAgent()
        for change in [
            you(" "), you(String(repeating: "x", count: 101)), you(undo: 61), you(undo: -1), you(undo: .max),
            you("Other", signature: String(repeating: "x", count: 2001)),
        ] {
            #expect(await open.page.save(change).hasPrefix("Nothing was changed: "))
        }
        #expect(open.page.chosen == PageSettings() && open.agent.account.display == "Alice")
        #expect(await open.page.save(you(signature: String(repeating: "\u{e4}", count: 2000))) == "Saved.")
        open.agent.lock()
        #expect(open.page.chosen == PageSettings())
        #expect(await open.page.save(.look(PageLook())) == "Nothing was changed: the agent is locked.")
        #expect(await open.page.model(of: .you) == nil)
        await open.close()
    }

    @Test @LoopActor func everyTab_hasItsModel() async throws {
        let open = try await OpenAgent()
        let document = try TrustBookTests.roster(identities: ["bob": [UInt8](repeating: 9, count: 32)], owners: ["bob"])
        try await open.roster(document)
        for tab in SettingsTab.allCases { #expect(await open.page.model(of: tab)?.tab == tab) }
        guard case .groups(let groups)? = await open.page.model(of: .groups),
            case .keys(let keys)? = await open.page.model(of: .keys),
            case .devices(let devices)? = await open.page.model(of: .devices),
            case .node(let node)? = await open.page.model(of: .node), case .about(let about)? = await open.page.model(of: .about)
        else {
            Issue.record("a tab is not there")
            return
        }
        #expect(
            groups == [
                MembershipModel(
                    id: MailPage.groupID("board"), name: "board", members: 2, roster: 1, owners: ["bob@node.test"])
            ])
        #expect(keys.own.words == open.agent.ownFingerprint?.words && !keys.own.picture.isEmpty)
        #expect(keys.contacts.map(\.address) == ["bob@node.test"])
        // There is no node to ask.
        #expect(devices.devices.isEmpty && devices.trouble != nil && devices.link == nil)
        #expect(node.facts.contains(SettingsFact("Address", "127.0.0.1")) && node.findings.count == 3)
        #expect(about.version == ProgramVersion.number && about.paths.first?.words == open.agent.folder.path)
        await open.close()
    }

    // MARK: Passphrase and kit

    @Test @LoopActor func thePassphrase_isChangedWithTheOldOneOnly() async throws {
        let open = try await OpenAgent()
        let (old, new) = (secret("correct horse"), secret("zebra lantern oxide pupil"))
        #expect(open.page.objection(to: old, insteadOf: old) != nil)
        #expect(open.page.objection(to: secret("alice"), insteadOf: old) != nil)
        #expect(open.page.objection(to: new, insteadOf: old) == nil)
        #expect(await open.page.changePassphrase(from: secret("wrong"), to: new) == .refused)
        try await relock(open)
        #expect(await open.page.changePassphrase(from: old, to: new) == .opened)
        open.agent.lock()
        #expect(await open.page.unlock(passphrase: old) == .refused)
        #expect(await open.page.unlock(passphrase: new) == .opened)
        await open.close()
    }

    @Test @LoopActor func aKit_takesThePassphrase_andIsThereForAWhileOnly() async throws {
        let time = ManualTime()
        let open = try await OpenAgent(time: time)
        #expect(await open.page.makeKit(passphrase: secret("wrong"), name: "a1") == .refused)
        #expect(open.page.kit("a1") == nil)
        #expect(await open.page.makeKit(passphrase: secret("correct horse"), name: "a1") == .opened)
        #expect(open.page.kit("a2") == nil)
        let shown = try #require(open.page.kit("a1"))
        let file = try #require(open.page.kitFile("a1"))
        // Both bring back who this is.
        for bytes in [Array(shown.groups.joined(separator: " ").utf8), file] {
            var bytes = bytes
            let kit = try RecoveryKit(in: SecretBytes(consuming: &bytes))
            try kit.rehearse(against: open.agent.account, keys: open.agent.opened().keys)
        }
        time.advance(by: .seconds(599))
        #expect(open.page.kit("a1") != nil)
        time.advance(by: .seconds(1))
        #expect(open.page.kit("a1") == nil && open.page.kitFile("a1") == nil)
        _ = await open.page.makeKit(passphrase: secret("correct horse"), name: "a2")
        try await relock(open)
        #expect(open.page.kit("a2") == nil)
        await open.close()
    }

    @Test @LoopActor func damagedSettings_areSaidOnThePage_andInTheStatus() async throws {
        let open = try await OpenAgent()
        _ = try await open.agent.spool.commit(
            SpoolTransaction(appends: [
                .record(mailbox: AgentMailbox.settings, tag: .named("settings"), flags: 0, body: [UInt8](repeating: 7, count: 64))
            ]))
        try await relock(open)
        #expect(await open.page.frame().trouble?.contains("the settings of the page cannot be read") == true)
        #expect(await open.agent.status(page: nil).problems.contains { $0.contains("the settings of the page") })
        await open.close()
    }
}
