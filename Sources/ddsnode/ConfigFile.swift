// Which configuration file is meant, and how it is read.

import DDSCore
import DDSDesktop
import DDSLoop
import DDSNode
import Glibc

struct ConfigFile: Sendable {
    let path: String
    /// False for the standard place, where there need not be a file.
    let isExplicit: Bool
    private let knownRoles: [String]

    @LoopActor init(options: GlobalOptions) {
        knownRoles = RoleRegistry.names
        if let config = options.config {
            path = config
            isExplicit = true
        } else {
            path = Self.standardPath
            isExplicit = false
        }
    }

    /// Root's is the system's server; everybody else's is their own agent.
    static var standardPath: String {
        if geteuid() == 0 { return "/etc/ddsnode/ddsnode.toml" }
        let base = Environment.folder("XDG_CONFIG_HOME") ?? (Environment.folder("HOME") ?? "") + "/.config"
        return base + "/ddsnode/agent.toml"
    }

    var exists: Bool { HostFiles.exists(path) }

    /// Reads and checks it. A file that nobody named and that is not there counts as empty.
    func load(roles: [String]?) throws(Failure) -> Config {
        let text = try text()
        do {
            return try Config.load(
                text: text, fileName: path, environment: Environment.folders, roleOverride: roles, knownRoles: knownRoles)
        } catch {
            throw error.failure
        }
    }

    private func text() throws(Failure) -> String {
        let bytes: [UInt8]
        do {
            bytes = try HostFiles.read(path, limit: 1 << 20)
        } catch {
            guard error.kind == .notFound else {
                throw Failure(.configuration, "the configuration cannot be read: \(error)")
            }
            guard !isExplicit else {
                throw Failure(
                    .fileMissing, "there is no configuration file \(path); make one with: ddsnode --config \(path) init server")
            }
            return ""
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Failure(.configuration, "\(path):1:1: the file is not UTF-8 text")
        }
        return text
    }
}

extension Environment {
    /// The variables that name folders.
    static var folders: [String: String] {
        var found: [String: String] = [:]
        for name in ["XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "HOME"] {
            if let value = value(name) { found[name] = value }
        }
        return found
    }
}
