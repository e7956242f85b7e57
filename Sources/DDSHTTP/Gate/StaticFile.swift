// Files that belong to the program: style, script, icon. Their path names their content, so a browser may keep them.

import DDSCore

/// One file served under `/static/<hash>/<name>`.
package struct StaticFile: Sendable {
    package let path: String
    package let contentType: String
    package let bytes: [UInt8]

    package init(name: String, contentType: String, text: String, hash: WebHash) {
        bytes = Array(text.utf8)
        self.contentType = contentType
        path = "/static/" + Hex.encode(hash(bytes).prefix(8)) + "/" + name
    }

    /// The file with the fields that let it be cached.
    package var response: HTTPResponse {
        HTTPResponse(status: 200, headers: HTTPHeaders([HTTPField("Content-Type", contentType)]), body: .bytes(bytes))
            .with(SecurityHeaders.staticFile)
    }
}
