// JSON as a value, for the control socket and `--json`. Encoding and parsing are FoundationEssentials'.

import FoundationEssentials

/// A JSON value. Objects are written with sorted keys, so that output is stable.
package enum JSONValue: Hashable, Sendable, Codable {
    case null
    case bool(Bool)
    case number(Int64)
    case text(String)
    case list([JSONValue])
    case object([String: JSONValue])

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .list(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .list(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }

    /// Nil when `bytes` are not one JSON value of these kinds.
    package init?(parsing bytes: some Collection<UInt8>) {
        guard let value = try? JSONDecoder().decode(JSONValue.self, from: Data(bytes)) else { return nil }
        self = value
    }

    /// Whether it consists of more than `limit` values.
    package func hasMore(than limit: Int) -> Bool {
        var left = limit
        return !isCounted(against: &left)
    }

    private func isCounted(against left: inout Int) -> Bool {
        left -= 1
        guard left >= 0 else { return false }
        switch self {
        case .null, .bool, .number, .text: return true
        case .list(let values): return values.allSatisfy { $0.isCounted(against: &left) }
        case .object(let fields): return fields.values.allSatisfy { $0.isCounted(against: &left) }
        }
    }

    /// One line without a line end.
    package var line: [UInt8] { encoded(pretty: false) }

    /// Several indented lines, for people who asked for `--json`.
    package var pretty: String { String(decoding: encoded(pretty: true), as: UTF8.self) }

    private func encoded(pretty: Bool) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = pretty ? [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes] : [.sortedKeys, .withoutEscapingSlashes]
        // Every value of this type has an encoding; the empty line would be refused by whoever reads it.
        return (try? encoder.encode(self)).map { [UInt8]($0) } ?? []
    }

    package subscript(_ key: String) -> JSONValue? {
        if case .object(let fields) = self { fields[key] } else { nil }
    }

    package var string: String? { if case .text(let value) = self { value } else { nil } }
    package var integer: Int64? { if case .number(let value) = self { value } else { nil } }
    package var boolean: Bool? { if case .bool(let value) = self { value } else { nil } }
    package var array: [JSONValue]? { if case .list(let value) = self { value } else { nil } }
    package var strings: [String]? { array?.compactMap(\.string) }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    package init(stringLiteral value: String) { self = .text(value) }
    package init(integerLiteral value: Int64) { self = .number(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: JSONValue...) { self = .list(elements) }
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(Dictionary(elements, uniquingKeysWith: { $1 }))
    }

    package static func number(_ value: Int) -> JSONValue { .number(Int64(value)) }
    package static func texts(_ values: some Sequence<String>) -> JSONValue { .list(values.map { .text($0) }) }
}
