// The commands about this person's devices.

import DDSCore
import DDSLoop
import DDSNode

@LoopActor enum AgentDeviceCommands {
    static let all: [(String, AgentMailCommands.Action)] = [
        ("agent.device.link", link), ("agent.device.look", look), ("agent.device.list", list), ("agent.device.revoke", revoke),
    ]

    private static func link(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        let link = try await agent.offerLink()
        return ["link": .text(link.link), "minutes": .number(DeviceLink.lifetime.components.seconds / 60)]
    }

    private static func look(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        switch try await agent.tendLink() {
        case .open: ["state": "open"]
        case .granted(let title): ["state": "granted", "title": .text(title)]
        case .linked(let number): ["state": "linked", "number": .number(number)]
        }
    }

    private static func list(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        .list(
            try await agent.devices().map { device in
                [
                    "number": .number(device.number), "title": .text(device.title), "this": .bool(device.isAsking),
                    "since": device.since == 0 ? .null : .text(DeliveryReport.date(device.since)),
                    "waiting": .number(device.waiting), "key_number": .number(Int64(clamping: device.keyNumber)),
                ]
            })
    }

    private static func revoke(_ agent: Agent, _ request: ControlRequest) async throws(Failure) -> JSONValue {
        guard let number = request.arguments["number"]?.integer.flatMap({ Int(exactly: $0) }), number > 0 else {
            throw Failure(.usage, "name the device by its number; see: ddsnode device list")
        }
        try await agent.revokeDevice(number)
        return ["revoked": .number(number)]
    }
}
