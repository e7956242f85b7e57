// What the gateway speaks with mail programs: one row for each protocol, which the listeners, the commands, the configuration
// and the page all read. What a session does is the handlers' affair.

import DDSNode

/// A protocol of the gateway, in the order in which lists show it.
enum GatewayProtocol: String, CaseIterable, Sendable {
    case imap
    case pop3
    case smtp

    /// As a person says it on the command line; the long name does, too.
    init?(word: String) {
        guard let match = Self.allCases.first(where: { $0.word == word || $0.rawValue == word }) else { return nil }
        self = match
    }

    var word: String {
        switch self {
        case .imap: "imap"
        case .pop3: "pop"
        case .smtp: "smtp"
        }
    }

    /// As cards show it.
    var title: String { rawValue.uppercased() }

    /// Where it is looked for first. Those below 1024 are the superuser's.
    var standardPort: UInt16 {
        switch self {
        case .imap: 1143
        case .pop3: 1110
        case .smtp: 1025
        }
    }

    /// Its socket in a handover.
    var handoverName: String { "gateway-\(rawValue)" }

    /// Its key in the configuration.
    var configKey: String { "agent.gateway.\(rawValue)" }

    /// What the configuration says; empty where it leaves that to the command line.
    func configured(in config: Config.Agent.Gateway) -> String {
        switch self {
        case .imap: config.imap
        case .pop3: config.pop3
        case .smtp: config.smtp
        }
    }

    static var words: String { allCases.map(\.word).joined(separator: ", ") }
}
