// One stream of server-sent events: what waits to be written, and who is told when it ends. Writing is the server's.

package import DDSLoop

/// The sending end of one `text/event-stream` (WHATWG HTML 9.2). Lives on the loop.
@LoopActor
package final class EventChannel {
    /// A peer that reads nothing is cut off when this many bytes wait for it.
    package static let waitingBytesMax = 65536

    /// Called once when the stream has ended, whichever side ended it.
    package var onClose: (@LoopActor () -> Void)?
    /// True until one side has ended the stream.
    package private(set) var isOpen = true
    var waiting: [UInt8] = []
    /// Set by the server while the stream is attached: something waits, or the stream is to end.
    var onChange: (@LoopActor () -> Void)?

    package init() {}

    /// Queues one event. `event` and `data` are ours and hold no line ends; each line end in them would start a new field.
    package func send(event: String, data: String) {
        guard isOpen else { return }
        precondition(!event.utf8.contains(0x0a) && !data.utf8.contains { $0 == 0x0a || $0 == 0x0d }, "one line per field")
        append("event: \(event)\ndata: \(data)\n\n")
    }

    /// Queues a comment, so that a peer that is gone is noticed and one that is there hears something.
    package func sendHeartbeat() {
        guard isOpen else { return }
        append(":\n\n")
    }

    /// Ends the stream behind what is queued.
    package func close() {
        end()
        onChange?()
    }

    /// The stream is over, from either side: tells the listener once.
    func end() {
        guard isOpen else { return }
        isOpen = false
        let listener = onClose
        onClose = nil
        listener?()
    }

    private func append(_ text: String) {
        if waiting.count + text.utf8.count > Self.waitingBytesMax { return close() }
        waiting += Array(text.utf8)
        onChange?()
    }
}
