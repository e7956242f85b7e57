// Which browser shows the page, and how it is asked for an ordinary window, a private one, or one of its own. Addresses that
// are handed to it work once and for this user only, so that they may stand in the process list for a moment (WEB.md rule 7).

package import DDSCore
import Glibc

/// A browser whose options are known.
package struct Browser: Hashable, Sendable {
    package enum Family: Hashable, Sendable { case chromium, firefox }

    /// As people know it.
    package let name: String
    /// What its program may be called, the likelier first.
    package let programs: [String]
    package let family: Family
    package let privateOption: String

    /// In the order in which they are looked for.
    package static let known = [
        chromium("Chromium", ["chromium", "chromium-browser"]),
        chromium("Google Chrome", ["google-chrome-stable", "google-chrome"]),
        chromium("Brave", ["brave-browser", "brave"]),
        chromium("Vivaldi", ["vivaldi-stable", "vivaldi"]),
        chromium("Microsoft Edge", ["microsoft-edge-stable", "microsoft-edge"], privateOption: "--inprivate"),
        Browser(name: "Firefox", programs: ["firefox", "firefox-esr"], family: .firefox, privateOption: "--private-window"),
        Browser(name: "LibreWolf", programs: ["librewolf"], family: .firefox, privateOption: "--private-window"),
    ]

    private static func chromium(_ name: String, _ programs: [String], privateOption: String = "--incognito") -> Browser {
        Browser(name: name, programs: programs, family: .chromium, privateOption: privateOption)
    }

    /// What kind of window is wanted.
    package enum Window: Hashable, Sendable {
        /// Nothing is kept of it.
        case privately
        /// Without tabs and address, with a profile of its own in `folder`, which is the only place that anything is written to.
        case app(folder: String)
    }

    /// A program with its words, and what its environment has besides or instead.
    package struct Start: Hashable, Sendable {
        package var program: String
        package var words: [String]
        package var environment: [String: String] = [:]
    }

    /// How to open `url`. `preferred` is the desktop entry of the person's own browser, such as `firefox.desktop`; `find` gives
    /// the path of a program, nil where it is not installed. Throws with the names that were looked for.
    package static func start(
        _ url: String, in window: Window, preferred: String?, find: (String) -> String?
    ) throws(Failure) -> Start {
        let fitting = known.filter { browser in
            if case .app = window { return browser.family == .chromium }
            return true
        }
        let stem = preferred.map { $0.hasSuffix(".desktop") ? String($0.dropLast(".desktop".count)) : $0 }
        let order = fitting.filter { $0.programs.contains(stem ?? "") } + fitting.filter { !$0.programs.contains(stem ?? "") }
        for browser in order {
            for program in browser.programs {
                if let path = find(program) { return browser.start(url, in: window, program: path) }
            }
        }
        let names = fitting.map(\.name).joined(separator: ", ")
        throw Failure(
            .unavailable,
            "none of the browsers whose options are known is installed (\(names)); use: ddsnode open, or ddsnode open --print-url"
        )
    }

    private func start(_ url: String, in window: Window, program: String) -> Start {
        switch window {
        case .privately: return Start(program: program, words: [programs[0], privateOption, url])
        case .app(let folder):
            let words = [
                programs[0], "--app=\(url)", "--user-data-dir=\(folder)/profile", "--disk-cache-dir=\(folder)/cache",
                "--no-first-run", "--no-default-browser-check", "--disable-sync", "--disable-background-networking",
                "--disable-component-update", "--disable-breakpad", "--password-store=basic",
            ]
            // Its libraries write beside the profile too: keys of NSS, caches of fonts and of drivers, sockets.
            var environment = ["HOME": folder, "TMPDIR": folder]
            for name in ["CONFIG", "CACHE", "DATA", "STATE"] {
                environment["XDG_\(name)_HOME"] = "\(folder)/\(name.lowercased())"
            }
            return Start(program: program, words: words, environment: environment)
        }
    }
}

/// Programs of this machine.
package enum Programs {
    /// The path of a program, looked for as a shell would; nil where there is none.
    package static func find(_ name: String) -> String? {
        let folders = Environment.value("PATH") ?? "/usr/local/bin:/usr/bin:/bin"
        for folder in folders.split(separator: ":") where folder.hasPrefix("/") {
            let path = "\(folder)/\(name)"
            if unsafe access(path, X_OK) == 0 { return path }
        }
        return nil
    }
}
