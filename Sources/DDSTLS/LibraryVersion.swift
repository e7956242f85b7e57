// Which release of its C library this target runs with.

import COpenSSL

package enum TLSLibrary {
    /// As the library itself says it, for `--version`.
    package static var version: String { unsafe String(cString: OpenSSL_version(OPENSSL_VERSION_STRING)) }
}
