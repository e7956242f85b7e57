// The header fields that every answer of the page carries, errors included. The values are measured, not guessed:
// `no-referrer` would make same-origin forms come with `Origin: null`, and `no-store` alone does not keep text off the disk.

/// The fields of the localhost web security specification.
package enum SecurityHeaders {
    package static let contentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        + "form-action 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
        + "require-trusted-types-for 'script'; trusted-types 'none'"

    private static let common: [HTTPField] = [
        HTTPField("Content-Security-Policy", contentSecurityPolicy),
        HTTPField("Referrer-Policy", "same-origin"),
        HTTPField("X-Content-Type-Options", "nosniff"),
        HTTPField("Cross-Origin-Opener-Policy", "same-origin"),
        HTTPField("Cross-Origin-Resource-Policy", "same-origin"),
        HTTPField("X-Frame-Options", "DENY"),
        HTTPField(
            "Permissions-Policy",
            "camera=(), microphone=(), geolocation=(), usb=(), serial=(), bluetooth=(), display-capture=(), "
                + "browsing-topics=()"),
        HTTPField("X-DNS-Prefetch-Control", "off"),
        HTTPField("Origin-Agent-Cluster", "?1"),
    ]

    /// For everything that may hold private text: kept nowhere.
    package static let page = common + [HTTPField("Cache-Control", "no-store")]
    /// For files whose path holds their hash and that are the same for everybody.
    package static let staticFile = common + [HTTPField("Cache-Control", "public, max-age=31536000, immutable")]
}

extension HTTPResponse {
    /// The same response with `fields` in place of fields of those names.
    package func with(_ fields: [HTTPField]) -> HTTPResponse {
        var response = self
        for field in fields { response.headers.set(field.name, field.value) }
        return response
    }
}
