// What a group promises about post-quantum keys: who is refused, with which words, and what readers are told of a message.

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

@Suite @LoopActor struct PostQuantumTests {
    private func refusal(_ body: @LoopActor () async throws -> Void) async -> String {
        do {
            try await body()
        } catch let failure as Failure {
            return failure.publicText
        } catch {
            return "\(error)"
        }
        return ""
    }

    /// What each reader's own header says, by name.
    private func notes(_ world: World, _ names: [String]) async throws -> [AgeKeyKind?] {
        var kinds: [AgeKeyKind?] = []
        for name in names {
            let entry = try #require(try await world.waiting(name).last)
            kinds.append(SealNote.keys(in: try await world.stanzas(entry)))
        }
        return kinds
    }

    private func hybridKey(_ world: World) throws -> AgeRecipient { try #require(world.context.keys.hybridIdentity).recipient }

    @Test func hybridMember_getsMailUnderTheirOwnKey() async throws {
        try await withWorld { world in
            let bob = try await world.addKeyMember("bob", kind: .hybrid)
            let carol = try await world.addKeyMember("carol")
            let message = try world.message(sealedTo: hybridKey(world))
            #expect(message.wasSealed && message.wasHybrid)
            _ = await world.delivery.deliver(message, author: "alice", destinations: [.member("bob"), .member("carol")])
            for person in [bob, carol] { #expect(try await world.opened(person) == ["Subject: x\r\n\r\nHello.\r\n"]) }
            let sizes = try await [world.waiting("bob")[0].size, world.waiting("carol")[0].size]
            #expect(sizes[0] - sizes[1] == AgeHeader.ownHeaderBytes(.hybrid) - AgeHeader.ownHeaderBytes())
            #expect(try await notes(world, ["bob", "carol"]) == [.classical, .classical])
        }
    }

    /// Everybody's key and the way to the node count; what a group of policy `off` gets says nothing.
    @Test func oneClassicalKeyAnywhere_makesTheMessageClassical() async throws {
        try await withWorld { world in
            for name in ["alice", "bob"] { try await world.addKeyMember(name, kind: .hybrid) }
            try await world.addKeyMember("carol")
            try await world.addGroup("board", members: ["alice", "bob"])
            try await world.addGroup("mixed", members: ["alice", "bob", "carol"])
            try await world.addGroup("plain", pq: .off, members: ["alice", "bob", "carol"])
            let classicalKey = world.context.keys.sealIdentity.recipient
            for (key, places, expected) in [
                (try hybridKey(world), ["board"], AgeKeyKind.hybrid), (classicalKey, ["board"], .classical),
                (nil, ["board"], .classical), (try hybridKey(world), ["mixed"], .classical),
                (try hybridKey(world), ["plain"], nil),
                (try hybridKey(world), ["plain", "board"], .classical),
            ] as [(AgeRecipient?, [String], AgeKeyKind?)] {
                let message = try key.map { try world.message(sealedTo: $0) } ?? world.message()
                let outcome = await world.delivery.deliver(message, author: "alice", destinations: places.map { .group($0) })
                guard case .delivered(_, held: 0, keyless: 0) = outcome else {
                    Issue.record("\(outcome)")
                    continue
                }
                #expect(try await notes(world, ["bob"]) == [expected], "\(places)")
            }
            // A file key that a classical header holds as well is no hybrid one, whatever else there is.
            let fileKey = AgeFileKey.generate(random: SystemRandom())
            var reader = AgeHeaderReader()
            _ = try reader.feed(try AgeHeader.make(fileKey: fileKey, recipients: [classicalKey], random: SystemRandom())[...])
            #expect(!reader.isHybrid)
        }
    }

    @Test func memberWithoutKey_isNotPromisedForOthers() async throws {
        try await withWorld { world in
            try await world.addKeyMember("bob", kind: .hybrid)
            try await world.store.change { d throws(Failure) in try d.addingAccount("dora", display: "", groups: []) }
            try await world.addGroup("board", members: ["bob", "dora"])
            try await world.addGroup("strict", pq: .require, members: ["bob", "dora"])
            for (group, expected) in [("board", AgeKeyKind.classical), ("strict", .hybrid)] {
                // In `strict` dora's key will be a hybrid one, or she will get none.
                if group == "board" {
                    try await world.store.change { d throws(Failure) in try d.removingMembers(["dora"], from: "strict") }
                } else {
                    try await world.store.change { d throws(Failure) in
                        try d.addingMembers(["dora"], to: "strict", asOwners: false)
                    }
                }
                let outcome = await world.delivery.deliver(
                    try world.message(sealedTo: hybridKey(world)), author: "alice", destinations: [.group(group)])
                #expect(outcome == .delivered(readers: 2, held: 1))
                #expect(try await notes(world, ["bob"]) == [expected])
            }
            // Not even an administrator's classical key opens what others were told is hybrid.
            let classical = try Person("dora")
            try await world.store.change { _ throws(Failure) in
                [.accessGranted(name: "dora", login: .deviceKey("bb"), recipient: "\(classical.mailbox.recipient)")]
            }
            await world.delivery.held.retry { _ in true }
            #expect(try await world.opened(classical).count == 1 && world.held.map(\.cause) == [.noKey])
            // What was held says the same to her as to the others.
            let dora = try Person("dora", kind: .hybrid)
            try await world.store.change { _ throws(Failure) in
                [.accessGranted(name: "dora", login: .deviceKey("aa"), recipient: "\(dora.mailbox.recipient)")]
            }
            await world.delivery.held.retry { _ in true }
            #expect(world.held.isEmpty)
            var told: [AgeKeyKind?] = []
            for entry in try await world.waiting("dora") {
                var reader = AgeHeaderReader()
                _ = try reader.feed(try await world.spool.read(entry.uid, offset: 0, count: .max)[...])
                told.append(SealNote.keys(in: reader.stanzas))
            }
            #expect(told == [.classical, .hybrid])
        }
    }

    @Test func requiringGroup_refusesClassicalMembersByName() async throws {
        try await withWorld { world in
            try await world.addKeyMember("bob", kind: .hybrid)
            let carol = try await world.addKeyMember("carol")
            try await world.store.change { d throws(Failure) in try d.addingAccount("dora", display: "", groups: []) }
            let words = await refusal { try await world.addGroup("board", pq: .require, members: ["bob", "carol"]) }
            #expect(words.contains("carol's key is classical") && words.contains("ddsnode invite new carol"))
            try await world.addGroup("board", pq: .require, members: ["bob", "dora"])
            for asOwners in [false, true] {
                #expect(
                    await refusal {
                        try await world.store.change { d throws(Failure) in
                            try d.addingMembers(["carol"], to: "board", asOwners: asOwners)
                        }
                    } == words)
            }
            // Setting the policy later is refused while a member stands against it.
            try await world.addGroup("open", members: ["bob", "carol"])
            #expect(
                await refusal {
                    try await world.store.change { d throws(Failure) in
                        try d.changingGroup("open", title: nil, posting: nil, pq: .require)
                    }
                }.contains("carol's key is classical"))
            try await world.store.change { d throws(Failure) in try d.removingMembers(["carol"], from: "open") }
            try await world.store.change { d throws(Failure) in
                try d.changingGroup("open", title: nil, posting: nil, pq: .require)
            }
            // Other changes keep it, and so does a restart from the checkpoint.
            try await world.store.change { d throws(Failure) in try d.changingGroup("open", title: "Open", posting: nil) }
            #expect(world.store.directory.groups["open"]?.policy == .require)
            let again = try JSONDecoder().decode(Directory.self, from: JSONEncoder().encode(world.store.directory))
            #expect(again == world.store.directory && again.groups["open"]?.policy == .require)
            // A member of such a group gets no classical key, by whichever way.
            let key = "\(carol.mailbox.recipient)"
            for name in ["bob", "dora"] {
                #expect(
                    await refusal { try world.store.directory.checkKey(key, of: name) }.contains(
                        "\(name) is in board, which takes post-quantum"))
            }
            #expect(
                await refusal { try world.store.directory.checkKey(key, of: "new", joining: ["OPEN"]) }.contains("is in open"))
            #expect(await refusal { try world.store.directory.checkKey(key, of: "carol") }.isEmpty)
            try await world.store.change { d throws(Failure) in
                try d.creatingInvite(for: "dora", number: 7, secretHash: "h", expires: WallTime(milliseconds: .max))
            }
            for (recipient, isTaken) in [(key, false), ("\(try Person("x", kind: .hybrid).mailbox.recipient)", true)] {
                let outcome = world.store.directory.enrolling(
                    inviteNumber: 7, secretHash: "h", deviceKey: "d", recipient: recipient, now: world.time.wall)
                if case .accepted = outcome { #expect(isTaken) } else { #expect(!isTaken) }
                if case .refused(let events, let words) = outcome {
                    #expect(events.isEmpty && words.contains("board takes post-quantum keys only"))
                }
            }
        }
    }

    @Test func requiringGroup_takesNoMessageThatIsClassicalOnItsWay() async throws {
        try await withWorld { world in
            for name in ["alice", "bob"] { try await world.addKeyMember(name, kind: .hybrid) }
            try await world.addKeyMember("carol")
            try await world.store.change { d throws(Failure) in try d.addingAccount("dora", display: "", groups: []) }
            try await world.addGroup("board", posting: .all, pq: .require, members: ["alice", "bob"])
            let hybrid = try hybridKey(world)
            for (message, others, words) in [
                (try world.message(), [], "only mail that an agent sealed to this node's post-quantum key"),
                (try world.message(sealedTo: world.context.keys.sealIdentity.recipient), [], "post-quantum key"),
                (try world.message(sealedTo: hybrid), [.member("carol")], "carol's key is classical"),
                (try world.message(sealedTo: hybrid), [.member("dora")], "dora has no key yet"),
            ] as [(SealedMessage, [Directory.Destination], String)] {
                let outcome = await world.delivery.deliver(message, author: "alice", destinations: [.group("board")] + others)
                guard case .refused(let text) = outcome else {
                    Issue.record("\(outcome)")
                    continue
                }
                #expect(text.contains(words))
                #expect(outcome.reply.code == 550 && outcome.reply.lines.allSatisfy { $0.utf8.count < 500 })
            }
            #expect(try await world.waiting("bob").isEmpty && world.held.isEmpty)
            #expect(
                await world.delivery.deliver(
                    try world.message(sealedTo: hybrid), author: "alice", destinations: [.group("board")])
                    == .delivered(readers: 1))
            #expect(try await notes(world, ["bob"]) == [.hybrid])
        }
    }

    /// Events of nodes from before there were policies, byte for byte.
    @Test func groupsOfOlderNodes_preferHybridKeys() throws {
        let old = #"{"groupAdded":{"name":"board","title":"B","mode":"relay","posting":"members"}}"#
        var directory = Directory()
        directory.apply(try JSONDecoder().decode(DirectoryEvent.self, from: Data(old.utf8)))
        directory.apply(
            try JSONDecoder().decode(
                DirectoryEvent.self, from: Data(old.replacingOccurrences(of: "Added", with: "Changed").utf8)))
        #expect(directory.groups["board"]?.policy == .prefer && directory.groups["board"]?.title == "B")
    }
}
