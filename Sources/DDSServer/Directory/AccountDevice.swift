// A member's devices. Each has a maildrop, a login and a mailbox key of its own, so that each gets every message; all belong to one
// identity. What handles one reader's copy is given the account as one device has it, and need not know that there are others.

import DDSCore
import DDSNode

/// What a device that was linked has of its own.
struct AccountDevice: Hashable, Sendable, Codable {
    /// Counts the member's devices; never used twice.
    var number: Int
    /// What its owner calls it.
    var title: String
    var mailbox: UInt64
    /// As in `LoginMethod`.
    var deviceKey: String
    var recipient: String
    var keyNumber: UInt64
    /// Signed, in base64; the last of this device's chain.
    var statement: String
    /// Days since 1970.
    var since: Int
}

extension Account {
    /// Devices of one member.
    static let devicesMax = 8

    /// Of the device whose keys stand in the account's own fields.
    var deviceNumber: Int { device ?? 1 }

    /// The account as each of its devices has it, in order of their numbers.
    var perDevice: [Account] {
        guard let others, !others.isEmpty else { return [self] }
        var first = self
        first.others = nil
        return ([first] + others.map { self.seen(by: $0) }).sorted { $0.deviceNumber < $1.deviceNumber }
    }

    /// Those of its devices that are not in the account's own fields: access given anew, or restored, ends them.
    var furtherDevices: [Account] { perDevice.filter { $0.mailbox != mailbox } }

    private func seen(by other: AccountDevice) -> Account {
        var account = self
        account.others = nil
        account.device = other.number
        account.deviceTitle = other.title
        account.deviceSince = other.since
        account.mailbox = other.mailbox
        account.login = .deviceKey(other.deviceKey)
        account.recipient = other.recipient
        account.keyNumber = other.keyNumber
        account.statement = other.statement
        // A password opens the first maildrop, and only there something can be left of a restoration.
        account.besides = nil
        account.lostBefore = nil
        account.lost = nil
        return account
    }

    /// Whom a header is for, among the readers of a message that its author has sealed: the name, and of further devices their number.
    var place: String { SealedBundle.place(name, device: deviceNumber) }

    /// Every device's key hash.
    var deviceKeys: [String] {
        perDevice.compactMap { if case .deviceKey(let key) = $0.login { key } else { nil } }
    }

    mutating func link(_ device: AccountDevice) {
        others = (others ?? []) + [device]
        devicesGiven = max(devicesGiven ?? 1, device.number)
    }

    /// Changes the key of the device with that number, as a statement said.
    mutating func state(device number: Int, keyNumber: UInt64, recipient: String, statement: String) {
        guard number != deviceNumber else {
            self.keyNumber = keyNumber
            self.recipient = recipient
            self.statement = statement
            return
        }
        guard let index = others?.firstIndex(where: { $0.number == number }) else { return }
        others?[index].keyNumber = keyNumber
        others?[index].recipient = recipient
        others?[index].statement = statement
    }

    /// Takes a device away. When it is the one in the account's own fields, the next takes its place there; the last one stays.
    mutating func revoke(device number: Int) {
        if number == deviceNumber {
            guard let next = others?.first else { return }
            var account = seen(by: next)
            account.others = others.map { Array($0.dropFirst()) }
            self = account
        } else {
            others?.removeAll { $0.number == number }
        }
        if others?.isEmpty == true { others = nil }
    }
}
