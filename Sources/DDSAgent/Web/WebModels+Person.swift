// What the page about a person's key shows, and what can be said there.

package import DDSCore

/// One key in the forms that people compare; none of them is anybody's text.
package struct FingerprintModel: Hashable, Sendable {
    package var words: String
    package var hex: String
    /// The path of a drawing of `pictureSize` squares on a side; empty where there is none.
    package var picture: String
    package var pictureSize: Int

    package init(words: String, hex: String, picture: String = "", pictureSize: Int = 0) {
        self.words = words
        self.hex = hex
        self.picture = picture
        self.pictureSize = pictureSize
    }
}

/// A person as far as their key is known.
package struct PersonModel: Hashable, Sendable {
    package var id: String
    package var address: String
    /// What the key is worth, a sentence without its full stop.
    package var standing: String
    package var since: WallTime
    package var fingerprint: FingerprintModel
    /// Oldest first.
    package var former: [FingerprintModel]
    package var own: FingerprintModel
    package var isCompared: Bool
    package var awaitsDecision: Bool
    /// Messages to them that wait for a decision.
    package var waiting: Int

    package init(
        id: String, address: String, standing: String, since: WallTime, fingerprint: FingerprintModel,
        former: [FingerprintModel] = [], own: FingerprintModel, isCompared: Bool = false, awaitsDecision: Bool = false,
        waiting: Int = 0
    ) {
        self.id = id
        self.address = address
        self.standing = standing
        self.since = since
        self.fingerprint = fingerprint
        self.former = former
        self.own = own
        self.isCompared = isCompared
        self.awaitsDecision = awaitsDecision
        self.waiting = waiting
    }
}

/// What is said about a person's key.
package enum PersonChoice: String, Hashable, Sendable {
    /// Both see the same words; the form says so.
    case compared
    /// The words that the other one reads, to be compared here.
    case typed
    case uncompared
    case accepted
    case discarded
}

/// A person whose key a message is about.
package struct PersonLink: Hashable, Sendable {
    package var id: String
    package var name: String
    /// The message is out of order, or waits, because of it.
    package var isUrgent: Bool

    package init(id: String, name: String, isUrgent: Bool = false) {
        self.id = id
        self.name = name
        self.isUrgent = isUrgent
    }
}
