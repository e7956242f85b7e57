// The sweep: one fixed story of the village, in which the first, second, third... operation of each disk stops the machine,
// fails, or is cut short, and each connection breaks after the first, second, third... octet. Every such place is a schedule
// with a number of its own.

import DDSCore

enum TortureSweep {
    /// What goes wrong in the story.
    enum Kind: UInt64, CaseIterable {
        case nodeStops = 1
        case nodeFails
        case nodeIsShort
        case nodeIsFull
        case agentStops
        case agentFails
        case agentIsShort
        case agentIsFull
        case submissionToNode
        case submissionToAgent
        case retrievalToNode
        case retrievalToAgent
        case lateSubmission
        case lateRetrieval

        /// A connection breaks, and no disk.
        var isOnLines: Bool { rawValue >= Self.submissionToNode.rawValue }
    }

    /// A kind of trouble and where it happens.
    struct Place: Hashable {
        var kind: Kind
        var number: Int

        /// Numbers of schedules from here on are places of the sweep.
        static let firstSeed: UInt64 = 1 << 48

        var seed: UInt64 { Self.firstSeed + kind.rawValue << 32 + UInt64(number) }

        init(_ kind: Kind, _ number: Int) {
            self.kind = kind
            self.number = number
        }

        init?(seed: UInt64) {
            guard seed >= Self.firstSeed, let kind = Kind(rawValue: (seed - Self.firstSeed) >> 32) else { return nil }
            self.init(kind, Int(truncatingIfNeeded: seed & 0xffff_ffff))
        }
    }

    /// Everything once. Member 0 is the one whose agent and lines have trouble.
    private static func story(
        _ submission: ConnectionCut = .never, _ retrieval: ConnectionCut = .never, late: Bool = false
    ) -> [VillageStep] {
        [
            .write(member: 0, to: [.group(0)], octets: 150), .write(member: 1, to: [.member(0)], octets: 40),
            .loseKey(member: 2), .submit(member: 0, submission, isLingering: late),
            .submit(member: 1, .never, isLingering: false), .resend(member: 0, to: [.group(0), .member(1)]),
            .write(member: 0, to: [.member(1)], octets: 1300), .write(member: 1, to: [.group(0), .member(0)], octets: 500),
            .write(member: 2, to: [.member(0)], octets: 100), .rush, .hold(member: 0), .careless(member: 0, resets: true),
            .fetch(member: 0, retrieval, isLingering: late, hasRival: true), .show(member: 0), .late, .release(member: 0),
            .fetch(member: 0, .lastReply, isLingering: false, hasRival: false), .show(member: 0), .discard(member: 0),
            .rotate, .tidy(.node, steps: 9), .report, .giveKey(member: 2), .tidy(.agent(0), steps: 3),
            .write(member: 2, to: [.group(0)], octets: 1200), .submit(member: 2, .lastReply, isLingering: false),
            .reopen(.agent(0)), .submit(member: 2, .never, isLingering: false), .maintain(.node), .reopen(.node),
            .fetch(member: 1, .never, isLingering: false, hasRival: false), .show(member: 1), .pass(days: 6), .report,
            .fetch(member: 0, .never, isLingering: false, hasRival: false), .show(member: 0), .maintain(.node),
            .write(member: 0, to: [.group(1), .member(2)], octets: 80), .submit(member: 0, .never, isLingering: false),
            .fetch(member: 2, .never, isLingering: false, hasRival: false), .maintain(.agent(0)), .discard(member: 0),
            .kill(.agent(0)),
        ]
    }

    /// What went wrong shows soon, or in the end.
    private static let stepsAfterwards = 14

    /// Plays the story with one thing going wrong, and sees that everything arrives.
    static func play(_ place: Place, in village: Village, _ schedules: inout Int) throws(BrokenPromise) {
        try village.begin()
        var steps = story()
        let number = place.number
        switch place.kind {
        case .nodeStops: village.machine(.node).arm(.stop(at: number))
        case .nodeFails: village.machine(.node).arm(.fail(at: number))
        case .nodeIsShort: village.machine(.node).arm(.short(at: number))
        case .nodeIsFull: village.machine(.node).arm(.full(from: number))
        case .agentStops: village.machine(.agent(0)).arm(.stop(at: number))
        case .agentFails: village.machine(.agent(0)).arm(.fail(at: number))
        case .agentIsShort: village.machine(.agent(0)).arm(.short(at: number))
        case .agentIsFull: village.machine(.agent(0)).arm(.full(from: number))
        case .submissionToNode: steps = story(.toServer(number))
        case .submissionToAgent: steps = story(.toClient(number))
        case .retrievalToNode: steps = story(.never, .toServer(number))
        case .retrievalToAgent: steps = story(.never, .toClient(number))
        case .lateSubmission: steps = story(.toServer(number), late: true)
        case .lateRetrieval: steps = story(.never, .toServer(number), late: true)
        }
        var left = Self.stepsAfterwards
        for step in steps where left > 0 {
            try village.perform(step)
            if village.hasTroubleBegun(onLines: place.kind.isOnLines) { left -= 1 }
        }
        for which in village.machines { village.machine(which).arm(nil) }
        // The power fails everywhere, and everything that was promised is still there.
        for which in village.machines { try village.crash(which) }
        schedules += 1
        try village.finish()
    }

    /// Every place of the story, by playing it once without trouble.
    static func places(_ village: Village) throws(BrokenPromise) -> [Place] {
        try village.begin()
        // Faults are armed when the village stands, and count from there.
        village.machine(.node).noteOperations()
        village.machine(.agent(0)).noteOperations()
        for step in story() { try village.perform(step) }
        let node = village.machine(.node).journal
        let agent = village.machine(.agent(0)).journal
        var places: [Place] = []
        for kind in Kind.allCases {
            // A short write is one of a write, and a full disk shows where something grows.
            let numbers: [Int] =
                switch kind {
                case .nodeStops, .nodeFails: Array(node.indices)
                case .nodeIsShort: node.indices.filter { node[$0] != .other }
                case .nodeIsFull: node.indices.filter { node[$0] == .growth }
                case .agentStops, .agentFails: Array(agent.indices)
                case .agentIsShort: agent.indices.filter { agent[$0] != .other }
                case .agentIsFull: agent.indices.filter { agent[$0] == .growth }
                case .submissionToNode, .lateSubmission: Array(0..<village.octets.submissionToNode)
                case .submissionToAgent: Array(0..<village.octets.submissionToAgent)
                case .retrievalToNode, .lateRetrieval: Array(0..<village.octets.retrievalToNode)
                case .retrievalToAgent: Array(0..<village.octets.retrievalToAgent)
                }
            places += numbers.map { Place(kind, $0 + 1) }
        }
        return places
    }
}
