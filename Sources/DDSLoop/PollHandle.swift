// Readiness of file descriptors that another library owns, such as libmicrohttpd's epoll descriptor or sd-bus's socket.

import CUV

/// Watches a descriptor it does not own, level-triggered. Must be closed before the descriptor is.
@LoopActor
package final class PollHandle: LoopHandle {
    /// What a descriptor is ready for.
    package struct Events: OptionSet, Hashable, Sendable {
        package let rawValue: Int32
        package init(rawValue: Int32) { self.rawValue = rawValue }

        package static let readable = Events(rawValue: 1)
        package static let writable = Events(rawValue: 2)
    }

    private var ready: (@LoopActor (Events) -> Void)?

    /// Begins to watch for reading, writing, both, or (until `update`) nothing. An error of the descriptor is reported as
    /// ready for everything: the owner's next call learns what it is.
    package init(
        fileDescriptor: Int32, readable: Bool, writable: Bool, _ ready: @escaping @LoopActor (Events) -> Void
    ) throws(LoopError) {
        self.ready = ready
        try super.init(UV_POLL, operation: "watch descriptor \(fileDescriptor)") { cell in
            unsafe uv_poll_init(Loop.main.uvLoop, cell.assumingMemoryBound(to: uv_poll_t.self), fileDescriptor)
        }
        update(readable: readable, writable: writable)
    }

    /// Changes what is watched for.
    package func update(readable: Bool, writable: Bool) {
        guard isOpen else { return }
        let poll = unsafe cell.assumingMemoryBound(to: uv_poll_t.self)
        var events: UInt32 = 0
        if readable { events |= UV_READABLE.rawValue }
        if writable { events |= UV_WRITABLE.rawValue }
        guard events != 0 else {
            unsafe uv_poll_stop(poll)
            return
        }
        let status = unsafe uv_poll_start(poll, Int32(events)) { poll, status, events in
            guard let data = unsafe poll?.pointee.data else { return }
            let owner = unsafe Unmanaged<PollHandle>.fromOpaque(data).takeUnretainedValue()
            owner.report(status: status, events: events)
        }
        precondition(status == 0, "uv_poll_start refuses only handles that are closing")
    }

    override func willClose() {
        ready = nil
    }

    private func report(status: Int32, events: Int32) {
        var ready = Events()
        if status < 0 || events & Int32(UV_READABLE.rawValue) != 0 { ready.insert(.readable) }
        if status < 0 || events & Int32(UV_WRITABLE.rawValue) != 0 { ready.insert(.writable) }
        self.ready?(ready)
    }
}
