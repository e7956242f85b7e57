// The `super` file: what a spool is. Written once by `create`, read by every opening; decides between "ours", "another
// root key's", "a newer program's" and "damaged", so that the wrong program or key changes nothing.

package import DDSCore

/// Why a spool was not opened. Nothing was modified, except in the case of `disk`.
package enum SpoolOpenError: Error, Hashable, Sendable, CustomStringConvertible {
    /// There is no `super` file: this folder holds no spool (`create` makes one), or a part of it was lost.
    case missing
    /// `create` was asked to make a spool where files of one are already.
    case exists(String)
    /// The root key is not this spool's, or every copy in `super` is damaged.
    case wrongRoot
    /// The spool was written by a newer program.
    case newerVersion(Int)
    /// A file belongs to another spool.
    case foreign(String)
    /// Something that was accepted is lost; each place in words.
    case damaged([String])
    /// Parameters that no spool can have.
    case invalid(String)
    case disk(DiskError)

    package var description: String {
        switch self {
        case .missing: "there is no spool here: the file super is missing"
        case .exists(let name): "there are already files of a spool here: \(name)"
        case .wrongRoot: "the file super does not authenticate: this is not the spool's root key, or the file is damaged"
        case .newerVersion(let version): "the spool has format version \(version); this program knows \(SpoolFormat.version)"
        case .foreign(let name): "\(name) belongs to another spool"
        case .damaged(let losses): "it is damaged, and mail is lost:\n" + losses.map { "  " + $0 }.joined(separator: "\n")
        case .invalid(let what): "the spool cannot be used: \(what)"
        case .disk(let error): error.description
        }
    }
}

struct SpoolSuper: Hashable {
    static let magic = Array("DDSPOOL1".utf8)
    static let copies = 4
    static let copyBytes = 4096
    private static let plainBytes = 60

    var uuid: [UInt8]
    var generation: UInt32
    var parameters: SpoolParameters
    var createdDay: UInt32

    /// All copies, as they are in the file; the cipher knows the root of the generation.
    func encoded(_ cipher: any SpoolCipher) -> [UInt8] {
        var copy = Self.magic
        copy.appendNumber(UInt64(SpoolFormat.version), bytes: 4)
        copy.appendNumber(UInt64(generation), bytes: 4)
        copy += uuid
        copy.appendNumber(UInt64(parameters.slots), bytes: 4)
        copy.appendNumber(UInt64(parameters.bodyBytes), bytes: 8)
        copy.appendNumber(UInt64(parameters.bigThreshold), bytes: 8)
        copy.appendNumber(UInt64(parameters.chunkBytes), bytes: 4)
        copy.appendNumber(UInt64(createdDay), bytes: 4)
        assert(copy.count == Self.plainBytes)
        guard let tag = cipher.authenticate(epoch: generation, copy) else {
            preconditionFailure("the root of a generation is known")
        }
        copy += tag
        copy += [UInt8](repeating: 0, count: Self.copyBytes - copy.count)
        return (0..<Self.copies).flatMap { _ in copy }
    }

    /// The valid copy of the highest generation; and how many copies are not valid.
    static func decode(
        _ bytes: [UInt8], _ cipher: any SpoolCipher
    ) throws(SpoolOpenError) -> (value: SpoolSuper, damaged: Int) {
        var best: SpoolSuper?
        var newest: UInt32 = 0
        var damaged = 0
        for start in stride(from: 0, to: copies * copyBytes, by: copyBytes) {
            guard start + plainBytes + 16 <= bytes.count, Array(bytes[start..<start + 8]) == magic else {
                damaged += 1
                continue
            }
            let version = UInt32(bytes.number(at: start + 8, bytes: 4))
            newest = max(newest, version)
            let plain = Array(bytes[start..<start + plainBytes])
            guard version == SpoolFormat.version,
                cipher.authenticate(epoch: UInt32(plain.number(at: 12, bytes: 4)), plain)
                    == Array(bytes[start + plainBytes..<start + plainBytes + 16])
            else {
                damaged += 1
                continue
            }
            let value = SpoolSuper(plain)
            if best.map({ $0.generation < value.generation }) ?? true { best = value }
        }
        guard let best else {
            throw newest > SpoolFormat.version ? .newerVersion(Int(newest)) : .wrongRoot
        }
        guard best.parameters.areValid else { throw .invalid("its parameters are out of range") }
        return (best, damaged)
    }

    init(uuid: [UInt8], generation: UInt32, parameters: SpoolParameters, createdDay: UInt32) {
        self.uuid = uuid
        self.generation = generation
        self.parameters = parameters
        self.createdDay = createdDay
    }

    private init(_ plain: [UInt8]) {
        generation = UInt32(plain.number(at: 12, bytes: 4))
        uuid = Array(plain[16..<32])
        parameters = SpoolParameters(
            slots: Int(plain.number(at: 32, bytes: 4)), bodyBytes: Int(truncatingIfNeeded: plain.number(at: 36, bytes: 8)),
            bigThreshold: Int(truncatingIfNeeded: plain.number(at: 44, bytes: 8)),
            chunkBytes: Int(plain.number(at: 52, bytes: 4)))
        createdDay = UInt32(plain.number(at: 56, bytes: 4))
    }
}
