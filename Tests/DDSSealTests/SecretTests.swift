// Locked memory: what it holds, what it prints, what is left of what it took over, and the hardening of the process.

import DDSCore
import DDSTestKit
import Foundation
import Testing

@testable import DDSSeal

@Suite struct SecretTests {
    @Test func consumedArray_isOverwrittenInItsPlace() {
        var bytes = [UInt8](1...200)
        let before = unsafe bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
        let secret = SecretBytes(consuming: &bytes)
        // Another address would mean that a copy was overwritten, and the bytes themselves left in memory.
        let after = unsafe bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
        #expect(bytes == [UInt8](repeating: 0, count: 200) && before == after)
        #expect(secret.isEqual(to: [UInt8](1...200)))
    }

    @Test func passphraseFile_leavesNothingInOrdinaryMemory() async {
        await #expect(processExitsWith: .success) {
            // Longer than the registers that the dynamic linker may save on the stack at any time.
            let needle = MaskedNeedle(SeededRandom(seed: 71).bytes(256))
            // Many sizes, since the search itself reuses some of what was freed. Each step is searched for by itself.
            let sizes = Array(2...80)
            for size in sizes {
                var content = needle.unmasked(times: size)
                SecretBytes(consuming: &content).withExposed { #expect($0.count == 256 * size) }
            }
            #expect(try !needle.isInOrdinaryMemory(), "after exposing")
            var files: [[UInt8]] = []
            for size in sizes {
                var content = needle.unmasked(times: size)
                let secret = SecretBytes(consuming: &content)
                files.append(
                    try PassphraseFile.seal(secret, passphrase: Seal.secret("words"), workFactor: 1, random: SystemRandom()))
            }
            #expect(try !needle.isInOrdinaryMemory(), "after sealing")
            for file in files { #expect(try PassphraseFile.open(file, passphrase: Seal.secret("words")).count > 0) }
            #expect(try !needle.isInOrdinaryMemory(), "after opening")
            // The search finds what is there.
            let copy = needle.unmasked(times: 1)
            let isFound = try needle.isInOrdinaryMemory()
            #expect(isFound && copy.count == 256)
        }
    }

    @Test func parts_andSums() {
        let secret = Seal.secret([1, 2, 3, 4])
        #expect(secret.count == 4)
        #expect(secret.part(1, 2).isEqual(to: [2, 3]))
        #expect(secret.part(0, 4) == secret && secret.part(4, 0).count == 0)
        #expect(secret.appending(Seal.secret([5])).isEqual(to: [1, 2, 3, 4, 5]))
        #expect(secret.appending(Seal.secret([])) == secret && Seal.secret([]).appending(secret) == secret)
        #expect(secret != Seal.secret([1, 2, 3]) && secret != Seal.secret([1, 2, 3, 5]))
        #expect(!secret.isEqual(to: [1, 2, 3]) && !secret.isEqual(to: [1, 2, 3, 4, 5]) && secret.isEqual(to: [1, 2, 3, 4]))
        #expect(secret.withExposed { $0 } == [1, 2, 3, 4])
        #expect(SecretBytes.random(32) != SecretBytes.random(32))
    }

    @Test func partOutside_traps() async {
        await #expect(processExitsWith: .failure) { _ = SecretBytes.random(4).part(3, 2) }
        await #expect(processExitsWith: .failure) { _ = SecretBytes.random(4).part(-1, 2) }
        await #expect(processExitsWith: .failure) { _ = SecretBytes.random(4).part(1, -1) }
        await #expect(processExitsWith: .failure) { _ = SecretBytes.random(4).part(1, .max) }
    }

    @Test func secret_cannotBeWrittenAfterwards() async {
        await #expect(processExitsWith: .failure) {
            unsafe SecretBytes.random(4).withBytes { bytes in
                unsafe UnsafeMutableRawBufferPointer(mutating: bytes).storeBytes(of: 1, as: UInt8.self)
            }
        }
    }

    @Test func secret_printsItsLengthOnly() {
        let secret = Seal.secret("needle")
        var dumped = ""
        dump(secret, to: &dumped)
        dump([secret], to: &dumped)
        dumped += "\(secret) \(String(reflecting: secret)) \(String(describing: Optional(secret)))"
        #expect(!dumped.contains("needle") && !dumped.contains("110") && dumped.contains("<6 secret bytes>"))
    }

    @Test func wipe_overwritesInPlace() {
        var bytes = [UInt8](repeating: 7, count: 100)
        let before = unsafe bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
        Wipe.zero(&bytes)
        let after = unsafe bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
        #expect(bytes == [UInt8](repeating: 0, count: 100) && before == after)
        var empty: [UInt8] = []
        Wipe.zero(&empty)
    }

    @Test func bufferOfPlaintext_hasValueSemantics() {
        var buffer = WipedBuffer(capacity: 10)
        buffer.withBytes { $0.append(contentsOf: [1, 2, 3]) }
        var copy = buffer
        copy.withBytes { $0.append(4) }
        #expect(buffer.count == 3 && copy.count == 4)
        buffer.wipe()
        #expect(buffer.count == 0 && copy.withBytes { $0 } == [1, 2, 3, 4])
    }

    @Test func bufferOfPlaintext_isOverwrittenInItsPlace() {
        var buffer = WipedBuffer(capacity: 100)
        buffer.withBytes { $0.append(contentsOf: [UInt8](repeating: 7, count: 100)) }
        let before = buffer.withBytes { unsafe $0.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) } }
        buffer.wipe()
        // Empty, but the storage is kept, so that its place may still be read.
        let after = buffer.withBytes { unsafe $0.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) } }
        #expect(before == after && buffer.count == 0)
        let left = unsafe UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: before), count: 100).contains(7)
        #expect(!left)
    }

    @Test func randomBytes_areAsManyAsAskedAndDiffer() {
        let random = SystemRandom()
        #expect(random.bytes(0).isEmpty && random.bytes(33).count == 33 && random.bytes(32) != random.bytes(32))
    }

    @Test func figuresOfSecretMemory_nameTheRemedyWhereSomethingIsNotLocked() {
        #expect(SecretMemory.Figures(held: 4096, unlocked: 0).warning == nil)
        let words = SecretMemory.Figures(held: 4096, unlocked: 64).warning ?? ""
        #expect(words.contains("64 of 4096") && words.contains("LimitMEMLOCK"))
    }

    @Test func secretMemory_isCountedAsLongAsItIsHeld() async {
        // In a process of its own, where nobody else has secrets.
        await #expect(processExitsWith: .success) {
            let before = SecretMemory.figures.held
            var secret: SecretBytes? = .random(1000)
            #expect(SecretMemory.figures.held == before + 1000)
            withExtendedLifetime(secret) {}
            secret = nil
            #expect(SecretMemory.figures.held == before)
            // A message's keys lie in a region that stays.
            for _ in 0..<2 { _ = unsafe SecretBytes(count: 32, life: .message) { _ in } }
            #expect(SecretMemory.figures.held == before + 16384)
        }
    }

    @Test func memoryThatCannotBeLocked_isCounted() async {
        await #expect(processExitsWith: .success) {
            // RLIMIT_MEMLOCK, under which the superuser does not stand.
            var none = rlimit(rlim_cur: 0, rlim_max: 0)
            let status = unsafe setrlimit(__rlimit_resource_t(8), &none)
            #expect(status == 0)
            #expect(getuid() != 0 || setuid(65534) == 0)
            let secret = SecretBytes.random(1000)
            #expect(SecretMemory.figures == SecretMemory.Figures(held: 1000, unlocked: 1000))
            withExtendedLifetime(secret) {}
            #expect(SecretMemory.probe()?.contains("LimitMEMLOCK") == true)
        }
    }

    @Test func hardenedProcess_dumpsNothingAndGainsNothing() async {
        await #expect(processExitsWith: .success) {
            #expect(ProcessHygiene.isTraceable, "it begins like any other process")
            _ = signal(SIGSEGV) { _ in }
            ProcessHygiene.crashSilently()
            let handler = signal(SIGSEGV, SIG_DFL)
            #expect(handler == nil, "no handler of a crash is left")
            #expect(ProcessHygiene.harden().isEmpty, "nothing was refused")
            #expect(!ProcessHygiene.isTraceable && !ProcessHygiene.dumpsCore, "nobody may trace it")
            let limits = try ProcFile.text("self/limits")
            let core = limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") }
            #expect(core?.split(separator: " ").dropFirst(4).prefix(2).elementsEqual(["0", "0"]) == true, "no core dumps")
            let status = try ProcFile.text("thread-self/status")
            #expect(status.contains("NoNewPrivs:\t1"), "no new privileges")
        }
    }

    @Test func errors_haveWordsWithoutContent() {
        let errors: [AgeError] = [
            .noMatch, .hmacFailure, .headerFailure, .armorFailure, .payloadFailure, .tooLarge, .workFactor, .badRecipient,
            .badIdentity, .mixedRecipients,
        ]
        #expect(Set(errors.map(\.text)).count == errors.count)
        for error in errors { #expect("\(error)" == error.text && error.text.hasSuffix(".")) }
        #expect("\(VaultError.damaged(AgeError.payloadFailure.text))" == AgeError.payloadFailure.text)
        #expect(!"\(VaultError.wrongPassphrase)".isEmpty)
    }
}

/// What the kernel tells about this process.
enum ProcFile {
    static func text(_ name: String) throws -> String {
        let file = try #require(FileHandle(forReadingAtPath: "/proc/\(name)"))
        return String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self)
    }
}

/// Bytes to look for that are not themselves what is found.
struct MaskedNeedle {
    private static let mask: UInt8 = 0xa5
    private let masked: [UInt8]

    /// `masked` is the needle with every byte exclusive-or the mask.
    init(_ masked: [UInt8]) { self.masked = masked }

    /// The needle itself, over and over.
    func unmasked(times: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(times * masked.count)
        for _ in 0..<times { for byte in masked { bytes.append(byte ^ Self.mask) } }
        return bytes
    }

    /// Where the needle is. A plain loop: it goes through a great deal of memory, unoptimized.
    func locate(in bytes: [UInt8]) -> Int? {
        let first = masked[0] ^ Self.mask
        return unsafe bytes.withUnsafeBufferPointer { bytes in
            var start = 0
            let end = bytes.count - masked.count
            while start <= end {
                if unsafe bytes[start] == first {
                    var length = 1
                    while length < masked.count, unsafe bytes[start + length] ^ Self.mask == masked[length] { length += 1 }
                    if length == masked.count { return start }
                }
                start += 1
            }
            return nil
        }
    }

    /// Looks through all writable memory of this process but stacks and locked pages.
    func isInOrdinaryMemory() throws -> Bool {
        let maps = try ProcFile.text("self/smaps")
        let memory = try #require(FileHandle(forReadingAtPath: "/proc/self/mem"))
        var range: (UInt64, UInt64)?
        for line in maps.split(separator: "\n") {
            let words = line.split(separator: " ")
            let ends = words[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
            if ends.count == 2, words.count >= 5 {
                range = words[1].hasPrefix("rw") && !line.contains("[stack") ? (ends[0], ends[1]) : nil
            } else if words[0] == "VmFlags:", let (start, end) = range, !words.contains("lo"), end - start < 1 << 28 {
                try memory.seek(toOffset: start)
                if let bytes = try? memory.read(upToCount: Int(end - start)), locate(in: [UInt8](bytes)) != nil { return true }
            }
        }
        return false
    }
}
