// What a reader has stored of a stream and not yet used, for readers that look at every octet once. It decides when memory is
// let go of and nothing about what octets mean.

struct OctetBuffer: Sendable {
    /// Everything stored, of which what is before `head` was used already.
    private(set) var octets: [UInt8] = []
    private(set) var head = 0
    /// Where the owner's search goes on; never before `head`.
    var scan = 0

    private static let compactionOctetsMin = 4096

    var end: Int { octets.count }
    var count: Int { octets.count - head }
    var isEmpty: Bool { head == octets.count }
    var pending: ArraySlice<UInt8> { octets[head...] }

    /// Stores octets behind those already stored. When there are none, no more memory is kept than for `keptOctetsMax`.
    mutating func append(_ bytes: some Collection<UInt8>, keptOctetsMax: Int) {
        if isEmpty {
            octets.removeAll(keepingCapacity: octets.capacity <= keptOctetsMax)
            scan -= head
            head = 0
        } else if head >= Self.compactionOctetsMin, head >= octets.count / 2 {
            octets.removeSubrange(..<head)
            scan -= head
            head = 0
        }
        octets.append(contentsOf: bytes)
    }

    /// What is before `index` is used.
    mutating func use(to index: Int) {
        head = index
        scan = max(scan, index)
    }

    mutating func removeAll() { self = OctetBuffer() }
}
