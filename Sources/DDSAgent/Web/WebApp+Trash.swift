// Emptying the trash: a page asks first, since nothing brings back what was erased.

import DDSHTTP

extension WebApp {
    func emptyTrashPage(_ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        backend.noteActivity()
        guard let model = await backend.list(.trash, cursor: nil) else { return await notFound(request, visit) }
        guard model.total > 0 else { return .redirect(to: Route.path(.trash)) }
        let frame = await backend.frame()
        return await shown(request, visit, isLong: false) { $0.emptyTrash($1, frame: frame, threads: model.total) }
    }

    func emptyTrash(_ visit: WebGate.Visit?) async -> HTTPResponse {
        backend.noteActivity()
        leave(DisplayText.line(await backend.emptyTrash()).text, visit)
        return .redirect(to: Route.path(.trash))
    }
}
