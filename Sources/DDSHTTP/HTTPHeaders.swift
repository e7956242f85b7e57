// Header fields as they came: order and duplicates kept, because the gate decides by them. Nothing is merged here.

/// One name and value: a header field, a query parameter or a cookie.
package struct HTTPField: Hashable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// The header fields of a request or response in order (RFC 9110 section 5). Names compare without regard to ASCII case.
package struct HTTPHeaders: Hashable, Sendable {
    package var fields: [HTTPField]

    package init(_ fields: [HTTPField] = []) {
        self.fields = fields
    }

    /// Every value of `name`, in order.
    package func values(_ name: String) -> [String] {
        fields.filter { $0.name.equalsIgnoringCase(name) }.map(\.value)
    }

    /// The value of a field that occurs exactly once; nil when it is absent or repeated.
    package func only(_ name: String) -> String? {
        let values = values(name)
        return values.count == 1 ? values[0] : nil
    }

    package func contains(_ name: String) -> Bool {
        fields.contains { $0.name.equalsIgnoringCase(name) }
    }

    /// Adds a field behind the others, also when the name occurs already.
    package mutating func add(_ name: String, _ value: String) {
        fields.append(HTTPField(name, value))
    }

    /// Replaces every field of that name by one.
    package mutating func set(_ name: String, _ value: String) {
        fields.removeAll { $0.name.equalsIgnoringCase(name) }
        add(name, value)
    }

    /// Cookies of all `Cookie` fields in order (RFC 6265 section 4.2.1); pairs without `=` are left out.
    package var cookies: [HTTPField] {
        values("Cookie").flatMap { line in
            line.split(separator: ";").compactMap { pair -> HTTPField? in
                let pair = pair.trimmedOfBlanks
                guard let equals = pair.firstIndex(of: "=") else { return nil }
                return HTTPField(String(pair[..<equals]), String(pair[pair.index(after: equals)...]))
            }
        }
    }
}

extension String {
    /// Equal when ASCII letters are compared without case.
    package func equalsIgnoringCase(_ other: String) -> Bool {
        utf8.count == other.utf8.count && zip(utf8, other.utf8).allSatisfy { $0.lowercasedASCII == $1.lowercasedASCII }
    }

    /// With `A` to `Z` made small and everything else as it is.
    package var lowercasedASCII: String {
        String(decoding: utf8.map(\.lowercasedASCII), as: UTF8.self)
    }
}

extension UInt8 {
    fileprivate var lowercasedASCII: UInt8 { (0x41...0x5a).contains(self) ? self | 0x20 : self }
}

extension Substring {
    /// Without spaces and tabs at both ends.
    package var trimmedOfBlanks: Substring {
        var rest = self
        while let first = rest.first, first == " " || first == "\t" { rest.removeFirst() }
        while let last = rest.last, last == " " || last == "\t" { rest.removeLast() }
        return rest
    }
}
