// The MIME structure on mutations of messages: never a trap, and whatever comes out is IMAP and true of the octets. `make fuzz`
// runs many.

import DDSTestKit
import DDSTorture
import Testing

@testable import DDSWire

@Suite struct MIMEFuzzTests {
    private static let samples = [
        """
        From: "Joe Q. Public" <joe@example.com>
        To: A Group:Ed <c@a.test>,joe@where.test;, <@a,@b:c@d>, old@x (Old (very) Name)
        Cc: undisclosed:;
        Subject: =?utf-8?q?h=C3=A4?= x
         folded
        Message-ID: <1@example.com>
        Content-Type: multipart/mixed; boundary="b x"

        preamble
        --b x
        Content-Type: text/plain; charset=utf-8 (comment); format=flowed

        hello
        --b x
        Content-Type: message/rfc822

        Subject: inner
        Content-Type: multipart/alternative; boundary=b

        --b
        Content-Type: text/html

        <p>
        --b--
        --b x
        Content-Type: multipart/digest; boundary=d

        --d

        Subject: one

        text
        --d
        Content-Type: text/plain

        --d--
        --b x
        Content-Type: application/pdf; name*0="a\\"b"; name*1*=c
        Content-Disposition: attachment; filename=My File.pdf
        Content-Language: de, en
        Content-Transfer-Encoding: BASE64
        Content-MD5: x
        Content-ID: <i@x>

        AAAA
        --b x--
        epilogue
        """,
        "Subject: x\nFrom: a\n\nbody\n",
        "\n",
        "Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nContent-Type: message/global\n\nFrom: x@y\n\nend",
    ].map(mimeOctets)

    @Test func mutatedMessages_areDescribed_andTrue() throws {
        try MutationRun.each("MIMEFuzzTests/mutatedMessages_areDescribed_andTrue") { random, replay in
            let message = Mutation.mutated(Self.samples, random)
            let (depthMax, partsMax) = (random.below(6), 1 + random.below(12))
            let structure = MIMEStructure(message, depthMax: depthMax, partsMax: partsMax)
            for complaint in mimeComplaints(structure, partsMax: partsMax) { Issue.record("\(replay): \(complaint)") }
        }
    }

    @Test func mutatedHeaders_areCutIntoFields_thatTogetherAreTheHeader() throws {
        try MutationRun.each("MIMEFuzzTests/mutatedHeaders_areCutIntoFields_thatTogetherAreTheHeader") { random, replay in
            let structure = MIMEStructure(Mutation.mutated(Self.samples, random))
            let names = [["Subject", "TO"], ["content-type"], [], [""]][random.below(4)]
            func section(_ what: MIMESection.What) -> [UInt8] { Array(structure.octets(of: MIMESection(what: what)) ?? []) }
            let (named, others) = (section(.fields(names)), section(.fieldsNot(names)))
            let header = section(.header)
            let emptyLine = section(.fields([]))
            #expect((named + others).sorted() == (header + emptyLine).sorted(), Comment(rawValue: replay))
        }
    }
}
