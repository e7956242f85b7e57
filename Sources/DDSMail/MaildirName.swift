// File names of a Maildir: made so that no two messages of one export share one and the same export gives the same names
// again, and read for what they say about a message.

package import DDSCore

/// `1764256561.5f0c..._1.ddsnode,S=1437:2,S`: time of delivery, a part that tells messages apart, the size, the flags.
package struct MaildirName: Hashable, Sendable {
    /// When the message came, in whole seconds; nil when the name does not begin with a number.
    package var received: WallTime?
    /// The flag `S`: the person has looked at it.
    package var isSeen: Bool

    /// The name of a message: `unique` has letters, digits and `_` only. A message that nobody has looked at lies in `new`, where
    /// names have no flags.
    package static func text(received: WallTime, unique: String, size: Int, isSeen: Bool) -> String {
        "\(received.seconds).\(unique).ddsnode,S=\(size)" + (isSeen ? ":2,S" : "")
    }

    package init(_ name: String) {
        received = name.split(separator: ".", maxSplits: 1).first.flatMap { Int64($0) }.flatMap {
            (0...253_402_300_799).contains($0) ? WallTime(milliseconds: $0 * 1000) : nil
        }
        let flags = name.firstRange(of: ":2,").map { name[$0.upperBound...] } ?? ""
        isSeen = flags.contains("S")
    }
}
