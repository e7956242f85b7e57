// What the machine has, as far as somebody decides by it.

import CUV

package enum Machine {
    /// The memory in bytes that this process can count on at most: the machine's, or less where it runs in a container.
    package static var memoryBytes: Int {
        let all = Int(clamping: uv_get_total_memory())
        let allowed = Int(clamping: uv_get_constrained_memory())
        return allowed > 0 ? min(all, allowed) : all
    }

    /// What the machine calls itself, without its domain; empty when it does not say.
    package static var name: String {
        var buffer = [CChar](repeating: 0, count: 256)
        var size = buffer.count
        guard unsafe uv_os_gethostname(&buffer, &size) == 0 else { return "" }
        let octets = buffer.prefix(size).map { UInt8(bitPattern: $0) }
        return String(String(decoding: octets, as: UTF8.self).prefix { $0 != "." })
    }
}
