// Which release of its C library this target runs with.

import CSodium

package enum SealLibrary {
    /// As the library itself says it, for `--version`.
    package static var version: String { unsafe String(cString: sodium_version_string()) }
}
