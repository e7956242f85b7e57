// What an icon shows and its menu offers, for each state an agent can be in.

import DDSSystemd
import Testing

@testable import DDSDesktop

private func state(locked: Bool = false, unread: Int = 0, places: Int = 1, joined: Bool = true) -> TrayState {
    var state = TrayState()
    (state.isJoined, state.isLocked, state.unread, state.places) = (joined, locked, unread, places)
    state.lastFetch = "12:04"
    return state
}

@Suite struct TrayStateTests {
    @Test func words_sayHowMuchAndNeverWho() {
        #expect(state(joined: false).unreadWords == "Nobody has joined yet")
        #expect(state().unreadWords == "Nothing unread")
        #expect(state(unread: 1).unreadWords == "1 unread")
        #expect(state(unread: 3, places: 2).unreadWords == "3 unread in 2 groups")
        #expect(state(locked: true).unreadWords == "Locked")
        #expect(state(locked: true, unread: 2).unreadWords == "Locked, 2 new")
    }

    @Test func status_hidesOnlyWhatNobodyHasJoined() {
        #expect(state(joined: false).status == .passive)
        #expect(state(locked: true).status == .active)
        #expect(state().status == .active)
        var troubled = state()
        troubled.trouble = "Not fetched: the node does not answer"
        #expect(troubled.status == .needsAttention)
        #expect(troubled.fetchWords == "Not fetched: the node does not answer")
    }

    @Test(arguments: [(0, nil), (1, "1"), (9, "9"), (10, "9+"), (4000, "9+")] as [(Int, String?)])
    func badge_hasOneDigit(unread: Int, badge: String?) {
        #expect(state(unread: unread).badge == badge)
    }
}

@Suite struct TrayIconTests {
    private static let alarm: [UInt8] = [255, 200, 60, 40]
    private static let white: [UInt8] = [255, 255, 255, 255]

    private func count(_ colour: [UInt8], _ icon: TrayIcon) -> Int {
        (0..<icon.size).reduce(0) { sum, y in sum + (0..<icon.size).count { icon[$0, y] == colour } }
    }

    @Test(arguments: TrayIcon.sizes)
    func pixels_areARGBOfTheSize(size: Int) {
        let icon = TrayIcon(state(), size: size)
        #expect(icon.octets.count == size * size * 4)
        #expect(icon[0, 0] == [0, 0, 0, 0], "corners are empty")
        #expect(icon[size / 2, size * 3 / 4] == [255, 47, 91, 208], "the gem is blue and opaque")
    }

    @Test func badge_isThereWithUnreadMailOnly() {
        #expect(count(Self.alarm, TrayIcon(state(), size: 44)) == 0)
        #expect(count(Self.alarm, TrayIcon(state(unread: 3), size: 44)) > 50)
        #expect(count(Self.white, TrayIcon(state(unread: 3), size: 44)) > 30)
    }

    @Test func everyBadge_looksOtherwise() {
        let icons = (0...10).map { TrayIcon(state(unread: $0), size: 22) }
        #expect(Set(icons).count == 11)
        #expect(TrayIcon(state(unread: 10), size: 22) == TrayIcon(state(unread: 99), size: 22))
    }

    @Test func lock_dullsTheGemAndAddsAPadlock() {
        let locked = TrayIcon(state(locked: true), size: 44)
        #expect(count([255, 47, 91, 208], locked) == 0)
        #expect(count([255, 34, 38, 48], locked) > 100)
        #expect(count([255, 34, 38, 48], TrayIcon(state(joined: false), size: 44)) == 0, "nobody's agent has nothing locked")
    }
}

@Suite struct TrayItemTests {
    private func value(_ name: String, _ item: TrayItem) -> BusValue? { item.properties.first { $0.0 == name }?.1 }

    @Test func name_isGivenOnlyWhereTheThemesIconSaysAll() {
        #expect(value("IconName", TrayItem(state())) == .string("ddsnode"))
        #expect(value("IconName", TrayItem(state(unread: 1))) == .string(""))
        #expect(value("IconName", TrayItem(state(locked: true))) == .string(""))
    }

    @Test func changes_areToldByTheSignalsOfTheSpecification() {
        var item = TrayItem(state())
        #expect(item.show(state()).isEmpty, "nothing has changed")
        #expect(item.show(state(unread: 1)).map(\.member) == ["NewIcon", "NewAttentionIcon", "NewToolTip"])
        // Ten and eleven have the same badge.
        _ = item.show(state(unread: 10))
        #expect(item.show(state(unread: 11)).map(\.member) == ["NewToolTip"])
        var troubled = state(unread: 11)
        troubled.trouble = "Not fetched"
        #expect(
            item.show(troubled).last
                == BusCall(
                    path: "/StatusNotifierItem", interface: "org.kde.StatusNotifierItem", member: "NewStatus",
                    [.string("NeedsAttention")]))
    }

    @Test func properties_haveTheTypesOfTheSpecification() {
        let types = Dictionary(uniqueKeysWithValues: TrayItem(state()).properties.map { ($0.0, $0.1.signature) })
        #expect(types["IconPixmap"] == "a(iiay)")
        #expect(types["ToolTip"] == "(sa(iiay)ss)")
        #expect(types["Menu"] == "o")
        #expect(types["ItemIsMenu"] == "b")
        #expect(types["WindowId"] == "i")
    }

    @Test func properties_areReadAndNotWritten() throws {
        let call = { (member: String, arguments: [BusValue]) in
            BusMessage(
                path: "/", interface: ReadOnlyProperties.interface, member: member,
                arguments: [.string(TrayItem.interface)] + arguments)
        }
        let item = TrayItem(state())
        let id = try ReadOnlyProperties.answer(call("Get", [.string("Id")]), of: TrayItem.interface, item.properties)
        #expect(id == [.variant(.string("ddsnode"))])
        #expect(throws: BusError.self) {
            try ReadOnlyProperties.answer(call("Get", [.string("Nothing")]), of: TrayItem.interface, item.properties)
        }
        #expect(throws: BusError.self) {
            try ReadOnlyProperties.answer(
                call("Set", [.string("Id"), .variant(.string("x"))]), of: TrayItem.interface, item.properties)
        }
        #expect(throws: BusError.self) {
            try ReadOnlyProperties.answer(call("GetAll", []), of: "org.example.Other", item.properties)
        }
    }
}

@Suite struct TrayMenuTests {
    private func labels(_ menu: TrayMenu) -> [String] { menu.lines.map(\.label) }

    private func call(_ member: String, _ arguments: [BusValue]) -> BusMessage {
        BusMessage(path: TrayMenuObject.path, interface: TrayMenuObject.interface, member: member, arguments: arguments)
    }

    @Test func lines_followTheState() {
        #expect(
            labels(TrayMenu(state(unread: 3, places: 2))) == [
                "Open", "Write", "3 unread in 2 groups", "", "Lock", "Fetch now", "Pause notifications 1 h", "Fetched at 12:04",
                "",
                "Quit",
            ])
        #expect(labels(TrayMenu(state(joined: false))) == ["Open", "Nobody has joined yet", "", "Quit"])
        #expect(labels(TrayMenu(state(locked: true)))[4] == "Unlock")
        var paused = state()
        paused.pausedUntil = "13:00"
        #expect(labels(TrayMenu(paused))[6] == "Resume notifications (paused until 13:00)")
    }

    @Test func actions_areWhatTheLinesSay() {
        let open = TrayMenu(state())
        #expect((1...10).map { open.action($0) } == [.open, .write, .open, nil, .lock, .fetch, .pause, nil, nil, .quit])
        let locked = TrayMenu(state(locked: true))
        #expect(locked.action(5) == .unlock)
        #expect(locked.action(2) == nil, "nothing is written while locked")
        #expect(open.action(99) == nil)
    }

    @Test func layout_hasTheTypeOfTheInterfaceAndObeysTheDepth() throws {
        let menu = TrayMenu(state())
        let whole = try #require(menu.layout(0, depth: -1, []))
        #expect(whole.signature == "(ia{sv}av)")
        #expect(whole.elements?[2].elements?.count == 10)
        #expect(menu.layout(0, depth: 0, [])?.elements?[2].elements?.isEmpty == true)
        #expect(menu.layout(77, depth: -1, []) == nil)
        let separator = try #require(menu.properties(4, []))
        #expect(separator.contains { $0.0 == "type" && $0.1 == .string("separator") })
        #expect(menu.properties(1, ["label"])?.map(\.0) == ["label"])
    }

    @Test func underscores_areNoKeys() throws {
        var troubled = state()
        troubled.trouble = "Not fetched: my_node.test does not answer"
        let label = try #require(TrayMenu(troubled).properties(8, ["label"])?.first)
        #expect(label.1 == .string("Not fetched: my__node.test does not answer"))
    }

    @Test func clicks_chooseAndOtherEventsDoNot() throws {
        let object = TrayMenuObject(TrayMenu(state()))
        func event(_ id: Int32, _ name: String) -> BusMessage {
            call("Event", [.int32(id), .string(name), .variant(.int32(0)), .uint32(0)])
        }
        #expect(try object.answer(event(5, "clicked")).chosen == [.lock])
        #expect(try object.answer(event(5, "hovered")).chosen.isEmpty)
        #expect(try object.answer(event(8, "clicked")).chosen.isEmpty, "what is only read does nothing")
        let group = call(
            "EventGroup",
            [
                .array(
                    of: "(isvu)",
                    [6, 77].map { .structure([.int32($0), .string("clicked"), .variant(.int32(0)), .uint32(0)]) })
            ])
        let answer = try object.answer(group)
        #expect(answer.chosen == [.fetch])
        #expect(answer.values == [.array(of: "i", [.int32(77)])], "ids that are not there are named")
    }

    @Test func answers_haveTheTypesOfTheInterface() throws {
        let object = TrayMenuObject(TrayMenu(state()))
        func types(_ member: String, _ arguments: [BusValue]) throws -> String {
            try object.answer(call(member, arguments)).values.map(\.signature).joined()
        }
        #expect(try types("GetLayout", [.int32(0), .int32(-1), .strings([])]) == "u(ia{sv}av)")
        #expect(try types("GetGroupProperties", [.array(of: "i", []), .strings([])]) == "a(ia{sv})")
        #expect(try types("GetProperty", [.int32(1), .string("label")]) == "v")
        #expect(try types("AboutToShow", [.int32(0)]) == "b")
        #expect(try types("AboutToShowGroup", [.array(of: "i", [])]) == "aiai")
        #expect(throws: BusError.self) { try object.answer(call("GetLayout", [.int32(77), .int32(-1), .strings([])])) }
        #expect(throws: BusError.self) { try object.answer(call("GetLayout", [])) }
        #expect(throws: BusError.self) { try object.answer(call("Nothing", [])) }
    }

    @Test func changes_growTheRevisionAndAreTold() throws {
        var object = TrayMenuObject(TrayMenu(state()))
        #expect(object.show(TrayMenu(state())).isEmpty)
        #expect(object.revision == 1)
        let signals = object.show(TrayMenu(state(locked: true)))
        #expect(signals.map(\.member) == ["ItemsPropertiesUpdated", "LayoutUpdated"])
        #expect(signals[0].arguments.map(\.signature) == ["a(ia{sv})", "a(ias)"])
        #expect(signals[1].arguments == [.uint32(2), .int32(0)])
        // Lines that come or go are told by the layout alone.
        #expect(object.show(TrayMenu(state(joined: false))).map(\.member) == ["LayoutUpdated"])
        #expect(object.revision == 3)
    }
}
