// The MIME structure of real messages: put together again they are what they were, and everything said of them is true.

import DDSTestKit
import Testing

@testable import DDSWire

@Suite(.enabled(if: Corpus.isPresent, Comment(rawValue: Corpus.absence)))
struct MIMECorpusTests {
    /// With CRLF for every line end, as IMAP sends them.
    private static func canonical(_ bytes: [UInt8]) -> [UInt8] {
        var octets: [UInt8] = []
        octets.reserveCapacity(bytes.count + bytes.count / 20)
        for octet in bytes {
            if octet == 0x0a, octets.last != 0x0d { octets.append(0x0d) }
            octets.append(octet)
        }
        return octets
    }

    @Test func everyMessage_isDescribed_andTrue() {
        let mail = Corpus.mail()
        #expect(mail.count == 107)
        for (name, bytes) in mail {
            for (form, octets) in [("as it is", bytes), ("canonical", Self.canonical(bytes))] {
                for complaint in mimeComplaints(MIMEStructure(octets)) { Issue.record("\(name) \(form): \(complaint)") }
            }
        }
    }

    /// Header sections, bodies of leaves, and between them lines that begin with `--`, preambles and epilogues.
    @Test func everyMultipart_isItsPartsWithDelimitersBetween() {
        var multiparts = 0
        for (name, bytes) in Corpus.mail() {
            let structure = MIMEStructure(Self.canonical(bytes))
            let octets = structure.message
            func visit(_ part: MIMEPart) {
                guard case .multipart(let parts) = part.content else { return part.embedded.map(visit) ?? () }
                multiparts += 1
                for (left, right) in zip(parts, parts.dropFirst()) {
                    let gap = String(decoding: octets[left.body.upperBound..<right.header.lowerBound], as: UTF8.self)
                    let lines = gap.split(separator: "\r\n", omittingEmptySubsequences: false)
                    let isDelimiter = lines.count == 3 && lines[0].isEmpty && lines[1].hasPrefix("--") && lines[2].isEmpty
                    #expect(isDelimiter, "\(name): \(gap)")
                }
                parts.forEach(visit)
            }
            visit(structure.root)
        }
        #expect(multiparts > 30)
    }

    @Test func cutAnywhere_isStillDescribed() {
        for (name, bytes) in Corpus.mail() where bytes.count < 4000 {
            let octets = Self.canonical(bytes)
            for end in stride(from: 0, to: octets.count, by: 1 + octets.count / 60) {
                let complaints = mimeComplaints(MIMEStructure(Array(octets[..<end])))
                #expect(complaints == [], "\(name) cut at \(end)")
            }
        }
    }
}
