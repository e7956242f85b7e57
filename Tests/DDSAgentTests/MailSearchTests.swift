import DDSCore
import DDSLoop
import DDSNode
import DDSSearch
import DDSTestKit
import Testing

@testable import DDSAgent

/// The page's search, with an agent behind it.
@Suite(.timeLimit(.minutes(5))) struct MailSearchTests {
    @LoopActor private func results(_ open: OpenAgent, _ text: String, cursor: String? = nil) async throws -> SearchModel {
        open.agent.openSearch()
        await open.agent.search.settled()
        let handle = try #require(await open.page.search(text))
        return try #require(await open.page.results(handle, cursor: cursor))
    }

    @Test @LoopActor func threads_areShownWithTheWordsMarked() async throws {
        let open = try await OpenAgent(time: ManualTime())
        try await open.deliver(
            mail(
                to: "board@node.test", subject: "Résumé of the year", id: "one",
                body: "First line.\r\n\r\nThe old barn <b>burns</b>.\r\n"), group: "board")
        try await open.deliver(
            mail(
                to: "board@node.test", subject: "Re: Résumé of the year", id: "two", inReplyTo: "one", body: "Which BARN?\r\n"),
            group: "board")
        try await open.deliver(mail(from: "carol@node.test", subject: "Something else", body: "barn\r\n"))
        try await open.deliver(mail(from: "carol@node.test", subject: "Nothing", body: "roof\r\n"))
        let model = try await results(open, "barn")
        #expect(
            model.text == "barn" && model.total == 3 && model.isExact && model.threads == 2 && model.indexing == nil
                && model.problem == nil)
        #expect(model.rows.map(\.row.subject) == ["Something else", "Résumé of the year"])
        #expect(model.rows.map(\.matches) == [1, 2])
        #expect(model.rows[1].snippet == [.init("Which "), .init("BARN", isMatch: true), .init("?")])
        #expect(try await results(open, "barn burns").rows.first?.snippet.map(\.text).joined() == "The old barn <b>burns</b>.")
        #expect(try await results(open, "resume").rows.first?.subject.contains(.init("Résumé", isMatch: true)) == true)
        #expect(model.choices.map(\.adds) == ["from:bob@node.test", "from:carol@node.test"])
        // What a choice adds finds what it says.
        for choice in model.choices { #expect(try await results(open, "barn \(choice.adds)").total == choice.count) }
        await open.close()
    }

    @Test @LoopActor func manyThreads_comeByPages() async throws {
        let open = try await OpenAgent(time: ManualTime())
        for number in 1...60 { try await open.deliver(mail(subject: "Mail w\(number)")) }
        let first = try await results(open, "mail")
        #expect(first.rows.count == 50 && first.newer == nil && first.older == "50" && first.first == 1 && first.threads == 60)
        let second = try await results(open, "mail", cursor: "50")
        #expect(
            second.rows.map(\.row.subject) == (1...10).reversed().map { "Mail w\($0)" } && second.newer == "0"
                && second.older == nil)
        #expect(try await results(open, "mail", cursor: "99999").rows.isEmpty)
        await open.close()
    }

    /// A mistake finds nothing and is told; the words stay.
    @Test @LoopActor func mistakes_areTold() async throws {
        let open = try await OpenAgent(time: ManualTime())
        try await open.deliver(mail(subject: "is"))
        let model = try await results(open, "is:nothing")
        #expect(
            model.problem == "Behind is: stands unread, read or starred." && model.rows.isEmpty && model.text == "is:nothing")
        await open.close()
    }

    /// G3.
    @Test @LoopActor func handles_dieWithTheLock() async throws {
        let open = try await OpenAgent(time: ManualTime())
        try await open.deliver(mail(subject: "quetzal"))
        open.agent.openSearch()
        await open.agent.search.settled()
        let handle = try #require(await open.page.search("quetzal"))
        #expect(await open.page.results(handle, cursor: nil)?.rows.count == 1)
        open.agent.lock()
        #expect(await open.page.results(handle, cursor: nil) == nil)
        #expect(await open.page.search("quetzal") == nil)
        try await open.agent.unlock(passphrase: OpenAgent.passphrase)
        #expect(await open.page.results(handle, cursor: nil) == nil)
        let again = try await results(open, "quetzal")
        #expect(again.rows.count == 1 && open.agent.search.keptAtUnlock == 1)
        await open.close()
    }

    @Test @LoopActor func command_findsTheSame() async throws {
        let open = try await OpenAgent(time: ManualTime())
        for number in 1...3 { try await open.deliver(mail(subject: "Mail w\(number)")) }
        let action = try #require(AgentSearchCommands.all.first { $0.0 == "agent.search" }?.1)
        func ask(_ arguments: JSONValue) async throws(Failure) -> JSONValue {
            try await action(open.agent, ControlRequest("agent.search", arguments))
        }
        let found = try await ask(["query": "mail", "limit": 2])
        #expect(found["results"]?.array?.compactMap { $0["subject"]?.string } == ["Mail w3", "Mail w2"])
        #expect(found["total"]?.integer == 3 && found["indexed"]?.integer == 3 && found["exact"]?.boolean == true)
        for (arguments, code) in [
            (["query": "is:x"], Failure.Code.usage), (["query": " "], .usage), (["query": "x", "limit": 0], .usage),
            (["query": "x", "limit": 1001], .usage),
        ] as [([String: JSONValue], Failure.Code)] {
            do throws(Failure) {
                _ = try await ask(.object(arguments))
                Issue.record("\(arguments) was answered")
            } catch {
                #expect(error.code == code)
            }
        }
        open.agent.lock()
        do throws(Failure) {
            _ = try await ask(["query": "mail"])
            Issue.record("a locked agent searched")
        } catch {
            #expect(error.code == .permission && error.publicText.contains("ddsnode unlock"))
        }
        await open.close()
    }
}
