// The connections of the simulated village: each runs the program's own client machine against its own server machine over a
// wire that may break after any octet. Decides when a line breaks and who learns of it, never what is said on it.

import DDSCore
import DDSSpool
import DDSWire

/// Two sessions that talk, and who answers for the server.
final class Conversation<Client: WireSession, Server: WireSession> {
    private(set) var pair: ConnectionPair<Client, Server>

    init(_ pair: ConnectionPair<Client, Server>) { self.pair = pair }

    func run() { pair.run() }
    func cut() { pair.cutNow() }
    func deliverLate() { pair.deliverLate() }
    func answerServer(_ answer: Server.Answer) {
        if pair.server.outstanding.isEmpty || pair.server.closeReason != nil { return }
        pair.withServer { $0.answerOldest(answer) }
    }
}

/// Whether the last reply of a conversation is to be lost, and whether it is due.
private final class LastReply {
    var isDue = false
}

extension Village {
    private static let serverPeer = TLSPeer(version: "TLSv1.3", keyHash: [0xff])

    // MARK: Submission

    func submit(_ member: Int, _ cut: ConnectionCut, _ isLingering: Bool) throws(BrokenPromise) {
        let agent = agents[member]
        var cut = cut
        for (_, number) in agent.waiting {
            let outcome = Outcome<SMTPOutcome>()
            let conversation = submission(of: number, by: agent, nil, cut, isLingering, outcome)
            conversation.run()
            let pair = conversation.pair
            note {
                guard $0.submissionToNode == 0 else { return }
                $0.submissionToNode = pair.deliveredToServer
                $0.submissionToAgent = pair.deliveredToClient
            }
            end(conversation, isLingering)
            cut = .never
            guard try submitted(number, outcome.value), agent.settle(number) else { return }
        }
    }

    /// The newest letter of a member that was accepted goes out once more, to others or to the same.
    func resend(_ member: Int, _ destinations: [LetterDestination]) throws(BrokenPromise) {
        guard
            let number = promises.letters.last(where: { $0.author == member && promises.accepted.contains($0.number) })?.number
        else { return }
        let readers = node.readers(of: destinations, author: member)
        promises.invite(readers, to: number)
        let outcome = Outcome<SMTPOutcome>()
        let conversation = submission(of: number, by: agents[member], destinations, .never, false, outcome)
        conversation.run()
        end(conversation, false)
        if try submitted(number, outcome.value) { promises.promise(readers, number) }
    }

    /// Everybody's oldest letter, and one pass for all of them.
    func rush() throws(BrokenPromise) {
        node.isGathering = true
        var open: [(agent: SimAgent, number: Int, outcome: Outcome<SMTPOutcome>, conversation: Submission)] = []
        for agent in agents {
            guard let number = agent.waiting.first?.number else { continue }
            let outcome = Outcome<SMTPOutcome>()
            let conversation = submission(of: number, by: agent, nil, .never, false, outcome)
            conversation.run()
            open.append((agent, number, outcome, conversation))
        }
        node.flush()
        for entry in open {
            end(entry.conversation, false)
            if try submitted(entry.number, entry.outcome.value) { _ = entry.agent.settle(entry.number) }
        }
    }

    typealias Submission = Conversation<SMTPClientSession, SMTPServerSession>

    private func submission(
        of number: Int, by agent: SimAgent, _ destinations: [LetterDestination]?, _ cut: ConnectionCut, _ isLingering: Bool,
        _ outcome: Outcome<SMTPOutcome>
    ) -> Submission {
        let handler = SimSubmission(node: node)
        let last = LastReply()
        let letter = promises.letters[number]
        let configuration = agent.configuration(for: letter, to: destinations ?? letter.destinations)
        let client = SessionHarness<SMTPClientSession>(
            SMTPClientSession(configuration: configuration), keepsActions: false,
            perform: { if case .finished(let value) = $0 { outcome.value = value } })
        let server = SessionHarness<SMTPServerSession>(
            SMTPServerSession(
                configuration: SMTPServerConfiguration(hostName: SimNode.domain, flavour: .submission, tls: .implicit)),
            keepsActions: false, perform: { handler.perform($0) },
            answer: { question in
                if case .endOfMessage = question, cut == .lastReply { last.isDue = true }
                return handler.answer(question)
            })
        let conversation = Submission(pair(client, server, agent.peer, cut, isLingering, last))
        handler.answerLater = { [unowned conversation] in conversation.answerServer($0) }
        return conversation
    }

    private func pair<Client: WireSession, Server: WireSession>(
        _ client: SessionHarness<Client>, _ server: SessionHarness<Server>, _ peer: TLSPeer, _ cut: ConnectionCut,
        _ isLingering: Bool, _ last: LastReply
    ) -> ConnectionPair<Client, Server> {
        var toServer: Int?
        var toClient: Int?
        switch cut {
        case .toServer(let octets): toServer = octets
        case .toClient(let octets): toClient = octets
        case .never, .lastReply: break
        }
        return ConnectionPair(
            client: client, server: server, clientPeer: peer, serverPeer: Self.serverPeer, isImplicit: true,
            cutToServer: toServer, cutToClient: toClient, isServerBlind: isLingering, cutsReplyWhen: { last.isDue })
    }

    /// The machines that went down took the line with them.
    private func end<Client: WireSession, Server: WireSession>(
        _ conversation: Conversation<Client, Server>, _ isLingering: Bool
    ) {
        if conversation.pair.isCut { noteCut() }
        conversation.cut()
        if isLingering, isNodeAlive() { finishLingering { conversation.deliverLate() } }
    }

    // MARK: Fetching

    func fetch(_ member: Int, _ cut: ConnectionCut, _ isLingering: Bool, _ hasRival: Bool) throws(BrokenPromise) {
        let agent = agents[member]
        let outcome = Outcome<POP3FetchOutcome>()
        let rival = Outcome<POP3FetchOutcome>()
        let conversation = retrieval(
            by: agent, cut, isLingering, outcome,
            answer: { [self] question in
                if case .store = question, hasRival, rival.value == nil {
                    let other = retrieval(
                        by: agent, .never, false, rival, answer: { _ in .plan(fetch: [], alreadyStored: []) })
                    other.run()
                }
                return agent.answer(question)
            })
        conversation.run()
        let pair = conversation.pair
        note {
            guard $0.retrievalToNode == 0 else { return }
            $0.retrievalToNode = pair.deliveredToServer
            $0.retrievalToAgent = pair.deliveredToClient
        }
        end(conversation, isLingering)
        if let end = rival.value?.end, case .completed = end {
            throw BrokenPromise(.other, "member \(member) has two sessions with one maildrop")
        }
        try fetched(outcome.value)
    }

    typealias Retrieval = Conversation<POP3FetchSession, POP3ServerSession>

    private func retrieval(
        by agent: SimAgent, _ cut: ConnectionCut, _ isLingering: Bool, _ outcome: Outcome<POP3FetchOutcome>,
        answer: @escaping (POP3FetchQuestion) -> POP3FetchAnswer?
    ) -> Retrieval {
        let handler = SimMaildrop(node: node)
        let last = LastReply()
        let client = SessionHarness<POP3FetchSession>(
            POP3FetchSession(configuration: POP3FetchConfiguration(login: .external(user: SimNode.name(of: agent.member)))),
            keepsActions: false, perform: { if case .finished(let value) = $0 { outcome.value = value } }, answer: answer)
        let server = SessionHarness<POP3ServerSession>(
            POP3ServerSession(configuration: POP3ServerConfiguration(hostName: SimNode.domain, tls: .implicit)),
            keepsActions: false, perform: { handler.perform($0) },
            answer: { question in
                if case .erase = question, cut == .lastReply { last.isDue = true }
                return handler.answer(question)
            })
        let conversation = Retrieval(pair(client, server, agent.peer, cut, isLingering, last))
        handler.answerLater = { [unowned conversation] in conversation.answerServer($0) }
        return conversation
    }

    /// Marks every message, and ends without QUIT or with marks taken back: nothing may be gone.
    func careless(_ member: Int, _ resets: Bool) throws(BrokenPromise) {
        let before = node.machine.entries(in: SimNode.mailbox(of: member))
        let handler = SimMaildrop(node: node)
        var server = SessionHarness<POP3ServerSession>(
            POP3ServerSession(configuration: POP3ServerConfiguration(hostName: SimNode.domain, tls: .implicit)),
            keepsActions: false, perform: { handler.perform($0) }, answer: { handler.answer($0) })
        server.start(peer: agents[member].peer)
        var lines = "AUTH EXTERNAL =\r\n"
        for number in before.indices { lines += "RETR \(number + 1)\r\nDELE \(number + 1)\r\n" }
        server.receive(lines + (resets ? "RSET\r\nQUIT\r\n" : ""))
        if server.closeReason == nil { server.deliver(.endOfInput) }
        guard !node.machine.isDown else { return }
        guard node.machine.entries(in: SimNode.mailbox(of: member)) == before else {
            throw BrokenPromise(.lost, "DELE without QUIT deleted mail of member \(member)")
        }
    }
}

/// Where a session's outcome is left.
final class Outcome<Value> {
    var value: Value?
}
