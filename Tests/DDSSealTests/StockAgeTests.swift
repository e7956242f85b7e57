// Both directions against Debian's age: what we seal it opens, what it seals we open.

import DDSCore
import DDSTestKit
import Testing

@testable import DDSSeal

@Suite(.enabled(if: StockAge.isPresent, "/usr/bin/age, age-keygen or python3 is absent: nothing is compared with stock age"))
struct StockAgeTests {
    static let sizes = [0, 1, 65535, 65536, 65537, 200_000]

    @Test(arguments: sizes, [nil, AgeArmor.LineEnd.lf, .crlf])
    func ourFile_isOpenedByStockAge(size: Int, armor: AgeArmor.LineEnd?) throws {
        let stock = StockAge()
        defer { stock.folder.remove() }
        let plain = SeededRandom(seed: UInt64(size)).bytes(size)
        let identity = AgeIdentity.generate(random: SystemRandom())
        let others = [AgeIdentity.generate(random: SystemRandom()).recipient]
        let file = try Seal.file(
            plain, for: others + [identity.recipient], armor: armor, random: SystemRandom(), pieces: [1000, 65536, 70001])
        let opened = stock.open(file, identity: identity)
        #expect(opened.status == 0, "\(opened.errors)")
        #expect(opened.output == plain)
    }

    @Test(arguments: sizes, [false, true])
    func stockFile_isOpenedByUs(size: Int, isArmored: Bool) throws {
        let stock = StockAge()
        defer { stock.folder.remove() }
        let plain = SeededRandom(seed: UInt64(size) + 1).bytes(size)
        let identity = try stock.makeIdentity()
        let file = stock.seal(plain, arguments: (isArmored ? ["-a"] : []) + ["-r", identity.recipient.description])
        #expect(!file.isEmpty)
        for pieces in [[file], Cut.pieces(file, [7, 64, 1, 65, 4093])] {
            #expect(AgeUnlock.identities([identity]).open(pieces) == Opening(plain: plain))
        }
    }

    @Test func stockKey_isReadAndWrittenAlike() throws {
        let stock = StockAge()
        defer { stock.folder.remove() }
        let text = ChildProgram.run(StockAge.keygen, []).output
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
        let secret = try #require(lines.first { $0.hasPrefix("AGE-SECRET-KEY-1") })
        let recipient = try #require(lines.compactMap { $0.split(separator: " ").last }.first { $0.hasPrefix("age1") })
        let identity = try AgeIdentity(secret)
        #expect(identity.recipient.description == recipient)
        #expect(identity.secretText().isEqual(to: Array(secret.utf8)))
    }

    @Test(arguments: [0, 1, 65536, 200_000])
    func ownHeaderBeforeSharedPayload_isAWholeFileForEachMember(size: Int) throws {
        let stock = StockAge()
        defer { stock.folder.remove() }
        let members = (0..<3).map { _ in AgeIdentity.generate(random: SystemRandom()) }
        let plain = SeededRandom(seed: 3).bytes(size)
        let fileKey = AgeFileKey.generate(random: SystemRandom())
        var writer = AgePayloadWriter(fileKey: fileKey, random: SystemRandom())
        let payload = writer.update(plain[...]) + writer.finish()
        #expect(payload.count == AgePayload.payloadSize(plain: size))
        let note = AgeStanza(arguments: [Array("example-note".utf8), Array("friends".utf8)], body: [])
        let headers = try FanOut.headers(
            fileKey: fileKey, recipients: members.map(\.recipient), notes: [[], [note], []], random: SystemRandom())
        for (member, header) in zip(members, headers) {
            let opened = stock.open(header + payload, identity: member)
            #expect(opened.status == 0 && opened.output == plain, "\(opened.errors)")
            let stranger = try #require(members.first { $0 !== member })
            #expect(AgeUnlock.identities([stranger]).open([header + payload]) == Opening(error: .noMatch))
        }
    }

    @Test func ourPassphraseFile_isOpenedByStockAge() throws {
        let stock = StockAge()
        defer { stock.folder.remove() }
        let content = SeededRandom(seed: 4).bytes(70000)
        let file = try PassphraseFile.seal(
            Seal.secret(content), passphrase: Seal.secret("rot 13 grüßt"), workFactor: 12, random: SystemRandom())
        stock.folder.write("vault", file)
        let outcome = stock.typePassphrase(
            "rot 13 grüßt", ["-d", "-o", stock.folder.path("plain"), stock.folder.path("vault")])
        #expect(outcome.status == 0, "\(outcome.errors) \(String(decoding: outcome.output, as: UTF8.self))")
        #expect(stock.folder.read("plain") == content)
    }

    @Test func stockPassphraseFile_isOpenedByUs() throws {
        let stock = StockAge()
        defer { stock.folder.remove() }
        stock.folder.write("plain", Array("twelve words".utf8))
        let outcome = stock.typePassphrase("hush", ["-p", "-o", stock.folder.path("vault"), stock.folder.path("plain")])
        #expect(outcome.status == 0, "\(outcome.errors) \(String(decoding: outcome.output, as: UTF8.self))")
        let file = stock.folder.read("vault")
        #expect(try PassphraseFile.open(file, passphrase: Seal.secret("hush")).isEqual(to: Array("twelve words".utf8)))
        #expect(throws: VaultError.wrongOrDamaged) { try PassphraseFile.open(file, passphrase: Seal.secret("Hush")) }
        #expect(throws: VaultError.tooCostly(workFactor: 18)) {
            try PassphraseFile.open(file, passphrase: Seal.secret("hush"), maxWorkFactor: 17)
        }
    }
}

/// Debian's age in a folder of its own.
struct StockAge {
    static let age = "/usr/bin/age"
    static let keygen = "/usr/bin/age-keygen"
    static let python = "/usr/bin/python3"
    static var isPresent: Bool { [age, keygen, python].allSatisfy(ChildProgram.exists) }

    let folder = ScratchFolder()

    func makeIdentity() throws -> AgeIdentity {
        let lines = String(decoding: ChildProgram.run(Self.keygen, []).output, as: UTF8.self).split(separator: "\n")
        return try AgeIdentity(String(lines.first { $0.hasPrefix("AGE-SECRET-KEY-1") } ?? ""))
    }

    func open(_ file: [UInt8], identity: AgeIdentity) -> ChildProgram.Outcome {
        identity.secretText().withExposed { folder.write("key", $0) }
        folder.write("sealed", file)
        return ChildProgram.run(Self.age, ["-d", "-i", folder.path("key"), folder.path("sealed")])
    }

    func seal(_ plain: [UInt8], arguments: [String]) -> [UInt8] {
        folder.write("plain", plain)
        _ = ChildProgram.run(Self.age, arguments + ["-o", folder.path("file"), folder.path("plain")])
        return folder.read("file")
    }

    /// Runs age on a terminal and answers every question of its with `passphrase`: it takes none from elsewhere.
    func typePassphrase(_ passphrase: String, _ arguments: [String]) -> ChildProgram.Outcome {
        let program = """
            import os,pty,sys
            pid,terminal=pty.fork()
            if pid==0:
                os.execv(sys.argv[2],['age']+sys.argv[3:])
            seen=b''
            while True:
                try:
                    data=os.read(terminal,4096)
                except OSError:
                    break
                if not data:
                    break
                seen+=data
                if seen.rstrip().endswith(b':'):
                    os.write(terminal,os.fsencode(sys.argv[1])+b'\\n')
                    seen=b''
            sys.stdout.buffer.write(seen)
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid,0)[1]))
            """
        return ChildProgram.run(Self.python, ["-c", program, passphrase, Self.age] + arguments)
    }
}
