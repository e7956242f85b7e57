// The vectors of the C2SP CCTV age test kit, parsed and unpacked. What a reader must make of them is in the tests.

import DDSCore
import Foundation

/// One file of the test kit.
package struct AgeVector: Sendable, CustomStringConvertible {
    package let name: String
    /// The class of result, such as `success` or `header failure`.
    package let expect: String
    /// SHA-256 of all plaintext that is released, even when an error follows.
    package let payload: String?
    package let fileKey: [UInt8]
    package let identities: [String]
    package let passphrases: [String]
    package let isArmored: Bool
    package fileprivate(set) var file: [UInt8]

    package var description: String { name }

    /// All vectors by name. Unpacking needs `python3`: without it there are none.
    package static let all: [AgeVector] = {
        var vectors: [AgeVector] = []
        var packed: [Int] = []
        guard canUnpack else { return [] }
        for (name, bytes) in Corpus.ageVectors() {
            let (vector, isPacked) = parse(name, bytes)
            if isPacked { packed.append(vectors.count) }
            vectors.append(vector)
        }
        let unpacked = inflate(packed.map { vectors[$0].file })
        precondition(unpacked.count == packed.count, "python3 could not unpack the vectors")
        for (index, file) in zip(packed, unpacked) { vectors[index].file = file }
        return vectors
    }()

    private static let python = "/usr/bin/python3"
    /// For `.enabled(if:)`, together with `Corpus.isPresent`.
    package static var canUnpack: Bool { ChildProgram.exists(python) }

    private static func parse(_ name: String, _ bytes: [UInt8]) -> (AgeVector, isPacked: Bool) {
        var fields: [String: [String]] = [:]
        var rest = bytes[...]
        while let end = rest.firstIndex(of: 0x0a) {
            let line = String(decoding: rest[..<end], as: UTF8.self)
            rest = rest[(end + 1)...]
            if line.isEmpty { break }
            let colon = line.range(of: ": ")
            precondition(colon != nil, "a line of a vector has a key")
            if let colon { fields[String(line[..<colon.lowerBound]), default: []].append(String(line[colon.upperBound...])) }
        }
        let vector = AgeVector(
            name: name, expect: fields["expect"]?.first ?? "", payload: fields["payload"]?.first,
            fileKey: Hex.decode(fields["file key"]?.first ?? "") ?? [], identities: fields["identity"] ?? [],
            passphrases: fields["passphrase"] ?? [], isArmored: fields["armored"] == ["yes"], file: Array(rest))
        return (vector, fields["compressed"] == ["zlib"])
    }

    /// Unpacks zlib streams, all in one run of python: length, bytes, length, bytes, in and out.
    private static func inflate(_ packed: [[UInt8]]) -> [[UInt8]] {
        let program = """
            import sys,struct,zlib
            d=sys.stdin.buffer.read()
            i=0
            while i<len(d):
                n=struct.unpack('>I',d[i:i+4])[0]
                u=zlib.decompress(d[i+4:i+4+n])
                sys.stdout.buffer.write(struct.pack('>I',len(u))+u)
                i+=4+n
            """
        let input = packed.flatMap { length($0.count) + $0 }
        let outcome = ChildProgram.run(python, ["-c", program], input: input)
        var rest = outcome.output[...]
        var files: [[UInt8]] = []
        while rest.count >= 4 {
            let size = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            files.append(Array(rest.dropFirst(4).prefix(size)))
            rest = rest.dropFirst(4 + size)
        }
        return files
    }

    private static func length(_ count: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * $0)) } }
}
