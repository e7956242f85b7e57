// The page's settings: what each tab shows of the agent, and what is kept of what its form says. Passphrases and the kit are the
// agent's to judge and make.

import DDSCore
import DDSHTTP
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSSpool
import DDSTLS
import Logging

/// A recovery kit on its way to paper.
struct OpenKit: Sendable {
    static let lifetime = Duration.seconds(600)

    var name: String
    var kit: RecoveryKit
    var until: Instant
}

extension MailPage: SettingsBackend {
    var settings: any SettingsBackend { self }
    var chosen: PageSettings { agent.unlocked?.settings.settings ?? PageSettings() }

    func model(of tab: SettingsTab) async -> SettingsModel? {
        guard !agent.isLocked else { return nil }
        let model: SettingsModel?
        switch tab {
        case .you: model = .you(you)
        case .keys: model = ownKeys.map { .keys($0) }
        case .groups:
            // Groups of which only mail is known are among them.
            _ = await desk.current()
            model = .groups(groupNames.map(membership))
        case .devices: model = .devices(await devices())
        case .gateway: model = .gateway(gatewayModel())
        case .appearance: model = .appearance(chosen.look)
        case .node: model = .node(await node())
        case .about: model = .about(about)
        }
        return agent.isLocked ? nil : model
    }

    // MARK: What was chosen

    func save(_ change: SettingsChange) async -> String {
        guard let book = agent.unlocked?.settings else { return "Nothing was changed: the agent is locked." }
        do throws(Failure) {
            let changed = try settings(changedBy: change)
            try await keep(changed, in: book)
            if case .you(let name, _, _, _) = change { try agent.rename(name) }
        } catch {
            return "Nothing was changed: \(error.publicText)."
        }
        guard case .muted = change, let store = agent.unlocked?.store else { return "Saved." }
        // Lists and counters follow.
        desk.storeChanged()
        agent.noteChange(of: store)
        return "Saved."
    }

    /// Judges everything before anything is kept.
    private func settings(changedBy change: SettingsChange) throws(Failure) -> (inout PageSettings) -> Void {
        switch change {
        case .look(let look): return { $0.look = look }
        case .muted(let ids):
            let shown = groupNames
            let muted = shown.filter { ids.contains(Self.groupID($0)) }
            return { $0.mutedGroups = $0.mutedGroups.subtracting(shown).union(muted) }
        case .you(let name, let signature, let checksSpelling, let undoSeconds):
            guard WelcomeWay.cleaned(name: name) != nil else {
                throw Failure(.badInput, "a name has one character at least, and a hundred at most")
            }
            guard signature.utf16.count <= PageSettings.signatureMax else {
                throw Failure(.badInput, "a signature has \(PageSettings.signatureMax) characters at most")
            }
            if let undoSeconds, !PageSettings.undoSecondsRange.contains(undoSeconds) {
                throw Failure(.badInput, "a message can be taken back for at most \(PageSettings.undoSecondsRange.upperBound) s")
            }
            return {
                $0.signature = signature
                $0.checksSpelling = checksSpelling
                $0.undoSeconds = undoSeconds
            }
        }
    }

    private func keep(_ change: (inout PageSettings) -> Void, in book: SettingsBook) async throws(Failure) {
        do throws(SpoolError) {
            try await book.change(change)
        } catch {
            agent.services.log.error("settings not kept", metadata: ["error": "\(error)"])
            throw Failure(
                .inputOutput,
                error == .full ? "the disk is full; free some space" : "the local store cannot be written; see: ddsnode status")
        }
    }

    private var you: YouModel {
        let chosen = chosen
        return YouModel(
            name: agent.account.display, address: "\(agent.account.address)", signature: chosen.signature,
            checksSpelling: chosen.checksSpelling, undoSeconds: chosen.undoSeconds,
            configuredUndoSeconds: Int(agent.services.config.agent.web.undoSend.components.seconds))
    }

    private func membership(_ name: String) -> MembershipModel {
        let rosters = agent.unlocked?.store.trust.groups[name]
        let roster = rosters?.last?.roster
        return MembershipModel(
            id: Self.groupID(name), name: name, isMuted: chosen.mutedGroups.contains(name), members: roster?.members.count,
            roster: roster?.number,
            owners: roster?.members.filter { $0.role == .owner && $0.address != agent.account.address }.map { "\($0.address)" } ?? [])
    }

    // MARK: Keys

    private var ownKeys: OwnKeysModel? {
        guard let own = agent.ownFingerprint, let contacts = agent.unlocked?.store.trust.contacts else { return nil }
        return OwnKeysModel(
            own: Self.model(own, withPicture: true),
            contacts: contacts.filter { $0.address != "\(agent.account.address)" }.map {
                OwnKeysModel.Contact(
                    id: Self.personID($0.address), address: $0.address, standing: $0.words, isUrgent: $0.entry.awaitsDecision)
            })
    }

    private static func secret(_ text: Redacted<[UInt8]>) -> SecretBytes {
        var bytes = text.exposed
        return SecretBytes(consuming: &bytes)
    }

    func objection(to new: Redacted<[UInt8]>, insteadOf old: Redacted<[UInt8]>) -> String? {
        do throws(Failure) {
            try agent.judge(newPassphrase: Self.secret(new), insteadOf: Self.secret(old))
            return nil
        } catch {
            return WelcomeWay.sentence(error.publicText)
        }
    }

    func changePassphrase(from old: Redacted<[UInt8]>, to new: Redacted<[UInt8]>) async -> UnlockOutcome {
        await Self.outcome { () throws(Failure) in
            _ = try await agent.changePassphrase(from: Self.secret(old), to: Self.secret(new))
        }
    }

    func makeKit(passphrase: Redacted<[UInt8]>, name: String) async -> UnlockOutcome {
        await Self.outcome { () throws(Failure) in
            let kit = try await agent.makeKit(passphrase: Self.secret(passphrase))
            guard !agent.isLocked else { throw Failure(.interrupted, "the agent was locked meanwhile") }
            openKit = OpenKit(name: name, kit: kit, until: agent.services.time.now + OpenKit.lifetime)
        }
    }

    private static func outcome(_ attempt: () async throws(Failure) -> Void) async -> UnlockOutcome {
        do throws(Failure) {
            try await attempt()
            return .opened
        } catch {
            return error.code == .permission ? .refused : .failed(WelcomeWay.sentence(error.publicText))
        }
    }

    func kit(_ name: String) -> RecoveryKitModel? { openKit(name).map(RecoveryPage.model) }

    func kitFile(_ name: String) -> [UInt8]? {
        openKit(name).map { RecoveryPage(kit: $0, date: agent.services.time.wall).html }
    }

    private func openKit(_ name: String) -> RecoveryKit? {
        guard let openKit, openKit.name == name, agent.services.time.now < openKit.until, !agent.isLocked else { return nil }
        return openKit.kit
    }

    // MARK: Devices

    private func devices() async -> DevicesModel {
        var model = DevicesModel(devices: [], linkWords: linkWords)
        do throws(Failure) {
            // Who waits for a page does not wait for a node that is known to be away.
            if let trouble = agent.fetcher?.lastTrouble { throw Failure(.unavailable, trouble) }
            model.devices = try await agent.devices().map {
                DevicesModel.Device(
                    number: $0.number, title: $0.title,
                    since: $0.since == 0 ? nil : WallTime(milliseconds: Int64($0.since) * 86_400_000), waiting: $0.waiting,
                    isThis: $0.isAsking)
            }
        } catch {
            model.trouble = error.publicText
        }
        let (now, wall) = (agent.services.time.now, agent.services.time.wall)
        if let open = agent.openLink, now < open.until {
            let left = (open.until - now).components.seconds
            let code = QRCode(ascii: Array(open.link.link.utf8))
            model.link = DevicesModel.Link(
                text: open.link.link, picture: code?.drawing ?? "", pictureSize: code?.drawingSize ?? 0,
                until: WallTime(milliseconds: wall.milliseconds + left * 1000))
        }
        return model
    }

    func linkDevice() async -> String {
        do throws(Failure) {
            let link = try await agent.offerLink()
            linkWords = nil
            Loop.spawn(name: "link") { [weak self] in await self?.tend(link.id) }
            return "The link is good once, and for \(DeviceLink.lifetime.components.seconds / 60) minutes."
        } catch {
            return "No link was made: \(error.publicText)."
        }
    }

    /// How often the node is asked whether a link was used.
    private static var linkPause: Duration { .seconds(1) }

    /// Answers the device that uses the link, whether somebody looks at the page or not.
    private func tend(_ id: String) async {
        while agent.openLink?.link.id == id {
            let words: String?
            do throws(Failure) {
                switch try await agent.tendLink() {
                case .open: words = nil
                case .granted(let title): words = "\(title.isEmpty ? "A device" : "\"\(title)\"") is being added"
                case .linked(let number): words = "device \(number) was added and gets your mail from now on"
                }
            } catch {
                // As long as the link is there, the node was away for a moment.
                words = agent.openLink == nil && !agent.isLocked ? error.publicText : nil
            }
            if let words, !agent.isLocked { linkWords = words }
            guard agent.openLink?.link.id == id, (try? await Loop.sleep(for: Self.linkPause)) != nil else { return }
        }
    }

    func removeDevice(_ number: Int) async -> String {
        do throws(Failure) {
            try await agent.revokeDevice(number)
            return "Device \(number) is let in no more."
        } catch {
            return "Nothing was changed: \(error.publicText)."
        }
    }
}

// MARK: Node and program

extension MailPage {
    private func node() async -> NodeModel {
        let account = agent.account
        let status = await agent.status(page: nil)
        func number(_ name: String) -> String { "\(status.fields[name]?.integer ?? 0)" }
        var facts = [
            SettingsFact("Address", account.host), SettingsFact("Key", WordPhrase.text(Array(account.nodeKeyHash.prefix(16)))),
            SettingsFact("Ports", "POP3S \(account.pop3sPort), submissions \(account.submissionsPort)"),
            SettingsFact("Last fetch", agent.fetcher?.lastSuccess.map(Self.minute) ?? "not yet"),
            SettingsFact("Waiting to be sent", number("outbox")),
            SettingsFact("Messages here", "\(number("messages")), of which \(number("unread")) unread"),
            SettingsFact("On the disk", PageRenderer.size(Int(status.fields["store_bytes"]?.integer ?? 0))),
        ]
        if let identity = account.nodeIdentity {
            facts.insert(SettingsFact("Signs with", KeyFingerprint(of: identity).words), at: 2)
        }
        return NodeModel(
            facts: facts, problems: status.problems.map(WelcomeWay.sentence),
            findings: await findings().map { SettingsFact($0.words, $0.level == .ok ? "" : $0.remedy) })
    }

    /// What `doctor` would say of this process and its files.
    private func findings() async -> [Finding] {
        let folder = agent.folder
        let files = await Loop.offload { () -> Finding in
            let keys = [folder.vault, folder.mailboxKeys, folder.deviceKey, folder.spoolKey]
            return Doctor.files(([folder.path] + keys).compactMap { path in HostFiles.status(path).map { (path, $0) } })[0]
        }
        return [
            Doctor.memory(SecretMemory.figures),
            Doctor.core(traceable: ProcessHygiene.isTraceable, dumpsCore: ProcessHygiene.dumpsCore), files,
        ]
    }

    private var about: AboutModel {
        let node = agent.services.config.node
        return AboutModel(
            version: ProgramVersion.number,
            paths: [
                SettingsFact("State", agent.folder.path), SettingsFact("Keys", agent.folder.vault),
                SettingsFact("Runtime", node.runtimeDirectory),
            ],
            libraries: [
                SettingsFact("libuv \(LoopLibrary.version)", "MIT"), SettingsFact("libsodium \(SealLibrary.version)", "ISC"),
                SettingsFact("OpenSSL \(TLSLibrary.version)", "Apache-2.0"),
                SettingsFact("GMime \(MailLibrary.version)", "LGPL-2.1-or-later"),
                SettingsFact("libmicrohttpd \(HTTPLibrary.version)", "LGPL-2.1-or-later"), SettingsFact("Gumbo", "Apache-2.0"),
                SettingsFact("ICU", "Unicode License"), SettingsFact("libsystemd", "LGPL-2.1-or-later"),
                SettingsFact("Swift", "Apache-2.0"), SettingsFact("swift-argument-parser", "Apache-2.0"),
                SettingsFact("swift-crypto", "Apache-2.0"), SettingsFact("swift-log", "Apache-2.0"),
                SettingsFact("swift-mustache", "Apache-2.0"), SettingsFact("TOMLKit", "MIT"),
            ])
    }

    /// `2026-11-28 18:33 UTC`.
    private static func minute(_ time: WallTime) -> String {
        CivilTime(secondsSinceEpoch: time.seconds).rfc3339.replacing("T", with: " ").prefix(16) + " UTC"
    }
}
