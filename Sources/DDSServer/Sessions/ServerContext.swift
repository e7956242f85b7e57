// What the sessions of a running node share.

import DDSBus
import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSSpool
import DDSWire
import Logging

@LoopActor final class ServerContext {
    let services: Services
    let keys: ServerKeys
    let store: DirectoryStore
    let spool: any SpoolEngine
    let book: MaildropBook
    let delivery: DeliveryService
    let login: LoginService
    let sessions = OpenSessions()
    var links = LinkDesk()
    /// The mail domain.
    let domain: String
    /// Bytes a maildrop may hold before direct mail to it is refused for now and a group's copy is held.
    var maildropQuota: Int {
        get { book.quota }
        set { book.quota = newValue }
    }
    /// The largest message in octets.
    var messageBytesMax: Int
    var quota: SenderQuota

    init(
        services: Services, keys: ServerKeys, store: DirectoryStore, spool: any SpoolEngine, book: MaildropBook,
        delivery: DeliveryService, login: LoginService
    ) {
        self.services = services
        self.keys = keys
        self.store = store
        self.spool = spool
        self.book = book
        self.delivery = delivery
        self.login = login
        domain = services.config.node.name.lowercased()
        messageBytesMax = services.config.server.limits.messageSize
        quota = SenderQuota(
            messagesPerHour: services.config.server.limits.messagesPerHour,
            bytesPerDay: services.config.server.limits.bytesPerDay)
        book.quota = services.config.server.spool.mailboxQuota
    }

    /// The account as it is now, if it may still do what it logged in for: neither removed nor suspended since, and with the
    /// same key or password.
    func current(_ account: Account?) -> Account? {
        guard let account, let now = store.directory.account(mailbox: account.mailbox), now.name == account.name,
            now.login == account.login, now.besides == account.besides, !now.isSuspended
        else { return nil }
        return now
    }

    /// `452 4.2.2` when the person's maildrop is full. A group's copy is taken all the same, and held: one member who does not
    /// fetch must not silence a group.
    func fullMaildropReply(_ address: MailAddress) -> SMTPReply? {
        // A device that nobody uses must not keep mail from the others: what is for it is held.
        guard let account = store.directory.accounts[address.local],
            account.perDevice.allSatisfy({ book.isFull(MailboxID(rawValue: $0.mailbox)) })
        else { return nil }
        return SMTPReply(
            452, EnhancedCode(4, 2, 2), "the maildrop of \(account.name) is full; it is free again when they have fetched")
    }

    /// Takes a newcomer's enrolment; the reply says in words what came of it.
    func enrol(_ request: EnrolmentRequest, deviceKey: String, from host: String) async -> SMTPReply {
        if let credential = request.credential {
            do throws(StatementRefusal) {
                _ = try credential.checked(
                    invite: request.inviteNumber, domain: domain, device: Hex.decode(deviceKey) ?? [],
                    recipient: request.recipient)
            } catch {
                return SMTPReply(550, EnhancedCode(5, 6, 0), error.description)
            }
        }
        // One recipient that cannot be sealed to would keep a whole group from getting mail.
        guard RecipientCheck.isUsable(request.recipient, random: services.random) else {
            return SMTPReply(550, EnhancedCode(5, 6, 0), "the mailbox key of this enrolment is none; run ddsnode join again")
        }
        let (outcome, gone): (Directory.Enrolment, [Account])
        do throws(Failure) {
            (outcome, gone) = try await store.change { [services] directory throws(Failure) in
                let outcome = directory.enrolling(
                    inviteNumber: request.inviteNumber, secretHash: EnrolmentRequest.secretHash(request.secret.exposed),
                    deviceKey: deviceKey, recipient: request.recipient, credential: request.credential,
                    now: services.time.wall)
                return switch outcome {
                case .accepted(let events, let name):
                    (events, (outcome, events.isEmpty ? [] : directory.accounts[name]?.furtherDevices ?? []))
                case .refused(let events, _): (events, (outcome, []))
                }
            }
        } catch {
            services.log.error("enrolment not stored", metadata: ["error": "\(error)"])
            return SMTPReply(451, EnhancedCode(4, 3, 0), "the node cannot store your enrolment now; try again in a minute")
        }
        switch outcome {
        case .refused(_, let words): return inviteRefused(request.inviteNumber, words, from: host)
        case .accepted(let events, let name):
            if events.contains(.inviteUsed(number: request.inviteNumber)) {
                links.end(of: name)
                for device in gone { await devices.ended(device) }
                services.bus.publish(.inviteUsed)
                services.bus.publish(.enrolled)
                services.log.notice("member enrolled", metadata: ["invite": "\(request.inviteNumber)"])
                if let account = store.directory.accounts[name] { delivery.held.retry(member: account.mailbox) }
            }
            return welcome(name)
        }
    }

    /// Takes devices from members.
    var devices: DeviceKeeper {
        DeviceKeeper(store: store, delivery: delivery) { [self] device in ended(device, "the device was revoked") }
    }

    /// The directory knows a device no more: its sessions end, and with them the links that it may have made for others.
    func ended(_ device: Account, _ detail: String) {
        sessions.cut(of: device.mailbox, detail)
        links.end(of: device.name)
        book.forget(MailboxID(rawValue: device.mailbox))
    }

    /// The reply to a device that is a member's from here on.
    func welcome(_ name: String, lost: Int? = nil, device number: Int? = nil) -> SMTPReply {
        guard let account = store.directory.accounts[name], let address = MailAddress(local: name, domain: domain) else {
            return SMTPReply(451, EnhancedCode(4, 3, 0), "the account vanished meanwhile; ask the administrator")
        }
        let device = number ?? account.deviceNumber
        let welcome = EnrolmentWelcome(
            address: address, display: account.display, groups: store.directory.groupNames(of: name),
            identity: keys.nodeIdentity.publicKey, lost: lost, device: device == 1 ? nil : device)
        return SMTPReply(code: 250, enhanced: EnhancedCode(2, 0, 0), lines: welcome.lines)
    }

    /// One line per session; addresses of peers appear as the log's privacy level allows.
    func sessionEnded(_ name: String, _ summary: SessionSummary) {
        services.log.info(
            "\(name) close",
            metadata: [
                "sid": "\(summary.id)", "reason": "\(summary.reason.rawValue)", "detail": "\(summary.detail)",
                "bytes_in": "\(summary.bytesIn)", "bytes_out": "\(summary.bytesOut)",
            ])
        services.bus.publish(
            .sessionClosed(
                sid: summary.id, protocol: name, reason: summary.reason.rawValue, bytesIn: summary.bytesIn,
                bytesOut: summary.bytesOut))
    }
}
