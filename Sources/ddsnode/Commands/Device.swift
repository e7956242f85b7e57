// `device`: the machines on which a person reads their mail.

import ArgumentParser
import DDSAgent
import DDSCore
import DDSLoop
import DDSNode

struct DeviceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "device", abstract: "The devices on which you read your mail.",
        subcommands: [List.self, Link.self, Revoke.self])
}

extension DeviceCommand {
    struct List: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "List your devices, as the node has them.",
            discussion: "Each gets every message; what waits for a device that you use no more is kept until you revoke it.")

        @OptionGroup var opening: PassphraseOption
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await opening.perform(ControlRequest("agent.device.list"), context)
            context.output.result(result) { context.output.table((result.array ?? []).map(Self.row)) }
            return 0
        }

        private static func row(_ device: JSONValue) -> [String] {
            let title = device["title"]?.string ?? ""
            return [
                "device \(SafeWord.text(device["number"]))", title.isEmpty ? "the first" : "\"\(SafeWord.text(.text(title)))\"",
                device["since"]?.string == nil ? "" : "since \(SafeWord.text(device["since"]))",
                "\(SafeWord.text(device["waiting"])) waiting", device["this"]?.boolean == true ? "this one" : "",
            ]
        }
    }

    struct Link: NodeCommand {
        /// How often the node is asked whether the link was used.
        private static var pause: Duration { .seconds(1) }

        static let configuration = CommandConfiguration(
            abstract: "Make a link by which another device of yours joins, and wait for it.",
            discussion:
                "Prints the link; ddsnode join LINK on the other machine uses it, once and within a quarter of an hour. Whoever has it "
                + "in that time becomes you: show it to nobody, and send it to nobody.")

        @OptionGroup var opening: PassphraseOption
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await opening.asking(context) { ask throws(Failure) in
                let made = try await ask(ControlRequest("agent.device.link"))
                let link = made["link"]?.string ?? ""
                if context.output.isJSON { context.output.result(made) { "" } } else { Output.write(link + "\n", to: 1) }
                context.output.next(
                    "on your other machine, within \(SafeWord.text(made["minutes"])) minutes: ddsnode join LINK")
                return try await Self.wait(ask, context)
            }
            context.output.result(result) { "linked: device \(SafeWord.text(result["number"])) gets your mail from now on" }
            return 0
        }

        @LoopActor private static func wait(
            _ ask: Dispatch.Asking, _ context: Context
        ) async throws(Failure) -> JSONValue {
            var isTold = false
            while true {
                let state = try await ask(ControlRequest("agent.device.look"))
                switch state["state"]?.string {
                case "linked": return state
                case "granted":
                    if !isTold {
                        context.output.progress(
                            "\"\(SafeWord.text(state["title"]))\" has proven to have the link, and gets your identity")
                    }
                    isTold = true
                default: break
                }
                do {
                    try await Loop.sleep(for: pause)
                } catch {
                    throw Failure(.interrupted, "interrupted")
                }
            }
        }
    }

    struct Revoke: NodeCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a device of yours in no more, and erase what waits for it.",
            discussion:
                "For a device that was lost or sold. What it fetched before stays on it; what it knows of your identity it knows: where "
                + "somebody may have its passphrase, also ask for a new invite, with which your identity becomes another.")

        @Argument(help: "The device's number.") var number: Int
        @OptionGroup var opening: PassphraseOption
        @OptionGroup(title: "Global options") var globals: GlobalOptions

        func perform(_ context: Context) async throws(Failure) -> Int32 {
            let result = try await opening.perform(
                ControlRequest("agent.device.revoke", ["number": .number(number)]), context)
            context.output.result(result) { "revoked device \(SafeWord.text(result["revoked"]))" }
            return 0
        }
    }
}
