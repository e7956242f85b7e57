// `send`, `list`, `show`: mail on the command line.

import ArgumentParser
import DDSAgent
import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal

/// The passphrase for a command that may have to open the store itself.
struct PassphraseOption: ParsableArguments, Sendable {
    @Option(
        help: ArgumentHelp("A file with the passphrase, for when no agent runs; - is standard input.", valueName: "file"),
        completion: .file())
    var passphraseFile: String?

    @LoopActor func secret(_ context: Context) throws(Failure) -> SecretBytes {
        try context.terminal.secret(file: passphraseFile, option: "--passphrase-file", question: "Passphrase")
    }

    /// A command about mail.
    @LoopActor func perform(_ request: ControlRequest, _ context: Context) async throws(Failure) -> JSONValue {
        try await Dispatch.mail(context, request) { () throws(Failure) in try secret(context) }
    }

    /// Everything that a command asks, with one opening of the store.
    @LoopActor func asking<Result: Sendable>(
        _ context: Context, _ work: @LoopActor (_ ask: @escaping Dispatch.Asking) async throws(Failure) -> Result
    ) async throws(Failure) -> Result {
        try await Dispatch.store(context, unlocking: { () throws(Failure) in try secret(context) }, work: work)
    }
}

struct SendCommand: NodeCommand {
    /// What goes through the control socket in one line, with room for base64.
    private static var messageBytesMax: Int { 40 << 20 }

    static let configuration = CommandConfiguration(
        commandName: "send", abstract: "Send a message; the text comes from standard input.",
        discussion:
            "A recipient without @ is at your node. With -t standard input is a whole message and its header "
            + "names the recipients, as with sendmail.")

    @Option(name: .shortAndLong, help: ArgumentHelp("The subject.", valueName: "text")) var subject: String?
    @Option(
        name: .shortAndLong, help: ArgumentHelp("A file to attach; may be given several times.", valueName: "file"),
        completion: .file())
    var attach: [String] = []
    @Flag(name: [.customShort("t"), .long], help: "Read a whole message and take the recipients from its header.")
    var fromHeader = false
    @Argument(help: "Members and groups to send to.") var recipients: [String] = []
    @OptionGroup var opening: PassphraseOption
    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func validate() throws {
        if fromHeader {
            guard recipients.isEmpty, subject == nil, attach.isEmpty else {
                throw ValidationError("With -t the message itself names recipients, subject and attachments.")
            }
        } else if recipients.isEmpty {
            throw ValidationError("Name at least one recipient, or use -t.")
        }
        if opening.passphraseFile == "-" {
            throw ValidationError("Standard input is the message; give the passphrase in a file.")
        }
    }

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        let files = try attachments()
        if context.terminal.canAsk { Output.write("Type the message; end it with Ctrl-D on a line of its own.\n", to: 2) }
        let input = try StandardInput.read(limit: Self.messageBytesMax)
        var arguments: [String: JSONValue] = ["from_headers": .bool(fromHeader)]
        if fromHeader {
            arguments["raw"] = .text(String(decoding: Base64.encode(input), as: UTF8.self))
        } else {
            guard let body = String(validating: input, as: UTF8.self) else {
                throw Failure(.badInput, "the text on standard input is not UTF-8; attach it with -a instead")
            }
            arguments["recipients"] = .texts(recipients)
            arguments["subject"] = .text(subject ?? "")
            arguments["body"] = .text(body)
            arguments["attachments"] = .list(files)
        }
        let request = ControlRequest("agent.send", .object(arguments))
        let result = try await opening.perform(request, context)
        context.output.result(result) {
            let words = "\(SafeWord.text(result["id"])) for \(SafeWord.text(result["recipients"]))"
            guard let people = result["waits_for"]?.strings else { return "queued \(words)" }
            let names = people.map { SafeWord.text($0) }.joined(separator: ", ")
            return "kept \(words): it waits, since \(names) has another key than before"
        }
        if let person = result["waits_for"]?.strings?.first {
            context.output.next("ddsnode key verify \(SafeWord.text(person)), or ddsnode contact accept or discard")
        }
        return 0
    }

    private func attachments() throws(Failure) -> [JSONValue] {
        var files: [JSONValue] = []
        var total = 0
        for path in attach {
            let content: [UInt8]
            do {
                content = try HostFiles.read(path, limit: Self.messageBytesMax)
            } catch {
                throw Failure(error.kind == .notFound ? .fileMissing : .inputOutput, "-a: \(error)")
            }
            total += content.count
            guard total <= Self.messageBytesMax else {
                throw Failure(.badInput, "the attachments have more than \(Self.messageBytesMax >> 20) MiB")
            }
            let name = path.split(separator: "/").last.map(String.init) ?? path
            files.append(["name": .text(name), "content": .text(String(decoding: Base64.encode(content), as: UTF8.self))])
        }
        return files
    }
}

struct ListCommand: NodeCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List your messages, oldest first.")

    @Option(help: ArgumentHelp("Only messages of this group.", valueName: "group")) var group: String?
    @OptionGroup var opening: PassphraseOption
    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        let request = ControlRequest("agent.list", group.map { ["group": .text($0)] } ?? [:])
        let result = try await opening.perform(request, context)
        let messages = result.array ?? []
        context.output.result(result) {
            guard !messages.isEmpty else { return "no messages" }
            return context.output.table(messages.map(Self.row), emphasis: { messages[$0]["unread"]?.boolean ?? false })
        }
        return 0
    }

    static func row(_ message: JSONValue) -> [String] {
        let date = String(SafeWord.text(message["date"]).prefix(16).replacing("T", with: " "))
        let state = message["waits_for"]?.strings == nil ? SafeWord.text(message["state"]) : "!waiting"
        // Only what is out of order has a sign.
        let isDoubtful = message["signature"]?["exception"]?.boolean == true
        let mark = (isDoubtful ? "!" : "") + (message["unread"]?.boolean == true ? "N" : state == "received" ? "" : state)
        let group = SafeWord.text(message["group"])
        let name = SafeWord.text(message["from_name"])
        return [
            SafeWord.text(message["id"]), mark, date, name.isEmpty ? SafeWord.text(message["from"]) : name,
            group.isEmpty ? "" : "#\(group)", SafeWord.text(message["subject"]),
        ]
    }
}

struct ShowCommand: NodeCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Show a message.")

    @Argument(help: "The message's id, as list shows it.") var id: String
    @Flag(help: "Print the message byte for byte (RFC 5322).") var raw = false
    @Option(
        help: ArgumentHelp(
            "Write what was signed, its signature and the key into this folder, for minisign.", valueName: "dir"),
        completion: .directory)
    var export: String?
    @OptionGroup var opening: PassphraseOption
    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        let request = ControlRequest("agent.show", ["id": .text(id), "raw": .bool(raw), "export": .bool(export != nil)])
        let result = try await opening.perform(request, context)
        if let export { return try Self.write(result, to: export, context) }
        guard raw, !context.output.isJSON else {
            context.output.result(result) { Self.describe(result, context.output) }
            return 0
        }
        guard let bytes = result["raw"]?.string.flatMap({ Base64.decode(Array($0.utf8)) }) else {
            throw Failure(.protocolError, "the agent did not answer with a message")
        }
        context.output.raw(bytes)
        return 0
    }

    /// Files under the message's id, in minisign's forms.
    private static func write(_ result: JSONValue, to folder: String, _ context: Context) throws(Failure) -> Int32 {
        guard let id = result["id"]?.string, id.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) }),
            let content = result["content"]?.string.flatMap({ Base64.decode(Array($0.utf8)) }),
            let signature = result["signature"]?.string
        else { throw Failure(.protocolError, "the agent did not answer with a signed message") }
        var files = [("\(id).eml", content), ("\(id).eml.minisig", Array(signature.utf8))]
        if let key = result["key"]?.string {
            files.append(("\(id).pub", Array("untrusted comment: minisign public key\n\(key)\n".utf8)))
        }
        for (name, bytes) in files {
            do {
                try HostFiles.write("\(folder)/\(name)", bytes)
            } catch {
                throw Failure(.cannotCreate, "cannot write \(folder)/\(name): \(error)")
            }
        }
        context.output.result(.texts(files.map { "\(folder)/\($0.0)" })) {
            "wrote \(files.map(\.0).joined(separator: " ")); check with: minisign -Vm \(id).eml -p \(id).pub"
        }
        return 0
    }

    private static func describe(_ message: JSONValue, _ output: Output) -> String {
        let name = SafeWord.text(message["from_name"])
        let address = SafeWord.text(message["from"])
        var rows = [
            ["From:", name.isEmpty ? address : "\(name) <\(address)>"],
            ["To:", (message["to"]?.strings ?? []).map { SafeWord.text($0) }.joined(separator: ", ")],
            ["Date:", SafeWord.text(message["date"])], ["Subject:", output.bold(SafeWord.text(message["subject"]))],
        ]
        for file in message["files"]?.array ?? [] {
            rows.append(["File:", "\(SafeWord.text(file["name"])) (\(SafeWord.text(file["size"])) bytes)"])
        }
        if let readers = message["readers"]?["words"]?.string { rows.append(["Readers:", SafeWord.text(.text(readers))]) }
        if let words = message["confirmed"]?.string { rows.append(["Owners:", SafeWord.text(.text(words))]) }
        if let signature = message["signature"]?["words"]?.string { rows.append(["Signature:", SafeWord.text(signature)]) }
        if let people = message["waits_for"]?.strings {
            let names = people.map { SafeWord.text($0) }.joined(separator: ", ")
            rows.append([
                "Waits:", "\(names) has another key than before; see: ddsnode key verify \(SafeWord.text(people.first ?? ""))",
            ])
        }
        if let words = message["node_saw"]?.string { rows.append(["Node:", SafeWord.text(.text(words))]) }
        if let note = message["note"]?.string { rows.append(["Note:", SafeWord.text(note)]) }
        return rows.map { $0[0].padded(to: 11) + $0[1] }.joined(separator: "\n") + "\n\n"
            + TextSafety.body(message["text"]?.string ?? "")
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(1, width - count)) }
}
