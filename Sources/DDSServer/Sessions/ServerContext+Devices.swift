// What the node answers about a member's devices: to the devices themselves, which speak with the identity's signature, and to a
// new one that comes with a link.

import DDSBus
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSWire
import Logging

extension ServerContext {
    private static func refused(_ words: String) -> SMTPReply { SMTPReply(550, EnhancedCode(5, 7, 1), words) }

    private static let notNow = SMTPReply(
        451, EnhancedCode(4, 3, 0), "the node cannot store the change now; try again in a minute")

    private static func accepted(_ lines: [String]) -> SMTPReply {
        SMTPReply(code: 250, enhanced: EnhancedCode(2, 0, 0), lines: lines)
    }

    // MARK: A member's device

    /// `isNew` is false for what stores nothing, and for a refusal.
    func answer(_ request: DeviceRequest, by account: Account) async -> (reply: SMTPReply, isNew: Bool) {
        guard let address = MailAddress(local: account.name, domain: domain), case .deviceKey(let key) = account.login,
            let device = Hex.decode(key), let identity = account.identity.flatMap({ Hex.decode($0) }),
            request.isSigned(by: identity, of: address, device: device, node: keys.nodeIdentity.publicKey)
        else { return (Self.refused("this is not signed by the identity that this node knows of you"), false) }
        let minutes = abs(request.time.milliseconds - services.time.wall.milliseconds) / 60_000
        guard Duration.seconds(minutes * 60) <= RestoreClaim.clockMax else {
            return (
                Self.refused("the clocks of this machine and of the node are \(minutes) minutes apart; set them right"), false
            )
        }
        let now = services.time.now
        switch request.action {
        case .list: return (await list(account), false)
        case .offer(let link):
            guard store.directory.accounts[account.name]?.perDevice.count ?? 0 < Account.devicesMax else {
                return (
                    Self.refused("\(Account.devicesMax) devices are the most; revoke one: ddsnode device revoke NUMBER"), false
                )
            }
            links.offer(link, by: account, now: now)
            return (Self.accepted(["offered"]), true)
        case .look(let id):
            guard let link = links.link(id, of: account, now: now) else { return (Self.refused(LinkDesk.unknown), false) }
            return (Self.accepted(state(of: link).lines), false)
        case .grant(let id, let device, let parcel):
            guard links.link(id, of: account, now: now) != nil, links.grant(id, device: Hex.encode(device), parcel) else {
                return (Self.refused(LinkDesk.unknown), false)
            }
            return (Self.accepted(["granted"]), true)
        case .revoke(let number): return await revoke(number, by: account)
        }
    }

    private func state(of link: LinkDesk.Link) -> LinkState {
        guard let claim = link.claim else { return .open }
        if let linked = store.directory.account(deviceKey: claim.device), linked.name == link.name {
            return .linked(linked.deviceNumber)
        }
        guard link.parcel == nil else { return .granted }
        return .claimed(
            device: Hex.decode(claim.device) ?? [], recipient: claim.recipient, proof: claim.proof, title: claim.title)
    }

    private func list(_ account: Account) async -> SMTPReply {
        let devices = store.directory.accounts[account.name]?.perDevice ?? []
        return Self.accepted(
            devices.map { device in
                DeviceLine(
                    number: device.deviceNumber, since: device.deviceSince ?? 0, keyNumber: device.keyNumber ?? 0,
                    isAsking: device.mailbox == account.mailbox,
                    waiting: book.usage[MailboxID(rawValue: device.mailbox)]?.count ?? 0, title: device.deviceTitle ?? ""
                ).line
            })
    }

    private func revoke(_ number: Int, by account: Account) async -> (reply: SMTPReply, isNew: Bool) {
        do throws(Failure) {
            try await devices.revoke(number, of: account.name, asking: account.mailbox)
            return (Self.accepted(["revoked \(number)"]), true)
        } catch {
            guard error.code != .inputOutput else {
                services.log.error("device not revoked", metadata: ["error": "\(error)"])
                return (Self.notNow, false)
            }
            return (Self.refused(error.publicText), false)
        }
    }

    // MARK: A new device

    func link(_ request: LinkRequest, deviceKey: String, from host: String) async -> SMTPReply {
        switch request.step {
        case .claim(let recipient, let proof):
            guard let link = links.link(request.link, now: services.time.now) else {
                return refusedLink(LinkDesk.unknown, from: host)
            }
            // It is asked every second, and the key is looked at once.
            guard link.claim?.recipient == recipient || RecipientCheck.isUsable(recipient, random: services.random) else {
                return SMTPReply(550, EnhancedCode(5, 6, 0), "nothing can be sealed to the key of this device; run join again")
            }
            let claim = LinkDesk.Claim(device: deviceKey, title: request.title, recipient: recipient, proof: proof)
            guard let answer = links.claim(request.link, claim) else {
                return refusedLink("another device has used this link; make another: ddsnode device link", from: host)
            }
            return Self.accepted(answer.lines)
        case .confirm(let statement): return await confirm(statement, request, deviceKey: deviceKey, from: host)
        }
    }

    private func refusedLink(_ words: String, from host: String) -> SMTPReply {
        login.enrolmentRefused(from: host)
        services.log.notice("device link refused", metadata: ["reason": "\(words)"])
        return Self.refused(words)
    }

    private func confirm(
        _ statement: [UInt8], _ request: LinkRequest, deviceKey: String, from host: String
    ) async -> SMTPReply {
        // A reply that was lost on the way: the device asks again, perhaps when the link is gone, and is told the same.
        let known = store.directory.account(deviceKey: deviceKey)?.name
        let link = links.link(request.link, now: services.time.now)
        let isGranted = link?.claim?.device == deviceKey && link?.parcel != nil
        guard let name = known ?? (isGranted ? link?.name : nil) else {
            return refusedLink(LinkDesk.unknown, from: host)
        }
        let outcome: Directory.Linking
        do throws(Failure) {
            outcome = try await devices.link { [self] directory in
                let outcome = directory.linking(
                    statement, title: request.title, deviceKey: deviceKey, of: name, domain: domain,
                    day: services.time.wall.day)
                guard case .accepted(let events) = outcome else { return outcome }
                return RecipientCheck.refusal(of: events, random: services.random).map { .refused($0) } ?? outcome
            }
        } catch {
            services.log.error("device not linked", metadata: ["error": "\(error)"])
            return Self.notNow
        }
        guard case .accepted(let events) = outcome, let device = store.directory.account(deviceKey: deviceKey) else {
            guard case .refused(let words) = outcome else { return Self.notNow }
            return refusedLink(words, from: host)
        }
        if !events.isEmpty {
            services.bus.publish(.enrolled)
            services.log.notice("device linked", metadata: ["number": "\(device.deviceNumber)"])
        }
        return welcome(name, device: device.deviceNumber)
    }
}
