// What each route does once the gate has let a request through. Every POST ends in 303, the script's in 204.

import DDSCore
import DDSHTTP
import DDSLoop

extension WebApp {
    func serve(_ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        if let file = pages.file(at: request.path) { return file.response }
        guard let route = Route(path: request.path) else { return await notFound(request, visit) }
        let isPost = request.method == "POST"
        if !hasMail, !route.isBeforeMail { return .redirect(to: "/welcome") }
        switch (route, isPost) {
        case (.health, false): return .text("ok\n")
        case (.unlock, false): return unlockPage(request, visit)
        case (.unlock, true): return await unlock(request, visit)
        case (.open(let token), false): return open(token, request, visit)
        case (.welcome, false): return welcomePage(request, visit)
        case (.welcome, true): return await welcome(request, visit)
        case (.welcomePrint, false): return kitPrint(request, visit)
        case (.welcomeKit, false): return kitFile(visit)
        case (.list(let folder), false): return await list(folder, request, visit)
        case (.emptyTrash, false): return await emptyTrashPage(request, visit)
        case (.emptyTrash, true): return await emptyTrash(visit)
        case (.thread(let id), false): return await thread(id, request, visit)
        case (.print(let id), false): return await printed(id, request, visit)
        case (.write, false): return await write(nil, request, visit)
        case (.draft(let id), false): return await write(id, request, visit)
        case (.attachment(let id), false): return await attachment(id, request, visit)
        case (.view(let id), false): return await view(id, request, visit)
        case (.formatted(let id), false): return await formatted(id, request, visit)
        case (.formattedDocument(let id), false): return await formattedDocument(id, request, visit)
        case (.source(let id), false): return await source(id, request, visit)
        case (.link(let name), false): return link(name)
        case (.person(let id), false): return await person(id, request, visit)
        case (.settings(let tab), false): return await settings(tab, request, visit)
        case (.settings(let tab), true): return await post(settings: tab, request, visit)
        case (.settingsKit(let name), false): return settingsKit(name, request, visit)
        case (.settingsKitFile(let name), false): return settingsKitFile(name, visit)
        case (.autoconfig, false):
            return gatewayFile(backend.settings.autoconfig.map { Array($0.utf8) }, "application/xml; charset=utf-8")
        case (.gatewayAuthority, false):
            return gatewayFile(backend.settings.gatewayAuthority, "application/x-x509-ca-cert")
        case (.events, false): return .events(openStream(of: visit?.id))
        case (.draft(let id), true): return await post(draft: id, request, visit)
        case (.act, true): return await act(request, visit)
        case (.search, false): return await searchPage(request, visit)
        case (.search, true): return await search(request, visit)
        case (.results(let handle), false): return await results(handle, request, visit)
        case (.active, true):
            backend.noteActivity()
            return HTTPResponse(status: 204)
        case (.lock, true):
            await backend.lock()
            return .redirect(to: "/unlock")
        case (.health, true), (.open, true), (.list, true), (.thread, true), (.print, true), (.write, true), (.attachment, true),
            (.view, true), (.formatted, true), (.formattedDocument, true), (.source, true), (.link, true), (.results, true),
            (.person, true), (.events, true), (.welcomePrint, true), (.welcomeKit, true), (.settingsKit, true),
            (.settingsKitFile, true), (.autoconfig, true), (.gatewayAuthority, true), (.act, false), (.active, false),
            (.lock, false):
            gate.count(.methodNotAllowed)
            var response = page(for: .methodNotAllowed)
            response.headers.set("Allow", isPost ? "GET, HEAD" : "POST")
            return response
        }
    }

    func context(_ request: HTTPRequest, _ visit: WebGate.Visit?) -> PageRenderer.Context {
        var context = PageRenderer.Context(
            formToken: visit.map { gate.sessions.formToken($0.token.exposed) } ?? "",
            here: Route.isPage(request.target) ? request.target : "/",
            notice: visit.flatMap { gate.sessions.takeNotice($0.id) },
            now: configuration.time.wall)
        context.links = links.names
        context.showsFormatted = configuration.showsFormatted
        if hasMail { context.chosen = backend.settings.chosen }
        return context
    }

    func notFound(_ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        guard let visit, visit.level == .signedIn, !isLocked else { return HTTPResponse(status: 404) }
        let frame = await backend.frame()
        return .html(
            pages.missing(
                context(request, visit), frame: frame, heading: "Not here",
                text: "This page does not exist, or is no longer there."),
            status: 404)
    }
}

// Signing in.
extension WebApp {
    /// The session behind a request, or a visitor's new one with the cookie to be set.
    func visiting(_ request: HTTPRequest, _ visit: WebGate.Visit?) -> (visit: WebGate.Visit?, cookie: String?) {
        guard visit == nil, gate.maySetCookie(request) else { return (visit, nil) }
        let token = gate.sessions.begin(.visitor, now: configuration.time.now)
        let found = gate.sessions.find(token, now: configuration.time.now)
        return (found.map { WebGate.Visit(id: $0.id, level: $0.level, token: Redacted(token)) }, gate.cookie(token))
    }

    private func unlockPage(_ request: HTTPRequest, _ visit: WebGate.Visit?) -> HTTPResponse {
        if let visit, visit.level == .signedIn, !isLocked { return .redirect(to: "/") }
        let (visit, cookie) = visiting(request, visit)
        var response = HTTPResponse.html(
            pages.unlock(context(request, visit), identity: backend.identityWhenLocked, failed: limiter.failed))
        if let cookie { response.headers.set("Set-Cookie", cookie) }
        return response
    }

    private func unlock(_ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        guard let visit else { return .redirect(to: "/unlock") }
        if case .wait(let seconds) = limiter.begin(now: configuration.time.now) {
            gate.count(.unlockTooSoon)
            var response = page(for: .unlockTooSoon)
            response.headers.set("Retry-After", "\(seconds)")
            return response
        }
        let passphrase = Redacted(Array((request.body.value("passphrase") ?? "").utf8))
        let outcome = await backend.unlock(passphrase: passphrase)
        limiter.finish(opened: outcome != .refused, now: configuration.time.now, wall: configuration.time.wall)
        switch outcome {
        case .refused:
            gate.sessions.leave(WebNotice("That passphrase did not open the key."), for: visit.id)
            return .redirect(to: "/unlock")
        case .failed(let words):
            gate.sessions.leave(WebNotice(DisplayText.line(words).text), for: visit.id)
            return .redirect(to: "/unlock")
        case .opened:
            let wanted = welcome.isUnfinished ? "/welcome" : gate.sessions.takeWanted(visit.id) ?? "/"
            // A new token: what a visitor's cookie was known to, must not be signed in.
            gate.sessions.end(visit.id)
            return signIn(to: wanted, notice: limiter.takeFailed())
        }
    }

    private func open(_ token: String, _ request: HTTPRequest, _ visit: WebGate.Visit?) -> HTTPResponse {
        guard gate.maySetCookie(request), let target = gate.sessions.redeem(openToken: token, now: configuration.time.now) else {
            gate.count(.openTokenUnknown)
            return page(for: .openTokenUnknown)
        }
        if hasMail, !isLocked { return signIn(to: target.path, notice: limiter.takeFailed()) }
        var response = HTTPResponse.redirect(to: hasMail ? "/unlock" : "/welcome")
        // What it was opened for waits in memory until the key is open, or for the first field of joining.
        guard target != OpenTarget() else { return response }
        let (visit, cookie) = visiting(request, visit)
        if let visit {
            if hasMail { gate.sessions.remember(wanted: target.path, for: visit.id) }
            if let invite = target.invite { welcome.offer(invite.exposed, to: visit.id) }
        }
        if let cookie { response.headers.set("Set-Cookie", cookie) }
        return response
    }

    private func signIn(to path: String, notice failed: (count: Int, since: WallTime)?) -> HTTPResponse {
        signIn(to: path, greeting: failed.map { pages.failedText($0, now: configuration.time.wall) })
    }

    func signIn(to path: String, greeting: String?) -> HTTPResponse {
        let now = configuration.time.now
        let token = gate.sessions.begin(.signedIn, now: now)
        if let greeting, let id = gate.sessions.find(token, now: now)?.id {
            gate.sessions.leave(WebNotice(DisplayText.line(greeting).text), for: id)
        }
        var response = HTTPResponse.redirect(to: path)
        response.headers.set("Set-Cookie", gate.cookie(token))
        return response
    }
}

// Reading and writing.
extension WebApp {
    /// What a turn of the loop may put onto a page.
    static var rowsAtOnce: Int { 10 }

    /// A page, made beside the loop when it is long. Nothing is shown that was made before a lock.
    func shown(
        _ request: HTTPRequest, _ visit: WebGate.Visit?, isLong: Bool,
        _ make: @escaping @Sendable (PageRenderer, PageRenderer.Context) -> String
    ) async -> HTTPResponse {
        let context = context(request, visit)
        let html = await Loop.offload(when: isLong) { [pages] in make(pages, context) }
        guard !isLocked else { return await notFound(request, visit) }
        return .html(html)
    }

    private func list(_ folder: FolderReference, _ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        backend.noteActivity()
        guard let model = await backend.list(folder, cursor: request.parameter("c").flatMap { Route.isID($0) ? $0 : nil })
        else {
            return await notFound(request, visit)
        }
        let frame = await backend.frame()
        return await shown(request, visit, isLong: model.rows.count > Self.rowsAtOnce) {
            $0.list($1, frame: frame, folder: folder, model)
        }
    }

    private func printed(_ id: String, _ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        backend.noteActivity()
        guard let model = await backend.thread(id, .whole) else { return await notFound(request, visit) }
        return await shown(request, visit, isLong: model.messages.count > Self.rowsAtOnce) { $0.printed($1, model) }
    }

    private func thread(_ id: String, _ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        backend.noteActivity()
        guard let model = await backend.thread(id, window(request)) else { return await notFound(request, visit) }
        note(linksOf: model)
        let frame = await backend.frame()
        return await shown(request, visit, isLong: model.messages.count > Self.rowsAtOnce) {
            $0.thread($1, frame: frame, model)
        }
    }

    func window(_ request: HTTPRequest) -> ThreadWindow {
        request.parameter("c").flatMap { Route.isID($0) ? ThreadWindow.from($0) : nil } ?? .here
    }

    private func person(_ id: String, _ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        backend.noteActivity()
        guard let model = await backend.person(id) else { return await notFound(request, visit) }
        let frame = await backend.frame()
        return .html(pages.person(context(request, visit), frame: frame, model))
    }

    /// A new draft gets its id here and exists only after the first POST: a GET changes nothing, and a form sent twice is the
    /// same draft twice.
    private func write(_ id: String?, _ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        backend.noteActivity()
        let draft: DraftModel
        if let id {
            guard let known = await backend.draft(id) else { return await notFound(request, visit) }
            draft = known
        } else {
            let signature = backend.settings.chosen.signatureBlock
            draft = DraftModel(
                id: Hex.encode(configuration.random.bytes(8)),
                fields: DraftFields(body: signature.isEmpty ? "" : "\n" + signature))
        }
        let choices = await backend.recipients()
        let frame = await backend.frame()
        return .html(pages.write(context(request, visit), frame: frame, draft, choices: choices, isNew: id == nil))
    }

    private func post(draft id: String, _ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        var fields = Self.fields(request.body)
        switch request.body.value("action") {
        case "save" where request.body.value("quiet") != nil:
            return HTTPResponse(status: await backend.save(draft: id, fields) ? 204 : 409)
        case "discard":
            backend.noteActivity()
            await backend.discard(draft: id)
            leave("Draft discarded.", visit)
            return .redirect(to: "/")
        case "send", "anyway":
            backend.noteActivity()
            fields.sendsAnyway = request.body.value("action") == "anyway"
            switch await backend.send(draft: id, fields) {
            case .queued(let thread, let undo):
                let words = undo.map { "Sending in \($0.seconds) s." } ?? "Your message is on its way."
                leave(words, undo: undo?.handle, visit)
                return .redirect(to: thread.map { "/t/\($0)" } ?? "/x")
            case .refused: return .redirect(to: "/w/\(id)")
            }
        default:
            backend.noteActivity()
            let isKept = await backend.save(draft: id, fields)
            // A draft that could not be kept is shown again with its text and the reason.
            let isThere = isKept ? true : await backend.draft(id) != nil
            if isKept || !isThere { leave(isKept ? "Draft saved, encrypted." : "This draft was sent already.", visit) }
            return .redirect(to: isThere ? "/w/\(id)" : "/x")
        }
    }

    private func act(_ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        backend.noteActivity()
        let ids = request.body.values("id").filter(Route.isID)
        let back = Self.page(request.body.value("back")) ?? "/"
        switch request.body.value("action") {
        case let choice? where PersonChoice(rawValue: choice) != nil:
            guard let id = ids.first, let choice = PersonChoice(rawValue: choice) else { break }
            let fingerprint = request.body.value(choice == .typed ? "typed" : "fingerprint") ?? ""
            leave(DisplayText.line(await backend.decide(person: id, choice, fingerprint: fingerprint)).text, visit)
        case "confirm": leave(DisplayText.line(await backend.confirm(roster: request.body.value("roster") ?? "")).text, visit)
        case let action? where ThreadAction(rawValue: action) != nil:
            guard let action = ThreadAction(rawValue: action) else { break }
            say(await backend.act(action, on: ids), visit)
            // What is put away is not looked at any more.
            if [.archive, .unread, .trash, .restore].contains(action) {
                return .redirect(to: Self.page(request.body.value("list")) ?? back)
            }
        case "archivenewer", "archiveolder":
            say(await backend.act(.archive, on: ids), visit)
            let next = request.body.value(request.body.value("action") == "archivenewer" ? "newer" : "older")
            return .redirect(to: next.flatMap { Self.page("/t/" + $0) } ?? Self.page(request.body.value("list")) ?? back)
        case "forward":
            guard let message = ids.first, let draft = await backend.newDraft(forwarding: message) else { break }
            return .redirect(to: "/w/\(draft)")
        case "allread":
            guard case .list(let folder)? = Route(path: String(back.prefix { $0 != "?" })) else { break }
            say(await backend.readAll(in: folder), visit)
        case "unreadfrom": say(await backend.unread(from: ids.first ?? ""), visit)
        case "undo":
            let handle = request.body.value("undo") ?? ""
            let outcome = await backend.undo(Route.isID(handle) ? handle : "")
            leave(outcome.words, visit)
            if let draft = outcome.draft { return .redirect(to: "/w/\(draft)") }
        case "reply", "author":
            let audience: ReplyTarget.Audience = request.body.value("action") == "author" ? .author : .all
            guard let message = ids.first,
                let draft = await backend.newDraft(replyTo: ReplyTarget(message: message, audience: audience))
            else { break }
            return .redirect(to: "/w/\(draft)")
        default: break
        }
        return .redirect(to: back)
    }

    /// The address of a page of ours that a form names; nil for anything else.
    private static func page(_ address: String?) -> String? { address.flatMap { Route.isPage($0) ? $0 : nil } }

    private func say(_ outcome: ActionOutcome, _ visit: WebGate.Visit?) {
        leave(outcome.words, undo: outcome.undo, visit)
    }

    func leave(_ notice: String, undo: String? = nil, _ visit: WebGate.Visit?) {
        if let visit { gate.sessions.leave(WebNotice(notice, undo: undo), for: visit.id) }
    }

    /// A write form's fields. Browsers send CR LF in textareas whatever the page had.
    static func fields(_ body: HTTPBody) -> DraftFields {
        DraftFields(
            recipients: body.value("to") ?? "",
            subject: body.value("subject") ?? "",
            body: String(decoding: (body.value("body") ?? "").utf8.filter { $0 != 0x0d }, as: UTF8.self),
            // A file field left empty comes as a file without name and bytes.
            uploads: body.uploads.filter { $0.field == "file" && !($0.fileName.isEmpty && $0.bytes.isEmpty) },
            removals: body.values("remove").filter(Route.isID))
    }
}
