// The one way in which tests reach the shared corpus of real mail and age vectors.

import Foundation

/// `../shared/corpus` beside the checkout, or `$DDSNODE_CORPUS`. Where it is absent, tests that need it are disabled with a
/// comment that says so.
package enum Corpus {
    private static let root: URL? = {
        let candidates = [
            ProcessInfo.processInfo.environment["DDSNODE_CORPUS"].map { URL(fileURLWithPath: $0) },
            URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appendingPathComponent("shared/corpus"),
        ]
        return candidates.compactMap { $0 }.first { FileManager.default.fileExists(atPath: $0.path) }
    }()

    /// For `@Test(.enabled(if: Corpus.isPresent, Corpus.absence))`.
    package static var isPresent: Bool { root != nil }
    package static let absence = "the corpus is not at ../shared/corpus (set DDSNODE_CORPUS)" as String

    /// The real messages, by relative name, in order of name.
    package static func mail() -> [(name: String, bytes: [UInt8])] { files("mail") { $0.hasSuffix(".eml") } }

    /// The age test vectors, by name.
    package static func ageVectors() -> [(name: String, bytes: [UInt8])] { files("age-testkit") { _ in true } }

    private static func files(_ folder: String, _ isWanted: (String) -> Bool) -> [(name: String, bytes: [UInt8])] {
        guard let base = root?.appendingPathComponent(folder) else { return [] }
        let names = FileManager.default.enumerator(atPath: base.path)?.compactMap { $0 as? String } ?? []
        return names.filter(isWanted).sorted().compactMap { name in
            let path = base.appendingPathComponent(name)
            guard let data = try? Data(contentsOf: path), !data.isEmpty else { return nil }
            return (name, [UInt8](data))
        }
    }
}
