// Listening sockets. Accepting is done with accept4(2) under a poll handle and not with uv_listen, because running out of
// descriptors must neither spin the loop nor drop the connections that wait.

import CUV
import DDSCore
import Glibc

/// Accepts connections at one address. Must be closed.
@LoopActor
package final class Listener {
    /// What is listened at: the real port where 0 was asked for.
    package let endpoint: Endpoint
    /// Accept errors so far, for the metrics.
    package private(set) var acceptErrors = 0

    private let descriptor: Int32
    /// Device and inode of the socket file we made, so that only our own is ever removed.
    private let socketFile: SocketFile?
    private let onConnection: (ByteStream) -> Void
    private var poll: PollHandle?
    private var retry: LoopTimer?
    private var isResting = false

    /// So many connections are taken before other events get their turn.
    private static let acceptsPerTurnMax = 64
    /// How long to wait after an error such as EMFILE; the kernel keeps the connections meanwhile.
    private static let retryPause = Duration.milliseconds(100)

    /// Binds and listens. Host names are looked up at once and may block: use addresses or `localhost`. A unix socket left
    /// behind by a dead server is replaced, one that a live server answers at is refused with `.addressInUse`.
    /// `mode` is that of a unix socket's file.
    package static func listen(
        on endpoint: Endpoint, backlog: Int = 511, mode: UInt32 = 0o600, onConnection: @escaping (ByteStream) -> Void
    ) throws(LoopError) -> Listener {
        switch endpoint {
        case .tcp(let host, let port):
            let (descriptor, bound) = try ListeningSocket.tcp(host: host, port: port, backlog: backlog)
            return try Listener(descriptor, bound, nil, onConnection)
        case .unix(let path):
            let (descriptor, file) = try ListeningSocket.unix(path: path, backlog: backlog, mode: mode)
            return try Listener(descriptor, endpoint, file, onConnection)
        }
    }

    /// Takes over a socket that already listens, such as one of systemd's socket activation. The file of a unix socket is left
    /// alone unless `ownsFile`.
    package static func adopt(
        fileDescriptor: Int32, ownsFile: Bool = false, onConnection: @escaping (ByteStream) -> Void
    ) throws(LoopError) -> Listener {
        let endpoint = try ListeningSocket.endpoint(of: fileDescriptor)
        var file: SocketFile?
        if ownsFile, case .unix(let path) = endpoint { file = SocketFile(path: path) }
        return try Listener(fileDescriptor, endpoint, file, onConnection)
    }

    private init(
        _ descriptor: Int32, _ endpoint: Endpoint, _ socketFile: SocketFile?, _ onConnection: @escaping (ByteStream) -> Void
    ) throws(LoopError) {
        self.descriptor = descriptor
        self.endpoint = endpoint
        self.socketFile = socketFile
        self.onConnection = onConnection
        do {
            // The poll handle keeps the listener alive: one that nobody else holds still listens until `close`.
            poll = try PollHandle(fileDescriptor: descriptor, readable: true, writable: false) { [self] _ in accept() }
        } catch {
            Glibc.close(descriptor)
            socketFile?.remove()
            throw error
        }
    }

    /// Accepts nothing for now; the kernel keeps who comes. Only `close` and `surrender` make sense afterwards.
    package func rest() {
        retry?.close()
        retry = nil
        isResting = true
        poll?.update(readable: false, writable: false)
    }

    /// Gives the listening socket away as it is, and its file with it; nil when it was closed.
    package func surrender() -> Int32? {
        guard let poll else { return nil }
        self.poll = nil
        poll.close()
        retry?.close()
        retry = nil
        return descriptor
    }

    /// Stops accepting; connections made stay. Idempotent. The file of a unix socket is removed.
    package func close() {
        guard let poll else { return }
        self.poll = nil
        poll.close()
        retry?.close()
        retry = nil
        socketFile?.remove()
        Glibc.close(descriptor)
    }

    private func accept() {
        let isUnix = if case .unix = endpoint { true } else { false }
        for _ in 0..<Self.acceptsPerTurnMax where poll != nil && !isResting && Loop.allows(.reading) {
            let connection = accept4(
                descriptor, nil, nil, Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue))
            if connection >= 0 {
                do {
                    onConnection(try ByteStream.adopt(connected: connection, isUnix: isUnix))
                } catch {
                    acceptErrors += 1
                }
                continue
            }
            switch errno {
            case EAGAIN: return
            case EINTR, ECONNABORTED, EPROTO: continue
            default:
                acceptErrors += 1
                pause()
                return
            }
        }
    }

    /// Without descriptors or memory the socket stays readable; looking away for a moment is all one can do.
    private func pause() {
        poll?.update(readable: false, writable: false)
        let timer = retry ?? LoopTimer { [weak self] in self?.poll?.update(readable: true, writable: false) }
        retry = timer
        timer.schedule(at: Loop.time.now + Self.retryPause)
    }
}
