// A request as the gate and the page see it: what was sent, undecided. Parsing of the message itself is libmicrohttpd's.

/// One file of a multipart form, wholly in memory.
package struct HTTPUpload: Hashable, Sendable {
    /// The form field's name.
    package var field: String
    /// The file name as the browser sent it; never a path to use.
    package var fileName: String
    /// The declared type; a claim, not a fact.
    package var contentType: String
    package var bytes: [UInt8]

    package init(field: String, fileName: String, contentType: String, bytes: [UInt8]) {
        self.field = field
        self.fileName = fileName
        self.contentType = contentType
        self.bytes = bytes
    }
}

/// The body of a request: form fields and files when it was a form, otherwise the bytes.
package struct HTTPBody: Sendable {
    /// Text fields in order, duplicates kept.
    package var fields: [HTTPField] = []
    package var uploads: [HTTPUpload] = []
    /// Only filled for bodies that are no forms.
    package var bytes: [UInt8] = []

    package init(fields: [HTTPField] = [], uploads: [HTTPUpload] = [], bytes: [UInt8] = []) {
        self.fields = fields
        self.uploads = uploads
        self.bytes = bytes
    }

    /// The first value of a form field.
    package func value(_ name: String) -> String? {
        fields.first { $0.name == name }?.value
    }

    /// Every value of a form field, in order.
    package func values(_ name: String) -> [String] {
        fields.filter { $0.name == name }.map(\.value)
    }
}

/// An address and port of one end of a connection.
package struct HTTPEndpoint: Hashable, Sendable, CustomStringConvertible {
    /// The address in network order: 4 or 16 octets.
    package var address: [UInt8]
    package var port: UInt16

    package init(address: [UInt8], port: UInt16) {
        self.address = address
        self.port = port
    }

    package var description: String {
        address.count == 4
            ? address.map(String.init).joined(separator: ".") + ":\(port)"
            : "[" + address.map { String($0, radix: 16) }.joined(separator: ".") + "]:\(port)"
    }
}

/// One HTTP request (RFC 9110, RFC 9112). Everything in it is the peer's word, `peer` and `local` excepted.
package struct HTTPRequest: Sendable {
    package var method: String
    /// The request target as sent, percent signs included.
    package var target: String
    package var headers: HTTPHeaders
    package var body: HTTPBody
    package var peer: HTTPEndpoint
    package var local: HTTPEndpoint

    package init(
        method: String,
        target: String,
        headers: HTTPHeaders,
        body: HTTPBody = HTTPBody(),
        peer: HTTPEndpoint = HTTPEndpoint(address: [127, 0, 0, 1], port: 0),
        local: HTTPEndpoint = HTTPEndpoint(address: [127, 0, 0, 1], port: 0)
    ) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.peer = peer
        self.local = local
    }

    /// The target before its first `?`, as sent: our own paths never need percent signs.
    package var path: String {
        String(target.prefix { $0 != "?" })
    }

    /// The parameters behind the first `?`, decoded; a pair whose percent signs are wrong is left out.
    package var query: [HTTPField] {
        guard let mark = target.firstIndex(of: "?") else { return [] }
        return target[target.index(after: mark)...].split(separator: "&").compactMap { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = parts[0].percentDecoded, let value = (parts.count == 2 ? parts[1] : "").percentDecoded else {
                return nil
            }
            return HTTPField(name, value)
        }
    }

    /// The first query parameter of that name.
    package func parameter(_ name: String) -> String? {
        query.first { $0.name == name }?.value
    }
}

extension Substring {
    /// `application/x-www-form-urlencoded` decoding of one name or value; nil for a percent sign without two digits.
    fileprivate var percentDecoded: String? {
        var bytes: [UInt8] = []
        var rest = utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case 0x2b: bytes.append(0x20)
            case 0x25:
                guard let high = rest.popFirst()?.hexadecimalValue, let low = rest.popFirst()?.hexadecimalValue else {
                    return nil
                }
                bytes.append(high << 4 | low)
            default: bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension UInt8 {
    private var letter: UInt8 { self | 0x20 }

    fileprivate var hexadecimalValue: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46, 0x61...0x66: letter - 0x61 + 10
        default: nil
        }
    }
}
