// What a network or loop operation of the operating system says when it fails, in words fit for a log. It does not decide
// what a peer or a person is told about it.

import CUV

/// A failed loop operation: what was tried, on what, and the system's own words.
package struct LoopError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kinds that callers decide by.
    package enum Kind: Hashable, Sendable {
        case refused
        case timedOut
        case unreachable
        case nameUnknown
        /// The address is taken, or a live server answers at the socket's path.
        case addressInUse
        case addressNotAvailable
        case permission
        case notFound
        case tooManyFiles
        case cancelled
        case invalid
        case other
    }

    package var kind: Kind
    /// For example `connect to 127.0.0.1:25`.
    package var operation: String
    /// For example `connection refused`.
    package var detail: String

    package init(_ kind: Kind, operation: String, detail: String) {
        self.kind = kind
        self.operation = operation
        self.detail = detail
    }

    /// From a negative libuv status, which on this system is a negative errno or one of libuv's own.
    init(status: Int32, operation: String) {
        self.init(Self.kind(of: status), operation: operation, detail: Self.text(of: status))
    }

    package var description: String { "\(operation): \(detail)" }

    /// The system's words for a libuv status.
    static func text(of status: Int32) -> String {
        unsafe uv_strerror(status).map { unsafe String(cString: $0) } ?? "error \(status)"
    }

    private static func kind(of status: Int32) -> Kind {
        switch uv_errno_t(status) {
        case UV_ECONNREFUSED: .refused
        case UV_ETIMEDOUT: .timedOut
        case UV_ENETUNREACH, UV_EHOSTUNREACH, UV_ENETDOWN: .unreachable
        case UV_EAI_NONAME, UV_EAI_NODATA, UV_EAI_AGAIN, UV_EAI_FAIL: .nameUnknown
        case UV_EADDRINUSE: .addressInUse
        case UV_EADDRNOTAVAIL: .addressNotAvailable
        case UV_EACCES, UV_EPERM: .permission
        case UV_ENOENT: .notFound
        case UV_EMFILE, UV_ENFILE: .tooManyFiles
        case UV_ECANCELED: .cancelled
        case UV_EINVAL: .invalid
        default: .other
        }
    }
}
