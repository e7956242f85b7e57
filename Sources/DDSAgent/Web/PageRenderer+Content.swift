// Renders what a message has besides its text, and the page in front of a link.

import DDSCore
package import DDSHTML
import DDSMail
import DDSUnicode

extension PageRenderer {
    /// What the template `html` shows of a message.
    func formattedValues(_ message: MessageModel, _ context: Context, in thread: ThreadModel) -> [String: Any] {
        guard let offer = message.formatted else { return ["hasFormatted": false, "framePath": false] }
        let isShown = context.formatted == message.id && offer.isAvailable && context.showsFormatted
        // A page of a long thread begins elsewhere when its messages are read: the one with this message is asked for.
        let query = thread.earlier.map { "?c=\($0.count)" } ?? (thread.later == nil ? "" : "?c=0")
        return [
            "hasFormatted": true,
            "textPath": optional(isShown ? "/t/\(thread.id)\(query)#m-\(message.id)" : nil),
            "formattedPath": optional(
                offer.isAvailable && context.showsFormatted && !isShown ? "/m/\(message.id)\(query)#m-\(message.id)" : nil),
            "framePath": optional(isShown ? "/m/\(message.id)/html" : nil),
            "isUnshown": !offer.isAvailable,
            "remoteText": optional(Self.words(offer.remote)),
            "remoteHosts": offer.remote.hosts.map(\.shown).joined(separator: ", "),
        ]
    }

    /// `3 remote images blocked`.
    static func words(_ remote: RemoteContent) -> String? {
        var parts: [String] = []
        if remote.images > 0 { parts.append("\(remote.images) remote \(remote.images == 1 ? "image" : "images")") }
        if remote.others > 0 { parts.append("\(remote.others) other remote \(remote.others == 1 ? "thing" : "things")") }
        return parts.isEmpty ? nil : parts.joined(separator: " and ") + " blocked"
    }

    /// The pieces of a text, for the template `runs`.
    func runs(_ text: String, _ links: LinkNames?) -> [[String: Any]] {
        guard let links else { return [["runText": text, "linkPath": false, "linkHost": false]] }
        return TextLinks.runs(of: text).map { run in
            let host = run.target?.host.flatMap { run.text.lowercased().contains("://\($0.ascii)") ? nil : $0.ascii }
            return [
                "runText": run.text, "linkPath": optional(run.target.map { links.path(of: $0) }), "linkHost": optional(host),
            ]
        }
    }

    func fileValues(_ files: [AttachmentModel]) -> [[String: Any]] {
        files.map { file in
            let name = DisplayText.fileName(file.name)
            let view = FileView(kind: file.kind, declared: file.declaredType, ending: name.ending)
            return [
                "fileID": file.id, "fileStem": name.stem, "fileEnding": name.ending, "fileSize": Self.size(file.size),
                "fileKind": optional(file.kind.words), "fileIsShown": view != .none, "fileNote": optional(Self.note(file)),
                "fileIsPicture": file.kind.isImage && view != .none && file.size <= Self.previewMax,
            ]
        }
    }

    /// Larger pictures are not looked at before somebody asks for it.
    private static let previewMax = 2_000_000

    private static func note(_ file: AttachmentModel) -> String? {
        guard file.kind.contradicts(file.declaredType) else { return nil }
        let found =
            switch file.kind {
            case .unknown: "something else"
            case .archive: "an archive"
            default: "a " + file.kind.words
            }
        return "Sent as \(DisplayText.line(file.declaredType).text), but it is \(found)"
    }

    /// The document of the frame that a formatted message is shown in.
    package func formattedDocument(_ message: FormattedMessage, links: LinkNames) -> [UInt8] {
        Array(templates.render("frame", [:]).utf8)
            + message.html.rendered(path: { links.path(of: $0) }, image: { message.images[$0] })
            + Array("\n</body>\n</html>\n".utf8)
    }

    package func source(_ context: Context, frame: FrameModel, message: String, _ model: SourceModel) -> String {
        var values = surroundings(.thread, kind: "source", context, frame, current: nil)
        values["backPath"] = "/t/\(message)#m-\(message)"
        values["heading"] = "Source"
        values["text"] =
            model.isCut
            ? "The beginning of \(Self.size(model.size)), as it was sent." : "\(Self.size(model.size)), as it was sent."
        values["sourceText"] = DisplayText.body(model.text).text
        return templates.render("source", values)
    }

    /// A text file on a page of ours.
    package func textFile(_ context: Context, frame: FrameModel, id: String, name: String, _ model: SourceModel) -> String {
        var values = surroundings(.thread, kind: "file", context, frame, current: nil)
        let name = DisplayText.fileName(name)
        (values["fileID"], values["fileStem"], values["fileEnding"]) = (id, name.stem, name.ending)
        values["text"] = model.isCut ? "The beginning of \(Self.size(model.size))." : "\(Self.size(model.size))."
        values["sourceText"] = DisplayText.body(model.text).text
        return templates.render("textFile", values)
    }

    /// Where a link leads, before the browser goes there.
    package func link(_ target: LinkTarget) -> String {
        var values = head(.link, refreshes: false)
        let host = target.host
        values["heading"] = host == nil ? "A mail address" : "This link leads to"
        values["linkHost"] = host?.ascii ?? String(target.text.dropFirst("mailto:".utf8.count))
        values["linkShown"] = optional(host.flatMap { $0.shown == $0.ascii ? nil : $0.shown })
        values["linkText"] = target.text
        values["linkPath"] = optional(host == nil ? nil : target.text)
        values["linkNote"] = optional(
            host != nil && target.text.hasPrefix("http:") ? "What you send and read there is not encrypted." : nil)
        return templates.render("link", values)
    }
}
