// The settings of one process, checked and typed. Which keys exist, their defaults and rules are in ConfigSchema; how a file
// becomes this value is in ConfigLoader.

import DDSCore
package import DDSDesktop

/// Effective settings. Two are equal when every setting is, wherever each came from.
package struct Config: Sendable, Equatable {
    package struct Node: Sendable, Equatable {
        /// The mail domain, in lower case.
        package var name = ""
        /// The host that invites carry.
        package var host = ""
        /// An absolute path; see `stateDirectory(of:)`.
        package var stateDirectory = ""
        /// An absolute path, for control sockets.
        package var runtimeDirectory = ""
    }

    package struct Server: Sendable, Equatable {
        /// Endpoints, each `host:port`, `[address]:port` or `unix:/path`.
        package struct Listen: Sendable, Equatable {
            package var pop3s: [String] = []
            package var submissions: [String] = []
            package var pop3: [String] = []
            package var submission: [String] = []
            package var lmtp: [String] = []
        }

        /// Both files or neither; without them the node uses its own self-signed certificate.
        package struct TLS: Sendable, Equatable {
            package var certificateFile = ""
            package var keyFile = ""
        }

        /// What opens the node's keyring.
        package enum MasterKey: Hashable, Sendable, CustomStringConvertible {
            case file
            case passphrase
            /// From the service manager.
            case credential
            /// An open file descriptor.
            case descriptor(Int32)

            /// `file`, `passphrase`, `credential` or `fd:N`, N from 3.
            package init?(_ text: String) {
                switch text {
                case "file": self = .file
                case "passphrase": self = .passphrase
                case "credential": self = .credential
                default:
                    guard text.hasPrefix("fd:"), let number = Int32(text.dropFirst(3)), number > 2, "fd:\(number)" == text
                    else { return nil }
                    self = .descriptor(number)
                }
            }

            package var description: String {
                switch self {
                case .file: "file"
                case .passphrase: "passphrase"
                case .credential: "credential"
                case .descriptor(let number): "fd:\(number)"
                }
            }
        }

        package enum Engine: String, Sendable, CaseIterable { case embedded }

        package struct Keys: Sendable, Equatable {
            package var master = MasterKey.file
        }

        package struct Spool: Sendable, Equatable {
            package var engine = Engine.embedded
            /// Bytes.
            package var segmentSize = 0
            /// Age of a root key at which it changes.
            package var rotateRoot = Duration.zero
            package var keepUndelivered = Duration.zero
            /// Bytes.
            package var mailboxQuota = 0
            package var statesEvery = Duration.zero
        }

        package struct Limits: Sendable, Equatable {
            /// Bytes.
            package var messageSize = 0
            package var connections = 0
            package var connectionsPerIP = 0
            /// Failed ones, per address and per user.
            package var loginsPerMinute = 0
            /// Of one member.
            package var messagesPerHour = 0
            /// Bytes, of one member.
            package var bytesPerDay = 0
        }

        package var listen = Listen()
        package var tls = TLS()
        package var keys = Keys()
        package var spool = Spool()
        package var limits = Limits()
    }

    /// `address`, `nodeKey`, `pop3s` and `submissions` are empty until `join` has been there; see `adopt(account:)`.
    package struct Agent: Sendable, Equatable {
        package struct Lock: Sendable, Equatable {
            package var idle = Duration.zero
            package var onSuspend = true
            package var onScreenLock = true
        }

        package enum Tray: String, Sendable, CaseIterable {
            case auto
            case on
            case off
        }

        package struct Notify: Sendable, Equatable {
            package var content = NotificationContent.count
            /// Each such as `22:00-07:00`.
            package var quiet: [String] = []
        }

        /// Where mail programs are served; empty where that is left to `ddsnode gateway`.
        package struct Gateway: Sendable, Equatable {
            package var imap = ""
            package var pop3 = ""
            package var smtp = ""
            /// Mail programs speak TLS, whatever `ddsnode gateway` says.
            package var tls = false
        }

        package struct Web: Sendable, Equatable {
            package var listen = ""
            package var host = ""
            package var checkPeerUID = true
            package var undoSend = Duration.zero
            package var html = HTMLView.onRequest
        }

        package var address = ""
        package var nodeKey = ""
        package var pop3s = ""
        package var submissions = ""
        package var fetchEvery = Duration.zero
        package var lock = Lock()
        package var web = Web()
        package var tray = Tray.auto
        package var notify = Notify()
        package var gateway = Gateway()
    }

    /// Whether the page shows the formatted version of a message.
    package enum HTMLView: String, Sendable, CaseIterable {
        case never
        case onRequest = "on-request"
    }

    package enum LogLevel: String, Sendable, CaseIterable { case error, notice, info, debug }
    package enum LogAddresses: String, Sendable, CaseIterable { case hash, full, none }

    package struct Log: Sendable, Equatable {
        package var level = LogLevel.info
        package var addresses = LogAddresses.hash
    }

    /// The roles that run here; empty when neither the file nor `--role` says.
    package var roles: [String] = []
    package var node = Node()
    package var server = Server()
    package var agent = Agent()
    package var log = Log()
    /// A spool that has lost something is opened all the same (`run --accept-loss`). No setting: it holds for one start.
    package var acceptLoss = false

    /// Where a setting came from.
    package enum Origin: Sendable, Hashable, CustomStringConvertible {
        case builtIn
        case file(name: String, line: Int)
        case flag(String)
        /// What `join` stored.
        case account

        package var description: String {
            switch self {
            case .builtIn: "default"
            case .file(let name, let line): "\(name):\(line)"
            case .flag(let flag): flag
            case .account: "joined account"
            }
        }
    }

    /// By path; what is not here is built in.
    var origins: [String: Origin] = [:]

    /// Nothing set; only ConfigLoader makes a whole one of it.
    init() {}

    package static func == (left: Config, right: Config) -> Bool {
        left.roles == right.roles && left.node == right.node && left.server == right.server && left.agent == right.agent
            && left.log == right.log
    }

    /// Where a role keeps its state: a folder of its own, so that both roles can share `node.state_dir`.
    package func stateDirectory(of role: String) -> String { "\(node.stateDirectory)/\(role)" }

    /// Takes over what `join` stored, by path (`agent.address`...), for keys that the file leaves at their defaults.
    /// Throws when a value breaks the rules of its key or the key is unknown.
    package mutating func adopt(account: [String: String]) throws(ConfigError) {
        var changed = self
        var messages: [String] = []
        for (path, value) in account.sorted(by: { $0.key < $1.key }) {
            guard let key = ConfigSchema.key(path), path.hasPrefix("agent.") else {
                messages.append("joined account: unknown key \"\(path)\"")
                continue
            }
            guard origins[path] == nil else { continue }
            if let complaint = key.kind.apply(.text(value), &changed) {
                messages.append("joined account: \"\(path)\" \(complaint)")
            } else {
                changed.origins[path] = .account
            }
        }
        guard messages.isEmpty else { throw ConfigError(messages: messages) }
        self = changed
    }

    /// The keys whose values differ from those of `old`, and whether a reload can honour each.
    package func changes(since old: Config) -> [(key: String, needsRestart: Bool)] {
        ConfigSchema.keys.filter { $0.kind.read(self) != $0.kind.read(old) }.map { ($0.path, $0.needsRestart) }
    }
}
