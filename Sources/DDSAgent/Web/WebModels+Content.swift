// What the page shows of a message besides its text: its formatted version, its source.

package import DDSCore
package import DDSHTML

/// That a message has a formatted version, and what was left out of it.
package struct FormattedOffer: Hashable, Sendable {
    /// False when it is too large or too contrived to be shown.
    package var isAvailable: Bool
    package var remote: RemoteContent

    package init(isAvailable: Bool = true, remote: RemoteContent = RemoteContent()) {
        self.isAvailable = isAvailable
        self.remote = remote
    }
}

/// A message's formatted version with the pictures it brings along, by their Content-ID.
package struct FormattedMessage: Sendable {
    package var html: SanitizedHTML
    package var images: [String: InlineImage]

    package init(html: SanitizedHTML, images: [String: InlineImage] = [:]) {
        self.html = html
        self.images = images
    }
}

/// A message as it was sent, as text.
package struct SourceModel: Hashable, Sendable {
    /// The beginning of it.
    package var text: String
    /// Octets of the whole.
    package var size: Int
    package var isCut: Bool

    package init(text: String, size: Int, isCut: Bool) {
        self.text = text
        self.size = size
        self.isCut = isCut
    }
}
