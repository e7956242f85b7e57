// Minisign's form, by itself and both ways against Debian's minisign.

import DDSCore
import DDSTestKit
import Testing

@testable import DDSSeal

@Suite struct MinisignTests {
    private let key = MinisignKey(SigningKey(seed: Seal.secret([UInt8](0..<32))))
    private let message = Array("Delivered.\r\n".utf8)

    @Test func aSignature_isValidForItsMessageAndKeyOnly() throws {
        let signature = key.sign(message, trustedComment: "to bob")
        #expect(signature.isValid(for: message, by: key.publicKey))
        #expect(!signature.isValid(for: message + [0], by: key.publicKey))
        #expect(!signature.isValid(for: [], by: key.publicKey))
        let other = MinisignKey(.generate())
        #expect(!signature.isValid(for: message, by: other.publicKey))
        // The name of a key is proof of nothing.
        #expect(!signature.isValid(for: message, by: MinisignPublicKey(keyID: key.publicKey.keyID, key: other.publicKey.key)))
        #expect(!signature.isValid(for: message, by: MinisignPublicKey(keyID: other.publicKey.keyID, key: key.publicKey.key)))
    }

    @Test func text_isReadBackAlike_withEitherLineEnd() throws {
        let signature = key.sign(message, trustedComment: "to bob, \u{fc}\u{1f600}\tid 7")
        for text in [
            signature.text, signature.text.replacing("\n", with: "\r\n"), String(signature.text.dropLast()),
            String(signature.text.replacing("\n", with: "\r\n").dropLast()),
        ] {
            #expect(MinisignSignature(text) == signature)
        }
        #expect(MinisignPublicKey("\(key.publicKey)") == key.publicKey)
        #expect("\(key.publicKey)".utf8.count == 56)
    }

    @Test func everyOctetCounts() throws {
        let signature = key.sign(message, trustedComment: "to bob")
        let text = Array(signature.text.utf8)
        let free = Array("untrusted comment: signature from a ddsnode\n".utf8).count
        for place in free..<text.count - 1 {
            var changed = text
            // Another character that keeps the line a line, and base64 base64 where it can.
            changed[place] = changed[place] == 0x41 ? 0x42 : 0x41
            guard changed != text else { continue }
            let read = MinisignSignature(String(decoding: changed, as: UTF8.self))
            #expect(read?.isValid(for: message, by: key.publicKey) != true, "octet \(place)")
        }
        // What stands in the first line may be anything.
        let renamed = signature.text.replacing("from a ddsnode", with: "from nobody")
        #expect(MinisignSignature(renamed)?.isValid(for: message, by: key.publicKey) == true)
    }

    @Test func otherForms_areNotTaken() throws {
        let text = key.sign(message, trustedComment: "c").text
        let lines = text.split(separator: "\n").map(String.init)
        var legacy = try #require(Base64.decode(Array(lines[1].utf8)))
        legacy[1] = 0x64
        let legacyLine = String(decoding: Base64.encode(legacy), as: UTF8.self)
        for wrong in [
            "", "\n\n\n\n", lines[0], lines[..<3].joined(separator: "\n"), text + "\n", text + "more\n", "\n" + text,
            [lines[0], legacyLine, lines[2], lines[3]].joined(separator: "\n"),
            [lines[0], lines[1], "comment: c", lines[3]].joined(separator: "\n"),
            [lines[2], lines[1], lines[0], lines[3]].joined(separator: "\n"),
            text.replacing("trusted comment: c", with: "trusted comment: c\u{7}"),
        ] {
            #expect(MinisignSignature(wrong) == nil, "\(wrong)")
        }
        for wrong in ["", "RW", "\(key.publicKey)A", String("\(key.publicKey)".dropLast()), "RU" + "\(key.publicKey)".dropFirst(2)] {
            #expect(MinisignPublicKey(wrong) == nil, "\(wrong)")
        }
    }

    @Test(arguments: [-1, 0, 1]) func theCommentsLimit_holdsToTheOctet(beyond: Int) throws {
        let comment = String(repeating: "x", count: MinisignSignature.commentBytesMax)
        let text = key.sign(message, trustedComment: comment).text
        let changed = beyond < 0 ? text.replacing(comment, with: comment.dropLast()) : text.replacing(comment, with: comment + String(repeating: "x", count: beyond))
        let read = MinisignSignature(changed)
        #expect((read != nil) == (beyond <= 0))
        #expect(read?.isValid(for: message, by: key.publicKey) != true || beyond == 0)
    }

    @Test func aCommentOfTwoLines_traps() async {
        await #expect(processExitsWith: .failure) { _ = MinisignKey(.generate()).sign([], trustedComment: "a\nb") }
        await #expect(processExitsWith: .success) { _ = MinisignKey(.generate()).sign([], trustedComment: "a b") }
    }
}

@Suite(.enabled(if: ChildProgram.exists("/usr/bin/minisign"), "/usr/bin/minisign is absent: nothing is compared with it"))
struct StockMinisignTests {
    private let program = "/usr/bin/minisign"

    @Test(arguments: [0, 1, 100_000]) func ourSignature_isVerifiedByStockMinisign(size: Int) throws {
        let folder = ScratchFolder()
        defer { folder.remove() }
        let message = SeededRandom(seed: 5).bytes(size)
        let key = MinisignKey(.generate())
        let comment = "ddsnode control node=node.test to=bob@node.test id=1"
        folder.write("m", message)
        folder.write("m.minisig", Array(key.sign(message, trustedComment: comment).text.utf8))
        let verify = { ChildProgram.run(program, ["-V", "-H", "-Q", "-P", "\(key.publicKey)", "-m", folder.path("m")]) }
        let good = verify()
        #expect(good.status == 0 && String(decoding: good.output, as: UTF8.self) == comment + "\n", "\(good.errors)")
        folder.write("m", message + [1])
        #expect(verify().status != 0)
        folder.write("m", message)
        folder.write("m.minisig", Array(key.sign(message, trustedComment: comment).text.replacing("bob@", with: "eve@").utf8))
        #expect(verify().status != 0)
    }

    @Test(arguments: [0, 1, 100_000]) func stockSignature_isVerifiedByUs(size: Int) throws {
        let folder = ScratchFolder()
        defer { folder.remove() }
        let message = SeededRandom(seed: 6).bytes(size)
        folder.write("m", message)
        #expect(ChildProgram.run(program, ["-G", "-W", "-p", folder.path("p"), "-s", folder.path("s")]).status == 0)
        let made = ChildProgram.run(program, ["-S", "-W", "-s", folder.path("s"), "-m", folder.path("m"), "-t", "words of trust"])
        #expect(made.status == 0, "\(made.errors)")
        let keyLine = String(decoding: folder.read("p"), as: UTF8.self).split(separator: "\n")[1]
        let key = try #require(MinisignPublicKey(String(keyLine)))
        let signature = try #require(MinisignSignature(String(decoding: folder.read("m.minisig"), as: UTF8.self)))
        #expect(signature.trustedComment == "words of trust")
        #expect(signature.isValid(for: message, by: key))
        #expect(!signature.isValid(for: message + [0], by: key))
        // The older algorithm, which signs the message itself.
        #expect(ChildProgram.run(program, ["-S", "-l", "-W", "-s", folder.path("s"), "-m", folder.path("m")]).status == 0)
        #expect(MinisignSignature(String(decoding: folder.read("m.minisig"), as: UTF8.self)) == nil)
    }
}
