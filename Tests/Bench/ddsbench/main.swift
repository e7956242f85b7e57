// The load generator behind `make bench`; one measurement a run, its figures as one line of JSON. bench.py asks the questions
// and makes the table.

import DDSLoop
import DDSNode
import Glibc

/// Figures on standard output.
@LoopActor enum Report {
    static func line(_ figures: [(String, JSONValue)]) {
        let object = JSONValue.object(Dictionary(figures) { $1 })
        let line = object.line + [0x0a]
        _ = unsafe write(1, line, line.count)
    }
}

/// `--name value` pairs.
struct Options {
    private var values: [String: String] = [:]

    init(_ words: ArraySlice<String>) throws {
        var rest = words
        while let name = rest.popFirst() {
            guard name.hasPrefix("--"), let value = rest.popFirst() else {
                throw BenchError("an option is --name value, not \(name)")
            }
            values[String(name.dropFirst(2))] = value
        }
    }

    func text(_ name: String) throws -> String {
        guard let value = values[name] else { throw BenchError("--\(name) is missing") }
        return value
    }

    func optional(_ name: String) -> String? { values[name] }
    func number(_ name: String, _ standard: Int) -> Int { values[name].flatMap { Int($0) } ?? standard }
    func seconds(_ standard: Double) -> Double { values["seconds"].flatMap { Double($0) } ?? standard }

    func port() throws -> UInt16 {
        guard let port = UInt16(try text("port")) else { throw BenchError("--port is no port") }
        return port
    }
}

@LoopActor func measure(_ words: [String]) async throws {
    guard words.count > 1 else { throw BenchError("say what to measure") }
    let options = try Options(words.dropFirst(2))
    switch words[1] {
    case "setup":
        Report.line(
            try await Setup.run(
                control: try options.text("control"), port: try options.port(), count: options.number("members", 1000)))
    case "submit":
        var plan = Submit.Plan(port: try options.port())
        plan.connections = options.number("connections", 1)
        plan.seconds = options.seconds(3)
        plan.count = options.number("count", 0)
        plan.bytes = options.number("bytes", 4096)
        plan.to = options.optional("to") ?? plan.to
        plan.password = options.optional("password")
        Report.line(try await Submit(plan).run())
    case "drain":
        Report.line(try await Fetch.drain(Member(number: options.number("member", 1)), port: try options.port()))
    case "idle":
        Report.line(
            try await Fetch.idle(
                first: options.number("first", 0), count: options.number("count", 2000), port: try options.port(),
                isLoggedIn: options.number("login", 0) == 1))
        // Held until whoever reads the figures has taken the node's.
        _ = await Loop.offload { getchar() }
    case "disk": Report.line(try Machine.disk(folder: try options.text("folder"), seconds: options.seconds(2)))
    case "spool-accept":
        Report.line(
            try await SpoolBench.accept(
                folder: try options.text("folder"), committers: options.number("committers", 64), seconds: options.seconds(3)))
    case "spool-fill":
        Report.line(
            try await SpoolBench.fill(
                folder: try options.text("folder"), count: options.number("count", 1_000_000),
                share: options.number("share", 9)))
    case "spool-open":
        Report.line(
            try await SpoolBench.open(
                folder: try options.text("folder"), count: options.number("count", 1_000_000)))
    case "spool-rotate": Report.line(try await SpoolBench.rotate(folder: try options.text("folder")))
    case "headers": Report.line(try await Headers.measure(threads: options.number("threads", 1), seconds: options.seconds(1)))
    case "modes":
        Report.line(
            try await Modes.measure(
                bytes: options.number("bytes", 10 << 20), readers: options.number("readers", 100),
                rounds: options.number("rounds", 15)))
    case "opening":
        Report.line(try Opening.spool(folder: try options.text("folder"), records: options.number("records", 0)))
    case "search": Report.line(try SearchBench.run(count: options.number("count", 100_000)))
    case "scrypt": Report.line(try await Opening.scrypt())
    case "chacha": Report.line(try await Machine.chacha(seconds: options.seconds(1)))
    case "serve": try await Machine.serve()
    case "bare": try Bare.serve(isLoggedIn: options.number("login", 0) == 1)
    case "echo":
        Report.line(
            try await Machine.echo(
                port: try options.port(), connections: options.number("connections", 1), seconds: options.seconds(2)))
    case "bulk": Report.line(try await Machine.bulk(port: try options.port()))
    default: throw BenchError("there is no measurement \"\(words[1])\"")
    }
}

exit(
    Loop.run {
        do {
            try await measure(CommandLine.arguments)
            return 0
        } catch {
            let words = Array("ddsbench: \(error)\n".utf8)
            _ = unsafe write(2, words, words.count)
            return 1
        }
    })
