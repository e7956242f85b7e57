// A person's key on the page.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal

extension MailPage {
    /// No address of the page holds a name.
    static func personID(_ address: String) -> String {
        String(
            Hex.encode(Hash.blake2b(Array(address.lowercased().utf8), key: Array("ddsnode/v1/person-id".utf8), count: 16))
                .prefix(16))
    }

    func person(_ id: String) async -> PersonModel? {
        guard let contact = contact(id), let own = agent.ownFingerprint else { return nil }
        return PersonModel(
            id: id, address: contact.address, standing: contact.words, since: WallTime(milliseconds: contact.entry.since),
            fingerprint: Self.model(contact.fingerprint, withPicture: true), former: contact.former.map { Self.model($0) },
            own: Self.model(own, withPicture: true), isCompared: contact.entry.isCompared,
            awaitsDecision: contact.entry.awaitsDecision, waiting: contact.waiting)
    }

    private func contact(_ id: String) -> Contact? {
        agent.unlocked?.store.trust.contacts.first { Self.personID($0.address) == id }
    }

    static func model(_ fingerprint: KeyFingerprint, withPicture: Bool = false) -> FingerprintModel {
        let code = withPicture ? QRCode(Array(fingerprint.scanned.utf8)) : nil
        return FingerprintModel(
            words: fingerprint.words, hex: fingerprint.hex, picture: code?.drawing ?? "", pictureSize: code?.drawingSize ?? 0)
    }

    /// `fingerprint` is what the form showed, or what was typed into it.
    func decide(person id: String, _ choice: PersonChoice, fingerprint text: String) async -> String {
        guard let contact = contact(id) else { return "Nothing was changed: that person's key is not known any more." }
        let decision: TrustBook.Decision
        switch (choice, KeyFingerprint(text)) {
        case (.compared, let found?), (.typed, let found?): decision = .compared(found)
        case (.accepted, let found?): decision = .accepted(found)
        case (.uncompared, _): decision = .uncompared
        case (.discarded, _): decision = .discarded
        case (.compared, nil), (.typed, nil), (.accepted, nil):
            return "That is no fingerprint: it has eight words of five letters, or 32 digits. Nothing was changed."
        }
        do throws(Failure) {
            let count = try await agent.decide(decision, on: contact.address)
            desk.storeChanged()
            return Self.notice(decision, contact.address, count)
        } catch {
            return "Nothing was changed: \(error.publicText)."
        }
    }

    private static func notice(_ decision: TrustBook.Decision, _ address: String, _ count: Int) -> String {
        let messages = "\(count) message\(count == 1 ? "" : "s")"
        let sent = count == 0 ? "" : " \(messages) go\(count == 1 ? "es" : "") out now."
        return switch decision {
        case .compared: "\(address) is verified.\(sent)"
        case .uncompared: "\(address) is not verified any more."
        case .accepted: "The new key of \(address) is used, not verified.\(sent)"
        case .discarded: "\(messages) to \(address) will not be sent; you find the text under Sent."
        }
    }

    /// Whose keys a message is about.
    func people(of summary: StoredSummary, _ store: MessageStore) -> [PersonLink] {
        if summary.isOwn {
            let waiting = store.trust.undecided(summary.id) ?? []
            return waiting.map { PersonLink(id: Self.personID("\($0)"), name: "\($0)", isUrgent: true) }
        }
        guard summary.isFromNode != true, let contact = store.trust.contact(summary.fromAddress),
            contact.address != "\(agent.account.address)"
        else { return [] }
        let isUrgent = contact.entry.awaitsDecision || [.firstSeen, .changed].contains(summary.signature?.verdict)
        return [PersonLink(id: Self.personID(contact.address), name: contact.address, isUrgent: isUrgent)]
    }
}
