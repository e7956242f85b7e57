// Tells when a person goes away: before the machine sleeps and when the screen is locked, as logind says. Sleep waits until the
// keys are gone, for as long as logind lets it. What is done then, the agent decides.

package import DDSLoop
package import DDSSystemd
import Glibc

@LoopActor package final class SessionWatch {
    /// Why the agent should lock.
    package enum Reason: String, Sendable {
        case suspend = "the machine is about to sleep"
        case screenLock = "the screen was locked"
    }

    private static let login = "org.freedesktop.login1"
    private static let managerPath = "/org/freedesktop/login1"
    private static let manager = "org.freedesktop.login1.Manager"
    private static let session = "org.freedesktop.login1.Session"

    private let bus: BusConnection
    private let user: UInt32
    /// Locks; returns true when this process's memory goes only when it executes its program anew, which comes next.
    private let lock: @LoopActor (Reason) -> Bool
    private var holdsSleep = false
    /// While it is open sleep waits. Closed by exec too, which is when the memory of before is gone.
    private var inhibitor: Int32?
    private var isTaking = false

    /// `user` is whose sessions count: an agent that the user's service manager runs belongs to none of them.
    package init(bus: BusConnection, user: UInt32, lock: @escaping @LoopActor (Reason) -> Bool) {
        self.bus = bus
        self.user = user
        self.lock = lock
        let from = "type='signal',sender='\(Self.login)'"
        bus.watch("\(from),interface='\(Self.manager)',member='PrepareForSleep'") { [weak self] in self?.sleep($0) }
        bus.watch("\(from),interface='\(Self.session)',member='Lock'") { [weak self] in self?.screenLocked($0.path) }
        // Desktops that lock by themselves say so with a hint instead.
        bus.watch(
            "\(from),interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',arg0='\(Self.session)'"
        ) { [weak self] signal in
            guard signal.arguments.count > 1, signal.arguments[1][key: "LockedHint"]?.flag == true else { return }
            self?.screenLocked(signal.path)
        }
        bus.watch(BusName.changes(of: Self.login)) { [weak self] signal in
            // One that it gave before it went means nothing to the next.
            self?.release()
            if signal.arguments.last?.text?.isEmpty == false { self?.takeInhibitor() }
        }
    }

    package func busChanged(_ isConnected: Bool) {
        if isConnected { takeInhibitor() } else { release() }
    }

    package func close() { release() }

    /// Whether sleep is to wait for `lock`.
    package func holdSleep(_ holds: Bool) {
        holdsSleep = holds
        if holds { takeInhibitor() } else { release() }
    }

    /// Sleep will wait for this process.
    package var holdsInhibitor: Bool { inhibitor != nil }

    private func takeInhibitor() {
        guard holdsSleep, bus.isConnected, inhibitor == nil, !isTaking else { return }
        isTaking = true
        Loop.spawn(name: "session") { [self] in
            let answer = try? await bus.call(
                BusCall(
                    Self.login, path: Self.managerPath, interface: Self.manager, member: "Inhibit",
                    [.string("sleep"), .string("ddsnode"), .string("forgets your keys before sleep"), .string("delay")]))
            isTaking = false
            // Refused while the machine goes to sleep already; the signal after it brings the next try.
            guard case .descriptor(let descriptor)? = answer?.first, descriptor >= 0 else { return }
            if bus.isConnected, holdsSleep { inhibitor = descriptor } else { Glibc.close(descriptor) }
        }
    }

    private func release() {
        if let inhibitor { Glibc.close(inhibitor) }
        inhibitor = nil
    }

    private func sleep(_ signal: BusMessage) {
        guard let isComing = signal.arguments.first?.flag else { return }
        guard isComing else { return takeInhibitor() }
        if !lock(.suspend) { release() }
    }

    /// Of any session of this user; others' are none of our business.
    private func screenLocked(_ path: String) {
        Loop.spawn(name: "session") { [self] in
            let answer = try? await bus.call(.property(Self.login, path: path, interface: Self.session, "User"))
            guard case .variant(let owner)? = answer?.first, let id = owner.elements?.first?.number, id == Int(user) else {
                return
            }
            _ = lock(.screenLock)
        }
    }
}
