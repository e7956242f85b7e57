// How many hosts have passed a message on: the `Received` fields of its header (RFC 5321 6.3), counted as they come by.
// Nothing is kept of the header, so that one of any length has its hops counted.

/// Counts the fields of one message's header. Fed in order, in pieces of any size.
package struct HopCounter: Sendable {
    private enum State: Hashable, Sendable {
        /// So many letters of the name have been seen.
        case name(Int)
        /// Behind the whole name, where white space may stand before the colon (RFC 5322 4.5.8).
        case colon
        case restOfLine
        case body
    }

    private static let name = Array("received".utf8)
    private var state = State.name(0)
    /// Nothing has come of this line but perhaps its CR.
    private var isLineEmpty = true

    /// `Received` fields so far.
    package private(set) var count = 0

    package init() {}

    package mutating func feed(_ bytes: some Sequence<UInt8>) {
        guard state != .body else { return }
        for byte in bytes {
            step(byte)
            if state == .body { return }
        }
    }

    private mutating func step(_ byte: UInt8) {
        if byte == 0x0a {
            state = isLineEmpty ? .body : .name(0)
            isLineEmpty = true
            return
        }
        if byte != 0x0d { isLineEmpty = false }
        switch state {
        case .name(let seen) where byte | 0x20 == Self.name[seen]:
            state = seen + 1 == Self.name.count ? .colon : .name(seen + 1)
        case .colon where byte == 0x3a:
            count += 1
            state = .restOfLine
        case .colon where byte == 0x20 || byte == 0x09:
            break
        case .name where byte == 0x0d && isLineEmpty:
            break
        case .name, .colon, .restOfLine, .body:
            state = .restOfLine
        }
    }
}
