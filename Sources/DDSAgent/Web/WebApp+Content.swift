// The routes of what a message has besides its text: formatted version, source, files, and links out of it.

import DDSCore
import DDSHTML
import DDSHTTP
import DDSLoop
import DDSMail

extension WebApp {
    /// Links that a thread's page will have, so that they lead somewhere when the page is there.
    func note(linksOf model: ThreadModel) {
        for message in model.messages where message.body.utf8.contains(0x3a) {
            links.note(TextLinks.targets(in: DisplayText.body(message.body).text))
        }
    }

    /// A thread with one message of it formatted.
    func formatted(_ id: String, _ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        backend.noteActivity()
        guard let model = await backend.thread(id, window(request)) else { return await notFound(request, visit) }
        note(linksOf: model)
        let frame = await backend.frame()
        var context = context(request, visit)
        context.formatted = id
        return .html(pages.thread(context, frame: frame, model))
    }

    /// Only for the frame of our own page: a document of somebody else's that fills a window could be taken for ours.
    func formattedDocument(_ id: String, _ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        guard configuration.showsFormatted, request.headers.only("Sec-Fetch-Dest") == "iframe",
            request.headers.only("Sec-Fetch-Site") == "same-origin"
        else {
            gate.count(.siteForeign)
            return page(for: .siteForeign)
        }
        guard let message = await backend.formatted(id) else { return await notFound(request, visit) }
        links.note(message.html.links)
        let names = links.names
        let pages = pages
        let document = await Loop.offload { pages.formattedDocument(message, links: names) }
        return HTTPResponse(
            status: 200, headers: HTTPHeaders([HTTPField("Content-Type", "text/html; charset=utf-8")]), body: .bytes(document)
        )
        .with(SecurityHeaders.page)
        .with([
            HTTPField(
                "Content-Security-Policy",
                "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data:; "
                    + "style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"),
            HTTPField("X-Frame-Options", "SAMEORIGIN"),
        ])
    }

    func source(_ id: String, _ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        backend.noteActivity()
        guard let model = await backend.source(id) else { return await notFound(request, visit) }
        let frame = await backend.frame()
        return .html(pages.source(context(request, visit), frame: frame, message: id, model))
    }

    /// Whoever knows the name of a link has seen it: the way here from a mail's frame has no cookie.
    func link(_ name: String) -> HTTPResponse {
        guard let target = links.target(name) else {
            return .html(
                pages.plain(
                    heading: "Not known any more",
                    text: "Links can be followed until the page is locked. Open the message again.",
                    link: ("/", "Inbox")),
                status: 404)
        }
        return .html(pages.link(target))
    }

    /// To be saved, whatever it is.
    func attachment(_ id: String, _ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        backend.noteActivity()
        guard let file = await backend.attachment(id) else { return await notFound(request, visit) }
        return Self.download(file)
    }

    /// To be looked at, where that is safe; else to be saved.
    func view(_ id: String, _ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        backend.noteActivity()
        guard let file = await backend.attachment(id) else { return await notFound(request, visit) }
        let name = DisplayText.fileName(file.name)
        switch FileView(kind: ContentKind(of: file.bytes), declared: file.declaredType, ending: name.ending) {
        case .none: return Self.download(file)
        case .inline(let type):
            return Self.response(file, type: type, disposition: "inline")
        case .text:
            let frame = await backend.frame()
            let model = SourceModel(beginningOf: file.bytes)
            return .html(pages.textFile(context(request, visit), frame: frame, id: id, name: file.name, model))
        }
    }

    private static func download(_ file: AttachmentContent) -> HTTPResponse {
        response(file, type: "application/octet-stream", disposition: "attachment")
    }

    private static func response(_ file: AttachmentContent, type: String, disposition: String) -> HTTPResponse {
        let name = DisplayText.fileName(file.name)
        let headers = HTTPHeaders([
            HTTPField("Content-Type", type),
            HTTPField("Content-Disposition", "\(disposition); filename*=UTF-8''" + PercentCoding.encode(name.stem + name.ending)),
        ])
        return HTTPResponse(status: 200, headers: headers, body: .bytes(file.bytes))
            .with(SecurityHeaders.page)
            .with([HTTPField("Content-Security-Policy", "sandbox; default-src 'none'; img-src 'self' data:")])
    }
}

extension SourceModel {
    /// Octets that a page shows.
    private static let shownMax = 256 * 1024

    /// The text of `octets`, in UTF-8 or in what is nearly always meant otherwise.
    package init(beginningOf octets: [UInt8]) {
        self.init(
            text: PlainDecoding.text(Array(octets.prefix(Self.shownMax))), size: octets.count,
            isCut: octets.count > Self.shownMax)
    }
}
