// A connected TCP or unix stream: bytes in by callback, bytes out coalesced per turn of the loop, back-pressure by counting.
// It knows nothing of what the bytes mean; deadlines other than that of `finish` are its user's.

import CUV
import DDSCore
import Glibc

/// How the receiving side of a stream ended.
package enum StreamEnd: Hashable, Sendable {
    /// The peer has finished writing; we may still write.
    case endOfInput
    /// The connection broke; the text is the system's. The stream has closed itself.
    case reset(String)
    /// The stream was closed on this side.
    case closed
}

/// One connection. Nothing is read before `startReading`. Must be closed, by `close`, by `finish` or by breaking.
///
/// `onEnd` comes at most once with `.endOfInput`, and exactly once with `.reset` or `.closed`, after which no callback comes.
@LoopActor
package final class ByteStream: LoopHandle {
    /// Called with what has arrived.
    package var onRead: ((ArraySlice<UInt8>) -> Void)?
    package var onEnd: ((StreamEnd) -> Void)?
    /// Called when `queuedBytes` has been above `highWaterBytes` and is now at half of it or below.
    package var onDrain: (() -> Void)?
    /// See `onDrain`. `write` never refuses: whoever produces more stops by looking at `queuedBytes`.
    package var highWaterBytes = 64 * 1024

    /// The other end for logs, such as `192.0.2.1:4711` or `unix:uid=1000,pid=42`. Kept after closing.
    package internal(set) var peer = ""
    /// The other end's address without the port, for limits; `unix` for unix sockets.
    package internal(set) var peerHost = ""
    /// 0 for unix sockets.
    package internal(set) var peerPort: UInt16 = 0
    /// 0 for unix sockets.
    package internal(set) var localPort: UInt16 = 0
    /// Process, user and group at the other end of a unix socket, as the kernel knew them when it connected (SO_PEERCRED).
    package internal(set) var peerCredentials: (pid: Int32, uid: UInt32, gid: UInt32)?

    private enum Finish {
        case no
        /// `finish` was called; queued bytes go out first. The peer has so long for them from when the kernel first takes no
        /// more: before that it is this loop that is late.
        case flushing(Duration)
        /// Our FIN is out; the peer's is waited for, what it still sends is discarded.
        case lingering
    }

    private var pending: [UInt8] = []
    /// How much of `pending` the kernel has.
    private var pendingStart = 0
    private var isWriting = false
    private var isDirty = false
    private var wasAboveHighWater = false
    private var isReading = false
    /// Bytes read in the turn `readTurn`.
    private var turnBytes = 0
    private var readTurn: UInt64 = 0
    /// Has read enough in this turn and goes on in the next.
    private var isResting = false
    private var hasSeenEnd = false
    private var finishing = Finish.no
    private var finishTimer: LoopTimer?
    private var discarded = 0
    private var resetText: String?
    let isUnix: Bool

    /// At most so many bytes are copied for one write request.
    private static let requestBytesMax = 256 * 1024
    /// How long a peer has to notice the end before the connection is torn down.
    private static let lingerTime = Duration.seconds(2)
    private static let discardBytesMax = 1024 * 1024
    /// After so much in one turn a stream lets the others go first: libuv alone would read 32 buffers full.
    private static let turnBytesMax = 128 * 1024
    /// So many resting streams read again in the next turn; more would only be sent back to rest.
    private static let wakingPerTurnMax = 128
    private static var dirty: [ByteStream] = []
    /// Streams that read on in the next turn.
    private static var resting: [ByteStream] = []
    private static var turn: UInt64 = 0

    /// A stream that is not connected yet.
    init(isUnix: Bool) throws(LoopError) {
        self.isUnix = isUnix
        try super.init(isUnix ? UV_NAMED_PIPE : UV_TCP, operation: "open a socket") { cell in
            if isUnix {
                unsafe uv_pipe_init(Loop.main.uvLoop, cell.assumingMemoryBound(to: uv_pipe_t.self), 0)
            } else {
                unsafe uv_tcp_init(Loop.main.uvLoop, cell.assumingMemoryBound(to: uv_tcp_t.self))
            }
        }
    }

    // MARK: Reading

    /// Lets bytes come. Idempotent.
    package func startReading() {
        guard isOpen, !isReading, !hasSeenEnd else { return }
        isReading = true
        if !isResting { beginReading() }
    }

    private func beginReading() {
        let status = unsafe uv_read_start(
            stream,
            { _, _, buffer in
                // Without a buffer libuv reads nothing and says so: what has arrived, or the end, waits in the kernel.
                guard Loop.allows(.reading) else { return }
                unsafe buffer?.pointee = ReadBuffer.shared.description
            },
            { stream, count, buffer in
                guard let data = unsafe stream?.pointee.data else { return }
                let owner = unsafe Unmanaged<ByteStream>.fromOpaque(data).takeUnretainedValue()
                owner.received(count)
            })
        if status < 0 { fail(status) }
    }

    /// Stops reading, which in time stops the peer. Idempotent.
    package func stopReading() {
        guard isReading, isOpen else { return }
        isReading = false
        unsafe uv_read_stop(stream)
    }

    /// Ends the turn's reading once this stream has had its part of it.
    private func countRead(_ count: Int) {
        if readTurn != Self.turn {
            readTurn = Self.turn
            turnBytes = 0
        }
        turnBytes += count
        if turnBytes >= Self.turnBytesMax { rest() }
    }

    /// Reads no more in this turn.
    private func rest() {
        guard isReading, isOpen, !isResting else { return }
        turnBytes = 0
        isResting = true
        unsafe uv_read_stop(stream)
        Self.resting.append(self)
    }

    private func received(_ count: Int) {
        if count > 0 {
            countRead(count)
            if case .no = finishing {
                onRead?(ReadBuffer.shared.copy(count)[...])
            } else {
                discarded += count
                if discarded > Self.discardBytesMax { close() }
            }
        } else if count == Int(UV_ENOBUFS.rawValue) {
            rest()
        } else if count == Int(UV_EOF.rawValue) {
            hasSeenEnd = true
            stopReading()
            switch finishing {
            case .no: onEnd?(.endOfInput)
            case .flushing: break
            case .lingering: close()
            }
        } else if count < 0 {
            fail(Int32(truncatingIfNeeded: count))
        }
    }

    // MARK: Writing

    /// Bytes accepted by `write` that the kernel has not taken yet.
    package var queuedBytes: Int {
        guard isOpen else { return 0 }
        return pending.count - pendingStart + (isWriting ? unsafe uv_stream_get_write_queue_size(stream) : 0)
    }

    /// Queues bytes; they go out together at the end of this turn of the loop. After `finish` or the end they are dropped.
    package func write(_ bytes: [UInt8]) {
        guard isOpen, case .no = finishing, !bytes.isEmpty else { return }
        if pending.isEmpty { pending = bytes } else { pending.append(contentsOf: bytes) }
        markDirty()
        if queuedBytes > highWaterBytes { wasAboveHighWater = true }
    }

    /// Sends what is queued, then the end, then closes once the peer has answered with its own end. A peer that takes
    /// longer than `limit` for the first part, or two seconds for the second, is cut off. Idempotent; no more reads come.
    package func finish(within limit: Duration = .seconds(30)) {
        guard isOpen, case .no = finishing else { return }
        finishing = .flushing(limit)
        if isWriting { cutOff(after: limit) }
        markDirty()
    }

    private func cutOff(after time: Duration) {
        // Closing ends the circle of stream and timer.
        let timer = finishTimer ?? LoopTimer { [self] in close() }
        timer.schedule(at: Loop.time.now + time)
        finishTimer = timer
    }

    private func markDirty() {
        guard !isDirty else { return }
        isDirty = true
        Self.dirty.append(self)
    }

    /// True when a stream rests or something is written and not yet handed to the kernel.
    static var hasWorkLeft: Bool { !dirty.isEmpty || !resting.isEmpty }

    /// The end of a turn: what was written in it goes to the kernel, as far as there is time, and streams that rest wake up.
    static func flushAll() {
        turn += 1
        wakeResting()
        guard !dirty.isEmpty else { return }
        let streams = dirty
        dirty = []
        for (index, stream) in streams.enumerated() {
            guard Loop.allows(.sending) else {
                // Before those that were written to meanwhile.
                dirty = Array(streams[index...]) + dirty
                return
            }
            stream.isDirty = false
            stream.flush()
        }
    }

    private static func wakeResting() {
        let streams = resting.prefix(wakingPerTurnMax)
        resting.removeFirst(streams.count)
        for stream in streams {
            stream.isResting = false
            if stream.isReading, stream.isOpen { stream.beginReading() }
        }
    }

    private func flush() {
        guard isOpen, !isWriting else { return }
        if pendingStart < pending.count {
            var status = unsafe pending.withUnsafeMutableBufferPointer { bytes in
                let rest = unsafe bytes[pendingStart...]
                let base = unsafe UnsafeMutableRawPointer(UnsafeMutableBufferPointer(rebasing: rest).baseAddress)
                var buffer = unsafe uv_buf_init(
                    base?.assumingMemoryBound(to: CChar.self), UInt32(clamping: rest.count))
                return unsafe uv_try_write(stream, &buffer, 1)
            }
            if status == UV_EAGAIN.rawValue { status = 0 }
            if status < 0 {
                fail(status)
                return
            }
            pendingStart += Int(status)
            if pendingStart < pending.count {
                let piece = pending[pendingStart...].prefix(Self.requestBytesMax)
                let status = unsafe WriteRequest.submit(piece, on: stream, for: self)
                if status < 0 {
                    fail(status)
                    return
                }
                isWriting = true
                pendingStart += piece.count
            }
            compact()
        }
        reportDrain()
        guard case .flushing(let limit) = finishing else { return }
        if !isWriting, pending.isEmpty {
            shutDown()
        } else if finishTimer == nil {
            cutOff(after: limit)
        }
    }

    /// Gives memory back once half of a queue has gone out.
    private func compact() {
        if pendingStart == pending.count {
            pending = []
        } else if pendingStart > pending.count / 2 {
            pending.removeFirst(pendingStart)
        } else {
            return
        }
        pendingStart = 0
    }

    private func reportDrain() {
        guard wasAboveHighWater, queuedBytes <= highWaterBytes / 2 else { return }
        wasAboveHighWater = false
        onDrain?()
    }

    func writeCompleted(_ status: Int32) {
        isWriting = false
        guard isOpen else { return }
        if status < 0 { fail(status) } else { flush() }
    }

    // MARK: Ending

    private func shutDown() {
        finishing = .lingering
        let status = unsafe UVRequest.submit(
            UV_SHUTDOWN,
            completion: { [self] status in
                guard isOpen else { return }
                if status < 0 || hasSeenEnd {
                    close()
                    return
                }
                cutOff(after: Self.lingerTime)
                startReading()
            },
            start: { cell in
                unsafe uv_shutdown(cell.assumingMemoryBound(to: uv_shutdown_t.self), stream) { request, status in
                    unsafe UVRequest.complete(request?.pointee.data, status: status)
                }
            })
        if status < 0 { close() }
    }

    private func fail(_ status: Int32) {
        guard isOpen else { return }
        resetText = LoopError.text(of: status)
        close()
    }

    override func willClose() {
        finishTimer?.close()
        finishTimer = nil
        pending = []
        pendingStart = 0
        onRead = nil
        onDrain = nil
    }

    override func didClose() {
        let end = onEnd
        onEnd = nil
        end?(resetText.map { .reset($0) } ?? .closed)
    }

    var stream: UnsafeMutablePointer<uv_stream_t> {
        unsafe cell.assumingMemoryBound(to: uv_stream_t.self)
    }
}

/// The one buffer that every read goes through: libuv fills it and calls back before it reads again.
@safe @LoopActor
private final class ReadBuffer {
    static let shared = ReadBuffer()

    private let memory = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 64 * 1024)

    var description: uv_buf_t {
        let base = unsafe UnsafeMutableRawPointer(memory.baseAddress)?.assumingMemoryBound(to: CChar.self)
        return unsafe uv_buf_init(base, UInt32(memory.count))
    }

    func copy(_ count: Int) -> [UInt8] {
        unsafe Array(memory[..<count])
    }
}
