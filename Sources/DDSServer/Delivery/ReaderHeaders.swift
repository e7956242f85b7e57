// One age header for each reader of a message, on all cores where there are many. Sealing that fails for one member is that
// member's affair alone.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal

extension Account {
    /// Which of the member's keys a header is for.
    var keyNotes: [AgeStanza] { keyNumber.map { [KeyNote.stanza($0)] } ?? [] }
}

struct ReaderHeaders: Sendable {
    /// Headers made on the loop itself; making one takes one to three tenths of a millisecond.
    private static let headersOnLoopMax = 8

    let random: any RandomSource

    /// In the order of `readers`; nil for those that nothing can be sealed to.
    @LoopActor func make(for readers: [Account], fileKey: AgeFileKey, notes: [[AgeStanza]]) async -> [[UInt8]?] {
        let recipients = readers.map(\.recipient)
        let notes = zip(readers, notes).map { reader, notes in notes + reader.keyNotes }
        if recipients.count <= Self.headersOnLoopMax { return Self.made(recipients[...], notes[...], fileKey, random) }
        let slice = max(16, (recipients.count + Loop.workerCount - 1) / Loop.workerCount)
        return await withTaskGroup(of: (Int, [[UInt8]?]).self) { group in
            for start in stride(from: 0, to: recipients.count, by: slice) {
                let part = recipients[start..<min(start + slice, recipients.count)]
                let partNotes = notes[start..<min(start + slice, recipients.count)]
                group.addTask { [random] in
                    (start, await Loop.offload { Self.made(part, partNotes, fileKey, random) })
                }
            }
            var parts: [(Int, [[UInt8]?])] = []
            for await part in group { parts.append(part) }
            return parts.sorted { $0.0 < $1.0 }.flatMap(\.1)
        }
    }

    private nonisolated static func made(
        _ recipients: ArraySlice<String?>, _ notes: ArraySlice<[AgeStanza]>, _ fileKey: AgeFileKey, _ random: any RandomSource
    ) -> [[UInt8]?] {
        // A text that the directory should not hold is like no key.
        let keys = recipients.map { text in text.flatMap { try? AgeRecipient(accepted: $0) } }
        return FanOut.attempts(fileKey: fileKey, recipients: keys, notes: Array(notes), random: random).map { try? $0.get() }
    }
}
