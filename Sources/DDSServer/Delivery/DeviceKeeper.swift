// Gives a member a further device, and takes one: in the transaction that says so the other devices are told. One that was taken is let
// in no more, what waits for it goes, and whoever wrote that learns it when no other device
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
        var revoked: Account?
        var told: [ControlCopy] = []
        try await store.change(together: { [self] directory throws(Failure) in
            let (events, device) = try directory.revoking(number, of: name, asking: asking)
            revoked = device
            let others = directory.accounts[device.name]?.perDevice.filter { $0.mailbox != device.mailbox } ?? []
            told = await notices(DeviceNotice(.revoked, number: number, title: device.deviceTitle ?? ""), to: others)
            return (events, told.appends)
        })
        delivery.noteStored(told)
        if let revoked { await ended(revoked) }
    }

    /// A member has another device, by the first statement that it brings. Returns what came of it, for the device.
    func link(_ decide: @escaping @LoopActor (Directory) -> Directory.Linking) async throws(Failure) -> Directory.Linking {
        var outcome = Directory.Linking.refused("")
        var told: [ControlCopy] = []
        try await store.change(together: { [self] directory throws(Failure) in
            outcome = decide(directory)
            guard case .accepted(let events) = outcome, case .deviceLinked(let name, let device)? = events.first else {
                return ([], [])
            }
            told = await notices(
                DeviceNotice(.linked, number: device.number, title: device.title), to: directory.accounts[name]?.perDevice ?? [])
            return (events, told.appends)
        })
        delivery.noteStored(told)
        return outcome
    }

    private func notices(_ notice: DeviceNotice, to devices: [Account]) async -> [ControlCopy] {
        var mails: [ControlCopy] = []
        for device in devices {
            if let mail = await delivery.mailer.mail(.device(notice), to: device) { mails.append(mail) }
        }
        return mails
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

extension [ControlCopy] {
    /// To stand first in a transaction.
    fileprivate var appends: [SpoolAppend] { enumerated().flatMap { $1.appends(at: 2 * $0) } }
}
