// The lives of a village that a seed stands for: a few steps each, something that goes wrong, a power failure, and the look
// at what is left. Decides only what happens; everything is drawn from the seed.

import DDSCore

struct TortureLife {
    private let random: SeededRandom
    private let members: Int
    private let groups: Int

    init(random: SeededRandom, members: Int, groups: Int) {
        self.random = random
        self.members = members
        self.groups = groups
    }

    /// Who is hit, and by what; nil for a power failure at the end of the life and nothing before.
    func misfortune() -> (victim: VillageMachine, fault: MachineFault?) {
        let victim: VillageMachine = random.below(8) < 5 ? .node : .agent(random.below(members))
        let reach = 1 + random.below(random.below(4) == 0 ? 90 : 30)
        let fault: MachineFault? =
            switch random.below(16) {
            case 0...8: .stop(at: reach)
            case 9...11: .fail(at: reach)
            case 12: .short(at: reach)
            case 13: .full(from: reach)
            case 14: .room(random.below(40_000))
            default: nil
            }
        return (victim, fault)
    }

    func steps() -> [VillageStep] { (0..<1 + random.below(4)).map { _ in step() } }

    private func step() -> VillageStep {
        let member = random.below(members)
        switch random.below(39) {
        case 0...6: return .write(member: member, to: destinations(of: member), octets: octets())
        case 7...11: return .submit(member: member, cut(toServer: 700, toClient: 400), isLingering: isRare)
        case 12: return .rush
        case 13...17:
            return .fetch(member: member, cut(toServer: 150, toClient: 2500), isLingering: isRare, hasRival: isRare)
        case 18...19: return .show(member: member)
        case 24...25: return .discard(member: member)
        case 20: return .careless(member: member, resets: random.below(2) == 0)
        case 21: return .maintain(machine)
        case 26: return .rotate
        case 27...28: return .tidy(machine, steps: 1 + random.below(6))
        case 29: return .loseKey(member: member)
        case 30: return .giveKey(member: member)
        case 31...32: return .hold(member: member)
        case 33: return .release(member: member)
        case 34, 38: return .pass(days: 2 + random.below(6))
        case 35...36: return .report
        case 37: return .resend(member: member, to: destinations(of: member))
        case 22: return random.below(2) == 0 ? .reopen(machine) : .kill(machine)
        default: return .late
        }
    }

    private var isRare: Bool { random.below(6) == 0 }

    private var machine: VillageMachine { random.below(2) == 0 ? .node : .agent(random.below(members)) }

    private func destinations(of author: Int) -> [LetterDestination] {
        var all: [LetterDestination] = []
        if random.below(3) > 0 { all.append(.group(random.below(groups))) }
        if all.isEmpty || random.below(3) == 0 { all.append(.member((author + 1 + random.below(members - 1)) % members)) }
        return all
    }

    private func octets() -> Int {
        switch random.below(12) {
        case 0: 1100 + random.below(1200)
        case 1...3: 400 + random.below(600)
        default: 20 + random.below(200)
        }
    }

    private func cut(toServer: Int, toClient: Int) -> ConnectionCut {
        switch random.below(10) {
        case 0: .toServer(random.below(toServer))
        case 1: .toClient(random.below(toClient))
        case 2...3: .lastReply
        default: .never
        }
    }
}
