// One connection to a message bus, on the loop: calls, signals, objects of ours, and coming back when the bus was away. What is
// said over it is not decided here. A bus that is missing or dies is a state and never an error of the program.

import CSystemd
package import DDSCore
package import DDSLoop
import Glibc

/// A connection to the session's or the system's bus. Never blocks: the greeting and every answer come on a later turn.
/// Signals that are watched and objects that are exported outlive a connection. Must be closed.
@safe @LoopActor package final class BusConnection {
    package enum Kind: Sendable {
        /// `$DBUS_SESSION_BUS_ADDRESS`, or the socket in `$XDG_RUNTIME_DIR`.
        case session
        /// `$DBUS_SYSTEM_BUS_ADDRESS`, or `/run/dbus/system_bus_socket`.
        case system
    }

    /// Answers a call of an object; throws what the caller gets as an error.
    package typealias Answer = @LoopActor (BusMessage) throws(BusError) -> [BusValue]
    package typealias Hearing = @LoopActor (BusMessage) -> Void

    /// The pauses before the next try of a bus that was away.
    private static let pauses: [Duration] = [.seconds(1), .seconds(2), .seconds(5), .seconds(15), .seconds(60)]
    /// How many messages one turn takes in; what is left comes in the next.
    private static let messagesAtOnce = 64
    /// How long an answer may take.
    private static let patience = Duration.seconds(25)

    private let kind: Kind
    private let time: any TimeSource
    /// Called with true when the bus has greeted us, and with false when it has gone or is not there, each time that was tried.
    /// Not called by `close`.
    package var onChange: (@LoopActor (Bool) -> Void)?
    package private(set) var isConnected = false

    private var bus: OpaquePointer?
    private var poll: PollHandle?
    /// When sd-bus wants to be called though nothing has come.
    private var timer: LoopTimer?
    private var retryTimer: LoopTimer?
    private var tries = 0
    private var isPumping = false
    private var isClosed = false
    private var calls: [UInt64: PendingCall] = [:]
    private var nextCall: UInt64 = 0
    private var watches: [Watch] = []
    private var objects: [Exported] = []

    package init(_ kind: Kind, time: any TimeSource) {
        self.kind = kind
        self.time = time
    }

    deinit {
        let isClosed = isClosed
        assert(isClosed, "a bus must be closed before it is dropped")
    }

    // MARK: Life

    /// Begins to connect, and goes on trying until `close`.
    package func open() {
        guard !isClosed, unsafe bus == nil else { return }
        var fresh: OpaquePointer?
        let status = kind == .session ? unsafe sd_bus_open_user(&fresh) : unsafe sd_bus_open_system(&fresh)
        guard status >= 0, let fresh = unsafe fresh else {
            retryLater()
            onChange?(false)
            return
        }
        unsafe bus = unsafe fresh
        let descriptor = unsafe sd_bus_get_fd(fresh)
        do {
            poll = try PollHandle(fileDescriptor: descriptor, readable: true, writable: false) { [weak self] _ in self?.pump() }
        } catch {
            return fail()
        }
        timer = LoopTimer { [weak self] in self?.pump() }
        for object in objects { attach(object) }
        for watch in watches { attach(watch) }
        pump()
        greet()
    }

    /// Ends the connection for good. Calls that wait for an answer fail.
    package func close() {
        isClosed = true
        onChange = nil
        retryTimer?.close()
        retryTimer = nil
        drop()
    }

    /// The first answer says that the bus is there.
    private func greet() {
        Loop.spawn(name: "bus") { [self] in
            do throws(BusError) {
                _ = try await call(.bus("GetId"))
            } catch {
                return fail()
            }
            guard !isConnected, unsafe bus != nil else { return }
            isConnected = true
            tries = 0
            onChange?(true)
        }
    }

    /// The connection is of no use any more.
    private func fail() {
        guard unsafe bus != nil else { return }
        drop()
        retryLater()
        onChange?(false)
    }

    private func drop() {
        isConnected = false
        poll?.close()
        poll = nil
        timer?.close()
        timer = nil
        if let old = unsafe bus {
            unsafe bus = nil
            unsafe sd_bus_close(old)
            unsafe sd_bus_unref(old)
        }
        // Nobody answers them now: sd-bus is gone, and with it what pointed to them.
        let waiting = calls.values
        calls = [:]
        for call in waiting { call.finish(.failure(.disconnected)) }
    }

    private func retryLater() {
        guard !isClosed else { return }
        let pause = Self.pauses[min(tries, Self.pauses.count - 1)]
        tries += 1
        let timer = retryTimer ?? LoopTimer { [weak self] in self?.open() }
        retryTimer = timer
        timer.schedule(at: time.now + pause)
    }

    // MARK: Moving

    /// Lets sd-bus read, write and call back, for a while.
    private func pump() {
        guard !isPumping, let current = unsafe bus else { return }
        isPumping = true
        var status: Int32 = 1
        var count = 0
        while status > 0, count < Self.messagesAtOnce, unsafe bus == current {
            status = unsafe sd_bus_process(current, nil)
            count += 1
        }
        isPumping = false
        guard unsafe bus == current else { return }
        let isOpen = unsafe sd_bus_is_open(current) > 0
        if status < 0 || !isOpen { return fail() }
        arm()
    }

    /// Watches for what sd-bus waits for.
    private func arm() {
        guard let current = unsafe bus, !isPumping else { return }
        let events = unsafe sd_bus_get_events(current)
        guard events >= 0 else { return fail() }
        poll?.update(readable: events & POLLIN != 0, writable: events & POLLOUT != 0)
        var deadline: UInt64 = .max
        guard unsafe sd_bus_get_timeout(current, &deadline) >= 0, deadline != .max else {
            timer?.cancel()
            return
        }
        // Microseconds of the clock that the loop counts by; far ones would overflow.
        timer?.schedule(at: Instant(nanoseconds: min(deadline, .max / 1000) * 1000))
    }

    // MARK: Saying

    /// What became of a call.
    package typealias Outcome = Result<[BusValue], BusError>

    /// Calls a method and waits for its answer. What came on the bus right behind the answer may be heard before this returns.
    package func call(_ call: BusCall) async throws(BusError) -> [BusValue] {
        try await withCheckedContinuation { (continuation: CheckedContinuation<Outcome, Never>) in
            self.call(call) { continuation.resume(returning: $0) }
        }.get()
    }

    /// Calls a method. `answered` is called once, on the loop, and before anything is heard that came on the bus behind the answer.
    package func call(_ call: BusCall, _ answered: @escaping @LoopActor (Outcome) -> Void) {
        let message: RawMessage
        do throws(BusError) {
            message = try outgoing(call)
        } catch {
            return answered(.failure(error))
        }
        defer { unsafe sd_bus_message_unref(message.pointer) }
        guard let current = unsafe bus else { return answered(.failure(.disconnected)) }
        nextCall += 1
        let pending = PendingCall(id: nextCall, bus: self, answered)
        calls[nextCall] = pending
        // Not retained: `calls` holds it until the answer, or until the connection is gone and with it every callback.
        let data = unsafe Unmanaged.passUnretained(pending).toOpaque()
        let status = unsafe sd_bus_call_async(
            current, nil, message.pointer,
            { answer, data, _ in
                guard let data = unsafe data, let answer = unsafe answer else { return 0 }
                unsafe Unmanaged<PendingCall>.fromOpaque(data).takeUnretainedValue().answered(RawMessage(pointer: answer))
                return 1
            }, data, UInt64(Self.patience.nanoseconds / 1000))
        if status < 0 {
            calls[nextCall] = nil
            pending.finish(.failure(.disconnected))
        } else {
            arm()
        }
    }

    /// Calls a method whose answer nobody waits for. Written at once where the socket takes it.
    package func send(_ call: BusCall) {
        guard let current = unsafe bus, let message = try? outgoing(call) else { return }
        defer { unsafe sd_bus_message_unref(message.pointer) }
        unsafe sd_bus_message_set_expect_reply(message.pointer, 0)
        _ = unsafe sd_bus_send(current, message.pointer, nil)
        arm()
    }

    /// Sends a signal of an object of ours.
    package func emit(_ signal: BusCall) {
        guard let current = unsafe bus else { return }
        var message: OpaquePointer?
        guard unsafe sd_bus_message_new_signal(current, &message, signal.path, signal.interface, signal.member) >= 0,
            let message = unsafe message
        else { return }
        defer { unsafe sd_bus_message_unref(message) }
        guard (try? unsafe BusCodec.append(signal.arguments, to: RawMessage(pointer: message))) != nil else { return }
        _ = unsafe sd_bus_send(current, message, nil)
        arm()
    }

    private func outgoing(_ call: BusCall) throws(BusError) -> RawMessage {
        guard let current = unsafe bus else { throw .disconnected }
        var message: OpaquePointer?
        try BusCodec.check(
            unsafe sd_bus_message_new_method_call(
                current, &message, call.destination, call.path, call.interface, call.member), "make a call")
        guard let message = unsafe message else { throw .disconnected }
        let made = unsafe RawMessage(pointer: message)
        do throws(BusError) {
            try BusCodec.append(call.arguments, to: made)
        } catch {
            unsafe sd_bus_message_unref(made.pointer)
            throw error
        }
        return made
    }

    fileprivate func finish(_ id: UInt64) { calls[id] = nil }

    // MARK: Hearing

    /// Hears the signals that `rule` fits, such as `type='signal',member='Lock'`, for as long as this bus is.
    package func watch(_ rule: String, _ hear: @escaping Hearing) {
        let watch = Watch(rule: rule, hear: hear)
        watches.append(watch)
        attach(watch)
        arm()
    }

    private func attach(_ watch: Watch) {
        guard let current = unsafe bus else { return }
        // Not retained: `watches` keeps it for as long as this bus is, and the connection ends before.
        let data = unsafe Unmanaged.passUnretained(watch).toOpaque()
        _ = unsafe sd_bus_add_match_async(
            current, nil, watch.rule,
            { message, data, _ in
                guard let data = unsafe data, let message = unsafe message else { return 0 }
                let watch = unsafe Unmanaged<Watch>.fromOpaque(data).takeUnretainedValue()
                if let heard = unsafe BusMessage(RawMessage(pointer: message)) { watch.hear(heard) }
                return 0
            }, { _, _, _ in 0 }, data)
    }

    /// Answers the calls of the object at `path`, for as long as this bus is.
    package func export(_ path: String, _ answer: @escaping Answer) {
        let object = Exported(path: path, answer: answer)
        objects.append(object)
        attach(object)
    }

    private func attach(_ object: Exported) {
        guard let current = unsafe bus else { return }
        // Not retained: `objects` keeps it for as long as this bus is, and the connection ends before.
        let data = unsafe Unmanaged.passUnretained(object).toOpaque()
        _ = unsafe sd_bus_add_object(
            current, nil, object.path,
            { message, data, _ in
                guard let data = unsafe data, let message = unsafe message else { return 0 }
                return unsafe Unmanaged<Exported>.fromOpaque(data).takeUnretainedValue().called(RawMessage(pointer: message))
            }, data)
    }
}

/// A call that waits for its answer.
@LoopActor private final class PendingCall {
    private let id: UInt64
    private weak let bus: BusConnection?
    private var whenAnswered: (@LoopActor (BusConnection.Outcome) -> Void)?

    init(id: UInt64, bus: BusConnection, _ whenAnswered: @escaping @LoopActor (BusConnection.Outcome) -> Void) {
        self.id = id
        self.bus = bus
        self.whenAnswered = whenAnswered
    }

    func answered(_ message: RawMessage) {
        bus?.finish(id)
        if unsafe sd_bus_message_is_method_error(message.pointer, nil) > 0 {
            let error = unsafe sd_bus_message_get_error(message.pointer)?.pointee
            let name = unsafe error?.name.map { unsafe String(cString: $0) } ?? "org.freedesktop.DBus.Error.Failed"
            let text = unsafe error?.message.map { unsafe String(cString: $0) } ?? ""
            return finish(.failure(BusError(name, text)))
        }
        do throws(BusError) {
            finish(.success(try BusCodec.values(of: message)))
        } catch {
            finish(.failure(error))
        }
    }

    func finish(_ outcome: BusConnection.Outcome) {
        let tell = whenAnswered
        whenAnswered = nil
        tell?(outcome)
    }
}

/// Signals that somebody hears.
@LoopActor private final class Watch {
    let rule: String
    let hear: BusConnection.Hearing

    init(rule: String, hear: @escaping BusConnection.Hearing) {
        self.rule = rule
        self.hear = hear
    }
}

/// An object of ours.
@LoopActor private final class Exported {
    let path: String
    private let answer: BusConnection.Answer

    init(path: String, answer: @escaping BusConnection.Answer) {
        self.path = path
        self.answer = answer
    }

    /// Answers, and says that the message was dealt with.
    func called(_ message: RawMessage) -> Int32 {
        guard unsafe sd_bus_message_is_method_call(message.pointer, nil, nil) > 0 else { return 0 }
        var reply: OpaquePointer?
        do throws(BusError) {
            guard let call = BusMessage(message) else { throw .invalidArguments("this method") }
            let values = try answer(call)
            guard unsafe sd_bus_message_get_expect_reply(message.pointer) > 0 else { return 1 }
            try BusCodec.check(unsafe sd_bus_message_new_method_return(message.pointer, &reply), "make an answer")
            guard let made = unsafe reply else { throw .disconnected }
            try unsafe BusCodec.append(values, to: RawMessage(pointer: made))
        } catch {
            if let half = unsafe reply { unsafe sd_bus_message_unref(half) }
            unsafe reply = nil
            let text = error.text.isEmpty ? error.name : error.text
            _ = unsafe error.name.withCString { name in
                unsafe text.withCString { text in
                    var problem = unsafe sd_bus_error(name: name, message: text, _need_free: 0)
                    return unsafe sd_bus_message_new_method_error(message.pointer, &reply, &problem)
                }
            }
        }
        guard let reply = unsafe reply else { return 1 }
        _ = unsafe sd_bus_send(sd_bus_message_get_bus(message.pointer), reply, nil)
        unsafe sd_bus_message_unref(reply)
        return 1
    }
}

extension BusMessage {
    /// Nil when the body cannot be read.
    fileprivate init?(_ message: RawMessage) {
        guard let arguments = try? BusCodec.values(of: message) else { return nil }
        func text(_ field: UnsafePointer<CChar>?) -> String { unsafe field.map { unsafe String(cString: $0) } ?? "" }
        unsafe self.init(
            sender: text(sd_bus_message_get_sender(message.pointer)), path: text(sd_bus_message_get_path(message.pointer)),
            interface: text(sd_bus_message_get_interface(message.pointer)),
            member: text(sd_bus_message_get_member(message.pointer)),
            arguments: arguments)
    }
}
