// A response as a value. Security headers are the gate's and are added where the response leaves the page.

/// What a request is answered with.
package struct HTTPResponse: Sendable {
    package enum Body: Sendable {
        case bytes([UInt8])
        /// A stream of server-sent events that stays open until one side closes it.
        case events(EventChannel)
    }

    package var status: Int
    package var headers: HTTPHeaders
    package var body: Body

    package init(status: Int, headers: HTTPHeaders = HTTPHeaders(), body: Body = .bytes([])) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// Text in UTF-8 with its content type.
    package static func text(_ text: String, type: String = "text/plain; charset=utf-8", status: Int = 200) -> HTTPResponse {
        HTTPResponse(status: status, headers: HTTPHeaders([HTTPField("Content-Type", type)]), body: .bytes(Array(text.utf8)))
    }

    /// A page.
    package static func html(_ text: String, status: Int = 200) -> HTTPResponse {
        .text(text, type: "text/html; charset=utf-8", status: status)
    }

    /// An empty answer that sends the browser elsewhere; 303 after every POST (RFC 9110 section 15.4.4).
    package static func redirect(_ status: Int = 303, to location: String) -> HTTPResponse {
        HTTPResponse(status: status, headers: HTTPHeaders([HTTPField("Location", location)]))
    }

    /// A stream of server-sent events.
    package static func events(_ channel: EventChannel) -> HTTPResponse {
        HTTPResponse(
            status: 200, headers: HTTPHeaders([HTTPField("Content-Type", "text/event-stream")]), body: .events(channel))
    }

    /// The bytes of the body; none for a stream.
    package var bytes: [UInt8] {
        switch body {
        case .bytes(let bytes): bytes
        case .events: []
        }
    }
}
