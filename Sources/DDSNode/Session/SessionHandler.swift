// What a role supplies for the sessions of one listener: answers to the machine's questions.

package import DDSLoop
package import DDSWire

/// Takes the decisions of one protocol session. Lives as long as its session; everything happens on the loop.
@LoopActor package protocol SessionHandler<Machine>: AnyObject {
    associatedtype Machine: WireSession

    /// The session begins; `cut` ends it at once, with a word for the log, whatever it is doing.
    func sessionBegan(cut: @escaping @LoopActor (String) -> Void)
    /// Answers one question. May take long; a session that has ended meanwhile drops the answer.
    func answer(_ question: Machine.Question) async -> Machine.Answer
    /// Does something in order with the replies. Must not block.
    func perform(_ effect: Machine.Effect)
    /// The connection is gone; called exactly once, last.
    func sessionEnded(_ summary: SessionSummary)
}

extension SessionHandler {
    package func sessionBegan(cut: @escaping @LoopActor (String) -> Void) {}
}

/// How a session ended, for log and bus.
package struct SessionSummary: Sendable {
    package var id: String
    package var reason: CloseReason
    package var detail: String
    package var bytesIn: Int
    package var bytesOut: Int
}
