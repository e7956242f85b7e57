// A person's devices, from one of them: making the link by which another joins, handing the identity over to whoever proves to have
// the link, looking at the devices, and ending one. All of it needs the identity, and so an unlocked agent.

import DDSCore
import DDSLoop
import DDSNode
import DDSSeal
import DDSTLS
import DDSWire

/// A link that this device has made. Kept in memory while the agent is unlocked, and for no longer than the link is good.
struct OpenLink: Sendable {
    enum Progress: Hashable, Sendable {
        case open
        case granted(title: String)
        case linked(number: Int)
    }

    let link: DeviceLink
    let until: Instant
    /// What the device that was answered is called.
    var answered: String?
}

extension Agent {
    /// Makes a link; an earlier one is good no more.
    func offerLink() async throws(Failure) -> DeviceLink {
        let link = DeviceLink(
            user: account.address.local, host: account.submissionsHost ?? account.host, pop3sPort: account.pop3sPort,
            submissionsPort: account.submissionsPort, nodeKeyHash: account.nodeKeyHash,
            secret: Redacted(services.random.bytes(DeviceLink.secretBytes)))
        _ = try await ask(.offer(link: link.id))
        openLink = OpenLink(link: link, until: services.time.now + DeviceLink.lifetime)
        return link
    }

    /// Looks how far the link is, and answers a device that has proven to have it. Throws when something other than a device with the
    /// link has answered: the link is dropped then.
    func tendLink() async throws(Failure) -> OpenLink.Progress {
        guard let open = openLink, services.time.now < open.until else {
            openLink = nil
            throw Failure(.tryAgain, "the link's time is over and nobody has used it; make another: ddsnode device link")
        }
        guard let state = LinkState(lines: try await ask(.look(link: open.link.id))) else {
            throw Failure(.protocolError, "the node's answer about the link cannot be read; update ddsnode")
        }
        switch state {
        case .open: return .open
        case .granted: return .granted(title: open.answered ?? "")
        case .linked(let number):
            openLink = nil
            return .linked(number: number)
        case .claimed(let device, let recipient, let proof, let title):
            try await grant(open.link, device: device, recipient: recipient, proof: proof)
            openLink?.answered = title
            return .granted(title: title)
        }
    }

    private func grant(_ link: DeviceLink, device: [UInt8], recipient: String, proof: [UInt8]) async throws(Failure) {
        let claim = LinkClaim(
            address: account.address, device: device, node: try nodeIdentity(), recipient: recipient, proof: proof)
        guard link.isAuthentic(claim) else {
            openLink = nil
            throw Failure(
                .protocolError,
                "somebody who does not have the link has answered in its place, and got nothing; ask the node's administrator, and "
                    + "make another link")
        }
        let parcel: LinkParcel
        do {
            parcel = try LinkParcel(
                identity: try opened().keys.identitySeed, for: claim, by: link, random: services.random)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.protocolError, "the new device's key is none (\(error)); update ddsnode there")
        }
        _ = try await ask(.grant(link: link.id, device: device, parcel: parcel))
    }

    /// This person's devices, as the node has them.
    func devices() async throws(Failure) -> [DeviceLine] {
        let lines = try await ask(.list)
        let devices = lines.compactMap { DeviceLine(line: $0) }
        guard devices.count == lines.count else {
            throw Failure(.protocolError, "the node's list of devices cannot be read; update ddsnode")
        }
        return devices
    }

    func revokeDevice(_ number: Int) async throws(Failure) { _ = try await ask(.revoke(number)) }

    private func nodeIdentity() throws(Failure) -> [UInt8] {
        guard let identity = account.nodeIdentity else {
            throw Failure(.unavailable, "the node's identity is not known here yet; run: ddsnode fetch, and try again")
        }
        return identity
    }

    /// Says something to the node in the identity's name; returns the lines of its reply.
    private func ask(_ action: DeviceRequest.Action) async throws(Failure) -> [String] {
        let request = DeviceRequest(
            action, of: account.address, device: link.device.keyHash, node: try nodeIdentity(), time: services.time.wall,
            signedBy: try opened().keys.identity)
        return try await told(request.message)
    }
}
