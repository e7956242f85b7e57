// The settings' routes. Every form ends in 303; one that tries a passphrase shares the unlock page's limiter.

import DDSCore
import DDSHTTP
import DDSLoop

extension WebApp {
    func settings(_ tab: SettingsTab, _ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        backend.noteActivity()
        guard let model = await backend.settings.model(of: tab) else { return await notFound(request, visit) }
        let frame = await backend.frame()
        return .html(
            pages.settings(
                context(request, visit), frame: frame, model, browsers: tab == .devices ? browsers(seenBy: visit) : []))
    }

    func post(settings tab: SettingsTab, _ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        backend.noteActivity()
        let body = request.body
        switch (tab, body.value("action")) {
        case (_, "save"):
            if let change = Self.change(tab, body) { say(await backend.settings.save(change), visit) }
        case (.keys, "passphrase"): return await changePassphrase(body, visit)
        case (.keys, "kit"): return await makeKit(body, visit)
        case (.devices, "link"): say(await backend.settings.linkDevice(), visit)
        case (.devices, "remove"):
            guard let number = body.value("number").flatMap({ Int($0) }) else { break }
            say(await backend.settings.removeDevice(number), visit)
        case (.gateway, _):
            if let change = Self.gatewayChange(body) { say(await backend.settings.change(gateway: change), visit) }
        case (.devices, "end"): end(browser: body.value("browser") ?? "", visit)
        default: break
        }
        return .redirect(to: Route.path(tab))
    }

    private func say(_ words: String, _ visit: WebGate.Visit?) { leave(DisplayText.line(words).text, visit) }

    private static func change(_ tab: SettingsTab, _ body: HTTPBody) -> SettingsChange? {
        switch tab {
        case .you:
            let seconds = (body.value("undo") ?? "").filter { $0 != " " }
            return .you(
                name: body.value("name") ?? "", signature: lines(body.value("signature") ?? ""),
                checksSpelling: body.value("spellcheck") != nil,
                // What is no number is refused as one that is too large.
                undoSeconds: seconds.isEmpty ? nil : Int(seconds) ?? .max)
        case .groups: return .muted(Set(body.values("muted").filter(Route.isID)))
        case .appearance:
            var look = PageLook()
            look.theme = body.value("theme").flatMap(PageTheme.init) ?? look.theme
            look.density = body.value("density").flatMap(PageDensity.init) ?? look.density
            look.showsUnreadInTitle = body.value("titles") != nil
            look.hasKeys = body.value("keys") != nil
            return .look(look)
        case .keys, .devices, .gateway, .node, .about: return nil
        }
    }

    private static func gatewayChange(_ body: HTTPBody) -> GatewayChange? {
        let name = body.value("name") ?? ""
        return switch body.value("action") {
        case "on": .on(body.value("protocol") ?? "")
        case "off": .off(body.value("protocol") ?? "")
        case "tls": .tls(true)
        case "clear": .tls(false)
        case "add": .add(password: name)
        case "revoke": Hex.decode(name).map { .revoke(password: String(decoding: $0, as: UTF8.self)) }
        default: nil
        }
    }

    /// For mail programs, which are signed in nowhere.
    func gatewayFile(_ bytes: [UInt8]?, _ type: String) -> HTTPResponse {
        guard let bytes else { return HTTPResponse(status: 404) }
        return HTTPResponse(status: 200, headers: HTTPHeaders([HTTPField("Content-Type", type)]), body: .bytes(bytes))
    }

    /// Browsers send CR LF in textareas; ends of lines that nobody sees go.
    private static func lines(_ text: String) -> String {
        var lines = String(decoding: text.utf8.filter { $0 != 0x0d }, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false)[...]
        while let last = lines.last, last.allSatisfy(\.isWhitespace) { lines.removeLast() }
        return lines.joined(separator: "\n")
    }
}

// Passphrases and the kit.
extension WebApp {
    private func changePassphrase(_ body: HTTPBody, _ visit: WebGate.Visit?) async -> HTTPResponse {
        let (old, new) = (Self.secret(body, "old"), Self.secret(body, "new"))
        // What needs no key to be seen is no attempt.
        guard new == Self.secret(body, "again") else {
            return keysTab("Nothing was changed: the new passphrase was not typed twice in the same way.", visit)
        }
        if let objection = backend.settings.objection(to: new, insteadOf: old) { return keysTab(objection, visit) }
        return await tried(
            visit, { await self.backend.settings.changePassphrase(from: old, to: new) },
            then: { self.keysTab("The passphrase was changed. The old one opens nothing any more.", visit) })
    }

    private func makeKit(_ body: HTTPBody, _ visit: WebGate.Visit?) async -> HTTPResponse {
        let name = Hex.encode(configuration.random.bytes(16))
        let passphrase = Self.secret(body, "passphrase")
        return await tried(
            visit, { await self.backend.settings.makeKit(passphrase: passphrase, name: name) },
            then: { .redirect(to: "/settings/kit/" + name) })
    }

    private static func secret(_ body: HTTPBody, _ name: String) -> Redacted<[UInt8]> {
        Redacted(Array((body.value(name) ?? "").utf8))
    }

    private func keysTab(_ words: String, _ visit: WebGate.Visit?) -> HTTPResponse {
        say(words, visit)
        return .redirect(to: Route.path(.keys))
    }

    private func tried(
        _ visit: WebGate.Visit?, _ attempt: @LoopActor () async -> UnlockOutcome, then answer: @LoopActor () -> HTTPResponse
    ) async -> HTTPResponse {
        if case .wait(let seconds) = limiter.begin(now: configuration.time.now) {
            gate.count(.unlockTooSoon)
            var response = page(for: .unlockTooSoon)
            response.headers.set("Retry-After", "\(seconds)")
            return response
        }
        let outcome = await attempt()
        limiter.finish(opened: outcome != .refused, now: configuration.time.now, wall: configuration.time.wall)
        return switch outcome {
        case .opened: answer()
        case .refused: keysTab("That passphrase did not open the key. Nothing was changed.", visit)
        case .failed(let words): keysTab(words, visit)
        }
    }

    func settingsKit(_ name: String, _ request: HTTPRequest, _ visit: WebGate.Visit?) -> HTTPResponse {
        guard let kit = backend.settings.kit(name) else { return kitIsGone(visit) }
        return .html(
            pages.kitPrint(context(request, visit), kit, back: Route.path(.keys), file: "/settings/kit/\(name)/file"))
    }

    func settingsKitFile(_ name: String, _ visit: WebGate.Visit?) -> HTTPResponse {
        backend.settings.kitFile(name).map(Self.kitFile) ?? kitIsGone(visit)
    }

    private func kitIsGone(_ visit: WebGate.Visit?) -> HTTPResponse {
        keysTab("The kit is shown for ten minutes only. Make another.", visit)
    }
}

// Browsers that are signed in.
extension WebApp {
    private func browsers(seenBy visit: WebGate.Visit?) -> [BrowserModel] {
        let (now, wall) = (configuration.time.now, configuration.time.wall)
        func time(_ instant: Instant) -> WallTime {
            WallTime(milliseconds: wall.milliseconds - (now - instant).components.seconds * 1000)
        }
        return gate.sessions.live(now: now).map {
            BrowserModel(name: $0.name, begun: time($0.begun), lastUsed: time($0.lastUsed), isThis: $0.id == visit?.id)
        }
    }

    /// Signs another browser out; what it shows is emptied.
    private func end(browser name: String, _ visit: WebGate.Visit?) {
        let found = gate.sessions.live(now: configuration.time.now).first { $0.name == name && $0.id != visit?.id }
        guard let found else { return say("That browser is not signed in any more.", visit) }
        gate.sessions.end(found.id)
        for (channel, session) in streams where session == found.id { Self.end(channel, by: "lock") }
        say("That browser is signed out.", visit)
    }
}
