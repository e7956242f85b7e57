import DDSCore
import DDSNode
import Testing

/// Loads as the program does, with a person's usual environment.
func load(_ text: String, role: [String]? = nil) throws(ConfigError) -> Config {
    try Config.load(
        text: text, fileName: "t.toml", environment: ["HOME": "/home/bob", "XDG_RUNTIME_DIR": "/run/user/1000"],
        roleOverride: role)
}

@Suite struct ConfigTests {
    @Test func emptyFile_hasEveryDefault() throws {
        let config = try load("", role: ["server"])
        #expect(config.roles == ["server"])
        #expect(config.node.name == "localhost" && config.node.host == "localhost")
        #expect(config.node.stateDirectory == "/var/lib/ddsnode" && config.node.runtimeDirectory == "/run/ddsnode")
        #expect(config.server.listen.pop3s == ["[::]:995"] && config.server.listen.submissions == ["[::]:465"])
        #expect(config.server.listen.pop3.isEmpty && config.server.listen.lmtp.isEmpty)
        #expect(config.server.spool.segmentSize == 64 << 20 && config.server.spool.mailboxQuota == 2 << 30)
        #expect(config.server.spool.keepUndelivered == .seconds(30 * 86400))
        #expect(config.server.limits.messageSize == 25 << 20 && config.server.limits.connections == 10000)
        #expect(config.server.limits.connectionsPerIP == 50 && config.server.limits.loginsPerMinute == 10)
        #expect(config.agent.lock.idle == .seconds(900) && config.agent.fetchEvery == .seconds(60))
        #expect(config.agent.web.listen == "127.0.0.1:7381" && config.agent.web.host == "ddsnode.localhost")
        #expect(config.agent.web.checkPeerUID && config.agent.address.isEmpty)
        #expect(config.log.level == .info && config.log.addresses == .hash)
    }

    @Test func fileValues_arrive() throws {
        let config = try load(
            """
            roles = ["server", "agent"]
            log.level = "debug"
            [node]
            name = "Node.Test"
            state_dir = '/tmp/x'
            [server]
            listen = { pop3s = ["127.0.0.1:1995", "unix:/run/p"], lmtp = ["unix:/run/lmtp"] }
            limits.connections = 7
            [server.tls]
            certificate_file = "/c"
            key_file = "/k"
            [agent.lock]
            idle = "2h"
            [agent.web]
            listen = "[::1]:0"
            check_peer_uid = false
            """)
        #expect(config.roles == ["server", "agent"])
        #expect(config.log.level == .debug)
        #expect(config.node.name == "node.test" && config.node.host == "node.test")
        #expect(config.server.listen.pop3s == ["127.0.0.1:1995", "unix:/run/p"])
        #expect(config.server.listen.lmtp == ["unix:/run/lmtp"])
        #expect(config.server.limits.connections == 7)
        #expect(config.server.tls.certificateFile == "/c" && config.server.tls.keyFile == "/k")
        #expect(config.agent.lock.idle == .seconds(7200))
        #expect(config.agent.web.listen == "[::1]:0" && !config.agent.web.checkPeerUID)
        #expect(config.node.runtimeDirectory == "/run/ddsnode")
        #expect(config.stateDirectory(of: "server") == "/tmp/x/server")
        #expect(config.stateDirectory(of: "agent") == "/tmp/x/agent")
    }

    @Test(arguments: [
        ("1s", Duration.seconds(1)), ("90s", .seconds(90)), ("15m", .seconds(900)), ("24h", .seconds(86400)),
        ("30d", .seconds(30 * 86400)), ("2w", .seconds(14 * 86400)),
    ])
    func durations_areRead(text: String, expected: Duration) throws {
        #expect(try load("agent.lock.idle = \"\(text)\"").agent.lock.idle == expected)
    }

    @Test(arguments: [
        "", "15", "m", "15 m", "-15m", "+15m", "1.5h", "15min", "15M", "1h30m", "0s", "31d", "99999999999999999999m",
        "9223372036854775807w", "٣m",
    ])
    func badDurations_areRefused(text: String) {
        #expect(throws: ConfigError.self) { try load("agent.lock.idle = \"\(text)\"") }
    }

    @Test(arguments: [("1024B", 1024), ("2KiB", 2048), ("25MiB", 25 << 20), ("1GiB", 1 << 30)])
    func sizes_areRead(text: String, expected: Int) throws {
        #expect(try load("server.limits.message_size = \"\(text)\"").server.limits.messageSize == expected)
    }

    @Test(arguments: ["", "25", "MiB", "25MB", "25M", "25 MiB", "-1MiB", "1023B", "1073741825B", "9999999999999999TiB", "2GiB"])
    func badSizes_areRefused(text: String) {
        #expect(throws: ConfigError.self) { try load("server.limits.message_size = \"\(text)\"") }
    }

    @Test(arguments: [(0, false), (1, true), (1_000_000, true), (1_000_001, false), (-1, false)])
    func integerRange_holdsAtItsEnds(number: Int, isFine: Bool) {
        #expect(((try? load("server.limits.connections = \(number)")) != nil) == isFine)
    }

    @Test(arguments: [
        "127.0.0.1:995", "0.0.0.0:0", "[::]:465", "[fe80::1%eth0]:65535", "mail.example.org:995", "localhost:1", "unix:/run/x",
        "unix:/" + String(repeating: "a", count: 106),
    ])
    func endpoints_areAccepted(text: String) throws {
        #expect(try load("server.listen.pop3s = [\"\(text)\"]").server.listen.pop3s == [text])
    }

    @Test(arguments: [
        "", ":", "995", ":995", "host", "host:", "host:x", "host:-1", "host:65536", "::1:995", "[::1]", "[::1]995", "[host]:1",
        "ho st:1", "a/b:1", "unix:", "unix:run/x", "unix:/run/", "unix:/" + String(repeating: "a", count: 107),
        "host:99999999999999999999",
    ])
    func badEndpoints_areRefused(text: String) {
        #expect(throws: ConfigError.self) { try load("server.listen.pop3s = [\"\(text)\"]") }
    }

    @Test(arguments: [
        ("127.0.0.1:1", true), ("127.9.9.9:1", true), ("[::1]:1", true), ("localhost:1", true), ("unix:/run/x", true),
        ("0.0.0.0:1", false), ("[::]:1", false), ("10.0.0.1:1", false), ("127.0.0.1.example.org:1", false),
        ("127.0.0:1", false),
        ("localhost.example.org:1", false), ("[::ffff:127.0.0.1]:1", false),
    ])
    func localEndpoints_stayLocal(text: String, isFine: Bool) {
        #expect(((try? load("server.listen.lmtp = [\"\(text)\"]")) != nil) == isFine)
        #expect(((try? load("agent.web.listen = \"\(text)\"")) != nil) == isFine)
    }

    @Test func folders_followRoleAndEnvironment() throws {
        func folders(_ environment: [String: String], _ roles: [String]?) throws -> [String] {
            let config = try Config.load(text: "", fileName: "t", environment: environment, roleOverride: roles)
            return [config.node.stateDirectory, config.node.runtimeDirectory]
        }
        let xdg = ["HOME": "/h", "XDG_STATE_HOME": "/s/", "XDG_RUNTIME_DIR": "/r"]
        #expect(try folders(xdg, ["agent"]) == ["/s/ddsnode", "/r/ddsnode"])
        #expect(try folders(["HOME": "/h"], ["agent"]) == ["/h/.local/state/ddsnode", "/h/.local/state/ddsnode/run"])
        #expect(try folders(["HOME": "/h", "XDG_STATE_HOME": "relative"], nil)[0] == "/h/.local/state/ddsnode")
        #expect(try folders(xdg, ["both"]) == ["/var/lib/ddsnode", "/run/ddsnode"])
        #expect(try folders([:], ["server"]) == ["/var/lib/ddsnode", "/run/ddsnode"])
        let error = #expect(throws: ConfigError.self) { try folders([:], ["agent"]) }
        #expect(error?.messages == ["t:1:1: \"node.state_dir\" is not set, and neither is $XDG_STATE_HOME or $HOME"])
    }

    @Test func roleFlag_overridesTheFile() throws {
        let config = try load("roles = [\"server\"]", role: ["agent"])
        #expect(config.roles == ["agent"])
        #expect(config.explain().first { $0.key == "roles" }?.origin == "--role")
        #expect(try load("", role: ["both"]).roles == ["server", "agent"])
        #expect(
            throws: ConfigError(messages: ["--role must be \"server\" or \"agent\", not \"sever\", did you mean \"server\"?"])
        ) {
            try load("", role: ["sever"])
        }
    }

    @Test func thirdRole_isKnownWhereTheProgramHasIt() throws {
        let config = try Config.load(
            text: "roles = [\"echo\"]", fileName: "t", environment: ["HOME": "/h"], knownRoles: ["server", "agent", "echo"])
        #expect(config.roles == ["echo"])
        #expect(throws: ConfigError.self) { try load("roles = [\"echo\"]") }
    }

    @Test func explain_tellsEveryValueAndItsOrigin() throws {
        var config = try load("# one\n[agent]\nfetch_every = \"120s\"\n[agent.lock]\n\nidle = \"1h\"\n", role: ["agent"])
        try config.adopt(account: ["agent.address": "bob@node.test", "agent.pop3s": "node.test:995"])
        let report = config.explain()
        #expect(report.map(\.key) == ConfigSchema.keys.map(\.path))
        func line(_ key: String) -> String? { report.first { $0.key == key }.map { "\($0.value) \($0.origin)" } }
        #expect(line("agent.fetch_every") == "\"2m\" t.toml:3")
        #expect(line("agent.lock.idle") == "\"1h\" t.toml:6")
        #expect(line("agent.address") == "\"bob@node.test\" joined account")
        #expect(line("server.listen.pop3s") == "[\"[::]:995\"] default")
        #expect(line("server.spool.segment_size") == "\"64MiB\" default")
        #expect(line("agent.web.check_peer_uid") == "true default")
        #expect(line("node.state_dir") == "\"/home/bob/.local/state/ddsnode\" default")
    }

    @Test func explainedValues_giveTheSameConfigAgain() throws {
        let config = try load("roles = [\"agent\"]\nagent.web.host = \"x.localhost\"\nlog.addresses = \"none\"")
        let text = config.explain().map { "\($0.key) = \($0.value)" }.joined(separator: "\n")
        #expect(try load(text) == config)
    }

    @Test func account_givesWayToTheFileAndIsChecked() throws {
        var config = try load("agent.pop3s = \"other.test:1\"", role: ["agent"])
        let before = config
        try config.adopt(account: ["agent.pop3s": "node.test:995", "agent.submissions": "node.test:465"])
        #expect(config.agent.pop3s == "other.test:1" && config.agent.submissions == "node.test:465")
        #expect(config.changes(since: before).map(\.key) == ["agent.submissions"])
        let bad = ["agent.address": "bob", "agent.nonsense": "1", "log.level": "debug"]
        let kept = config
        let error = #expect(throws: ConfigError.self) { try config.adopt(account: bad) }
        #expect(
            error?.messages == [
                "joined account: \"agent.address\" must be a mail address such as \"bob@node.example.org\", not \"bob\"",
                "joined account: unknown key \"agent.nonsense\"", "joined account: unknown key \"log.level\"",
            ])
        #expect(config == kept)
    }

    @Test func reload_knowsWhatNeedsARestart() throws {
        let old = try load("log.level = \"info\"", role: ["server"])
        let new = try load("log.level = \"debug\"\nserver.listen.pop3 = [\"[::]:110\"]", role: ["server"])
        let changes = new.changes(since: old)
        #expect(changes.map(\.key) == ["server.listen.pop3", "log.level"])
        #expect(changes.map(\.needsRestart) == [true, false])
        #expect(try load("", role: ["server"]) == load("log.level = \"info\"", role: ["server"]))
    }

    @Test func failure_hasTheConfigurationStatus() {
        let error = ConfigError(messages: ["a", "b"])
        #expect(error.failure.code.rawValue == 78)
        #expect(error.failure.publicText == "a\nb")
    }
}
