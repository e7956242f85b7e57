// An agent's store in memory that answers POP3 fetch sessions: idempotent by UIDL, as the real one is.

import DDSCore
import DDSTestKit
import DDSWire
import Testing

final class POP3FetchStore {
    /// Durable messages by UIDL.
    var messages: [String: [UInt8]] = [:]
    /// How often each UIDL was stored.
    var stores: [String: Int] = [:]
    var refuses: Set<String> = []
    var outcome: POP3FetchOutcome?
    var listings = 0
    var capabilities: [String] = []
    var heads: [String?] = []
    /// Questions that stay without an answer.
    var isHeldBack: (POP3FetchQuestion) -> Bool = { _ in false }

    func harness(_ configuration: POP3FetchConfiguration) -> SessionHarness<POP3FetchSession> {
        outcome = nil
        return SessionHarness(
            POP3FetchSession(configuration: configuration),
            perform: { effect in
                switch effect {
                case .capabilities(let lines): self.capabilities = lines
                case .head(let words): self.heads.append(words)
                case .finished(let outcome):
                    #expect(self.outcome == nil, "a session finishes once")
                    self.outcome = outcome
                }
            }, answer: { self.isHeldBack($0) ? nil : self.answer($0) })
    }

    func answer(_ question: POP3FetchQuestion) -> POP3FetchAnswer {
        switch question {
        case .listing(let items):
            listings += 1
            return .plan(
                fetch: items.indices.filter { messages[items[$0].uidl] == nil },
                alreadyStored: items.indices.filter { messages[items[$0].uidl] != nil })
        case .store(_, let uidl, let bytes):
            guard !refuses.contains(uidl) else { return .notStored }
            messages[uidl] = bytes
            stores[uidl, default: 0] += 1
            return .stored
        }
    }

    /// This store's agent against `model`'s server.
    func pair(
        with model: POP3ServerModel, waitSeconds: Int? = nil, pieceOctets: Int = .max, cutToServer: Int? = nil,
        cutToClient: Int? = nil
    ) -> ConnectionPair<POP3FetchSession, POP3ServerSession> {
        ConnectionPair(
            client: harness(POP3FetchConfiguration(login: .external(user: "bob"), waitSeconds: waitSeconds)),
            server: model.harness(), clientPeer: POP3ServerModel.peer, serverPeer: POP3ServerModel.peer, isImplicit: true,
            pieceOctets: pieceOctets, cutToServer: cutToServer, cutToClient: cutToClient)
    }
}
