// What lies in the demo's inboxes: mail of the corpus where there is one, handed in over LMTP as a mail server beside the
// node would, some that pretends, and the threads that the members write with their own agents.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSWire
import Glibc

@LoopActor enum DemoMail {
    private static var messagesMax: Int { 24 }
    private static var messageBytesMax: Int { 200_000 }

    // MARK: Corpus

    /// Delivers well-formed messages of `shared/corpus/mail` beside a folder above; returns how many the node took.
    static func feedCorpus(socket: String, recipient: String, random: any RandomSource) async -> Int {
        guard let recipient = MailAddress(recipient), let corpus = corpusFolder else { return 0 }
        var delivered = 0
        for message in messages(in: corpus, to: recipient) where await deliver(message, to: recipient, socket: socket) {
            delivered += 1
        }
        return delivered
    }

    /// Looked for above the working folder and above the program itself, which lies deep in a build folder.
    private static var corpusFolder: String? {
        var starts: [String] = []
        for link in ["/proc/self/cwd", "/proc/self/exe"] {
            guard let path = unsafe realpath(link, nil) else { continue }
            starts.append(unsafe String(cString: path))
            unsafe free(path)
        }
        for start in starts {
            var parts = start.split(separator: "/")
            while !parts.isEmpty {
                let candidate = "/" + parts.joined(separator: "/") + "/shared/corpus/mail"
                if HostFiles.exists(candidate) { return candidate }
                parts.removeLast()
            }
        }
        return nil
    }

    /// Messages with an author, a subject, a date and a text; malformed ones are for tests.
    private static func messages(in corpus: String, to recipient: MailAddress) -> [[UInt8]] {
        var found: [[UInt8]] = []
        for kind in ["rfc", "thirdparty", "legacy"] {
            let names = (try? HostFiles.list("\(corpus)/\(kind)")) ?? []
            for name in names where name.hasSuffix(".eml") && found.count < messagesMax {
                guard let bytes = try? HostFiles.read("\(corpus)/\(kind)/\(name)", limit: messageBytesMax) else { continue }
                let message = readdressed(LineEnds.crlf(bytes), to: recipient)
                let parsed = ParsedMessage(message)
                let isWhole =
                    parsed.from != nil && !parsed.subject.isEmpty && parsed.date != nil && !parsed.bestPlainText.isEmpty
                if isWhole { found.append(message) }
            }
        }
        return found
    }

    /// `message` with `recipient` in place of the people it was written to: agents file mail by its header.
    private static func readdressed(_ message: [UInt8], to recipient: MailAddress) -> [UInt8] {
        var output = Array("To: \(recipient)\r\n".utf8)
        var rest = message[...]
        var isDropping = false
        while let end = rest.firstIndex(of: 0x0a) {
            let line = rest[...end]
            if line.count <= 2 { break }
            let name = String(decoding: line.prefix { $0 != 0x3a }, as: UTF8.self).lowercased()
            let isContinuation = line.first == 0x20 || line.first == 0x09
            if !isContinuation { isDropping = ["to", "cc", "bcc"].contains(name) }
            if !isDropping { output += line }
            rest = rest[(end + 1)...]
        }
        return output + rest
    }

    private static func deliver(_ message: [UInt8], to recipient: MailAddress, socket: String) async -> Bool {
        guard let stream = try? await ByteStream.connect(to: .unix(path: socket), timeout: .seconds(5)) else { return false }
        let configuration = SMTPClientConfiguration(
            clientName: "localhost", tls: .none, credentials: nil,
            envelope: Envelope(reversePath: .null, recipients: [Recipient(recipient)]), message: message, flavour: .lmtp)
        let outcome = await withCheckedContinuation { continuation in
            let handler = DeliveryHandler(continuation)
            _ = SessionDriver(
                id: "demo", stream: stream, machine: SMTPClientSession(configuration: configuration), handler: handler,
                tls: nil,
                tlsFirst: false)
        }
        if case .delivered(let replies)? = outcome { return replies.allSatisfy(\.isPositive) }
        return false
    }

    /// Messages that pretend to be what they are not, as anybody could hand them in; returns how many the node took.
    static func feedSpoofs(socket: String, recipient: String) async -> Int {
        guard let recipient = MailAddress(recipient) else { return 0 }
        var delivered = 0
        for (number, spoof) in DemoSpoof.all.enumerated() {
            var letter = DemoLetter(author: "", to: "", subject: spoof.subject, id: "", text: spoof.text)
            letter.files = spoof.file.map { [DemoLetter.File($0, "application/pdf", Array("MZ".utf8))] } ?? []
            let head =
                "From: \(spoof.from)\r\nTo: \(recipient)\r\nSubject: \(EncodedWord.header(spoof.subject))\r\n"
                + "Message-ID: <spoof.\(number)@example.net>\r\nDate: \(CivilTime(secondsSinceEpoch: Loop.time.wall.seconds).rfc5322)\r\n"
            if await deliver(Array((head + letter.body).utf8), to: recipient, socket: socket) { delivered += 1 }
        }
        return delivered
    }

    // MARK: Threads

    /// The threads of `DemoLetter`, step by step: nothing is answered before it is at the node. Returns how many messages they have.
    static func writeThreads(_ demo: Demo) async throws(Failure) -> Int {
        let authors = Dictionary(uniqueKeysWithValues: demo.members.map { ($0.name, $0) })
        let letters = DemoLetter.all.filter { authors[$0.author] != nil }
        for step in 0...(letters.map(\.step).max() ?? 0) {
            let writing = letters.filter { $0.step == step }
            for letter in writing {
                guard let author = authors[letter.author] else { continue }
                let raw = String(decoding: Base64.encode(letter.message(domain: Demo.domain)), as: UTF8.self)
                _ = try await demo.ask(author, ControlRequest("agent.send", ["raw": .text(raw), "from_headers": true]))
            }
            for name in Set(writing.map(\.author)) {
                guard let author = authors[name] else { continue }
                try await demo.waitUntilSent(author)
            }
            // In the order that they were written, for those who stay.
            for member in demo.members { _ = try await demo.ask(member, ControlRequest("agent.fetch")) }
        }
        return letters.count
    }
}

/// Waits for the end of one delivery.
@LoopActor private final class DeliveryHandler: SessionHandler {
    typealias Machine = SMTPClientSession

    private var continuation: CheckedContinuation<SMTPOutcome?, Never>?

    init(_ continuation: CheckedContinuation<SMTPOutcome?, Never>) {
        self.continuation = continuation
    }

    func answer(_ question: Never) async -> Never {}

    func perform(_ effect: SMTPClientEffect) {
        switch effect {
        case .finished(let outcome): finish(outcome)
        case .heard: break
        }
    }

    func sessionEnded(_ summary: SessionSummary) { finish(nil) }

    private func finish(_ outcome: SMTPOutcome?) {
        continuation?.resume(returning: outcome)
        continuation = nil
    }
}
