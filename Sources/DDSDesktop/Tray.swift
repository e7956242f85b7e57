// Keeps the icon in whatever tray the desktop has: registers, and again when the tray comes back. What the icon shows is
// TrayItem's and TrayMenu's.

package import DDSLoop
package import DDSSystemd

@LoopActor package final class Tray {
    /// Something was chosen in the menu, or the icon was clicked.
    package var onAction: (@LoopActor (TrayAction) -> Void)?
    /// It has become known whether there is a tray that shows the icon, or that has changed.
    package var onChange: (@LoopActor (Bool) -> Void)?
    /// A tray shows the icon; nil until that is known.
    package private(set) var isShown: Bool?

    private static let watcher = "org.kde.StatusNotifierWatcher"
    private static let watcherPath = "/StatusNotifierWatcher"

    private let bus: BusConnection
    /// The name that the item has on the bus while it is registered.
    private let name: String
    private var item: TrayItem
    private var menu: TrayMenuObject
    /// Counts tries: the answer to an older one does not count.
    private var round = 0

    /// `process` is this process's id, which is part of the name.
    package init(bus: BusConnection, process: Int32, state: TrayState) {
        self.bus = bus
        name = "org.kde.StatusNotifierItem-\(process)-1"
        item = TrayItem(state)
        menu = TrayMenuObject(TrayMenu(state))
        bus.export(TrayItem.path) { [weak self] call throws(BusError) in try self?.answerItem(call) ?? [] }
        bus.export(TrayMenuObject.path) { [weak self] call throws(BusError) in try self?.answerMenu(call) ?? [] }
        bus.watch(BusName.changes(of: Self.watcher)) { [weak self] _ in self?.register() }
        let hosts = "type='signal',sender='\(Self.watcher)',interface='\(Self.watcher)'"
        bus.watch(hosts) { [weak self] signal in
            if signal.member.hasPrefix("StatusNotifierHost") { self?.register() }
        }
    }

    /// The bus came or went.
    package func busChanged(_ isConnected: Bool) {
        if isConnected { register() } else { found(false) }
    }

    package func show(_ state: TrayState) {
        for signal in item.show(state) + menu.show(TrayMenu(state)) { bus.emit(signal) }
    }

    /// Registers where there is a watcher, and asks it whether anything shows what it keeps. Harmless to repeat.
    private func register() {
        round += 1
        let round = round
        Loop.spawn(name: "tray") { [self] in
            let isThere = await registered()
            if round == self.round { found(isThere) }
        }
    }

    private func registered() async -> Bool {
        do throws(BusError) {
            guard try await bus.call(.bus("NameHasOwner", [.string(Self.watcher)])).first?.flag == true else { return false }
            // Without flags it waits for a name that the program of before is just about to lose.
            _ = try await bus.call(.bus("RequestName", [.string(name), .uint32(0)]))
            _ = try await bus.call(
                BusCall(
                    Self.watcher, path: Self.watcherPath, interface: Self.watcher, member: "RegisterStatusNotifierItem",
                    [.string(name)]))
            let host = try await bus.call(
                .property(Self.watcher, path: Self.watcherPath, interface: Self.watcher, "IsStatusNotifierHostRegistered"))
            return host.first?.flag == true
        } catch {
            return false
        }
    }

    private func found(_ isThere: Bool) {
        guard isShown != isThere else { return }
        isShown = isThere
        onChange?(isThere)
    }

    // MARK: Objects

    private func answerItem(_ call: BusMessage) throws(BusError) -> [BusValue] {
        switch call.interface {
        case ReadOnlyProperties.interface:
            return try ReadOnlyProperties.answer(call, of: TrayItem.interface, item.properties)
        case "org.freedesktop.DBus.Introspectable": return [.string(Self.itemDescription)]
        case TrayItem.interface, "":
            switch call.member {
            case "Activate": onAction?(.open)
            // The host shows the menu itself.
            case "ContextMenu", "SecondaryActivate", "Scroll", "ProvideXdgActivationToken": break
            default: throw .unknownMethod(call.member)
            }
            return []
        default: throw .unknownMethod(call.member)
        }
    }

    private func answerMenu(_ call: BusMessage) throws(BusError) -> [BusValue] {
        switch call.interface {
        case ReadOnlyProperties.interface:
            return try ReadOnlyProperties.answer(call, of: TrayMenuObject.interface, menu.properties)
        case "org.freedesktop.DBus.Introspectable": return [.string(Self.menuDescription)]
        case TrayMenuObject.interface, "":
            let (values, chosen) = try menu.answer(call)
            for action in chosen { onAction?(action) }
            return values
        default: throw .unknownMethod(call.member)
        }
    }
}
