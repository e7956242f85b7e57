// Every way in which the page can be refused: one counter each, and a text that names the remedy.

/// Why a request was not served. The raw value is the counter's name.
package enum WebRefusal: String, CaseIterable, Hashable, Sendable {
    case peerForeign = "peer_foreign"
    case headersTooLarge = "headers_too_large"
    case fieldsTooMany = "fields_too_many"
    case bodyTooLarge = "body_too_large"
    case targetMalformed = "target_malformed"
    case hostMissing = "host_missing"
    case hostRepeated = "host_repeated"
    case hostForeign = "host_foreign"
    case methodNotAllowed = "method_not_allowed"
    case siteForeign = "site_foreign"
    case siteUnknown = "site_unknown"
    case originMissing = "origin_missing"
    case originNull = "origin_null"
    case originForeign = "origin_foreign"
    case contentTypeWrong = "content_type_wrong"
    case sessionMissing = "session_missing"
    case formTokenWrong = "form_token_wrong"
    case locked = "locked"
    case speculativeLoad = "speculative_load"
    case unlockTooSoon = "unlock_too_soon"
    case openTokenUnknown = "open_token_unknown"

    /// The status it is answered with.
    package var status: Int {
        switch self {
        case .targetMalformed, .hostMissing, .hostRepeated: 400
        case .peerForeign, .hostForeign, .siteForeign, .siteUnknown, .originMissing, .originNull, .originForeign,
            .formTokenWrong, .openTokenUnknown:
            403
        case .methodNotAllowed: 405
        case .bodyTooLarge: 413
        case .contentTypeWrong: 415
        case .unlockTooSoon: 429
        case .headersTooLarge, .fieldsTooMany: 431
        case .sessionMissing, .locked: 303
        case .speculativeLoad: 503
        }
    }

    /// What the person reads: what is wrong and what lifts it. `address` is the page's own, such as
    /// `http://ddsnode.localhost:7381`.
    package func publicText(address: String) -> String {
        switch self {
        case .peerForeign: "This page serves only the user who started it. Start an agent of your own with: ddsnode agent"
        case .headersTooLarge: "The request header is larger than 16 KiB. Remove the cookies of localhost in your browser."
        case .fieldsTooMany: "The request has more than 100 header fields. Switch off browser extensions that add fields."
        case .bodyTooLarge: "This is more than 32 MiB. Send smaller files, or several messages."
        case .targetMalformed: "This is not an address of this page. Open \(address)"
        case .hostMissing: "The request names no host. Open \(address) in a browser."
        case .hostRepeated: "The request names more than one host. Open \(address) without a proxy."
        case .hostForeign:
            "This address is not one of mine. Open \(address) or run: ddsnode open. "
                + "If you run a reverse proxy, add the name to [web] hosts."
        case .methodNotAllowed: "Only GET, HEAD and POST are served here. Open \(address) in a browser."
        case .siteForeign: "Another site asked for this in your name, and was refused. Open \(address) yourself to go on."
        case .siteUnknown: "Your browser says nothing usable about where the request came from. Open \(address) yourself."
        case .originMissing, .originNull:
            "The form came without its origin. Open \(address) and send the form from there, without extensions that hide "
                + "the origin."
        case .originForeign: "The form came from another site, and was refused. Open \(address) and send it from there."
        case .contentTypeWrong: "Forms of this kind are not accepted. Open \(address) and use the page's own forms."
        case .sessionMissing, .locked: "The page is locked. Unlock it at \(address)/unlock"
        case .formTokenWrong: "This form is from before the last unlock. Go back, reload the page and send it again."
        case .speculativeLoad: "Pages are not loaded ahead. Open the page itself."
        case .unlockTooSoon: "Another attempt is running, or too many failed. Wait a moment and try again."
        case .openTokenUnknown: "This link was used already or is older than a minute. Run: ddsnode open"
        }
    }
}

/// How often each refusal was given since the start.
package struct WebRefusalCounters: Sendable, Equatable {
    private var counts: [WebRefusal: UInt64] = [:]

    package init() {}

    package subscript(refusal: WebRefusal) -> UInt64 { counts[refusal, default: 0] }

    /// Every counter with its name, zeros included, in the order of the checks.
    package var all: [(name: String, count: UInt64)] {
        WebRefusal.allCases.map { ($0.rawValue, self[$0]) }
    }

    package mutating func count(_ refusal: WebRefusal) {
        counts[refusal, default: 0] &+= 1
    }
}
