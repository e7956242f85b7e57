// What D-Bus messages carry, as values: which types there are, and the signature of each. Nothing here talks to a bus.

/// A value of D-Bus. Containers say what they hold, so that empty ones have a signature too.
package indirect enum BusValue: Hashable, Sendable {
    case byte(UInt8)
    case boolean(Bool)
    case int32(Int32)
    case uint32(UInt32)
    case int64(Int64)
    case uint64(UInt64)
    case double(Double)
    case string(String)
    /// The path of an object.
    case path(String)
    case signature(String)
    /// A file descriptor; whoever receives one closes it.
    case descriptor(Int32)
    /// An array of octets.
    case bytes([UInt8])
    /// `of` is the signature of every element.
    case array(of: String, [BusValue])
    case structure([BusValue])
    /// One entry of a dictionary, which is an array of such.
    case entry(BusValue, BusValue)
    case variant(BusValue)

    /// The type string of the D-Bus specification.
    package var signature: String {
        switch self {
        case .byte: "y"
        case .boolean: "b"
        case .int32: "i"
        case .uint32: "u"
        case .int64: "x"
        case .uint64: "t"
        case .double: "d"
        case .string: "s"
        case .path: "o"
        case .signature: "g"
        case .descriptor: "h"
        case .bytes: "ay"
        case .array(let element, _): "a" + element
        case .structure(let fields): "(" + fields.map(\.signature).joined() + ")"
        case .entry(let key, let value): "{" + key.signature + value.signature + "}"
        case .variant: "v"
        }
    }
}

extension BusValue {
    package static func strings(_ texts: [String]) -> BusValue { .array(of: "s", texts.map { .string($0) }) }

    /// A dictionary from names to variants, `a{sv}`.
    package static func options(_ pairs: [(String, BusValue)]) -> BusValue {
        .array(of: "{sv}", pairs.map { .entry(.string($0.0), .variant($0.1)) })
    }

    /// The text of a string, a path or a signature, also within a variant.
    package var text: String? {
        switch self {
        case .string(let text), .path(let text), .signature(let text): text
        case .variant(let value): value.text
        default: nil
        }
    }

    package var flag: Bool? {
        switch self {
        case .boolean(let flag): flag
        case .variant(let value): value.flag
        default: nil
        }
    }

    /// A whole number of any width.
    package var number: Int? {
        switch self {
        case .byte(let number): Int(number)
        case .int32(let number): Int(number)
        case .uint32(let number): Int(number)
        case .int64(let number): Int(number)
        case .uint64(let number): Int(exactly: number)
        case .variant(let value): value.number
        default: nil
        }
    }

    /// The elements of an array or the fields of a structure, also within a variant.
    package var elements: [BusValue]? {
        switch self {
        case .array(_, let elements), .structure(let elements): elements
        case .variant(let value): value.elements
        default: nil
        }
    }

    /// What a dictionary with text keys has under `key`.
    package subscript(key key: String) -> BusValue? {
        for case .entry(let name, let value) in elements ?? [] where name.text == key {
            if case .variant(let inner) = value { return inner }
            return value
        }
        return nil
    }
}

/// A call of a method, or a signal that is sent.
package struct BusCall: Hashable, Sendable {
    /// Empty for signals.
    package var destination: String
    package var path: String
    package var interface: String
    package var member: String
    package var arguments: [BusValue]

    package init(
        _ destination: String = "", path: String, interface: String, member: String, _ arguments: [BusValue] = []
    ) {
        self.destination = destination
        self.path = path
        self.interface = interface
        self.member = member
        self.arguments = arguments
    }

    /// A method of the bus itself.
    package static func bus(_ member: String, _ arguments: [BusValue] = []) -> BusCall {
        BusCall(
            "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus", member: member, arguments)
    }

    /// Reads a property of an object.
    package static func property(_ destination: String, path: String, interface: String, _ name: String) -> BusCall {
        BusCall(
            destination, path: path, interface: "org.freedesktop.DBus.Properties", member: "Get",
            [.string(interface), .string(name)])
    }
}

/// A message that came: a call of an object of ours, or a signal.
package struct BusMessage: Hashable, Sendable {
    package var sender: String
    package var path: String
    package var interface: String
    package var member: String
    package var arguments: [BusValue]

    package init(sender: String = "", path: String, interface: String, member: String, arguments: [BusValue] = []) {
        self.sender = sender
        self.path = path
        self.interface = interface
        self.member = member
        self.arguments = arguments
    }
}

/// What a call failed with: the name of a D-Bus error, and words for the log.
package struct BusError: Error, Hashable, Sendable, CustomStringConvertible {
    package var name: String
    package var text: String

    package init(_ name: String, _ text: String = "") {
        self.name = name
        self.text = text
    }

    /// There is no connection.
    package static let disconnected = BusError("org.freedesktop.DBus.Error.Disconnected", "there is no connection to the bus")
    package static func unknownMethod(_ member: String) -> BusError {
        BusError("org.freedesktop.DBus.Error.UnknownMethod", "there is no method \(member)")
    }
    package static func invalidArguments(_ member: String) -> BusError {
        BusError("org.freedesktop.DBus.Error.InvalidArgs", "\(member) takes other arguments")
    }

    package var description: String { text.isEmpty ? name : "\(name): \(text)" }
}
