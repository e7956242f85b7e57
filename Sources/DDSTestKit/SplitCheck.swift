// Whether a session does the same with its input however it is cut into pieces.

package import DDSTorture
package import DDSWire

/// Feeds `input` whole, at every two-way split and byte by byte to sessions made by `make` (started already), then ends the
/// input. Returns a sentence for each way in which the session did something else than with the whole input: empty is good.
package func verifySplits<Session: WireSession>(
    _ input: some Collection<UInt8>, make: () -> SessionHarness<Session>
) -> [String] {
    let input = Array(input)
    func run(_ pieces: [ArraySlice<UInt8>]) -> [String] {
        var harness = make()
        for piece in pieces { harness.receive(piece) }
        harness.deliver(.endOfInput)
        return harness.transcript
    }
    let whole = run([input[...]])
    var complaints: [String] = []
    func compare(_ other: [String], _ name: String) {
        guard other != whole else { return }
        let place = zip(whole, other).enumerated().first { $1.0 != $1.1 }?.offset ?? min(whole.count, other.count)
        let expected = place < whole.count ? whole[place] : "nothing"
        let actual = place < other.count ? other[place] : "nothing"
        complaints.append("\(name): action \(place) is \(actual) instead of \(expected)")
    }
    for split in 0...input.count { compare(run([input[..<split], input[split...]]), "split at \(split)") }
    compare(run(input.indices.map { input[$0...$0] }), "byte by byte")
    return complaints
}
