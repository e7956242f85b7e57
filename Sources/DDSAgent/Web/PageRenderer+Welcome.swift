// The screens of joining, from what is known of a node to the greeting.

import DDSCore

extension PageRenderer {
    /// The next screen of a browser on its way, with what was wrong with its last form. `offered` stands in the field for the
    /// invite.
    package func welcome(
        _ context: Context, _ screen: WelcomeScreen, problem: String?, offered: String = ""
    ) -> String {
        var values = alone(context, problem)
        let template: String
        switch screen {
        case .invite:
            (template, values["step"]) = ("welcomeInvite", Self.step(1))
            values["offered"] = offered
        case .kitEntry:
            (template, values["step"]) = ("welcomeKitEntry", Self.step(1))
        case .card(let card):
            (template, values["step"]) = ("welcomeCard", Self.step(1))
            values.merge(cardValues(card, now: context.now)) { _, new in new }
        case .name(let name, let address, let isDevice):
            (template, values["step"]) = ("welcomeName", Self.step(2))
            values["name"] = DisplayText.line(name).text
            values["address"] = optional(DisplayText.line(address).text)
            values["isDevice"] = isDevice
        case .passphrase(let words, let isEarlier):
            (template, values["step"]) = ("welcomePassphrase", Self.step(3))
            values["words"] = optional(words)
            values["isEarlier"] = isEarlier
        case .weak(let magnitude):
            (template, values["step"]) = ("welcomeWeak", Self.step(3))
            values["guesses"] = Self.guesses(magnitude)
        case .working(let heading, let ticks):
            (template, values["pollSeconds"]) = ("welcomeWorking", "1")
            values["heading"] = heading
            values["ticks"] = tickValues(ticks)
        case .kit(let kit):
            (template, values["step"]) = ("welcomeKit", Self.step(4))
            values.merge(kitValues(kit)) { _, new in new }
        case .check:
            (template, values["step"]) = ("welcomeCheck", Self.step(5))
        case .done(let ticks, let address):
            (template, values["step"]) = ("welcomeDone", Self.step(6))
            values["ticks"] = tickValues(ticks)
            values["address"] = DisplayText.line(address).text
        case .busy:
            (template, values["pollSeconds"]) = ("welcomeBusy", "2")
        }
        return templates.render(template, values)
    }

    /// A recovery kit to be printed, with everything that who finds it should know.
    package func kitPrint(_ context: Context, _ kit: RecoveryKitModel, back: String) -> String {
        kitPrint(context, kit, back: back, alone(context, nil))
    }

    /// The same for who is signed in, until the lock. `file` is where it can be saved from.
    package func kitPrint(_ context: Context, _ kit: RecoveryKitModel, back: String, file: String) -> String {
        var values = alone(context, nil)
        values.merge(head(.settings, refreshes: true, look: context.chosen.look)) { _, new in new }
        values["filePath"] = file
        values["liveToken"] = context.formToken
        return kitPrint(context, kit, back: back, values)
    }

    private func kitPrint(_ context: Context, _ kit: RecoveryKitModel, back: String, _ values: [String: Any]) -> String {
        var values = values
        values["pageKind"] = "print"
        values["back"] = back
        values.merge(kitValues(kit)) { _, new in new }
        return templates.render("kitPrint", values)
    }

    private func alone(_ context: Context, _ problem: String?) -> [String: Any] {
        var values = head(.welcome, refreshes: false)
        values["pageKind"] = "welcome"
        values["step"] = false
        values["filePath"] = false
        values["liveToken"] = false
        values["formToken"] = context.formToken
        values["problem"] = optional(problem.map { DisplayText.line($0).text })
        return values
    }

    private static func step(_ number: Int) -> String { "Step \(number) of 6" }

    /// A number of tries as people say it.
    private static func guesses(_ magnitude: Int) -> String {
        switch magnitude {
        case ..<7: "a few million"
        case 7: "ten million"
        case 8: "a hundred million"
        default: "a thousand million"
        }
    }

    private func cardValues(_ card: WelcomeCard, now: WallTime) -> [String: Any] {
        [
            "isKit": card.kind == .kit, "isDevice": card.kind == .device, "isInvite": card.kind == .invite,
            "node": DisplayText.line(card.node).text, "host": DisplayText.line(card.host).text, "keyWords": card.keyWords,
            "address": optional(DisplayText.line(card.address).text), "display": optional(DisplayText.line(card.display).text),
            "groups": optional(card.groups.map { "#" + DisplayText.line($0).text }.joined(separator: ", ")),
            "until": optional(card.until.map { time($0, now: now).full }),
        ]
    }

    func kitValues(_ kit: RecoveryKitModel) -> [String: Any] {
        [
            "kitTitle": DisplayText.line(kit.title).text,
            "kitSections": kit.sections.map { section -> [String: Any] in
                ["head": section.head, "paragraphs": section.paragraphs.map { DisplayText.line($0).text }]
            },
            "kitCode": kit.groups.joined(separator: " "), "picture": optional(kit.picture), "pictureSize": "\(kit.pictureSize)",
        ]
    }

    private func tickValues(_ ticks: [WelcomeTick]) -> [[String: Any]] {
        ticks.map { ["tickText": DisplayText.line($0.text).text, "isDone": $0.isDone] }
    }
}
