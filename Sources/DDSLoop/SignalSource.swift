// Signals as loop events.

import CUV

/// Calls `handler` on the loop for each of some signals, instead of their default action. Must be closed.
@LoopActor
package final class SignalSource {
    private var handles: [SignalHandle] = []

    package init(_ signals: [Int32], _ handler: @escaping @LoopActor (Int32) -> Void) throws(LoopError) {
        do {
            for signal in signals { handles.append(try SignalHandle(signal, handler)) }
        } catch {
            close()
            throw error
        }
    }

    /// Gives the signals their former action back.
    package func close() {
        for handle in handles { handle.close() }
        handles = []
    }
}

@LoopActor
private final class SignalHandle: LoopHandle {
    private var handler: (@LoopActor (Int32) -> Void)?

    init(_ signal: Int32, _ handler: @escaping @LoopActor (Int32) -> Void) throws(LoopError) {
        self.handler = handler
        try super.init(UV_SIGNAL, operation: "watch signal \(signal)") { cell in
            unsafe uv_signal_init(Loop.main.uvLoop, cell.assumingMemoryBound(to: uv_signal_t.self))
        }
        let status = unsafe uv_signal_start(
            cell.assumingMemoryBound(to: uv_signal_t.self),
            { handle, signal in
                guard let data = unsafe handle?.pointee.data else { return }
                unsafe Unmanaged<SignalHandle>.fromOpaque(data).takeUnretainedValue().handler?(signal)
            }, signal)
        guard status == 0 else {
            close()
            throw LoopError(status: status, operation: "watch signal \(signal)")
        }
    }

    override func willClose() {
        handler = nil
    }
}
