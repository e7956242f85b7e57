// The sweep: one fixed story of the village in some chapters, in which the first, second, third... operation of each disk
// stops the machine, fails, or is cut short, and each connection breaks after the first, second, third... octet. Every such
// place is a schedule with a number of its own.

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
    }

    /// The story in parts, each told in a village of its own: a place costs what its part costs, and not the whole story.
    enum Chapter: UInt64, CaseIterable {
        case sending = 1
        case fetching
        case tidying
        case growingOld
    }

    /// A kind of trouble and where it happens.
    struct Place: Hashable {
        var chapter: Chapter
        var kind: Kind
        var number: Int

        /// Numbers of schedules from here on are places of the sweep.
        static let firstSeed: UInt64 = 1 << 48

        var seed: UInt64 { Self.firstSeed + chapter.rawValue << 40 + kind.rawValue << 32 + UInt64(number) }

        init(_ chapter: Chapter, _ kind: Kind, _ number: Int) {
            self.chapter = chapter
            self.kind = kind
            self.number = number
        }

        init?(seed: UInt64) {
            guard seed >= Self.firstSeed, let chapter = Chapter(rawValue: (seed - Self.firstSeed) >> 40),
                let kind = Kind(rawValue: seed >> 32 & 0xff)
            else { return nil }
            self.init(chapter, kind, Int(truncatingIfNeeded: seed & 0xffff_ffff))
        }
    }

    /// Everything once. Member 0 is the one whose agent and lines have trouble.
    private static func steps(
        of chapter: Chapter, submission: ConnectionCut = .never, retrieval: ConnectionCut = .never, late: Bool = false
    ) -> [VillageStep] {
        switch chapter {
        case .sending:
            [
                .write(member: 0, to: [.group(0)], octets: 150), .write(member: 1, to: [.member(0)], octets: 40),
                .loseKey(member: 2), .submit(member: 0, submission, isLingering: late),
                .submit(member: 1, .never, isLingering: false), .resend(member: 0, to: [.group(0), .member(1)]), .late,
                .report, .giveKey(member: 2), .write(member: 0, to: [.group(0)], octets: 1200),
                .submit(member: 0, .lastReply, isLingering: false), .reopen(.agent(0)),
                .submit(member: 0, .never, isLingering: false),
            ]
        case .fetching:
            [
                .write(member: 1, to: [.group(0), .member(0)], octets: 500), .write(member: 2, to: [.member(0)], octets: 1300),
                .rush, .reopen(.node), .hold(member: 0), .careless(member: 0, resets: true),
                .fetch(member: 0, retrieval, isLingering: late, hasRival: true), .show(member: 0), .late,
                .release(member: 0), .fetch(member: 0, .lastReply, isLingering: false, hasRival: false), .show(member: 0),
                .discard(member: 0), .report,
            ]
        case .tidying:
            [
                .write(member: 1, to: [.group(0), .member(0)], octets: 1300), .write(member: 2, to: [.member(0)], octets: 900),
                .write(member: 0, to: [.member(1)], octets: 700), .rush,
                .fetch(member: 0, .never, isLingering: false, hasRival: false), .rotate, .tidy(.node, steps: 9),
                .show(member: 0), .discard(member: 0), .tidy(.agent(0), steps: 3), .reopen(.node), .maintain(.node),
                .maintain(.agent(0)), .reopen(.agent(0)),
            ]
        case .growingOld:
            [
                .write(member: 0, to: [.group(1), .member(2)], octets: 80), .submit(member: 0, .never, isLingering: false),
                .write(member: 1, to: [.group(1)], octets: 60), .submit(member: 1, .never, isLingering: false),
                .fetch(member: 1, .never, isLingering: false, hasRival: false), .pass(days: 6), .report,
                .fetch(member: 0, .never, isLingering: false, hasRival: false), .show(member: 0), .maintain(.node),
                .fetch(member: 2, .never, isLingering: false, hasRival: false), .maintain(.agent(0)), .kill(.agent(0)),
            ]
        }
    }

    /// Plays a chapter with one thing going wrong, and sees that everything arrives.
    static func play(_ place: Place, in village: Village, _ schedules: inout Int) throws(BrokenPromise) {
        try village.begin()
        let chapter = place.chapter
        var steps = steps(of: chapter)
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
        case .submissionToNode: steps = Self.steps(of: chapter, submission: .toServer(number))
        case .submissionToAgent: steps = Self.steps(of: chapter, submission: .toClient(number))
        case .retrievalToNode: steps = Self.steps(of: chapter, retrieval: .toServer(number))
        case .retrievalToAgent: steps = Self.steps(of: chapter, retrieval: .toClient(number))
        case .lateSubmission: steps = Self.steps(of: chapter, submission: .toServer(number), late: true)
        case .lateRetrieval: steps = Self.steps(of: chapter, retrieval: .toServer(number), late: true)
        }
        for step in steps { try village.perform(step) }
        for which in village.machines { village.machine(which).arm(nil) }
        // The power fails everywhere, and everything that was promised is still there.
        for which in village.machines { try village.crash(which) }
        schedules += 1
        try village.finish()
    }

    /// Every place of a chapter, by playing it once without trouble.
    static func places(of chapter: Chapter, in village: Village) throws(BrokenPromise) -> [Place] {
        try village.begin()
        // Faults are armed when the village stands, and count from there.
        village.machine(.node).noteOperations()
        village.machine(.agent(0)).noteOperations()
        for step in steps(of: chapter) { try village.perform(step) }
        let node = village.machine(.node).journal
        let agent = village.machine(.agent(0)).journal
        // Lines break in the chapter that is about them.
        let sent = chapter == .sending ? village.octets : ConnectionOctets()
        let fetched = chapter == .fetching ? village.octets : ConnectionOctets()
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
                case .submissionToNode, .lateSubmission: Array(0..<sent.submissionToNode)
                case .submissionToAgent: Array(0..<sent.submissionToAgent)
                case .retrievalToNode, .lateRetrieval: Array(0..<fetched.retrievalToNode)
                case .retrievalToAgent: Array(0..<fetched.retrievalToAgent)
                }
            places += numbers.map { Place(chapter, kind, $0 + 1) }
        }
        return places
    }
}
