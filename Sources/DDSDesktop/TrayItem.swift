// The icon as an object on the bus: the properties of org.kde.StatusNotifierItem and the signals that follow from a change.

package import DDSSystemd

/// What a tray is told of the icon.
package struct TrayItem: Sendable {
    package static let path = "/StatusNotifierItem"
    package static let interface = "org.kde.StatusNotifierItem"

    package private(set) var state: TrayState
    private var pixmaps: BusValue

    package init(_ state: TrayState) {
        self.state = state
        pixmaps = Self.pixmaps(state)
    }

    /// Takes over a new state and returns the signals that tell of it.
    package mutating func show(_ new: TrayState) -> [BusCall] {
        guard new != state else { return [] }
        let (oldStatus, oldTip, oldName, oldPixmaps) = (state.status, tip, iconName, pixmaps)
        state = new
        pixmaps = Self.pixmaps(new)
        var signals: [BusCall] = []
        if iconName != oldName || pixmaps != oldPixmaps {
            signals += ["NewIcon", "NewAttentionIcon"].map { signal($0) }
        }
        if tip != oldTip { signals.append(signal("NewToolTip")) }
        if state.status != oldStatus { signals.append(signal("NewStatus", [.string(state.status.rawValue)])) }
        return signals
    }

    private func signal(_ member: String, _ arguments: [BusValue] = []) -> BusCall {
        BusCall(path: Self.path, interface: Self.interface, member: member, arguments)
    }

    /// Trays prefer a name to pixels, and the icon of that name has neither badge nor padlock.
    private var iconName: String { state.badge == nil && !state.isLocked && state.trouble == nil ? "ddsnode" : "" }

    private var tip: String {
        state.isJoined ? "\(state.unreadWords). \(state.fetchWords)." : "\(state.unreadWords)."
    }

    package var properties: [(String, BusValue)] {
        [
            ("Category", .string("Communications")), ("Id", .string("ddsnode")), ("Title", .string("DDS")),
            ("Status", .string(state.status.rawValue)), ("WindowId", .int32(0)), ("IconThemePath", .string("")),
            ("Menu", .path(TrayMenuObject.path)), ("ItemIsMenu", .boolean(false)),
            ("IconName", .string(iconName)), ("IconPixmap", pixmaps),
            ("OverlayIconName", .string("")), ("OverlayIconPixmap", .array(of: "(iiay)", [])),
            ("AttentionIconName", .string("")), ("AttentionIconPixmap", pixmaps), ("AttentionMovieName", .string("")),
            ("ToolTip", .structure([.string(""), .array(of: "(iiay)", []), .string("DDS"), .string(tip)])),
        ]
    }

    private static func pixmaps(_ state: TrayState) -> BusValue {
        .array(
            of: "(iiay)",
            TrayIcon.sizes.map { size in
                .structure([.int32(Int32(size)), .int32(Int32(size)), .bytes(TrayIcon(state, size: size).octets)])
            })
    }
}

/// Answers `org.freedesktop.DBus.Properties` for an object whose properties are only read.
package enum ReadOnlyProperties {
    package static let interface = "org.freedesktop.DBus.Properties"

    package static func answer(
        _ call: BusMessage, of name: String, _ properties: [(String, BusValue)]
    ) throws(BusError) -> [BusValue] {
        guard let asked = call.arguments.first?.text, asked == name || asked.isEmpty else {
            throw BusError("org.freedesktop.DBus.Error.UnknownInterface", "there is no such interface")
        }
        switch call.member {
        case "Get":
            guard call.arguments.count == 2, let key = call.arguments[1].text,
                let found = properties.first(where: { $0.0 == key })
            else { throw BusError("org.freedesktop.DBus.Error.UnknownProperty", "there is no such property") }
            return [.variant(found.1)]
        case "GetAll": return [.options(properties)]
        case "Set": throw BusError("org.freedesktop.DBus.Error.PropertyReadOnly", "the property is only read")
        default: throw .unknownMethod(call.member)
        }
    }
}
