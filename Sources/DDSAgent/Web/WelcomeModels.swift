// The plain values between the page and whoever leads through joining: what is to be seen, and what a form has said. No secret is
// in what is seen but what the screen is for: the words of a new passphrase, and the recovery kit.

package import DDSCore
package import DDSHTTP
package import DDSLoop

/// What is known of the other side before anything is created.
package struct WelcomeCard: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case invite, device, kit
    }

    package var kind: Kind
    /// The node's mail domain.
    package var node: String
    package var host: String
    /// Eight words of the node's key.
    package var keyWords: String
    /// Who one will be; empty where the node does not say.
    package var address: String
    package var display: String
    package var groups: [String]
    /// The end of the invite; nil where the node does not say.
    package var until: WallTime?

    package init(
        kind: Kind, node: String, host: String, keyWords: String, address: String = "", display: String = "",
        groups: [String] = [], until: WallTime? = nil
    ) {
        self.kind = kind
        self.node = node
        self.host = host
        self.keyWords = keyWords
        self.address = address
        self.display = display
        self.groups = groups
        self.until = until
    }
}

/// A recovery kit as the page shows it. Holds the secret.
package struct RecoveryKitModel: Hashable, Sendable {
    package struct Section: Hashable, Sendable {
        package var head: String
        package var paragraphs: [String]

        package init(head: String, paragraphs: [String]) {
            self.head = head
            self.paragraphs = paragraphs
        }
    }

    package var title: String
    package var sections: [Section]
    /// The code in groups, one word each.
    package var groups: [String]
    package var picture: String
    package var pictureSize: Int

    package init(title: String, sections: [Section], groups: [String], picture: String, pictureSize: Int) {
        self.title = title
        self.sections = sections
        self.groups = groups
        self.picture = picture
        self.pictureSize = pictureSize
    }
}

/// One step of what takes its time.
package struct WelcomeTick: Hashable, Sendable {
    package var text: String
    package var isDone: Bool

    package init(text: String, isDone: Bool) {
        self.text = text
        self.isDone = isDone
    }
}

/// What a browser on its way to an inbox is to see.
package enum WelcomeScreen: Hashable, Sendable {
    case invite
    case kitEntry
    case card(WelcomeCard)
    /// `name` is the one that is offered; `isDevice` where it is this device's and not the person's.
    case name(String, address: String, isDevice: Bool)
    /// `words` were made here for who wanted some. `isEarlier`: there is a key already, which this opens.
    case passphrase(words: String?, isEarlier: Bool)
    /// The passphrase can be guessed in about ten to the power of `magnitude` tries.
    case weak(magnitude: Int)
    /// Something is being done; look again.
    case working(String, [WelcomeTick])
    case kit(RecoveryKitModel)
    case check
    case done([WelcomeTick], address: String)
    /// Another browser or the command line is joining.
    case busy
}

/// What a form of these screens says.
package enum WelcomeAction: Sendable {
    case invite(String)
    case wantsKit
    case kit(Redacted<[UInt8]>)
    case goOn
    case stop
    case name(String)
    case suggest
    case passphrase(Redacted<[UInt8]>, again: Redacted<[UInt8]>)
    case useWeak
    case another
    /// The kit is about to be printed, or saved.
    case kitTaken
    case kitDone(accepts: Bool)
}

/// Leads browsers from an invite to an inbox. What they have said is kept in memory, for each by itself, until the end or a lock.
/// What does not fit to where a browser is changes nothing.
@LoopActor package protocol WelcomeBackend: AnyObject {
    /// What the browser sees now, with what was wrong with its last form; nil when there is nothing to lead through for it.
    func screen(for browser: WebSessionID, isSignedIn: Bool) -> (screen: WelcomeScreen, problem: String?)?
    func act(_ action: WelcomeAction, of browser: WebSessionID) async
    /// A link that this browser was opened with: it stands in the field for the invite, and a person goes on from there.
    func offer(_ invite: String, to browser: WebSessionID)
    /// What was offered and not asked for yet; empty when nothing was.
    func offered(to browser: WebSessionID) -> String
    /// True while the next thing for this browser is to type the passphrase once more.
    func awaitsCheck(of browser: WebSessionID) -> Bool
    /// Reads the key back from the disk, and begins to prove the account when it opens. Nil when that was not awaited.
    func check(_ passphrase: Redacted<[UInt8]>, of browser: WebSessionID) async -> UnlockOutcome?
    /// The end: the greeting for who has proven themselves, once; nil for everybody else.
    func finish(_ browser: WebSessionID) -> String?
    /// The kit as a file, for a browser that is shown it.
    func kitFile(for browser: WebSessionID) -> [UInt8]?
    /// An account is here whose kit or proof is outstanding.
    var isUnfinished: Bool { get }
    /// The agent was locked.
    func forgetAll()
}
