// What somebody joins with: the invite of a node's administrator, or the link that a device of their own has made.

package import DDSCore
package import DDSNode

package enum Invitation: Sendable {
    case invite(InviteLink)
    /// `title` is what this device is to be called.
    case device(DeviceLink, title: String)

    /// Finds either in `text`, which may have other words around it. Throws with exit code 65 and a sentence.
    package init(_ text: String, title: String? = nil) throws(Failure) {
        if let link = DeviceLink(text) {
            self = .device(link, title: LinkRequest.cleaned(title ?? ""))
        } else {
            self = .invite(try InviteLink(text))
        }
    }

    package var isLink: Bool {
        if case .device = self { true } else { false }
    }
}
