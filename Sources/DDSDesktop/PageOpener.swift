// Opens an address in the person's browser, from the command line and from an agent that runs as a service. The browser
// outlives whoever has opened it and has none of its restrictions.

import DDSCore
import DDSLoop

package enum PageOpener {
    /// Asks the desktop to open `url`; false where there is none. Comes back when the browser was asked, not when it has ended.
    @LoopActor package static func open(_ url: String) async -> Bool {
        guard
            let words = words(
                url, isService: Environment.value("INVOCATION_ID") != nil,
                hasDisplay: Environment.value("DISPLAY") != nil || Environment.value("WAYLAND_DISPLAY") != nil,
                find: Programs.find),
            let child = try? ChildProcess(words, program: words[0])
        else { return false }
        return await Loop.offload { child.waitForEnd() } == 0
    }

    /// The command; nil where nothing can be opened. A unit's children have its system call filter, in which no browser runs,
    /// and end with it: there the user's service manager is asked, whose environment is the desktop's. Elsewhere a child that
    /// has left at once is nobody's to wait for.
    static func words(_ url: String, isService: Bool, hasDisplay: Bool, find: (String) -> String?) -> [String]? {
        guard let opener = find("xdg-open") else { return nil }
        if isService, let run = find("systemd-run") {
            return [run, "--user", "--collect", "--quiet", "--", opener, url]
        }
        guard hasDisplay else { return nil }
        return find("setsid").map { [$0, "--fork", opener, url] } ?? [opener, url]
    }
}
