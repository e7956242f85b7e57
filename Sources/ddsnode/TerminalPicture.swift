// A QR code in a terminal: two rows of modules a line, light where the terminal is dark, as most of them are.

import DDSNode

extension QRCode {
    /// With the quiet zone of four modules around it.
    var terminalText: String {
        func isLight(_ x: Int, _ y: Int) -> Bool {
            guard (0..<size).contains(x), (0..<size).contains(y) else { return true }
            return !isDark(x, y)
        }
        return stride(from: -4, to: size + 4, by: 2).map { y in
            (-4..<size + 4).map { x in
                switch (isLight(x, y), y + 1 < size + 4 && isLight(x, y + 1)) {
                case (true, true): "\u{2588}"
                case (true, false): "\u{2580}"
                case (false, true): "\u{2584}"
                case (false, false): " "
                }
            }.joined()
        }.joined(separator: "\n") + "\n"
    }
}
