// Takes a device from a member: it is let in no more, what waits for it goes, and whoever wrote that learns it when no other device
// of the member has it.

import DDSCore
import DDSLoop
import DDSNode
import DDSSpool

@LoopActor struct DeviceKeeper {
    let store: DirectoryStore
    let delivery: DeliveryService
    /// Told with the account as the device had it.
    let onEnded: @LoopActor (Account) -> Void

    /// `asking` is the maildrop of the device that wants it, nil for an administrator. Throws with exit code 67 for a number that
    /// there is not, 65 for the last device and for the one that asks.
    func revoke(_ number: Int, of name: String, asking: UInt64? = nil) async throws(Failure) {
        let device = try await store.change { directory throws(Failure) in
            let (events, device) = try directory.revoking(number, of: name, asking: asking)
            return (events, device)
        }
        await ended(device)
    }

    /// The directory knows a device no more. Its sessions end, and what it has left goes; a copy that comes later than this, at the
    /// next sweep.
    func ended(_ device: Account) async {
        onEnded(device)
        await store.fence.drained()
        do throws(Failure) {
            await delivery.memberRemoved(device, erased: try await store.eraseMaildrop(of: device))
        } catch {
            // The maildrop has no owner any more: the hourly sweep erases it.
        }
    }
}
