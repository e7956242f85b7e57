// The menu behind the icon: its lines, and what com.canonical.dbusmenu is told of them. What a line does is said here, and done
// by whoever is handed the action.

package import DDSSystemd

/// What a person may ask for at the icon.
package enum TrayAction: Hashable, Sendable {
    case open, write, unlock, lock, fetch
    /// No notifications for an hour.
    case pause
    case resume
    case quit
}

/// The menu as a value.
package struct TrayMenu: Hashable, Sendable {
    package struct Line: Hashable, Sendable {
        /// Stays the same whatever the line says; 0 is the menu itself.
        package var id: Int32
        package var label: String
        /// Nil for separators and for what is only read.
        package var action: TrayAction?

        var isSeparator: Bool { label.isEmpty }

        func properties() -> [(String, BusValue)] {
            if isSeparator { return [("type", .string("separator")), ("visible", .boolean(true))] }
            // A single underscore would make the next letter a key.
            return [
                ("label", .string(label.replacing("_", with: "__"))), ("enabled", .boolean(action != nil)),
                ("visible", .boolean(true)),
            ]
        }
    }

    package let lines: [Line]

    package init(_ state: TrayState) {
        var lines = [Line(id: 1, label: "Open", action: .open)]
        if state.isJoined {
            lines += [
                Line(id: 2, label: "Write", action: state.isLocked ? nil : .write),
                Line(id: 3, label: state.unreadWords, action: .open),
                Line(id: 4, label: ""),
                Line(id: 5, label: state.isLocked ? "Unlock" : "Lock", action: state.isLocked ? .unlock : .lock),
                Line(id: 6, label: "Fetch now", action: .fetch),
                Line(
                    id: 7,
                    label: state.pausedUntil.map { "Resume notifications (paused until \($0))" } ?? "Pause notifications 1 h",
                    action: state.pausedUntil == nil ? .pause : .resume),
                Line(id: 8, label: state.fetchWords),
            ]
        } else {
            lines.append(Line(id: 3, label: state.unreadWords))
        }
        self.lines = lines + [Line(id: 9, label: ""), Line(id: 10, label: "Quit", action: .quit)]
    }

    /// What the line does; nil for what cannot be chosen.
    package func action(_ id: Int32) -> TrayAction? { lines.first { $0.id == id }?.action }

    /// The properties of a line or of the menu, those in `names` or, where that is empty, all; nil for ids that are not there.
    package func properties(_ id: Int32, _ names: [String]) -> [(String, BusValue)]? {
        let all: [(String, BusValue)]
        if id == 0 {
            all = [("children-display", .string("submenu"))]
        } else {
            guard let line = lines.first(where: { $0.id == id }) else { return nil }
            all = line.properties()
        }
        return names.isEmpty ? all : all.filter { names.contains($0.0) }
    }

    /// `(ia{sv}av)`: the line with its properties and, as far as `depth` goes, its children; -1 is all the way.
    package func layout(_ id: Int32, depth: Int32, _ names: [String]) -> BusValue? {
        guard let own = properties(id, names) else { return nil }
        let children = id == 0 && depth != 0 ? lines.compactMap { layout($0.id, depth: 0, names) } : []
        return .structure([.int32(id), .options(own), .array(of: "v", children.map { .variant($0) })])
    }

    /// The ids of lines that say something else than before; nil when lines came or went.
    package func changes(since old: TrayMenu) -> [Int32]? {
        guard lines.map(\.id) == old.lines.map(\.id) else { return nil }
        return zip(lines, old.lines).filter { $0 != $1 }.map { $0.0.id }
    }
}

// MARK: The interface

/// The menu on the bus: what each call is answered, and what happened in it.
package struct TrayMenuObject: Sendable {
    package static let path = "/MenuBar"
    package static let interface = "com.canonical.dbusmenu"

    package private(set) var menu: TrayMenu
    /// Grows with every change; hosts ask for the layout anew when it does.
    package private(set) var revision: UInt32 = 1

    package init(_ menu: TrayMenu) { self.menu = menu }

    /// Takes over a new menu and returns the signals that tell of it.
    package mutating func show(_ new: TrayMenu) -> [BusCall] {
        guard new != menu else { return [] }
        let changed = new.changes(since: menu)
        menu = new
        revision += 1
        guard let changed else {
            return [signal("LayoutUpdated", [.uint32(revision), .int32(0)])]
        }
        let updates = changed.map { BusValue.structure([.int32($0), .options(menu.properties($0, []) ?? [])]) }
        return [
            signal("ItemsPropertiesUpdated", [.array(of: "(ia{sv})", updates), .array(of: "(ias)", [])]),
            // Some hosts read labels with the layout only.
            signal("LayoutUpdated", [.uint32(revision), .int32(0)]),
        ]
    }

    private func signal(_ member: String, _ arguments: [BusValue]) -> BusCall {
        BusCall(path: Self.path, interface: Self.interface, member: member, arguments)
    }

    package var properties: [(String, BusValue)] {
        [
            ("Version", .uint32(3)), ("TextDirection", .string("ltr")), ("Status", .string("normal")),
            ("IconThemePath", .strings([])),
        ]
    }

    /// What a call of the interface is answered, and what was chosen by it.
    package func answer(_ call: BusMessage) throws(BusError) -> (values: [BusValue], chosen: [TrayAction]) {
        let arguments = call.arguments
        func id(_ place: Int) throws(BusError) -> Int32 {
            guard arguments.count > place, case .int32(let id) = arguments[place] else { throw .invalidArguments(call.member) }
            return id
        }
        func names(_ place: Int) -> [String] {
            arguments.count > place ? (arguments[place].elements ?? []).compactMap(\.text) : []
        }
        func ids() -> [Int32] {
            (arguments.first?.elements ?? []).compactMap { if case .int32(let id) = $0 { id } else { nil } }
        }
        switch call.member {
        case "GetLayout":
            guard arguments.count == 3, case .int32(let depth) = arguments[1],
                let layout = menu.layout(try id(0), depth: depth, names(2))
            else { throw .invalidArguments(call.member) }
            return ([.uint32(revision), layout], [])
        case "GetGroupProperties":
            // No ids are all of them.
            let wanted = ids().isEmpty ? [0] + menu.lines.map(\.id) : ids()
            let found = wanted.compactMap { id in
                menu.properties(id, names(1)).map { BusValue.structure([.int32(id), .options($0)]) }
            }
            return ([.array(of: "(ia{sv})", found)], [])
        case "GetProperty":
            guard arguments.count == 2, let name = arguments[1].text, let value = menu.properties(try id(0), [name])?.first
            else { throw .invalidArguments(call.member) }
            return ([.variant(value.1)], [])
        case "Event":
            guard arguments.count == 4 else { throw .invalidArguments(call.member) }
            return ([], chosen(try id(0), arguments[1]))
        case "EventGroup":
            let events = (arguments.first?.elements ?? []).compactMap(\.elements).filter { $0.count == 4 }
            let known = Set(menu.lines.map(\.id) + [0])
            var actions: [TrayAction] = []
            var unknown: [BusValue] = []
            for event in events {
                guard case .int32(let id) = event[0] else { continue }
                if known.contains(id) { actions += chosen(id, event[1]) } else { unknown.append(.int32(id)) }
            }
            return ([.array(of: "i", unknown)], actions)
        case "AboutToShow":
            _ = try id(0)
            return ([.boolean(false)], [])
        case "AboutToShowGroup": return ([.array(of: "i", []), .array(of: "i", [])], [])
        default: throw .unknownMethod(call.member)
        }
    }

    private func chosen(_ id: Int32, _ event: BusValue) -> [TrayAction] {
        event.text == "clicked" ? menu.action(id).map { [$0] } ?? [] : []
    }
}
