// From the text of a file to a Config, or to all that is wrong with it. Reads no file and no environment: both are handed in.

import DDSCore
import TOMLKit

extension Config {
    /// Reads `text`, which came from `fileName`. `environment` gives XDG_STATE_HOME, XDG_RUNTIME_DIR and HOME for the agent's
    /// folders; `roleOverride` is what `--role` named (`both` stands for server and agent). `knownRoles` are those that the
    /// program has. Throws every mistake found, in the order of the file; a syntax error hides the others.
    package static func load(
        text: String, fileName: String, environment: [String: String], roleOverride: [String]? = nil,
        knownRoles: [String] = ConfigSchema.roleNames
    ) throws(ConfigError) -> Config {
        var loader = ConfigLoader(text: text, fileName: fileName, knownRoles: knownRoles)
        return try loader.load(environment: environment, roleOverride: roleOverride)
    }
}

extension ConfigSchema {
    /// The roles that this program is made of.
    package static var roleNames: [String] { roles }
}

private struct ConfigLoader {
    let text: String
    let fileName: String
    let knownRoles: [String]

    private var locator = ConfigLocator("")
    private var found: [String: ConfigValue] = [:]
    private var mistakes: [(place: ConfigPosition, text: String)] = []
    private var config = Config()

    init(text: String, fileName: String, knownRoles: [String]) {
        self.text = text
        self.fileName = fileName
        self.knownRoles = knownRoles
    }

    mutating func load(environment: [String: String], roleOverride: [String]?) throws(ConfigError) -> Config {
        locator = ConfigLocator(text)
        let table = try parse()
        collect(table, at: [])
        for key in ConfigSchema.keys { apply(key) }
        if let roleOverride { try override(roleOverride) }
        derive(environment)
        checkPairs()
        guard mistakes.isEmpty else {
            let sorted = mistakes.sorted { $0.place < $1.place }
            throw ConfigError(messages: sorted.map { "\(fileName):\($0.place.line):\($0.place.column): \($0.text)" })
        }
        return config
    }

    // MARK: - Reading

    private func parse() throws(ConfigError) -> TOMLTable {
        // The parser takes a C string and would silently ignore whatever follows a zero.
        if let zero = text.unicodeScalars.firstIndex(of: "\0") {
            let before = text.unicodeScalars[..<zero]
            let line = before.count { $0 == "\n" } + 1
            let column = before.reversed().prefix { $0 != "\n" }.count + 1
            throw ConfigError(messages: ["\(fileName):\(line):\(column): a zero character is not text"])
        }
        if let hole = locator.hole {
            let place = hole.place
            _ = try parse(hole.before)
            throw ConfigError(messages: ["\(fileName):\(place.line):\(place.column): expected \(hole.missing)"])
        }
        return try parse(text)
    }

    private func parse(_ text: String) throws(ConfigError) -> TOMLTable {
        do {
            return try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            let begin = error.source.begin
            throw ConfigError(messages: ["\(fileName):\(begin.line):\(begin.column): \(error.description)"])
        } catch {
            throw ConfigError(messages: ["\(fileName):1:1: cannot be read as TOML"])
        }
    }

    /// Gathers the values of known keys and complains about the rest.
    private mutating func collect(_ table: TOMLTable, at path: [String]) {
        for name in table.keys {
            guard let value = table[name] else { continue }
            let here = path + [name]
            let joined = here.joined(separator: ".")
            if ConfigSchema.key(joined) != nil, !name.contains(".") {
                found[joined] = Self.value(value)
            } else if isTable(here) {
                if let inner = value.table {
                    collect(inner, at: here)
                } else {
                    let text = "\(ConfigValue.quoted(name)) must be a table, not \(Self.value(value).spoken)"
                    mistakes.append((locator.value(here), text))
                }
            } else {
                mistakes.append((locator.key(here), unknown(name, in: path)))
            }
        }
    }

    private func isTable(_ path: [String]) -> Bool {
        ConfigSchema.keys.contains { $0.parts.count > path.count && $0.parts.starts(with: path) }
    }

    private func unknown(_ name: String, in path: [String]) -> String {
        let all = ConfigSchema.keys.map(\.parts)
        let siblings = all.filter { $0.count > path.count && $0.starts(with: path) }.map { $0[path.count] }
        let complaint = "unknown key \(ConfigValue.quoted(name))"
        if let guess = Suggestion.nearest(to: name, among: siblings) { return "\(complaint), did you mean \"\(guess)\"?" }
        // The right name in the wrong table.
        if let other = all.first(where: { $0.last == name }) {
            return "\(complaint), did you mean \"\(other.joined(separator: "."))\"?"
        }
        return complaint
    }

    private static func value(_ node: any TOMLValueConvertible) -> ConfigValue {
        switch node.type {
        case .string: node.string.map { .text($0) } ?? .other("a string")
        case .int: node.int.map { .integer($0) } ?? .other("an integer")
        case .bool: node.bool.map { .flag($0) } ?? .other("a boolean")
        case .array: node.array.map { .list($0.map { value($0) }) } ?? .other("a list")
        case .table: .other("a table")
        case .double: .other("a number with a fraction")
        case .date, .time, .dateTime: .other("a date or time")
        }
    }

    // MARK: - Deciding

    private mutating func apply(_ key: ConfigKey) {
        guard let value = found[key.path] else {
            if case .value(let standard) = key.standard {
                let complaint = key.kind.apply(standard, &config)
                precondition(complaint == nil, "the default of \(key.path) breaks its own rule")
            }
            return
        }
        let path = key.parts
        if key.path == "roles", knownRoles != ConfigSchema.roles {
            take(ConfigKind.words(\.roles, knownRoles), value, path)
        } else {
            take(key.kind, value, path)
        }
    }

    private mutating func take(_ kind: ConfigKind, _ value: ConfigValue, _ path: [String]) {
        let place = locator.value(path)
        if let complaint = kind.apply(value, &config) {
            mistakes.append((place, "\"\(path[path.count - 1])\" \(complaint)"))
        } else {
            config.origins[path.joined(separator: ".")] = .file(name: fileName, line: locator.key(path).line)
        }
    }

    private mutating func override(_ names: [String]) throws(ConfigError) {
        let expanded = names.flatMap { $0 == "both" ? ConfigSchema.roles : [$0] }
        if let complaint = ConfigKind.words(\.roles, knownRoles).apply(.list(expanded.map { .text($0) }), &config) {
            throw ConfigError(messages: ["--role \(complaint)"])
        }
        config.origins["roles"] = .flag("--role")
    }

    /// Defaults that depend on other settings and on the environment.
    private mutating func derive(_ environment: [String: String]) {
        if config.node.host.isEmpty { config.node.host = config.node.name }
        let isServer = config.roles.contains("server")
        if config.origins["node.state_dir"] == nil {
            if isServer {
                config.node.stateDirectory = "/var/lib/ddsnode"
            } else if let base = folder("XDG_STATE_HOME", environment)
                ?? folder("HOME", environment).map({ $0 + "/.local/state" })
            {
                config.node.stateDirectory = base + "/ddsnode"
            } else if found["node.state_dir"] == nil {
                mistakes.append((.start, "\"node.state_dir\" is not set, and neither is $XDG_STATE_HOME or $HOME"))
            }
        }
        if config.origins["node.runtime_dir"] == nil {
            if isServer {
                config.node.runtimeDirectory = "/run/ddsnode"
            } else if let base = folder("XDG_RUNTIME_DIR", environment) {
                config.node.runtimeDirectory = base + "/ddsnode"
            } else {
                config.node.runtimeDirectory = config.node.stateDirectory + "/run"
            }
        }
    }

    /// Relative paths in these variables are to be ignored (XDG Base Directory Specification).
    private func folder(_ variable: String, _ environment: [String: String]) -> String? {
        guard let path = environment[variable], path.hasPrefix("/") else { return nil }
        return path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    }

    private mutating func checkPairs() {
        let tls = config.server.tls
        guard tls.certificateFile.isEmpty != tls.keyFile.isEmpty else { return }
        let given = tls.keyFile.isEmpty ? "certificate_file" : "key_file"
        let missing = tls.keyFile.isEmpty ? "key_file" : "certificate_file"
        // A value that is wrong in itself has been complained about already.
        guard found["server.tls.\(missing)"].map({ $0 == .text("") }) ?? true else { return }
        mistakes.append((locator.key(["server", "tls", given]), "\"\(given)\" needs \"\(missing)\" beside it"))
    }
}
