// `contact` and `key verify`: other people's keys, as far as this agent knows them, and what its person says about them.

import ArgumentParser
import DDSAgent
import DDSCore
import DDSLoop
import DDSNode

struct ContactCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "contact", abstract: "Other people's keys, and mail that waits for a decision on one.",
        subcommands: [List.self, Accept.self, Discard.self])
}

extension ContactCommand {
    struct List: NodeCommand {
        static let configuration = CommandConfiguration(abstract: "List whose keys are known, and what they are worth.")

        @OptionGroup var opening: PassphraseOption
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await opening.asking(context) { ask throws(Failure) in
                try await ask(ControlRequest("agent.contacts"))
            }
            context.output.result(result) {
                let rows = (result.array ?? []).map { contact in
                    [
                        SafeWord.text(contact["address"]), SafeWord.text(contact["verdict"]),
                        String(SafeWord.text(contact["since"]).prefix(10)), KeyDesk.words(contact),
                    ] + [KeyDesk.standing(contact)]
                }
                return rows.isEmpty ? "no keys are known yet" : context.output.table(rows)
            }
            return 0
        }
    }

    struct Accept: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Go on with somebody's new key without comparing it.",
            discussion: "What waited for it is sent. Whoever was verified before is not any more.")

        @Argument(help: "The person.") var address: String
        @OptionGroup var opening: PassphraseOption
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await opening.asking(context) { ask throws(Failure) in
                let contact = try await KeyDesk.contact(address, ask)
                guard contact["awaits_decision"]?.boolean == true else {
                    throw Failure(
                        .badInput,
                        "the key of \(KeyDesk.name(contact)) has not changed, or was decided on; see: ddsnode contact list")
                }
                Output.write(KeyDesk.change(contact), to: 2)
                try context.terminal.confirm(
                    "Private mail to \(KeyDesk.name(contact)) goes out from now on, though nobody has compared the new key",
                    name: KeyDesk.name(contact))
                return try await KeyDesk.decide("accepted", contact, ask)
            }
            context.output.result(result) { "the key is accepted, not verified; \(KeyDesk.sent(result))" }
            return 0
        }
    }

    struct Discard: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give up what waits for a decision on somebody's key.",
            discussion: "The messages stay in your store, marked as not sent.")

        @Argument(help: "The person.") var address: String
        @OptionGroup var opening: PassphraseOption
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await opening.asking(context) { ask throws(Failure) in
                let contact = try await KeyDesk.contact(address, ask)
                let count = contact["waiting"]?.integer ?? 0
                guard count > 0 else { throw Failure(.badInput, "nothing waits for \(KeyDesk.name(contact))") }
                try context.terminal.confirm(
                    "\(count) message\(count == 1 ? "" : "s") to \(KeyDesk.name(contact)) will not be sent",
                    name: KeyDesk.name(contact))
                return try await KeyDesk.decide("discarded", contact, ask)
            }
            context.output.result(result) {
                "given up: \(SafeWord.text(result["messages"])), kept in the store as not sent"
            }
            return 0
        }
    }
}

extension KeyCommand {
    struct Verify: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Compare somebody's key with them.",
            discussion:
                "Meet them or call them, and compare the words. With the words from their screen, or the text of their QR "
                + "code, it compares by itself.")

        @Argument(help: "The person.") var address: String
        @Argument(help: "Their fingerprint, as they see it: eight words, 32 hexadecimal digits, or the QR code's text.")
        var words: [String] = []
        @Flag(help: "Take it back: the key was not compared after all.") var undo = false
        @OptionGroup var opening: PassphraseOption
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            guard !undo || words.isEmpty else { throw Failure(.usage, "--undo takes no words") }
            let (result, isDecided) = try await opening.asking(context) { ask throws(Failure) in
                let contact = try await KeyDesk.contact(address, ask)
                if undo { return (try await KeyDesk.decide("uncompared", contact, ask), true) }
                let name = KeyDesk.name(contact)
                if words.isEmpty {
                    Output.write(KeyDesk.comparison(contact), to: 2)
                    guard context.terminal.canAsk else { return (contact, false) }
                    let answer = try context.terminal.ask(
                        "Does \(name) see the same words? Type \"\(name)\" if so", standard: "no")
                    guard answer == name else {
                        throw Failure(
                            .interrupted,
                            "nothing was changed. If they differ, do not trust the key, and tell \(name) so on another way")
                    }
                    return (try await KeyDesk.decide("compared", contact, ask), true)
                }
                return (try await KeyDesk.decide("compared", contact, ask, fingerprint: words.joined(separator: " ")), true)
            }
            context.output.result(result) {
                if undo { return "\(KeyDesk.name(result)) is not verified" }
                return isDecided ? "\(KeyDesk.name(result)) is verified; \(KeyDesk.sent(result))" : ""
            }
            if !isDecided {
                context.output.next("ddsnode key verify \(KeyDesk.name(result)) WORDS, with what they read to you")
            }
            return 0
        }
    }
}

/// What the commands about other people's keys share.
@LoopActor enum KeyDesk {
    static func contact(_ address: String, _ ask: Dispatch.Asking) async throws(Failure) -> JSONValue {
        try await ask(ControlRequest("agent.contact", ["address": .text(address)]))
    }

    static func decide(
        _ decision: String, _ contact: JSONValue, _ ask: Dispatch.Asking, fingerprint: String? = nil
    ) async throws(Failure) -> JSONValue {
        let shown = fingerprint ?? contact["fingerprint"]?["hex"]?.string ?? ""
        return try await ask(
            ControlRequest(
                "agent.decide",
                ["address": contact["address"] ?? .null, "decision": .text(decision), "fingerprint": .text(shown)]))
    }

    static func name(_ contact: JSONValue) -> String { SafeWord.text(contact["address"]) }
    static func words(_ contact: JSONValue) -> String { SafeWord.text(contact["fingerprint"]?["words"]) }

    static func sent(_ result: JSONValue) -> String {
        switch result["messages"]?.integer ?? 0 {
        case 0: "nothing waited"
        case 1: "1 message goes out"
        case let count: "\(count) messages go out"
        }
    }

    /// What a list says beside the verdict.
    static func standing(_ contact: JSONValue) -> String {
        var parts: [String] = []
        if let former = contact["former"]?.array, !former.isEmpty {
            parts.append("\(former.count) former key\(former.count == 1 ? "" : "s")")
        }
        if contact["was_compared"]?.boolean == true { parts.append("verified before, not any more") }
        if let waiting = contact["waiting"]?.integer, waiting > 0 {
            parts.append("\(waiting) message\(waiting == 1 ? " waits" : "s wait") for your decision")
        }
        return parts.joined(separator: "; ")
    }

    private static func lines(_ fingerprint: JSONValue?) -> String {
        "    \(SafeWord.text(fingerprint?["words"]))\n    \(SafeWord.text(fingerprint?["hex"]))\n"
    }

    static func change(_ contact: JSONValue) -> String {
        guard let former = contact["former"]?.array?.last else { return "" }
        return
            "\(name(contact)) has another key since \(SafeWord.text(contact["since"])): \(SafeWord.text(contact["words"])).\n"
            + "The key before:\n\(lines(former))The key now:\n\(lines(contact["fingerprint"]))"
    }

    static func comparison(_ contact: JSONValue) -> String {
        let name = name(contact)
        return
            (contact["awaits_decision"]?.boolean == true
            ? change(contact) : "\(name): \(SafeWord.text(contact["words"])).\nTheir key:\n\(lines(contact["fingerprint"]))")
            + "Yours, for them to compare:\n\(lines(contact["own"]))"
            + "Compare where this node has no part: face to face, or on the telephone with a voice that you know. They see theirs "
            + "with: ddsnode key show\n"
    }
}
