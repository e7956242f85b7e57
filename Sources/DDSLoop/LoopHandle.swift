// The life of a libuv handle, once for all wrappers: libuv owns the memory until its close callback, and so does Swift.

import CUV

/// Base of every wrapper of a `uv_*_t`. From a successful init until the close callback libuv's `data` field holds a strong
/// reference, so neither the C handle nor the Swift object can die under the other. Whoever creates one must `close` it.
@safe @LoopActor
package class LoopHandle {
    private enum State: Sendable {
        case open, closing, closed
    }

    private var state = State.open
    /// Valid until `didClose`. Allocated here because libuv keeps the address.
    let cell: UnsafeMutableRawPointer

    /// Allocates the C handle and has `initialise` call the matching `uv_*_init`.
    @safe init(
        _ type: uv_handle_type, operation: @autoclosure () -> String, _ initialise: (UnsafeMutableRawPointer) -> Int32
    ) throws(LoopError) {
        unsafe cell = .allocate(byteCount: uv_handle_size(type), alignment: 16)
        let status = unsafe initialise(cell)
        guard status == 0 else {
            state = .closed
            unsafe cell.deallocate()
            throw LoopError(status: status, operation: operation())
        }
        unsafe handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
    }

    deinit {
        let isClosed = state == .closed
        assert(isClosed, "a loop handle must be closed before it is dropped")
    }

    /// False from the first `close` on.
    package final var isOpen: Bool { state == .open }

    /// True until libuv's close callback: the C memory may be read.
    final var isAllocated: Bool { state != .closed }

    /// Gives the handle back to libuv. Idempotent; the object's callbacks do not come any more.
    package func close() {
        guard state == .open else { return }
        state = .closing
        willClose()
        unsafe uv_close(handle) { handle in
            guard let data = unsafe handle?.pointee.data else { return }
            let owner = unsafe Unmanaged<LoopHandle>.fromOpaque(data).takeRetainedValue()
            owner.state = .closed
            unsafe owner.cell.deallocate()
            owner.didClose()
        }
    }

    /// Called once, when closing begins.
    func willClose() {}

    /// Called once, when libuv has let go.
    func didClose() {}

    private final var handle: UnsafeMutablePointer<uv_handle_t> {
        unsafe cell.assumingMemoryBound(to: uv_handle_t.self)
    }
}
