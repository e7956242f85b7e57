// A node's seal keys through the weeks: what was recorded under an old one opens for nobody, and nothing that the node has taken is
// lost by that.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSTestKit
import DDSWire
import Foundation
import Testing

@testable import DDSServer

@Suite(.timeLimit(.minutes(5))) @LoopActor struct SealKeeperTests {
    private static let text = "Subject: x\r\n\r\nThe lamp is out.\r\n"
    private static let day = Duration.seconds(86_400)

    private func keeper(_ world: World) -> SealKeeper {
        SealKeeper(
            keys: world.context.keys, folder: ServerFolder(stateDir: world.folder), delivery: world.delivery,
            fence: world.store.fence, services: world.services)
    }

    private func numbers(_ world: World) -> [UInt64] { world.context.keys.seal.keys.map(\.number) }

    /// Two weeks of a keeper that looks when something is due.
    private func pass(_ durations: Duration..., of world: World, _ keeper: SealKeeper) async {
        for duration in durations {
            world.time.advance(by: duration)
            await keeper.look()
        }
    }

    /// A submission as an agent seals it, naming the key.
    private func sealed(_ world: World, to key: SealRing.Key, isNamed: Bool = true, kind: AgeKeyKind = .hybrid) throws
        -> [UInt8]
    {
        let recipient = try #require(key.identities.first { $0.kind == kind }?.recipient)
        var encryptor = try AgeEncryptor(
            recipients: [recipient], notes: isNamed ? [KeyNote.stanza(key.number)] : [], armor: .crlf, random: SystemRandom())
        return Array("Content-Type: application/age\r\n\r\n".utf8) + encryptor.update(Array(Self.text.utf8)[...])
            + encryptor.finish()
    }

    @Test func aWeekAndTwoDays_makeTheNextKeyAndDestroyTheFirst() async throws {
        try await withWorld { world in
            let alice = try await world.addKeyMember("alice")
            let bob = try await world.addKeyMember("bob")
            let keeper = keeper(world)
            await keeper.look()
            let first = world.context.keys.seal.newest
            #expect(first.number == 1 && first.made == world.time.wall)
            let client = try await world.submission(alice)
            func submit(_ message: [UInt8]) async throws -> String {
                try await client.submit(from: "alice", to: ["bob@node.test"], message)
            }
            let recorded = [
                try sealed(world, to: first), try sealed(world, to: first, isNamed: false),
                try sealed(world, to: first, kind: .classical),
            ]
            await pass(Self.day * 7 - .seconds(60), of: world, keeper)
            #expect(numbers(world) == [1])
            await pass(.seconds(60), of: world, keeper)
            #expect(numbers(world) == [1, 2])
            // Two days more for what is on its way.
            for message in recorded { #expect(try await submit(message).hasPrefix("250")) }
            await pass(Self.day * 2 - .seconds(60), of: world, keeper)
            #expect(numbers(world) == [1, 2])
            #expect(try await submit(recorded[0]).hasPrefix("250"))
            await pass(.seconds(60), of: world, keeper)
            #expect(numbers(world) == [2] && keeper.trouble == nil)
            #expect(try await submit(recorded[0]).hasPrefix("451 4.7.0 seal-key=2 "))
            #expect(try await submit(recorded[1]).hasPrefix("550 5.7.5"))
            #expect(try await submit(recorded[1]).contains("seal-key=2 is the one of now: take it from the reply to EHLO"))
            #expect(try await submit(recorded[2]).hasPrefix("451 4.7.0 seal-key=2 "))
            #expect(try await submit(sealed(world, to: world.context.keys.seal.newest)).hasPrefix("250"))
            #expect(try await world.opened(bob).count == 5)
            // A number that nobody gave, or the one of now, is no reason to try again.
            var foreign = SealRing.Key.generate(number: 2, made: nil, random: SystemRandom())
            #expect(try await submit(sealed(world, to: foreign)).hasPrefix("550 5.7.5"))
            foreign = .generate(number: 3, made: nil, random: SystemRandom())
            #expect(try await submit(sealed(world, to: foreign)).hasPrefix("550 5.7.5"))
        }
    }

    /// Theft: who recorded what went to the node, and later takes all its files and the key above them, cannot open it.
    @Test func aRecordedUpload_opensWithAllThatTheNodeHas_untilItsKeyIsDestroyed() async throws {
        try await withWorld { world in
            let keeper = keeper(world)
            await keeper.look()
            let first = world.context.keys.seal.newest
            let recorded = [try sealed(world, to: first, kind: .classical), try sealed(world, to: first, kind: .hybrid)]
            let folder = ServerFolder(stateDir: world.folder)
            let before = try HostFiles.read(folder.keys)
            let master = world.context.keys.master
            func opens() throws -> [Bool] {
                let stolen = try ServerKeys.open(in: folder, master: master)
                let everything = stolen.holdIdentities + stolen.sealIdentities
                return recorded.map { wrapper in
                    var intake = MessageIntake(identities: everything, random: SystemRandom())
                    intake.take(wrapper)
                    return (try? intake.finish()) != nil
                }
            }
            #expect(try opens() == [true, true])
            await pass(Self.day * 7, Self.day * 2 - .seconds(1), of: world, keeper)
            #expect(try opens() == [true, true])
            await pass(.seconds(1), of: world, keeper)
            #expect(try opens() == [false, false])
            // Nor is the file of before among the files of now.
            for name in try FileManager.default.subpathsOfDirectory(atPath: world.folder) {
                guard let bytes = FileManager.default.contents(atPath: world.folder + "/" + name) else { continue }
                #expect(bytes.range(of: Data(before.prefix(64))) == nil, "\(name)")
            }
            // The backup of then opens nothing either.
            let backup = NodeBackup(
                keys: world.context.keys, directory: world.store.directory, domain: World.domain, waiting: 0,
                at: world.time.wall)
            #expect(backup.sealIdentities.isEmpty && backup.sealNumber == 2)
        }
    }

    @Test func theAnnouncement_isSigned_andChangesWithTheKey() async throws {
        try await withWorld { world in
            let keeper = keeper(world)
            await keeper.look()
            let identity = world.context.keys.nodeIdentity.publicKey
            var seen: [String] = []
            for number in 1...3 as ClosedRange<UInt64> {
                let lines = world.context.keys.announcement(of: World.domain)
                let statement = try #require(try SealStatement(in: lines, of: World.domain, signedBy: identity))
                #expect(statement.number == number && statement.notBefore == world.time.wall)
                #expect(statement.notAfter == world.time.wall + Self.day * 9)
                #expect(statement.recipients == world.context.keys.seal.newest.identities.map { "\($0.recipient)" })
                #expect(lines.allSatisfy { $0.utf8.count + 6 <= 512 })
                seen += statement.recipients
                await pass(Self.day * 7, of: world, keeper)
            }
            #expect(Set(seen).count == 6)
        }
    }

    @Test func aSubmissionThatHasBegun_endsProperly() async throws {
        try await withWorld { world in
            let alice = try await world.addKeyMember("alice")
            let bob = try await world.addKeyMember("bob")
            let keeper = keeper(world)
            await keeper.look()
            let message = try sealed(world, to: world.context.keys.seal.newest)
            let client = try await world.submission(alice)
            for command in ["MAIL FROM:<alice@node.test>", "RCPT TO:<bob@node.test>", "DATA"] {
                _ = try await client.command(command)
            }
            client.write(Array(message.prefix(200)))
            await pass(Self.day * 7, Self.day * 2, of: world, keeper)
            #expect(numbers(world) == [2])
            client.write(Array(message.dropFirst(200)))
            client.send(".")
            #expect(try await client.reply().joined(separator: " ").hasPrefix("250"))
            #expect(try await world.opened(bob) == [Self.text])
        }
    }

    /// What agents say to the node itself, and newcomers who enrol.
    @Test func whatIsForTheNodeItself_isRefusedInTheSameWords() async throws {
        try await withWorld { world in
            let alice = try await world.addKeyMember("alice")
            let keeper = keeper(world)
            await keeper.look()
            let first = world.context.keys.seal.newest
            await pass(Self.day * 7, Self.day * 2, of: world, keeper)
            let client = try await world.submission(alice)
            let control = ["\(KeyStating.localPart)@node.test"]
            let reply = try await client.submit(from: "alice", to: control, sealed(world, to: first))
            #expect(reply.hasPrefix("451 4.7.0 seal-key=2 "))
            let unnamed = try await client.submit(from: "alice", to: control, sealed(world, to: first, isNamed: false))
            #expect(unnamed.hasPrefix("550 5.7.5"))
            let now = try await client.submit(from: "alice", to: control, sealed(world, to: world.context.keys.seal.newest))
            #expect(now.hasPrefix("550 5.6.0"))
            let newcomer = try await world.connect(.submissions, as: try Person("new"))
            _ = try await newcomer.command("EHLO client.test")
            #expect(try await newcomer.command("AUTH EXTERNAL ZW5yb2w=")[0].hasPrefix("235"))
            let enrolment = try await newcomer.submit(
                from: EnrolmentRequest.localPart, to: ["\(EnrolmentRequest.localPart)@node.test"], sealed(world, to: first))
            #expect(enrolment.hasPrefix("451 4.7.0 seal-key=2 "))
        }
    }

    // MARK: What is held

    @Test func heldMail_outlivesEverySealKey() async throws {
        try await withWorld { world in
            try await world.addKeyMember("alice")
            try await world.store.change { d throws(Failure) in try d.addingAccount("dora", display: "", groups: []) }
            try await world.addGroup("board", members: ["alice", "dora"])
            let keeper = keeper(world)
            await keeper.look()
            let outcome = await world.delivery.deliver(
                try world.message(Self.text), author: "alice", destinations: [.group("board")])
            #expect(outcome == .delivered(readers: 1, held: 1))
            await pass(Self.day * 7, Self.day * 2, Self.day * 5, Self.day * 2, of: world, keeper)
            #expect(numbers(world) == [3] && keeper.kept.isEmpty)
            let dora = try Person("dora")
            try await world.join(dora, as: "dora")
            // As after a start: what the disk has is what counts.
            let again = try await world.reopenedDelivery(
                try ServerKeys.open(in: ServerFolder(stateDir: world.folder), master: world.context.keys.master))
            await again.held.retry { _ in true }
            #expect(try await world.opened(dora) == [Self.text])
        }
    }

    /// Before there was a key for what is held it was sealed to the seal key, which stays for it, whatever its age.
    @Test func aKeyThatHeldMailOfBeforeIsUnder_staysUntilThatIsReleased() async throws {
        try await withWorld(isOfBefore: true) { world in
            try await world.addKeyMember("alice")
            try await world.store.change { d throws(Failure) in try d.addingAccount("dora", display: "", groups: []) }
            try await world.addGroup("board", members: ["alice", "dora"])
            _ = await world.delivery.deliver(try world.message(Self.text), author: "alice", destinations: [.group("board")])
            let first = world.context.keys.seal.newest
            #expect(first.hybrid == nil && world.context.keys.seal.hold == nil)
            let keeper = keeper(world)
            await keeper.look()
            _ = await world.delivery.deliver(try world.message(Self.text), author: "alice", destinations: [.group("board")])
            #expect(world.delivery.held.items.count == 2)
            await pass(Self.day * 7, Self.day * 2, of: world, keeper)
            #expect(numbers(world) == [1, 2] && keeper.kept == [1])
            #expect(world.context.keys.seal.newest.hybrid != nil)
            let dora = try Person("dora")
            try await world.join(dora, as: "dora")
            await world.delivery.held.retry { _ in true }
            #expect(try await world.opened(dora) == [Self.text, Self.text])
            // It is looked for again after an hour, and not every minute.
            await pass(.seconds(3599), of: world, keeper)
            #expect(numbers(world) == [1, 2])
            await pass(.seconds(1), of: world, keeper)
            #expect(numbers(world) == [2] && keeper.kept.isEmpty)
        }
    }

    // MARK: Trouble

    @Test func aFileThatCannotBeWritten_leavesTheKeyOfBefore_andIsSaid() async throws {
        try await withWorld { world in
            let keeper = keeper(world)
            await keeper.look()
            let folder = ServerFolder(stateDir: world.folder).path
            try HostFiles.rename(folder, to: folder + ".away")
            await pass(Self.day * 8, of: world, keeper)
            #expect(numbers(world) == [1])
            #expect(keeper.trouble?.contains("stay in use") == true)
            try HostFiles.rename(folder + ".away", to: folder)
            await keeper.look()
            #expect(numbers(world) == [1, 2] && keeper.trouble == nil)
        }
    }

    /// A node that stopped in the middle of a change destroys what the change was to destroy when it starts.
    @Test func aChangeThatWasInterrupted_isFinishedAtTheStart() async throws {
        try await withWorld { world in
            let first = keeper(world)
            await first.look()
            let former = ServerFolder(stateDir: world.folder).keys + ".old"
            try HostFiles.write(former, Array("the file of before".utf8))
            await first.look()
            #expect(HostFiles.exists(former))
            await keeper(world).look()
            #expect(!HostFiles.exists(former) && numbers(world) == [1])
        }
    }

    @Test func aChangeByHand_givesTheKeyOfBeforeItsTwoDays() async throws {
        try await withWorld { world in
            let keeper = keeper(world)
            try await keeper.rotate()
            #expect(numbers(world) == [1, 2])
            let told = SealKeeper.describe(world.context.keys.seal, kept: [], now: world.time.wall)
            #expect(told["number"]?.integer == 2 && told["earlier"]?.array?.count == 1)
            await pass(Self.day * 2 - .seconds(1), of: world, keeper)
            #expect(numbers(world) == [1, 2])
            await pass(.seconds(1), of: world, keeper)
            #expect(numbers(world) == [2])
        }
    }
}
