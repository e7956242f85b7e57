// What a mail would have loaded from elsewhere, counted so that the reader can be told. Nothing is ever loaded.

package import DDSUnicode

/// Places on other hosts that a mail points its reader's program to.
package struct RemoteContent: Hashable, Sendable {
    /// Pictures, backgrounds and pixels that count readers.
    package private(set) var images = 0
    /// Style sheets, frames, sounds and the like.
    package private(set) var others = 0
    /// Whose they are, in the order of their first place.
    package private(set) var hosts: [HostName] = []

    private static let hostsMax = 20

    package init() {}

    /// Counts one element that would have loaded `addresses`, of which any may be of no other host at all.
    mutating func note(_ addresses: [String], isImage: Bool) {
        let found = addresses.compactMap { Self.host($0) }
        guard !found.isEmpty else { return }
        if isImage { images += 1 } else { others += 1 }
        for host in found where !hosts.contains(host) && hosts.count < Self.hostsMax { hosts.append(host) }
    }

    private static func host(_ address: String) -> HostName? {
        var text = address
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        if text.hasPrefix("//") || text.hasPrefix("\\\\") { text = "https:" + text }
        return LinkTarget(text)?.host
    }
}
