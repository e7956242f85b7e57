import DDSHTTP
import Testing

@Suite struct MessageTests {
    @Test func headers_keepOrderAndDuplicates() {
        let headers = HTTPHeaders([HTTPField("A", "1"), HTTPField("b", "2"), HTTPField("a", "3")])
        #expect(headers.values("A") == ["1", "3"])
        #expect(headers.only("a") == nil)
        #expect(headers.only("B") == "2")
    }

    @Test func cookies_ofAllFieldsAreRead() {
        let headers = HTTPHeaders([HTTPField("Cookie", "a=1; b=x=y ;c"), HTTPField("cookie", "a=2")])
        #expect(headers.cookies == [HTTPField("a", "1"), HTTPField("b", "x=y"), HTTPField("a", "2")])
    }

    @Test func query_isDecodedAndWrongPercentSignsAreLeftOut() {
        let request = HTTPRequest(method: "GET", target: "/g/x?c=a%20b+c&d&e=%4&f=%C3%A9&=1?", headers: HTTPHeaders())
        #expect(request.path == "/g/x")
        #expect(request.query == [HTTPField("c", "a b c"), HTTPField("d", ""), HTTPField("f", "é"), HTTPField("", "1?")])
    }

    /// The values of the localhost web security specification; a change here is a change of the security of the page.
    @Test func securityHeaders_areAllThere() {
        let names = Set(SecurityHeaders.page.map(\.name))
        #expect(
            names == [
                "Content-Security-Policy", "Cache-Control", "Referrer-Policy", "X-Content-Type-Options",
                "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy", "X-Frame-Options", "Permissions-Policy",
                "X-DNS-Prefetch-Control", "Origin-Agent-Cluster",
            ])
        #expect(!SecurityHeaders.contentSecurityPolicy.contains("unsafe"))
        #expect(SecurityHeaders.page.contains(HTTPField("Referrer-Policy", "same-origin")))
        #expect(SecurityHeaders.page.contains(HTTPField("Cache-Control", "no-store")))
    }
}
