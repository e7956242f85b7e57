// What a key may hold: one kind per rule, each of which can check a value, put it into a Config and read it back.

import DDSCore

/// One row of the schema.
package struct ConfigKey: Sendable {
    /// As `config print` shows it: tables and key joined by dots.
    package var path: String
    package var kind: ConfigKind
    package var standard: Standard
    /// False when SIGHUP is enough.
    package var needsRestart: Bool
    /// Sentences for the sample and the manual.
    package var help: String

    /// The value of a key that nobody set.
    package enum Standard: Sendable {
        case value(ConfigValue)
        /// Worked out from others; `spoken` says how, `sample` is what a sample shows.
        case derived(spoken: String, sample: ConfigValue)
    }

    init(_ path: String, _ kind: ConfigKind, _ standard: Standard, restart: Bool = false, _ help: String) {
        self.path = path
        self.kind = kind
        self.standard = standard
        needsRestart = restart
        self.help = help
    }

    var parts: [String] { path.split(separator: ".").map(String.init) }
}

/// The type of a key, bound to its place in `Config`.
package struct ConfigKind: Sendable {
    /// For the manual: `duration`, `list of endpoints`...
    package var name: String
    /// For the manual, such as a range; empty when the name says it all.
    package var constraint: String
    /// Checks a value and stores it. Returns what is wrong, to stand behind the key's name.
    var apply: @Sendable (ConfigValue, inout Config) -> String?
    /// The effective value.
    var read: @Sendable (Config) -> ConfigValue

    typealias Field<Value> = WritableKeyPath<Config, Value> & Sendable

    static func duration(_ field: any Field<Duration>, _ range: ClosedRange<Duration>) -> ConfigKind {
        let limits = "\(ConfigDuration.format(range.lowerBound)) to \(ConfigDuration.format(range.upperBound))"
        return ConfigKind(name: "duration", constraint: limits) { value, config in
            guard case .text(let text) = value, let duration = ConfigDuration.parse(text) else {
                return "must be a duration such as \"15m\" or \"24h\", not \(value.spoken)"
            }
            guard range.contains(duration) else { return "must be from \(limits), not \(value.spoken)" }
            config[keyPath: field] = duration
            return nil
        } read: {
            .text(ConfigDuration.format($0[keyPath: field]))
        }
    }

    static func size(_ field: any Field<Int>, _ range: ClosedRange<Int>) -> ConfigKind {
        let limits = "\(ConfigSize.format(range.lowerBound)) to \(ConfigSize.format(range.upperBound))"
        return ConfigKind(name: "size", constraint: limits) { value, config in
            guard case .text(let text) = value, let size = ConfigSize.parse(text) else {
                return "must be a size such as \"25MiB\", not \(value.spoken)"
            }
            guard range.contains(size) else { return "must be from \(limits), not \(value.spoken)" }
            config[keyPath: field] = size
            return nil
        } read: {
            .text(ConfigSize.format($0[keyPath: field]))
        }
    }

    static func integer(_ field: any Field<Int>, _ range: ClosedRange<Int>) -> ConfigKind {
        let limits = "\(range.lowerBound) to \(range.upperBound)"
        return ConfigKind(name: "integer", constraint: limits) { value, config in
            guard case .integer(let number) = value else { return "must be an integer, not \(value.spoken)" }
            guard range.contains(number) else { return "must be from \(limits), not \(number)" }
            config[keyPath: field] = number
            return nil
        } read: {
            .integer($0[keyPath: field])
        }
    }

    static func flag(_ field: any Field<Bool>) -> ConfigKind {
        ConfigKind(name: "boolean", constraint: "") { value, config in
            guard case .flag(let flag) = value else { return "must be true or false, not \(value.spoken)" }
            config[keyPath: field] = flag
            return nil
        } read: {
            .flag($0[keyPath: field])
        }
    }

    static func word<Word>(_ field: any Field<Word>) -> ConfigKind
    where Word: RawRepresentable<String> & CaseIterable & SendableMetatype {
        let words = Word.allCases.map(\.rawValue)
        return ConfigKind(name: "word", constraint: Self.choice(words)) { value, config in
            guard case .text(let text) = value, let word = Word(rawValue: text) else { return Self.complaint(value, words) }
            config[keyPath: field] = word
            return nil
        } read: {
            .text($0[keyPath: field].rawValue)
        }
    }

    /// Where the node's master key comes from.
    static func masterKey(_ field: any Field<Config.Server.MasterKey>) -> ConfigKind {
        let choice = "\"file\", \"passphrase\", \"credential\" or \"fd:N\" with N from 3"
        return ConfigKind(name: "word", constraint: choice) { value, config in
            guard case .text(let text) = value, let source = Config.Server.MasterKey(text) else {
                return "must be \(choice), not \(value.spoken)"
            }
            config[keyPath: field] = source
            return nil
        } read: {
            .text($0[keyPath: field].description)
        }
    }

    /// Any of `words`, each at most once.
    static func words(_ field: any Field<[String]>, _ words: [String]) -> ConfigKind {
        list("words", constraint: choice(words), example: words[0], field, where: { words.contains($0) }) {
            complaint($0, words)
        }
    }

    /// An endpoint; with `isOptional` also the empty string.
    static func endpoint(_ field: any Field<String>, isLocal: Bool, isOptional: Bool) -> ConfigKind {
        ConfigKind(name: "endpoint", constraint: isLocal ? "loopback or unix socket" : "") { value, config in
            guard case .text(let text) = value else { return Self.endpointComplaint(value) }
            if !(isOptional && text.isEmpty), let complaint = Self.check(endpoint: text, isLocal) { return complaint }
            config[keyPath: field] = text
            return nil
        } read: {
            .text($0[keyPath: field])
        }
    }

    static func endpoints(_ field: any Field<[String]>, isLocal: Bool) -> ConfigKind {
        ConfigKind(name: "list of endpoints", constraint: isLocal ? "loopback or unix socket" : "") { value, config in
            guard case .list(let items) = value else { return "must be a list of endpoints, not \(value.spoken)" }
            var chosen: [String] = []
            for item in items {
                guard case .text(let text) = item else { return Self.endpointComplaint(item) }
                if let complaint = Self.check(endpoint: text, isLocal) { return complaint }
                guard !chosen.contains(text) else { return "names \(item.spoken) twice" }
                chosen.append(text)
            }
            config[keyPath: field] = chosen
            return nil
        } read: {
            .list($0[keyPath: field].map { .text($0) })
        }
    }

    /// Text that satisfies `isValid`, which `name` names and `example` shows; `normal` is the form that is kept.
    static func text(
        _ name: String, example: String, _ field: any Field<String>, isOptional: Bool = false,
        normal: @escaping @Sendable (String) -> String = { $0 }, where isValid: @escaping @Sendable (String) -> Bool
    ) -> ConfigKind {
        ConfigKind(name: name, constraint: "") { value, config in
            guard case .text(let text) = value, isOptional && text.isEmpty || isValid(text) else {
                let article = "aeiou".contains(name.prefix(1)) ? "an" : "a"
                return "must be \(article) \(name) such as \"\(example)\", not \(value.spoken)"
            }
            config[keyPath: field] = normal(text)
            return nil
        } read: {
            .text($0[keyPath: field])
        }
    }

    /// Any texts that satisfy `isValid`, each at most once; `name` and `example` as for `text`.
    static func texts(
        _ name: String, example: String, _ field: any Field<[String]>, where isValid: @escaping @Sendable (String) -> Bool
    ) -> ConfigKind {
        list(name, constraint: "\"\(example)\"", example: example, field, where: isValid) {
            "must be a list such as [\"\(example)\"], and has \($0.spoken)"
        }
    }

    /// Texts that satisfy `isValid`, each at most once; what is none, `complaint` says.
    private static func list(
        _ name: String, constraint: String, example: String, _ field: any Field<[String]>,
        where isValid: @escaping @Sendable (String) -> Bool, complaint: @escaping @Sendable (ConfigValue) -> String
    ) -> ConfigKind {
        ConfigKind(name: "list of \(name)", constraint: constraint) { value, config in
            guard case .list(let items) = value else { return "must be a list such as [\"\(example)\"], not \(value.spoken)" }
            var chosen: [String] = []
            for item in items {
                guard case .text(let text) = item, isValid(text) else { return complaint(item) }
                guard !chosen.contains(text) else { return "names \(item.spoken) twice" }
                chosen.append(text)
            }
            config[keyPath: field] = chosen
            return nil
        } read: {
            .list($0[keyPath: field].map { .text($0) })
        }
    }

    // MARK: - Wording

    private static func choice(_ words: [String]) -> String { words.map { "\"\($0)\"" }.joined(separator: " or ") }

    private static func complaint(_ value: ConfigValue, _ words: [String]) -> String {
        let complaint = "must be \(choice(words)), not \(value.spoken)"
        guard case .text(let text) = value, let guess = Suggestion.nearest(to: text, among: words) else { return complaint }
        return "\(complaint), did you mean \"\(guess)\"?"
    }

    private static func endpointComplaint(_ value: ConfigValue) -> String {
        "must be \"host:port\" or \"unix:/path\", not \(value.spoken)"
    }

    private static func check(endpoint text: String, _ isLocal: Bool) -> String? {
        guard let endpoint = ConfigEndpoint(text) else { return endpointComplaint(.text(text)) }
        guard isLocal, !endpoint.isLocal else { return nil }
        return
            "must stay on this machine (\"127.0.0.1:port\", \"[::1]:port\" or \"unix:/path\"), not \(ConfigValue.quoted(text))"
    }
}
