// Which release of its C library this target runs with.

import CGMime

package enum MailLibrary {
    /// As the library itself says it, for `--version`.
    package static var version: String { "\(gmime_major_version).\(gmime_minor_version).\(gmime_micro_version)" }
}
