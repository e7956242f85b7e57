// Short conversations in tests, as text.

import DDSTestKit
import DDSWire
import Testing

/// Says each line of `script` that begins with `C: `, and expects the lines behind `S: ` until the next.
func play(
    _ harness: inout SessionHarness<IMAPServerSession>, _ script: String, _ location: SourceLocation = #_sourceLocation
) {
    var said = ""
    var expected: [String] = []
    func check(_ harness: inout SessionHarness<IMAPServerSession>) {
        let text = harness.takeText()
        let lines = text.split(separator: "\r\n", omittingEmptySubsequences: false).dropLast().map(String.init)
        #expect(lines == expected, "after \(said)", sourceLocation: location)
        expected = []
    }
    for line in script.split(separator: "\n", omittingEmptySubsequences: false) {
        if line.hasPrefix("C: ") {
            check(&harness)
            said = String(line)
            harness.receive(String(line.dropFirst(3)) + "\r\n")
        } else if line.hasPrefix("S: ") {
            expected.append(String(line.dropFirst(3)))
        }
    }
    check(&harness)
}
