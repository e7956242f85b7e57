// The mailboxes that the dialog files about the gateway speak of: those of an agent with three messages, one group, and the
// agent's ways of saying no.

import DDSCore
import DDSTestKit
import DDSWire
import Foundation

enum IMAPGatewayModel {
    /// What the files have names for. The live runner finds the numbers out before it runs them.
    static let values = [
        "user": "bob", "password": "secret", "plain": "AGJvYgBzZWNyZXQ=", "board": "board", "address": "bob@node.test",
        "sender": "carol@node.test", "validity": "7", "u1": "3", "u2": "4", "u3": "7",
    ]

    /// The messages of `Tests/Dialogs/imap-inbox-*.eml`, filled in, with CRLF line ends.
    static func inbox(from file: String = #filePath) throws -> [[UInt8]] {
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Dialogs")
        return try (1...3).map { number in
            var text = try String(contentsOf: folder.appendingPathComponent("imap-inbox-\(number).eml"), encoding: .utf8)
            for name in ["sender", "address"] { text = text.replacing("$\(name)", with: values[name] ?? "") }
            return mimeOctets(text)
        }
    }

    static func make() throws -> IMAPModel {
        let model = IMAPModel()
        let received: IMAPFlags.System = [.seen, .answered, .flagged, .deleted]
        let own: IMAPFlags.System = [.answered, .flagged, .deleted]
        model.folders = [
            "INBOX": IMAPModel.Folder(permanentFlags: received), "Groups/board": IMAPModel.Folder(permanentFlags: received),
            "Archive": IMAPModel.Folder(use: .archive, permanentFlags: received),
            "Trash": IMAPModel.Folder(use: .trash, permanentFlags: received),
            "Drafts": IMAPModel.Folder(use: .drafts, permanentFlags: own),
            "Sent": IMAPModel.Folder(use: .sent, permanentFlags: own), "Outbox": IMAPModel.Folder(permanentFlags: own),
        ]
        for (uid, message) in zip([3, 4, 7] as [UInt32], try inbox()) {
            model.folders["INBOX"]?.uidNext = uid
            model.add(message, to: "INBOX", flags: IMAPFlags())
        }
        model.isHeldBack = { [unowned model] in if case .wait = $0 { model.stops == 0 } else { false } }
        model.override = { [unowned model] in answer($0, of: model) }
        return model
    }

    private static func declined(_ code: String) -> IMAPServerAnswer { .declined(IMAPRefusal(code, "The agent says why")) }

    /// Where the agent does something else than the model.
    private static func answer(_ question: IMAPServerQuestion, of model: IMAPModel) -> IMAPServerAnswer? {
        switch question {
        case .wait:
            model.stops = 0
            return .changed
        case .copy(_, let name), .move(_, let name):
            if model.folders[name] == nil { return declined("NONEXISTENT") }
            return ["Drafts", "Outbox", model.selected].contains(name) ? declined("CANNOT") : nil
        case .mayAppend(let name, _):
            if model.folders[name] == nil { return declined("NONEXISTENT") }
            return ["Drafts", "Sent"].contains(name) ? nil : declined("CANNOT")
        case .append(let name, let flags, _, let octets):
            if octets.contains(0) { return declined("CANNOT") }
            let kept = IMAPFlags(flags.system.union([.draft, .seen]), keywords: flags.keywords)
            return .appended(uidValidity: 7, uid: model.add(octets, to: name, flags: kept))
        case .manage(let management): return answer(management, of: model)
        case .search(let key): return .found(found(key, model))
        case .sort(let keys, let key):
            let uids = found(key, model)
            return .found(keys[0].isReverse ? uids.reversed() : uids)
        case .thread:
            return .threads([IMAPThread(uid: 3, children: [IMAPThread(uid: 4)]), IMAPThread(uid: 7)])
        default: return nil
        }
    }

    private static func answer(_ management: IMAPManagement, of model: IMAPModel) -> IMAPServerAnswer? {
        switch management {
        case .create(let name): declined(model.folders[name] == nil ? "CANNOT" : "ALREADYEXISTS")
        case .delete, .rename: declined("CANNOT")
        case .subscribe(let name): model.folders[name] == nil ? declined("NONEXISTENT") : nil
        case .unsubscribe: nil
        }
    }

    private static func found(_ key: IMAPSearchKey, _ model: IMAPModel) -> [UInt32] {
        let messages = model.selected.flatMap { model.folders[$0]?.messages } ?? []
        return messages.filter { holds(key, $0, model) }.map(\.row.uid)
    }

    private static func holds(_ key: IMAPSearchKey, _ message: IMAPModel.Message, _ model: IMAPModel) -> Bool {
        let text = String(decoding: message.bytes, as: UTF8.self).lowercased()
        let body = text.components(separatedBy: "\r\n\r\n").dropFirst().joined()
        return switch key {
        case .header(let name, let wanted):
            text.components(separatedBy: "\r\n").contains { $0.hasPrefix("\(name):") && $0.contains(wanted.lowercased()) }
        case .body(let wanted): body.contains(wanted.lowercased())
        case .text(let wanted): text.contains(wanted.lowercased())
        case .not(let inner): !holds(inner, message, model)
        case .or(let left, let right): holds(left, message, model) || holds(right, message, model)
        case .and(let keys): keys.allSatisfy { holds($0, message, model) }
        default: model.matches(message.row, key)
        }
    }
}
