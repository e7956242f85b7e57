// What the machine has, as far as somebody decides by it.

import CUV

package enum Machine {
    /// The memory in bytes that this process can count on at most: the machine's, or less where it runs in a container.
    package static var memoryBytes: Int {
        let all = Int(clamping: uv_get_total_memory())
        let allowed = Int(clamping: uv_get_constrained_memory())
        return allowed > 0 ? min(all, allowed) : all
    }
}
