// A process of this one's own, started without a shell and ended by its id.

package import DDSCore
package import Glibc

/// Output goes to a file, input is empty, no other descriptor is inherited that was opened close-on-exec.
package final class ChildProcess: Sendable {
    package let pid: pid_t

    /// Starts `program` with these words, the first of which is its name. Throws when it cannot be started. `environment` has
    /// `NAME=value` each; nil is that of this process.
    package init(
        _ words: [String], program: String, output: String = "/dev/null", environment: [String]? = nil
    ) throws(Failure) {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // SIGPIPE is ignored here; a new program begins with the defaults.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var defaults = sigset_t()
        unsafe sigemptyset(&defaults)
        unsafe sigaddset(&defaults, SIGPIPE)
        unsafe posix_spawnattr_setsigdefault(&attributes, &defaults)
        // A group of its own: Ctrl-C reaches the parent, which ends its children in order.
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        // Whatever the caller's thread holds back.
        var mask = sigset_t()
        unsafe sigemptyset(&mask)
        unsafe posix_spawnattr_setsigmask(&attributes, &mask)
        unsafe posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe words.map { unsafe strdup($0) } + [nil]
        defer { unsafe arguments.forEach { unsafe free($0) } }
        var pid: pid_t = 0
        var variables: [UnsafeMutablePointer<CChar>?] = unsafe (environment ?? []).map { unsafe strdup($0) } + [nil]
        defer { unsafe variables.forEach { unsafe free($0) } }
        let status =
            environment == nil
            ? unsafe posix_spawn(&pid, program, &actions, &attributes, &arguments, environ)
            : unsafe posix_spawn(&pid, program, &actions, &attributes, &arguments, &variables)
        guard status == 0 else { throw Failure(.system, "\(program) cannot be started: error \(status)") }
        self.pid = pid
    }

    package func signal(_ number: Int32) { kill(pid, number) }

    /// The exit status when the process has ended, nil while it runs. Once it has answered, not to be asked again.
    package func poll() -> Int32? {
        var status: Int32 = 0
        guard unsafe waitpid(pid, &status, WNOHANG) != 0 else { return nil }
        return Self.code(status)
    }

    /// Waits for the end.
    package func waitForEnd() -> Int32 {
        var status: Int32 = 0
        while unsafe waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return Self.code(status)
    }

    /// As a shell would say it (wait(2): the low seven bits are a signal, the next byte the status).
    private static func code(_ status: Int32) -> Int32 {
        let signal = status & 0x7f
        return signal == 0 ? status >> 8 & 0xff : 128 + signal
    }
}
