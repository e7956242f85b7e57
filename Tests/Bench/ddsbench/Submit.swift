// Submissions per second: as many connections as asked for, each with one message on its way at a time.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSTLS

@LoopActor final class Submit {
    struct Plan {
        var port: UInt16
        var connections = 1
        var seconds = 3.0
        /// Ends after so many, however long it takes; 0 is no limit.
        var count = 0
        var bytes = 4096
        var to = "m1@\(Member.domain)"
        /// Submit plain text with this password instead of a sealed message with a key.
        var password: String?
    }

    private let plan: Plan
    private let random = SystemRandom()
    private var pool: [[UInt8]] = []
    private var nodeRecipient: AgeRecipient?
    private var nextMessage = 0
    private var deadline = Instant(nanoseconds: 0)
    private var latencies: [Int64] = []
    private var ready = 0
    private var gate: [CheckedContinuation<Void, Never>] = []
    private var start = Instant(nanoseconds: 0)

    init(_ plan: Plan) {
        self.plan = plan
    }

    func run() async throws -> [(String, JSONValue)] {
        try await withThrowingTaskGroup { group in
            for _ in 0..<plan.connections {
                group.addTask(name: "submit", executorPreference: Loop.main) { try await self.session() }
            }
            try await group.waitForAll()
        }
        let elapsed = Double((Loop.time.now - start).nanoseconds) / 1e9
        latencies.sort()
        return [
            ("accepted", .number(latencies.count)), ("per_second", .number(Int((Double(latencies.count) / elapsed).rounded()))),
            ("elapsed_us", .number(Int(elapsed * 1e6))), ("p50_us", .number(quantile(0.5))),
            ("p99_us", .number(quantile(0.99))), ("max_us", .number(quantile(1))),
        ]
    }

    private func quantile(_ part: Double) -> Int64 {
        latencies.isEmpty ? 0 : latencies[min(latencies.count - 1, Int(Double(latencies.count) * part))] / 1000
    }

    private func session() async throws {
        let connection = try await Connection.open(
            port: plan.port, plan.password == nil ? Member(number: 0).context() : Self.anonymous())
        nodeRecipient = try await Submission.hello(connection)
        let from: String
        if let password = plan.password {
            from = "writer@\(Member.domain)"
            try await Submission.authenticate(connection, user: "writer", password: password)
        } else {
            from = Member(number: 0).address
            try await Submission.authenticate(connection, as: "m0")
        }
        // All connections begin together, when the messages are sealed.
        ready += 1
        if ready == plan.connections { try open(from) } else { await withCheckedContinuation { gate.append($0) } }
        while let message = next() {
            let sent = Loop.time.now
            try connection.send(message)
            for _ in 0..<3 { _ = try await connection.reply("2") }
            latencies.append((Loop.time.now - sent).nanoseconds)
            try await connection.drained()
        }
        connection.close()
    }

    private static func anonymous() throws -> TLSContext {
        try TLSContext.client(identity: nil, pinnedKeyHash: nil, minimum: .tls12)
    }

    private func open(_ from: String) throws {
        guard let nodeRecipient else { throw BenchError("the node announces no key") }
        let size = plan.count > 0 ? plan.count : Int(plan.seconds * 2500)
        for _ in 0..<size {
            let message = Mail.message(to: plan.to, bytes: plan.bytes, random: random)
            let body =
                plan.password == nil
                ? try Mail.sealed(message, to: plan.to, nodeRecipient: nodeRecipient, random: random) : message
            pool.append(Mail.transaction(body, from: from, to: plan.to))
        }
        start = Loop.time.now
        deadline = plan.count > 0 ? start + .seconds(600) : start + .milliseconds(Int64(plan.seconds * 1000))
        for waiter in gate { waiter.resume() }
    }

    private func next() -> [UInt8]? {
        guard nextMessage < pool.count, Loop.time.now < deadline else { return nil }
        defer {
            pool[nextMessage] = []
            nextMessage += 1
        }
        return pool[nextMessage]
    }
}
