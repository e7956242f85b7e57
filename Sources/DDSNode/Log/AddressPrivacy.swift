// How addresses appear in the log: hashed unless the administrator asked for more or less.

package import DDSCore
import DDSSeal

/// Turns addresses into what `log.addresses` allows. Hashes are keyed anew at each start, so that lines of one run can be
/// told apart and no list of addresses can be tried against a log.
package struct AddressPrivacy: Sendable {
    private let level: Config.LogAddresses
    private let key: [UInt8]

    package init(level: Config.LogAddresses, random: any RandomSource) {
        self.level = level
        key = random.bytes(32)
    }

    package func text(_ address: String) -> String {
        switch level {
        case .full: address
        case .none: "-"
        case .hash: String(Hex.encode(Hash.blake2b(Array(address.utf8), key: key, count: 16)).prefix(10))
        }
    }
}
