// The routes of a search. The words are posted and kept in memory under a handle; the address has the handle.

import DDSHTTP
import DDSLoop

extension WebApp {
    func search(_ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        backend.noteActivity()
        let words = [request.body.value("q") ?? "", request.body.value("add") ?? ""].filter { !$0.isEmpty }
        let text = words.joined(separator: " ")
        guard text.contains(where: { !$0.isWhitespace }), let handle = await backend.search(text) else {
            return .redirect(to: "/s")
        }
        return .redirect(to: "/s/\(handle)")
    }

    func searchPage(_ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        backend.noteActivity()
        let frame = await backend.frame()
        return .html(pages.search(context(request, visit), frame: frame, handle: nil, nil))
    }

    func results(_ handle: String, _ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        backend.noteActivity()
        let cursor = request.parameter("c").flatMap { Route.isID($0) ? $0 : nil }
        let model = await backend.results(handle, cursor: cursor)
        guard !isLocked else { return await notFound(request, visit) }
        let frame = await backend.frame()
        guard let model else { return .html(pages.searchGone(context(request, visit), frame: frame), status: 404) }
        return await shown(request, visit, isLong: model.rows.count > Self.rowsAtOnce) {
            $0.search($1, frame: frame, handle: handle, model)
        }
    }
}
