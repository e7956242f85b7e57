// What a process that holds keys does first: no core dumps, no tracing by others, no new privileges, nothing printed of its
// memory when it crashes (SEALING.md 7h).

import CSodium

package enum ProcessHygiene {
    /// Hardens this process; returns a sentence for each measure that the system refused. Call it before any thread is started:
    /// the ban on new privileges holds for the calling thread and those that descend from it (prctl(2)), and after every exec,
    /// which makes a process traceable again.
    package static func harden() -> [String] {
        var warnings = hardenCommand()
        if dds_forbid_new_privileges() != 0 { warnings.append("gaining privileges could not be switched off") }
        return warnings
    }

    /// The same for a command that may start a browser, whose sandbox some systems build with privileges of its own.
    package static func hardenCommand() -> [String] {
        var warnings: [String] = []
        if dds_forbid_core_dumps() != 0 { warnings.append("core dumps could not be switched off") }
        if dds_forbid_tracing() != 0 { warnings.append("tracing by other processes could not be switched off") }
        return warnings
    }

    /// A crash ends the process without the runtime's report, which shows registers and memory. For the program only: the
    /// sanitizers live by handlers of their own.
    package static func crashSilently() { dds_crash_silently() }

    /// True while processes of the same user may trace this one and read its memory.
    package static var isTraceable: Bool { dds_is_dumpable() != 0 }

    /// True while a crash of this process may leave a core file.
    package static var dumpsCore: Bool { dds_core_limit() != 0 }
}
