// Which release of its C library this target runs with.

import CMicroHTTPD

package enum HTTPLibrary {
    /// As the library itself says it, for `--version`.
    package static var version: String { unsafe String(cString: MHD_get_version()) }
}
