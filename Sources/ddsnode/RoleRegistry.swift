// Which roles this program is made of. A new role takes a target, and a line here.

import DDSAgent
import DDSLoop
import DDSNode
import DDSServer

@LoopActor enum RoleRegistry {
    static let all: [any Role.Type] = [
        ServerRole.self,
        AgentRole.self,
    ]

    /// The words for `roles = [...]`.
    static var names: [String] { all.map { $0.name } }
}
