// What a mail program puts down itself: drafts, which come out again as they were brought until somebody changes them on the
// page, and copies of what it has sent, which are there already when it was sent through this agent.

import DDSCore
import DDSLoop
import DDSMail
import DDSNode
import DDSSpool
import DDSWire
import FoundationEssentials

extension IMAPHandler {
    func mayAppend(_ octets: Int, to folder: IMAPFolder) throws(FolderDesk.Problem) -> IMAPServerAnswer {
        switch folder {
        case .drafts, .mail(.sent): break
        case .mail(.inbox), .mail(.group), .mail(.archive), .mail(.trash):
            throw Self.cannot("Mail comes here from the node; append to Drafts or Sent, or import a file: ddsnode store import")
        case .mail(.outbox): throw Self.cannot("Send the message, and it is in the Outbox; appending it sends nothing")
        }
        let limit = agent.services.config.server.limits.messageSize
        guard octets <= limit else {
            throw .refused(IMAPRefusal("TOOBIG", "The message has more than \(limit >> 20) MiB, which the node takes at most"))
        }
        return .proceed
    }

    func append(
        _ octets: [UInt8], to folder: IMAPFolder, _ flags: IMAPFlags, _ date: Int64?
    ) async throws(FolderDesk.Problem) -> IMAPServerAnswer {
        _ = try mayAppend(octets.count, to: folder)
        guard let store = openStore else { throw .locked }
        // No literal could give it out again (RFC 9051 section 9, CHAR8).
        let hasNUL = try? await Heavy.perform(octets: octets.count) { octets.contains(0) }
        guard hasNUL == false else { throw Self.cannot("The message has a NUL; encode it, as base64 does") }
        let uid = folder == .drafts ? try await draft(octets, flags) : try await sent(octets, flags, date, store)
        changed(store)
        return .appended(uidValidity: try await folders.uidValidity(), uid: uid)
    }

    private func draft(_ octets: [UInt8], _ flags: IMAPFlags) async throws(FolderDesk.Problem) -> UInt32 {
        guard let drafts = agent.unlocked?.drafts else { throw .locked }
        let id = OpaqueID.make(agent.services.random)
        let content = try? await Heavy.perform(octets: octets.count) { [random = agent.services.random] in
            DraftContent(octets, random: random)
        }
        guard let content else { throw .refused(IMAPRefusal("SERVERBUG", "The message cannot be taken apart")) }
        do throws(SpoolError) {
            _ = try await drafts.save(id) { draft in
                draft.recipients = content.recipients
                draft.subject = content.subject
                draft.body = content.body
                draft.attachments = content.attachments
                draft.raw = Data(octets)
                draft.flags = flags.system.subtracting([.draft, .seen]).rawValue
                draft.keywords = flags.keywords.isEmpty ? nil : flags.keywords
            }
        } catch {
            throw trouble("draft not kept", error)
        }
        guard let number = drafts.number(of: id), let uid = UInt32(exactly: number) else { throw .locked }
        return uid
    }

    /// The number is 0 of what waits in the outbox: it gets one here when it is out.
    private func sent(
        _ octets: [UInt8], _ flags: IMAPFlags, _ date: Int64?, _ store: MessageStore
    ) async throws(FolderDesk.Problem) -> UInt32 {
        let messageID = (try? await Heavy.perform(octets: octets.count) { ParsedMessage(octets).messageID }) ?? nil
        if let messageID, let known = await own(messageID, store) { return known }
        guard openStore === store else { throw .locked }
        let id: String?
        do throws(SpoolError) {
            let received = date.map { WallTime(milliseconds: $0 * 1000) } ?? agent.services.time.wall
            id = try await store.add(octets, sendState: .sent, isUnread: false, received: received, occurrence: .max)
            if let id { try await store.update([id]) { $0.flags = flags } }
        } catch {
            throw trouble("message not kept", error)
        }
        guard let item = id.flatMap({ store.items[$0] }), let uid = UInt32(exactly: item.folderNumber) else { throw .locked }
        return uid
    }

    /// The number of the message that this person wrote under that Message-ID.
    private func own(_ messageID: String, _ store: MessageStore) async -> UInt32? {
        let id = await store.withItems { items -> String? in
            let known = items.all.first { place in
                guard items.marks(place).contains(.own), !items.marks(place).contains(.trashed) else { return false }
                return items.summary(place).messageID == messageID
            }
            return known.map { items.id($0) }
        }
        guard let item = id.flatMap({ store.items[$0] }) else { return nil }
        return item.summary.folder == .sent ? UInt32(exactly: item.folderNumber) : 0
    }
}

/// What the page shows of a draft that was written elsewhere.
struct DraftContent: Sendable {
    var recipients: String
    var subject: String
    var body: String
    var attachments: [Draft.Attachment]

    /// Blind copies are not taken over: what the page sends names all its readers.
    init(_ octets: [UInt8], random: any RandomSource) {
        let parsed = ParsedMessage(octets)
        recipients = (parsed.to + parsed.cc).map(\.address).joined(separator: ", ")
        subject = parsed.subject.text
        body = parsed.bestPlainText
        attachments = parsed.attachments.compactMap { file in
            ParsedMessage.attachmentContent(file.index, of: octets).map {
                Draft.Attachment(id: OpaqueID.make(random), name: file.fileName.text, type: file.declaredType, content: $0)
            }
        }
    }
}
