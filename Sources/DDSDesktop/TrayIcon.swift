// The icon in the tray as pixels: the gem of the page, a badge with the count, a padlock while locked. Drawn here, because a
// tray may know no image format and no theme.

/// Square pixels as a StatusNotifierItem carries them.
package struct TrayIcon: Hashable, Sendable {
    /// Pixels from one side to the other.
    package let size: Int
    /// Alpha, red, green and blue of each pixel, row by row from the top; colours are not multiplied by alpha.
    package let octets: [UInt8]

    /// What trays ask for: one for panels as they are, one for dense screens.
    package static let sizes = [22, 44]

    /// Samples of each pixel along each side.
    private static let samples = 4

    /// Draws what `state` shows. The same state gives the same pixels.
    package init(_ state: TrayState, size: Int) {
        self.size = size
        let drawing = TrayDrawing(state)
        var octets: [UInt8] = []
        octets.reserveCapacity(size * size * 4)
        let step = TrayDrawing.side / Double(size * Self.samples)
        for row in 0..<size {
            for column in 0..<size {
                var sum = (alpha: 0.0, red: 0.0, green: 0.0, blue: 0.0)
                for sample in 0..<(Self.samples * Self.samples) {
                    let x = (Double(column * Self.samples + sample % Self.samples) + 0.5) * step
                    let y = (Double(row * Self.samples + sample / Self.samples) + 0.5) * step
                    guard let colour = drawing.colour(x, y) else { continue }
                    sum.alpha += 1
                    sum.red += colour.red
                    sum.green += colour.green
                    sum.blue += colour.blue
                }
                let inked = max(sum.alpha, 1)
                octets.append(UInt8(sum.alpha / Double(Self.samples * Self.samples) * 255))
                octets += [sum.red, sum.green, sum.blue].map { UInt8(min(255, $0 / inked)) }
            }
        }
        self.octets = octets
    }

    /// Alpha, red, green, blue.
    package subscript(x: Int, y: Int) -> [UInt8] { Array(octets[((y * size + x) * 4)..<((y * size + x) * 4 + 4)]) }
}

/// The drawing, on a square of 32 units like the page's `icon.svg`.
private struct TrayDrawing {
    struct Colour {
        var red, green, blue: Double

        init(_ red: Double, _ green: Double, _ blue: Double) { (self.red, self.green, self.blue) = (red, green, blue) }
    }

    static let side = 32.0
    private static let gem = Colour(47, 91, 208)
    private static let shine = Colour(105, 137, 222)
    private static let dull = Colour(122, 130, 145)
    private static let dullShine = Colour(159, 165, 176)
    private static let alarm = Colour(200, 60, 40)
    private static let white = Colour(255, 255, 255)
    private static let dark = Colour(34, 38, 48)

    private let isDull: Bool
    private let isLocked: Bool
    private let badge: [[Bool]]
    private let isAlarming: Bool

    init(_ state: TrayState) {
        isDull = !state.isJoined || state.isLocked
        isLocked = state.isJoined && state.isLocked
        badge = state.badge.map(Self.rows) ?? []
        isAlarming = state.status == .needsAttention
    }

    /// What is on top at a point; nil where nothing is.
    func colour(_ x: Double, _ y: Double) -> Colour? {
        if !badge.isEmpty, let colour = badgeColour(x, y) { return colour }
        if isLocked, let colour = lockColour(x, y) { return colour }
        if badge.isEmpty, isAlarming, let colour = alarmColour(x, y) { return colour }
        guard abs(x - 16) + abs(y - 16) <= 14 else { return nil }
        if isDull { return y < 16 ? Self.dullShine : Self.dull }
        return y < 16 ? Self.shine : Self.gem
    }

    // MARK: Badge

    private static let cell = 2.0

    /// A dark plate at the lower right with digits of three by five cells.
    private func badgeColour(_ x: Double, _ y: Double) -> Colour? {
        let (width, height) = (Double(badge[0].count) * Self.cell, Double(badge.count) * Self.cell)
        let (left, top) = (Self.side - width - 2, Self.side - height - 2)
        guard x >= left - 2, y >= top - 2 else { return nil }
        guard x >= left, y >= top, x < left + width, y < top + height else { return Self.alarm }
        let (column, row) = (Int((x - left) / Self.cell), Int((y - top) / Self.cell))
        return badge[row][column] ? Self.white : Self.alarm
    }

    private static let glyphs: [Character: [String]] = [
        "0": ["###", "#.#", "#.#", "#.#", "###"], "1": [".#.", "##.", ".#.", ".#.", "###"],
        "2": ["###", "..#", "###", "#..", "###"], "3": ["###", "..#", "###", "..#", "###"],
        "4": ["#.#", "#.#", "###", "..#", "..#"], "5": ["###", "#..", "###", "..#", "###"],
        "6": ["###", "#..", "###", "#.#", "###"], "7": ["###", "..#", "..#", ".#.", ".#."],
        "8": ["###", "#.#", "###", "#.#", "###"], "9": ["###", "#.#", "###", "..#", "###"],
        "+": ["...", ".#.", "###", ".#.", "..."],
    ]

    private static func rows(_ text: String) -> [[Bool]] {
        (0..<5).map { row in
            text.compactMap { glyphs[$0]?[row].map { $0 == "#" } }.joined(separator: [false]).map { $0 }
        }
    }

    // MARK: Marks

    /// A padlock at the lower left.
    private func lockColour(_ x: Double, _ y: Double) -> Colour? {
        if (1...13).contains(x), (21...31).contains(y) {
            let isKeyhole = (6...8).contains(x) && (24...28).contains(y)
            return isKeyhole ? Self.white : Self.dark
        }
        let distance = ((x - 7) * (x - 7) + (y - 21) * (y - 21)).squareRoot()
        return y < 21 && (3...5.5).contains(distance) ? Self.dark : nil
    }

    /// A disc with a bar and a dot at the lower right.
    private func alarmColour(_ x: Double, _ y: Double) -> Colour? {
        let (dx, dy) = (x - 24, y - 24)
        guard dx * dx + dy * dy <= 49 else { return nil }
        return abs(dx) <= 1.3 && ((-5...1).contains(dy) || (2.5...5).contains(dy)) ? Self.white : Self.alarm
    }
}
