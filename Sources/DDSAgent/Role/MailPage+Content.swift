// What the page shows of a message besides its text: its formatted version, its source, its files.

import DDSCore
import DDSHTML
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool

extension MailPage {
    /// What the page says of a message's formatted version; nil where there is none.
    func offer(_ parsed: ParsedMessage) async -> FormattedOffer? {
        guard parsed.hasHTML else { return nil }
        let octets = Array(parsed.formattedText.utf8)
        // Reading HTML costs some ten times as much as the message.
        let remote = try? await Heavy.perform(octets: octets.count * 10) { try? SanitizedHTML.survey(octets) }
        guard let remote = remote ?? nil else { return FormattedOffer(isAvailable: false) }
        return FormattedOffer(remote: remote)
    }

    func formatted(_ message: String) async -> FormattedMessage? {
        guard let store = agent.unlocked?.store, let bytes = try? await store.message(message) else { return nil }
        let found = await Loop.offload { () -> FormattedMessage? in
            let bytes = SignedMessage.inner(of: bytes)
            let text = ParsedMessage(bytes).formattedText
            guard !text.isEmpty, let html = try? SanitizedHTML(Array(text.utf8)) else { return nil }
            return FormattedMessage(html: html, images: ParsedMessage.relatedParts(of: bytes).compactMapValues { InlineImage($0) })
        }
        return agent.unlocked?.store === store ? found : nil
    }

    func source(_ message: String) async -> SourceModel? {
        guard let store = agent.unlocked?.store, let bytes = try? await store.message(message),
            agent.unlocked?.store === store
        else { return nil }
        return SourceModel(beginningOf: bytes)
    }

    func attachment(_ id: String) async -> AttachmentContent? {
        // Ids of messages have that letter too; the last one is ours.
        guard let cross = id.lastIndex(of: "x"), let number = Int(id[id.index(after: cross)...]),
            let store = agent.unlocked?.store, let bytes = try? await store.message(String(id[..<cross]))
        else { return nil }
        let found = try? await Heavy.perform(octets: bytes.count) { () -> AttachmentContent? in
            let bytes = SignedMessage.inner(of: bytes)
            guard let attachment = ParsedMessage(bytes).attachments.first(where: { $0.index == number }),
                let content = ParsedMessage.attachmentContent(number, of: bytes)
            else { return nil }
            return AttachmentContent(name: attachment.fileName.text, bytes: content, declaredType: attachment.declaredType)
        }
        return agent.unlocked?.store === store ? found ?? nil : nil
    }
}
