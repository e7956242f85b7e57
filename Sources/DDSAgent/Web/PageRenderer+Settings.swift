// The settings, tab by tab.

import DDSCore

extension PageRenderer {
    /// One tab; `browsers` are those that are signed in, for the tab of devices.
    package func settings(
        _ context: Context, frame: FrameModel, _ model: SettingsModel, browsers: [BrowserModel] = []
    ) -> String {
        // No reload under a text.
        var values = surroundings(
            .settings, kind: "settings", context, frame, current: nil, refreshes: model.tab != .you)
        values["tabs"] = SettingsTab.allCases.map { tab -> [String: Any] in
            ["tabPath": Route.path(tab), "tabLabel": Self.label(tab), "isCurrentTab": tab == model.tab]
        }
        values["tabPath"] = Route.path(model.tab)
        let template: String
        switch model {
        case .you(let you):
            template = "settingsYou"
            values.merge(youValues(you)) { _, new in new }
        case .keys(let keys):
            template = "settingsKeys"
            values.merge(keyValues(keys)) { _, new in new }
        case .groups(let groups):
            template = "settingsGroups"
            values["memberships"] = groups.map(membershipValues)
            values["hasMemberships"] = !groups.isEmpty
        case .devices(let devices):
            template = "settingsDevices"
            values.merge(deviceValues(devices, now: context.now)) { _, new in new }
            values["browsers"] = browsers.map { browserValues($0, now: context.now) }
        case .gateway(let gateway):
            template = "settingsGateway"
            values.merge(gatewayValues(gateway, now: context.now)) { _, new in new }
        case .appearance(let look):
            template = "settingsAppearance"
            values["isTitled"] = look.showsUnreadInTitle
            values["hasKeys"] = look.hasKeys
            values["themes"] = PageTheme.allCases.map { Self.choice("theme", $0.rawValue, Self.label($0), $0 == look.theme) }
            values["densities"] = PageDensity.allCases.map {
                Self.choice("density", $0.rawValue, $0 == .normal ? "Normal" : "Compact", $0 == look.density)
            }
        case .node(let node):
            template = "settingsNode"
            values["facts"] = node.facts.map(factValues)
            values["problems"] = node.problems.map { ["problemText": DisplayText.line($0).text] }
            values["hasProblems"] = !node.problems.isEmpty
            values["findings"] = node.findings.map(factValues)
        case .about(let about):
            template = "settingsAbout"
            values["version"] = about.version
            values["facts"] = about.paths.map(factValues)
            values["libraries"] = about.libraries.map(factValues)
        }
        return templates.render(template, values)
    }

    private static func label(_ tab: SettingsTab) -> String { tab.rawValue.prefix(1).uppercased() + tab.rawValue.dropFirst() }

    private static func label(_ theme: PageTheme) -> String {
        switch theme {
        case .auto: "As the browser has it"
        case .light: "Light"
        case .dark: "Dark"
        }
    }

    private static func choice(_ name: String, _ value: String, _ label: String, _ isChosen: Bool) -> [String: Any] {
        ["choiceName": name, "choiceValue": value, "choiceLabel": label, "isChosen": isChosen]
    }

    private func factValues(_ fact: SettingsFact) -> [String: Any] {
        ["factName": DisplayText.line(fact.name).text, "factWords": optional(DisplayText.line(fact.words).text)]
    }

    private func sentence(_ words: String) -> String {
        let text = DisplayText.line(words).text
        return text.prefix(1).uppercased() + text.dropFirst() + "."
    }

    private func youValues(_ you: YouModel) -> [String: Any] {
        [
            "name": DisplayText.line(you.name).text, "address": DisplayText.address(you.address).text,
            "signature": DisplayText.body(you.signature).text, "checksSpelling": you.checksSpelling,
            "undo": you.undoSeconds.map { "\($0)" } ?? "", "configuredUndo": "\(you.configuredUndoSeconds)",
            "spellcheck": you.checksSpelling ? "true" : "false", "signatureMax": "\(PageSettings.signatureMax)",
        ]
    }

    private func keyValues(_ keys: OwnKeysModel) -> [String: Any] {
        var own = keys.own
        // In groups of four, as people read digits out.
        own.hex = own.hex.enumerated().reduce(into: "") { $0 += ($1.offset > 0 && $1.offset % 4 == 0 ? " " : "") + String($1.element) }
        return [
            "own": [fingerprint(own)],
            "contacts": keys.contacts.map { contact -> [String: Any] in
                [
                    "personID": contact.id, "contactAddress": DisplayText.address(contact.address).text,
                    "contactStanding": sentence(contact.standing), "isUrgent": contact.isUrgent,
                ]
            },
        ]
    }

    private func membershipValues(_ group: MembershipModel) -> [String: Any] {
        var words: [String] = []
        if let members = group.members { words.append("\(members) \(members == 1 ? "member" : "members")") }
        if let roster = group.roster { words.append("roster \(roster)") }
        return [
            "groupID": group.id, "groupName": "#" + DisplayText.line(group.name).text, "hue": hue(group.id),
            "isMutedGroup": group.isMuted,
            "groupWords": words.isEmpty ? "No roster has come yet" : words.joined(separator: " · "),
            "owners": optional(group.owners.map { DisplayText.address($0).text }.joined(separator: ", ")),
            "groupPath": Route.path(.group(group.id)),
        ]
    }

    private func deviceValues(_ model: DevicesModel, now: WallTime) -> [String: Any] {
        [
            "devices": model.devices.map { device -> [String: Any] in
                var words = [device.since.map { "since \(time($0, now: now).short)" } ?? "from the beginning"]
                if device.waiting > 0 { words.append("\(device.waiting) \(device.waiting == 1 ? "message waits" : "messages wait")") }
                return [
                    "deviceNumber": "\(device.number)", "deviceTitle": optional(DisplayText.line(device.title).text),
                    "deviceWords": words.joined(separator: " · "), "isThisDevice": device.isThis,
                ]
            },
            "devicesTrouble": optional(model.trouble.map(sentence)),
            "linkWords": optional(model.linkWords.map(sentence)),
            "link": model.link.map { link -> Any in
                [
                    "linkText": link.text, "picture": optional(link.picture), "pictureSize": "\(link.pictureSize)",
                    "linkUntil": time(link.until, now: now).short,
                ] as [String: Any]
            } ?? false,
        ]
    }

    private func gatewayValues(_ gateway: GatewayModel, now: WallTime) -> [String: Any] {
        [
            "rows": gateway.rows.map { row -> [String: Any] in
                [
                    "rowName": row.name, "rowTitle": row.title, "isConfigured": row.isConfigured,
                    "isOn": row.port != nil, "host": DisplayText.line(row.host ?? "").text,
                    "port": row.port.map { "\($0)" } ?? "",
                ]
            },
            "isTLS": gateway.isTLS, "isTLSConfigured": gateway.isTLSConfigured,
            "fingerprint": optional(gateway.fingerprint),
            "user": DisplayText.address(gateway.user).text, "isAnyOn": gateway.rows.contains { $0.port != nil },
            "passwords": gateway.passwords.map { password -> [String: Any] in
                let used = password.lastUsed.map { "last used \(time($0, now: now).short)" } ?? "never used"
                return [
                    "passwordName": DisplayText.line(password.name).text,
                    "passwordID": Hex.encode(Array(password.name.utf8)),
                    "passwordWords": "made \(time(password.made, now: now).short) · \(used)",
                ]
            },
            "fresh": gateway.freshText.map { text -> Any in
                ["freshText": text.exposed, "freshName": DisplayText.line(gateway.fresh?.name ?? "").text] as [String: Any]
            } ?? false,
            "problems": gateway.problems.map { ["problemText": DisplayText.line($0).text] },
            "nameMax": "\(AppPassword.nameMax)",
        ]
    }

    private func browserValues(_ browser: BrowserModel, now: WallTime) -> [String: Any] {
        [
            "browserName": browser.name, "isThisBrowser": browser.isThis,
            "browserWords": "Signed in \(time(browser.begun, now: now).short), last used \(time(browser.lastUsed, now: now).short)",
        ]
    }
}
