// `store`: the agent's local store as a whole: is it sound, and mail in and out of it as files.

import ArgumentParser
import DDSAgent
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal

struct StoreCommand: ParsableCommand, Sendable {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "Check the agent's store; export and import mail.",
        subcommands: [
            StoreCheckCommand.self, StoreCompactCommand.self, StoreExportCommand.self, StoreImportCommand.self,
            StoreRetryCommand.self,
        ])
}

extension MailFileFormat: ExpressibleByArgument {}

struct StoreCheckCommand: NodeCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Read everything that is stored and say what is damaged.",
        discussion: "With a passphrase, or in an unlocked agent, each record is opened too. The exit status is 0 when all is "
            + "well, 1 when something is damaged or does not open, and 74 when the store cannot be read.")

    @OptionGroup var opening: PassphraseOption
    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        var arguments: [String: JSONValue] = [:]
        if opening.passphraseFile != nil {
            arguments["passphrase"] = try context.text(try opening.secret(context), option: "--passphrase-file")
        }
        let request = ControlRequest("agent.store.check", .object(arguments))
        // Looking needs no open store: it is damaged stores that are looked at.
        let result = try await Dispatch.store(
            context, unlocking: { nil }, work: { ask throws(Failure) in try await ask(request) })
        let damage = result["damage"]?.strings ?? []
        let unopened = result["unopened"]?.integer ?? 0
        context.output.result(result) { Self.describe(result, damage, unopened, context.output) }
        return damage.isEmpty && unopened == 0 ? 0 : 1
    }

    private static func describe(_ result: JSONValue, _ damage: [String], _ unopened: Int64, _ output: Output) -> String {
        var text = "\(SafeWord.text(result["records"])) records, \(SafeWord.text(result["bytes"])) bytes read"
        text +=
            result["content_checked"]?.boolean == true
            ? "; \(SafeWord.text(result["opened"])) of them opened\n"
            : "; not opened, for that give --passphrase-file or unlock\n"
        for words in damage { text += output.warning("damaged: \(SafeWord.text(words))") + "\n" }
        if !damage.isEmpty { text += "Restore the state folder from a backup; what is not named here is sound.\n" }
        if unopened > 0 {
            text +=
                "\(unopened) message\(unopened == 1 ? "" : "s") could not be opened and \(unopened == 1 ? "is" : "are") kept; "
            text += "see: ddsnode store retry, ddsnode store export --quarantine\n"
        }
        return text
    }
}

struct StoreCompactCommand: NodeCommand {
    static let configuration = CommandConfiguration(
        commandName: "compact", abstract: "Give back to the disk what removed mail has left free.",
        discussion: "That happens by itself in time; this does it now. No passphrase is needed.")

    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        let result = try await Dispatch.store(
            context, unlocking: { nil }, work: { ask throws(Failure) in try await ask(ControlRequest("agent.store.compact")) })
        context.output.result(result) {
            "\(SafeWord.text(result["disk_bytes"])) bytes on the disk, "
                + "\(SafeWord.text(result["disk_bytes_before"])) before; \(SafeWord.text(result["moved"])) records moved"
        }
        return 0
    }
}

struct StoreExportCommand: NodeCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write your mail into files that other programs read.",
        discussion: "What is written is not sealed: whoever has the files can read it.")

    @Argument(help: "The folder to write to; new or empty.", completion: .directory) var folder: String
    @Option(help: ArgumentHelp("mbox or maildir.", valueName: "format")) var format = MailFileFormat.mbox
    @Option(help: ArgumentHelp("Only messages of this group.", valueName: "group")) var group: String?
    @Flag(help: "Instead write the mail that could not be opened, sealed as it came.") var quarantine = false
    @OptionGroup var opening: PassphraseOption
    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func validate() throws {
        if quarantine, group != nil { throw ValidationError("Mail that could not be opened belongs to no group yet.") }
    }

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        let count = try await Dispatch.store(
            context, unlocking: { () throws(Failure) in quarantine ? nil : try opening.secret(context) },
            work: { ask throws(Failure) in quarantine ? try await exportUnopened(ask) : try await exportMail(ask) })
        context.output.result(["folder": .text(folder), "exported": .number(count)]) {
            "\(count) message\(count == 1 ? "" : "s") written to \(folder)"
        }
        if count > 0, !quarantine { context.output.progress("They are not sealed: whoever has these files can read them.") }
        return 0
    }

    @LoopActor private func exportMail(_ ask: Dispatch.Asking) async throws(Failure) -> Int {
        let listed = try await ask(ControlRequest("agent.store.list", group.map { ["group": .text($0)] } ?? [:])).array ?? []
        try ExportFolder.prepare(folder)
        do {
            var export: any MailExport = try format == .mbox ? MboxExport(folder: folder) : MaildirExport(folder: folder)
            for item in listed {
                guard let id = item["id"]?.string else {
                    throw Failure(.protocolError, "the agent lists a message without an id")
                }
                let entry = MailFileEntry(
                    sender: item["from"]?.string ?? "", received: WallTime(milliseconds: item["received"]?.integer ?? 0),
                    isOwn: item["own"]?.boolean ?? false, isUnread: item["unread"]?.boolean ?? false)
                try export.add(try await Self.raw(ask, ControlRequest("agent.store.read", ["id": .text(id)])), entry)
            }
            try export.finish()
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.inputOutput, "the export is not whole: \(error)")
        }
        return listed.count
    }

    @LoopActor private func exportUnopened(_ ask: Dispatch.Asking) async throws(Failure) -> Int {
        let listed = try await ask(ControlRequest("agent.store.unopened")).array ?? []
        try ExportFolder.prepare(folder)
        for item in listed {
            guard let record = item["record"]?.integer else {
                throw Failure(.protocolError, "the agent lists a record without a number")
            }
            let bytes = try await Self.raw(ask, ControlRequest("agent.store.unopened.read", ["record": .number(record)]))
            do {
                try HostFiles.write("\(folder)/unopened-\(record).eml", bytes)
            } catch {
                throw Failure(.inputOutput, "the export is not whole: \(error)")
            }
        }
        return listed.count
    }

    @LoopActor private static func raw(_ ask: Dispatch.Asking, _ request: ControlRequest) async throws(Failure) -> [UInt8] {
        guard let bytes = try await ask(request)["raw"]?.string.flatMap({ Base64.decode(Array($0.utf8)) }) else {
            throw Failure(.protocolError, "the agent did not answer with a message")
        }
        return bytes
    }
}

struct StoreImportCommand: NodeCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Take mail from files: mbox, Maildir, or a single message.",
        discussion: "What the store holds already is not doubled. What is no message is named and left out; the exit status is "
            + "then 1.")

    @Argument(help: "An mbox file, a Maildir, a message, or a folder of such files.", completion: .file()) var path: String
    @OptionGroup var opening: PassphraseOption
    @OptionGroup(title: "Global options") var globals: GlobalOptions

    /// What an import came to.
    private struct Sum: Sendable {
        var added = 0
        var known = 0
        var skipped: [String] = []
    }

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        guard HostFiles.exists(path) else { throw Failure(.fileMissing, "there is no \(path)") }
        let sum = try await Dispatch.store(
            context, unlocking: { () throws(Failure) in try opening.secret(context) },
            work: { ask throws(Failure) in try await take(ask) })
        let result: JSONValue = ["added": .number(sum.added), "known": .number(sum.known), "skipped": .texts(sum.skipped)]
        context.output.result(result) {
            "\(sum.added) added, \(sum.known) here already" + (sum.skipped.isEmpty ? "" : ", \(sum.skipped.count) skipped")
        }
        for words in sum.skipped { context.output.complain("skipped \(SafeWord.text(words))") }
        return sum.skipped.isEmpty ? 0 : 1
    }

    @LoopActor private func take(_ ask: Dispatch.Asking) async throws(Failure) -> Sum {
        var sum = Sum()
        // How often the same bytes came in this import: what is there twice stays twice.
        var occurrences: [[UInt8]: Int64] = [:]
        try await MailImport.walk(
            path,
            take: { message throws(Failure) in
                let key = Hash.blake2b(message.bytes, count: 32) + [message.isOwn ? 1 : 0]
                occurrences[key, default: 0] += 1
                var arguments: [String: JSONValue] = [
                    "raw": .text(String(decoding: Base64.encode(message.bytes), as: UTF8.self)), "own": .bool(message.isOwn),
                    "unread": .bool(message.isUnread), "occurrence": .number(occurrences[key] ?? 1),
                ]
                if let received = message.received { arguments["received"] = .number(received.milliseconds) }
                let answer = try await ask(ControlRequest("agent.store.import", .object(arguments)))
                if answer["added"]?.boolean == true { sum.added += 1 } else { sum.known += 1 }
            },
            skip: { sum.skipped.append($0) })
        return sum
    }
}

struct StoreRetryCommand: NodeCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry", abstract: "Try once more to open the mail that could not be opened.",
        discussion: "The exit status is 1 while some of it still does not open.")

    @OptionGroup var opening: PassphraseOption
    @OptionGroup(title: "Global options") var globals: GlobalOptions

    func perform(_ context: Context) async throws(Failure) -> Int32 {
        let result = try await Dispatch.store(
            context, unlocking: { () throws(Failure) in try opening.secret(context) },
            work: { ask throws(Failure) in try await ask(ControlRequest("agent.store.retry")) })
        let left = result["unopened"]?.integer ?? 0
        context.output.result(result) { "\(SafeWord.text(result["opened"])) opened, \(left) kept" }
        return left == 0 ? 0 : 1
    }
}
