// A maildrop as one session sees it: a snapshot taken at login, and marks that mean nothing before QUIT (RFC 1939 5, 6).

/// One message of a maildrop.
package struct POP3Item: Hashable, Sendable {
    /// The unique id: 1 to 70 octets of 0x21...0x7e, stable for ever and never reused (RFC 1939 7).
    package var uidl: String
    /// The size as sent: with CRLF line ends, before dot-stuffing (RFC 1939 11).
    package var octets: Int

    package init(uidl: String, octets: Int) {
        self.uidl = uidl
        self.octets = octets
    }

    /// True for an id that RFC 1939 7 allows.
    package static func isValid(uidl: some Collection<UInt8>) -> Bool {
        (1...70).contains(uidl.count) && uidl.allSatisfy { (0x21...0x7e).contains($0) }
    }
}

/// The snapshot with its deletion marks. Messages are known by index from 0; the protocol's numbers are one higher.
struct POP3Maildrop: Sendable {
    let items: [POP3Item]
    private var isMarked: [Bool]
    private(set) var keptCount: Int
    private(set) var keptOctets: Int

    init(_ items: [POP3Item]) {
        self.items = items
        isMarked = Array(repeating: false, count: items.count)
        keptCount = items.count
        keptOctets = items.reduce(0) { $0 + $1.octets }
    }

    func isKept(_ index: Int) -> Bool { !isMarked[index] }
    var markedIndices: [Int] { items.indices.filter { isMarked[$0] } }
    var hasMarks: Bool { keptCount < items.count }

    /// The index of message `number`, unless there is none or it is marked as deleted.
    func index(ofNumber number: Int?) -> Int? {
        guard let number, items.indices.contains(number - 1), !isMarked[number - 1] else { return nil }
        return number - 1
    }

    /// Marks a message that is not marked yet.
    mutating func mark(_ index: Int) {
        precondition(!isMarked[index], "a message is marked once")
        isMarked[index] = true
        keptCount -= 1
        keptOctets -= items[index].octets
    }

    mutating func unmarkAll() {
        self = POP3Maildrop(items)
    }
}
