// The one notification there is at a time: shown, replaced by the next, closed when its mail was read. Calls to the server are
// in flight one after the other, since its number of the bubble is known only with its answer.

package import DDSSystemd

package struct NotificationBook: Sendable {
    package static let service = "org.freedesktop.Notifications"
    package static let path = "/org/freedesktop/Notifications"

    /// What is to be said to the server.
    package enum Step: Hashable, Sendable {
        case show(Bubble, replacing: UInt32)
        case close(UInt32)

        package var call: BusCall {
            switch self {
            case .show(let bubble, let replaced): bubble.call(replacing: replaced)
            case .close(let number):
                BusCall(
                    NotificationBook.service, path: NotificationBook.path, interface: NotificationBook.service,
                    member: "CloseNotification", [.uint32(number)])
            }
        }
    }

    private var wanted: Bubble?
    private var shown: Bubble?
    /// The server's number of what is shown; 0 for nothing.
    package private(set) var number: UInt32 = 0
    private var isInFlight = false
    /// Something is shown or about to be.
    package var isUp: Bool { wanted != nil }

    package init() {}

    /// What ought to be seen from now on; nil for nothing.
    package mutating func want(_ bubble: Bubble?) -> Step? {
        wanted = bubble
        return next()
    }

    /// The server's answer to `show`; nil when there was none.
    package mutating func answered(_ number: UInt32?) -> Step? {
        isInFlight = false
        self.number = number ?? 0
        guard number != nil else {
            // It is tried again with the next thing to say, not in a circle.
            shown = nil
            wanted = nil
            return nil
        }
        return next()
    }

    /// The server says that a bubble is gone. True when it was the one that is shown: a person has seen it or it has expired.
    package mutating func closed(_ number: UInt32) -> Bool {
        guard number == self.number, number != 0, !isInFlight else { return false }
        self.number = 0
        shown = nil
        wanted = nil
        return true
    }

    /// The server went away, and with it what it showed.
    package mutating func forget() { self = NotificationBook() }

    private mutating func next() -> Step? {
        guard !isInFlight, wanted != shown else { return nil }
        shown = wanted
        guard let wanted else {
            defer { number = 0 }
            return number == 0 ? nil : .close(number)
        }
        isInFlight = true
        return .show(wanted, replacing: number)
    }
}
