// `agent.search`: what the page's search finds, for the command line.

import DDSCore
import DDSLoop
import DDSNode
import DDSSearch

@LoopActor enum AgentSearchCommands {
    static let all: [(String, AgentMailCommands.Action)] = [("agent.search", search)]

    /// Messages of one answer.
    static let limitMax = 1000

    private static func search(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        let store = try agent.opened().store
        let query = SearchQuery(try request.text("query"))
        if let problem = query.problem { throw Failure(.usage, problem) }
        if query.isEmpty { throw Failure(.usage, "name a word to look for; see: ddsnode help search") }
        let limit = request.arguments["limit"]?.integer ?? 50
        guard (1...Int64(limitMax)).contains(limit) else {
            throw Failure(.usage, "--limit takes a number from 1 through \(limitMax)")
        }
        agent.noteActivity()
        agent.openSearch()
        // An agent that lives for this command only has all the time that it takes.
        if agent.fetcher == nil { await agent.search.settled() }
        guard let found = try await agent.search.find(query, limit: Int(limit)) else {
            throw Failure(.permission, "the agent was locked meanwhile; run: ddsnode unlock")
        }
        return [
            "query": request.arguments["query"] ?? .null, "total": .number(found.total), "exact": .bool(found.isExact),
            "milliseconds": .number(found.duration.nanoseconds / 1_000_000), "indexed": .number(found.indexed),
            "messages": .number(found.messages),
            "results": .list(found.ids.compactMap { store.items[$0] }.map { AgentMailCommands.describe($0.summary, nil) }),
        ]
    }
}
