// What people read about settings: the effective values with their origins, and the commented sample.

import DDSCore

extension Config {
    /// Every key in the schema's order, its value as it would stand in a file, and where it came from: `default`, `FILE:LINE`,
    /// a flag, or `joined account`.
    package func explain() -> [(key: String, value: String, origin: String)] {
        ConfigSchema.keys.map { key in
            (key.path, key.kind.read(self).literal, (origins[key.path] ?? .builtIn).description)
        }
    }
}

extension ConfigSchema {
    /// A commented file for these roles: what must be decided is set, everything else stands as a comment with its default.
    package static func example(for roles: [String]) -> String {
        var lines = [
            "# ddsnode configuration: \(roles.joined(separator: " and ")). See ddsnode.toml(5).",
            "# Lines without a space behind the # show defaults. Keys marked (restart) are",
            "# not re-read on SIGHUP.",
        ]
        var table = ""
        for key in keys where concerns(key, roles) {
            let parts = key.parts
            let header = parts.dropLast().joined(separator: ".")
            lines.append("")
            if header != table {
                lines += ["[\(header)]", ""]
                table = header
            }
            lines += wrapped(key.help + (key.needsRestart ? " (restart)" : "")).map { "# " + $0 }
            lines.append("\(sampleValue(of: key, roles))")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func concerns(_ key: ConfigKey, _ roles: [String]) -> Bool {
        let parts = key.parts
        guard parts.count > 1, self.roles.contains(parts[0]) else { return true }
        return roles.contains(parts[0])
    }

    private static func sampleValue(of key: ConfigKey, _ roles: [String]) -> String {
        let name = key.parts[key.parts.count - 1]
        if key.path == "roles" { return "roles = \(ConfigValue.list(roles.map { .text($0) }).literal)" }
        if key.path == "node.name", roles.contains("server") { return "name = \"node.example.org\"" }
        switch key.standard {
        case .value(let value): return "#\(name) = \(value.literal)"
        case .derived(let spoken, let sample):
            // Only the server's folders are the same everywhere.
            let isShown = roles.contains("server") || key.path == "node.host"
            return isShown ? "#\(name) = \(sample.literal)" : "# \(name): \(spoken)"
        }
    }

    /// Lines of at most 78 characters.
    private static func wrapped(_ text: String) -> [String] {
        var lines: [String] = []
        for word in text.split(separator: " ") {
            if let last = lines.last, last.count + 1 + word.count <= 78 {
                lines[lines.count - 1] = "\(last) \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}
