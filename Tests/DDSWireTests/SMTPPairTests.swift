// Client machine against server machine over a wire that keeps order and cuts as it likes.

import DDSCore
import DDSTestKit
import DDSWire
import Testing

@Suite struct SMTPPairTests {
    /// Runs both until neither has anything to say; `cutAfter` octets from the client the line breaks.
    static func converse(
        _ client: inout SMTPClientBench, _ server: inout SMTPBench, random: SeededRandom, cutAfter: Int = .max
    ) {
        var toServer: [UInt8] = []
        var toClient: [UInt8] = []
        var carried = 0
        while true {
            toServer += client.sent
            client.sent = []
            toClient += Array(server.take().utf8)
            if client.startedTLS, server.startedTLS {
                (client.startedTLS, server.startedTLS) = (false, false)
                server.handle(.tlsEstablished(smtpKeyedPeer))
                client.handle(.tlsEstablished(smtpPeer))
            } else if !toServer.isEmpty, toClient.isEmpty || random.below(2) == 0 {
                let count = min(1 + random.below(40), toServer.count, cutAfter - carried)
                guard count > 0 else { break }
                server.feed(Array(toServer.prefix(count)))
                toServer.removeFirst(count)
                carried += count
            } else if !toClient.isEmpty {
                let count = min(1 + random.below(40), toClient.count)
                client.feed(Array(toClient.prefix(count)))
                toClient.removeFirst(count)
            } else {
                break
            }
        }
        client.handle(.endOfInput)
        server.handle(.endOfInput)
    }

    static let message = "Subject: x\r\n\r\n.\r\n..\r\nend\r\n"

    @Test(arguments: Array(UInt64(1)...20)) func messages_arriveAsTheyWere(_ seed: UInt64) {
        for tls in [true, false] {
            var server = SMTPBench(
                smtpServerConfiguration(.submission, tls ? .implicit : .startTLSRequired), peer: smtpKeyedPeer)
            let credentials: Credentials =
                seed % 2 == 0
                ? .external(authzid: nil) : .plain(authzid: nil, authcid: "alice", password: Redacted(Array("secret".utf8)))
            var configuration = smtpClientConfiguration(
                to: ["bob@node.example", "nobody@node.example", "m\u{fc}ller@node.example"], Self.message,
                tls: tls ? .implicit : .startTLS, credentials: credentials)
            configuration.envelope.parameters.dsnEnvelopeID = "id+=\u{20}x"
            configuration.envelope.recipients[0].notify = [.failure, .delay]
            configuration.envelope.recipients[0].originalRecipient = "rfc822;bob+x@b"
            var client = SMTPClientBench(configuration)
            Self.converse(&client, &server, random: SeededRandom(seed: seed))
            #expect(server.messages.map(\.text) == [Self.message])
            #expect(server.messages.first?.envelope.authenticated == "alice")
            #expect(server.messages.first?.envelope.parameters.dsnEnvelopeID == "id+= x")
            #expect(
                server.messages.first?.envelope.recipients
                    == [configuration.envelope.recipients[0], configuration.envelope.recipients[2]])
            guard case .delivered(let replies)? = client.outcomes.first else {
                Issue.record("\(client.outcomes)")
                return
            }
            #expect(replies.map(\.code) == [250, 550, 250])
            #expect(client.closed == .quit && server.closed == .quit)
        }
    }

    @Test func lmtp_messagesArriveAsTheyWere() {
        var server = SMTPBench(smtpServerConfiguration(.lmtp, .none))
        var configuration = smtpClientConfiguration(
            to: ["a@b", "c@d"], Self.message, tls: .none, credentials: nil, flavour: .lmtp)
        configuration.envelope.reversePath = .null
        var client = SMTPClientBench(configuration)
        Self.converse(&client, &server, random: SeededRandom(seed: 5))
        #expect(server.messages.map(\.text) == [Self.message])
        let reply = SMTPReply(250, EnhancedCode(2, 6, 0), "Queued")
        #expect(client.outcomes == [.delivered([reply, reply])])
    }

    @Test func aBrokenLine_neverClaimsMoreThanIsKnown() {
        var wholes = 0
        for cut in 0..<260 {
            var server = SMTPBench(peer: smtpKeyedPeer)
            var client = SMTPClientBench(smtpClientConfiguration(to: ["bob@node.example"], Self.message))
            Self.converse(&client, &server, random: SeededRandom(seed: UInt64(cut)), cutAfter: cut)
            #expect(client.outcomes.count == 1)
            switch client.outcomes.first {
            case .delivered: #expect(server.messages.count == 1)
            case .lost(.message): break
            case .lost: #expect(server.messages.isEmpty)
            case .refused, .offered, nil: Issue.record("cut at \(cut): \(client.outcomes)")
            }
            #expect(server.openMessage == nil)
            wholes += server.messages.count
        }
        #expect((1..<260).contains(wholes))
    }
}
