// How a member gets another device, and loses one: by a statement of the identity that the node knows, which only an unlocked device
// of theirs can hand on. Whether a link was offered and answered is LinkDesk's affair.

import DDSCore
import DDSNode
import DDSSeal

extension Directory {
    /// What comes of a device that brings its first statement.
    enum Linking: Hashable, Sendable {
        /// To be stored; empty when the very same was accepted before.
        case accepted([DirectoryEvent])
        /// In words for whoever holds the link.
        case refused(String)
    }

    /// Checks the first statement of a device with the key `deviceKey`, a hash in hexadecimal.
    func linking(
        _ signed: [UInt8], title: String, deviceKey: String, of name: String, domain: String, day: Int
    ) -> Linking {
        guard let account = accounts[name], let identity = account.identity.flatMap({ Hex.decode($0) }), account.usesKey,
            let device = Hex.decode(deviceKey), let address = MailAddress(local: name, domain: domain)
        else { return .refused("only a member with an agent links another device") }
        if account.isSuspended { return .refused("\(name) is suspended; ask the node's administrator") }
        let text = String(decoding: Base64.encode(signed), as: UTF8.self)
        if let known = self.account(deviceKey: deviceKey) {
            return known.name == name && known.statement == text
                ? .accepted([]) : .refused("this device already belongs to a member; use a fresh state folder")
        }
        guard account.perDevice.count < Account.devicesMax else {
            return .refused("\(Account.devicesMax) devices are the most; revoke one: ddsnode device revoke NUMBER")
        }
        do throws(StatementRefusal) {
            let statement = try MailboxStatement(signed, by: identity)
            try statement.check(holder: .member(address), device: device, recipient: statement.recipient)
            try statement.checkFirst()
            if AgeKeyKind(accepted: statement.recipient) == .classical, let group = groupRequiringHybrid(of: name) {
                return .refused("\(group) takes post-quantum keys only and this agent made a classical one; update ddsnode")
            }
            return .accepted([
                .deviceLinked(
                    name: name,
                    device: AccountDevice(
                        number: (account.devicesGiven ?? account.deviceNumber) + 1, title: title, mailbox: nextMailbox,
                        deviceKey: deviceKey, recipient: statement.recipient, keyNumber: statement.number, statement: text,
                        since: day))
            ])
        } catch {
            return .refused(error.description)
        }
    }

    /// The account as the device of that number has it, to be revoked. `asking` is the device that wants it, nil for an administrator.
    func revoking(_ number: Int, of name: String, asking: UInt64? = nil) throws(Failure) -> (
        events: [DirectoryEvent], device: Account
    ) {
        let account = try member(name)
        let devices = account.perDevice
        guard let device = devices.first(where: { $0.deviceNumber == number }) else {
            throw Failure(.unknownName, "\(account.name) has no device \(number); its devices: \(Self.numbers(devices))")
        }
        guard devices.count > 1 else {
            throw Failure(
                .badInput,
                "device \(number) is the only one of \(account.name), who could not log in any more; to lock them out: ddsnode user suspend \(account.name)"
            )
        }
        guard device.mailbox != asking else {
            throw Failure(.badInput, "device \(number) is the one that asks; revoke it from another of your devices")
        }
        return ([.deviceRevoked(name: account.name, device: number)], device)
    }

    private static func numbers(_ devices: [Account]) -> String {
        devices.map { "\($0.deviceNumber)" }.joined(separator: ", ")
    }
}
