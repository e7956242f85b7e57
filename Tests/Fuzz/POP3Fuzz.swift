// The POP3 server session on any octets.

import DDSCore
import DDSWire

private let pop3Messages: [[UInt8]] = [
    Array("Subject: one\r\n\r\nfirst\r\n.\r\n.dot\r\nlast line\r\n".utf8), Array("Subject: 2\r\n\r\nxyz!".utf8), [],
]

func fuzzPOP3(_ input: [UInt8]) {
    var isImplicit = true
    var isGone = false
    var fuzz = FuzzSession<POP3ServerSession>(
        // The longest line is that of a SASL exchange, and CRs may wait for their LFs.
        input, storedMax: 4096 + 2,
        make: { choices in
            isImplicit = !choices.oneIn(4)
            var configuration = POP3ServerConfiguration(hostName: "mail.test", tls: isImplicit ? .implicit : .stlsRequired)
            configuration.replyBurstOctetsMax = 200
            configuration.listPieceItems = 2
            return POP3ServerSession(configuration: configuration)
        },
        answer: { question, choices in
            switch question {
            case .authenticate, .wait:
                if case .authenticate = question, choices.oneIn(8) { return .refused }
                if choices.oneIn(16) { return .inUse }
                if choices.oneIn(16) { return .unavailable("the disk is tired") }
                return .maildrop(
                    pop3Messages.enumerated().map { POP3Item(uidl: "id-\($0)", octets: $1.count) })
            case .body(let index, let offset):
                if choices.oneIn(32) {
                    isGone = true
                    return .gone
                }
                precondition(offset <= pop3Messages[index].count, "no octets are asked for that are not there")
                let end = min(pop3Messages[index].count, offset + 1 + choices.below(20))
                return .bytes(Array(pop3Messages[index][offset..<end]), isLast: end == pop3Messages[index].count)
            case .erase(let indices):
                precondition(!indices.isEmpty && Set(indices).count == indices.count, "nothing is erased twice")
                return choices.oneIn(8) ? .eraseFailed : .erased
            case .head: return .head("00ff 7 c2ln")
            case .pause: return .proceed
            }
        })
    fuzz.run(isImplicit: isImplicit)
    // A message that is gone in the middle can only be told by the end of the connection.
    checkLines(fuzz.output, mayBeCut: isGone) { _ in true }
}
