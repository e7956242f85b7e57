// What a command works with: options, output, terminal, and the configuration that they name.

import DDSCore
import DDSDesktop
import DDSLoop
import DDSNode
import DDSSeal
import Logging

@LoopActor struct Context {
    let options: GlobalOptions
    let output: Output
    let terminal: Terminal

    init(options: GlobalOptions) {
        self.options = options
        output = Output(options: options)
        terminal = Terminal(mayAsk: !options.noInput, isYes: options.yes)
    }

    /// The configuration for a command that concerns `role` where the file names none.
    func config(for role: String?) throws(Failure) -> Config {
        let file = ConfigFile(options: options)
        let config = try file.load(roles: options.role.map { [$0] })
        guard config.roles.isEmpty, let role else { return config }
        return try file.load(roles: [role])
    }

    /// What code of a role needs when it works in this process, without a daemon.
    func services(_ config: Config) -> Services {
        Services(
            config: config, time: Loop.time, random: SystemRandom(), bus: NodeBus(time: Loop.time),
            log: logger(config, atLeast: .error),
            control: ControlCommands(), requestStop: { _ in })
    }

    /// A logger to standard error; `atLeast` raises the configured level, `--verbose` lowers it to debug.
    func logger(_ config: Config, atLeast: Logger.Level = .trace) -> Logger {
        let configured: Logger.Level =
            switch config.log.level {
            case .error: .error
            case .notice: .notice
            case .info: .info
            case .debug: .debug
            }
        let level = options.verbose ? .debug : max(configured, atLeast)
        let underJournal = Environment.value("JOURNAL_STREAM") != nil
        return Logger(label: "ddsnode") { _ in LineLogHandler(level: level, underJournal: underJournal) }
    }
}

extension Context {
    /// A secret as text for the control channel, which is a socket of this user's own.
    func text(_ secret: SecretBytes, option: String) throws(Failure) -> JSONValue {
        try secret.withExposed { bytes throws(Failure) in
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw Failure(.badInput, "\(option): the secret is not UTF-8 text")
            }
            return .text(text)
        }
    }

    /// An object as lines of name and value.
    func fields(_ value: JSONValue) -> String {
        guard case .object(let fields) = value else { return SafeWord.text(value) }
        return output.table(fields.sorted { $0.key < $1.key }.map { [$0.key, SafeWord.text($0.value)] })
    }
}
