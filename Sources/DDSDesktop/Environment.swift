// The environment that this process was started in, and the one that it gives on.

import Glibc

/// The environment of this process.
package enum Environment {
    package static func value(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }

    /// Relative paths in such variables are to be ignored (XDG Base Directory Specification).
    package static func folder(_ name: String) -> String? {
        value(name).flatMap { $0.hasPrefix("/") ? $0 : nil }
    }

    /// All of it as `NAME=value`, with `changes` in the place of what is there.
    package static func all(changing changes: [String: String]) -> [String] {
        var found: [String] = []
        var next = unsafe environ
        while let entry = unsafe next.pointee {
            let text = unsafe String(cString: entry)
            if changes[String(text.prefix { $0 != "=" })] == nil { found.append(text) }
            unsafe next += 1
        }
        return found + changes.map { "\($0.key)=\($0.value)" }
    }
}
