// Makes the members of a fresh node: invited over its control socket, enrolled over SMTP as agents are.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal

@LoopActor enum Setup {
    /// Adds `count` members and the group `crew` of the first 1,000.
    static func run(control: String, port: UInt16, count: Int) async throws -> [(String, JSONValue)] {
        let start = Loop.time.now
        let numbers = Numbers(0..<count)
        try await withThrowingTaskGroup { group in
            for _ in 0..<12 {
                group.addTask(name: "member", executorPreference: Loop.main) {
                    while let number = await numbers.next() {
                        try await add(Member(number: number), control: control, port: port)
                    }
                }
            }
            try await group.waitForAll()
        }
        let members = (0..<min(count, 1000)).map { Member(number: $0).name }
        try await ask(control, "group.add", ["name": "crew", "post": "members", "members": .texts(members)])
        return [("members", .number(count)), ("milliseconds", .number((Loop.time.now - start).nanoseconds / 1_000_000))]
    }

    @discardableResult
    private static func ask(_ control: String, _ command: String, _ arguments: JSONValue) async throws -> JSONValue {
        guard let result = try await ControlClient.call(path: control, ControlRequest(command, arguments)) else {
            throw BenchError("nothing answers at \(control)")
        }
        return result
    }

    private static func add(_ member: Member, control: String, port: UInt16) async throws {
        let made = try await ask(control, "user.add", ["name": .text(member.name), "invite": true])
        let invite = try InviteLink(made["invite"]?.string ?? "")
        let connection = try await Connection.open(port: port, member.context())
        let key = try await Submission.hello(connection)
        try await Submission.authenticate(connection, as: EnrolmentRequest.localPart)
        let request = EnrolmentRequest(
            inviteNumber: invite.number, secret: invite.secret, recipient: "\(member.recipient)")
        let address = "\(EnrolmentRequest.localPart)@\(Member.domain)"
        let sealed = try Mail.sealed(request.message, to: address, nodeRecipient: key, random: SystemRandom())
        try connection.send(Mail.transaction(sealed, from: address, to: address))
        for _ in 0..<3 { _ = try await connection.reply("2") }
        try connection.send("QUIT\r\n")
        connection.close()
    }
}

/// Hands out numbers to several tasks.
@LoopActor final class Numbers {
    private var left: Range<Int>

    init(_ numbers: Range<Int>) {
        left = numbers
    }

    func next() -> Int? { left.popFirst() }
}
