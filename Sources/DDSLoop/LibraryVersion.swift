// Which release of its C library this target runs with.

import CUV

package enum LoopLibrary {
    /// As the library itself says it, for `--version`.
    package static var version: String { unsafe String(cString: uv_version_string()) }
}
