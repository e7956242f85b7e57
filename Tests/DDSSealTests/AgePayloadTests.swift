// The payload: sizes, chunk boundaries, the last-chunk mark, and what is released before a fault.

import DDSCore
import DDSTestKit
import Testing

@testable import DDSSeal

@Suite struct AgePayloadTests {
    private static let chunk = 65536
    private static let sealedChunk = 65552
    private static let sizes = [0, 1, 2, 16, 1000, 65519, 65535, 65536, 65537, 131_071, 131_072, 131_073, 200_000]
    let fileKey = AgeFileKey.generate(random: SeededRandom(seed: 21))

    private func write(_ plain: [UInt8], _ lengths: [Int] = [.max]) -> [UInt8] {
        var writer = AgePayloadWriter(fileKey: fileKey, random: SeededRandom(seed: 22))
        var payload: [UInt8] = []
        for piece in plain.isEmpty ? [] : Cut.pieces(plain, lengths.map { min($0, plain.count) }) {
            payload += writer.update(piece[...])
        }
        return payload + writer.finish()
    }

    private func read(_ pieces: [[UInt8]], with key: AgeFileKey? = nil) -> Opening {
        var reader = AgePayloadReader(fileKey: key ?? fileKey)
        var opening = Opening()
        do throws(AgeError) {
            for piece in pieces { opening.plain += try reader.update(piece[...]) }
            opening.plain += try reader.finish()
        } catch {
            opening.error = error
        }
        return opening
    }

    /// Chunks with chosen numbers and marks, made without the writer.
    private func crafted(_ chunks: [(plain: [UInt8], number: Int, isLast: Bool)]) -> [UInt8] {
        let salt = [UInt8](repeating: 9, count: 16)
        let key = fileKey.payloadKey(nonce: salt)
        return chunks.reduce(salt) { file, chunk in
            var nonce = [UInt8](repeating: 0, count: 12)
            nonce[10] = UInt8(chunk.number)
            nonce[11] = chunk.isLast ? 1 : 0
            return file + SpoolKeys.seal(chunk.plain, key: key, nonce: nonce, associated: [])
        }
    }

    @Test(arguments: sizes)
    func payload_isTheSameHoweverItIsWrittenAndRead(_ size: Int) {
        let plain = SeededRandom(seed: UInt64(size)).bytes(size)
        let payload = write(plain)
        #expect(payload.count == AgePayload.payloadSize(plain: size))
        for lengths in [[1000], [65535, 1], [65536], [65537], [1, 131_072]] { #expect(write(plain, lengths) == payload) }
        for pieces in [
            [payload], Cut.pieces(payload, [16, 65552]), Cut.pieces(payload, [15, 65551]), Cut.pieces(payload, [1, 65553]),
        ] {
            #expect(read(pieces) == Opening(plain: plain))
        }
    }

    @Test func sizeFormula_isThatOfTheSpecification() {
        for size in Array(0...100) + (1...5).flatMap({ [$0 * Self.chunk - 1, $0 * Self.chunk, $0 * Self.chunk + 1] }) {
            var chunks = 0
            var rest = size
            repeat {
                chunks += 1
                rest -= Self.chunk
            } while rest > 0
            #expect(AgePayload.payloadSize(plain: size) == size + 16 + 16 * chunks)
        }
    }

    @Test(arguments: [0, 1, 65535, 65536, 65537, 131_072])
    func anyCutOff_isNoticedAndOnlyWholeChunksAreReleased(_ size: Int) {
        let plain = SeededRandom(seed: 5).bytes(size)
        let payload = write(plain)
        let edges =
            [0, 15, 16, 17, 31, 32, 33, 16 + Self.sealedChunk].flatMap { [$0 - 1, $0, $0 + 1] } + [
                payload.count - 1, payload.count - 16,
            ]
        for length in Set(edges) where (0..<payload.count).contains(length) {
            let opening = read([Array(payload[..<length])])
            #expect(opening.error == (length < 16 ? .headerFailure : .payloadFailure), "\(length) of \(payload.count)")
            #expect(opening.plain == Array(plain.prefix(max(0, length - 16) / Self.sealedChunk * Self.chunk)))
            #expect(opening == read(Cut.pieces(Array(payload[..<length]), [4099])))
        }
    }

    @Test(arguments: [0, 1, 65535, 65536, 65537, 131_072])
    func anyExtension_isNoticed(_ size: Int) {
        let payload = write(SeededRandom(seed: 5).bytes(size))
        for more in [1, 16, 17, Self.sealedChunk, Self.sealedChunk + 1] {
            let longer = payload + [UInt8](repeating: 0, count: more)
            #expect(read([longer]).error == .payloadFailure)
            #expect(read([longer]) == read(Cut.pieces(longer, [8191])))
        }
    }

    @Test func markOfTheLastChunk_isObeyed() {
        let full = [UInt8](repeating: 1, count: Self.chunk)
        let last = [UInt8](repeating: 2, count: 100)
        let good: [[([UInt8], Int, Bool)]] = [
            [([], 0, true)], [(last, 0, true)], [(full, 0, true)], [(full, 0, false), (last, 1, true)],
            [(full, 0, false), (full, 1, true)],
        ]
        for chunks in good { #expect(read([crafted(chunks)]) == Opening(plain: chunks.flatMap(\.0))) }
        let bad: [(chunks: [([UInt8], Int, Bool)], released: Int)] = [
            ([(last, 0, false)], 0), ([(full, 0, false)], 1), ([(full, 0, false), (last, 1, false)], 1),
            ([(full, 0, false), (full, 1, false)], 2), ([(full, 0, true), (last, 1, true)], 1),
            ([(full, 0, true), (full, 1, true)], 1), ([(full, 0, false), ([], 1, true)], 1), ([(full, 1, true)], 0),
            ([(full, 0, false), (last, 2, true)], 1), ([(full, 1, false), (full, 0, true)], 0),
            ([(last, 0, true), (last, 1, true)], 0),
            ([(full, 0, false), (full, 0, true)], 1), ([(last, 0, false), (full, 1, true)], 0),
        ]
        for (index, (chunks, released)) in bad.enumerated() {
            let file = crafted(chunks)
            for pieces in [[file], Cut.pieces(file, [1000])] {
                let opening = read(pieces)
                #expect(opening.error == .payloadFailure && opening.plain.count == released * Self.chunk, "case \(index)")
            }
        }
    }

    @Test func errorStays() throws {
        var reader = AgePayloadReader(fileKey: fileKey)
        let plain = [UInt8](repeating: 1, count: 65536)
        let file = crafted([(plain, 0, false), (plain, 7, false)])
        #expect(try reader.update(file[...]) == plain)
        #expect(throws: AgeError.payloadFailure) { try reader.update([]) }
        #expect(throws: AgeError.payloadFailure) { try reader.finish() }
    }

    @Test func otherFileKey_opensNothing() {
        let payload = write([1, 2, 3])
        #expect(read([payload], with: .generate(random: SeededRandom(seed: 99))) == Opening(error: .payloadFailure))
    }

    @Test func everyPayload_hasANonceOfItsOwn() {
        let random = SeededRandom(seed: 6)
        var seen: Set<[UInt8]> = []
        for _ in 0..<100 {
            var writer = AgePayloadWriter(fileKey: fileKey, random: random)
            seen.insert(Array(writer.finish().prefix(16)))
        }
        #expect(seen.count == 100)
    }
}
