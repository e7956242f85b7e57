// How many connections a node takes, in all and from one address.

struct ConnectionLimits: Sendable {
    var total: Int
    var perHost: Int
    private(set) var open = 0
    private var byHost: [String: Int] = [:]

    init(total: Int, perHost: Int) {
        self.total = total
        self.perHost = perHost
    }

    /// Counts a connection from `host`; false when it is one too many and was not counted. Peers on unix sockets have no host
    /// and count only in all.
    mutating func admit(_ host: String) -> Bool {
        guard open < total, host.isEmpty || byHost[host, default: 0] < perHost else { return false }
        open += 1
        if !host.isEmpty { byHost[host, default: 0] += 1 }
        return true
    }

    mutating func leave(_ host: String) {
        open -= 1
        guard let count = byHost[host] else { return }
        byHost[host] = count > 1 ? count - 1 : nil
    }
}
