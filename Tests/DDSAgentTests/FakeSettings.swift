// Settings without an agent, and one of each tab with hostile texts.

import DDSAgent
import DDSCore
import DDSLoop

@LoopActor final class FakeSettings: SettingsBackend {
    var chosen = PageSettings()
    private(set) var saved: [SettingsChange] = []
    private(set) var passphrases: [String] = []
    private(set) var attempts = 0
    private(set) var removed: [Int] = []
    private var kits: [String: RecoveryKitModel] = [:]

    func model(of tab: SettingsTab) async -> SettingsModel? {
        SettingsModel.samples("x").first { $0.tab == tab }
    }

    func save(_ change: SettingsChange) async -> String {
        saved.append(change)
        if case .look(let look) = change { chosen.look = look }
        return "Saved <\u{202e}it>."
    }

    func objection(to new: Redacted<[UInt8]>, insteadOf old: Redacted<[UInt8]>) -> String? {
        new.exposed.count < 8 ? "Too weak." : nil
    }

    func changePassphrase(from old: Redacted<[UInt8]>, to new: Redacted<[UInt8]>) async -> UnlockOutcome {
        attempts += 1
        guard old.exposed == Array(FakeBackend.passphrase.utf8) else { return .refused }
        passphrases.append(String(decoding: new.exposed, as: UTF8.self))
        return .opened
    }

    func makeKit(passphrase: Redacted<[UInt8]>, name: String) async -> UnlockOutcome {
        attempts += 1
        guard passphrase.exposed == Array(FakeBackend.passphrase.utf8) else { return .refused }
        kits = [name: Self.kit("x")]
        return .opened
    }

    func kit(_ name: String) -> RecoveryKitModel? { kits[name] }
    func kitFile(_ name: String) -> [UInt8]? { kits[name].map { _ in Array("KIT".utf8) } }
    private(set) var gatewayChanges: [GatewayChange] = []
    var autoconfig: String?
    var gatewayAuthority: [UInt8]?

    func change(gateway change: GatewayChange) async -> String {
        gatewayChanges.append(change)
        return "Changed."
    }

    func linkDevice() async -> String { "The link is good." }

    func removeDevice(_ number: Int) async -> String {
        removed.append(number)
        return "Gone."
    }

    nonisolated static func kit(_ text: String) -> RecoveryKitModel {
        RecoveryKitModel(
            title: text, sections: [RecoveryKitModel.Section(head: "What", paragraphs: ["One."])],
            groups: ["DDS-RECOVERY-1QQ", "PPPP"], picture: "M4,4h1v1h-1z", pictureSize: 29)
    }
}

extension SettingsModel {
    /// One of each tab, with `text` wherever a text of somebody else is shown.
    static func samples(_ text: String) -> [SettingsModel] {
        let own = FingerprintModel(
            words: "babab-babab", hex: "0123456789abcdef0123456789abcdef", picture: "M4,4h1v1h-1z", pictureSize: 29)
        var look = PageLook()
        look.theme = .dark
        look.hasKeys = false
        return [
            .you(YouModel(name: text, address: text, signature: text, checksSpelling: true, undoSeconds: 7)),
            .keys(
                OwnKeysModel(
                    own: own,
                    contacts: [
                        OwnKeysModel.Contact(id: "k1", address: text, standing: text),
                        OwnKeysModel.Contact(id: "k2", address: text, standing: text, isUrgent: true),
                    ])),
            .groups([
                MembershipModel(id: "g1", name: text, isMuted: true, members: 1, roster: 3, owners: [text, text]),
                MembershipModel(id: "g2", name: text),
            ]),
            .devices(
                DevicesModel(
                    devices: [
                        DevicesModel.Device(number: 1, title: "", isThis: true),
                        DevicesModel.Device(number: 2, title: text, since: PageTests.now, waiting: 2),
                    ], trouble: text,
                    link: DevicesModel.Link(
                        text: "dds://alice@node/KEY#CODE", picture: "M4,4h1v1h-1z", pictureSize: 29, until: PageTests.now),
                    linkWords: text)),
            .gateway(
                GatewayModel(
                    rows: [
                        GatewayModel.Row(name: "pop3", title: "POP3", host: text, port: 1110),
                        GatewayModel.Row(name: "smtp", title: "SMTP"),
                        GatewayModel.Row(name: "smtp", title: "SMTP", host: text, port: 1025, isConfigured: true),
                    ], user: text,
                    passwords: [
                        GatewayModel.Password(name: text, made: PageTests.now, lastUsed: PageTests.now),
                        GatewayModel.Password(name: text, made: PageTests.now),
                    ], fresh: GatewayModel.Password(name: text, made: PageTests.now), freshText: Redacted("babab-babab"),
                    problems: [text])),
            .appearance(look),
            .node(
                NodeModel(
                    facts: [SettingsFact("Address", text)], problems: [text],
                    findings: [SettingsFact(text, ""), SettingsFact(text, text)])),
            .about(
                AboutModel(
                    version: "1.2.3", paths: [SettingsFact("State", text)], libraries: [SettingsFact("libx 1", "MIT")])),
        ]
    }
}
