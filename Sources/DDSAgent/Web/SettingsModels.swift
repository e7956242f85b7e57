// The plain values between the page's settings and the agent: what each tab shows, and what its form has said. Texts are as they
// came and unsafe.

package import DDSCore
package import DDSLoop

package enum SettingsTab: String, Hashable, Sendable, CaseIterable {
    case you, keys, groups, devices, gateway, appearance, node, about
}

/// A name and what is to be said under it.
package struct SettingsFact: Hashable, Sendable {
    package var name: String
    package var words: String

    package init(_ name: String, _ words: String) {
        self.name = name
        self.words = words
    }
}

package struct YouModel: Hashable, Sendable {
    /// As it stands in messages.
    package var name: String
    package var address: String
    package var signature: String
    package var checksSpelling: Bool
    package var undoSeconds: Int?
    /// What the configuration says of it.
    package var configuredUndoSeconds: Int

    package init(
        name: String, address: String, signature: String = "", checksSpelling: Bool = false, undoSeconds: Int? = nil,
        configuredUndoSeconds: Int = 10
    ) {
        self.name = name
        self.address = address
        self.signature = signature
        self.checksSpelling = checksSpelling
        self.undoSeconds = undoSeconds
        self.configuredUndoSeconds = configuredUndoSeconds
    }
}

package struct OwnKeysModel: Hashable, Sendable {
    /// Somebody whose key is known.
    package struct Contact: Hashable, Sendable {
        package var id: String
        package var address: String
        /// What the key is worth, a sentence without its full stop.
        package var standing: String
        /// The person has to decide something.
        package var isUrgent: Bool

        package init(id: String, address: String, standing: String, isUrgent: Bool = false) {
            self.id = id
            self.address = address
            self.standing = standing
            self.isUrgent = isUrgent
        }
    }

    package var own: FingerprintModel
    package var contacts: [Contact]

    package init(own: FingerprintModel, contacts: [Contact] = []) {
        self.own = own
        self.contacts = contacts
    }
}

package struct MembershipModel: Hashable, Sendable {
    package var id: String
    package var name: String
    package var isMuted: Bool
    /// By the last roster; nil while none has come.
    package var members: Int?
    package var roster: UInt64?
    /// The addresses of its owners.
    package var owners: [String]

    package init(
        id: String, name: String, isMuted: Bool = false, members: Int? = nil, roster: UInt64? = nil, owners: [String] = []
    ) {
        self.id = id
        self.name = name
        self.isMuted = isMuted
        self.members = members
        self.roster = roster
        self.owners = owners
    }
}

package struct DevicesModel: Hashable, Sendable {
    package struct Device: Hashable, Sendable {
        package var number: Int
        /// Empty for the first.
        package var title: String
        package var since: WallTime?
        /// Messages that wait for it at the node.
        package var waiting: Int
        package var isThis: Bool

        package init(number: Int, title: String, since: WallTime? = nil, waiting: Int = 0, isThis: Bool = false) {
            self.number = number
            self.title = title
            self.since = since
            self.waiting = waiting
            self.isThis = isThis
        }
    }

    /// The link by which another device joins. Holds the secret.
    package struct Link: Hashable, Sendable {
        package var text: String
        package var picture: String
        package var pictureSize: Int
        package var until: WallTime

        package init(text: String, picture: String, pictureSize: Int, until: WallTime) {
            self.text = text
            self.picture = picture
            self.pictureSize = pictureSize
            self.until = until
        }
    }

    package var devices: [Device]
    /// Why there are none to show, as a sentence without its full stop.
    package var trouble: String?
    package var link: Link?
    /// What became of the last link, as a sentence without its full stop.
    package var linkWords: String?

    package init(devices: [Device], trouble: String? = nil, link: Link? = nil, linkWords: String? = nil) {
        self.devices = devices
        self.trouble = trouble
        self.link = link
        self.linkWords = linkWords
    }
}

package struct NodeModel: Hashable, Sendable {
    package var facts: [SettingsFact]
    /// Sentences.
    package var problems: [String]
    /// What `doctor` finds about this agent; the second is the remedy, empty where all is well.
    package var findings: [SettingsFact]

    package init(facts: [SettingsFact], problems: [String] = [], findings: [SettingsFact] = []) {
        self.facts = facts
        self.problems = problems
        self.findings = findings
    }
}

package struct AboutModel: Hashable, Sendable {
    package var version: String
    package var paths: [SettingsFact]
    /// Names and licences.
    package var libraries: [SettingsFact]

    package init(version: String, paths: [SettingsFact], libraries: [SettingsFact]) {
        self.version = version
        self.paths = paths
        self.libraries = libraries
    }
}

/// What one tab shows.
package enum SettingsModel: Hashable, Sendable {
    case you(YouModel)
    case keys(OwnKeysModel)
    case groups([MembershipModel])
    case devices(DevicesModel)
    case gateway(GatewayModel)
    case appearance(PageLook)
    case node(NodeModel)
    case about(AboutModel)

    package var tab: SettingsTab {
        switch self {
        case .you: .you
        case .keys: .keys
        case .groups: .groups
        case .devices: .devices
        case .gateway: .gateway
        case .appearance: .appearance
        case .node: .node
        case .about: .about
        }
    }
}

/// A browser that is signed in.
package struct BrowserModel: Hashable, Sendable {
    package var name: String
    package var begun: WallTime
    package var lastUsed: WallTime
    package var isThis: Bool

    package init(name: String, begun: WallTime, lastUsed: WallTime, isThis: Bool) {
        self.name = name
        self.begun = begun
        self.lastUsed = lastUsed
        self.isThis = isThis
    }
}

/// What a form says.
package enum SettingsChange: Hashable, Sendable {
    case you(name: String, signature: String, checksSpelling: Bool, undoSeconds: Int?)
    case look(PageLook)
    /// The groups that are muted, by id; every other one that the form showed is not.
    case muted(Set<String>)
}

/// The agent behind the settings. Calls come while it is unlocked; one that comes later changes nothing and gives nothing.
@LoopActor package protocol SettingsBackend: AnyObject {
    /// The defaults while locked.
    var chosen: PageSettings { get }
    func model(of tab: SettingsTab) async -> SettingsModel?
    /// Keeps what was chosen, and says in a sentence what came of it.
    func save(_ change: SettingsChange) async -> String

    /// What speaks against a passphrase before any key is tried; nil when nothing does.
    func objection(to new: Redacted<[UInt8]>, insteadOf old: Redacted<[UInt8]>) -> String?
    /// Called for one passphrase at a time, as `makeKit` is.
    func changePassphrase(from old: Redacted<[UInt8]>, to new: Redacted<[UInt8]>) async -> UnlockOutcome
    /// Makes a recovery kit, which is there under `name` until the lock, for ten minutes at most, or until the next is made.
    func makeKit(passphrase: Redacted<[UInt8]>, name: String) async -> UnlockOutcome
    func kit(_ name: String) -> RecoveryKitModel?
    func kitFile(_ name: String) -> [UInt8]?

    /// Switches, makes or revokes, and says in a sentence what came of it.
    func change(gateway change: GatewayChange) async -> String
    /// The file by which mail programs set themselves up; nil while the gateway is off. Everybody may have it.
    var autoconfig: String? { get }
    /// The authority behind the gateway's certificate, PEM; nil while there is none. Everybody may have it.
    var gatewayAuthority: [UInt8]? { get }

    /// Makes a link for another device, and says in a sentence what came of it.
    func linkDevice() async -> String
    /// Ends one of this person's devices.
    func removeDevice(_ number: Int) async -> String
}
