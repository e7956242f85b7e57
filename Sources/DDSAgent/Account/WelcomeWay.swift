// One browser's way from an invite to an inbox: what it has said so far, and which forms fit to where it is. No I/O.

import DDSCore
import DDSNode
import DDSSeal

struct WelcomeWay: Sendable {
    enum Goal: Sendable {
        case join(Invitation)
        case comeBack(RecoveryKit)
    }

    enum Stage: Hashable, Sendable {
        case invite, kitEntry
        /// The node is asked what the invite is for.
        case asking
        case card, name, passphrase, weak
        /// Keys are made and registered.
        case joining
        case kit, check, proving, done
    }

    var stage = Stage.invite
    /// What the browser was opened with, for the field of the invite.
    var offered = ""
    var goal: Goal?
    var card: WelcomeCard?
    /// The person's name, or the device's.
    var name = ""
    /// Six words that were made for this browser.
    var words: SecretBytes?
    /// A passphrase that waits for a word on its weakness.
    var weak: (passphrase: SecretBytes, magnitude: Int)?
    /// What was done so far of joining, in words.
    var steps: [String] = []
    var reached: Set<ProofStep> = []
    var kit: RecoveryKit?
    var isKitTaken = false
    /// What was wrong with the last form, or with what followed from it.
    var problem: String?

    var isDevice: Bool { card?.kind == .device }

    /// What the person may be expected to put into a passphrase.
    var known: [String] { [card?.host, card?.node, card?.address, card?.display, name].compactMap { $0 } }

    // MARK: Forms

    /// A name as it may be used; nil for one that is none.
    static func cleaned(name: String) -> String? {
        let words = DisplayText.line(name).text.split { $0 == " " }.joined(separator: " ")
        return words.isEmpty || words.utf8.count > 100 ? nil : words
    }

    mutating func found(_ card: WelcomeCard, _ goal: Goal) {
        (self.card, self.goal) = (card, goal)
        name = card.display
        stage = .card
    }

    /// From the card on: whoever comes back has a name already.
    mutating func goOn() {
        guard stage == .card else { return }
        stage = card?.kind == .kit ? .passphrase : .name
    }

    mutating func take(name text: String) {
        guard stage == .name else { return }
        guard let name = Self.cleaned(name: text) else {
            problem = "A name has one character at least, and a hundred at most."
            return
        }
        self.name = name
        stage = .passphrase
    }

    /// Judges a new passphrase. True when joining may begin with it.
    mutating func take(passphrase: SecretBytes, again: SecretBytes) -> Bool {
        guard passphrase.count > 0 else {
            problem = "Type a passphrase."
            return false
        }
        guard passphrase == again else {
            problem = "The two are different. Type the same passphrase into both fields."
            return false
        }
        let strength = PassphraseStrength(passphrase, known: known)
        guard !strength.isRefused else {
            problem =
                "That passphrase is found within a million guesses, by anybody who has a copy of the key file. Take more words that do "
                + "not belong together, or let six be made for you."
            return false
        }
        if strength.warning != nil {
            weak = (passphrase, Int(strength.magnitude))
            stage = .weak
            return false
        }
        return true
    }

    mutating func begin() {
        words = nil
        weak = nil
        steps = []
        stage = .joining
    }

    /// Back to where something can be mended: the invite, when the node does not take it, else the passphrase.
    mutating func failed(_ words: String, isInvite: Bool) {
        if isInvite { self = WelcomeWay() } else { stage = .passphrase }
        problem = Self.sentence(words)
    }

    static func sentence(_ words: String) -> String {
        let text = words.prefix(1).uppercased() + words.dropFirst()
        return text.hasSuffix(".") ? text : text + "."
    }

    // MARK: Screens

    /// `hasEarlierKey`: a try before this one has left a key.
    func screen(hasEarlierKey: Bool) -> WelcomeScreen {
        switch stage {
        case .invite: .invite
        case .kitEntry: .kitEntry
        case .asking: .working("Asking the node", [])
        case .card: card.map { .card($0) } ?? .invite
        case .name: .name(name, address: card?.address ?? "", isDevice: isDevice)
        case .passphrase:
            .passphrase(
                words: words.map { $0.withExposed { String(decoding: $0, as: UTF8.self) } }, isEarlier: hasEarlierKey)
        case .weak: .weak(magnitude: weak?.magnitude ?? 0)
        case .joining: .working("Making your keys", steps.map { WelcomeTick(text: Self.sentence($0), isDone: true) })
        case .kit: kit.map { .kit(RecoveryPage.model(of: $0)) } ?? .check
        case .check: .check
        case .proving: .working("Looking whether all is well", ticks)
        case .done: .done(ticks, address: card?.address ?? "")
        }
    }

    private var ticks: [WelcomeTick] {
        let opened = WelcomeTick(
            text: "Your key was closed, read back from the disk and opened with your passphrase.",
            isDone: reached.contains(.opened))
        if isDevice {
            return [opened, WelcomeTick(text: "This device fetches from the node.", isDone: reached.contains(.returned))]
        }
        return [
            opened, WelcomeTick(text: "The node has taken a message from you to yourself.", isDone: reached.contains(.sent)),
            WelcomeTick(text: "It came back, and opened.", isDone: reached.contains(.returned)),
        ]
    }
}
