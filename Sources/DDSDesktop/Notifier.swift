// Shows what has come by the desktop's notification server, and hears what a person does with it. What is said and when,
// NotificationPolicy and NotificationBook decide.

package import DDSCore
package import DDSLoop
package import DDSSystemd

@LoopActor package final class Notifier {
    package var policy = NotificationPolicy()
    /// A person wants to see: the letter where the bubble was about one only.
    package var onOpen: (@LoopActor (_ letter: String?) -> Void)?
    /// A person has put the bubble away, or it has expired: what it told of is not told again.
    package var onSeen: (@LoopActor () -> Void)?

    private let bus: BusConnection
    private let time: any TimeSource
    /// The minute of the local day at a moment.
    private let minute: @LoopActor (WallTime) -> Int
    private var book = NotificationBook()
    /// What the server can do; nil until it was asked.
    private var abilities: Set<String>?
    private var mail = NewMail.letters([])
    private var isAsking = false

    package init(bus: BusConnection, time: any TimeSource, minute: @escaping @LoopActor (WallTime) -> Int) {
        self.bus = bus
        self.time = time
        self.minute = minute
        let from = "type='signal',sender='\(NotificationBook.service)',interface='\(NotificationBook.service)'"
        bus.watch(from) { [weak self] in self?.heard($0) }
        bus.watch(BusName.changes(of: NotificationBook.service)) { [weak self] _ in self?.serverChanged() }
    }

    /// The bus came or went, or another server has taken over: nothing of before is shown.
    package func serverChanged() {
        book.forget()
        abilities = nil
    }

    /// Says what is new; nothing closes what is shown. More of the same is one bubble. While notifications may not appear what
    /// is shown stays until it is read.
    package func tell(_ mail: NewMail) {
        let isMore = mail.count > self.mail.count || !Self.isPart(mail, of: self.mail)
        self.mail = mail
        if mail.count == 0 { return perform(book.want(nil)) }
        guard isMore ? policy.mayShow(now: time.wall, minute: minute(time.wall)) : book.isUp else { return }
        withAbilities { [self] abilities in
            perform(book.want(Bubble(self.mail, content: policy.content, abilities: abilities)))
        }
    }

    private static func isPart(_ mail: NewMail, of old: NewMail) -> Bool {
        switch (mail, old) {
        case (.letters(let new), .letters(let old)): Set(new).isSubset(of: old)
        case (.locked(let new), .locked(let old)): new <= old
        case (.letters, .locked), (.locked, .letters): false
        }
    }

    /// Takes away what is shown.
    package func withdraw() {
        mail = .letters([])
        perform(book.want(nil))
    }

    /// Shows a bubble whatever the policy says. Throws where no server answers.
    package func test() async throws(BusError) {
        let abilities = try await askAbilities()
        _ = try await bus.call(Bubble(testFor: abilities).call(replacing: 0))
    }

    // MARK: The server

    private func withAbilities(_ work: @escaping @LoopActor @Sendable (Set<String>) -> Void) {
        if let abilities { return work(abilities) }
        guard bus.isConnected, !isAsking else { return }
        isAsking = true
        Loop.spawn(name: "notify") { [self] in
            let found = try? await askAbilities()
            isAsking = false
            guard let found else { return }
            work(found)
        }
    }

    private func askAbilities() async throws(BusError) -> Set<String> {
        let answer = try await bus.call(
            BusCall(
                NotificationBook.service, path: NotificationBook.path, interface: NotificationBook.service,
                member: "GetCapabilities"))
        let found = Set((answer.first?.elements ?? []).compactMap(\.text))
        abilities = found
        return found
    }

    private func perform(_ step: NotificationBook.Step?) {
        guard let step else { return }
        guard case .show = step else { return bus.send(step.call) }
        // A click right behind the answer is about the number in it.
        bus.call(step.call) { [weak self] answer in
            guard let self else { return }
            perform(book.answered((try? answer.get())?.first?.number.flatMap { UInt32(exactly: $0) }))
        }
    }

    private func heard(_ signal: BusMessage) {
        guard let number = signal.arguments.first?.number.flatMap({ UInt32(exactly: $0) }) else { return }
        switch signal.member {
        case "ActionInvoked":
            guard number == book.number, number != 0 else { return }
            onOpen?(onlyLetter)
            putAway(number)
            // Not every server closes what was clicked.
            bus.send(NotificationBook.Step.close(number).call)
        case "NotificationClosed": putAway(number)
        default: break
        }
    }

    private func putAway(_ number: UInt32) {
        guard book.closed(number) else { return }
        mail = .letters([])
        onSeen?()
    }

    private var onlyLetter: String? {
        guard case .letters(let letters) = mail, letters.count == 1 else { return nil }
        return letters[0].id
    }
}

/// Names on a bus.
enum BusName {
    /// The rule for the signal that says that a name has another owner.
    static func changes(of name: String) -> String {
        "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='\(name)'"
    }
}
