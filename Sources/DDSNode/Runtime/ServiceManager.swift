// What the service manager is told (sd_notify) and hands over (credentials). The only user of libsystemd.

import CSystemd
package import DDSCore
import DDSLoop
import Glibc

package enum ServiceManager {
    /// READY=1 with a status line.
    package static func ready(_ status: String) { notify("READY=1\nSTATUS=\(status)") }

    /// RELOADING=1 with the monotonic time that Type=notify-reload wants (sd_notify(3)).
    package static func reloading(now: Instant) { notify("RELOADING=1\nMONOTONIC_USEC=\(now.nanoseconds / 1000)") }

    package static func stopping() { notify("STOPPING=1") }

    package static func watchdog() { notify("WATCHDOG=1") }

    /// How often the watchdog wants to hear from us, or nil when there is none.
    package static var watchdogInterval: Duration? {
        var microseconds: UInt64 = 0
        guard unsafe sd_watchdog_enabled(0, &microseconds) > 0, microseconds > 0 else { return nil }
        return .microseconds(Int64(clamping: microseconds))
    }

    /// Where a secret of this name was handed over (systemd.exec(5), CREDENTIALS_DIRECTORY), or nil when none was.
    package static func credentialPath(_ name: String) -> String? {
        guard let folder = unsafe getenv("CREDENTIALS_DIRECTORY").map({ unsafe String(cString: $0) }) else { return nil }
        let path = "\(folder)/\(name)"
        return HostFiles.exists(path) ? path : nil
    }

    private static func notify(_ state: String) {
        // Without NOTIFY_SOCKET this does nothing; a service manager that does not listen is none of our business.
        _ = unsafe sd_notify(0, state)
    }
}
