// Values into messages of sd-bus and out of them, by its calls without variadics. What a message means is not decided here.

import CSystemd
import Glibc

/// A message of sd-bus. Whoever has one has a reference to it.
@safe struct RawMessage {
    let pointer: OpaquePointer
}

enum BusCodec {
    /// Nesting beyond this is refused when a message is read; D-Bus itself allows 64.
    private static let depthMax = 16

    // MARK: Writing

    static func append(_ values: [BusValue], to message: RawMessage) throws(BusError) {
        for value in values { try append(value, to: message) }
    }

    private static func append(_ value: BusValue, to message: RawMessage) throws(BusError) {
        switch value {
        case .byte(let number): try basic("y", number, message)
        case .boolean(let flag): try basic("b", Int32(flag ? 1 : 0), message)
        case .int32(let number): try basic("i", number, message)
        case .uint32(let number): try basic("u", number, message)
        case .int64(let number): try basic("x", number, message)
        case .uint64(let number): try basic("t", number, message)
        case .double(let number): try basic("d", number, message)
        case .descriptor(let number): try basic("h", number, message)
        case .string(let text): try append(text, "s", message)
        case .path(let text): try append(text, "o", message)
        case .signature(let text): try append(text, "g", message)
        case .bytes(let octets):
            let status = unsafe octets.withUnsafeBytes {
                unsafe sd_bus_message_append_array(message.pointer, code("y"), $0.baseAddress, $0.count)
            }
            try check(status, "append octets")
        case .array(let element, let values):
            try container("a", element, message) { () throws(BusError) in try append(values, to: message) }
        case .structure(let fields):
            try container("r", fields.map(\.signature).joined(), message) { () throws(BusError) in
                try append(fields, to: message)
            }
        case .entry(let key, let content):
            try container("e", key.signature + content.signature, message) { () throws(BusError) in
                try append(key, to: message)
                try append(content, to: message)
            }
        case .variant(let content):
            try container("v", content.signature, message) { () throws(BusError) in try append(content, to: message) }
        }
    }

    private static func basic<Number: BitwiseCopyable>(_ type: Unicode.Scalar, _ number: Number, _ message: RawMessage)
        throws(BusError)
    {
        var number = number
        try check(unsafe sd_bus_message_append_basic(message.pointer, code(type), &number), "append a number")
    }

    private static func append(_ text: String, _ type: Unicode.Scalar, _ message: RawMessage) throws(BusError) {
        try check(
            unsafe text.withCString { unsafe sd_bus_message_append_basic(message.pointer, code(type), $0) }, "append a text")
    }

    private static func container(
        _ type: Unicode.Scalar, _ contents: String, _ message: RawMessage, _ body: () throws(BusError) -> Void
    ) throws(BusError) {
        try check(unsafe sd_bus_message_open_container(message.pointer, code(type), contents), "open a container")
        try body()
        try check(unsafe sd_bus_message_close_container(message.pointer), "close a container")
    }

    // MARK: Reading

    /// Everything in a message's body.
    static func values(of message: RawMessage) throws(BusError) -> [BusValue] { try values(in: message, depth: 0) }

    private static func values(in message: RawMessage, depth: Int) throws(BusError) -> [BusValue] {
        guard depth <= depthMax else { throw BusError("org.freedesktop.DBus.Error.LimitsExceeded", "nested too deeply") }
        var values: [BusValue] = []
        while true {
            var type: CChar = 0
            var contents: UnsafePointer<CChar>?
            let status = unsafe sd_bus_message_peek_type(message.pointer, &type, &contents)
            try check(status, "look into a message")
            guard status > 0 else { return values }
            let inner = unsafe contents.map { unsafe String(cString: $0) } ?? ""
            values.append(try value(UInt8(bitPattern: type), inner, message, depth))
        }
    }

    private static func value(
        _ type: UInt8, _ contents: String, _ message: RawMessage, _ depth: Int
    ) throws(BusError) -> BusValue {
        switch Unicode.Scalar(type) {
        case "y": return .byte(try read(type, UInt8(0), message))
        case "b": return .boolean(try read(type, Int32(0), message) != 0)
        // The two types of 16 bits are read as the wider ones; nothing that is spoken to uses them.
        case "n": return .int32(Int32(try read(type, Int16(0), message)))
        case "q": return .uint32(UInt32(try read(type, UInt16(0), message)))
        case "i": return .int32(try read(type, Int32(0), message))
        case "u": return .uint32(try read(type, UInt32(0), message))
        case "x": return .int64(try read(type, Int64(0), message))
        case "t": return .uint64(try read(type, UInt64(0), message))
        case "d": return .double(try read(type, Double(0), message))
        case "s": return .string(try readText(type, message))
        case "o": return .path(try readText(type, message))
        case "g": return .signature(try readText(type, message))
        case "h":
            // The message closes its own when it goes.
            return .descriptor(fcntl(try read(type, Int32(0), message), F_DUPFD_CLOEXEC, 0))
        case "a" where contents == "y":
            var start: UnsafeRawPointer?
            var count = 0
            try check(unsafe sd_bus_message_read_array(message.pointer, code("y"), &start, &count), "read octets")
            return .bytes(unsafe start.map { unsafe Array(UnsafeRawBufferPointer(start: $0, count: count)) } ?? [])
        case "a": return .array(of: contents, try entered(type, contents, message, depth))
        case "r": return .structure(try entered(type, contents, message, depth))
        case "e":
            let parts = try entered(type, contents, message, depth)
            guard parts.count == 2 else { throw BusError("org.freedesktop.DBus.Error.InvalidArgs", "an entry has two parts") }
            return .entry(parts[0], parts[1])
        case "v":
            guard let content = try entered(type, contents, message, depth).first else {
                throw BusError("org.freedesktop.DBus.Error.InvalidArgs", "an empty variant")
            }
            return .variant(content)
        default: throw BusError("org.freedesktop.DBus.Error.InvalidArgs", "a type that D-Bus has not")
        }
    }

    private static func entered(
        _ type: UInt8, _ contents: String, _ message: RawMessage, _ depth: Int
    ) throws(BusError) -> [BusValue] {
        try check(
            unsafe sd_bus_message_enter_container(message.pointer, CChar(bitPattern: type), contents), "enter a container")
        let inner = try values(in: message, depth: depth + 1)
        try check(unsafe sd_bus_message_exit_container(message.pointer), "leave a container")
        return inner
    }

    private static func read<Number: BitwiseCopyable>(_ type: UInt8, _ zero: Number, _ message: RawMessage) throws(BusError)
        -> Number
    {
        var number = zero
        try check(unsafe sd_bus_message_read_basic(message.pointer, CChar(bitPattern: type), &number), "read a number")
        return number
    }

    private static func readText(_ type: UInt8, _ message: RawMessage) throws(BusError) -> String {
        var text: UnsafePointer<CChar>?
        try check(unsafe sd_bus_message_read_basic(message.pointer, CChar(bitPattern: type), &text), "read a text")
        return unsafe text.map { unsafe String(cString: $0) } ?? ""
    }

    // MARK: Errors

    private static func code(_ type: Unicode.Scalar) -> CChar { CChar(truncatingIfNeeded: type.value) }

    /// sd-bus returns negative error numbers.
    static func check(_ status: Int32, _ operation: String) throws(BusError) {
        guard status < 0 else { return }
        throw BusError("org.freedesktop.DBus.Error.Failed", "\(operation): error \(-status)")
    }
}
