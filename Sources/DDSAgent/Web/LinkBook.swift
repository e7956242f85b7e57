// The addresses that links of mail have on the page. A browser writes down what it is sent to: no address of ours holds one of theirs,
// and none of ours means anything after the lock.

package import DDSHTML
package import DDSHTTP
import DDSCore

/// How a link is called. Nobody without the key knows the name of a link, or finds the link of a name.
package struct LinkNames: Sendable {
    private let hash: WebHash
    private let key: [UInt8]

    package init(hash: @escaping WebHash, key: [UInt8]) {
        self.hash = hash
        self.key = key
    }

    /// 128 bits in hexadecimal.
    package func name(of target: LinkTarget) -> String {
        Hex.encode(hash(key + Array("ddsnode link \(target.text)".utf8)).prefix(16))
    }

    /// The page's address for a link.
    package func path(of target: LinkTarget) -> String { "/o/" + name(of: target) }
}

/// What the names stand for, from an unlock to the lock.
package struct LinkBook: Sendable {
    /// Beyond these the oldest goes.
    package static let linksMax = 20_000

    package let names: LinkNames
    private var targets: [String: LinkTarget] = [:]
    /// In the order in which they came; `next` is the place of the one that goes first.
    private var order: [String] = []
    private var next = 0

    package init(names: LinkNames) {
        self.names = names
    }

    package mutating func note(_ found: [LinkTarget]) {
        for target in found {
            let name = names.name(of: target)
            guard targets.updateValue(target, forKey: name) == nil else { continue }
            if order.count < Self.linksMax {
                order.append(name)
            } else {
                targets[order[next]] = nil
                order[next] = name
                next = (next + 1) % Self.linksMax
            }
        }
    }

    package func target(_ name: String) -> LinkTarget? { targets[name] }
    package var count: Int { targets.count }
}
