import DDSCore
import DDSLock
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import Foundation
import Logging
import Testing

@testable import DDSAgent

/// A person's mailbox keys: when they are made, told and destroyed, and that a stop between any two steps loses nothing.
@Suite(.timeLimit(.minutes(5))) struct MailboxKeeperTests {
    /// A node as the keeper sees it, and the files and the inbox of an agent.
    @LoopActor private final class Bench {
        let folder: String
        let file: MailboxKeyFile
        let vault = VaultKeys.generate(random: SystemRandom())
        let wall = Lock(WallTime(milliseconds: 1_800_000_000_000))
        /// What the node has accepted last.
        var accepted: MailboxStatement?
        var acceptedBytes: [UInt8] = []
        var older = 0
        var inbox: Set<UInt64> = []
        var isReachable = true
        /// Calls to the outside that are answered before the process dies; nil lives.
        var callsLeft: Int?
        /// The node hears what is said by the last call before the end, and its answer is lost.
        var told = 0

        init() throws {
            folder = try HostFiles.makeTemporaryFolder(prefix: "ddskeys")
            file = MailboxKeyFile(path: folder + "/mailbox.keys")
        }

        func keeper(_ ring: MailboxRing? = nil) throws -> MailboxKeeper {
            guard let address = MailAddress("alice@node.test") else { preconditionFailure("an address") }
            return MailboxKeeper(
                ring: try ring ?? (file.exists ? file.load(vault) : .ofVault(vault)), file: file, vault: vault,
                address: address,
                device: Array(repeating: 4, count: 32),
                outside: MailboxKeeper.Outside(
                    tell: { [self] in answer($0) },
                    takeIn: { [self] () throws(Failure) in
                        if try die() { throw Failure(.interrupted, "killed") }
                        return inbox
                    }, wall: { [wall] in wall.withLock { $0 } }, random: SystemRandom()),
                log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        }

        /// True when the process is dead by now.
        private func die() throws(Failure) -> Bool {
            guard let left = callsLeft else { return false }
            callsLeft = left - 1
            return left <= 0
        }

        private func answer(_ stating: KeyStating) -> MailboxKeeper.Answer {
            told += 1
            guard isReachable else { return .unreachable("away") }
            if stating.statement != acceptedBytes {
                do throws(StatementRefusal) {
                    let statement = try MailboxStatement(stating.statement, by: stating.identity)
                    try statement.check(follows: accepted == nil ? nil : acceptedBytes, number: accepted?.number ?? 0)
                    accepted = statement
                    acceptedBytes = stating.statement
                } catch {
                    return .refused(error.description)
                }
            }
            if (try? die()) == true { return .unreachable("killed") }
            return .standing(KeyStanding(number: accepted?.number ?? 0, older: older))
        }

        func later(_ duration: Duration = .seconds(86_400)) { wall.withLock { $0 = $0 + duration } }

        var recipients: [String] { (try? file.load(vault).keys.map { "\($0.identity.recipient)" }) ?? [] }
        func close() { try? HostFiles.removeTree(folder) }
    }

    @Test @LoopActor func aKeyOfADay_isFollowedByAnotherWhenMailCame() async throws {
        let bench = try Bench()
        defer { bench.close() }
        let keeper = try bench.keeper()
        // The vault's key is as old as can be, and there is no mail.
        await keeper.tend()
        #expect(keeper.ring.newest.number == 0 && bench.told == 0)
        keeper.mailCame()
        await keeper.tend()
        #expect(keeper.ring.keys.map(\.number) == [1] && keeper.trouble == nil)
        #expect(bench.accepted?.number == 1 && bench.recipients == [bench.accepted?.recipient])
        #expect(keeper.ring.earlier.isEmpty)
        // The vault's key opens what it opened.
        #expect(keeper.identities.count == 2)
        for (pause, number) in [(86_399, 1), (1, 2), (1, 2)] as [(Int, UInt64)] {
            bench.later(.seconds(pause))
            keeper.mailCame()
            await keeper.tend()
            #expect(keeper.ring.newest.number == number)
        }
        bench.later()
        bench.later()
        await keeper.tend()
        #expect(keeper.ring.newest.number == 3)
        bench.later()
        await keeper.tend()
        #expect(keeper.ring.newest.number == 3)
    }

    @Test @LoopActor func theOldKey_goesOnlyWhenNothingIsUnderIt() async throws {
        let bench = try Bench()
        defer { bench.close() }
        let keeper = try bench.keeper()
        keeper.mailCame()
        await keeper.tend()
        bench.later()
        bench.older = 1
        bench.inbox = [1]
        keeper.mailCame()
        await keeper.tend()
        #expect(keeper.ring.keys.map(\.number) == [1, 2])
        // Nothing is left at the node, but here it lies unopened.
        bench.older = 0
        await keeper.tend()
        #expect(keeper.ring.keys.map(\.number) == [1, 2])
        bench.inbox = [2, 0]
        bench.isReachable = false
        await keeper.tend()
        #expect(keeper.ring.keys.map(\.number) == [1, 2] && keeper.trouble == "away")
        bench.isReachable = true
        await keeper.tend()
        #expect(keeper.ring.keys.map(\.number) == [2] && keeper.trouble == nil)
        #expect(bench.recipients.count == 1)
        let told = bench.told
        await keeper.tend()
        #expect(bench.told == told)
    }

    @Test @LoopActor func aRefusedStatement_keepsEveryKeyAndIsNotRepeated() async throws {
        let bench = try Bench()
        defer { bench.close() }
        let keeper = try bench.keeper()
        keeper.mailCame()
        await keeper.tend()
        // Another agent of this person has stated something: the chain is not ours.
        bench.acceptedBytes = [1]
        bench.later()
        keeper.mailCame()
        await keeper.tend()
        #expect(keeper.ring.keys.map(\.number) == [1, 2] && keeper.trouble?.contains("does not take") == true)
        // The chain was offered once.
        let told = bench.told
        await keeper.tend()
        #expect(bench.told == told)
        #expect(try bench.file.load(bench.vault).keys.map(\.number) == [1, 2])
        // Locked: nothing is changed any more.
        let locked = try bench.keeper()
        locked.close()
        await locked.tend()
        #expect(bench.told == told)
    }

    /// Killed at each call to the outside and each write to the disk: the next start has every key that the node may seal to.
    @Test @LoopActor func aStopBetweenAnyTwoSteps_losesNoKeyAndNoStatement() async throws {
        for calls in 0..<6 {
            for failing in [false, true] {
                let bench = try Bench()
                defer { bench.close() }
                let first = try bench.keeper()
                first.mailCame()
                await first.tend()
                bench.later()
                let dying = try bench.keeper()
                bench.callsLeft = calls
                // A disk that takes nothing from the start on is a stop before the first write.
                if failing { try HostFiles.makeFolders(bench.file.path + ".new") }
                dying.mailCame()
                await dying.tend()
                // Whatever the node has accepted last can be opened by what is on the disk.
                #expect(bench.recipients.contains(bench.accepted?.recipient ?? "-"), "\(calls) \(failing)")
                if failing {
                    #expect(bench.accepted?.number == 1)
                    try HostFiles.removeTree(bench.file.path + ".new")
                }
                bench.callsLeft = nil
                let again = try bench.keeper()
                again.mailCame()
                await again.tend()
                #expect(again.ring.keys.map(\.number) == [2], "\(calls) \(failing)")
                #expect(bench.accepted?.number == 2 && bench.recipients == [bench.accepted?.recipient], "\(calls) \(failing)")
            }
        }
    }

    /// The node was restored from a backup of days ago: it is told what it lacks, in order, at the next unlock.
    @Test @LoopActor func aNodeThatWasSetBack_learnsTheChainAgain() async throws {
        let bench = try Bench()
        defer { bench.close() }
        var states: [(MailboxStatement, [UInt8])] = []
        for _ in 0..<4 {
            let keeper = try bench.keeper()
            keeper.mailCame()
            await keeper.tend()
            states.append((try #require(bench.accepted), bench.acceptedBytes))
            bench.later()
        }
        for (statement, bytes) in states {
            (bench.accepted, bench.acceptedBytes) = (statement, bytes)
            let keeper = try bench.keeper()
            #expect(keeper.ring.earlier.count == 3)
            await keeper.tend()
            #expect(bench.accepted?.number == 4 && keeper.trouble == nil && bench.acceptedBytes == states[3].1)
            // Once for each unlock.
            let told = bench.told
            await keeper.tend()
            #expect(bench.told == told)
        }
    }

    @Test func theRing_dropsAfterTheNodesAnswerOnly() throws {
        func key(_ number: UInt64, isConfirmed: Bool = true) -> MailboxRing.Key {
            MailboxRing.Key(
                number: number, since: WallTime(milliseconds: 0), identity: .generate(random: SystemRandom()), statement: [],
                isConfirmed: isConfirmed)
        }
        let ring = try #require(MailboxRing([key(4), key(5), key(6, isConfirmed: false)]))
        // Every order of: answer about 6, nothing older left, inbox empty.
        for (standing, inbox, isConfirmed, left) in [
            (KeyStanding(number: 5, older: 0), [], false, [4, 5, 6]), (KeyStanding(number: 6, older: 1), [], true, [4, 5, 6]),
            (KeyStanding(number: 6, older: 0), [], false, [4, 5, 6]), (KeyStanding(number: 6, older: 0), [4], true, [4, 6]),
            (KeyStanding(number: 6, older: 0), [5, 6], true, [5, 6]), (KeyStanding(number: 6, older: 0), [], true, [6]),
            (KeyStanding(number: 7, older: 0), [], true, [4, 5, 6]),
        ] as [(KeyStanding, Set<UInt64>, Bool, [UInt64])] {
            var ring = ring
            if isConfirmed { _ = ring.take(KeyStanding(number: 6, older: 9)) }
            _ = ring.drop(after: standing, inbox: inbox)
            #expect(ring.keys.map(\.number) == left, "\(standing) \(inbox)")
        }
        var early = ring
        let isTaken = early.take(KeyStanding(number: 5, older: 0))
        #expect(!isTaken && !early.newest.isConfirmed)
        #expect(MailboxRing([]) == nil && MailboxRing([key(2), key(2)]) == nil && MailboxRing([key(2), key(1)]) == nil)
    }

    @Test @LoopActor func theFile_isSealedReplacedWholeAndMissedWhenGone() async throws {
        let bench = try Bench()
        defer { bench.close() }
        let keeper = try bench.keeper()
        keeper.mailCame()
        await keeper.tend()
        let key = try bench.file.load(bench.vault).keys[0]
        #expect(key.number == 1 && key.isConfirmed && key.statement == bench.acceptedBytes)
        #expect(HostFiles.status(bench.file.path)?.isPrivate == true && !HostFiles.exists(bench.file.path + ".new"))
        let bytes = try HostFiles.read(bench.file.path)
        #expect(!bytes.contains(Array("AGE-SECRET".utf8)))
        // A second name of the old file, as a careless backup makes it, is not overwritten; without one it is.
        try FileManager.default.linkItem(atPath: bench.file.path, toPath: bench.folder + "/copy")
        bench.later()
        keeper.mailCame()
        await keeper.tend()
        #expect(try HostFiles.read(bench.folder + "/copy") == bytes)
        for (change, words) in [
            ({ $0[$0.count - 1] ^= 1 }, "damaged"), ({ $0 = [] }, "damaged"), ({ $0.removeLast() }, "damaged"),
        ] as [((inout [UInt8]) -> Void, String)] {
            var spoilt = try HostFiles.read(bench.file.path)
            change(&spoilt)
            let path = bench.folder + "/spoilt"
            try HostFiles.write(path, spoilt)
            #expect(throws: Failure.self) { try MailboxKeyFile(path: path).load(bench.vault) }
            #expect(try HostFiles.read(path) == spoilt, "\(words)")
        }
        let stranger = VaultKeys.generate(random: SystemRandom())
        #expect(throws: Failure.self) { try bench.file.load(stranger) }
        #expect(throws: Failure.self) { try MailboxKeyFile(path: bench.folder + "/nothing").load(bench.vault) }
    }

    @Test @LoopActor func whatWasThere_isOverwrittenWhereNoNameLeadsToIt() async throws {
        let folder = try HostFiles.makeTemporaryFolder(prefix: "ddserase")
        defer { try? HostFiles.removeTree(folder) }
        let path = folder + "/a"
        try HostFiles.write(path, Array("MARKER".utf8))
        let old = try #require(FileHandle(forReadingAtPath: path))
        try HostFiles.write(folder + "/b", Array("new".utf8))
        try HostFiles.replaceErasing(path, by: folder + "/b")
        #expect(try HostFiles.read(path) == Array("new".utf8) && !HostFiles.exists(folder + "/b"))
        #expect(try old.readToEnd() == Data(repeating: 0, count: 6))
        try HostFiles.write(folder + "/c", [1])
        try HostFiles.replaceErasing(folder + "/fresh", by: folder + "/c")
        #expect(try HostFiles.read(folder + "/fresh") == [1])
    }

    @Test @LoopActor func whatLiesUnopened_namesItsKey() async throws {
        let fixture = try AgentFixture()
        let store = try await fixture.store()
        let stranger = AgeIdentity.generate(random: SystemRandom())
        let fileKey = AgeFileKey.generate(random: fixture.random)
        let header = try FanOut.headers(
            fileKey: fileKey, recipients: [stranger.recipient], notes: [[KeyNote.stanza(7)]], random: fixture.random)[0]
        var writer = AgePayloadWriter(fileKey: fileKey, random: fixture.random)
        var armor = AgeArmorEncoder(lineEnd: .crlf)
        let file = header + writer.update(mail(subject: "x")[...]) + writer.finish()
        let address = try #require(MailAddress("alice@node.test"))
        let wrapped =
            SealedWrapper.head(node: "node.test", recipient: address, uidl: "U1", day: 20_000) + armor.update(file[...])
            + armor.finish()
        #expect(StoreIntake.keyNumber(wrapped) == 7)
        #expect(StoreIntake.keyNumber(Array("Subject: x\r\n\r\nplain\r\n".utf8)) == nil)
        try await deliverWrapped(wrapped, in: fixture.spool)
        try await fixture.deliver(mail(subject: "opens"))
        try await store.importFetched()
        #expect(try await store.keysOfUnopened() == [7])
        // The key comes: it opens, and nothing is left.
        store.identities = { [stranger, fixture.keys.mailbox] }
        #expect(try await store.retryUnopened() == 1)
        #expect(try await store.keysOfUnopened().isEmpty)
    }
}
