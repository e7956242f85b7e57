import DDSLoop
import Testing

@Suite struct EndpointTests {
    @Test(arguments: [
        ("127.0.0.1:0", Endpoint.tcp(host: "127.0.0.1", port: 0)),
        ("[::1]:995", .tcp(host: "::1", port: 995)),
        ("[fe80::1%eth0]:25", .tcp(host: "fe80::1%eth0", port: 25)),
        ("host:1", .tcp(host: "host", port: 1)),
        ("mail.example.org:65535", .tcp(host: "mail.example.org", port: 65535)),
        ("unix:/run/ddsnode/lmtp", .unix(path: "/run/ddsnode/lmtp")),
    ])
    func writtenForm_parsesAndPrintsTheSame(text: String, endpoint: Endpoint) {
        #expect(Endpoint(text) == endpoint)
        #expect(endpoint.description == text)
    }

    @Test(arguments: [
        "", ":", "host", "host:", ":25", "host:65536", "host:-1", "host:+1", "host: 1", "host:000001", "::1:25", "[::1]",
        "[]:1",
        "[host]:1", "a b:1", "unix:", "unix:relative", "unix:/\0", "ho\nst:1", "[::1:25", "::1]:25",
    ])
    func otherForms_areRefused(text: String) {
        #expect(Endpoint(text) == nil)
    }

    @Test func unixPath_isLimitedToWhatTheKernelTakes() {
        #expect(Endpoint("unix:/" + String(repeating: "a", count: 106)) != nil)
        #expect(Endpoint("unix:/" + String(repeating: "a", count: 107)) == nil)
    }

    @Test(arguments: [
        ("127.0.0.1:1", true), ("127.255.0.9:1", true), ("[::1]:1", true), ("localhost:1", true), ("LOCALHOST:1", true),
        ("unix:/x", true), ("128.0.0.1:1", false), ("127.0.0.256:1", false), ("127.0.0.1.example.org:1", false),
        ("127.example.org:1", false), ("0.0.0.0:1", false), ("[::]:1", false), ("localhost.example.org:1", false),
    ])
    func loopback_isWhatOnlyThisMachineReaches(text: String, isLoopback: Bool) throws {
        #expect(try #require(Endpoint(text)).isLoopback == isLoopback)
    }
}
