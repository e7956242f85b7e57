// The driver's bytes: in clear or through TLS. When a session begins or ends is in SessionDriver.

import DDSCore
import DDSLoop
import DDSTLS
import DDSWire

extension SessionDriver {
    func send(_ bytes: [UInt8]) {
        guard let tls else {
            bytesOut += bytes.count
            return stream.write(bytes)
        }
        do {
            try tls.write(bytes[...])
        } catch {
            close(.failure, "tls: \(error)")
        }
    }

    func flushTLS() {
        guard let tls, !hasEnded else { return }
        let cipher = tls.pendingCipher()
        guard !cipher.isEmpty else { return }
        bytesOut += cipher.count
        stream.write(cipher)
    }

    func beginTLS() {
        guard let tlsContext else { preconditionFailure("a listener without TLS configured its machine for none") }
        do {
            tls = try TLSConnection(context: tlsContext, serverName: serverName)
            try advanceTLS()
            // A client speaks first.
            flushTLS()
        } catch {
            close(.protocolError, "tls: \(error)")
        }
    }

    func received(_ bytes: ArraySlice<UInt8>) {
        guard closing == nil else { return }
        bytesIn += bytes.count
        guard let tls else {
            step { machine, now, actions in machine.receive(bytes, now: now, into: &actions) }
            return
        }
        do {
            tls.feed(bytes)
            try advanceTLS()
            flushTLS()
        } catch {
            // The alert that explains the failure to the peer is still waiting to be sent.
            flushTLS()
            close(.protocolError, "tls: \(error)")
        }
    }

    private func advanceTLS() throws(TLSError) {
        guard let tls else { return }
        var progress = try tls.advance()
        if case .established(let peer) = progress {
            let isFirst = !hasStarted
            hasStarted = true
            // The driver's own limit for implicit TLS; a machine that began in clear has one of its own running.
            if isFirst { timers[.login]?.cancel() }
            step { machine, now, actions in
                machine.handle(.tlsEstablished(peer), now: now, into: &actions)
                if isFirst { machine.start(now: now, into: &actions) }
            }
            progress = try tls.advance()
        }
        guard hasStarted, closing == nil else { return }
        let plain = try tls.readPlain()
        if !plain.isEmpty {
            step { machine, now, actions in machine.receive(plain[...], now: now, into: &actions) }
        }
        if case .closed = progress { endOfInput() }
    }
}
