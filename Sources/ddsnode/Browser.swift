// The person's browser, where there is a desktop to show it.

import Glibc

enum Browser {
    /// Asks the desktop to open `url`; false where there is none. The address works once and for this user only, so that it
    /// may stand in the process list for a moment (WEB.md rule 7).
    static func open(_ url: String) -> Bool {
        guard Environment.value("DISPLAY") != nil || Environment.value("WAYLAND_DISPLAY") != nil else { return false }
        guard let child = try? ChildProcess(["xdg-open", url], program: "/usr/bin/xdg-open", output: "/dev/null") else {
            return false
        }
        return child.waitForEnd() == 0
    }
}
