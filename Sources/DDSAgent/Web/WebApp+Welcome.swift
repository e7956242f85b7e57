// Joining in the page: one address, which always shows the next thing for the browser that asks. Every form ends in 303, and none
// is repeated in an answer.

import DDSCore
import DDSHTTP
import DDSLoop

extension WebApp {
    private static let address = "/welcome"

    func welcomePage(_ request: HTTPRequest, _ visit: WebGate.Visit?) -> HTTPResponse {
        let (visit, cookie) = visiting(request, visit)
        guard let visit else { return page(for: .sessionMissing, status: 403) }
        var response: HTTPResponse
        if let (screen, problem) = seen(by: visit) {
            response = .html(
                pages.welcome(
                    context(request, visit), screen, problem: problem, offered: welcome.offered(to: visit.id)))
        } else {
            response = .redirect(to: "/")
        }
        if let cookie { response.headers.set("Set-Cookie", cookie) }
        return response
    }

    private func seen(by visit: WebGate.Visit) -> (screen: WelcomeScreen, problem: String?)? {
        let seen = welcome.screen(for: visit.id, isSignedIn: visit.level == .signedIn && !isLocked)
        // Nobody is sent to a page that is not there yet.
        return hasMail ? seen : seen ?? (.busy, nil)
    }

    func welcome(_ request: HTTPRequest, _ visit: WebGate.Visit?) async -> HTTPResponse {
        guard let visit else { return .redirect(to: Self.address) }
        // A browser that was signed out meanwhile sees nothing that the key has opened, and leaves nothing behind.
        _ = welcome.screen(for: visit.id, isSignedIn: visit.level == .signedIn && !isLocked)
        let choice = request.body.value("action") ?? ""
        switch choice {
        case "check": return await check(request, visit)
        case "finish":
            guard let greeting = welcome.finish(visit.id) else { return .redirect(to: Self.address) }
            // A new token: what a visitor's cookie was known to, must not be signed in.
            gate.sessions.end(visit.id)
            return signIn(to: "/", greeting: greeting)
        case "print", "save":
            await welcome.act(.kitTaken, of: visit.id)
            return .redirect(to: Self.address + (choice == "print" ? "/print" : "/kit"))
        default:
            if let action = Self.action(choice, request.body) { await welcome.act(action, of: visit.id) }
            return .redirect(to: Self.address)
        }
    }

    private static func action(_ choice: String, _ body: HTTPBody) -> WelcomeAction? {
        func secret(_ name: String) -> Redacted<[UInt8]> { Redacted(Array((body.value(name) ?? "").utf8)) }
        return switch choice {
        case "invite": .invite(body.value("invite") ?? "")
        case "wantskit": .wantsKit
        case "kit":
            .kit(body.uploads.first { $0.field == "file" && !$0.bytes.isEmpty }.map { Redacted($0.bytes) } ?? secret("kit"))
        case "goon": .goOn
        case "stop": .stop
        case "name": .name(body.value("name") ?? "")
        case "suggest": .suggest
        case "passphrase": .passphrase(secret("passphrase"), again: secret("again"))
        case "useweak": .useWeak
        case "another": .another
        case "kitdone": .kitDone(accepts: body.value("accept") != nil)
        default: nil
        }
    }

    /// As slow to be guessed as the unlock page, whose limiter it shares.
    private func check(_ request: HTTPRequest, _ visit: WebGate.Visit) async -> HTTPResponse {
        guard welcome.awaitsCheck(of: visit.id) else { return .redirect(to: Self.address) }
        if case .wait(let seconds) = limiter.begin(now: configuration.time.now) {
            gate.count(.unlockTooSoon)
            var response = page(for: .unlockTooSoon)
            response.headers.set("Retry-After", "\(seconds)")
            return response
        }
        let outcome = await welcome.check(Redacted(Array((request.body.value("passphrase") ?? "").utf8)), of: visit.id)
        limiter.finish(opened: outcome != .refused, now: configuration.time.now, wall: configuration.time.wall)
        return .redirect(to: Self.address)
    }

    /// The kit to be printed, for a browser that is shown it; else back to where it is.
    func kitPrint(_ request: HTTPRequest, _ visit: WebGate.Visit?) -> HTTPResponse {
        guard let visit, case .kit(let kit)? = seen(by: visit)?.screen else { return .redirect(to: Self.address) }
        return .html(pages.kitPrint(context(request, visit), kit, back: Self.address))
    }

    func kitFile(_ visit: WebGate.Visit?) -> HTTPResponse {
        guard let visit, case .kit? = seen(by: visit)?.screen, let bytes = welcome.kitFile(for: visit.id) else {
            return .redirect(to: Self.address)
        }
        return Self.kitFile(bytes)
    }

    /// Saved, never shown: the browser would keep what it shows.
    static func kitFile(_ bytes: [UInt8]) -> HTTPResponse {
        let headers = HTTPHeaders([
            HTTPField("Content-Type", "application/octet-stream"),
            HTTPField("Content-Disposition", "attachment; filename=\"dds-recovery-kit.html\""),
        ])
        return HTTPResponse(status: 200, headers: headers, body: .bytes(bytes))
            .with(SecurityHeaders.page)
            .with([HTTPField("Content-Security-Policy", "sandbox; default-src 'none'")])
    }
}
