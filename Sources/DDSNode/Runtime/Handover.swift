// A program that executes itself anew, so that no page of its memory is left: which listening sockets it hands to itself, so that
// nobody is refused meanwhile, and the execution. When that is due is not decided here.

package import DDSCore
package import DDSLoop
import Glibc

/// What of a process outlives its program. One that nobody has begun hands over nothing and is never under way.
@LoopActor package final class Handover {
    /// Listening sockets under the name by which their owner asks for them.
    struct Socket: Hashable, Sendable {
        var name: String
        var descriptor: Int32
    }

    private nonisolated static let variable = "DDSNODE_LISTENERS"

    private var inherited: [Socket]
    private(set) var left: [Socket] = []
    /// True from the decision to execute the program anew on.
    package internal(set) var isUnderWay = false
    /// Called for each request; nil where the program goes on as it is.
    var onRequest: (@LoopActor () -> Void)?

    package init() { inherited = [] }

    private init(inherited: [Socket]) { self.inherited = inherited }

    /// With what the program before this one has left to this process.
    package static func begin() -> Handover {
        guard let text = unsafe getenv(variable).map({ unsafe String(cString: $0) }) else { return Handover() }
        // Children are other processes and have nothing from it.
        unsafe unsetenv(variable)
        let sockets = sockets(in: text, process: getpid())
        for socket in sockets { _ = fcntl(socket.descriptor, F_SETFD, FD_CLOEXEC) }
        return Handover(inherited: sockets)
    }

    /// True where a request makes the process execute its program anew.
    package var isOffered: Bool { onRequest != nil }

    /// Asks for the program to be executed anew, once what is being done has been finished. Does nothing where that is not offered.
    package func request() { onRequest?() }

    /// The sockets that were handed over under this name; from here on the caller's.
    package func take(_ name: String) -> [Int32] {
        defer { inherited.removeAll { $0.name == name } }
        return inherited.filter { $0.name == name }.map(\.descriptor)
    }

    /// Leaves listening sockets to the next program.
    package func leave(_ name: String, _ descriptors: [Int32]) {
        left += descriptors.map { Socket(name: name, descriptor: $0) }
    }

    /// Closes what nobody has taken.
    func closeRest() {
        for socket in inherited { close(socket.descriptor) }
        inherited = []
    }

    /// Closes what was left, when there is no next program after all.
    func takeBack() {
        for socket in left { close(socket.descriptor) }
        left = []
    }

    /// Executes this process's program with the same arguments. Every thread and every page of memory goes; process id, working
    /// folder, standard descriptors and what was left stay. Comes back only when the system refuses, with a sentence.
    package func execute() -> Failure {
        unsafe setenv(Self.variable, Self.text(of: left, process: getpid()), 1)
        for socket in left { _ = fcntl(socket.descriptor, F_SETFD, 0) }
        // The program by its inode: also one that an update has replaced meanwhile.
        unsafe execve("/proc/self/exe", CommandLine.unsafeArgv, environ)
        let words = unsafe strerror(errno).map { unsafe String(cString: $0) } ?? "error \(errno)"
        return Failure(
            .system,
            "the keys are wiped, but the program could not be executed anew (\(words)), so this process ends; start it again")
    }

    // MARK: Signals

    /// Between the handlers of two programs a signal waits instead of ending the process.
    static func holdSignals(_ signals: [Int32]) { mask(SIG_BLOCK, signals) }

    static func releaseSignals(_ signals: [Int32]) { mask(SIG_UNBLOCK, signals) }

    private static func mask(_ how: Int32, _ signals: [Int32]) {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for signal in signals { unsafe sigaddset(&set, signal) }
        unsafe pthread_sigmask(how, &set, nil)
    }

    // MARK: Text

    /// `PID NAME=DESCRIPTOR...`, separated by blanks.
    nonisolated static func text(of sockets: [Socket], process: Int32) -> String {
        (["\(process)"] + sockets.map { "\($0.name)=\($0.descriptor)" }).joined(separator: " ")
    }

    /// Nothing where the text is meant for another process or is none of ours.
    nonisolated static func sockets(in text: String, process: Int32) -> [Socket] {
        let words = text.split(separator: " ")
        guard let first = words.first, Int32(first) == process else { return [] }
        return words.dropFirst().compactMap { word in
            let parts = word.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let descriptor = Int32(parts[1]), descriptor > 2 else { return nil }
            return Socket(name: String(parts[0]), descriptor: descriptor)
        }
    }
}
