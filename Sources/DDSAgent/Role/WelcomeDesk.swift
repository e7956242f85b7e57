// Leads browsers through joining: asks the node, makes the account, hands out the kit, proves the account. Which form fits where
// is WelcomeWay's; what a browser has said exists in memory only.

import DDSCore
import DDSHTTP
import DDSLoop
import DDSNode
import DDSSeal
import Logging

@LoopActor final class WelcomeDesk: WelcomeBackend {
    /// Beyond these the oldest is forgotten.
    private static let waysMax = 16

    private weak let role: AgentRole?
    private let services: Services
    private var ways: [WebSessionID: WelcomeWay] = [:]
    private var order: [WebSessionID] = []

    init(role: AgentRole) {
        self.role = role
        services = role.services
    }

    private var folder: AgentFolder { AgentFolder(stateDir: services.config.node.stateDirectory) }

    var isUnfinished: Bool { role?.agent?.account.isUnfinished ?? false }

    func forgetAll() {
        ways = [:]
        order = []
    }

    // MARK: Seeing

    func screen(for browser: WebSessionID, isSignedIn: Bool) -> (screen: WelcomeScreen, problem: String?)? {
        if let agent = role?.agent { resume(browser, agent, isSignedIn: isSignedIn) }
        if let way = ways[browser] {
            let screen = way.screen(hasEarlierKey: Vault(path: folder.vault).exists && role?.agent == nil)
            return (way.stage == .joining || role?.isJoining != true ? screen : .busy, way.problem)
        }
        guard role?.agent == nil || role?.isJoining == true else { return nil }
        return (role?.isJoining == true ? .busy : .invite, nil)
    }

    /// There is an account: ways to another end here, and an unfinished one goes on for whoever has opened it.
    private func resume(_ browser: WebSessionID, _ agent: Agent, isSignedIn: Bool) {
        if let way = ways[browser] {
            let isBehind = [.joining, .kit, .check, .proving, .done].contains(way.stage)
            if isBehind { return }
            forget(browser)
        }
        guard agent.account.isUnfinished, isSignedIn, let keys = agent.unlocked?.keys else { return }
        var way = WelcomeWay()
        way.card = Self.card(agent.account)
        way.kit = RecoveryKit(account: agent.account, identitySeed: keys.identitySeed)
        way.stage = agent.account.device == 1 ? .kit : .check
        keep(way, of: browser)
    }

    private static func card(_ account: AgentAccount) -> WelcomeCard {
        WelcomeCard(
            kind: account.device == 1 ? .invite : .device, node: account.address.domain, host: account.host,
            keyWords: WordPhrase.text(Array(account.nodeKeyHash.prefix(16))), address: "\(account.address)",
            display: account.display, groups: account.groups)
    }

    private func keep(_ way: WelcomeWay, of browser: WebSessionID) {
        if ways[browser] == nil { order.append(browser) }
        ways[browser] = way
        while order.count > Self.waysMax { ways[order.removeFirst()] = nil }
    }

    private func forget(_ browser: WebSessionID) {
        ways[browser] = nil
        order.removeAll { $0 == browser }
    }

    // MARK: Doing

    /// A browser that is on its way already is left where it is.
    func offer(_ invite: String, to browser: WebSessionID) {
        guard role?.agent == nil, ways[browser].map({ $0.stage == .invite }) ?? true else { return }
        var way = WelcomeWay()
        way.offered = invite
        keep(way, of: browser)
    }

    func offered(to browser: WebSessionID) -> String { ways[browser]?.offered ?? "" }

    func act(_ action: WelcomeAction, of browser: WebSessionID) async {
        guard let role, role.agent == nil || ways[browser] != nil, !role.isJoining else { return }
        var way = ways[browser] ?? WelcomeWay()
        // While something is being done for it, a browser can only wait.
        guard ![.asking, .joining, .proving, .done].contains(way.stage) else { return }
        way.problem = nil
        switch (action, way.stage) {
        case (.stop, .card), (.stop, .name), (.stop, .passphrase), (.stop, .weak), (.stop, .kitEntry):
            return forget(browser)
        case (.invite(let text), .invite), (.invite(let text), .card): return await ask(text, of: browser)
        case (.wantsKit, .invite): way.stage = .kitEntry
        case (.kit(let text), .kitEntry): take(kit: text, &way)
        case (.goOn, _): way.goOn()
        case (.name(let text), .name): way.take(name: text)
        case (.suggest, .passphrase):
            var words = Array(WordPhrase.make(words: 6, services.random).utf8)
            way.words = SecretBytes(consuming: &words)
        case (.passphrase(let first, let second), .passphrase):
            let (first, second) = (Self.secret(first), Self.secret(second))
            // With a key from an earlier try the passphrase is not new, and opens it or does not.
            let isEarlier = Vault(path: folder.vault).exists
            if isEarlier ? first.count > 0 : way.take(passphrase: first, again: second) {
                return begin(way, first, of: browser)
            }
        case (.useWeak, .weak):
            if let weak = way.weak { return begin(way, weak.passphrase, of: browser) }
        case (.another, .weak):
            way.weak = nil
            way.stage = .passphrase
        case (.kitTaken, .kit): way.isKitTaken = true
        case (.kitDone(let accepts), .kit):
            if way.isKitTaken || accepts {
                way.kit = nil
                way.stage = .check
            } else {
                way.problem = "Print the kit or save it; or say below that you go without."
            }
        default: return
        }
        keep(way, of: browser)
    }

    private static func secret(_ text: Redacted<[UInt8]>) -> SecretBytes {
        var bytes = text.exposed
        return SecretBytes(consuming: &bytes)
    }

    private func ask(_ text: String, of browser: WebSessionID) async {
        var way = WelcomeWay()
        way.stage = .asking
        keep(way, of: browser)
        do throws(Failure) {
            let invitation = try Invitation(text, title: Machine.name)
            way.found(try await InviteDesk(folder: folder, services: services).look(invitation), .join(invitation))
            if case .device(_, let title) = invitation { way.name = title }
        } catch {
            way.stage = .invite
            way.problem = WelcomeWay.sentence(error.publicText)
        }
        // A lock, or an account that came by another way, has ended this one meanwhile.
        if ways[browser]?.stage == .asking { keep(way, of: browser) }
    }

    private func take(kit text: Redacted<[UInt8]>, _ way: inout WelcomeWay) {
        do throws(Failure) {
            let kit = try RecoveryKit(in: Self.secret(text))
            way.found(try InviteDesk(folder: folder, services: services).look(kit), .comeBack(kit))
        } catch {
            way.problem = WelcomeWay.sentence(error.publicText)
        }
    }

    // MARK: Joining

    private func begin(_ way: WelcomeWay, _ passphrase: SecretBytes, of browser: WebSessionID) {
        guard let goal = way.goal, let role else { return }
        var way = way
        way.begin()
        keep(way, of: browser)
        Loop.spawn(name: "join") { [self] in await join(goal, way, passphrase, role, of: browser) }
    }

    private func join(
        _ goal: WelcomeWay.Goal, _ way: WelcomeWay, _ passphrase: SecretBytes, _ role: AgentRole, of browser: WebSessionID
    ) async {
        let tell: @LoopActor (String) -> Void = { [weak self] in self?.ways[browser]?.steps.append($0) }
        do throws(Failure) {
            let agent: Agent
            switch goal {
            case .join(let invitation):
                let named = Self.named(invitation, way.name)
                agent = try await role.enrol(
                    named, passphrase: passphrase, display: named.isLink ? "" : way.name, progress: tell)
                let kit = named.isLink ? nil : try await kit(agent, passphrase)
                ways[browser]?.kit = kit
            case .comeBack(let kit):
                let back = try await role.comeBack(kit, passphrase: passphrase, progress: tell)
                agent = back.agent
                if back.lost > 0 { ways[browser]?.problem = Self.lostWords(back.lost) }
            }
            ways[browser]?.card = Self.card(agent.account)
            let hasKit = ways[browser]?.kit != nil
            ways[browser]?.stage = hasKit ? .kit : .check
        } catch {
            services.log.notice("joining did not succeed", metadata: ["exit": "\(error.code.rawValue)"])
            // What the node does not take is mended with another invite; the rest with the passphrase typed once more.
            ways[browser]?.failed(error.publicText, isInvite: [.badInput, .protocolError, .cannotCreate].contains(error.code))
        }
    }

    private static func named(_ invitation: Invitation, _ name: String) -> Invitation {
        if case .device(let link, _) = invitation { .device(link, title: LinkRequest.cleaned(name)) } else { invitation }
    }

    /// The kit of a new account, from the key file as it is on the disk.
    private func kit(_ agent: Agent, _ passphrase: SecretBytes) async throws(Failure) -> RecoveryKit {
        let keys = try await Vault(path: folder.vault).open(passphrase: passphrase)
        return RecoveryKit(account: agent.account, identitySeed: keys.identitySeed)
    }

    private static func lostWords(_ count: Int) -> String {
        count == 1
            ? "1 message that waited for you under the lost keys is gone; nobody can open it, and its author is told."
            : "\(count) messages that waited for you under the lost keys are gone; nobody can open them, and their authors are told."
    }

    // MARK: The kit and the proof

    func kitFile(for browser: WebSessionID) -> [UInt8]? {
        guard let way = ways[browser], way.stage == .kit, let kit = way.kit else { return nil }
        return RecoveryPage(kit: kit, date: services.time.wall).html
    }

    func awaitsCheck(of browser: WebSessionID) -> Bool { ways[browser]?.stage == .check && role?.agent != nil }

    func check(_ passphrase: Redacted<[UInt8]>, of browser: WebSessionID) async -> UnlockOutcome? {
        guard awaitsCheck(of: browser), let role, let agent = role.agent else { return nil }
        let secret = Self.secret(passphrase)
        guard secret.count > 0 else {
            ways[browser]?.problem = "Type your passphrase."
            return .refused
        }
        ways[browser]?.problem = nil
        ways[browser]?.reached = []
        ways[browser]?.stage = .proving
        do throws(Failure) {
            try await agent.unlock(passphrase: secret)
        } catch {
            ways[browser]?.stage = .check
            let isWrong = error.code == .permission
            ways[browser]?.problem =
                isWrong ? "That passphrase did not open the key." : WelcomeWay.sentence(error.publicText)
            return isWrong ? .refused : .failed(error.publicText)
        }
        ways[browser]?.reached = [.opened]
        Loop.spawn(name: "proof") { [self] in await prove(agent, role, of: browser) }
        return .opened
    }

    private func prove(_ agent: Agent, _ role: AgentRole, of browser: WebSessionID) async {
        do throws(Failure) {
            try await Joining.prove(
                agent, isLinked: agent.account.device != 1, services: services, within: role.proofTimeout,
                reached: { [weak self] in self?.ways[browser]?.reached.insert($0) }, progress: { _ in })
            try agent.finishEnrolment()
            ways[browser]?.stage = .done
        } catch {
            ways[browser]?.stage = .check
            ways[browser]?.problem = WelcomeWay.sentence(error.publicText)
        }
    }

    func finish(_ browser: WebSessionID) -> String? {
        guard let way = ways[browser], way.stage == .done, let agent = role?.agent, !agent.isLocked else { return nil }
        forget(browser)
        let account = agent.account
        let groups = account.groups.map { "#\($0)" }.joined(separator: ", ")
        return "Welcome, \(account.display). You are \(account.address)" + (groups.isEmpty ? "" : ", in \(groups)")
            + ". What people write to you appears here."
    }
}

extension Agent {
    /// Kit and proof are behind the person.
    func finishEnrolment() throws(Failure) {
        guard account.isUnfinished, var kept = try folder.loadAccount() else { return }
        kept.isUnfinished = false
        try folder.save(kept)
        account.isUnfinished = false
    }
}
