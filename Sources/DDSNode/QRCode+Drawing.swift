// A QR code as a path of SVG: a square for each dark module, with the quiet zone around them.

extension QRCode {
    /// Modules on a side of the drawing, the quiet zone of four counted.
    package var drawingSize: Int { size + 8 }

    /// The `d` of a path in a box of `drawingSize`: digits, letters and commas only.
    package var drawing: String {
        var path = ""
        for y in 0..<size { for x in 0..<size where isDark(x, y) { path += "M\(x + 4),\(y + 4)h1v1h-1z" } }
        return path
    }
}
