import DDSNode
import DDSTestKit
import Testing

/// Broken files, each with all that is said about it.
@Suite struct ConfigMistakeTests {
    struct Broken: Sendable, CustomTestStringConvertible {
        var text: String
        var messages: [String]

        init(_ text: String, _ messages: String...) {
            self.text = text
            self.messages = messages
        }

        var testDescription: String { text }
    }

    static let unknown = [
        Broken("[agent.lock]\nidel = \"1m\"", #"2:1: unknown key "idel", did you mean "idle"?"#),
        Broken("\n  [agnet.lock]\nidle = \"1m\"", #"2:4: unknown key "agnet", did you mean "agent"?"#),
        Broken("[agent.lokc]", #"1:8: unknown key "lokc", did you mean "lock"?"#),
        Broken("agent.lock . idel = 1", #"1:14: unknown key "idel", did you mean "idle"?"#),
        Broken("server = { limits = { conections = 1 } }", #"1:23: unknown key "conections", did you mean "connections"?"#),
        Broken("[agent]\nidle = \"1m\"", #"2:1: unknown key "idle", did you mean "agent.lock.idle"?"#),
        Broken("[agent.lock]\nlid_closed = true", #"2:1: unknown key "lid_closed""#),
        Broken(
            "[agent.gateway]\npop3 = \"0.0.0.0:1110\"",
            #"2:8: "pop3" must stay on this machine ("127.0.0.1:port", "[::1]:port" or "unix:/path"), not "0.0.0.0:1110""#),
        Broken("[metrics]\nlisten = \"\"", #"1:2: unknown key "metrics""#),
        Broken("\"log.level\" = \"info\"", #"1:1: unknown key "log.level""#),
        Broken("log.\"le\\u0076el\" = \"loud\"", #"1:1: "level" must be "error" or "notice" or "info" or "debug", not "loud""#),
        Broken("log.\"\\u001b[31m\" = 1", #"1:1: unknown key "\u001b[31m""#),
        Broken("# ü\nrölés = 1", "2:2: "),
        Broken("\"rölés\" = 1", #"1:1: unknown key "rölés""#),
        Broken(
            "ro = 1\r\nrolez = []\r\nx = 1", #"1:1: unknown key "ro""#, #"2:1: unknown key "rolez", did you mean "roles"?"#,
            #"3:1: unknown key "x""#),
    ]

    static let mistyped = [
        Broken("[agent.lock]\nidle = 15", #"2:8: "idle" must be a duration such as "15m" or "24h", not the integer 15"#),
        Broken("agent.lock.idle = \"31d\"", #"1:19: "idle" must be from 1s to 30d, not "31d""#),
        Broken("agent.lock = 5", #"1:14: "lock" must be a table, not the integer 5"#),
        Broken("agent.notify.quiet = [\"22-7\"]", #"1:22: "quiet" must be a list such as ["22:00-07:00"], and has "22-7""#),
        Broken(
            "agent.notify.quiet = [\"22:00-07:00\", \"22:00-07:00\"]", #"1:22: "quiet" names "22:00-07:00" twice"#),
        Broken("[[server]]", #"1:3: "server" must be a table, not a list"#),
        Broken("[log.level]\nx = 1", #"1:6: "level" must be "error" or "notice" or "info" or "debug", not a table"#),
        Broken(
            "log.level = \"inof\"",
            #"1:13: "level" must be "error" or "notice" or "info" or "debug", not "inof", did you mean "info"?"#),
        Broken("server.limits.connections = \"many\"", #"1:29: "connections" must be an integer, not "many""#),
        Broken("server.limits.connections = 1.5", #"1:29: "connections" must be an integer, not a number with a fraction"#),
        Broken("server.limits.connections = 0", #"1:29: "connections" must be from 1 to 1000000, not 0"#),
        Broken("server.limits.message_size = 25", #"1:30: "message_size" must be a size such as "25MiB", not the integer 25"#),
        Broken("server.limits.message_size = \"2GiB\"", #"1:30: "message_size" must be from 1KiB to 1GiB, not "2GiB""#),
        Broken("agent.web.check_peer_uid = \"yes\"", #"1:28: "check_peer_uid" must be true or false, not "yes""#),
        Broken("agent.web.check_peer_uid = 2026-11-23", #"1:28: "check_peer_uid" must be true or false, not a date or time"#),
        Broken("[server.listen]\npop3s = \"[::]:995\"", #"2:9: "pop3s" must be a list of endpoints, not "[::]:995""#),
        Broken("[server.listen]\npop3s = [995]", #"2:9: "pop3s" must be "host:port" or "unix:/path", not the integer 995"#),
        Broken("[server.listen]\npop3s = [\"a:1\", \"a:1\"]", #"2:9: "pop3s" names "a:1" twice"#),
        Broken(
            "[server.listen]\nlmtp = [\n  \"0.0.0.0:24\", # all\n]",
            #"2:8: "lmtp" must stay on this machine ("127.0.0.1:port", "[::1]:port" or "unix:/path"), not "0.0.0.0:24""#),
        Broken("[agent.web]\nlisten = \"\"", #"2:10: "listen" must be "host:port" or "unix:/path", not """#),
        Broken("roles = \"server\"", #"1:9: "roles" must be a list such as ["server"], not "server""#),
        Broken(
            "roles = [\"server\", \"agnet\"]",
            #"1:9: "roles" must be "server" or "agent", not "agnet", did you mean "agent"?"#),
        Broken("roles = [\"agent\", \"agent\"]", #"1:9: "roles" names "agent" twice"#),
        Broken(
            "node.state_dir = \"state\"", #"1:18: "state_dir" must be an absolute path such as "/var/lib/ddsnode", not "state""#
        ),
        Broken("node.name = \"a b\"", #"1:13: "name" must be a domain such as "node.example.org", not "a b""#),
        Broken("node.name = \"\"", #"1:13: "name" must be a domain such as "node.example.org", not """#),
        Broken("node.host = \"a:b\"", #"1:13: "host" must be a host such as "mail.example.org", not "a:b""#),
        Broken("agent.address = \"bob\"", #"1:17: "address" must be a mail address such as "bob@node.example.org", not "bob""#),
        Broken(
            "agent.node_key = \"abc\"", #"1:18: "node_key" must be a node key such as "7Q2KM4VX9TREA1ZPC3HD8NWY5B", not "abc""#),
        Broken("[server.tls]\nkey_file = \"/k\"", #"2:1: "key_file" needs "certificate_file" beside it"#),
        Broken(
            "[server.tls]\ncertificate_file = \"/c\"\nkey_file = \"\"", #"2:1: "certificate_file" needs "key_file" beside it"#),
        Broken(
            "server.tls = { certificate_file = \"/c\", key_file = \"k\" }",
            #"1:52: "key_file" must be an absolute path such as "/etc/ddsnode/tls.key", not "k""#),
        Broken(
            "server.keys.master = \"fd:2\"",
            #"1:22: "master" must be "file", "passphrase", "credential" or "fd:N" with N from 3, not "fd:2""#),
    ]

    @Test(arguments: unknown + mistyped)
    func brokenFile_isExplained(broken: Broken) {
        let error = #expect(throws: ConfigError.self) { try load(broken.text, role: ["server"]) }
        let expected = broken.messages.map { "t.toml:" + $0 }
        if expected.first?.hasSuffix(": ") == true {
            // A syntax error: the place is ours to promise, the words are the parser's.
            #expect(error?.messages.first?.hasPrefix(expected[0]) == true, "\(error?.messages ?? [])")
        } else {
            #expect(error?.messages == expected)
        }
    }

    @Test(arguments: [
        ("a = ", "1:"), ("[node\nname = \"x\"", "1:6: "), ("[node]\nname = \"a\"\nname = \"b\"", "3:"),
        ("[node]\n[node]", "2:"), ("[log]\nlevel = info", "2:"), ("[log]\nlevel = \"info", "2:"), ("\u{1}", "1:1: "),
        ("log.level = \"info\" log.addresses = \"full\"", "1:"), ("roles = [\"server\"\n[node]\n", "2:"), ("x\0y = 1", "1:2: "),
        ("\n\n \0", "3:2: "), ("a = 1\n[=", "2:2: "), ("[", "1:"), ("[\n]", "1:2: "), ("[[ {", "1:4: "), ("a = \n[=", "1:"),
        ("[ [a]]", "1:"),
        ("[]", "1:"), ("a = \"\"\"\n[=", "2:"), ("[.a]", "1:2: "), ("a = [}]", "1:6: "), ("a = [1, \u{a0}2]", "1:9: "),
        ("a = 1 2\nb = [}]", "1:"), ("a = {b=}", "1:8: "), ("a = \nb", "1:5: "), (String(repeating: "a=[", count: 2000), "1:"),
        ("a=" + String(repeating: "[", count: 100_000), "1:"), ("[a.]", "1:"), ("a = [\n[=", "2:"), ("[ü]", "1:2: "),
        ("n = 99999999999999999999", "1:"),
    ])
    func syntaxError_isPlaced(text: String, place: String) {
        let error = #expect(throws: ConfigError.self) { try load(text) }
        #expect(error?.messages.count == 1)
        #expect(error?.messages.first?.hasPrefix("t.toml:" + place) == true, "\(error?.messages ?? [])")
    }

    /// Whatever precedes a mistake, its place is found.
    @Test(arguments: [
        "# [agent.lock]\n# idle = 1\n", "[log]\nlevel = 'info'\n", "node.name = \"\"\"\\\n  a.b\"\"\"\n",
        "node.state_dir = '''\n/x'''\n", "node.host = \"#[=]\"\n".replacingHost(),
        "[server.listen]\npop3 = [ # [x]\n \"a:1\" , ]\n",
        "server.limits = { connections = 5 } # {\n", "[server.'limits']\n\"connections\" = 0x1f\n", "\u{feff}# mark\n",
        "[node]\r\nname = \"a.b\"\r\n", "server.spool.keep_undelivered=\"2d\"\n", "server.listen.pop3s = []\n",
    ])
    func placeBehindOtherThings_isRight(before: String) {
        let line = before.unicodeScalars.count { $0 == "\n" } + 1
        for (text, place) in [("[agent.lock]\n\tidle = 7", "\(line + 1):9"), ("[agent]\nlock.idel = 7", "\(line + 1):6")] {
            let error = #expect(throws: ConfigError.self) { try load(before + text) }
            #expect(error?.messages.count == 1)
            #expect(error?.messages.first?.hasPrefix("t.toml:\(place): ") == true, "\(error?.messages ?? [])")
        }
    }

    @Test func mistakes_comeInTheOrderOfTheFile() {
        let error = #expect(throws: ConfigError.self) {
            try load("log.level = 1\nzzz = 1\nagent.fetch_every = 1\nnode.name = 1")
        }
        #expect(error?.messages.map { $0.dropFirst(7).prefix(2) } == ["1:", "2:", "3:", "4:"])
    }

    @Test func randomText_neverTraps() throws {
        let random = SeededRandom(seed: 7)
        let samples = [ConfigSchema.example(for: ["server", "agent"])] + (Self.unknown + Self.mistyped).map(\.text)
        let marks = Array("[]{}=\"'.,#\n\r\\ \tax1é".unicodeScalars)
        for round in 0..<2000 {
            var text = Array(samples[random.below(samples.count)].unicodeScalars.prefix(400 + round))
            for _ in 0...random.below(6) where !text.isEmpty {
                text[random.below(text.count)] = marks[random.below(marks.count)]
            }
            do {
                _ = try load(String(String.UnicodeScalarView(text)))
            } catch {
                #expect(!error.messages.isEmpty && error.messages.allSatisfy { $0.hasPrefix("t.toml:") })
            }
        }
    }
}

extension String {
    /// A string value full of syntax in the one key that takes any text: a path.
    fileprivate func replacingHost() -> String { "server.tls = { certificate_file = \"/#[=]{\", key_file = '/\"#' }\n" }
}
