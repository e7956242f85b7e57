// What `doctor` makes of what is known about a machine and an installation: findings in words, each with what mends it. Nothing is
// looked up here.

package import DDSCore
package import DDSLoop
package import DDSSeal

/// One finding of one check.
package struct Finding: Hashable, Sendable {
    package enum Level: String, Sendable {
        case ok, warn, fail
    }

    package var check: String
    package var level: Level
    package var words: String
    /// A command, or a sentence; empty where all is well.
    package var remedy: String

    package init(_ check: String, _ level: Level, _ words: String, remedy: String = "") {
        self.check = check
        self.level = level
        self.words = words
        self.remedy = remedy
    }

    package var json: JSONValue {
        ["check": .text(check), "level": .text(level.rawValue), "words": .text(words), "remedy": .text(remedy)]
    }
}

package enum Doctor {
    /// In the order in which they are shown.
    package static let checks = ["config", "daemon", "memory", "core", "swap", "files", "disk", "clock"]

    /// Less than this is too little for a day of mail.
    package static let diskBytesMin = 1 << 30

    /// `status` of the running daemon; nil when there is none.
    package static func daemon(_ status: JSONValue?) -> [Finding] {
        guard let status else { return [Finding("daemon", .warn, "nothing is running", remedy: "ddsnode run")] }
        let problems = status["problems"]?.strings ?? []
        if problems.isEmpty { return [Finding("daemon", .ok, "running, without problems")] }
        return problems.map { Finding("daemon", .warn, $0, remedy: "ddsnode status") }
    }

    /// Of the daemon, or of this process.
    package static func memory(_ figures: SecretMemory.Figures) -> Finding {
        guard let warning = figures.warning else { return Finding("memory", .ok, "keys lie in locked memory") }
        return Finding("memory", .warn, warning, remedy: "ulimit -l 65536, or LimitMEMLOCK=64M in the unit")
    }

    package static func core(traceable: Bool, dumpsCore: Bool) -> Finding {
        if dumpsCore {
            return Finding(
                "core", .fail, "a crash may write keys into a core file", remedy: "ulimit -c 0, or LimitCORE=0 in the unit")
        }
        if traceable {
            return Finding(
                "core", .fail, "processes of the same user may read the memory",
                remedy: "allow prctl(2) in the unit's SystemCallFilter")
        }
        return Finding("core", .ok, "no core dumps, and nobody may trace the process")
    }

    /// `table` is that of proc_swaps(5).
    package static func swap(_ table: String, isEncrypted: (String) -> Bool) -> [Finding] {
        let areas = table.split(separator: "\n").dropFirst().compactMap {
            $0.split(whereSeparator: { $0 == " " || $0 == "\t" }).first
        }
        let open = areas.map(String.init).filter { !isEncrypted($0) }
        if areas.isEmpty { return [Finding("swap", .ok, "no swap is in use")] }
        if open.isEmpty { return [Finding("swap", .ok, "all swap is encrypted or in memory")] }
        return open.map {
            Finding(
                "swap", .warn, "\($0) is swap that is not encrypted: what an unlocked agent shows can get there and stay",
                remedy: "swapoff \($0), encrypt it, or MemorySwapMax=0 in the unit")
        }
    }

    /// Files and folders that only their owner may open; those that are not there are no finding.
    package static func files(_ found: [(path: String, status: FileStatus)]) -> [Finding] {
        let open = found.filter { !$0.status.isPrivate }
        if open.isEmpty {
            return [Finding("files", .ok, "\(found.count) files and folders with keys and state are their owner's alone")]
        }
        return open.map {
            let isOwn = $0.status.mode & 0o077 != 0
            return Finding(
                "files", .fail, isOwn ? "\($0.path) is open to others" : "\($0.path) belongs to somebody else",
                remedy: isOwn ? "chmod go= \($0.path)" : "chown it to the user who runs ddsnode")
        }
    }

    /// `free` octets of the disk with the state; nil when they are not known.
    package static func disk(free: Int?, folder: String) -> Finding {
        guard let free else {
            return Finding("disk", .warn, "there is no \(folder) yet", remedy: "ddsnode init server, or ddsnode join INVITE")
        }
        guard free >= diskBytesMin else {
            return Finding(
                "disk", .warn, "\(free >> 20) MiB are free for \(folder)", remedy: "free some space, or move node.state_dir")
        }
        return Finding("disk", .ok, "\(free >> 30) GiB are free")
    }

    /// A clock that stands before the program was installed is wrong.
    package static func clock(now: WallTime, installed: WallTime) -> Finding {
        guard now.seconds >= installed.seconds else {
            return Finding(
                "clock", .fail, "the clock stands before the day this program was installed", remedy: "timedatectl set-ntp true"
            )
        }
        return Finding("clock", .ok, "the clock is past the program's own date")
    }
}
