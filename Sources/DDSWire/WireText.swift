// Text that crosses a trust boundary becomes harmless by construction.

/// Makes a line of text out of whatever somebody else wrote.
enum WireText {
    /// Printable ASCII as it is, everything else as `?`, at most `count` octets: no line ends, no control characters.
    static func line(_ bytes: some Sequence<UInt8>, atMost count: Int = 200) -> String {
        String(decoding: bytes.prefix(count).map { (0x20...0x7e).contains($0) ? $0 : 0x3f }, as: UTF8.self)
    }
}
