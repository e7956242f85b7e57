// One submission to the node over SMTP, and what its answer means.

import DDSCore
import DDSLoop
import DDSNode
import DDSWire

/// Runs one SMTP transaction.
@LoopActor final class SubmissionClient: SessionHandler {
    typealias Machine = SMTPClientSession

    private var continuation: CheckedContinuation<SMTPOutcome, Never>?
    private(set) var closeDetail = ""
    private let heard: @LoopActor ([String]) -> Void

    private init(_ continuation: CheckedContinuation<SMTPOutcome, Never>, heard: @escaping @LoopActor ([String]) -> Void) {
        self.continuation = continuation
        self.heard = heard
    }

    /// Connects, runs `configuration`, and returns the outcome; `detail` says why a connection ended early. `heard` is called
    /// with what the node offers where the configuration wants that.
    static func run(
        _ configuration: SMTPClientConfiguration, link: NodeLink, port: UInt16, id: String,
        heard: @escaping @LoopActor ([String]) -> Void = { _ in }
    ) async throws(Failure) -> (outcome: SMTPOutcome, detail: String) {
        var failure: Failure?
        var client: SubmissionClient?
        let outcome = await withCheckedContinuation { (continuation: CheckedContinuation<SMTPOutcome, Never>) in
            let handler = SubmissionClient(continuation, heard: heard)
            client = handler
            Loop.spawn(name: "submit") {
                do throws(Failure) {
                    _ = try await link.open(
                        port: port, id: id, machine: SMTPClientSession(configuration: configuration), handler: handler)
                } catch {
                    failure = error
                    handler.finish(.lost(.greeting))
                }
            }
        }
        if let failure { throw failure }
        return (outcome, client?.closeDetail ?? "")
    }

    func answer(_ question: Never) async -> Never {}

    func perform(_ effect: SMTPClientEffect) {
        switch effect {
        case .finished(let outcome): finish(outcome)
        case .heard(let lines): heard(lines)
        }
    }

    func sessionEnded(_ summary: SessionSummary) {
        closeDetail = summary.detail
        // A handshake that failed ends the session before the machine has begun.
        finish(.lost(.greeting))
    }

    private func finish(_ outcome: SMTPOutcome) {
        continuation?.resume(returning: outcome)
        continuation = nil
    }
}

extension SubmissionResult {
    /// What an outcome means for the outbox. Whatever may have been taken is tried again with the same submission id; the node
    /// serves only those recipients again that did not have it. `detail` says why a connection ended.
    init(_ outcome: SMTPOutcome, recipients: [MailAddress], detail: String = "") {
        switch outcome {
        case .delivered(let replies):
            let refused = zip(recipients, replies).filter { !$0.1.isPositive }
            let words = refused.map { "\($0.0): \($0.1.lines.joined(separator: " "))" }.joined(separator: "; ")
            if refused.contains(where: { $0.1.code < 500 }) {
                self = .later("not yet to " + words)
            } else {
                self = .accepted(note: refused.isEmpty ? nil : "not to " + words)
            }
        case .refused(let stage, let reply, let permanent):
            let words = reply.lines.joined(separator: " ")
            switch stage {
            // A login that fails today may be a suspended account: the mail is kept until it works or the person gives up.
            case .greeting, .hello, .startTLS, .authentication:
                self = permanent && stage == .hello ? .refused(words) : .unreachable(words)
            case .message where SealDemand(in: words) != nil:
                self = SealDemand(in: words).map { .sealAgain(words, $0) } ?? .later(words)
            case .sender, .recipients, .data, .message: self = permanent ? .refused(words) : .later(words)
            }
        case .lost(let stage):
            let place = detail.isEmpty ? stage.rawValue : "\(stage.rawValue): \(detail)"
            let words = "the connection to the node was lost (\(place))"
            switch stage {
            case .greeting, .hello, .startTLS, .authentication: self = .unreachable(words)
            // It may be this message that the node chokes on; the others get their turn.
            case .sender, .recipients, .data, .message: self = .later(words)
            }
        case .offered: preconditionFailure("a submission is no probe")
        }
    }
}
