// POP3: draining one maildrop as fast as it goes, and holding many connections that do nothing.

import DDSCore
import DDSLoop
import DDSNode
import DDSTLS

@LoopActor enum Fetch {
    /// RETR commands on their way at once.
    private static let window = 16

    static func logIn(_ member: Member, port: UInt16) async throws -> Connection {
        let connection = try await Connection.open(port: port, member.context())
        _ = try await connection.okay()
        let identity = String(decoding: Base64.encode(Array(member.name.utf8)), as: UTF8.self)
        try connection.send("AUTH EXTERNAL \(identity)\r\n")
        _ = try await connection.okay()
        return connection
    }

    /// Fetches everything, then deletes it, and times both.
    static func drain(_ member: Member, port: UInt16) async throws -> [(String, JSONValue)] {
        let connection = try await logIn(member, port: port)
        try connection.send("STAT\r\n")
        let count = Int(try await connection.okay().split(separator: " ")[1]) ?? 0
        guard count > 0 else { throw BenchError("the maildrop is empty") }
        var sent = 0
        var ends = MessageEnds()
        var octets = 0
        let start = Loop.time.now
        while ends.count < count {
            while sent < count, sent < ends.count + window {
                sent += 1
                try connection.send("RETR \(sent)\r\n")
            }
            let bytes = try await connection.bytes()
            octets += bytes.count
            ends.scan(bytes)
        }
        let fetched = Loop.time.now
        try connection.send((1...count).map { "DELE \($0)\r\n" }.joined() + "QUIT\r\n")
        for _ in 0...count { _ = try await connection.okay() }
        let erased = Loop.time.now
        let seconds = Double((fetched - start).nanoseconds) / 1e9
        return [
            ("messages", .number(count)), ("octets", .number(octets)),
            ("fetch_us", .number((fetched - start).nanoseconds / 1000)),
            ("messages_per_second", .number(Int((Double(count) / seconds).rounded()))),
            ("kib_per_second", .number(Int((Double(octets) / seconds / 1024).rounded()))),
            ("erase_us", .number((erased - fetched).nanoseconds / 1000)),
        ]
    }

    /// Opens `count` connections of the members from `first` on, says that they are there, and closes them when standard input
    /// ends.
    static func idle(first: Int, count: Int, port: UInt16, isLoggedIn: Bool) async throws -> [(String, JSONValue)] {
        let numbers = Numbers(first..<first + count)
        let kept = Kept()
        try await withThrowingTaskGroup { group in
            for _ in 0..<8 {
                group.addTask(name: "idle", executorPreference: Loop.main) {
                    while let number = await numbers.next() {
                        try await kept.open(Member(number: number), port: port, isLoggedIn: isLoggedIn)
                    }
                }
            }
            try await group.waitForAll()
        }
        return [("open", .number(kept.connections.count))]
    }

    @LoopActor private final class Kept {
        var connections: [Connection] = []

        func open(_ member: Member, port: UInt16, isLoggedIn: Bool) async throws {
            if isLoggedIn {
                connections.append(try await logIn(member, port: port))
            } else {
                let connection = try await Connection.open(port: port, member.context())
                _ = try await connection.okay()
                connections.append(connection)
            }
        }
    }
}

/// Counts the ends of messages in POP3's stream; armor has no line that begins with a dot.
private struct MessageEnds {
    private static let mark = Array("\r\n.\r\n".utf8)
    private(set) var count = 0
    private var matched = 0

    mutating func scan(_ bytes: ArraySlice<UInt8>) {
        for byte in bytes {
            if byte == Self.mark[matched] {
                matched += 1
                if matched == Self.mark.count {
                    count += 1
                    matched = 0
                }
            } else {
                matched = byte == 0x0d ? 1 : 0
            }
        }
    }
}
